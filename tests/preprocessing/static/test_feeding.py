"""Ways in which pictures come to a model: generators, data modules, Caffe, stored arrays, branches that raise."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static.feeding import given_back
from dataguard.preprocessing.static.picture import State
from dataguard.preprocessing.static.values import Picture
from dataguard.preprocessing.steps import is_unread
from tests.preprocessing.static.repositories import levels, only, reading, resized, served, steps_of


def test_a_branch_that_raises_is_not_what_is_run(tmp_path: Path) -> None:
    script = """
        import argparse, cv2
        parser = argparse.ArgumentParser()
        parser.add_argument("--images", nargs="+", default="")
        args = parser.parse_args()

        class Reader:
            def __init__(self, names):
                self.names = names
                self.index = 0
            def __iter__(self):
                return self
            def __next__(self):
                if self.index == len(self.names):
                    raise StopIteration
                return cv2.imread(self.names[self.index])

        for image in Reader(args.images):
            model(cv2.resize(image, (64, 64)) / 255.0)
        """
    path = only(reading(tmp_path, {"demo.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order, resized(path).height) == ("opencv", "BGR", 64)


@pytest.mark.usefixtures("not_followed")
def test_one_of_a_chain_is_chosen_where_what_is_left_raises(tmp_path: Path) -> None:
    script = """
        import argparse, cv2
        from torch.utils.data import DataLoader

        class Coco:
            def __getitem__(self, index):
                return cv2.imread(self.names[index]) / 255.0

        class Csv(Coco):
            pass

        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--dataset")
            args = parser.parse_args()
            if args.dataset == "coco":
                chosen = Coco()
            elif args.dataset == "csv":
                chosen = Csv()
            else:
                raise ValueError("no such data set")
            train_loader = DataLoader(chosen, shuffle=True)

        main()
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.role, path.pipeline.decode.library) == ("train", "opencv")


def test_a_raise_that_is_caught_is_followed(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        try:
            if True:
                raise ImportError
            size = 32
        except ImportError:
            size = 64
        model(cv2.resize(cv2.imread("a.png"), (size, size)) / 255.0)
        """,
    )
    assert resized(path).height == 64


def test_a_generator_gives_a_batch_once_a_list_is_as_long(tmp_path: Path) -> None:
    script = """
        import cv2, numpy as np
        from keras.models import Sequential

        class Source:
            def __init__(self, labels, count):
                self.keys = sorted(labels.keys())
                self.count = count
            def flow(self, mode="train"):
                while True:
                    inputs = []
                    for key in self.keys:
                        image = cv2.resize(cv2.imread(key), (64, 64)).astype("float32")
                        if mode == "train":
                            share = 2.0 * np.random.random() + 0.5
                            image = share * image
                        inputs.append(image)
                        if len(inputs) == self.count:
                            yield np.asarray(inputs) / 127.5 - 1
                            inputs = []

        model = Sequential()
        source = Source(dict(zip(names, labels)), 32)
        model.fit_generator(source.flow("train"), validation_data=source.flow("val"))
        """
    train, val = reading(tmp_path, {"train.py": script}).paths
    assert (train.role, val.role) == ("train", "val")
    assert (val.pipeline.layout, levels(val)) == ("NHWC", (1 / 127.5, -1.0))
    assert levels(train) == levels(val)  # what chance does to levels is a step and changes nothing else


def test_a_script_that_imports_everything_and_two_generators_at_once(tmp_path: Path) -> None:
    data = """
        from keras.preprocessing.image import ImageDataGenerator

        def pairs(folder):
            options = dict(classes=["x"], class_mode=None, color_mode="grayscale", target_size=(256, 256))
            images = ImageDataGenerator().flow_from_directory(folder, **options)
            masks = ImageDataGenerator().flow_from_directory(folder, **options)
            for image, mask in zip(images, masks):
                yield image / 255, mask / 255
        """
    script = """
        from data import *
        model = build()
        model.fit_generator(pairs("train"), steps_per_epoch=300)
        """
    path = only(reading(tmp_path, {"data.py": data, "main.py": script}))
    assert (path.name, path.pipeline.order, levels(path)) == ("main.py: images", "GRAY", (1 / 255, 0.0))


def test_what_a_loader_is_returned_to_tells_its_role(tmp_path: Path) -> None:
    script = """
        from torch.utils.data import DataLoader
        from torchvision import transforms
        from torchvision.datasets import ImageFolder

        def loaders(mode):
            dataset = ImageFolder("data", transforms.ToTensor())
            dataloader = DataLoader(dataset, shuffle=mode == "train")
            return dataloader

        train_loader = loaders("train")
        valid_loader = loaders("valid")
        """
    assert [path.role for path in reading(tmp_path, {"main.py": script}).paths] == ["train", "val"]


def test_pixels_of_a_table(tmp_path: Path) -> None:
    script = """
        import cv2, numpy as np, pandas as pd
        faces = []
        for pixels in pd.read_csv("fer.csv")["pixels"].tolist():
            face = np.asarray([int(one) for one in pixels.split(" ")]).reshape(48, 48)
            faces.append(cv2.resize(face.astype("uint8"), (64, 64)).astype("float32"))
        faces = np.expand_dims(np.asarray(faces), -1) / 255.0
        model.predict(faces)
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.order, path.pipeline.layout, levels(path)) == ("GRAY", "NHWC", (1 / 255, 0.0))
    assert (resized(path).engine, resized(path).height) == ("opencv", 64)


def test_gray_pictures_get_both_axes(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        gray = cv2.cvtColor(cv2.imread("a.png"), cv2.COLOR_BGR2GRAY) / 255.0
        model.predict(np.expand_dims(np.expand_dims(gray, 0), -1))
        """,
    )
    assert path.pipeline.layout == "NHWC"


def test_a_net_of_caffe(tmp_path: Path) -> None:
    script = """
        import caffe
        import numpy as np
        from PIL import Image
        image = np.array(Image.open("a.jpg"), dtype=np.float32)[:, :, ::-1]
        image -= np.array((104.0, 117.0, 123.0))
        net = caffe.Net("deploy.prototxt", "w.caffemodel", caffe.TEST)
        net.blobs["data"].data[...] = image.transpose((2, 0, 1))
        net.forward()
        """
    path = only(reading(tmp_path, {"infer.py": script}))
    assert (path.role, path.pipeline.order, path.pipeline.layout) == ("serve", "BGR", "CHW")
    assert path.pipeline.affine.offset == (-104.0, -117.0, -123.0)


def test_a_transformer_of_caffe(tmp_path: Path) -> None:
    script = """
        import caffe
        import numpy as np
        net = caffe.Net("deploy.prototxt", "w.caffemodel", caffe.TEST)
        transformer = caffe.io.Transformer({"data": (1, 3, 227, 227)})
        transformer.set_transpose("data", (2, 0, 1))
        transformer.set_mean("data", np.array([104.0, 117.0, 123.0]))
        transformer.set_raw_scale("data", 255)
        transformer.set_channel_swap("data", (2, 1, 0))
        net.blobs["data"].data[...] = transformer.preprocess("data", caffe.io.load_image("cat.jpg"))
        net.forward()
        """
    path = only(reading(tmp_path, {"classify.py": script}))
    assert (path.pipeline.order, path.pipeline.layout, resized(path).width) == ("BGR", "CHW", 227)
    assert path.pipeline.affine.offset == (-104.0, -117.0, -123.0)
    assert levels(path)[0] == 1.0


def test_a_layer_of_data_of_caffe(tmp_path: Path) -> None:
    script = """
        import caffe
        import numpy as np
        from PIL import Image

        class Layer(caffe.Layer):
            def setup(self, bottom, top):
                if len(top) != 2:
                    raise Exception("two tops")
                self.mean = np.array((114.5, 115.3, 108.3))
            def reshape(self, bottom, top):
                self.data = self.load(self.names[0])
            def forward(self, bottom, top):
                top[0].data[...] = self.data
                top[1].data[...] = self.label
            def load(self, name):
                picture = np.array(Image.open(name), dtype=np.float32)[:, :, ::-1]
                picture -= self.mean
                return picture.transpose((2, 0, 1))
        """
    path = only(reading(tmp_path, {"layers.py": script}))
    assert (path.role, path.pipeline.order, path.reachable) == ("train", "BGR", False)
    assert path.pipeline.affine.offset == (-114.5, -115.3, -108.3)


MODULE = """
    import pytorch_lightning as pl
    from torch.utils.data import DataLoader
    from torchvision import transforms as T
    from torchvision.datasets import ImageFolder

    class Data(pl.LightningDataModule):
        def __init__(self, folder, size=224):
            super().__init__()
            self.save_hyperparameters()
        def setup(self, stage):
            size = self.hparams.size
            self.train_set = ImageFolder(self.hparams.folder, T.Compose([T.RandomResizedCrop(size), T.ToTensor()]))
            self.val_set = ImageFolder(self.hparams.folder, T.Compose([T.Resize((size, size)), T.ToTensor()]))
        def train_dataloader(self):
            return DataLoader(self.train_set, shuffle=True)
        def val_dataloader(self):
            return DataLoader(self.val_set)
    """


def test_a_data_module_that_nobody_makes(tmp_path: Path) -> None:
    train, val = reading(tmp_path, {"data.py": MODULE}).paths
    assert (train.role, val.role, train.reachable) == ("train", "val", False)
    assert resized(val).height == 224


def test_a_data_module_that_a_trainer_is_given(tmp_path: Path) -> None:
    script = """
        import pytorch_lightning as pl
        from data import Data
        trainer = pl.Trainer()
        trainer.fit(model, datamodule=Data("folder", size=96))
        """
    train, val = reading(tmp_path, {"data.py": MODULE, "train.py": script}).paths
    assert (train.role, val.role, train.reachable) == ("train", "val", True)
    assert resized(val).height == 96


def test_of_what_a_collator_does_with_a_processor_of_a_hub_layout_and_type_are_known(tmp_path: Path) -> None:
    script = """
        from torch.utils.data import DataLoader
        from torchvision.datasets import ImageFolder
        from transformers import ViTFeatureExtractor

        class Collator:
            def __init__(self, extractor):
                self.extractor = extractor
            def __call__(self, batch):
                return self.extractor([one[0] for one in batch], return_tensors="pt")

        extractor = ViTFeatureExtractor.from_pretrained("google/vit-base-patch16-224-in21k")
        train_loader = DataLoader(ImageFolder("data"), collate_fn=Collator(extractor), shuffle=True)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.geometry) == ("pillow", None)
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", "float32")


@pytest.mark.usefixtures("not_followed")
def test_pictures_that_are_stored_and_read_again(tmp_path: Path) -> None:
    prepare = """
        import h5py, numpy as np
        from PIL import Image

        def luma(image):
            return 16.0 + (64.7 * image[:, :, 0] + 129.1 * image[:, :, 1] + 25.1 * image[:, :, 2]) / 256.0

        stored = h5py.File("train.h5", "w")
        image = Image.open("a.png").convert("RGB").resize((33, 33), resample=Image.BICUBIC)
        stored.create_dataset("lr", data=luma(np.array(image).astype(np.float32)))
        """
    train = """
        import h5py, numpy as np
        from torch.utils.data import DataLoader, Dataset

        class Stored(Dataset):
            def __getitem__(self, index):
                with h5py.File("train.h5", "r") as f:
                    return np.expand_dims(f["lr"][index] / 255.0, 0)

        train_loader = DataLoader(Stored(), shuffle=True)
        """
    offline, fed = sorted(reading(tmp_path, {"prepare.py": prepare, "train.py": train}).paths, key=lambda one: one.role)
    assert (offline.role, resized(offline).kernel, offline.pipeline.order) == ("offline", "cubic", "GRAY")
    assert (fed.role, fed.pipeline.layout, levels(fed)) == ("train", "NCHW", (1 / 255, 0.0))


def test_levels_that_were_computed_before_are_not_known(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import h5py
        model(np.expand_dims(cv2.resize((h5py.File("a.h5")["x"][0] - 3) / 7, (64, 64)), 0).astype("float32"))
        """,
    )
    before, resize = steps_of(path)
    assert (path.pipeline.affine.scale, is_unread(before), resize.height) == (None, True, 64)


@pytest.mark.parametrize(
    ("call", "given", "back"),
    [
        ("change(image)", "P", True),
        ("change(*sizes, image)", "11P", True),
        ("change(*both, 2, image)", "1P2P", True),
        ("change(*image, 2)", "P2", False),
        ("change(image, 2)", "1P2", True),
        ("change(image[0])", "P", False),
        ("change(other)", "P", False),
    ],
)
def test_what_a_picture_is_replaced_by(call: str, given: str, back: bool) -> None:
    node = ast.parse(call, mode="eval").body
    picture = Picture(State(kind="array", decode=Decode.of("opencv")))
    assert given_back(["", "image"], [picture if one == "P" else 1 for one in given], node) is back
