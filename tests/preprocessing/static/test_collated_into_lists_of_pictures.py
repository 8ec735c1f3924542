"""Batches that a class puts together and holds beside what else is known of them: ``ImageList`` of detectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad
from tests.preprocessing.static.repositories import levels, only, reading, resized, steps_of

_LISTS = """
import math
import torch

class ImageList(object):
    def __init__(self, tensors, sizes):
        self.tensors = tensors
        self.sizes = sizes

    def to(self, *args):
        return ImageList(self.tensors.to(*args), self.sizes)

def to_image_list(tensors, divisible=0):
    if isinstance(tensors, torch.Tensor) and divisible > 0:
        tensors = [tensors]
    if isinstance(tensors, ImageList):
        return tensors
    elif isinstance(tensors, torch.Tensor):
        return ImageList(tensors[None], [tensors.shape[-2:]])
    elif isinstance(tensors, (tuple, list)):
        largest = list(max(s) for s in zip(*[img.shape for img in tensors]))
        if divisible > 0:
            largest[1] = int(math.ceil(largest[1] / divisible) * divisible)
            largest[2] = int(math.ceil(largest[2] / divisible) * divisible)
        shape = (len(tensors),) + tuple(largest)
        batched = NEW
        for img, pad_img in zip(tensors, batched):
            pad_img[: img.shape[0], : img.shape[1], : img.shape[2]].copy_(img)
        return ImageList(batched, [im.shape[-2:] for im in tensors])

class Collator(object):
    def __init__(self, divisible=0):
        self.divisible = divisible

    def __call__(self, batch):
        columns = list(zip(*batch))
        return to_image_list(columns[0], self.divisible), columns[1]
"""
_SCRIPT = """
from PIL import Image
from torch.utils.data import ConcatDataset as _ConcatDataset, DataLoader, Dataset
import torchvision.transforms.functional as F
from lists import Collator

class Pictures(Dataset):
    def __getitem__(self, i):
        image = Image.open(self.paths[i]).convert("RGB")
        image = F.resize(image, (600, 800))
        return F.to_tensor(image)[[2, 1, 0]] * 255, self.boxes[i]

class ConcatDataset(_ConcatDataset):
    def size_of(self, i):
        return self.datasets[0].sizes[i]

sets = SETS
for images, boxes in DataLoader(sets, shuffle=True, collate_fn=Collator(32)):
    images = images.to("cuda")
    net(images, boxes)
"""


@pytest.mark.parametrize("new", ["tensors[0].new(*shape).zero_()", "tensors[0].new_zeros(shape)", "torch.zeros(shape)"])
@pytest.mark.parametrize("sets", ["Pictures()", "ConcatDataset([Pictures(), Pictures()])"])
def test_a_batch_held_by_an_object_is_followed_to_the_network(tmp_path: Path, new: str, sets: str) -> None:
    files = {"lists.py": _LISTS.replace("NEW", new), "train.py": _SCRIPT.replace("SETS", sets)}
    path = only(reading(tmp_path, files))
    assert (resized(path).height, resized(path).width, path.pipeline.order) == (600, 800, "BGR")
    assert levels(path) == (1, 0)
    assert path.pipeline.layout == "NCHW"
    assert any(isinstance(one, Pad) for one in steps_of(path))
