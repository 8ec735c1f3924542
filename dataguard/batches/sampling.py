"""How samples were drawn: which sampler a stream looks like, and whether it delivers every sample once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.batches.composition import batch_index, class_totals, composition, drift, prefix
from dataguard.batches.runs import Period, alternation, canonical, clustering, period
from dataguard.batches.significance import SMALLEST, OrderTest, gamma_tail
from dataguard.core.multiple_tests import holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

SamplerName = Literal[
    "clustered by class",
    "round robin",
    "P classes × K samples",
    "class-balanced batches",
    "stratified batches",
    "class-balanced sampling",
    "weighted sampling",
    "sampling with replacement",
    "shuffled",
    "unknown",
]
"""What a stream looks like."""

DELIBERATE = frozenset(
    {
        "P classes × K samples",
        "class-balanced batches",
        "stratified batches",
        "class-balanced sampling",
        "weighted sampling",
        "sampling with replacement",
    }
)
"""Samplers that someone chose: their order is not random, and not a fault."""

NAME_LEVEL = 1e-3
"""p-value, corrected for all tests made, below which a stream is no longer called shuffled."""


CYCLIC = 0.9
"""Share of samples with the class of the one a fixed lag before, from which batches count as round robin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplerKind:
    """A sampler by the marks that it leaves."""

    name: SamplerName
    deliberate: bool
    """Whether someone chose it: a balanced, stratified or weighted sampler, which is not a fault."""
    evidence: str
    """A phrase that says by what it was recognised."""
    tests: tuple[OrderTest, ...]
    """What was looked at; p-values as they stand, each before correction."""


def sampler_kind(
    codes: NDArray[np.integer],
    batch_sizes: NDArray[np.integer],
    *,
    dataset: NDArray[np.integer] | None = None,
    ids: NDArray[np.generic] | None = None,
    seed: int = 0,
) -> SamplerKind:
    """Which sampler a stream looks like, from labels, and from ids where there are any.

    Exact marks come first: the same number of each class in every batch (class-balanced), of each class present in it
    (P × K), or in proportion (stratified: each class within one of its share in all batches). Then statistical ones at
    `NAME_LEVEL` after Holm: joins, drift, period, spread over batches, and the mix against the dataset's.

    Args:
        codes: Class of each sample of one epoch, in order, shape (n,).
        batch_sizes: Shape (batches,), adding up to n.
        dataset: Samples of each class in the dataset, shape (classes,); `codes` index it.
        ids: Sample ids, shape (n,). Repeats within the epoch show sampling with replacement.
        seed: Seed of permutations.

    Raises:
        ValueError: the sizes do not add up, or a code is no class of the dataset.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> batch = np.repeat(np.arange(4), 8)
        >>> balanced = np.concatenate([rng.permutation(batch) for _ in range(50)])
        >>> sampler_kind(balanced, np.full(50, 32)).name
        'class-balanced batches'
    """
    given = np.asarray(codes)
    sizes = np.asarray(batch_sizes)
    batch = batch_index(sizes, len(given))
    own = canonical(given)
    n, classes = len(own), int(own.max(initial=-1)) + 1
    if n < 20 or classes < 2:
        return _kind("unknown", f"{n} samples of {classes} classes say nothing of a sampler")
    cluster, few = clustering(own), alternation(own, seed=seed)
    drifting, around = drift(own, seed=seed), period(own)
    even = composition(own, sizes, tail="lower", seed=seed)
    seen = None if dataset is None else class_totals(given, dataset)
    against = None if dataset is None or seen is None else prefix(seen, dataset, seed=seed)
    candidates = {"cluster": cluster, "few": few, "drift": drifting, "even": even, "mix": against}
    named = {key: test for key, test in candidates.items() if isinstance(test, OrderTest)}
    if isinstance(around, Period):
        named["period"] = around.test
    adjusted = dict(zip(named, holm([test.p_value for test in named.values()]).tolist(), strict=True))
    tests = tuple(named.values())

    def sure(key: str) -> bool:
        return bool(adjusted.get(key, 1.0) < NAME_LEVEL)

    repeated = 0 if ids is None else n - len(np.unique(ids))
    per_batch = _per_batch(own, batch, sizes, classes)
    cyclic = sure("period") and isinstance(around, Period) and around.share > CYCLIC
    exact = None if cyclic else _exact_kind(per_batch, sure("even") or sure("cluster") or sure("few"))
    if exact is not None:
        return _kind(*exact, tests)
    if sure("period") and isinstance(around, Period) and not sure("cluster") and around.share >= 2 * around.chance:
        return _kind("round robin", around.test.effect, tests)
    if sure("few") and not sure("even"):
        return _kind("round robin", named["few"].effect, tests)
    if sure("cluster") or sure("drift"):
        first = "cluster" if sure("cluster") else "drift"
        return _kind("clustered by class", named[first].effect, tests)
    if sure("even"):
        return _kind("stratified batches", named["even"].effect, tests)
    if dataset is not None and seen is not None:
        more = int(np.maximum(seen - dataset, 0).sum())
        if sure("mix") or (more and _other_mix(seen, dataset)):
            return _kind(*_mix_kind(seen, dataset, repeated), tests)
        repeated = repeated or more
    if repeated:
        return _kind("sampling with replacement", f"{repeated:,} of {n:,} samples had come before in the epoch", tests)
    return _kind("shuffled", "nothing distinguishes the order from a random one", tests)


def _kind(name: SamplerName, evidence: str, tests: tuple[OrderTest, ...] = ()) -> SamplerKind:
    return SamplerKind(name=name, deliberate=name in DELIBERATE, evidence=evidence, tests=tests)


def _per_batch(
    codes: NDArray[np.int32], batch: NDArray[np.int64], sizes: NDArray[np.integer], classes: int
) -> NDArray[np.int64] | None:
    """Counts of the batches of the most frequent size, (batches, classes); None where there are too few to tell."""
    values, frequency = np.unique(sizes, return_counts=True)
    size = int(values[np.argmax(frequency)])
    full = np.flatnonzero(sizes == size)
    if size < 2 or len(full) < 5 or len(full) * classes > 50_000_000:
        return None
    place = np.full(len(sizes), -1)
    place[full] = np.arange(len(full))
    kept = place[batch] >= 0
    key = place[batch[kept]] * classes + codes[kept]
    return np.bincount(key, minlength=len(full) * classes).reshape(len(full), classes)


def _exact_kind(counts: NDArray[np.int64] | None, unlikely: bool) -> tuple[SamplerName, str] | None:
    if counts is None or not unlikely:
        return None
    batches, classes = counts.shape
    low, high = int(counts.min()), int(counts.max())
    if low >= 1 and high - low <= 1:
        words = f"{low}" if low == high else f"{low} or {high}"
        return "class-balanced batches", f"each of {batches:,} batches holds {words} samples of every class"
    present = counts > 0
    per_class, classes_present = np.unique(counts[present]), np.unique(present.sum(axis=1))
    if len(per_class) == 1 and per_class[0] >= 2 and len(classes_present) == 1 and 1 < classes_present[0] < classes:
        return (
            "P classes × K samples",
            f"each of {batches:,} batches holds {classes_present[0]} classes with {per_class[0]} samples each",
        )
    if ((counts.max(axis=0) - counts.min(axis=0)) <= 1).all() and counts.mean(axis=0).max() >= 2:
        return "stratified batches", f"no class differs by more than one sample between {batches:,} batches"
    return None


def _other_mix(seen: NDArray[np.integer], dataset: NDArray[np.integer]) -> bool:
    """Whether draws with replacement from the dataset give another mix of classes (X² of a multinomial)."""
    there = dataset > 0
    if (seen[~there] > 0).any():
        return True
    expected = dataset[there] * (int(seen.sum()) / int(dataset.sum()))
    freedom = len(expected) - 1
    observed = float(((seen[there] - expected) ** 2 / expected).sum())
    # The exact variance of X² is 2(K − 1) + (Σ 1/p − K² − 2K + 2)/n, which rare classes make large.
    rare = (float((dataset.sum() / dataset[there]).sum()) - (freedom + 1) ** 2 - 2 * (freedom + 1) + 2) / int(
        seen.sum()
    )
    return gamma_tail(observed, freedom, math.sqrt(2 * freedom + max(rare, 0.0)), "upper") < NAME_LEVEL / 10


def _mix_kind(seen: NDArray[np.integer], dataset: NDArray[np.integer], repeated: int) -> tuple[SamplerName, str]:
    from scipy.special import chdtrc

    there = dataset > 0
    n, classes = int(seen.sum()), int(there.sum())
    if int((seen[there] == 0).sum()) and n * float(dataset[there].min()) / dataset.sum() >= 20:
        return "clustered by class", "classes of the dataset are missing from the stream"
    uniform = n / classes
    flat = float(((seen[there] - uniform) ** 2).sum()) / uniform
    far = int(np.argmax(np.abs(seen / n - dataset / dataset.sum())))
    words = (
        f"a class of {dataset[far] / dataset.sum():.1%} of the dataset makes up {seen[far] / n:.1%} of the stream"
        + (f", and {repeated:,} samples come more than once" if repeated else "")
    )
    if uniform >= 5 and float(chdtrc(classes - 1, flat)) > 0.001:
        return "class-balanced sampling", words
    return "weighted sampling", words


AccountKind = Literal[
    "every sample once",
    "part of an epoch",
    "last batch dropped",
    "padded for distributed ranks",
    "sampling with replacement",
    "samples missing",
    "samples repeated",
    "samples missing and repeated",
    "samples of another source",
]
"""What explains the samples of an epoch, or that nothing does."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampleAccount:
    """The samples of an epoch against those of the source."""

    kind: AccountKind
    fault: bool
    """Whether nothing explains it."""
    seen: int
    """Samples delivered."""
    expected: int
    """Samples in the source."""
    missing: NDArray[np.generic]
    """Values of the source that came fewer times than they are in it; read-only."""
    repeated: NDArray[np.generic]
    """Values that came more often than they are in the source; read-only."""
    foreign: NDArray[np.generic]
    """Values that are not in the source; read-only."""
    missing_count: int
    """How many samples are missing, copies counted."""
    repeated_count: int
    """How many samples are too many."""
    test: OrderTest | None
    """For sampling with replacement: the number of distinct samples against what it would be. None otherwise."""


def account_for(
    ids: NDArray[np.generic],
    source: NDArray[np.generic],
    *,
    batch_size: int = 1,
    ranks: int = 1,
    complete: bool = True,
    level: float = NAME_LEVEL,
) -> SampleAccount:
    """Whether an epoch delivers each sample of its source once, and what explains it where it does not.

    Explained: fewer than one batch a rank missing and none repeated (drop_last, or a sampler that drops the rest); at
    most ranks − 1 samples repeated once each and none missing (DistributedSampler fills up to a multiple of the ranks);
    both together; distinct samples as many as drawing with replacement gives (N (1 − (1 − 1/N)ⁿ), two-sided at
    `level`).

    Args:
        ids: Ids or hashes of one epoch of all ranks together, shape (n,).
        source: The same of the dataset, shape (N,); copies as often as they are there.
        batch_size: Samples a batch and rank.
        ranks: Processes that share the epoch.
        complete: Whether the epoch was seen to its end; nothing is missing otherwise.
        level: p-value up to which samples are not taken for drawn with replacement.

    Raises:
        ValueError: a batch or a number of ranks below 1, or an empty source.

    Example:
        >>> found = account_for(np.arange(96), np.arange(100), batch_size=32)
        >>> found.kind, found.fault, found.missing.tolist()
        ('last batch dropped', False, [96, 97, 98, 99])
    """
    if batch_size < 1 or ranks < 1:
        raise ValueError(f"batch_size and ranks: expected at least 1, got {batch_size} and {ranks}")
    if not len(source):
        raise ValueError("source: expected at least one sample")
    values, inverse = np.unique(np.concatenate([np.asarray(source), np.asarray(ids)]), return_inverse=True)
    there = np.bincount(inverse[: len(source)], minlength=len(values))
    came = np.bincount(inverse[len(source) :], minlength=len(values))
    foreign = values[there == 0]
    lacks, extra = np.maximum(there - came, 0), np.maximum(came - there, 0) * (there > 0)
    missing_count, repeated_count = int(lacks.sum()), int(extra.sum())
    dropped = missing_count < batch_size * ranks
    padded = repeated_count <= max(ranks - 1, 0) and int(extra.max(initial=0)) <= 1
    n, expected = len(ids), len(source)
    test = None
    if repeated_count > max(ranks - 1, 0) and not len(foreign) and int(there.max()) == 1:
        test = _distinct(int((came > 0).sum()), n, expected)
    kind: AccountKind
    if len(foreign):
        kind = "samples of another source"
    elif test is not None and test.p_value > level:
        kind = "sampling with replacement"
    elif not repeated_count and not missing_count:
        kind = "every sample once"
    elif not complete and not repeated_count:
        kind = "part of an epoch"
    elif not repeated_count:
        kind = "last batch dropped" if dropped else "samples missing"
    elif padded and (not missing_count or not complete or dropped):
        kind = "padded for distributed ranks"
    else:
        kind = "samples missing and repeated" if missing_count and complete else "samples repeated"
    parts = (values[lacks > 0], values[extra > 0], foreign)
    for part in parts:
        part.flags.writeable = False
    return SampleAccount(
        kind=kind,
        fault=kind.startswith("samples "),
        seen=n,
        expected=expected,
        missing=parts[0],
        repeated=parts[1],
        foreign=parts[2],
        missing_count=missing_count,
        repeated_count=repeated_count,
        test=test,
    )


def _distinct(distinct: int, n: int, size: int) -> OrderTest:
    """Distinct samples in n draws with replacement from N: exact mean and variance, normal, two-sided."""
    empty = (1 - 1 / size) ** n
    two = (1 - 2 / size) ** n if size > 1 else 0.0
    mean = size * (1 - empty)
    variance = size * empty * (1 - empty) + size * (size - 1) * (two - empty**2)
    deviation = math.sqrt(max(variance, 0.0))
    z = max(abs(distinct - mean) - 0.5, 0.0) / deviation if deviation else 0.0
    return OrderTest(
        name="distinct samples, as by drawing with replacement",
        statistic=distinct,
        expected=mean,
        deviation=deviation,
        p_value=max(math.erfc(z / math.sqrt(2)), SMALLEST),
        tail="lower",
        n=n,
        method="asymptotic",
        effect=f"{distinct:,} different samples among {n:,}, {mean:,.0f} if drawn with replacement",
    )
