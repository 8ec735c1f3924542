from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.core.exhibit import Gallery
from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.dataset.constant_samples import find_constant_samples
from dataguard.dataset.table import SampleTable
from dataguard.rules.labels.dg106_constant_sample import constant_sample

pytestmark = pytest.mark.slow

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def row(name: str, pixels: NDArray[Any], label: str = "cat") -> dict[str, Any]:
    height, width, channels = pixels.shape
    values = pixels.reshape(-1, channels).astype(object)
    return {
        "sample_id": name,
        "path": name,
        "split": "train",
        "label": label,
        "width": width,
        "height": height,
        "mode": MODES[channels] + (";16" if pixels.dtype == np.uint16 else ""),
        "channel_sums": [int(total) for total in values.sum(axis=0)],
        "channel_square_sums": [int(total) for total in (values * values).sum(axis=0)],
    }


def flat(*color: int, side: int = 6, dtype: type = np.uint8) -> NDArray[Any]:
    return np.full((side, side, len(color)), color, dtype=dtype)


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)


def table(rows: list[dict[str, Any]]) -> SampleTable:
    return SampleTable.from_rows(rows)


def test_fires_as_a_warning_up_to_one_percent() -> None:
    rows = [row(f"{k:03d}.png", noise(k)) for k in range(99)]
    finding, observation = constant_sample(table([*rows, row("black.png", flat(0, 0, 0))]))
    assert isinstance(finding, Finding)
    assert isinstance(observation, Observation)
    assert finding.severity is Severity.WARNING
    assert [place.path for place in finding.locations] == ["black.png"]
    assert "1 of 100 pictures (1 %) is one colour all over: black (1)." in finding.message
    (gallery,) = finding.exhibits
    assert isinstance(gallery, Gallery)
    assert gallery.pictures[0].caption == "black, 6×6"


def test_fires_as_an_error_above_one_percent_and_names_colours_and_class() -> None:
    rows = [row(f"{k:03d}.png", noise(k)) for k in range(20)]
    blanks = [row("w.png", flat(255, 255, 255), "blank"), row("r.png", flat(200, 10, 10), "blank")]
    finding = constant_sample(table([*rows, *blanks]))[0]
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert "white (1)" in finding.message
    assert "rgb(200, 10, 10) (1)" in finding.message
    assert "All are of class 'blank'." in finding.message


@pytest.mark.parametrize(
    ("pixels", "name"),
    [
        (flat(7), "gray 7"),
        (flat(0), "black"),
        (flat(255, 9), "white"),
        (flat(1, 2, 3), "rgb(1, 2, 3)"),
        (flat(65535, dtype=np.uint16), "white"),
        (flat(255, 255, 255, dtype=np.uint16), "gray 255 of 16 bits"),
    ],
)
def test_fires_in_every_mode(pixels: NDArray[Any], name: str) -> None:
    (found,) = find_constant_samples(table([row("a.png", pixels)]))
    assert found.color_name == name


def test_fires_whatever_the_alpha_channel_says() -> None:
    pixels = np.dstack([flat(10, 20, 30), np.arange(36, dtype=np.uint8).reshape(6, 6, 1)])
    assert len(find_constant_samples(table([row("a.png", pixels)]))) == 1


def test_silent_on_one_pixel_that_is_off_by_one_level() -> None:
    for channel in range(3):
        pixels = flat(128, 128, 128, side=50)
        pixels[17, 4, channel] += 1
        (outcome,) = constant_sample(table([row("a.png", pixels)]))
        assert isinstance(outcome, Observation)


def test_silent_on_channels_of_which_one_varies() -> None:
    pixels = flat(0, 0, 0)
    pixels[:, :3, 2] = 255
    assert find_constant_samples(table([row("a.png", pixels)])) == ()


def test_edge_sums_near_the_64_bit_limit_do_not_overflow() -> None:
    side = 30_000
    n, value = side * side, 65_535
    sums = {"channel_sums": [n * value], "channel_square_sums": [n * value * value]}
    entry = {"sample_id": "a", "width": side, "height": side, "mode": "L;16", **sums}
    assert len(find_constant_samples(table([entry]))) == 1
    # One pixel of nine hundred million one level darker.
    off = {"channel_sums": [n * value - 1], "channel_square_sums": [n * value**2 - 2 * value + 1]}
    assert find_constant_samples(table([entry | off])) == ()


def test_edge_pictures_that_could_not_be_decoded_do_not_count() -> None:
    broken = {"sample_id": "b.png", "path": "b.png", "decode_error": "truncated"}
    (outcome,) = constant_sample(table([row("a.png", noise(0)), broken]))
    assert isinstance(outcome, Observation)
    assert outcome.measurements[0].n == 1


def test_edge_a_table_without_pictures_is_skipped_with_the_reason() -> None:
    (outcome,) = constant_sample(table([{"sample_id": "1", "label": "a"}]))
    assert isinstance(outcome, Skipped)
    assert "pixels" in outcome.reason


@settings(max_examples=30, deadline=None)
@given(
    channels=st.sampled_from([1, 2, 3, 4]),
    values=st.lists(st.integers(0, 2), min_size=12, max_size=12),
    base=st.integers(0, 253),
)
def test_edge_agrees_with_numpy(channels: int, values: list[int], base: int) -> None:
    # Few different values, so that constant channels do occur.
    pixels = np.resize(np.array(values, dtype=np.uint8), (4, 3, channels)) + np.uint8(base)
    colors = pixels[..., : 3 if channels >= 3 else 1]
    constant = bool((colors == colors[0, 0]).all())
    assert bool(find_constant_samples(table([row("a.png", pixels)]))) == constant
