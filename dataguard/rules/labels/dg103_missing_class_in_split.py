"""DG103 missing-class-in-split."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.class_counts import ClassCounts, is_training
from dataguard.labels.spelling import same_but_for_spelling

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LISTED = 200
"""Rows of an exhibit; the locations hold all."""


@rule("DG103", "missing-class-in-split", Severity.ERROR)
def missing_class_in_split(
    counts: ClassCounts, *, luck_level: Annotated[float, Between(low=0, high=1)] = 0.01
) -> Iterator[Outcome]:
    """A class is in one split and not in another.

    ## What it does

    Compares the classes of the training data with those of every evaluation split:

    - a class that evaluation has and training lacks: an error, because it cannot be learned;
    - a class that training has and an evaluation split lacks: a warning, because nothing is measured of it.

    ## Why is this bad?

    Every evaluation sample of a class without training samples is counted as a mistake of the model, and the model had
    no chance. A class without evaluation samples may be broken altogether without any figure showing it, and averages
    over classes (balanced accuracy, macro F1) differ from split to split for that reason alone. The usual causes are a
    file that was sorted by class before it was cut, a label spelled in two ways, and a class so rare that a random
    split missed it.

    ## How it decides

    Whether a class is missing is a fact, so confidence is high. Why it is missing is a question of chance. A random
    split of n out of N labelled samples misses a class of c samples with the hypergeometric probability

        P(miss) = C(N − c, n) / C(N, n)

    With m classes missed where μ = Σ P(miss) are expected, over all K classes of the dataset, two bounds hold under H0
    *the split is random*: K · min P(miss) (Bonferroni), and exp(m − μ) (μ/m)^m (Chernoff's bound, valid here because
    multivariate hypergeometric counts are negatively associated). The p-value is twice the smaller one, times the
    number of comparisons made. Below `luck_level` the message says that the split is broken; otherwise that bad luck
    explains it.

    Two labels that differ in nothing but case, blanks, the kind of separator (`_`, `-`, blank) or the way to write a
    number (`1`, `01`, `1.0`) are named as the likely cause.

    Splits are told by their names: `train` and `training`, or no split at all, is training; every other is evaluation.
    Evaluation splits without labels are left out.

    Options:

    - `luck_level`: the p-value below which a random split is ruled out. 0.01 is a convention; it affects the wording
      and not whether the rule fires.

    Measured (`benchmarks/class_rules.py`, 2,000 splits a case into 70, 15 and 15 %, five class distributions from 10
    classes of 100 to 100 classes of 1): "broken" was said of at most 0.05 % of random splits, and of 100 % of those cut
    from data sorted by class, except where every class has one sample, which no test can tell apart.

    ## Example

    >>> from dataguard.dataset.class_counts import ClassCounts
    >>> counts = ClassCounts.from_mapping({"train": {"cat": 400, "dog": 410}, "test": {"cat": 90, "dog": 4, "Dog": 95}})
    >>> print(missing_class_in_split(counts)[0].message)
    Training lacks 1 class that evaluation has, 'Dog': 95 samples (50.3 % of 'test') cannot be predicted right. \
Likely cause: 'Dog' is 'dog' spelled differently.

    ## How to fix

    Where the split is broken, split again: shuffled, stratified by class, with a fixed seed, and all samples of a group
    (patient, document, video) on one side. Where a spelling is the cause, correct the label. Where a class is too rare
    for every split, collect more of it, merge it with another class or leave it out of both. Where evaluation on unseen
    classes is the purpose (open-set, zero-shot), ignore the rule with that reason.

    ## References

    - Joag-Dev, Proschan, *Negative association of random variables, with applications*, Annals of Statistics 11, 1983.
    - Dubhashi, Ranjan, *Balls and bins: a study in negative dependence*, Random Structures & Algorithms 13, 1998
      (Chernoff's bound under negative association).
    - [scikit-learn: stratified splits](https://scikit-learn.org/stable/modules/cross_validation.html#stratification)
    """
    trained = [index for index, split in enumerate(counts.splits) if is_training(split)]
    evaluated = [index for index in range(len(counts.splits)) if index not in trained]
    if not trained or not evaluated:
        lacking = "training" if not trained else "evaluation"
        yield Skipped(reason=f"there is no {lacking} split to compare with", hint="splits are told by their names")
        return
    training: NDArray[np.int64] = counts.counts[trained].sum(axis=0)
    evaluated = [index for index in evaluated if counts.counts[index].any()]
    if not training.any() or not evaluated:
        yield Skipped(reason=f"no {'training' if not training.any() else 'evaluation'} sample has a label")
        return
    tests = 1 + len(evaluated)
    comparison = _Comparison(counts, tests=tests, luck_level=luck_level)
    evaluation: NDArray[np.int64] = counts.counts[evaluated].sum(axis=0)
    unlearnable = np.flatnonzero((training == 0) & (evaluation > 0))
    if len(unlearnable):
        yield _unlearnable(comparison, unlearnable, training, evaluated)
    for index in evaluated:
        unmeasured = np.flatnonzero((training > 0) & (counts.counts[index] == 0))
        if len(unmeasured):
            yield _unmeasured(comparison, unmeasured, training, index)
    names = ", ".join(repr(counts.splits[index]) for index in evaluated)
    yield Observation(
        message=f"{np.count_nonzero(training):,} classes in training, {np.count_nonzero(evaluation):,} in evaluation "
        f"({names}); {len(unlearnable):,} in evaluation alone.",
        measurements=(
            Measurement(name="classes in training", value=int(np.count_nonzero(training))),
            Measurement(name="classes in evaluation", value=int(np.count_nonzero(evaluation))),
            Measurement(name="classes in evaluation alone", value=len(unlearnable), threshold=0),
        ),
    )


class _Comparison:
    """The classes of one dataset, with what a random split would do to them."""

    def __init__(self, counts: ClassCounts, *, tests: int, luck_level: float) -> None:
        self.counts = counts
        self.totals: NDArray[np.int64] = counts.counts.sum(axis=0)
        self.n_labelled = counts.n_labelled
        self.tests = tests
        self.luck_level = luck_level

    def p_value(self, missing: NDArray[np.intp], n_split: int) -> tuple[float, NDArray[np.float64]]:
        """The p-value of a random split that misses these classes, and P(miss) of every class."""
        present = self.totals > 0
        miss = miss_probabilities(self.totals, n_split)
        expected = float(miss[present].sum())
        smallest = float(miss[missing].min()) * int(present.sum())
        m = len(missing)
        log_tail = m - expected + m * math.log(expected / m) if 0 < expected < m else 0.0 if expected else -math.inf
        return min(1.0, 2 * self.tests * min(smallest, math.exp(log_tail))), miss

    def cause(self, missing: NDArray[np.intp], n_split: int, others: NDArray[np.intp]) -> tuple[str, float, Listing]:
        """Why the classes are missing, in words; the p-value; and the classes as a listing."""
        classes = self.counts.classes
        p_value, miss = self.p_value(missing, n_split)
        elsewhere = [classes[k] for k in others]
        twins = [(classes[k], same_but_for_spelling(classes[k], elsewhere)) for k in missing]
        spelled = [f"{label!r} is {twin!r} spelled differently" for label, twin in twins if twin is not None]
        if spelled:
            more = f" and {len(spelled) - 3:,} more" if len(spelled) > 3 else ""
            words = f"Likely cause: {'; '.join(spelled[:3])}{more}."
        elif p_value < self.luck_level:
            words = (
                f"A random split would do that with probability {_probability(p_value)} at most: the split is broken."
            )
        else:
            words = f"Bad luck explains it: a random split may do that, with probability up to {_probability(p_value)}."
        listing = Listing(
            title="Missing classes",
            columns=("class", *(split or "no split" for split in self.counts.splits), "P(miss) of a random split"),
            rows=tuple(
                (classes[k], *(int(n) for n in self.counts.counts[:, k]), float(f"{miss[k]:.3g}"))
                for k in missing[:_LISTED]
            ),
            total=len(missing),
        )
        return words, p_value, listing


def _unlearnable(
    comparison: _Comparison, missing: NDArray[np.intp], training: NDArray[np.int64], evaluated: list[int]
) -> Outcome:
    counts = comparison.counts
    words, p_value, listing = comparison.cause(missing, int(training.sum()), np.flatnonzero(training))
    harm, measurements, locations = [], [], []
    for index in evaluated:
        lost, of = int(counts.counts[index, missing].sum()), int(counts.counts[index].sum())
        if not lost:
            continue
        harm.append(f"{lost:,} sample{'' if lost == 1 else 's'} ({100 * lost / of:.1f} % of {counts.splits[index]!r})")
        measurements.append(
            Measurement(
                name=f"share of {counts.splits[index]} that cannot be predicted right",
                value=lost / of,
                threshold=0,
                n=of,
                unit="share",
            )
        )
        locations += [
            Location(
                split=counts.splits[index],
                label=counts.classes[k],
                note=f"{int(counts.counts[index, k]):,} here, 0 in training",
            )
            for k in missing
            if counts.counts[index, k]
        ]
    return missing_class_in_split.finding(
        f"Training lacks {_classes(missing)} that evaluation has, {_named(counts, missing)}: "
        f"{' and '.join(harm)} cannot be predicted right. {words}",
        remedy="Split again, shuffled and stratified by class, or correct the labels; report no figure on these "
        "classes before that.",
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(name="classes missing in training", value=len(missing), threshold=0, p_value=p_value),
            *measurements,
        ),
        locations=tuple(locations),
        exhibits=(listing,),
        key=("training",),
    )


def _unmeasured(comparison: _Comparison, missing: NDArray[np.intp], training: NDArray[np.int64], index: int) -> Outcome:
    counts = comparison.counts
    row = counts.counts[index]
    words, p_value, listing = comparison.cause(missing, int(row.sum()), np.flatnonzero(row))
    return missing_class_in_split.finding(
        f"Split {counts.splits[index]!r} lacks {_classes(missing)} of {np.count_nonzero(training):,} that "
        f"training has, {_named(counts, missing)}. {words}",
        remedy="Split again, stratified by class; until then say beside every figure which classes it leaves out.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(
                name=f"classes missing in {counts.splits[index]}", value=len(missing), threshold=0, p_value=p_value
            ),
        ),
        locations=tuple(
            Location(
                split=counts.splits[index], label=counts.classes[k], note=f"{int(training[k]):,} in training, 0 here"
            )
            for k in missing
        ),
        exhibits=(listing,),
        key=("evaluation", counts.splits[index]),
    )


def miss_probabilities(totals: NDArray[np.int64], n_split: int) -> NDArray[np.float64]:
    """The probability that a random split has no sample of a class, by class.

    Args:
        totals: Samples of each class in the whole dataset, shape (classes,).
        n_split: Samples of the split.

    Returns:
        C(N − c, n) / C(N, n) for each class of c samples out of N, shape (classes,).
    """
    from scipy.special import gammaln

    rest = totals.sum() - totals
    with np.errstate(invalid="ignore"):
        logs = (
            gammaln(rest + 1.0)
            - gammaln(np.maximum(rest - n_split, 0) + 1.0)
            - gammaln(totals.sum() + 1.0)
            + gammaln(totals.sum() - n_split + 1.0)
        )
    probabilities: NDArray[np.float64] = np.where(rest < n_split, 0.0, np.exp(np.minimum(logs, 0.0)))
    return probabilities


def _classes(missing: NDArray[np.intp]) -> str:
    return f"{len(missing):,} class{'' if len(missing) == 1 else 'es'}"


def _named(counts: ClassCounts, missing: NDArray[np.intp]) -> str:
    names = [repr(counts.classes[k]) for k in missing[:5]]
    more = len(missing) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _probability(value: float) -> str:
    return "below 1e-12" if value < 1e-12 else f"{value:.2g}"
