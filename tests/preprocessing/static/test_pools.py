"""Functions that pools and ``map`` call for every item, and what a data set's items go through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized

_PREPARED = """
    import cv2, torch
    import numpy as np

    def prepared(name, side):
        image = cv2.resize(cv2.imread(name), (side, side))[:, :, ::-1] / 255.0
        return torch.from_numpy(image.transpose(2, 0, 1)).unsqueeze(0), name
    """


@pytest.mark.parametrize(
    "made",
    [
        "map(prepared, names, [96 for one in range(len(names))])",
        "Pool(2).imap(partial(prepared, side=96), names, chunksize=1)",
        "Pool(2).starmap(prepared, [(name, 96) for name in names])",
        "ThreadPoolExecutor().map(prepared, names, [96] * len(names))",
        "[Pool(2).apply_async(prepared, (name, 96)).get() for name in names]",
        "[ThreadPoolExecutor().submit(prepared, name, 96).result() for name in names]",
    ],
)
def test_what_a_pool_makes_of_every_item(made: str, tmp_path: Path) -> None:
    script = f"""
        import os
        from concurrent.futures import ThreadPoolExecutor
        from functools import partial
        from multiprocessing import Pool
        from prepare import prepared

        names = [name for name in os.listdir("pictures")]
        for image, name in {made}:
            model(image)
        """
    path = only(reading(tmp_path, {"predict.py": script, "prepare.py": _PREPARED}))
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
    assert path.pipeline.geometry is not None
    assert getattr(path.pipeline.geometry[0], "height", None) == 96


@pytest.mark.usefixtures("not_followed")
def test_what_a_data_set_calls_is_no_model(tmp_path: Path) -> None:
    script = """
        import cv2
        from torch.utils.data import DataLoader, Dataset

        class Pictures(Dataset):
            def __init__(self, steps):
                self.steps = steps
            def __getitem__(self, index):
                data = {"image": cv2.imread(self.names[index]).astype("float32")}
                for step in self.steps:
                    data = step(data)
                return data

        train_loader = DataLoader(Pictures(made_elsewhere()), shuffle=True)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.role, path.pipeline.decode.library) == ("train", "opencv")
    assert path.pipeline.affine.scale is None
    assert path.pipeline.provenance["layout"].detail.startswith("what torch's networks take")


def test_workers_that_one_method_starts_are_each_followed(tmp_path: Path) -> None:
    script = """
import cv2, torch
import torch.multiprocessing as mp
from queue import Queue
from threading import Thread

class Loader:
    def __init__(self, single):
        self.single = single
        self.read, self.made = (Queue(), Queue()) if single else (mp.Queue(), mp.Queue())

    def begin(self, target):
        worker = Thread(target=target, args=()) if self.single else mp.Process(target=target, args=())
        worker.start()
        return worker

    def start(self):
        return [self.begin(self.reading), self.begin(self.making)]

    def reading(self):
        for name in self.names:
            self.read.put((cv2.imread(name), name))
        self.read.put((None, None))

    def making(self):
        image, name = self.read.get()
        if image is None:
            self.made.put((None, None))
            return
        self.made.put((torch.from_numpy(cv2.resize(image, (96, 96))[None] / 255.0), name))

loader = Loader(flag())
loader.start()
image, name = loader.made.get()
model(image)
"""
    path = only(reading(tmp_path, {"demo.py": script}))
    assert resized(path).height == 96
    assert levels(path) == (1 / 255, 0)
