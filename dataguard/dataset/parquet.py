"""A table in Parquet: one file, or the files of a folder in the order of their names."""

from __future__ import annotations

from pathlib import Path

from dataguard.core.sql import literal


def parts_of(parquet: Path) -> list[Path]:
    """The files of a table."""
    return sorted(parquet.glob("*.parquet")) if parquet.is_dir() else [parquet]


def parquet_sql(*parts: Path) -> str:
    """SQL for the rows of some files, one after the other.

    >>> parquet_sql(Path("a"), Path("it's"))
    "read_parquet(['a', 'it''s'])"
    """
    return f"read_parquet([{', '.join(map(literal, parts))}])"
