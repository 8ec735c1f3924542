"""Modules that are imported for what they do to ``sys.path``: what is imported after them is the repository's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, steps_of

ADDING = """
    import os.path as osp
    import sys

    def add_path(path):
        if path not in sys.path:
            sys.path.insert(0, path)

    add_path(osp.join(osp.dirname(__file__), "..", "lib"))
"""
SCRIPT = """
    import torch
    {imported}
    import datasets

    data = eval("datasets." + "scenes")(size=512)
    for images in torch.utils.data.DataLoader(data, shuffle=True):
        model(images)
"""
DATA = """
    import cv2
    from torch.utils.data import Dataset

    class Scenes(Dataset):
        def __init__(self, size):
            self.size = size

        def __getitem__(self, index):
            return cv2.resize(cv2.imread(self.files[index]), (self.size, self.size)).transpose(2, 0, 1)
"""


@pytest.mark.parametrize("imported", ["import _init_paths", "import _init_paths as paths"])
def test_a_module_of_a_librarys_name_is_found_where_another_says(tmp_path: Path, imported: str) -> None:
    files = {
        "tools/train.py": SCRIPT.format(imported=imported),
        "tools/_init_paths.py": ADDING,
        "lib/datasets/__init__.py": "from .scenes import Scenes as scenes",
        "lib/datasets/scenes.py": DATA,
    }
    (step,) = steps_of(only(reading(tmp_path, files)))
    assert (step.height, step.width) == (512, 512)
