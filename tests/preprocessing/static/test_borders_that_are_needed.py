"""Borders that are added where a part reaches beyond the picture."""

from __future__ import annotations

from pathlib import Path

from tests.preprocessing.static.repositories import only, reading, steps_of


def test_of_two_parts_one_after_another(tmp_path: Path) -> None:
    code = """
        import cv2, torch

        def cut(img, top, side):
            beyond = max(0, top + side - img.shape[0])
            if beyond > 0:
                img = cv2.copyMakeBorder(img, beyond, beyond, beyond, beyond, cv2.BORDER_CONSTANT, value=img.mean())
                top += beyond
            return cv2.resize(img[top:], (side, side))

        img = cut(cv2.imread("a.png"), corner(), 90)
        img = cut(img, corner(), 60)
        model(torch.from_numpy(img)[None])
        """
    steps = steps_of(only(reading(tmp_path, {"demo.py": code})))
    assert [type(step).__name__ for step in steps] == ["Pad", "Crop", "Resize"] * 2
