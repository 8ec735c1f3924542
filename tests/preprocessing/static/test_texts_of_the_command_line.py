"""Texts that the command line must give, where code asks what type its input is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized


@pytest.mark.parametrize("asked", ["type(image) == str", "isinstance(image, str)", "not isinstance(image, np.ndarray)"])
@pytest.mark.parametrize("declared", ["", ", type=str"])
def test_what_must_be_given_is_a_text(tmp_path: Path, asked: str, declared: str) -> None:
    script = f"""
        import argparse
        import cv2
        import numpy as np
        def opened(image):
            if {asked}:
                return cv2.imread(image)[:, :, ::-1]
            elif type(image) == bytes:
                return cv2.imdecode(image, 1)
            return image
        parser = argparse.ArgumentParser()
        parser.add_argument("--file", required=True{declared})
        args = parser.parse_args()
        model(opened(args.file).transpose(2, 0, 1)[None] / 255.0)
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order) == ("opencv", "RGB")


@pytest.mark.parametrize(("declared", "orders"), [("", {"GRAY"}), (", type=int", {None, "BGR"})])
def test_numbers_are_no_texts(tmp_path: Path, declared: str, orders: set[str | None]) -> None:
    script = f"""
        import argparse
        import cv2
        parser = argparse.ArgumentParser()
        parser.add_argument("--camera", required=True{declared})
        args = parser.parse_args()
        if isinstance(args.camera, str):
            image = cv2.imread(args.camera, 0)[..., None]
        else:
            image = cv2.VideoCapture(args.camera).read()[1]
        model(image.transpose(2, 0, 1)[None] / 255.0)
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.order in orders


@pytest.mark.parametrize(
    ("parser", "parsed"), [("optparse.OptionParser", "(options, args)"), ("argparse.ArgumentParser", "options")]
)
def test_optparse_gives_options_and_arguments(tmp_path: Path, parser: str, parsed: str) -> None:
    adding = "add_option" if "optparse" in parser else "add_argument"
    script = f"""
        import argparse, cv2, optparse, torch

        parser = {parser}()
        parser.{adding}("--side", dest="side", default=48)
        parser.{adding}("--swap", dest="swap", action="store_true", default=False)
        {parsed} = parser.parse_args()
        image = cv2.resize(cv2.imread("a.png"), (options.side, options.side))
        if bool(options.swap):
            image = image[:, :, ::-1]
        model(torch.from_numpy(image)[None])
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.order, resized(path).height) == ("BGR", 48)
