"""Pairs of pictures that are one picture, up to recompression, resizing, tone, colour, mirroring and a small crop.

Three steps, each on what the one before left: candidates by hash and by vector; thumbnails more alike than chance
allows in this dataset; and a second look at the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dataguard.core.finding import Skipped
from dataguard.core.progress import Progress, silent
from dataguard.dataset.candidates import candidates
from dataguard.dataset.duplicates import Member
from dataguard.dataset.hamming import MAX_DISTANCE, collision_rates
from dataguard.dataset.near_pairs import NearDuplicatePair, NearDuplicates
from dataguard.dataset.picture_rows import PictureRows
from dataguard.dataset.registration import WHOLE, cut_off
from dataguard.dataset.second_look import SecondLook
from dataguard.dataset.second_looks import BlobStore, FilePair, second_looks
from dataguard.dataset.table import THUMBNAIL_SIDE, SampleTable, StoredPicture
from dataguard.dataset.thumbnail_likeness import Alike, Reference, alike, chance_pairs, most_alike

MAX_RESIDUAL_WITHOUT_DETAIL = 0.02
"""The most that a pair leaves unexplained where there is no fine detail to confirm it by."""
MAX_CHANCE_PAIRS = 0.05
"""Of chance pairs at least as alike, this many are expected in a whole dataset at most: one in 20 clean datasets
shows a false pair, before the second look."""
MAX_UNSAVED_RESIDUAL = 0.05
"""Pairs that are this much alike before one is saved with the other's JPEG tables gain from it without limit."""
ROUNDING = 0.75
"""Root mean square error in levels up to which an edit reproduces a picture: rounding before and after it gives 0.4."""
MAX_REPRODUCED_RESIDUAL = 0.003
"""And of the variance, so much at most: flat pictures are within a level of one another."""
MAX_SAVED_GAIN = 10.0
"""How many times smaller the residual may count for once one picture is saved with the other's JPEG tables."""
MIN_DETAIL = 0.5
"""The least correlation of fine detail."""
MAX_DETAIL = 0.9
"""The most that is asked of it."""
LEAST_RIVALS = 20
RIVAL_ERRORS = 4.3
"""The normal quantile that 5,000 pairs exceed 0.05 times."""
MIN_CHROMA = 0.9
"""The least correlation of colours, where both pictures have any."""
MAX_ONE_TONE_CHANGE = 0.01
"""Of silhouettes, the most of the variance of all colours that one change of tone may leave unexplained."""
MAX_CUT = 0.08
"""The largest share that may be cut off a side: larger windows fit things that are not one picture."""
MAX_SECOND_LOOKS = 20_000
"""The most pairs whose files are decoded; pairs across splits come first, then the most alike."""


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
        jobs: Threads; all processors where it is None.
        progress: Called now and then.
        cache: Where second looks are kept, so that an unchanged dataset is not decoded again.
        seed: Of the samples that stand for the dataset.

    Returns:
        The pairs; or why none were looked for.
    """
    rows = PictureRows.of(table)
    n = len(rows.hashes)
    if n < 2:
        return Skipped(reason="fewer than two pictures have a perceptual hash")
    reference = Reference.of(rows, seed)
    rate = float(collision_rates(rows.hashes, seed=seed)[max_distance])
    search = candidates(
        rows,
        None if reference is None else reference.projection,
        max_distance=max_distance,
        mirrored=mirrored,
        jobs=jobs,
        seed=seed,
        progress=progress,
    )
    # Every orientation, and the freedom to cut, is one more chance for a chance pair.
    tolerated = max_chance_pairs / (3 if mirrored else 2)
    found: list[Alike] = []
    for pairs in (search.plain, search.mirrored):
        if pairs is not None:
            found += alike(rows, pairs, reference, search.turned_hashes, progress)
    close = most_alike(found)
    members = rows.members(sorted({position for pair in close for position in (pair.left, pair.right)}))
    close.sort(key=lambda pair: (members[pair.left][0].split == members[pair.right][0].split, pair.residual))
    looked = close[:MAX_SECOND_LOOKS]
    looks: list[SecondLook | None] = [None] * len(looked)
    if verify:
        stored = table.stored_pictures(
            members[position][0].path or "" for pair in looked for position in (pair.left, pair.right)
        )
        looks = second_looks(
            [_files(pair, rows, members, stored) for pair in looked],
            max_residual=MAX_RESIDUAL_WITHOUT_DETAIL,
            max_cut=MAX_CUT,
            version_id=table.version_id,
            jobs=jobs,
            progress=progress,
            cache=cache,
        )
    least_detail = _least_detail(looked, looks)
    believed: dict[tuple[int, int], NearDuplicatePair] = {}
    for pair, look in zip(looked, looks, strict=True):
        if verify and look is None:
            continue
        evidence = _believed(pair, look, reference, tolerated, least_detail)
        if evidence is not None:
            made = _pair(pair, look, members[pair.left][0], members[pair.right][0], *evidence)
            key = min(pair.left, pair.right), max(pair.left, pair.right)
            known = believed.setdefault(key, made)
            if (made.residual or 0.0) < (known.residual or 0.0):
                believed[key] = made
    found_pairs = sorted(
        believed.values(), key=lambda pair: (pair.residual or 0.0, pair.left.sample_id, pair.right.sample_id)
    )
    background = None if reference is None else reference.background((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return NearDuplicates(
        pairs=tuple(found_pairs),
        sizes=rows.sizes,
        n_hashed=n,
        n_candidates=search.n_candidates,
        n_alike=len(close),
        n_looked=sum(look is not None for look in looks),
        max_distance=search.max_distance,
        asked_distance=max_distance,
        collision_rate=rate,
        dimension=None if background is None else background.dimension,
        typical_residual=None if background is None else background.typical_residual,
        truncated=search.truncated or len(close) > MAX_SECOND_LOOKS,
        n_textureless=rows.n_textureless,
        figures={} if reference is None else _figures(reference, least_detail),
    )


def _files(
    pair: Alike, rows: PictureRows, members: Mapping[int, tuple[Member, str]], stored: Mapping[str, StoredPicture]
) -> FilePair:
    (left, content), (right, other) = members[pair.left], members[pair.right]
    both = [pair.left, pair.right]
    return FilePair(
        left=stored[left.path or ""],
        right=stored[right.path or ""],
        contents=(content, other),
        longest=int(max(rows.heights[both].max(), rows.widths[both].max())),
        mirrored=pair.mirrored,
        window=pair.window,
        shrink=pair.shrink,
    )


def _figures(reference: Reference, least_detail: float) -> Mapping[str, float]:
    return {
        "correlation of fine detail, at least": round(least_detail, 3),
        "intrinsic dimension where pictures may be cut to fit": round(reference.cut_dimension, 2),
        "share of the residual that is left when unrelated neighbours are cut to fit": round(reference.shrink, 3),
    }


def _least_detail(pairs: Sequence[Alike], looks: Sequence[SecondLook | None]) -> float:
    """How well detail must correlate, given how well it does in pairs of pictures that each have a better partner.

    These rivals are hardly ever copies: of the candidates of a picture, they are the second and the third. Their
    correlations, by Fisher's transformation close to normal, are exceeded by one in 20 datasets at `RIVAL_ERRORS`
    standard deviations; copies among them make it larger, never smaller.
    """
    best: dict[int, float] = {}
    for pair, look in zip(pairs, looks, strict=True):
        for member in (pair.left, pair.right):
            best[member] = max(best.get(member, -1.0), -1.0 if look is None else look.detail or -1.0)
    rivals = [
        math.atanh(min(0.999, look.detail))
        for pair, look in zip(pairs, looks, strict=True)
        if look is not None
        and look.detail is not None
        and look.detail < best[pair.left]
        and look.detail < best[pair.right]
    ]
    if len(rivals) < LEAST_RIVALS:
        return MIN_DETAIL
    low, middle, high = np.quantile(rivals, (0.25, 0.5, 0.75))
    spread = max(middle - low, high - middle) / 0.6745
    return float(min(MAX_DETAIL, max(MIN_DETAIL, math.tanh(middle + RIVAL_ERRORS * spread))))


def _believed(
    pair: Alike, look: SecondLook | None, reference: Reference | None, tolerated: float, least_detail: float
) -> tuple[float, float | None] | None:
    """The residual and the chance pairs in force, or None for a pair that is not believed."""
    residual, chance = pair.residual, pair.chance_pairs
    if look is not None:
        if cut_off(look.window) > MAX_CUT:
            return None
        if look.chroma is not None and look.chroma < MIN_CHROMA:
            return None
        if look.silhouette and look.chroma is not None and look.one_tone_change > MAX_ONE_TONE_CHANGE:
            return None
        if look.silhouette and look.window != WHOLE and look.detail is not None and (look.inner or 0.0) < MIN_DETAIL:
            # One outline, cut to fit another: only what is within it can speak for it.
            return None
        if look.detail is not None:
            if look.detail < least_detail:
                return None
            return residual, chance
        if look.residual > MAX_RESIDUAL_WITHOUT_DETAIL:
            return None
        if look.colour_residual is not None and look.colour_residual > MAX_RESIDUAL_WITHOUT_DETAIL:
            return None
        if look.detail is None and reference is not None:
            # Pictures no larger than a thumbnail were not seen as they are before.
            reproduced = look.error <= ROUNDING and look.residual <= MAX_REPRODUCED_RESIDUAL
            if reproduced and look.unsaved_residual <= MAX_UNSAVED_RESIDUAL:
                return look.residual, None
            residual = look.residual
            if look.unsaved_residual > MAX_UNSAVED_RESIDUAL:
                # Saving both alike makes unrelated smooth pictures alike too: it counts for so much and no more.
                residual = max(residual, look.unsaved_residual / MAX_SAVED_GAIN)
            yardstick = pair.yardstick * (1.0 if look.window == WHOLE else pair.shrink)
            dimension = pair.dimension if look.window == WHOLE else min(pair.dimension, reference.cut_dimension)
            chance = chance_pairs(reference, residual, yardstick, dimension)
    if chance is not None and chance > tolerated:
        return None
    return residual, chance


def _pair(
    pair: Alike, look: SecondLook | None, left: Member, right: Member, residual: float, chance: float | None
) -> NearDuplicatePair:
    return NearDuplicatePair(
        left=left,
        right=right,
        distance=pair.distance,
        residual=residual,
        chance_pairs=chance,
        mirrored=pair.mirrored,
        detail=None if look is None else look.detail,
        chroma=None if look is None else look.chroma,
        window=pair.window if look is None else look.window,
        saved_again=False if look is None else look.saved_again,
    )
