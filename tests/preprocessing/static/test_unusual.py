"""What is done to gray pictures and to transparency, in branches that photographs do not take."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, served

OPENED = "x = Image.open(path)\n"
FED = "\nmodel(torch.from_numpy(np.array(x) / 255.0).permute(2, 0, 1)[None])\n"


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
    "lines",
    [
        "x = x.convert('RGB') if x.mode != 'RGB' else x",
        "x = x if x.mode == 'RGB' else x.convert('RGB')",
        "if x.mode != 'RGB': x = x.convert('RGB')",
        "if not x.mode == 'RGB': x = x.convert(mode='RGB')",
        """
        if x.mode == 'RGB':
            print(x)
        else:
            x = x.convert('RGB')
        """,
        """
        def coloured(picture):
            if picture.mode not in ['RGB']:
                return picture.convert('RGB')
            return picture
        x = coloured(x)
        """,
        """
        class Held: pass
        held = Held()
        held.x = x
        if held.x.mode != 'RGB': held.x = held.x.convert('RGB')
        x = held.x
        """,
    ],
)
def test_pictures_of_other_modes_are_converted(tmp_path: Path, lines: str) -> None:
    decode = served(tmp_path, OPENED + textwrap.dedent(lines) + FED).pipeline.decode
    assert (decode.gray, decode.alpha, decode.sixteen_bit) == ("repeated", "dropped", "clipped")
    assert decode.flags == ("convert RGB",)


@pytest.mark.parametrize(
    ("lines", "gray", "alpha"),
    [
        ("if x.mode == 'RGBA': x = x.convert('RGB')", "kept", "dropped"),
        ("if x.mode not in ('RGB', 'L'): x = x.convert('RGB')", "kept", "dropped"),
        ("x = x.convert('RGB') if x.mode == 'L' else x", "repeated", "kept"),
        ("if x.mode != 'RGB': y = x.convert('RGB')", "kept", "kept"),
        ("if x.mode != 'RGB': print(x.mode)", "kept", "kept"),
    ],
)
def test_modes_that_are_not_asked_for_are_kept(tmp_path: Path, lines: str, gray: str, alpha: str) -> None:
    decode = served(tmp_path, OPENED + lines + FED).pipeline.decode
    assert (decode.gray, decode.alpha) == (gray, alpha)


@pytest.mark.parametrize("then", ["elif x.mode != 'RGB':\n    x = x.convert('RGB')", "x = x.convert('RGB')"])
def test_transparency_that_a_branch_lays_on_something_is_not_dropped(tmp_path: Path, then: str) -> None:
    lines = f"""
if x.mode == "RGBA":
    ground = Image.new("RGB", x.size, colour)
    ground.paste(x, mask=x.split()[3])
    x = ground
{then}
"""
    decode = served(tmp_path, OPENED + lines + FED).pipeline.decode
    assert (decode.gray, decode.alpha) == ("repeated", None)
    assert decode.undetermined["alpha"].startswith("what becomes of transparency at predict.py:")


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
