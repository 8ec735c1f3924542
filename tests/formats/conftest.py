"""Reports to render: a small one, one with pictures, and one whose every text is hostile."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.core.exhibit import (
    Gallery,
    HeatMap,
    Histogram,
    Listing,
    OrderStrip,
    PairGallery,
    Picture,
    PicturePair,
    Reliability,
    ReliabilityBin,
    Series,
)
from dataguard.core.finding import Confidence, Finding, Inconclusive, Location, Measurement, Observation, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject

HOSTILE = (
    "\"'</style></script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"
    "&amp; [bold red]x[/] :skull: \x1b[2J\x1b]0;owned\x07 \u202eexe.gnp \udcff \x00 \x9b31m \r\n\t"
)
"""What a file name, a label or a configuration may hold."""


def _run(code: str, name: str, status: Status, **fields: Any) -> RuleRun:
    values: dict[str, Any] = {"summary": f"Summary of {name}.", "severity": Severity.WARNING, "seconds": 0.5, **fields}
    return RuleRun(code=code, name=name, status=status, **values)


def _label_noise() -> Finding:
    pictures = tuple(
        Picture(
            sample_id=f"train/{index % 3}/{index:02d}.png",
            path=f"train/{index % 3}/{index:02d}.png",
            split="train",
            given=str(index % 3),
            suggested=str((index + 1) % 3),
            score=index / 40,
        )
        for index in range(30)
    )
    return Finding(
        code="DG101",
        name="label-noise",
        severity=Severity.ERROR,
        confidence=Confidence.MEDIUM,
        message="An estimated 3.9 % of the labels are wrong: 30 of 60 samples are suspicious.",
        remedy="Look at the samples, worst first, and correct the labels that are wrong.",
        measurements=(
            Measurement(
                name="noise rate", value=0.039, threshold=0.03, low=0.031, high=0.048, level=0.95, n=60, unit="share"
            ),
            Measurement(name="suspicious samples", value=30, p_value=1.2e-9),
        ),
        locations=tuple(
            Location(path=picture.path, sample_id=picture.sample_id, split="train", label=picture.given, note="wrong?")
            for picture in pictures
        ),
        exhibits=(
            Gallery(title="The most suspicious samples", pictures=pictures, total=70),
            PairGallery(
                title="Side by side",
                pairs=(PicturePair(left=pictures[0], right=pictures[1], caption="distance 2"),),
                total=1,
            ),
            Listing(title="Mixed up", columns=("given", "n"), rows=(("a", 3), ("b", None)), total=5),
        ),
    )


def _imbalance() -> Finding:
    return Finding(
        code="DG102",
        name="class-imbalance",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,
        message="Class '2' of train has 12 samples, 0.09 of the largest class.",
        remedy="Collect more samples of '2'.",
        measurements=(Measurement(name="smallest to largest class", value=0.0916, threshold=0.1),),
        locations=(Location(split="train", label="2"),),
        key=("train",),
    )


CONFUSED = HeatMap(
    title="Which classes are labelled as which",
    rows=("cat", "dog", "eel"),
    columns=("cat", "dog", "eel"),
    values=((0.96, 0.031, 0.009), (0.0, 1.0, 0.0), (0.0, 0.02, 0.98)),
    row_axis="true class",
    column_axis="given label",
    meaning="Estimated share of a true class that is labelled as another.",
    row_totals=(600.0, 540.0, 657.0),
)
CALIBRATED = Reliability(
    title="How right the probabilities are",
    bins=(
        ReliabilityBin(predicted=0.51, observed=0.47, low=0.38, high=0.56, n=120, expected=0.5),
        ReliabilityBin(predicted=0.981, observed=0.952, low=0.94, high=0.96, n=1677, expected=0.955),
    ),
    predicted_axis="probability of the likeliest class",
    observed_axis="share labelled as it",
    level=0.95,
    error=0.0297,
    error_by_chance=0.0042,
    ceiling=0.961,
    note="The rule calibrates them.",
)


ORDER = OrderStrip(
    title="Labels in the order that the loader gave them",
    classes=("cat", "dog"),
    columns=((4, 4), (8, 0), (8, 0), (0, 8), (8, 0), (0, 0)),
    total=90,
    note="Seed 7.",
)


@pytest.fixture
def order() -> OrderStrip:
    """A small order strip: a mixed batch, two of cats, one of dogs, one of cats, and an empty one."""
    return ORDER


@pytest.fixture
def confused() -> HeatMap:
    """A small heat map with a diagonal."""
    return CONFUSED


@pytest.fixture
def calibrated() -> Reliability:
    """A small calibration plot."""
    return CALIBRATED


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """A report with every kind of outcome and of exhibit; keyword arguments replace its fields."""

    def make(root: str = "/data/digits", **fields: Any) -> Report:
        collisions = Inconclusive(
            reason="hashes collide by chance", measurements=(Measurement(name="collisions", value=0.041),)
        )
        report = Report(
            subject=Subject(
                kind="dataset",
                path=root,
                root=root,
                source="folder",
                version_id="3f2a9c1e77b0d4c8aa91",
                n_samples=1797,
                splits={"train": 1257, "test": 540},
                n_classes=3,
                facts={"bytes": 812345, "formats": {"png": 1796, "jpeg": 1}},
            ),
            runs=(
                _run(
                    "DG101",
                    "label-noise",
                    Status.FOUND,
                    findings=(_label_noise(),),
                    options={"threshold": 0.03, "models": ("linear", "forest")},
                    observations=(
                        Observation(
                            message="The probabilities are right for 96.2 % of the samples.",
                            measurements=(Measurement(name="accuracy", value=0.962, unit="share"),),
                            exhibits=(CONFUSED, CALIBRATED),
                        ),
                    ),
                ),
                _run("DG102", "class-imbalance", Status.FOUND, findings=(_imbalance(),), inconclusive=(collisions,)),
                _run(
                    "DG104",
                    "too-few-samples-per-class",
                    Status.PASSED,
                    options={"min_samples": 20},
                    observations=(
                        Observation(
                            message="The smallest class has 24 samples.",
                            measurements=(Measurement(name="smallest class", value=24, threshold=20),),
                        ),
                    ),
                ),
                _run(
                    "DG302",
                    "near-duplicate-across-splits",
                    Status.INCONCLUSIVE,
                    reason="hashes collide by chance",
                    inconclusive=(collisions,),
                ),
                _run("DG802", "schema-violation", Status.SKIPPED, reason="no schema is configured"),
                _run("DG803", "odd-size", Status.IGNORED, reason="8 x 8 is what the scanner delivers"),
                _run("DG901", "unused-ignore", Status.CRASHED, reason="division by zero\n  hint: report it"),
            ),
            tool_version="0.1.0",
            started_at="2026-11-21T08:00:13+00:00",
            seconds=4.213,
            configuration={"origin": "dataguard.toml", "dataset": {"path": "digits"}, "fail_on": "error"},
            environment={"python": "3.11.2"},
            overview=(
                Histogram(
                    title="Samples per class",
                    categories=("0", "1", "2"),
                    series=(
                        Series(name="train", values=(131.0, 120.0, 12.0)),
                        Series(name="test", values=(50.0, 0.0, 49.0)),
                    ),
                ),
            ),
        )
        return dataclasses.replace(report, **fields)

    return make


@pytest.fixture
def report(make_report: Callable[..., Report]) -> Report:
    """The small report; its pictures are not there."""
    return make_report()


@pytest.fixture
def pictured(make_report: Callable[..., Report], tmp_path: Path) -> Report:
    """The small report with a folder of pictures, one missing and one damaged."""
    from PIL import Image

    report = make_report(str(tmp_path))
    random = np.random.default_rng(0)
    for index in range(30):
        path = tmp_path / "train" / str(index % 3) / f"{index:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    (tmp_path / "train/1/01.png").unlink()
    (tmp_path / "train/2/02.png").write_bytes(b"no picture at all")
    return report


@pytest.fixture
def hostile(make_report: Callable[..., Report]) -> Report:
    """The small report with every text in it made hostile."""
    poisoned = _poisoned(make_report())
    assert isinstance(poisoned, Report)
    return dataclasses.replace(poisoned, schema_version="1")


@pytest.fixture
def hostile_text() -> str:
    """What every text of the hostile report ends in."""
    return HOSTILE


def _poisoned(value: Any) -> Any:
    if isinstance(value, str):
        return value + HOSTILE
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: _poisoned(getattr(value, f.name)) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {_poisoned(key): _poisoned(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_poisoned(item) for item in value)
    return value
