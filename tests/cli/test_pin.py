"""``dataguard pin``, against an index of made wheels on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataguard.cli import main
from tests.environment.made_index import MadeIndex

pytestmark = pytest.mark.slow
OWN = ".".join(map(str, sys.version_info[:2]))


@pytest.fixture
def made() -> Iterator[MadeIndex]:
    index = MadeIndex()
    index.add("demo", "1.0", "base", day="2023-05-01")
    index.add("demo", "2.0", "base", day="2024-05-01")
    index.add("base", "1.0", day="2023-01-01")
    with index.served():
        yield index


def pin(made: MadeIndex, *arguments: str) -> int:
    return main(["pin", *arguments, "--index", made.url, "--resolver", "pip-tools"])


def test_a_project_is_locked_and_checks_clean(
    made: MadeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.in").write_text("demo\n")
    (tmp_path / ".python-version").write_text("")
    assert pin(made) == 0
    assert "2 packages, 2 files" in capsys.readouterr().out
    lock = (tmp_path / "requirements.txt").read_text()
    assert "demo==2.0 \\\n    --hash=sha256:" in lock
    assert "#    dataguard pin . -r requirements.in --resolver pip-tools -o requirements.txt" in lock
    assert 'name = "demo"' in (tmp_path / "pylock.toml").read_text()
    for text in (lock, str(tmp_path)):
        assert made.url not in text
    assert main(["check", "--environment", ".", "--select", "DG501,DG502,DG503", "--fail-on", "info"]) == 0
    # What the lock holds is kept, until somebody asks for newer versions.
    made.add("demo", "3.0", "base")
    assert pin(made) == 0
    assert "demo==2.0" in (tmp_path / "requirements.txt").read_text()
    assert pin(made, "--upgrade") == 0
    assert "demo==3.0" in (tmp_path / "requirements.txt").read_text()


def test_as_of_a_day_and_to_standard_output(
    made: MadeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The Python of that day may not be here; that it is chosen is tested apart.
    monkeypatch.setattr("dataguard.environment.pinning.pin.python_of", lambda day, demands: OWN)
    (tmp_path / "train.py").write_text("import demo\n")
    assert pin(made, str(tmp_path), "--as-of", "2023-12-01", "-o", "-") == 0
    shown = capsys.readouterr()
    assert "demo==1.0" in shown.out
    assert "as of 2023-12-02 00:00 UTC" in shown.out
    assert "the imports of the code" in shown.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.py"]


def test_what_cannot_be_had_is_named_and_nothing_is_written(
    made: MadeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("demo>=9\ncv2\n-e .\n")
    assert pin(made, str(tmp_path)) == 2
    shown = capsys.readouterr().out
    assert "demo>=9 (requirements.txt:1)\n    no release fits >=9: there are 1.0, 2.0" in shown
    assert "the module cv2 is of opencv-python" in shown
    assert "a folder of this machine" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["requirements.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resolver", "nosuch"], "unknown resolver"),
        (["--timeout", "0"], "expected seconds above 0"),
        (["--as-of", "yesterday"], "neither a date nor a commit"),
        (["-r", "nosuch.txt"], "not one of the project's files"),
        (["--index", "file:///tmp"], "begins with http"),
        (["--python", "2.7"], "not installed"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("demo\n")
    assert main(["pin", str(tmp_path), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_project_that_needs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text("import os\n")
    assert main(["pin", str(tmp_path)]) == 2
    assert "nothing is asked for" in capsys.readouterr().err


def test_a_hostile_setup_py_is_read_and_not_run(
    made: MadeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "setup.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom setuptools import setup\nsetup(install_requires=['nosuch'])\n"
    )
    assert pin(made, str(tmp_path)) == 2
    assert "nosuch" in capsys.readouterr().out
    assert not (tmp_path / "ran").exists()
