"""Differences of numbers that are not known: of one and the same, and of two that are described alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize(
    ("taken", "known"),
    [
        ("left, top, right, bottom = box\n    width = right - left", False),
        ("width = box[2] - box[0]", False),
        ("left, top, right, bottom = box\n    right = left + 5\n    width = right - left", True),
    ],
)
def test_two_numbers_of_a_box_are_two(tmp_path: Path, taken: str, known: bool) -> None:
    script = f"""
import cv2, torch

for box in detect("a.png"):
    {taken}
    image = cv2.imread("a.png")
    if width > 20:
        image = image[:, :, ::-1]
    model(torch.from_numpy(image)[None])
"""
    path = only(reading(tmp_path, {"demo.py": script}))
    assert path.pipeline.order == ("BGR" if known else None)
