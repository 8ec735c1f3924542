"""Numbers that are equal where rows or texts are, and what their repeats say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.duplicates import Duplicates

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def places_of(values: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    """The place of each value among the names."""
    place = {name: code for code, name in enumerate(names)}
    return np.array([place[value] for value in values], dtype=np.int64)


def content_codes(contents: Sequence[str | None]) -> NDArray[np.int64]:
    """A number for each, equal where the contents are; a number of its own where there is none."""
    import pandas as pd

    found = np.asarray(pd.factorize(np.asarray(contents, dtype=object))[0], dtype=np.int64)
    missing = found < 0
    found[missing] = -1 - np.arange(int(missing.sum()))
    return found


def exact_codes(frame: pd.DataFrame) -> NDArray[np.int64]:
    """A number for each row, equal where all values are."""
    import pandas as pd

    codes = np.zeros(len(frame), dtype=np.int64)
    for name in frame.columns:
        column = pd.factorize(frame[name])[0].astype(np.int64) + 1
        codes = pd.factorize(codes * (int(column.max(initial=0)) + 1) + column)[0].astype(np.int64)
    return codes


def mixed(key: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of both (the mixing step of splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = (key * np.uint64(0x9E3779B97F4A7C15)) ^ values
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def repeats(codes: NDArray[np.int64], split_codes: NDArray[np.int64], names: Sequence[str]) -> Duplicates:
    """Samples with equal codes, as `Duplicates` counts equal contents.

    Args:
        codes: Shape (n,), from 0.
        split_codes: The split of each, by its place in `names`.
        names: The splits.
    """
    counts = np.zeros((int(codes.max()) + 1, len(names)), dtype=np.int64)
    np.add.at(counts, (codes, split_codes), 1)
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    return Duplicates(
        sizes={name: int((split_codes == code).sum()) for code, name in enumerate(names)},
        pictures=False,
        patterns={tuple(int(value) for value in pattern): int(n) for pattern, n in zip(patterns, times, strict=True)},
        groups=(),
    )
