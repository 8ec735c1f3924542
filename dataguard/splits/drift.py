"""Whether two splits are drawn from the same distribution: a classifier two-sample test, and one test a column.

Samples that belong together (of one group, or copies) do not count as many: placements are summed over clusters, and
the tests of columns are given the number of samples that they are worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.core.multiple_tests import holm
from dataguard.splits.columns import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PER_SPLIT = 5_000
"""Samples of each split that the classifier sees at most; an AUC is then known to about 0.006."""
WIDE = 64
COMPONENTS = 32
FOLDS = 2
"""With two, the average's variance is at most one fold's; with more, only the permutation of all would tell."""
MIN_SAMPLES = 20
"""Samples, and MIN_CLUSTERS groups, of a split below which nothing is tested."""
MIN_CLUSTERS = 8
LABEL = "the label"
"""Name of the label among the columns; that it is missing from a test split is no drift."""
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TwoSample:
    """How well a classifier tells two splits apart, out of fold."""

    auc: float
    """Probability that it finds a sample of the second more like the second than one of the first; 0.5 for equal."""
    low: float
    high: float
    level: float
    p_value: float
    """One-sided, of the AUC being 0.5."""
    n_first: int
    n_second: int
    n_clusters: int
    """Independent units of both."""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ColumnDrift:
    """How a column, or the label, differs between two splits."""

    name: str
    test: Literal["Kolmogorov–Smirnov", "chi-square", "missing values"]
    effect: float
    """The largest difference of the distribution functions, half the summed difference of the shares (total variation),
    or the difference of the shares of missing values: 0 for none, 1 for apart."""
    p_value: float
    adjusted: float
    """By Holm, over all columns and tests."""
    first: float
    """Median, share of the category that differs most, or share of missing values, in the first split."""
    second: float
    said: str
    """What the two numbers are of."""
    n: float
    """Independent samples that both are worth, as half their harmonic mean."""


def told_apart(
    features: NDArray[np.float32],
    second: NDArray[np.bool_],
    clusters: NDArray[np.intp] | None,
    *,
    seed: int,
    level: float = 0.95,
    max_per_split: int = MAX_PER_SPLIT,
) -> TwoSample | str:
    """A classifier two-sample test (Lopez-Paz & Oquab 2017), by AUC; or why there is none.

    Boosted trees are trained on either half and tell the other half apart; clusters stay in one half. Within a half the
    model is fixed, so the AUC there is a Mann–Whitney statistic: its variance is DeLong's, with placements summed over
    clusters. The two AUCs are averaged, and their average is given the variance of one: the halves depend on each other
    through the models (with five folds and the variance of independent ones, 8.7 % of equal splits are told apart at a
    level of 5 %), and whatever the correlation the average varies no more than one does.

    Args:
        features: Shape (n, d), NaN for missing.
        second: Which rows are of the second split, shape (n,); the others are of the first.
        clusters: Which rows belong together, shape (n,); None for each by itself.
        seed: Of draws, folds and model.
        level: Coverage of the interval.
        max_per_split: More samples are drawn from.
    """
    from scipy import stats

    rng = np.random.default_rng([seed, 41])
    rows = []
    for inside in (~second, second):
        mine = np.flatnonzero(inside)
        rows.append(mine if len(mine) <= max_per_split else np.sort(rng.choice(mine, max_per_split, replace=False)))
    notes = [
        f"{len(kept):,} of {int(inside.sum()):,} samples drawn"
        for kept, inside in zip(rows, (~second, second), strict=True)
        if len(kept) < inside.sum()
    ]
    chosen = np.concatenate(rows)
    y = second[chosen]
    x = features[chosen]
    cluster = np.arange(len(chosen)) if clusters is None else np.unique(clusters[chosen], return_inverse=True)[1]
    for inside in (~y, y):
        if inside.sum() < MIN_SAMPLES:
            return f"{int(inside.sum())} samples of a split are too few (at least {MIN_SAMPLES})"
        if len(np.unique(cluster[inside])) < MIN_CLUSTERS:
            n_units = len(np.unique(cluster[inside]))
            return f"{n_units} groups of a split are too few (at least {MIN_CLUSTERS})"
    if x.shape[1] > WIDE:
        x = _components(x, seed)
        notes.append(f"{features.shape[1]:,} features as {x.shape[1]} principal components")
    fold = _folds(y, cluster, rng)
    parts = []
    for number in range(FOLDS):
        told = fold == number
        if not (y[told].any() and (~y[told]).any() and y[~told].any() and (~y[~told]).any()):
            continue
        scores = _scored(x[~told], y[~told], x[told], seed)
        parts.append((_auc_parts(scores, y[told], cluster[told]), int(y[told].sum()) * int((~y[told]).sum())))
    if not parts:
        return "no fold has samples of both splits"
    weights = np.array([pairs for _, pairs in parts], dtype=np.float64)
    weights /= weights.sum()
    auc = float(sum(weight * part.auc for weight, (part, _) in zip(weights, parts, strict=True)))
    variance = float(sum(weight * part.variance for weight, (part, _) in zip(weights, parts, strict=True)))
    null = float(sum(weight * part.null_variance for weight, (part, _) in zip(weights, parts, strict=True)))
    units = min(len(np.unique(cluster[inside])) for inside in (~y, y))
    half = float(stats.t.ppf((1 + level) / 2, units - 1) * np.sqrt(variance))
    # The rank test's own variance where there are no clusters; DeLong's falls to nothing as the AUC nears 1.
    scale = np.sqrt(max(variance, null) if clusters is not None else null)
    p_value = float(stats.t.sf((auc - 0.5) / scale, units - 1)) if scale > 0 else 1.0
    return TwoSample(
        auc=auc,
        low=max(0.0, auc - half),
        high=min(1.0, auc + half),
        level=level,
        p_value=p_value,
        n_first=int((~y).sum()),
        n_second=int(y.sum()),
        n_clusters=int(cluster.max()) + 1,
        note="; ".join(notes),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _AucPart:
    auc: float
    variance: float
    null_variance: float


def _auc_parts(scores: NDArray[np.float64], y: NDArray[np.bool_], cluster: NDArray[np.intp]) -> _AucPart:
    """AUC with DeLong's variance, clusters as units, and the variance of a rank sum under the null."""
    from scipy import stats

    m, n = int((~y).sum()), int(y.sum())
    ranks = stats.rankdata(scores)
    auc = (float(ranks[y].sum()) - n * (n + 1) / 2) / (m * n)
    # Share of the other split's samples that each is placed above (Obuchowski 1997 for clusters).
    placed = np.empty(len(y))
    placed[y] = (ranks[y] - stats.rankdata(scores[y])) / m - auc
    placed[~y] = 1 - (ranks[~y] - stats.rankdata(scores[~y])) / n - auc
    influence = np.where(y, placed / n, placed / m)
    sums = np.bincount(np.unique(cluster, return_inverse=True)[1], influence)
    variance = float(np.sum(sums**2)) * len(sums) / max(1, len(sums) - 1)
    _, ties = np.unique(scores, return_counts=True)
    size = m + n
    tied = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (size * (size - 1)) if size > 1 else 0.0
    null = max((size + 1 - tied) / (12 * m * n), 0.0)
    return _AucPart(auc=auc, variance=variance + 1 / (4.0 * (m * n) ** 2), null_variance=null)


def _scored(
    learnt: NDArray[np.float32], y: NDArray[np.bool_], told: NDArray[np.float32], seed: int
) -> NDArray[np.float64]:
    import threadpoolctl  # type: ignore[import-untyped]
    from sklearn.ensemble import HistGradientBoostingClassifier

    usable = ~np.isnan(learnt).all(axis=0)
    if not usable.any():
        return np.zeros(len(told))
    model = HistGradientBoostingClassifier(
        max_iter=40,
        max_leaf_nodes=8,
        max_bins=63,
        min_samples_leaf=min(20, max(2, len(learnt) // 20)),
        early_stopping=False,
        class_weight="balanced",
        random_state=seed,
    )
    with threadpoolctl.threadpool_limits(limits=1):
        model.fit(learnt[:, usable], y)
        return np.asarray(model.decision_function(told[:, usable]), dtype=np.float64)


def _folds(y: NDArray[np.bool_], cluster: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Folds of whole clusters, each with its share of either split."""
    first = np.unique(cluster, return_index=True)[1]
    fold_of = np.empty(len(first), dtype=np.intp)
    start = 0
    for side in (False, True):
        mine = np.flatnonzero(y[first] == side)
        # The second side goes on where the first stopped, so that fold sizes differ by one at most.
        fold_of[rng.permutation(mine)] = (np.arange(len(mine)) + start) % FOLDS
        start += len(mine)
    made: NDArray[np.intp] = fold_of[cluster]
    return made


def _components(matrix: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Principal components of both splits together, which does not know which is which."""
    from sklearn.decomposition import PCA

    filled = np.clip(np.nan_to_num(matrix, nan=0.0, posinf=1e15, neginf=-1e15), -1e15, 1e15)
    pca = PCA(n_components=min(COMPONENTS, *matrix.shape), svd_solver="randomized", random_state=seed)
    made: NDArray[np.float32] = pca.fit_transform(filled).astype(np.float32)
    return made


# Column by column


def column_drifts(
    columns: Sequence[Column], second: NDArray[np.bool_], clusters: NDArray[np.intp] | None
) -> tuple[ColumnDrift, ...]:
    """Every column's tests, Holm-corrected together, most different first.

    Numbers by Kolmogorov and Smirnov's test, categories by chi-square (rare ones pooled), and whether values are
    missing by chi-square. Where samples come in clusters, each split counts as n / (1 + (m − 1) · ρ) samples, m the
    mean size of a sample's cluster and ρ the correlation of ranks (or of categories) within clusters: Kish's design
    effect.

    Args:
        columns: n rows each.
        second: Which rows are of the second split, shape (n,); the others are of the first.
        clusters: Which rows belong together; None for each by itself.
    """
    made: list[ColumnDrift] = []
    for column in columns:
        if column.kind == "number":
            tested = _numbers(column, second, clusters)
        else:
            tested = _categories(column.name, column.codes, column.categories, second, clusters)
        gaps = None if column.name == LABEL else _missing(column, second, clusters)
        made += [item for item in (tested, gaps) if item is not None]
    if not made:
        return ()
    adjusted = holm([item.p_value for item in made])
    corrected = [
        ColumnDrift(
            name=item.name,
            test=item.test,
            effect=item.effect,
            p_value=item.p_value,
            adjusted=p,
            first=item.first,
            second=item.second,
            said=item.said,
            n=item.n,
        )
        for item, p in zip(made, adjusted.tolist(), strict=True)
    ]
    return tuple(sorted(corrected, key=lambda item: (-item.effect, item.name)))


def _worth(
    values: NDArray[np.float64], second: NDArray[np.bool_], clusters: NDArray[np.intp] | None
) -> tuple[float, float]:
    """Independent samples that either split is worth, by the design effect of one number a sample."""
    sizes = float((~second).sum()), float(second.sum())
    if clusters is None:
        return sizes
    made = []
    for size, inside in zip(sizes, (~second, second), strict=True):
        cluster = np.unique(clusters[inside], return_inverse=True)[1]
        counts = np.bincount(cluster).astype(np.float64)
        mine = values[inside]
        spread = float(mine.var())
        pairs = float((counts**2).sum() - counts.sum())
        if pairs == 0 or spread == 0:
            made.append(size)
            continue
        # Clusters that differ between the splits would pass for drift; so the correlation is about each split's mean.
        centred = mine - mine.mean()
        sums = np.bincount(cluster, centred)
        rho = (float((sums**2).sum()) - float((centred**2).sum())) / (pairs * spread)
        typical = float((counts**2).sum() / counts.sum())
        effect = 1 + (typical - 1) * float(np.clip(rho, 0, 1))
        # With few clusters the correlation is badly known, and the units are the clusters at worst.
        made.append(max(size / effect, min(float(len(counts)), size) / 2))
    return made[0], made[1]


def _numbers(column: Column, second: NDArray[np.bool_], clusters: NDArray[np.intp] | None) -> ColumnDrift | None:
    from scipy import stats

    known = ~column.missing
    a, b = column.values[known & ~second], column.values[known & second]
    if len(a) < MIN_SAMPLES or len(b) < MIN_SAMPLES or column.n_distinct < 2:
        return None
    both = np.concatenate([a, b])
    order = np.sort(both)
    distance = float(
        np.abs(
            np.searchsorted(np.sort(a), order, side="right") / len(a)
            - np.searchsorted(np.sort(b), order, side="right") / len(b)
        ).max()
    )
    ranks = stats.rankdata(column.values[known])
    n_a, n_b = _worth(ranks, second[known], None if clusters is None else clusters[known])
    effective = n_a * n_b / (n_a + n_b)
    if clusters is None and max(len(a), len(b)) <= 1000:
        p_value = float(stats.ks_2samp(a, b, method="auto").pvalue)
    else:
        p_value = float(stats.kstwobign.sf(np.sqrt(effective) * distance))
    return ColumnDrift(
        name=column.name,
        test="Kolmogorov–Smirnov",
        effect=distance,
        p_value=p_value,
        adjusted=p_value,
        first=float(np.median(a)),
        second=float(np.median(b)),
        said="median",
        n=effective,
    )


def _categories(
    name: str,
    codes: NDArray[np.intp],
    categories: Sequence[str],
    second: NDArray[np.bool_],
    clusters: NDArray[np.intp] | None,
) -> ColumnDrift | None:
    from scipy import stats

    known = codes >= 0
    codes, side = codes[known], second[known]
    sizes = int((~side).sum()), int(side.sum())
    if min(sizes) < MIN_SAMPLES:
        return None
    table = np.stack([np.bincount(codes[inside], minlength=len(categories)) for inside in (~side, side)])
    total = table.sum(axis=0)
    common = total * min(sizes) / sum(sizes) >= 5
    pooled = np.column_stack([table[:, common], table[:, ~common].sum(axis=1)])
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    if pooled.shape[1] < 2:
        return None
    # Each sample's number: how much its category leans to the second split; its design effect is that of the test.
    shares = pooled / pooled.sum(axis=1, keepdims=True)
    statistic = float(stats.chi2_contingency(pooled, correction=False).statistic)
    deflated = 1.0
    effective = sizes[0] * sizes[1] / sum(sizes)
    if clusters is not None:
        cluster = clusters[known]
        worths = [_worth((codes == place).astype(np.float64), side, cluster) for place in np.flatnonzero(common)[:20]]
        weights = total[np.flatnonzero(common)[:20]].astype(np.float64)
        harmonic = [a * b / (a + b) for a, b in worths]
        if harmonic:
            # Rao and Scott's first-order correction: the mean of the categories' design effects.
            deflated = float(np.average(effective / np.array(harmonic), weights=weights))
        effective /= deflated
    p_value = float(stats.chi2.sf(statistic / deflated, pooled.shape[1] - 1))
    most = int(np.abs(table[1] / sizes[1] - table[0] / sizes[0]).argmax())
    # A tail of rare categories differs between any two draws, so that the effect is that of the pooled table.
    effect = 0.5 * float(np.abs(shares[1] - shares[0]).sum())
    return ColumnDrift(
        name=name,
        test="chi-square",
        effect=effect,
        p_value=p_value,
        adjusted=p_value,
        first=float(table[0, most] / sizes[0]),
        second=float(table[1, most] / sizes[1]),
        said=f"share of {categories[most]!r}",
        n=effective,
    )


def _missing(column: Column, second: NDArray[np.bool_], clusters: NDArray[np.intp] | None) -> ColumnDrift | None:
    from scipy import stats

    missing = column.missing
    sizes = int((~second).sum()), int(second.sum())
    if missing.all() or not missing.any() or min(sizes) < MIN_SAMPLES:
        return None
    counts = int(missing[~second].sum()), int(missing[second].sum())
    first, other = counts[0] / sizes[0], counts[1] / sizes[1]
    n_a, n_b = _worth(missing.astype(np.float64), second, clusters)
    if clusters is None:
        table = np.array([[counts[0], sizes[0] - counts[0]], [counts[1], sizes[1] - counts[1]]])
        p_value = float(stats.fisher_exact(table).pvalue)
    else:
        share = float(missing.mean())
        error = np.sqrt(max(share * (1 - share) * (1 / n_a + 1 / n_b), _TINY))
        p_value = float(2 * stats.norm.sf(abs(first - other) / error))
    return ColumnDrift(
        name=column.name,
        test="missing values",
        effect=abs(first - other),
        p_value=p_value,
        adjusted=p_value,
        first=first,
        second=other,
        said="share of missing values",
        n=n_a * n_b / (n_a + n_b),
    )
