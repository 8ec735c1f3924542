"""What a report says of a loader before any finding."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataguard.batches.record import record
from dataguard.batches.summary import (
    SHOWN_PICTURES,
    broken_off,
    first_batch,
    loader_facts,
    loader_notes,
    loader_overview,
    order_strip,
    png,
)

RNG = np.random.default_rng(0)


def batch(n: int = 8, channels: int = 3) -> tuple[Any, Any]:
    return RNG.random((n, channels, 16, 16)).astype(np.float32), RNG.integers(0, 3, n)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_pixels(channels: int) -> None:
    pixels = RNG.integers(0, 256, (5, 7, channels)).astype(np.uint8)
    image = Image.open(io.BytesIO(base64.b64decode(png(pixels))))
    assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_another_shape_is_no_picture() -> None:
    with pytest.raises(ValueError, match="height, width"):
        png(np.zeros((5, 7, 4), dtype=np.uint8))


def test_the_first_batch_is_shown_with_its_labels_and_no_other() -> None:
    x, y = batch(8)
    shown = first_batch(record([(x, y), batch(8)]))
    assert shown is not None
    assert [picture.given for picture in shown.pictures] == [str(label) for label in y]
    assert shown.total == 8
    assert first_batch(record([batch(100)])).total == 100  # type: ignore[union-attr]
    assert len(first_batch(record([batch(100)])).pictures) == SHOWN_PICTURES  # type: ignore[union-attr]


def test_the_strip_counts_the_first_epoch() -> None:
    labels = [np.array([0, 0, 1]), np.array([1, 1, 1]), np.array([2])]
    strip = order_strip(record([(np.ones((len(y), 4)), y) for y in labels], epochs=2))
    assert strip is not None
    assert dict(zip(strip.classes, zip(*strip.columns, strict=True), strict=True)) == {
        "0": (2, 0, 0),
        "1": (1, 3, 0),
        "2": (0, 0, 1),
    }


def test_features_and_absent_labels_show_nothing() -> None:
    assert loader_overview(record([np.ones((8, 4))])) == ()


def test_facts_name_only_what_is_known() -> None:
    facts = loader_facts(record([batch(8), batch(4)], seed=5))
    assert facts["batch_size"] == 8
    assert facts["seed"] == 5
    assert facts["input"] == "float32 3×16×16"
    assert "sampler" not in facts


def test_a_pass_that_raised_is_told_and_one_that_ended_is_not() -> None:
    def raising() -> Iterator[Any]:
        yield batch()
        raise ValueError("broken")

    assert "the loader raised after 1 batches of epoch 0: ValueError: broken" in broken_off(record(raising))
    assert broken_off(record([batch()])) == ""


def test_a_limit_and_a_used_up_iterator_are_noted() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield batch()

    assert any("first 3 batches" in note for note in loader_notes(record(endless, batches=3)))
    used = record(iter([batch(), batch()]), epochs=2)
    assert any("epoch 1 had no batches" in note for note in loader_notes(used))
