"""Lists of which one of several is gone through, pairs that are taken apart, and records that hold a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized, served

FEED = "model(torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float32)))\n"
STEPS = """
def small(x):
    return cv2.resize(x, (64, 48))

def as_small(x):
    return cv2.resize(x, (64, 48), interpolation=cv2.INTER_LINEAR)

def scaled(x):
    return x / 255.0

x = cv2.imread(path)
for step in {chosen}:
    x = step(x)
"""


def test_one_of_two_lists_of_steps_is_gone_through_step_by_step(tmp_path: Path) -> None:
    path = served(tmp_path, STEPS.format(chosen="[small, scaled] if unknown() else [as_small, scaled]") + FEED)
    assert (resized(path).height, resized(path).width) == (48, 64)
    assert levels(path) == pytest.approx((1 / 255, 0.0))


def test_of_lists_of_different_lengths_it_is_not_known_which_steps_are_taken(tmp_path: Path) -> None:
    path = served(tmp_path, STEPS.format(chosen="[small, scaled] if unknown() else [scaled]") + FEED)
    assert path.pipeline.geometry is None
    assert levels(path) == (None, None)


@pytest.mark.parametrize(
    ("apart", "taken", "expected"),
    [
        ("low, high = zip(*list(zip(low, high)))", "low[0]", (1 / 255, 0.0)),
        ("low, high = zip(*list(zip(low, high)))", "high[0]", (1 / 127.5, -1.0)),
        ("first, second = zip([low[0], 3], [high[0], 4])", "first[0]", (1 / 255, 0.0)),
        ("first, second = zip([low[0], 3], [high[0], 4])", "first[1]", (1 / 127.5, -1.0)),
    ],
)
def test_columns_of_pairs_are_kept_apart(tmp_path: Path, apart: str, taken: str, expected: tuple[float, float]) -> None:
    lines = """
low, high = [], []
for name in names:
    low.append(cv2.imread(name) / 255.0)
    high.append(cv2.imread(name) / 127.5 - 1)
"""
    assert levels(served(tmp_path, f"{lines}{apart}\nx = {taken}\n{FEED}")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("made", "batch"),
    [
        ("from collections import namedtuple\nBatch = namedtuple('Batch', ['label', 'image'])", "Batch(other, x)"),
        ("import types", "types.SimpleNamespace(label=other, image=x)"),
        ("import argparse", "argparse.Namespace(mask=other, image=x)"),
    ],
)
def test_of_a_record_the_network_takes_the_picture_and_not_its_label(tmp_path: Path, made: str, batch: str) -> None:
    lines = "x = torch.from_numpy(cv2.imread('a.png').transpose(2, 0, 1)[None] / 255.0)\nother = cv2.imread('b.png', 0)"
    path = served(tmp_path, f"{made}\n{lines}\nmodel({batch})\n")
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")
    assert levels(path) == pytest.approx((1 / 255, 0.0))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("names.count('image') == 1 and names.index('label') == 1", (1 / 255, 0.0)),
        ("names.count('mask') == 0", (1 / 255, 0.0)),
        ("names.count('image') == 2", (1.0, 0.0)),
        ("names.index('mask') == 0", (None, None)),
        ("[*names, unknown()].count('image') == 1", (None, None)),
    ],
)
def test_places_in_a_list_of_names(tmp_path: Path, asked: str, expected: tuple[float | None, float | None]) -> None:
    lines = f"names = ['image', 'label']\nx = cv2.imread('a.png')\nif {asked}:\n    x = x / 255.0\n"
    assert levels(served(tmp_path, lines + FEED)) == pytest.approx(expected)


def test_either_of_two_texts_is_a_text(tmp_path: Path) -> None:
    lines = """
def opened(image):
    if isinstance(image, str):
        return cv2.imread(image)
    return cv2.imdecode(image, 0)[..., None]

x = opened("a.png" if unknown() else "b.png")
"""
    assert served(tmp_path, lines + FEED).pipeline.order == "BGR"


def test_a_sum_of_numbers_is_no_data_set(tmp_path: Path) -> None:
    script = """
        import cv2
        side = sum([32, 16]) + sum((8, 8))
        model(cv2.resize(cv2.imread("a.png"), (side, side))[None] / 255.0)
        """
    assert resized(only(reading(tmp_path, {"predict.py": script}))).height == 64


@pytest.mark.parametrize(("changed", "layout"), [("x.repeat(4, 1, 1, 1)", "NCHW"), ("x.flatten()", None)])
def test_what_becomes_of_axes(tmp_path: Path, changed: str, layout: str | None) -> None:
    lines = "x = torch.from_numpy(cv2.imread('a.png').transpose(2, 0, 1)[None] / 255.0).to(torch.float)\n"
    path = served(tmp_path, f"{lines}model({changed})\n")
    assert (path.pipeline.layout, path.pipeline.dtype) == (layout, "float32")
