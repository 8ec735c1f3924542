"""Resizing through the library that a path names, to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.steps import Resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PILLOW = {"nearest_exact": 0, "lanczos": 1, "linear": 2, "cubic": 3, "box": 4, "hamming": 5}
"""Pillow's numbers. Its nearest is at the pixels' middle."""

_OPENCV = {"nearest": 0, "linear": 1, "cubic": 2, "area": 3, "lanczos": 4, "nearest_exact": 6}
_TORCH = {
    "nearest": "nearest",
    "nearest_exact": "nearest-exact",
    "linear": "bilinear",
    "cubic": "bicubic",
    "area": "area",
    "lanczos": "lanczos",
}
_SPLINE = {"nearest_exact": 0, "linear": 1, "cubic": 3}
_TENSORFLOW = {
    "nearest": "nearest",
    "nearest_exact": "nearest",
    "linear": "bilinear",
    "cubic": "bicubic",
    "lanczos": "lanczos3",
    "area": "area",
}


def resize(pixels: NDArray[Any], step: Resize) -> NDArray[Any]:
    """Resize as a step says.

    Args:
        pixels: Shape (height, width, channels), uint8 levels, or floats in levels of 0 to 255.
        step: What to do.

    Returns:
        Shape (new height, new width, channels): uint8 where the step's arithmetic is, floats otherwise.

    Raises:
        UndeterminedError: the kernel, the engine or the size is not known, or the engine has no such kernel.
        MissingLibraryError: the engine is not installed.
    """
    if step.engine is None or step.kernel is None or step.antialias is None or step.arithmetic is None:
        missing = next(name for name in ("engine", "kernel", "antialias", "arithmetic") if getattr(step, name) is None)
        raise UndeterminedError(f"the {missing} of a resize is undetermined", hint=step.undetermined.get(missing))
    try:
        height, width = step.target(*pixels.shape[:2])
        part = step.area(*pixels.shape[:2])
    except ValueError as error:
        raise UndeterminedError(str(error)) from error
    whole = part == (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    if not whole and step.engine != "pillow":
        raise UndeterminedError(f"{step.engine} does not resize a part of a picture; Pillow does (box)")
    if step.arithmetic == "uint8" and pixels.dtype != np.uint8:
        pixels = _levels(pixels)
    elif step.arithmetic != "uint8":
        pixels = pixels.astype("float32" if step.arithmetic == "rounded" else step.arithmetic)
    if step.engine == "scikit-image" or pixels.shape[:2] != (height, width) or not whole:
        pixels = _ENGINES[step.engine](np.ascontiguousarray(pixels), height, width, step)
    return _levels(pixels) if step.arithmetic == "rounded" else pixels


def _pillow(pixels: NDArray[Any], height: int, width: int, step: Resize) -> NDArray[Any]:
    from PIL import Image

    resample = _number(_PILLOW, step)
    if step.antialias != "scaled" and step.kernel != "nearest_exact":
        raise UndeterminedError(f"Pillow has no {step.kernel} kernel without antialiasing")
    box = None if step.source == "all" else step.area(*pixels.shape[:2])
    if pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3, 4):
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        made = picture.resize((width, height), resample, box=box, reducing_gap=step.reducing_gap)
        return np.asarray(made).reshape(height, width, -1)
    # Pillow has no colour pictures of floats: each channel by itself.
    planes = [
        np.asarray(Image.fromarray(pixels[:, :, channel].astype(np.float32)).resize((width, height), resample, box=box))
        for channel in range(pixels.shape[2])
    ]
    return np.stack(planes, axis=2)


def _opencv(pixels: NDArray[Any], height: int, width: int, step: Resize) -> NDArray[Any]:
    import cv2

    if step.antialias != "none":
        raise UndeterminedError(f"OpenCV has no antialiasing {step.kernel} kernel; its INTER_AREA is the kernel 'area'")
    resized = cv2.resize(pixels, (width, height), interpolation=_number(_OPENCV, step))
    return resized.reshape(height, width, -1)


def _torch(pixels: NDArray[Any], height: int, width: int, step: Resize) -> NDArray[Any]:
    try:
        import torch
    except ImportError as error:
        raise MissingLibraryError("torch is not installed", hint="pip install torch") from error
    mode = _number(_TORCH, step)
    options: dict[str, Any] = {}
    if mode in ("bilinear", "bicubic", "lanczos"):
        options = {"align_corners": step.align == "align_corners", "antialias": step.antialias == "scaled"}
    native = pixels.dtype == np.uint8 and mode != "area"
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    if not native and pixels.dtype == np.uint8:
        tensor = tensor.to(torch.float32)
    try:
        resized = torch.nn.functional.interpolate(tensor, (height, width), mode=mode, **options)
    except (NotImplementedError, ValueError) as error:
        raise UndeterminedError(
            f"torch {torch.__version__} has no {step.kernel} kernel of this kind: {error}"
        ) from error
    if not native and pixels.dtype == np.uint8:
        resized = resized.round().clamp(0, 255).to(torch.uint8)
    return np.asarray(resized[0].permute(1, 2, 0).contiguous().numpy())


def _skimage(pixels: NDArray[Any], height: int, width: int, step: Resize) -> NDArray[Any]:
    try:
        from skimage.transform import resize as transform
    except ImportError as error:
        raise MissingLibraryError("scikit-image is not installed", hint="pip install scikit-image") from error
    order = _number(_SPLINE, step)
    resized = transform(
        pixels, (height, width), order=order, anti_aliasing=step.antialias == "gaussian", preserve_range=True
    )
    if step.arithmetic == "uint8":
        return _levels(resized)
    return np.asarray(resized)


def _tensorflow(pixels: NDArray[Any], height: int, width: int, step: Resize) -> NDArray[Any]:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingLibraryError("tensorflow is not installed", hint="pip install tensorflow") from error
    method = _number(_TENSORFLOW, step)
    resized = tf.image.resize(pixels, (height, width), method=method, antialias=step.antialias == "scaled")
    found = np.asarray(resized)
    return _levels(found) if step.arithmetic == "uint8" else found


def _levels(values: Any) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return found


def _number(table: dict[str, Any], step: Resize) -> Any:
    if step.kernel not in table:
        raise UndeterminedError(f"{step.engine} has no {step.kernel} kernel", hint=f"it has {', '.join(table)}")
    return table[step.kernel]


_ENGINES = {
    "pillow": _pillow,
    "opencv": _opencv,
    "torch": _torch,
    "scikit-image": _skimage,
    "tensorflow": _tensorflow,
}
