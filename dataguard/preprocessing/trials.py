"""The pictures that two paths are compared on: generated photographs of telling sizes, and files of awkward kinds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dataguard.preprocessing.probe.placement import predict
from dataguard.preprocessing.probe.stimuli import photograph

if TYPE_CHECKING:
    from dataguard.preprocessing.probe.placement import Placement
    from dataguard.preprocessing.steps import Step

_USUAL = ((375, 500), (500, 333), (480, 640), (1080, 1920), (768, 1024))
"""Sizes that photographs of ImageNet, COCO and cameras have."""
_SCALES = ((1.71, 2.33), (2.13, 1.42), (0.62, 0.83), (1.0, 1.37))
"""Heights and widths as multiples of the output's longer side: larger, upright, smaller, and partly equal."""
_LARGEST = 1400
_LOOKED_AT = 240
_TELLING = 2


def trial_sizes(left: Sequence[Step], right: Sequence[Step], *, seed: int = 0) -> tuple[list[tuple[int, int]], float]:
    """Sizes of pictures to compare two sequences of steps on, and the share of sizes at which they differ in place.

    Beside sizes larger and smaller than the output, these are two at which the two place a pixel elsewhere, if there
    are any: a length that is rounded differently shows at few sizes only.
    """
    base = _reach(left) or _reach(right) or 448
    sizes = [(round(base * high), round(base * wide)) for high, wide in _SCALES]
    sizes = [(max(8, min(high, _LARGEST)), max(8, min(wide, _LARGEST))) for high, wide in sizes]
    rng = np.random.default_rng(seed)
    random = rng.integers(max(8, round(0.4 * base)), max(16, min(round(2.6 * base), _LARGEST)), (_LOOKED_AT, 2))
    looked = [*_USUAL, *((int(high), int(wide)) for high, wide in random)]
    try:
        apart = [size for size in looked if not _same(predict(left, *size), predict(right, *size))]
    except (ValueError, ZeroDivisionError):
        return sizes, 0.0
    return [*dict.fromkeys([*sizes, *apart[:_TELLING]])], len(apart) / len(looked)


def _reach(steps: Sequence[Step]) -> int:
    """The longer side of what becomes of an ordinary photograph; 0 where it keeps its size or cannot be told."""
    try:
        placed = predict(steps, 480, 640)
    except (ValueError, ZeroDivisionError):
        return 0
    size = max(placed.rows.size, placed.columns.size)
    return 0 if size == 640 else max(24, min(size, 640))


def _same(one: Placement, other: Placement) -> bool:
    return one.transposed == other.transposed and all(
        abs(getattr(mine, name) - getattr(its, name)) < 1e-6
        for mine, its in ((one.rows, other.rows), (one.columns, other.columns))
        for name in ("size", "scale", "shift", "start", "stop")
    )


@lru_cache(maxsize=16)
def jpeg(height: int, width: int, seed: int = 0, subsampling: int = 2, orientation: int = 1) -> bytes:
    """A generated photograph as a JPEG file of quality 90; `subsampling` 0 is 4:4:4 and 2 is 4:2:0."""
    from PIL import Image

    target = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photograph(height, width, seed)).save(
        target, "JPEG", quality=90, subsampling=subsampling, **({"exif": exif} if orientation != 1 else {})
    )
    return target.getvalue()


def ordinary_files() -> dict[str, bytes]:
    """Plain 8-bit colour, as nearly all files are; by name."""
    return {
        "JPEG 4:2:0": jpeg(241, 323, 1, 2),
        "JPEG 4:4:4": jpeg(186, 250, 2, 0),
    }


@lru_cache(maxsize=1)
def awkward_files() -> dict[str, tuple[str, bytes]]:
    """One file for each policy of a decoder: what it is, and its bytes."""
    from PIL import Image

    pixels = photograph(120, 170, 3)
    alpha = np.broadcast_to(np.linspace(0, 255, 170).astype(np.uint8), (120, 170))
    deep = ((pixels[:, :, 0].astype(np.int64) * 257) ^ 0x55).astype(np.uint16)
    return {
        "exif": ("a JPEG that its camera turned", jpeg(120, 170, 3, 2, 6)),
        "alpha": ("a PNG with transparency", _png(Image.fromarray(np.dstack([pixels, alpha])))),
        "gray": ("a gray PNG", _png(Image.fromarray(np.ascontiguousarray(pixels[:, :, 0])))),
        "sixteen_bit": ("a gray PNG of 16 bits", _png(Image.fromarray(deep))),
    }


def _png(picture: object) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(target, "PNG")
    return target.getvalue()
