"""Configurations of published weights that lie in a repository, and the paths that serve beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dataguard.core.errors import DataguardError
from dataguard.preprocessing.audit.pairing import shared_way, split_entry
from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.pair import DeclaredPair
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.readers import read
from dataguard.preprocessing.static.reading import FoundPath, RepositoryReading

NAMES = frozenset({"preprocessor_config.json", "processor_config.json", "open_clip_config.json"})
"""Names that say by themselves what a file declares; others are read only where somebody names them."""
MOST_BYTES = 2**20
MOST_FILES = 20
_FEEDING = ("serve", "eval", "val")
_PASSED_OVER = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeclaredPaths:
    """What the configurations of a repository declare, and the paths that they are held against."""

    pairs: tuple[tuple[FoundPath, DeclaredPair], ...]


def declared_paths(folder: Path, reading: RepositoryReading) -> DeclaredPaths:
    """Hold every path that serves, or else that evaluates, against the nearest configuration in its repository.

    Args:
        folder: Where its files are.
        reading: What was read out of its source.
    """
    files = list(_files(folder))
    alive = [path for path in reading.paths if path.reachable]
    role = next((role for role in _FEEDING if any(path.role == role for path in alive)), None)
    pairs = []
    for path in (path for path in alive if path.role == role):
        for name, ways in _nearest(files, path):
            pipeline = replace(path.pipeline, name=path.name)
            compared = [(way, difference(way, pipeline)) for way in ways]
            # A declaration may leave open which implementation runs it: to do what one of them does is right.
            said, found = min(compared, key=lambda one: sum(not item.unknown for item in one[1]))
            declared = replace(said, name=name)
            pairs.append((path, DeclaredPair(pipeline=pipeline, declared=declared, differences=found)))
    return DeclaredPaths(pairs=tuple(pairs))


def _files(folder: Path) -> Iterator[tuple[str, tuple[Pipeline, ...]]]:
    """Configurations below a folder, by name, with what they declare."""
    n_found = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        for name in sorted(NAMES & set(names)):
            file = Path(place) / name
            if file.is_symlink() or file.stat().st_size > MOST_BYTES or n_found == MOST_FILES:
                continue
            try:
                ways = read(file)
            except (DataguardError, OSError, ValueError, RecursionError):
                continue
            n_found += 1
            yield file.relative_to(folder).as_posix(), ways


def _nearest(files: list[tuple[str, tuple[Pipeline, ...]]], path: FoundPath) -> list[tuple[str, tuple[Pipeline, ...]]]:
    """The one configuration whose folder shares the longest way with a path; none where several are as near.

    Which of several sets of weights a path feeds cannot be told.
    """
    shared = [shared_way(name, split_entry(path.entry)[0]) for name, _ in files]
    near = [file for file, length in zip(files, shared, strict=True) if length == max(shared)]
    return near if len(near) == 1 else []
