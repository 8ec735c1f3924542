"""One process of a scan: lists of samples come in on stdin, and what their files hold goes out on stdout.

It is a program of its own, and not a fork or what `multiprocessing` starts: it holds no copy of the caller's memory, no
lock that another thread held, and does not run the caller's main module again.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import pickle
import queue
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeAlias

from dataguard.core.errors import DataguardError
from dataguard.dataset.cache import Cache, Stamp
from dataguard.dataset.decode import ImageFacts, decoding
from dataguard.dataset.finder import Finder
from dataguard.dataset.sample import Sample
from dataguard.dataset.sources import Pictures, Reference

Asked: TypeAlias = tuple[str | None, str | None, tuple[int, str] | None, str | None]
"""Path, place, state and damage of a `Reference`: what reading it takes."""
Found: TypeAlias = tuple[Any, ...]

_LENGTH_BYTES = 8


def send(stream: IO[bytes], message: Any) -> None:
    """Write a message of plain tuples, strings, bytes and numbers."""
    data = marshal.dumps(message)
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read what `send` wrote.

    Raises:
        EOFError: the other side has gone.
    """
    length = int.from_bytes(_exactly(stream, _LENGTH_BYTES), "big")
    return marshal.loads(_exactly(stream, length))  # noqa: S302 - from a process that this one started


def asked(reference: Reference) -> Asked:
    """What a worker is told of a sample."""
    return reference.path, reference.place, reference.state, reference.damage


def packed(samples: Sequence[Sample]) -> list[Found]:
    """What was found of some samples, as numbers and bytes; see `unpacked`."""
    return [
        (
            sample.n_bytes,
            sample.content,
            sample.perceptual_hash,
            None
            if (seen := sample.stamp) is None
            else (seen.size, seen.mtime_ns, seen.inode, seen.seen_ns, seen.ctime_ns),
            sample.decoded,
            (facts := sample.facts).format,
            facts.width,
            facts.height,
            facts.mode,
            facts.channel_sums,
            facts.channel_square_sums,
            facts.thumbnail,
            facts.decode_error,
        )
        for sample in samples
    ]


def unpacked(references: Sequence[Reference], found: Sequence[Found]) -> list[Sample]:
    """The samples of which that was found."""
    return [
        Sample(
            reference=reference,
            n_bytes=n_bytes,
            content=content,
            perceptual_hash=perceptual_hash,
            stamp=None if stamp is None else Stamp(*stamp),
            decoded=decoded,
            facts=ImageFacts(
                format=kind,
                width=width,
                height=height,
                mode=mode,
                channel_sums=sums,
                channel_square_sums=squares,
                thumbnail=thumbnail,
                decode_error=decode_error,
            ),
        )
        for reference, (
            n_bytes,
            content,
            perceptual_hash,
            stamp,
            decoded,
            kind,
            width,
            height,
            mode,
            sums,
            squares,
            thumbnail,
            decode_error,
        ) in zip(references, found, strict=True)
    ]


def main() -> None:
    """Answer until stdin ends, in the order in which lists came in."""
    # Ctrl-C is the parent's to answer, by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What a library prints must not end up among the messages.
    os.dup2(2, 1)
    root, folder, max_pixels, pictures, threads = pickle.loads(receive(incoming))  # noqa: S301 - from the parent
    cache = None if folder is None else Cache(folder)
    answer = partial(_answer, root=Path(root), cache=cache, max_pixels=max_pixels, pictures=pictures)
    under_way: queue.SimpleQueue[Future[list[Found] | bytes] | None] = queue.SimpleQueue()
    with decoding(), ThreadPoolExecutor(threads) as pool:

        def take_all() -> None:
            with contextlib.suppress(EOFError):
                while True:
                    under_way.put(pool.submit(answer, receive(incoming)))
            under_way.put(None)

        with contextlib.suppress(BrokenPipeError):
            send(outgoing, "ready")
            threading.Thread(target=take_all, daemon=True).start()
            while (future := under_way.get()) is not None:
                send(outgoing, future.result())


def _answer(
    task: list[Asked], *, root: Path, cache: Cache | None, max_pixels: int, pictures: Pictures | None
) -> list[Found] | bytes:
    references = [
        Reference(sample_id=str(number), path=path, place=place, state=state, damage=damage)
        for number, (path, place, state, damage) in enumerate(task)
    ]
    try:
        batches = Finder(root, cache, max_pixels, pictures).batches(references)
        samples = [sample for batch in batches for sample in batch]
    except DataguardError as error:
        # Of the run, and not of a sample: as a store that does not answer.
        return pickle.dumps(error)
    samples.sort(key=lambda sample: int(sample.reference.sample_id))
    return packed(samples)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


if __name__ == "__main__":
    main()
