"""Mosaics of several pictures, brought to a size beforehand unless they have it, and moved by a matrix of chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Random, Resize
from tests.preprocessing.static.repositories import only, reading, steps_of

_DATA = """
    import math, os, random
    import cv2, torch
    import numpy as np
    from torch.utils.data import DataLoader, Dataset

    def moved(im, degrees=9, border=(0, 0)):
        height, width = im.shape[0] + border[0] * 2, im.shape[1] + border[1] * 2
        C = np.eye(3)
        C[0, 2] = -im.shape[1] / 2
        R = np.eye(3)
        R[:2] = cv2.getRotationMatrix2D(angle=random.uniform(-degrees, degrees), center=(0, 0), scale=1)
        T = np.identity(3)
        T[0, 2] = random.uniform(0.4, 0.6) * width
        M = T @ R @ C
        if (border[0] != 0) or (M != np.eye(3)).any():
            im = cv2.warpAffine(im, M[:2], dsize=(width, height), borderValue=(114, 114, 114))
        return im

    class Pictures(Dataset):
        def __init__(self, size=640, hyp=None):
            self.size, self.hyp = size, hyp
            self.border = [-size // 2, -size // 2]
            self.ims = [None] * 9

        def load(self, i):
            im, kept = self.ims[i], self.kept[i]
            if im is None:
                if kept.exists():
                    im = np.load(kept)
                else:
                    im = cv2.imread(self.names[i])
                h0, w0 = im.shape[:2]
                r = self.size / max(h0, w0)
                if r != 1:
                    im = cv2.resize(im, (math.ceil(w0 * r), math.ceil(h0 * r)), interpolation=cv2.INTER_LINEAR)
                return im, im.shape[:2]
            return self.ims[i], self.sizes[i]

        def mosaic(self, index):
            s = self.size
            yc, xc = (int(random.uniform(-x, 2 * s + x)) for x in self.border)
            indices = [index, *random.choices(self.indices, k=3)]
            for i, one in enumerate(indices):
                img, (h, w) = self.load(one)
                if i == 0:
                    img4 = np.full((s * 2, s * 2, img.shape[2]), 114, dtype=np.uint8)
                    x1a, y1a, x2a, y2a = max(xc - w, 0), max(yc - h, 0), xc, yc
                    x1b, y1b, x2b, y2b = w - (x2a - x1a), h - (y2a - y1a), w, h
                elif i == 1:
                    x1a, y1a, x2a, y2a = xc, max(yc - h, 0), min(xc + w, s * 2), yc
                    x1b, y1b, x2b, y2b = 0, h - (y2a - y1a), min(w, x2a - x1a), h
                img4[y1a:y2a, x1a:x2a] = img[y1b:y2b, x1b:x2b]
            return moved(img4, border=self.border)

        def __getitem__(self, index):
            if self.hyp["mosaic"] and random.random() < self.hyp["mosaic"]:
                img = self.mosaic(index)
                if random.random() < self.hyp["mixup"]:
                    img = cut(img, self.mosaic(index))
            else:
                img = self.load(index)[0]
            return torch.from_numpy(np.ascontiguousarray(img.transpose((2, 0, 1))[::-1]))

    for x in DataLoader(Pictures(hyp={{"mosaic": {share}, "mixup": 0.0}})):
        model(x.float() / 255)
    """


def path(folder: Path, share: str) -> FoundPath:
    """The path of a data set that makes mosaics as often as this."""
    return only(reading(folder, {"train.py": _DATA.format(share=share)}))


def test_mosaics_always(tmp_path: Path) -> None:
    found = path(tmp_path, "1.0")
    steps = steps_of(found)
    assert isinstance(steps[0], Resize)
    assert steps[0].kernel == "linear"
    chance = [one for one in steps if isinstance(one, Random)]
    assert [one.name for one in chance] == ["placement", "affine"]
    assert dict(chance[-1].parameters)["size"] == "640x640"
    assert (found.pipeline.order, found.pipeline.affine.scale) == ("RGB", (1 / 255,))


def test_mosaics_never(tmp_path: Path) -> None:
    (step,) = steps_of(path(tmp_path, "0.0"))
    assert isinstance(step, Resize)
    assert step.target(480, 320) == (640, 427)


@pytest.mark.parametrize("condition", ["r != 1", "scale_factor != 1.0", "self.ratio != 1"])
def test_resized_unless_the_ratio_is_one(tmp_path: Path, condition: str) -> None:
    name = condition.partition(" ")[0]
    script = f"""
        import cv2
        class Reader:
            def read(self, path, side):
                image = cv2.imread(path)
                {name} = side / max(image.shape[:2])
                if {condition}:
                    image = cv2.resize(image, (int(image.shape[1] * {name}), int(image.shape[0] * {name})))
                return image
        model(Reader().read(path, weights.side).transpose(2, 0, 1)[None] / 255.0)
        """
    (step,) = steps_of(only(reading(tmp_path, {"predict.py": script})))
    assert isinstance(step, Resize)
    assert step.kernel == "linear"
