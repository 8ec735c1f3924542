"""The processes of a scan, as its threads see them.

Decoders release the GIL and what is around them does not, which is a twentieth of the time: from eight on more threads
decode no faster. So a process with a GIL of its own has a few of them. It takes a fifth of a second to start, so that
threads of this process decode until one is there, and small datasets do without.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from dataguard.dataset.decode import ImageFacts
from dataguard.dataset.sample import Sample
from dataguard.dataset.sources import Pictures, Reference
from dataguard.dataset.worker import asked, receive, send, unpacked

_AHEAD = 2
"""Lists for each thread of a process: one that it works on, and one so that it need not wait for this process."""

_PATIENCE = 0.2
"""Seconds that a process is given to end by itself."""

_GONE = (OSError, EOFError, ValueError)
"""What is raised where a process has ended; the last, where another thread has noticed and closed its pipes."""

_START = "from dataguard.dataset.worker import main; main()"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Workers:
    """So many processes, for as many threads as there are `places`. `close` them.

    Args:
        count: How many processes.
        threads: How many lists each works on at a time.
        root: What paths are relative to.
        cache: The folder of a cache where something may be known; None for none.
        max_pixels: Pictures with more pixels than that are not decoded.
        pictures: What reads pictures that are no files.
    """

    def __init__(
        self,
        count: int,
        *,
        root: Path,
        cache: Path | None,
        max_pixels: int,
        pictures: Pictures | None,
        threads: int = 1,
    ) -> None:
        self.places = count * threads * _AHEAD
        self._closed = threading.Event()
        self._replacing = threading.Lock()
        self._told: bytes | None
        try:
            self._told = pickle.dumps((str(root), None if cache is None else str(cache), max_pixels, pictures, threads))
        except (pickle.PicklingError, AttributeError, TypeError):
            # What reads them is known in this process alone.
            self._told = None
        startable = self._told is not None and sys.executable
        self._workers: list[_Worker | None] = [_Worker(self._told) if startable else None for _ in range(count)]
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for _ in range(threads * _AHEAD):
            for place in range(count):
                self._free.put(place)

    def close(self) -> None:
        """End them, whatever they are at; what is asked of them from then on is answered by None."""
        with self._replacing:
            self._closed.set()
            workers, self._workers = self._workers, [None] * len(self._workers)
        for worker in workers:
            if worker is not None:
                worker.close()

    def samples(self, references: Sequence[Reference]) -> list[Sample] | None:
        """What is found of some samples; None where there is no process yet, or none to be had, to ask."""
        place = self._free.get()
        worker = self._workers[place]
        try:
            if worker is None or not worker.ready():
                return None
            return worker.ask(references)
        except _GONE:
            came_up = worker is not None and worker.came_up
            self._replace(place, worker, came_up=came_up)
            return self._one_at_a_time(references) if came_up else None
        finally:
            self._free.put(place)

    def _replace(self, place: int, worker: _Worker | None, *, came_up: bool) -> None:
        """Another process in the place of one that has ended; none, where it did not even come up."""
        with self._replacing:
            if self._workers[place] is worker and worker is not None:
                worker.close()
                self._workers[place] = _Worker(self._told) if came_up and not self._closed.is_set() else None

    def _one_at_a_time(self, references: Sequence[Reference]) -> list[Sample] | None:
        """After a process was brought down by one of these: which one it was is a row of the table."""
        found: list[Sample] = []
        worker: _Worker | None = None
        try:
            for reference in references:
                if self._closed.is_set():
                    return None
                try:
                    if worker is None:
                        worker = _Worker(self._told)
                        worker.ready(wait=True)
                    found += worker.ask([reference])
                except _GONE:
                    if worker is None or not worker.came_up:
                        return None
                    words = f"reading or decoding it ended the process that did so: {worker.close()}"
                    found.append(Sample(reference=reference, facts=ImageFacts(decode_error=words)))
                    worker = None
        finally:
            if worker is not None:
                worker.close()
        return found


class _Worker:
    """One process."""

    def __init__(self, told: bytes | None) -> None:
        paths = [path or str(Path.cwd()) for path in sys.path]
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": os.pathsep.join(paths)}
        self.came_up = False
        self._sending, self._receiving = threading.Lock(), threading.Lock()
        # -P: no module of the working directory's in place of a library.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        with contextlib.suppress(OSError):
            send(self._in, told)

    @property
    def _in(self) -> IO[bytes]:
        stream = self._process.stdin
        assert stream is not None  # noqa: S101 - a pipe
        return stream

    @property
    def _out(self) -> IO[bytes]:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - a pipe
        return stream

    def ready(self, *, wait: bool = False) -> bool:
        """Whether it has come up.

        Raises:
            OSError, EOFError, ValueError: it has not, and will not.
        """
        with self._sending:
            if not self.came_up and (wait or select.select([self._out], [], [], 0)[0]):
                receive(self._out)
                self.came_up = True
            return self.came_up

    def ask(self, references: Sequence[Reference]) -> list[Sample]:
        """What it finds of some samples.

        Raises:
            OSError, EOFError, ValueError: it has ended.
            DataguardError: it found that the run cannot go on.
        """
        with self._sending:
            send(self._in, [asked(reference) for reference in references])
            # Whoever sends first reads first: the one lock is taken before the other is let go.
            self._receiving.acquire()
        try:
            found: list[Any] | bytes = receive(self._out)
        finally:
            self._receiving.release()
        if isinstance(found, bytes):
            raise pickle.loads(found)  # noqa: S301 - from a process that this one started
        return unpacked(references, found)

    def close(self) -> str:
        """End it, if it has not ended. Returns how it ended, in words."""
        with contextlib.suppress(OSError, ValueError):
            self._in.close()
        try:
            # One that has crashed is gone at once, and one that waits for work ends when there is no more to come.
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            # It has nothing to put in order, and may be in the middle of a picture that takes long.
            self._process.kill()
            code = self._process.wait()
        with contextlib.suppress(OSError, ValueError):
            self._out.close()
        if code < 0:
            with contextlib.suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit status {code}"
