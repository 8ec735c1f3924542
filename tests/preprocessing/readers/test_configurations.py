"""OpenMMLab, DALI, albumentations and Ultralytics: texts of configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.readers import read
from dataguard.preprocessing.steps import Crop, Pad, Random, Resize

PHOTO = photograph(123, 177)
BLUE_FIRST = np.ascontiguousarray(PHOTO[:, :, ::-1])

VERSION_2 = """
import os
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', img_scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.5),
    dict(type='Normalize', **img_norm_cfg),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiScaleFlipAug',
        img_scale=(160, 80),
        flip=False,
        transforms=[
            dict(type='Resize', keep_ratio=True),
            dict(type='RandomFlip'),
            dict(type='Normalize', **img_norm_cfg),
            dict(type='Pad', size_divisor=32),
            dict(type='ImageToTensor', keys=['img']),
        ])
]
data = dict(train=dict(type='RepeatDataset', dataset=dict(pipeline=train_pipeline)), test=dict(pipeline=test_pipeline))
os.system('echo this is never run > ran')
"""


def test_a_configuration_of_version_2(tmp_path: Path) -> None:
    (tmp_path / "cfg.py").write_text(VERSION_2, encoding="utf-8")
    train, test = read(tmp_path / "cfg.py")
    assert not (tmp_path / "ran").exists()
    assert any(isinstance(step, Random) for step in train.geometry or ())
    assert (test.decode.order, test.order, test.layout) == ("BGR", "RGB", "NCHW")
    # Written out once more: 123 × 177 fits 160 × 80 at a factor of 80/123, and is padded by what becomes zero.
    factor = min(160 / 177, 80 / 123)
    size = int(177 * factor + 0.5), int(123 * factor + 0.5)
    resized = cv2.resize(BLUE_FIRST, size, interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
    expected = (resized - np.array([123.675, 116.28, 103.53])) / np.array([58.395, 57.12, 57.375])
    expected = np.pad(expected, ((0, -size[1] % 32), (0, -size[0] % 32), (0, 0)))
    np.testing.assert_allclose(test.run(BLUE_FIRST)[0], expected.transpose(2, 0, 1), atol=1e-5)


def test_a_configuration_of_version_3_with_bases(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    (configs / "_base_").mkdir(parents=True)
    (configs / "_base_" / "model.py").write_text(
        "model = dict(data_preprocessor=dict(type='DetDataPreprocessor', mean=[103.53, 116.28, 123.675],\n"
        "    std=[1.0, 1.0, 1.0], bgr_to_rgb=False, pad_size_divisor=32), backbone=dict(depth=50))\n",
        encoding="utf-8",
    )
    (configs / "cfg.py").write_text(
        "_base_ = ['./_base_/model.py']\n"
        "scale = 64\n"
        "model = dict(backbone=dict(depth=18), data_preprocessor=dict(std=[x * 2 for x in [0.5, 1, 2]]))\n"
        "test_pipeline = [dict(type='mmdet.LoadImageFromFile'), dict(type='Resize', scale=(2 * scale, scale), "
        "keep_ratio=False), dict(type='PackDetInputs')]\n",
        encoding="utf-8",
    )
    (path,) = read(configs / "cfg.py")
    assert path.order == "BGR"
    assert path.affine.offset == pytest.approx((-103.53, -58.14, -30.91875))
    assert path.affine.scale == (1.0, 0.5, 0.25)
    resize, pad = path.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.height, resize.width) == (64, 128)
    assert isinstance(pad, Pad)
    assert (pad.rule, pad.multiple, pad.position) == ("multiple", 32, "top_left")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_base_ = '../../../etc/passwd.py'", "outside"),
        ("_base_ = './cfg.py'", "refer to one another"),
        ("_base_ = './missing.py'", "cannot be read"),
        ("img_norm_cfg = dict(mean=[1, 2], std=[1, 2, 3])", "2 and 3"),
        ("img_norm_cfg = (", "not Python"),
        ("img_norm_cfg = " + "(" * 5000 + ")" * 5000, "not Python"),
        ("img_norm_cfg = 3", "no preprocessing"),
        ("test_pipeline = [dict(type='Resize', scale=(0, 5))]", "pixels"),
    ],
)
def test_configurations_that_cannot_be_read(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "cfg.py").write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError, match=message):
        read(tmp_path / "cfg.py")


def test_what_only_running_would_tell_is_undetermined(tmp_path: Path) -> None:
    text = "import sizes\nimg_norm_cfg = dict(mean=sizes.mean, std=[1., 1., 1.])\n"
    text += (
        "test_pipeline = [dict(type='Normalize', **img_norm_cfg), dict(type='Dice'), dict(type='Resize', scale=f(3))]\n"
    )
    (tmp_path / "cfg.py").write_text(text, encoding="utf-8")
    (path,) = read(tmp_path / "cfg.py")
    assert path.affine.scale is None
    assert "Dice" in path.undetermined["geometry"]
    assert "f(…)" in path.undetermined["geometry"]


# --- DALI

DALI = """
from nvidia.dali import pipeline_def, fn, types
MEAN = [0.485 * 255, 0.456 * 255, 0.406 * 255]

@pipeline_def(batch_size=8)
def serving(folder):
    jpegs, labels = fn.readers.file(file_root=folder)
    images = fn.decoders.image(jpegs, device="mixed", output_type=types.RGB)
    images = fn.resize(images, resize_shorter=64, interp_type=types.INTERP_CUBIC, antialias=False)
    images = fn.crop_mirror_normalize(images, crop=(56, 60), dtype=types.FLOAT16, mean=MEAN,
                                      std=[58.395, 57.12, 57.375], scale=2.0, shift=0.5, output_layout="HWC")
    return images, labels
"""


def test_a_pipeline_of_dali(tmp_path: Path) -> None:
    (tmp_path / "dali.py").write_text(DALI, encoding="utf-8")
    (path,) = read(tmp_path / "dali.py")
    assert (path.name, path.layout, path.dtype, path.order) == ("serving", "NHWC", "float16", "RGB")
    assert path.decode.exif == "applied"
    assert path.decode.flags == ("device=mixed", "jpeg_fancy_upsampling=False")
    resize, crop = path.geometry or ()
    assert isinstance(resize, Resize)
    assert (resize.rule, resize.side, resize.kernel, resize.antialias, resize.engine) == (
        "short",
        64,
        "cubic",
        "none",
        None,
    )
    assert isinstance(crop, Crop)
    assert (crop.height, crop.width) == (56, 60)
    level, mean, std = 200.0, 0.485 * 255, 58.395
    scale, offset = path.affine.channel(0)
    assert scale * level + offset == pytest.approx(2.0 * (level - mean) / std + 0.5)
    said = path.affine.origin_of("offset")
    assert said is not None
    assert said.detail == "mean"


def test_what_chance_decides_in_dali(tmp_path: Path) -> None:
    text = DALI.replace("crop=(56, 60)", "crop=(56, 60), mirror=fn.random.coin_flip()")
    (tmp_path / "dali.py").write_text(text, encoding="utf-8")
    (path,) = read(tmp_path / "dali.py")
    assert [step.name for step in path.geometry or () if isinstance(step, Random)] == ["mirror"]


# --- albumentations


def albumentations(*steps: dict[str, Any]) -> dict[str, Any]:
    listed = [{"__class_fullname__": f"albumentations.{step.pop('kind')}", "p": 1.0, **step} for step in steps]
    return {"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": listed}}


def test_albumentations_by_hand() -> None:
    (path,) = read(
        albumentations(
            {"kind": "SmallestMaxSize", "max_size": 64, "interpolation": 2},
            {"kind": "CenterCrop", "height": 56, "width": 60},
            {"kind": "Normalize", "mean": [0.5] * 3, "std": [0.25] * 3, "max_pixel_value": 255.0},
            {"kind": "ToTensorV2"},
        )
    )
    resized = cv2.resize(PHOTO, (round(177 * 64 / 123), 64), interpolation=cv2.INTER_CUBIC)
    top, left = (resized.shape[0] - 56) // 2, (resized.shape[1] - 60) // 2
    levels = resized[top : top + 56, left : left + 60].astype(np.float64)
    np.testing.assert_allclose(path.run(PHOTO), ((levels / 255 - 0.5) / 0.25).transpose(2, 0, 1), atol=1e-6)
    assert path.layout == "CHW"
    said = path.decode.origin_of("order")
    assert said is not None
    assert "does not check" in said.detail


@pytest.mark.parametrize(
    "step",
    [
        {"kind": "HorizontalFlip", "p": 0.5},
        {"kind": "RandomCrop", "height": 3, "width": 3},
        {"kind": "OneOf", "transforms": []},
        {"kind": "LongestMaxSize", "max_size": [3, 4]},
    ],
)
def test_chance_in_albumentations(step: dict[str, Any]) -> None:
    (path,) = read(albumentations(step))
    assert isinstance((path.geometry or ())[0], Random)


def test_what_never_happens_or_is_not_known_in_albumentations() -> None:
    (never,) = read(albumentations({"kind": "Blur", "p": 0}))
    assert never.geometry == ()
    (unknown,) = read(albumentations({"kind": "CLAHE"}))
    assert unknown.geometry is None
    (content,) = read(albumentations({"kind": "Normalize", "normalization": "image"}))
    assert content.affine.of_content == "albumentations normalizes by image"
    with pytest.raises(DeclarationError, match="interpolation"):
        read(albumentations({"kind": "Resize", "height": 3, "width": 3, "interpolation": 77}))


# --- Ultralytics


def letterboxed(size: int, stride: int | None) -> np.ndarray[Any, Any]:
    """As `LetterBox` does it, written out once more."""
    height, width = BLUE_FIRST.shape[:2]
    ratio = min(size / height, size / width)
    new = round(width * ratio), round(height * ratio)
    across, down = size - new[0], size - new[1]
    if stride is not None:
        across, down = across % stride, down % stride
    picture = cv2.resize(BLUE_FIRST, new, interpolation=cv2.INTER_LINEAR)
    top, bottom = round(down / 2 - 0.1), round(down / 2 + 0.1)
    left, right = round(across / 2 - 0.1), round(across / 2 + 0.1)
    made = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return np.ascontiguousarray(made[:, :, ::-1].transpose(2, 0, 1))[None].astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("size", [96, 160, 320])
def test_the_letterboxes_of_ultralytics(size: int) -> None:
    exported, torch = read({"task": "detect", "mode": "predict", "imgsz": size})
    np.testing.assert_array_equal(exported.run(BLUE_FIRST), letterboxed(size, None))
    np.testing.assert_array_equal(torch.run(BLUE_FIRST), letterboxed(size, 32))
    letterbox = type("LetterBox", (), {"__module__": "ultralytics.data.augment"})()
    vars(letterbox).update(new_shape=(size, size), auto=True, scaleup=True, scale_fill=False, stride=32, center=True)
    np.testing.assert_array_equal(read(letterbox)[0].run(BLUE_FIRST), letterboxed(size, 32))
