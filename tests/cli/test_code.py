"""``dataguard check --code``: code alone, beside a dataset, and from the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.engine import check

CODE = """
X = pd.read_csv("d.csv")
X = StandardScaler().fit_transform(X)
X_train, X_test = train_test_split(X)
model = SVC().fit(X_train)
print(model.score(X_test))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(CODE)
    return tmp_path


def test_code_alone_is_checked_without_a_dataset(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--code", "train.py", "--fail-on", "warning", "--no-cache"]) == 1
    shown = capsys.readouterr().out
    assert "StandardScaler.fit_transform (line 3) saw the rows" in shown
    assert "train.py:3" in shown
    assert "1 of 1 rule came to a conclusion" in shown
    assert "samples" not in shown


def test_the_report_says_what_was_checked(here: Path) -> None:
    report = check(code=["train.py"], cache=False)
    assert (report.subject.kind, report.subject.root) == ("code", str(here))
    assert report.subject.facts == {"scripts and notebooks": 1}
    assert [run.code for run in report.runs] == ["DG310"]
    assert report.configuration["code"]["paths"] == (str(here / "train.py"),)
    (finding,) = report.findings
    assert finding.locations[0].path == "train.py"


def test_the_configuration_names_code(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "old").mkdir()
    (here / "old" / "train.py").write_text(CODE)
    (here / "dataguard.toml").write_text('[code]\npaths = ["."]\nexclude = ["old"]\n')
    assert main(["check", "--format", "json", "--no-cache"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["subject"]["facts"] == {"scripts and notebooks": 1}


@pytest.mark.slow
def test_code_beside_a_dataset(here: Path) -> None:
    (here / "d.csv").write_text(
        "x,y,split\n" + "".join(f"{n},{n % 2},{'train' if n % 3 else 'test'}\n" for n in range(60))
    )
    report = check("d.csv", code=["train.py"], cache=False)
    assert report.subject.kind == "dataset"
    by_code = {run.code: run for run in report.runs}
    assert by_code["DG310"].findings
    assert "DG102" in by_code
    assert "DG310" not in {run.code for run in check("d.csv", cache=False).runs}


def test_a_path_that_is_not_there_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--code", "none.py", "--no-cache"]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_an_unknown_key_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "dataguard.toml").write_text('[code]\npath = ["."]\n')
    assert main(["check"]) == 2
    assert "did you mean 'paths'?" in capsys.readouterr().err


def test_code_without_a_split_is_nothing_checked(here: Path) -> None:
    (here / "train.py").write_text("print(1)\n")
    assert main(["check", "--code", "train.py", "--no-cache"]) == 3
