from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.rules.batches.dg209_input_out_of_range import IMAGENET_MEAN, IMAGENET_STD, input_out_of_range

MEAN, STD = (np.array(values).reshape(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))


def pictures(n: int = 24) -> NDArray[np.float64]:
    return np.random.default_rng(1).integers(0, 256, (n, 3, 8, 8)) / 255


def fed(x: NDArray[np.generic]) -> BatchStream:
    return record([(x[at : at + 8], np.arange(len(x[at : at + 8])) % 2) for at in range(0, len(x), 8)])


def convention(outcome: object) -> str:
    return next(str(item.value) for item in outcome.measurements if item.name == "convention")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("[0, 1]", pictures()),
        ("[-1, 1]", 2 * pictures() - 1),
        ("ImageNet", (pictures() - MEAN) / STD),
        ("standardized", np.random.default_rng(0).normal(size=(64, 20))),
        ("standardized", np.random.default_rng(0).normal(size=(64, 1, 8, 8))),
        ("[0, 1]", np.random.default_rng(0).random((64, 5)).astype(np.float16)),
    ],
)
def test_silent_on_each_convention_and_names_it(name: str, x: NDArray[np.float64]) -> None:
    (outcome,) = input_out_of_range(fed(x))
    assert isinstance(outcome, Observation)
    assert convention(outcome) == name


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("0 to 255", np.rint(pictures() * 255)),
        ("0 to 255", (pictures() * 255).astype(np.uint8)),
        ("0 to 255", (pictures() * 255).astype(np.uint8).transpose(0, 2, 3, 1)),
        ("divided twice", pictures() / 255),
        ("ImageNet twice", ((pictures() - MEAN) / STD - MEAN) / STD),
        ("ImageNet on 0 to 255", (pictures() * 255 - MEAN) / STD),
        ("none", np.random.default_rng(0).normal(1000, 200, (64, 5))),
    ],
)
def test_fires_on_what_is_not_normalized_or_twice_and_says_how(name: str, x: NDArray[np.float64]) -> None:
    (finding,) = input_out_of_range(fed(x))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert convention(finding) == name


def test_fires_on_a_channel_of_another_scale() -> None:
    x = np.random.default_rng(0).normal(size=(24, 3, 8, 8))
    x[:, 2] *= 20
    outcomes = input_out_of_range(fed(x))
    assert [item.key for item in outcomes if isinstance(item, Finding)] == [("channels",)]


def test_silent_on_one_raw_picture_among_many() -> None:
    x = pictures()
    x[5] *= 255
    assert isinstance(input_out_of_range(fed(x))[0], Observation)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.bool_])
def test_edge_tokens_and_masks_are_skipped(dtype: type) -> None:
    assert isinstance(input_out_of_range(fed(np.arange(24 * 30).reshape(24, 30).astype(dtype)))[0], Skipped)
    assert isinstance(input_out_of_range(fed(np.zeros((24, 16, 16), dtype=dtype)))[0], Skipped)


def test_edge_text_and_values_that_are_not_finite_are_skipped() -> None:
    assert isinstance(input_out_of_range(record([(["a", "b"], [0, 1])]))[0], Skipped)
    assert isinstance(input_out_of_range(fed(np.full((8, 4), np.nan)))[0], Skipped)


def test_edge_the_scale_is_an_option() -> None:
    x = np.random.default_rng(0).normal(0, 20, (64, 5))
    assert isinstance(input_out_of_range(fed(x))[0], Finding)
    assert isinstance(input_out_of_range(fed(x), scale=64.0)[0], Observation)
