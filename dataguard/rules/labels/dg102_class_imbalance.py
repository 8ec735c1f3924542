"""DG102 class-imbalance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Histogram, Series
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
from dataguard.dataset.class_counts import ClassCounts, is_training

if TYPE_CHECKING:
    from numpy.typing import NDArray


@rule("DG102", "class-imbalance", Severity.WARNING)
def class_imbalance(
    counts: ClassCounts,
    *,
    min_ratio: Annotated[float, Between(low=0, high=1)] = 0.1,
    level: Annotated[float, Between(low=0, high=0.9999)] = 0.95,
) -> Iterator[Outcome]:
    """One class is many times rarer than another in the training data.

    ## What it does

    Compares the smallest and the largest class of the training splits. Classes without one training sample are the
    subject of DG103, missing-class-in-split.

    ## Why is this bad?

    A loss that is averaged over samples is dominated by the large classes: a model may give up a rare one at almost
    no cost. Accuracy hides it, because always guessing the largest class is already right as often as that class
    occurs. Every figure of the rare class rests on few samples.

    ## How it decides

    With n_min and n_max samples of the smallest and the largest of K classes, the ratio is n_min / n_max. It is an
    estimate: the smallest of many classes is partly small by chance. So the rule fires only where the upper end of a
    confidence interval of the ratio lies below `min_ratio`.

    Given n_min + n_max, n_min is binomial with q = p_min / (p_min + p_max). Let q⁺ be its exact (Clopper–Pearson)
    one-sided upper bound at level 1 − α / (K (K − 1)); the upper end of the ratio is q⁺ / (1 − q⁺). The Bonferroni
    divisor K (K − 1) counts the ordered pairs of classes out of which this one was selected for being extreme, so that
    the interval covers whatever the selection. H0: no class of the population is rarer than `min_ratio` times any
    other; the probability of firing under H0 is at most α = 1 − `level`.

    - ratio ≥ `min_ratio`: passes, with the figures shown.
    - ratio < `min_ratio`, upper end not below it: inconclusive.
    - upper end < `min_ratio`: a finding.

    Options:

    - `min_ratio`: the least ratio that passes. 0.1 is the default of deepchecks' Class Imbalance check; a convention
      and no law, since how much imbalance harms depends on the task and the number of rare samples.
    - `level`: coverage of the interval. 0 takes the counts for the population and never says inconclusive.

    Beside the ratio it reports the accuracy of always guessing the largest class, max p, and the effective number of
    classes exp(−Σ p ln p), which is K where all classes are equally large.

    Measured (`benchmarks/class_rules.py`, 2,000 draws each): on balanced classes (K = 2, 10, 100; 2, 5, 20, 100 samples
    a class) no false alarm, upper end of the 95 % interval 0.18 %, where the plain ratio held against 0.1 alarms in up
    to 72 %. With rare classes at exactly 0.1, the worst case of H0, at most 2.1 % at K = 2 and 0.4 % at K = 10. Power
    for one class of ten at ratio 0.02: 29 % with 100 samples in each other class, 94 % with 200, 100 % from 500; at
    ratio 0.05: 23 % with 200, 84 % with 500, 99.8 % with 1,000. What is missed is inconclusive and not passed.

    ## Example

    >>> from dataguard.dataset.class_counts import ClassCounts
    >>> counts = ClassCounts.from_mapping({"train": {"benign": 950, "malignant": 31}})
    >>> print(class_imbalance(counts)[0].message)
    Class 'malignant' has 31 training samples against 950 of 'benign': ratio 0.033 (at most 0.047), below 0.1.

    ## How to fix

    Collect more of the rare class first. Otherwise weight the loss by inverse class frequency or sample the rare
    classes more often, choose the decision threshold on validation data, and report balanced accuracy, Matthews
    correlation or precision and recall by class instead of accuracy. Where a long tail is what the world is like and
    the training accounts for it, ignore the rule with that reason.

    ## References

    - [deepchecks: Class Imbalance](https://docs.deepchecks.com/stable/tabular/auto_checks/data_integrity/plot_class_imbalance.html)
    - Clopper, Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*, Biometrika
      26, 1934.
    - He, Garcia, *Learning from imbalanced data*, IEEE TKDE 21(9), 2009.
    - Hill, *Diversity and evenness: a unifying notation and its consequences*, Ecology 54, 1973 (exp of the entropy).
    """
    training = counts.training
    present = np.flatnonzero(training)
    if len(present) == 0:
        yield Skipped(reason="no training sample has a label")
        return
    if len(present) == 1:
        yield Skipped(reason=f"the training data hold one class only, {counts.classes[present[0]]!r}")
        return
    total = int(training.sum())
    # Ties go to the first class for the smallest and to the last for the largest, so that the same data name the same
    # classes, and never one class twice.
    smallest = int(present[np.argmin(training[present])])
    largest = int(present[::-1][np.argmax(training[present][::-1])])
    n_min, n_max = int(training[smallest]), int(training[largest])
    ratio = n_min / n_max
    upper = ratio_upper_bound(n_min, n_max, n_classes=len(present), level=level)
    shares = training[present] / total
    measurements = (
        Measurement(name="ratio", value=ratio, threshold=min_ratio, high=upper, level=level, n=n_min + n_max),
        Measurement(name="samples of the smallest class", value=n_min),
        Measurement(name="samples of the largest class", value=n_max),
        Measurement(name="accuracy of always guessing the largest class", value=n_max / total, n=total, unit="share"),
        Measurement(name="effective number of classes", value=float(np.exp(-np.sum(shares * np.log(shares)))), n=total),
        Measurement(name="classes", value=len(present)),
    )
    pair = (
        f"{counts.classes[smallest]!r} has {n_min:,} training sample{'' if n_min == 1 else 's'} against {n_max:,} of "
        f"{counts.classes[largest]!r}: ratio {ratio:.2g}"
    )
    rare = [int(k) for k in present if training[k] < min_ratio * n_max]
    rare.sort(key=lambda k: (training[k], counts.classes[k]))
    if upper < min_ratio:
        others = f" {len(rare):,} of {len(present):,} classes lie below that." if len(rare) > 1 else ""
        yield class_imbalance.finding(
            f"Class {pair} (at most {upper:.2g}), below {min_ratio:g}.{others}",
            remedy="Collect more of the rare class, or weight the loss or the sampling by class; judge the model by "
            f"figures of each class, because always guessing {counts.classes[largest]!r} is right in "
            f"{100 * n_max / total:.1f} % of the samples.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=tuple(Location(label=counts.classes[k], note=f"{int(training[k]):,} samples") for k in rare),
            exhibits=(_histogram(counts, present),),
            key=("ratio",),
        )
        return
    if ratio < min_ratio:
        yield Inconclusive(
            reason=f"class {pair}, but with so few samples it may be up to {upper:.2g} (level {level:g}), and the "
            f"threshold is {min_ratio:g}",
            measurements=measurements,
        )
        return
    yield Observation(
        message=f"Class {pair} (threshold {min_ratio:g}).",
        measurements=measurements,
        exhibits=(_histogram(counts, present),),
    )


def ratio_upper_bound(n_min: int, n_max: int, *, n_classes: int, level: float) -> float:
    """Upper confidence bound of the ratio of the smallest to the largest of several classes.

    Clopper and Pearson's exact bound of the binomial share n_min / (n_min + n_max), with Bonferroni's correction for
    the ordered pairs of classes that the two were selected from.

    Args:
        n_min: Samples of the smallest class.
        n_max: Samples of the largest class, at least 1.
        n_classes: How many classes there are, at least 2.
        level: Coverage; 0 gives the ratio itself.
    """
    from scipy.stats import beta

    if level == 0:
        return n_min / n_max
    alpha = (1 - level) / (n_classes * (n_classes - 1))
    share = float(beta.isf(alpha, n_min + 1, n_max))
    return share / (1 - share) if share < 1 else float("inf")


def _histogram(counts: ClassCounts, present: NDArray[np.intp]) -> Histogram:
    order = sorted((int(k) for k in present), key=lambda k: (-int(counts.training[k]), counts.classes[k]))
    trained = [index for index, split in enumerate(counts.splits) if is_training(split)]
    rows = trained or range(len(counts.splits))
    return Histogram(
        title="Training samples per class",
        categories=tuple(counts.classes[k] for k in order),
        series=tuple(
            Series(name=counts.splits[row] or "all", values=tuple(float(counts.counts[row, k]) for k in order))
            for row in rows
        ),
    )
