"""Data sets of folders that are told what to open a file by."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading

BEGIN = """
import cv2
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms
from torchvision.datasets.folder import default_loader
"""
READ = """
def read(path):
    return cv2.imread(path)
"""
FOLDER = """
class Folder(datasets.ImageFolder):
    def __init__(self, root, transform=None, loader=read):
        super().__init__(root, transform, None, loader)

    def __getitem__(self, index):
        path, label = self.samples[index]
        return self.transform(self.loader(path)), label
"""
PLAIN = """
class Plain(datasets.ImageFolder):
    def __init__(self, root, transform):
        super().__init__(root, transform, loader=read)
"""
TRAIN = """
model = models.resnet18()
model.train()
transform = transforms.Compose([{first}transforms.Resize((32, 32)), transforms.ToTensor()])
for images, labels in DataLoader({made}, batch_size=8):
    model(images)
"""


def opened(folder: Path, more: str, made: str, first: str = "") -> tuple[Any, ...]:
    code = textwrap.dedent(BEGIN + more + TRAIN.format(first=first, made=made))
    pipeline = only(reading(folder, {"train.py": code})).pipeline
    resized = [(step.height, step.engine) for step in pipeline.geometry or () if isinstance(step, Resize)]
    return pipeline.decode.library, pipeline.decode.order, resized


@pytest.mark.parametrize(
    ("more", "made"),
    [
        (READ + FOLDER, "Folder('data', transform)"),
        (READ + PLAIN, "Plain('data', transform)"),
        (READ, "datasets.ImageFolder('data', transform, None, read)"),
        ("", "datasets.ImageFolder('data', transform, loader=lambda path: cv2.imread(path))"),
        (READ, "datasets.DatasetFolder('data', read, ('.png',), transform)"),
    ],
)
def test_files_of_folders_are_opened_by_what_is_given(tmp_path: Path, more: str, made: str) -> None:
    found = opened(tmp_path, more, made, "transforms.ToPILImage(), ")
    assert found == ("opencv", "BGR", [(32, "pillow")])


@pytest.mark.parametrize(
    "given", ["", ", loader=default_loader", ", loader=lambda path: Image.open(path).convert('RGB')"]
)
def test_files_of_folders_are_opened_by_pillow_otherwise(tmp_path: Path, given: str) -> None:
    found = opened(tmp_path, "", f"datasets.ImageFolder('data', transform{given})")
    assert found == ("pillow", "RGB", [(32, "pillow")])
