"""Transforms of torchvision that a repository holds a copy of: other spaces of colours, and what is a tensor."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Flip, Random
from tests.preprocessing.static.repositories import reading

TRAIN = """
    import random
    import cv2
    import numpy as np
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import models

    def to_pil(pic):
        npimg = pic
        if torch.is_tensor(pic):
            npimg = np.transpose(pic.numpy(), (1, 2, 0))
        return Image.fromarray(npimg)

    def adjust_hue(img, factor):
        mode = img.mode
        if mode in {"L", "1", "I", "F"}:
            return img
        h, s, v = img.convert("HSV").split()
        np_h = np.array(h, dtype=np.uint8)
        np_h += np.uint8(factor * 255)
        h = Image.fromarray(np_h, "L")
        return Image.merge("HSV", (h, s, v)).convert(mode)

    def to_tensor(pic):
        if not torch.is_tensor(pic):
            pic = torch.from_numpy(np.array(pic).transpose((2, 0, 1)))
        return pic.float().div(255)

    class Pictures(Dataset):
        def __getitem__(self, index):
            img = cv2.imread(self.files[index])
            {convert}
            return to_tensor(adjust_hue(to_pil(img), random.uniform(-0.1, 0.1))), self.labels[index]

    model = models.resnet18()
    model.train()
    for images, labels in DataLoader(Pictures(), batch_size=8):
        model(images)
"""


@pytest.mark.parametrize(("convert", "order"), [("pass", "BGR"), ("img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)", "RGB")])
def test_hue_that_chance_changes(tmp_path: Path, convert: str, order: str) -> None:
    found = reading(tmp_path, {"train.py": TRAIN.replace("{convert}", convert)})
    pipeline = next(path.pipeline for path in found.paths if path.role == "train")
    assert (pipeline.order, pipeline.layout, pipeline.dtype) == (order, "NCHW", "float32")
    assert pipeline.affine.scale == (1 / 255,)
    assert any(isinstance(step, Random) for step in pipeline.geometry or ())
    assert not any(isinstance(step, Flip) for step in pipeline.geometry or ())


def test_a_space_of_colours_that_is_kept(tmp_path: Path) -> None:
    code = TRAIN.replace(".convert(mode)", "").replace("{convert}", "pass")
    pipeline = next(path.pipeline for path in reading(tmp_path, {"train.py": code}).paths if path.role == "train")
    assert pipeline.order is None
