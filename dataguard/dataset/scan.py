"""The scan: every sample of a source read once, into a sample table.

Two functions are the unit of work, `chunk` and `merge`, so that threads here and a cluster elsewhere compute the same:
what a chunk finds does not depend on the others, and merging is associative and order-free.
"""

from __future__ import annotations

import math
import os
import shutil
import socket
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import compress
from pathlib import Path

from dataguard.core.errors import EngineError
from dataguard.core.progress import Progress, silent
from dataguard.dataset.cache import Cache
from dataguard.dataset.decode import MAX_PIXELS, decoder_id, decoding
from dataguard.dataset.engines import Engine
from dataguard.dataset.finder import Finder, Keeper, known_files
from dataguard.dataset.finished_tables import (
    key_of,
    opened,
    partial_folder,
    publish,
    remember,
)
from dataguard.dataset.listing import Listing, batches, enter, listed
from dataguard.dataset.manifest import Manifest
from dataguard.dataset.memory import LEAVES_SHARE
from dataguard.dataset.remote import RemotePictures
from dataguard.dataset.sample import Sample
from dataguard.dataset.sources import Pictures, Reference, RowSource, Source
from dataguard.dataset.table import SampleTable, connected
from dataguard.dataset.workers import Workers
from dataguard.dataset.writer import TableWriter

_LISTED_AT_A_TIME = 1_000
_ROWS_IN_A_CHUNK = 4_096
_IMAGES_IN_A_CHUNK = 64
_IMAGES_WHILE_LISTING = 16
_FOR_PROCESSES = 2_000
"""From so many images on, processes pay for their start; five times as many where there is one for all threads, which
then are no slower here, and only what crashes a decoder is kept away from this process."""
_THREADS_OF_A_PROCESS = 4
"""As many as do not wait for its GIL, of which each holds it for a twentieth of the time."""
_CHUNKS_PER_JOB = 16
"""A chunk is so much of what is left for each thread: the last one does not keep the others waiting for long."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Summary:
    """What some samples come to; see `merge`."""

    manifest: Manifest = field(default_factory=Manifest)
    """Key, content, label and split of each."""
    details: Manifest = field(default_factory=Manifest)
    """What else the sample table says of a sample that its content does not decide."""
    samples: tuple[Sample, ...] = ()
    """In ascending order of their ids."""
    n_samples: int = 0
    n_unreadable: int = 0
    n_decoded: int = 0
    n_bytes: int = 0


def merge(one: Summary, other: Summary) -> Summary:
    """What the samples of both come to. Associative, commutative, and ``Summary()`` changes nothing."""
    return Summary(
        manifest=one.manifest | other.manifest,
        details=one.details | other.details,
        samples=_ordered((*one.samples, *other.samples)),
        n_samples=one.n_samples + other.n_samples,
        n_unreadable=one.n_unreadable + other.n_unreadable,
        n_decoded=one.n_decoded + other.n_decoded,
        n_bytes=one.n_bytes + other.n_bytes,
    )


def chunk(
    references: Sequence[Reference],
    *,
    root: Path,
    cache: Cache | None = None,
    max_pixels: int = MAX_PIXELS,
    stop: threading.Event | None = None,
    pictures: Pictures | None = None,
) -> Summary:
    """Read and decode some samples.

    Args:
        references: The samples.
        root: What their paths are relative to.
        cache: Where facts may be known already; nothing is written to it.
        max_pixels: Pictures with more pixels than that are not decoded.
        stop: When set, what remains is left out.
        pictures: What reads samples that are no files of their own; the source's.
    """
    finder = Finder(root, cache, max_pixels, pictures)
    found = []
    for batch in finder.batches(references):
        if stop is not None and stop.is_set():
            break
        found += batch
    return _summary(found)


def scan(
    source: Source,
    *,
    cache: Cache | None,
    jobs: int | None = None,
    progress: Progress = silent,
    max_pixels: int = MAX_PIXELS,
    engine: Engine | None = None,
) -> SampleTable:
    """The sample table of a source.

    Files that are unchanged since they were hashed are not read, contents that are known are not decoded, and where
    nothing changed at all the finished table is opened. A run that is killed, or interrupted by Ctrl-C, leaves what it
    has found out in the cache.

    Args:
        source: The samples.
        cache: Where facts are kept; None for nowhere.
        jobs: How many threads, or processes, decode; None for one a CPU that this process may use.
        progress: Called with the stages 'listing' and 'scanning'.
        max_pixels: Pictures with more pixels than that are not decoded.
        engine: What decodes in place of threads of this process; the table is the same, bit for bit.

    Raises:
        SourceError: the source cannot be listed.
        EngineError: the engine has given up.
        NothingToCheckError: it is empty.
        OutputError: there is no room for the table.
    """
    rows = source.rows() if isinstance(source, RowSource) else None
    listing = listed(source, cache, max_pixels, progress, rows=rows is not None, beside_decoding=engine is None)
    key = listing.key
    tables = None if cache is None else cache.tables
    if key is not None and tables is not None and (table := opened(tables / key.table, source, key.version_id)):
        progress("scanning", table.n_samples, table.n_samples)
        if listing.state is not None:
            remember(cache, source.root, listing.state, key, max_pixels)
        return replace(table, state=listing.state)
    jobs = jobs or len(os.sched_getaffinity(0))
    folder = partial_folder(tables)
    try:
        manifest = Manifest(spill=folder / "leaves", held=LEAVES_SHARE)
        details = Manifest(spill=folder / "details")
        done, all_read = 0, True
        reader = None
        with (
            decoding(),
            TableWriter(folder, where=source.root) as writer,
            Keeper(cache, source.root, max_pixels) as keeper,
            closing(
                _parts(source, listing, cache, jobs, max_pixels)
                if engine is None
                else _parts_elsewhere(source, listing, cache, engine, max_pixels)
            ) as parts,
        ):
            if rows is not None:
                writer.copy_rows(rows, manifest, details, progress, jobs)
            for part in parts if rows is None else ():
                writer.add(part.samples)
                keeper.add(part.samples)
                # As `merge` does, in place.
                manifest.update(part.manifest)
                details.update(part.details)
                done += part.n_samples
                # To open a database takes a while, in which others decode.
                reader = reader or connected()
                all_read = all_read and all(sample.content is not None for sample in part.samples)
                if not listing.under_way:
                    progress("scanning", done, listing.n_samples)
            writer.finish()
        key = key_of(manifest, details, max_pixels)
        for name in ("leaves", "details"):
            shutil.rmtree(folder / name, ignore_errors=True)
        identity = source.identity()
        state = listing.state if identity is None else identity.digest
        # A file that could not be read may be readable tomorrow, and its stat the same.
        if identity is None and not all_read:
            state = None
        table = replace(publish(folder, tables, source, key, cache, reader), state=state)
        if state is not None:
            remember(cache, source.root, state, key, max_pixels)
        return table
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _summary(samples: list[Sample]) -> Summary:
    manifest, details = Manifest(), Manifest()
    for sample in samples:
        enter(manifest, details, sample.reference, sample.content)
        if sample.content is None and sample.facts.decode_error is not None:
            details.add(sample.reference.sample_id, sample.facts.decode_error.encode(), None, None)
    return Summary(
        manifest=manifest,
        details=details,
        samples=_ordered(samples),
        n_samples=len(samples),
        n_unreadable=sum(sample.facts.decode_error is not None for sample in samples),
        n_decoded=sum(sample.decoded for sample in samples),
        n_bytes=sum(sample.n_bytes or 0 for sample in samples),
    )


def _ordered(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    return tuple(sorted(samples, key=lambda sample: sample.reference.sample_id))


def _parts(
    source: Source, listing: Listing, cache: Cache | None, jobs: int, max_pixels: int
) -> Generator[Summary, None, None]:
    """The summaries of all chunks, in the source's order, with a few of them under way."""
    stop = threading.Event()
    # In a first scan there is nothing to ask a cache for.
    known = cache if cache is not None and cache.usable and cache.has_facts(decoder_id()) else None
    work = partial(chunk, root=source.root, cache=known, max_pixels=max_pixels, stop=stop, pictures=source.pictures)
    enough = _FOR_PROCESSES if jobs > _THREADS_OF_A_PROCESS else 5 * _FOR_PROCESSES
    processes = math.ceil(jobs / _THREADS_OF_A_PROCESS)
    start_workers = partial(
        Workers,
        processes,
        threads=math.ceil(jobs / processes),
        root=source.root,
        cache=None if known is None else known.folder,
        max_pixels=max_pixels,
        pictures=source.pictures,
    )
    workers: Workers | None = None

    def found(references: Sequence[Reference]) -> Summary:
        samples = workers.samples(references) if workers is not None and not stop.is_set() else None
        return work(references) if samples is None else _summary(samples)

    under_way: deque[Future[Summary]] = deque()
    threads, taken, more = jobs, 0, True
    with ExitStack() as pools:
        pool = pools.enter_context(ThreadPoolExecutor(jobs, thread_name_prefix="dataguard-scan"))
        try:
            while more or under_way:
                while more and len(under_way) < threads + jobs:
                    references = listing.take(_chunk_size(listing, taken, jobs))
                    more = bool(references)
                    if references and references[0].path is None:
                        # Rows are nothing but Python, which a second thread would only get in the way of.
                        references += listing.take(_ROWS_IN_A_CHUNK - len(references))
                        yield from _drained(under_way)
                        yield chunk(references, root=source.root, max_pixels=max_pixels)
                    elif references:
                        many = not listing.under_way and (listing.n_samples or enough) >= enough
                        if workers is None and jobs > 1 and many:
                            workers = start_workers()
                            threads = workers.places
                            pool = pools.enter_context(ThreadPoolExecutor(threads, thread_name_prefix="dataguard-scan"))
                        under_way.append(pool.submit(found, references))
                    taken += len(references)
                if listing.under_way:
                    listing.list_more()
                elif under_way:
                    yield under_way.popleft().result()
                while under_way and under_way[0].done():
                    yield under_way.popleft().result()
        except BaseException:
            stop.set()
            for future in under_way:
                future.cancel()
            raise
        finally:
            if workers is not None:
                workers.close()


def _chunk_size(listing: Listing, taken: int, jobs: int) -> int:
    """How many images are the next piece of work: fewer in the end, lest one thread keep the others waiting."""
    if listing.under_way:
        return _IMAGES_WHILE_LISTING
    if listing.n_samples is None:
        return _IMAGES_IN_A_CHUNK
    return max(8, min(_IMAGES_IN_A_CHUNK, (listing.n_samples - taken) // (_CHUNKS_PER_JOB * jobs)))


def _parts_elsewhere(
    source: Source, listing: Listing, cache: Cache | None, engine: Engine, max_pixels: int
) -> Generator[Summary, None, None]:
    """The summaries of what the cache knows, then of all chunks that an engine works on, as they are done."""

    def everything() -> Iterator[Reference]:
        return source.references() if listing.references is None else iter(listing.references)

    if next(everything()).path is None:
        # Rows were read by listing them: there is nothing to do that would be worth sending.
        for references in batches(everything(), _ROWS_IN_A_CHUNK):
            yield chunk(references, root=source.root, max_pixels=max_pixels)
        return
    known = bytearray()
    if cache is not None and cache.has_facts(decoder_id()):
        for references in batches(everything(), _LISTED_AT_A_TIME):
            flags = known_files(references, source.root, cache, max_pixels)
            known += bytes(flags)
            yield chunk(list(compress(references, flags)), root=source.root, cache=cache, max_pixels=max_pixels)
    unknown = everything() if not known else compress(everything(), (not flag for flag in known))
    work = partial(
        _chunk_elsewhere, root=source.root, max_pixels=max_pixels, decoder=decoder_id(), pictures=source.pictures
    )
    yield from engine.map_chunks(work, batches(unknown, _IMAGES_IN_A_CHUNK))


def _chunk_elsewhere(
    references: Sequence[Reference], *, root: Path, max_pixels: int, decoder: str, pictures: Pictures | None
) -> Summary:
    """On a worker: `chunk`, where it can but come to the same as here.

    Raises:
        EngineError: the worker does not see the files, or decodes them with other libraries.
    """
    if decoder_id() != decoder:
        raise EngineError(
            f"worker {socket.gethostname()} decodes with {decoder_id()}, and here it is {decoder}",
            hint="install the same versions of dataguard, opencv-python-headless and pillow on every worker",
        )
    # Shards are read where they lie, too: a worker without them would call every picture unreadable.
    if not isinstance(pictures, RemotePictures) and not root.is_dir():
        raise EngineError(
            f"worker {socket.gethostname()} does not see the folder",
            where=root,
            hint="put the files where every worker has them under this path: a shared file system, or object storage",
        )
    with decoding():
        return chunk(references, root=root, max_pixels=max_pixels, pictures=pictures)


def _drained(under_way: deque[Future[Summary]]) -> Iterator[Summary]:
    while under_way:
        yield under_way.popleft().result()
