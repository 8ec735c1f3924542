"""A configuration that a function of the repository merges into another, as Fast R-CNN and its descendants do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, steps_of

_CONFIG = """
    import numpy as np
    import yaml
    from easydict import EasyDict as edict
    __C = edict()
    cfg = __C
    __C.TEST = edict()
    __C.TEST.SCALES = (600,)
    __C.TEST.MEANS = np.array([[[100.0, 110.0, 120.0]]])

    def merge(a, b):
        if type(a) is not edict:
            return
        for k, v in a.items():
            if k not in b:
                raise KeyError(k)
            old = type(b[k])
            if old is not type(v):
                if isinstance(b[k], np.ndarray):
                    v = np.array(v, dtype=b[k].dtype)
                else:
                    raise ValueError(k)
            if type(v) is edict:
                merge(a[k], b[k])
            else:
                b[k] = v

    def from_file(name):
        with open(name) as f:
            merge(edict(yaml.load(f)), __C)
    """
_SCRIPT = """
    import cv2
    import numpy as np
    from config import cfg, from_file
    from_file("cfgs/large.yml")
    image = cv2.imread("a.png").astype(np.float32) - cfg.TEST.MEANS
    scale = float(cfg.TEST.SCALES[0]) / min(image.shape[:2])
    model(cv2.resize(image, None, None, fx=scale, fy=scale)[np.newaxis])
    """


def test_what_the_file_says_and_what_it_leaves(tmp_path: Path) -> None:
    files = {"config.py": _CONFIG, "demo.py": _SCRIPT, "cfgs/large.yml": "TEST:\n  SCALES: !!python/tuple [800]\n"}
    path = only(reading(tmp_path, files))
    assert path.pipeline.affine.offset == (-100.0, -110.0, -120.0)
    # The file's list is no tuple, as the default is: who merges such raises, and nothing was merged.
    assert steps_of(path)[0].side in (600, 800)


def test_values_of_one_type_are_taken_over(tmp_path: Path) -> None:
    config = _CONFIG.replace("(600,)", "[600]")
    files = {"config.py": config, "demo.py": _SCRIPT, "cfgs/large.yml": "TEST:\n  SCALES: [800]\n"}
    assert steps_of(only(reading(tmp_path, files)))[0].side == 800


_YACS = """
    import argparse
    import cv2
    from yacs.config import CfgNode

    cfg = CfgNode()
    cfg.INPUT = CfgNode()
    cfg.INPUT.SIZE = [8, 8]
    cfg.INPUT.NAMES = ("a",)
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-file", default="")
    args = parser.parse_args()
    cfg.merge_from_file(args.config_file)
    image = cv2.resize(cv2.imread("a.png"), tuple(cfg.INPUT.SIZE))
    if len(cfg.INPUT.NAMES) == 2 and cfg.INPUT.NAMES[1] == "b":
        image = image / 255.0
    net(image[None])
    """


@pytest.mark.parametrize(
    ("text", "size", "scale"),
    [
        ("_BASE_: ../base.yml\n", (64, 32), 1),
        ("_BASE_: [../base.yml, ../names.yml]\n", (64, 32), 1 / 255),
        ("BASE: ['../base.yml']\nINPUT:\n  SIZE: [16, 24]\n", (16, 24), 1),
        ("_BASE_: a.yml\nINPUT:\n  SIZE: [16, 24]\n", (16, 24), 1),
        ("INPUT:\n  SIZE: '[16, 24]'\n  NAMES: \"('a', 'b')\"\n", (16, 24), 1 / 255),
        ("INPUT:\n  SIZE: '(16, 24'\n", (None, None), 1),
        ("INPUT:\n  NAMES: \"('a', 'c')\"\n", (8, 8), 1),
    ],
)
def test_what_yacs_makes_of_files_that_build_on_others(
    tmp_path: Path, text: str, size: tuple[int | None, int | None], scale: float
) -> None:
    files = {
        "train.py": _YACS,
        "cfg/a.yml": text,
        "base.yml": "INPUT:\n  SIZE: [64, 32]\n",
        "names.yml": "INPUT:\n  NAMES: ('a', 'b')\n",
        "README.md": "python train.py --config-file cfg/a.yml",
    }
    path = only(reading(tmp_path, files))
    (step,) = steps_of(path)
    assert (step.width, step.height) == size
    assert levels(path) == pytest.approx((scale, 0.0))
