"""A repository as it is to be read: a folder, one revision of it, a wheel or a zip, without running anything of it.

A revision is read object by object with git's plumbing, so that no hook, no filter, no attribute and no remote that the
repository's own configuration names comes into play; `git archive` and `git checkout` would run its filters.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dataguard.core.errors import ConfigurationError, SourceError

ARCHIVES = (".whl", ".zip")
MOST_BYTES = 4 * 2**30
"""Of all files of an archive or of a revision together, unpacked."""
MOST_OF_A_FILE = 2**30
MOST_FILES = 200_000
GIT_TIMEOUT = 120.0
"""Seconds that one command of git may take."""
_COPIED = 1 << 20
_SHOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A repository that lies in a folder for now."""

    folder: Path
    """Where its files are; gone when the snapshot is closed, unless it is the user's own folder."""
    shown: Path
    """The user's own folder or archive, absolute."""
    revision: str = ""
    """The commit, 40 hexadecimal digits; '' where there is none."""
    date: dt.date | None = None
    """The date of that commit."""
    notes: tuple[str, ...] = ()
    """What of it was left out."""


@contextlib.contextmanager
def opened(path: str | Path, *, rev: str | None = None) -> Iterator[Snapshot]:
    """A repository as a folder that can be read.

    Args:
        path: A folder, a wheel or a zip.
        rev: A revision of the folder's git repository; None for the files as they lie there.

    Raises:
        SourceError: there is nothing there, it is no archive, no repository, or it has no such revision.
        ConfigurationError: a revision of an archive is asked for.
    """
    shown = Path(os.path.abspath(path))  # noqa: PTH100 - a linked folder keeps its name
    if shown.is_dir() and rev is None:
        yield Snapshot(folder=shown, shown=shown)
        return
    if not shown.exists():
        raise SourceError("no such folder or archive", where=shown, hint="name a repository's folder, a wheel or a zip")
    if not shown.is_dir():
        if rev is not None:
            raise ConfigurationError("an archive has no revisions", where="--rev", hint="name the repository's folder")
        if shown.suffix.lower() not in ARCHIVES or not zipfile.is_zipfile(shown):
            raise SourceError("neither a folder nor an archive", where=shown, hint="a wheel and a zip can be audited")
    with tempfile.TemporaryDirectory(prefix="dataguard-audit-") as made:
        folder = Path(made) / "repository"
        folder.mkdir()
        if shown.is_dir():
            yield _of_revision(shown, str(rev), folder)
        else:
            yield Snapshot(folder=folder, shown=shown, notes=_unpacked(shown, folder))


# Archives


def _unpacked(archive: Path, folder: Path) -> tuple[str, ...]:
    """Write the members of a zip below a folder; what was left out, in words."""
    left_out: list[str] = []
    budget = MOST_BYTES
    try:
        with zipfile.ZipFile(archive) as opened_archive:
            members = opened_archive.infolist()
            if len(members) > MOST_FILES:
                raise SourceError(f"more than {MOST_FILES:,} files", where=archive)
            for member in members:
                if member.is_dir():
                    continue
                target = _within(folder, member.filename)
                if target is None or _is_link(member) or member.flag_bits & 0x1:
                    left_out.append(member.filename)
                    continue
                written = _copied(opened_archive, member, target, min(MOST_OF_A_FILE, budget))
                if written is None:
                    left_out.append(member.filename)
                else:
                    budget -= written
    except zipfile.BadZipFile as error:
        raise SourceError(f"a damaged archive: {error}", where=archive) from error
    return _left_out(left_out)


def _copied(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, most: int) -> int | None:
    """Write one member; None where it is damaged, or larger than it may be whatever its header says."""
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as file:
            while block := source.read(_COPIED):
                written += len(block)
                if written > most:
                    break
                file.write(block)
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, _zlib_error()):
        written = most + 1
    if written > most:
        with contextlib.suppress(OSError):
            target.unlink()
        return None
    return written


def _zlib_error() -> type[Exception]:
    import zlib

    return zlib.error


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _within(folder: Path, name: str) -> Path | None:
    """Where a member goes; None where that would be outside the folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or any(part in ("..", "/", "") or ":" in part or "\0" in part for part in parts):
        return None
    return folder.joinpath(*parts)


def _left_out(names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
    return (f"left out, as damaged, encrypted, too large, a link, or outside the archive: {shown}",)


# Revisions


def _of_revision(repository: Path, rev: str, folder: Path) -> Snapshot:
    """Write the files of one revision below a folder."""
    _git_exists()
    if not rev or rev.startswith("-") or "\0" in rev or "\n" in rev:
        raise ConfigurationError(f"no revision: {rev!r}", where="--rev")
    prefix = _git(repository, "rev-parse", "--show-prefix").decode("utf-8", "surrogateescape").strip("\n")
    try:
        found = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    except SourceError as error:
        raise SourceError(
            f"no revision {rev!r}", where=repository, hint="a branch, a tag or a commit; `git log` lists commits"
        ) from error
    commit = found.decode("ascii", "replace").strip()
    date = _date(_git(repository, "cat-file", "commit", commit))
    # With a prefix only what lies in the subfolder, named from there.
    listing = _git(repository, "ls-tree", "-r", "-z", "--full-tree", f"{commit}:{prefix}" if prefix else commit)
    wanted: list[tuple[str, Path]] = []
    left_out: list[str] = []
    for entry in listing.split(b"\0"):
        if not entry:
            continue
        about, _, raw = entry.partition(b"\t")
        mode, _, name = about.split()[0], about.split()[1], raw.decode("utf-8", "surrogateescape")
        target = _within(folder, name)
        # Links and other repositories are not followed.
        if not mode.startswith(b"100") or target is None:
            left_out.append(name)
            continue
        wanted.append((about.split()[2].decode("ascii"), target))
    if len(wanted) > MOST_FILES:
        raise SourceError(f"more than {MOST_FILES:,} files", where=repository)
    left_out += _written(repository, wanted, folder)
    return Snapshot(folder=folder, shown=repository, revision=commit, date=date, notes=_left_out(left_out))


def _date(commit: bytes) -> dt.date | None:
    """The day of a commit object, in UTC; None where it names none."""
    for line in commit.split(b"\n\n")[0].splitlines():
        seconds = line.split()[-2:-1]
        if line.startswith(b"committer ") and seconds and seconds[0].isdigit():
            with contextlib.suppress(ValueError, OverflowError, OSError):
                return dt.datetime.fromtimestamp(int(seconds[0]), dt.UTC).date()
    return None


def _git_exists() -> None:
    if shutil.which("git") is None:
        raise SourceError(
            "git is not installed", where="--rev", hint="install it, or audit the files as they lie there"
        )


_SAFE = (
    # Nothing that a repository's own configuration names is started.
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "protocol.allow=never",
)


def _environment() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "none",
        "LC_ALL": "C",
    }


def _git(repository: Path, *arguments: str, given: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(
            ["git", *_SAFE, "-C", str(repository), *arguments],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            env=_environment(),
            timeout=GIT_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"git did not answer in {GIT_TIMEOUT:g} s", where=repository) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ") or f"exit code {done.returncode}"
        raise SourceError(f"git says: {said}", where=repository, hint="--rev needs the folder of a git repository")
    return done.stdout


def _written(repository: Path, wanted: list[tuple[str, Path]], folder: Path) -> list[str]:
    """Write objects to files, through one process; the names of those that are missing or too large."""
    left_out: list[str] = []
    budget = MOST_BYTES
    process = subprocess.Popen(
        ["git", *_SAFE, "-C", str(repository), "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )
    with process:
        if process.stdin is None or process.stdout is None:
            raise TypeError("git has no pipes")
        for name, target in wanted:
            process.stdin.write(f"{name}\n".encode("ascii"))
            process.stdin.flush()
            header = process.stdout.readline().split()
            if len(header) != 3 or header[1] != b"blob":
                left_out.append(target.relative_to(folder).as_posix())
                if not header:
                    break
                continue
            size = int(header[2])
            keep = size <= min(MOST_OF_A_FILE, budget)
            if keep:
                target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") if keep else contextlib.nullcontext() as file:
                rest = size
                while rest:
                    block = process.stdout.read(min(_COPIED, rest))
                    if not block:
                        break
                    rest -= len(block)
                    if file is not None:
                        file.write(block)
            process.stdout.read(1)
            if keep:
                budget -= size
            else:
                left_out.append(target.relative_to(folder).as_posix())
        process.stdin.close()
    return left_out
