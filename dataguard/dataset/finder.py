"""From a file to a sample: by its stat, by its content, or by decoding it; and what is worth keeping of that."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from blake3 import blake3

from dataguard.core.paths import decode_path, encode_path
from dataguard.dataset.cache import Cache, Stamp
from dataguard.dataset.decode import Decoded, Hashed, ImageFacts, completed, decoded, decoder_id
from dataguard.dataset.files import UnreadableFileError, read_file, stamp_of
from dataguard.dataset.perceptual_hash import perceptual_hashes
from dataguard.dataset.sample import Sample
from dataguard.dataset.sources import Pictures, Reference
from dataguard.dataset.table import THUMBNAIL_SIDE

_BYTES_PER_PIXEL = 8
_OVERHEAD = 1 << 26
"""No picture has more bytes than 8 a pixel, which is 16-bit RGBA uncompressed, and some metadata."""

_HELD_BYTES = 1 << 20
"""How much of files is read before the cache is asked for all of them at a time, and they are decoded."""

WRITTEN_AT_A_TIME = 512
_WRITTEN_EVERY = 0.5
"""Samples and seconds between two writes to the cache; what a killed run loses. A write costs as much as its pages."""


@dataclass(slots=True)
class _File:
    """A file on its way to being a sample."""

    reference: Reference
    data: bytes = b""
    size: int | None = None
    is_array: bool = False
    stamp: Stamp | None = None
    content: bytes | None = None
    facts: ImageFacts | Decoded | Hashed | None = None
    decoded: bool = False


class Finder:
    """Finds out about files: by their stat, by their content, or by decoding them.

    Args:
        root: What the paths are relative to.
        cache: Where something may be known of them; nothing is written to it.
        max_pixels: Pictures with more pixels than that are not decoded.
        pictures: What reads pictures that are no files.
    """

    def __init__(self, root: Path, cache: Cache | None, max_pixels: int, pictures: Pictures | None = None) -> None:
        self._root = root
        self._pictures = pictures
        self._prefix = encode_path(str(root))
        self._cache = cache if cache is not None and cache.usable else None
        # In a first scan there is nothing to ask for, and bytes that have just been read are decoded faster.
        self._contents_known = self._cache is not None and self._cache.has_facts(decoder_id())
        self._max_pixels = max_pixels
        self._max_bytes = _BYTES_PER_PIXEL * max_pixels + _OVERHEAD

    def batches(self, references: Sequence[Reference]) -> Iterator[list[Sample]]:
        """Samples, as many at a time as can be held in memory as files."""
        stamps = stamps_of(self._root, references) if self._contents_known else {}
        hashes = self.known_hashes(stamps)
        facts = self.known_facts(hashes.values()) if hashes else {}
        waiting: list[_File] = []
        held = 0
        for reference in references:
            if reference.path is None:
                facts_of_row = ImageFacts(decode_error=reference.damage)
                yield [Sample(reference=reference, content=reference.digest, facts=facts_of_row)]
                continue
            file = _File(reference)
            waiting.append(file)
            if facts and (reference.place is None or reference.state is not None):
                key = whole_path(self._prefix, reference.path)
                content = hashes.get(key)
                if content in facts:
                    file.content, file.facts, file.size = content, facts[content], stamps[key].size
                    continue
            self._read(file)
            held += len(file.data)
            if held > _HELD_BYTES:
                yield self._finished(waiting)
                waiting, held = [], 0
        yield self._finished(waiting)

    def _read(self, file: _File) -> None:
        path, place = file.reference.path, file.reference.place
        if not path or file.reference.damage is not None:
            file.facts = ImageFacts(decode_error=file.reference.damage or "the row names no file")
            return
        try:
            if place is None or self._pictures is None:
                file.data, file.stamp = read_file(_file_name(self._prefix, path), max_bytes=self._max_bytes)
                file.size, file.content = len(file.data), blake3(file.data).digest()
            else:
                picture = self._pictures.read(place, max_bytes=self._max_bytes)
                file.data, file.is_array = picture.data, picture.digest is not None
                file.size = len(file.data) if picture.n_bytes is None else picture.n_bytes
                file.content = picture.digest or blake3(file.data).digest()
                if file.reference.state is not None and file.size == file.reference.state[0]:
                    file.stamp = Stamp.told(*file.reference.state)
        except UnreadableFileError as error:
            file.facts = ImageFacts(decode_error=str(error))
            return
        if not self._contents_known:
            self._decode(file)

    def _decode(self, file: _File) -> None:
        file.facts = decoded(file.data, max_pixels=self._max_pixels)
        if file.is_array:
            # It is encoded for the decoder alone: no file has that format.
            found = file.facts.facts if isinstance(file.facts, Hashed) else file.facts
            file.facts = replace(found, format=None)
        file.decoded = True
        file.data = b""

    def _finished(self, files: list[_File]) -> list[Sample]:
        missing = [file for file in files if file.facts is None]
        facts = self.known_facts(file.content for file in missing) if missing else {}
        for file in missing:
            file.facts = facts.get(file.content)
            if file.facts is None:
                self._decode(file)
            file.data = b""
        return _samples(files)

    def known_hashes(self, stamps: Mapping[str, Stamp]) -> dict[str, bytes]:
        """The contents of files that have not changed since they were read, by whole path."""
        return {} if self._cache is None else self._cache.hashes(stamps)

    def known_facts(self, contents: Iterable[bytes | None]) -> dict[bytes | None, ImageFacts]:
        """What contents come to that were decoded before."""
        if self._cache is None:
            return {}
        found = self._cache.facts([content for content in contents if content is not None], decoder_id())
        # What an earlier run decoded may be above this run's limit.
        return {content: facts for content, facts in found.items() if not _beyond(facts, self._max_pixels)}


def _samples(files: Sequence[_File]) -> list[Sample]:
    facts = completed([file.facts or ImageFacts() for file in files])
    unhashed = [
        found.thumbnail
        for file, found in zip(files, facts, strict=True)
        if found.thumbnail and not isinstance(file.facts, Hashed)
    ]
    perceptual = iter(_perceptual_hashes(unhashed)) if unhashed else iter(())
    return [
        Sample(
            reference=file.reference,
            n_bytes=file.size,
            content=file.content,
            facts=found,
            perceptual_hash=file.facts.perceptual_hash
            if isinstance(file.facts, Hashed)
            else next(perceptual)
            if found.thumbnail
            else None,
            stamp=file.stamp,
            decoded=file.decoded,
        )
        for file, found in zip(files, facts, strict=True)
    ]


def _perceptual_hashes(thumbnails: Sequence[bytes]) -> list[int | None]:
    joined = np.frombuffer(b"".join(thumbnails), dtype=np.uint8)
    hashes, textured = perceptual_hashes(joined.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3))
    pairs = zip(hashes.tolist(), textured.tolist(), strict=True)
    return [value if has_texture else None for value, has_texture in pairs]


def stamps_of(root: Path, references: Iterable[Reference]) -> dict[str, Stamp]:
    """The stamps of the files and objects that are there, by whole path."""
    prefix = encode_path(str(root))
    found = {}
    for reference in references:
        if reference.path and reference.state is not None:
            found[whole_path(prefix, reference.path)] = Stamp.told(*reference.state)
        elif reference.path and reference.place is None and reference.damage is None:
            stamp = stamp_of(_file_name(prefix, reference.path))
            if stamp is not None:
                found[whole_path(prefix, reference.path)] = stamp
    return found


def known_files(references: Sequence[Reference], root: Path, cache: Cache, max_pixels: int) -> list[bool]:
    """Which of these a `Finder` need not read, as far as the cache can tell now."""
    finder = Finder(root, cache, max_pixels)
    prefix = encode_path(str(root))
    hashes = finder.known_hashes(stamps_of(root, references))
    facts = finder.known_facts(hashes.values())
    return [bool(item.path) and hashes.get(whole_path(prefix, item.path or "")) in facts for item in references]


class Keeper:
    """Writes what was found out to a cache, some samples at a time; use it in one thread, and as a context manager.

    Args:
        cache: Where to; None for nowhere.
        root: What the paths are relative to.
        max_pixels: The run's limit. What was refused because of it is not kept.
    """

    def __init__(self, cache: Cache | None, root: Path, max_pixels: int) -> None:
        self._cache = cache
        self._prefix = encode_path(str(root))
        self._max_pixels = max_pixels
        self._samples: list[Sample] = []
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()

    def add(self, samples: Iterable[Sample]) -> None:
        """Keep what is new of some samples, now or soon."""
        if self._cache is None or not self._cache.usable:
            return
        self._samples += [sample for sample in samples if sample.stamp is not None or sample.decoded]
        if len(self._samples) >= WRITTEN_AT_A_TIME or time.monotonic() - self._written > _WRITTEN_EVERY:
            self._write()

    def _write(self) -> None:
        samples, self._samples = self._samples, []
        self._written = time.monotonic()
        if self._cache is None or not samples:
            return
        files, facts = [], []
        for sample in samples:
            if sample.content is None or sample.reference.path is None:
                continue
            if sample.stamp is not None:
                files.append((whole_path(self._prefix, sample.reference.path), sample.stamp, sample.content))
            if sample.decoded and not _beyond(sample.facts, self._max_pixels):
                facts.append((sample.content, sample.facts))
        self._cache.put(files, facts, decoder_id())


def _beyond(facts: ImageFacts, max_pixels: int) -> bool:
    return (facts.width or 0) * (facts.height or 0) > max_pixels


def whole_path(prefix: str, path: str) -> str:
    """The whole path in encoded form; an absolute path stands for itself."""
    return path if path[:1] == "/" else f"{prefix}/{path}"


def _file_name(prefix: str, path: str) -> str:
    """The name to open a file by. Called for every file, for which pathlib would be ten times too slow."""
    return decode_path(whole_path(prefix, path))
