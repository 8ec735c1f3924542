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

    PAGE

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

    Look at the pairs.

    ## References

    - x
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
