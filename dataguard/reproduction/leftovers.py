"""Scratch folders that name their owner, so that the next run finds and removes those of killed ones."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

LABEL = "DATAGUARD_RUN"
"""The environment variable by which processes of a run are found."""
_PREFIX = "dataguard-run-"
_NAME = re.compile(r"dataguard-run-(\d+)\.(\d+)-[0-9a-f]{16}")


def owner() -> str:
    """This process, as ``pid.start``: the start tells it from a later process of the same number."""
    return f"{os.getpid()}.{_started(os.getpid()) or 0}"


def is_alive(name: str) -> bool:
    """Whether the process that `owner` named is still there; True where that cannot be told."""
    pid, _, start = name.partition(".")
    found = _started(int(pid))
    if found is None:
        if Path("/proc/self/stat").exists():
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), 0)
            return True
        return False
    return start in ("0", str(found))


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since the system did; None where there is none (or no /proc)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of the program is in parentheses and may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A new folder that is removed at the end, with whatever still runs under its label."""
    folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{owner()}-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        end_labelled(folder.name)
        _remove(folder)


def sweep() -> tuple[str, ...]:
    """Remove the folders of runs whose owner has gone, and end what is still running in them.

    Returns:
        The names of what was removed.
    """
    removed = []
    base = Path(tempfile.gettempdir())
    for entry in sorted(base.glob(f"{_PREFIX}*")):
        match = _NAME.fullmatch(entry.name)
        with contextlib.suppress(OSError):
            if match is None or entry.is_symlink() or entry.stat().st_uid != os.getuid():
                continue
            if not is_alive(f"{match[1]}.{match[2]}"):
                end_labelled(entry.name)
                _remove(entry)
                removed.append(entry.name)
    return tuple(removed)


def end_labelled(label: str) -> int:
    """End every process whose environment has `LABEL` set to that, and say how many there were."""
    wanted = f"{LABEL}={label}".encode()
    ended = 0
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(place.name) != os.getpid() and wanted in (place / "environ").read_bytes().split(b"\0"):
                os.kill(int(place.name), signal.SIGKILL)
                ended += 1
    return ended


def _remove(folder: Path) -> None:
    """Remove a folder, also where something in it was made read-only."""
    for place, folders, _ in os.walk(folder):
        for name in folders:
            with contextlib.suppress(OSError):
                path = Path(place, name)
                if not path.is_symlink():
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
