"""What loaders and data sets of torchvision are given, by name and by position."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize(("given", "layout"), [("batch_size=None", "CHW"), ("batch_size=4", "NCHW"), ("", "NCHW")])
def test_a_loader_that_makes_no_batches(tmp_path: Path, given: str, layout: str) -> None:
    script = f"""
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms
        for x, label in DataLoader(datasets.ImageFolder("train", transforms.ToTensor()), {given}):
            model(x)
        """
    assert only(reading(tmp_path, {"train.py": script})).pipeline.layout == layout


@pytest.mark.parametrize(
    "made",
    [
        "STL10('data', 'train', None, transform)",
        "CelebA('data', 'train', 'attr', transform)",
        "SVHN('data', 'train', transform)",
        "VOCDetection('data', '2012', 'train', False, transform)",
        "CocoDetection('data', 'train.json', transform)",
        "Caltech256('data', transform)",
    ],
)
def test_a_transform_by_its_position(tmp_path: Path, made: str) -> None:
    script = f"""
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms
        transform = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
        for x, label in DataLoader(datasets.{made}, batch_size=8):
            model(x)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
