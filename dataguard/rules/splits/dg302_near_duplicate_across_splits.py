"""DG302: one picture, saved differently, in two splits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated

from dataguard.core.exhibit import PairGallery, PicturePair
from dataguard.core.finding import Confidence, Finding, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.class_counts import is_training
from dataguard.dataset.duplicates import Member
from dataguard.dataset.near_duplicates import NearDuplicatePair, NearDuplicates

SHOWN = 50
"""Pairs in an exhibit; the locations hold all."""


@rule("DG302", "near-duplicate-across-splits", Severity.ERROR)
def near_duplicate_across_splits(
    near: NearDuplicates, *, max_share: Annotated[float, Between(low=0, high=1)] = 0.0
) -> Iterator[Outcome]:
    """The same picture, saved with another size, quality or tone, is in two splits.

    ## What it does

    Finds pairs of pictures in two splits that are one picture up to recompression, resizing, brightness, contrast, a
    moderate tone curve, noise, the loss of colour, or an exchange of left and right. Crops, rotations and overlays are
    not looked for. Copies with equal bytes are DG301's.

    ## Why is this bad?

    A model that has seen a picture in training recognizes its JPEG of another quality. What is measured on such
    pictures is memory: a share s of them lifts an accuracy a by up to s·(1 − a).

    ## How it decides

    1. *Hash.* 64-bit DCT hashes within 7 bits, by four bands of 16 bits with one bit flipped: exact, without comparing
       all pairs. Where more than 10⁶ pairs or 4·10⁹ comparisons would come of it, the distance is lowered, and the
       report says to what. Pictures without texture have no hash and are left out.
    2. *Thumbnail.* The residual is the share of the variance of one 32×32 gray thumbnail that the best quadratic
       function of the other leaves unexplained, the larger of both directions. A pair stays if it is at most 0.2 and
       if at most 0.05 pairs of unrelated pictures are expected to be as alike *in this dataset*: around a picture
       whose k-th neighbour among m random pictures (at most 2,048; k = max(5, m/50)) has residual r_k, chance gives
       n·(k/m)·(r/r_k)^(d/2) neighbours with residual r among n, and n/2 times that pairs in all. d is the intrinsic
       dimension (Levina and Bickel's estimate at the median, less two standard errors). So one clean dataset in 20
       has a chance pair at most, by this step alone. Below 12 pictures nothing can be estimated, and the residual must
       be at most 0.01.
    3. *Second look.* The files are decoded and compared at their common resolution, at most 192 pixels wide. Detail
       finer than the thumbnail's must correlate by 0.5 (copies: 0.69 and more; unrelated pictures: about 0), and
       colours, where both pictures have any, by 0.9 (copies: 0.96 and more). Pictures no larger than a thumbnail have
       no such detail; there the residual must be at most 0.02, which JPEG at quality 75 stays below in the median.

    Counted are the pictures of the evaluation split with such a pair; a share above `max_share` (0, as copies cost
    nothing to remove) is reported. Near-duplicates shared with training are an error; shared by two evaluation
    splits, a warning. Confidence is high where fine detail agrees, and medium where the pictures are too small to
    have any.

    *Measured* (`benchmarks/near_duplicates.py`, 100 planted in about 1,550 photograph-like pictures). JPEG 50 to 95,
    resizing by 0.5 to 2, brightness, contrast, gray, noise of 10 levels and mirroring: 99 to 100 found; gamma 0.6 and
    1.6: 94 and 97; none false. Untouched handwritten digits of 8×8 pixels: none reported. Unrelated ones are so alike
    that only nearly lossless copies stand out (JPEG 95, contrast, mirroring: 100 of 100; JPEG 75, noise: none). 1,500
    plain shapes on white: 23 pairs, each of one shape in one place in another shade.

    More than k near-copies of one picture among the m hide one another.

    ## Example

    >>> from dataguard.dataset.duplicates import Member
    >>> from dataguard.dataset.near_duplicates import NearDuplicatePair, NearDuplicates
    >>> pair = NearDuplicatePair(
    ...     left=Member(sample_id="a.jpg", split="train", path="a.jpg"),
    ...     right=Member(sample_id="b.jpg", split="test", path="b.jpg"),
    ...     distance=2, residual=0.001, chance_pairs=1e-9, detail=0.97)
    >>> finding, _ = near_duplicate_across_splits(NearDuplicates.from_pairs([pair], sizes={"train": 900, "test": 100}))
    >>> print(finding.message)
    1 of 100 pictures of test (1.00 %) is a near-duplicate of one in train

    ## How to fix

    Look at the pairs. Delete the copies from the training split, so that the evaluation split stays what earlier
    results were measured on, and measure again. Where one scene was photographed many times, split by scene.

    ## References

    - B. Barz, J. Denzler: Do We Train on Test Data? Purging CIFAR of Near-Duplicates, Journal of Imaging 2020.
    - C. Zauner: Implementation and benchmarking of perceptual image hash functions, 2010.
    - M. Norouzi, A. Punjani, D. Fleet: Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012.
    - E. Levina, P. Bickel: Maximum Likelihood Estimation of Intrinsic Dimension, NIPS 2004.
    - S. Karlin, S. Altschul: Methods for assessing the statistical significance of molecular sequence features by using
      general scoring schemes, PNAS 1990 (the expected number of chance hits of a search).
    """
    if len(near.sizes) < 2:
        yield Skipped(
            reason="there is only one split", hint="name the splits, as folders train/ and test/ or a split column"
        )
        return
    shared = {}
    for left, right in itertools.combinations(near.sizes, 2):
        pairs = [oriented for pair in near.pairs if (oriented := _oriented(pair, left, right)) is not None]
        shared[left, right] = len({member.sample_id for _, member, _ in pairs})
        if is_training(left) and is_training(right):
            continue
        if shared[left, right] > max_share * near.sizes[right]:
            yield _finding(near, left, right, pairs, max_share)
    yield _observation(near, shared, max_share)


def _oriented(pair: NearDuplicatePair, left: str, right: str) -> tuple[Member, Member, NearDuplicatePair] | None:
    """The members in the left and the right split."""
    if (pair.left.split, pair.right.split) == (left, right):
        return pair.left, pair.right, pair
    if (pair.right.split, pair.left.split) == (left, right):
        return pair.right, pair.left, pair
    return None


def _finding(
    near: NearDuplicates,
    left: str,
    right: str,
    pairs: Sequence[tuple[Member, Member, NearDuplicatePair]],
    max_share: float,
) -> Finding:
    related: dict[str, list[Member]] = {}
    members: dict[str, Member] = {}
    reasons: dict[str, str] = {}
    for first, second, pair in pairs:
        related.setdefault(second.sample_id, []).append(first)
        members.setdefault(second.sample_id, second)
        reasons.setdefault(second.sample_id, pair.why)
    n, total = len(members), near.sizes[right]
    training = is_training(left) or is_training(right)
    names = left or "the samples without a split", right or "the samples without a split"
    return near_duplicate_across_splits.finding(
        f"{n:,} of {total:,} pictures of {names[1]} ({n / total * 100:.2f} %) "
        f"{'is a near-duplicate' if n == 1 else 'are near-duplicates'} of {'one' if n == 1 else 'some'} in {names[0]}",
        remedy=f"Look at the pairs; delete the copies from {names[0]}, or move them to one split, and measure on "
        f"{names[1]} again.",
        severity=Severity.ERROR if training else Severity.WARNING,
        confidence=Confidence.HIGH if all(pair.detail is not None for _, _, pair in pairs) else Confidence.MEDIUM,
        measurements=(
            Measurement(
                name=f"share of {names[1]} with a near-duplicate in {names[0]}",
                value=n / total,
                threshold=max_share,
                n=total,
                unit="share",
            ),
            Measurement(
                name=f"widest 95 % sampling error of an accuracy on {names[1]}",
                value=0.98 / total**0.5,
                n=total,
                unit="share",
            ),
            Measurement(name="pairs", value=len(pairs)),
        ),
        locations=tuple(members[name].location(related[name], note=reasons[name]) for name in members),
        exhibits=(
            PairGallery(
                title=f"Near-duplicates in {names[0]} and {names[1]}, most alike first",
                pairs=tuple(
                    PicturePair(left=first.picture(), right=second.picture(), caption=pair.why)
                    for first, second, pair in pairs[:SHOWN]
                ),
                total=len(pairs),
            ),
        ),
        key=(left, right),
    )


def _observation(near: NearDuplicates, shared: dict[tuple[str, str], int], max_share: float) -> Observation:
    message = (
        f"{near.n_hashed:,} pictures: {near.n_candidates:,} pairs within {near.max_distance} bits, "
        f"{near.n_alike:,} more alike than chance allows, {len(near.pairs):,} confirmed"
    )
    if near.max_distance < near.asked_distance:
        message += f"; the distance was lowered from {near.asked_distance} because too many hashes collide"
    if near.truncated:
        message += "; not all candidates could be looked at, so there may be more"
    figures = [
        Measurement(
            name=f"pictures of {right or 'the samples without a split'} with a near-duplicate in "
            f"{left or 'the samples without a split'}",
            value=n,
            threshold=max_share * near.sizes[right],
            n=near.sizes[right],
        )
        for (left, right), n in shared.items()
    ]
    figures += [
        Measurement(name="Hamming distance", value=near.max_distance, threshold=near.asked_distance),
        Measurement(name="share of random pairs within it", value=near.collision_rate, unit="share"),
    ]
    if near.dimension is not None and near.typical_residual is not None:
        figures += [
            Measurement(name="intrinsic dimension of the pictures", value=round(near.dimension, 2)),
            Measurement(name="residual to the nearest neighbour, median", value=near.typical_residual, unit="share"),
        ]
    return Observation(message=message, measurements=tuple(figures))
