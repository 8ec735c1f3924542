"""DG108: training and evaluation look swapped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.class_counts import ClassCounts, is_training, split_order

if TYPE_CHECKING:
    from numpy.typing import NDArray


@rule("DG108", "inverted-split", Severity.WARNING)
def inverted_split(counts: ClassCounts, *, max_ratio: Annotated[float, Between(low=1)] = 2.0) -> Iterator[Outcome]:
    """Training and evaluation look swapped.

    ## What it does

    Compares the size of what is called training with each split that is called validation or test, and looks at where
    the labels are.

    ## Why is this bad?

    A script that renames the two, or unpacks them in the wrong order, raises no error: the model is trained on a
    fraction of the data, and the figure measured on the rest looks like a hard problem.

    ## How it decides

    Training is `train`, `training` and samples without a split; evaluation is `val`, `valid`, `validation`, `dev`,
    `test`, `testing`, `eval`, `evaluation` and `holdout`. Splits of other names, such as folds, are left alone.

    - WARNING where an evaluation split has more than `max_ratio` times the samples of all training together.
    - INFO instead where training has equally many samples of each class and that evaluation split has not. Somebody
      counted them out: few-shot benchmarks do so with training, others with a balanced test set.
    - WARNING where no training sample has a label and evaluation samples have: it is the test set whose labels are
      usually withheld.

    Usual splits train on 50 to 90 % (Joseph 2022), so that no evaluation split is larger than training. Swapped, one of
    two to one is as large as 2, the default of `max_ratio`, and 70:30, 75:25 (scikit-learn's default), 80:20, 90:10 and
    60:20:20 are above. Swapped splits of 50 to 66 % are not told: unswapped ones look the same.

    Measured by `benchmarks/unlearnable.py`. Of 49 published sets of pictures and texts it warns of none (STL-10, with
    1.6 times as many test as training samples, and the many halved ones included); Flowers-102, with 10 training
    samples of each class and six times as many test samples, is INFO. Time series are often published with little to
    train on: of 17 sets of the UCR archive it warns of 7. Of 1,800 random splits of nine usual shapes, 50:50 to 90:10
    and with or without validation, it warns of none. Swapped, it warns of 100 % from 75:25 on, 99 % of 70:30, 78 % of
    67:33, none of 60:40 and 50:50, and of 34 of the 49 published sets.

    Options:

    - `max_ratio`: how many times as large as training an evaluation split may be.

    ## Example

    >>> counts = ClassCounts.from_mapping({"train": {"cat": 98, "dog": 102}, "test": {"cat": 407, "dog": 393}})
    >>> finding = inverted_split(counts)[0]
    >>> print(finding.message)
    'test' has 4.0 times the samples of training, 800 against 200: swapped back, 80 % of both would be for training.

    ## How to fix

    Look at where the splits come from: the order in which a function returns them, the names of the files. Where it is
    meant, as in few-shot learning, ignore the rule with that reason.

    ## References

    - V. R. Joseph, *Optimal ratio for data splitting*, Statistical Analysis and Data Mining 15, 2022.
    - scikit-learn, `train_test_split`: a quarter for the test unless told otherwise.
    - [TensorFlow Datasets, oxford_flowers102](https://www.tensorflow.org/datasets/catalog/oxford_flowers102): a
      published set whose page has to warn that its test split is larger than its training split.
    """
    labelled: NDArray[np.int64] = counts.counts.sum(axis=1)
    sizes = labelled + counts.unlabelled
    trained = [index for index, split in enumerate(counts.splits) if is_training(split)]
    evaluated = [index for index, split in enumerate(counts.splits) if index not in trained and _evaluates(split)]
    n_training = int(sizes[trained].sum())
    evaluated = [index for index in evaluated if sizes[index]]
    if not n_training or not evaluated:
        lacking = "training" if not n_training else "validation or test"
        yield Skipped(reason=f"there is no {lacking} split to compare with", hint="splits are told by their names")
        return

    larger = [index for index in evaluated if sizes[index] > max_ratio * n_training]
    for index in sorted(larger, key=lambda index: -int(sizes[index])):
        yield _too_large(counts, index, trained, sizes, max_ratio)
    withheld = int(labelled[trained].sum()) == 0
    if withheld and (with_labels := [index for index in evaluated if labelled[index]]):
        yield _unlabelled(counts, with_labels, n_training)

    largest = max(evaluated, key=lambda index: int(sizes[index]))
    yield Observation(
        message=f"{n_training:,} samples in training, {int(sizes[largest]):,} in {counts.splits[largest]!r}: "
        f"{_times(sizes[largest] / n_training)} (at most {max_ratio:g}).",
        measurements=_measurements(counts, evaluated, sizes, n_training, max_ratio),
    )


def _too_large(
    counts: ClassCounts, index: int, trained: list[int], sizes: NDArray[np.int64], max_ratio: float
) -> Outcome:
    name, n, n_training = counts.splits[index], int(sizes[index]), int(sizes[trained].sum())
    message = f"{name!r} has {_times(n / n_training)} the samples of training, {n:,} against {n_training:,}"
    each = _equal(counts.counts[trained].sum(axis=0))
    if each and not _equal(counts.counts[index]):
        return inverted_split.finding(
            f"{message}. Training has {each:,} of each class, so that it was counted out: for few-shot learning, or as "
            "a balanced test set that took the wrong name.",
            remedy="See which of the two is meant. Where training is meant to be small, ignore this rule with that "
            "reason.",
            severity=Severity.INFO,
            confidence=Confidence.LOW,
            measurements=_measurements(counts, [index], sizes, n_training, max_ratio),
            locations=(Location(split=name),),
            exhibits=(_sizes(counts),),
            key=(name,),
        )
    return inverted_split.finding(
        f"{message}: swapped back, {100 * n / (n + n_training):.0f} % of both would be for training.",
        remedy=f"See whether {name!r} and training were swapped: the order in which a function returns them, the names "
        "of the files. Where training is meant to be small, ignore this rule with that reason.",
        confidence=Confidence.MEDIUM,
        measurements=_measurements(counts, [index], sizes, n_training, max_ratio),
        locations=(Location(split=name),),
        exhibits=(_sizes(counts),),
        key=(name,),
    )


def _unlabelled(counts: ClassCounts, with_labels: list[int], n_training: int) -> Outcome:
    names = " and ".join(repr(counts.splits[index]) for index in with_labels)
    n = int(counts.counts[with_labels].sum())
    return inverted_split.finding(
        f"None of {n_training:,} training samples has a label, and {n:,} of {names} have: it is a test set whose "
        "labels are usually withheld.",
        remedy="See whether the two were swapped, or the labels of training were left behind. Where training is meant "
        "to do without labels, ignore this rule with that reason.",
        confidence=Confidence.MEDIUM,
        measurements=(
            Measurement(name="labels in training", value=0, threshold=1, n=n_training),
            Measurement(name="labels in evaluation", value=n),
        ),
        locations=tuple(Location(split=counts.splits[index]) for index in with_labels),
        exhibits=(_sizes(counts),),
        key=("labels",),
    )


def _evaluates(split: str) -> bool:
    # split_order ranks training 0, validation 1 and test 2; 3 is for names that say neither.
    return split_order(split)[0] in (1, 2)


def _equal(row: NDArray[np.int64]) -> int:
    """How many samples each class has, where that is the same and there are two or more; else 0."""
    present = row[row > 0]
    return int(present[0]) if len(present) > 1 and (present == present[0]).all() else 0


def _measurements(
    counts: ClassCounts, chosen: list[int], sizes: NDArray[np.int64], n_training: int, max_ratio: float
) -> tuple[Measurement, ...]:
    return tuple(
        Measurement(
            name=f"samples of {counts.splits[index]} over those of training",
            value=round(float(sizes[index]) / n_training, 4),
            threshold=max_ratio,
            n=int(sizes[index]) + n_training,
        )
        for index in chosen
    )


def _sizes(counts: ClassCounts) -> Listing:
    rows = zip(counts.splits, counts.counts, counts.unlabelled, strict=True)
    return Listing(
        title="Splits",
        columns=("split", "samples", "with a label", "classes"),
        rows=tuple(
            (split or "no split", int(row.sum() + without), int(row.sum()), int(np.count_nonzero(row)))
            for split, row, without in rows
        ),
        total=len(counts.splits),
    )


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio >= 0.1 else f"{ratio:.2g} times"
