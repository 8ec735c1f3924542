"""DG313: a split of the wrong size or role."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.core.split_roles import is_training, split_order
from dataguard.splits.samples import SplitSamples
from dataguard.splits.sizes import LEVEL, half_width, larger_than_by_chance, least_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

SWAPPED = 2.0
"""Evaluation over training from which DG108, inverted-split, speaks, where there are classes."""
NOTHING = 4
"""Samples of which even a perfect score leaves an accuracy of one half possible: 0.05^(1/n) < 0.5."""


@rule("DG313", "inverted-or-tiny-split", Severity.WARNING)
def inverted_or_tiny_split(
    samples: SplitSamples,
    *,
    max_half_width: Annotated[float, Between(low=0.001, high=0.5)] = 0.25,
    wide_half_width: Annotated[float, Between(low=0.001, high=0.5)] = 0.1,
) -> Iterator[Outcome]:
    """A split is too small to measure anything, larger than training, or there twice.

    ## What it does

    Looks at how many samples, and how many groups, each split has, and at what it is for:

    - an evaluation split so small that a score on it says little;
    - one of so few groups (patients, sessions; `dataset.group`) that the same holds, however many samples they have;
    - an evaluation split that is larger than training;
    - two splits whose names differ in nothing but case, blanks and signs, or that mean the same (`val`, `valid`).

    Classes that a split lacks are the subject of DG103, classes with few samples of DG104, and with classes, evaluation
    of more than twice the size of training that of DG108.

    ## Why is this bad?

    Of 20 test samples, a model that is right in 80 % of all cases scores between 60 and 95 %: whichever of two models
    wins has won by luck. A script that unpacks splits in the wrong order raises no error, and neither does one that
    reads `val/` where somebody has put more into `valid/`.

    ## How it decides

    *Small.* The 95 % interval (Wilson) of a share measured on n independent samples is at most ±w wide where

        n ≥ z²·(1/(4w²) − 1),   z = 1.96

    whatever the share is. How wide it is follows from n, and is no fault of a split: what is asked of it decides, and
    many published test sets are small. So the severity is that of what *no* score on it can tell:

    - error up to 4 samples: 0.05^(1/4) = 0.47, so that even with all of them right the accuracy may be below one half;
    - warning up to 11, where w = `max_half_width` = 0.25: the interval covers more than half of the scale from 0 to 1,
      so that whatever is measured leaves most of what was possible before;
    - information up to 92, where w = `wide_half_width` = 0.1: the intervals of two accuracies 20 points apart overlap.

    Only samples with a label count. Where nothing is called training, the splits are folds, which are evaluated
    together, and none is too small. Who compares models that are close sets `max_half_width` to what must be told.

    *Few groups.* Samples of a group are not independent. With nothing known of how alike they are, the groups are what
    is sure to count, and they must be as many. This is information only: where samples of a group differ as much as
    any, the samples count.

    *Larger than training.* Where n_evaluation − n_training > 3·√(n_evaluation + n_training): halves drawn by a coin for
    each sample differ by so much in 0.13 % of all cases. It is information, as published sets do so on purpose; from
    twice the size a warning, which DG108 gives where there are classes.

    *Twice.* Names that are equal without case, blanks and signs, or two of `val`, `valid`, `validation` and `dev`;
    `train` and `training`; `eval` and `evaluation`; `test` and `testing`. A warning, as code reads one of them.

    Sizes are facts, so that confidence is high there.

    Measured: there is no false alarm about a size. The interval is scipy's (tests), and at most ±w from the n above on,
    and of no fewer, for every w that was tried.

    Options:

    - `max_half_width`: half the interval of an accuracy above which a split is a warning.
    - `wide_half_width`: the same for information.

    ## Example

    >>> from dataguard.splits.samples import SplitSamples
    >>> import numpy as np
    >>> samples = SplitSamples(
    ...     sample_ids=tuple(map(str, range(100))), splits=("train",) * 80 + ("test",) * 20, positions=np.arange(100),
    ...     n_total=100, kind="", paths=(None,) * 100, contents=(None,) * 100)
    >>> print(inverted_or_tiny_split(samples)[0].message)
    test has 20 samples: the 95 % interval of an accuracy on it is up to ±0.20 wide, and 93 samples make it ±0.10.

    ## How to fix

    Evaluate on more samples, or cross-validate, so that every sample is evaluated once; where neither can be, give each
    score with its interval. Where splits were swapped or doubled, mend their names.

    ## References

    - E. Wilson: Probable inference, the law of succession, and statistical inference, JASA 1927.
    - L. Brown, T. Cai, A. DasGupta: Interval estimation for a binomial proportion, Statistical Science 2001.
    - G. Varoquaux: Cross-validation failure: small sample sizes lead to large error bars, NeuroImage 2018.
    """
    names = samples.split_names
    if len(names) < 2:
        yield Skipped(
            reason="there is only one split", hint="name the splits, as folders train/ and test/ or a split column"
        )
        return
    sizes = _sizes(samples)
    yield from _twice(names, sizes)
    trained = sum(sizes[name] for name in names if is_training(name))
    for name in samples.evaluation_splits:
        n = sizes[name]
        labelled = _labelled(samples, name)
        measured = n if labelled is None else labelled
        if not trained:
            continue
        least = min(max_half_width, wide_half_width)
        if measured and half_width(measured) > least:
            too_wide = half_width(measured) > max_half_width
            yield _tiny(samples, name, measured, max_half_width if too_wide else wide_half_width, too_wide=too_wide)
        elif measured and (groups := _groups(samples, name)) and half_width(groups) > least:
            yield _few_groups(samples, name, measured, groups, least)
        if larger_than_by_chance(n, trained) and split_order(name)[0] < 3:
            if n <= SWAPPED * trained:
                yield _larger(samples, name, n, trained, Severity.INFO)
            elif samples.labels is None:
                yield _larger(samples, name, n, trained, Severity.WARNING)
    yield _observation(samples, sizes, min(max_half_width, wide_half_width))


def _sizes(samples: SplitSamples) -> dict[str, int]:
    """Samples of each split in the whole source; estimated from the part that was taken, where one was."""
    share = samples.n_total / max(1, len(samples))
    return {name: round(int(samples.within(name).sum()) * share) for name in samples.split_names}


def _labelled(samples: SplitSamples, split: str) -> int | None:
    """Samples with a label or a target; None where the dataset has neither."""
    within = samples.within(split)
    known: NDArray[np.bool_]
    if samples.labels is not None:
        known = np.array([label is not None for label in samples.labels.tolist()], dtype=np.bool_)
    elif samples.targets is not None:
        known = np.isfinite(samples.targets)
    else:
        return None
    return round(int((within & known).sum()) * samples.n_total / max(1, len(samples)))


def _groups(samples: SplitSamples, split: str) -> int:
    """Groups of a split; 0 where none are named, or some samples have none."""
    if not samples.groups:
        return 0
    present = {group for group, name in zip(samples.groups, samples.splits, strict=True) if name == split}
    return 0 if None in present else len(present)


def _tiny(samples: SplitSamples, split: str, n: int, limit: float, *, too_wide: bool) -> Finding:
    nothing = n <= NOTHING
    width = half_width(n)
    if nothing:
        said = (
            f"{split} has {n} labelled sample{'' if n == 1 else 's'}: even with all of them right, the accuracy may be "
            f"{100 * 0.05 ** (1 / n):.0f} % (95 % bound)."
        )
    else:
        said = (
            f"{split} has {n:,} samples: the 95 % interval of an accuracy on it is up to ±{width:.2f} wide, and "
            f"{least_samples(limit):,} samples make it ±{limit:.2f}."
        )
    return inverted_or_tiny_split.finding(
        said,
        remedy="Evaluate on more samples, or cross-validate; give scores with their interval.",
        severity=Severity.ERROR if nothing else Severity.WARNING if too_wide else Severity.INFO,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(
                name=f"half the interval of an accuracy on {split}",
                value=round(width, 6),
                threshold=limit,
                level=LEVEL,
                n=n,
                unit="share",
            ),
            Measurement(name=f"labelled samples of {split}", value=n, threshold=least_samples(limit)),
        ),
        locations=(Location(split=split),),
        exhibits=(_listing(samples),),
        key=("tiny", split),
    )


def _few_groups(samples: SplitSamples, split: str, n: int, groups: int, limit: float) -> Finding:
    return inverted_or_tiny_split.finding(
        f"{split} has {n:,} samples of {groups:,} group{'' if groups == 1 else 's'}: if those of a group succeed or "
        f"fail together, the 95 % interval of an accuracy is up to ±{half_width(groups):.2f} wide, and not "
        f"±{half_width(n):.2f}.",
        remedy="Evaluate on more groups, or cross-validate over groups; resample groups for intervals.",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        measurements=(
            Measurement(
                name=f"half the interval of an accuracy on {split}, if groups count",
                value=round(half_width(groups), 6),
                threshold=limit,
                level=LEVEL,
                n=groups,
                unit="share",
            ),
            Measurement(name=f"groups of {split}", value=groups, threshold=least_samples(limit)),
        ),
        locations=(Location(split=split),),
        exhibits=(_listing(samples),),
        key=("groups", split),
    )


def _larger(samples: SplitSamples, split: str, n: int, trained: int, severity: Severity) -> Finding:
    return inverted_or_tiny_split.finding(
        f"{split} has {n:,} samples and training {trained:,}: more is held out than learnt from.",
        remedy=f"See whether {split} and training were swapped. Where training is meant to be small, ignore this rule "
        "with that reason.",
        severity=severity,
        confidence=Confidence.MEDIUM if severity is Severity.WARNING else Confidence.LOW,
        measurements=(
            Measurement(
                name=f"samples of {split} over those of training",
                value=round(n / trained, 4),
                threshold=SWAPPED if severity is Severity.WARNING else 1.0,
                n=n + trained,
            ),
        ),
        locations=(Location(split=split),),
        exhibits=(_listing(samples),),
        key=("larger", split),
    )


_MEANINGS = {
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "training": "train",
    "testing": "test",
    "evaluation": "eval",
}


def _twice(names: tuple[str, ...], sizes: dict[str, int]) -> Iterator[Finding]:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        plain = "".join(letter for letter in name.lower() if letter.isalnum())
        if plain:
            alike[_MEANINGS.get(plain, plain)].append(name)
    for meaning, found in alike.items():
        if len(found) < 2:
            continue
        listed = " and ".join(f"{name!r} ({sizes[name]:,} samples)" for name in found)
        yield inverted_or_tiny_split.finding(
            f"{listed} mean the same split: code that reads one leaves the other out.",
            remedy="Give them one name, or names that tell what each is for.",
            confidence=Confidence.HIGH if len({name.lower() for name in found}) == 1 else Confidence.MEDIUM,
            measurements=(Measurement(name="names of one split", value=len(found), threshold=1),),
            locations=tuple(Location(split=name, note=f"{sizes[name]:,} samples") for name in found),
            key=("twice", meaning),
        )


def _observation(samples: SplitSamples, sizes: dict[str, int], limit: float) -> Observation:
    shares = ", ".join(f"{name or 'without a split'} {n:,}" for name, n in sizes.items())
    roles = {split_order(name)[0] for name in samples.split_names}
    advice = ""
    if roles == {0, 2}:
        advice = " There is no validation split: choose settings by cross-validation within training, not on the test."
    elif roles == {0, 1}:
        advice = " There is no test split: a score that settings were chosen by is no estimate of what to expect."
    return Observation(
        message=f"Samples: {shares}.{advice}",
        measurements=tuple(
            Measurement(
                name=f"half the interval of an accuracy on {name}",
                value=round(half_width(measured), 6),
                threshold=limit,
                level=LEVEL,
                n=measured,
                unit="share",
            )
            for name in samples.evaluation_splits
            if (measured := sizes[name] if (known := _labelled(samples, name)) is None else known)
        ),
        exhibits=(_listing(samples),),
    )


def _listing(samples: SplitSamples) -> Listing:
    sizes = _sizes(samples)
    rows = []
    for name in samples.split_names:
        known, groups = _labelled(samples, name), _groups(samples, name)
        rows.append((name or "no split", sizes[name], known, groups or None, round(half_width(sizes[name]), 4)))
    return Listing(
        title="Splits",
        columns=("split", "samples", "with a label", "groups", "half the interval of an accuracy"),
        rows=tuple(rows),
        total=len(rows),
    )
