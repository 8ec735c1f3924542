"""What batches are made of: classes per batch, drift, single-label batches, a first part against the whole.

Laws are those of a random permutation, with the exact moments of each statistic. Batches are given by their sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.batches.runs import canonical
from dataguard.batches.significance import (
    SETTLED,
    OrderTest,
    binomial_moments,
    cantelli,
    decide,
    gamma_tail,
    moment_bound,
    normal_tail,
    shuffles,
)
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DEGREE = 512
"""Highest binomial moment of the number of single-label batches."""
MAX_CELLS = 8_000_000
"""Cells of batch × class that are held at once; larger tables are counted without their empty cells."""
TRUSTED_CELL = 10.0
"""Least expected count in a cell from which the upper gamma tail of X² needs no permutations. In 50,000 shuffles of
each of 23 designs its chance at 0.01 was 0.9 to 1.1 times that from there on, up to 1.2 at 3, 1.4 at 1 and 2.8
below."""
TRUSTED_LENGTH = 100
"""Samples from which the gamma tail of H needs none: at most 1.1 times the level 0.01, down to classes of one
sample."""
STRIP_CLASSES = 20
"""Classes that `strip` tells apart."""


def batch_index(batch_sizes: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """The batch of each sample, shape (n,).

    Raises:
        ValueError: the sizes do not add up to n, or one is negative.
    """
    sizes = np.asarray(batch_sizes)
    if sizes.ndim != 1 or (sizes < 0).any() or int(sizes.sum()) != n:
        raise ValueError(f"batch_sizes: {len(sizes)} sizes that add up to {int(sizes.sum())}, for {n} samples")
    return np.repeat(np.arange(len(sizes)), sizes)


def class_totals(codes: NDArray[np.integer], dataset: NDArray[np.integer]) -> NDArray[np.int64]:
    """Samples of each class of the dataset in a stream, shape (classes,).

    Args:
        codes: Class of each sample, shape (n,).
        dataset: Samples of each class in the dataset, shape (classes,).

    Raises:
        ValueError: a code that is no class of the dataset.
    """
    codes = np.asarray(codes)
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < len(dataset):
        raise ValueError(f"codes: expected 0 to {len(dataset) - 1}, got {int(codes.min())} to {int(codes.max())}")
    return np.bincount(codes, minlength=len(dataset))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Strip:
    """Samples per batch and class, for a picture with one column a batch."""

    counts: NDArray[np.int32]
    """Shape (columns, classes), read-only. The last class is "all others" where `others` is not 0."""
    classes: tuple[str, ...]
    """Names, most frequent first."""
    others: int
    """How many classes the last column of `counts` stands for; 0 where every class has its own."""
    batches_per_column: int
    """More than 1 where there are more batches than columns to show."""


def strip(
    codes: NDArray[np.integer],
    batch_sizes: NDArray[np.integer],
    classes: tuple[str, ...],
    *,
    max_columns: int = 1_000,
    max_classes: int = STRIP_CLASSES,
) -> Strip:
    """Counts per batch and class, in the order of the stream.

    Args:
        codes: Index of each sample's label in `classes`, shape (n,).
        batch_sizes: Shape (batches,), adding up to n.
        classes: Names of all classes.
        max_columns: Neighbouring batches are put together until there are at most so many columns.
        max_classes: The rarest classes are put together until there are at most so many.

    Raises:
        ValueError: the sizes do not add up, or a code names no class.

    Example:
        >>> strip(np.array([0, 0, 1, 1, 1]), np.array([2, 3]), ("cat", "dog")).counts.tolist()
        [[0, 2], [3, 0]]
    """
    codes = np.asarray(codes)
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < len(classes):
        raise ValueError(f"codes: expected 0 to {len(classes) - 1}, got {int(codes.min())} to {int(codes.max())}")
    batch = batch_index(batch_sizes, len(codes))
    per_column = max(1, -(-len(batch_sizes) // max_columns))
    frequency = np.bincount(codes, minlength=len(classes))
    order = np.argsort(-frequency, kind="stable")
    shown = len(classes) if len(classes) <= max_classes else max_classes - 1
    place = np.full(len(classes), shown)
    place[order[:shown]] = np.arange(shown)
    width = shown + (shown < len(classes))
    columns = -(-len(batch_sizes) // per_column)
    counts = np.bincount(batch // per_column * width + place[codes], minlength=columns * width)
    table = np.asarray(counts.reshape(columns, width), dtype=np.int32)
    table.flags.writeable = False
    names = tuple(classes[code] for code in order[:shown])
    others = len(classes) - shown
    return Strip(
        counts=table,
        classes=(*names, f"{others} others") if others else names,
        others=others,
        batches_per_column=per_column,
    )


def chi_square_moments(rows: NDArray[np.integer], columns: NDArray[np.integer]) -> tuple[float, float]:
    """Exact mean and variance of Pearson's X² of a table with these margins, filled by a random permutation.

    Haldane 1940 (https://doi.org/10.1093/biomet/31.3-4.346) and Dawson 1954
    (https://doi.org/10.1093/biomet/41.3-4.391).

    Args:
        rows: Row totals, each at least 1, shape (rows,).
        columns: Column totals, each at least 1, with the same sum.
    """
    n = float(rows.sum())
    r, c = len(rows), len(columns)
    mean = n * (r - 1) * (c - 1) / (n - 1)
    v1, v2 = (n - r) * (r - 1) / (n - 1), (n - c) * (c - 1) / (n - 1)
    w1 = (n * float((1.0 / rows).sum()) - r * r) / (n - 2)
    w2 = (n * float((1.0 / columns).sum()) - c * c) / (n - 2)
    variance = 2 * n / (n - 3) * (v1 - w1) * (v2 - w2) + n * n / (n - 1) * w1 * w2
    return mean, max(variance, 0.0)


def _chi_square(
    orders: NDArray[np.int32], batch: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """X² of each order of codes, shape (m,); orders of shape (m, n)."""
    m, n = orders.shape
    cells = len(rows) * len(columns)
    found = np.empty(m)
    if cells > MAX_CELLS:
        for row, order in enumerate(orders):
            filled, observed = np.unique(batch * len(columns) + order, return_counts=True)
            expected = rows[filled // len(columns)] * columns[filled % len(columns)].astype(np.float64)
            found[row] = float((observed * (observed / expected)).sum()) * n - n
        return found
    step = max(1, MAX_CELLS // cells)
    weight = 1.0 / rows
    for start in range(0, m, step):
        part = orders[start : start + step]
        key = part + (batch * len(columns) + np.arange(len(part))[:, None] * cells)
        table = np.bincount(key.ravel(), minlength=len(part) * cells).reshape(len(part), len(rows), len(columns))
        squares = np.einsum("mrc,mrc,r->mc", table, table, weight, optimize=False)
        found[start : start + step] = (squares / columns).sum(axis=1) * n - n
    return found


def composition(
    codes: NDArray[np.integer], batch_sizes: NDArray[np.integer], *, tail: Literal["upper", "lower"], seed: int = 0
) -> OrderTest | Inconclusive:
    """Whether the classes are spread over the batches less evenly ("upper"), or more ("lower"), than by shuffling.

    Pearson's X² of the table batch × class, with its exact mean and variance (`chi_square_moments`). The upper tail is
    a gamma law's, checked by permutations where a cell's expected count is below `TRUSTED_CELL`. The lower one is a
    normal law's where that is at most 1e-4 (measured in 13 designs: 0 to 1.2 times the level), and by permutations
    otherwise. Too even means stratified.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).
        batch_sizes: Shape (batches,), adding up to n.
        tail: Which side is looked at.
        seed: Seed of the permutations.

    Raises:
        ValueError: the sizes do not add up.
    """
    codes = canonical(codes)
    n = len(codes)
    sizes = np.asarray(batch_sizes)
    batch = batch_index(sizes[sizes > 0], n)
    rows, columns = sizes[sizes > 0].astype(np.int64), np.bincount(codes)
    if n < 4 or len(rows) < 2 or len(columns) < 2:
        return Inconclusive(
            reason=f"{len(rows)} batches of {len(columns)} classes say nothing of how classes are spread"
        )
    if rows.max() == 1:
        return Inconclusive(reason="batches of one sample cannot be more or less mixed")
    mean, variance = chi_square_moments(rows, columns)
    deviation = math.sqrt(variance)
    observed = float(_chi_square(codes[None], batch, rows, columns)[0])

    def simulate(rng: np.random.Generator, m: int) -> NDArray[np.float64]:
        return _chi_square(shuffles(rng, codes, m), batch, rows, columns)

    z = (observed - mean) / deviation if deviation else 0.0
    asymptotic = gamma_tail(observed, mean, deviation, tail)
    trusted = float(rows.min()) * float(columns.min()) / n >= TRUSTED_CELL
    if tail == "lower":
        # X² leans to the right, so that a normal lower tail is too heavy; where it is small all the same, it will do.
        trusted = deviation > 0 and normal_tail(-z) <= SETTLED
        asymptotic = normal_tail(-z) if trusted else asymptotic
    found = decide(
        observed,
        tail=tail,
        asymptotic=asymptotic,
        bound=cantelli(z if tail == "upper" else -z),
        trusted=trusted,
        simulate=simulate,
        draws=n + len(rows) * len(columns),
        seed=seed,
    )
    return found.order_test(
        name=f"classes spread over batches, {'unevenly' if tail == 'upper' else 'too evenly'}",
        statistic=observed,
        expected=mean,
        deviation=deviation,
        tail=tail,
        n=n,
        effect=f"the mix of classes varies between batches {observed / mean:.2f} times as much as by shuffling (X²)",
    )


def rank_sum_moments(counts: NDArray[np.integer]) -> tuple[float, float]:
    """Exact mean and variance of Kruskal and Wallis's H without ties (Kruskal 1952).

    https://doi.org/10.1214/aoms/1177729332

    Args:
        counts: Samples of each group, each at least 1, shape (groups,).
    """
    n, k = float(counts.sum()), len(counts)
    variance = 2.0 * (k - 1) - 0.4 * (3 * k * k - 6 * k + n * (2.0 * k * k - 6 * k + 1)) / (n * (n + 1))
    return k - 1.0, max(variance - 1.2 * float((1.0 / counts).sum()), 0.0)


def _rank_sum(ranks: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """H of ranks 1 … n written group by group, shape (m, n)."""
    n = ranks.shape[1]
    sums = np.add.reduceat(ranks, np.concatenate(([0], np.cumsum(counts)[:-1])), axis=1)
    return np.asarray((sums * sums / counts).sum(axis=1) * 12 / (n * (n + 1)) - 3 * (n + 1))


def drift(
    codes: NDArray[np.integer], *, positions: NDArray[np.integer] | None = None, seed: int = 0, name: str = ""
) -> OrderTest | Inconclusive:
    """Whether some classes come early and others late: sorted data, also behind a shuffle buffer.

    Kruskal and Wallis's H of the samples' positions by class, with its exact moments and a gamma tail, checked by
    permutations below `TRUSTED_LENGTH` samples. Blind to blocks that repeat, which `clustering`
    sees. It stands for a correlation of position and label, which would depend on how classes are numbered.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).
        positions: What is ranked instead of the position in the stream, all different, shape (n,).
        seed: Seed of the permutations.
        name: Name of the test, where it is not about classes and the stream.
    """
    groups = canonical(codes)
    n = len(groups)
    counts = np.bincount(groups)
    if n < 4 or len(counts) < 2 or len(counts) == n:
        return Inconclusive(reason=f"{len(counts)} groups of {n} samples say nothing of a drift")
    ranks = np.arange(1, n + 1, dtype=np.int32)
    if positions is not None:
        ranks[np.argsort(positions, kind="stable")] = np.arange(1, n + 1)
    ranks = ranks[np.argsort(groups, kind="stable")]
    mean, variance = rank_sum_moments(counts)
    deviation = math.sqrt(variance)
    observed = float(_rank_sum(ranks[None].astype(np.float64), counts)[0])

    def simulate(rng: np.random.Generator, m: int) -> NDArray[np.float64]:
        return _rank_sum(shuffles(rng, ranks, m).astype(np.float64), counts)

    found = decide(
        observed,
        tail="upper",
        asymptotic=gamma_tail(observed, mean, deviation, "upper"),
        bound=cantelli((observed - mean) / deviation) if deviation else 1.0,
        trusted=n >= TRUSTED_LENGTH,
        simulate=simulate,
        draws=n,
        seed=seed,
    )
    share = max(0.0, (observed - mean) / (n - 1 - mean))
    return found.order_test(
        name=name or "classes drift over the stream",
        statistic=observed,
        expected=mean,
        deviation=deviation,
        tail="upper",
        n=n,
        effect=f"{'the batch' if name else 'the class'} explains {share:.1%} of the variance of the position, "
        "0 % if shuffled",
    )


def prefix(seen: NDArray[np.integer], dataset: NDArray[np.integer], *, seed: int = 0) -> OrderTest | Inconclusive:
    """Whether the samples seen so far are a random part of the dataset, by their classes.

    Needed because every other test is conditional on the labels seen, and so blind where all of them are one class.
    X² (N − 1)/(N − n) is close to χ² with K − 1 degrees of freedom and has exactly that mean (multivariate
    hypergeometric); it is checked by simulation where a class's expected count is below `TRUSTED_CELL`.

    Args:
        seen: Samples of each class in the stream, shape (classes,).
        dataset: Samples of each class in the dataset, shape (classes,).
        seed: Seed of the simulation.

    Returns:
        Inconclusive where the whole dataset was seen, where more of a class was seen than there is (sampling with
        replacement, or another dataset), or where there is one class.

    Raises:
        ValueError: the shapes differ.
    """
    if seen.shape != dataset.shape or seen.ndim != 1:
        raise ValueError(f"seen and dataset: expected the same shape (classes,), got {seen.shape} and {dataset.shape}")
    order = np.lexsort((seen, dataset))
    seen, dataset = seen[order][dataset[order] > 0], dataset[order][dataset[order] > 0]
    n, whole = int(seen.sum()), int(dataset.sum())
    if len(dataset) < 2 or n < 1 or whole < 4:
        return Inconclusive(reason=f"{n} of {whole} samples in {len(dataset)} classes cannot be compared")
    if (seen > dataset).any():
        return Inconclusive(reason="the stream holds more samples of a class than the dataset does")
    if n >= whole:
        return Inconclusive(reason="the stream is the whole dataset, so that its classes must be those of the dataset")
    expected = dataset * (n / whole)
    factor = (whole - 1) / (whole - n)

    def statistic(counts: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.asarray((((counts - expected) ** 2 / expected).sum(axis=-1)) * factor, dtype=np.float64)

    observed = float(statistic(seen))
    freedom = len(dataset) - 1
    found = decide(
        observed,
        tail="upper",
        asymptotic=gamma_tail(observed, freedom, math.sqrt(2 * freedom), "upper"),
        bound=_share_bound(seen, dataset),
        trusted=float(expected.min()) >= TRUSTED_CELL,
        simulate=lambda rng, m: statistic(rng.multivariate_hypergeometric(dataset, n, size=m, method="marginals")),
        draws=20 * len(dataset),
        seed=seed,
    )
    far = int(np.argmax((seen - expected) ** 2 / expected))
    return found.order_test(
        name="classes of the first part against the dataset",
        statistic=observed,
        expected=float(freedom),
        deviation=None,
        tail="upper",
        n=n,
        effect=f"a class of {dataset[far] / whole:.1%} of the dataset makes up {seen[far] / n:.1%} of the first {n:,} "
        "samples",
    )


def _share_bound(seen: NDArray[np.integer], dataset: NDArray[np.integer]) -> float:
    """2K exp(−n KL(share seen ‖ share)) of the class furthest off (Hoeffding 1963; also without replacement)."""
    n = int(seen.sum())
    p, q = dataset / dataset.sum(), seen / n
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(q > 0, q * np.log(q / p), 0.0) + np.where(q < 1, (1 - q) * np.log((1 - q) / (1 - p)), 0.0)
    return min(1.0, 2 * len(dataset) * math.exp(-n * float(divergence.max())))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SingleLabel:
    """Batches that hold one class only."""

    batches: NDArray[np.int64]
    """Which, in order, among those of two samples or more; read-only."""
    considered: int
    """How many batches have two samples or more."""
    test: OrderTest


def single_label_log_moments(counts: NDArray[np.integer], batches: int, size: int, degree: int) -> NDArray[np.float64]:
    """Log E[C(S, j)] for j = 0 … degree of the number S of single-label batches in a random order, exact.

    j given batches of B are all of one class each with probability Σ_{Σ j_k = j} j!/Π j_k! Π n_k⁽ᴮʲₖ⁾ / N⁽ᴮʲ⁾, again
    the coefficient of a product of polynomials, and there are C(M, j) ways to give them.

    Args:
        counts: Samples of each class, shape (classes,); their sum N is at least `batches` · `size`.
        batches: M.
        size: B, at least 2.
        degree: Highest j, at most `batches`.
    """
    from scipy.special import gammaln

    def terms(count: int, degree: int) -> NDArray[np.float64]:
        j = np.arange(degree + 1)
        within = j * size <= count
        taken = np.minimum(j * size, count)
        return np.asarray(np.where(within, gammaln(count + 1) - gammaln(count - taken + 1) - gammaln(j + 1), -np.inf))

    n = int(counts.sum())
    sizes, multiplicities = np.unique(counts[counts >= size], return_counts=True)
    log_moments = np.full(degree + 1, -np.inf)
    log_moments[0] = 0.0
    if len(sizes):
        logs = np.log(multiplicities) + gammaln(sizes + 1) - gammaln(sizes - size + 1)
        first = float(logs.max() + np.log(np.exp(logs - logs.max()).sum()))
        pairs = zip(sizes.tolist(), multiplicities.tolist(), strict=True)
        j = np.arange(degree + 1)
        log_moments = binomial_moments(terms, pairs, degree, first)
        log_moments = log_moments + gammaln(batches + 1) - gammaln(batches - j + 1)
        log_moments += gammaln(n - size * j + 1) - gammaln(n + 1)
    return log_moments


def single_label(
    codes: NDArray[np.integer], batch_sizes: NDArray[np.integer], *, dataset: NDArray[np.integer] | None = None
) -> SingleLabel | Inconclusive:
    """Whether more batches hold one class only than shuffling makes likely.

    With M batches of B drawn without replacement from n_k samples of each class, the expected number is
    λ = M Σ C(n_k, B)/C(N, B), and all binomial moments are exact too (`single_label_log_moments`), which bound the
    tail. 99:1 data in batches of 8 has 92 % of such batches, and none too many. Batches of the most frequent size are
    tested, which leaves out the last, smaller one.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).
        batch_sizes: Shape (batches,), adding up to n.
        dataset: Samples of each class in the whole dataset, where only part of an epoch was seen; the stream's
            otherwise. Ignored where it is smaller than the stream in some class (sampling with replacement).

    Returns:
        Inconclusive where no batch has two samples, or there is one class in stream and dataset alike.

    Raises:
        ValueError: the sizes do not add up, or a code is no class of the dataset.

    Example:
        >>> found = single_label(np.repeat([0, 1], 64), np.full(8, 16))
        >>> found.batches.tolist(), found.test.p_value < 1e-20
        ([0, 1, 2, 3, 4, 5, 6, 7], True)
    """
    given = np.asarray(codes)
    sizes = np.asarray(batch_sizes)
    batch = batch_index(sizes, len(given))
    counts = np.bincount(canonical(given)) if len(given) else np.zeros(0, dtype=np.int64)
    if dataset is not None and len(given) and (class_totals(given, dataset) <= dataset).all():
        counts = np.asarray(dataset)[np.asarray(dataset) > 0]
    if len(counts) < 2:
        return Inconclusive(reason="there is only one class, so that every batch holds a single label")
    usable = sizes[sizes > 1]
    if not len(usable):
        return Inconclusive(reason="no batch has more than one sample")
    low, high = np.full(len(sizes), np.iinfo(np.int64).max), np.full(len(sizes), -1)
    np.minimum.at(low, batch, given)
    np.maximum.at(high, batch, given)
    pure = np.flatnonzero((low == high) & (sizes > 1))
    values, frequency = np.unique(usable, return_counts=True)
    size = int(values[np.flatnonzero(frequency == frequency.max())[-1]])
    considered = int((sizes == size).sum())
    found = int((sizes[pure] == size).sum())
    degree = min(MAX_DEGREE, considered)
    log_moments = single_label_log_moments(counts, considered, size, degree)
    expected = math.exp(log_moments[1]) if degree else 0.0
    variance = 2 * math.exp(log_moments[2]) + expected - expected**2 if degree > 1 else expected * (1 - expected)
    pure.flags.writeable = False
    test = OrderTest(
        name="single-label batches",
        statistic=found,
        expected=expected,
        deviation=math.sqrt(max(variance, 0.0)),
        p_value=moment_bound(log_moments, found) if found > expected else 1.0,
        tail="upper",
        n=len(given),
        method="bound",
        effect=f"{found:,} of {considered:,} batches of {size} hold a single label, {expected:.3g} if shuffled",
    )
    return SingleLabel(batches=pure, considered=len(usable), test=test)
