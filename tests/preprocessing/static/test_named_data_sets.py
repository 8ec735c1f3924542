"""Data sets that libraries bring by name: TensorFlow Datasets, and torchvision's of one size."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.audit.table import _size
from dataguard.preprocessing.static.reading import FoundPath, RepositoryReading
from dataguard.preprocessing.steps import Flip, Random, Resize
from tests.preprocessing.static.repositories import only, reading

SUPERVISED = """
    import tensorflow as tf
    import tensorflow_datasets as tfds
    (train_ds, test_ds), info = tfds.load("{name}", split=["train", "test"], as_supervised=True, with_info=True)
    def prepare(image, label):
        return tf.image.resize(image, (96, 96)) / 255.0, label
    train_ds = train_ds.map(prepare).batch(32)
    model.fit(train_ds, validation_data=test_ds.map(prepare).batch(32))
"""


def _by_role(found: RepositoryReading) -> dict[str, FoundPath]:
    return {path.role: path for path in found.paths}


@pytest.mark.parametrize(("name", "order", "size"), [("oxford_flowers102", "RGB", None), ("mnist", "GRAY", (28, 28)),
                                                     ("cifar10:3.*.*", "RGB", (32, 32)),
                                                     ("omniglot", "RGB", None)])  # fmt: skip
def test_a_data_set_by_name_gives_tensors_of_pictures(
    tmp_path: Path, name: str, order: str, size: tuple[int, int] | None
) -> None:
    found = reading(tmp_path, {"train.py": SUPERVISED.format(name=name)})
    assert sorted(path.role for path in found.paths) in (["train"], ["train", "val"])
    path = found.paths[0].pipeline
    assert (path.decode.library, path.order, path.decode.size) == ("tensorflow", order, size)
    assert (path.affine.scale, path.layout, path.dtype) == ((1 / 255,), "NHWC", "float32")


BUILT = """
    import tensorflow as tf
    import tensorflow_datasets as tfds
    def get_data(mode):
        builder = tfds.builder(name)
        builder.download_and_prepare()
        data = builder.as_dataset(split=mode, decoders={"image": tfds.decode.SkipDecoding()})
        decoder = builder.info.features["image"].decode_example
        def prepare(item):
            image = decoder(item["image"])
            if mode == "train":
                image = tf.image.resize(image, [160, 160])
                image = tf.image.random_crop(image, [128, 128, 3])
                image = tf.image.flip_left_right(image)
            else:
                image = tf.image.resize(image, [128, 128])
            return {"image": (image - 127.5) / 127.5, "label": item["label"]}
        def mixup(item):
            item["image"] = beta * item["image"] + (1 - beta) * tf.reverse(item["image"], axis=[0])
            return item
        data = data.map(prepare).batch(32)
        if mode == "train" and alpha > 0:
            data = data.map(mixup)
        return data
    model.fit(get_data("train"), validation_data=get_data("test"))
"""


def test_a_builder_of_data_sets_is_followed(tmp_path: Path) -> None:
    paths = _by_role(reading(tmp_path, {"train.py": BUILT}))
    train, val = paths["train"].pipeline, paths["val"].pipeline
    assert (train.affine.scale, train.affine.offset, train.order) == ((1 / 127.5,), (-1.0,), "RGB")
    assert [type(one) for one in train.geometry or ()] == [Resize, Random, Flip]
    (resize,) = val.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width) == (128, 128)


ITEMS = """
    import tensorflow as tf
    import tensorflow_datasets as tfds
    ds = tfds.load("tf_flowers", split="train")
    def first(features):
        features["image"] = tf.image.resize(features["image"], [160, 160]) / 255.0
        return features
    def second(features):
        features["image"] = tf.image.resize(features["image"], [64, 64]) / 127.5
        return features
    train = ds.take(10).map(first).batch(8)
    test = ds.skip(10).map(second).batch(8)
    model.fit(train, validation_data=test)
"""


def test_what_a_function_sets_in_an_item_other_functions_do_not_see(tmp_path: Path) -> None:
    found = reading(tmp_path, {"train.py": ITEMS})
    assert sorted((path.role, path.pipeline.affine.scale) for path in found.paths) == [
        ("train", (1 / 255,)),
        ("val", (1 / 127.5,)),
    ]


GIVEN = """
    import tensorflow as tf
    def prepare(features):
        features["image"] = tf.image.resize(features["image"], [160, 160])
        features["image"] = tf.cast(features["image"], tf.float32) / 255.0
        return features
    ds = read_records().map(prepare)
    model.fit(ds)
"""


def test_an_item_of_a_given_dictionary_is_set(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"train.py": GIVEN})).pipeline
    assert (found.affine.scale, found.affine.offset, found.dtype) == ((1 / 255,), (0.0,), "float32")


@pytest.mark.parametrize(
    ("name", "transforms", "size", "shown"),
    [
        ("CIFAR10", "", (32, 32), "32"),
        ("MNIST", "transforms.RandomRotation(5), ", (28, 28), "28, random rotation"),
        ("CIFAR10", "transforms.Resize(224), ", (32, 32), "short 224"),
        ("ImageNet", "", None, "as is"),
    ],
)
def test_the_size_of_a_known_data_set_is_known(
    tmp_path: Path, name: str, transforms: str, size: tuple[int, int] | None, shown: str
) -> None:
    code = f"""
        import torch
        from torchvision import datasets, transforms
        loader = torch.utils.data.DataLoader(datasets.{name}("data", transform=transforms.Compose([
            {transforms}transforms.ToTensor()])))
        for x, y in loader:
            model(x)
    """
    found = only(reading(tmp_path, {"test.py": code})).pipeline
    assert (found.decode.size, _size(found)) == (size, shown)


@pytest.mark.parametrize(("given", "layout"), [("batch_size=None", "HWC"), ("batch_size=8", "NHWC")])
def test_a_data_set_is_loaded_in_batches(tmp_path: Path, given: str, layout: str) -> None:
    script = f"""
        import tensorflow as tf
        import tensorflow_datasets as tfds
        for batch in tfds.load("tf_flowers", split="train", {given}):
            model(batch["image"] / 255)
    """
    assert {path.pipeline.layout for path in reading(tmp_path, {"predict.py": script}).paths} == {layout}


def test_a_data_set_is_loaded_as_one_array(tmp_path: Path) -> None:
    script = """
        import tensorflow_datasets as tfds
        images, labels = tfds.as_numpy(tfds.load("mnist", split="train", batch_size=-1, as_supervised=True))
        model(images / 255)
    """
    assert {path.pipeline.layout for path in reading(tmp_path, {"predict.py": script}).paths} == {"NHWC"}
