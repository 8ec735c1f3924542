"""Probabilities and features that the user has already, read from a file and checked."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import SourceError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUM_TOLERANCE = 1e-2
"""How far a row's sum may be from 1. float16 rounds each of its probabilities by up to 2⁻¹¹ of its value and so the sum
by 5e-4; sums over many classes done in float16 are off by up to about ten times that."""
NAMED_ROWS = 5
FORMATS = (".npy", ".npz", ".parquet")


def read_pred_probs(path: Path, *, sample_ids: Sequence[str], classes: Sequence[str]) -> NDArray[np.float32]:
    """Class probabilities from a file, in the order of `sample_ids` and `classes`.

    * ``.npy``: an array (n, classes) in that order.
    * ``.npz``: key ``pred_probs``, and optionally ``sample_ids`` and ``classes``, which say what rows and columns are.
    * ``.parquet``: a column a class, named as the class, and optionally ``sample_id``.

    Rows for samples that the dataset does not have are passed over. Rows within float error of 1 are made to sum to 1.

    Returns:
        Shape (n, classes), rows sum to 1.

    Raises:
        SourceError: the file is unreadable, lacks a sample or a class, or a row is not a probability distribution.
    """
    path = Path(path)
    values, ids, columns = _read(path, "pred_probs", classes)
    if columns is not None:
        position = {name: index for index, name in enumerate(columns)}
        for name in classes:
            if name not in position:
                raise SourceError(f"no probabilities for class {name!r}", where=path, hint=did_you_mean(name, position))
        values = values[:, [position[name] for name in classes]]
    elif values.shape[1] != len(classes):
        raise SourceError(
            f"{values.shape[1]} columns of probabilities for {len(classes)} classes",
            where=path,
            hint=f"one column a class is needed, in this order: {_first(list(classes))}",
        )
    probs = _in_order(values, ids, sample_ids, path).astype(np.float64)
    _refuse(~np.isfinite(probs).all(axis=1), "NaN or infinite probabilities", sample_ids, path)
    _refuse((probs < 0).any(axis=1), "negative probabilities", sample_ids, path, "are these logits? apply softmax")
    sums = probs.sum(axis=1)
    _refuse(
        np.abs(sums - 1) > SUM_TOLERANCE,
        "probabilities that do not sum to 1",
        sample_ids,
        path,
        "apply softmax to logits; for several labels a sample this check does not apply",
    )
    normalized: NDArray[np.float32] = (probs / sums[:, None]).astype(np.float32)
    return normalized


def read_features(path: Path, *, sample_ids: Sequence[str]) -> NDArray[np.float32]:
    """Features (an embedding, say) from a file, in the order of `sample_ids`.

    ``.npy``: an array (n, d); ``.npz``: key ``features``, and optionally ``sample_ids``; ``.parquet``: all columns but
    ``sample_id``, which is optional.

    Returns:
        Shape (n, d).

    Raises:
        SourceError: the file is unreadable, lacks a sample, or holds NaN or infinite values.
    """
    path = Path(path)
    values, ids, _ = _read(path, "features", None)
    features = _in_order(values, ids, sample_ids, path).astype(np.float32)
    _refuse(~np.isfinite(features).all(axis=1), "NaN or infinite features", sample_ids, path)
    return features


def _read(
    path: Path, key: str, classes: Sequence[str] | None
) -> tuple[NDArray[Any], list[str] | None, list[str] | None]:
    """The numbers, shape (rows, columns), with the rows' ids and the columns' names where the file says them."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise SourceError(
            f"cannot read {suffix or 'a file without a suffix'!r}", where=path, hint="use " + ", ".join(FORMATS)
        )
    if not path.is_file():
        raise SourceError("no such file", where=path, hint="paths are relative to the folder that dataguard runs in")
    if suffix == ".parquet":
        return _read_parquet(path, classes)
    try:
        loaded = np.load(path, allow_pickle=False)
        if suffix == ".npy":
            values, ids, columns = loaded, None, None
        else:
            with loaded:
                if key not in loaded:
                    raise SourceError(f"no array {key!r}", where=path, hint=did_you_mean(key, loaded.files))
                values = loaded[key]
                ids = [str(name) for name in loaded["sample_ids"]] if "sample_ids" in loaded else None
                columns = [str(name) for name in loaded["classes"]] if "classes" in loaded else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"not a readable NumPy file: {error}",
            where=path,
            hint="save plain numbers with numpy.save; pickled objects are not loaded",
        ) from error
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise SourceError(
            f"an array of shape {values.shape} and type {values.dtype}",
            where=path,
            hint="a two-dimensional array of real numbers is needed, one row a sample",
        )
    for what, names, size in (("sample_ids", ids, values.shape[0]), ("classes", columns, values.shape[1])):
        if names is not None and len(names) != size:
            raise SourceError(f"{len(names)} {what} for an array of shape {values.shape}", where=path)
    return values, ids, columns


def _read_parquet(path: Path, classes: Sequence[str] | None) -> tuple[NDArray[Any], list[str] | None, list[str]]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            relation = connection.from_parquet(str(path))
            names = [name for name in relation.columns if name != "sample_id"]
            wanted = names if classes is None else [name for name in names if name in set(classes)]
            quoted = [f'CAST("{name.replace(chr(34), chr(34) * 2)}" AS DOUBLE)' for name in wanted]
            has_ids = "sample_id" in relation.columns
            selected = [*quoted, *(["CAST(sample_id AS VARCHAR) AS sample_id"] if has_ids else [])]
            if not selected:
                return np.zeros((0, 0)), None, names
            fetched = relation.project(
                ", ".join(f"{part} AS c{i}" if i < len(quoted) else part for i, part in enumerate(selected))
            ).fetchnumpy()
        except duckdb.Error as error:
            raise SourceError(f"not a readable Parquet file: {error}", where=path) from error
    columns = [
        np.ma.filled(np.ma.asarray(fetched[f"c{index}"], dtype=np.float64), np.nan) for index in range(len(wanted))
    ]
    ids = [str(name) for name in fetched["sample_id"]] if has_ids else None
    rows = len(columns[0]) if columns else len(ids or [])
    return (np.column_stack(columns) if columns else np.zeros((rows, 0))), ids, wanted if classes is None else names


def _in_order(values: NDArray[Any], ids: list[str] | None, sample_ids: Sequence[str], path: Path) -> NDArray[Any]:
    if ids is None:
        if len(values) != len(sample_ids):
            raise SourceError(
                f"{len(values)} rows for {len(sample_ids)} samples",
                where=path,
                hint="one row a sample in the order of the sample ids, or ids beside them (.npz, .parquet)",
            )
        return values
    position = {name: row for row, name in enumerate(ids)}
    if len(position) < len(ids):
        seen: set[str] = set()
        twice = [name for name in ids if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
        raise SourceError(f"sample ids that occur twice: {_first(twice)}", where=path)
    absent = [name for name in sample_ids if name not in position]
    if absent:
        raise SourceError(
            f"no row for {len(absent)} of {len(sample_ids)} samples: {_first(absent)}",
            where=path,
            hint=did_you_mean(absent[0], ids[:1000]),
        )
    ordered: NDArray[Any] = values[[position[name] for name in sample_ids]]
    return ordered


def _refuse(bad: Any, what: str, sample_ids: Sequence[str], path: Path, hint: str | None = None) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise SourceError(
            f"{what} in {len(rows)} of {len(bad)} rows: {_first([sample_ids[int(row)] for row in rows])}",
            where=path,
            hint=hint,
        )


def _first(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:NAMED_ROWS]) + (", …" if len(names) > NAMED_ROWS else "")
