"""The batch stream: what a loader fed, batch by batch, in columns; never the data itself."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dataguard.batches.kinds import ArrayKind, Ending, LabelKind, LoaderFacts, Pass
from dataguard.core.atomic import write_atomically
from dataguard.core.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray
Scalar = TypeVar("Scalar", bound=np.generic)
FORMAT = "dataguard-batch-stream/1"
"""What a saved stream begins its header with."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class BatchStream:
    """What a loader fed: per sample, per batch and per pass, in the order that it came; n samples in m batches.

    Passes lie one after the other, and in each its batches and in these their samples, so that plain slices suffice.
    Every array is read-only. Nothing of the data is kept but hashes, moments and the thumbnails of the first batch.
    """

    # Per sample
    codes: NDArray[np.int32]
    """Index into ``classes``, shape (n,); −1 where a sample has no class."""
    hashes: NDArray[np.uint64]
    """64-bit hash of each sample as fed, shape (n,); see ``hash_method``. Among a million samples two different ones
    share a hash with probability 3e-8."""
    minimum: NDArray[np.float64]
    """Of the finite values of the main input, shape (n,); NaN where there are none, as for text."""
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    """With n as the divisor."""
    n_nan: NDArray[np.int64]
    """NaNs among all inputs of the sample, shape (n,)."""
    n_inf: NDArray[np.int64]
    """Infinities of either sign."""
    kinds: NDArray[np.int32]
    """Index into ``array_kinds``, shape (n,)."""
    # Per batch
    batch_epoch: NDArray[np.int32]
    """Epoch from 0, shape (m,)."""
    batch_number: NDArray[np.int32]
    """Number within its pass, from 0."""
    batch_size: NDArray[np.int32]
    """Samples in it."""
    batch_rank: NDArray[np.int32]
    """−1 where unknown."""
    batch_worker: NDArray[np.int32]
    """The worker that made it, from 0; −1 where there are no workers or it is unknown."""
    batch_seconds: NDArray[np.float64]
    """From asking for the batch to having it."""
    batch_labels: NDArray[np.int32]
    """How many labels came with it; −1 where there were none. Should be ``batch_size``."""
    # The whole
    array_kinds: tuple[ArrayKind, ...]
    passes: tuple[Pass, ...]
    loaders: tuple[LoaderFacts, ...]
    classes: tuple[str, ...]
    """Names of the classes; whole numbers in their order, then text."""
    label_kind: LabelKind
    label_origin: str
    """Where the labels were found, as "second of 2 elements" or "key 'label'"."""
    input_origin: str
    """Where the main input was found: the one that moments, kind and thumbnails are of."""
    targets: NDArray[np.float64] | None = None
    """Labels as numbers, shape (n,), where they are continuous with one number a sample."""
    sample_ids: NDArray[np.str_] | None = None
    """Shape (n,)."""
    id_origin: str = ""
    """Where the ids were found in a batch."""
    source_index: NDArray[np.int64] | None = None
    """Index of each sample in the loader's dataset, shape (n,), overheard from a torch loader's sampler; −1 unknown."""
    source_codes: NDArray[np.int32] | None = None
    """Class of every sample of the loader's dataset in the dataset's own order, where it could be read without
    loading a sample; −1 for none. Index it by ``source_index``."""
    channels: NDArray[np.float64] | None = None
    """Minimum, maximum, mean and standard deviation of each channel of each batch, shape (m, c, 4), c ≤ 4; NaN where
    a batch has no such channel. None where the layout shows no channels."""
    thumbnails: NDArray[np.uint8] | None = None
    """The first samples, shape (t, 32, 32, 1 or 3)."""
    thumbnail_rows: NDArray[np.int32] | None = None
    """Which samples these are, shape (t,)."""
    thumbnail_range: tuple[float, float] | None = None
    """The values that became 0 and 255 in the thumbnails."""
    hash_method: str = ""
    moments_method: str = ""
    seed: int | None = None
    """The seed that was set before the first batch; None where none was."""
    batch_limit: int | None = None
    """The most batches that a pass was followed for; None for no limit."""
    epoch_hook: str = ""
    """What was called before each epoch, as 'set_epoch'; '' for nothing."""
    notes: tuple[str, ...] = ()
    """What was assumed, and what could not be used."""

    def __repr__(self) -> str:
        ends = ", ".join(f"{item.n_batches} batches {item.ending.value}" for item in self.passes[:3])
        more = f" and {len(self.passes) - 3} more passes" if len(self.passes) > 3 else ""
        return (
            f"<BatchStream: {self.n_samples} samples, labels {self.label_kind.value}"
            + (f" ({len(self.classes)})" if self.classes else "")
            + f"; {ends}{more}>"
        )

    @property
    def n_samples(self) -> int:
        """How many samples were fed."""
        return len(self.codes)

    @property
    def n_batches(self) -> int:
        """How many batches were fed."""
        return len(self.batch_size)

    @property
    def n_epochs(self) -> int:
        """How many epochs were begun."""
        return len({item.epoch for item in self.passes})

    @property
    def facts(self) -> LoaderFacts:
        """What the first loader says of itself."""
        return self.loaders[0]

    @property
    def batch_of_sample(self) -> NDArray[np.intp]:
        """Row of each sample's batch in the ``batch_…`` arrays, shape (n,)."""
        return _frozen(np.repeat(np.arange(self.n_batches, dtype=np.intp), self.batch_size))

    @property
    def epochs(self) -> NDArray[np.int32]:
        """Epoch of each sample, shape (n,)."""
        return _frozen(np.repeat(self.batch_epoch, self.batch_size))

    @property
    def batches(self) -> NDArray[np.int32]:
        """Number of each sample's batch within its pass, shape (n,)."""
        return _frozen(np.repeat(self.batch_number, self.batch_size))

    @property
    def positions(self) -> NDArray[np.int32]:
        """Place of each sample in its batch, shape (n,)."""
        starts = np.repeat(np.cumsum(self.batch_size) - self.batch_size, self.batch_size)
        return _frozen((np.arange(self.n_samples) - starts).astype(np.int32))

    @property
    def workers(self) -> NDArray[np.int32]:
        """Worker that made each sample, shape (n,); −1 where unknown."""
        return _frozen(np.repeat(self.batch_worker, self.batch_size))

    @property
    def ranks(self) -> NDArray[np.int32]:
        """Rank that each sample was fed to, shape (n,); −1 where unknown."""
        return _frozen(np.repeat(self.batch_rank, self.batch_size))

    @property
    def batch_kinds(self) -> NDArray[np.int32]:
        """Index into ``array_kinds`` of every batch, shape (m,); −1 where its samples differ or it is empty."""
        ends = np.cumsum(self.batch_size)
        found = np.full(self.n_batches, -1, dtype=np.int32)
        filled = np.flatnonzero(self.batch_size)
        if len(filled):
            starts = (ends - self.batch_size)[filled]
            low, high = np.minimum.reduceat(self.kinds, starts), np.maximum.reduceat(self.kinds, starts)
            found[filled] = np.where(low == high, low, -1)
        return _frozen(found)

    def sample_slices(self) -> list[slice]:
        """Where the samples of each pass are."""
        ends = np.cumsum([0, *(item.n_samples for item in self.passes)]).tolist()
        return [slice(start, end) for start, end in pairwise(ends)]

    def batch_slices(self) -> list[slice]:
        """Where the batches of each pass are."""
        ends = np.cumsum([0, *(item.n_batches for item in self.passes)]).tolist()
        return [slice(start, end) for start, end in pairwise(ends)]

    def codes_by_epoch(self) -> list[NDArray[np.int32]]:
        """Class codes of every pass, in the order fed; with several ranks one array for each rank of each epoch."""
        return [self.codes[part] for part in self.sample_slices()]

    def hashes_by_epoch(self) -> list[NDArray[np.uint64]]:
        """Content hashes of every pass, as `codes_by_epoch`."""
        return [self.hashes[part] for part in self.sample_slices()]

    def ids_by_epoch(self) -> list[NDArray[np.str_]] | None:
        """Sample ids of every pass, as `codes_by_epoch`; None without ids."""
        return None if self.sample_ids is None else [self.sample_ids[part] for part in self.sample_slices()]

    def identities_by_epoch(self) -> list[NDArray[np.int64]] | None:
        """A whole number for each sample that says which one it is, of every pass, as `codes_by_epoch`.

        By the sample's index in the dataset, or else by its id: equal numbers, equal samples. None where neither is
        known of every sample; equal hashes then say that two samples were fed alike.
        """
        if self.source_index is not None and (self.source_index >= 0).all():
            numbers = self.source_index
        elif self.sample_ids is not None:
            numbers = _frozen(np.unique(self.sample_ids, return_inverse=True)[1].astype(np.int64))
        else:
            return None
        return [numbers[part] for part in self.sample_slices()]

    def batch_sizes(self, epoch: int, rank: int | None = None) -> NDArray[np.int32]:
        """Sizes of the batches of one epoch, in order; of one rank, or of all ranks one after the other.

        Raises:
            ValueError: there is no such epoch or rank in the stream.
        """
        wanted = [
            part
            for item, part in zip(self.passes, self.batch_slices(), strict=True)
            if item.epoch == epoch and rank in (None, item.rank)
        ]
        if not wanted:
            raise ValueError(f"no epoch {epoch}" + ("" if rank is None else f" of rank {rank}") + " in this stream")
        return _frozen(np.concatenate([self.batch_size[part] for part in wanted]))

    @staticmethod
    def merge(streams: Sequence[BatchStream]) -> BatchStream:
        """One stream out of several that were recorded apart, as one a rank of distributed training.

        Passes are put in the order of epoch and rank. Streams of consecutive epochs are joined by `concatenate`.

        Raises:
            ValueError: two streams hold the same epoch of the same rank, or were hashed in different ways.
        """
        keys = [(item.epoch, item.rank) for stream in streams for item in stream.passes]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(
                f"epoch {twice[0]} of rank {twice[1]} is in more than one stream: record each rank with rank=…, "
                "or join consecutive epochs by BatchStream.concatenate"
            )
        joined = _joined(streams)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return joined if order == list(range(len(keys))) else _reordered(joined, order)

    @staticmethod
    def concatenate(streams: Sequence[BatchStream]) -> BatchStream:
        """One stream out of several that followed each other; epochs are numbered on.

        Raises:
            ValueError: there is no stream, or they were hashed in different ways.
        """
        first, shifted = 0, []
        for stream in streams:
            passes = tuple(dataclasses.replace(item, epoch=item.epoch + first) for item in stream.passes)
            epochs = _frozen((stream.batch_epoch + np.int32(first)).astype(np.int32))
            shifted.append(dataclasses.replace(stream, passes=passes, batch_epoch=epochs))
            first = 1 + max((item.epoch for item in passes), default=first - 1)
        return _joined(shifted)

    def save(self, path: str | Path) -> None:
        """Write the stream to one ``.npz`` file, whole or not at all; holds no pickle.

        Raises:
            OutputError: it cannot be written.
        """
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The stream as the bytes of an ``.npz`` file; the same stream gives the same bytes."""
        arrays: dict[str, Any] = {}
        header: dict[str, Any] = {"format": FORMAT}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                arrays[field.name] = value
            elif field.name in _FROM_HEADER:
                header[field.name] = [_plain(item) for item in value]
            else:
                header[field.name] = value.value if isinstance(value, Enum) else value
        text = json.dumps(header, ensure_ascii=True)
        buffer = io.BytesIO()
        np.savez(buffer, header=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
        return buffer.getvalue()

    @staticmethod
    def load(path: str | Path) -> BatchStream:
        """Read what `save` wrote.

        Raises:
            SourceError: there is no such file, or it is no batch stream.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}", where=Path(path).absolute()) from error
        return BatchStream.from_bytes(content, where=str(Path(path).absolute()))

    @staticmethod
    def from_bytes(content: bytes, *, where: str = "batch stream") -> BatchStream:
        """The stream of these bytes, as `to_bytes` gives them.

        Raises:
            SourceError: they are no batch stream.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            header: dict[str, Any] = json.loads(arrays.pop("header").tobytes())
            if header.pop("format") != FORMAT:
                raise KeyError("format")
            values: dict[str, Any] = {name: _frozen(array) for name, array in arrays.items()}
            for name, value in header.items():
                values[name] = _restored(name, value)
            return BatchStream(**values)
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise SourceError(
                "not a batch stream, or one of another version",
                where=where,
                hint="streams are written by BatchStream.save",
            ) from error


def _plain(item: Any) -> dict[str, Any]:
    values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}


def _array_kind(values: Mapping[str, Any]) -> ArrayKind:
    return ArrayKind(**{**values, "shape": tuple(values["shape"])})


def _pass(values: Mapping[str, Any]) -> Pass:
    return Pass(**{**values, "ending": Ending(values["ending"])})


def _facts(values: Mapping[str, Any]) -> LoaderFacts:
    return LoaderFacts(**values)


_FROM_HEADER = {"array_kinds": _array_kind, "passes": _pass, "loaders": _facts}


def _restored(name: str, value: Any) -> Any:
    if name in _FROM_HEADER:
        return tuple(_FROM_HEADER[name](item) for item in value)
    if name == "label_kind":
        return LabelKind(value)
    return tuple(value) if isinstance(value, list) else value


_PER_SAMPLE = ("hashes", "minimum", "maximum", "mean", "std", "n_nan", "n_inf")
_PER_BATCH = (
    "batch_epoch",
    "batch_number",
    "batch_size",
    "batch_rank",
    "batch_worker",
    "batch_seconds",
    "batch_labels",
)


def class_order(names: set[str]) -> tuple[str, ...]:
    """Names of classes, whole numbers in their order before text.

    >>> class_order({"10", "9", "cat"})
    ('9', '10', 'cat')
    """

    def key(name: str) -> tuple[bool, int, str]:
        whole = name.lstrip("-").isascii() and name.lstrip("-").isdigit()
        return (not whole, int(name) if whole else 0, name)

    return tuple(sorted(names, key=key))


def _joined(streams: Sequence[BatchStream]) -> BatchStream:
    if not streams:
        raise ValueError("no stream to join")
    first = streams[0]
    for what in ("hash_method", "moments_method"):
        if len(ways := {getattr(stream, what) for stream in streams}) > 1:
            raise ValueError("streams whose " + what.replace("_", " ") + "s differ cannot be joined: " + repr(ways))
    classes = class_order({name for stream in streams for name in stream.classes})
    kinds = tuple(dict.fromkeys(kind for stream in streams for kind in stream.array_kinds))
    place = {name: code for code, name in enumerate(classes)}
    kind_place = {kind: code for code, kind in enumerate(kinds)}

    def remapped(codes: NDArray[np.int32], names: Sequence[Any], places: Mapping[Any, int]) -> NDArray[np.int32]:
        # The last entry is for −1.
        table = np.array([*(places[name] for name in names), -1], dtype=np.int32)
        return table[codes]

    passes: list[Pass] = []
    loaders: list[LoaderFacts] = []
    for stream in streams:
        passes += [dataclasses.replace(item, loader=item.loader + len(loaders)) for item in stream.passes]
        loaders += stream.loaders
    values: dict[str, Any] = {
        name: _frozen(np.concatenate([getattr(stream, name) for stream in streams]))
        for name in (*_PER_SAMPLE, *_PER_BATCH)
    }
    values["codes"] = _frozen(np.concatenate([remapped(part.codes, part.classes, place) for part in streams]))
    values["kinds"] = _frozen(np.concatenate([remapped(part.kinds, part.array_kinds, kind_place) for part in streams]))
    for name in ("targets", "sample_ids", "source_index"):
        parts = [getattr(stream, name) for stream in streams]
        values[name] = None if any(part is None for part in parts) else _frozen(np.concatenate(parts))
    if first.source_codes is not None:
        values["source_codes"] = _frozen(remapped(first.source_codes, first.classes, place))
    if all(stream.channels is not None for stream in streams):
        width = max(stream.channels.shape[1] for stream in streams if stream.channels is not None)
        values["channels"] = _frozen(
            np.concatenate(
                [
                    np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=np.nan)
                    for part in (stream.channels for stream in streams)
                    if part is not None
                ]
            )
        )
    else:
        values["channels"] = None
    kind_of_labels = {stream.label_kind for stream in streams}
    return dataclasses.replace(
        first,
        passes=tuple(passes),
        loaders=tuple(loaders),
        classes=classes,
        array_kinds=kinds,
        label_kind=first.label_kind if len(kind_of_labels) == 1 else _mixed(kind_of_labels),
        notes=tuple(dict.fromkeys(note for stream in streams for note in stream.notes)),
        **values,
    )


def _mixed(kinds: set[LabelKind]) -> LabelKind:
    """The least definite of several kinds."""
    order = list(LabelKind)
    return max(kinds, key=order.index)


def _reordered(stream: BatchStream, order: Sequence[int]) -> BatchStream:
    """The stream with its passes in another order."""

    def taken(slices: list[slice], n: int) -> NDArray[np.intp]:
        rows = np.arange(n, dtype=np.intp)
        return np.concatenate([rows[slices[index]] for index in order])

    samples, batches = taken(stream.sample_slices(), stream.n_samples), taken(stream.batch_slices(), stream.n_batches)
    values: dict[str, Any] = {
        name: _frozen(getattr(stream, name)[samples]) for name in ("codes", "kinds", *_PER_SAMPLE)
    }
    values |= {name: _frozen(getattr(stream, name)[batches]) for name in _PER_BATCH}
    for name, rows in (("targets", samples), ("sample_ids", samples), ("source_index", samples), ("channels", batches)):
        array = getattr(stream, name)
        values[name] = None if array is None else _frozen(array[rows])
    if stream.thumbnail_rows is not None:
        values["thumbnail_rows"] = _frozen(np.argsort(samples)[stream.thumbnail_rows].astype(np.int32))
    return dataclasses.replace(stream, passes=tuple(stream.passes[index] for index in order), **values)


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array
