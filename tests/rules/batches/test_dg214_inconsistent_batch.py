from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.batches.record import record
from dataguard.core.finding import Confidence, Finding, Observation, Severity, Skipped
from dataguard.rules.batches.dg214_inconsistent_batch import inconsistent_batch


def pictures(n: int = 160, channels: int = 3) -> NDArray[Any]:
    return np.random.default_rng(0).random((n, channels, 12, 12)).astype(np.float32)


def batches(x: NDArray[Any], size: int = 8) -> list[Any]:
    return [(x[at : at + size], np.arange(len(x[at : at + size])) % 2) for at in range(0, len(x), size)]


def keys(loader: Any, **options: Any) -> list[tuple[str, ...]]:
    return [item.key for item in inconsistent_batch(record(loader), **options) if isinstance(item, Finding)]


def test_fires_on_a_batch_of_another_type() -> None:
    made = batches(pictures())
    made[3] = (made[3][0].astype(np.float64), made[3][1])
    (finding,) = inconsistent_batch(record(made))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert "are float64 3×12×12, and most are float32 3×12×12" in finding.message
    assert finding.exhibits


def test_fires_on_another_order_of_axes() -> None:
    made = batches(pictures())
    made[5] = (made[5][0].transpose(0, 2, 3, 1), made[5][1])
    assert keys(made) == [("layout",)]


def test_fires_on_a_rare_shape_within_a_batch_too() -> None:
    ragged = [[(np.zeros((3, 12, 12)) + k, k % 2) for k in range(8)] for _ in range(20)]
    assert keys(ragged) == []
    ragged[4][6] = (np.zeros((3, 12, 13)), 0)
    assert keys(ragged) == [("shape",)]


def test_silent_on_shapes_that_vary_by_design() -> None:
    texts = [(np.ones((8, 10 + number % 7)), np.arange(8) % 2) for number in range(40)]
    (outcome,) = inconsistent_batch(record(texts))
    assert isinstance(outcome, Observation)
    assert "of 7 shapes" in outcome.message


def test_silent_on_landscape_and_portrait_one_by_one() -> None:
    shapes = [(3, 24, 16) if number % 3 else (3, 16, 24) for number in range(30)]
    assert keys([(np.ones((1, *shape)), [0]) for shape in shapes]) == []


def test_fires_on_a_batch_without_its_labels() -> None:
    made: list[Any] = batches(pictures())
    made[2] = (made[2][0], made[2][1][:5])
    (finding,) = inconsistent_batch(record(made))
    assert isinstance(finding, Finding)
    assert "8 inputs and 5 labels" in finding.message


def test_fires_on_a_short_batch_in_the_middle_and_not_at_the_end() -> None:
    x = pictures(165)
    made = batches(x)
    assert keys(made) == []
    assert keys([made[-1], *made[:-1]]) == [("size",)]


@pytest.mark.parametrize("shift", [0.0, -0.5])
def test_fires_on_one_sample_that_is_not_scaled(shift: float) -> None:
    x = pictures() + np.float32(shift)
    x[77] *= 255
    (finding,) = inconsistent_batch(record(batches(x)))
    assert isinstance(finding, Finding)
    assert finding.confidence is Confidence.MEDIUM
    assert finding.key == ("scale",)
    assert [place.note for place in finding.locations] == ["epoch 0, batch 9, place 5"]


def test_fires_on_one_standardized_picture_among_others() -> None:
    x = pictures()
    x[12] = (x[12] - x[12].mean()) / x[12].std()
    assert keys(batches(x)) == [("sign",)]


@pytest.mark.parametrize("seed", range(5))
def test_silent_on_long_tails(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for x in (rng.lognormal(0, 2, (400, 6)), rng.standard_t(2, (400, 6)), rng.standard_cauchy((400, 6))):
        assert keys(batches(x)) == []


def test_silent_on_dark_pictures() -> None:
    x = pictures()
    x[::20] /= 200
    assert keys(batches(x)) == []


def test_edge_whole_numbers_in_rows_have_no_scale() -> None:
    x = np.ones((80, 5), dtype=np.int64)
    x[3] = 30_000
    assert keys(batches(x)) == []


def test_edge_rare_is_an_option() -> None:
    made = batches(pictures())
    for number in range(4):
        made[number] = (made[number][0][:, :, :10], made[number][1])
    assert keys(made) == []
    assert keys(made, rare=0.3) == [("shape",)]


def test_edge_texts_are_all_alike_and_nothing_is_skipped() -> None:
    assert isinstance(inconsistent_batch(record([(["a", "bb"], [0, 1])]))[0], Observation)
    empty = record([(np.zeros((0, 3)), np.zeros(0))])
    assert isinstance(inconsistent_batch(empty)[0], Skipped)
