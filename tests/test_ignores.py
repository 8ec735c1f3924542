"""An ignore says why, may say until when, and is held to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dataguard.config import Config, parse_config
from dataguard.config.ignores import expiry
from dataguard.core.errors import ConfigurationError, ExitCode
from dataguard.core.finding import Confidence, Finding, Inconclusive, Outcome, Severity
from dataguard.core.report import Report, Status
from dataguard.core.rule import Rule, rule
from dataguard.engine import run
from dataguard.engine.accepting import ignored_by
from dataguard.rules import all_rules
from dataguard.splits.code.files import CodeFiles


def parsed(ignore: dict[str, object]) -> Config:
    return parse_config({"ignore": ignore}, all_rules(), origin="dataguard.toml")


@pytest.mark.parametrize(
    ("value", "reason", "until"),
    [
        ("meant", "meant", None),
        ("meant (until 2027-01-31)", "meant (until 2027-01-31)", dt.date(2027, 1, 31)),
        ({"reason": "meant"}, "meant", None),
        ({"reason": "meant", "until": dt.date(2027, 1, 31)}, "meant (until 2027-01-31)", dt.date(2027, 1, 31)),
        ({"reason": "meant", "until": "2027-01-31"}, "meant (until 2027-01-31)", dt.date(2027, 1, 31)),
        ("meant (until the scanner is replaced)", "meant (until the scanner is replaced)", None),
    ],
)
def test_a_reason_and_its_end(value: object, reason: str, until: dt.date | None) -> None:
    assert parsed({"DG102": value}).ignore == {"DG102": reason}
    assert expiry(reason, where="ignore.DG102") == until


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "ignore.DG102: an ignored rule needs a reason"),
        ("  ", "an ignored rule needs a reason"),
        (" (until 2027-01-31)", "an ignored rule needs a reason"),
        (3, "an ignored rule needs a reason"),
        ({"until": dt.date(2027, 1, 31)}, "an ignored rule needs a reason"),
        ("meant (until 2027-02-31)", "an ignore ends on a day, not on '2027-02-31'"),
        ("meant (until 31.1.2027)", "an ignore ends on a day, not on '31.1.2027'"),
        ({"reason": "meant", "until": "soon"}, "an ignore ends on a day, not on 'soon'"),
        ({"reason": "meant", "until": 2027}, "an ignore ends on a day, not on 2027"),
        ({"reason": "meant", "till": "x"}, "unknown key 'till'"),
    ],
)
def test_a_reason_that_is_none(value: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parsed({"DG102": value})
    assert str(error.value).startswith("dataguard.toml: ignore.DG102")
    assert said in str(error.value)
    assert error.value.hint


def test_an_ignore_holds_through_its_last_day() -> None:
    (imbalance,) = (item for item in all_rules() if item.code == "DG102")
    ignores = {"DG102": "meant (until 2027-01-31)", "DG1": "others"}
    by = [ignored_by(imbalance, ignores, dt.date(2027, month, day), where="ignore") for month, day in ((1, 31), (2, 1))]
    assert by == [("DG102", "meant (until 2027-01-31)"), ("DG1", "others")]
    assert ignored_by(imbalance, {"DG3": "x"}, dt.date(2027, 1, 1), where="ignore") is None


# --- in a run


@rule("DG981", "finding-rule", Severity.ERROR)
def finds(code: CodeFiles) -> Iterator[Outcome]:
    """Found."""
    yield finds.finding("seen", remedy="none", confidence=Confidence.HIGH)


@rule("DG982", "passing-rule", Severity.ERROR)
def passes(code: CodeFiles) -> Iterator[Outcome]:
    """Passes."""
    outcomes: list[Outcome] = []
    yield from outcomes


@rule("DG983", "undecided-rule", Severity.ERROR)
def undecided(code: CodeFiles) -> Iterator[Outcome]:
    """Cannot tell."""
    yield Inconclusive(reason="too few")


@rule("DG984", "crashing-rule", Severity.ERROR)
def crashes(code: CodeFiles) -> Iterator[Outcome]:
    """Crashes."""
    yield from [1 / 0]  # type: ignore[misc]


RULES: tuple[Rule[Any], ...] = (finds, passes, undecided, crashes)


@pytest.fixture
def checked(tmp_path: Path) -> Callable[..., Report]:
    (tmp_path / "train.py").write_text("x = 1\n")

    def check(*rules: Rule[Any], **settings: Any) -> Report:
        data = {"code": {"paths": ["train.py"]}}
        config = parse_config(data, all_rules(), origin=str(tmp_path / "dataguard.toml"), base=tmp_path)
        import dataclasses

        return run(dataclasses.replace(config, **settings), rules or RULES[:1], use_cache=False)

    return check


def found(report: Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


def test_findings_of_an_ignored_rule_do_not_count(checked: Callable[..., Report]) -> None:
    report = checked(finds, passes, ignore={"DG981": "meant"})
    assert report.exit_code() is ExitCode.CLEAN
    assert report.runs[0].status is Status.IGNORED
    assert report.runs[0].reason == "meant (1 finding is hidden)"
    assert [finding.message for finding in report.runs[0].known] == ["seen"]
    assert list(report.known) == []
    assert found(report, "DG901") == []


def test_an_expired_ignore_hides_nothing_and_is_said(checked: Callable[..., Report]) -> None:
    report = checked(ignore={"DG981": "until it is mended (until 2020-02-29)"})
    assert report.exit_code() is ExitCode.FOUND
    assert [finding.code for finding in report.findings] == ["DG981", "DG901"]
    (unused,) = found(report, "DG901")
    assert "The ignore of DG981 ended on 2020-02-29" in unused.message
    assert unused.locations[0].path == "dataguard.toml"
    assert "the ignore of DG981 ended on 2020-02-29: what it hid counts again" in report.notes
    assert checked(ignore={"DG981": "it is mended later (until 9999-12-31)"}).exit_code() is not ExitCode.FOUND


def test_an_ignore_that_hides_nothing_is_found(checked: Callable[..., Report]) -> None:
    report = checked(*RULES, ignore={"DG982": "meant", "DG983": "meant", "DG984": "meant"})
    (unused,) = found(report, "DG901")
    assert "The ignore of DG982" in unused.message
    assert [item.status for item in report.runs[1:4]] == [Status.IGNORED] * 3
    assert found(report, "DG902") == []


def test_of_two_ignores_the_second_hides_nothing(checked: Callable[..., Report]) -> None:
    report = checked(ignore={"DG98": "all of them", "DG981": "again"})
    (unused,) = found(report, "DG901")
    assert unused.message == ('The ignore of DG981 ("again") hides nothing: an earlier ignore hides DG981 already.')


def test_ignored_rules_need_not_be_run(checked: Callable[..., Report]) -> None:
    report = checked(passes, ignore={"DG982": "meant"}, rules={"DG901": {"run_ignored": False}})
    assert (report.runs[0].status, report.runs[0].reason) == (Status.IGNORED, "meant")
    assert found(report, "DG901") == []
    # What the command line leaves out is not run either, and nobody asks whether it would hide anything.
    report = checked(crashes, left_out={"DG984": "not today"})
    assert [(item.code, item.status) for item in report.runs] == [("DG984", Status.IGNORED)]


def test_a_crash_is_a_finding_and_no_conclusion(checked: Callable[..., Report]) -> None:
    report = checked(crashes)
    assert report.exit_code() is ExitCode.FAILED
    (crash,) = found(report, "DG902")
    assert crash.message.startswith("DG984 crashing-rule could not run: ZeroDivisionError at test_ignores.py")


def test_a_pass_about_the_run_itself_checks_nothing(checked: Callable[..., Report]) -> None:
    report = checked(undecided, ignore={"DG1": "no rule of this run"})
    assert [(item.code, item.status) for item in report.runs] == [
        ("DG983", Status.INCONCLUSIVE),
        ("DG901", Status.PASSED),
    ]
    assert report.exit_code() is ExitCode.NOTHING_CHECKED


def test_rules_about_the_run_can_be_asked_for_and_ignored(checked: Callable[..., Report]) -> None:
    report = checked(passes, select=("DG982", "DG9"), ignore={})
    assert [(item.code, item.status.value) for item in report.runs] == [
        ("DG982", "passed"),
        ("DG901", "skipped"),
        ("DG902", "passed"),
    ]
    report = checked(passes, ignore={"DG982": "meant", "DG901": "we know"})
    assert [item.status for item in report.runs] == [Status.IGNORED, Status.IGNORED]
    assert report.runs[1].reason.startswith("we know (")
