"""Networks of several pictures: modules in folders that scripts add, files of all kinds, options that must be given."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Random
from tests.preprocessing.static.repositories import levels, only, reading, resized, steps_of

DATASETS = """
    import os.path as osp
    import numpy as np
    import torch
    from PIL import Image

    def read(path):
        ext = osp.splitext(path)[-1]
        if ext == ".png" or ext == ".jpg":
            return Image.open(path)
        elif ext == ".npy":
            return np.load(path)
        return []

    class Pairs(torch.utils.data.Dataset):
        def __init__(self, paths, side=64):
            self.paths, self.side = paths, side

        def __getitem__(self, index):
            one, two = np.array(read(self.paths[index])), np.array(read(self.paths[index + 1]))
            if len(one.shape) == 2:
                one = np.tile(one[..., None], (1, 1, 3))
                two = np.tile(two[..., None], (1, 1, 3))
            stacked = np.concatenate([one, two], axis=0)
            stacked = np.array(Image.fromarray(stacked).resize((self.side, 2 * self.side), Image.BILINEAR))
            one, two = np.split(stacked, 2, axis=0)
            return torch.from_numpy(one).permute(2, 0, 1).float(), torch.from_numpy(two).permute(2, 0, 1).float()

    class Others(Pairs):
        pass

    def make(args):
        if args.stage == "chairs":
            data = Pairs(["a.png"], args.side)
        elif args.stage == "things":
            data = Others(["b.png"], args.side)
        return torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)
    """
TRAIN = """
    {added}
    import argparse
    import datasets
    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--stage", help="which data")
        parser.add_argument("--side", type=int, default=32)
        args = parser.parse_args()
        for one, two in datasets.make(args):
            model(one, two)
    """


@pytest.mark.parametrize("added", ['sys.path.append("core")', 'sys.path.insert(0, "./core/")', "sys.path += []"])
def test_modules_of_a_folder_that_a_script_adds(tmp_path: Path, added: str) -> None:
    found = reading(tmp_path, {"train.py": TRAIN.format(added=f"import sys; {added}"), "core/datasets.py": DATASETS})
    reached = [path for path in found.paths if path.reachable]
    if "core" not in added:
        assert not reached  # the library of that name may be meant
        return
    (path,) = reached
    assert (path.role, path.pipeline.decode.library, path.pipeline.layout) == ("train", "pillow", "NCHW")
    assert (resized(path).engine, resized(path).kernel) == ("pillow", "linear")


SAM = """
    import cv2, torch
    from torch import nn
    from torch.nn import functional as F

    class Net(nn.Module):
        def __init__(self, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]):
            super().__init__()
            self.encoder = nn.Conv2d(3, 8, 3)
            self.register_buffer("mean", torch.Tensor(mean).view(-1, 1, 1), False)
            self.register_{kind}("std", torch.Tensor(std).view(-1, 1, 1))

        def preprocess(self, x):
            return (x - self.mean) / self.std

    net = nn.DataParallel(Net())
    net = net.module
    net.eval()
    image = cv2.cvtColor(cv2.imread("a.jpg"), cv2.COLOR_BGR2RGB)
    x = torch.as_tensor(image).permute(2, 0, 1).contiguous()[None]
    net.encoder({model}.preprocess(x))
    """


@pytest.mark.parametrize(("kind", "model"), [("buffer", "net"), ("parameter", "net"), ("buffer", "net.module")])
def test_levels_that_a_network_holds_as_buffers(tmp_path: Path, kind: str, model: str) -> None:
    path = only(reading(tmp_path, {"predict.py": SAM.format(kind=kind, model=model)}))
    assert path.pipeline.affine.scale == pytest.approx((1 / 58.395, 1 / 57.12, 1 / 57.375))
    assert levels(path)[1] == pytest.approx(-123.675 / 58.395)


BATCH = """
    import numpy as np
    import torch
    from PIL import Image

    class Batches(torch.utils.data.Dataset):
        def __getitem__(self, index):
            heights, widths = np.zeros(2, np.int32), np.zeros(2, np.int32)
            batch = torch.zeros(2, 3, int(np.max(heights)), int(np.max(widths)))
            for i in range(2):
                image = Image.open(self.paths[i]).convert("RGB")
                if np.random.choice([0, 1]):
                    image = image.transpose(Image.FLIP_LEFT_RIGHT)
                image = torch.from_numpy((np.float32(np.array(image)) / 255.0).transpose((2, 0, 1)))
                {written} = image
            return batch

    train_loader = torch.utils.data.DataLoader(Batches(), batch_size=1, shuffle=True)
    """


@pytest.mark.parametrize(
    "written", ["batch[i][:, :image.shape[1], :image.shape[2]]", "batch[i, :, :image.shape[1], :image.shape[2]]"]
)
def test_pictures_in_the_corners_of_a_batch(tmp_path: Path, written: str) -> None:
    path = only(reading(tmp_path, {"train.py": BATCH.format(written=written)}))
    assert (path.pipeline.order, str(path.pipeline.layout)[-3:]) == ("RGB", "CHW")
    assert levels(path) == pytest.approx((1 / 255, 0.0))
    assert [type(step) for step in steps_of(path)] == [Random, Pad]
