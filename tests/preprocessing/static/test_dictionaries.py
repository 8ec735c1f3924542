"""Dictionaries, lists and nodes of configurations that code takes from, adds to and copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import resized, served


@pytest.mark.parametrize(
    ("lines", "side"),
    [
        ("sizes = {'a': 32}\ngone = sizes.pop('a')\nside = sizes.get('a', 96) + gone - 32", 96),
        ("sizes = {'a': 32}\nside = sizes.pop('b', 96)", 96),
        ("sizes = {}\nsizes.setdefault('a', 96)\nside = sizes['a']", 96),
        ("sizes = {'a': 96}\nsizes.setdefault('a', 32)\nside = sizes['a']", 96),
        ("sides = [32, 48, 96]\ndel sides[0]\nside = sides[1]", 96),
        ("sides = [32, 96, 48]\ndel sides[-1]\nside = sides[-1]", 96),
        ("sides = [32, 48, 96]\ndel sides[:2]\nside = sides[0]", 96),
        ("sides = [96, 48, 32]\ndel sides[::2], sides[::0]\nside = 2 * sides[0]", 96),
        ("sides = [96, 48]\ndel sides[7]\nside = sides[0]", 96),
        ("names = ['x', 'y', 'z']\nnames.remove('x')\nside = {'y': 96, 'x': 32}[names[0]]", 96),
    ],
)
def test_what_is_taken_is_gone_and_what_is_set_is_there(tmp_path: Path, lines: str, side: int) -> None:
    path = served(tmp_path, f"{lines}\nmodel(cv2.resize(cv2.imread(path), (side, side))[None] / 255.0)\n")
    assert resized(path).height == side


def test_what_is_changed_in_a_clone_leaves_the_first(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        from yacs.config import CfgNode
        first = CfgNode()
        first.INPUT = CfgNode()
        first.INPUT.SIDE = 96
        other = first.clone()
        other.INPUT.SIDE = 32
        model(cv2.resize(cv2.imread(path), (first.INPUT.SIDE, other.INPUT.SIDE))[None] / 255.0)
        """,
    )
    assert (resized(path).width, resized(path).height) == (96, 32)
