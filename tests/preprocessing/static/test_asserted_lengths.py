"""What scripts assert of lengths, and arguments that are copied by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized, served, steps_of

FLOW = """
    import math
    import numpy
    import PIL.Image
    import torch

    def estimate(frame):
        width = frame.shape[2]
        height = frame.shape[1]
        {asserted}
        wide = int(math.floor(math.ceil(width / 64.0) * 64.0))
        high = int(math.floor(math.ceil(height / 64.0) * 64.0))
        frame = torch.nn.functional.interpolate(
            input=frame.view(1, 3, height, width), size=(high, wide), mode="bilinear", align_corners=False
        )
        return model(frame)

    image = PIL.Image.open("one.png").convert("RGB")
    estimate(torch.FloatTensor(numpy.array(image).transpose(2, 0, 1).astype(numpy.float32) * (1.0 / 255.0)))
"""


@pytest.mark.parametrize(
    "asserted",
    [
        "assert width == 1024\n        assert height == 436",
        "assert width == 1024 and height == 436",
        "assert 1024 == width and 436 == height",
    ],
)
def test_a_length_that_is_asserted_is_that_number(tmp_path: Path, asserted: str) -> None:
    (step,) = steps_of(only(reading(tmp_path, {"run.py": FLOW.format(asserted=asserted)})))
    assert (step.height, step.width) == (448, 1024)


@pytest.mark.parametrize(
    "asserted",
    [
        "assert width != 1024",
        "assert width > 1024",
        "assert width",
        "assert 0 < width == 1024",
        "assert frame.shape[2] == 1024",
        "assert width == another()",
        "assert width == 1024 or height == 436",
    ],
)
def test_a_length_of_which_another_thing_is_asserted_stays_open(tmp_path: Path, asserted: str) -> None:
    (step,) = steps_of(only(reading(tmp_path, {"run.py": FLOW.format(asserted=asserted)})))
    assert (step.rule, step.height, step.width, step.factor, step.multiple) == ("scale", None, None, 1.0, 64)


def test_arguments_that_are_copied_by_their_names_are_known(tmp_path: Path) -> None:
    script = """
        import argparse
        import cv2

        parser = argparse.ArgumentParser()
        parser.add_argument("--height", type=int, default=400)
        parser.add_argument("--name", default="a.png")
        args = parser.parse_args()
        config = dict()
        for arg in vars(args):
            config[arg] = getattr(args, arg)
        image = cv2.imread(config["name"])
        if isinstance(config["height"], int) and config["height"] != -1:
            image = cv2.resize(image, (config["height"], config["height"]))
        model(image.transpose(2, 0, 1) / 255.0)
    """
    step = resized(only(reading(tmp_path, {"run.py": script})))
    assert (step.height, step.width) == (400, 400)


def test_what_is_copied_into_a_tensor_that_was_made_before_gets_its_type(tmp_path: Path) -> None:
    script = """
        held = torch.Tensor(1, 3, 256, 256)
        x = torch.from_numpy(cv2.imread("a.png").transpose(2, 0, 1) / 255.0).unsqueeze(0)
        held.data.resize_(x.size()).copy_(x)
        model(held)
    """
    assert served(tmp_path, script).pipeline.dtype == "float32"
