"""What is done to gray pictures and to transparency, in branches that photographs do not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize(
    ("branch", "gray", "alpha"),
    [
        ("if len(img.shape) == 2: img = skimage.color.gray2rgb(img)", "repeated", "kept"),
        ("if img.ndim < 3: img = np.stack([img] * 3, axis=-1)", "repeated", "kept"),
        ("if img.shape[2] == 4: img = img[:, :, :3]", "kept", "dropped"),
        ("if img.ndim == 2: img = img[:, :, None]", "kept", "kept"),
        ("if img.shape[0] == 4: print(img)", "kept", "kept"),
    ],
)
def test_what_a_branch_for_them_makes_of_them(tmp_path: Path, branch: str, gray: str, alpha: str) -> None:
    script = f"""
        import numpy as np
        import skimage.color, skimage.io, torch

        img = skimage.io.imread("a.png")
        {branch}
        model(torch.from_numpy(img / 255.0).permute(2, 0, 1)[None])
        """
    decode = only(reading(tmp_path, {"predict.py": script})).pipeline.decode
    assert (decode.gray, decode.alpha) == (gray, alpha)


@pytest.mark.parametrize(
    ("branch", "gray", "alpha"),
    [
        ('if img.mode != "RGB": img = img.convert("RGB")', "repeated", "dropped"),
        ('img = img.convert("RGB") if img.mode != "RGB" else img', "repeated", "dropped"),
        ('img = img if "RGB" == img.mode else img.convert("RGB")', "repeated", "dropped"),
        ('img = img.convert("L") if img.mode != "RGB" else img', "kept", "kept"),
        ('if img.mode != "RGB": other = img.convert("RGB")', "kept", "kept"),
        ('if img.mode != "RGB": print(img.mode)', "kept", "kept"),
    ],
)
def test_converting_what_is_not_rgb_is_converting_all(tmp_path: Path, branch: str, gray: str, alpha: str) -> None:
    script = f"""
        from PIL import Image
        from torchvision import transforms

        img = Image.open("a.png")
        {branch}
        model(transforms.ToTensor()(img)[None])
        """
    path = only(reading(tmp_path, {"predict.py": script})).pipeline
    assert (path.order, path.decode.gray, path.decode.alpha) == ("RGB", gray, alpha)
