"""Data sets of Keras, batches of which a loop fills the rows, and augmentation of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Random, Resize, is_unread
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


@pytest.mark.parametrize(("axes", "layout"), [("th", "NCHW"), ("tf", "NHWC")])
def test_axes_that_keras_is_told(tmp_path: Path, axes: str, layout: str) -> None:
    script = f"""
        import keras
        import numpy as np
        from keras.applications.imagenet_utils import preprocess_input
        from keras.preprocessing import image
        keras.backend.set_image_dim_ordering("{axes}")
        x = image.img_to_array(image.load_img(path, target_size=(96, 96)))
        model.predict(preprocess_input(np.expand_dims(x, axis=0)))
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.layout == layout


@pytest.mark.parametrize("use", ["seq.augment_image(x)", "seq(image=x)", "seq.to_deterministic().augment_image(x)"])
@pytest.mark.parametrize(
    ("part", "known"),
    [("iaa.Fliplr(0.5), iaa.Sometimes(0.5, iaa.Multiply((0.8, 1.2)))", True), ("iaa.Lambda(changed)", False)],
)
def test_pictures_that_imgaug_changes(tmp_path: Path, use: str, part: str, known: bool) -> None:
    script = f"""
        import cv2, torch
        from imgaug import augmenters as iaa
        seq = iaa.Sequential([{part}], random_order=True)
        for name in names:
            x = cv2.imread(name)
            x = {use}
            model(torch.from_numpy(x).float().permute(2, 0, 1)[None])
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert path.pipeline.order == ("BGR" if known else None)
    assert path.pipeline.affine.scale == ((1.0,) if known else None)


def test_what_is_unknown_augments_by_chance(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        import ttach
        x = torch.from_numpy(cv2.resize(cv2.imread(path), (96, 96))).float().permute(2, 0, 1)[None] / 255
        for transform in ttach.Compose([ttach.HorizontalFlip()]):
            model(transform.augment_image(x))
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")
    assert [type(one) for one in path.pipeline.geometry or ()] == [Resize, Random]


def test_a_list_of_transforms_that_is_one_of_two(tmp_path: Path) -> None:
    script = """
        from PIL import Image
        from torchvision import transforms
        def prepared(options):
            if "long" in options:
                steps = [transforms.Resize((96, 128))]
            else:
                steps = [transforms.Resize(96), transforms.CenterCrop(96), lambda image: image.convert("RGB")]
            steps.extend([transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
            return transforms.Compose(steps)
        model(prepared(read(path))(Image.open(name).convert("RGB"))[None])
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")
    assert path.pipeline.geometry is not None
    before, resize, after = path.pipeline.geometry
    assert (is_unread(before), is_unread(after)) == (True, True)
    assert (resize.engine, resize.kernel, resize.height) == ("pillow", "linear", None)  # type: ignore[union-attr]
    assert path.pipeline.affine.offset == pytest.approx((-1.0,))
