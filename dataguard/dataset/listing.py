"""Going through a source: before its samples are read, or beside that where nothing of it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from dataguard.core.paths import encode_path
from dataguard.core.progress import Progress
from dataguard.dataset.cache import Cache
from dataguard.dataset.finder import stamps_of, whole_path
from dataguard.dataset.finished_tables import Key, key_of, root_key, state_key, stored_key
from dataguard.dataset.listing_state import ListingState
from dataguard.dataset.manifest import Manifest
from dataguard.dataset.sources import Reference, Source

_LISTED_AT_A_TIME = 1_000
_BESIDE_DECODING = 256
"""Samples listed at a time while others are decoded: a millisecond or two."""
_KEPT_REFERENCES = 20_000
"""Up to so many samples a source is gone through once and not twice: some 10 MB."""


class Listing:
    """What going through a source tells before anything is read, and its samples.

    Attributes:
        n_samples: How many there are; None where only going through them can tell.
        key: Of the finished table, where every file is known to be unchanged.
        references: All of them, where they are listed and not too many to keep.
        state: A digest of all that decides on the table, where it is known.
    """

    def __init__(
        self,
        source: Source,
        *,
        n_samples: int | None = None,
        key: Key | None = None,
        state: str | None = None,
        references: Sequence[Reference] | None = None,
    ) -> None:
        self.n_samples = n_samples
        self.key = key
        self.state = state
        self.references = references
        self._source = source
        self._kept = references or ()
        self._taken = 0
        self._rest: Iterator[Reference] | None = None

    @property
    def under_way(self) -> bool:
        """Whether it is not known yet what there is."""
        return False

    def list_more(self) -> None:
        """Go some way, where it is `under_way`."""

    def take(self, size: int) -> list[Reference]:
        """The next samples, so many or fewer; none where there are no more."""
        found = list(self._kept[self._taken : self._taken + size])
        if not found and self.references is None:
            if self._rest is None:
                self._rest = islice(self._source.references(), len(self._kept), None)
            found = list(islice(self._rest, size))
        self._taken += len(found)
        return found


class ListingUnderWay(Listing):
    """One of files that have not been read before: they are read while others are still being listed.

    A file's stat is entered before it is handed out, so that a change after it was read shows in the next one.
    """

    def __init__(
        self, source: Source, references: Iterator[Reference], state: ListingState | None, progress: Progress
    ) -> None:
        super().__init__(source)
        self._batches: Iterator[list[Reference]] | None = batches(references, _BESIDE_DECODING)
        self._progress = progress
        self._stats = state
        self._listed = 0
        self._kept: list[Reference] = []

    @property
    def under_way(self) -> bool:
        """Whether it is not known yet what there is."""
        return self._batches is not None

    def list_more(self) -> None:
        """Go some way, where it is `under_way`."""
        if self._batches is None:
            return
        batch = next(self._batches, None)
        if batch is None:
            self._batches = None
            self.n_samples = self._listed
            self.state = None if self._stats is None else self._stats.digest()
            self.references = self._kept if len(self._kept) == self._listed else None
            return
        self._listed += len(batch)
        self._progress("listing", self._listed, None)
        if self._stats is not None:
            self._stats.update(batch)
        if self._listed <= _KEPT_REFERENCES:
            self._kept += batch

    def take(self, size: int) -> list[Reference]:
        """The next samples, so many or fewer; none where there are no more."""
        while self.under_way and len(self._kept) < self._taken + size:
            self.list_more()
        return super().take(size)


def listed(
    source: Source,
    cache: Cache | None,
    max_pixels: int,
    progress: Progress,
    *,
    rows: bool = False,
    beside_decoding: bool = False,
) -> Listing:
    """Go through a source as far as it takes to tell whether its table is there.

    Args:
        source: The samples.
        cache: Where it may be known.
        max_pixels: What pictures are decoded.
        progress: Called with the stage 'listing'.
        rows: Whether it is a table, which is not listed.
        beside_decoding: Whether files that are new may be read before all are listed.
    """
    identity = source.identity()
    if identity is not None:
        key = None if cache is None else stored_key(cache, state_key(identity.digest, max_pixels))
        return Listing(source, n_samples=identity.n_samples, key=key, state=identity.digest)
    if rows:
        # To list them is to read them.
        return Listing(source)
    stats = ListingState(source.root) if cache is not None and cache.usable else None
    references = source.references()
    first = list(islice(references, _BESIDE_DECODING))
    references = chain(first, references)
    if beside_decoding and _are_new(first, source, cache):
        return ListingUnderWay(source, references, stats, progress)
    total = 0
    kept: list[Reference] = []
    for batch in batches(references, _LISTED_AT_A_TIME):
        total += len(batch)
        progress("listing", total, None)
        if total <= _KEPT_REFERENCES:
            kept += batch
        if stats is not None:
            stats.update(batch)
    everything = kept if len(kept) == total else None
    state = None if stats is None else stats.digest()
    if cache is None or state is None:
        return Listing(source, n_samples=total, references=everything)
    key = stored_key(cache, state_key(state, max_pixels))
    if key is None:
        # The same files under other names, or with other times: whether their contents are known says more.
        key = _key_of_known(source, everything, cache, max_pixels)
    return Listing(source, n_samples=total, key=key, references=everything, state=state)


def enter(manifest: Manifest, details: Manifest, reference: Reference, content: bytes | None) -> None:
    """Enter a sample into a version."""
    manifest.add(reference.sample_id, content, reference.label, reference.split)
    path = None if reference.path == reference.sample_id else reference.path
    row = None if reference.row is None or str(reference.row) == reference.sample_id else reference.row
    rest: tuple[object, ...] = (path, row, reference.group_id, reference.time)
    if reference.place is not None:
        rest = (*rest, reference.place)
    if any(item is not None for item in rest):
        details.add(reference.sample_id, repr(rest).encode(), None, None)


def batches(references: Iterable[Reference], size: int) -> Iterator[list[Reference]]:
    """Lists of so many, of which the last may be shorter."""
    iterator = iter(references)
    while batch := list(islice(iterator, size)):
        yield batch


def _are_new(first: Sequence[Reference], source: Source, cache: Cache | None) -> bool:
    """Whether these are files of a root that has no finished table: of one that has, its listing may tell."""
    if any(not one.path or one.place is not None or one.damage is not None for one in first):
        return False
    return cache is None or cache.get_blob(root_key(source.root)) is None


def _key_of_known(source: Source, listed: Sequence[Reference] | None, cache: Cache, max_pixels: int) -> Key | None:
    """What the table is called where the content of every file is known by its stat; None where one is not."""
    manifest, details = Manifest(), Manifest()
    prefix = encode_path(str(source.root))
    for references in batches(source.references() if listed is None else listed, _LISTED_AT_A_TIME):
        hashes = cache.hashes(stamps_of(source.root, references))
        if len(hashes) < sum(reference.path is not None for reference in references):
            return None
        for reference in references:
            content = reference.digest if reference.path is None else hashes[whole_path(prefix, reference.path)]
            enter(manifest, details, reference, content)
    return key_of(manifest, details, max_pixels)
