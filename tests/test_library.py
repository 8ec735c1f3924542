"""``import dataguard`` gives what the command line gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dataguard
from dataguard.cli import main
from dataguard.config import Config
from dataguard.core.errors import ExitCode, SourceError
from dataguard.core.finding import Confidence, Observation, Outcome, Severity
from dataguard.core.report import Status
from dataguard.core.rule import Rule, rule
from dataguard.dataset.class_counts import ClassCounts
from dataguard.dataset.table import SampleTable
from dataguard.engine import resolve_config, run
from dataguard.formats import json as json_format

pytestmark = pytest.mark.slow


@rule("DG991", "breaking-rule", Severity.ERROR)
def breaking(counts: ClassCounts) -> Iterator[Outcome]:
    yield Observation(message="about to break")
    raise ZeroDivisionError("on purpose")


@rule("DG992", "sound-rule", Severity.INFO)
def sound(counts: ClassCounts, table: SampleTable) -> Iterator[Outcome]:
    yield sound.finding("seen", remedy="none", confidence=Confidence.HIGH, key=(str(table.n_samples),))


@rule("DG993", "interrupted-rule", Severity.INFO)
def interrupted(counts: ClassCounts) -> Iterator[Outcome]:
    yield Observation(message="now")
    raise KeyboardInterrupt


def settings(path: Path, **changes: Any) -> Config:
    return resolve_config(path, Config(base=path, **changes), ())


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    report = {key: value for key, value in report.items() if key not in ("seconds", "started_at")}
    report["runs"] = [{key: value for key, value in run.items() if key != "seconds"} for run in report["runs"]]
    return report


def test_library_and_command_line_say_the_same(shapes: Path, tmp_path: Path) -> None:
    report = dataguard.check(shapes)
    out = tmp_path / "report.json"
    code = main(["check", str(shapes), "-o", str(out)])
    assert report.exit_code() == code == ExitCode.CLEAN
    mine = without_times(json.loads(json_format.dump(report)))
    assert mine == without_times(json.loads(out.read_text(encoding="utf-8")))


def test_a_second_check_says_the_same_as_the_first(shapes: Path) -> None:
    first, second, uncached = (
        without_times(json.loads(json_format.dump(dataguard.check(shapes, cache=cache))))
        for cache in (True, True, False)
    )
    assert first == second
    uncached["configuration"]["cache"] = True
    assert first == uncached


def test_a_rule_that_crashes_takes_no_other_with_it(shapes: Path) -> None:
    report = run(settings(shapes), (breaking, sound))
    assert [run.status for run in report.runs[:2]] == [Status.CRASHED, Status.FOUND]
    assert [finding.code for finding in report.findings] == ["DG902", "DG992"]
    assert "ZeroDivisionError" in report.runs[0].reason
    assert "on purpose" in report.runs[0].reason
    assert report.exit_code() is ExitCode.FAILED


def test_an_interrupt_leaves_a_partial_report(shapes: Path) -> None:
    report = run(settings(shapes), (sound, interrupted, sound))
    assert report.partial
    assert [run.status for run in report.runs] == [Status.FOUND, Status.NOT_RUN, Status.NOT_RUN]
    assert report.exit_code() is ExitCode.FAILED


def test_an_interrupted_scan_leaves_a_partial_report(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dataguard.inputs.dataset.scan", stop)
    report = run(settings(shapes), (sound,))
    assert report.partial
    assert report.subject.n_samples == 0
    assert [run.status for run in report.runs] == [Status.NOT_RUN]
    assert report.exit_code() is ExitCode.FAILED


def test_a_rule_that_is_left_out_is_not_run(shapes: Path) -> None:
    report = run(settings(shapes, left_out={"DG991": "known"}), (breaking, sound))
    assert (report.runs[0].status, report.runs[0].reason) == (Status.IGNORED, "known")
    assert report.exit_code() is ExitCode.CLEAN


def test_an_ignored_rule_does_not_count_even_where_it_crashes(shapes: Path) -> None:
    report = run(settings(shapes, ignore={"DG991": "known", "DG992": "seen"}), (breaking, sound))
    assert [item.status for item in report.runs[:2]] == [Status.IGNORED, Status.IGNORED]
    assert report.runs[0].reason.startswith("known (it could not run: ZeroDivisionError")
    assert report.runs[1].reason == "seen (1 finding is hidden)"
    assert [finding.message for finding in report.runs[1].known] == ["seen"]
    assert list(report.findings) == []


def test_a_rule_that_only_observes_is_a_pass(shapes: Path) -> None:
    @rule("DG994", "quiet-rule", Severity.ERROR)
    def quiet(counts: ClassCounts) -> Iterator[Outcome]:
        yield Observation(message="all well")

    report = run(settings(shapes), (quiet,))
    assert report.runs[0].status is Status.PASSED
    assert report.runs[0].observations[0].message == "all well"


def test_the_report_says_what_the_figures_depend_on(shapes: Path) -> None:
    report = dataguard.check(shapes, select=["DG102"])
    assert report.configuration["seed"] == 0
    assert report.configuration["select"] == ("DG102",)
    assert {"python", "numpy", "opencv-python-headless"} <= set(report.environment)
    assert report.runs[0].options["min_ratio"] == 0.1
    assert report.subject.splits == {"train": 180, "val": 60, "test": 60}
    assert report.subject.n_classes == 2


def test_a_configuration_beside_the_dataset_names_it(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "dataguard.toml").write_text(f"[dataset]\npath = {json.dumps(str(shapes))}\n")
    rules: tuple[Rule[Any], ...] = (sound,)
    assert resolve_config(tmp_path, None, rules).dataset.path == str(shapes)
    assert resolve_config(tmp_path / "dataguard.toml", None, rules).dataset.path == str(shapes)
    (tmp_path / "sub").mkdir()
    below = resolve_config(tmp_path / "sub", None, rules)
    assert (below.dataset.path, below.origin) == (str(tmp_path / "sub"), str(tmp_path / "dataguard.toml"))


def test_suspicious_samples_of_a_run_that_judged_none_are_not_none_found(shapes: Path) -> None:
    judged = dataguard.check(shapes, select=["DG101"])
    assert len(judged.rankings[0]) == 300
    assert judged.suspicious() == [sample for sample in judged.rankings[0] if sample.is_error]
    unjudged = dataguard.check(shapes, select=["DG102"])
    assert unjudged.rankings == ()
    with pytest.raises(LookupError, match="no rule judged"):
        unjudged.suspicious()
    with pytest.raises(LookupError, match="read from JSON"):
        json_format.load(json_format.dump(judged)).suspicious()


def test_a_missing_path_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        dataguard.check(tmp_path / "nowhere")
