"""Sizes that are rounded up to multiples of a stride that only the weights tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized


@pytest.mark.parametrize(
    "rounding",
    ["math.ceil(x / divisor) * divisor", "int(np.ceil(x / divisor)) * divisor", "(x // divisor) * divisor",
     "make_divisible(x, divisor)"],
)  # fmt: skip
@pytest.mark.parametrize(("side", "known"), [(416, True), (300, False)])
def test_sizes_of_a_stride(tmp_path: Path, rounding: str, side: int, known: bool) -> None:
    script = f"""
        import math
        import cv2
        import numpy as np
        from ultralytics.utils.ops import make_divisible
        def fitting(x, divisor):
            return {rounding}
        side = fitting({side}, int(weights.stride))
        model(cv2.resize(cv2.imread(path), (side, side)).transpose(2, 0, 1)[None] / 255.0)
        """
    step = resized(only(reading(tmp_path, {"predict.py": script})))
    assert (step.height, step.width) == ((side, side) if known else (None, None))


def test_strides_that_are_known(tmp_path: Path) -> None:
    script = """
        import math
        import cv2
        side = math.ceil(96 / 64) * 64
        model(cv2.resize(cv2.imread(path), (side, side)).transpose(2, 0, 1)[None] / 255.0)
        """
    assert resized(only(reading(tmp_path, {"predict.py": script}))).height == 128
