"""Where in a stream a sample or a batch is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.finding import Location

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.batches.stream import BatchStream

LISTED = 200
"""The most places that a finding lists; its measurements say how many there are."""


def sample_locations(stream: BatchStream, rows: NDArray[np.integer], note: str = "") -> tuple[Location, ...]:
    """Places of samples: epoch, batch and place, with the id or the index in the dataset where these are known.

    Args:
        stream: The stream.
        rows: Which samples, shape (k,).
        note: What is the matter there.
    """
    rows = rows[:LISTED]
    epochs, batches, positions = stream.epochs, stream.batches, stream.positions
    found = []
    for row in rows.tolist():
        where = f"epoch {epochs[row]}, batch {batches[row]}, place {positions[row]}"
        code = int(stream.codes[row])
        found.append(
            Location(
                sample_id=sample_name(stream, row),
                label=stream.classes[code] if code >= 0 else None,
                note=f"{where}: {note}" if note else where,
            )
        )
    return tuple(found)


def sample_name(stream: BatchStream, row: int) -> str | None:
    """The id of a sample, or else its index in the loader's dataset as ``[12]``, or else None."""
    if stream.sample_ids is not None:
        return str(stream.sample_ids[row])
    if stream.source_index is not None and stream.source_index[row] >= 0:
        return f"[{stream.source_index[row]}]"
    return None


def batch_locations(stream: BatchStream, rows: NDArray[np.integer], note: str = "") -> tuple[Location, ...]:
    """Places of batches: epoch and number, with the worker where it is known.

    Args:
        stream: The stream.
        rows: Which batches, as rows of the ``batch_…`` arrays, shape (k,).
        note: What is the matter there.
    """
    found = []
    for row in rows[:LISTED].tolist():
        where = f"epoch {stream.batch_epoch[row]}, batch {stream.batch_number[row]}"
        if stream.batch_rank[row] >= 0:
            where += f", rank {stream.batch_rank[row]}"
        if stream.batch_worker[row] >= 0:
            where += f", worker {stream.batch_worker[row]}"
        found.append(Location(note=f"{where}: {note}" if note else where))
    return tuple(found)


def is_sketched(stream: BatchStream) -> bool:
    """Whether moments rest on pieces of each sample, as the guard takes them, and not on all its values."""
    return stream.moments_method.startswith("at most")


def widths(stream: BatchStream) -> NDArray[np.int64]:
    """Values in each sample of the main input, shape (n,); 0 for text and where there is no input."""
    table = [
        0 if kind.dtype in ("nothing", "str", "bytes") else int(np.prod(kind.shape, dtype=np.int64))
        for kind in stream.array_kinds
    ]
    return np.asarray([*table, 0], dtype=np.int64)[stream.kinds]


def share_words(count: int, n: int) -> str:
    """A count with its share, as '3 of 1,000 samples (0.30 %)'."""
    share = 100 * count / n
    return f"{count:,} of {n:,} samples ({share:.2g} %)" if count < n else f"all {n:,} samples"
