"""Modules that take a picture as it was opened, and make ready themselves what their networks take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

_DETECTOR = """
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn
    from torch.nn.functional import interpolate

    class Small(nn.Module):
        def forward(self, x):
            return self.conv(x)

    class Detector(nn.Module):
        def __init__(self, side=96):
            super().__init__()
            self.side = side
            self.small = Small()

        def forward(self, img):
            return self.detect(img)

        def detect(self, img):
            kind = next(self.small.parameters()).dtype
            imgs = torch.as_tensor(np.stack([np.uint8(img)])).permute(0, 3, 1, 2).{cast}
            imgs = interpolate(imgs, size=(self.side, self.side), mode="area")
            return self.small((imgs - 127.5) * 0.0078125)

    detector = Detector()
    for name in names:
        detector(Image.open(name).convert("RGB"))
    """


@pytest.mark.parametrize("cast", ["type(kind)", "to(kind)", "to(dtype=kind)", "type_as(next(self.small.parameters()))"])
def test_pictures_of_pillow_given_to_a_module(tmp_path: Path, cast: str) -> None:
    found = only(reading(tmp_path, {"detect.py": _DETECTOR.format(cast=cast)}))
    step = resized(found)
    assert (step.height, step.width, step.kernel, step.engine) == (96, 96, "area", "torch")
    assert (found.pipeline.order, found.pipeline.layout, found.pipeline.dtype) == ("RGB", "NCHW", "float32")
    assert found.pipeline.affine.scale == (0.0078125,)


@pytest.mark.parametrize(
    ("cast", "dtype"),
    [
        ("to(next(net.parameters()).dtype)", "float32"),
        ("to(next(net.parameters()).device)", "float64"),
        ("to(torch.float)", "float32"),
        ("to(torch.half)", "float16"),
    ],
)
def test_a_type_of_weights_is_that_of_what_is_cast_to_it(tmp_path: Path, cast: str, dtype: str) -> None:
    script = f"""
        import cv2, tensorflow, torch
        net = torch.load("net.pt")
        net(torch.from_numpy(cv2.imread("a.png")[None] / 255.0).{cast})
        """
    assert only(reading(tmp_path, {"serve.py": script})).pipeline.dtype == dtype
