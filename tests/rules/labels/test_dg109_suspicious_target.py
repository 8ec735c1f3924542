"""DG109: regression targets that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import dataguard
from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import SourceError
from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Observation, Outcome, Severity
from dataguard.core.report import Status
from dataguard.inputs import Inputs, open_source
from dataguard.labels.target_evidence import TargetEvidence
from dataguard.rules.labels.dg109_suspicious_target import suspicious_target

pytestmark = pytest.mark.slow

Array = NDArray[np.float64]


def evidence(n: int = 300, wrong: int = 6, **changes: object) -> TargetEvidence:
    """Targets that scatter by 1 around predictions of 60 to 140; the first `wrong` of them have slipped a digit."""
    rng = np.random.default_rng(0)
    expected = rng.uniform(60, 140, n)
    targets = expected + rng.normal(size=n)
    targets[:wrong] *= 10
    fields: dict[str, object] = {
        "sample_ids": tuple(f"{row:03d}" for row in range(n)),
        "splits": ("train",) * n,
        "paths": (None,) * n,
        "targets": targets,
        "predictions": expected[:, None],
        "origin": {"model": "made up"},
    }
    return TargetEvidence(**(fields | changes))  # type: ignore[arg-type]


def findings(outcomes: list[Outcome]) -> list[Finding]:
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_as_information_with_given_and_expected_target() -> None:
    (finding,) = findings(suspicious_target(evidence()))
    assert finding.severity is Severity.INFO
    assert finding.confidence is Confidence.MEDIUM
    assert {place.sample_id for place in finding.locations} == {f"{row:03d}" for row in range(6)}
    assert finding.message.startswith("6 targets are more likely wrong than right: ")
    first = finding.locations[0]
    assert "given, " in first.note
    assert "expected; wrong with probability above 0.99" in first.note
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert listing.total == 6
    for row in listing.rows:
        assert float(str(row[2])) == pytest.approx(10 * float(str(row[3])), rel=0.1)


def test_fires_as_an_error_above_a_limit_of_the_owner() -> None:
    made = evidence(wrong=30)
    (finding,) = findings(suspicious_target(made, max_noise_rate=0.02))
    assert finding.severity is Severity.ERROR
    assert "the limit is 2.0 %" in finding.message
    low = finding.measurements[0].low
    assert low is not None
    assert low > 0.02
    (finding,) = findings(suspicious_target(made, max_noise_rate=0.2))
    assert finding.severity is Severity.INFO


def test_silent_on_clean_and_on_heavy_tailed_targets() -> None:
    (observation,) = suspicious_target(evidence(wrong=0))
    assert isinstance(observation, Observation)
    named = {item.name: item.value for item in observation.measurements}
    assert float(named["variance of the other targets explained (R²)"]) > 0.99
    assert named["model"] == "made up"
    rng = np.random.default_rng(1)
    expected = rng.normal(size=400) * 5
    heavy = evidence(400, 0, targets=expected + rng.standard_t(3, 400), predictions=expected[:, None])
    assert findings(suspicious_target(heavy)) == []


def test_edge_an_infinite_target_is_always_wrong() -> None:
    made = evidence(wrong=0)
    targets = made.targets.copy()
    targets[9] = np.inf
    (finding,) = findings(suspicious_target(evidence(targets=targets)))
    assert finding.message.startswith("1 target is more likely wrong than right: 009 (inf given, ")
    assert [place.sample_id for place in finding.locations] == ["009"]


def test_edge_unjudged_samples_are_said() -> None:
    observation, *_ = suspicious_target(evidence(unlabelled=4))
    assert isinstance(observation, Observation)
    assert any(
        item.name == "samples without a target, not judged" and item.value == 4 for item in observation.measurements
    )


# From a table


def written(folder: Path, *, whole: bool = False, repeat: bool = False) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 3))
    y = 50 + 10 * x[:, 0] + rng.normal(size=160)
    y[:4] *= 10
    if whole:
        y = np.round(100 * y)
    rows = [f"{a:.6f},{b:.6f},{c:.6f},{float(value)!r}" for (a, b, c), value in zip(x, y, strict=True)]
    if repeat:
        rows += [f"{row.rpartition(',')[0]},{float(row.rpartition(',')[2]) + 0.25!r}" for row in rows[10:20]]
    path = folder / "prices.csv"
    path.write_text("a,b,c,price\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def config(path: Path, **dataset: Any) -> Config:
    return Config(base=path.parent, dataset=DatasetConfig(path=str(path), label="price", **dataset))


@pytest.mark.parametrize("whole", [False, True])
def test_fires_on_a_table_and_the_rules_on_classes_are_skipped(tmp_path: Path, whole: bool) -> None:
    path = written(tmp_path, whole=whole, repeat=not whole)
    report = dataguard.check(path, config=config(path), select=["DG1"], cache=False)
    runs = {run.code: run for run in report.runs}
    (finding,) = runs["DG109"].findings
    assert {place.sample_id for place in finding.locations} == {"1", "2", "3", "4"}
    for code in ("DG101", "DG102", "DG103", "DG104"):
        assert runs[code].status is Status.SKIPPED
        assert runs[code].reason.startswith("the label is a regression target")
    assert runs["DG105"].status is Status.SKIPPED
    assert any("'price' is taken for a regression target" in note for note in report.notes)
    assert report.exit_code() == 0


def test_edge_the_owner_says_what_the_label_is(tmp_path: Path) -> None:
    path = written(tmp_path)
    named = dataguard.check(path, config=config(path, task="classification"), select=["DG102", "DG109"], cache=False)
    statuses = {run.code: run.status for run in named.runs}
    assert statuses["DG109"] is Status.SKIPPED
    assert statuses["DG102"] is not Status.SKIPPED
    assert not any("regression" in note for note in named.notes)
    text = tmp_path / "words.csv"
    text.write_text("a,price\n" + "\n".join(f"{row},cheap" for row in range(60)), encoding="utf-8")
    made = config(text, task="regression")
    with pytest.raises(SourceError, match="not a number in every row"):
        Inputs(made, open_source(made), use_cache=False, progress=lambda *_: None).get(TargetEvidence)


def test_edge_predictions_of_the_users_own_model(tmp_path: Path) -> None:
    path = written(tmp_path)
    np.save(tmp_path / "p.npy", np.full((160, 2), 50.0))
    made = config(path, predictions="p.npy")
    found = Inputs(made, open_source(made), use_cache=False, progress=lambda *_: None).get(TargetEvidence)
    assert isinstance(found, TargetEvidence)
    assert found.predictions.shape == (160, 2)
    assert len(str(found.origin["sha256"])) == 64
