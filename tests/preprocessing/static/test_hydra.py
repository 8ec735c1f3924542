"""What Hydra composes of a repository's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading

SCRIPT = """
    import cv2, hydra, torch
    @hydra.main({decorator})
    def main(cfg):
        img = cv2.resize(cv2.imread(cfg.data.path), (cfg.data.size, cfg.data.size))
        model(torch.from_numpy(img.transpose(2, 0, 1)[None]).float() / 255)
    if __name__ == "__main__":
        main()
"""


def _side(folder: Path, decorator: str, **files: str) -> int | None:
    named = {name.replace("__", "/") + ".yaml": text for name, text in files.items()}
    (step,) = only(reading(folder, {"predict.py": SCRIPT.format(decorator=decorator), **named})).pipeline.geometry or ()
    assert isinstance(step, Resize)
    return step.height


@pytest.mark.parametrize("decorator", ["config_path='conf', config_name='config'", "config_path='conf/config.yaml'",
                                       "'conf', 'x', config_name='config.yaml'",
                                       "version_base=None, config_path='./conf', config_name='config'"])  # fmt: skip
def test_a_main_function_is_given_its_file(tmp_path: Path, decorator: str) -> None:
    assert _side(tmp_path, decorator, conf__config="data:\n  size: 224\n") == 224


DECORATOR = "config_path='conf', config_name='config'"


def test_groups_are_put_under_their_names(tmp_path: Path) -> None:
    config = "defaults:\n  - data: small\n  - override hydra/job_logging: none\nside: 64\n"
    assert _side(tmp_path, DECORATOR, conf__config=config, conf__data__small="size: 96\n") == 96


@pytest.mark.parametrize(("order", "side"), [("[_self_, {data: small}]", 96), ("[{data: small}, _self_]", 32)])
def test_what_comes_last_counts(tmp_path: Path, order: str, side: int) -> None:
    config = f"defaults: {order}\ndata:\n  size: 32\n"
    assert _side(tmp_path, DECORATOR, conf__config=config, conf__data__small="size: 96\n") == side


def test_a_file_may_be_of_the_global_package(tmp_path: Path) -> None:
    files = {"conf__config": "defaults:\n  - run: one\n", "conf__run__one": "# @package _global_\ndata:\n  size: 48\n"}
    assert _side(tmp_path, DECORATOR, **files) == 48


@pytest.mark.parametrize(("text", "side"), [("${side}", 64), ("${missing}", None), ("${data.size}", None)])
def test_what_stands_for_another_value_is_that_value(tmp_path: Path, text: str, side: int | None) -> None:
    assert _side(tmp_path, DECORATOR, conf__config=f"side: 64\ndata:\n  size: {text}\n") == side


def test_a_file_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    assert _side(tmp_path, DECORATOR) is None


_MODULE = """
    import cv2, torch

    class Resizing:
        def __init__(self, side, means=(0.0,), inner=None, several=(), named=None):
            self.side, self.inner, self.several = side, inner, [*several, *([] if named is None else named["last"])]

        @classmethod
        def larger(cls, side):
            return cls(2 * side)

        def __call__(self, image):
            image = cv2.resize(image, (self.side, self.side))
            for one in self.several:
                image = one(image)
            return image if self.inner is None else self.inner(image)

    class Nested(Resizing):
        def __init__(self, sides):
            super().__init__(sides[0][0][0][0][0][0])

    def halved(image, by):
        return image / by
    """


@pytest.mark.parametrize(
    ("node", "call", "side", "scale"),
    [
        ("_target_: lib.steps.Resizing\n  side: 96\n", "instantiate(config.data)(image)", 96, 1),
        ("_target_: lib.steps.Resizing\n  side: 96\n", "instantiate(config.data, side=64)(image)", 64, 1),
        ("_target_: lib.steps.Resizing\n  _args_: [80]\n  _convert_: all\n", "instantiate(config.data)(image)", 80, 1),
        ("target: lib.steps.Resizing\n  params:\n    side: 72\n", "instantiate(config.data)(image)", 72, 1),
        (
            "_target_: lib.steps.Resizing\n  side: 48\n  inner: {_target_: lib.steps.halved, _partial_: true, by: 2}\n",
            "instantiate(config.data)(image)",
            48,
            0.5,
        ),
        (
            "_target_: lib.steps.Nested\n  sides: [[[[[[40]]]]]]\n",
            "instantiate(config.data)(image)",
            40,
            1,
        ),
        (
            (
                "_target_: lib.steps.Resizing\n  side: 48\n"
                "  several: [{_target_: lib.steps.halved, _partial_: true, by: 4}]\n"
            ),
            "instantiate(config.data)(image)",
            48,
            0.25,
        ),
        (
            (
                "_target_: lib.steps.Resizing\n  side: 48\n"
                "  named: {last: [{_target_: lib.steps.halved, _partial_: true, by: 4}]}\n"
            ),
            "instantiate(config.data)(image)",
            48,
            0.25,
        ),
        ("_target_: lib.steps.Resizing.larger\n  side: 48\n", "instantiate(config.data)(image)", 96, 1),
        (
            "_target_: torchvision.transforms.Resize\n  size: [40, 40]\n",
            "np.asarray(instantiate(config.data)(Image.fromarray(image)))",
            40,
            1,
        ),
        ("side: 56\n", "get_class('lib.steps.Resizing')(config.data.side)(image)", 56, 1),
        ("side: 28\n", "get_method('lib.steps.Resizing.larger')(config.data.side)(image)", 56, 1),
    ],
)
def test_what_a_node_names_is_made_of_it(tmp_path: Path, node: str, call: str, side: int, scale: float) -> None:
    script = f"""
import cv2, hydra, torch
import numpy as np
from PIL import Image
from hydra.utils import get_class, get_method, instantiate

@hydra.main(config_path="conf", config_name="config")
def main(config):
    image = cv2.imread("a.png")
    model(torch.from_numpy({call}[None] / 1.0))

main()
"""
    files = {
        "predict.py": script,
        "lib/steps.py": _MODULE,
        "lib/__init__.py": "",
        "conf/config.yaml": f"data:\n  {node}",
    }
    path = only(reading(tmp_path, files))
    (step,) = path.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert (step.height, path.pipeline.affine.scale) == (side, (scale,))
