"""Functions that put batches together: lists of pictures one after another, and what is done to a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from tests.preprocessing.static.repositories import reading

_TRAIN = """
    import cv2, torch
    import numpy as np
    from torch.utils.data import DataLoader, Dataset

    class Pictures(Dataset):
        def __getitem__(self, index):
            return cv2.resize(cv2.imread(self.names[index]), (64, 32)), self.boxes[index]

    """


def loader(folder: Path, script: str) -> FoundPath:
    """The path of the loader that a script makes."""
    found = reading(folder, {"train.py": script, "data.py": _TRAIN})
    return next(one for one in found.paths if one.entry.startswith("train.py"))


def test_lists_of_pictures_are_concatenated_to_a_batch(tmp_path: Path) -> None:
    script = """
        from data import *

        def collate(batch):
            images, boxes = [], []
            for image, box in batch:
                images.append([image])
                boxes.append([box])
            images = np.concatenate(images, axis=0).transpose(0, 3, 1, 2)
            return torch.from_numpy(images).div(255.0), boxes

        train_loader = DataLoader(Pictures(), shuffle=True, collate_fn=collate)
        """
    path = loader(tmp_path, script)
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", "float32")
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


@pytest.mark.usefixtures("not_followed")
def test_a_batch_that_is_changed_in_a_way_not_followed_is_not_the_item(tmp_path: Path) -> None:
    script = """
        from data import *

        def collate(batch):
            return unheard.of(batch).transpose(0, 3, 1, 2).div(255.0)

        train_loader = DataLoader(Pictures(), shuffle=True, collate_fn=collate)
        """
    path = loader(tmp_path, script)
    assert path.pipeline.provenance["layout"].detail.startswith("what torch's networks take")
    assert path.pipeline.affine.scale is None


def test_a_list_of_one_of_several_pictures_is_a_batch(tmp_path: Path) -> None:
    script = """
        import cv2, torch
        import numpy as np
        image = cv2.imread("a.png")
        if asked():
            image = cv2.flip(image, 1)
        batch = np.asarray([image])
        model(torch.from_numpy(batch).permute(0, 3, 1, 2).float().div(255.0))
        """
    path = reading(tmp_path, {"predict.py": script}).paths[0]
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NCHW", "float32")


def test_levels_that_go_through_a_curve_keep_all_else(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        image = cv2.resize(cv2.imread("a.png"), (64, 32)).astype(np.float32)
        model(np.power(image / 255.0, 0.5)[None])
        """
    path = reading(tmp_path, {"predict.py": script}).paths[0]
    assert (path.pipeline.affine.scale, path.pipeline.layout, path.pipeline.dtype) == (None, "NHWC", "float32")
    assert path.pipeline.geometry is not None
    assert len(path.pipeline.geometry) == 1
