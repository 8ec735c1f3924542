"""``dataguard check --diff`` and ``--fix``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.formats import json as json_format
from tests.environment.made_environment import install, make_environment

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    site = make_environment(tmp_path / ".venv")
    for name, version in (("numpy", "1.26.4"), ("torch", "2.1.0+cpu"), ("opencv-python", "4.9.0.80")):
        install(site, name, version)
    (tmp_path / "requirements.txt").write_bytes(b"# mine\r\nnumpy>=1.20 # keep\r\ntorch \\\r\n  >=2\r\npandas\r\n")
    (tmp_path / "train.py").write_text("import cv2, numpy, torch\n")
    return tmp_path


FIXED = b"# mine\r\nnumpy==1.26.4 # keep\r\ntorch==2.1.0\r\npandas\r\nopencv-python==4.9.0.80\r\n"


def test_the_diff_says_what_fix_then_does(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (project / "requirements.txt").read_bytes()
    code = main(["check", "--environment", str(project), "--diff"])
    diff = capsys.readouterr().out
    assert (project / "requirements.txt").read_bytes() == before
    assert main(["check", "--environment", str(project), "--fix"]) == code
    shown = capsys.readouterr().out
    assert "changed: requirements.txt" in shown
    assert (project / "requirements.txt").read_bytes() == FIXED
    assert (project / ".python-version").read_text() == "3.11\n"
    (project / "requirements.txt").write_bytes(before)
    (project / ".python-version").unlink()
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=project, check=True)
    assert (project / "requirements.txt").read_bytes() == FIXED


def test_a_second_time_there_is_nothing_left(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--environment", str(project), "--fix"])
    capsys.readouterr()
    main(["check", "--environment", str(project), "--diff"])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nothing can be changed" in shown.err


def test_reports_show_the_change(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "--environment", str(project), "--select", "DG501"]
    main([*arguments, "-o", str(project / "report.html")])
    assert "numpy>=1.20 → numpy==1.26.4" in capsys.readouterr().out
    assert "numpy==1.26.4" in (project / "report.html").read_text()
    main([*arguments, "--format", "json"])
    text = capsys.readouterr().out
    assert json.loads(text)["runs"][0]["findings"][0]["edits"][0] == {
        "path": "requirements.txt",
        "line": 2,
        "old": "numpy>=1.20",
        "new": "numpy==1.26.4",
    }
    assert json_format.dump(json_format.load(text)) == text


def test_one_of_the_two(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--environment", str(project), "--diff", "--fix"]) == 2
    assert "give one of them" in capsys.readouterr().err
