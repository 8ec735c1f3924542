"""Batches and epochs that come again: by ids or content hashes, and by labels alone where samples are augmented."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.batches.composition import batch_index
from dataguard.batches.matches import agreement, paired
from dataguard.batches.positions import successor_log_moments
from dataguard.batches.runs import canonical
from dataguard.batches.significance import SMALLEST, OrderTest, cantelli, decide, gamma_tail, moment_bound, shuffles
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

EpochKind = Literal[
    "the same order",
    "the same order, rotated",
    "the same order, reversed",
    "the same batches in another order",
    "the same batches, shuffled within",
    "partly the same order",
    "batches of mostly the same samples",
    "reshuffled",
]
"""How an epoch relates to the one before, most telling first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedBatches:
    """Batches that hold the same samples, whatever their order within."""

    groups: tuple[tuple[int, ...], ...]
    """Indices of the batches that are equal, in the order of the stream; only groups of two or more, largest first."""
    repeats: int
    """How many batches had come before."""
    batches: int
    """How many batches were compared: those of two samples or more."""
    test: OrderTest


def repeated_batches(ids: NDArray[np.generic], batch_sizes: NDArray[np.integer]) -> RepeatedBatches | Inconclusive:
    """Whether a batch comes twice.

    Under shuffling, a batch with o_h of the c_h samples of each id h in the stream equals another one, taken from the
    rest, with probability Π C(c_h − o_h, o_h)/C(N − B, B). The expected number of equal pairs, over the number found,
    bounds the p-value (Markov). So copies in the dataset, small data and sampling with replacement are allowed for.

    Args:
        ids: Sample ids or content hashes in the order of the stream, shape (n,); one epoch or more.
        batch_sizes: Shape (batches,), adding up to n.

    Raises:
        ValueError: the sizes do not add up.

    Example:
        >>> found = repeated_batches(np.tile(np.arange(32), 5), np.full(5, 32))
        >>> found.groups, found.repeats, found.test.p_value < 1e-6
        (((0, 1, 2, 3, 4),), 4, True)
    """
    codes = canonical(np.unique(np.asarray(ids), return_inverse=True)[1])
    sizes = np.asarray(batch_sizes)
    batch = batch_index(sizes, len(codes))
    usable = int((sizes > 1).sum())
    if usable < 2:
        return Inconclusive(reason=f"{usable} batches of two samples or more are too few to find one that comes twice")
    ordered = codes[np.lexsort((codes, batch))]
    ends = np.cumsum(sizes)
    found: dict[bytes, list[int]] = defaultdict(list)
    for index in np.flatnonzero(sizes > 1).tolist():
        found[ordered[ends[index] - sizes[index] : ends[index]].tobytes()].append(index)
    groups = sorted(
        (tuple(group) for group in found.values() if len(group) > 1), key=lambda group: (-len(group), group)
    )
    pairs = sum(math.comb(len(group), 2) for group in groups)
    expected = _equal_pairs(ordered, sizes, ends)
    repeats = sum(len(group) - 1 for group in groups)
    test = OrderTest(
        name="batches that come again",
        statistic=pairs,
        expected=expected,
        deviation=None,
        p_value=min(1.0, max(expected / pairs, SMALLEST)) if pairs else 1.0,
        tail="upper",
        n=len(codes),
        method="bound",
        effect=f"{repeats:,} of {usable:,} batches hold the samples of an earlier one, {expected:.2g} if shuffled",
    )
    return RepeatedBatches(groups=tuple(groups), repeats=repeats, batches=usable, test=test)


def _equal_pairs(ordered: NDArray[np.int32], sizes: NDArray[np.integer], ends: NDArray[np.int64]) -> float:
    """The expected number of equal pairs of batches."""
    from scipy.special import gammaln

    n = len(ordered)
    counts = np.bincount(ordered)
    batch = np.repeat(np.arange(len(sizes)), sizes)
    cells, observed = np.unique(batch * len(counts) + ordered.astype(np.int64), return_counts=True)
    left = counts[cells % len(counts)] - observed
    with np.errstate(invalid="ignore"):
        log_choose = np.where(
            left >= observed,
            gammaln(left + 1) - gammaln(observed + 1) - gammaln(np.maximum(left - observed, 0) + 1),
            -np.inf,
        )
    logs = np.zeros(len(sizes))
    np.add.at(logs, cells // len(counts), log_choose)
    size = sizes.astype(np.float64)
    rest = np.maximum(n - size, size)
    logs -= gammaln(rest + 1) - gammaln(size + 1) - gammaln(rest - size + 1)
    values, inverse, frequency = np.unique(sizes, return_inverse=True, return_counts=True)
    others = (frequency[inverse] - 1) * (values[inverse] > 1)
    del ends
    return float((np.exp(np.minimum(logs, 0.0)) * others).sum() / 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochComparison:
    """An epoch's order against the one before."""

    kind: EpochKind
    common: int
    """Samples that occur exactly once in both; for labels, all."""
    offset: int
    """By how many samples it is rotated; 0 otherwise."""
    equal_batches: int
    """Batches that hold the same samples as one of the epoch before."""
    tests: tuple[OrderTest, ...]
    """Preserved neighbours, then batch mates where batches have two samples; for labels, equal places."""


def compare_epochs(
    first: NDArray[np.generic],
    first_sizes: NDArray[np.integer],
    second: NDArray[np.generic],
    second_sizes: NDArray[np.integer],
    *,
    seed: int = 0,
) -> EpochComparison | Inconclusive:
    """Whether the second epoch repeats the order, or the batches, of the first.

    Reshuffled, about one sample is followed by the same one as before (Poisson's law; `positions.successors`), and the
    number of pairs that share a batch in both epochs has mean P₁P₂/C(N, 2), where P is the number of pairs within
    batches: for equal sizes M C(B, 2)(B − 1)/(N − 1).

    Args:
        first: Sample ids or hashes of one epoch in order, shape (n,).
        first_sizes: Its batch sizes, adding up to n.
        second: The same of a later epoch, shape (m,).
        second_sizes: Its batch sizes, adding up to m.
        seed: Seed of permutations.

    Returns:
        Inconclusive where fewer than two samples occur once in both: hashes of augmented samples never agree.

    Raises:
        ValueError: the sizes do not add up.

    Example:
        >>> ids, sizes = np.arange(96), np.full(3, 32)
        >>> compare_epochs(ids, sizes, np.roll(ids, 10), sizes).kind
        'the same order, rotated'
    """
    first_batch, second_batch = batch_index(first_sizes, len(first)), batch_index(second_sizes, len(second))
    a, b = paired(np.asarray(first), np.asarray(second))
    ids = int(max(a.max(initial=-1), b.max(initial=-1))) + 1
    once = (np.bincount(a, minlength=ids) == 1) & (np.bincount(b, minlength=ids) == 1)
    common = int(once.sum())
    if common < 2:
        return Inconclusive(
            reason=f"{common} samples occur once in both epochs (ids are missing, or samples are augmented or repeated)"
        )
    place = np.full(ids, -1)
    place[a] = np.arange(len(a))
    place[~once] = -1
    at = place[b]  # where in the first epoch each sample of the second stands; -1 where that says nothing
    known = (at[1:] >= 0) & (at[:-1] >= 0)
    step = np.where(known, np.diff(at), 0)
    forward, backward = int((step == 1).sum()), int((step == -1).sum())
    tests = [_preserved(max(forward, backward), common)]
    if min(np.max(first_sizes), np.max(second_sizes)) > 1:
        kept = at >= 0
        tests.append(_batch_mates(first_batch[at[kept]], second_batch[kept], common, seed))
    equal = _equal_batches(a, first_sizes, b, second_sizes)
    kind, offset = _kind(at, forward, backward, equal, int((np.asarray(second_sizes) > 1).sum()), common, tests)
    return EpochComparison(kind=kind, common=common, offset=offset, equal_batches=equal, tests=tuple(tests))


def _preserved(count: int, common: int) -> OrderTest:
    mean = (common - 1) / common
    bound = moment_bound(successor_log_moments(common, common, min(count, 512, common - 1)), count)
    return OrderTest(
        name="neighbours kept from the epoch before",
        statistic=count,
        expected=mean,
        deviation=1.0,
        p_value=min(1.0, 2 * bound),
        tail="upper",
        n=common,
        method="bound",
        effect=f"{count:,} of {common - 1:,} samples have the neighbour of the epoch before, about 1 if reshuffled",
    )


def _batch_mates(before: NDArray[np.int64], now: NDArray[np.int64], common: int, seed: int) -> OrderTest:
    groups, batch = canonical(before), canonical(now).astype(np.int64)
    width = int(groups.max()) + 1

    def pairs(orders: NDArray[np.int32]) -> NDArray[np.float64]:
        cells = orders + batch * width
        cells.sort(axis=1)
        found, distance = np.zeros(len(cells)), 1
        while distance < common:
            equal = cells[:, distance:] == cells[:, :-distance]
            if not equal.any():
                break
            found += equal.sum(axis=1)
            distance += 1
        return found

    sizes, others = np.bincount(batch).astype(np.float64), np.bincount(groups).astype(np.float64)
    mean, deviation = _pairs_moments(sizes, others, common)
    observed = float(pairs(groups[None])[0])
    found = decide(
        observed,
        tail="upper",
        asymptotic=gamma_tail(observed - 0.5, mean, deviation, "upper"),
        bound=cantelli((observed - mean) / deviation) if deviation else 1.0,
        simulate=lambda rng, m: pairs(shuffles(rng, groups, m)),
        draws=2 * common,
        seed=seed,
    )
    most = float((sizes * (sizes - 1)).sum() / 2)
    return found.order_test(
        name="batch mates kept from the epoch before",
        statistic=observed,
        expected=mean,
        deviation=deviation,
        tail="upper",
        n=common,
        effect=f"{observed:,.0f} of {most:,.0f} pairs within a batch shared one before, {mean:,.1f} if reshuffled",
    )


def _pairs_moments(rows: NDArray[np.float64], columns: NDArray[np.float64], n: int) -> tuple[float, float]:
    """Exact mean and deviation of the number of pairs that agree in row and in column, under a random permutation.

    With r_j and c_j = Σ n⁽ʲ⁾ over rows or columns, pairs of pairs share two elements, one or none: E[S²] =
    r2 c2/2N⁽²⁾ + r3 c3/N⁽³⁾ + (r22 c22)/4N⁽⁴⁾, where r22 = r2² − Σ(n⁽²⁾)² + r4 counts disjoint pairs.
    """
    second, third, disjoint = [], [], []
    for sizes in (rows, columns):
        two = sizes * (sizes - 1)
        three = two * (sizes - 2)
        second.append(float(two.sum()))
        third.append(float(three.sum()))
        disjoint.append(float((three * (sizes - 3)).sum() + two.sum() ** 2 - (two**2).sum()))
    falling = [math.prod(n - i for i in range(j)) for j in range(5)]
    mean = second[0] * second[1] / (2 * falling[2])
    square = mean
    if n > 2:
        square += third[0] * third[1] / falling[3]
    if n > 3:
        square += disjoint[0] * disjoint[1] / (4 * falling[4])
    return mean, math.sqrt(max(square - mean**2, 0.0))


def _batch_keys(codes: NDArray[np.int64], sizes: NDArray[np.integer], *, ordered: bool) -> list[bytes]:
    ends = np.cumsum(sizes)
    parts = (codes[end - size : end] for size, end in zip(sizes, ends, strict=True) if size > 1)
    return [(part if ordered else np.sort(part)).tobytes() for part in parts]


def _equal_batches(
    a: NDArray[np.int64], first_sizes: NDArray[np.integer], b: NDArray[np.int64], second_sizes: NDArray[np.integer]
) -> int:
    before = set(_batch_keys(a, np.asarray(first_sizes), ordered=False))
    return sum(key in before for key in _batch_keys(b, np.asarray(second_sizes), ordered=False))


def _kind(
    at: NDArray[np.int64],
    forward: int,
    backward: int,
    equal: int,
    batches: int,
    common: int,
    tests: list[OrderTest],
    level: float = 1e-4,
) -> tuple[EpochKind, int]:
    """The kind of repetition, and the offset where it is a rotation. Exact kinds come before statistical ones."""
    n = len(at)
    kept = at[at >= 0]
    significant = tests[0].p_value < level
    if common == n and np.array_equal(at, np.arange(n)):
        return "the same order", 0
    if significant and np.all(np.diff(kept) > 0):
        return "the same order", 0
    if significant and common == n and np.all(np.diff((at - at[0]) % (int(at.max()) + 1)) > 0):
        return "the same order, rotated", int(-at[0]) % n
    if significant and np.all(np.diff(kept) < 0):
        return "the same order, reversed", 0
    mates = len(tests) > 1 and tests[1].p_value < level
    if (significant or mates) and equal == batches:
        inner = max(forward, backward) >= 0.5 * (common - batches)
        return ("the same batches in another order" if inner else "the same batches, shuffled within"), 0
    if significant:
        return "partly the same order", 0
    if mates:
        return "batches of mostly the same samples", 0
    return "reshuffled", 0


def compare_label_epochs(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    batch_sizes: NDArray[np.integer],
) -> EpochComparison | Inconclusive:
    """Whether a later epoch has the labels of an earlier one in the same order, where augmentation hides the samples.

    Reshuffled, both sequences agree at Σ n_k²/N places; the bound of `matches.agreement` gives the p-value of more.
    That a whole sequence comes again has probability Π n_k!/N! (times N for a rotation, times 2 for a reversal). A
    batch's labels come again as a sequence with probability Π n_k⁽ᵒₖ⁾/N⁽ᴮ⁾; the expected number over the number found
    bounds the p-value of batches in another order. Labels cannot show batches that are shuffled within.

    Args:
        first: Labels of one epoch in order, shape (n,).
        second: Labels of a later epoch, shape (n,).
        batch_sizes: Sizes of the batches of both, shape (batches,), adding up to n.

    Returns:
        Inconclusive where the lengths differ, or all labels are the same.

    Raises:
        ValueError: the sizes do not add up.
    """
    if len(first) != len(second):
        return Inconclusive(
            reason=f"epochs of {len(first)} and {len(second)} samples cannot be compared by labels alone"
        )
    places = agreement(
        first, second, name="labels kept from the epoch before", what="labels stand where they did before"
    )
    if isinstance(places, Inconclusive):
        return places
    a, b = paired(np.asarray(first), np.asarray(second))
    sizes = np.asarray(batch_sizes)
    batch_index(sizes, len(a))
    n = len(a)
    whole = _sequence_chance(np.bincount(a))
    equal, batches = _equal_label_batches(a, b, sizes)
    kind: EpochKind = "reshuffled"
    offset = 0
    sequence: OrderTest | None = None
    if np.array_equal(a, b):
        kind = "the same order"
    else:
        found = b.tobytes()
        offset = _rotation(a, b)
        if offset:
            kind, sequence = "the same order, rotated", _sequence_test("rotated", whole * n, n)
        elif found == a[::-1].tobytes():
            kind, sequence = "the same order, reversed", _sequence_test("reversed", whole * 2, n)
        elif batches.p_value < 1e-4 and equal == int((sizes > 1).sum()):
            kind = "the same batches in another order"
        elif min(places.p_value, batches.p_value) < 1e-4:
            kind = "partly the same order"
    if sequence is not None and sequence.p_value > 1e-4:
        kind, offset = "reshuffled", 0
    tests = (places, batches) if sequence is None else (places, batches, sequence)
    return EpochComparison(kind=kind, common=n, offset=offset, equal_batches=equal, tests=tests)


def _sequence_chance(counts: NDArray[np.integer]) -> float:
    from scipy.special import gammaln

    return math.exp(float(gammaln(counts + 1).sum() - gammaln(counts.sum() + 1)))


def _rotation(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """By how much `a` must be rolled to become `b`; 0 where no rotation does."""
    twice = b.astype(np.int64).tobytes() * 2
    at = twice.find(a.astype(np.int64).tobytes())
    while at >= 0 and at % 8:
        at = twice.find(a.astype(np.int64).tobytes(), at + 1)
    return at // 8 if at > 0 else 0


def _sequence_test(way: str, chance: float, n: int) -> OrderTest:
    return OrderTest(
        name=f"the labels of the epoch before, {way}",
        statistic=1.0,
        expected=min(1.0, chance),
        deviation=None,
        p_value=min(1.0, max(chance, SMALLEST)),
        tail="upper",
        n=n,
        method="bound",
        effect=f"all {n:,} labels are those of the epoch before, {way}",
    )


def _equal_label_batches(
    a: NDArray[np.int64], b: NDArray[np.int64], sizes: NDArray[np.integer]
) -> tuple[int, OrderTest]:
    """Batches of the second epoch whose labels, in order, are those of a batch of the first; and how likely that is."""
    from scipy.special import gammaln

    n = len(a)
    counts = np.bincount(b, minlength=int(max(a.max(), b.max())) + 1)
    before = set(_batch_keys(a, sizes, ordered=True))
    equal = sum(key in before for key in _batch_keys(b, sizes, ordered=True))
    same_size = dict(zip(*(part.tolist() for part in np.unique(sizes, return_counts=True)), strict=True))
    expected = 0.0
    for key in before:
        labels = np.frombuffer(key, dtype=np.int64)
        used = np.bincount(labels, minlength=len(counts))
        if (used <= counts).all():
            log_chance = float((gammaln(counts + 1) - gammaln(counts - used + 1)).sum())
            log_chance += float(gammaln(n - len(labels) + 1) - gammaln(n + 1))
            expected += same_size[len(labels)] * math.exp(log_chance)
    test = OrderTest(
        name="label sequences of batches kept from the epoch before",
        statistic=equal,
        expected=expected,
        deviation=None,
        p_value=min(1.0, max(expected / equal, SMALLEST)) if equal else 1.0,
        tail="upper",
        n=n,
        method="bound",
        effect=f"{equal:,} of {int((sizes > 1).sum()):,} batches have the label sequence of an earlier one, "
        f"{expected:.2g} if reshuffled",
    )
    return equal, test


def overlap(first: NDArray[np.generic], second: NDArray[np.generic], source_size: int) -> OrderTest | Inconclusive:
    """Whether the first parts of two epochs hold the same samples more often than by drawing them anew.

    The number of samples in both is hypergeometric, with mean nm/N: exact. Too many show a shuffle that reaches only
    the neighbourhood, as a small buffer does: each epoch then begins with the same part of the source.

    Args:
        first: Ids or hashes of the first part of one epoch, shape (n,).
        second: The same of another epoch, shape (m,).
        source_size: Samples in the source, N.

    Returns:
        Inconclusive where a sample comes twice within a part (sampling with replacement, or copies), or both parts
        together must hold the same samples since one is the whole source.

    Example:
        >>> test = overlap(np.arange(100), np.arange(100)[::-1], 1000)
        >>> int(test.statistic), test.expected, test.p_value < 1e-100
        (100, 10.0, True)
    """
    from scipy.stats import hypergeom

    one, other = np.unique(first), np.unique(second)
    n, m = len(one), len(other)
    if n < len(first) or m < len(second):
        return Inconclusive(reason="samples come twice within an epoch")
    if not 0 < min(n, m) <= max(n, m) < source_size:
        return Inconclusive(reason=f"parts of {n} and {m} of {source_size} samples cannot differ, or are not parts")
    both = len(np.intersect1d(one, other, assume_unique=True))
    law = hypergeom(source_size, n, m)
    return OrderTest(
        name="samples at the beginning of both epochs",
        statistic=both,
        expected=n * m / source_size,
        deviation=float(law.std()),
        p_value=float(min(1.0, max(law.sf(both - 1), SMALLEST))),
        tail="upper",
        n=m,
        method="exact",
        effect=f"{both:,} of {m:,} samples were among the first of the epoch before, {law.mean():,.0f} if reshuffled",
    )
