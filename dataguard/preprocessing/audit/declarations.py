"""Configurations of published weights that lie in a repository, and the paths that serve beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from dataguard.preprocessing.audit.configurations import Configuration, configurations
from dataguard.preprocessing.audit.pairing import shared_way, split_entry
from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.pair import DeclaredPair
from dataguard.preprocessing.static import networks
from dataguard.preprocessing.static.reading import FoundPath, RepositoryReading

_FEEDING = ("serve", "eval", "val")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeclaredPaths:
    """What the configurations of a repository declare, and the paths that they are held against."""

    pairs: tuple[tuple[FoundPath, DeclaredPair], ...]
    paths: tuple[FoundPath, ...] = ()
    """What the configurations declare, as paths of the repository."""


def declared_paths(folder: Path, reading: RepositoryReading) -> DeclaredPaths:
    """Hold every path that serves, or else that evaluates, against the nearest configuration in its repository.

    Args:
        folder: Where its files are.
        reading: What was read out of its source.
    """
    files = configurations(folder)
    alive = [path for path in reading.paths if path.reachable and path.ended]
    role = next((role for role in _FEEDING if any(path.role == role for path in alive)), None)
    pairs = []
    for path in (path for path in alive if path.role == role):
        near = [file for file in files if not file.program and not _of_other_weights(file, path)]
        for file in _nearest(near, path):
            pipeline = replace(path.pipeline, name=path.name)
            compared = [(way, difference(way, pipeline)) for way in file.fed]
            # A declaration may leave open which implementation runs it: to do what one of them does is right.
            said, found = min(compared, key=lambda one: sum(not item.unknown for item in one[1]))
            declared = replace(said, name=file.name)
            pairs.append((path, DeclaredPair(pipeline=pipeline, declared=declared, differences=found)))
    return DeclaredPaths(pairs=tuple(pairs), paths=tuple(path for file in files for path in file.paths()))


def _of_other_weights(file: Configuration, path: FoundPath) -> bool:
    """Whether a path reads weights by name, and none that lie with a configuration, or are called like it."""
    if networks.is_of_another_framework(path.networks):
        return True
    where = PurePosixPath(file.name)
    named = [PurePosixPath(one.partition(":")[2]) for one in path.networks if one.startswith("weights:")]
    folders = set(where.parts[:-1])
    alike = any(folders.intersection(one.parts[:-1]) or one.name.startswith(where.stem) for one in named)
    return bool(named and folders) and not alike


def _nearest(files: Sequence[Configuration], path: FoundPath) -> list[Configuration]:
    """The one configuration whose folder shares the longest way with a path; none where several are as near.

    Which of several sets of weights a path feeds cannot be told.
    """
    shared = [shared_way(file.name, split_entry(path.entry)[0]) for file in files]
    near = [file for file, length in zip(files, shared, strict=True) if length == max(shared)]
    return near if len(near) == 1 else []
