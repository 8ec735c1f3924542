"""Lists whose items stand for any number of such: how long they are is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import served

_FILES = """
def listed(folder):
    found = []
    for _, _, names in os.walk(folder):
        found.extend(names)
        break
    return found

"""


@pytest.mark.parametrize(
    "made",
    [
        "paths = [os.path.join(folder, one) for one in os.listdir(folder)]",
        "paths = [os.path.join(folder, one) for one in listed(folder)]",
        "paths = sorted(os.path.join(folder, one) for one in os.listdir(folder))",
        "paths = [os.path.join(folder, one) for one in os.listdir(folder)].copy() + ['a.png']",
    ],
)
def test_what_is_left_of_a_list_of_any_length_is_not_nothing(tmp_path: Path, made: str) -> None:
    path = served(
        tmp_path,
        f"import os\n{_FILES}{made}\n"
        "rest = len(paths) % 4\n"
        "if rest > 0:\n"
        "    paths = paths[:-rest]\n"
        "at = 0\n"
        "while at < len(paths):\n"
        "    x = torch.from_numpy(cv2.imread(paths[at])).permute(2, 0, 1).float().div(255).unsqueeze(0)\n"
        "    model(x)\n"
        "    at += 1\n",
    )
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")


def test_a_list_of_known_length_keeps_it(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "sides = [32 * one for one in (4, 5, 6)]\n"
        "side = sides[-1] if len(sides) == 3 else 7\n"
        "x = torch.from_numpy(cv2.resize(cv2.imread('a.png'), (side, side)) / 255).permute(2, 0, 1).unsqueeze(0)\n"
        "model(x)\n",
    )
    assert path.pipeline.geometry is not None
    assert (path.pipeline.geometry[0].height, path.pipeline.geometry[0].width) == (192, 192)  # type: ignore[union-attr]


def test_a_list_is_no_constant(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "def load(path, size=False):\n"
        "    img = Image.open(path).convert('RGB')\n"
        "    if size != False:\n"
        "        img = img.resize(size[:2], Image.BICUBIC)\n"
        "    return np.array(img) / 255.0\n\n"
        "model(torch.from_numpy(load('a.png', (256, 128, 3))).permute(2, 0, 1).unsqueeze(0))\n",
    )
    assert path.pipeline.geometry is not None
    assert (path.pipeline.geometry[0].height, path.pipeline.geometry[0].width) == (128, 256)  # type: ignore[union-attr]
