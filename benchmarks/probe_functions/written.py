"""Functions as torchvision v2, transformers, Pillow, OpenCV, scikit-image and others have them written."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import cv2
import numpy as np
import torch
from PIL import ImageOps

from dataguard.preprocessing.probe.asking import Takes
from dataguard.preprocessing.steps import Crop, Pad, Resize, Step
from probe_functions.drawn import CV_KERNELS, NORMALIZATIONS, PIL_KERNELS, ROUNDINGS, Pixels, Truth, skimage  # type: ignore[import-not-found]


def draw_written(rng: np.random.Generator) -> Truth:
    """One random function as a library, or people who do without one, write it."""
    import torchvision.transforms.v2 as v2
    from torchvision.transforms import functional as tvf

    h = int(rng.choice([224, 256, 299, 192, 160, 128, 96]))
    side = h + int(rng.choice([0, 8, 16, 32, 37]))
    name = str(rng.choice(["imagenet", "half", "clip", "unit"]))
    mean, std = NORMALIZATIONS[name]
    mean32, std32 = np.array(mean, np.float32), np.array(std, np.float32)
    kind = str(
        rng.choice(
            [
                "torchvision v2, tensor",
                "torchvision v2, picture",
                "torchvision, PIL",
                "hf slow",
                "ImageOps.pad",
                "ImageOps.contain",
                "ImageOps.fit",
                "thumbnail",
                "normalized, then resized",
                "normalized, then padded",
                "border",
                "central_crop",
                "multiple of 32",
                "centre crop, then resized",
                "gray",
                "gray, three channels",
                "skimage float",
                "BGR caffe",
                "uint8 tensor",
                "albumentations letterbox",
            ]
        )
    )
    pil = str(rng.choice(["linear", "cubic", "lanczos"]))
    cv = str(rng.choice(["linear", "cubic", "area"]))
    follow = ROUNDINGS[rng.integers(3)]
    takes: Takes = "array"
    order, layout, dtype = "RGB", "CHW", "float32"
    scale = tuple(1 / (255 * one) for one in std)
    offset = tuple(-m / s for m, s in zip(mean, std, strict=True))
    steps: tuple[Step, ...] | None = None
    kernels: tuple[tuple[str, str, str], ...] | None = None

    def normal(pixels: Pixels) -> Pixels:
        return ((np.asarray(pixels).astype(np.float32) / np.float32(255) - mean32) / std32).transpose(2, 0, 1)

    function: Callable[[Any], Any]
    if kind.startswith("torchvision"):
        inter = v2.InterpolationMode.BILINEAR if pil == "linear" else v2.InterpolationMode.BICUBIC
        takes = "array" if kind.endswith("tensor") else "pillow"
        antialias = bool(rng.random() < 0.8) or takes == "pillow"
        resize = v2.Resize(side, interpolation=inter, antialias=antialias)
        crop, norm = v2.CenterCrop(h), v2.Normalize(mean, std)

        def function(given: Any) -> Any:
            if takes == "array":
                given = torch.from_numpy(given.copy()).permute(2, 0, 1)
            made = crop(resize(given))
            if takes == "pillow":
                made = v2.functional.pil_to_tensor(made)
            return norm(v2.functional.to_dtype(made, torch.float32, scale=True))

        steps = Resize(rule="short", side=side), Crop(rule="center", height=h, width=h, rounding="half_even")
    elif kind == "hf slow":
        takes = "pillow"

        def function(given: Any) -> Any:
            width, height = given.size
            short, long = sorted((height, width))
            other = int(side * long / short)
            made = given.resize((side, other) if width <= height else (other, side), PIL_KERNELS[pil])
            array = np.asarray(made)
            top, left = (array.shape[0] - h) // 2, (array.shape[1] - h) // 2
            array = array[top : top + h, left : left + h] * (1 / 255)
            return ((array.astype(np.float32) - mean32) / std32).transpose(2, 0, 1)

        steps = Resize(rule="short", side=side), Crop(rule="center", height=h, width=h)
    elif kind == "ImageOps.pad":
        takes = "pillow"
        colour = (int(rng.integers(256)), 7, 128)

        def function(given: Any) -> Any:
            return normal(ImageOps.pad(given, (h, side), method=PIL_KERNELS[pil], color=colour))

        steps = (
            Resize(rule="fit", height=side, width=h, rounding="half_even"),
            Pad(rule="to", height=side, width=h, rounding="half_even"),
        )
    elif kind == "ImageOps.contain":
        takes = "pillow"

        def function(given: Any) -> Any:
            return normal(ImageOps.contain(given, (h, side), method=PIL_KERNELS[pil]))

        steps = (Resize(rule="fit", height=side, width=h, rounding="half_even"),)
    elif kind == "ImageOps.fit":
        takes = "pillow"
        at = (0.5, 0.5) if rng.random() < 0.7 else (0.0, 0.3)

        def function(given: Any) -> Any:
            return normal(ImageOps.fit(given, (h, side), method=PIL_KERNELS[pil], centering=at))

        steps = (Resize(rule="exact", height=side, width=h, source="aspect", centering=at),)
    elif kind == "thumbnail":
        takes = "pillow"

        def function(given: Any) -> Any:
            given.thumbnail((h, h), PIL_KERNELS[pil])
            return normal(given)

        steps = None
    elif kind == "normalized, then resized":

        def function(given: Any) -> Any:
            return cv2.resize(normal(given).transpose(1, 2, 0), (h, side), interpolation=CV_KERNELS[cv])

        layout, steps = "HWC", (Resize(rule="exact", height=side, width=h),)
    elif kind == "normalized, then padded":

        def function(given: Any) -> Any:
            height, width = given.shape[:2]
            ratio = h / max(height, width)
            size = round(width * ratio), round(height * ratio)
            made = normal(cv2.resize(given, size, interpolation=CV_KERNELS[cv]))
            whole = np.zeros((3, h, h), np.float32)
            whole[:, : size[1], : size[0]] = made
            return whole

        steps = (
            Resize(rule="fit", height=h, width=h, rounding="half_even"),
            Pad(rule="to", height=h, width=h, position="top_left"),
        )
    elif kind == "border":
        mode = int(rng.choice([cv2.BORDER_REFLECT_101, cv2.BORDER_REFLECT, cv2.BORDER_REPLICATE]))

        def function(given: Any) -> Any:
            height, width = given.shape[:2]
            ratio = h / max(height, width)
            size = int(width * ratio + 0.5), int(height * ratio + 0.5)
            made = cv2.resize(given, size, interpolation=CV_KERNELS[cv])
            down, across = h - size[1], h - size[0]
            made = cv2.copyMakeBorder(
                made, down // 2, down - down // 2, across // 2, across - across // 2, borderType=mode
            )
            return normal(made)

    elif kind == "central_crop":
        share = float(rng.choice([0.875, 0.8, 0.9]))

        def function(given: Any) -> Any:
            height, width = given.shape[:2]
            top, left = int((height - height * share) / 2), int((width - width * share) / 2)
            made = given[top : height - top, left : width - left].astype(np.float32)
            tensor = torch.from_numpy(made).permute(2, 0, 1)[None]
            made = torch.nn.functional.interpolate(tensor, (h, h), mode="bilinear", antialias=False)[0]
            return (made.numpy() / 255 - mean32[:, None, None]) / std32[:, None, None]

        steps = Crop(rule="fraction", fraction=share), Resize(rule="exact", height=h, width=h)
    elif kind == "multiple of 32":
        how = str(rng.choice(["floor", "ceil", "round"]))
        turn: Any = {"floor": math.floor, "ceil": math.ceil, "round": round}[how]

        def function(given: Any) -> Any:
            height, width = given.shape[:2]
            size = max(32, turn(width / 32) * 32), max(32, turn(height / 32) * 32)
            return normal(cv2.resize(given, size, interpolation=CV_KERNELS[cv]))

    elif kind == "centre crop, then resized":
        takes = "pillow"

        def function(given: Any) -> Any:
            return normal(tvf.center_crop(given, [96, 128]).resize((h, side), PIL_KERNELS[pil]))

    elif kind.startswith("gray"):
        takes = "pillow"
        three = kind != "gray"

        def function(given: Any) -> Any:
            made = np.asarray(given.convert("L").resize((h, h), PIL_KERNELS[pil])).astype(np.float32) / 255
            return np.repeat(made[None], 3, axis=0) if three else made[None]

        order = "RGB" if three else "GRAY"
        scale, offset = ((1 / 255,) * 3, (0.0,) * 3) if three else ((1 / 255,), (0.0,))
        steps = (Resize(rule="exact", height=h, width=h),)
    elif kind == "skimage float":

        def function(given: Any) -> Any:
            return skimage.transform.resize(given / 255.0, (h, side), anti_aliasing=True)

        layout, dtype, scale, offset = "HWC", "float64", (1 / 255,) * 3, (0.0,) * 3
        steps = (Resize(rule="exact", height=h, width=side),)
    elif kind == "BGR caffe":

        def function(given: Any) -> Any:
            made = cv2.resize(given[:, :, ::-1].copy(), (h, h), interpolation=CV_KERNELS[cv]).astype(np.float32)
            return (made - np.array([103.939, 116.779, 123.68], np.float32)).transpose(2, 0, 1)

        order, scale, offset = "BGR", (1.0,) * 3, (-103.939, -116.779, -123.68)
        steps = (Resize(rule="exact", height=h, width=h),)
    elif kind == "uint8 tensor":

        def function(given: Any) -> Any:
            return v2.functional.resize(torch.from_numpy(given.copy()).permute(2, 0, 1), [h, side])

        dtype, scale, offset = "uint8", (1.0,) * 3, (0.0,) * 3
        steps = (Resize(rule="exact", height=h, width=side),)
    else:
        alb: Any = import_module("albumentations")

        composed = alb.Compose(
            [
                alb.LongestMaxSize(h, interpolation=CV_KERNELS[cv]),
                alb.PadIfNeeded(h, h, border_mode=cv2.BORDER_CONSTANT, fill=114),
                alb.Normalize(mean, std),
            ]
        )

        def function(given: Any) -> Any:
            return composed(image=given)["image"]

        layout = "HWC"
    return Truth(
        function=function,
        takes=takes,
        steps=steps,
        kernels=kernels,
        order=order,
        scale=scale,
        offset=offset,
        layout=layout,
        dtype=dtype,
        words=f"{kind} ({pil}, {cv}, {follow}) to {h}, {side}, {name}",
    )
