"""One line between loading a picture and feeding it, for what libraries offer: what becomes of the path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Random, Resize
from tests.preprocessing.static.repositories import only, reading

IMPORTS = """
import cv2, kornia, random, scipy.ndimage, skimage, torch
import albumentations as A
import imgaug.augmenters as iaa
import numpy as np
import tensorflow as tf
import torch.nn.functional as F
import torchvision.transforms.functional as TF
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torchvision import transforms
from torchvision.transforms import v2
"""
ARRAY = (
    "x = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)",
    "torch.from_numpy((x / 255.0).transpose(2, 0, 1)).float()[None]",
)
PILLOW = "x = Image.open(path).convert('RGB')", "transforms.ToTensor()(x)[None]"
TENSOR = "x = transforms.ToTensor()(Image.open(path).convert('RGB'))", "x.unsqueeze(0)"
GRAPH = "x = tf.image.decode_jpeg(tf.io.read_file(path), channels=3)", "tf.cast(x, tf.float32)[None] / 255.0"


def shown(step: Any) -> Any:
    """A step in short."""
    if isinstance(step, Filter):
        return f"filter {step.name}"
    if isinstance(step, Random):
        return f"random {step.name}"
    if isinstance(step, Resize):
        return "resize", step.rule, step.height, step.width, step.kernel
    if isinstance(step, Crop | Pad):
        return type(step).__name__.lower(), step.rule, step.height, step.width
    return step.kind if isinstance(step, Flip) else step


def path_of(folder: Path, ways: tuple[str, str], line: str) -> Any:
    script = f"{IMPORTS}\nmodel = torch.load('weights')\n{ways[0]}\n{line}\nmodel({ways[1]})\n"
    return only(reading(folder, {"predict.py": script})).pipeline


@pytest.mark.parametrize(
    ("ways", "line", "steps"),
    [
        (ARRAY, "x = cv2.GaussianBlur(x, (5, 5), 0)", ["filter GaussianBlur"]),
        (ARRAY, "k = random.choice([3, 5]); x = cv2.GaussianBlur(x, (k, k), 0)", ["random GaussianBlur"]),
        (ARRAY, "x = cv2.addWeighted(x, 0.3, x, 0.7, 0)", ["filter addWeighted"]),
        (ARRAY, "x = cv2.rectangle(x, (0, 0), (9, 9), (255, 0, 0))", []),
        (ARRAY, "cv2.rectangle(x, (0, 0), (9, 9), (255, 0, 0))", []),
        (ARRAY, "x = scipy.ndimage.gaussian_filter(x, 1)", ["filter gaussian_filter"]),
        (ARRAY, "x = skimage.filters.gaussian(x, 1) * 255", ["filter gaussian"]),
        (ARRAY, "x = skimage.util.random_noise(x) * 255", ["random noise"]),
        (ARRAY, "x = np.rot90(x)", ["rotate_90"]),
        (ARRAY, "x = np.rot90(x, 3)", ["rotate_270"]),
        (ARRAY, "x = np.rot90(x, random.randint(0, 3))", ["random rot90"]),
        (ARRAY, "x = iaa.Resize(96)(image=x)", [("resize", "exact", 96, 96, "cubic")]),
        (ARRAY, "x, y = iaa.Fliplr(0.5)(image=x, segmentation_maps=y)", ["random flip"]),
        (ARRAY, "x = A.Compose([A.Crop(0, 0, 90, 80)])(image=x)['image']", [("crop", "offset", 80, 90)]),
        (ARRAY, "x = A.Compose([A.RandomSizedCrop((9, 99), 96, 96)])(image=x)['image']", ["random RandomSizedCrop"]),
        (PILLOW, "x = x.filter(ImageFilter.GaussianBlur(2))", ["filter GaussianBlur"]),
        (PILLOW, "x = x.filter(ImageFilter.SHARPEN)", ["filter SHARPEN"]),
        (PILLOW, "x = x.filter(ImageFilter.GaussianBlur(random.random()))", ["random blur"]),
        (PILLOW, "x = ImageEnhance.Sharpness(x).enhance(2.0)", ["filter sharpness"]),
        (PILLOW, "x = x.reduce(2)", [("resize", "scale", None, None, "box")]),
        (PILLOW, "x = ImageOps.scale(x, 0.5)", [("resize", "scale", None, None, "cubic")]),
        (PILLOW, "x = x.transform((96, 64), Image.AFFINE, m)", [("resize", None, 64, 96, "nearest_exact")]),
        (PILLOW, "x = Image.frombytes('RGB', x.size, x.tobytes())", []),
        (PILLOW, "x = Image.alpha_composite(Image.new('RGBA', x.size), x.convert('RGBA')).convert('RGB')", []),
        (PILLOW, "x = TF.gaussian_blur(x, 3)", ["filter gaussian_blur"]),
        (PILLOW, "x = TF.five_crop(x, 96)[0]", ["random five_crop"]),
        (PILLOW, "x = v2.RGB()(x)", []),
        (PILLOW, "x = TF.to_pil_image(TF.to_tensor(x))", []),
        (TENSOR, "x = torch.nn.Upsample(size=(96, 96), mode='bilinear')(x[None])[0]",
         [("resize", "exact", 96, 96, "linear")]),
        (TENSOR, "x = torch.nn.Sequential(transforms.Resize((96, 96), antialias=True))(x)",
         [("resize", "exact", 96, 96, "linear")]),
        (TENSOR, "x = torch.nn.Identity()(x)", []),
        (TENSOR, "x = x + 0.1 * torch.randn_like(x)", ["random noise"]),
        (TENSOR, "x = kornia.geometry.resize(x[None], (96, 64))[0]", [("resize", "exact", 96, 64, "linear")]),
        (TENSOR, "x = kornia.augmentation.RandomHorizontalFlip()(x[None])[0]", ["random RandomHorizontalFlip"]),
        (TENSOR, "x = kornia.augmentation.AugmentationSequential(kornia.augmentation.ColorJitter(0.1))(x[None])[0]",
         ["random ColorJitter"]),
        (TENSOR, "x = kornia.filters.gaussian_blur2d(x[None], (3, 3), (1, 1))[0]", ["filter gaussian_blur2d"]),
        (GRAPH, "x = tf.image.pad_to_bounding_box(x, 0, 0, 2000, 2000)", [("pad", "to", 2000, 2000)]),
        (GRAPH, "x = tf.keras.layers.CenterCrop(96, 96)(x)", [("crop", "center", 96, 96)]),
        (GRAPH, "x = tf.keras.preprocessing.image.smart_resize(x, (96, 96))",
         [("crop", "square", None, None), ("resize", "exact", 96, 96, "linear")]),
        (GRAPH, "x = np.array(tf.keras.utils.load_img(path, target_size=(96, 96), keep_aspect_ratio=True))",
         [("crop", "square", None, None), ("resize", "exact", 96, 96, "nearest_exact")]),
        (GRAPH, "x = tf.keras.preprocessing.image.random_rotation(x, 10)", ["random random_rotation"]),
    ],
)  # fmt: skip
def test_what_becomes_of_the_steps(tmp_path: Path, ways: tuple[str, str], line: str, steps: list[Any]) -> None:
    found = path_of(tmp_path, ways, line)
    assert found.geometry is not None, found.undetermined
    assert [shown(step) for step in found.geometry] == steps
    assert (found.order, found.affine.scale) == ("RGB", (pytest.approx(1 / 255),))
    assert found.layout == ("NHWC" if ways is GRAPH else "NCHW")


@pytest.mark.parametrize(
    ("ways", "line", "scale", "offset"),
    [
        (ARRAY, "x = cv2.convertScaleAbs(x, alpha=1.2, beta=10)", 1.2 / 255, 10 / 255),
        (ARRAY, "x = cv2.bitwise_not(x)", -1 / 255, 1.0),
        (ARRAY, "x = A.Compose([A.FromFloat(max_value=255)])(image=x / 255.0)['image']", 1 / 255, 0.0),
        (PILLOW, "x = ImageOps.invert(x)", -1 / 255, 1.0),
        (PILLOW, "x = x.point(lambda level: level * 1.2)", 1.2 / 255, 0.0),
        (PILLOW, "x = ImageEnhance.Brightness(x).enhance(1.2)", 1.2 / 255, 0.0),
        (TENSOR, "x = TF.invert(x)", -1 / 255, 1.0),
        (TENSOR, "x = kornia.enhance.normalize(x[None], torch.tensor([0.5]), torch.tensor([0.5]))[0]", 2 / 255, -1.0),
    ],
)
def test_what_becomes_of_the_levels(
    tmp_path: Path, ways: tuple[str, str], line: str, scale: float, offset: float
) -> None:
    found = path_of(tmp_path, ways, line)
    assert (found.affine.scale, found.affine.offset) == ((pytest.approx(scale),), (pytest.approx(offset),))
    assert (found.geometry, found.order) == ((), "RGB")


@pytest.mark.parametrize(
    ("ways", "line"),
    [
        (ARRAY, "x = cv2.addWeighted(x, 4, cv2.GaussianBlur(x, (0, 0), 9), -4, 128)"),
        (ARRAY, "x = np.where(x > 9, 255, x)"),
        (ARRAY, "_, x = cv2.threshold(x, 127, 255, 0)"),
        (ARRAY, "x = skimage.exposure.adjust_gamma(x, 2)"),
        (PILLOW, "x = ImageOps.autocontrast(x)"),
        (PILLOW, "x = x.point([0] * 256)"),
        (GRAPH, "x = tf.image.adjust_contrast(x, 1.2)"),
    ],
)
def test_levels_that_go_through_a_curve(tmp_path: Path, ways: tuple[str, str], line: str) -> None:
    found = path_of(tmp_path, ways, line)
    assert (found.affine.scale, found.geometry, found.order) == (None, (), "RGB")


@pytest.mark.parametrize(
    ("ways", "line"),
    [
        (ARRAY, "x = cv2.pyrDown(x)"),
        (ARRAY, "x = cv2.hconcat([x, x])"),
        (ARRAY, "x = np.roll(x, 9, axis=0)"),
        (PILLOW, "x = TF.rotate(x, 10)"),
    ],
)
def test_pixels_that_come_from_elsewhere(tmp_path: Path, ways: tuple[str, str], line: str) -> None:
    found = path_of(tmp_path, ways, line)
    assert (found.geometry, found.order, found.affine.scale) == (None, "RGB", (pytest.approx(1 / 255),))


@pytest.mark.parametrize(
    ("ways", "line", "order"),
    [
        (ARRAY, "x = np.take(x, [2, 1, 0], axis=-1)", "BGR"),
        (ARRAY, "x = np.repeat(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)", "GRAY"),
        (ARRAY, "x = A.Compose([A.Lambda(image=lambda one, **more: one[..., ::-1])])(image=x)['image']", "BGR"),
        (TENSOR, "x = kornia.color.rgb_to_bgr(x)", "BGR"),
        (GRAPH, "x = tf.gather(x, [2, 1, 0], axis=-1)", "BGR"),
        (GRAPH, "r, g, b = tf.unstack(x, axis=-1); x = tf.stack([b, g, r], axis=-1)", "BGR"),
    ],
)
def test_what_becomes_of_the_channels(tmp_path: Path, ways: tuple[str, str], line: str, order: str) -> None:
    found = path_of(tmp_path, ways, line)
    assert (found.order, found.affine.scale, found.geometry) == (order, (pytest.approx(1 / 255),), ())


def test_an_interpolation_that_a_step_of_chance_resizes_by(tmp_path: Path) -> None:
    line = "x = A.Compose([A.RandomResizedCrop(96, 64, interpolation=cv2.INTER_AREA)])(image=x)['image']"
    step = path_of(tmp_path, ARRAY, line).geometry[0]
    assert dict(step.parameters) == {"size": "96x64", "interpolation": "area", "engine": "opencv"}


def test_a_filter_that_depends_on_what_is_not_known(tmp_path: Path) -> None:
    found = path_of(tmp_path, ARRAY, "x = cv2.resize(x, (96, 64))\nif options.smooth: x = cv2.blur(x, (3, 3))")
    assert [shown(step) for step in found.geometry] == [("resize", "exact", 64, 96, "linear"), "filter None"]
    assert "options.smooth" in found.geometry[-1].undetermined["name"]


@pytest.mark.parametrize(
    ("call", "kernel", "align"),
    [
        ("geometry.resize(x[None], (96, 64))", "linear", "half_pixel"),
        ("geometry.resize(x[None], (96, 64), 'bicubic', False)", "cubic", "half_pixel"),
        ("geometry.resize(x[None], (96, 64), 'bicubic', True)", "cubic", "align_corners"),
        ("geometry.transform.Resize((96, 64), align_corners=True)(x[None])", "linear", "align_corners"),
        ("geometry.resize(x[None], (96, 64), 'nearest', True)", "nearest", "half_pixel"),
        ("geometry.resize(x[None], (96, 64), align_corners=unknown())", "linear", None),
        ("augmentation.Resize((96, 64))(x[None])", "linear", "align_corners"),
        ("augmentation.Resize((96, 64), 'short', 'BICUBIC', False)(x[None])", "cubic", "half_pixel"),
        ("augmentation.Resize((96, 64), resample=kornia.constants.Resample.NEAREST)(x[None])", "nearest", "half_pixel"),
    ],
)
def test_what_a_resize_of_kornia_does_to_corners(tmp_path: Path, call: str, kernel: str, align: str | None) -> None:
    (step,) = path_of(tmp_path, TENSOR, f"x = kornia.{call}[0]").geometry
    assert (step.rule, step.height, step.width, step.kernel, step.align) == ("exact", 96, 64, kernel, align)
    assert ("align" in step.undetermined) is (align is None)
