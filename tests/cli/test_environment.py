"""``dataguard environment``, and ``check`` of what is installed where a project runs."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from dataguard.cli import main
from dataguard.environment.installed import InstalledEnvironment
from dataguard.inputs import installed as maker
from tests.environment.made_environment import install, make_environment

pytestmark = pytest.mark.slow


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an environment that has drifted, an edited package, and weights that run a command."""
    folder = tmp_path / "project"
    site = make_environment(folder / ".venv")
    install(site, "pillow", "11.0.0", {"PIL/__init__.py": b"x = 1\n"})
    install(site, "numpy", "1.26.4")
    (site / "numpy" / "__init__.py").write_bytes(b"edited and longer\n")
    (folder / "requirements.txt").write_text("pillow==8.4.0\nnumpy==1.26.4\n")
    (folder / "model.pt").write_bytes(pickle.dumps(Touch(tmp_path / "executed")))
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_table_fits_80_columns(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    for arguments in ([], ["--path", str(project)], ["-v"]):
        assert main(["environment", *arguments]) == 0
        out = capsys.readouterr().out
        assert "Python\n" in out
        assert "fingerprint " in out
        assert max(len(line) for line in out.splitlines() if str(project) not in line) <= 80


def test_json_goes_to_a_file_by_its_suffix(capsys: pytest.CaptureFixture[str], project: Path, tmp_path: Path) -> None:
    assert main(["environment", "--path", str(project), "-o", "e.json"]) == 0
    assert "2 packages" in capsys.readouterr().out
    found = json.loads((tmp_path / "e.json").read_text())
    assert [item["name"] for item in found["packages"]] == ["numpy", "pillow"]
    assert [item["changed"] for item in found["packages"]] == [1, 0]
    assert main(["environment", "--path", str(project), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_verify_names_the_edited_file_and_exits_with_1(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert main(["environment", "--path", str(project), "--verify"]) == 1
    out = capsys.readouterr().out
    assert "edited" in out
    assert "numpy/__init__.py" in out


def test_mistakes_are_told_without_a_traceback(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["environment", "--path", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["environment", "--path", str(tmp_path)]) == 2
    assert "no Python environment" in capsys.readouterr().err
    assert main(["environment", "--format", "yaml"]) == 2
    assert "unknown format" in capsys.readouterr().err


def test_check_finds_what_is_installed_and_runs_nothing(
    capsys: pytest.CaptureFixture[str], project: Path, tmp_path: Path
) -> None:
    rules = "DG504,DG510,DG511,DG512,DG513"
    assert main(["check", "--environment", str(project), "--select", rules, "--format", "json"]) == 1
    runs = {run["code"]: run for run in json.loads(capsys.readouterr().out)["runs"]}
    assert {code for code, run in runs.items() if run["findings"]} == {"DG504", "DG510", "DG511", "DG512"}
    assert runs["DG513"]["status"] == "skipped"
    places = [place["path"] for code in ("DG510", "DG512") for place in runs[code]["findings"][0]["locations"]]
    assert places == ["model.pt", ".venv/lib/python3.11/site-packages/numpy/__init__.py"]
    assert all((project / place).exists() for place in places)
    assert not (tmp_path / "executed").exists()


def test_another_project_s_environment_is_not_taken_for_this_one_s(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(make_environment(tmp_path / "active"), "other", "1.0")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "requirements.txt").write_text("a==1\nb==2\nother==3\n")
    main(["check", "--environment", str(tmp_path / "p"), "--select", "DG504,DG512", "--format", "json"])
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert {run["status"] for run in runs} == {"skipped"}
    assert "1 of the 3 packages" in runs[0]["reason"]
    (tmp_path / "p" / "dataguard.toml").write_text('[environment]\npath = "."\ninstalled = "../active"\n')
    monkeypatch.chdir(tmp_path / "p")
    assert main(["check", "--select", "DG504", "--format", "json"]) == 1
    assert InstalledEnvironment in maker.MAKERS
