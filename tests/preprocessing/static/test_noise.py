"""What leaves numbers that are drawn for each level such, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import drawn, only, reading


@pytest.mark.parametrize(
    ("added", "name"),
    [
        ("np.random.randn(*image.shape).astype('float32').clip(-1, 1)", "noise"),
        ("np.random.randn(*image.shape).mean()", "levels"),
        ("np.add(np.random.randn(*image.shape), 1.0)", "noise"),
        ("np.dot(np.random.randn(3, 3), np.array([0.1, 0.2, 0.3]))", "levels"),
    ],
)
def test_what_is_computed_of_noise(tmp_path: Path, added: str, name: str) -> None:
    script = f"""
        import cv2
        import numpy as np

        image = cv2.imread("a.png") / 255.0
        model.fit(image + {added}, None)
    """
    assert drawn(only(reading(tmp_path, {"train.py": script}))).name == name
