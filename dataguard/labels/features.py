"""Features that a label check can compute by itself, without a download: of pictures, and of table rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ORIENTATIONS = 8
"""Bins of the signed gradient direction; signed, because a stroke's two edges differ."""
CHUNK = 512
"""Pictures described at a time: about 40 MB."""
_WIDTHS = (16 * ORIENTATIONS, 64 * ORIENTATIONS, 64, 32)
"""How many numbers each block has: gradients over 4×4 and 8×8 cells, gray, colour."""
MAX_CATEGORIES = 32
"""A text column with more distinct values than this, or one value every three rows, names rows and not groups."""


def image_features(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A descriptor of small pictures: where the edges point, how bright, and what colour.

    Three blocks, each scaled to unit mean squared distance to the mean picture, so that none outweighs the others:
    histograms of oriented gradients over 4×4 and 8×8 cells (Dalal & Triggs 2005, here with signed directions and
    Hellinger scaling), the gray picture at 8×8, and the two colour differences at 4×4. A block without variation, as
    the colour of gray pictures, is zero.

    Args:
        thumbnails: RGB, shape (n, 32, 32, 3), uint8.

    Returns:
        Shape (n, 736), float32: 128 + 512 gradient values, 64 gray, 32 colour.
    """
    made = PictureFeatures(len(thumbnails))
    for start in range(0, len(thumbnails), CHUNK):
        part = slice(start, min(start + CHUNK, len(thumbnails)))
        made.put(np.arange(part.start, part.stop), thumbnails[part])
    return made.finished()


class PictureFeatures:
    """What `image_features` makes, of pictures that come a few at a time and in any order.

    Args:
        n: How many there are at most.
    """

    def __init__(self, n: int) -> None:
        self._values = np.empty((n, sum(_WIDTHS)), dtype=np.float32)
        self._there = np.zeros(n, dtype=np.bool_)

    def put(self, rows: NDArray[np.intp], thumbnails: NDArray[np.uint8]) -> None:
        """Describe some pictures: `CHUNK` at a time take 40 MB.

        Args:
            rows: Where each belongs, shape (k,).
            thumbnails: RGB, shape (k, 32, 32, 3), uint8.
        """
        side = thumbnails.shape[1]
        rgb = thumbnails.astype(np.float32) / np.float32(255)
        gray: NDArray[np.float32] = rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        coarse, fine = _oriented_gradients(gray)
        chroma = np.stack([rgb[..., 0] - gray, rgb[..., 2] - gray], axis=-1)
        self._values[rows] = np.hstack([coarse, fine, _pooled(gray, side // 8), _pooled(chroma, side // 4)])
        self._there[rows] = True

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which rows have a picture."""
        return self._there

    def finished(self) -> NDArray[np.float32]:
        """The features of the pictures that have come, in the order of their rows."""
        if not self._there.all():
            self._values = self._values[self._there]
        end = 0
        for width in _WIDTHS:
            begin, end = end, end + width
            _scale_to_unit_spread(self._values[:, begin:end])
        return self._values


def _oriented_gradients(gray: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Square roots of gradient histograms over 4×4 and over 8×8 cells, each row summing to 1 before the root."""
    n, side = gray.shape[:2]
    dx, dy = np.zeros_like(gray), np.zeros_like(gray)
    dx[:, :, 1:-1] = gray[:, :, 2:] - gray[:, :, :-2]
    dy[:, 1:-1] = gray[:, 2:] - gray[:, :-2]
    magnitude = np.hypot(dx, dy)
    position = np.mod(np.arctan2(dy, dx) * np.float32(ORIENTATIONS / (2 * np.pi)), ORIENTATIONS)
    lower = np.minimum(position.astype(np.intp), ORIENTATIONS - 1)
    share = position - lower
    # Each pixel votes for the two nearest directions in its own 8×8 cell; four such cells make one of the 4×4.
    cells = np.repeat(np.arange(8), side // 8)
    base = (np.arange(n)[:, None, None] * 64 + cells[:, None] * 8 + cells[None, :]) * ORIENTATIONS
    size = n * 64 * ORIENTATIONS
    votes = np.bincount((base + lower).ravel(), (magnitude * (1 - share)).ravel(), size)
    votes += np.bincount((base + (lower + 1) % ORIENTATIONS).ravel(), (magnitude * share).ravel(), size)
    fine = votes.reshape(n, 8, 8, ORIENTATIONS)
    coarse = fine.reshape(n, 4, 2, 4, 2, ORIENTATIONS).sum(axis=(2, 4))
    total = fine.sum(axis=(1, 2, 3)).reshape(n, 1)
    total[total == 0] = 1.0
    return (
        np.sqrt(coarse.reshape(n, -1) / total).astype(np.float32),
        np.sqrt(fine.reshape(n, -1) / total).astype(np.float32),
    )


def _pooled(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    n, side = picture.shape[:2]
    cells = picture.reshape(n, side // size, size, side // size, size, -1).mean(axis=(2, 4))
    flat: NDArray[np.float32] = cells.reshape(n, -1)
    return flat


def _scale_to_unit_spread(block: NDArray[np.float32]) -> None:
    """Centre a block in place, and scale it."""
    if not len(block):
        return
    block -= block.mean(axis=0, dtype=np.float64).astype(np.float32)
    squares = 0.0
    for start in range(0, len(block), CHUNK):
        part = block[start : start + CHUNK]
        squares += float(np.einsum("ij,ij->", part, part, dtype=np.float64))
    spread = squares / len(block)
    # Rounding alone leaves about 1e-13 in a block of equal values.
    if spread > 1e-10:
        block /= np.float32(np.sqrt(spread))
    else:
        block[:] = 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TableFeatures:
    """Numbers made of a table's columns."""

    values: NDArray[np.float32]
    """Shape (n, d), finite, read-only."""
    names: tuple[str, ...]
    """What each of the d columns holds: 'age', 'age is missing', 'colour = red', …"""
    dropped: Mapping[str, str]
    """Columns that were left out, each with the reason."""


def table_features(frame: pd.DataFrame) -> TableFeatures:
    """Numbers made of a table's columns: robustly scaled numbers, one-hot categories.

    * Numbers and booleans: (x − median) / (interquartile range / 1.349), so that one wild value does not flatten the
      rest, then clipped to ±10; where the quartiles coincide the standard deviation scales instead. Missing values
      become the median, and an indicator column says where; ±inf become the clip's ends.
    * Dates and times: seconds, then like numbers. Durations likewise.
    * Text, categories and anything else: one-hot where there are at most `MAX_CATEGORIES` distinct values and fewer
      than one for every three rows; otherwise the column is dropped, for it names rows. Text that is all numbers is
      taken as numbers. A missing value is a category of its own.
    * Integer columns without a repeated value that rise or fall by a constant step, and constant columns, are dropped.

    Args:
        frame: The columns to learn from, without the label.
    """
    import pandas as pd

    columns: list[NDArray[np.float32]] = []
    names: list[str] = []
    dropped: dict[str, str] = {}
    n = len(frame)
    for position, label in enumerate(frame.columns):
        name, series = str(label), frame.iloc[:, position]
        if series.isna().all():
            dropped[name] = "no value"
            continue
        numbers = _numbers(series)
        if numbers is None:
            codes, values = pd.factorize(series.map(_as_text, na_action="ignore"), use_na_sentinel=True, sort=True)
            if len(values) > min(MAX_CATEGORIES, max(2, n // 3)):
                dropped[name] = f"{len(values)} distinct texts: names rows"
                continue
            if len(values) == 1 and (codes >= 0).all():
                dropped[name] = "constant"
                continue
            for code in range(-1 if (codes < 0).any() else 0, len(values)):
                columns.append(_unit_column((codes == code).astype(np.float64)))
                names.append(f"{name} = {values[code]}" if code >= 0 else f"{name} is missing")
            continue
        missing = np.isnan(numbers)
        known = numbers[~missing]
        if _is_row_number(known, series.dtype):
            dropped[name] = "numbers the rows"
            continue
        if (known == known[0]).all() and not missing.any():
            dropped[name] = "constant"
            continue
        if not (known == known[0]).all():
            columns.append(_scaled(numbers, missing))
            names.append(name)
        if missing.any():
            columns.append(_unit_column(missing.astype(np.float64)))
            names.append(f"{name} is missing")
    matrix = np.column_stack(columns) if columns else np.zeros((n, 0), dtype=np.float32)
    matrix.setflags(write=False)
    return TableFeatures(values=matrix, names=tuple(names), dropped=dropped)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _numbers(series: pd.Series[Any]) -> NDArray[np.float64] | None:
    """The column as float64 with NaN for missing values, or None where it is not a column of numbers."""
    import pandas as pd
    from pandas.api import types

    if isinstance(series.dtype, pd.CategoricalDtype) or types.is_complex_dtype(series.dtype):
        return None
    if types.is_datetime64_any_dtype(series.dtype) or types.is_timedelta64_dtype(series.dtype):
        missing = series.isna().to_numpy()
        if types.is_datetime64_any_dtype(series.dtype):
            origin = pd.Timestamp(0, tz=series.dt.tz)
            seconds = (series - origin).dt.total_seconds().to_numpy(dtype=np.float64)
        else:
            seconds = series.dt.total_seconds().to_numpy(dtype=np.float64)
        return np.where(missing, np.nan, seconds)
    if types.is_numeric_dtype(series.dtype) or types.is_bool_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    converted = pd.to_numeric(series.map(_number_like, na_action="ignore"), errors="coerce")
    if converted.notna().sum() != series.notna().sum():
        return None
    return converted.to_numpy(dtype=np.float64, na_value=np.nan)


def _number_like(value: Any) -> Any:
    # Decimals, booleans and mixed ints arrive as objects; a list or a dict must not reach to_numeric, which raises.
    if isinstance(value, str):
        return value.strip()
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return "not a number"


def _is_row_number(known: NDArray[np.float64], dtype: Any) -> bool:
    from pandas.api import types

    if len(known) < 3 or not types.is_integer_dtype(dtype):
        return False
    steps = np.diff(np.sort(known))
    return bool(steps[0] > 0 and (steps == steps[0]).all())


def _scaled(numbers: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        finite = np.zeros(1)
    first, middle, third = np.percentile(finite, [25, 50, 75])
    # Dividing first keeps values near the largest float from overflowing in the variance.
    largest = max(float(np.abs(finite).max()), np.finfo(np.float64).tiny)
    scale = (third / largest - first / largest) / 1.349 or float(np.std(finite / largest))
    if scale == 0:
        scale = 1.0
    centred = np.where(missing, middle, numbers) / largest - middle / largest
    with np.errstate(over="ignore"):
        scaled: NDArray[np.float32] = np.clip(centred / scale, -10.0, 10.0).astype(np.float32)
    return scaled


def _unit_column(indicator: NDArray[np.float64]) -> NDArray[np.float32]:
    spread = float(indicator.std())
    scaled = (indicator - indicator.mean()) / (spread if spread > 0 else 1.0)
    clipped: NDArray[np.float32] = scaled.clip(-10, 10).astype(np.float32)
    return clipped
