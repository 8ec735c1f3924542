"""Whether installed files are still those that were installed, by the hashes in each distribution's RECORD.

Installers write the SHA-256 of every file into ``RECORD`` (PEP 376, PEP 627) and never look at it again. Nothing here
needs more than the standard library.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dataguard.environment.installed import Distribution, InstalledEnvironment
from dataguard.environment.site_files import files_below, unowned_at_top

_CHUNK = 1024 * 1024
_MOST_RECORD_BYTES = 64 * 1024 * 1024
"""A RECORD larger than this is not read; that of torch with CUDA has about 2 MB."""
_LEEWAY = 2_000_000_000
"""Nanoseconds by which a file may be younger than RECORD: some file systems keep times to 2 s."""
_BLOCK = 256
"""Files that one task of a thread hashes: a task a file costs more than the hashing of small files."""
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
"""PEP 376 leaves the algorithm open; pip and uv write sha256. MD5 and SHA-1 prove nothing (PEP 627)."""
_WRITTEN_LATER = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "RECORD.jws", "RECORD.p7s"})
"""Files of a ``.dist-info`` that the installer writes: they say how it was installed, not what."""


class Difference(Enum):
    """How an installed file differs from its RECORD."""

    EDITED = "edited"
    """Its content is another."""
    MISSING = "missing"
    """It is not there."""
    OVERWRITTEN = "overwritten"
    """Its content is what another distribution's RECORD says of the same file."""
    EXTRA = "extra"
    """It lies in a folder of the distribution, and no RECORD lists it."""
    UNREADABLE = "unreadable"
    """It cannot be read, or is no regular file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDifference:
    """One installed file that is not what was installed."""

    kind: Difference
    path: str
    """Relative to the ``site-packages`` folder, with forward slashes."""
    location: str
    """The absolute ``site-packages`` folder."""
    distribution: str
    """The name of the distribution that it belongs to; '' for an extra file of none."""
    expected: str = ""
    """The hash in RECORD, hexadecimal; '' where there is none."""
    found: str = ""
    """The hash of what is there; '' where nothing is."""
    other: str = ""
    """The distribution that overwrote it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedFile:
    """One line of a RECORD."""

    path: str
    """As written: relative to the ``site-packages`` folder, with forward slashes."""
    algorithm: str
    """'' where the line has no hash."""
    digest: bytes
    """The hash; b'' where there is none."""
    size: int | None
    """Bytes; None where the line does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordCheck:
    """What became of a verification."""

    differences: tuple[FileDifference, ...]
    """By distribution and path."""
    unowned: tuple[str, ...]
    """Modules, packages and ``.pth`` files at the top of ``site-packages`` that no distribution lists."""
    without_record: tuple[str, ...]
    """Distributions that cannot be verified: no RECORD, or one that cannot be read."""
    editable: tuple[str, ...]
    """Distributions whose code lies in a developer's folder, which no RECORD describes."""
    n_distributions: int
    """How many were verified."""
    n_files: int
    """How many files were hashed."""
    n_unhashed: int
    """How many lines of RECORDs have no hash to hold a file against (compiled files and installer's notes apart)."""
    n_outside: int
    """How many lines name a file outside the environment; such files are not opened."""
    n_bytes: int
    """How many bytes were hashed."""
    seconds: float
    """How long it took."""


def recorded_files(distribution: Distribution) -> list[RecordedFile] | None:
    """The lines of a RECORD; None where there is none that can be read."""
    rows = _rows(distribution)
    return None if rows is None else [_line(row) for row in rows]


def _rows(distribution: Distribution) -> list[list[str]] | None:
    """Path, hash and size of each line, as written; a fifth of the time that `recorded_files` takes."""
    path = Path(distribution.metadata) / "RECORD"
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            content = stream.read(_MOST_RECORD_BYTES + 1)
    except OSError:
        return None
    if len(content) > _MOST_RECORD_BYTES or b"\0" in content:
        return None
    text = content.decode("utf-8", "surrogateescape")
    try:
        return [row for row in csv.reader(io.StringIO(text, newline="")) if row and row[0]]
    except csv.Error:
        return None


def _line(row: Sequence[str]) -> RecordedFile:
    algorithm, equals, encoded = (row[1] if len(row) > 1 else "").partition("=")
    digest = b""
    if equals and algorithm.lower() in _ALGORITHMS:
        try:
            digest = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except ValueError:
            digest = b"\xff"
    size = row[2] if len(row) > 2 else ""
    return RecordedFile(
        path=row[0].replace("\\", "/") if os.sep == "\\" else row[0],
        algorithm=algorithm.lower() if digest else "",
        digest=digest,
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None,
    )


def verify(
    environment: InstalledEnvironment, *, only: Iterable[str] | None = None, threads: int | None = None
) -> RecordCheck:
    """Hold every installed file against the RECORD of its distribution.

    Compiled files (``.pyc``) are passed over, since Python writes them itself. No file outside the environment's folder
    is opened, whatever a RECORD says, and nothing that is not a regular file.

    Args:
        environment: The environment.
        only: Normalized names of the distributions to verify; None for all.
        threads: How many files are hashed at a time; None for as many as there are cores. Hashing and reading release
            the interpreter's lock.
    """
    started = time.perf_counter()
    wanted = None if only is None else frozenset(only)
    without, editable = [], []
    listed: dict[str, dict[str, list[tuple[Distribution, RecordedFile]]]] = {place: {} for place in environment.folders}
    verified = []
    for distribution in environment.distributions:
        lines = recorded_files(distribution)
        chosen = wanted is None or distribution.key in wanted
        if lines is None:
            if chosen:
                without.append(distribution.name)
            continue
        if chosen:
            verified.append(distribution)
            if distribution.editable:
                editable.append(distribution.name)
        at_place = listed.setdefault(distribution.location, {})
        for line in lines:
            at_place.setdefault(_tidy(line.path), []).append((distribution, line))
    keys = {distribution.key for distribution in verified}
    tasks, n_unhashed, n_outside = [], 0, 0
    prefix = os.path.realpath(environment.root)
    for location, files in listed.items():
        for path, owners in files.items():
            mine = [(owner, line) for owner, line in owners if owner.key in keys]
            if not mine or path.endswith((".pyc", ".pyo")):
                continue
            absolute = f"{location}/{path}"
            if path.startswith(("/", "../")):
                absolute = _inside(location, path, prefix)
                if not absolute:
                    n_outside += len(mine)
                    continue
            tasks.append(_Task(absolute=absolute, path=path, location=location, owners=owners, mine=mine))
            n_unhashed += sum(not line.digest and not _is_note(line.path) for _, line in mine)
    differences, n_files, n_bytes = _hashed(tasks, threads)
    extra, unowned = _unlisted(listed, keys, everything=wanted is None)
    return RecordCheck(
        differences=tuple(sorted(differences + extra, key=lambda item: (item.distribution.lower(), item.path))),
        unowned=unowned,
        without_record=tuple(without),
        editable=tuple(editable),
        n_distributions=len(verified),
        n_files=n_files,
        n_unhashed=n_unhashed,
        n_outside=n_outside,
        n_bytes=n_bytes,
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """One file to hash, with everybody who lists it."""

    absolute: str
    path: str
    location: str
    owners: list[tuple[Distribution, RecordedFile]]
    mine: list[tuple[Distribution, RecordedFile]]


def _tidy(path: str) -> str:
    return os.path.normpath(path).replace(os.sep, "/") if ".." in path or "//" in path or "./" in path else path


def _inside(location: str, path: str, prefix: str) -> str:
    """The absolute path of a script or a data file, where it lies in the environment; '' otherwise."""
    absolute = os.path.normpath(os.path.join(location, path))  # noqa: PTH118 - pathlib would keep the dots
    folder = os.path.realpath(Path(absolute).parent)
    return absolute if folder == prefix or folder.startswith(prefix + os.sep) else ""


def _is_note(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder.endswith(".dist-info") and name in _WRITTEN_LATER


def _hashed(tasks: list[_Task], threads: int | None) -> tuple[list[FileDifference], int, int]:
    # The largest first, so that no thread is left alone with one at the end.
    ordered = sorted(tasks, key=lambda task: -(task.mine[0][1].size or 0))
    n = max(1, threads or _cores())
    large = [[task] for task in ordered if (task.mine[0][1].size or 0) > _CHUNK]
    small = ordered[len(large) :]
    blocks = large + [small[at : at + _BLOCK] for at in range(0, len(small), _BLOCK)]
    found: list[FileDifference] = []
    n_files = n_bytes = 0
    with ThreadPoolExecutor(max_workers=n) as pool:
        for differences, files, size in pool.map(_block, blocks):
            found += differences
            n_files += files
            n_bytes += size
    return found, n_files, n_bytes


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _block(tasks: Iterable[_Task]) -> tuple[list[FileDifference], int, int]:
    found: list[FileDifference] = []
    n_files = n_bytes = 0
    buffer = bytearray(_CHUNK)
    for task in tasks:
        algorithms = {line.algorithm for _, line in task.owners if line.digest} or {""}
        try:
            digests, size = file_digests(task.absolute, algorithms - {""}, buffer)
        except FileNotFoundError:
            found += [_difference(task, owner, line, Difference.MISSING) for owner, line in task.mine]
            continue
        except OSError:
            found += [_difference(task, owner, line, Difference.UNREADABLE) for owner, line in task.mine]
            continue
        n_files += bool(digests)
        n_bytes += size if digests else 0
        for owner, line in task.mine:
            if line.digest and digests[line.algorithm] != line.digest:
                others = [
                    other.name for other, said in task.owners if said.digest and digests[said.algorithm] == said.digest
                ]
                found.append(_difference(task, owner, line, Difference.EDITED, digests[line.algorithm], others))
    return found, n_files, n_bytes


def _difference(
    task: _Task,
    owner: Distribution,
    line: RecordedFile,
    kind: Difference,
    digest: bytes = b"",
    others: Sequence[str] = (),
) -> FileDifference:
    return FileDifference(
        kind=Difference.OVERWRITTEN if others else kind,
        path=task.path,
        location=task.location,
        distribution=owner.name,
        expected=line.digest.hex(),
        found=digest.hex(),
        other=others[0] if others else "",
    )


def file_digests(path: str, algorithms: Iterable[str], buffer: bytearray) -> tuple[Mapping[str, bytes], int]:
    """The hashes of a regular file, and its size.

    Args:
        path: The file; links are followed.
        algorithms: Names of hashlib; with none the file is only looked at.
        buffer: What it is read into.

    Raises:
        OSError: it cannot be opened or read, or is no regular file.
    """
    hashes = {name: hashlib.new(name) for name in algorithms}
    if not hashes:
        return {}, os.stat(path).st_size  # noqa: PTH116 - a Path costs more than the call
    # A pipe would be waited for, for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("no regular file")
        total = 0
        if status.st_size <= 65536:
            data = os.read(descriptor, 65537)
            while data:
                total += len(data)
                for made in hashes.values():
                    made.update(data)
                data = b"" if len(data) < 65537 and total >= status.st_size else os.read(descriptor, 65537)
        else:
            view = memoryview(buffer)
            with open(descriptor, "rb", buffering=0, closefd=False) as stream:
                while count := stream.readinto(view):
                    total += count
                    for made in hashes.values():
                        made.update(view[:count])
    finally:
        os.close(descriptor)
    return {name: made.digest() for name, made in hashes.items()}, total


def _unlisted(
    listed: Mapping[str, Mapping[str, Sequence[tuple[Distribution, RecordedFile]]]],
    keys: frozenset[str] | set[str],
    *,
    everything: bool,
) -> tuple[list[FileDifference], tuple[str, ...]]:
    """Files in the folders of distributions that no RECORD lists, and what lies at the top and belongs to none."""
    extra: list[FileDifference] = []
    unowned: list[str] = []
    for location, files in listed.items():
        owners: dict[str, str] = {}
        chosen: set[str] = set()
        for path, lines in files.items():
            top, slash, _ = path.partition("/")
            if slash and top not in {"", "..", "."}:
                owners.setdefault(top, lines[0][0].name)
                if any(owner.key in keys for owner, _ in lines):
                    chosen.add(top)
        for top in sorted(chosen):
            if not top.endswith(".dist-info"):
                extra += [
                    FileDifference(kind=Difference.EXTRA, path=path, location=location, distribution=owners[top])
                    for path in files_below(location, top)
                    if path not in files
                ]
        if everything:
            unowned += unowned_at_top(location, files, owners)
    return extra, tuple(sorted(unowned))


def content_hash(distribution: Distribution, differences: Iterable[FileDifference] = ()) -> str:
    """One SHA-256 over what a distribution's files are, or '' where its RECORD cannot be read.

    It covers path and hash of every file in RECORD but scripts, compiled files and the installer's notes, which differ
    from machine to machine; so the same wheel has the same hash everywhere. It rests on RECORD, with what a
    verification found instead of it.

    Args:
        distribution: The distribution.
        differences: What `verify` or `quick_differences` found.
    """
    rows = _rows(distribution)
    if rows is None:
        return ""
    said = {_tidy(row[0]): row[1] if len(row) > 1 else "" for row in rows if _is_content(row[0])}
    for difference in differences:
        if difference.distribution != distribution.name or not _is_content(difference.path):
            continue
        if difference.kind is Difference.MISSING:
            said.pop(difference.path, None)
        else:
            said[difference.path] = f"{difference.kind.value}={difference.found}"
    text = "".join([f"{path}\0{said[path]}\n" for path in sorted(said)])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _is_content(path: str) -> bool:
    return not (path.startswith(("../", "/")) or path.endswith((".pyc", ".pyo")) or _is_note(path))


def quick_differences(environment: InstalledEnvironment) -> list[FileDifference]:
    """Files that are not those of RECORD, by what can be known without reading all of them.

    A file is hashed where it has another size than RECORD says, or was modified later than RECORD was written, which
    installers do last. Only an edit that keeps the size and sets the time back is not seen; `verify` sees it. Scripts
    and data outside ``site-packages`` are passed over.
    """
    found: list[FileDifference] = []
    buffer = bytearray(_CHUNK)
    for distribution in environment.distributions:
        sizes: dict[str, dict[str, tuple[int, int]]] = {}
        latest = _written_at(distribution) + _LEEWAY
        for row in _rows(distribution) or []:
            path = row[0]
            if len(row) < 3 or not row[2] or not _is_content(path):
                continue
            folder, _, name = path.rpartition("/")
            if folder not in sizes:
                sizes[folder] = _sizes(f"{distribution.location}/{folder}")
            status = sizes[folder].get(name)
            if status is not None and str(status[0]) == row[2] and status[1] <= latest:
                continue
            line, digest, size = _line(row), b"", None if status is None else status[0]
            if size is not None and line.digest:
                try:
                    digests, _ = file_digests(f"{distribution.location}/{path}", {line.algorithm}, buffer)
                    digest = digests[line.algorithm]
                except OSError:
                    size = None
                if digest == line.digest:
                    continue
            elif size == line.size:
                continue
            found.append(
                FileDifference(
                    kind=Difference.MISSING if size is None else Difference.EDITED,
                    path=_tidy(path),
                    location=distribution.location,
                    distribution=distribution.name,
                    expected=line.digest.hex(),
                    found=digest.hex(),
                )
            )
    return found


def _written_at(distribution: Distribution) -> int:
    try:
        return os.stat(f"{distribution.metadata}/RECORD").st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0


def _sizes(folder: str) -> dict[str, tuple[int, int]]:
    """Size and time of every file in a folder; -1 for what is no regular file."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".pyc"):
                    continue
                status = entry.stat()
                found[entry.name] = (status.st_size if stat.S_ISREG(status.st_mode) else -1, status.st_mtime_ns)
    except OSError:
        pass
    return found
