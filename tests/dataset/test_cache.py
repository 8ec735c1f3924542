from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataguard.dataset.cache import SCHEMA_VERSION, Cache, Stamp
from dataguard.dataset.decode import ImageFacts

FACTS = ImageFacts(
    format="png",
    width=3,
    height=2,
    mode="RGB",
    channel_sums=(1, 2, 3),
    channel_square_sums=(4, 5, 2**62),
    thumbnail=bytes(3072),
)
BROKEN = ImageFacts(format="jpeg", decode_error="the image is truncated: “ü”")
OLD = Stamp(10, 1_000, 7, 10_000_000_000, 2_000)
DIGEST = bytes(range(32))


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "folder")
    cache.put([("/a", OLD, DIGEST)], [(DIGEST, FACTS), (b"\1" * 32, BROKEN)], "decoder 1")
    again = Cache(tmp_path / "new" / "folder")
    assert again.facts([DIGEST, b"\1" * 32, b"\2" * 32], "decoder 1") == {DIGEST: FACTS, b"\1" * 32: BROKEN}
    assert again.facts([DIGEST], "decoder 2") == {}
    assert again.hashes({"/a": OLD, "/b": OLD}) == {"/a": DIGEST}
    assert cache.notes == again.notes == []


@pytest.mark.parametrize(
    "changed",
    [
        Stamp(11, 1_000, 7, 0, 2_000),
        Stamp(10, 1_001, 7, 0, 2_000),
        Stamp(10, 1_000, 8, 0, 2_000),
        Stamp(10, 1_000, 7, 0, 2_001),
    ],
)
def test_a_file_whose_stat_changed_is_not_known(tmp_path: Path, changed: Stamp) -> None:
    cache = Cache(tmp_path)
    cache.put([("/a", OLD, DIGEST)], [], "")
    assert cache.hashes({"/a": changed}) == {}


def test_a_file_that_was_just_written_is_not_trusted(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    now = time.time_ns()
    fresh, settled = Stamp(1, now - 1_900_000_000, 1, now), Stamp(1, now - 2_100_000_000, 1, now)
    cache.put([("/fresh", fresh, DIGEST), ("/settled", settled, DIGEST)], [], "")
    assert cache.hashes({"/fresh": fresh, "/settled": settled}) == {"/settled": DIGEST}


def test_what_is_known_of_contents_outlives_stats_without_the_time_of_their_change(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put([("/a", OLD, DIGEST)], [(DIGEST, FACTS)], "decoder 1")
    with contextlib.closing(sqlite3.connect(tmp_path / "cache.sqlite", isolation_level=None)) as connection:
        connection.execute("ALTER TABLE files DROP COLUMN ctime_ns")
        connection.execute("PRAGMA user_version = 1")
    again = Cache(tmp_path)
    assert again.hashes({"/a": OLD}) == {}
    assert again.facts([DIGEST], "decoder 1") == {DIGEST: FACTS}
    again.put([("/a", OLD, DIGEST)], [], "decoder 1")
    assert again.hashes({"/a": OLD}) == {"/a": DIGEST}
    assert again.notes == []


def test_more_keys_than_one_statement_takes(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put([(f"/{number}", OLD, number.to_bytes(32, "big")) for number in range(2_500)], [], "")
    found = cache.hashes({f"/{number}": OLD for number in range(3_000)})
    assert len(found) == 2_500
    assert found["/2499"] == (2_499).to_bytes(32, "big")


def test_blobs(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.get_blob("key") is None
    cache.put_blob("key", b"one")
    cache.put_blob("key", b"\x00two")
    assert Cache(tmp_path).get_blob("key") == b"\x00two"


def test_a_broken_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "cache.sqlite").write_bytes(b"this is no database, but long enough to look like a file of one" * 50)
    cache = Cache(tmp_path)
    cache.put_blob("key", b"value")
    assert cache.get_blob("key") == b"value"
    (note,) = cache.notes
    assert "has been made anew" in note
    (aside,) = tmp_path.glob("cache.sqlite.broken-*")
    assert str(aside) in note
    assert aside.read_bytes().startswith(b"this is no database")


def test_a_file_that_breaks_later_is_set_aside(tmp_path: Path) -> None:
    Cache(tmp_path).put([(f"/{number}", OLD, DIGEST) for number in range(3_000)], [], "")
    path = tmp_path / "cache.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as stream:
        stream.seek(8192 * 3)
        stream.write(b"\xff" * (path.stat().st_size - 8192 * 3))
    cache = Cache(tmp_path)
    assert cache.hashes({f"/{number}": OLD for number in range(3_000)}) == {}
    assert "made anew" in cache.notes[0]
    cache.put_blob("key", b"value")
    assert cache.get_blob("key") == b"value"


def test_another_version_is_rebuilt(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "cache.sqlite")
    connection.execute("CREATE TABLE blobs (something INTEGER)")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    cache = Cache(tmp_path)
    cache.put_blob("key", b"value")
    assert cache.get_blob("key") == b"value"
    assert cache.notes == []


def test_a_folder_that_cannot_be_made_means_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "cache")
    cache.put([("/a", OLD, DIGEST)], [(DIGEST, FACTS)], "")
    cache.put_blob("key", b"value")
    assert cache.get_blob("key") is None
    assert cache.tables is None
    assert not cache.usable
    assert "nothing is cached in" in cache.notes[0]


@pytest.mark.parametrize("message", ["database or disk is full", "attempt to write a readonly database"])
def test_a_full_or_read_only_disk_means_no_cache(tmp_path: Path, message: str) -> None:
    cache = Cache(tmp_path)
    cache.put_blob("key", b"value")
    connection = cache._connection
    assert connection is not None
    # SQLite itself refuses: at a limit on its pages, or told to be read-only.
    limit = "PRAGMA max_page_count = 1" if "full" in message else "PRAGMA query_only = 1"
    connection.execute(limit)
    cache.put_blob("large", bytes(1_000_000))
    (note,) = cache.notes
    assert message in note
    assert cache.get_blob("key") is None
    assert Cache(tmp_path).get_blob("key") == b"value"


def test_a_writer_that_waits_too_long_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.dataset.cache._BUSY_SECONDS", 0.05)
    cache = Cache(tmp_path)
    other = sqlite3.connect(tmp_path / "cache.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cache.put_blob("key", b"value")
    assert "busy" in cache.notes[0]
    other.execute("ROLLBACK")
    other.close()
    cache.put_blob("key", b"value")
    assert cache.get_blob("key") == b"value"


@pytest.mark.slow
def test_two_processes_write_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys; from dataguard.dataset.cache import Cache\n"
        "cache = Cache(sys.argv[1])\n"
        "for number in range(100): cache.put_blob(f'{sys.argv[2]}{number}', bytes(2000))\n"
        "assert not cache.notes, cache.notes"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    assert [process.wait() for process in processes] == [0, 0]
    cache = Cache(tmp_path)
    assert all(cache.get_blob(f"{name}{number}") for name in "ab" for number in range(100))


def test_old_tables_are_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.tables is not None
    ages = {"used": 20, "forgotten": 40, ".partial-new": 0.5, ".partial-old": 2}
    for name, days in ages.items():
        folder = cache.tables / name
        folder.mkdir()
        (folder / "000000.parquet").write_bytes(b"")
        os.utime(folder, times=(time.time() - days * 86_400,) * 2)
    cache.prune()
    assert {path.name for path in cache.tables.iterdir()} == {"used", ".partial-new"}


def test_tables_that_are_too_large_go_the_longest_unused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.dataset.cache.MOST_TABLE_BYTES", 2_500)
    cache = Cache(tmp_path)
    assert cache.tables is not None
    for number, hours in enumerate((0, 2, 3, 4, 0.5)):
        table = cache.tables / str(number)
        table.mkdir()
        (table / "000000.parquet").write_bytes(bytes(1_000))
        os.utime(table, times=(time.time() - hours * 3_600,) * 2)
    cache.prune()
    # The first two to go are those opened 3 and 4 hours ago; what was opened within the hour stays whatever it takes.
    assert {path.name for path in cache.tables.iterdir()} == {"0", "4"}


@pytest.mark.parametrize("blobs", [False, True])
def test_it_stays_bounded_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blobs: bool) -> None:
    monkeypatch.setattr("dataguard.dataset.cache.MOST_BYTES", 2 << 20)
    monkeypatch.setattr("dataguard.dataset.cache._REMOVED_AT_A_TIME", 50)
    cache = Cache(tmp_path)
    for number in range(0, 2_000, 100):
        digests = [value.to_bytes(32, "big") for value in range(number, number + 100)]
        if blobs:
            cache.put_blob(f"key {number:04}", bytes(200_000))
        cache.put([(f"/{digest.hex()}", OLD, digest) for digest in digests], [(one, FACTS) for one in digests], "d")
        cache.prune()
        assert cache._live_bytes() <= 2 << 20
    known = cache.facts([value.to_bytes(32, "big") for value in range(2_000)], "d")
    newest = [int.from_bytes(digest, "big") for digest in known]
    assert newest
    assert sorted(newest) == list(range(2_000 - len(newest), 2_000))
    files = cache.hashes({f"/{value.to_bytes(32, 'big').hex()}": OLD for value in range(2_000)})
    assert set(files.values()) == set(known)
    if blobs:
        assert cache.get_blob("key 1900") is not None
        assert cache.get_blob("key 0000") is None
    assert cache.notes == []


def test_a_blob_that_is_put_bounds_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.dataset.cache.MOST_BYTES", 1 << 20)
    cache = Cache(tmp_path)
    for number in range(30):
        cache.put_blob(f"key {number}", bytes(100_000))
    assert cache._live_bytes() <= 1 << 20
    assert cache.get_blob("key 29") is not None


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATAGUARD_CACHE_DIR", str(tmp_path))
    assert Cache.default_folder() == tmp_path
    monkeypatch.delenv("DATAGUARD_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert Cache.default_folder() == tmp_path / "user" / "dataguard"


def test_a_closed_cache_keeps_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put_blob("key", b"value")
    cache.close()
    assert cache.get_blob("key") is None
    assert cache.notes == []


def test_a_new_cache_that_another_process_is_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [1, 1]
    connect = Cache._connect

    def refused_at_first(self: Cache) -> None:
        if refusals:
            refusals.pop()
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        connect(self)

    monkeypatch.setattr(Cache, "_connect", refused_at_first)
    cache = Cache(tmp_path / "cache")
    cache.put_blob("key", b"value")
    assert (cache.notes, cache.get_blob("key")) == ([], b"value")
