"""DG309 split-drift."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import (
    Confidence,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.rules.splits.split_worth import is_later, worth_of_split
from dataguard.splits.columns import Column, clusters_of, feature_columns, names_rows, some_of
from dataguard.splits.drift import LABEL, ColumnDrift, TwoSample, column_drifts, told_apart
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.record import Worth, describe, measurements
from dataguard.versions.showing import drift_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED = 0
_SHOWN = 20
_NAMED = 3
_SMALL = 0.08
"""2Φ(d/2) − 1 at d = 0.2, Cohen's small effect: what the distribution functions of so shifted normals differ by."""


@rule("DG309", "split-drift", Severity.WARNING)
def split_drift(
    samples: SplitSamples,
    *,
    min_effect: Annotated[float, Between(low=0, high=1)] = 0.2,
    alpha: Annotated[float, Between(low=0, high=1)] = 0.01,
) -> Iterator[Outcome]:
    """An evaluation split is not drawn from what the model is trained on.

    ## What it does

    Holds every evaluation split against the training split: a classifier is trained to tell them apart, and each column
    of a table, the size of files and pictures, and the label are compared one by one. It says which of them differ, and
    by how much.

    ## Why is this bad?

    A held-out score is an estimate for data like the evaluation split's. If that differs from the training split by an
    accident of how it was cut (sorted rows, another hospital, another camera, a filter on one of the two), the score is
    of a question that nobody asked; early stopping and model selection on it go wrong. Where the difference is meant,
    as between years, it is worth knowing what it costs.

    ## How it decides

    *Together*: boosted trees are trained on either half and tell the samples of the other half apart (the classifier
    two-sample test). Under the null hypothesis that both splits have one distribution the AUC is 0.5; the p-value is
    one-sided, from the variance of a rank sum, and of DeLong's with groups as units where there are groups or copies.
    The effect is the AUC as the difference of two shifted normals: with d = √2·Φ⁻¹(AUC) it is 2Φ(d/2) − 1.

    *Column by column*: numbers by Kolmogorov and Smirnov's test, categories and the label by chi-square with rare ones
    pooled, missing values by Fisher's exact test; all corrected together by Holm. The effects are the largest
    difference of the distribution functions, the total variation and the difference of shares. Rows of one group, and
    copies, count as the number of independent rows that they are worth (Kish's design effect). Columns that number the
    rows are left out: where a split is cut by position they differ, and say nothing.

    A finding needs p ≤ `alpha` / 2 / number of evaluation splits *and* an effect: from `min_effect` on it is a warning,
    from 0.08 (d = 0.2, Cohen's small) on info. With a million rows a shift of a hundredth is significant, and is among
    the figures alone. Where every evaluation sample is later than every training sample, drift is what the split is
    there to show: info.

    False alarms (`benchmarks/leakage.py`, seed 9301, 150 to 1,500 rows): no warning on 500 equal splits drawn by rows
    and with copies (at most 0.006 with 95 % confidence), one info; seed 9401: 1 warning on 150 tables with strong
    confounders, most of them with two evaluation splits. Power, 11 draws each, one of 8 columns shifted by 0.1, 0.25,
    0.5 and 1 standard deviation: of 200 rows 0, 0, 3 and 11 are found, of 1,000 rows 0, 1, 11 and 11.

    Options:

    - `min_effect`: effect from which it is a warning; 0.2 is d = 0.5, Cohen's medium, or an AUC of 0.64.
    - `alpha`: chance that equal splits make any finding: half for the classifier and half for the columns after Holm's
      correction, shared by the evaluation splits.

    ## Example

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(600, 2)).astype(np.float32)
    >>> x[400:, 1] += 1.5
    >>> samples = SplitSamples(
    ...     sample_ids=tuple(map(str, range(600))), splits=("train",) * 400 + ("test",) * 200,
    ...     positions=np.arange(600), n_total=600, kind="given", paths=(None,) * 600, contents=(None,) * 600,
    ...     features=x, feature_names=("height", "weight"))
    >>> print(split_drift(samples)[0].message.partition(" AUC")[0])
    Split 'test' differs from the training split: a classifier tells them apart with

    ## How to fix

    Draw the splits anew at random (by group where there are groups, stratified by class), or by a rule that is the same
    for both. Where the difference is meant, say so: ignore the rule with that reason, and report the score as one under
    shift.

    ## References

    - Lopez-Paz & Oquab, *Revisiting Classifier Two-Sample Tests*, ICLR 2017.
    - Rabanser, Günnemann & Lipton, *Failing Loudly: An Empirical Study of Methods for Detecting Dataset Shift*, NeurIPS
      2019.
    - DeLong, DeLong & Clarke-Pearson, *Comparing the Areas under Two or More Correlated ROC Curves*, Biometrics 44,
      1988; Obuchowski, *Nonparametric Analysis of Clustered ROC Curve Data*, Biometrics 53, 1997.
    - Kish, *Survey Sampling*, 1965 (design effect). Cohen, *Statistical Power Analysis*, 2nd ed., 1988 (effect sizes).
    """
    if not samples.evaluation_splits:
        yield Skipped(
            reason="there is no evaluation split", hint="name the split column, or put files into split folders"
        )
        return
    training = samples.in_training
    if not training.any():
        yield Skipped(reason="there is no training split", hint="name it train")
        return
    columns, left_out = _columns(samples)
    if not columns and samples.features is None:
        yield Skipped(reason="samples have neither columns nor features to compare")
        return
    for split in samples.evaluation_splits:
        # Each split has two tests, the classifier's and that of the columns.
        level = alpha / (2 * len(samples.evaluation_splits))
        yield from _judged(samples, columns, left_out, training, split, min_effect, level)


def _columns(samples: SplitSamples) -> tuple[list[Column], list[str]]:
    """What is compared, and the names of columns that name the rows."""
    columns = list(feature_columns(samples))
    if samples.facts is not None:
        columns += [Column(name=name, kind="number", values=values) for name, values in sorted(samples.facts.items())]
    many = [c for c in columns if names_rows(c) or (c.kind == "category" and 3 * c.n_distinct > len(samples))]
    left_out = [column.name for column in many]
    columns = [column for column in columns if column.name not in set(left_out) and column.n_distinct]
    if samples.labels is not None:
        names = sorted({str(label) for label in samples.labels.tolist() if label is not None})
        place = {name: code for code, name in enumerate(names)}
        codes = [np.nan if label is None else place[str(label)] for label in samples.labels.tolist()]
        columns.append(
            Column(name=LABEL, kind="category", values=np.array(codes, dtype=float), categories=tuple(names))
        )
    elif samples.targets is not None:
        columns.append(Column(name=LABEL, kind="number", values=samples.targets))
    return columns, left_out


def _judged(
    samples: SplitSamples,
    columns: Sequence[Column],
    left_out: Sequence[str],
    training: NDArray[np.bool_],
    split: str,
    min_effect: float,
    alpha: float,
) -> Iterator[Outcome]:
    inside = samples.within(split)
    rows = np.flatnonzero(training | inside)
    second = inside[rows]
    clusters = clusters_of(samples, rows)
    drifts = column_drifts([some_of(column, rows) for column in columns], second, clusters)
    apart: TwoSample | str = "there are no features"
    matrix = _matrix(samples, columns, rows)
    if matrix is not None:
        apart = told_apart(matrix, second, clusters, seed=_SEED)
    figures = (*_figures(apart, min_effect), *(_figure(item, alpha, min_effect) for item in drifts[:_SHOWN]))
    if isinstance(apart, str) and not drifts:
        yield Inconclusive(
            reason=f"split {split!r} cannot be compared: {apart}",
            measurements=(Measurement(name=f"samples in {split!r}", value=int(second.sum())),),
        )
        return
    significant = [item for item in drifts if item.adjusted <= alpha]
    effects = [item.effect for item in significant]
    if isinstance(apart, TwoSample) and apart.p_value <= alpha:
        effects.append(_as_effect(apart.auc))
    effect = max(effects, default=0.0)
    exhibit = _listing(split, drifts)
    if effect < _SMALL:
        said = apart if isinstance(apart, str) else f"AUC {apart.auc:.3f}, p = {apart.p_value:.2g}"
        tiny = f"; {len(significant)} columns differ, all by less than {_SMALL:g}" if significant else ""
        yield Observation(
            message=f"Split {split!r} against the training split: {said}; {len(drifts):,} tests of columns{tiny}.",
            measurements=(*figures, *_left_out(left_out)),
            exhibits=exhibit,
        )
        return
    later = is_later(samples, inside)
    severe = effect >= min_effect and not later
    worth = worth_of_split(samples, inside, split, seed=_SEED)
    carried = [item for item in significant if item.effect >= _SMALL]
    yield split_drift.finding(
        f"Split {split!r} differs from the training split: {_said(apart, alpha)}{_carriers(carried)}."
        f"{' It is later than the training split as a whole.' if later else ''}"
        f"{' ' + describe(worth) if isinstance(worth, Worth) else ''}",
        remedy="Draw the splits anew at random, whole groups together; where the difference is meant, report the score "
        "as one under shift.",
        severity=Severity.WARNING if severe else Severity.INFO,
        confidence=Confidence.HIGH if min([1.0, *(item.adjusted for item in carried)]) <= 1e-3 else Confidence.MEDIUM,
        measurements=(*figures, *measurements(worth), *_left_out(left_out)),
        locations=tuple(
            Location(
                split=split,
                column=None if item.name == LABEL else item.name,
                note=_note(item),
            )
            for item in carried
        ),
        exhibits=exhibit,
        key=(split,),
    )


def _matrix(samples: SplitSamples, columns: Sequence[Column], rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
    """What the classifier sees: a table's columns as ranks and codes, or else the features."""
    used = [column for column in columns if column.name != LABEL]
    if samples.columns is not None and used:
        return np.column_stack([column.feature[rows] for column in used])
    return None if samples.features is None else samples.features[rows]


def _as_effect(auc: float) -> float:
    from scipy import stats

    shift = math.sqrt(2) * float(stats.norm.ppf(min(max(auc, 0.5), 1 - 1e-12)))
    return 2 * float(stats.norm.cdf(shift / 2)) - 1


def _said(apart: TwoSample | str, alpha: float) -> str:
    if isinstance(apart, str):
        return f"no classifier was asked, for {apart}"
    if apart.p_value > alpha:
        return f"not as a whole (AUC {apart.auc:.3f}, p = {apart.p_value:.2g})"
    return (
        f"a classifier tells them apart with AUC {apart.auc:.3f} ({100 * apart.level:.0f} % interval {apart.low:.3f} "
        f"to {apart.high:.3f}, p = {apart.p_value:.2g})"
    )


def _carriers(carried: Sequence[ColumnDrift]) -> str:
    if not carried:
        return ", and no column does so alone"
    named = ", ".join(
        f"{item.name if item.name == LABEL else repr(item.name)} ({_note(item)})" for item in carried[:_NAMED]
    )
    more = len(carried) - _NAMED
    return f"; most in {named}" + (f" and {more:,} more" if more > 0 else "")


def _note(item: ColumnDrift) -> str:
    return f"{item.said} {item.first:.4g} → {item.second:.4g}, effect {item.effect:.3f}"


def _figures(apart: TwoSample | str, min_effect: float) -> tuple[Measurement, ...]:
    if isinstance(apart, str):
        return (Measurement(name="classifier two-sample test", value=f"not done: {apart}"),)
    figures = [
        Measurement(
            name="AUC of a classifier that tells the splits apart",
            value=apart.auc,
            low=apart.low,
            high=apart.high,
            level=apart.level,
            p_value=apart.p_value,
            n=apart.n_first + apart.n_second,
        ),
        Measurement(name="effect of the AUC", value=_as_effect(apart.auc), threshold=min_effect),
        Measurement(name="independent units", value=apart.n_clusters),
        Measurement(name="seed of the classifier and its draws", value=_SEED),
    ]
    if apart.note:
        figures.append(Measurement(name="note on the classifier", value=apart.note))
    return tuple(figures)


def _figure(item: ColumnDrift, alpha: float, min_effect: float) -> Measurement:
    return Measurement(
        name=f"{item.test}, {item.name} (Holm-corrected, level {alpha:g})",
        value=item.effect,
        threshold=min_effect,
        p_value=item.adjusted,
        n=max(1, round(item.n)),
    )


def _left_out(names: Sequence[str]) -> tuple[Measurement, ...]:
    return (Measurement(name="columns left out, because they name the rows", value=", ".join(names)),) if names else ()


def _listing(split: str, drifts: Sequence[ColumnDrift]) -> tuple[Listing, ...]:
    if not drifts:
        return ()
    return (
        Listing(
            title=f"Columns of {split!r} against the training split",
            columns=("column", "test", "effect", "p (Holm)", "of", "training", split),
            rows=tuple((item.name, *drift_cells(item)) for item in drifts[:_SHOWN]),
            total=len(drifts),
        ),
    )
