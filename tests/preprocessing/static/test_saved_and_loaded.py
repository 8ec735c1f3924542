"""Tensors that a data set saves and loads again, and functions of torch that are methods too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, served


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    script = """
        import os
        import torch
        import torch.nn.functional as F
        from skimage import io
        from torch.utils.data import DataLoader, Dataset
        from torchvision.transforms.functional import normalize

        class Cached(Dataset):
            def __init__(self, paths, folder):
                self.files = []
                for path in paths:
                    im = torch.tensor(io.imread(path), dtype=torch.float32)
                    im = torch.transpose(torch.transpose(im, 1, 2), 0, 1)
                    im = F.upsample(torch.unsqueeze(im, 0), (512, 512), mode="bilinear")
                    im = torch.squeeze(im, 0).type(torch.uint8)
                    file = os.path.join(folder, path + ".pt")
                    torch.save(im, file)
                    gt = torch.tensor(io.imread(path.replace("im", "gt"))[:, :, 0])
                    torch.save(gt, file.replace("im", "gt"))
                    self.files.append(file)

            def __getitem__(self, index):
                im = torch.load(self.files[index])
                gt = torch.load(self.files[index].replace("im", "gt"))
                return normalize(torch.divide(im, 255.0), [0.5, 0.5, 0.5], [1.0, 1.0, 1.0]), gt

        for x, y in DataLoader(Cached(open("list.txt").read().split(), "cache"), shuffle=True):
            net(x)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("RGB", "NCHW", "float32")
    assert path.pipeline.affine.offset == (-0.5,)
    assert path.pipeline.geometry is not None
    assert getattr(path.pipeline.geometry[0], "height", None) == 512


def test_another_name_is_another_tensor(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "im = torch.from_numpy(cv2.imread(path).transpose(2, 0, 1)).unsqueeze(0)\ntorch.save(im, 'im.pt')\n"
        "weights = torch.load('net.pt')\nmodel(im.float().div(255) * weights)\n",
    )
    assert path.pipeline.affine.scale is None


def test_what_is_normalized_has_its_channels_first(tmp_path: Path) -> None:
    script = """
        import torch
        from torchvision.transforms.functional import normalize

        def predict(given):
            x = normalize(torch.divide(given, 255.0), [0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
            return model(x.unsqueeze(0))
        """
    path = only(reading(tmp_path, {"serve.py": script}))
    assert path.pipeline.layout in (None, "NCHW")


def test_a_mirror_image_at_an_edge_is_a_border(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "x = torch.from_numpy(cv2.imread(path)[:, :, ::-1].transpose(2, 0, 1) / 255.0).float().unsqueeze(0)\n"
        "_, _, h, w = x.size()\nhigh = (h // 8 + 1) * 8 - h\nwide = (w // 8 + 1) * 8 - w\n"
        "x = torch.cat([x, torch.flip(x, [2])], 2)[:, :, :h + high, :]\n"
        "x = torch.cat([x, torch.flip(x, [3])], 3)[:, :, :, :w + wide]\nmodel(x)\n",
    )
    assert [type(one).__name__ for one in path.pipeline.geometry or ()] == ["Pad", "Pad"]
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")


@pytest.mark.parametrize(
    ("saved", "other", "loaded", "side"),
    [
        ("'small/a.npy'", "'large/a.npy'", "'small/a.npy'", 32),
        ("'small/a.npy'", "'large/a.npy'", "'./large/a.npy'", 96),
        ("'small/a.npy'", "'large/a.npy'", "'more/a.npy'", None),
        ("'small/a.npy'", "'large/a.npy'", "os.path.join(folder, 'a.npy')", None),
        ("'small/a.npy'", "'large/b.npy'", "os.path.join(folder, 'a.npy')", 32),
        ("os.path.join(folder, 'a.npy')", "'large/b.npy'", "'small/a.npy'", 32),
    ],
)
def test_files_of_one_name_in_different_folders(
    tmp_path: Path, saved: str, other: str, loaded: str, side: int | None
) -> None:
    script = f"""
        import os, sys
        import cv2
        import numpy as np
        folder = sys.argv[1]
        np.save({saved}, cv2.resize(cv2.imread("a.png"), (32, 32)))
        np.save({other}, cv2.resize(cv2.imread("a.png"), (96, 96)))
        net(np.load({loaded})[None] / 255.0)
        """
    heights = {getattr(step, "height", None) for path in reading(tmp_path, {"run.py": script}).paths
               if path.fed for step in path.pipeline.geometry or ()}  # fmt: skip
    assert heights == ({side} if side else set())


@pytest.mark.parametrize(("loaded", "scale"), [("settings.pkl", 1 / 255), ("others.pkl", None)])
def test_objects_that_another_script_pickled(tmp_path: Path, loaded: str, scale: float | None) -> None:
    settings = """
        class Settings:
            def __init__(self):
                self.side = 32
                self.factor = 1.0
        """
    train = """
        import cv2, pickle
        from settings import Settings

        made = Settings()
        made.factor = 255.0
        with open("settings.pkl", "wb") as file:
            pickle.dump(made, file)
        made.factor = 3.0
        """
    evaluate = f"""
        import cv2, pickle, torch

        with open("{loaded}", "rb") as file:
            made = pickle.load(file)
        image = cv2.resize(cv2.imread("a.png"), (made.side, made.side)) / made.factor
        model(torch.from_numpy(image)[None])
        """
    path = only(reading(tmp_path, {"settings.py": settings, "z_train.py": train, "evaluate.py": evaluate}))
    assert path.pipeline.affine.scale == (None if scale is None else pytest.approx((scale,)))


def test_a_stored_array_that_is_made_a_picture_is_arranged_as_one(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from PIL import Image

        pictures = [Image.fromarray(one).resize((64, 64), Image.BICUBIC) for one in np.load("a.npz")["images"]]
        model.predict(np.array([np.array(one) / 255.0 for one in pictures]))
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.layout == "NHWC"
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
