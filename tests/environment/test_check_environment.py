"""`dataguard check --environment`, alone, beside a dataset and from a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.config import parse_config
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.report import Status
from dataguard.engine import check
from dataguard.rules import all_rules


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.txt").write_text("torch==2.1.0\nnumpy\n")
    (folder / "train.py").write_text("import torch\nimport cv2\n")
    return folder


READ_ONLY_FILES = ["DG501", "DG502", "DG503", "DG505", "DG506", "DG507", "DG508", "DG509", "DG514", "DG515"]


@pytest.mark.slow
def test_alone_it_runs_the_rules_about_it_and_no_others(project: Path) -> None:
    report = check(environment=project, cache=False)
    assert report.subject.kind == "environment"
    assert report.subject.root == str(project)
    assert {run.code[:3] for run in report.runs} == {"DG5"}
    assert set(READ_ONLY_FILES) <= {run.code for run in report.runs}
    assert [run.code for run in report.runs if run.status is Status.CRASHED] == []
    places = {(place.path, place.line) for found in report.findings for place in found.locations}
    assert {("requirements.txt", 2), ("train.py", 2)} <= places


def test_beside_a_dataset_places_are_relative_to_its_root(project: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("x,label\n" + "".join(f"{number},{number % 2}\n" for number in range(20)))
    report = check(table, environment=project, select=["DG501", "DG102"], cache=False)
    assert report.subject.kind == "dataset"
    (found,) = [found for found in report.findings if found.code == "DG501"]
    assert found.locations[0].path == "project/requirements.txt"


def test_the_command_line_and_a_configuration_name_it(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert main(["check", "--environment", ".", "--no-cache", "--select", "DG501", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["subject"]["kind"] == "environment"
    (project / "dataguard.toml").write_text('select = ["DG505"]\nfail-on = "warning"\n[environment]\npath = "."\n')
    assert main(["check", "--no-cache"]) == 1
    assert "opencv-python" in capsys.readouterr().out


def test_a_missing_folder_and_an_unknown_key_are_the_users_mistakes(project: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        check(environment=project / "no", select=["DG501"], cache=False)
    with pytest.raises(ConfigurationError, match="unknown key 'paths'"):
        parse_config({"environment": {"paths": "."}}, all_rules())
