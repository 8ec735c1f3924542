"""Modules of networks that normalize what these are given, before any layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

_LAYER = """
        def __init__(self, mean=None):
            super().__init__()
            self.mean = [103.0, 116.0, 123.0] if mean is None else mean
        def forward(self, x):
            assert x.size(1) == 3
            for channel in range(3):
                x[:, channel, :, :] = (x[:, channel, :, :] - self.mean[channel]) / 2.0
            return x
"""
_BUFFER = """
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.tensor([103.0, 116.0, 123.0]).view(1, 3, 1, 1))
        def forward(self, x):
            return (x - self.mean) / 2.0
"""
_SCRIPT = """
    import cv2, torch
    from torch import nn

    class Shift(nn.Module):
        {layer}

    class Base(nn.Module):
        def __init__(self):
            super().__init__()
            self.begin = Shift()
            self.body = nn.Conv2d(3, 8, 3)

    class Net(Base):
        def forward(self, image, flag=None):
            "What is in a picture."
            {begins}
            return self.body(image)

    image = cv2.imread("a.png")
    batch = torch.from_numpy(image).float().permute(2, 0, 1).unsqueeze(0)
    Net().cuda()(batch)
    """


def offsets(folder: Path, layer: str, begins: str = "image = self.begin(image)") -> tuple[float, ...] | None:
    """What is added to each channel, up to what the network takes."""
    script = _SCRIPT.format(layer=layer.strip(), begins=begins)
    return only(reading(folder, {"serve.py": script})).pipeline.affine.offset


@pytest.mark.parametrize("layer", [_LAYER, _BUFFER])
def test_what_a_module_subtracts_before_all_layers(tmp_path: Path, layer: str) -> None:
    assert offsets(tmp_path, layer) == pytest.approx((-51.5, -58.0, -61.5))


def test_what_is_no_constant_is_left_to_the_network(tmp_path: Path) -> None:
    own = _BUFFER.replace("self.mean)", "x.mean((2, 3), keepdim=True))")
    convolved = _BUFFER.replace("super().__init__()", "super().__init__()\n            self.first = nn.Conv2d(3, 3, 1)")
    for number, layer in enumerate((own, convolved)):
        assert offsets(tmp_path / str(number), layer) == (0.0,)
    assert offsets(tmp_path / "other", _BUFFER, "feature = self.begin(image)") == (0.0,)
