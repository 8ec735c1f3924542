"""Image processors of transformers and its pipelines, called as people call them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Crop, Resize
from tests.preprocessing.static.repositories import levels, only, reading, resized, steps_of

_IMPORTS = """
import cv2, torch
import numpy as np
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoProcessor, CLIPProcessor, ConvNextImageProcessor
from transformers import MobileViTImageProcessor, ViTFeatureExtractor, ViTImageProcessor, ViTImageProcessorFast
model = AutoModel.from_pretrained("google/vit")
image = Image.open("cat.jpg").convert("RGB")
"""
_CLIP = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.25, 0.25, 0.25],
    "resample": 3,
    "size": 224,
}


def _served(
    folder: Path, lines: str, more: Mapping[str, str] | None = None, *, committed: dt.date | None = None
) -> FoundPath:
    return only(reading(folder, {"predict.py": _IMPORTS + lines, **(more or {})}, committed=committed))


_CALLS = {
    "keywords": "inputs = processor(images=image, return_tensors='pt')\nmodel(**inputs)",
    "positions": "inputs = processor(image, return_tensors='pt').to('cuda')\nmodel(**inputs)",
    "a text too": "inputs = processor('what is this', image, return_tensors='pt')\nmodel.generate(**inputs)",
    "a list": "pixels = processor(images=[image], return_tensors='pt').pixel_values\nmodel.generate(pixels.to('cuda'))",
    "its method": "model(processor.preprocess(image, return_tensors='pt')['pixel_values'])",
    "its part": "model(processor.image_processor(image, return_tensors='pt')['pixel_values'])",
    "no tensors": "model(torch.tensor(np.stack(processor(images=image)['pixel_values'])))",
    "turned into a dictionary": (
        "inputs = {k: v.to('cuda') for k, v in processor(images=image, return_tensors='pt').items()}\nmodel(**inputs)"
    ),
}


@pytest.mark.parametrize("called", _CALLS.values(), ids=_CALLS)
def test_a_class_says_what_it_does_by_default(tmp_path: Path, called: str) -> None:
    found = _served(
        tmp_path, f"processor = ViTImageProcessor()\n{called}\n", {"requirements.txt": "transformers==4.40"}
    )
    step = resized(found)
    assert (step.height, step.width, step.kernel, step.engine) == (224, 224, "linear", "pillow")
    assert levels(found) == pytest.approx((2 / 255, -1))
    assert (found.pipeline.order, found.pipeline.layout, found.pipeline.dtype) == ("RGB", "NCHW", "float32")


def test_arguments_come_before_defaults(tmp_path: Path) -> None:
    made = "ViTImageProcessorFast(size={'height': 96, 'width': 128}, do_normalize=False, resample=3)"
    found = _served(tmp_path, f"model(**{made}(image, return_tensors='pt'))\n")
    step = resized(found)
    assert (step.height, step.width, step.kernel, step.antialias, step.engine) == (96, 128, "cubic", "scaled", "torch")
    assert levels(found) == pytest.approx((1 / 255, 0))


@pytest.mark.parametrize("name", ["AutoImageProcessor", "AutoProcessor", "CLIPProcessor"])
def test_a_file_of_the_repository_is_read(tmp_path: Path, name: str) -> None:
    lines = f"processor = {name}.from_pretrained('./weights')\nmodel(**processor(images=image, return_tensors='pt'))\n"
    found = _served(tmp_path, lines, {"weights/preprocessor_config.json": json.dumps(_CLIP)})
    resize, crop = steps_of(found)
    assert isinstance(resize, Resize)
    assert isinstance(crop, Crop)
    assert (resize.rule, resize.side, crop.rule, crop.height, crop.width) == ("short", 224, "center", 224, 224)
    # Older files say 224 of what is a square for other classes; which library resizes hangs on the version.
    assert (resize.kernel, resize.engine) == ("cubic", None)
    assert "which implementation transformers takes" in resize.undetermined["engine"]
    assert found.pipeline.affine.scale == pytest.approx((4 / 255,) * 3)
    assert found.pipeline.affine.offset == pytest.approx((-2.0, -1.6, -1.2))


@pytest.mark.parametrize(
    ("made", "committed", "engine"),
    [
        ("ViTImageProcessor()", dt.date(2024, 1, 1), "pillow"),
        ("ViTImageProcessor()", dt.date(2026, 6, 1), "torch"),
        ("ViTImageProcessor(use_fast=False)", dt.date(2026, 6, 1), "pillow"),
        ("ViTImageProcessorFast()", dt.date(2024, 1, 1), "torch"),
        ("AutoImageProcessor.from_pretrained('w')", dt.date(2025, 6, 1), "pillow"),
        ("AutoImageProcessor.from_pretrained('w')", dt.date(2025, 12, 1), "torch"),
        ("AutoImageProcessor.from_pretrained('w', use_fast=True)", dt.date(2025, 6, 1), "torch"),
    ],
)
def test_the_version_says_which_implementation_runs(tmp_path: Path, made: str, committed: dt.date, engine: str) -> None:
    file = json.dumps({"image_processor_type": "ViTImageProcessor"})
    lines = f"model(**{made}(images=image, return_tensors='pt'))\n"
    found = _served(tmp_path, lines, {"w/preprocessor_config.json": file}, committed=committed)
    assert resized(found).engine == engine


def test_sizes_of_every_kind_are_those_that_the_reader_of_files_knows(tmp_path: Path) -> None:
    size = {"max_height": 96, "max_width": 128}
    made = f"ViTImageProcessorFast(size={size}, do_pad=True, pad_size={{'height': 96, 'width': 128}})"
    resize, pad = steps_of(_served(tmp_path, f"model(**{made}(images=image, return_tensors='pt'))\n"))
    assert (resize.rule, resize.height, resize.width) == ("fit", 96, 128)
    assert (pad.rule, pad.height, pad.width, pad.position) == ("to", 96, 128, "top_left")


def test_what_is_not_known_of_sizes_leaves_levels_as_they_are(tmp_path: Path) -> None:
    lines = "from elsewhere import side\nprocessor = ViTImageProcessorFast(size={'height': side, 'width': side})\n"
    found = _served(tmp_path, f"{lines}model(**processor(images=image, return_tensors='pt'))\n")
    assert found.pipeline.geometry is None
    assert levels(found) == pytest.approx((2 / 255, -1))


@pytest.mark.parametrize("size", ["'large'", "{'width': 3}", "-4"])
def test_a_size_that_transformers_does_not_take_is_said(tmp_path: Path, size: str) -> None:
    found = _served(tmp_path, f"model(**ViTImageProcessorFast(size={size})(images=image, return_tensors='pt'))\n")
    assert "what the processor is made with: " in found.pipeline.undetermined["geometry"]


def test_what_a_hub_holds_is_not_guessed(tmp_path: Path) -> None:
    lines = (
        "processor = AutoImageProcessor.from_pretrained('google/vit')\nmodel(**processor(image, return_tensors='pt'))\n"
    )
    pipeline = _served(tmp_path, lines).pipeline
    assert (pipeline.order, pipeline.layout, pipeline.dtype) == ("RGB", "NCHW", "float32")
    assert pipeline.geometry is None
    assert pipeline.affine.scale is None
    assert "preprocessor_config.json of google/vit" in pipeline.undetermined["geometry"]


def test_colours_of_opencv_stay_as_they_are(tmp_path: Path) -> None:
    lines = "frame = cv2.imread('a.png')\nmodel(**ViTImageProcessor()(images=frame, return_tensors='pt'))\n"
    assert _served(tmp_path, lines).pipeline.order == "BGR"


def test_a_class_that_exchanges_channels_does_so(tmp_path: Path) -> None:
    found = _served(tmp_path, "model(**MobileViTImageProcessor()(images=image, return_tensors='pt'))\n")
    assert found.pipeline.order == "BGR"


@pytest.mark.parametrize(("side", "steps"), [(384, [("exact", 384)]), (224, [("short", 256), ("center", 224)])])
def test_convnext_cuts_the_middle_of_small_pictures(tmp_path: Path, side: int, steps: list[tuple[str, int]]) -> None:
    made = f"ConvNextImageProcessor(size={{'shortest_edge': {side}}}, use_fast=False)"
    found = _served(tmp_path, f"model(**{made}(images=image, return_tensors='pt'))\n")
    seen = [(step.rule, step.side if step.rule == "short" else step.height) for step in steps_of(found)]
    assert seen == steps


def test_numbers_of_a_processor_are_read(tmp_path: Path) -> None:
    lines = """
from torchvision import transforms
processor = ViTFeatureExtractor(size={"height": 160, "width": 160})
size = (processor.size["height"], processor.size["width"])
steps = [transforms.Resize(size), transforms.ToTensor()]
steps.append(transforms.Normalize(mean=processor.image_mean, std=processor.image_std))
model(transforms.Compose(steps)(image)[None])
"""
    found = _served(tmp_path, lines)
    assert resized(found).height == 160
    assert levels(found) == pytest.approx((2 / 255, -1))


@pytest.mark.parametrize(
    "made", ["WhisperProcessor()", "Wav2Vec2FeatureExtractor()", "AutoTokenizer.from_pretrained('x')"]
)
def test_what_is_said_and_written_is_no_picture(tmp_path: Path, made: str) -> None:
    name = made.partition("(")[0].partition(".")[0]
    script = (
        f"{_IMPORTS}\nfrom transformers import {name}\nmodel({made}(['a sound'], return_tensors='pt').input_values)\n"
    )
    assert reading(tmp_path, {"predict.py": script}).paths == ()


@pytest.mark.parametrize("given", ["'cat.jpg'", "image", "[image]", "images=image", "'http://host/cat.jpg'"])
def test_a_pipeline_opens_what_it_is_given(tmp_path: Path, given: str) -> None:
    script = f"""
from PIL import Image
from transformers import pipeline
image = Image.open("cat.jpg")
classifier = pipeline("image-classification", model="google/vit")
print(classifier({given}))
"""
    pipeline: Any = only(reading(tmp_path, {"demo.py": script})).pipeline
    assert (pipeline.decode.library, pipeline.decode.exif, pipeline.order) == ("pillow", "applied", "RGB")
    assert "preprocessor_config.json of google/vit" in pipeline.undetermined["geometry"]


def test_a_pipeline_for_texts_has_no_path(tmp_path: Path) -> None:
    script = (
        "from PIL import Image\nfrom transformers import pipeline\nprint(pipeline('text-classification')('a text'))\n"
    )
    assert reading(tmp_path, {"demo.py": script}).paths == ()


def test_a_file_may_name_the_fast_class(tmp_path: Path) -> None:
    file = {"w/preprocessor_config.json": json.dumps({"image_processor_type": "ViTImageProcessorFast"})}
    lines = "model(**AutoImageProcessor.from_pretrained('w')(images=image, return_tensors='pt'))\n"
    step = resized(_served(tmp_path, lines, file, committed=dt.date(2024, 1, 1)))
    assert (step.height, step.engine) == (224, "torch")


def test_of_fractions_it_is_not_known_whether_they_are_divided_again(tmp_path: Path) -> None:
    given = "torch.from_numpy(cv2.imread('a.png') / 255.0).permute(2, 0, 1)"
    pipeline = _served(tmp_path, f"model(**ViTImageProcessor()(images={given}, return_tensors='pt'))\n").pipeline
    assert (pipeline.geometry, pipeline.affine.scale) == (None, None)
    assert (pipeline.order, pipeline.layout, pipeline.dtype) == ("BGR", "NCHW", "float32")
    assert "a tensor that is no file's" in pipeline.undetermined["geometry"]
