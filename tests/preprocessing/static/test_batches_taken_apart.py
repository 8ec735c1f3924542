"""Batches of which some pictures are taken, or which are divided and joined again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Random
from tests.preprocessing.static.repositories import only, reading, served

SOME = """
    import numpy as np
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    class Some(datasets.CIFAR10):
        def __init__(self, root, indexs, transform=None):
            super().__init__(root, train=True, transform=transform)
            if indexs is not None:
                self.data = self.data[{index}]
                self.targets = np.array(self.targets)[indexs]

        def __getitem__(self, index):
            image, target = self.data[index], self.targets[index]
            return self.transform(Image.fromarray(image)), target

    def halves(x, size):
        s = list(x.shape)
        return x.reshape([-1, size] + s[1:]).transpose(0, 1).reshape([-1] + s[1:])

    labels = np.array(datasets.CIFAR10("data").targets)
    prepare = transforms.Compose([transforms.RandomCrop(size=32, padding=4), transforms.ToTensor()])
    loader = DataLoader(Some("data", np.where(labels < 3)[0], transform=prepare), shuffle=True)
    model = Net()
    model.train()
    for inputs, targets in loader:
        model(halves(torch.cat((inputs, inputs)), 2))
    """


@pytest.mark.parametrize("index", ["indexs", "np.array(self.targets) == 3", "np.random.permutation(9)", "~self.mask"])
def test_some_of_what_a_data_set_holds_is_still_a_batch(tmp_path: Path, index: str) -> None:
    pipeline = only(reading(tmp_path, {"train.py": SOME.format(index=index)})).pipeline
    assert pipeline.geometry is not None
    assert [type(one) for one in pipeline.geometry] == [Pad, Random]
    assert (pipeline.layout, pipeline.affine.scale) == ("NCHW", (1 / 255,))


def test_an_item_of_what_a_data_set_holds_is_one_picture(tmp_path: Path) -> None:
    text = SOME.format(index="indexs").replace("Image.fromarray(image)", "image")
    text = text.replace("transforms.RandomCrop(size=32, padding=4), ", "")
    pipeline = only(reading(tmp_path, {"train.py": text})).pipeline
    assert (pipeline.geometry, pipeline.layout) == ((), "NCHW")


def test_axes_that_are_sought_by_their_letters(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        import torch

        def transpose(x, source="NHWC", target="NCHW"):
            return x.transpose([source.index(d) for d in target])

        batch = np.array([cv2.imread("a.jpg")], np.float32) / 255
        print(Net()(torch.from_numpy(transpose(batch))))
        """
    pipeline = only(reading(tmp_path, {"predict.py": script})).pipeline
    assert (pipeline.order, pipeline.layout) == ("BGR", "NCHW")


@pytest.mark.parametrize(
    ("grouped", "layout"),
    [
        ("x.reshape(-1, 4, s[1], s[2], s[3])", None),
        ("x.reshape(-1, 4, s[1], s[2], s[3]).reshape(-1, s[1], s[2], s[3])", "NCHW"),
        ("x.reshape(-1, 4, s[1], s[2], s[3]).transpose(0, 1).reshape(-1, s[1], s[2], s[3])", "NCHW"),
        ("x.reshape(-1, 4, s[1], s[3], s[2])", None),
        ("x.reshape(-1, 4, s[1], s[2], s[3])[number]", "NCHW"),
        ("x.reshape(-1, 4, s[1], s[2], s[3])[0]", "NCHW"),
    ],
)
def test_groups_of_a_batch_have_an_axis_more(tmp_path: Path, grouped: str, layout: str | None) -> None:
    lines = (
        "import tensorflow\nx = torch.from_numpy(np.stack([cv2.imread(one) for one in paths])).permute(0, 3, 1, 2)\n"
    )
    pipeline = served(tmp_path, f"{lines}s = x.shape\nmodel({grouped})\n").pipeline
    assert (pipeline.order, pipeline.layout, pipeline.dtype) == ("BGR", layout, "uint8")
