"""Two small versions that are made up, for examples."""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from dataguard import __version__
from dataguard.core.split_roles import split_order
from dataguard.versions.comparison import VersionComparison, compare
from dataguard.versions.manifest_file import manifest_bytes
from dataguard.versions.profile import (
    KIND,
    LABEL,
    SCHEMA_VERSION,
    Categories,
    ManifestFile,
    Numbers,
    Profile,
    SplitProfile,
    Stated,
    category_profile,
    number_profile,
)
from dataguard.versions.snapshot import Snapshot
from dataguard.versions.stated import Statements

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all: to open one takes longer than to fill it. What is temporary goes with the cursor that made it."""
    import duckdb

    return duckdb.connect()


def made_up_snapshot(
    rows: Sequence[Mapping[str, Any]], folder: Path, *, version: str | None = None, keys_are_rows: bool = False
) -> Snapshot:
    """A snapshot of samples that are made up.

    Args:
        rows: Of the sample table; ``content_hash`` may be any text, and is hashed.
        folder: Where the manifest is written.
        version: What the configuration calls it.
        keys_are_rows: Whether ``sample_id`` is the number of a row.
    """
    hashed = [
        (
            row["sample_id"],
            blake3(str(row["content_hash"]).encode()).hexdigest() if row.get("content_hash") else None,
            row.get("label"),
            row.get("split"),
        )
        for row in rows
    ]
    with _database().cursor() as connection:
        connection.execute(
            "CREATE TEMP TABLE samples (sample_id VARCHAR, content_hash VARCHAR, label VARCHAR, split VARCHAR)"
        )
        if hashed:
            # One statement: a thousand of them take a second.
            marks = ", ".join(["(?, ?, ?, ?)"] * len(hashed))
            connection.execute(f"INSERT INTO samples VALUES {marks}", [value for row in hashed for value in row])
        data, header = manifest_bytes(
            connection,
            "samples",
            rows=keys_are_rows,
            version_id=blake3(repr(sorted(map(repr, hashed))).encode()).hexdigest(),
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.parquet"
    path.write_bytes(data)
    profile = Profile(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        tool_version=__version__,
        name="made-up",
        source="folder",
        version_id=header.version_id,
        stated=() if version is None else (Stated(by="configuration", file="", version=version),),
        manifest=ManifestFile(
            n_samples=len(hashed),
            content_hash=header.content_hash,
            keys=header.keys,
            labels=header.labels,
            blake3=blake3(data).hexdigest(),
        ),
        splits=_labelled_splits(hashed),
        left_out=(),
    )
    return Snapshot(profile=profile, manifest=path, place=str(folder))


def _labelled_splits(rows: Sequence[tuple[str, str | None, str | None, str | None]]) -> tuple[SplitProfile, ...]:
    made = []
    for name in sorted({row[3] or "" for row in rows}, key=split_order):
        labels = [row[2] for row in rows if (row[3] or "") == name]
        counts = Counter(label for label in labels if label is not None)
        label = category_profile(LABEL, list(counts), list(counts.values()), len(labels) - counts.total())
        made.append(_split(name, len(labels), label=label if counts else None))
    return tuple(made)


def made_up_comparison(
    *,
    n: int = 10,
    split: str = "train",
    removed: int = 0,
    added: int = 0,
    relabelled: int = 0,
    version: str | None = None,
    now_version: str | None = None,
    statements: Statements | None = None,
) -> VersionComparison:
    """Two versions of a few samples, 'cat' and then 'dog' by halves, of one split.

    Args:
        n: Samples of the former version.
        split: The split of all.
        removed: How many of the first are gone.
        added: How many came.
        relabelled: How many of the last cats are dogs now.
        version: What the configuration called the former version.
        now_version: What it calls this one.
        statements: What is said beside this version's data.
    """
    old = [_row(k, "cat" if k < n // 2 else "dog", split) for k in range(n)]
    new = [_row(k, "cat" if k < n // 2 - relabelled else "dog", split) for k in range(removed, n + added)]
    with tempfile.TemporaryDirectory(prefix="dataguard-made-up-") as folder:
        return compare(
            made_up_snapshot(old, Path(folder) / "old", version=version),
            made_up_snapshot(new, Path(folder) / "new", version=now_version),
            statements,
        )


def made_up_split(columns: Mapping[str, NDArray[np.float64]], *, name: str = "train") -> SplitProfile:
    """The profile of a split with some columns of numbers, each of the same length; NaN for a missing one."""
    numbers = tuple(number_profile(column, values) for column, values in sorted(columns.items()))
    n = numbers[0].n + numbers[0].missing
    return _split(name, n, numbers=numbers)


def _split(name: str, n: int, *, label: Categories | None = None, numbers: tuple[Numbers, ...] = ()) -> SplitProfile:
    return SplitProfile(
        name=name,
        n_samples=n,
        n_unreadable=0,
        n_bytes=None,
        n_independent=float(n),
        label=label,
        target=None,
        pixels=(),
        numbers=numbers,
        categories=(),
    )


def _row(number: int, label: str, split: str) -> dict[str, Any]:
    return {"sample_id": f"{number:04d}.png", "content_hash": f"content {number}", "label": label, "split": split}
