"""DG307: columns, or a split, were left out of the normalization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.splits.normalization.evidence import NormalizationEvidence

SHOWN = 20
LEAST_SCALED = 2


@rule("DG307", "not-normalized", Severity.WARNING)
def not_normalized(
    evidence: NormalizationEvidence, *, max_ratio: Annotated[float, Between(low=1)] = 10.0
) -> Iterator[Outcome]:
    """Some columns, or a whole split, are on another scale than the normalized rest.

    ## What it does

    Looks for columns of measurements that are still raw beside columns that are normalized, for a held-out split that
    is raw beside a normalized training split, and, where `normalization.method` says that the data are normalized, for
    data that are not at all.

    ## Why is this bad?

    A column of thousands beside columns of ones decides every distance and takes over every gradient. A test split
    that was forgotten makes a model look broken, or, worse, merely bad.

    ## How it decides

    *Columns.* At least two columns are known to be normalized (DG305's evidence). A column is reported whose standard
    deviation or mean, in training, is more than `max_ratio` times larger than that of the largest of these, or its
    deviation more than `max_ratio` times smaller than the smallest of these. Ten times is far beyond what a different
    scaling gives: standard, robust and min-max scaling of one column differ by less. Counts, codes, flags and one-hot
    columns are left alone: of whole numbers only, or of at most 12 distinct values.

    *A split.* Training fits its own statistics, and in more than half of the normalized columns of another split the
    mean is more than `max_ratio` standard deviations away from 0, or the deviation `max_ratio` times as large or
    small. It is an error: no drift does that in most columns at once.

    *Nothing normalized* is no finding by itself, since trees want raw tables. It is one where the configuration says
    `normalization.method`.

    *Measured* in its tests only: silent beside one-hot, count, code and flag columns, beside columns of another
    scaling, and on a drift of four deviations and three times the width.

    Options:

    - `max_ratio`: how many times another scale a column may have.

    ## Example

    >>> import numpy as np
    >>> from dataguard.splits.normalization.gathered import evidence_of
    >>> from dataguard.splits.normalization import gather
    >>> rows = np.random.default_rng(0).normal(3000, 400, (500, 4))
    >>> z = (rows - rows[:400].mean(axis=0)) / rows[:400].std(axis=0)
    >>> z[:, 3] = rows[:, 3]
    >>> states, names, _ = gather({"train": z[:400], "test": z[400:]})
    >>> finding = not_normalized(evidence_of(states, source="arrays", columns=["a", "b", "c", "income"]))[0]
    >>> print(finding.message)
    1 of 4 columns is not normalized beside 3 that are: 'income' (mean 3e+03, standard deviation 4e+02).

    ## How to fix

    Give the scaler all columns of measurements; a `ColumnTransformer` drops or passes on what it is not told of. Where
    a column is meant to stay raw, ignore the rule with that reason.

    ## References

    - LeCun, Bottou, Orr & Müller, *Efficient BackProp*, 1998: why inputs should have one scale.
    - scikit-learn, *Importance of feature scaling*.
    """
    verdict = evidence.verdict
    trained = [name for name in verdict.training if name in evidence.facts]
    facts = evidence.facts[trained[0]]
    expected = evidence.method not in (None, "sample")
    if evidence.declared is not None:
        yield Skipped(reason="the statistics are declared and yet to be applied", hint="DG308 judges them")
        return
    scaled = verdict.scaled
    if verdict.origin == "raw" or not scaled.any():
        if expected and verdict.origin == "raw":
            yield _nothing(evidence)
        elif not expected:
            yield Skipped(
                reason="the data are not normalized, and nothing says that they should be",
                hint="set normalization.method if they should",
            )
            return
        yield Observation(message=verdict.sentence)
        return
    if verdict.status == "identified" and set(verdict.fitted_on and verdict.fitted_on[0]) <= set(trained):
        for name in evidence.facts:
            if name not in trained and (share := _raw_share(evidence, name, max_ratio)) > 0.5:
                yield _raw_split(evidence, name, share, max_ratio)
    other = _other_columns(evidence, trained[0], max_ratio)
    if other and int(scaled.sum()) >= LEAST_SCALED and verdict.scope in ("feature", "channel"):
        yield _columns(evidence, other, trained[0], max_ratio)
    yield Observation(
        message=f"{int(scaled.sum())} of {len(scaled)} columns are normalized, "
        f"{int((facts.measured & ~scaled).sum())} other columns of measurements are not.",
        measurements=(
            Measurement(name="normalized columns", value=int(scaled.sum()), n=len(scaled)),
            Measurement(name="other columns of measurements", value=int((facts.measured & ~scaled).sum())),
        ),
    )


def _other_columns(evidence: NormalizationEvidence, split: str, limit: float) -> list[int]:
    facts, scaled = evidence.facts[split], evidence.verdict.scaled
    known = scaled & (facts.std > 0)
    if not known.any():
        return []
    largest = max(float(facts.std[known].max()), float(np.abs(facts.mean[known]).max()))
    smallest = float(facts.std[known].min())
    far = (facts.std > limit * largest) | (np.abs(facts.mean) > limit * largest) | (facts.std < smallest / limit)
    return np.flatnonzero(facts.measured & ~scaled & far).tolist()


def _raw_share(evidence: NormalizationEvidence, split: str, limit: float) -> float:
    facts, scaled = evidence.facts[split], evidence.verdict.scaled
    train = evidence.facts[evidence.verdict.training[0]]
    asked = scaled & (train.std > 0)
    if not asked.any():
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = facts.std[asked] / train.std[asked]
        far = (np.abs(facts.mean[asked] - train.mean[asked]) > limit * train.std[asked]) | (ratio > limit)
    return float(far.mean())


def _columns(evidence: NormalizationEvidence, other: list[int], split: str, limit: float) -> Outcome:
    verdict, facts = evidence.verdict, evidence.facts[split]
    first = [
        f"{verdict.columns[at]!r} (mean {facts.mean[at]:.2g}, standard deviation {facts.std[at]:.2g})"
        for at in other[:3]
    ]
    more = f" and {len(other) - 3} more" if len(other) > 3 else ""
    verb = "is" if len(other) == 1 else "are"
    return not_normalized.finding(
        f"{len(other)} of {len(verdict.columns)} columns {verb} not normalized beside {int(verdict.scaled.sum())} "
        f"that are: {', '.join(first)}{more}.",
        remedy="Give the scaler these columns too, or ignore this rule with the reason why they stay raw.",
        confidence=Confidence.MEDIUM,
        measurements=(
            Measurement(name="columns on another scale", value=len(other), n=len(verdict.columns)),
            Measurement(name="scales apart", value=_apart(evidence, other, split), threshold=limit),
        ),
        locations=tuple(Location(column=verdict.columns[at], split=split) for at in other),
        exhibits=(
            Listing(
                title="Columns on another scale",
                columns=("column", "mean", "standard deviation", "least", "largest"),
                rows=tuple(
                    (
                        verdict.columns[at],
                        *(float(f"{array[at]:.4g}") for array in (facts.mean, facts.std, facts.low, facts.high)),
                    )
                    for at in other[:SHOWN]
                ),
                total=len(other),
            ),
        ),
        key=tuple(sorted(verdict.columns[at] for at in other)),
    )


def _apart(evidence: NormalizationEvidence, other: list[int], split: str) -> float:
    facts, scaled = evidence.facts[split], evidence.verdict.scaled
    typical = float(np.median(facts.std[scaled & (facts.std > 0)]))
    ratios = np.maximum(facts.std[other], np.abs(facts.mean[other])) / typical
    return float(f"{max(ratios.max(), 1 / max(ratios.min(), 1e-300)):.3g}")


def _raw_split(evidence: NormalizationEvidence, name: str, share: float, limit: float) -> Outcome:
    verdict = evidence.verdict
    return not_normalized.finding(
        f"{name!r} is not normalized as training is: {100 * share:.0f} % of {int(verdict.scaled.sum())} normalized "
        f"columns are more than {limit:g} standard deviations away there, or {limit:g} times as wide.",
        remedy="Apply training's scaler to it.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(name="share of columns on another scale", value=round(share, 4), threshold=0.5, unit="share"),
        ),
        locations=(Location(split=name),),
        key=("split", name),
    )


def _nothing(evidence: NormalizationEvidence) -> Outcome:
    verdict = evidence.verdict
    facts = evidence.facts[verdict.training[0]]
    return not_normalized.finding(
        f"normalization.method says {evidence.method!r}, and no column is: standard deviations from "
        f"{np.nanmin(facts.std):.2g} to {np.nanmax(facts.std):.2g}, means from {np.nanmin(facts.mean):.2g} to "
        f"{np.nanmax(facts.mean):.2g}.",
        remedy="Normalize before this point, or name what the model is really fed with in normalization.splits.",
        confidence=Confidence.MEDIUM,
        measurements=(
            Measurement(name="smallest standard deviation", value=float(f"{np.nanmin(facts.std):.3g}")),
            Measurement(name="largest standard deviation", value=float(f"{np.nanmax(facts.std):.3g}")),
        ),
        key=("method",),
    )
