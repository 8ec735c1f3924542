"""The files of a folder that are unpickled when they are loaded: weights, arrays of objects, fitted models."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from dataguard.core.progress import Progress, silent
from dataguard.environment.pickles import SUFFIXES, PickleScan, scan_pickle

MOST_FILES = 2_000
"""Files of one folder that are scanned; those beyond are counted."""
MOST_OPCODES = 20_000_000
"""Instructions of all pickles of a folder together, some 20 s of work; a large checkpoint has 100,000."""
_PASSED_OVER = frozenset(
    {".git", ".hg", ".svn", ".tox", ".nox", "__pycache__", "node_modules", "site-packages", "dist-packages"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightScans:
    """What the weights of a folder would do when they are loaded."""

    root: str
    """The absolute folder."""
    scans: tuple[PickleScan, ...]
    """Of the files that are pickles, in the order of their paths, which are relative to ``root`` behind the prefix."""
    n_looked_at: int
    """How many files have a suffix of such files."""
    unreadable: tuple[str, ...] = ()
    """Files that could not be opened."""
    n_left_out: int = 0
    """Files beyond `MOST_FILES` and `MOST_OPCODES`."""


def scan_weights(
    root: str | Path, *, exclude: Sequence[str] = (), prefix: str = "", progress: Progress = silent
) -> WeightScans:
    """Scan the pickles below a folder; nothing is loaded, links to folders are not followed.

    Args:
        root: A folder, or one file.
        exclude: Globs of what to leave out, by name or by path within the folder.
        prefix: What to put before the paths.
        progress: Told how far it is.
    """
    folder = Path(os.path.abspath(root))  # noqa: PTH100 - a linked folder keeps its name
    if folder.is_file():
        paths, folder = [folder.name], folder.parent
    else:
        paths = sorted(path for path in _paths(folder) if not _is_excluded(path, exclude))
    chosen = paths[:MOST_FILES]
    scans, unreadable = [], []
    n_scanned = n_opcodes = 0
    for at, path in enumerate(chosen):
        if n_opcodes > MOST_OPCODES:
            break
        n_scanned += 1
        progress("scanning weights", at, len(chosen))
        try:
            scan = scan_pickle(folder / path)
        except OSError:
            unreadable.append(prefix + path)
            continue
        n_opcodes += scan.n_opcodes
        if scan.n_pickles or scan.imports or (scan.kind and scan.problem):
            scans.append(dataclasses.replace(scan, path=prefix + path))
    return WeightScans(
        root=str(folder),
        scans=tuple(scans),
        n_looked_at=len(paths),
        unreadable=tuple(unreadable),
        n_left_out=len(paths) - n_scanned,
    )


def _is_excluded(path: str, globs: Sequence[str]) -> bool:
    parts = path.split("/")
    beginnings = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return any(fnmatch(text, glob.rstrip("/")) for glob in globs for text in (*parts, *beginnings))


def _paths(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _PASSED_OVER and not os.path.exists(f"{place}/{name}/pyvenv.cfg")  # noqa: PTH110
        )
        for name in names:
            if os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122
                yield os.path.relpath(f"{place}/{name}", folder).replace(os.sep, "/")
