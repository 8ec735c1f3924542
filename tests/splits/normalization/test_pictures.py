from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.splits.normalization import assess
from dataguard.splits.normalization.read import gather
from dataguard.splits.normalization.replay import levels_of, replay

pytestmark = pytest.mark.slow


def photographs(n: int = 400, side: int = 16, seed: int = 0) -> NDArray[np.uint8]:
    """Pictures with a brightness of their own, channels last."""
    rng = np.random.default_rng(seed)
    base = rng.beta(2, 2, (n, 1, 1, 1)) * 0.5 + 0.1 * rng.random((n, 1, 1, 3)) + 0.2
    return np.clip((base + 0.2 * rng.standard_normal((n, side, side, 3))) * 255, 0, 255).astype(np.uint8)


def statistics(pictures: NDArray[Any], axis: tuple[int, ...]) -> tuple[NDArray[np.floating], ...]:
    return pictures.mean(axis, keepdims=True), pictures.std(axis, keepdims=True)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("on", ["train", "all", "itself"])
def test_channels_normalized_in_float64(layout: str, on: str) -> None:
    x = photographs() / 255
    axis = (0, 1, 2)
    if layout == "NCHW":
        x, axis = np.moveaxis(x, 3, 1), (0, 2, 3)
    parts = {"train": x[:300], "test": x[300:]}
    of = {"train": x[:300], "all": x}
    z = {}
    for name, part in parts.items():
        mean, std = statistics(of.get(on, part), axis)
        z[name] = (part - mean) / std
    verdict = assess(z)
    assert verdict.scope == "channel"
    expected = {"train": (("train",),), "all": (("train", "test"),), "itself": (("train",), ("test",))}
    assert verdict.fitted_on == expected[on]
    assert (verdict.origin == "itself") == (on == "itself")


def test_one_mean_and_deviation_for_all_channels() -> None:
    x = photographs() / 255
    verdict = assess({"train": (x[:300] - x.mean()) / x.std(), "test": (x[300:] - x.mean()) / x.std()})
    assert (verdict.scope, verdict.leaks) == ("everything", ("test",))


def test_known_constants_and_raw_pictures_are_no_leak() -> None:
    x = photographs()
    z = (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert assess({"train": z[:300], "test": z[300:]}).origin == "outside"
    assert assess({"train": x[:300], "test": x[300:]}).leaks == ()
    assert assess({"train": x[:300] / 255, "test": x[300:] / 255}).leaks == ()


@pytest.mark.parametrize("on", ["train", "all", "itself"])
def test_sums_in_float32_are_repeated(on: str) -> None:
    # Few pixels sum exactly enough: a bias is put on top by summing in units in which float32 runs out of digits.
    x = photographs(1500, 16)
    x = (x / np.float32(255)).astype(np.float32)
    parts, of = {"train": x[:1200], "test": x[1200:]}, {"train": x[:1200], "all": x}
    z = {}
    for name, part in parts.items():
        mean, std = statistics(of.get(on, part), (0, 1, 2))
        z[name] = (part - mean) / std
    states, _, _ = gather(z)
    found = replay({name: [part[:700], part[700:]] for name, part in z.items()}, states, ("train",))
    assert found is not None
    assert found.itself == (on == "itself")
    expected = {"train": (("train",),), "all": (("train", "test"),), "itself": (("train",), ("test",))}
    assert found.fitting == expected[on]
    # Whatever the first look says, the whole never contradicts it.
    verdict = assess(z)
    assert verdict.fitted_on == expected[on]


@pytest.mark.slow
@pytest.mark.parametrize("on", ["train", "all", "itself"])
def test_ten_million_pixels_a_channel_summed_one_by_one(on: str) -> None:
    x = (photographs(10_500, 32) / np.float32(255)).astype(np.float32)
    parts, of = {"train": x[:8500], "test": x[8500:]}, {"train": x[:8500], "all": x}
    z = {}
    for name, part in parts.items():
        mean, std = statistics(of.get(on, part), (0, 1, 2))
        z[name] = (part - mean) / std
    verdict = assess(z)
    expected = {"train": (("train",),), "all": (("train", "test"),), "itself": (("train",), ("test",))}
    assert verdict.fitted_on == expected[on]
    assert any("float32" in note for note in verdict.notes)


def test_levels_give_mean_and_deviation_back() -> None:
    x = photographs(200)
    x[0, 0, 0], x[0, 0, 1] = 0, 255
    z = ((x / 255 - [0.5, 0.4, 0.3]) / [0.25, 0.2, 0.1]).astype(np.float32)
    states, _, _ = gather({"train": z})
    found = levels_of(states["train"])
    assert found is not None
    assert found.mean / 255 == pytest.approx([0.5, 0.4, 0.3], abs=1e-5)
    assert found.std / 255 == pytest.approx([0.25, 0.2, 0.1], rel=1e-5)
    states, _, _ = gather({"train": np.random.default_rng(0).normal(size=(50, 3, 8, 8))})
    assert levels_of(states["train"]) is None
