"""What has been found out about files, kept between runs: by content, and by the stat of a file.

One SQLite file, which several processes may use at a time and which a killed process leaves whole. Losing it costs
time and nothing else, so that no trouble with it ever fails a run: it is set aside, or done without, and `Cache.notes`
says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from dataguard.dataset.decode import ImageFacts

SCHEMA_VERSION = 2
_WITHOUT_CTIME = 1
RACY_NS = 2_000_000_000
_TABLE_DAYS = 30
MOST_BYTES = 8 << 30
"""Of the database, 3.6 kB a picture: what two million come to. The oldest goes first."""
MOST_TABLE_BYTES = 16 << 30
"""Of finished sample tables, 3.4 kB a picture; the one that was opened longest ago goes first."""
_JUST_OPENED = 3_600
"""Seconds for which a table is left alone: somebody may be reading it."""
_REMOVED_AT_A_TIME = 5_000
_BUSY_SECONDS = 30
_RETRY_SECONDS = 0.02
_KEYS_AT_A_TIME = 500
_FIGURES = ("page_count", "freelist_count", "page_size")
_SCHEMA = (
    """CREATE TABLE files
    (path TEXT PRIMARY KEY, size INT, mtime_ns INT, inode INT, ctime_ns INT, hash BLOB) WITHOUT ROWID""",
    "CREATE TABLE decoders (id INTEGER PRIMARY KEY, name TEXT UNIQUE)",
    "CREATE TABLE facts (hash BLOB, decoder INT, facts TEXT, thumbnail BLOB, PRIMARY KEY (hash, decoder))",
    "CREATE TABLE blobs (key TEXT PRIMARY KEY, value BLOB)",
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file's stat: what must be unchanged for its content to be taken as unchanged.

    The time at which the stat itself changed is part of it, for a program may put back the time of writing, but not
    that. It changes as well where a file gets other rights or another name beside its own (a hard link); then it is
    read again, and what is known of its content holds.
    """

    size: int
    mtime_ns: int
    inode: int
    seen_ns: int
    """When the stat was taken, by the wall clock."""
    ctime_ns: int = 0
    """0 for an object of a store."""

    @classmethod
    def of(cls, info: os.stat_result) -> Stamp:
        """The stamp of a file, taken now."""
        return cls(info.st_size, info.st_mtime_ns, info.st_ino, time.time_ns(), info.st_ctime_ns)

    @classmethod
    def told(cls, size: int, state: str) -> Stamp:
        """The stamp of an object of a store, which says in words what changes with its content."""
        digest = blake3(state.encode()).digest(length=16)
        # 62 bits each, for SQLite's numbers have a sign.
        first, second = (int.from_bytes(half, "big") >> 2 for half in (digest[:8], digest[8:]))
        return cls(size, first, second, first + RACY_NS + 1)

    @property
    def settled(self) -> bool:
        """Whether a later write would show in the stat.

        A write within the tick of the file system's clock leaves the time of change as it was, so that a file that
        has just been written is not trusted: git's rule for "racily clean" entries, with the 2 s of the coarsest
        file systems in use.
        """
        return self.seen_ns - self.mtime_ns > RACY_NS

    @property
    def state(self) -> tuple[int, int, int, int]:
        """All of it that must be unchanged."""
        return self.size, self.mtime_ns, self.inode, self.ctime_ns


class Cache:
    """A cache in a folder, which is made where it is not there.

    Attributes:
        folder: Where it lies.
        notes: What went wrong with it, in words; nothing of it concerns the results.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.notes: list[str] = []
        self._path = self.folder / "cache.sqlite"
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._usable = True
        self._rebuilt = False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except sqlite3.Error as error:
            self._trouble(error)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    @staticmethod
    def default_folder() -> Path:
        """``$DATAGUARD_CACHE_DIR``, or the user's cache folder."""
        if chosen := os.environ.get("DATAGUARD_CACHE_DIR"):
            return Path(chosen)
        import platformdirs

        return Path(platformdirs.user_cache_dir("dataguard", appauthor=False))

    @classmethod
    def folder_for(cls, base: Path, named: str | None) -> Path:
        """The folder that is named, relative to another, or the default one."""
        return base / (Path(named) if named else cls.default_folder())

    @property
    def usable(self) -> bool:
        """Whether anything is kept."""
        return self._usable

    @property
    def tables(self) -> Path | None:
        """The folder of finished sample tables; None where nothing can be kept."""
        if not self._usable:
            return None
        folder = self.folder / "tables"
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            return None
        return folder

    def hashes(self, stamps: Mapping[str, Stamp]) -> dict[str, bytes]:
        """The content hashes of files that are unchanged since they were hashed.

        Args:
            stamps: By absolute path.

        Returns:
            By path, 32 bytes; without those that are not known or not to be trusted.
        """
        rows = self._select("SELECT path, size, mtime_ns, inode, ctime_ns, hash FROM files WHERE path IN", list(stamps))
        return {path: digest for path, *state, digest in rows if tuple(state) == stamps[path].state}

    def has_facts(self, decoder: str) -> bool:
        """Whether anything is known that this decoder found."""
        statement = "SELECT 1 FROM decoders WHERE EXISTS (SELECT 1 FROM facts WHERE decoder = id) AND name IN"
        return bool(self._select(statement, [decoder]))

    def facts(self, digests: Sequence[bytes], decoder: str) -> dict[bytes, ImageFacts]:
        """What is known of some contents.

        Args:
            digests: Content hashes, 32 bytes each.
            decoder: What the facts depend on besides; see `dataguard.dataset.decode.decoder_id`.
        """
        found = {}
        for digest, facts, thumbnail in self._select(
            "SELECT hash, facts, thumbnail FROM facts JOIN decoders ON decoder = id WHERE name = ? AND hash IN",
            digests,
            decoder,
        ):
            with contextlib.suppress(ValueError):
                found[digest] = _unpack(facts, thumbnail)
        return found

    def put(
        self, files: Iterable[tuple[str, Stamp, bytes]], facts: Iterable[tuple[bytes, ImageFacts]], decoder: str
    ) -> None:
        """Keep what was found out, all of it or nothing.

        Args:
            files: Absolute path, stamp and content hash; files that have only just been written are left out.
            facts: Content hash and facts.
            decoder: What the facts depend on besides.
        """
        self._write(
            (
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                [(path, *seen.state, digest) for path, seen, digest in files if seen.settled],
            ),
            ("INSERT OR IGNORE INTO decoders (name) VALUES (?)", [(decoder,)]),
            (
                "INSERT OR IGNORE INTO facts VALUES (?, (SELECT id FROM decoders WHERE name = ?), ?, ?)",
                [(digest, decoder, _pack(found), found.thumbnail) for digest, found in facts],
            ),
        )

    def get_blob(self, key: str) -> bytes | None:
        """What was put under that key; None where nothing was."""
        rows = self._select("SELECT value FROM blobs WHERE key IN", [key])
        return bytes(rows[0][0]) if rows else None

    def put_blob(self, key: str, value: bytes) -> None:
        """Keep some bytes under a key, in place of what was there."""
        self._write(("INSERT OR REPLACE INTO blobs VALUES (?, ?)", [(key, value)]))
        if self._live_bytes() > MOST_BYTES:
            self.prune()

    def prune(self) -> None:
        """Remove the oldest of what is kept where it is more than `MOST_BYTES`, and sample tables that are not used.

        These are tables that nobody has opened for 30 days, those beyond `MOST_TABLE_BYTES`, and what killed runs left
        of theirs for a day.
        """
        self._prune_tables()
        # A third is left free, so that not every run has something to remove.
        while self._live_bytes() > MOST_BYTES * 2 // 3:
            before = self._live_bytes()
            of_blobs = self._select("SELECT coalesce(sum(length(value)), 0) FROM blobs WHERE 1 IN", [1])
            if of_blobs and of_blobs[0][0] > MOST_BYTES // 4:
                self._write(("DELETE FROM blobs WHERE rowid = (SELECT min(rowid) FROM blobs)", [()]))
            else:
                oldest = "DELETE FROM facts WHERE rowid IN (SELECT rowid FROM facts ORDER BY rowid LIMIT ?)"
                unknown = "DELETE FROM files WHERE NOT EXISTS (SELECT 1 FROM facts WHERE facts.hash = files.hash)"
                self._write((oldest, [(_REMOVED_AT_A_TIME,)]), (unknown, [()]))
            if self._live_bytes() >= before:
                break

    def _prune_tables(self) -> None:
        tables = self.tables
        if tables is None:
            return
        now, total = time.time(), 0
        found = []
        for path in tables.iterdir():
            with contextlib.suppress(OSError):
                found.append((path.stat().st_mtime, path))
        for opened, path in sorted(found, reverse=True):
            days = 1 if path.name.startswith(".") else _TABLE_DAYS
            with contextlib.suppress(OSError):
                total += sum(part.stat().st_size for part in path.iterdir())
            if opened < now - days * 86_400 or (total > MOST_TABLE_BYTES and opened < now - _JUST_OPENED):
                shutil.rmtree(path, ignore_errors=True)

    def _live_bytes(self) -> int:
        """What the database holds; the file does not get smaller, and what was freed in it is used again."""
        figures = [self._select(f"SELECT {name} FROM pragma_{name} WHERE 1 IN", [1]) for name in _FIGURES]
        if not all(figures):
            return 0
        pages, free, size = (int(rows[0][0]) for rows in figures)
        return (pages - free) * size

    def close(self) -> None:
        """Close it; nothing is kept or found from then on."""
        with self._lock:
            self._usable = False
            self._disconnect()

    def _open(self) -> None:
        # SQLite waits its turn for most things, but refuses at once where two processes turn one new file to WAL.
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._connect()
            except sqlite3.OperationalError as error:
                self._disconnect()
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _connect(self) -> None:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._connection = connection
        # Four samples to a page, which leaves little of it empty.
        connection.execute("PRAGMA page_size = 16384")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = TRUNCATE")
        # A power cut may take the last entries with it, which then cost some decoding and no more.
        connection.execute("PRAGMA synchronous = NORMAL")
        # 32 MB, twice the default of 1,000 pages: pages of the index that change again and again are copied less often.
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        if self._schema_version() == SCHEMA_VERSION:
            return
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have made it while this one waited for its turn.
        before = self._schema_version()
        if before == _WITHOUT_CTIME:
            # What is known of contents took decoding, and holds; which file has which is soon read again.
            connection.execute("DROP TABLE files")
            connection.execute(_SCHEMA[0])
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif before != SCHEMA_VERSION:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in names:
                connection.execute(f'DROP TABLE "{name}"')
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def _schema_version(self) -> int:
        if self._connection is None:
            return 0
        version: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _select(self, statement: str, keys: Sequence[str | bytes | int], *more: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with self._lock:
            try:
                for start in range(0, len(keys), _KEYS_AT_A_TIME):
                    part = keys[start : start + _KEYS_AT_A_TIME]
                    if self._connection is not None:
                        marks = ", ".join("?" * len(part))
                        rows += self._connection.execute(f"{statement} ({marks})", (*more, *part)).fetchall()
            except sqlite3.Error as error:
                self._trouble(error)
        return rows

    def _write(self, *statements: tuple[str, Sequence[tuple[Any, ...]]]) -> None:
        with self._lock:
            connection = self._connection
            if connection is None:
                return
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    for statement, rows in statements:
                        connection.executemany(statement, rows)
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._trouble(error)

    def _trouble(self, error: sqlite3.Error) -> None:
        """Do what can be done about an error of SQLite's: rebuild, do without, or go on."""
        code = _error_code(error)
        if _is_busy(error):
            self._note(f"the cache was busy, so that some results were not kept: {self._path}")
            return
        broken = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
        if not broken or self._rebuilt:
            self._give_up(str(error))
            return
        self._rebuilt = True
        self._disconnect()
        aside = self._path.with_name(f"{self._path.name}.broken-{time.time_ns():x}")
        try:
            self._path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._open()
        except (OSError, sqlite3.Error) as again:
            self._give_up(str(again))
            return
        self._note(f"the cache was broken ({error}) and has been made anew; the old one is {aside}")

    def _give_up(self, reason: str) -> None:
        self._usable = False
        self._disconnect()
        self._note(f"nothing is cached in {self.folder}: {reason}")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _error_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _error_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _pack(facts: ImageFacts) -> str:
    return _encode(
        [
            facts.format,
            facts.width,
            facts.height,
            facts.mode,
            facts.channel_sums,
            facts.channel_square_sums,
            facts.decode_error,
        ]
    )


def _unpack(text: str, thumbnail: bytes | None) -> ImageFacts:
    kind, width, height, mode, sums, squares, decode_error = json.loads(text)
    return ImageFacts(
        format=kind,
        width=width,
        height=height,
        mode=mode,
        channel_sums=None if sums is None else tuple(sums),
        channel_square_sums=None if squares is None else tuple(squares),
        thumbnail=thumbnail,
        decode_error=decode_error,
    )
