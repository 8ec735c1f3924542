"""docopt: options that are read from a script's text of help."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, resized, steps_of

SCRIPT = '''"""Serve pictures.

Usage:
  serve.py MODEL <picture> [--size=<size>] [--gray] [-k N]

Options:
  -h --help          Show this screen
  -s, --size=<size>  Side of what a network gets [default: 96]
  --gray             Without colours
  -k N               How many
"""
import cv2
from docopt import docopt

args = docopt(__doc__, version="1")
image = cv2.imread(args["<picture>"])
if args["--gray"] or args["-k"] is not None or args["--help"]:
    image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
image = cv2.resize(image, (int(args["--size"]), int(args["--size"])))
model(image.transpose(2, 0, 1) / 255.0)
'''


@pytest.mark.parametrize("text", ["__doc__", "undefined_text"])
def test_options_have_the_values_that_a_help_text_says(tmp_path: Path, text: str) -> None:
    path = only(reading(tmp_path, {"serve.py": SCRIPT.replace("docopt(__doc__", f"docopt({text}")}))
    step = resized(path)
    if text == "__doc__":
        assert (step.height, step.width) == (96, 96)
        assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "CHW")
    else:
        assert step.height is None


def test_words_are_given_and_options_that_take_none_are_off(tmp_path: Path) -> None:
    script = '''"""Usage:
  serve.py <picture> MODEL [options]

Options:
  --size SIDE  Side of what a network gets [default: 96]
  -b, --bytes  Whole levels
"""
import cv2
from docopt import docopt

args = docopt(__doc__)
image = cv2.imread(args["<picture>"])
if args["<picture>"] is None:
    image = cv2.flip(image, 1)
if not args["--bytes"]:
    image = image / 255.0
model(cv2.resize(image, (int(args["--size"]),) * 2))
'''
    path = only(reading(tmp_path, {"serve.py": script}))
    (step,) = steps_of(path)
    assert step.height == 96
    assert levels(path) == pytest.approx((1 / 255, 0.0))
