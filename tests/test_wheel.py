"""A built wheel, installed outside the tree, still finds its schemas and templates, and what was compiled for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build", reason="the package `build` is not installed")
    return build("--wheel", tmp_path_factory.mktemp("wheel"))


def build(what: str, folder: Path, source: Path = ROOT, compiler: str | None = None) -> Path:
    """A wheel or a source distribution."""
    command = [sys.executable, "-m", "build", what, "--no-isolation", "--outdir", str(folder), str(source)]
    environment = {name: value for name, value in os.environ.items() if name != "CC"}
    if compiler is not None:
        environment["CC"] = compiler
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("dataguard-*.*")
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


def test_a_wheel_with_the_compiled_library_is_one_of_this_platform(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("there is no C compiler")
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.endswith(f"-py3-none-{platform}.whl")
    program = (
        "import numpy\nfrom dataguard.dataset.native_measure import LIBRARY, native_measure\n"
        "print(LIBRARY)\nprint(native_measure(numpy.full((5, 4, 3), 9, dtype=numpy.uint8), (2, 1, 0))[:2])"
    )
    place, found = run(installed, tmp_path, "-c", program).stdout.splitlines()
    rows = "from dataguard.dataset.native_rows import is_compiled\nprint(is_compiled())"
    assert run(installed, tmp_path, "-c", rows).stdout == "True\n"
    assert Path(place).is_relative_to(installed)
    assert found == "((180, 180, 180), (1620, 1620, 1620))"


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
def test_without_a_compiler_a_wheel_is_for_any_platform(compiler: str, tmp_path: Path) -> None:
    built = build("--wheel", tmp_path, compiler=compiler)
    assert built.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(built) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".so")]
        (stated,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/WHEEL"))
    assert "Root-Is-Purelib: true\n" in stated


def test_a_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    packed = build("--sdist", tmp_path / "packed")
    shutil.unpack_archive(packed, tmp_path)
    again = build("--wheel", tmp_path / "built", tmp_path / packed.name.removesuffix(".tar.gz"))
    assert again.name == wheel.name
    assert set(zipfile.ZipFile(again).namelist()) == set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize("compiler", ["cc", "false"])
def test_an_editable_install_has_the_library_in_the_tree(compiler: str, tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    packed = build("--sdist", tmp_path / "packed")
    shutil.unpack_archive(packed, tmp_path)
    tree = tmp_path / packed.name.removesuffix(".tar.gz")
    libraries = [tree / "dataguard" / "dataset" / name for name in ("libmeasure.so", "librow_hashes.so")]
    for library in libraries:
        library.write_text("from another version", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--target", str(tmp_path / "site"), "--editable", str(tree)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CC": compiler},
    )
    assert done.returncode == 0, done.stderr
    assert [library.exists() for library in libraries] == [compiler == "cc"] * 2
