"""Decoding through the library that a path names, with its policies for what is not plain 8-bit colour."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import SourceError
from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.pipeline import Decode

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image as PillowImage


def decode(source: str | Path | bytes, how: Decode) -> NDArray[Any]:
    """The pixels of a file.

    Args:
        source: The file, or its bytes.
        how: Which library, and what it is asked.

    Returns:
        Shape (height, width, channels), uint8, or uint16 where 16-bit channels are kept; channels in ``how.order``.

    Raises:
        UndeterminedError: the library is not known.
        MissingLibraryError: it is not installed.
        SourceError: it cannot decode this file, or its policy is to refuse it.
    """
    if how.library is None:
        raise UndeterminedError("the decoder is undetermined", hint=how.undetermined.get("library"))
    where = None if isinstance(source, bytes) else str(source)
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=where) from error
    if how.library == "array":
        raise SourceError("the path begins with pixels, not with a file", where=where, hint="decode it first")
    return _DECODERS[how.library](content, how, where)


def _pillow(content: bytes, how: Decode, where: str | None) -> NDArray[Any]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as opened:
            picture: PillowImage.Image = ImageOps.exif_transpose(opened) if how.exif == "applied" else opened
            picture.load()
            mode = next(
                (flag.removeprefix("convert ") for flag in how.flags or () if flag.startswith("convert ")), None
            )
            picture = _with_policies(picture, how)
            if mode is not None:
                picture = picture.convert(mode)
            pixels = np.array(picture)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise SourceError(f"Pillow cannot decode it: {error}", where=where) from error
    return _channels(pixels)


def _with_policies(picture: PillowImage.Image, how: Decode) -> PillowImage.Image:
    """What was found to be done with transparency and 16-bit channels, where it is not Pillow's own way."""
    from PIL import Image

    see_through = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    if see_through and how.alpha in ("on white", "on black"):
        level = 255 if how.alpha == "on white" else 0
        ground = Image.new("RGBA", picture.size, (level, level, level, 255))
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    if picture.mode.startswith("I") and how.sixteen_bit in ("high byte", "scaled"):
        values = np.asarray(picture).astype(np.int64)
        values = values >> 8 if how.sixteen_bit == "high byte" else (values * 255 + 32767) // 65535
        picture = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return picture


def _opencv(content: bytes, how: Decode, where: str | None) -> NDArray[Any]:
    import cv2

    names = how.flags or ("IMREAD_COLOR",)
    flags = 0
    for name in names:
        if not hasattr(cv2, name):
            raise UndeterminedError(f"OpenCV {cv2.__version__} has no flag {name}")
        flags |= int(getattr(cv2, name))
    if "IMREAD_UNCHANGED" in names:
        flags = int(cv2.IMREAD_UNCHANGED)
    try:
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags)
    except cv2.error as error:
        raise SourceError(f"OpenCV cannot decode it: {error.err}", where=where) from error
    if pixels is None:
        raise SourceError("OpenCV cannot decode it", where=where)
    return _channels(pixels)


def _torchvision(content: bytes, how: Decode, where: str | None) -> NDArray[Any]:
    try:
        import torch
        from torchvision.io import ImageReadMode, decode_image
    except (ImportError, RuntimeError) as error:
        raise MissingLibraryError(
            "torchvision cannot be imported", hint=f"pip install torchvision ({error})"
        ) from error
    mode = next((flag.removeprefix("mode=") for flag in how.flags or () if flag.startswith("mode=")), "UNCHANGED")
    try:
        tensor = decode_image(
            torch.frombuffer(bytearray(content), dtype=torch.uint8),
            mode=ImageReadMode[mode],
            apply_exif_orientation=how.exif == "applied",
        )
    except RuntimeError as error:
        raise SourceError(f"torchvision cannot decode it: {error}", where=where) from error
    return np.ascontiguousarray(tensor.permute(1, 2, 0).numpy())


def _tensorflow(content: bytes, how: Decode, where: str | None) -> NDArray[Any]:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingLibraryError("tensorflow is not installed", hint="pip install tensorflow") from error
    channels = next((int(flag[9:]) for flag in how.flags or () if flag.startswith("channels=")), 0)
    method = next((flag[11:] for flag in how.flags or () if flag.startswith("dct_method=")), "")
    try:
        if content[:2] == b"\xff\xd8":
            return np.asarray(tf.io.decode_jpeg(content, channels=channels, dct_method=method))
        return np.asarray(tf.io.decode_image(content, channels=channels, expand_animations=False))
    except tf.errors.InvalidArgumentError as error:
        raise SourceError(f"TensorFlow cannot decode it: {error.message}", where=where) from error


def _skimage(content: bytes, how: Decode, where: str | None) -> NDArray[Any]:  # noqa: ARG001 - it takes no flags
    try:
        from skimage.io import imread
    except ImportError as error:
        raise MissingLibraryError("scikit-image is not installed", hint="pip install scikit-image") from error
    try:
        return _channels(np.asarray(imread(io.BytesIO(content))))
    except (OSError, ValueError) as error:
        raise SourceError(f"scikit-image cannot decode it: {error}", where=where) from error


def _channels(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


_DECODERS = {
    "pillow": _pillow,
    "opencv": _opencv,
    "torchvision": _torchvision,
    "tensorflow": _tensorflow,
    "scikit-image": _skimage,
}
