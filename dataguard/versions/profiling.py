"""The profile of a sample table: what is measured of each split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.split_roles import split_order
from dataguard.dataset.table import SampleTable
from dataguard.splits.columns import Column, names_rows, read_columns
from dataguard.versions.profile import (
    LABEL,
    MOST_CLASSES,
    Categories,
    Numbers,
    Pixels,
    SplitProfile,
    category_profile,
    number_profile,
    rounded,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_LUMA = (0.299, 0.587, 0.114)
_TO_8_BITS = 257
_LONG_TEXTS = 3
"""A column of texts of which more than one in three is distinct is described by their lengths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a sample table comes to."""

    splits: tuple[SplitProfile, ...]
    """Training first."""
    left_out: tuple[str, ...]
    """Columns that name the rows."""


def measured(
    table: SampleTable, *, order: str, frame: pd.DataFrame | None = None, regression: bool = False
) -> Measured:
    """Measure every split.

    Args:
        table: The samples.
        order: What its rows are ordered by where `frame` is read, as ``"row"``.
        frame: The columns of a table that are nothing else than features, in that order; None for a folder.
        regression: Whether the label is a number.
    """
    fetched = table.fetch(["split", "label"], order=order)
    splits = np.array([split or "" for split in fetched["split"]], dtype=object)
    columns, left_out = _columns(frame) if frame is not None else ([], ())
    columns += _picture_columns(table, order)
    label = _label(fetched["label"], regression=regression)
    facts = _facts(table)
    made = []
    for name in sorted(set(splits.tolist()), key=split_order):
        inside = np.flatnonzero(splits == name)
        described = [_described(column, inside, len(columns)) for column in columns]
        truth = None if label is None else _described(label, inside, 1, most=MOST_CLASSES)
        n_unreadable, n_bytes, independent = facts[name]
        made.append(
            SplitProfile(
                name=name,
                n_samples=len(inside),
                n_unreadable=n_unreadable,
                n_bytes=n_bytes,
                n_independent=independent,
                label=truth if isinstance(truth, Categories) else None,
                target=truth if isinstance(truth, Numbers) else None,
                pixels=_pixels(table, name),
                numbers=tuple(sorted((x for x in described if isinstance(x, Numbers)), key=lambda x: x.name)),
                categories=tuple(sorted((x for x in described if isinstance(x, Categories)), key=lambda x: x.name)),
            )
        )
    return Measured(splits=tuple(made), left_out=left_out)


def _columns(frame: pd.DataFrame) -> tuple[list[Column], tuple[str, ...]]:
    kept, left_out = [], []
    names = list(dict.fromkeys(str(name) for name in frame.columns))
    for column in read_columns(frame, names):
        n_known = int((~column.missing).sum())
        if column.kind == "category" and _LONG_TEXTS * column.n_distinct > n_known >= 1 and n_known > 50:
            lengths = np.array([len(text) for text in column.categories], dtype=np.float64)
            values = np.full(len(column.values), np.nan)
            known = ~column.missing
            values[known] = lengths[column.values[known].astype(np.intp)]
            kept.append(Column(name=f"length of {column.name}", kind="number", values=values))
        elif names_rows(column):
            left_out.append(column.name)
        else:
            kept.append(column)
    return kept, tuple(sorted(left_out))


def _described(column: Column, rows: NDArray[np.intp], n_columns: int, **most: Any) -> Numbers | Categories:
    values = column.values[rows]
    if column.kind == "number":
        return number_profile(column.name, values, n_columns=n_columns)
    known = values[~np.isnan(values)].astype(np.intp)
    counts = np.bincount(known, minlength=len(column.categories)).tolist()
    return category_profile(column.name, column.categories, counts, len(values) - len(known), **most)


def _label(labels: Sequence[Any] | NDArray[Any], *, regression: bool) -> Column | None:
    import pandas as pd

    series = pd.Series(labels, dtype=object)
    if series.isna().all():
        return None
    if regression:
        return Column(name=LABEL, kind="number", values=pd.to_numeric(series, errors="coerce").to_numpy(np.float64))
    codes, distinct = pd.factorize(series.astype(object))
    values = np.where(codes < 0, np.nan, codes.astype(np.float64))
    return Column(name=LABEL, kind="category", values=values, categories=tuple(str(text) for text in distinct))


def _facts(table: SampleTable) -> dict[str, tuple[int, int | None, float]]:
    """Unreadable samples, bytes, and independent samples of each split."""
    query = table.query
    grouped = table.connection.execute(f"SELECT count(group_id) FROM {query}").fetchall()[0][0]
    # Samples without a group, or without content, are each their own.
    unit = (
        "coalesce('g' || group_id, 's' || sample_id)" if grouped else "coalesce('c' || content_hash, 's' || sample_id)"
    )
    rows = table.connection.execute(
        f"WITH units AS (SELECT coalesce(split, '') AS name, {unit} AS unit, count(*) AS m, "
        f"count(decode_error) AS broken, sum(bytes) AS size FROM {query} GROUP BY 1, 2) "
        "SELECT name, sum(broken)::BIGINT, sum(size)::BIGINT, sum(m)::BIGINT, sum(m * m)::BIGINT FROM units GROUP BY 1"
    ).fetchall()
    return {name: (broken, size, rounded(n * n / squares)) for name, broken, size, n, squares in rows}


def _picture_columns(table: SampleTable, order: str) -> list[Column]:
    """Size, brightness, contrast and colours of each picture, on a scale of 0 to 255 whatever its depth."""
    import pandas as pd

    texts = ("format", "mode")
    fetched = table.connection.execute(
        "SELECT bytes, width, height, format, mode, width * height::BIGINT AS pixels, "
        + ", ".join(f"channel_sums[{k}] AS s{k}, channel_square_sums[{k}] AS q{k}" for k in (1, 2, 3))
        + f" FROM {table.query} ORDER BY {order}"
    ).df()
    made: dict[str, Any] = {}
    for name in ("bytes", "width", "height"):
        made[name] = fetched[name].to_numpy(dtype=np.float64, na_value=np.nan)
    if fetched["s1"].notna().any():
        mode = fetched["mode"].fillna("").astype(str)
        scale = np.where(mode.str.endswith(";16"), _TO_8_BITS, 1).astype(np.float64)
        pixels = fetched["pixels"].to_numpy(dtype=np.float64, na_value=np.nan)
        means, squares = [], []
        for k in (1, 2, 3):
            means.append(fetched[f"s{k}"].to_numpy(dtype=np.float64, na_value=np.nan) / pixels / scale)
            squares.append(fetched[f"q{k}"].to_numpy(dtype=np.float64, na_value=np.nan) / pixels / scale**2)
        color = mode.str.startswith("RGB").to_numpy()
        variances = [np.maximum(square - mean**2, 0) for mean, square in zip(means, squares, strict=True)]
        luma = sum(weight * mean for weight, mean in zip(_LUMA, means, strict=True))
        made["brightness"] = np.where(color, luma, means[0])
        made["contrast"] = np.sqrt(np.where(color, np.mean(variances, axis=0), variances[0]))
        for name, mean in zip(("red", "green", "blue"), means, strict=True):
            made[name] = np.where(color, mean, np.nan)
    columns = [
        Column(name=_of_picture(name), kind="number", values=np.array([rounded(x) for x in values.tolist()]))
        for name, values in made.items()
        if not np.isnan(values).all()
    ]
    for name in texts:
        if fetched[name].notna().any():
            codes, distinct = pd.factorize(fetched[name].astype(object))
            values = np.where(codes < 0, np.nan, codes.astype(np.float64))
            columns.append(
                Column(name=_of_picture(name), kind="category", values=values, categories=tuple(map(str, distinct)))
            )
    return columns


def _of_picture(name: str) -> str:
    """A name that no column of a table is likely to have."""
    return f"picture: {name}"


def _pixels(table: SampleTable, split: str) -> tuple[Pixels, ...]:
    rows = table.connection.execute(
        "SELECT mode, count(*), sum(width * height::BIGINT)::HUGEINT::VARCHAR, "
        + ", ".join(
            f"sum({column}[{k}])::HUGEINT::VARCHAR"
            for column in ("channel_sums", "channel_square_sums")
            for k in (1, 2, 3, 4)
        )
        + f" FROM {table.query} WHERE coalesce(split, '') = ? AND channel_sums IS NOT NULL GROUP BY 1 ORDER BY 1",
        [split],
    ).fetchall()
    made = []
    for mode, pictures, pixels, *sums in rows:
        n = int(pixels)
        channels = [(int(a), int(b)) for a, b in zip(sums[:4], sums[4:], strict=True) if a is not None]
        made.append(
            Pixels(
                mode=mode,
                pictures=pictures,
                mean=tuple(rounded(first / n) for first, _ in channels),
                # Integers of any size, so that nothing cancels.
                std=tuple(rounded((max(0, n * second - first * first) / n**2) ** 0.5) for first, second in channels),
            )
        )
    return tuple(made)
