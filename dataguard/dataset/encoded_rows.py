"""The columns of a table as numbers, so that a difference of 1 is what two random rows differ by."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BIN = 0.5
"""Width of a number's bin, of the difference that two random rows have in the median."""
CLOSE = 0.02
"""A number of a cell counts as close up to this part of the difference that two random rows have in the median."""
RARELY = 0.05
"""Two random rows agree in a column of fractions or of many names with less than this probability."""
_NOISE = 0.01
"""Part of the mean difference of two rows below which a difference is none for the scale of a column."""
_HEAVY_TAIL = 10.0
"""A column whose 98 % range is so many interquartile ranges (normal: 3.4, exponential: 4.2) is compared in logs."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncodedRows:
    """The columns as numbers: a cell's distance is min(1, |difference|), or 1 where codes differ."""

    names: tuple[str, ...]
    values: NDArray[np.float32]
    """Scaled numbers, shape (columns, n); infinite and missing ones are far away from all others, in one place each."""
    is_code: NDArray[np.bool_]
    """Which columns hold codes, as whole numbers of at least 2 apart."""
    left_out: tuple[str, ...]
    agreement: NDArray[np.float64]
    """Probability that two random rows are within a bin of each other in a column; shape (columns,)."""
    rare: NDArray[np.bool_]
    """In which columns two random rows seldom agree (`RARELY`): those in which agreement says something."""

    def rows(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Some rows, shape (rows, columns)."""
        return np.ascontiguousarray(self.values[:, rows].T)


def encoded_rows(frame: pd.DataFrame, split_codes: NDArray[np.int64], generator: np.random.Generator) -> EncodedRows:
    """The columns of a table as numbers, those left out that tell nothing.

    Args:
        frame: n rows.
        split_codes: The split of each, as a number.
        generator: Draws the rows that say what is usual.
    """
    n = len(frame)
    one, other = generator.integers(0, n, (2, 20_000))
    kept: list[str] = []
    arrays: list[NDArray[np.float32]] = []
    codes: list[bool] = []
    left_out: list[str] = []
    agreement: list[float] = []
    rare: list[bool] = []
    differing = one != other
    for name in frame.columns:
        array, is_code = _column(frame[name], split_codes, one, other)
        if array is None:
            left_out.append(str(name))
            continue
        kept.append(str(name))
        arrays.append(array)
        codes.append(is_code)
        differences = np.abs(array[one] - array[other])[differing]
        agreement.append(float((differences < BIN / 2).mean()))
        rare.append(bool((differences <= CLOSE).mean() <= RARELY))
    return EncodedRows(
        names=tuple(kept),
        values=np.array(arrays, dtype=np.float32).reshape(len(kept), n),
        is_code=np.array(codes, dtype=np.bool_),
        left_out=tuple(left_out),
        agreement=np.array(agreement),
        rare=np.array(rare, dtype=np.bool_),
    )


def _column(
    column: pd.Series[Any], split_codes: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]
) -> tuple[NDArray[np.float32] | None, bool]:
    """A column as numbers, or None where it tells nothing; and whether it holds codes."""
    import pandas as pd

    is_time = pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype)
    is_number = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if not is_time and not is_number:
        found = _text_codes(column)
        if found.max(initial=0) == 0 or _names_rows(found, split_codes):
            return None, True
        return (found * 2).astype(np.float32), True
    if is_time:
        whole = column.to_numpy().astype("int64")
        numbers = np.where(pd.isna(column), np.nan, whole.astype(np.float64))
    else:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_integer_dtype(column.dtype) and _counts_rows(numbers):
        return None, False
    finite = np.isfinite(numbers)
    if not finite.any():
        return None, False
    scaled = np.zeros(len(numbers))
    scaled[finite] = _scaled(numbers, finite, one, other)
    # Beyond every difference that counts, and in one place each.
    far = np.abs(scaled).max() + 4
    scaled[np.isnan(numbers)] = far
    scaled[numbers == np.inf] = far + 4
    scaled[numbers == -np.inf] = -far
    if np.ptp(scaled) == 0:
        return None, False
    return scaled.astype(np.float32), False


def _scaled(
    numbers: NDArray[np.float64], finite: NDArray[np.bool_], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.float64]:
    values = numbers[finite]
    with np.errstate(over="ignore", invalid="ignore"):
        low, first, middle, third, high = np.quantile(values, [0.01, 0.25, 0.5, 0.75, 0.99])
        spread = third - first
        if not np.isfinite(high - low) or (spread > 0 and high - low > _HEAVY_TAIL * spread):
            deviations = np.abs(values - middle)
            unit = np.median(deviations[deviations > 0])
            # asinh is linear within one unit of the median, and a logarithm beyond.
            values = np.arcsinh(np.clip(values / unit, -1e300, 1e300) - middle / unit)
        full = np.full(len(numbers), np.nan)
        full[finite] = values
        differences = np.abs(full[one] - full[other])
        differences = differences[np.isfinite(differences) & (one != other)]
    scale = float(np.median(differences)) if len(differences) else 0.0
    real = differences[differences > _NOISE * differences.mean()] if len(differences) else differences
    if scale <= (real.min() if len(real) else 0.0):
        # Most rows agree, up to noise: what differs at all differs by 1, and nothing in between is invented.
        scale = float(np.median(real)) if len(real) else float(np.ptp(values)) or 1.0
    # Around the median, so that single precision is not spent on an offset.
    return (values - np.median(values)) / scale


def _counts_rows(numbers: NDArray[np.float64]) -> bool:
    """Whether whole numbers only number the rows: each its own, and in order but for where a file begins."""
    if len(numbers) < 3 or len(np.unique(numbers)) < len(numbers) / 2:
        return False
    steps = np.diff(numbers)
    return bool((steps == 1).mean() > 0.98) or (
        len(np.unique(numbers)) == len(numbers) and bool((steps > 0).all() or (steps < 0).all())
    )


def _names_rows(codes: NDArray[np.int64], split_codes: NDArray[np.int64]) -> bool:
    """Whether texts are names of rows: nearly all differ, and none is in two splits."""
    counts = np.bincount(codes)
    if (counts == 1).sum() < 0.9 * len(codes):
        return False
    first = np.full(len(counts), -1)
    first[codes[::-1]] = split_codes[::-1]
    return bool((first[codes] == split_codes).all())


def plain_text(value: str) -> str:
    """A text as texts are compared: NFKC, case folded, single spaces, none at the ends.

    >>> plain_text("  Ｃａｆé  NOIR ")
    'café noir'
    """
    if value.isascii():
        return " ".join(value.lower().split())
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _text_codes(column: pd.Series[Any]) -> NDArray[np.int64]:
    import pandas as pd

    found, distinct = pd.factorize(column, use_na_sentinel=True)
    plain = pd.factorize(np.array([plain_text(str(value)) for value in distinct], dtype=object))[0]
    # 0 is for missing values where there are any.
    return (
        np.where(found < 0, 0, plain[found] + int((found < 0).any())) if len(distinct) else np.zeros(len(column), int)
    )
