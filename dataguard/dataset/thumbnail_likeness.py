"""Candidate pairs whose thumbnails are more alike than chance allows in their dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.progress import Progress
from dataguard.dataset.candidates import WINDOWS, Candidates
from dataguard.dataset.likeness import (
    LEAST_REFERENCES,
    REFERENCES,
    Background,
    gray,
    paired_residuals,
    reduced,
    residuals,
    tone_basis,
)
from dataguard.dataset.picture_rows import PictureRows
from dataguard.dataset.projection import Projection
from dataguard.dataset.registration import WHOLE, Window, as_window, register, window_residuals
from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_RESIDUAL = 0.2
"""Pairs that leave more of the variance unexplained are not looked at further."""
MAX_TINY_RESIDUAL = 0.5
"""The same for pictures no larger than a thumbnail, where recompression costs more."""
TINY_DATASET_RESIDUAL = 0.01
"""The most that a pair leaves unexplained where there are too few pictures to compare with."""
BEST = 5
"""Of the candidates of each picture, so many of the most alike are looked at."""
FEWER = 0.7
"""The part of the residual that may be left for a window to be worth a try."""
LEAST_CHROMA = 3.0
"""Root mean square of the deviations from the mean colour, in levels of 255, below which a picture is gray: rounding
and the chroma quantization of JPEG stay below it."""
LEAST_CHROMA_MATCH = 0.5
"""Pairs whose colours correlate less are not looked at any further: a crop or a clipped tone curve costs no more."""
LEAST_ROUGH_MATCH = 0.0
"""The same before any change of tone is tried."""
_PAIRS = 8_192
"""Pairs whose thumbnails are held at a time."""
_ASKED = 64
_NEAR = 48
_RANK = 10
"""Of so many references, so many neighbours each are registered, and the yardstick is the neighbour of that rank."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alike:
    """A candidate whose thumbnails are more alike than chance allows."""

    left: int
    right: int
    distance: int
    residual: float
    whole_residual: float
    """The same where neither is cut."""
    chance_pairs: float | None
    """None where there are too few pictures to tell."""
    mirrored: bool
    window: Window
    yardstick: float
    """The residual of the usual neighbour, neither cut; 1 where there are too few pictures to tell."""
    dimension: float
    """Around the two, neither cut."""
    shrink: float
    """What part of their residual is left of unrelated neighbours that are cut to fit."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reference:
    """Pictures that stand for the dataset, and how alike they are."""

    n_samples: int
    positions: NDArray[np.int64]
    values: NDArray[np.float32]
    """Flattened gray thumbnails, shape (m, 1024)."""
    projection: Projection
    size: tuple[int, int]
    """The usual height and width of a picture in pixels, at most a thumbnail's."""
    shrink: float
    """How many times smaller the residual of unrelated neighbours becomes when they are cut to fit, at least."""
    cut_dimension: float
    """The intrinsic dimension when pictures may be cut to fit."""
    _backgrounds: dict[tuple[int, int], Background] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: PictureRows, seed: int) -> Reference | None:
        """None where there are too few pictures."""
        n = len(rows.hashes)
        if n < LEAST_REFERENCES:
            return None
        chosen = np.sort(np.random.default_rng(seed).choice(n, min(n, REFERENCES), replace=False))
        values = gray(rows.thumbnails(chosen))
        size = tuple(min(THUMBNAIL_SIDE, int(np.median(sides))) for sides in (rows.heights, rows.widths))
        projection = Projection.fit(values.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE), (size[0], size[1]), seed=seed)
        shrink, dimension = _freedom(values, soft_side=min(size), seed=seed)
        return cls(
            n_samples=n,
            positions=chosen,
            values=values,
            projection=projection,
            size=(size[0], size[1]),
            shrink=shrink,
            cut_dimension=dimension,
        )

    def background(self, size: tuple[int, int]) -> Background:
        """How alike unrelated pictures are at that height and width, at most a thumbnail's."""
        if size not in self._backgrounds:
            self._backgrounds[size] = Background.estimate(reduced(self.values, size), self.positions, self.n_samples)
        return self._backgrounds[size]


def soft(squares: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Thumbnails without the edges of the pixels of pictures that are smaller than they are."""
    import cv2

    if side >= THUMBNAIL_SIDE * 3 // 4:
        return squares
    sigma = THUMBNAIL_SIDE / side / 2
    return np.stack([np.asarray(cv2.GaussianBlur(square, (0, 0), sigma), dtype=np.float32) for square in squares])


def _freedom(values: NDArray[np.float32], *, soft_side: int, seed: int) -> tuple[float, float]:
    """What cutting to fit does to the residuals of unrelated neighbours, and the dimension that is left."""
    m = len(values)
    generator = np.random.default_rng(seed + 1)
    asked = generator.choice(m, min(m, _ASKED), replace=False)
    basis = tone_basis(values)
    measured = residuals((basis[0][asked], basis[1][asked]), basis[0])
    measured[np.arange(len(asked)), asked] = 2
    near = min(_NEAR, m - 1)
    order = np.argsort(measured, axis=1)[:, :near]
    squares = soft(values.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE), soft_side)
    left, right = squares[np.repeat(asked, near)], squares[order.ravel()]
    windows = np.tile(np.array(WHOLE, dtype=np.float32), (len(left), 1))
    found = fitted(left, right, windows)
    cut = np.sort(window_residuals(left, right, found).reshape(len(asked), near), axis=1)
    rank = min(_RANK, near) - 1
    plain = np.take_along_axis(measured, order[:, rank : rank + 1], axis=1)[:, 0]
    shrink = float(np.quantile(cut[:, rank] / np.maximum(plain, 1e-6), 0.1))
    half = rank // 2
    logs = 0.5 * np.log(cut[:, rank : rank + 1] / np.maximum(cut[:, half:rank], 1e-6))
    expected = np.mean([sum(1 / i for i in range(j + 1, rank + 1)) for j in range(half, rank)]) if rank > half else 1.0
    local = expected / np.maximum(logs.mean(axis=1), 1e-3)
    return min(1.0, shrink), float(max(1.0, np.median(local) * (1 - 2 / np.sqrt(len(asked) * max(1, rank - half)))))


def fitted(left: NDArray[np.float32], right: NDArray[np.float32], windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The windows of left thumbnails that fit right ones: coarsely first, and where that leads anywhere, finely."""
    small = [
        picture.reshape(len(picture), THUMBNAIL_SIDE // 2, 2, THUMBNAIL_SIDE // 2, 2).mean(axis=(2, 4))
        for picture in (left, right)
    ]
    found = register(small[0], small[1], windows, steps=5)
    promising = np.flatnonzero(window_residuals(small[0], small[1], found) <= 2 * MAX_RESIDUAL)
    if len(promising):
        found[promising] = register(left[promising], right[promising], found[promising], steps=4)
    return found


def alike(
    rows: PictureRows,
    pairs: Candidates,
    reference: Reference | None,
    turned_hashes: NDArray[np.uint64],
    progress: Progress,
) -> list[Alike]:
    """The candidates whose thumbnails are more alike than chance allows.

    Args:
        rows: The pictures.
        pairs: The candidates.
        reference: What they are held against.
        turned_hashes: Of the mirrored pictures.
        progress: Called now and then.
    """
    different = np.flatnonzero(rows.contents[pairs.left] != rows.contents[pairs.right])
    found: list[Alike] = []
    for start in range(0, len(different), _PAIRS):
        progress("comparing thumbnails", start, len(different))
        chosen = different[start : start + _PAIRS]
        left, right = pairs.left[chosen], pairs.right[chosen]
        positions, inverse = np.unique(np.concatenate([left, right]), return_inverse=True)
        first, second = np.split(inverse, 2)
        pictures = rows.thumbnails(positions)
        values = gray(pictures)
        sizes = np.stack(
            [
                np.minimum(THUMBNAIL_SIDE + 1, np.minimum(sides[left], sides[right]))
                for sides in (rows.heights, rows.widths)
            ],
            axis=1,
        )
        mine = turned_hashes if pairs.mirrored else rows.hashes
        distances = np.bitwise_count(mine[left] ^ rows.hashes[right])
        for size in np.unique(sizes, axis=0):
            height, width = (min(THUMBNAIL_SIDE, int(side)) for side in size)
            tiny = int(size.max()) <= THUMBNAIL_SIDE
            members = np.flatnonzero((sizes == size).all(axis=1))
            for begin in range(0, len(members), 2_048):
                piece = members[begin : begin + 2_048]
                one, other = oriented(values[first[piece]], mirrored=pairs.mirrored), values[second[piece]]
                windows = np.array(WINDOWS, dtype=np.float32)[pairs.window[chosen[piece]]]
                measured = _measured(one, other, windows, (height, width), reference, cut=not pairs.mirrored, tiny=tiny)
                near = np.flatnonzero(measured.near)
                if len(near) and not tiny:
                    measured.near[near] = _colours_agree(
                        pictures[first[piece[near]]], pictures[second[piece[near]]], mirrored=pairs.mirrored
                    )
                usual, local = _usual(reference, (height, width), one, other, left[piece], right[piece], measured)
                for index in np.flatnonzero(measured.near):
                    whole = bool(measured.whole[index])
                    chance: float | None = None
                    if reference is not None:
                        chance = chance_pairs(
                            reference,
                            float(measured.residual[index]),
                            float(usual[index]) * (1.0 if whole else reference.shrink),
                            min(float(local[index]), math.inf if whole else reference.cut_dimension),
                        )
                    found.append(
                        Alike(
                            left=int(left[piece[index]]),
                            right=int(right[piece[index]]),
                            distance=int(distances[piece[index]]),
                            residual=float(measured.residual[index]),
                            whole_residual=float(measured.before[index]),
                            chance_pairs=chance,
                            mirrored=pairs.mirrored,
                            window=WHOLE if whole else as_window(measured.windows[index]),
                            yardstick=float(usual[index]),
                            dimension=float(local[index]),
                            shrink=1.0 if reference is None else reference.shrink,
                        )
                    )
    progress("comparing thumbnails", len(different), len(different))
    return found


def most_alike(pairs: list[Alike], best: int = BEST) -> list[Alike]:
    """The pairs that are among the `best` of either picture, most alike first."""
    kept = set()
    # As they are and cut to fit: what is nearest in the one way need not be in the other.
    for by in ([pair.residual for pair in pairs], [pair.whole_residual for pair in pairs]):
        seen = dict[int, int]()
        for index in sorted(range(len(pairs)), key=lambda index: (by[index], index)):
            pair = pairs[index]
            if min(seen.get(pair.left, 0), seen.get(pair.right, 0)) < best:
                kept.add(index)
            seen[pair.left] = seen.get(pair.left, 0) + 1
            seen[pair.right] = seen.get(pair.right, 0) + 1
    return sorted((pairs[index] for index in kept), key=lambda pair: (pair.residual, pair.left, pair.right))


def _colours_agree(left: NDArray[np.uint8], right: NDArray[np.uint8], *, mirrored: bool) -> NDArray[np.bool_]:
    """Whether the colours of thumbnails correlate, or one of the two has none; shape (n,)."""
    deviations = []
    for pictures in (left[:, :, ::-1] if mirrored else left, right):
        luma = gray(pictures).reshape(*pictures.shape[:3], 1)
        colour = pictures - luma
        deviations.append((colour - colour.mean(axis=(1, 2), keepdims=True)).reshape(len(pictures), -1))
    products = np.einsum("ij,ij->i", deviations[0], deviations[1])
    norms = [np.sqrt(np.einsum("ij,ij->i", deviation, deviation)) for deviation in deviations]
    least = LEAST_CHROMA * math.sqrt(3 * THUMBNAIL_SIDE**2)
    agree: NDArray[np.bool_] = (np.minimum(*norms) < least) | (products >= LEAST_ROUGH_MATCH * norms[0] * norms[1])
    return agree


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Measured:
    """Of pairs of thumbnails."""

    residual: NDArray[np.float32]
    before: NDArray[np.float32]
    """Where neither is cut."""
    whole: NDArray[np.bool_]
    windows: NDArray[np.float32]
    near: NDArray[np.bool_]


def _measured(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    windows: NDArray[np.float32],
    size: tuple[int, int],
    reference: Reference | None,
    *,
    cut: bool,
    tiny: bool,
) -> _Measured:
    small = reduced(one, size), reduced(other, size)
    bases = tone_basis(small[0]), tone_basis(small[1])
    residual = np.maximum(paired_residuals(bases[0], bases[1][0]), paired_residuals(bases[1], bases[0][0]))
    before = residual.copy()
    whole = np.ones(len(one), dtype=bool)
    found = np.tile(np.array(WHOLE, dtype=np.float32), (len(one), 1))
    tried = np.flatnonzero(residual > 0.002) if cut and reference is not None else np.zeros(0, dtype=np.int64)
    if len(tried) and reference is not None:
        squares = [
            soft(thumbnails[tried].reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE), min(size))
            for thumbnails in (one, other)
        ]
        fit = fitted(squares[0], squares[1], windows[tried])
        after = window_residuals(squares[0], squares[1], fit)
        # Where there are no finer pixels to decide, a window has to explain more than an unrelated neighbour's would.
        better = after < residual[tried] * (reference.shrink if min(size) < THUMBNAIL_SIDE else FEWER)
        residual[tried[better]], whole[tried[better]], found[tried[better]] = after[better], False, fit[better]
    limit = MAX_RESIDUAL if reference is not None else TINY_DATASET_RESIDUAL
    if reference is not None and tiny:
        limit = MAX_TINY_RESIDUAL
    return _Measured(residual=residual, before=before, whole=whole, windows=found, near=residual <= limit)


def _usual(
    reference: Reference | None,
    size: tuple[int, int],
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    measured: _Measured,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The yardstick and the dimension of each pair; the picture in the denser neighbourhood decides."""
    usual, local = np.ones(len(one)), np.ones(len(one))
    near = np.flatnonzero(measured.near)
    if reference is None or not len(near):
        return usual, local
    background = reference.background(size)
    sides = []
    for values, own in ((one, left), (other, right)):
        needed, where = np.unique(own[near], return_inverse=True)
        first = np.zeros(len(needed), dtype=np.int64)
        first[where] = near
        found = background.yardsticks(reduced(values[first], size), needed)
        sides.append((found[0][where], found[1][where]))
    usual[near] = np.minimum(sides[0][0], sides[1][0])
    local[near] = np.minimum(sides[0][1], sides[1][1])
    return usual, local


def chance_pairs(reference: Reference, residual: float, yardstick: float, dimension: float) -> float:
    """How many pairs of unrelated pictures in the dataset are expected to leave as little."""
    background = reference.background((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return float(
        background.chance_pairs(np.array([residual], np.float32), np.array([yardstick]), np.array([dimension]))[0]
    )


def oriented(values: NDArray[np.float32], *, mirrored: bool) -> NDArray[np.float32]:
    """Flattened thumbnails, left and right exchanged where asked for."""
    if not mirrored:
        return values
    squares = values.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return np.ascontiguousarray(squares[:, :, ::-1]).reshape(values.shape)
