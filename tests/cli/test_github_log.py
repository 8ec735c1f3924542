"""What the command line prints in a job of GitHub Actions is read, and never run, whatever files are called."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.cli.github_log import InertStream
from tests.core.test_workflow_commands import runs

pytestmark = pytest.mark.slow

MASK = "::add-mask::a"
OLD = "##[add-mask]a"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table whose column, label and name are commands."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"{OLD}.csv"
    rows = [f"{number},{MASK}" for number in range(900)] + [f"{number},{OLD}" for number in range(3)]
    path.write_text("\n".join((f"{OLD},label", *rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "terminal",
        "json",
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("markdown", "html", "junit", "sarif", "gitlab")),
    ],
)
def test_no_format_prints_a_command(table: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", table.name, "--format", kind, "--select", "DG102,DG301", "--fail-on", "info"])
    said = capsys.readouterr()
    assert "add-mask" in said.out
    assert runs(said.out) == runs(said.err) == []
    if kind in ("json", "sarif", "gitlab"):
        assert OLD in str(json.loads(said.out))


def test_annotations_are_the_only_commands(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", table.name, "--format", "github", "--select", "DG102,DG301", "--fail-on", "info"])
    levels = {line.split(" ")[0] for line in runs(capsys.readouterr().out)}
    assert levels == {"::warning"}


def test_errors_are_not_commands(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"nowhere\n{MASK}"]) == 2
    assert main(["report", f"{OLD}.json"]) == 2
    with pytest.raises(SystemExit):
        main(["check", "a", f"b\n{MASK}"])
    said = capsys.readouterr().err
    assert said.count("add-mask") >= 3
    assert runs(said) == []


def test_elsewhere_names_are_shown_as_they_are(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert main(["report", f"{OLD}.json"]) == 2
    assert OLD in capsys.readouterr().err


def test_a_command_in_pieces_is_none() -> None:
    below = io.StringIO()
    stream = InertStream(below)
    for piece in (" :", ":add-mask", "::a\n##", "[add-mask]", "a\nend"):
        stream.write(piece)
    assert below.getvalue() == " \\x3a:add-mask::a\n#\\x23[add-mask]a\n"
    stream.flush()
    assert below.getvalue().endswith("\nend")
