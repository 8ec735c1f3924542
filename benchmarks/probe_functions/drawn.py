"""Functions of resizes, borders, crops and normalizations, in PIL, OpenCV, torch and scikit-image."""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps

from dataguard.preprocessing.probe.asking import Takes
from dataguard.preprocessing.steps import Crop, Pad, Resize, Rounding, Step, rounded

skimage: Any = None
with contextlib.suppress(ImportError):
    skimage = importlib.import_module("skimage")
    importlib.import_module("skimage.transform")

Pixels = Any
ROUNDINGS: tuple[Rounding, ...] = ("floor", "half_even", "half_up")
PIL_KERNELS = {
    "nearest_exact": Image.Resampling.NEAREST,
    "linear": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
CV_KERNELS = {
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
    "nearest": cv2.INTER_NEAREST,
}
NORMALIZATIONS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "caffe": ((103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255, 1 / 255, 1 / 255)),
}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A function and what it does."""

    function: Callable[[Any], Any]
    takes: Takes
    steps: tuple[Step, ...] | None
    """None: no canonical steps are it exactly; then reproduction alone is judged."""
    kernels: tuple[tuple[str, str, str], ...] | None
    order: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    layout: str
    dtype: str
    words: str


def resized(pixels: Pixels, size: tuple[int, int], engine: str, kernel: str, antialias: str) -> Pixels:
    """Uint8 (height, width, 3) at another size, as people write it."""
    height, width = size
    if pixels.shape[:2] == (height, width):
        return pixels
    if engine == "pillow":
        return np.asarray(Image.fromarray(pixels).resize((width, height), PIL_KERNELS[kernel]))
    if engine == "opencv":
        return cv2.resize(pixels, (width, height), interpolation=CV_KERNELS[kernel])
    if engine == "torch":
        mode = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest", "nearest_exact": "nearest-exact"}[
            kernel
        ]
        tensor = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float()
        options = {"antialias": antialias == "scaled", "align_corners": False} if mode.startswith("bi") else {}
        return (
            torch.nn.functional.interpolate(tensor, size=(height, width), mode=mode, **options)[0]
            .permute(1, 2, 0)
            .numpy()
        )
    order = {"nearest_exact": 0, "linear": 1, "cubic": 3}[kernel]
    smoothed = antialias == "gaussian"
    return skimage.transform.resize(pixels, (height, width), order=order, anti_aliasing=smoothed, preserve_range=True)


def draw_kernel(rng: np.random.Generator) -> tuple[str, str, str]:
    """A library, its kernel, and how it is widened."""
    engine = str(rng.choice(["pillow", "opencv", "torch", "scikit-image"], p=[0.35, 0.35, 0.15, 0.15]))
    if engine == "scikit-image" and skimage is None:
        engine = "pillow"
    if engine == "pillow":
        kernel = str(rng.choice(list(PIL_KERNELS), p=[0.1, 0.35, 0.25, 0.15, 0.08, 0.07]))
        return engine, kernel, "none" if kernel == "nearest_exact" else "scaled"
    if engine == "opencv":
        return engine, str(rng.choice(list(CV_KERNELS), p=[0.4, 0.2, 0.2, 0.1, 0.1])), "none"
    if engine == "torch":
        kernel = str(rng.choice(["linear", "cubic", "nearest"], p=[0.5, 0.35, 0.15]))
        return engine, kernel, "none" if kernel == "nearest" else str(rng.choice(["scaled", "none"]))
    kernel = str(rng.choice(["linear", "cubic", "nearest_exact"], p=[0.6, 0.25, 0.15]))
    return engine, kernel, "none" if kernel == "nearest_exact" else str(rng.choice(["gaussian", "none"]))


def draw_geometry(rng: np.random.Generator) -> tuple[tuple[Step, ...], str]:
    """Steps, and what they are called."""
    h = int(rng.choice([224, 256, 299, 192, 160, 128, 384, 112, 96, 64, 320]))
    w = h if rng.random() < 0.75 else int(rng.choice([224, 256, 320, 160, 192]))
    follow = ROUNDINGS[rng.integers(3)]
    cut = ROUNDINGS[rng.integers(3)]
    side = max(h, w) + int(rng.choice([0, 8, 16, 24, 32, 31, 37]))
    fill = (float(rng.choice([0, 114, 127, 128, 255])),)
    families: list[tuple[str, Callable[[], tuple[Step, ...]], float]] = [
        ("exact", lambda: (Resize(rule="exact", height=h, width=w),), 3),
        (
            "short + centre crop",
            lambda: (
                Resize(rule="short", side=side, rounding=follow),
                Crop(rule="center", height=h, width=w, rounding=cut),
            ),
            3,
        ),
        (
            "exact + centre crop",
            lambda: (
                Resize(rule="exact", height=side + 3, width=side),
                Crop(rule="center", height=h, width=w, rounding=cut),
            ),
            1,
        ),
        ("square crop + exact", lambda: (Crop(rule="square"), Resize(rule="exact", height=h, width=w)), 1),
        (
            "fraction + exact",
            lambda: (
                Crop(rule="fraction", fraction=float(rng.choice([0.875, 0.8, 0.9]))),
                Resize(rule="exact", height=h, width=w),
            ),
            1,
        ),
        (
            "letterbox",
            lambda: (
                Resize(rule="fit", height=h, width=w, rounding=follow),
                Pad(rule="to", height=h, width=w, fill=fill),
            ),
            2,
        ),
        (
            "letterbox, top left",
            lambda: (
                Resize(rule="fit", height=h, width=w, rounding=follow),
                Pad(rule="to", height=h, width=w, fill=fill, position="top_left"),
            ),
            1,
        ),
        ("square pad + exact", lambda: (Pad(rule="square", fill=fill), Resize(rule="exact", height=h, width=w)), 1),
        ("short", lambda: (Resize(rule="short", side=side, rounding=follow),), 1),
        ("short, longest", lambda: (Resize(rule="short", side=side, longest=side + 45, rounding="floor"),), 0.5),
        ("long", lambda: (Resize(rule="long", side=side, rounding=follow),), 1),
        (
            "long, multiple of 32",
            lambda: (
                Resize(rule="long", side=320, rounding=follow),
                Pad(rule="multiple", multiple=32, position="top_left", fill=fill),
            ),
            0.5,
        ),
        ("centre crop", lambda: (Crop(rule="center", height=h, width=w, rounding=cut),), 0.7),
        ("nothing", lambda: (), 0.5),
        ("half", lambda: (Resize(rule="scale", factor=0.5, rounding="floor"),), 0.5),
    ]
    weights = np.array([weight for _, _, weight in families])
    name, make, _ = families[rng.choice(len(families), p=weights / weights.sum())]
    return make(), name


def moved(pixels: Pixels, step: Any, kernel: tuple[str, str, str]) -> Pixels:
    """One step by hand."""
    height, width = pixels.shape[:2]
    kind = type(step)
    if kind is Resize:
        return resized(pixels, step.target(height, width), *kernel)
    if kind is Crop:
        if step.rule == "square":
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            return pixels[top : top + side, left : left + side]
        if step.rule == "fraction":
            top, left = int((height - height * step.fraction) / 2), int((width - width * step.fraction) / 2)
            return pixels[top : height - top, left : width - left]
        tall, wide = step.height, step.width
        if height < tall or width < wide:
            above, leftward = (
                max(0, -rounded((height - tall) / 2, step.rounding)),
                max(0, -rounded((width - wide) / 2, step.rounding)),
            )
            below, right = max(0, tall - height - above), max(0, wide - width - leftward)
            pixels = np.pad(pixels, ((above, below), (leftward, right), (0, 0)))
            height, width = pixels.shape[:2]
            top = 0 if above or below else rounded((height - tall) / 2, step.rounding)
            left = 0 if leftward or right else rounded((width - wide) / 2, step.rounding)
            return pixels[top : top + tall, left : left + wide]
        top, left = rounded((height - tall) / 2, step.rounding), rounded((width - wide) / 2, step.rounding)
        return pixels[top : top + tall, left : left + wide]
    if kind is Pad:
        if step.rule == "square":
            tall = wide = max(height, width)
        elif step.rule == "multiple":
            tall, wide = (
                math.ceil(height / step.multiple) * step.multiple,
                math.ceil(width / step.multiple) * step.multiple,
            )
        else:
            tall, wide = step.height, step.width
        top = (tall - height) // 2 if step.position == "center" else 0
        left = (wide - width) // 2 if step.position == "center" else 0
        canvas = np.full((tall, wide, pixels.shape[2]), step.fill[0], dtype=pixels.dtype)
        canvas[top : top + height, left : left + width] = pixels
        return canvas
    raise TypeError(step)


def draw(rng: np.random.Generator, *, two_stage: bool) -> Truth:
    """One random function."""
    steps, family = draw_geometry(rng)
    kernel = draw_kernel(rng)
    kernels = [kernel]
    before: tuple[Resize, ...] = ()
    if two_stage:
        # What a loader or a cache had done already, with a kernel of its own.
        middle = int(rng.choice([256, 288, 320, 352, 384, 400, 448, 512]))
        before = (
            (Resize(rule="exact", height=middle, width=middle),)
            if rng.random() < 0.6
            else (Resize(rule="short", side=middle),)
        )
        first = draw_kernel(rng)
        while first[0] not in ("pillow", "opencv"):
            first = draw_kernel(rng)
        kernels = [first, kernel]
    has_resize = any(isinstance(step, Resize) for step in steps)
    takes = cast("Takes", str(rng.choice(["path", "array", "pillow"], p=[0.4, 0.4, 0.2])))
    decoder = str(rng.choice(["pillow", "opencv"]))
    order = str(rng.choice(["RGB", "BGR"], p=[0.7, 0.3]))
    name = str(rng.choice(list(NORMALIZATIONS)))
    mean, std = NORMALIZATIONS[name]
    layout = str(rng.choice(["CHW", "HWC", "NCHW", "NHWC"]))
    dtype = str(rng.choice(["float32", "float32", "float32", "float16", "float64", "uint8"]))
    variant = int(rng.integers(3))

    def function(given: Any) -> Any:
        if takes == "path":
            if decoder == "pillow":
                pixels = np.asarray(ImageOps.exif_transpose(Image.open(given)).convert("RGB"))
            else:
                pixels = cv2.cvtColor(np.asarray(cv2.imread(given)), cv2.COLOR_BGR2RGB)
        else:
            pixels = np.asarray(given)
        if order == "BGR":
            pixels = np.ascontiguousarray(pixels[:, :, ::-1])
        for first_step in before:
            pixels = moved(pixels, first_step, kernels[0])
        for step in steps:
            pixels = moved(pixels, step, kernels[-1])
        if dtype == "uint8":
            values = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        elif variant == 0:
            values = (
                (pixels.astype(np.float32) / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
            ).astype(dtype)
        elif variant == 1:
            values = ((pixels - np.array(mean) * 255) * (1 / (np.array(std) * 255))).astype(dtype)
        else:
            tensor = torch.from_numpy(np.array(pixels, dtype=np.float32)).div(255)
            values = ((tensor - torch.tensor(mean)) / torch.tensor(std)).numpy().astype(dtype)
        if layout.endswith("CHW"):
            values = values.transpose(2, 0, 1)
        values = values[None] if layout.startswith("N") else values
        return torch.from_numpy(np.ascontiguousarray(values)) if variant == 2 and dtype != "uint8" else values

    scale = tuple(1.0 if dtype == "uint8" else 1 / (255 * one) for one in std)
    offset = tuple(0.0 if dtype == "uint8" else -m / s for m, s in zip(mean, std, strict=True))
    return Truth(
        function=function,
        takes=takes,
        steps=(*before, *steps),
        kernels=tuple(kernels) if has_resize else tuple(kernels[: len(before)]),
        order=order,
        scale=scale,
        offset=offset,
        layout=layout,
        dtype=dtype,
        words=f"{takes}, {family}, {' then '.join('/'.join(one) for one in kernels)}, {order} {name} {layout} {dtype}"
        + (f", after {before[0].rule} {before[0].side or before[0].height}" if before else ""),
    )
