"""Arrays of the shape and type of others: 'numpy.zeros_like', 'torch.full_like'."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad
from tests.preprocessing.static.repositories import resized, served, steps_of


@pytest.mark.parametrize(
    "made",
    [
        "np.zeros_like(small)",
        "np.full_like(small, 114)",
        "np.ones_like(np.zeros_like(small), np.float32)",
        "torch.zeros_like(input=torch.from_numpy(small))",
        "torch.full_like(torch.from_numpy(small), 7, dtype=torch.float32)",
    ],
)
def test_their_shape_is_that_of_the_other(tmp_path: Path, made: str) -> None:
    path = served(
        tmp_path,
        f"""
        image = cv2.imread(path)
        small = cv2.resize(image, (64, 48))
        other = {made}
        model(cv2.resize(image, (other.shape[1], other.shape[0]))[None] / 255.0)
        """,
    )
    assert (resized(path).height, resized(path).width) == (48, 64)


@pytest.mark.parametrize(("made", "fill"), [("np.full_like(large, 114)", 114.0), ("np.ones_like(large)", 1.0)])
def test_what_they_are_filled_with(tmp_path: Path, made: str, fill: float) -> None:
    path = served(
        tmp_path,
        f"""
        image = cv2.imread(path)
        large = cv2.resize(image, (96, 96))
        canvas = {made}
        canvas[:48, :64] = cv2.resize(image, (64, 48))
        model(canvas[None] / 255.0)
        """,
    )
    (pad,) = (step for step in steps_of(path) if isinstance(step, Pad))
    assert pad.fill == (fill,)
