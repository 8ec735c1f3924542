"""Rows that are read by column come to the same table as rows that are read one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.dataset.memory import batch_bytes, connect, memory_limit, memory_limited, parse_memory
from dataguard.dataset.scan import scan
from dataguard.dataset.sources import RowBatch
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_files import TableFile


class OneByOne(TableSource):
    def row_batches(self, n_rows: int) -> Iterator[RowBatch] | None:
        return None


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    duckdb.sql(
        "COPY (SELECT 'n' || (i * 7919 % 5000) AS name, i % 4 AS part, "
        "CASE i % 3 WHEN 0 THEN 'train' WHEN 1 THEN 'test' END AS split, "
        "CASE WHEN i % 11 > 0 THEN 'ü' || i % 5 END AS label, CASE WHEN i % 6 > 0 THEN i / 8 END AS x, "
        "TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS taken, CASE WHEN i % 2 = 0 THEN 'a' END AS word "
        f"FROM range(5000) t(i)) TO '{path}'"
    )
    return path


@pytest.mark.parametrize(
    "roles",
    [{}, {"id": "name"}, {"group": "part"}, {"time": "taken"}, {"id": "name", "group": "part", "time": "taken"}],
    ids=["plain", "id", "group", "time", "all"],
)
def test_by_column_and_one_by_one_are_the_same(table: Path, roles: dict[str, Any]) -> None:
    by_column = scan(TableSource(table, **roles), cache=None)
    one_by_one = scan(OneByOne(table, **roles), cache=None)

    assert by_column.version_id == one_by_one.version_id
    pd.testing.assert_frame_equal(by_column.to_pandas(), one_by_one.to_pandas())


def test_neither_label_nor_split_nor_feature_is_needed(tmp_path: Path) -> None:
    for name, columns in (("plain", "i AS x"), ("labelled", "'a' || i % 2 AS label")):
        path = tmp_path / f"{name}.parquet"
        duckdb.sql(f"COPY (SELECT {columns} FROM range(20) t(i)) TO '{path}'")
        assert scan(TableSource(path), cache=None).version_id == scan(OneByOne(path), cache=None).version_id


@pytest.mark.parametrize("roles", [{}, {"id": "name"}], ids=["plain", "id"])
def test_rows_of_several_files_are_called_by_file_and_row(tmp_path: Path, roles: dict[str, Any]) -> None:
    files = []
    for split in ("train", "test"):
        path = tmp_path / f"{split}.parquet"
        duckdb.sql(
            f"COPY (SELECT 'n' || i AS name, i % 7 AS x, 'a' || i % 2 AS label FROM range(300) t(i)) TO '{path}'"
        )
        files.append(TableFile(path=path, name=path.name, split=split))
    by_column = scan(TableSource(tmp_path, files=files, **roles), cache=None)
    one_by_one = scan(OneByOne(tmp_path, files=files, **roles), cache=None)

    assert by_column.version_id == one_by_one.version_id
    pd.testing.assert_frame_equal(by_column.to_pandas(), one_by_one.to_pandas())
    assert by_column.to_pandas()["sample_id"].str.contains("t").all()


def test_an_id_that_occurs_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    duckdb.sql(f"COPY (SELECT 'n' || i % 19 AS name, i AS x FROM range(20) t(i)) TO '{path}'")

    with pytest.raises(SourceError, match="n0"):
        scan(TableSource(path, id="name"), cache=None)


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2_000_000_000), (" 1.5 gib", 3 << 29), ("1073741824", 1 << 30), ("4G", 4 * 10**9)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_memory(text, where="--memory") == size


@pytest.mark.parametrize("text", ["", "much", "-2GB", "2 PB", "2GB2", "2,5GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--memory: expected a size as 2GB"):
        parse_memory(text, where="--memory")


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="too little"):
        parse_memory("300MB", where="--memory")


def test_databases_keep_to_the_limit() -> None:
    before = memory_limit()
    with memory_limited(2_000_000_000):
        stated = connect(0.25).execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
        assert batch_bytes() == 62_500_000
    assert stated == "476.8 MiB"
    assert memory_limit() == before >= 1 << 30
