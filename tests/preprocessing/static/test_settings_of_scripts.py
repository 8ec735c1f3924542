"""What scripts set in the modules that they import, for what no script leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import reading, resized

SETTINGS = """
    from easydict import EasyDict
    cfg = EasyDict()
    cfg.SIDE = 32
    sides, side = [32], 32
    limits = {"side": 32}
    """
PREPARE = """
def prepare(path):
    return net(cv2.resize(cv2.imread(path), ({side}, {side}))[None] / 127.5)
"""


@pytest.mark.parametrize(
    ("line", "side"),
    [
        ("settings.cfg.SIDE = 96", "settings.cfg.SIDE"),
        ("settings.sides[0] = 96", "settings.sides[0]"),
        ("settings.limits['side'] = 96", "settings.limits['side']"),
        ("settings.side = 96", "settings.side"),
    ],
)
def test_what_a_script_sets_is_for_what_it_defines(tmp_path: Path, line: str, side: str) -> None:
    script = f"import cv2, settings\n{line}\nnet(cv2.imread('a.png')[None] / 255.)\n"
    prepare = PREPARE.format(side=side)
    found = reading(
        tmp_path,
        {
            "settings.py": SETTINGS,
            "predict.py": script + prepare,
            "tools/other.py": "import cv2, settings\n" + prepare,
        },
    )
    sides = {path.name: resized(path).height for path in found.paths if not path.reachable}
    assert sides == {"predict.py: prepare": 96, "tools/other.py: prepare": 32}
