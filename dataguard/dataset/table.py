"""The sample table: one row a sample, in Parquet, queried out of core by DuckDB through narwhals."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.paths import decode_path
from dataguard.dataset.memory import TABLE_SHARE, connect
from dataguard.dataset.parquet import parquet_sql, parts_of
from dataguard.dataset.sources import Pictures

if TYPE_CHECKING:
    import duckdb
    import narwhals.stable.v2 as nw
    import pandas as pd
    from numpy.typing import NDArray

THUMBNAIL_SIDE = 32
"""Side of the thumbnails, in pixels: the least that a 32×32 perceptual hash needs."""
_FETCHED_AT_A_TIME = 512
_READ = "read_parquet("

COLUMNS: Mapping[str, str] = {
    "sample_id": "VARCHAR",
    "split": "VARCHAR",
    "label": "VARCHAR",
    "group_id": "VARCHAR",
    "time": "TIMESTAMP",
    "path": "VARCHAR",
    "place": "VARCHAR",
    "row": "BIGINT",
    "bytes": "BIGINT",
    "format": "VARCHAR",
    "content_hash": "VARCHAR",
    "perceptual_hash": "UBIGINT",
    "width": "INTEGER",
    "height": "INTEGER",
    "mode": "VARCHAR",
    "channel_sums": "BIGINT[]",
    "channel_square_sums": "BIGINT[]",
    "thumbnail": "BLOB",
    "decode_error": "VARCHAR",
}
"""Every column of the sample table with its DuckDB type.

* ``sample_id``: unique. For image files the path relative to the root, with ``/``; for tables the id column, or the
  row's number.
* ``split``, ``label``, ``group_id``, ``time``: what the dataset says of the sample; NULL where it says nothing.
* ``path``: the image file relative to the root, or the name of a picture that is no file of its own; NULL for a sample
  that is only a row.
* ``place``: where a picture lies that is no file of its own, in the words of its source; NULL for files and rows.
* ``row``: for tables, the number of the data row from 1; NULL for folders.
* ``bytes``: size of the file, or of the encoded picture; NULL for rows.
* ``format``: the kind of file by its content ('jpeg', 'png', …), never by its name.
* ``content_hash``: BLAKE3 of the file's bytes, or SHA-256 of the row's values, 64 hexadecimal digits; NULL where it
  could not be read.
* ``perceptual_hash``: 64-bit DCT hash of the gray thumbnail; NULL where there is no picture, or one without texture.
* ``width``, ``height``: in pixels as stored, before any EXIF rotation.
* ``mode``: 'L', 'LA', 'RGB', 'RGBA', with ';16' for 16-bit channels; 'I' and 'F' for 32-bit integers and floats that
  fit none of these, and then without sums and thumbnail.
* ``channel_sums``, ``channel_square_sums``: exact integer sums over all pixels of each channel's value and of its
  square, in the order of ``mode``. Exact, so that merging is order-free.
* ``thumbnail``: 32×32×3 uint8 RGB (gray is repeated, alpha dropped), area-averaged, 3,072 bytes, row-major.
* ``decode_error``: why the sample cannot be used; NULL where it can.
"""

OF_PICTURES = frozenset(
    ("place", "bytes", "format", "mode", "channel_sums", "channel_square_sums", "thumbnail", "height")
)
"""Columns that are NULL in all rows that are no pictures, and left out of the files of these: writing them would take a
sixth of the time. Engines read the files themselves, and are asked for none of these."""
NUMBER_AS_NAME = 'CAST("row" AS VARCHAR)'
"""SQL for ``sample_id`` where files have none: of rows that are called by their numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelNumbers:
    """Labels as numbers."""

    others: tuple[str, ...]
    """Some that DuckDB takes for none, if there are any."""
    n_known: int
    """Finite numbers."""
    n_distinct: int
    fractions: bool
    """Whether any is not whole."""
    span: float
    """The greatest less the least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleTable:
    """One row a sample; see `COLUMNS`.

    Rows stay on disk: `frame` is lazy, and the methods that return arrays read the columns they need and no others.
    """

    connection: duckdb.DuckDBPyConnection
    query: str
    """A DuckDB FROM clause that yields the rows, ordered by ``sample_id``."""
    root: Path
    """The folder that ``path`` is relative to."""
    source: str
    version_id: str
    n_samples: int
    pictures: Pictures | None = None
    """What reads pictures that are no files of their own."""
    state: str | None = None
    """A digest of all that decides on the rows, times and places of the files included; None where it is not known."""
    parquet: Path | None = None
    """The Parquet file, or the folder of such files, that the rows lie in; None for a table in memory."""
    files: str | None = None
    """As `query`, with contents as files have them; None for a table in memory."""
    elsewhere: nw.LazyFrame[Any] | None = None
    """The same rows as an engine other than DuckDB reads them; see `dataguard.dataset.engines.on_engine`."""

    @classmethod
    def open(
        cls,
        parquet: Path,
        *,
        root: Path,
        source: str,
        version_id: str,
        pictures: Pictures | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> SampleTable:
        """The sample table in a Parquet file, or in the Parquet files of a folder in the order of their names.

        Args:
            parquet: The file or folder.
            root: What paths are relative to.
            source: The kind of source.
            version_id: Of the dataset.
            pictures: What reads pictures that are no files of their own.
            connection: Of `connected`, where there is one already.

        Raises:
            duckdb.Error: there is no such file, or it is broken.
        """
        connection = connection or connected()
        query = parquet_sql(*parts_of(parquet))
        held = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {query}").fetchall()}
        made = {name: f"CAST(NULL AS {COLUMNS[name]})" for name in OF_PICTURES - held.keys()}
        if "sample_id" not in held:
            made["sample_id"] = NUMBER_AS_NAME
        files = _selected(made, query)
        if held["content_hash"] == "BLOB":
            made["content_hash"] = "lower(hex(content_hash))"
            query = _selected(made, query)
        else:
            query = files
        n_samples = connection.execute(f"SELECT count(*) FROM {query}").fetchall()[0][0]
        return cls(
            connection=connection,
            query=query,
            files=files,
            root=root,
            source=source,
            version_id=version_id,
            n_samples=n_samples,
            pictures=pictures,
            parquet=parquet,
        )

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        *,
        root: Path = Path(),
        source: str = "folder",
        version_id: str = "",
    ) -> SampleTable:
        """A sample table in memory; columns that a row leaves out are NULL.

        >>> SampleTable.from_rows([{"sample_id": "a", "label": "cat"}]).n_samples
        1

        Raises:
            KeyError: a row has a key that is no column.
        """
        connection = connected()
        declaration = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
        connection.execute(f"CREATE TABLE samples ({declaration})")
        values = []
        for row in sorted(rows, key=lambda row: str(row["sample_id"])):
            if unknown := set(row) - set(COLUMNS):
                raise KeyError(f"no such column in the sample table: {sorted(unknown)}")
            values.append([row.get(name) for name in COLUMNS])
        if values:
            marks = ", ".join("?" for _ in COLUMNS)
            connection.executemany(f"INSERT INTO samples VALUES ({marks})", values)
        return cls(
            connection=connection,
            query="samples",
            root=root,
            source=source,
            version_id=version_id,
            n_samples=len(values),
        )

    @property
    def frame(self) -> nw.LazyFrame[Any]:
        """The rows as a lazy narwhals frame; `fetch` collects what is made of it."""
        import narwhals.stable.v2 as nw

        if self.elsewhere is not None:
            return self.elsewhere
        return nw.from_native(self.connection.sql(f"FROM {self.query}"))

    @property
    def stored(self) -> nw.LazyFrame[Any]:
        """As `frame`, with contents as files have them: some as text, and those of rows as 32 bytes."""
        import narwhals.stable.v2 as nw

        if self.elsewhere is not None or self.files is None:
            return self.frame
        return nw.from_native(self.connection.sql(f"FROM {self.files}"))

    @property
    def has_thumbnails(self) -> bool:
        """Whether any sample has a picture that could be decoded."""
        found = self.connection.execute(f"SELECT 1 FROM {self.query} WHERE thumbnail IS NOT NULL LIMIT 1").fetchall()
        return bool(found)

    def to_pandas(self) -> pd.DataFrame:
        """Every column but the thumbnail and the place, ordered by ``sample_id``.

        Integers are pandas' nullable ``Int64`` and ``UInt64`` whether or not a NULL occurs, so that a schema's dtypes
        hold or fail for the column and not for the data of the day.
        """
        frame = self.connection.execute(
            f'SELECT * EXCLUDE (thumbnail, place) FROM {self.query} ORDER BY "sample_id"'
        ).df()
        integers = {"BIGINT": "Int64", "INTEGER": "Int64", "UBIGINT": "UInt64"}
        return frame.astype({name: integers[kind] for name, kind in COLUMNS.items() if kind in integers})

    def facts(self) -> dict[str, Any]:
        """Figures of the whole dataset that are worth showing.

        Returns:
            ``bytes`` in all; ``formats`` and ``modes`` with the number of samples of each; ``width`` and ``height``
            as [least, median, largest], in pixels; ``unreadable`` samples. What does not apply is left out.
        """
        total, unreadable, pictures = self.connection.execute(
            f"SELECT sum(bytes)::BIGINT, count(decode_error), count(width) FROM {self.query}"
        ).fetchall()[0]
        found: dict[str, Any] = {}
        if total is not None:
            found |= {"unreadable": unreadable, "bytes": total}
        for column in ("format", "mode"):
            counts = self.connection.execute(
                f"SELECT {column}, count(*) FROM {self.query} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
            if counts:
                found[column + "s"] = dict(counts)
        if pictures:
            for side in ("width", "height"):
                sizes = f"min({side}), quantile_disc({side}, 0.5), max({side})"
                found[side] = list(self.connection.execute(f"SELECT {sizes} FROM {self.query}").fetchall()[0])
        return found

    def label_numbers(self) -> LabelNumbers:
        """What the labels are as numbers, without holding them all."""
        number = "TRY_CAST(label AS DOUBLE)"
        others = self.connection.execute(
            f"SELECT DISTINCT label FROM {self.query} WHERE label != '' AND {number} IS NULL ORDER BY 1 LIMIT 10"
        ).fetchall()
        known, distinct, fractions, span = self.connection.execute(
            f"SELECT count(v), count(DISTINCT v), coalesce(bool_or(v != trunc(v)), false), coalesce(max(v) - min(v), 0)"
            f" FROM (SELECT {number} AS v FROM {self.query}) WHERE isfinite(v)"
        ).fetchall()[0]
        return LabelNumbers(
            others=tuple(label for (label,) in others),
            n_known=known,
            n_distinct=distinct,
            fractions=fractions,
            span=span,
        )

    def fetch(self, columns: Sequence[str], *, where: str = "", order: str = '"sample_id"') -> dict[str, NDArray[Any]]:
        """Some columns as read-only arrays.

        Args:
            columns: Names out of `COLUMNS`.
            where: A condition in SQL over the columns, for example ``label IS NOT NULL``.
            order: What the rows are ordered by.

        Returns:
            One array a column, all of the same length. Text is of dtype object with None for NULL; nullable numbers
            are float64 with NaN where a NULL occurs, except ``perceptual_hash``, which is uint64 and must be asked
            for with a condition that leaves NULLs out.
        """
        selected = ", ".join(f'"{name}"' for name in columns)
        condition = f"WHERE {where}" if where else ""
        fetched = self.connection.execute(
            f"SELECT {selected} FROM {self.query} {condition} ORDER BY {order}"
        ).fetchnumpy()
        result = {}
        for name in columns:
            array: Any = fetched[name]
            if isinstance(array, np.ma.MaskedArray):
                nulls = np.ma.getmaskarray(array)
                array = np.array(array.data, dtype=np.float64 if nulls.any() and array.dtype != object else array.dtype)
                array[nulls] = None if array.dtype == object else np.nan
            array = np.asarray(array)
            array.setflags(write=False)
            result[name] = array
        return result

    def condition_on(self, positions: NDArray[np.int64], *, order: str) -> str:
        """A condition in SQL that holds for the rows in some places, from 0, of an order; until the next such call."""
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE chosen AS SELECT unnest($1::BIGINT[]) AS place", [positions]
        )
        if order == '"row"':
            ends = self.connection.execute(f'SELECT min("row"), max("row"), count("row") FROM {self.query}').fetchall()
            if ends == [(1, self.n_samples, self.n_samples)]:
                # Every row has its place for a number: none need be put in order.
                return '"row" IN (SELECT place + 1 FROM chosen)'
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE chosen_ids AS SELECT sample_id FROM (SELECT sample_id, "
            f"row_number() OVER (ORDER BY {order}) - 1 AS place FROM {self.query}) SEMI JOIN chosen USING (place)"
        )
        return "sample_id IN (FROM chosen_ids)"

    def contents_of(self, sample_ids: Iterable[str]) -> dict[str, str]:
        """The content hashes of some samples, by their names; without those that have none.

        Nothing is put in order, and nothing held of the others, however many they are.
        """
        self._choose(sample_ids)
        found = self.connection.execute(
            f"SELECT sample_id, content_hash FROM {self.query} "
            "WHERE sample_id IN (FROM wanted) AND content_hash IS NOT NULL"
        ).fetchall()
        return dict(found)

    def _choose(self, sample_ids: Iterable[str]) -> None:
        """Have the table `wanted` hold these names."""
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest($1::VARCHAR[]) AS sample_id", [list(sample_ids)]
        )

    def thumbnails(self, *, where: str = "") -> tuple[NDArray[np.object_], NDArray[np.uint8]]:
        """The thumbnails of all samples that have one.

        Returns:
            The sample ids, shape (n,), dtype object, ascending; and the thumbnails, shape (n, 32, 32, 3), uint8 RGB,
            read-only.
        """
        condition = "thumbnail IS NOT NULL" + (f" AND ({where})" if where else "")
        fetched = self.fetch(["sample_id", "thumbnail"], where=condition)
        joined = np.empty((len(fetched["sample_id"]), THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3), dtype=np.uint8)
        for row, blob in enumerate(fetched["thumbnail"]):
            joined[row] = np.frombuffer(blob, dtype=np.uint8)
        joined.setflags(write=False)
        return fetched["sample_id"], joined.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)

    def thumbnail_parts(self, sample_ids: Sequence[str]) -> Iterator[tuple[list[str], NDArray[np.uint8]]]:
        """The thumbnails of those of some samples that have one, some hundred at a time, in any order.

        Nothing else may be asked of the table before the last part has come.

        Returns:
            Names and thumbnails as those of `thumbnails`.
        """
        condition = "thumbnail IS NOT NULL"
        if len(sample_ids) < self.n_samples:
            self._choose(sample_ids)
            condition += " AND sample_id IN (FROM wanted)"
        # One after the other: of a query over all files DuckDB holds what it has read ahead of each.
        with_pictures = self.parquet if self.query.startswith(_READ) else None
        for part in [self.query] if with_pictures is None else map(parquet_sql, parts_of(with_pictures)):
            found = self.connection.execute(f"SELECT sample_id, thumbnail FROM {part} WHERE {condition}")
            while rows := found.fetchmany(_FETCHED_AT_A_TIME):
                pictures = np.frombuffer(b"".join(blob for _, blob in rows), dtype=np.uint8)
                yield [name for name, _ in rows], pictures.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)

    def stored_pictures(self, paths: Iterable[str]) -> dict[str, StoredPicture]:
        """Where the pictures of some paths can be read, by path."""
        wanted = list(dict.fromkeys(paths))
        places: dict[str, str | None] = {}
        if self.pictures is not None:
            places = dict(
                self.connection.execute(
                    f"SELECT path, place FROM {self.query} WHERE path IN (SELECT unnest($1::VARCHAR[]))", [wanted]
                ).fetchall()
            )
        return {
            path: StoredPicture(file=self.root / decode_path(path), place=places.get(path), pictures=self.pictures)
            for path in wanted
        }

    def read_stored(self, path: str) -> bytes | None:
        """What is encoded of a picture that is no file of its own; None of one that is.

        Raises:
            OSError: it cannot be read any more.
        """
        stored = self.stored_pictures([path])[path]
        return None if stored.is_file else stored.read_bytes()


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPicture:
    """Where one picture can be read."""

    file: Path
    """The file; of a picture that is none, a name that no two share."""
    place: str | None = None
    """Where it lies instead."""
    pictures: Pictures | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a file of its own."""
        return self.place is None or self.pictures is None

    def read_bytes(self) -> bytes:
        """What is encoded.

        Raises:
            OSError: it cannot be read any more.
        """
        if self.place is None or self.pictures is None:
            return self.file.read_bytes()
        from dataguard.dataset.files import UnreadableFileError

        try:
            return self.pictures.read(self.place, max_bytes=sys.maxsize).data
        except UnreadableFileError as error:
            raise OSError(str(error)) from error


def fetch_rows(frame: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
    """The rows of a lazy narwhals frame as tuples of Python values, None for NULL."""
    native = frame.to_native()
    if hasattr(native, "fetchall"):
        rows: list[tuple[Any, ...]] = native.fetchall()
        return rows
    # Arrow and not pandas, which tells no NULL from NaN. Dask's index comes as a column more.
    collected = frame.collect(backend="pyarrow").select(*frame.collect_schema().names())
    return list(collected.iter_rows(named=False))


def _selected(made: Mapping[str, str], query: str) -> str:
    """A FROM clause of all columns, some of them made in SQL."""
    if not made:
        return query
    columns = (f'{made[name]} AS "{name}"' if name in made else f'"{name}"' for name in COLUMNS)
    return f"(SELECT {', '.join(columns)} FROM {query})"


def connected() -> duckdb.DuckDBPyConnection:
    """A database to open sample tables in."""
    return connect(TABLE_SHARE)
