"""Pairs of pictures that are one picture, up to recompression, resizing, tone and colour.

Three steps, each on what the one before left: hashes within a Hamming distance; thumbnails more alike than chance
allows in this dataset; and a second look at the pixels.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dataguard.core.finding import Skipped
from dataguard.core.progress import Progress, silent
from dataguard.dataset.class_counts import split_order
from dataguard.dataset.decode import decoding
from dataguard.dataset.duplicates import Member
from dataguard.dataset.hamming import MAX_DISTANCE, ClosePairs, close_pairs, collision_rates
from dataguard.dataset.likeness import (
    LEAST_REFERENCES,
    REFERENCES,
    Background,
    SecondLook,
    gray,
    paired_residuals,
    second_look,
    tone_basis,
)
from dataguard.dataset.perceptual_hash import perceptual_hashes
from dataguard.dataset.table import THUMBNAIL_SIDE, SampleTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALGORITHM_VERSION = "1"
"""Changes whenever a stored second look would come out differently."""
MAX_RESIDUAL = 0.2
"""Pairs that leave more of the variance unexplained are not looked at further."""
MAX_RESIDUAL_WITHOUT_DETAIL = 0.02
"""The most that a pair leaves unexplained where the pictures are no larger than a thumbnail, so that there is no fine
detail to confirm it by. JPEG at quality 75 leaves 0.6 % of an 8×8 scan and 1.5 to 2.3 % of a photograph of 32 or 16
pixels a side (medians); two discs in one place with noise of their own leave 9 %."""
TINY_DATASET_RESIDUAL = 0.01
"""The most that a pair leaves unexplained where there are too few pictures to compare with."""
BLOCK = 16_384
"""Candidate pairs at a time: at most 32,768 thumbnails of 3 KB, and of 4 KB in gray, are held, 0.24 GB."""
MAX_CHANCE_PAIRS = 0.05
"""Of chance pairs at least as alike, this many are expected in a whole dataset at most: one in 20 clean datasets
shows a false pair, before the second look."""
MIN_DETAIL = 0.5
"""The least correlation of fine detail."""
MIN_CHROMA = 0.9
"""The least correlation of colours, where both pictures have any."""
SECOND_LOOK_SIDE = 192
"""The longest side in pixels at which fine detail is compared."""
MAX_SECOND_LOOKS = 20_000
"""The most pairs whose files are decoded; pairs across splits come first, then the most alike."""


class BlobStore(Protocol):
    """Keeps results between runs."""

    def get_blob(self, key: str) -> bytes | None:
        """What was put under that key, or None."""

    def put_blob(self, key: str, blob: bytes, /) -> None:
        """Keep something."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearDuplicatePair:
    """Two pictures that are one picture."""

    left: Member
    right: Member
    distance: int
    """Bits in which the perceptual hashes differ."""
    residual: float
    """Share of the thumbnails' variance that the best quadratic tone curve leaves unexplained."""
    chance_pairs: float | None
    """How many unrelated pairs of the dataset are expected to be at least as alike; None in tiny datasets."""
    detail: float | None = None
    """Correlation of the fine detail in the files; None where the pictures have none beyond the thumbnail."""
    mirrored: bool = False
    """Whether one is the other's mirror image, left and right exchanged."""
    chroma: float | None = None
    """Correlation of the colours; None where one of the two is gray."""

    @property
    def why(self) -> str:
        """Why it is believed, in a few words."""
        parts = [f"{self.distance} of 64 hash bits differ", f"{self.residual:.2%} of the variance unexplained"]
        if self.mirrored:
            parts.insert(0, "mirrored")
        if self.chance_pairs is not None:
            parts.append(f"{self.chance_pairs:.0e} such pairs expected by chance")
        if self.detail is not None:
            parts.append(f"fine detail correlates {self.detail:.2f}")
        if self.chroma is not None:
            parts.append(f"colours correlate {self.chroma:.2f}")
        return " · ".join(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class NearDuplicates:
    """Pairs of near-duplicate pictures in a dataset, and how they were found."""

    pairs: tuple[NearDuplicatePair, ...]
    """Most alike first; pairs of equal content are left out."""
    sizes: Mapping[str, int]
    """Samples with a perceptual hash by split."""
    n_hashed: int
    """Pictures that were compared: one for each content and split."""
    n_candidates: int
    """Pairs within the distance in force."""
    n_alike: int
    """Of these, pairs whose thumbnails are more alike than chance allows."""
    n_looked: int
    """Of these, pairs whose files were compared."""
    max_distance: int
    """The Hamming distance in force."""
    asked_distance: int
    """The one asked for; larger where too many hashes collide."""
    collision_rate: float
    """Share of random pairs within the distance asked for."""
    dimension: float | None
    """Intrinsic dimension of the thumbnails; None where there are too few to tell."""
    typical_residual: float | None
    """The residual between a picture and its nearest neighbour, the median."""
    truncated: bool = False
    """Not all candidates could be looked at."""
    n_textureless: int = 0
    """Pictures without a perceptual hash."""

    @classmethod
    def from_pairs(cls, pairs: Iterable[NearDuplicatePair], *, sizes: Mapping[str, int]) -> NearDuplicates:
        """Pairs that are already known, most alike first.

        Args:
            pairs: Each pair once.
            sizes: Pictures by split.
        """
        listed = tuple(pairs)
        return cls(
            pairs=listed,
            sizes={split: sizes[split] for split in sorted(sizes, key=split_order)},
            n_hashed=sum(sizes.values()),
            n_candidates=len(listed),
            n_alike=len(listed),
            n_looked=len(listed),
            max_distance=MAX_DISTANCE,
            asked_distance=MAX_DISTANCE,
            collision_rate=0.0,
            dimension=None,
            typical_residual=None,
        )


def find_near_duplicates(
    table: SampleTable,
    *,
    max_distance: int = MAX_DISTANCE,
    max_chance_pairs: float = MAX_CHANCE_PAIRS,
    mirrored: bool = True,
    verify: bool = True,
    jobs: int | None = None,
    progress: Progress = silent,
    cache: BlobStore | None = None,
    seed: int = 0,
) -> NearDuplicates | Skipped:
    """Find the pairs of pictures that are one picture, saved twice.

    Args:
        table: The dataset.
        max_distance: Bits between the perceptual hashes of a candidate pair, 0 to 7.
        max_chance_pairs: Expected number of false pairs that is tolerated in the whole dataset.
        mirrored: Whether to look for left-right mirrored pictures too.
        verify: Whether to compare the files of the pairs whose thumbnails are alike.
        jobs: Threads that decode; all processors where it is None.
        progress: Called now and then.
        cache: Where second looks are kept, so that an unchanged dataset is not decoded again.
        seed: Of the samples that stand for the dataset.

    Returns:
        The pairs; or why none were looked for.
    """
    rows = _Rows.of(table)
    if len(rows.hashes) < 2:
        return Skipped(reason="fewer than two pictures have a perceptual hash")
    n = len(rows.hashes)
    background = _background(rows, seed)
    rate = float(collision_rates(rows.hashes, seed=seed)[max_distance])
    searches = [close_pairs(rows.hashes, max_distance=max_distance)]
    progress("comparing hashes", n, n)
    if mirrored:
        searches.append(close_pairs(rows.hashes, rows.mirrored_hashes(progress), max_distance=max_distance))
    best: dict[tuple[int, int], _Alike] = {}
    for turned, candidates in zip((False, True), searches, strict=False):
        # Every orientation that is tried is one more chance for a chance pair.
        tolerated = max_chance_pairs / len(searches)
        for pair in _alike(rows, candidates, background, tolerated, progress, mirrored=turned):
            known = best.setdefault((pair.left, pair.right), pair)
            if pair.residual < known.residual:
                best[pair.left, pair.right] = pair
    alike = list(best.values())
    members = rows.members(sorted({position for pair in alike for position in (pair.left, pair.right)}))
    alike.sort(key=lambda pair: (members[pair.left][0].split == members[pair.right][0].split, pair.residual))
    looked = alike[:MAX_SECOND_LOOKS]
    looks: list[SecondLook | None] = [None] * len(looked)
    if verify:
        files = [(members[pair.left], members[pair.right], pair.mirrored) for pair in looked]
        looks = _second_looks(table.root, files, table.version_id, jobs, progress, cache)
    pairs = []
    for pair, look in zip(looked, looks, strict=True):
        if verify and (look is None or not _confirms(look, pair.residual)):
            continue
        pairs.append(
            NearDuplicatePair(
                left=members[pair.left][0],
                right=members[pair.right][0],
                distance=pair.distance,
                residual=pair.residual,
                chance_pairs=pair.chance_pairs,
                mirrored=pair.mirrored,
                detail=None if look is None else look.detail,
                chroma=None if look is None else look.chroma,
            )
        )
    pairs.sort(key=lambda pair: (pair.residual, pair.left.sample_id, pair.right.sample_id))
    return NearDuplicates(
        pairs=tuple(pairs),
        sizes=rows.sizes,
        n_hashed=n,
        n_candidates=sum(len(search.left) for search in searches),
        n_alike=len(alike),
        n_looked=sum(look is not None for look in looks),
        max_distance=min(search.max_distance for search in searches),
        asked_distance=max_distance,
        collision_rate=rate,
        dimension=None if background is None else background.dimension,
        typical_residual=None if background is None else background.typical_residual,
        truncated=any(search.truncated for search in searches) or len(alike) > MAX_SECOND_LOOKS,
        n_textureless=rows.n_textureless,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Alike:
    """A candidate whose thumbnails are more alike than chance allows."""

    left: int
    right: int
    distance: int
    residual: float
    chance_pairs: float | None
    mirrored: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Rows:
    """The pictures that are compared, numbered by ``sample_id``; a temporary table of a cursor of their own."""

    cursor: Any
    query: str
    hashes: NDArray[np.uint64]
    contents: NDArray[np.uint64]
    """A number that is equal for equal contents."""
    sizes: Mapping[str, int]
    n_textureless: int

    @classmethod
    def of(cls, table: SampleTable) -> _Rows:
        cursor = table.connection.cursor()
        usable = "decode_error IS NULL AND content_hash IS NOT NULL AND path IS NOT NULL"
        # One picture for each content and split: a thousand copies of one placeholder are a million pairs of nothing.
        cursor.execute(
            f"""CREATE OR REPLACE TEMP TABLE hashed AS
            SELECT row_number() OVER (ORDER BY sample_id) - 1 AS position, * FROM (
                SELECT min(sample_id) AS sample_id, arg_min(label, sample_id) AS label,
                    arg_min(path, sample_id) AS path, coalesce(split, '') AS split, content_hash,
                    arg_min(perceptual_hash, sample_id) AS perceptual_hash
                FROM {table.query} WHERE {usable} AND perceptual_hash IS NOT NULL
                GROUP BY content_hash, coalesce(split, ''))"""
        )
        fetched = cursor.execute(
            "SELECT perceptual_hash, hash(content_hash) AS content FROM hashed ORDER BY position"
        ).fetchnumpy()
        sizes = cursor.execute(
            f"""SELECT coalesce(split, ''), count(perceptual_hash), count(*) FROM {table.query}
            WHERE {usable} GROUP BY 1"""
        ).fetchall()
        by_split = {split: (hashed, everything) for split, hashed, everything in sizes}
        return cls(
            cursor=cursor,
            query=table.query,
            hashes=np.asarray(fetched["perceptual_hash"], dtype=np.uint64),
            contents=np.asarray(fetched["content"], dtype=np.uint64),
            sizes={split: by_split[split][0] for split in sorted(by_split, key=split_order)},
            n_textureless=sum(everything - hashed for hashed, everything in by_split.values()),
        )

    def thumbnails(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The gray thumbnails at ascending positions, shape (n, pixels)."""
        values = np.empty((len(positions), THUMBNAIL_SIDE**2), dtype=np.float32)
        for where, pictures in self._pictures("position IN (SELECT unnest($1::BIGINT[]))", [positions.tolist()]):
            values[np.searchsorted(positions, where)] = gray(pictures)
        return values

    def mirrored_hashes(self, progress: Progress) -> NDArray[np.uint64]:
        """The perceptual hashes of the mirrored pictures, shape (n,)."""
        n = len(self.hashes)
        hashes = np.empty(n, dtype=np.uint64)
        for start in range(0, n, BLOCK):
            progress("mirroring thumbnails", start, n)
            within = f"position >= {start} AND position < {min(n, start + BLOCK)}"
            for where, pictures in self._pictures(within, []):
                hashes[where] = perceptual_hashes(pictures[:, :, ::-1])[0]
        progress("mirroring thumbnails", n, n)
        return hashes

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


def _background(rows: _Rows, seed: int) -> Background | None:
    n = len(rows.hashes)
    if n < LEAST_REFERENCES:
        return None
    chosen = np.sort(np.random.default_rng(seed).choice(n, min(n, REFERENCES), replace=False))
    return Background.estimate(rows.thumbnails(chosen), chosen, n)


def _alike(
    rows: _Rows,
    candidates: ClosePairs,
    background: Background | None,
    max_chance_pairs: float,
    progress: Progress,
    *,
    mirrored: bool,
) -> list[_Alike]:
    """The candidates whose thumbnails, the left one mirrored, are more alike than chance allows."""
    different = rows.contents[candidates.left] != rows.contents[candidates.right]
    left, right, distance = (array[different] for array in (candidates.left, candidates.right, candidates.distance))
    found = []
    for start in range(0, len(left), BLOCK):
        progress("comparing thumbnails", start, len(left))
        part = slice(start, start + BLOCK)
        positions, inverse = np.unique(np.concatenate([left[part], right[part]]), return_inverse=True)
        first, second = np.split(inverse, 2)
        values = rows.thumbnails(positions)
        residual = np.empty(len(first), dtype=np.float32)
        for begin in range(0, len(first), 4_096):
            piece = slice(begin, begin + 4_096)
            one, other = _oriented(values[first[piece]], mirrored=mirrored), values[second[piece]]
            bases = tone_basis(one), tone_basis(other)
            residual[piece] = np.maximum(
                paired_residuals(bases[0], bases[1][0]), paired_residuals(bases[1], bases[0][0])
            )
        near = np.flatnonzero(residual <= (MAX_RESIDUAL if background is not None else TINY_DATASET_RESIDUAL))
        chance = np.zeros(len(near))
        if background is not None and len(near):
            # The picture in the denser neighbourhood decides.
            yardsticks = [
                _yardsticks(background, values, positions, side[near], mirrored=mirrored and side is first)
                for side in (first, second)
            ]
            chance = background.chance_pairs(residual[near], np.minimum(*yardsticks))
        for index, expected in zip(near, chance, strict=True):
            if expected <= max_chance_pairs:
                found.append(
                    _Alike(
                        left=int(left[start + index]),
                        right=int(right[start + index]),
                        distance=int(distance[start + index]),
                        residual=float(residual[index]),
                        chance_pairs=float(expected) if background is not None else None,
                        mirrored=mirrored,
                    )
                )
    progress("comparing thumbnails", len(left), len(left))
    return found


def _confirms(look: SecondLook, residual: float) -> bool:
    detail_agrees = residual <= MAX_RESIDUAL_WITHOUT_DETAIL if look.detail is None else look.detail >= MIN_DETAIL
    return detail_agrees and (look.chroma is None or look.chroma >= MIN_CHROMA)


def _yardsticks(
    background: Background,
    values: NDArray[np.float32],
    positions: NDArray[np.int64],
    side: NDArray[np.int64],
    *,
    mirrored: bool,
) -> NDArray[np.float32]:
    needed, where = np.unique(side, return_inverse=True)
    return background.yardsticks(_oriented(values[needed], mirrored=mirrored), positions[needed])[where]


def _oriented(values: NDArray[np.float32], *, mirrored: bool) -> NDArray[np.float32]:
    """Flattened thumbnails, left and right exchanged where asked for."""
    if not mirrored:
        return values
    squares = values.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return np.ascontiguousarray(squares[:, :, ::-1]).reshape(values.shape)


def _second_looks(
    root: Path,
    files: Sequence[tuple[tuple[Member, str], tuple[Member, str], bool]],
    version_id: str,
    jobs: int | None,
    progress: Progress,
    cache: BlobStore | None,
) -> list[SecondLook | None]:
    """What the files of each pair show; None where one cannot be decoded any more."""
    keys = ["-".join((*sorted((left[1], right[1])), "m" * turned)) for left, right, turned in files]
    store = cache if version_id else None
    blob_key = f"near-duplicates/{ALGORITHM_VERSION}/{version_id}"
    blob = None if store is None else store.get_blob(blob_key)
    known: dict[str, list[float | None]] = {} if blob is None else json.loads(blob)
    fresh = [index for index, key in enumerate(keys) if key not in known]

    def look(index: int) -> list[float | None]:
        (one, _), (other, _), turned = files[index]
        left, right = _decode(root / (one.path or "")), _decode(root / (other.path or ""))
        if left is None or right is None:
            return []
        look = second_look(left[:, ::-1] if turned else left, right, side=SECOND_LOOK_SIDE)
        return [look.residual, look.detail, look.chroma]

    with decoding(), ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for done, (index, measured) in enumerate(zip(fresh, pool.map(look, fresh), strict=True)):
            progress("comparing pictures", done, len(fresh))
            known[keys[index]] = measured
    progress("comparing pictures", len(fresh), len(fresh))
    if store is not None and fresh:
        store.put_blob(blob_key, json.dumps({key: known[key] for key in dict.fromkeys(keys)}).encode())
    measures = [known[key] for key in keys]
    return [
        SecondLook(residual=found[0] or 0.0, detail=found[1], chroma=found[2]) if found else None for found in measures
    ]


def _decode(path: Path) -> NDArray[np.uint8] | None:
    """The picture as RGB, without EXIF rotation as in the sample table; None where it cannot be read any more."""
    import cv2
    from PIL import Image

    try:
        picture = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        if picture is not None:
            return np.asarray(picture, dtype=np.uint8)
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, cv2.error, SyntaxError):
        return None
