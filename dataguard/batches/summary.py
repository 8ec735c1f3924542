"""What a report says of a loader before any finding: its facts, how its passes ended, its order and its first batch."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.composition import strip
from dataguard.batches.kinds import Ending
from dataguard.batches.stream import BatchStream
from dataguard.core.exhibit import Exhibit, Gallery, OrderStrip, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN_PICTURES = 32
"""Samples of the first batch that are shown."""
_HARMLESS = (Ending.COMPLETE, Ending.LIMIT, Ending.USED_UP, Ending.ABANDONED)


def loader_facts(stream: BatchStream) -> dict[str, Any]:
    """What a reader needs to know of how a stream came about, by name; only what is known."""
    facts = stream.facts
    sizes = np.unique(stream.batch_size).tolist()
    found: dict[str, Any] = {
        "batches": stream.n_batches,
        "epochs": stream.n_epochs,
        "batch_size": sizes[-1] if sizes else facts.batch_size,
        "input": ", ".join(str(kind) for kind in stream.array_kinds[:3])
        + (" …" if len(stream.array_kinds) > 3 else ""),
        "labels": stream.label_kind.value + (f", {stream.label_origin}" if stream.label_origin else ""),
        "dataset": facts.dataset,
        "sampler": facts.sampler,
        "batch_sampler": facts.batch_sampler,
        "shuffle_buffer": facts.shuffle_buffer,
        "workers": facts.num_workers,
        "ranks": facts.distributed_replicas,
        "seed": stream.seed,
        "batch_limit": stream.batch_limit,
        "epoch_hook": stream.epoch_hook or None,
        "hash_method": stream.hash_method,
        "moments_method": stream.moments_method,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def broken_off(stream: BatchStream) -> str:
    """How the first pass that failed came to its end; '' where none did. What came before it is in the stream."""
    for item in stream.passes:
        if item.ending in _HARMLESS:
            continue
        what = "the loader raised" if item.ending is Ending.RAISED else "the loader was too slow, or hangs:"
        detail = item.detail or "it says nothing more"
        rank = f" of rank {item.rank}" if item.rank >= 0 else ""
        advice = "" if item.ending is Ending.RAISED else " (allow more time, or look at fewer batches)"
        return (
            f"{what} after {item.n_batches:,} batches of epoch {item.epoch}{rank}: {detail}{advice}; "
            "only what came before was checked"
        )
    return ""


def loader_notes(stream: BatchStream) -> tuple[str, ...]:
    """What was assumed of a loader, and where it was not followed to its end."""
    notes = list(stream.notes)
    limited = [item for item in stream.passes if item.ending is Ending.LIMIT]
    if limited:
        declared = stream.facts.declared_batches
        whole = "it does not say how many it has" if declared is None else f"of {declared:,} that it declares"
        notes.append(
            f"the loader was followed for the first {limited[0].n_batches:,} batches of an epoch ({whole}); "
            "loader.batches sets how many"
        )
    for item in stream.passes:
        if item.ending is Ending.USED_UP:
            notes.append(f"epoch {item.epoch} had no batches: {item.detail}")
        elif item.ending is Ending.ABANDONED:
            notes.append(f"the training loop left epoch {item.epoch} after {item.n_batches:,} batches")
    return tuple(dict.fromkeys(notes))


def loader_overview(stream: BatchStream) -> tuple[Exhibit, ...]:
    """The order of the first pass, one column a batch and one colour a class; and the first batch."""
    shown = [order_strip(stream), first_batch(stream)]
    return tuple(exhibit for exhibit in shown if exhibit is not None)


def order_strip(stream: BatchStream, row: int = 0) -> OrderStrip | None:
    """Which classes each batch of a pass holds; None where no sample has a class.

    Args:
        stream: What the loader fed.
        row: Which pass.
    """
    codes = stream.codes[stream.sample_slices()[row]]
    sizes = stream.batch_size[stream.batch_slices()[row]]
    kept = codes >= 0
    if not kept.any():
        return None
    if not kept.all():
        sizes = np.bincount(np.repeat(np.arange(len(sizes)), sizes)[kept], minlength=len(sizes)).astype(np.int32)
    made = strip(codes[kept], sizes, stream.classes)
    item = stream.passes[row]
    several = made.batches_per_column
    notes = []
    if several > 1:
        notes.append(f"Each column is {several} batches.")
    if not kept.all():
        notes.append(f"{int((~kept).sum()):,} samples without a class are left out.")
    return OrderStrip(
        title=f"Order of the classes in epoch {item.epoch}" + (f" of rank {item.rank}" if item.rank >= 0 else ""),
        classes=made.classes,
        columns=tuple(tuple(column) for column in made.counts.tolist()),
        column_name="batch" if several == 1 else f"group of {several} batches",
        note=" ".join(notes),
    )


def first_batch(stream: BatchStream) -> Gallery | None:
    """The first batch as small pictures with their labels; None where its inputs are no pictures."""
    if stream.thumbnails is None or stream.thumbnail_rows is None or not stream.n_batches:
        return None
    size = int(stream.batch_size[0])
    chosen = [at for at, row in enumerate(stream.thumbnail_rows.tolist()) if row < size][:SHOWN_PICTURES]
    if not chosen:
        return None
    low_high = stream.thumbnail_range
    scaled = "" if low_high is None else f" ({low_high[0]:.4g} is black, {low_high[1]:.4g} white)"
    pictures = []
    for at in chosen:
        row = int(stream.thumbnail_rows[at])
        code = int(stream.codes[row])
        pictures.append(
            Picture(
                sample_id=str(row if stream.sample_ids is None else stream.sample_ids[row]),
                png=png(stream.thumbnails[at]),
                given=stream.classes[code] if code >= 0 else _target(stream, row),
            )
        )
    return Gallery(title=f"The first batch as the model sees it{scaled}", pictures=tuple(pictures), total=size)


def _target(stream: BatchStream, row: int) -> str | None:
    return None if stream.targets is None else f"{stream.targets[row]:.6g}"


def png(pixels: NDArray[np.uint8]) -> str:
    """A picture as a PNG in base64.

    Args:
        pixels: Shape (height, width, 1 or 3).

    Raises:
        ValueError: another shape.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ValueError(f"pixels: expected shape (height, width, 1 or 3), got {pixels.shape}")
    height, width, channels = pixels.shape
    # Before each row stands the number of its filter, here none.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1).tobytes()

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + content).decode("ascii")
