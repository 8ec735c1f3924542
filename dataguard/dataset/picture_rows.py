"""The pictures of a sample table that are compared with one another, and their thumbnails, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.progress import Progress
from dataguard.dataset.class_counts import split_order
from dataguard.dataset.duplicates import Member
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
        # Of a million rows only numbers and ids are kept: labels and paths are looked up for the few that are reported.
        cursor.execute(
            f"""CREATE OR REPLACE TEMP TABLE hashed AS
            SELECT row_number() OVER (ORDER BY sample_id) - 1 AS position, * FROM (
                SELECT min(sample_id) AS sample_id, coalesce(split, '') AS split, hash(content_hash) AS content,
                    any_value(perceptual_hash) AS perceptual_hash, any_value(height) AS height,
                    any_value(width) AS width
                FROM {table.query} WHERE {usable} AND perceptual_hash IS NOT NULL
                GROUP BY content, coalesce(split, ''))"""
        )
        sizes = cursor.execute(
            f"""SELECT coalesce(split, ''), count(perceptual_hash), count(*) FROM {table.query}
            WHERE {usable} GROUP BY 1"""
        ).fetchall()
        by_split = {split: (hashed, everything) for split, hashed, everything in sizes}
        named = sorted(by_split, key=split_order)
        fetched = cursor.execute(
            """SELECT perceptual_hash, content, list_position($1::VARCHAR[], split) - 1 AS split,
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
        for where, pictures in self._pictures(
            "position IN (SELECT unnest($1::BIGINT[]))", [positions.tolist()], few=True
        ):
            values[np.searchsorted(positions, where)] = pictures
        return values

    def pictures(self, progress: Progress) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Positions and the thumbnails there, shapes (m,) and (m, 32, 32, 3), some at a time."""
        n = len(self.hashes)
        for start in range(0, n, BLOCK):
            progress("reading thumbnails", start, n)
            # A condition on every id would cost more than the few that are read for nothing.
            yield from self._pictures(f"position >= {start} AND position < {min(n, start + BLOCK)}", [], few=False)
        progress("reading thumbnails", n, n)

    def _pictures(
        self, condition: str, values: list[Any], *, few: bool
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Positions and thumbnails, some at a time and in any order, shapes (n,) and (n, 32, 32, 3).

        Sorting thumbnails, or joining to them, would hold them all in memory: they are filtered as they are read.
        """
        wanted = self.cursor.execute(
            f"SELECT sample_id, position FROM hashed WHERE {condition} ORDER BY position", values
        ).fetchall()
        position = dict(wanted)
        # The bounds spare the rows outside them, as the table is ordered by sample_id.
        bounds = {"first": wanted[0][0], "last": wanted[-1][0]}
        query = f"SELECT sample_id, thumbnail FROM {self.query} WHERE sample_id BETWEEN $first AND $last"
        if few:
            query += " AND sample_id IN (SELECT unnest($ids::VARCHAR[]))"
        self.cursor.execute(query, bounds | ({"ids": list(position)} if few else {}))
        while rows := self.cursor.fetchmany(2_048):
            found = [(position[row[0]], row[1]) for row in rows if row[0] in position]
            pixels = np.frombuffer(b"".join(thumbnail for _, thumbnail in found), dtype=np.uint8)
            where = np.array([place for place, _ in found], dtype=np.int64)
            yield where, pixels.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)

    def members(self, positions: Sequence[int]) -> dict[int, tuple[Member, str]]:
        """The samples at some positions, with their content hashes."""
        found = self.cursor.execute(
            "SELECT sample_id, position FROM hashed WHERE position IN (SELECT unnest($1::BIGINT[]))", [list(positions)]
        ).fetchall()
        place = dict(found)
        rows = self.cursor.execute(
            f"""SELECT sample_id, coalesce(split, ''), label, path, content_hash FROM {self.query}
            WHERE sample_id IN (SELECT unnest($1::VARCHAR[]))""",
            [list(place)],
        ).fetchall()
        return {
            place[sample_id]: (Member(sample_id=sample_id, split=split, label=label, path=path), content)
            for sample_id, split, label, path, content in rows
        }
