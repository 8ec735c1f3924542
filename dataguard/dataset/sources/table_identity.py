"""What tells whether a table is the one that was scanned before, found out without going through its rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from blake3 import blake3

from dataguard.dataset.files import stamp_of
from dataguard.dataset.sources import Identity
from dataguard.dataset.sources.table_part import Part, changed_at

_BYTES_AT_A_TIME = 4 << 20


def identity_of_rows(said: str, parts: tuple[Part, ...], n_rows: int) -> Identity | None:
    """By the content of the files; None where one has changed since it was opened, or cannot be read.

    Args:
        said: What else decides on the rows: what each column means.
        parts: The files.
        n_rows: How many rows they have.
    """
    digest = blake3(said.encode())
    unchanged = True
    try:
        for part in parts:
            if len(parts) > 1 or part.split is not None:
                digest.update(blake3(f"{part.name!r} {part.split!r}".encode()).digest())
            for path in part.files:
                digest.update(bytes.fromhex(_digest(path)))
            unchanged = unchanged and changed_at(part.path) == part.changed_at
    except OSError:
        return None
    return Identity(digest=digest.hexdigest(), n_samples=n_rows) if unchanged else None


def identity_of_pictures(said: str, parts: Iterable[Part], n_rows: int) -> Identity | None:
    """By the stat of the files; None where one has just changed."""
    digest = blake3(said.encode())
    for part in parts:
        for path in part.files:
            stamp = stamp_of(str(path))
            if stamp is None or not stamp.settled:
                return None
            known = (str(path), part.name, part.split, *stamp.state)
            digest.update(repr((*known, sorted(part.names.items()))).encode())
    return Identity(digest=digest.hexdigest(), n_samples=n_rows)


def _digest(path: Path) -> str:
    # Not mapped into memory: of a large file that would count as this process's.
    digest = blake3()
    with path.open("rb", buffering=0) as file:
        while data := file.read(_BYTES_AT_A_TIME):
            digest.update(data)
    return digest.hexdigest()
