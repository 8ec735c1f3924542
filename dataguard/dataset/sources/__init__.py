"""Where samples come from: a folder of files, or a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """One sample before anything of it has been read: what it is called and what the dataset says of it."""

    sample_id: str
    """Unique in the source, valid UTF-8."""
    path: str | None = None
    """The file, relative to the source's root with ``/``, as `dataguard.core.paths.encode_path` writes it."""
    split: str | None = None
    label: str | None = None
    group_id: str | None = None
    time: datetime | None = None
    row: int | None = None
    """The number of the data row, from 1; None for files."""
    digest: bytes | None = None
    """For a sample that is a row and no file: BLAKE3 of its values, 32 bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What decides on everything that a source yields, where that is cheaper to find out than to list."""

    digest: str
    """64 hexadecimal digits."""
    n_samples: int


class Source(Protocol):
    """Something that lists samples."""

    @property
    def kind(self) -> str:
        """'folder', 'table'."""

    @property
    def root(self) -> Path:
        """The folder that the paths are relative to."""

    def references(self) -> Iterator[Reference]:
        """Every sample, each time in the same order as long as the source is unchanged.

        Raises:
            SourceError: the source cannot be read.
            NothingToCheckError: it holds no sample.
        """

    def identity(self) -> Identity | None:
        """What all references follow from; None where only listing and reading files can tell."""
