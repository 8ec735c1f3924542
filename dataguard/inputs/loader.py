"""What a loader feeds: its recording, and what that is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from dataguard.batches.evidence import OrderEvidence, SecondRecording
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.reference import ReferencePictures
from dataguard.batches.stream import BatchStream
from dataguard.config import Config
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.core.progress import Progress, silent
from dataguard.inputs.source import NO_DATASET

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs, Unavailable

Loader: TypeAlias = "str | BatchStream | object"
"""``module:name`` or ``file.py:name`` of a loader, a stream recorded before, or the loader itself."""

COMPARED_PICTURES = 2000
"""Pictures of a stream that are kept to be held against the dataset's own: 6 MB."""
NO_LOADER = Skipped(reason="no loader is named", hint="name it with --loader module:name, or set loader.target")


def recorded(
    loader: Loader,
    config: Config,
    *,
    epochs: int | None = None,
    thumbnails: int | None = None,
    progress: Progress = silent,
) -> BatchStream:
    """Record a loader as the configuration's table ``[loader]`` says; a target in a process of its own.

    Args:
        loader: A target, or a loader.
        config: Says how many epochs and batches, where labels and inputs are, how long it may take, and the seed.
        epochs: Instead of the configuration's.
        thumbnails: Keep small pictures of so many samples; by default as many as can be looked at.
        progress: Told of every batch, where the loader runs in this process.

    Raises:
        ConfigurationError: the target cannot be imported, is no loader, or failed before its first batch.
        NothingToCheckError: the loader has no batches.
        SourceError: its process died, or there was no batch in time.
    """
    from dataguard.batches.child import LOADER_TIMEOUT, record_in_subprocess
    from dataguard.batches.record import THUMBNAILS, record

    settings = config.loader
    n_thumbnails = THUMBNAILS if thumbnails is None else thumbnails
    n_epochs = epochs or settings.epochs
    seconds = LOADER_TIMEOUT if settings.timeout is None else settings.timeout
    if isinstance(loader, str):
        progress("recording the loader", 0, 0)
        return record_in_subprocess(
            loader,
            base=(settings.base or config.base).absolute(),
            batches=settings.batches,
            epochs=n_epochs,
            timeout=seconds,
            seed=config.seed,
            label=settings.label,
            inputs=settings.inputs,
            sample_id=settings.id,
            thumbnails=n_thumbnails,
        )
    return record(
        loader,
        settings.batches,
        n_epochs,
        label=settings.label,
        inputs=settings.inputs,
        sample_id=settings.id,
        seed=config.seed,
        time_limit=settings.timeout,
        on_epoch="set_epoch",
        thumbnails=n_thumbnails,
        progress=progress,
    )


def _batch_stream(inputs: Inputs) -> BatchStream | Skipped:
    if inputs.loader is None:
        return NO_LOADER
    if isinstance(inputs.loader, BatchStream):
        return inputs.loader
    # With the dataset's own pictures beside it, a rule compares as many as its classifier takes.
    compared = None if inputs.source is None else COMPARED_PICTURES
    return recorded(inputs.loader, inputs.config, thumbnails=compared, progress=inputs.progress)


def _order_evidence(inputs: Inputs) -> OrderEvidence | Unavailable:
    stream = inputs.get(BatchStream)
    if isinstance(stream, Skipped | Inconclusive):
        return stream
    source_ids, source_classes = _source_of(inputs, stream)
    return order_evidence(stream, seed=inputs.config.seed, source_ids=source_ids, source_classes=source_classes)


def _source_of(inputs: Inputs, stream: BatchStream) -> tuple[list[str] | None, dict[str, int] | None]:
    """The dataset's samples in its own order, and its classes, as far as a stream is seen to come from it."""
    if inputs.source is None:
        return None, None
    ids: list[str] | None = None
    if stream.sample_ids is not None:
        ids = inputs.table().fetch(["sample_id"], order=inputs.order)["sample_id"].tolist()
    counts = inputs.class_counts()
    if isinstance(counts, Skipped) or stream.facts.declared_samples is None:
        return ids, None
    # The loader feeds a split, or all: the one of its size.
    for row in (counts.counts.sum(axis=0), *counts.counts):
        if int(row.sum()) == stream.facts.declared_samples:
            return ids, {name: int(n) for name, n in zip(counts.classes, row, strict=True) if n}
    return ids, None


def _reference_pictures(inputs: Inputs) -> ReferencePictures | Unavailable:
    stream = inputs.get(BatchStream)
    if isinstance(stream, Skipped | Inconclusive):
        return stream
    if inputs.source is None:
        return NO_DATASET
    table = inputs.table()
    if not table.has_thumbnails:
        return Skipped(reason="the dataset has no pictures")
    fetched = table.fetch(["sample_id", "label"], where="label IS NOT NULL AND thumbnail IS NOT NULL")
    label_of = dict(zip(fetched["sample_id"], map(str, fetched["label"]), strict=True))
    sample_ids, thumbnails = table.thumbnails()
    known = set(stream.classes)
    kept = [row for row, name in enumerate(sample_ids) if label_of.get(name) in known]
    if not kept:
        return Skipped(
            reason="no class of the loader is one of the dataset's",
            hint="give the loader's dataset its class names, as torchvision's classes",
        )
    return ReferencePictures(
        thumbnails=thumbnails[kept],
        labels=tuple(label_of[sample_ids[row]] for row in kept),
        identities=None if stream.sample_ids is None else tuple(str(sample_ids[row]) for row in kept),
        origin="the dataset's own pictures",
    )


def _second_recording(inputs: Inputs) -> SecondRecording | Unavailable:
    first = inputs.get(BatchStream)
    if isinstance(first, Skipped | Inconclusive):
        return first
    if inputs.loader is None or isinstance(inputs.loader, BatchStream):
        return Skipped(
            reason="only a recorded stream was given, which cannot be recorded again",
            hint="give the loader itinputs, or name it with --loader",
        )
    again = recorded(inputs.loader, inputs.config, epochs=1, progress=inputs.progress)
    return SecondRecording(stream=again)


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {
    BatchStream: _batch_stream,
    OrderEvidence: _order_evidence,
    SecondRecording: _second_recording,
    ReferencePictures: _reference_pictures,
}
