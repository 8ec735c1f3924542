"""Loaders of classes that inherit from the library's, arrays kept in files, and arguments that are kept in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Crop
from tests.preprocessing.static.repositories import only, reading, resized, steps_of

LOADERS = """
    import json
    import cv2
    import numpy as np
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    class Base(Dataset):
        def __init__(self, root, side):
            self.root, self.side = root, side
        def __getitem__(self, index):
            image = np.asarray(Image.open(self.files[index]).convert("RGB"), dtype=np.float32)
            label = np.asarray(Image.open(self.labels[index]), dtype=np.int32)
            h, w = label.shape
            h, w = (self.side, int(self.side * w / h)) if h < w else (int(self.side * h / w), self.side)
            image = cv2.resize(image, (w, h))
            label = Image.fromarray(label).resize((w, h), resample=Image.NEAREST)
            h, w = np.asarray(label, dtype=np.int32).shape
            top, left = (h - self.side) // 2, (w - self.side) // 2
            image = image[top:top + self.side, left:left + self.side]
            return torch.from_numpy(image.transpose(2, 0, 1)) / 255.0

    class Own(DataLoader):
        def __init__(self, dataset, batch_size, shuffle):
            self.dataset, self.given = dataset, {{"dataset": dataset, "batch_size": batch_size}}
            {begun}
        def loader_for_validation(self):
            return DataLoader(**self.given)

    class Pictures(Own):
        def __init__(self, root, side=64, batch_size=4, shuffle=False):
            self.MEAN = [0.5]
            {inner}.__init__({itself}Base(root=root, side=side), batch_size, shuffle)

    loader = globals()["Pictures"](**{{"root": "data", "side": 96, "shuffle": True}})
    for image in loader:
        model(image - loader.MEAN[0])
    """


@pytest.mark.parametrize(
    "begun",
    ["super().__init__(shuffle=shuffle, **self.given)", "DataLoader.__init__(self, shuffle=shuffle, **self.given)"],
)
def test_loaders_of_classes_of_classes(tmp_path: Path, begun: str) -> None:
    script = LOADERS.format(begun=begun, inner="super(Pictures, self)", itself="")
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.layout) == ("pillow", "NCHW")
    assert (resized(path).rule, resized(path).side) == ("short", 96)
    crop = steps_of(path)[-1]
    assert isinstance(crop, Crop)
    assert (crop.rule, crop.height) == ("center", 96)
    assert path.pipeline.affine.offset == (-0.5,)


SAVING = """
    import os
    import numpy as np
    from skimage.io import imread
    def create():
        names = os.listdir("raw")
        pictures = np.{made}((len(names), 420, 580), dtype=np.uint8)
        for i, name in enumerate(names):
            pictures[i] = {item}
        np.save("cache/pictures{suffix}", pictures)
    def load():
        return np.load("./cache/pictures.npy")
    if __name__ == "__main__":
        create()
    """
FITTING = """
    import numpy as np
    from keras.models import load_model
    from skimage.transform import resize
    from data import load
    def prepare(pictures):
        made = np.ndarray((pictures.shape[0], 96, 80), dtype=np.uint8)
        for i in range(pictures.shape[0]):
            made[i] = resize(pictures[i], (96, 80), preserve_range=True)
        return made[..., np.newaxis]
    if __name__ == "__main__":
        model = load_model("net.h5")
        given = prepare(load()).astype("float32")
        model.fit(given / 255.0, given)
    """


@pytest.mark.parametrize(("made", "item", "suffix"), [
    ("ndarray", "np.array([imread('raw/' + name, as_gray=True)])", ".npy"),
    ("zeros", "imread('raw/' + name, as_gray=True)", ""),
    ("empty", "imread('raw/' + name, as_gray=True)", ".npy"),
])  # fmt: skip
def test_arrays_that_another_script_saves(tmp_path: Path, made: str, item: str, suffix: str) -> None:
    files = {"data.py": SAVING.format(made=made, item=item, suffix=suffix), "train.py": FITTING}
    (path,) = [one for one in reading(tmp_path, files).paths if one.role == "train"]
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("scikit-image", "GRAY", "NHWC")
    (step,) = steps_of(path)
    assert (step.height, step.width) == (96, 80)


ARGUMENTS = """
    import argparse, sys
    import cv2, torch
    parser = argparse.ArgumentParser(fromfile_prefix_chars="@")
    parser.add_argument("--side", type=int, default=480)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--gray", action="store_true")
    args = parser.parse_args(["@" + sys.argv[1]] if len(sys.argv) == 2 else None)
    image = cv2.imread("a.png", 0 if args.gray else 1)
    image = cv2.resize(image, (args.side, args.side))
    model(torch.from_numpy(image[None] if args.gray else image.transpose(2, 0, 1)).float().unsqueeze(0) * args.scale)
    """


@pytest.mark.parametrize("command", ["arguments.txt", "@arguments.txt", "--seed 3 arguments.txt"])
def test_arguments_that_a_file_holds(tmp_path: Path, command: str) -> None:
    files = {
        "net/predict.py": ARGUMENTS,
        "net/arguments.txt": "--side 96\n--scale=0.5\n--gray\n# --side 3\n",
        "README.md": f"$ cd net\n$ python predict.py {command}\n",
    }
    path = only(reading(tmp_path, files))
    assert (resized(path).height, path.pipeline.order, path.pipeline.affine.scale) == (96, "GRAY", (0.5,))


@pytest.mark.parametrize(
    ("command", "side"), [("@lists/more.txt", 96), ("lists/more.txt", 480), ("+lists/more.txt", 480)]
)
def test_files_of_arguments_are_named_after_what_the_parser_says(tmp_path: Path, command: str, side: int) -> None:
    files = {
        "net/predict.py": ARGUMENTS.replace('["@" + sys.argv[1]] if len(sys.argv) == 2 else None', ""),
        "lists/more.txt": "--side 96\n",
        "README.md": f"$ python net/predict.py {command}\n",
    }
    assert resized(only(reading(tmp_path, files))).height == side


def test_arguments_that_no_file_holds(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"net/predict.py": ARGUMENTS, "README.md": "python predict.py other.txt"}))
    assert (resized(path).height, path.pipeline.order) == (480, "BGR")
