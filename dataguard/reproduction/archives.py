"""The files that an index serves for what is installed: the hashes by which an environment can be made again."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from dataguard.core.errors import DataguardError
from dataguard.core.progress import Progress, silent
from dataguard.environment.files.finding import read_environment_files
from dataguard.environment.index_page import IndexFile, PageError
from dataguard.environment.installed import Distribution, InstalledEnvironment
from dataguard.reproduction.lock import Archive

_NAMED = 5


class Index(Protocol):
    """What can be asked for the files of a project; `PackageIndex` is one."""

    def ask_for(self, names: tuple[str, ...]) -> None:
        """Ask for several at a time, so that later questions have their answers."""
        ...

    def all_files(self, name: str) -> tuple[IndexFile, ...]:
        """Every file of a project.

        Raises:
            PageError: there is no such project, or no answer.
        """
        ...


def archives_of(
    environment: InstalledEnvironment,
    *,
    project: Path,
    offline: bool = False,
    index: Index | None = None,
    progress: Progress = silent,
) -> tuple[tuple[Archive, ...], tuple[str, ...]]:
    """The files of every package that is installed, and what could not be found.

    Args:
        environment: What is installed.
        project: Its folder; the hashes in its lock files are taken first.
        offline: Whether no index is asked.
        index: What to ask; by default the index that pip is set to.
        progress: Told how far it is.

    Returns:
        The files that fit this Python and this machine, by name; and notes.
    """
    packages = [item for item in environment.by_name.values() if not item.editable and not item.url]
    elsewhere = [f"{item.name} {item.version}" for item in environment.by_name.values() if item.editable or item.url]
    notes = []
    if elsewhere:
        notes.append(f"installed from elsewhere than an index, so without an archive's hash: {_few(elsewhere)}")
    found = _of_project(packages, project)
    left = [item for item in packages if item.key not in found]
    if offline:
        if left:
            notes.append(f"no index was asked; {len(left)} of {len(packages)} packages have no archive's hash")
        return _sorted(found), tuple(notes)
    try:
        chosen = index if index is not None else _configured()
    except DataguardError as error:
        return _sorted(found), (*notes, f"no index could be asked: {error.message}")
    progress("asking the index", 0, len(left))
    chosen.ask_for(tuple(item.key for item in left))
    tags = frozenset(tags_of(environment.python))
    missing = []
    for at, item in enumerate(left):
        progress("asking the index", at, len(left))
        archives = _of_index(item, chosen, tags)
        if archives:
            found[item.key] = archives
        else:
            missing.append(f"{item.name} {item.version}")
    if missing:
        notes.append(f"the index has no file of {len(missing)} of {len(packages)} packages: {_few(missing)}")
    return _sorted(found), tuple(notes)


def _configured() -> Index:
    from dataguard.environment.pinning.index import PackageIndex, configured_index

    address, certificates = configured_index()
    return PackageIndex(address, cafile=certificates)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _sorted(found: Mapping[str, tuple[Archive, ...]]) -> tuple[Archive, ...]:
    return tuple(archive for name in sorted(found) for archive in found[name])


def _of_project(packages: Iterable[Distribution], project: Path) -> dict[str, tuple[Archive, ...]]:
    """The hashes that the project's own lock files have of the versions that are installed."""
    try:
        declared = read_environment_files(project)
    except DataguardError:
        return {}
    found: dict[str, tuple[Archive, ...]] = {}
    for item in packages:
        hashes = {
            value.partition(":")[2]
            for requirement in declared.pinned.get(item.key, ())
            if requirement.version and _same(requirement.version, item.version)
            for value in requirement.hashes
            if re.fullmatch(r"sha256:[0-9a-f]{64}", value)
        }
        if hashes:
            found[item.key] = tuple(
                Archive(name=item.key, version=item.version, file="", sha256=value, url="") for value in sorted(hashes)
            )
    return found


def _of_index(item: Distribution, index: Index, tags: frozenset[Tag]) -> tuple[Archive, ...]:
    try:
        files = index.all_files(item.key)
    except PageError:
        return ()
    wheels, sources = [], []
    for file in files:
        digest = next((value[7:] for value in file.hashes if value.startswith("sha256:")), "")
        if not digest:
            continue
        address = urlsplit(file.url)
        archive = Archive(
            name=item.key,
            version=item.version,
            file=file.filename,
            sha256=digest,
            url=urlunsplit(address._replace(netloc=address.netloc.rpartition("@")[2])),
        )
        if not file.is_wheel:
            if file.version is not None and _same(file.version, item.version):
                sources.append(archive)
            continue
        try:
            _, version, _, fits = parse_wheel_filename(unquote(file.filename))
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if _same(str(version), item.version) and fits & tags:
            wheels.append(archive)
    return tuple(sorted(wheels or sources, key=lambda archive: archive.file))


def tags_of(python: str) -> list[Tag]:
    """The tags of wheels that a Python of that version takes on this machine."""
    match = re.match(r"(\d+)\.(\d+)", python)
    version = (int(match[1]), int(match[2])) if match else sys.version_info[:2]
    return [*cpython_tags(version), *compatible_tags(version, f"cp{version[0]}{version[1]}")]


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
