"""A value of a declaration may be anything: it is read, or named as wrong, and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataguard.preprocessing.document import from_json, to_json
from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.readers import read

HALF = [0.5, 0.5, 0.5]
VALID: dict[str, dict[str, Any]] = {
    "timm": {
        "pretrained_cfg": {
            "input_size": [3, 32, 40],
            "test_input_size": [3, 64, 64],
            "crop_pct": 0.9,
            "crop_mode": "border",
            "interpolation": "bicubic",
            "mean": HALF,
            "std": HALF,
        }
    },
    "transformers": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 30, "width": 30},
        "resample": 3,
        "do_pad": True,
        "pad_size": {"height": 40, "width": 40},
        "image_mean": HALF,
        "image_std": HALF,
        "rescale_factor": 0.004,
        "do_rescale": True,
        "do_normalize": True,
    },
    "convnext": {
        "image_processor_type": "ConvNextImageProcessorFast",
        "size": {"shortest_edge": 32},
        "crop_pct": 0.9,
        "resample": 3,
    },
    "open_clip": {
        "model_cfg": {"vision_cfg": {"image_size": 32}},
        "preprocess_cfg": {"mean": HALF, "std": HALF, "resize_mode": "longest", "fill_color": 3, "interpolation": "x"},
    },
    "keras": {
        "class_name": "Sequential",
        "config": {
            "name": "n",
            "layers": [
                {"class_name": "Resizing", "config": {"height": 3, "width": 4, "interpolation": "bicubic"}},
                {"class_name": "Rescaling", "config": {"scale": 2, "offset": [1]}},
                {"class_name": "Normalization", "config": {"mean": HALF, "variance": HALF}},
                {"class_name": "CenterCrop", "config": {"height": 3, "width": 4}},
            ],
        },
    },
    "albumentations": {
        "__version__": "2.0.8",
        "transform": {
            "__class_fullname__": "Compose",
            "p": 1.0,
            "transforms": [
                {"__class_fullname__": "Resize", "p": 1.0, "height": 3, "width": 4, "interpolation": 1},
                {"__class_fullname__": "LongestMaxSize", "p": 1.0, "max_size": 3, "max_size_hw": None},
                {"__class_fullname__": "PadIfNeeded", "p": 1.0, "min_height": 3, "min_width": 4, "fill": 1,
                 "border_mode": 0, "position": "center", "pad_height_divisor": None},
                {"__class_fullname__": "CenterCrop", "p": 1.0, "height": 3, "width": 4, "pad_if_needed": True,
                 "fill": 1.0, "border_mode": 0},
                {"__class_fullname__": "Crop", "p": 1.0, "x_min": 0, "y_min": 0, "x_max": 1, "y_max": 1},
                {"__class_fullname__": "Normalize", "p": 1.0, "mean": HALF, "std": HALF, "max_pixel_value": 255.0},
            ],
        },
    },
    "ultralytics": {
        "task": "detect",
        "mode": "predict",
        "imgsz": [32, 64],
        "stride": 32,
        "half": False,
        "rect": True,
        "scaleup": True,
        "padding_value": 114,
        "interpolation": 1,
    },
    "openmmlab": {
        "data_preprocessor": {"mean": HALF, "std": HALF, "bgr_to_rgb": True, "pad_size_divisor": 32, "pad_value": 0},
        "test_pipeline": [
            {"type": "LoadImageFromFile", "imdecode_backend": "pillow", "color_type": "color"},
            {"type": "Resize", "scale": [32, 64], "keep_ratio": True, "interpolation": "bicubic", "backend": "cv2"},
            {"type": "ResizeEdge", "scale": 32, "edge": "short"},
            {"type": "CenterCrop", "crop_size": 30},
            {"type": "Normalize", "mean": HALF, "std": HALF, "to_rgb": True},
            {"type": "Pad", "size": [32, 32], "pad_val": 3},
        ],
    },
}  # fmt: skip

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(data: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in items for place in [(*prefix, key), *places(value, (*prefix, key))]]


@pytest.mark.parametrize("kind", VALID)
def test_the_declarations_themselves_are_read(kind: str) -> None:
    for path in read(VALID[kind]):
        assert from_json(to_json(path)) == path


@pytest.mark.slow
@settings(deadline=2000, max_examples=300)
@given(st.data(), st.sampled_from(sorted(VALID)), anything)
def test_any_value_is_read_or_refused(data: st.DataObject, kind: str, value: Any) -> None:
    changed = copy.deepcopy(VALID[kind])
    place = data.draw(st.sampled_from(places(changed)))
    inner: Any = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    try:
        found = read(changed)
    except DeclarationError:
        return
    assert all(from_json(to_json(path)).name == path.name for path in found)


PROGRAM = """
from nvidia.dali import fn, types
x = fn.decoders.image(a, output_type=types.RGB)
x = fn.resize(x, resize_x=40, resize_y=30, mode="not_larger", interp_type=types.INTERP_LINEAR, max_size=90)
x = fn.crop_mirror_normalize(x, crop=[20, 20], mean=[0.5], std=[0.5], scale=1.0, shift=0.0, dtype=types.FLOAT)
"""
SNIPPETS = ["types.RGB", "40", "30", '"not_larger"', "[20, 20]", "[0.5]", "1.0", "0.0", "types.FLOAT", "90", "resize_x",
            "a, ", "x)", "fn."]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=2000, max_examples=200)
@given(
    st.sampled_from(SNIPPETS),
    st.sampled_from(
        ["None", "[]", "{}", "-1", "1e999", "'x'", "f(x)", "10**9", "[[1]]", "(", "lambda: 0", "*b", "x[0]"]
    ),
)
def test_any_program_is_read_or_refused(tmp_path: Path, snippet: str, other: str) -> None:
    (tmp_path / "p.py").write_text(PROGRAM.replace(snippet, other), encoding="utf-8")
    refusal = ""
    try:
        found = read(tmp_path / "p.py")
    except DeclarationError as error:
        found, refusal = (), str(error)
    assert found or "p.py" in refusal
