"""Of what a data set gives by names, labels are not taken for an input that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

SCRIPT = """
import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

class Depths(Dataset):
    def __getitem__(self, index):
        image = {image}
        depth = np.asarray(Image.open(self.depths[index]), dtype=np.float32) / 1000.0
        return {{"{name}": image, "depth": depth}}

for batch in DataLoader(Depths(), shuffle=True):
    pass
"""


def test_a_label_beside_an_input_that_is_not_known(tmp_path: Path) -> None:
    code = SCRIPT.format(image="self.store.read(index)", name="image")
    assert not reading(tmp_path, {"train.py": code}).paths


@pytest.mark.usefixtures("not_followed")
def test_an_input_beside_its_label(tmp_path: Path) -> None:
    code = SCRIPT.format(image="np.asarray(Image.open(self.files[index]), dtype=np.float32) / 255.0", name="image")
    assert only(reading(tmp_path, {"train.py": code})).pipeline.affine.scale == (1 / 255,)


@pytest.mark.usefixtures("not_followed")
def test_a_depth_map_that_no_input_is_beside(tmp_path: Path) -> None:
    code = SCRIPT.format(image="index", name="number")
    assert only(reading(tmp_path, {"train.py": code})).pipeline.affine.scale == (0.001,)
