"""Pictures of samples, decoded with care and made small enough to lie inside a report."""

from __future__ import annotations

import base64
import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.paths import decode_path
from dataguard.core.picture_access import offered

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""What is decoded; Pillow's other decoders are seldom needed and seldom tested against hostile files."""

SIDE = 256
"""Longest side of an embedded picture, in pixels: twice what is shown, for screens of double density."""

PIXELATED_SIDE = 64
"""Up to this side a picture is shown enlarged with every pixel crisp."""

MAX_PIXELS = 89_478_485
"""Pillow's own bound against decompression bombs: 256 MiB of RGB."""

JPEG_QUALITY = 82
JPEG_GAIN = 1.3
"""PNG is kept where it is at most this many times as large as JPEG: drawings and scans of text stay clean."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedded:
    """A picture as a data URI."""

    uri: str
    width: int
    height: int
    """Size of the original in pixels, as it is viewed."""
    pixelated: bool
    """Whether it is so small that enlarging must not blur it."""
    note: str = ""
    """What was done to it beyond scaling, where that changes what is seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotShown:
    """Why there is no picture."""

    reason: str


class Album:
    """The pictures of one report, within a budget of bytes.

    Args:
        root: The folder that paths are relative to, as `encode_path` writes it.
        budget: How many bytes all data URIs may have together.
        confined: Whether no file outside `root` is read, be it by its path or through a link.
        version_id: Of the dataset, whose pictures may be no files.
    """

    def __init__(self, root: str, *, budget: int, confined: bool = False, version_id: str = "") -> None:
        self._root = Path(decode_path(root))
        self._read = offered(version_id)
        self._confined = confined
        self._budget = budget
        self._left = budget
        self._made: dict[str, Embedded | NotShown] = {}
        self.n_left_out = 0
        """How many pictures the budget had no room for."""

    def picture(self, path: str | None) -> Embedded | NotShown:
        """The picture of a sample, or why there is none; never raises for what a file holds."""
        if path is None:
            return NotShown(reason="this sample has no picture")
        if self._left <= 0:
            self.n_left_out += 1
            return NotShown(reason="left out, to keep the report small")
        if path not in self._made:
            self._made[path] = self._stored(path) or embed(self._root, path, confined=self._confined)
        return self._paid(self._made[path])

    def _stored(self, path: str) -> Embedded | NotShown | None:
        """A picture that is no file; None of one that is."""
        if self._read is None:
            return None
        try:
            data = self._read(path)
        except OSError as error:
            return NotShown(reason=str(error))
        return None if data is None else embed_bytes(data)

    def inline(self, png: str) -> Embedded | NotShown:
        """A picture that the report itself holds, as base64; never raises for what it is."""
        if self._left <= 0:
            self.n_left_out += 1
            return NotShown(reason="left out, to keep the report small")
        return self._paid(embed_png(png))

    def _paid(self, made: Embedded | NotShown) -> Embedded | NotShown:
        if isinstance(made, Embedded):
            if len(made.uri) > self._left:
                self._left = 0
                self.n_left_out += 1
                return NotShown(reason="left out, to keep the report small")
            self._left -= len(made.uri)
        return made


def embed(root: Path, path: str, *, confined: bool = False) -> Embedded | NotShown:
    """One image file as a data URI.

    Args:
        root: The folder that `path` is relative to.
        path: As `encode_path` writes it.
        confined: Whether no file outside `root` is read, be it by its path or through a link.

    Returns:
        The picture: PNG of the original size where it is small, otherwise area-averaged to `SIDE`; or the reason why
        it cannot be shown.
    """
    from PIL import Image, UnidentifiedImageError

    if confined and not _inside(root, path):
        return NotShown(reason="not read: it is outside the folder that was checked")
    try:
        # Without waiting, because a named pipe would else block until somebody writes.
        descriptor = os.open(root / decode_path(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return NotShown(reason="not a file")
            with warnings.catch_warnings():
                # The bomb warning comes at a bound that is checked here, and others concern metadata.
                warnings.simplefilter("ignore")
                with Image.open(file, formats=FORMATS) as image:
                    return _embed(image)
    except FileNotFoundError:
        return NotShown(reason="the file is not there any more")
    except UnidentifiedImageError:
        return NotShown(reason="not an image that can be decoded")
    except Image.DecompressionBombError:
        return NotShown(reason=f"more than {MAX_PIXELS:,} pixels")
    except OSError as error:
        return NotShown(reason=os.strerror(error.errno) if error.errno else f"damaged: {error}")
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files, and it is one picture of many
        return NotShown(reason=f"damaged: {error}" if str(error) else "damaged")


def embed_bytes(data: bytes) -> Embedded | NotShown:
    """An encoded picture as a data URI, as `embed` does with a file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _embed(image)
    except UnidentifiedImageError:
        return NotShown(reason="not an image that can be decoded")
    except Image.DecompressionBombError:
        return NotShown(reason=f"more than {MAX_PIXELS:,} pixels")
    except Exception as error:  # noqa: BLE001 - as above
        return NotShown(reason=f"damaged: {error}" if str(error) else "damaged")


def _inside(root: Path, path: str) -> bool:
    """Whether a path stays below a folder when every link is followed; the folder of everything is none."""
    folder = os.path.realpath(root)
    try:
        target = os.path.realpath(root / decode_path(path))
    except (OSError, ValueError):
        return False
    return folder != os.sep and target.startswith(folder + os.sep)


def embed_png(png: str) -> Embedded | NotShown:
    """A PNG in base64 as a data URI, decoded and written anew: a report may come from anywhere."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(base64.b64decode(png, validate=True)), formats=("PNG",)) as image:
                return _embed(image)
    except Exception as error:  # noqa: BLE001 - as above
        return NotShown(reason=f"damaged: {error}" if str(error) else "damaged")


def _embed(image: Image) -> Embedded | NotShown:
    from PIL import Image as Pillow

    width, height = image.size
    if width * height > MAX_PIXELS:
        return NotShown(reason=f"{width:,} × {height:,} is more than {MAX_PIXELS:,} pixels")
    # JPEG decodes at a fraction of the size for a fraction of the time; not below twice of what is needed.
    image.draft(image.mode, (2 * SIDE, 2 * SIDE))
    turned = image.getexif().get(0x0112) in (5, 6, 7, 8)
    shown, note = _viewable(_upright(image))
    if max(shown.size) > SIDE:
        scale = SIDE / max(shown.size)
        target = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
        shown = shown.resize(target, Pillow.Resampling.BOX)
    return Embedded(
        uri=_data_uri(shown),
        width=height if turned else width,
        height=width if turned else height,
        pixelated=max(width, height) <= PIXELATED_SIDE,
        note=note,
    )


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _viewable(image: Image) -> tuple[Image, str]:
    """8 bits a channel, gray or RGB, with or without alpha."""
    if image.mode.startswith(("I", "F")):
        return _stretched(image), "contrast stretched to 8 bits"
    if image.mode in ("L", "RGB", "RGBA"):
        return image, ""
    if image.mode == "1":
        return image.convert("L"), ""
    has_alpha = image.has_transparency_data
    return image.convert("RGBA" if has_alpha else "RGB"), ""


def _stretched(image: Image) -> Image:
    import numpy as np
    from PIL import Image as Pillow

    values: Any = np.asarray(image).astype(np.float64)
    values = np.where(np.isfinite(values), values, 0.0)
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
    return Pillow.fromarray(np.rint(scaled).astype(np.uint8))


def _data_uri(image: Image) -> str:
    png = io.BytesIO()
    # Made anew from the pixels: no metadata of the file, such as where a photograph was taken, reaches the report.
    bare = image.copy()
    bare.info.clear()
    bare.save(png, "PNG", optimize=True)
    kind, data = "png", png.getvalue()
    if max(image.size) > PIXELATED_SIDE and image.mode in ("L", "RGB"):
        jpeg = io.BytesIO()
        bare.save(jpeg, "JPEG", quality=JPEG_QUALITY, optimize=True)
        if len(data) > JPEG_GAIN * jpeg.tell():
            kind, data = "jpeg", jpeg.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
