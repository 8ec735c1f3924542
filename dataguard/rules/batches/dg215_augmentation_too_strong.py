"""DG215 augmentation-too-strong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.batches.reference import ReferencePictures
from dataguard.batches.stream import BatchStream
from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.recognition import Recognition, recognise

if TYPE_CHECKING:
    from numpy.typing import NDArray


@rule("DG215", "augmentation-too-strong", Severity.WARNING)
def augmentation_too_strong(
    stream: BatchStream,
    reference: ReferencePictures | None = None,
    *,
    min_kept: Annotated[float, Between(low=0, high=1)] = 0.5,
    level: Annotated[float, Between(low=0.5, high=0.9999)] = 0.99,
) -> Iterator[Outcome]:
    """Augmented pictures are no longer recognised as their class.

    ## What it does

    Asks a classifier that needs no training run, kernel regression on image features, which class the augmented
    pictures show, and compares how often it is right with how often it is on the dataset's own pictures.

    ## Why is this bad?

    Augmentation is meant to change what does not matter for the class. A crop that misses the object, an erased
    centre, a rotation that makes a 6 of a 9, a colour shift where colour is the class: all these leave a picture with
    a label that nothing in it supports, which is label noise that the loader makes anew in every epoch.

    ## How it decides

    Pictures are split into two halves by sample, and each half is classified by what was learned from the other: from
    the dataset's pictures and from the augmented ones together, so that a variation that can be learned, such as a
    mirror image or an inversion, costs nothing. With a₀ and a₁ the share of right answers on plain and on augmented
    pictures, and c₀, c₁ what chance gives (Σ p_k q_k over given and predicted classes), the share of recognition kept
    is (a₁ − c₁)/(a₀ − c₀). Its upper bound at `level` takes the upper Clopper–Pearson bound of a₁ and the lower one of
    a₀, each at 1 − (1 − `level`)/2.

    - upper bound < `min_kept`: a finding;
    - kept < `min_kept`, upper bound not: inconclusive;
    - a₀ − c₀ below 0.2 at its lower bound: inconclusive, since the classifier sees too little even in plain pictures;
    - labels agree with the pictures no more than by chance while these are recognised as surely as plain ones: left to
      DG212, broken-input-label-association.

    Without the dataset's pictures, or with mixed labels as after mixup, it says nothing. Where the identity of samples
    is not known, an augmented picture may be judged by its own original, which can hide a fault but makes no alarm.
    The classifier is simple: networks recognise more, so that the loss it sees is an upper estimate. Hence a warning of
    medium confidence, and half for a threshold.

    Options:

    - `min_kept`: least share of recognition kept. 0.5: below it, more of what could be recognised is lost than kept. A
      convention.
    - `level`: coverage of the bound.

    Measured (`benchmarks/batches.py`, 600 pictures each): no alarm on 100 sound streams of digits and generated
    pictures, where 79 to 100 % of recognition was kept (brightness and contrast; shifts and erasing; inversion; mirror
    images; none); crops of a sixteenth of the area, turned at random, were found in 13 of 13. With all labels
    permuted it was inconclusive in 16 of 26, and otherwise took them for lost pictures. One call takes about a second.

    ## Example

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from dataguard.batches.record import record
    >>> digits, labels = load_digits(return_X_y=True)
    >>> pictures = digits.reshape(-1, 8, 8)[:600] / 16
    >>> reference = ReferencePictures.of_stream(record([(pictures, labels[:600], range(600))], thumbnails=600))
    >>> rng = np.random.default_rng(0)
    >>> erased = np.where(rng.random(pictures.shape) < 0.95, rng.random(pictures.shape), pictures)
    >>> stream = record([(erased, labels[:600], range(600))], thumbnails=600)
    >>> print(augmentation_too_strong(stream, reference)[0].message)
    8 % of 600 augmented pictures are recognised as their class, and 98 % of 600 plain ones (by chance 10 %): 0 % of \
recognition is kept (at most 1 %).

    ## How to fix

    Look at a grid of augmented pictures with their labels: can you tell the class? Weaken the strongest step: the least
    scale of random crops, the angle, the erased area, the distortion. Let augmentation respect what the class depends
    on, as orientation in digits and colour in flowers.

    ## References

    - Cubuk, Zoph, Shlens, Le, [*RandAugment*](https://arxiv.org/abs/1909.13719), 2020 (accuracy falls when the
      magnitude is too large).
    - Balestriero, Bottou, LeCun, [*The effects of regularization and data augmentation are class
      dependent*](https://arxiv.org/abs/2204.03632), NeurIPS 2022 (crops that lose the class).
    - Clopper, Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*, Biometrika
      26, 1934.
    """
    if reference is None:
        yield Skipped(reason="there are no pictures without augmentation to compare with", hint="name the dataset too")
        return
    seen = recognise(stream, reference, learn_from_stream=True)
    if isinstance(seen, Skipped | Inconclusive):
        yield seen
        return
    if _same_pictures(stream, reference):
        yield Observation(message="The pictures are fed as they are in the dataset, without augmentation.")
        return
    plain = _share(seen.reference_given, seen.reference_predicted)
    augmented = _share(seen.given, seen.predicted)
    tail = (1 - level) / 2
    low = _bound(plain.right, plain.n, tail, upper=False)
    high = _bound(augmented.right, augmented.n, tail, upper=True)
    room = plain.share - plain.chance
    least = low - plain.chance
    kept = (augmented.share - augmented.chance) / room if room > 0 else 0.0
    upper = (high - augmented.chance) / least if least > 0 else float("inf")
    measurements = (
        Measurement(
            name="share of recognition kept",
            value=round(kept, 4),
            threshold=min_kept,
            high=upper,
            level=level,
            n=augmented.n,
            unit="share",
        ),
        Measurement(name="augmented pictures recognised", value=augmented.share, n=augmented.n, unit="share"),
        Measurement(name="plain pictures recognised", value=plain.share, n=plain.n, unit="share"),
        Measurement(name="recognised by chance", value=augmented.chance, unit="share"),
    )
    figures = (
        f"{100 * augmented.share:.0f} % of {augmented.n:,} augmented pictures are recognised as their class, and "
        f"{100 * plain.share:.0f} % of {plain.n:,} plain ones (by chance {100 * augmented.chance:.0f} %)"
    )
    if least < 0.2:
        yield Inconclusive(
            reason=f"the classifier recognises {100 * plain.share:.0f} % of {plain.n:,} plain pictures, by chance "
            f"{100 * plain.chance:.0f} %: too little to lose",
            measurements=measurements,
        )
    elif upper < min_kept:
        if _labels_are_broken(stream, reference):
            yield Inconclusive(
                reason="pictures are recognised as surely as those of the dataset, and as other classes than their "
                "labels say: labels are broken rather than pictures (DG212)",
                measurements=measurements,
            )
            return
        yield augmentation_too_strong.finding(
            f"{figures}: {100 * max(kept, 0):.0f} % of recognition is kept (at most {100 * upper:.0f} %).",
            remedy="Look at a grid of augmented pictures with their labels: weaken the step that loses the class, or "
            "see to it that labels are those of the pictures (DG212).",
            confidence=Confidence.MEDIUM,
            measurements=measurements,
            exhibits=(_by_class(stream, seen),),
            key=("recognition",),
        )
    elif kept < min_kept:
        yield Inconclusive(
            reason=f"{figures}: {100 * kept:.0f} % of recognition is kept, but with so few pictures it may be up to "
            f"{100 * upper:.0f} %; record with thumbnails=2000",
            measurements=measurements,
        )
    else:
        yield Observation(
            message=f"{figures}: {100 * kept:.0f} % of recognition is kept.",
            measurements=measurements,
            exhibits=(_by_class(stream, seen),),
        )


class _Share:
    """How many are right, of how many, and how many would be by chance."""

    __slots__ = ("chance", "n", "right")

    def __init__(self, right: int, n: int, chance: float) -> None:
        self.right, self.n, self.chance = right, n, chance

    @property
    def share(self) -> float:
        return self.right / self.n


def _share(given: NDArray[np.int64], predicted: NDArray[np.int64]) -> _Share:
    n = len(given)
    classes = int(max(given.max(), predicted.max())) + 1
    chance = float((np.bincount(given, minlength=classes) * np.bincount(predicted, minlength=classes)).sum()) / n**2
    return _Share(int((given == predicted).sum()), n, chance)


def _bound(right: int, n: int, tail: float, *, upper: bool) -> float:
    """Clopper and Pearson's one-sided bound of a binomial share."""
    from scipy.stats import beta

    if upper:
        return 1.0 if right == n else float(beta.isf(tail, right + 1, n - right))
    return 0.0 if right == 0 else float(beta.ppf(tail, right, n - right + 1))


def _same_pictures(stream: BatchStream, reference: ReferencePictures) -> bool:
    """Whether nearly all content is that of the reference."""
    return reference.hashes is not None and float(np.isin(stream.hashes, reference.hashes).mean()) > 0.99


def _labels_are_broken(stream: BatchStream, reference: ReferencePictures) -> bool:
    """Whether a classifier of plain pictures is sure of the stream's, and not of their labels."""
    seen = recognise(stream, reference, learn_from_stream=False)
    if isinstance(seen, Skipped | Inconclusive):
        return False
    sure = float(np.median(seen.score)) >= 0.5 * float(np.median(seen.reference_score))
    augmented = _share(seen.given, seen.predicted)
    return sure and _bound(augmented.right, augmented.n, 1e-3, upper=False) <= augmented.chance


def _by_class(stream: BatchStream, seen: Recognition) -> Listing:
    rows = []
    for code, name in enumerate(stream.classes):
        mine, theirs = seen.given == code, seen.reference_given == code
        if mine.any():
            rows.append(
                (
                    name,
                    round(float((seen.predicted[mine] == code).mean()), 3),
                    round(float((seen.reference_predicted[theirs] == code).mean()), 3) if theirs.any() else None,
                    int(mine.sum()),
                )
            )
    rows.sort(key=lambda row: row[1])
    return Listing(
        title="Share recognised, by class",
        columns=("class", "augmented", "plain", "augmented pictures"),
        rows=tuple(rows[:50]),
        total=len(rows),
    )
