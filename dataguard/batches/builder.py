"""Batches as they come, gathered into a batch stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches import measure
from dataguard.batches.content import Content
from dataguard.batches.facts import class_names, source_labels
from dataguard.batches.kinds import ArrayKind, Ending, LabelKind, LoaderFacts, Pass
from dataguard.batches.labels_seen import classify, coded_labels
from dataguard.batches.stream import BatchStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """What is known of the inputs of one batch of n samples."""

    hashes: NDArray[np.uint64]
    moments: measure.Moments
    kinds: Sequence[ArrayKind]
    channels: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Row:
    """One batch."""

    n: int
    numbers: tuple[float, ...]
    """In the order of `_BATCH_COLUMNS`."""
    labels: tuple[LabelKind, Any]
    ids: list[str] | None
    indices: NDArray[np.int64]
    measured: Measured
    origins: tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Begun:
    """A pass that has not ended."""

    epoch: int
    rank: int
    sampler_epoch: int | None
    first: int


class StreamBuilder:
    """Gathers what is to be known of each batch; keeps none of the data.

    Args:
        loader: What yields the batches; asked for class names and for the labels of its dataset.
        facts: What it says of itself.
        thumbnails: The most samples to keep a small picture of.
    """

    def __init__(self, loader: Any, facts: LoaderFacts, *, thumbnails: int) -> None:
        self.facts = facts
        self.passes: list[Pass] = []
        self.notes: dict[str, None] = {}
        self._loader = loader
        self._rows: list[_Row] = []
        self._wanted = thumbnails
        self._pictures: list[NDArray[np.uint8]] = []
        self._picture_range: tuple[float, float] | None = None
        self._pass: _Begun | None = None

    @property
    def n_batches(self) -> int:
        """Batches so far."""
        return len(self._rows)

    def show(self, pictures: NDArray[np.uint8], span: tuple[float, float]) -> None:
        """Take pictures of the first samples that have been made already, and the values that are black and white."""
        self._pictures, self._picture_range = [pictures], span

    def begin(self, *, epoch: int, rank: int, sampler_epoch: int | None) -> None:
        """Begin a pass over the loader."""
        self._pass = _Begun(epoch=epoch, rank=rank, sampler_epoch=sampler_epoch, first=len(self._rows))

    @property
    def has_begun(self) -> bool:
        """Whether a pass has begun and not ended."""
        return self._pass is not None

    def add(
        self,
        content: Content,
        *,
        seconds: float,
        worker: int,
        indices: Sequence[int] | None,
        measured: Measured | None = None,
        label_kind: LabelKind | None = None,
    ) -> None:
        """Take note of a batch, wholly or, where this is interrupted, not at all.

        Args:
            content: What was found in it.
            seconds: How long it took to come.
            worker: Which worker made it; −1 for none.
            indices: Indices in the loader's dataset, where they were overheard.
            measured: What has been measured of it already; by default everything is measured here.
            label_kind: What the labels are, where they are `classify`'s values already.
        """
        if self._pass is None:
            raise ValueError("no pass was begun")
        n = content.n
        main = content.inputs[0] if content.inputs else None
        if measured is None:
            measured = Measured(
                hashes=measure.hashes(content.inputs, n),
                moments=measure.moments(content.inputs, n),
                kinds=[NOTHING] * n if main is None else measure.kinds_of(main, n),
                channels=None if main is None else measure.channel_moments(main),
            )
        for note in content.notes:
            self.notes[note] = None
        if content.n_labels not in (-1, n):
            self.notes["a batch has another number of labels than of inputs"] = None
        taken = sum(len(part) for part in self._pictures)
        made = None
        # Until a batch has no picture, so that pictures are of the first samples.
        if main is not None and n and taken < self._wanted and taken == sum(row.n for row in self._rows):
            made = measure.thumbnails(main, self._wanted - taken, self._picture_range)
        row = _Row(
            n=n,
            numbers=(
                self._pass.epoch,
                len(self._rows) - self._pass.first,
                n,
                self._pass.rank,
                worker,
                seconds,
                content.n_labels,
            ),
            labels=classify(content.labels) if label_kind is None else (label_kind, content.labels),
            ids=content.ids,
            indices=np.asarray(indices if indices is not None and len(indices) == n else [-1] * n, dtype=np.int64),
            measured=measured,
            origins=(content.label_origin, content.input_origin, content.id_origin),
        )
        if made is not None:
            self._pictures.append(made[0])
            self._picture_range = made[1]
        self._rows.append(row)

    def end(self, ending: Ending, detail: str = "") -> None:
        """End the pass."""
        begun, self._pass = self._pass, None
        if begun is None:
            raise ValueError("no pass was begun")
        self.passes.append(
            Pass(
                epoch=begun.epoch,
                rank=begun.rank,
                n_batches=len(self._rows) - begun.first,
                n_samples=sum(row.n for row in self._rows[begun.first :]),
                ending=ending,
                detail=detail,
                sampler_epoch=begun.sampler_epoch,
            )
        )

    def finish(self, **settings: Any) -> BatchStream:
        """The stream of all passes that have ended.

        Args:
            settings: More fields of `BatchStream`, as ``seed``.
        """
        rows = self._rows
        coded = coded_labels(
            [(*row.labels, row.n) for row in rows], class_names(self._loader), source_labels(self._loader)
        )
        ids = [row.ids for row in rows if row.n]
        indices = _joined([row.indices for row in rows], np.int64)
        thumbnails = self._thumbnails()
        kinds: dict[ArrayKind, int] = {}
        # Samples of a batch share their kind, and to hash it anew for each of them takes long.
        code_of: dict[int, int] = {}
        kind_codes = []
        for row in rows:
            for kind in row.measured.kinds:
                if id(kind) not in code_of:
                    code_of[id(kind)] = kinds.setdefault(kind, len(kinds))
                kind_codes.append(code_of[id(kind)])
        arrays: dict[str, Any] = {
            "codes": coded.codes,
            "hashes": _joined([row.measured.hashes for row in rows], np.uint64),
            "kinds": np.asarray(kind_codes, dtype=np.int32),
            "targets": coded.targets,
            "source_codes": coded.source_codes,
            "sample_ids": None
            if not ids or any(part is None for part in ids)
            else np.asarray([name for part in ids for name in part or ()], dtype=np.str_),
            "source_index": indices if len(indices) and (indices >= 0).any() else None,
            "channels": self._channel_table(),
            "thumbnails": thumbnails,
            "thumbnail_rows": None if thumbnails is None else np.arange(len(thumbnails), dtype=np.int32),
        }
        for name, dtype in _MOMENTS.items():
            arrays[name] = _joined([getattr(row.measured.moments, name) for row in rows], dtype)
        for place, (name, dtype) in enumerate(_BATCH_COLUMNS.items()):
            arrays[name] = np.asarray([row.numbers[place] for row in rows], dtype=dtype)
        for array in arrays.values():
            if array is not None:
                array.setflags(write=False)
        label_origin, input_origin, id_origin = (
            next((row.origins[place] for row in rows if row.origins[place]), "") for place in range(3)
        )
        return BatchStream(
            **arrays,
            array_kinds=tuple(kinds),
            passes=tuple(self.passes),
            loaders=(self.facts,),
            classes=coded.classes,
            label_kind=coded.kind,
            label_origin=label_origin,
            input_origin=input_origin,
            id_origin=id_origin if arrays["sample_ids"] is not None else "",
            thumbnail_range=self._picture_range,
            notes=tuple(self.notes),
            **{"hash_method": measure.HASH_METHOD, "moments_method": measure.MOMENTS_METHOD, **settings},
        )

    def _channel_table(self) -> NDArray[np.float64] | None:
        channels = [row.measured.channels for row in self._rows]
        width = max((len(found) for found in channels if found is not None), default=0)
        if not width:
            return None
        table = np.full((len(channels), width, 4), np.nan)
        for row, found in enumerate(channels):
            if found is not None:
                table[row, : len(found)] = found
        return table

    def _thumbnails(self) -> NDArray[np.uint8] | None:
        if not self._pictures:
            return None
        depth = max(part.shape[3] for part in self._pictures)
        return np.concatenate([np.repeat(part, depth // part.shape[3], axis=3) for part in self._pictures])


NOTHING = ArrayKind(dtype="nothing", shape=(), layout="N")
_MOMENTS: dict[str, Any] = {
    "minimum": np.float64,
    "maximum": np.float64,
    "mean": np.float64,
    "std": np.float64,
    "n_nan": np.int64,
    "n_inf": np.int64,
}
_BATCH_COLUMNS: dict[str, Any] = {
    "batch_epoch": np.int32,
    "batch_number": np.int32,
    "batch_size": np.int32,
    "batch_rank": np.int32,
    "batch_worker": np.int32,
    "batch_seconds": np.float64,
    "batch_labels": np.int32,
}


def _joined(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype=dtype)
