"""A built wheel, installed outside the tree, still finds its schemas and templates."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build", reason="the package `build` is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, as pip lays it out."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([*command, str(wheel)], check=True)
    return folder


def run(installed: Path, where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "DATAGUARD_CACHE_DIR": str(where / "cache")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False
    )


def test_it_ships_schemas_templates_and_the_type_marker(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("schemas", "docker"):
        shipped = {f"dataguard/{folder}/{path.relative_to(ROOT / folder)}" for path in (ROOT / folder).rglob("*.*")}
        assert shipped
        assert {name for name in shipped if "__pycache__" not in name} <= names
    assert "dataguard/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]


def test_it_finds_its_schemas_outside_the_tree(installed: Path, tmp_path: Path) -> None:
    program = (
        "import dataguard, json\nfrom dataguard.core.resources import read_schema\n"
        "print(dataguard.__file__)\nprint(json.loads(read_schema('report.v1.schema.json'))['$schema'])"
    )
    done = run(installed, tmp_path, "-c", program)
    assert done.returncode == 0, done.stderr
    place, schema = done.stdout.split()
    assert Path(place).is_relative_to(installed)
    assert "json-schema.org" in schema


def test_it_lists_its_rules_and_checks_a_table(installed: Path, tmp_path: Path) -> None:
    assert "class-imbalance" in run(installed, tmp_path, "-m", "dataguard", "rules").stdout
    rows = "".join(f"{number % 7},{number % 3},{'a' if number % 3 else 'b'}\n" for number in range(300))
    (tmp_path / "data.csv").write_text("x,y,label\n" + rows)
    done = run(installed, tmp_path, "-m", "dataguard", "check", "data.csv", "--select", "DG102,DG104")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300" in done.stdout
