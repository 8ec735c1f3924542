"""Predictions of targets are out of sample, and a quantity is told from names of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.core.errors import SourceError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.labels.features import TableFeatures
from dataguard.labels.regression import assess_targets
from dataguard.labels.target_evidence import (
    TargetEvidence,
    from_predictions,
    looks_continuous,
    numbers,
    out_of_sample_targets,
    read_predictions,
)

pytestmark = pytest.mark.slow

Array = NDArray[np.float64]


def table(n: int = 150, seed: int = 0) -> tuple[NDArray[np.float32], Array]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return x, 50 + 10 * x[:, 0] + 5 * np.sin(2 * x[:, 1]).astype(np.float64) + rng.normal(size=n)


def made(x: NDArray[np.float32], y: Array, **changes: object) -> TargetEvidence:
    n = len(y)
    arguments: dict[str, object] = {
        "sample_ids": [f"{row:04d}" for row in range(n)],
        "splits": ["train"] * n,
        "paths": [None] * n,
        "targets": y,
        "features": x,
        "kind": "given",
    }
    found = out_of_sample_targets(**(arguments | changes))  # type: ignore[arg-type]
    assert isinstance(found, TargetEvidence)
    return found


def test_predictions_explain_the_targets() -> None:
    x, y = table(250)
    found = made(x, y, kind="table")
    assert found.predictions.shape == (250, 3)
    assert "boosted trees" in str(found.origin["model"])
    assert min(np.mean((column - y) ** 2) for column in found.predictions.T) < 0.1 * y.var()
    assert found.scale is not None
    assert (found.scale > 0).all()
    assert not found.predictions.flags.writeable


def test_predictions_of_noise_know_nothing_of_it() -> None:
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    y = np.random.default_rng(1).normal(size=200)
    for column in made(x, y).predictions.T:
        assert np.corrcoef(column, y)[0, 1] < 0.35
        assert np.mean((column - y) ** 2) > 0.9 * y.var()


def test_a_sample_does_not_reach_its_own_prediction_but_by_the_choice_of_settings() -> None:
    x, y = table()
    slipped = y.copy()
    slipped[5] = y[5] + 1000
    before, after = made(x, y), made(x, slipped)
    assert np.abs(before.predictions[5] - after.predictions[5]).max() < 3


def test_copies_are_left_out_together() -> None:
    x, y = table()
    doubled = np.vstack([x, x[:1]])
    wrong = np.append(y, 500.0)
    wrong[0] = 500.0
    found = made(doubled, wrong)
    assert found.origin["copies left out together"] == 1
    assert (np.abs(found.predictions[[0, -1]] - y[0]) < 15).all()


def test_wrong_targets_are_found_from_features_alone() -> None:
    x, y = table(250)
    y[:5] *= 10
    found = made(x, y, kind="table")
    quality = assess_targets(found.targets, found.predictions, scale=found.scale)
    assert set(np.argsort(quality.score)[:5]) == set(range(5))
    assert quality.is_error[:5].all()


def test_order_of_the_samples_does_not_matter() -> None:
    x, y = table()
    order = np.random.default_rng(0).permutation(len(y))
    one = made(x, y)
    two = made(x[order], y[order], sample_ids=[f"{row:04d}" for row in order])
    assert two.sample_ids == tuple(one.sample_ids[row] for row in order)
    assert one.predictions[order].tobytes() == two.predictions.tobytes()


def test_missing_and_infinite_targets() -> None:
    x, y = table()
    y[3], y[4] = np.nan, -np.inf
    found = made(x, y)
    assert found.unlabelled == 1
    assert "0003" not in found.sample_ids
    assert found.targets[3] == -np.inf
    assert np.isfinite(found.predictions).all()


def test_what_cannot_be_judged_says_why() -> None:
    x, y = table(60)

    def outcome(targets: Array, features: object = x) -> object:
        n = len(targets)
        return out_of_sample_targets(
            sample_ids=[str(row) for row in range(n)],
            splits=[""] * n,
            paths=[None] * n,
            targets=targets,
            features=features,  # type: ignore[arg-type]
            kind="table",
        )

    assert isinstance(outcome(np.full(60, np.nan)), Skipped)
    constant = outcome(np.full(60, 7.0))
    assert isinstance(constant, Skipped)
    assert constant.reason == "every target is 7"
    few = outcome(y[:20], x[:20])
    assert isinstance(few, Inconclusive)
    assert "20 with a target, at least 50" in few.reason
    nothing = TableFeatures(values=np.zeros((60, 0), dtype=np.float32), names=(), dropped={"id": "numbers the rows"})
    assert isinstance(outcome(y, nothing), Skipped)


def test_predictions_given_by_the_user(tmp_path: Path) -> None:
    _, y = table(60)
    y[2] = np.nan
    path = tmp_path / "p.npy"
    np.save(path, np.nan_to_num(y))
    found = from_predictions(
        sample_ids=[str(row) for row in range(60)],
        splits=[""] * 60,
        paths=[None] * 60,
        targets=y,
        predictions=read_predictions(path, n=60),
        origin={"predictions": "p.npy"},
    )
    assert isinstance(found, TargetEvidence)
    assert found.predictions.shape == (59, 1)
    np.testing.assert_array_equal(found.predictions[:, 0], found.targets)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), "3 predictions for 60 samples"),
        (np.full(60, np.nan), "NaN or infinite"),
        (np.array(["a"] * 60), "not an array of numbers"),
        (np.zeros((60, 1, 1)), "not an array of numbers"),
        (None, "no such file"),
    ],
)
def test_a_file_of_predictions_that_does_not_fit_is_refused(
    values: NDArray[np.generic] | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.npy"
    if values is not None:
        np.save(path, values)
    with pytest.raises(SourceError, match=message):
        read_predictions(path, n=60)


def test_a_file_that_is_no_numpy_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.npy"
    path.write_text("1,2,3")
    with pytest.raises(SourceError, match="not a readable NumPy file"):
        read_predictions(path, n=3)


def test_numbers_among_labels() -> None:
    read = numbers(["1", "2.5", None, "", "-3e2"])
    assert read is not None
    np.testing.assert_array_equal(read, [1, 2.5, np.nan, np.nan, -300])
    assert numbers(["1", "cat"]) is None


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (RNG.normal(size=100), True),
        (RNG.integers(0, 10, 500) / 2, False),
        (RNG.integers(0, 10, 500).astype(float), False),
        (np.repeat(np.arange(100.0), 3), False),
        (RNG.integers(50_000, 900_000, 300).astype(float), True),
        (RNG.integers(18, 90, 1000).astype(float), False),
        (np.full(100, np.nan), False),
    ],
    ids=["fractions", "ratings", "digits", "codes", "prices", "ages", "nothing"],
)
def test_a_quantity_is_told_from_names_of_classes(values: Array, expected: bool) -> None:
    assert looks_continuous(values) is expected
