"""What a preprocessing path makes of a picture, through the libraries that it names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.decoding import decode
from dataguard.preprocessing.errors import UndeterminedError
from dataguard.preprocessing.pipeline import Affine, Pipeline
from dataguard.preprocessing.resampling import resize
from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Resize, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def execute(pipeline: Pipeline, picture: str | Path | bytes | NDArray[Any]) -> NDArray[Any]:
    """See `Pipeline.run`."""
    return from_pixels(pipeline, opened(pipeline, picture))


def opened(pipeline: Pipeline, picture: str | Path | bytes | NDArray[Any]) -> NDArray[Any]:
    """A picture as pixels with the model's channels: what the steps are done to; shape (height, width, channels).

    Raises:
        UndeterminedError: something that is needed is not known.
        MissingLibraryError: the library that decodes is not installed.
        SourceError: the file cannot be decoded.
    """
    for name in ("order", "geometry", "layout", "dtype"):
        if getattr(pipeline, name) is None:
            raise UndeterminedError(f"the {name} is undetermined", hint=pipeline.undetermined.get(name))
    if isinstance(picture, str | Path | bytes):
        pixels = decode(picture, pipeline.decode)
    else:
        pixels = picture[:, :, None] if picture.ndim == 2 else picture
        if pipeline.decode.order == "GRAY" and pixels.shape[2] == 3:
            pixels = _gray(pixels, pipeline.decode.flags or ())
    return reordered(pixels, pipeline.decode.order, pipeline.order)


def from_pixels(pipeline: Pipeline, pixels: NDArray[Any]) -> NDArray[Any]:
    """What the steps, the affine map, the layout and the dtype make of pixels that `opened` gave."""
    for step in pipeline.geometry or ():
        pixels = moved(pixels, step)
    values = mapped(pixels, pipeline.affine, pipeline.dtype or "float32")
    return laid_out(values, pipeline.layout or "HWC")


def _gray(pixels: NDArray[Any], flags: Sequence[str]) -> NDArray[Any]:
    """Gray of pixels in RGB, as Pillow makes it or, where `flags` says so, OpenCV; shape (height, width, 1)."""
    if "COLOR_RGB2GRAY" in flags:
        import cv2

        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY))[:, :, None]
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))[:, :, None]


def reordered(pixels: NDArray[Any], has: str | None, wanted: str | None) -> NDArray[Any]:
    """Channels in another order; shape (height, width, channels).

    Raises:
        UndeterminedError: an order is not known, or one cannot be made of the other.
    """
    if has is None or wanted is None:
        raise UndeterminedError("the order of the channels is undetermined")
    if pixels.shape[2] == 1:
        # Gray that is fed as colour has three equal channels.
        return np.repeat(pixels, 3, axis=2) if has == "GRAY" and wanted in ("RGB", "BGR") else pixels
    if has == wanted:
        return pixels
    if {has, wanted} == {"RGB", "BGR"}:
        return np.ascontiguousarray(np.concatenate([pixels[:, :, 2::-1], pixels[:, :, 3:]], axis=2))
    if has in ("RGB", "BGR") and wanted == "GRAY":
        import cv2

        code = cv2.COLOR_RGB2GRAY if has == "RGB" else cv2.COLOR_BGR2GRAY
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[:, :, :3]), code))[:, :, None]
    if has == "GRAY":
        return np.repeat(pixels, 3, axis=2)
    raise UndeterminedError(f"{wanted} cannot be made of {has}")


def moved(pixels: NDArray[Any], step: Step) -> NDArray[Any]:
    """One geometric step; shape (height, width, channels).

    Raises:
        UndeterminedError: something of it is not known, or chance decides.
        MissingLibraryError: its library is not installed.
    """
    try:
        if isinstance(step, Resize):
            return resize(pixels, step)
        if isinstance(step, Crop):
            return _crop(pixels, step)
        if isinstance(step, Pad):
            top, bottom, left, right = step.border(*pixels.shape[:2])
            if step.mode is None:
                raise ValueError("the kind of border is undetermined")
            return _bordered(pixels, (top, bottom, left, right), step.mode, step.fill)
    except ValueError as error:
        raise UndeterminedError(str(error)) from error
    if isinstance(step, Flip):
        return _flipped(pixels, step)
    if isinstance(step, Filter):
        raise UndeterminedError(f"{step.name or 'a filter'} is not executed here")
    raise UndeterminedError(f"{step.name} is random")


def _crop(pixels: NDArray[Any], step: Crop) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    top, left, tall, wide = step.box(height, width)
    above, leftward = max(0, -top), max(0, -left)
    below, rightward = max(0, top + tall - height), max(0, left + wide - width)
    if above or below or leftward or rightward:
        pixels = _bordered(pixels, (above, below, leftward, rightward), "constant", step.fill)
    return pixels[top + above : top + above + tall, left + leftward : left + leftward + wide]


def _bordered(
    pixels: NDArray[Any], sides: tuple[int, int, int, int], mode: str, fill: tuple[float, ...] | None
) -> NDArray[Any]:
    top, bottom, left, right = sides
    if mode != "constant":
        around: Any = mode
        return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode=around)
    if fill is None:
        raise ValueError("the value of the border is undetermined")
    values = np.array([fill[channel % len(fill)] for channel in range(pixels.shape[2])])
    if pixels.dtype == np.uint8 and (values != np.rint(values)).any():
        # A border that is added after the levels were scaled can lie between two of them.
        pixels = pixels.astype(np.float64)
    height, width = pixels.shape[:2]
    larger = np.empty((height + top + bottom, width + left + right, pixels.shape[2]), dtype=pixels.dtype)
    larger[:] = values.astype(pixels.dtype)
    larger[top : top + height, left : left + width] = pixels
    return larger


def _flipped(pixels: NDArray[Any], step: Flip) -> NDArray[Any]:
    if step.kind is None:
        raise UndeterminedError("the kind of a flip is undetermined", hint=step.undetermined.get("kind"))
    if step.kind == "left_right":
        return pixels[:, ::-1]
    if step.kind == "up_down":
        return pixels[::-1]
    if step.kind == "transpose":
        return pixels.transpose(1, 0, 2)
    return np.rot90(pixels, int(step.kind.removeprefix("rotate_")) // 90)


def mapped(pixels: NDArray[Any], affine: Affine, dtype: str) -> NDArray[Any]:
    """Levels as the model is fed them; shape (height, width, channels).

    Written operations are done one by one in the result's dtype, as the code that wrote them does.

    Raises:
        UndeterminedError: scale or offset is not known, or the map depends on the picture.
    """
    if affine.of_content is not None:
        raise UndeterminedError(f"the scale depends on the picture: {affine.of_content}")
    if affine.scale is None or affine.offset is None:
        name = "scale" if affine.scale is None else "offset"
        raise UndeterminedError(f"the {name} is undetermined", hint=affine.undetermined.get(name))
    if affine.written:
        values: NDArray[Any] = pixels.astype(dtype)
        for name, operands in affine.written:
            operand = np.array(_per_channel(operands, pixels.shape[2]), dtype=dtype)
            values = _OPERATIONS[name](values, operand)
        return values
    if all(scale == 1 for scale in affine.scale) and not any(affine.offset):
        if dtype == "uint8" and pixels.dtype != np.uint8:
            pixels = np.clip(np.rint(pixels), 0, 255)
        same: NDArray[Any] = pixels.astype(dtype)
        return same
    scale = np.array(_per_channel(affine.scale, pixels.shape[2]))
    offset = np.array(_per_channel(affine.offset, pixels.shape[2]))
    exact: NDArray[Any] = pixels * scale + offset
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        exact = np.clip(np.rint(exact), limits.min, limits.max)
    result: NDArray[Any] = exact.astype(dtype)
    return result


_OPERATIONS: dict[str, Any] = {
    "divide": np.divide,
    "multiply": np.multiply,
    "subtract": np.subtract,
    "add": np.add,
}


def _per_channel(values: Sequence[float], channels: int) -> list[float]:
    return [values[channel % len(values)] for channel in range(channels)]


def laid_out(values: NDArray[Any], layout: str) -> NDArray[Any]:
    """Shape (height, width, channels) in another layout, contiguous.

    Raises:
        UndeterminedError: a layout without channels, and there are several.
    """
    if "C" not in layout:
        if values.shape[2] != 1:
            raise UndeterminedError(f"the layout {layout} has no channels, and there are {values.shape[2]}")
        values = values[:, :, 0]
    elif layout.endswith("CHW"):
        values = values.transpose(2, 0, 1)
    if layout.startswith("N"):
        values = values[None]
    return np.ascontiguousarray(values)
