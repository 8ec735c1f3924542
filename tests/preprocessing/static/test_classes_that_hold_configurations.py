"""Classes that hold a configuration and hand what is asked of them on to it; options without which nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad
from tests.preprocessing.static.repositories import drawn, levels, only, reading, resized, steps_of

CONFIG = """
    from yacs.config import CfgNode as CN

    class Config(object):
        def __init__(self, path, override=[]):
            self._C = CN()
            self._C.TRAINING = CN()
            self._C.TRAINING.SIZE = 64
            self._C.merge_from_file(path)
            self._C.merge_from_list(override)
            self._C.freeze()

        def __getattr__(self, name):
            return self._C.__getattr__(name)
"""
SCRIPT = """
    import cv2, torch
    from config import Config

    opt = Config("training.yml")
    size = opt.TRAINING.SIZE
    model(torch.from_numpy(cv2.resize(cv2.imread("a.png"), (size, size))).float())
"""


def test_what_is_asked_of_the_class_is_the_configurations(tmp_path: Path) -> None:
    files = {"train.py": SCRIPT, "config.py": CONFIG, "training.yml": "TRAINING:\n  SIZE: 256"}
    assert resized(only(reading(tmp_path, files))).height == 256


def test_texts_of_a_file_are_read_as_python_by_yacs_alone(tmp_path: Path) -> None:
    other = CONFIG.replace("from yacs.config import CfgNode as CN", "from easydict import EasyDict as CN")
    made = {
        name: reading(
            tmp_path / name, {"train.py": SCRIPT, "config.py": config, "training.yml": "TRAINING: {SIZE: '96'}"}
        )
        for name, config in (("yacs", CONFIG), ("easydict", other))
    }
    assert resized(only(made["yacs"])).height == 96
    assert resized(only(made["easydict"])).height is None


def test_who_asks_for_nothing_is_told_so_and_others_go_on(tmp_path: Path) -> None:
    script = """
        import argparse
        import cv2
        parser = argparse.ArgumentParser()
        parser.add_argument("--output-disp", action="store_true")
        parser.add_argument("--output-depth", action="store_true")

        def main():
            args = parser.parse_args()
            if not (args.output_disp or args.output_depth):
                print("You must at least output one value !")
                return
            model(cv2.resize(cv2.imread("a.png"), (416, 128)) / 255.0)

        main()
    """
    assert resized(only(reading(tmp_path, {"run.py": script}))).width == 416


def test_a_warp_with_areas_is_linear(tmp_path: Path) -> None:
    script = """
        import cv2
        face = cv2.warpAffine(cv2.imread("a.png"), matrix(), (512, 512), flags=3)
        model(cv2.resize(face, (512, 512)) / 255.0)
    """
    step, border = steps_of(only(reading(tmp_path, {"run.py": script})))
    assert (step.height, step.width, step.kernel) == (512, 512, "linear")
    assert isinstance(border, Pad)


def test_noise_that_is_repeated_over_channels_is_noise(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np

        def noise_of(image, gray):
            if gray:
                noise = np.float32(np.random.randn(*(image.shape[0:2]))) * 5 / 255.0
                return np.expand_dims(noise, axis=2).repeat(3, axis=2)
            return np.float32(np.random.randn(*(image.shape))) * 5 / 255.0

        image = cv2.imread("a.png") / 255.0
        model(image + noise_of(image, np.random.uniform() < 0.5))
    """
    path = only(reading(tmp_path, {"run.py": script}))
    assert path.pipeline.order == "BGR"
    assert levels(path) == pytest.approx((1 / 255, 0.0))
    assert drawn(path).name == "noise"
