"""What a stream of augmented samples is held against: the dataset's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.stream import BatchStream

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReferencePictures:
    """Pictures of the dataset as they are, without augmentation, with the labels that belong to them."""

    thumbnails: NDArray[np.uint8]
    """Shape (n, 32, 32, 1 or 3)."""
    labels: tuple[str, ...]
    """One a picture, by the names that the stream uses."""
    identities: tuple[str, ...] | None = None
    """One a picture, by what `sample_identities` of the stream says; None where that is not known."""
    hashes: NDArray[np.uint64] | None = None
    """Of the content as fed, one a picture, by the stream's own ``hash_method``; None where that is not known."""
    origin: str = ""
    """Where they are from, in words."""

    @classmethod
    def of_stream(cls, stream: BatchStream, origin: str = "a recording without augmentation") -> ReferencePictures:
        """The pictures of a recording without augmentation, as ``record(plain_loader, thumbnails=2000)`` keeps them.

        Raises:
            ValueError: it holds no pictures, or no labels.
        """
        if stream.thumbnails is None or stream.thumbnail_rows is None:
            raise ValueError("the recording holds no pictures")
        rows = stream.thumbnail_rows[stream.codes[stream.thumbnail_rows] >= 0]
        if not len(rows):
            raise ValueError("the recording holds no labels")
        kept = stream.codes[stream.thumbnail_rows] >= 0
        names = sample_identities(stream, rows)
        return cls(
            thumbnails=stream.thumbnails[kept],
            labels=tuple(stream.classes[code] for code in stream.codes[rows].tolist()),
            identities=names,
            hashes=stream.hashes[rows],
            origin=origin,
        )


def sample_identities(stream: BatchStream, rows: NDArray[np.integer] | Sequence[int]) -> tuple[str, ...] | None:
    """Which sample of the dataset each one is, as text: its index there, or else its id; None where neither is known.

    Args:
        stream: The stream.
        rows: Which samples.
    """
    chosen = np.asarray(rows, dtype=np.intp)
    if stream.source_index is not None and (stream.source_index[chosen] >= 0).all():
        return tuple(f"[{index}]" for index in stream.source_index[chosen].tolist())
    if stream.sample_ids is not None:
        return tuple(str(name) for name in stream.sample_ids[chosen])
    return None
