"""Paths of a repository: who makes them, what they are for, where they start."""

from __future__ import annotations

import json
import textwrap
import zipfile
from pathlib import Path

import pytest

from dataguard.core.errors import SourceError
from dataguard.preprocessing.static.reading import read_repository
from dataguard.preprocessing.steps import Crop, Random, Resize
from tests.preprocessing.static.repositories import only, reading, served, written

TRAIN = """
    import argparse
    import torch
    from torch.utils.data import DataLoader
    from data.sets import build

    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="224", type=int)
    parser.add_argument("--data")

    def main():
        args = parser.parse_args()
        train_set, val_set = build(args)
        train_loader = DataLoader(train_set, batch_size=8, shuffle=True)
        val_loader = DataLoader(val_set, batch_size=8)
        model = Net()
        for images, labels in train_loader:
            loss = criterion(model(images.cuda()), labels)
            loss.backward()
        model.eval()
        for images, labels in val_loader:
            model(images)

    if __name__ == "__main__":
        main()
    """
SETS = """
    import torchvision.transforms as T
    from torchvision.datasets import ImageFolder

    NORMALIZE = T.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])

    def build(args):
        train = T.Compose([T.RandomResizedCrop(args.size), T.RandomHorizontalFlip(), T.ToTensor(), NORMALIZE])
        val = T.Compose([T.Resize(256, interpolation=3), T.CenterCrop(args.size), T.ToTensor(), NORMALIZE])
        return ImageFolder(args.data + "/train", transform=train), ImageFolder(args.data + "/val", val)
    """


def test_loaders_of_a_script_across_files(tmp_path: Path) -> None:
    found = reading(tmp_path, {"train.py": TRAIN, "data/sets.py": SETS, "data/__init__.py": ""})
    train, val = found.paths
    assert (train.role, val.role) == ("train", "val")
    assert (train.name, train.entry) == ("train.py: train_loader", "train.py:14")
    assert [type(step) for step in train.pipeline.geometry or ()] == [Random, Random]
    resize, crop = val.pipeline.geometry or ()
    assert isinstance(resize, Resize)
    assert isinstance(crop, Crop)
    assert (resize.rule, resize.side, resize.kernel, resize.engine) == ("short", 256, "cubic", "pillow")
    assert (crop.rule, crop.height) == ("center", 224)
    assert str(resize.origin_of("kernel")) == "explicit interpolation, data/sets.py:9"
    assert val.pipeline.decode.library == "pillow"
    assert val.pipeline.layout == "NCHW"
    assert found.files == 3


def test_a_default_of_a_library_says_so(tmp_path: Path) -> None:
    path = served(tmp_path, "img = cv2.resize(cv2.imread(path), (8, 8))\nmodel(img[None] / 255.0)\n")
    (step,) = path.pipeline.geometry or ()
    assert str(step.origin_of("kernel")) == "default of OpenCV: INTER_LINEAR, predict.py:4"
    assert str(path.pipeline.decode.origin_of("order")) == (
        "default of OpenCV: cv2.imread with IMREAD_COLOR, predict.py:4"
    )


def test_a_data_set_of_the_repository_and_its_collation(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        {
            "train.py": """
                import torch, cv2
                from torch.utils.data import Dataset, DataLoader
                from transforms import Compose, Resize, ToTensor

                class Base(Dataset):
                    mean = (104, 117, 123)
                    def __init__(self, root, transform=None, phase="train"):
                        self.transform, self.phase = transform, phase
                    def __getitem__(self, index):
                        sample = {"label": 1, "image": cv2.imread(self.files[index])}
                        if self.transform:
                            sample = self.transform(sample)
                        return sample

                class Mine(Base):
                    def __getitem__(self, index):
                        sample = super().__getitem__(index)
                        sample["image"] = sample["image"] - self.mean
                        return sample

                def collate(batch):
                    return torch.stack([torch.from_numpy(one["image"]).permute(2, 0, 1) for one in batch])

                if __name__ == "__main__":
                    data = Mine("x", transform=Compose([Resize(300), ToTensor()]))
                    loader = DataLoader(data, shuffle=True, collate_fn=collate)
                """,
            "transforms.py": """
                import cv2
                import numpy as np

                class Compose:
                    def __init__(self, transforms):
                        self.transforms = transforms
                    def __call__(self, sample):
                        for one in self.transforms:
                            sample = one(sample)
                        return sample

                class Resize:
                    def __init__(self, size, interpolation=cv2.INTER_AREA):
                        self.size, self.interpolation = size, interpolation
                    def __call__(self, sample):
                        size = (self.size, self.size)
                        sample["image"] = cv2.resize(sample["image"], size, interpolation=self.interpolation)
                        return sample

                class ToTensor:
                    def __call__(self, sample):
                        return {**sample, "image": sample["image"].astype(np.float32)}
                """,
        },
    )
    path = only(found)
    assert path.role == "train"
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("BGR", "NCHW", "float32")
    assert path.pipeline.affine.offset == (-104.0, -117.0, -123.0)
    (step,) = path.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert (step.kernel, step.height) == ("area", 300)
    assert "transforms.py:18" in path.evidence


@pytest.mark.usefixtures("not_followed")
def test_whole_levels_that_leave_a_data_set_are_scaled_where_they_are_fed_or_unknown(tmp_path: Path) -> None:
    code = """
        import cv2, torch
        from torch.utils.data import Dataset, DataLoader
        class Files(Dataset):
            def __getitem__(self, index):
                return torch.from_numpy(cv2.imread(self.files[index])).permute(2, 0, 1), 0
        train_loader = DataLoader(Files(), shuffle=True)
        """
    loop = """
        for images, labels in train_loader:
            images = images.cuda().float() / 255
            net(images)
        """
    followed = only(reading(tmp_path / "a", {"train.py": textwrap.dedent(code) + textwrap.dedent(loop)}))
    assert (followed.pipeline.affine.scale, followed.pipeline.dtype) == ((1 / 255,), "float32")
    alone = only(reading(tmp_path / "b", {"train.py": code}))
    assert (alone.pipeline.affine.scale, alone.pipeline.dtype, alone.pipeline.order) == (None, "float32", "BGR")
    assert "not followed" in alone.pipeline.provenance["dtype"].detail
    assert "not followed" in dict(alone.pipeline.unknown)["affine.scale"]


def test_configuration_in_yaml_and_registries_is_followed(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        {
            "infer.py": """
                import yaml, cv2, torch
                import numpy as np
                from registry import MODELS

                config = yaml.safe_load(open("configs/base.yaml"))
                img = cv2.imread("x.jpg")
                img = cv2.resize(img, tuple(config["input"]["size"]))
                img = MODELS[config["name"]](img)
                net = torch.jit.load("net.pt")
                net(torch.from_numpy(img).permute(2, 0, 1)[None])
                """,
            "registry.py": """
                import numpy as np
                def caffe(img):
                    return img.astype(np.float32) - np.array([103.939, 116.779, 123.68], dtype=np.float32)
                def tf(img):
                    return img.astype(np.float32) / 127.5 - 1
                MODELS = {"resnet": caffe, "mobilenet": tf}
                """,
            "configs/base.yaml": "name: mobilenet\ninput:\n  size: [192, 160]\n",
        },
    )
    path = only(found)
    (step,) = path.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert (step.height, step.width) == (160, 192)
    assert path.pipeline.affine.scale == pytest.approx((1 / 127.5,))
    assert path.pipeline.affine.offset == pytest.approx((-1.0,))


def test_code_that_is_never_called_is_told_apart(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        {
            "detect.py": """
                import cv2, torch
                # img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)
                def rgb_mean_old(img):
                    img = cv2.resize(img, (99, 99), interpolation=cv2.INTER_AREA)
                    return torch.from_numpy(img / 255.0).unsqueeze(0)
                img = cv2.imread("a.png")
                model(torch.from_numpy(img / 255.0).unsqueeze(0))
                """
        },
    )
    used = [path for path in found.paths if path.reachable]
    dead = [path for path in found.paths if not path.reachable]
    assert len(used) == len(dead) == 1
    assert used[0].pipeline.order == "BGR"
    assert used[0].pipeline.geometry == ()
    assert "rgb_mean_old" in dead[0].name


def test_a_transform_that_nobody_here_applies_is_a_path(tmp_path: Path) -> None:
    path = only(
        reading(
            tmp_path,
            {
                "hubconf.py": """
                    from torchvision.transforms import Compose, Resize, CenterCrop, ToTensor, Normalize
                    try:
                        from torchvision.transforms import InterpolationMode
                        BICUBIC = InterpolationMode.BICUBIC
                    except ImportError:
                        from PIL import Image
                        BICUBIC = Image.BICUBIC
                    def _rgb(image):
                        return image.convert("RGB")
                    def transform(pixels):
                        return Compose([Resize(pixels, interpolation=BICUBIC), CenterCrop(pixels), _rgb, ToTensor(),
                                        Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
                    """
            },
        )
    )
    resize, crop = path.pipeline.geometry or ()
    assert isinstance(resize, Resize)
    assert isinstance(crop, Crop)
    assert (resize.kernel, resize.rule) == ("cubic", None)
    assert "argument pixels" in resize.undetermined["rule"]
    assert path.pipeline.affine.mean_std()[0] == pytest.approx((0.5,))
    assert path.pipeline.order == "RGB"


def test_a_notebook_is_followed_cell_by_cell(tmp_path: Path) -> None:
    cells = [
        ["%matplotlib inline\n", "import cv2, torch\n", "img = cv2.imread('a.jpg')"],
        ["!pip install nothing\n", "x = cv2.resize(img, (300, 300))\n", "x = x[:, :, ::-1].copy()"],
        ["net(torch.from_numpy(x).permute(2, 0, 1).unsqueeze(0).float())"],
    ]
    notebook = {"cells": [{"cell_type": "code", "source": one} for one in cells], "nbformat": 4, "metadata": {}}
    (tmp_path / "demo.ipynb").write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    path = only(read_repository(tmp_path))
    assert (path.role, path.pipeline.order, path.pipeline.layout) == ("serve", "RGB", "NCHW")
    file, _, line = path.evidence[0].rpartition(":")
    assert file == "demo.ipynb"
    assert "cv2.imread" in (tmp_path / "demo.ipynb").read_text(encoding="utf-8").splitlines()[int(line) - 1]


def test_python_2_and_broken_lines_lose_no_more_than_themselves(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        {
            "test.py": """
                import cv2, torch
                print "reading", 1
                img = cv2.imread(path)
                this is not python at all
                x = torch.from_numpy(img / 255.).unsqueeze(0)
                net(x)
                """
        },
    )
    assert only(found).pipeline.affine.scale == (1 / 255,)
    assert any("not parse" in why for _, why in found.skipped)


def test_an_archive_reads_like_its_folder(tmp_path: Path) -> None:
    files = {"train.py": TRAIN, "data/sets.py": SETS, "data/__init__.py": ""}
    folder = written(tmp_path / "folder", files)
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in files:
            packed.write(folder / name, f"package-1.0/{name}")
        packed.writestr("package-1.0/../../outside.py", "import cv2")
    from_folder, from_archive = read_repository(folder), read_repository(archive)
    assert [path.pipeline for path in from_folder.paths] == [path.pipeline for path in from_archive.paths]
    assert [path.entry for path in from_folder.paths] == [path.entry for path in from_archive.paths]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "package.zip"]


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        read_repository(tmp_path / "nothing")
    (tmp_path / "text.zip").write_text("no zip", encoding="utf-8")
    with pytest.raises(SourceError, match="no zip archive"):
        read_repository(tmp_path / "text.zip")


def test_a_branch_of_the_command_line_is_followed_beside_its_default(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        {
            "run.py": """
                import argparse, cv2, torch
                def picture(path):
                    feed(cv2.imread(path))
                def camera():
                    ok, frame = cv2.VideoCapture(0).read()
                    feed(frame[:, :, ::-1])
                def feed(img):
                    model(torch.from_numpy(img.copy() / 255.0).permute(2, 0, 1)[None])
                args = argparse.ArgumentParser()
                args.add_argument("--image", default=None)
                args = args.parse_args()
                if args.image is not None:
                    picture(args.image)
                else:
                    camera()
                """
        },
    )
    assert sorted(path.pipeline.order or "" for path in found.paths) == ["BGR", "RGB"]


def test_keras_generators_and_load_img(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        {
            "train.py": """
                from tensorflow.keras.preprocessing.image import ImageDataGenerator
                options = dict(rescale=1. / 255, horizontal_flip=True)
                made = ImageDataGenerator(**options)
                train = made.flow_from_directory("train", target_size=(224, 224), interpolation="bilinear")
                """,
            "predict.py": """
                from tensorflow import keras
                from tensorflow.keras.applications.resnet50 import preprocess_input
                model = keras.models.load_model("m.h5")
                image = keras.preprocessing.image.load_img("a.jpg", target_size=(224, 224))
                x = keras.preprocessing.image.img_to_array(image)
                model.predict(preprocess_input(x)[None])
                """,
        },
    )
    predict, train = sorted(found.paths, key=lambda path: path.name)
    assert [step.kernel for step in train.pipeline.geometry or () if isinstance(step, Resize)] == ["linear"]
    assert train.pipeline.affine.scale == pytest.approx((1 / 255,))
    assert train.pipeline.layout == "NHWC"
    assert [step.kernel for step in predict.pipeline.geometry or () if isinstance(step, Resize)] == ["nearest_exact"]
    assert predict.pipeline.order == "BGR"
    assert predict.pipeline.affine.offset == pytest.approx((-103.939, -116.779, -123.68))
