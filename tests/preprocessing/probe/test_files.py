"""How a function reads files that are not plain 8-bit colour is found out by giving it some."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dataguard.preprocessing.probe.decoders import files
from dataguard.preprocessing.probe.identify import Identified, identify

pytestmark = pytest.mark.slow


SIZE = (96, 96)


def reading(found: Identified, kind: str) -> str:
    return next(str(one) for one in found.readings if one.kind == kind)


def assert_reads_alike(found: Identified, function: Any, *kinds: str) -> None:
    for kind in kinds:
        content, _ = files()[kind]
        np.testing.assert_array_equal(found.pipeline.run(content), function(content), err_msg=kind)


def test_pillow() -> None:
    def function(content: bytes) -> Any:
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB").resize(SIZE))

    found = identify(function, takes="bytes")
    decode = found.pipeline.decode
    assert (decode.library, decode.exif, decode.alpha, decode.gray) == ("pillow", "ignored", "dropped", "repeated")
    assert decode.sixteen_bit == "clipped"
    assert any("libjpeg-turbo" in note for note in found.notes)
    assert_reads_alike(found, function, *files())


def test_pillow_turned_and_on_white() -> None:
    def function(path: str) -> Any:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode == "RGBA":
                ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
                picture = Image.alpha_composite(ground, picture)
            return np.asarray(picture.convert("RGB").resize(SIZE))

    found = identify(function, takes="path")
    assert (found.pipeline.decode.exif, found.pipeline.decode.alpha) == ("applied", "on white")


def test_opencv() -> None:
    def function(content: bytes) -> Any:
        return cv2.resize(np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)), SIZE)

    found = identify(function, takes="bytes")
    decode = found.pipeline.decode
    assert (decode.library, decode.order, decode.exif, decode.sixteen_bit) == ("opencv", "BGR", "applied", "high byte")
    assert found.pipeline.order == "BGR"
    assert_reads_alike(found, function, *files())


def test_opencv_gray() -> None:
    def function(content: bytes) -> Any:
        return cv2.resize(np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)), SIZE)

    found = identify(function, takes="bytes")
    assert (found.pipeline.decode.library, found.pipeline.decode.flags) == ("opencv", ("IMREAD_GRAYSCALE",))
    assert found.pipeline.layout == "HW"


def test_what_it_raises_at_is_refused() -> None:
    def function(content: bytes) -> Any:
        pixels = np.asarray(Image.open(io.BytesIO(content)).resize(SIZE))
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError("no colour picture")
        return pixels

    found = identify(function, takes="bytes")
    decode = found.pipeline.decode
    assert (decode.alpha, decode.gray, decode.sixteen_bit) == ("refused", "refused", "refused")
    assert decode.library == "pillow"
    assert "refused" in reading(found, "cmyk")


def test_another_decoder_is_said_to_be_one() -> None:
    def function(content: bytes) -> Any:
        reduced = content[:2] == b"\xff\xd8"
        how = cv2.IMREAD_REDUCED_COLOR_2 if reduced else cv2.IMREAD_COLOR
        return cv2.resize(np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), how)), SIZE)

    found = identify(function, takes="bytes")
    assert found.pipeline.decode.library is None
    assert "another decoder" in found.pipeline.decode.undetermined["library"]
    assert "levels off" in reading(found, "jpeg 4:4:4")
