"""Where finished tables are kept, what they are called, and how they are found again."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from dataguard.core.errors import OutputError
from dataguard.dataset.cache import Cache
from dataguard.dataset.decode import decoder_id
from dataguard.dataset.manifest import Manifest
from dataguard.dataset.sources import Source
from dataguard.dataset.table import COLUMNS, SampleTable

if TYPE_CHECKING:
    import duckdb

_FORMAT = 3
"""Counts up whenever the same samples come to another version id, or to files that are read in another way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """What a finished table is called, and the dataset version that it shows."""

    table: str
    version_id: str


def key_of(manifest: Manifest, details: Manifest, max_pixels: int) -> Key:
    """What the table of these samples is called."""
    version_id = manifest.version_id
    parts = (str(_FORMAT), decoder_id(), str(max_pixels), version_id, details.version_id, *COLUMNS)
    return Key(table=blake3("\n".join(parts).encode()).hexdigest(), version_id=version_id)


def state_key(state: str, max_pixels: int) -> str:
    """What the cache calls the table of a source in this state."""
    return f"scan/{_FORMAT}/{state}/{max_pixels}/{decoder_id()}/{len(COLUMNS)}"


def root_key(root: Path) -> str:
    """What the cache calls that there is a table of what is under a root."""
    return f"scan/{_FORMAT}/tables-of/{blake3(os.fsencode(root)).hexdigest()}"


def partial_folder(tables: Path | None) -> Path:
    """A new folder for a table that is being written, among the finished ones where that can be.

    Raises:
        OutputError: there is no place for it.
    """
    for parent in (tables, None):
        try:
            return Path(tempfile.mkdtemp(prefix=".partial-", dir=parent))
        except OSError as error:
            failure = error
    raise OutputError(
        f"there is no place for temporary files: {failure.strerror}",
        where=tempfile.gettempdir(),
        hint="free some space, or set TMPDIR to a folder with room",
    )


def publish(
    folder: Path,
    tables: Path | None,
    source: Source,
    key: Key,
    cache: Cache | None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> SampleTable:
    """The finished table, under its own name among the tables, or for as long as it is in use where nothing is kept."""
    if cache is not None and tables is not None and folder.parent == tables:
        target = tables / key.table
        try:
            folder.rename(target)
        except OSError:
            # Another process was faster, or something of that name is broken.
            table = opened(target, source, key.version_id)
            if table is not None:
                shutil.rmtree(folder, ignore_errors=True)
                return table
        else:
            cache.prune()
            folder = target
    table = SampleTable.open(
        folder,
        root=source.root,
        source=source.kind,
        version_id=key.version_id,
        pictures=source.pictures,
        connection=connection,
    )
    if tables is None or folder.parent != tables or folder.name.startswith("."):
        weakref.finalize(table.connection, shutil.rmtree, folder, ignore_errors=True)
    return table


def opened(folder: Path, source: Source, version_id: str) -> SampleTable | None:
    """A finished table; None where there is none, or it is broken, which removes it."""
    import duckdb

    if not folder.is_dir():
        return None
    try:
        table = SampleTable.open(
            folder, root=source.root, source=source.kind, version_id=version_id, pictures=source.pictures
        )
        os.utime(folder)
    except (duckdb.Error, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return table


def remember(cache: Cache | None, root: Path, state: str, key: Key, max_pixels: int) -> None:
    """Keep which table it is that a source in this state has, and that what is under its root has one."""
    if cache is not None:
        if cache.get_blob(root_key(root)) is None:
            cache.put_blob(root_key(root), b"1")
        cache.put_blob(state_key(state, max_pixels), f"{key.table} {key.version_id}".encode())


def stored_key(cache: Cache, name: str) -> Key | None:
    """What was kept under a name of `state_key`."""
    stored = cache.get_blob(name)
    if not stored:
        return None
    table, _, version_id = stored.decode(errors="replace").partition(" ")
    return Key(table=table, version_id=version_id)
