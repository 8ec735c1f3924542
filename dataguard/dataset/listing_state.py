"""Whether anything about a listing of files has changed: one digest of all names and stats, and no look at a database.

For a hundred thousand files that are unchanged this is a fifth of the time that it takes to look each up by its stat.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from blake3 import blake3

from dataguard.core.paths import decode_path, encode_path
from dataguard.dataset.cache import RACY_NS
from dataguard.dataset.sources import Reference


class ListingState:
    """A digest of what a source lists and of each file's stat, made as it is listed.

    Args:
        root: What paths are relative to.
    """

    def __init__(self, root: Path) -> None:
        self._prefix = encode_path(str(root))
        self._hash = blake3()
        self._hash.update(self._prefix.encode())
        self._told = True

    def update(self, references: Iterable[Reference]) -> None:
        """Enter some samples."""
        if not self._told:
            return
        # Taken before the stats are: what changes from here on gets a time that is later than what is settled now.
        settled = time.time_ns() - RACY_NS
        prefix, status, is_regular = f"{self._prefix}/", os.stat, stat.S_ISREG
        lines = []
        for one in references:
            path = one.path
            if not path or one.damage is not None or (one.place is not None and one.state is None):
                self._told = False
                return
            names = f"{one.sample_id}\0{path}\0{one.split!r}\0{one.label!r}\0{one.group_id!r}\0{one.time}\0{one.row}\0"
            if one.state is not None:
                lines.append(f"{names}{one.place}\0{one.state!r}\n")
                continue
            try:
                info = status(decode_path(path if path[0] == "/" else prefix + path))
            except (OSError, ValueError):
                self._told = False
                return
            if not is_regular(info.st_mode) or info.st_mtime_ns >= settled:
                self._told = False
                return
            lines.append(f"{names}{info.st_size} {info.st_mtime_ns} {info.st_ino} {info.st_ctime_ns}\n")
        self._hash.update("".join(lines).encode())

    def digest(self) -> str | None:
        """64 hexadecimal digits; None where nothing tells of a sample, or a file is missing or was just written."""
        return self._hash.hexdigest() if self._told else None
