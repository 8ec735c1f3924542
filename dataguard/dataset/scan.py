"""The scan: every sample of a source read once, into a sample table.

Two functions are the unit of work, `chunk` and `merge`, so that threads here and a cluster elsewhere compute the same:
what a chunk finds does not depend on the others, and merging is associative and order-free.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from blake3 import blake3

from dataguard.core.errors import OutputError
from dataguard.core.paths import decode_path, encode_path
from dataguard.core.progress import Progress, silent
from dataguard.dataset.cache import Cache, Stamp
from dataguard.dataset.decode import MAX_PIXELS, ImageFacts, decoder_id, decoding, image_facts
from dataguard.dataset.files import UnreadableFileError, read_file, stamp_of
from dataguard.dataset.manifest import Manifest
from dataguard.dataset.perceptual_hash import perceptual_hashes
from dataguard.dataset.sources import Reference, Source
from dataguard.dataset.table import THUMBNAIL_SIDE, SampleTable
from dataguard.dataset.writer import TableWriter

_LISTED_AT_A_TIME = 1_000
_ROWS_IN_A_CHUNK = 4_096
_IMAGES_IN_A_CHUNK = 64
_CHUNKS_PER_JOB = 16
"""Chunks are made so small that the last one does not keep the other threads waiting for long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One row of the sample table, and what a cache may keep of it."""

    reference: Reference
    bytes: int | None = None
    content: bytes | None = None
    """BLAKE3, 32 bytes; None where the file could not be read."""
    facts: ImageFacts = field(default_factory=ImageFacts)
    perceptual_hash: int | None = None
    stamp: Stamp | None = None
    """Where the file has just been read."""
    decoded: bool = False
    """Whether the facts are new."""


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
    bytes: int = 0

    @property
    def table_key(self) -> str:
        """64 hexadecimal digits that are the same for the same sample table."""
        return blake3(f"{decoder_id()}\n{self.manifest.version_id}\n{self.details.version_id}".encode()).hexdigest()


def merge(one: Summary, other: Summary) -> Summary:
    """What the samples of both come to. Associative, commutative, and ``Summary()`` changes nothing."""
    return Summary(
        manifest=one.manifest | other.manifest,
        details=one.details | other.details,
        samples=tuple(sorted((*one.samples, *other.samples), key=lambda sample: sample.reference.sample_id)),
        n_samples=one.n_samples + other.n_samples,
        n_unreadable=one.n_unreadable + other.n_unreadable,
        n_decoded=one.n_decoded + other.n_decoded,
        bytes=one.bytes + other.bytes,
    )


def chunk(
    references: Sequence[Reference],
    *,
    root: Path,
    cache: Cache | None = None,
    max_pixels: int = MAX_PIXELS,
    stop: threading.Event | None = None,
) -> Summary:
    """Read and decode some samples.

    Args:
        references: The samples.
        root: What their paths are relative to.
        cache: Where facts may be known already; nothing is written to it.
        max_pixels: Pictures with more pixels than that are not decoded.
        stop: When set, what remains is left out.
    """
    known = _Known(references, root, cache, max_pixels)
    samples = []
    for reference in references:
        if stop is not None and stop.is_set():
            break
        samples.append(_sample(reference, root, known, max_pixels))
    return _summary(_with_perceptual_hashes(samples))


def scan(
    source: Source,
    *,
    cache: Cache | None,
    jobs: int | None = None,
    progress: Progress = silent,
    max_pixels: int = MAX_PIXELS,
) -> SampleTable:
    """The sample table of a source.

    Files that are unchanged since they were hashed are not read, contents that are known are not decoded, and where
    nothing changed at all the finished table is opened. A run that is killed, or interrupted by Ctrl-C, leaves what it
    has found out in the cache.

    Args:
        source: The samples.
        cache: Where facts are kept; None for nowhere.
        jobs: How many threads decode; None for one a CPU that this process may use.
        progress: Called with the stages 'listing' and 'scanning'.
        max_pixels: Pictures with more pixels than that are not decoded.

    Raises:
        SourceError: the source cannot be listed.
        NothingToCheckError: it is empty.
        OutputError: there is no room for the table.
    """
    total, key = _listed(source, cache, max_pixels, progress)
    tables = None if cache is None else cache.tables
    if key is not None and tables is not None:
        found = _finished(tables / key[0], source, key[1])
        if found is not None:
            progress("scanning", total, total)
            return found
    jobs = jobs or len(os.sched_getaffinity(0))
    folder = _partial_folder(tables)
    try:
        with decoding(), TableWriter(folder) as writer:
            summary = Summary()
            for part in _parts(source, cache, jobs, max_pixels, total):
                writer.add(part.samples)
                if cache is not None:
                    _keep(part, source.root, cache, max_pixels)
                summary.manifest.update(part.manifest)
                summary.details.update(part.details)
                summary = replace(summary, n_samples=summary.n_samples + part.n_samples)
                progress("scanning", summary.n_samples, total)
            writer.finish()
        return _publish(folder, tables, _table_key(summary, max_pixels), source, summary.manifest.version_id, cache)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OutputError(
            f"the sample table cannot be written: {error.strerror or error}", where=folder, hint="free some space"
        ) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
