"""Data sets of Keras, batches of which a loop fills the rows, and augmentation of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Random, Resize
from tests.preprocessing.static.repositories import only, reading, served

KERAS = """
    import cv2
    import numpy as np
    from keras import backend as K
    from keras.datasets import {name}
    {setting}
    (x_train, y_train), (x_test, y_test) = {name}.load_data()
    if K.{asked}() == "{first}":
        x_train = np.array([cv2.resize(one.transpose(1, 2, 0), (96, 96)).transpose(2, 0, 1) for one in x_train[:9]])
    else:
        x_train = np.array([cv2.resize(one, (96, 96)) for one in x_train[:9]])
    x_train = x_train.astype("float32") / 255
    model.fit(x_train, y_train)
"""


@pytest.mark.parametrize(
    ("name", "setting", "asked", "first", "layout"),
    [
        ("cifar10", "", "image_data_format", "channels_first", "NHWC"),
        ("cifar100", "", "image_dim_ordering", "th", "NHWC"),
        ("cifar10", "K.set_image_data_format('channels_first')", "image_data_format", "channels_first", "NCHW"),
        ("cifar10", "K.set_image_dim_ordering('th')", "image_dim_ordering", "th", "NCHW"),
    ],
)
def test_a_data_set_of_keras_is_an_array_of_pictures(
    tmp_path: Path, name: str, setting: str, asked: str, first: str, layout: str
) -> None:
    code = KERAS.format(name=name, setting=setting, asked=asked, first=first)
    path = only(reading(tmp_path, {"train.py": code}))
    found = path.pipeline
    assert (path.role, found.order, found.layout, found.decode.size) == ("train", "RGB", layout, (32, 32))
    assert (found.affine.scale, found.affine.offset) == ((1 / 255,), (0.0,))
    (resize,) = found.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width) == (96, 96)


def test_handwritten_digits_of_keras_are_gray(tmp_path: Path) -> None:
    code = """
        from tensorflow.keras.datasets import mnist
        (x_train, y_train), _ = mnist.load_data()
        x_train = x_train.reshape(x_train.shape[0], 28, 28, 1) / 255.0
        model.fit(x_train, y_train)
    """
    found = only(reading(tmp_path, {"train.py": code})).pipeline
    assert (found.order, found.layout, found.decode.size) == ("GRAY", "NHWC", (28, 28))


ROWS = """
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms
    def nested(tensors):
        batch = torch.zeros([len(tensors), 3, 99, 99], dtype=tensors[0].dtype)
        mask = torch.ones((len(tensors), 99, 99), dtype=torch.bool)
        for img, row, hole in zip(tensors, batch, mask):
            row[: img.shape[0], : img.shape[1], : img.shape[2]].copy_(img)
            hole[: img.shape[1], : img.shape[2]] = False
        return batch, mask
    way = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
    class Pictures(Dataset):
        def __getitem__(self, index):
            image = way(Image.open(self.names[index]).convert("RGB").resize((64, 32)))
            batch, mask = nested({given})
            return batch.squeeze(0), mask.squeeze(0)
    for x, mask in DataLoader(Pictures(), shuffle=True):
        model(x)
"""


@pytest.mark.parametrize("given", ["image.unsqueeze(0)", "[image]"])
def test_a_batch_of_which_a_loop_fills_the_rows(tmp_path: Path, given: str) -> None:
    found = only(reading(tmp_path, {"train.py": ROWS.replace("{given}", given)})).pipeline
    resize, pad = found.geometry or ()
    assert isinstance(resize, Resize)
    assert isinstance(pad, Pad)
    assert (pad.border(32, 64), found.layout) == ((0, 67, 0, 35), "NCHW")
    assert found.affine.scale == (1 / 127.5,)


@pytest.mark.parametrize("name", ["RandAugment", "ImageNetPolicy", "Cutout", "AutoAugment", "RandomErasing"])
def test_augmentation_of_another_package_is_by_chance(tmp_path: Path, name: str) -> None:
    found = served(
        tmp_path,
        f"from torchvision import transforms\nfrom elsewhere import {name}\n"
        f"way = transforms.Compose([transforms.Resize((64, 64)), {name}(), transforms.ToTensor()])\n"
        "model(way(Image.open(path).convert('RGB')).unsqueeze(0))\n",
    ).pipeline
    resize, chance = found.geometry or ()
    assert isinstance(resize, Resize)
    assert isinstance(chance, Random)
    assert (found.affine.scale, found.layout) == ((1 / 255,), "NCHW")
