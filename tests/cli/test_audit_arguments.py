"""The arguments of ``dataguard audit``, without a repository that is worth one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no such folder or archive"),
        ([".", "--image", "x"], "nothing is asked"),
        ([".", "--probe", "--sandbox", "vm"], "unknown sandbox 'vm'"),
        ([".", "--probe", "--sandbox", "docker"], "go together"),
        ([".", "--probe", "--timeout", "0"], "above 0"),
        ([".", "--format", "xml"], "unknown format 'xml'"),
        ([".", "-o", "report.doc"], "names no format"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_help_names_what_can_be_audited(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["audit", "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "a wheel or a zip" in shown
    assert "ignore[DG420]" in shown
