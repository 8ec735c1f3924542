"""Rows that DuckDB copies come to the same table as rows that are read one by one."""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from dataguard.core.errors import ConfigurationError, OutputError, SourceError
from dataguard.dataset.cache import Cache
from dataguard.dataset.manifest import Manifest
from dataguard.dataset.memory import (
    BATCH_SHARE,
    LEAVES_SHARE,
    connect,
    memory_limit,
    memory_limited,
    memory_share,
    parse_memory,
    remove_left_over,
)
from dataguard.dataset.row_scan import copy_rows
from dataguard.dataset.scan import scan
from dataguard.dataset.sources import RowQuery
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_files import TableFile
from dataguard.dataset.table import SampleTable

pytestmark = pytest.mark.slow  # Whole scans of files of tables, by SQL and by the kernel.

N_ROWS = 2_200
"""More than DuckDB hands on at a time."""


class OneByOne(TableSource):
    def rows(self) -> RowQuery | None:
        return None


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    duckdb.sql(
        f"COPY (SELECT 'n' || (i * 7919 % {N_ROWS}) AS name, i % 4 AS part, "
        "CASE i % 3 WHEN 0 THEN 'train' WHEN 1 THEN 'test' END AS split, "
        "CASE WHEN i % 11 > 0 THEN 'ü' || i % 5 END AS label, CASE WHEN i % 6 > 0 THEN i / 8 END AS x, "
        "TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS taken, CASE WHEN i % 2 = 0 THEN 'a' END AS word "
        f"FROM range({N_ROWS}) t(i)) TO '{path}'"
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


def test_an_interrupt_ends_the_scan_and_leaves_nothing_behind(table: Path, tmp_path: Path) -> None:
    source = TableSource(table)
    cache = Cache(tmp_path / "cache")

    def interrupt(stage: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(source, cache=cache, progress=interrupt)

    assert cache.tables is not None
    assert list(cache.tables.iterdir()) == []
    assert scan(source, cache=cache).version_id == scan(OneByOne(table), cache=None).version_id


def test_a_table_that_cannot_be_written_is_said(table: Path, tmp_path: Path) -> None:
    query = TableSource(table).rows()
    assert query is not None
    with pytest.raises(OutputError, match="cannot be written"):
        copy_rows(query, tmp_path / "gone", Manifest(), Manifest(), lambda *_: None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("'a' AS a, 'bc' AS b", "'ab' AS a, 'c' AS b"),
        ("'a;' AS a, '' AS b", "'a' AS a, ';' AS b"),
        ("NULL::VARCHAR AS a, '' AS b", "'' AS a, NULL::VARCHAR AS b"),
        ("1 AS a, 2 AS b", "'1' AS a, 2 AS b"),
        ("1 AS a, 2 AS b", "1.0::DOUBLE AS a, 2 AS b"),
        ("1 AS a, 2 AS b", "1::DECIMAL(4, 0) AS a, 2 AS b"),
        ("true AS a, 2 AS b", "'true' AS a, 2 AS b"),
        ("DATE '2020-01-02' AS a, 2 AS b", "TIMESTAMP '2020-01-02' AS a, 2 AS b"),
        ("1 AS a, 2 AS b", "1 AS a, 2 AS c"),
        ("[1, 2] AS a, 2 AS b", "'[1, 2]' AS a, 2 AS b"),
    ],
)
def test_rows_that_differ_differ_in_content(content: Callable[[str], str], one: str, other: str) -> None:
    assert content(one) != content(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1::TINYINT AS a", "1::BIGINT AS a"),
        ("0.1::FLOAT AS a", "0.1::DOUBLE AS a"),
        ("-0.0::DOUBLE AS a", "0.0::DOUBLE AS a"),
        ("'nan'::DOUBLE AS a", "-('nan'::DOUBLE) AS a"),
        ("NULL::VARCHAR AS a", "NULL::DOUBLE AS a"),
        ("TIMESTAMP '2020-01-02 03:04:05' AS a", "TIMESTAMP_MS '2020-01-02 03:04:05' AS a"),
    ],
)
def test_rows_that_are_equal_are_equal_in_content(content: Callable[[str], str], one: str, other: str) -> None:
    assert content(one) == content(other)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The content hash of a table of one row; each is scanned once."""

    @functools.cache
    def scanned(selected: str) -> str:
        folder = tmp_path_factory.mktemp("row")
        duckdb.sql(f"COPY (SELECT {selected}) TO '{folder / 'row.parquet'}'")
        query = TableSource(folder / "row.parquet").rows()
        assert query is not None
        copied = copy_rows(query, folder, Manifest(), Manifest(), lambda *_: None)
        ((found,),) = duckdb.execute(f"SELECT content_hash FROM '{copied}'").fetchall()
        digits = found.hex() if isinstance(found, bytes) else str(found)
        assert len(digits) == 64
        return digits

    return scanned


def test_numbers_come_by_split_in_the_order_of_rows(table: Path) -> None:
    found: dict[str, list[float]] = {"": [], "train": [], "test": []}
    for split, values in TableSource(table).numbers(["part", "x"]):
        assert values.dtype == np.float64
        found[split] += values[:, 0].tolist()
        assert np.isnan(values[:, 1]).any() == (split == "train")
    assert found["train"] == [i % 4 for i in range(N_ROWS) if i % 3 == 0]
    assert found["test"] == [i % 4 for i in range(N_ROWS) if i % 3 == 1]
    assert sum(map(len, found.values())) == N_ROWS


@pytest.mark.parametrize("identity", [None, "name"], ids=["numbered", "named"])
@pytest.mark.parametrize("order", ['"row"', '"sample_id"'])
def test_rows_in_some_places_of_an_order(table: Path, identity: str | None, order: str) -> None:
    scanned = scan(TableSource(table, id=identity), cache=None)
    places = np.array([0, 17, N_ROWS - 1])
    found = scanned.fetch(["sample_id"], where=scanned.condition_on(places, order=order), order=order)
    assert found["sample_id"].tolist() == scanned.fetch(["sample_id"], order=order)["sample_id"][places].tolist()


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
        assert memory_share(BATCH_SHARE) == 64 << 20
        assert memory_share(LEAVES_SHARE) == 666_666_666
    assert stated == "476.8 MiB"
    assert memory_limit() == before >= 1 << 30


def test_databases_draw_no_bars_among_reports() -> None:
    database = connect(0.1)
    for connection in (database, database.cursor()):
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]


def test_databases_that_spill_do_not_meet_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    databases = [connect(0.0), connect(0.0)]
    for number, database in enumerate(databases):
        database.execute("SET memory_limit = '24MB'")
        database.execute("SET threads = 1")
        database.execute(f"CREATE TABLE x AS SELECT hash(i) h, i + {number} AS i FROM range(3000000) t(i)")
    folders = list(tmp_path.iterdir())
    assert len(folders) == 2
    assert all(any(folder.iterdir()) for folder in folders)
    for number, database in enumerate(databases):
        assert database.execute("SELECT sum(i) FROM x").fetchall() == [(4_499_998_500_000 + 3_000_000 * number,)]
        database.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    ours = f"dataguard-spilled-{socket.gethostname()}-"
    names = [
        f"{ours}{gone.pid}-00ff",
        f"{ours}{os.getpid()}-00ff",
        f"dataguard-spilled-another-{gone.pid}-00ff",
        "data",
    ]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    remove_left_over(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == set(names[1:])


def test_the_contents_of_some_rows_are_looked_up_and_the_others_are_not_held(table: Path) -> None:
    scanned = scan(TableSource(table), cache=None)
    fetched = scanned.fetch(["sample_id", "content_hash"])
    whole = dict(zip(fetched["sample_id"].tolist(), fetched["content_hash"].tolist(), strict=True))
    assert scanned.contents_of(["7", str(N_ROWS), "no such row"]) == {name: whole[name] for name in ("7", str(N_ROWS))}
    assert scanned.contents_of([]) == {}
    plain = SampleTable.from_rows([{"sample_id": "a"}, {"sample_id": "b", "content_hash": "5f"}])
    assert plain.contents_of(["a", "b"]) == {"b": "5f"}
