"""Pictures that scikit-image converts to other spaces of colours, whose ranges are others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import reading

TRAIN = """
    import numpy as np
    from skimage import color
    from torch.utils.data import DataLoader
    from torchvision import datasets, models, transforms

    class Converted:
        def __call__(self, img):
            return color.{name}(np.asarray(img, np.uint8))

    prepare = transforms.Compose([
        transforms.Resize((32, 32)), Converted(), transforms.ToTensor(),
        transforms.Normalize(mean=[50.0, 6.025, 6.7], std=[50.0, 92.2, 101.2]),
    ])
    model = models.resnet18()
    model.train()
    for images, labels in DataLoader(datasets.ImageFolder("data", prepare), batch_size=8):
        model(images.float())
"""


@pytest.mark.parametrize("name", ["rgb2lab", "rgb2hsv", "rgb2ycbcr"])
def test_means_of_another_space_are_no_mistake(tmp_path: Path, name: str) -> None:
    found = reading(tmp_path, {"train.py": TRAIN.replace("{name}", name)})
    pipeline = next(path.pipeline for path in found.paths if path.role == "train")
    assert (pipeline.order, pipeline.layout, pipeline.dtype) == (None, "NCHW", "float32")
    assert pipeline.affine.scale is None
    assert not [one for one in found.facts if one.kind == "mean-std-in-wrong-range"]
