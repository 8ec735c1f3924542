"""Watching a container while it runs: its time, what it writes, and whether it runs out of processes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dataguard.core.containers import Running
from dataguard.core.errors import DataguardError
from dataguard.reproduction.runner import MOST_BYTES

LATE = "late"
"""What `Watch.stopped` says where the time was over."""
_MOST_FILES = 100_000
"""Files of output: a stage a pass is one."""
_POLL = 0.1


class Tail:
    """The end of what is written to it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = bytearray()

    def write(self, content: bytes) -> None:
        """Keep it, as far as there is room."""
        self._held += content
        if len(self._held) > 2 * self._most:
            del self._held[: -self._most]

    def flush(self) -> None:
        """Nothing is held back."""

    def text(self) -> str:
        """What is kept."""
        return self._held[-self._most :].decode("utf-8", "replace")


class Watch(threading.Thread):
    """Stops a container whose time is over or that writes too much, and notices when it runs out of processes."""

    def __init__(self, running: Running, out: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self.stopped = ""
        self.crowded = False
        self._running = running
        self._out = out
        self._end = time.monotonic() + seconds
        self._over = threading.Event()

    def run(self) -> None:
        """Watch until `stop`."""
        with contextlib.ExitStack() as stack:
            events = stack.enter_context(_events(self._running))
            while not self._over.wait(_POLL):
                self.crowded = self.crowded or _crowded(events)
                self.stopped = LATE if time.monotonic() > self._end else _too_much(self._out)
                if self.stopped:
                    self._running.kill()
                    return
            self.crowded = self.crowded or _crowded(events)

    def stop(self) -> None:
        """Watch no longer."""
        self._over.set()
        self.join()


@contextlib.contextmanager
def watched(running: Running, out: Path, seconds: float) -> Iterator[Watch]:
    """Watch a container.

    Args:
        running: The container.
        out: Its output folder on this machine.
        seconds: How long it may run.
    """
    watch = Watch(running, out, seconds)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def _too_much(out: Path) -> str:
    """What is the matter with an output folder that grows; '' where nothing is."""
    size = count = 0
    folders = [out]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                count += 1
                if count > _MOST_FILES:
                    return f"it wrote more than {_MOST_FILES} files"
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
    return f"it wrote more than {MOST_BYTES >> 30} GiB of output" if size > MOST_BYTES else ""


@contextlib.contextmanager
def _events(running: Running) -> Iterator[IO[str] | None]:
    """The kernel's count of refused processes, where this machine can read it."""
    with contextlib.ExitStack() as stack:
        found = None
        with contextlib.suppress(OSError, ValueError, DataguardError):
            for line in Path(f"/proc/{running.process}/cgroup").read_text(encoding="ascii").splitlines():
                _, controllers, path = line.split(":", 2)
                if controllers in ("", "pids"):
                    place = Path(f"/sys/fs/cgroup/{controllers}{path}/pids.events")
                    found = stack.enter_context(place.open(encoding="ascii"))
        yield found


def _crowded(events: IO[str] | None) -> bool:
    if events is None:
        return False
    with contextlib.suppress(OSError, ValueError):
        events.seek(0)
        return any(int(line.split()[1]) > 0 for line in events.read().splitlines() if line.startswith("max "))
    return False
