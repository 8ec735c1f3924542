"""DG312 index-or-order-leak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.splits.dg312_index_or_order_leak import index_or_order_leak
from dataguard.splits.metadata import FileFacts
from dataguard.splits.samples import SplitSamples

pytestmark = pytest.mark.slow

N = 400
LABELS = np.array(["cat"] * 200 + ["dog"] * 200, dtype=object)


def samples_of(n: int = N, **more: Any) -> SplitSamples:
    """Samples in the order of their classes, split at random."""
    rng = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "sample_ids": tuple(map(str, range(n))),
        "splits": tuple(rng.choice(["train", "test"], n, p=[0.7, 0.3]).tolist()),
        "positions": np.arange(n),
        "n_total": n,
        "kind": "table" if "columns" in more else "image",
        "paths": (None,) * n,
        "contents": (None,) * n,
        "labels": LABELS[:n],
    }
    if "columns" in more:
        more.setdefault("feature_columns", tuple(more["columns"].columns))
        more.setdefault("features", more["columns"].select_dtypes("number").to_numpy(dtype=np.float32))
    return SplitSamples(**{**fields, **more})


def pictures(**facts: Any) -> SplitSamples:
    """A folder of pictures by class, files numbered and of one size."""
    paths = tuple(f"{label}/{row:05d}.jpg" for row, label in enumerate(LABELS))
    features = np.random.default_rng(0).normal(size=(N, 20)).astype(np.float32)
    return samples_of(paths=paths, features=features, facts={"width": np.full(N, 640.0), **facts})


def headers(**facts: Any) -> FileFacts:
    names = {name: tuple(values) for name, values in facts.items() if isinstance(values[0], str)}
    numbers = {name.replace("_", " "): values for name, values in facts.items() if name not in names}
    return FileFacts(
        rows=np.arange(N),
        numbers=numbers,
        names={name.replace("_", " "): values for name, values in names.items()},
        n_files=N,
    )


def found(outcomes: list[Outcome]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def frame(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), **columns})


@pytest.mark.parametrize(
    "column",
    [np.arange(N), np.arange(N) * 3 + 1000, [f"P-{row:04d}" for row in range(N)], [str(row) for row in range(N)]],
)
def test_fires_on_a_row_number_that_is_fed(column: Any) -> None:
    (finding,) = found(index_or_order_leak(samples_of(columns=frame(case_id=column)), None))
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert [place.column for place in finding.locations] == ["case_id"]
    (worth,) = [item for item in finding.measurements if item.name.startswith("worth of")]
    assert worth.low is not None
    assert worth.low > 0.2


def test_fires_on_a_split_that_is_a_stretch_of_sorted_rows() -> None:
    cut = samples_of(columns=frame(), splits=("train",) * 280 + ("test",) * 120)
    (finding,) = found(index_or_order_leak(cut, None))
    assert finding.severity is Severity.WARNING
    assert "a stretch of rows (280 to 399)" in finding.message
    assert "0.7143 in training, 0 in it" in finding.message or "0.2857 in training, 1 in it" in finding.message


def test_fires_as_worth_knowing_where_the_stretch_is_later() -> None:
    times = np.datetime64("2024-01-01", "us") + np.arange(N).astype("timedelta64[h]")
    cut = samples_of(columns=frame(), splits=("train",) * 280 + ("test",) * 120, times=times)
    (finding,) = found(index_or_order_leak(cut, None))
    assert finding.severity is Severity.INFO


def test_fires_on_compression_modes_and_cameras_that_differ_by_class() -> None:
    rng = np.random.default_rng(0)
    dog = LABELS == "dog"
    files = headers(
        JPEG_quality=np.where(dog, 75.0, 90.0) + rng.integers(-2, 3, N),
        color_mode=np.where(dog & (rng.random(N) < 0.6), "L", "RGB").tolist(),
        format=["JPEG"] * N,
    )
    findings = {item.key[0]: item for item in found(index_or_order_leak(pictures(), files))}
    assert set(findings) == {"JPEG quality", "color mode"}
    assert findings["JPEG quality"].severity is Severity.ERROR
    assert findings["color mode"].severity is Severity.WARNING
    assert "'cat' 90" in findings["JPEG quality"].message
    assert "'cat' RGB in 100 %" in findings["color mode"].message


def test_fires_on_the_shape_as_a_warning_at_most() -> None:
    width = np.where(LABELS == "dog", 640.0, 800.0)
    (finding,) = found(index_or_order_leak(pictures(width=width), None))
    assert finding.severity is Severity.WARNING
    assert "the shape that the model sees" in finding.message


def test_silent_on_folders_in_order_of_the_class_and_files_written_so() -> None:
    rng = np.random.default_rng(0)
    files = headers(
        file_time=np.arange(N) + rng.random(N),
        JPEG_quality=rng.choice([75.0, 85, 95], N),
        camera=rng.choice(["A", "B"], N).tolist(),
    )
    outcomes = index_or_order_leak(pictures(bytes=np.where(LABELS == "dog", 900.0, 700) + rng.normal(0, 90, N)), files)
    assert found(outcomes) == []
    (seen,) = outcomes
    assert isinstance(seen, Observation)
    shown = {row[0]: row[2] for exhibit in seen.exhibits for row in getattr(exhibit, "rows", ())}
    assert float(str(shown["file time"])) > 0.9
    assert float(str(shown["number in the file name"])) > 0.9


def test_silent_on_sorted_rows_that_are_split_at_random_and_ids_in_no_order() -> None:
    ids = np.random.default_rng(0).permutation(N)
    assert found(index_or_order_leak(samples_of(columns=frame(case_id=ids)), None)) == []


def test_silent_on_a_stretch_of_shuffled_rows() -> None:
    labels = np.random.default_rng(0).permutation(LABELS)
    cut = samples_of(columns=frame(), splits=("train",) * 280 + ("test",) * 120, labels=labels)
    assert found(index_or_order_leak(cut, None)) == []


def test_silent_on_a_session_of_groups_that_counts_by_groups() -> None:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(10), 40)
    label = np.array(["cat", "dog"], dtype=object)[rng.permutation(np.arange(10) % 2)[group]]
    files = headers(JPEG_quality=rng.permutation(10)[group] + 80.0)
    grouped = samples_of(paths=tuple(map(str, range(N))), labels=label, groups=tuple(map(str, group)))
    assert found(index_or_order_leak(grouped, files)) == []


def test_edge_no_label_one_class_and_too_few() -> None:
    assert isinstance(index_or_order_leak(samples_of(labels=None, columns=frame()), None)[0], Skipped)
    one = samples_of(labels=np.full(N, "cat", dtype=object), columns=frame())
    assert isinstance(index_or_order_leak(one, None)[0], Inconclusive)
    assert isinstance(index_or_order_leak(samples_of(20), None)[0], Inconclusive)


def test_edge_a_target_a_part_of_the_headers_and_nothing_known() -> None:
    target = np.linspace(0, 1, N)
    (finding,) = found(
        index_or_order_leak(samples_of(columns=frame(idx=np.arange(N)), labels=None, targets=target), None)
    )
    assert "R²" in finding.message
    rows = np.arange(0, N, 4)
    quality = np.where(LABELS[rows] == "dog", 75.0, 90.0)
    part = FileFacts(rows=rows, numbers={"JPEG quality": quality}, n_files=N)
    (finding,) = found(index_or_order_leak(pictures(), part))
    assert {item.n for item in finding.measurements if item.name == "headers read"} == {N}
    assert [item.n for item in finding.measurements if item.name.startswith("skill")] == [len(rows)]
    (seen,) = index_or_order_leak(samples_of(), None)
    assert isinstance(seen, Observation)
    assert "Nothing but" in seen.message


def test_fires_on_one_class_of_many_that_was_compressed_otherwise() -> None:
    label = np.array([f"c{code}" for code in np.random.default_rng(0).integers(0, 8, N)], dtype=object)
    files = headers(JPEG_quality=np.where(label == "c3", 75.0, 90.0))
    (finding,) = found(index_or_order_leak(samples_of(paths=tuple(map(str, range(N))), labels=label), files))
    assert finding.severity is Severity.ERROR
    assert "class 'c3' from the others" in finding.message
