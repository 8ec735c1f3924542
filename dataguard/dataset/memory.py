"""How much memory a run may use, and what each part of it gets."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dataguard.core.errors import ConfigurationError
from dataguard.core.sql import literal

if TYPE_CHECKING:
    import duckdb

SOURCE_SHARE, TABLE_SHARE, WRITER_SHARE = 0.2, 0.4, 0.1
"""What DuckDB may use to read the user's table, to query the sample table, and to write it. Seldom more than one is
full; the rest is Python's with its libraries, some 350 MB, DuckDB's own that it does not count, and the shares below,
of which that of leaves is free before that of hashes is needed."""
BATCH_SHARE = 1 / 32
"""What rows may take on their way from one to another, and the leaves of their details before they go to disk."""
LEAVES_SHARE = 1 / 3
"""What the leaves of a version id may take before they go to disk. Meanwhile the sample table is not queried."""
HASHES_SHARE = 1 / 8
"""What 64-bit hashes of rows may take while copies are looked for; DuckDB holds as much of them again, of its share."""
LEAST = 1 << 30
"""Below this the libraries alone leave too little."""
_LEAST_OF_A_PART = 64 << 20
_SPILLED = "dataguard-spilled-"
_UNITS = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "KI": 1 << 10,
    "MI": 1 << 20,
    "GI": 1 << 30,
    "TI": 1 << 40,
}

_limit: int | None = None


def parse_memory(text: str, *, where: str) -> int:
    """Bytes of a text such as ``2GB``, ``1.5 GiB`` or ``800M``.

    >>> parse_memory("2GB", where="--memory"), parse_memory("1.5GiB", where="--memory")
    (2000000000, 1610612736)

    Raises:
        ConfigurationError: it is none, or less than `LEAST`.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", text.upper())
    if found is None or found[2] not in _UNITS:
        raise ConfigurationError(f"expected a size as 2GB or 1.5GiB, got {text!r}", where=where)
    size = int(float(found[1]) * _UNITS[found[2]])
    if size < LEAST:
        raise ConfigurationError(
            f"{text.strip()} is too little: the libraries alone take some 350 MB", where=where, hint="give 1GiB or more"
        )
    return size


@contextmanager
def memory_limited(limit: int | None) -> Iterator[None]:
    """Have all that is opened meanwhile keep to a limit in bytes; None for half of the machine's memory.

    It holds for the process, for the threads that work for one run are many.
    """
    global _limit  # noqa: PLW0603
    before = _limit
    _limit = limit
    try:
        yield
    finally:
        _limit = before


def memory_limit() -> int:
    """The limit in force, in bytes."""
    return _limit or max(LEAST, machine_memory() // 2)


@functools.cache
def machine_memory() -> int:
    """What this machine has, or what the control group that this process is in may use, in bytes."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path(name).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(sizes)


def connect(share: float) -> duckdb.DuckDBPyConnection:
    """A DuckDB database in memory that uses no more than a share of the limit, and spills what does not fit."""
    import duckdb

    connection = duckdb.connect()
    # What does not fit into memory goes there, and not into the user's working directory. Each database has a folder of
    # its own, which DuckDB makes where it needs it and removes: up to 1.4, two in one folder overwrite each other's.
    connection.execute(f"SET temp_directory = {literal(_spill_folder())}")
    connection.execute(f"SET memory_limit = '{memory_share(share)}B'")
    # After two seconds it would draw one on standard output, where reports go.
    connection.execute("SET enable_progress_bar = false")
    return connection


def memory_share(share: float) -> int:
    """So much of the limit in bytes, and never next to nothing."""
    return max(_LEAST_OF_A_PART, int(memory_limit() * share))


def _spill_folder() -> Path:
    """A new name in the temporary folder (``$TMPDIR``)."""
    remove_left_over(tempfile.gettempdir())
    return Path(tempfile.gettempdir(), f"{_SPILLED}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}")


@functools.cache
def remove_left_over(parent: str) -> None:
    """Remove, once, what databases of killed processes of this machine have left in a folder."""
    beginning = f"{_SPILLED}{socket.gethostname()}-"
    with contextlib.suppress(OSError):
        for folder in Path(parent).iterdir():
            process = folder.name.removeprefix(beginning).partition("-")[0]
            if folder.name.startswith(beginning) and process.isdecimal() and not _is_alive(int(process)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It is somebody else's.
        return True
    return True
