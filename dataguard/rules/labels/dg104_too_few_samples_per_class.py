"""DG104 too-few-samples-per-class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.class_counts import ClassCounts, is_training
from dataguard.labels.spelling import nearest_spelling

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVEL = 0.95
_LISTED = 200
"""Rows of an exhibit; the locations hold all."""


@rule("DG104", "too-few-samples-per-class", Severity.WARNING)
def too_few_samples_per_class(
    counts: ClassCounts,
    *,
    min_train: Annotated[int, Between(low=0)] = 30,
    min_evaluation: Annotated[int, Between(low=0)] = 10,
) -> Iterator[Outcome]:
    """A class has too few samples to say anything about it.

    ## What it does

    Counts the samples of each class in the training data and in each evaluation split, and reports the classes that
    have some and too few. Classes without any are the subject of DG103, missing-class-in-split.

    ## Why is this bad?

    Of n samples of a class without one mistake, all that follows is an error rate below 3/n or so. With 5 samples, a
    class that is always right in the test may be wrong in 45 % of all cases. A class of one sample can be learned or
    tested, and never both; and more often than not it is a misspelled label.

    ## How it decides

    If n independent samples show no mistake, the exact 95 % upper bound of the error rate is 1 − 0.05^(1/n), which is
    about 3/n (the rule of three). No result on n samples, however good, can show less. The thresholds are set by it:

    | n | 1 | 2 | 5 | 10 | 30 | 100 | 300 |
    | --- | --- | --- | --- | --- | --- | --- | --- |
    | bound, % | 95.0 | 77.6 | 45.1 | 25.9 | 9.5 | 3.0 | 1.0 |

    - A training class with fewer than `min_train` samples: a warning. Out-of-sample predictions within it (as
      DG101, label-noise, makes them) cannot show an error rate below that bound.
    - A training class of 1 sample: an error. With it held out, nothing of its class is left to learn from; so nothing
      can be said of it, and stratified splits refuse it. If the label is near that of a larger class, the message says
      so.
    - An evaluation class with fewer than `min_evaluation` samples: a warning for that split.

    Counts are facts, so there is no false alarm about them, and confidence is high; which error rate must be told apart
    is for the owner of the data to say.

    Options:

    - `min_train`: least samples of a class in training. 30 is the rule of three for 10 %.
    - `min_evaluation`: least samples of a class in an evaluation split. 10 is the rule of three for 30 %; 300 are
      needed for 1 %.

    Measured (`benchmarks/class_rules.py`, 100,000 simulated tests for each of seven n and 60 true error rates from 0.5
    to 60 %): the share of tests that show no mistake though the true rate lies above the bound is at most 4.9 %, where
    5 % is what the bound promises.

    ## Example

    >>> from dataguard.dataset.class_counts import ClassCounts
    >>> counts = ClassCounts.from_mapping({"train": {"poodle": 80, "retriever": 75, "retreiver": 1, "beagle": 12}})
    >>> for outcome in too_few_samples_per_class(counts)[:2]:
    ...     print(outcome.severity.word, "-", outcome.message)
    error - 1 class has a single training sample: 'retreiver' (perhaps 'retriever' misspelled).
    warning - 1 class of 4 has fewer than 30 training samples: 'beagle' (12). Without one mistake on 12 samples its \
error rate may still be 22 %.

    ## How to fix

    Correct misspelled labels. Collect more samples, or merge classes that need not be told apart. Otherwise leave the
    class out of figures by class, or report them with intervals. To measure with few samples, cross-validate, so that
    every sample is tested once.

    ## References

    - Hanley, Lippman-Hand, *If nothing goes wrong, is everything all right? Interpreting zero numerators*, JAMA
      249(13), 1983.
    - Clopper, Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*, Biometrika
      26, 1934.
    """
    training = counts.training
    if not counts.counts.any():
        yield Skipped(reason="no sample has a label")
        return
    single = np.flatnonzero(training == 1) if min_train > 1 else np.array([], dtype=np.intp)
    if len(single):
        yield _single(counts, single)
    few = _fewest(training, np.flatnonzero((training > 1) & (training < min_train)))
    if len(few):
        yield _few(counts, few, training, least=min_train, split=None)
    if any(is_training(split) for split in counts.splits):
        for index, split in enumerate(counts.splits):
            row = counts.counts[index]
            few = _fewest(row, np.flatnonzero((row > 0) & (row < min_evaluation)))
            if len(few) and not is_training(split):
                yield _few(counts, few, row, least=min_evaluation, split=split)
    present = training[training > 0]
    if len(present):
        least, median = int(present.min()), float(np.median(present))
        yield Observation(
            message=f"The smallest of {len(present):,} training classes has {least:,} samples, the median one "
            f"{median:,.0f}.",
            measurements=(
                Measurement(name="samples of the smallest training class", value=least, threshold=min_train),
                Measurement(name="median of samples a training class", value=median),
            ),
        )


def error_bound(n: int, *, level: float = _LEVEL) -> float:
    """Upper confidence bound of an error rate of which n samples show no case: 1 − (1 − level)^(1/n).

    >>> round(error_bound(30), 3)
    0.095
    """
    return float(1 - (1 - level) ** (1 / n))


def _fewest(row: NDArray[np.int64], chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    ordered: NDArray[np.intp] = chosen[np.argsort(row[chosen], kind="stable")]
    return ordered


def _single(counts: ClassCounts, single: NDArray[np.intp]) -> Outcome:
    larger = [name for name, n in zip(counts.classes, counts.counts.sum(axis=0), strict=True) if n > 1]
    notes = []
    for k in single:
        near = nearest_spelling(counts.classes[k], larger)
        notes.append("" if near is None else f"perhaps {near!r} misspelled")
    named = [
        repr(counts.classes[k]) + (f" ({note})" if note else "") for k, note in zip(single[:5], notes[:5], strict=True)
    ]
    more = f" and {len(single) - 5:,} more" if len(single) > 5 else ""
    return too_few_samples_per_class.finding(
        f"{_classes(len(single))} a single training sample: {', '.join(named)}{more}.",
        remedy="Correct the label if it is misspelled; otherwise collect more samples, or take the class out.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="classes of one training sample", value=len(single), threshold=0),),
        locations=tuple(
            Location(label=counts.classes[k], note=note or "1 sample") for k, note in zip(single, notes, strict=True)
        ),
        exhibits=(_listing(counts, single, counts.training),),
        key=("training", "single"),
    )


def _few(
    counts: ClassCounts, few: NDArray[np.intp], row: NDArray[np.int64], *, least: int, split: str | None
) -> Outcome:
    n = int(row[few[0]])
    place = "training samples" if split is None else f"samples in {split!r}"
    named = ", ".join(f"{counts.classes[k]!r} ({int(row[k]):,})" for k in few[:5])
    more = f" and {len(few) - 5:,} more" if len(few) > 5 else ""
    subject = f"{len(few):,} class{'' if len(few) == 1 else 'es'} of {np.count_nonzero(row):,}"
    whose = "its" if len(few) == 1 else "the smallest one's"
    return too_few_samples_per_class.finding(
        f"{subject} {'has' if len(few) == 1 else 'have'} fewer than {least:,} {place}: {named}{more}. Without one "
        f"mistake on {n:,} sample{'' if n == 1 else 's'} {whose} error rate may still be {100 * error_bound(n):.0f} %.",
        remedy="Collect more of these classes, merge them, or give no figure of them without its interval.",
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(name="classes with too few samples", value=len(few), threshold=0),
            Measurement(name="samples of the smallest class", value=n, threshold=least),
            Measurement(
                name="error rate that no mistake at all still allows",
                value=error_bound(n),
                level=_LEVEL,
                n=n,
                unit="share",
            ),
        ),
        locations=tuple(
            Location(split=split, label=counts.classes[k], note=f"{int(row[k]):,} of {least:,}") for k in few
        ),
        exhibits=(_listing(counts, few, row),),
        key=("training", "few") if split is None else ("evaluation", split),
    )


def _classes(n: int) -> str:
    return "1 class has" if n == 1 else f"{n:,} classes have"


def _listing(counts: ClassCounts, chosen: NDArray[np.intp], row: NDArray[np.int64]) -> Listing:
    return Listing(
        title="Classes with too few samples",
        columns=("class", *(split or "no split" for split in counts.splits), "error rate that no mistake still allows"),
        rows=tuple(
            (counts.classes[k], *(int(n) for n in counts.counts[:, k]), round(error_bound(int(row[k])), 4))
            for k in chosen[:_LISTED]
        ),
        total=len(chosen),
    )
