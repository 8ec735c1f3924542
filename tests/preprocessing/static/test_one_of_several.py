"""What is done to a picture that is one of several is done to each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Random
from tests.preprocessing.static.repositories import only, reading, served

EITHER = """
    img = cv2.imread(path)
    if flag_of_nobody:
        img = cv2.resize(img, (224, 224), interpolation=cv2.INTER_AREA)
    else:
        img = cv2.resize(img, (224, 224))
"""
FEED = "    x = torch.from_numpy(img.transpose(2, 0, 1)).float().unsqueeze(0)\n    model(x)\n"
MEANS = "    for i in range(min(img.shape[2], 3)):\n        img[:, :, i] -= [103.0, 116.0, 123.0][i]\n"


def body(*lines: str) -> str:
    return "def run(path, flag_of_nobody):\n" + EITHER[1:] + "".join(lines) + "run('a.jpg', flags())\n"


def test_channels_are_changed_in_place(tmp_path: Path) -> None:
    path = served(tmp_path, body("    img = img.astype(np.float32)\n", MEANS, FEED))
    assert path.pipeline.affine.offset == (-103.0, -116.0, -123.0)


def test_a_loop_changes_a_channel_with_each_turn(tmp_path: Path) -> None:
    loop = "    x = torch.from_numpy(img.transpose(2, 0, 1)).float()\n"
    loop += "    for t, m, s in zip(x, [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]):\n        t.sub_(m).div_(s)\n"
    path = served(tmp_path, body(loop, "    model(x.unsqueeze(0))\n"))
    assert set(path.pipeline.affine.scale or ()) == {0.5}
    assert path.pipeline.affine.offset == (-0.5, -1.0, -1.5)


def test_a_loop_over_parts_that_are_no_channels_leaves_levels_unknown(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "img = torch.from_numpy(cv2.imread(path)).float()\n"
        "for t, m in zip(img, [1.0, 2.0, 3.0]):\n    t.sub_(m)\nmodel(img.unsqueeze(0))\n",
    )
    assert path.pipeline.affine.offset is None
    assert "one by one" in path.pipeline.affine.undetermined["offset"]


def test_the_number_of_axes_is_asked_of_each(tmp_path: Path) -> None:
    path = served(tmp_path, body("    if len(img.shape) == 2:\n        img = img[:, :, None]\n", FEED))
    assert path.pipeline.layout == "NCHW"


def test_mirrored_beside_itself_it_is_one_batch(tmp_path: Path) -> None:
    both = "    x = torch.from_numpy(img.transpose(2, 0, 1)).float().unsqueeze(0)\n"
    path = served(tmp_path, body(both, "    x = torch.cat([x, x.flip(3)], 0)\n    model(x)\n"))
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")


def test_a_border_only_where_one_is_needed_is_a_border(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "img = Image.open(path).convert('RGB')\nscale = read_scale()\n"
        "img = img.resize((int(img.size[0] * scale), int(img.size[1] * scale)))\n"
        "h, w = img.size[1], img.size[0]\npad_h, pad_w = max(473 - h, 0), max(473 - w, 0)\nimg = np.array(img)\n"
        "if pad_h > 0 or pad_w > 0:\n"
        "    img = cv2.copyMakeBorder(img, 0, pad_h, 0, pad_w, cv2.BORDER_CONSTANT, value=[0, 0, 0])\n"
        "x = torch.from_numpy(img.transpose(2, 0, 1)).float().div(255).unsqueeze(0)\nmodel(x)\n",
    )
    assert [type(step).__name__ for step in path.pipeline.geometry or ()] == ["Resize", "Pad"]


def test_what_cast_is_told_is_nothing_that_is_done(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "from typing import cast\nfrom PIL.Image import Image as PILImage\n"
        "img = cast(PILImage, Image.open(path)).convert('RGB').resize((320, 320), Image.LANCZOS)\n"
        "x = torch.from_numpy(np.array(img).transpose(2, 0, 1)).float().div(255).unsqueeze(0)\nmodel(x)\n",
    )
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")


def test_bytes_of_a_picture_are_its_levels(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "img = Image.open(path).convert('RGB')\n"
        "x = torch.ByteTensor(torch.ByteStorage.from_buffer(img.tobytes()))\n"
        "x = x.view(img.size[1], img.size[0], 3).transpose(0, 1).transpose(0, 2).contiguous()\n"
        "if isinstance(x, torch.ByteTensor):\n    x = x.float().div(255)\nmodel(x.unsqueeze(0))\n",
    )
    assert path.pipeline.affine.scale == (1 / 255,)
    assert (path.pipeline.layout, path.pipeline.dtype, path.pipeline.geometry) == ("NCHW", "float32", ())


@pytest.mark.parametrize("initializer", ["super().__init__(items)", "super(Node, self).__init__(items)"])
def test_a_class_of_dict_holds_what_it_is_given(tmp_path: Path, initializer: str) -> None:
    code = f"""
        import cv2, torch, yaml
        class Node(dict):
            def __init__(self, items=None):
                {initializer}
            def __getattr__(self, name):
                if name in self:
                    return self[name]
                raise AttributeError(name)
        def run(path):
            with open('net.yaml') as file:
                found = yaml.safe_load(file)
            cfg = {{}}
            for key in found:
                for k, v in found[key].items():
                    cfg[k] = v
            cfg = Node(cfg)
            assert 'side' in cfg
            img = cv2.resize(cv2.imread(path), (cfg.side, cfg.side))
            model(torch.from_numpy(img.transpose(2, 0, 1)).float().unsqueeze(0))
        run('a.jpg')
    """
    path = only(reading(tmp_path, {"predict.py": code, "net.yaml": "TEST:\n  side: 473\n"}))
    (step,) = path.pipeline.geometry or ()
    assert (getattr(step, "height", None), getattr(step, "width", None)) == (473, 473)


def test_a_batch_that_is_filled_and_changed_one_by_one(tmp_path: Path) -> None:
    code = """
        import numpy as np
        from PIL import Image
        from tensorflow.keras.utils import Sequence
        from skimage.transform import resize
        class Pictures(Sequence):
            def __getitem__(self, index):
                batch = np.zeros((4, 480, 640, 3))
                for i in range(batch.shape[0]):
                    x = np.clip(np.asarray(Image.open(self.files[i])) / 255, 0, 1)
                    batch[i] = resize(x, (480, 640), preserve_range=True)
                return batch
        model.fit_generator(Pictures())
    """
    path = only(reading(tmp_path, {"train.py": code}))
    assert path.pipeline.affine.scale == (1 / 255,)
    assert path.pipeline.layout == "NHWC"


def test_a_crop_by_chance_that_leaves_a_picture_of_its_size_alone(tmp_path: Path) -> None:
    code = """
        import random, torch
        import torchvision.transforms.functional as F
        from PIL import Image
        from torch.utils.data import DataLoader, Dataset
        class Crop:
            def __init__(self, size):
                self.size = size
            @staticmethod
            def get_params(img, output_size):
                w, h = img.size
                th, tw = output_size
                if w == tw and h == th:
                    return 0, 0, h, w
                return random.randint(0, h - th), random.randint(0, w - tw), th, tw
            def __call__(self, img):
                scale = random.uniform(0.5, 2.0)
                img = F.resize(img, (int(img.size[1] * scale), int(img.size[0] * scale)), Image.BILINEAR)
                if img.size[0] < self.size[1]:
                    img = F.pad(img, padding=int((1 + self.size[1] - img.size[0]) / 2))
                i, j, h, w = self.get_params(img, self.size)
                return F.to_tensor(F.crop(img, i, j, h, w))
        class Pictures(Dataset):
            def __init__(self, transform):
                self.transform = transform
            def __getitem__(self, index):
                return self.transform(Image.open(self.files[index]).convert('RGB'))
        train_loader = DataLoader(Pictures(Crop((513, 513))), batch_size=4, shuffle=True)
        for images in train_loader:
            model(images)
    """
    path = only(reading(tmp_path, {"train.py": code}))
    crop = (path.pipeline.geometry or ())[-1]
    assert isinstance(crop, Random)
    assert (crop.name, dict(crop.parameters).get("size")) == ("crop", "513x513")
