"""The pictures of a sample table that are compared with one another, and their thumbnails, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.progress import Progress
from dataguard.dataset.class_counts import split_order
from dataguard.dataset.duplicates import Member
from dataguard.dataset.likeness import gray
from dataguard.dataset.table import THUMBNAIL_SIDE, SampleTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 16_384
"""Thumbnails that are asked for at a time."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PictureRows:
    """The pictures that are compared, numbered by ``sample_id``; a temporary table of a cursor of their own."""

    cursor: Any
    query: str
    hashes: NDArray[np.uint64]
    contents: NDArray[np.uint64]
    """A number that is equal for equal contents."""
    splits: NDArray[np.int64]
    """Which split each is in, by its place in `sizes`."""
    heights: NDArray[np.int64]
    """In pixels."""
    widths: NDArray[np.int64]
    sizes: Mapping[str, int]
    n_textureless: int

    @classmethod
    def of(cls, table: SampleTable) -> PictureRows:
        """The pictures of a sample table that have a perceptual hash, one for each content and split."""
        cursor = table.connection.cursor()
        usable = "decode_error IS NULL AND content_hash IS NOT NULL AND path IS NOT NULL"
        # One picture for each content and split: a thousand copies of one placeholder are a million pairs of nothing.
        cursor.execute(
            f"""CREATE OR REPLACE TEMP TABLE hashed AS
            SELECT row_number() OVER (ORDER BY sample_id) - 1 AS position, * FROM (
                SELECT min(sample_id) AS sample_id, arg_min(label, sample_id) AS label,
                    arg_min(path, sample_id) AS path, coalesce(split, '') AS split, content_hash,
                    arg_min(perceptual_hash, sample_id) AS perceptual_hash,
                    arg_min(height, sample_id) AS height, arg_min(width, sample_id) AS width
                FROM {table.query} WHERE {usable} AND perceptual_hash IS NOT NULL
                GROUP BY content_hash, coalesce(split, ''))"""
        )
        sizes = cursor.execute(
            f"""SELECT coalesce(split, ''), count(perceptual_hash), count(*) FROM {table.query}
            WHERE {usable} GROUP BY 1"""
        ).fetchall()
        by_split = {split: (hashed, everything) for split, hashed, everything in sizes}
        named = sorted(by_split, key=split_order)
        fetched = cursor.execute(
            """SELECT perceptual_hash, hash(content_hash) AS content, list_position($1::VARCHAR[], split) - 1 AS split,
            coalesce(height, 32) AS height, coalesce(width, 32) AS width FROM hashed ORDER BY position""",
            [named],
        ).fetchnumpy()
        return cls(
            cursor=cursor,
            query=table.query,
            hashes=np.asarray(fetched["perceptual_hash"], dtype=np.uint64),
            contents=np.asarray(fetched["content"], dtype=np.uint64),
            splits=np.asarray(fetched["split"], dtype=np.int64),
            heights=np.asarray(fetched["height"], dtype=np.int64),
            widths=np.asarray(fetched["width"], dtype=np.int64),
            sizes={split: by_split[split][0] for split in named},
            n_textureless=sum(everything - hashed for hashed, everything in by_split.values()),
        )

    def thumbnails(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The thumbnails at ascending positions, shape (n, 32, 32, 3)."""
        values = np.empty((len(positions), THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), dtype=np.uint8)
        for where, pictures in self._pictures("position IN (SELECT unnest($1::BIGINT[]))", [positions.tolist()]):
            values[np.searchsorted(positions, where)] = pictures
        return values

    def grays(self, progress: Progress) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Positions and the gray thumbnails there, shapes (m,) and (m, 32, 32), some at a time."""
        n = len(self.hashes)
        for start in range(0, n, BLOCK):
            progress("reading thumbnails", start, n)
            within = f"position >= {start} AND position < {min(n, start + BLOCK)}"
            for where, pictures in self._pictures(within, []):
                yield where, gray(pictures).reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        progress("reading thumbnails", n, n)

    def _pictures(self, condition: str, values: list[Any]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Positions and thumbnails, some at a time and in any order, shapes (n,) and (n, 32, 32, 3).

        Sorting thumbnails, or joining to them, would hold them all in memory: they are filtered as they are read.
        """
        wanted = self.cursor.execute(
            f"SELECT sample_id, position FROM hashed WHERE {condition} ORDER BY position", values
        ).fetchall()
        position = dict(wanted)
        # The bounds spare the rows outside them, as the table is ordered by sample_id.
        self.cursor.execute(
            f"""SELECT sample_id, thumbnail FROM {self.query} WHERE sample_id BETWEEN $first AND $last
            AND sample_id IN (SELECT unnest($ids::VARCHAR[]))""",
            {"first": wanted[0][0], "last": wanted[-1][0], "ids": list(position)},
        )
        while rows := self.cursor.fetchmany(2_048):
            pixels = np.frombuffer(b"".join(bytes(row[1]) for row in rows), dtype=np.uint8)
            where = np.array([position[row[0]] for row in rows], dtype=np.int64)
            yield where, pixels.reshape(len(rows), THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)

    def members(self, positions: Sequence[int]) -> dict[int, tuple[Member, str]]:
        """The samples at some positions, with their content hashes."""
        rows = self.cursor.execute(
            """SELECT position, sample_id, split, label, path, content_hash FROM hashed
            WHERE position IN (SELECT unnest($1::BIGINT[]))""",
            [list(positions)],
        ).fetchall()
        return {row[0]: (Member(sample_id=row[1], split=row[2], label=row[3], path=row[4]), row[5]) for row in rows}
