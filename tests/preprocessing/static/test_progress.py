"""Loops over loaders that a bar of progress is drawn for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading


@pytest.mark.parametrize(
    ("imported", "bar"),
    [
        ("from tqdm import tqdm", "tqdm(loader, total=9)"),
        ("from tqdm.autonotebook import tqdm", "tqdm(loader)"),
        ("from tqdm import tqdm_notebook as tqdm", "tqdm(enumerated)"),
        ("from ultralytics.utils import TQDM", "TQDM(enumerated, total=9)"),
        ("from fastprogress import progress_bar", "progress_bar(loader)"),
        ("from alive_progress import alive_it", "alive_it(loader)"),
        ("import mmcv", "mmcv.track_iter_progress(loader)"),
    ],
)
def test_bars(tmp_path: Path, imported: str, bar: str) -> None:
    item = "_, x" if "enumerated" in bar else "x"
    script = f"""
        import cv2
        from torch.utils.data import DataLoader, Dataset
        {imported}
        class Pictures(Dataset):
            def __getitem__(self, index):
                return cv2.imread(self.names[index]).transpose(2, 0, 1)[::-1]
        loader = DataLoader(Pictures(), batch_size=4)
        enumerated = enumerate(loader)
        for {item} in {bar}:
            model(x.float() / 255)
        """
    found = only(reading(tmp_path, {"val.py": script})).pipeline
    assert (found.order, found.layout, found.affine.scale) == ("RGB", "NCHW", (1 / 255,))
