"""Parsers whose options depend on others: what sets options of a model, a data set, and files of saved options."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Random
from tests.preprocessing.static.repositories import levels, only, reading, resized, steps_of

OPTIONS = """
    import argparse, pickle
    import data

    class Options:
        def gather(self):
            parser = argparse.ArgumentParser()
            parser.add_argument("--model", default="pix")
            parser.add_argument("--dataset_mode", default="coco")
            parser.add_argument("--load_size", type=int, default=1024)
            parser.add_argument("--crop_size", type=int, default=512)
            parser.add_argument("--load_from_file", action="store_true")
            options, _ = parser.parse_known_args()
            parser = {model}
            parser = data.setter(options.dataset_mode)(parser)
            options, _ = parser.parse_known_args()
            if options.load_from_file:
                parser = self.update(parser, options)
            return parser.parse_args()

        def update(self, parser, options):
            for name, value in sorted(vars(options).items()):
                saved = pickle.load(open("saved.pkl", "rb"))
                if hasattr(saved, name) and value != getattr(saved, name):
                    parser.set_defaults(**{{name: getattr(saved, name)}})
            return parser
    """
DATA = """
    import importlib
    import torch

    def find(name):
        module = importlib.import_module("data." + name + "_dataset")
        found = None
        for key, cls in module.__dict__.items():
            if key.lower() == name + "dataset":
                found = cls
        return found

    def setter(name):
        return find(name).modify_options

    def create(options):
        dataset = find(options.dataset_mode)()
        dataset.initialize(options)
        return torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=True)
    """
COCO = """
    import random
    from PIL import Image
    from torch.utils.data import Dataset
    from torchvision import transforms

    class CocoDataset(Dataset):
        @staticmethod
        def modify_options(parser):
            parser.set_defaults(load_size=286)
            parser.set_defaults(crop_size=256)
            return parser
        def initialize(self, options):
            self.options = options
        def __getitem__(self, index):
            left = random.randint(0, self.options.load_size - self.options.crop_size)
            size = self.options.crop_size
            way = transforms.Compose([
                transforms.Resize([self.options.load_size] * 2, interpolation=Image.BICUBIC),
                transforms.Lambda(lambda one: one.crop((left, left, left + size, left + size))),
                transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3),
            ])
            return way(Image.open(self.paths[index]).convert("RGB"))
    """
TRAIN = """
    import data
    from options import Options
    options = Options().gather()
    for image in data.create(options):
        net(image)
    """


@pytest.mark.parametrize("model", ["models.setter(options.model)(parser)", "parser"])
def test_options_that_a_data_set_changes(tmp_path: Path, model: str) -> None:
    imported = "import models" if "models" in model else ""
    files = {
        "options.py": OPTIONS.format(model=model).replace("import data", f"import data\n    {imported}"),
        "models/__init__.py": "from elsewhere import setter\n",
        "data/__init__.py": DATA,
        "data/coco_dataset.py": COCO,
        "train.py": TRAIN,
    }
    path = only(reading(tmp_path, files))
    assert (path.role, resized(path).height, resized(path).kernel) == ("train", 286, "cubic")
    assert any(isinstance(step, Random) and step.name == "crop" for step in steps_of(path))
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))


PATCHES = """
    import glob
    import cv2, torch
    import numpy as np

    def patches(path):
        image = cv2.imread(path, 0)
        h, w = image.shape
        found = []
        for scale in [1, 0.9]:
            scaled = cv2.resize(image, (int(h * scale), int(w * scale)), interpolation=cv2.INTER_CUBIC)
            for i in range(0, int(h * scale) - 39, 10):
                found.append(scaled[i:i + 40, i:i + 40])
        return found

    data = []
    for path in glob.glob("train/*.png"):
        for patch in patches(path):
            data.append(patch)
    data = np.expand_dims(np.array(data, dtype="uint8"), axis=3)
    data = np.delete(data, range(len(data) % 128), axis=0)
    model(torch.from_numpy((data.astype("float32") / 255.0).transpose((0, 3, 1, 2))))
    """


def test_gray_patches_of_any_number_are_a_batch(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"train.py": PATCHES}))
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("GRAY", "NCHW", "float32")
    assert levels(path) == pytest.approx((1 / 255, 0.0))
    assert resized(path).kernel == "cubic"


@pytest.mark.parametrize("view", ["view(1, -1, x.shape[0], x.shape[1])", "view(1, 1, x.shape[0], x.shape[1])"])
def test_a_picture_that_is_viewed_as_gray(tmp_path: Path, view: str) -> None:
    script = f"""
        import torch
        import numpy as np
        from skimage.io import imread
        x = np.array(imread("a.png"), dtype=np.float32) / 255.0
        model(torch.from_numpy(x).{view})
    """
    path = only(reading(tmp_path, {"test.py": script}))
    assert (path.pipeline.layout, path.pipeline.order) == ("NCHW", None)
    assert levels(path) == pytest.approx((1 / 255, 0.0))
