"""Pillow's pictures of mode F: gray arrays of fractions, whose levels ToTensor leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, trained


@pytest.mark.parametrize(
    ("made", "scale"), [("gray", 1 / 255), ("(gray * 255).astype(np.uint8)", 1 / 255), ("image", 1 / 255)]
)
def test_levels_are_divided_once(tmp_path: Path, made: str, scale: float) -> None:
    path = trained(
        tmp_path,
        f"""
        from skimage.color import rgb2gray
        image = np.array(Image.open(self.files[index]))
        gray = rgb2gray(image)
        return TF.to_tensor(Image.fromarray({made})).float()
        """,
    )
    assert levels(path) == pytest.approx((scale, 0.0))
