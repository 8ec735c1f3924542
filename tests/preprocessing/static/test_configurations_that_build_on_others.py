"""Configurations that name those that they build on: in whatever order, however often, and without an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

_YAML = """
    import cv2
    from yacs.config import CfgNode
    cfg = CfgNode()
    cfg.SIDE = 8
    cfg.OTHER = 8
    cfg.merge_from_file("cfg/a.yml")
    net(cv2.resize(cv2.imread("a.png"), (cfg.SIDE, cfg.OTHER))[None] / 255.0)
    """
_PYTHON = """
    import cv2
    from mmcv import Config
    cfg = Config.fromfile("cfg/a.py")
    net(cv2.resize(cv2.imread("a.png"), (cfg.side, cfg.other))[None] / 255.0)
    """


def _size(folder: Path, script: str, **files: str) -> tuple[int | None, int | None]:
    step = resized(only(reading(folder, {"run.py": script, **{f"cfg/{name}": text for name, text in files.items()}})))
    return step.width, step.height


def test_files_that_build_on_each_other(tmp_path: Path) -> None:
    files = {"a.yml": "_BASE_: b.yml\nSIDE: 32\n", "b.yml": "_BASE_: ./a.yml\nSIDE: 16\nOTHER: 64\n"}
    assert _size(tmp_path, _YAML, **files) == (32, 64)


def test_what_two_files_build_on_comes_before_each_of_them(tmp_path: Path) -> None:
    files = {
        "a.yml": "_BASE_: [b.yml, c.yml]\n",
        "b.yml": "_BASE_: d.yml\nSIDE: 32\nOTHER: 32\n",
        "c.yml": "_BASE_: d.yml\nOTHER: 48\n",
        "d.yml": "SIDE: 64\nOTHER: 64\n",
    }
    assert _size(tmp_path, _YAML, **files) == (64, 48)


def test_modules_that_build_on_each_other(tmp_path: Path) -> None:
    files = {"a.py": "_base_ = 'b.py'\nside = 32\n", "b.py": "_base_ = ['./a.py']\nside = 16\nother = 64\n"}
    assert _size(tmp_path, _PYTHON, **files) == (32, 64)


def test_a_module_builds_on_one_that_lies_beside_it(tmp_path: Path) -> None:
    files = {
        "a.py": "_base_ = '../base/sizes.py'\nside = 32\n",
        "../base/sizes.py": "other = 64\n",
        "base/sizes.py": "other = 16\n",
    }
    assert _size(tmp_path, _PYTHON, **files) == (32, 64)


def test_files_of_which_every_one_builds_on_many_use_up_the_budget(tmp_path: Path) -> None:
    files = {
        f"cfg/f{depth}{index}.yml": f"_BASE_: {[f'f{depth + 1}{other}.yml' for other in range(8)]}\nSIDE: 32\n"
        for depth in range(6)
        for index in range(8)
    }
    found = reading(tmp_path, {"run.py": _YAML.replace("cfg/a.yml", "cfg/f00.yml"), **files})
    assert any("budget" in why for _, why in found.skipped)


@pytest.mark.parametrize("times", [2, 9])
def test_values_that_stand_for_others_over_and_over(tmp_path: Path, times: int) -> None:
    script = """
        import cv2, hydra
        @hydra.main(config_path="cfg", config_name="config")
        def main(config):
            net(cv2.resize(cv2.imread("a.png"), (config.side, config.side))[None] / 255.0)
        main()
        """
    rows = ["v{}: [{}]\n".format(one, ", ".join([f"'${{v{one + 1}}}'"] * 9)) for one in range(times)]
    found = reading(tmp_path, {"run.py": script, "cfg/config.yaml": "".join([*rows, f"v{times}: 1\n", "side: 32\n"])})
    if times < 9:
        assert resized(only(found)).height == 32
    else:
        assert any("budget" in why for _, why in found.skipped)
