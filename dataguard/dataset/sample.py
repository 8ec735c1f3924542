"""One sample, read."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataguard.dataset.cache import Stamp
from dataguard.dataset.decode import ImageFacts
from dataguard.dataset.sources import Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One row of the sample table, and what a cache may keep of it."""

    reference: Reference
    n_bytes: int | None = None
    content: bytes | None = None
    """BLAKE3, 32 bytes; None where the file could not be read."""
    facts: ImageFacts = field(default_factory=ImageFacts)
    perceptual_hash: int | None = None
    stamp: Stamp | None = None
    """Where the file has just been read."""
    decoded: bool = False
    """Whether the facts are new."""
