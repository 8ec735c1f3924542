"""Second looks at many pairs of files: which are decoded when, and what is kept between runs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dataguard.core.progress import Progress
from dataguard.dataset.decode import decoding
from dataguard.dataset.registration import WHOLE, Window, as_window
from dataguard.dataset.second_look import TINY, Decoded, SecondLook, second_look
from dataguard.dataset.table import StoredPicture
from dataguard.dataset.tiny_pairs import least_residuals

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALGORITHM_VERSION = "3"
"""Changes whenever a stored second look would come out differently."""
_AT_A_TIME = 1_024
"""Pairs of tiny pictures that are decoded together."""


class BlobStore(Protocol):
    """Keeps results between runs."""

    def get_blob(self, key: str) -> bytes | None:
        """What was put under that key, or None."""

    def put_blob(self, key: str, blob: bytes, /) -> None:
        """Keep something."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePair:
    """Two files to be compared."""

    left: StoredPicture
    right: StoredPicture
    contents: tuple[str, str]
    """The hash of each."""
    longest: int
    """The longest side of the two in pixels."""
    mirrored: bool
    """Whether one is held against the other with left and right exchanged."""
    window: Window
    shrink: float
    """As in `second_look`."""

    @property
    def key(self) -> str:
        """What the result is kept by."""
        return "-".join((*self.contents, "m" * self.mirrored, "w" * (self.window != WHOLE)))


def second_looks(
    pairs: Sequence[FilePair],
    *,
    max_residual: float,
    max_cut: float,
    version_id: str,
    jobs: int | None,
    progress: Progress,
    cache: BlobStore | None,
) -> list[SecondLook | None]:
    """What the files of each pair show; None where one cannot be decoded any more.

    Args:
        pairs: The files.
        max_residual: Pairs without fine detail that leave more are not believed; of tiny ones that is enough to know.
        max_cut: Nor are those that lack more of a side.
        version_id: Of the dataset, '' where it is not known and nothing is kept.
        jobs: Threads; all processors where it is None.
        progress: Called now and then.
        cache: Where looks are kept, so that an unchanged dataset is not decoded again.
    """
    store = cache if version_id else None
    blob_key = f"near-duplicates/{ALGORITHM_VERSION}/{version_id}"
    blob = None if store is None else store.get_blob(blob_key)
    known: dict[str, dict[str, Any] | None] = {} if blob is None else json.loads(blob)
    fresh = {pair.key: pair for pair in pairs if pair.key not in known}
    with decoding(), ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        progress("comparing pictures", 0, len(fresh))
        for key, seen in _hopeless(fresh, max_residual, max_cut):
            known[key] = _stored(seen)
        rest = [key for key in fresh if key not in known]
        for done, (key, look) in enumerate(zip(rest, pool.map(_look, map(fresh.__getitem__, rest)), strict=True)):
            progress("comparing pictures", len(fresh) - len(rest) + done, len(fresh))
            known[key] = None if look is None else _stored(look)
    progress("comparing pictures", len(fresh), len(fresh))
    if store is not None and fresh:
        store.put_blob(blob_key, json.dumps({pair.key: known[pair.key] for pair in pairs}).encode())
    return [None if (kept := known[pair.key]) is None else _loaded(kept) for pair in pairs]


def _hopeless(pairs: dict[str, FilePair], max_residual: float, max_cut: float) -> Iterator[tuple[str, SecondLook]]:
    """The pairs of tiny pictures that leave too much whatever is tried; their looks say how much at least."""
    tiny = [(key, pair) for key, pair in pairs.items() if pair.longest <= TINY]
    for start in range(0, len(tiny), _AT_A_TIME):
        part = tiny[start : start + _AT_A_TIME]
        paths = dict.fromkeys(path for _, pair in part for path in (pair.left, pair.right))
        pictures = {path: decoded(path) for path in paths}
        keys, sides, windows = [], [], []
        for key, pair in part:
            left, right = pictures[pair.left], pictures[pair.right]
            if left is not None and right is not None:
                keys.append(key)
                sides.append(_oriented(left, right, mirrored=pair.mirrored))
                windows.append(pair.window)
        for key, residual in zip(keys, least_residuals(sides, windows, max_cut=max_cut), strict=True):
            if residual > max_residual:
                yield key, SecondLook(residual=float(residual), detail=None, chroma=None)


def _look(pair: FilePair) -> SecondLook | None:
    left, right = decoded(pair.left), decoded(pair.right)
    if left is None or right is None:
        return None
    left, right = _oriented(left, right, mirrored=pair.mirrored)
    return second_look(left, right, window=pair.window, shrink=pair.shrink, cut=not pair.mirrored)


def _oriented(left: Decoded, right: Decoded, *, mirrored: bool) -> tuple[Decoded, Decoded]:
    """The two, one of them mirrored where that is asked: the one whose JPEG tables are not needed."""
    if not mirrored:
        return left, right
    if left.tables is not None and right.tables is None:
        return left, right.mirrored()
    return left.mirrored(), right


def _stored(look: SecondLook) -> dict[str, Any]:
    return {name: getattr(look, name) for name in SecondLook.__slots__}


def _loaded(stored: dict[str, Any]) -> SecondLook:
    return SecondLook(**{**stored, "window": as_window(stored["window"])})


def decoded(stored: StoredPicture) -> Decoded | None:
    """The picture as RGB, without EXIF rotation as in the sample table; None where it cannot be read any more."""
    import cv2
    from PIL import Image, JpegImagePlugin

    try:
        encoded = stored.read_bytes()
        data = np.frombuffer(encoded, dtype=np.uint8)
        tables, subsampling = None, 0
        if encoded[:2] == b"\xff\xd8":
            with Image.open(io.BytesIO(encoded)) as image:
                if isinstance(image, JpegImagePlugin.JpegImageFile):
                    tables, subsampling = image.quantization, max(0, JpegImagePlugin.get_sampling(image))
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        pixels: NDArray[np.uint8]
        if picture is not None:
            pixels = np.asarray(picture, dtype=np.uint8)
        else:
            with Image.open(io.BytesIO(encoded)) as image:
                pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, cv2.error, SyntaxError):
        return None
    return Decoded(pixels=pixels, tables=tables, subsampling=subsampling)
