"""`row_hashes.c` finds the contents and the leaves that DuckDB's SQL finds, bit for bit, and is done without."""

from __future__ import annotations

import hashlib
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataguard.core.errors import SourceError
from dataguard.dataset import manifest, native_rows, row_scan
from dataguard.dataset.manifest import Manifest
from dataguard.dataset.native_rows import LEAVES, NativeRows, part_leaves, plan_of, sort_leaves
from dataguard.dataset.row_contents import HEAD_BYTES, Kind, RowContents
from dataguard.dataset.scan import scan
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_columns import Columns
from dataguard.dataset.sources.table_part import Database
from dataguard.dataset.table import SampleTable
from tests.dataset.compiled import ROWS, build_hook, compiled_library, compiler

pytestmark = pytest.mark.slow  # Whole files of tables, which DuckDB reads and the kernel hashes.

YEARS = datetime.fromisoformat("0001-01-01"), datetime.fromisoformat("9999-01-01")
CENTURIES = datetime.fromisoformat("1700-01-01"), datetime.fromisoformat("2200-01-01")
TYPES: dict[str, st.SearchStrategy[Any]] = {
    "TINYINT": st.integers(-128, 127),
    "INTEGER": st.integers(-(2**31), 2**31 - 1),
    "BIGINT": st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-20, 1_000)),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "HUGEINT": st.integers(-(2**127) + 1, 2**127 - 1),
    "DOUBLE": st.floats(),
    "FLOAT": st.floats(width=32),
    "BOOLEAN": st.booleans(),
    "VARCHAR": st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=90),
    "TIMESTAMP": st.datetimes(*YEARS),
    "TIMESTAMP_S": st.datetimes(*YEARS),
    "TIMESTAMP_NS": st.datetimes(*CENTURIES),
    "DATE": st.dates(),
    "DECIMAL(9, 3)": st.decimals(-10_000, 10_000, places=3),
    "BLOB": st.binary(max_size=70),
    "INTEGER[]": st.lists(st.integers(-5, 5), max_size=9),
}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Path:
    found = compiled_library(ROWS, native_rows.LIBRARY)
    monkeypatch.setattr(native_rows, "LIBRARY", found)
    return found


def scanned(source: TableSource, *, compiled: bool) -> SampleTable:
    with pytest.MonkeyPatch.context() as patch:
        if compiled:
            patch.setattr(native_rows, "LIBRARY", compiled_library(ROWS, native_rows.LIBRARY))
            # It is that way, and not the other, that is taken.
            patch.setattr(row_scan, "_copy", None)
        else:
            patch.setattr(native_rows, "LIBRARY", Path("nothing.so"))
        return scan(source, cache=None)


def same(place: Any, **roles: Any) -> SampleTable:
    """Scan a table both ways, and compare all that is found."""
    frame = {} if isinstance(place, Path) else {"frame": place}
    path = place if isinstance(place, Path) else Path("frame")
    one, other = (scanned(TableSource(path, **frame, **roles), compiled=compiled) for compiled in (True, False))
    order = "SELECT * FROM {} LIMIT 100000"
    rows = [table.connection.execute(order.format(table.query)).fetchall() for table in (one, other)]
    assert rows[0] == rows[1]
    assert one.version_id == other.version_id
    return one


@pytest.mark.slow
@pytest.mark.usefixtures("library")
@settings(max_examples=60, deadline=None)
@given(data=st.data(), kinds=st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6), n=st.integers(1, 9))
def test_both_ways_find_the_same_bits(data: st.DataObject, kinds: list[str], n: int) -> None:
    connection = duckdb.connect()
    columns = ", ".join(f"c{k} {kind}" for k, kind in enumerate(kinds))
    connection.execute(f"CREATE TABLE t ({columns})")
    for _ in range(n):
        row = [data.draw(st.none() | TYPES[kind]) for kind in kinds]
        connection.execute(f"INSERT INTO t VALUES ({', '.join('?' for _ in row)})", row)
    found = same(connection.table("t"))
    assert found.n_samples == n


@pytest.mark.usefixtures("library")
def test_values_at_the_ends_of_their_types(tmp_path: Path) -> None:
    path = tmp_path / "ends.parquet"
    duckdb.sql(
        "COPY (SELECT unnest([9223372036854775807, -9223372036854775807 - 1, 0, NULL]) AS n, "
        "unnest(['nan'::DOUBLE, -('nan'::DOUBLE), 'inf', '-inf', -0.0, 5e-324, 1.7976931348623157e308]) AS d, "
        "unnest(['nan'::FLOAT, 'inf', '-inf', -0.0, 1e-45, 3.4028235e38, 16777216, 0.1]) AS f, "
        "unnest(['infinity'::TIMESTAMP, '-infinity', '0044-03-15 (BC) 00:00:00', '1969-12-31 23:59:59.999999']) AS t, "
        f"unnest(['', 'ü', repeat('x', 5000), NULL]) AS s) TO '{path}'"
    )
    found = same(path).to_pandas()
    assert found["content_hash"].nunique() == 8


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("n", [1, 127, 128, 129, pytest.param(300_000, marks=pytest.mark.slow)])
def test_rows_stay_in_their_order_over_many_batches(tmp_path: Path, n: int) -> None:
    path = tmp_path / "long.parquet"
    duckdb.sql(
        f"COPY (SELECT i AS a, i / 7 AS b, 'w' || i % 10 AS s, 'c' || i % 3 AS label FROM range({n}) t(i)) "
        f"TO '{path}' (ROW_GROUP_SIZE 4096)"
    )
    found = scanned(TableSource(path), compiled=True)
    rows = found.connection.execute(f'SELECT "row", sample_id, label FROM {found.query}').fetchall()
    assert rows == [(i + 1, str(i + 1), f"c{i % 3}") for i in range(n)]
    assert found.version_id == scanned(TableSource(path), compiled=False).version_id


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("roles", [{}, {"id": "name"}, {"id": "name", "group": "a", "time": "t"}])
def test_names_groups_and_times(roles: dict[str, Any]) -> None:
    frame = pd.DataFrame(
        {
            "name": [f"n{i * 7919 % 1000:03}" for i in range(1000)],
            "a": np.arange(1000) % 7,
            "t": [
                None if i % 9 == 0 else datetime.fromisoformat("2024-01-01") + timedelta(hours=i) for i in range(1000)
            ],
            "split": ["train", "test"] * 500,
            "label": [None if i % 5 == 0 else f"l{i % 4}" for i in range(1000)],
            "x": np.where(np.arange(1000) % 3 > 0, np.arange(1000) / 7, np.nan),
        }
    )
    same(frame, **roles)


@pytest.mark.usefixtures("library")
def test_rows_without_features_or_labels() -> None:
    assert same(pd.DataFrame({"label": ["a", "b"]})).to_pandas()["content_hash"].isna().all()
    same(pd.DataFrame({"x": [1, 2]}))


@pytest.mark.parametrize("portable", [False, True], ids=["processor", "portable"])
def test_it_is_sha256(library: Path, portable: bool) -> None:
    """Of every length around the ends of blocks, with two messages of other lengths side by side."""
    texts = ["x" * (k * 37 % 300) for k in range(600)]
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT unnest($1::VARCHAR[]) AS s", [texts])
    rows = 'SELECT CAST(rowid + 1 AS BIGINT) AS "row", s AS split, s FROM t'
    head = bytes(range(HEAD_BYTES))
    with NativeRows(
        connection.sql(rows).__arrow_c_stream__(),
        plan_of(["row", "split"], n_content=1, n_details=0),
        [Kind.TEXT],
        head,
        portable=portable,
    ) as stream:
        other = duckdb.connect()
        other.register("made", stream.capsule)
        found = other.execute("SELECT content_hash FROM made").fetchall()
        leaves = stream.take(LEAVES)
        assert (stream.n_done, stream.source_error, stream.take(LEAVES).nbytes) == (600, None, 0)
        other.close()
    digests = [hashlib.sha256(head + f"{len(text)}:{text};".encode()).digest() for text in texts]
    assert [content for (content,) in found] == digests
    whole = Manifest()
    for number, (digest, text) in enumerate(zip(digests, texts, strict=True)):
        whole.add(str(number + 1), digest, None, text)
    assert leaves == whole._leaves


@settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 400), alike=st.integers(0, 32), seed=st.integers(0, 99))
@example(n=3_000, alike=0, seed=0)
@example(n=300, alike=32, seed=0)
def test_leaves_are_put_in_order(n: int, alike: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_rows, "LIBRARY", compiled_library(ROWS, native_rows.LIBRARY))
        rows = np.random.default_rng(seed).integers(0, 256, (n, 32), dtype=np.uint8)
        rows[:, :alike] = 7
        given = bytearray(rows.tobytes())
        assert sort_leaves(given)
        assert given == b"".join(sorted(row.tobytes() for row in rows))
        patch.setattr(native_rows, "LIBRARY", Path("nothing.so"))
        assert n == 0 or manifest._in_order(bytearray(rows.tobytes())).tobytes() == given


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 400), seed=st.integers(0, 99))
def test_leaves_are_parted_by_their_first_bytes(n: int, seed: int) -> None:
    leaves = bytearray(np.random.default_rng(seed).integers(0, 256, 32 * n, dtype=np.uint8).tobytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_rows, "LIBRARY", compiled_library(ROWS, native_rows.LIBRARY))
        found = part_leaves(leaves)
        patch.setattr(native_rows, "LIBRARY", Path("nothing.so"))
        assert part_leaves(leaves) is None
    assert found is not None
    assert (bytes(found[0]), found[1]) == manifest._parted(leaves)


@pytest.mark.usefixtures("library")
def test_a_file_that_breaks_off_is_said(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    duckdb.sql(
        f"COPY (SELECT i, md5(i::VARCHAR) AS s FROM range(50000) t(i)) TO '{path}' "
        "(ROW_GROUP_SIZE 4096, COMPRESSION zstd)"
    )
    source = TableSource(path)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 20_000] = os.urandom(20_000)
    path.write_bytes(data)
    for texts_are_read_before in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not texts_are_read_before:
                patch.setattr(row_scan, "_is_narrow", lambda query: True)
            with pytest.raises(
                SourceError, match=r"cannot be read: Invalid Input Error: Failed to read file .*ZSTD"
            ) as caught:
                scan(source, cache=None)
        assert caught.value.where == str(path)


@pytest.mark.usefixtures("library")
def test_long_rows_go_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: object) -> None:
        raise AssertionError

    frame = pd.DataFrame({"s": ["long " * 2_000] * 40})
    monkeypatch.setattr(row_scan, "_stream", refused)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_scan, "memory_limit", lambda: 2_000_000_000)
        assert scan(TableSource(Path("frame"), frame=frame), cache=None).n_samples == 40
    wide = pd.DataFrame(np.zeros((3, 130)))
    wide.columns = [f"c{k}" for k in range(130)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_scan, "memory_limit", lambda: 2_000_000_000)
        assert scan(TableSource(Path("frame"), frame=wide), cache=None).n_samples == 3


@pytest.mark.usefixtures("library")
def test_a_stream_of_other_columns_is_refused() -> None:
    connection = duckdb.connect()
    stream = connection.sql('SELECT 1::INTEGER AS "row", 2::BIGINT AS x').__arrow_c_stream__()
    with pytest.raises(ValueError, match="other types"):
        NativeRows(stream, plan_of(["row"], n_content=1, n_details=0), [Kind.WHOLE], bytes(HEAD_BYTES))
    with pytest.raises(ValueError, match="does not fit"):
        NativeRows(stream, plan_of(["row"], n_content=1, n_details=0), [], bytes(HEAD_BYTES))


def test_what_is_no_library_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text in ("int dataguard_rows_version(void) { return 0; }", "int other;"):
        source, target = tmp_path / "row_hashes.c", tmp_path / f"{len(text)}.so"
        source.write_text(text, encoding="utf-8")
        compiler()
        assert build_hook().compile_library(source, target) == ""
        monkeypatch.setattr(native_rows, "LIBRARY", target)
        assert not native_rows.is_compiled()
        assert not sort_leaves(bytearray(64))


def test_the_law_in_python() -> None:
    """What `RowContents` says in words, written out."""
    contents = RowContents(
        head=bytes(range(16)),
        values=(
            (Kind.WHOLE, "5::BIGINT"),
            (Kind.FRACTION, "-0.0::DOUBLE"),
            (Kind.FRACTION, "NULL::DOUBLE"),
            (Kind.TEXT, "'ü'"),
            (Kind.TRUTH, "true"),
            (Kind.TIME, "(-7)::BIGINT"),
            (Kind.OTHER, "'x1:a'"),
            (Kind.TEXT, "NULL::VARCHAR"),
            (Kind.FRACTION, "1.5::DOUBLE"),
        ),
    )
    written = bytes(range(16)) + b"5;d" + bytes(8) + ";2:ü;true;t-7;x1:a;;d".encode() + b"\x3f\xf8" + bytes(6)
    assert duckdb.execute(f"SELECT {contents.sql}").fetchall() == [(hashlib.sha256(written).hexdigest(),)]


def test_equal_values_are_equal_whatever_they_were_stored_as() -> None:
    """A time with nanoseconds, one of pandas and one of CSV; a number in single precision and what its digits say."""

    database = Database()

    def contents(expression: str) -> str:
        (kind,), *_ = database.query(f"SELECT typeof({expression})", Path("t"))
        columns = Columns(database=database, table="t", types={"v": str(kind)}, path=Path("t"))
        found = columns.contents(["v"])
        assert found is not None
        return str(database.query(f"SELECT {found.sql} FROM (SELECT {expression} AS v)", Path("t"))[0][0])

    moment = "'2020-01-02 03:04:05.123456'"
    assert contents(f"TIMESTAMP {moment}") == contents(f"TIMESTAMP_NS {moment}")
    assert contents(f"TIMESTAMP {moment}") != contents("TIMESTAMP_NS '2020-01-02 03:04:05.123456001'")
    assert contents("TIMESTAMP 'infinity'") != contents("TIMESTAMP '-infinity'") != contents("NULL::TIMESTAMP")
    assert contents("DATE '2020-01-02'") != contents("TIMESTAMP '2020-01-02'")
    for number in ("0.1", "16777217", "1e-45", "3.4028235e38", "1e10", "123456.789"):
        assert contents(f"{number}::FLOAT") == contents(f"CAST(CAST({number}::FLOAT AS VARCHAR) AS DOUBLE)")
    assert contents("5::UBIGINT") == contents("5::TINYINT") == contents("5::HUGEINT") != contents("5::DOUBLE")


def test_the_compiler_has_nothing_to_say_of_it() -> None:
    options = "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"
    done = subprocess.run([compiler(), *options, ROWS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
