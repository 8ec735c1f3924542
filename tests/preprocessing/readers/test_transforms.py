"""torchvision, timm, open_clip, transformers: stand-ins with the attributes of the real ones, and configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataguard.preprocessing.errors import DeclarationError, UndeterminedError
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.provenance import Origin
from dataguard.preprocessing.readers import read
from dataguard.preprocessing.readers.source import Source
from dataguard.preprocessing.readers.timm import read_config as read_timm
from dataguard.preprocessing.steps import Crop, Random, Resize

PHOTO = photograph(123, 177)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def stand_in(name: str, module: str = "torchvision.transforms.transforms", **attributes: Any) -> Any:
    """An object of a class with this name, as the library's are."""
    made = type(name, (), {"__module__": module})()
    vars(made).update(attributes)
    return made


def compose(*steps: Any) -> Any:
    return stand_in("Compose", transforms=list(steps))


RESIZE = stand_in("Resize", size=64, max_size=None, interpolation="InterpolationMode.BICUBIC", antialias=True)
CROP = stand_in("CenterCrop", size=(56, 56))
TO_TENSOR = stand_in("ToTensor")
NORMALIZE = stand_in("Normalize", mean=list(MEAN), std=list(STD), inplace=False)


def by_hand(short: int, side: int, kernel: Image.Resampling) -> np.ndarray[Any, Any]:
    """Resize the short side, crop the middle, map levels: written out once more."""
    height, width = PHOTO.shape[:2]
    size = (int(short * width / height), short) if height < width else (short, int(short * height / width))
    picture = np.asarray(Image.fromarray(PHOTO).resize(size, kernel))
    top, left = round((picture.shape[0] - side) / 2), round((picture.shape[1] - side) / 2)
    levels = picture[top : top + side, left : left + side].astype(np.float32) / np.float32(255)
    mean, std = np.array(MEAN, dtype=np.float32), np.array(STD, dtype=np.float32)
    mapped: np.ndarray[Any, Any] = ((levels - mean) / std).transpose(2, 0, 1)
    return mapped


def test_the_classic_transform_of_torchvision() -> None:
    (path,) = read(compose(RESIZE, CROP, TO_TENSOR, NORMALIZE))
    np.testing.assert_array_equal(path.run(PHOTO), by_hand(64, 56, Image.Resampling.BICUBIC))
    assert path.layout == "CHW"
    resize = path.geometry[0] if path.geometry else None
    assert isinstance(resize, Resize)
    said = resize.origin_of("kernel")
    assert said is not None
    assert (said.origin, said.detail) == (Origin.EXPLICIT, "Resize.interpolation")
    assert "opened" in path.decode.undetermined["exif"]


@pytest.mark.parametrize(
    ("module", "antialias", "expected"),
    [
        ("torchvision.transforms.transforms", True, ("torch", "scaled", "rounded")),
        ("torchvision.transforms.transforms", None, ("torch", "none", "rounded")),
        ("torchvision.transforms.transforms", "warn", ("torch", "none", "rounded")),
        ("torchvision.transforms.v2._geometry", True, ("torch", "scaled", "uint8")),
    ],
)
def test_a_resize_of_tensors_is_torchs_and_widened_as_it_says(module: str, antialias: Any, expected: Any) -> None:
    resize = stand_in("Resize", module, size=[64], max_size=None, interpolation="bilinear", antialias=antialias)
    (path,) = read(compose(stand_in("PILToTensor"), resize))
    (step,) = path.geometry or ()
    assert isinstance(step, Resize)
    assert (step.engine, step.antialias, step.arithmetic) == expected


def test_a_crop_that_is_larger_than_the_picture_pads() -> None:
    (path,) = read(compose(CROP, TO_TENSOR))
    # Three pixels are missing: the odd one goes below, as torchvision has it.
    assert path.run(PHOTO[:53, :56])[:, 0].max() == 0
    assert path.run(PHOTO[:53, :56])[:, 1].max() > 0


def test_what_chance_decides_is_named_and_not_executed() -> None:
    (path,) = read(compose(stand_in("RandomResizedCrop", size=(224, 224), scale=(0.08, 1)), TO_TENSOR))
    (step,) = path.geometry or ()
    assert isinstance(step, Random)
    assert step.parameters == (("scale", "(0.08, 1)"), ("size", "(224, 224)"))
    with pytest.raises(UndeterminedError, match="random"):
        path.run(PHOTO)


def test_a_step_that_is_not_known_leaves_the_geometry_undetermined() -> None:
    (path,) = read(compose(RESIZE, stand_in("Lambda", lambd=len), TO_TENSOR))
    assert path.geometry is None
    assert "Lambda" in path.undetermined["geometry"]
    assert path.affine.scale == (1 / 255,)


def test_a_border_that_comes_after_normalization_is_in_levels() -> None:
    pad = stand_in("Pad", padding=2, fill=0, padding_mode="constant")
    (path,) = read(compose(TO_TENSOR, NORMALIZE, pad))
    result = path.run(PHOTO)
    assert np.abs(result[:, 0, 0]).max() < 1e-6
    assert result.shape == (3, 127, 181)


def test_presets_and_partials_of_them_say_the_same() -> None:
    module = "torchvision.transforms._presets"
    given = {"crop_size": [56], "resize_size": [64], "mean": list(MEAN), "std": list(STD)}
    preset = stand_in("ImageClassification", module, **given, interpolation="bilinear", antialias=True)
    partial = stand_in("partial", "functools", keywords={"crop_size": 56, "resize_size": 64})
    partial.func = type("ImageClassification", (), {})
    weights = stand_in("ResNet50_Weights", "torchvision.models.resnet", transforms=partial, _name_="IMAGENET1K_V1")
    results = [read(thing)[0].run(PHOTO) for thing in (preset, partial, weights)]
    np.testing.assert_array_equal(results[0], by_hand(64, 56, Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    assert read(weights)[0].name == "IMAGENET1K_V1"


@pytest.mark.parametrize(
    "steps",
    [
        (stand_in("Normalize", mean=[0.5, 0.5], std=[1, 1, 1]),),
        (stand_in("Normalize", mean=[0.5], std=[0.0]),),
        (stand_in("Normalize", mean=[float("nan")], std=[1.0]),),
        (stand_in("Resize", size="large"),),
        (stand_in("Resize", size=0),),
        (stand_in("Resize", size=64, interpolation="spline"),),
        (stand_in("CenterCrop", size=(1, 2, 3)),),
        (stand_in("Pad", padding=(1, 2, 3)),),
    ],
)
def test_values_that_make_no_sense_are_named(steps: tuple[Any, ...]) -> None:
    with pytest.raises(DeclarationError):
        read(compose(TO_TENSOR, *steps))


def nested(depth: int) -> Any:
    made: Any = TO_TENSOR
    for _ in range(depth):
        made = compose(made)
    return made


def test_transforms_that_hold_themselves_end() -> None:
    read(nested(10))
    with pytest.raises(DeclarationError, match="nested"):
        read(nested(100))


# timm


def timm(**config: Any) -> tuple[Pipeline, ...]:
    return read({"architecture": "x", "pretrained_cfg": {"input_size": [3, 56, 56], "mean": MEAN, "std": STD} | config})


def test_timm_resizes_to_the_size_over_the_share_and_crops() -> None:
    (path,) = timm(crop_pct=0.875, interpolation="bicubic")
    np.testing.assert_array_equal(path.run(PHOTO), by_hand(64, 56, Image.Resampling.BICUBIC))
    (usual,) = timm()
    np.testing.assert_array_equal(usual.run(PHOTO), path.run(PHOTO))
    resize = (usual.geometry or ())[0]
    said = resize.origin_of("kernel")
    assert said is not None
    assert said.origin is Origin.DEFAULT
    assert resize.origin_of("side") is not None


def test_timms_other_crops() -> None:
    (squash,) = timm(crop_mode="squash", crop_pct=0.5)
    (border,) = timm(crop_mode="border", crop_pct=1.0)
    resize = (squash.geometry or ())[0]
    assert isinstance(resize, Resize)
    assert resize.rule == "exact"
    assert [type(step) for step in border.geometry or ()] == [Resize, Crop]
    corner = border.run(PHOTO)[:, 0, 0] * STD + MEAN
    np.testing.assert_allclose(corner * 255, np.round(np.multiply(MEAN, 255)), atol=1e-3)


@pytest.mark.parametrize(("version", "kernel"), [("1.0.30", "linear"), ("1.0.31", "cubic"), ("", None)])
def test_timm_passed_no_kernel_on_for_sizes_that_are_not_square(version: str, kernel: str | None) -> None:
    config = {"input_size": [3, 56, 80], "interpolation": "bicubic", "mean": MEAN, "std": STD}
    (path,) = read_timm(config, Source(library="timm", version=version))
    resize = (path.geometry or ())[0]
    assert isinstance(resize, Resize)
    assert resize.kernel == kernel
    assert ("kernel" in resize.undetermined) == (kernel is None)


def test_timm_at_the_size_for_testing() -> None:
    usual, test = timm(test_input_size=[3, 80, 80], test_crop_pct=1.0)
    assert usual.run(PHOTO).shape == (3, 56, 56)
    assert test.run(PHOTO).shape == (3, 80, 80)


# open_clip


def open_clip(**config: Any) -> Pipeline:
    (path,) = read({"model_cfg": {}, "preprocess_cfg": {"size": 56, **config}})
    return path


def test_open_clip() -> None:
    shortest = open_clip(mean=MEAN, std=STD)
    np.testing.assert_array_equal(shortest.run(PHOTO), by_hand(56, 56, Image.Resampling.BICUBIC))
    assert shortest.decode.flags == ("convert RGB",)
    longest = open_clip(resize_mode="longest", fill_color=255, mean=[0.0] * 3, std=[1.0] * 3)
    assert longest.run(PHOTO)[:, 0].min() == 1
    squash = open_clip(resize_mode="squash", size=[40, 50])
    assert squash.run(PHOTO).shape == (3, 40, 50)
    with pytest.raises(DeclarationError, match="resize_mode"):
        open_clip(resize_mode="middle")


# transformers


def test_a_file_of_transformers_may_mean_two_implementations() -> None:
    fast, slow = read({"image_processor_type": "CLIPImageProcessor"})
    steps = [path.geometry[0] for path in (fast, slow) if path.geometry]
    assert [step.engine for step in steps if isinstance(step, Resize)] == ["torch", "pillow"]
    assert fast.affine.mean_std()[0] == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert "5" in fast.decode.undetermined["alpha"]
    (only,) = read({"image_processor_type": "CLIPImageProcessorFast"})
    assert only.name == "CLIP on torchvision"


def test_the_slow_processor_by_hand() -> None:
    data = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 64},
        "crop_size": 56,
        "image_mean": MEAN,
        "image_std": STD,
        "use_fast": False,
    }
    (path,) = read(data)
    found = path.run(PHOTO)
    assert found.shape == (1, 3, 56, 56)
    np.testing.assert_allclose(found[0], by_hand(64, 56, Image.Resampling.BICUBIC), atol=2e-6)


def test_lines_of_a_file_are_noted(tmp_path: Path) -> None:
    file = tmp_path / "preprocessor_config.json"
    data = {"image_processor_type": "ViTImageProcessor", "size": 30, "resample": 3, "use_fast": False}
    file.write_text(json.dumps(data, indent=1), encoding="utf-8")
    (path,) = read(tmp_path)
    resize = (path.geometry or ())[0]
    said = resize.origin_of("kernel")
    assert said is not None
    assert str(said) == f"config resample, {file}:4"
    default = path.affine.origin_of("scale")
    assert default is not None
    assert default.origin is Origin.DEFAULT
    assert path.run(PHOTO).shape == (1, 3, 30, 30)


def test_convnext_crops_below_384_and_squashes_from_there() -> None:
    small, _ = read({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 56}})
    large, _ = read({"image_processor_type": "ConvNextFeatureExtractor", "size": {"shortest_edge": 384}})
    resize = (small.geometry or ())[0]
    assert isinstance(resize, Resize)
    assert (resize.rule, resize.side) == ("short", 64)
    assert len(large.geometry or ()) == 1


def test_a_class_with_its_own_way_is_not_guessed() -> None:
    fast, _ = read({"image_processor_type": "Qwen2VLImageProcessor", "image_mean": [0.5], "image_std": [0.5],
                    "do_normalize": True, "do_rescale": True})  # fmt: skip
    assert fast.geometry is None
    assert "Qwen2VL" in fast.undetermined["geometry"]
    assert fast.affine.mean_std()[0] == pytest.approx((0.5,))


def test_an_image_processor_object_is_what_it_is_an_instance_of() -> None:
    base = type("BaseImageProcessor", (), {"__module__": "transformers.image_processing_utils"})
    slow = type("ViTImageProcessor", (base,), {"__module__": "transformers.models.vit"})()
    slow.size = type("SizeDict", (), {"height": 40, "width": 50})()
    slow.resample = 2
    (path,) = read(slow)
    assert path.name == "ViT on Pillow"
    assert path.run(PHOTO).shape == (1, 3, 40, 50)


def test_lanczos_on_tensors_depends_on_the_version() -> None:
    fast, slow = read({"image_processor_type": "ChameleonImageProcessor"})
    kernels = [path.geometry[0].kernel for path in (fast, slow) if path.geometry]  # type: ignore[union-attr]
    assert kernels == [None, "lanczos"]


@pytest.mark.parametrize(
    "change",
    [
        {"size": {"shortest_edge": -3}},
        {"size": {"depth": 3}},
        {"size": "large"},
        {"resample": 17},
        {"image_std": [0, 1, 1]},
        {"image_mean": [0.5, 0.5]},
        {"image_mean": "half"},
        {"rescale_factor": 0},
        {"rescale_factor": 1e999},
    ],
)
def test_values_that_transformers_would_not_take(change: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError):
        read({"image_processor_type": "ViTImageProcessor", "image_mean": [0.5] * 3, "image_std": [0.5] * 3} | change)


# What the real libraries make of it; benchmarks/readers.py has many more.


def test_against_torchvision_itself() -> None:
    try:
        transforms = pytest.importorskip("torchvision").transforms
    except RuntimeError as error:
        pytest.skip(f"torchvision does not fit torch: {error}")
    made = transforms.Compose(
        [transforms.Resize(64), transforms.CenterCrop(56), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )
    np.testing.assert_array_equal(read(made)[0].run(PHOTO), np.asarray(made(Image.fromarray(PHOTO))))
