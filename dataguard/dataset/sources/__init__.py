"""Where samples come from. A file here whose name is one word is a kind of source; see `dataguard.dataset.kinds`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from dataguard.dataset.row_contents import RowContents

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """One sample before anything of it has been read: what it is called and what the dataset says of it."""

    sample_id: str
    """Unique in the source, valid UTF-8."""
    path: str | None = None
    """The file, relative to the source's root with ``/``, as `dataguard.core.paths.encode_path` writes it; a picture
    that is no file of its own has its `sample_id` here."""
    split: str | None = None
    label: str | None = None
    group_id: str | None = None
    time: datetime | None = None
    row: int | None = None
    """The number of the data row, from 1; None for files."""
    digest: bytes | None = None
    """For a sample that is a row and no file: SHA-256 of its values, 32 bytes."""
    place: str | None = None
    """Where a picture that is no file of its own lies, in the words of the source's `Source.pictures`."""
    state: tuple[int, str] | None = None
    """Of a picture in a store: its size, and words of the store's that change whenever its content does; None where
    only reading it can tell whether it is the same."""
    damage: str | None = None
    """Why it cannot be read, where listing has shown that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What decides on everything that a source yields, where that is cheaper to find out than to list."""

    digest: str
    """64 hexadecimal digits."""
    n_samples: int | None
    """None where only listing can tell."""


class Picture(NamedTuple):
    """A picture as it is stored."""

    data: bytes
    """Encoded: what a file would hold."""
    digest: bytes | None = None
    """Where the picture is stored as an array: `dataguard.dataset.contents.array_digest` of it."""
    n_bytes: int | None = None
    """Where it is stored as an array: the size of that."""


class Pictures(Protocol):
    """Reads pictures that lie in shards or rows. Called by several threads at a time; it can be pickled."""

    def read(self, place: str, *, max_bytes: int) -> Picture:
        """The picture at a place that a `Reference` names.

        Raises:
            UnreadableFileError: it cannot be had, or is larger than `max_bytes`.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class RowQuery:
    """The rows of a table as DuckDB is asked for them; they say what as many `Reference` would."""

    connection: duckdb.DuckDBPyConnection
    table: str
    """SQL to select from."""
    columns: Mapping[str, str]
    """SQL by column of the sample table: ``row`` from 1, ``sample_id``, and whichever is not NULL in all."""
    contents: RowContents | None
    """What ``content_hash`` is made of; None for NULL in all."""
    n_rows: int
    ids_are_numbers: bool
    """Whether each is called by its number, so that no two have one name."""
    path: Path
    """What errors call it."""


@runtime_checkable
class RowSource(Protocol):
    """A source whose samples may be rows, and none a picture."""

    def rows(self) -> RowQuery | None:
        """All rows; None where `Source.references` has more to say.

        Raises:
            SourceError: the source cannot be read.
        """


class Source(Protocol):
    """Something that lists samples."""

    @property
    def kind(self) -> str:
        """What the configuration calls it: 'folder', 'table', …."""

    @property
    def notes(self) -> list[str]:
        """What was guessed or left out, in words."""

    @property
    def pictures(self) -> Pictures | None:
        """What reads the samples that have a place; None where all are files or rows."""

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
