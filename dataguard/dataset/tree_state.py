"""Whether anything below a path has changed: one digest of all names and stats, taken without knowing what they mean.

It is what decides on everything that a source whose files all lie there yields, and takes 4 µs a file.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from blake3 import blake3

from dataguard.dataset.cache import RACY_NS

NOT_DATA = (".html", ".htm", ".sarif", ".md")
"""Ends of names that no source reads: reports are often written beside the data."""


def tree_state(path: str | os.PathLike[str]) -> str | None:
    """A digest of a file's stat, or of the names and stats of all files below a folder but hidden ones.

    Size, time of change, number, and the time of the last change of these: whatever is written, replaced, renamed or
    linked shows in one of them. Symbolic links are followed, each real folder once on the way down.

    Returns:
        64 hexadecimal digits. None where something cannot be looked at, is neither file nor folder, or has only just
        been written: within a tick of the file system's clock another write would not show (git's rule for "racily
        clean" entries).
    """
    root = Path(path)
    # Taken before the stats are: what changes from here on gets a time that is later than what is settled now.
    tree = _Tree(time.time_ns() - RACY_NS)
    try:
        info = root.stat()
        if stat.S_ISDIR(info.st_mode):
            tree.enter(str(root), "", ((info.st_dev, info.st_ino),))
        else:
            tree.lines([_line("", info, tree.settled)])
    except (OSError, ValueError):
        return None
    return tree.digest()


class _Unsettled(ValueError):
    """A stat tells nothing of the file."""


class _Tree:
    def __init__(self, settled: int) -> None:
        self.settled = settled
        self._hash = blake3()

    def digest(self) -> str:
        return self._hash.hexdigest()

    def lines(self, lines: list[str]) -> None:
        self._hash.update("".join(lines).encode("utf-8", "surrogateescape"))

    def enter(self, folder: str, shown: str, above: tuple[tuple[int, int], ...]) -> None:
        lines, folders, settled = [], [], self.settled
        # By a descriptor, so that the system need not find the folder anew for every file in it.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    name = entry.name
                    if name[0] == ".":
                        continue
                    if entry.is_dir():
                        folders.append((name, entry.stat()))
                    elif not name.endswith(NOT_DATA):
                        lines.append(_line(name, entry.stat(), settled))
        finally:
            os.close(descriptor)
        lines.sort()
        # What a name ends with cannot be taken for the next one: no name has a NUL or a "/".
        self.lines([f"{shown}/\0{len(lines)} {len(folders)}\n", *lines])
        for name, info in sorted(folders, key=lambda item: item[0]):
            identity = (info.st_dev, info.st_ino)
            if identity not in above:
                self.enter(f"{folder}/{name}", f"{shown}/{name}", (*above, identity))


def _line(name: str, info: os.stat_result, settled: int) -> str:
    if not stat.S_ISREG(info.st_mode) or info.st_mtime_ns >= settled:
        raise _Unsettled
    return f"{name}\0{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino}\n"
