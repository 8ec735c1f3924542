"""What the files of two pictures show at their common resolution: whether the one is the other, edited and saved.

Every edit that is looked for is tried out: the window is cut, the tone curve applied, and where one file is a JPEG of
no more than `FRAME` pixels a side, the other is saved with its quantization tables too. What is left over then is what
the edit does not explain.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.dataset.likeness import LUMA
from dataguard.dataset.registration import WHOLE, Window, as_window, inverse, register, warped
from dataguard.dataset.table import THUMBNAIL_SIDE
from dataguard.dataset.thumbnail_likeness import LEAST_CHROMA, LEAST_CHROMA_MATCH
from dataguard.dataset.tone_curves import one_tone_change, spread, toned, unexplained

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME = 128
"""The longest side in pixels at which pictures are compared."""
TWO_TONE = 0.06
"""The share of variance within the two classes of Otsu's threshold, up to which a picture is a silhouette."""
FAINT = 2.0
"""Levels below which fine detail counts less and less: rounding and the losses of JPEG."""
LEAST_INNER = 0.04
"""Share of the pixels away from outlines where fine detail must exceed a level; in a plain shape it is rounding."""
TINY = 64
"""The longest side in pixels up to which a picture is made from the other in every usual way."""
REGISTERED = 64
"""The longest side in pixels at which a window is put in its place: to a tenth of a pixel, enough for `FRAME`."""
WORTH_CUTTING = 0.3
"""Pairs whose detail correlates less are not cut where their thumbnails gave no reason to."""
CLEAR_DETAIL = 0.9
"""Pairs whose detail correlates so well are not saved again to see whether it may be more."""
WHOLE_FILE = 512
"""The longest side in pixels up to which tones and JPEGs are tried at the size of the files, where that is more than
`FRAME`: clipping and saving do not commute with reduction."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Decoded:
    """A picture file."""

    pixels: NDArray[np.uint8]
    """RGB, shape (height, width, 3)."""
    tables: Any = None
    """The quantization tables of a JPEG, as Pillow takes them; None for other formats."""
    subsampling: int = 0

    def mirrored(self) -> Decoded:
        """Left and right exchanged; the blocks of a JPEG no longer lie where its tables were applied."""
        return Decoded(pixels=np.ascontiguousarray(self.pixels[:, ::-1]))


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondLook:
    """What two pictures show at their common resolution."""

    residual: float
    """Share of the variance that the edit leaves unexplained."""
    detail: float | None
    """Correlation of the fine detail that a thumbnail does not hold; None where a picture is no larger than that."""
    chroma: float | None
    """Correlation of the colours, brightness left out; None where one of them is gray."""
    silhouette: bool = False
    """There are two tones and no more: an outline is all that there is to compare."""
    one_tone_change: float = 0.0
    """Of a silhouette, the share of the variance of all colours that no change of brightness, contrast or gamma, one
    and the same for each colour, explains."""
    window: Window = WHOLE
    saved_again: bool = False
    """The residual is that of one picture saved with the quantization tables of the other."""
    unsaved_residual: float = 0.0
    """The least residual where neither is saved again."""
    colour_residual: float | None = None
    """Share of the variance of all colours that one tone curve for all of them leaves; None where one is gray."""
    inner: float | None = None
    """Of a silhouette that was cut, the correlation of fine detail away from its outline; None where there is none."""
    error: float = 255.0
    """Root mean square of what the edit leaves unexplained, in levels of 255."""
    side: int = FRAME
    """The shorter side at which they were compared, in pixels."""


def second_look(
    left: Decoded,
    right: Decoded,
    *,
    window: Window = WHOLE,
    shrink: float = 0.5,
    cut: bool = True,
) -> SecondLook:
    """Compare two pictures at their common resolution.

    Args:
        left: A picture.
        right: Another one.
        window: What the right one shows of the left one, roughly; `WHOLE` for all of it. All of it is tried anyway.
        shrink: What part of its residual a window leaves of unrelated pictures.
        cut: Whether a crop too small to show in a thumbnail is looked for where all of it fits badly.
    """
    whole = _look(left, right, WHOLE)
    detail = whole.detail or 0.0
    if detail >= CLEAR_DETAIL or (window == WHOLE and (not cut or detail < WORTH_CUTTING)):
        return whole
    part = _look(left, right, window, cut=True)
    if part.detail is not None:
        return part if part.detail > detail else whole
    return part if part.residual < whole.residual * shrink else whole


def _look(left: Decoded, right: Decoded, window: Window, *, cut: bool = False) -> SecondLook:
    height = min(left.pixels.shape[0], right.pixels.shape[0])
    width = min(left.pixels.shape[1], right.pixels.shape[1])
    scale = min(1.0, FRAME / max(height, width))
    size = (max(2, round(height * scale)), max(2, round(width * scale)))
    one, other = (_resized(picture.pixels, size) for picture in (left, right))
    start = window
    if cut:
        found, inside = _cut(one, other, window)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if min(len(rows), len(columns)) < 2:
            return SecondLook(residual=1.0, detail=None, chroma=None)
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        values = np.stack([warped(one[None, ..., band], found)[0][0] for band in range(3)], axis=-1)
        one, other = values[box], other[box]
        window = as_window(found[0])
    chroma = _chroma(one, other)
    tiny = max(*left.pixels.shape[:2], *right.pixels.shape[:2]) <= TINY
    if (
        chroma is not None
        and chroma < LEAST_CHROMA_MATCH
        and not tiny
        and _toned_chroma(one, other) < LEAST_CHROMA_MATCH
    ):
        return SecondLook(residual=1.0, detail=None, chroma=chroma, window=window)
    attempts = [_attempt(one, other, saved=False)]
    if tiny and window == WHOLE:
        attempts += _made_from(left, right) + _made_from(right, left)
    elif tiny:
        # Where a picture has few pixels, the thumbnails may have put the window better than these.
        for guess in dict.fromkeys((window, start)):
            part, exact = cropped(left, guess)
            attempts += _made_from(part, right, exact)
            part, exact = cropped(right, inverse(guess))
            attempts += _made_from(part, left, inverse(exact))
    elif window == WHOLE and (attempts[0].detail is None or attempts[0].detail < CLEAR_DETAIL):
        for source, target, picture in _saved_pictures(one, other, left, right):
            for plain in (source, _matched(source, target)):
                attempts.append(_attempt(_saved(plain, picture), target, saved=True))
        if (attempts[0].detail or 0.0) >= WORTH_CUTTING and left.pixels.shape == right.pixels.shape:
            for file, like, wanted in ((left, right, other), (right, left, one)):
                if FRAME < max(file.pixels.shape[:2]) <= WHOLE_FILE:
                    matched = _matched(file.pixels.astype(np.float32), like.pixels.astype(np.float32))
                    attempts.append(_attempt(_resized(matched, size), wanted, saved=False))
    best = min(attempts, key=lambda attempt: (-(attempt.detail or 0.0), attempt.residual))
    unsaved = min(attempt.residual for attempt in attempts if not attempt.saved)
    silhouette = max(_within_two_tones(one), _within_two_tones(other)) <= TWO_TONE
    change = 0.0
    if silhouette:
        change = min(one_tone_change(one, other), one_tone_change(other, one))
        if best.plain is not None:
            change = min(change, one_tone_change(best.plain, best.target))
        if 0.005 < change < 0.1 and not tiny and window == WHOLE:
            # Saving takes more from saturated colours than from any others.
            for file, like, wanted in ((left, right, other), (right, left, one)):
                if like.tables is not None and max(like.pixels.shape[:2]) <= WHOLE_FILE:
                    again = _saved(_resized(file.pixels, like.pixels.shape[:2]), like)
                    change = min(change, one_tone_change(_resized(again, size), wanted))
    if chroma is not None and chroma < 0.98:
        # What clipping and saving did to the colours was done to these too.
        chroma = max(chroma, _chroma(best.source, best.target) or -1.0)
        if window == WHOLE and (best.detail or 0.0) >= WORTH_CUTTING:
            for file, like, wanted in ((left, right, other), (right, left, one)):
                if like.tables is not None and max(like.pixels.shape[:2]) <= WHOLE_FILE:
                    again = _saved(_resized(file.pixels, like.pixels.shape[:2]), like)
                    chroma = max(chroma, _chroma(_resized(again, size), wanted) or -1.0)
    return SecondLook(
        residual=best.residual,
        detail=best.detail,
        chroma=chroma,
        silhouette=silhouette,
        one_tone_change=change,
        window=best.window or window,
        saved_again=best.saved,
        unsaved_residual=unsaved,
        inner=_inner_detail(best.source @ LUMA, best.target @ LUMA) if silhouette and cut else None,
        colour_residual=_colour_residual(best),
        error=float(np.sqrt(np.mean((best.source - best.target) ** 2))),
        side=min(other.shape[:2]),
    )


def _saved_pictures(
    one: NDArray[np.float32], other: NDArray[np.float32], left: Decoded, right: Decoded
) -> list[tuple[NDArray[np.float32], NDArray[np.float32], Decoded]]:
    """Each of the two that was saved as a JPEG at this size: the other one, itself, and its file.

    Whichever was saved last has been through its own tables.
    """
    return [
        (source, target, picture)
        for source, target, picture in ((one, other, right), (other, one, left))
        if picture.tables is not None and picture.pixels.shape[:2] == one.shape[:2]
    ]


def cropped(picture: Decoded, window: Window) -> tuple[Decoded, Window]:
    """The window of a picture to whole pixels, as a crop is made; and which window that is."""
    rows, columns = picture.pixels.shape[:2]
    width, across, height, along = window
    left, right = (max(0, min(columns, round((across + end * width + 1) / 2 * columns))) for end in (-1, 1))
    top, bottom = (max(0, min(rows, round((along + end * height + 1) / 2 * rows))) for end in (-1, 1))
    if min(right - left, bottom - top) < 2:
        return picture, WHOLE
    exact = (right - left) / columns, (left + right) / columns - 1, (bottom - top) / rows, (top + bottom) / rows - 1
    return Decoded(pixels=np.ascontiguousarray(picture.pixels[top:bottom, left:right])), exact


def _made_from(source: Decoded, target: Decoded, window: Window = WHOLE) -> list[_Attempt]:
    """How well a small target is explained as the source resized in one of the usual ways, toned and saved."""
    made = []
    wanted = target.pixels.astype(np.float32)
    for resized in _resizings(source.pixels, wanted.shape[:2]):
        matched = _matched(resized, wanted)
        made.append(_Attempt(_share(matched, wanted), None, False, matched, wanted, resized, window))
        if target.tables is not None:
            for edited in (resized, matched):
                plain = _saved(edited, target)
                again = _matched(plain, wanted)
                made.append(
                    _Attempt(
                        _share(again, wanted), None, True, again, wanted, plain if edited is resized else None, window
                    )
                )
    return made


def _resizings(pixels: NDArray[np.uint8], size: tuple[int, ...]) -> list[NDArray[np.float32]]:
    """The picture at that size, by the interpolations in use: with a wider kernel for reduction, and without."""
    import cv2
    from PIL import Image

    if pixels.shape[:2] == size:
        return [pixels.astype(np.float32)]
    wanted = (size[1], size[0])
    methods = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
    filters = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    image = Image.fromarray(pixels)
    made = [np.asarray(cv2.resize(pixels, wanted, interpolation=method), dtype=np.float32) for method in methods]
    return made + [np.asarray(image.resize(wanted, kernel), dtype=np.float32) for kernel in filters]


def _resized(pixels: NDArray[np.uint8] | NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    import cv2

    if pixels.shape[:2] == size:
        return pixels.astype(np.float32)
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.float32)


def _cut(
    one: NDArray[np.float32], other: NDArray[np.float32], window: Window
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The window, from where a thumbnail put it to where the pixels put it; and which pixels lie in it."""
    import cv2

    start = np.array([window], dtype=np.float32)
    grays = [picture @ LUMA for picture in (one, other)]
    scale = min(1.0, REGISTERED / max(one.shape[:2]))
    if scale < 1:
        size = (max(2, round(one.shape[1] * scale)), max(2, round(one.shape[0] * scale)))
        small = [np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), dtype=np.float32) for gray in grays]
    else:
        small = grays
    found = register(small[0][None], small[1][None], start, steps=5)
    return found, warped(grays[0][None], found)[1][0]


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """How well one way to make a picture from another explains it."""

    residual: float
    detail: float | None
    saved: bool
    source: NDArray[np.float32]
    """The picture that is there, toned."""
    target: NDArray[np.float32]
    plain: NDArray[np.float32] | None = None
    """The same before any tone curve."""
    window: Window | None = None
    """The one that it was made with, where that is to whole pixels."""


def _attempt(source: NDArray[np.float32], target: NDArray[np.float32], *, saved: bool) -> _Attempt:
    """The residual, the larger of both directions, and the correlation of detail, once the tones are matched."""
    forth, back = _matched(source, target), _matched(target, source)
    residual = max(_share(forth, target), _share(back, source))
    return _Attempt(residual, _detail(forth @ LUMA, target @ LUMA), saved, forth, target)


def _matched(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """The source with the tone curve that brings it nearest to the target."""
    matched: NDArray[np.float32] = toned(source[None], target[None])[0]
    return matched


def _share(predicted: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    """The share of the luma's variance that a prediction leaves."""
    return float(unexplained(predicted[None], target[None])[0])


def _colour_residual(attempt: _Attempt) -> float | None:
    if spread(np.stack([attempt.source, attempt.target])).min() < LEAST_CHROMA:
        return None
    total = float(((attempt.target - attempt.target.mean(axis=(0, 1))) ** 2).sum())
    return min(1.0, float(((attempt.source - attempt.target) ** 2).sum()) / max(total, 1e-3))


def _saved(picture: NDArray[np.float32], like: Decoded) -> NDArray[np.float32]:
    """The picture after being saved as a JPEG with the tables of another."""
    from PIL import Image

    buffer = io.BytesIO()
    levels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    image = Image.fromarray(levels)
    if len(like.tables) == 1:
        image = image.convert("L")
    image.save(buffer, "JPEG", qtables=like.tables, subsampling=like.subsampling)
    with Image.open(buffer) as again:
        return np.asarray(again.convert("RGB"), dtype=np.float32)


def _detail(source: NDArray[np.float32], target: NDArray[np.float32]) -> float | None:
    import cv2

    if min(target.shape) <= THUMBNAIL_SIDE:
        return None
    sigma = max(target.shape) / THUMBNAIL_SIDE / 2
    fine = []
    for plane in (source, target):
        high = plane - np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), dtype=np.float32)
        # Texture counts as much as outlines do, which unrelated products of one shape share.
        energy = np.asarray(cv2.GaussianBlur(high * high, (0, 0), 2 * sigma), dtype=np.float32)
        fine.append((high / np.sqrt(energy + FAINT**2)).ravel())
    return _correlation(fine[0], fine[1], least=0.05 * math.sqrt(target.size))


def _inner_detail(source: NDArray[np.float32], target: NDArray[np.float32]) -> float | None:
    """The correlation of fine detail where neither has an outline between its two tones."""
    import cv2

    reach = max(3, round(max(target.shape) / THUMBNAIL_SIDE) * 2 + 1)
    outline = np.zeros(target.shape, dtype=np.uint8)
    fine = []
    for plane in (source, target):
        levels = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
        _, tones = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        # Where the high-pass filter below reaches an outline, too.
        outline |= np.asarray(cv2.morphologyEx(tones, cv2.MORPH_GRADIENT, np.ones((2 * reach, 2 * reach), np.uint8)))
        fine.append(plane - np.asarray(cv2.GaussianBlur(plane, (0, 0), reach / 4), dtype=np.float32))
    inside = outline == 0
    if min(float(np.mean(np.abs(plane[inside]) > 1)) if inside.any() else 0.0 for plane in fine) < LEAST_INNER:
        return None
    return _correlation(fine[0][inside], fine[1][inside], least=0.1)


def _chroma(one: NDArray[np.float32], other: NDArray[np.float32]) -> float | None:
    import cv2

    deviations = []
    for picture in (one, other):
        small = np.asarray(
            cv2.resize(picture, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA), dtype=np.float32
        )
        colour = small - (small @ LUMA)[..., None]
        deviations.append((colour - colour.mean(axis=(0, 1))).ravel())
    return _correlation(deviations[0], deviations[1], least=LEAST_CHROMA * math.sqrt(deviations[0].size))


def _toned_chroma(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The better correlation of colours once the tones of the one are those of the other, on thumbnails."""
    import cv2

    small = [
        np.asarray(cv2.resize(picture, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA), np.float32)
        for picture in (one, other)
    ]
    return max(_chroma(_matched(left, right), right) or -1.0 for left, right in (small, small[::-1]))


def _correlation(left: NDArray[np.float32], right: NDArray[np.float32], *, least: float) -> float | None:
    """None where one has a norm below `least`."""
    norms = float(np.linalg.norm(left)), float(np.linalg.norm(right))
    return None if min(norms) < least else float(left @ right) / (norms[0] * norms[1])


def _within_two_tones(picture: NDArray[np.float32]) -> float:
    """The share of the luma's variance within the two classes of Otsu's threshold."""
    levels = np.clip(np.rint(picture @ LUMA), 0, 255).astype(np.int64).ravel()
    counts = np.bincount(levels, minlength=256).astype(np.float64)
    total = counts.sum()
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    mean = sums[-1] / total
    variance = float((counts * (np.arange(256) - mean) ** 2).sum())
    if variance <= 0:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean * below - sums) ** 2 / (below * (total - below)) * total
    return 1 - float(np.nanmax(np.where(np.isfinite(between), between, 0))) / variance
