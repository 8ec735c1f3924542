"""DG107: labels that have nothing to do with the inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.exhibit import Exhibit, Gallery, Listing, Picture
from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.labels.permutations import LEVEL, LabelPermutations

SHOWN = 24
SHOWN_CLASSES = 40
NAMED_CLASSES = 5
_REMEDIES = {
    "image": "Look at some samples with their labels. Where they do not fit: trace the labels back to where they were "
    "right (a join, a sort, a shift by one row). Where they fit: name features or probabilities of your own model "
    "(dataset.features, dataset.pred-probs), since this relation is too fine for those made here.",
    "probabilities": "Look at some samples with their labels. Where they do not fit: trace the labels back to where "
    "they were right (a join, a sort, a shift by one row). Where they fit: see whether the rows of the probabilities "
    "are in the order of the samples, and whether their model has learned anything.",
}
_REMEDIES["table"] = _REMEDIES["text"] = _REMEDIES["image"]
_REMEDIES["features"] = (
    "Look at some samples with their labels. Where they do not fit: trace the labels back to where they were right "
    "(a join, a sort, a shift by one row). Where they fit: see whether the rows of the features are in the order of "
    "the samples."
)


@rule("DG107", "unlearnable-labels", Severity.ERROR)
def unlearnable_labels(
    control: LabelPermutations, *, weakest_relation: Annotated[float, Between(low=0.01, high=0.5)] = 0.03
) -> Iterator[Outcome]:
    """The labels have nothing to do with the inputs.

    ## What it does

    Asks whether anything can be learned from the dataset: whether a model tells the labels of samples that it has not
    seen any better than it tells labels that were permuted at random. All labelled samples are taken together, whatever
    their split.

    ## Why is this bad?

    A join on the wrong key, a sort of one file of two, a shift by one row: each leaves a dataset that looks right, with
    the right classes in the right shares, and that teaches a model nothing. The loss then falls by memorizing, and days
    go into the model before anyone looks at the labels.

    ## How it decides

    Null hypothesis: labels are independent of the inputs, so that every order of the labels is as likely. Kernel ridge
    regression of the class indicators on picture descriptors, texts, columns or given features explains a share of the
    labels' variance out of sample, by generalized cross-validation. The same, kernel and ridge chosen anew, is done
    with 199 permutations of the labels. With b of them at least as high, p = (b + 1)/200: exact, whatever leaks or
    overfits, since it does so for permuted labels too. Given probabilities are not refitted; what is compared there is
    the mean of the given label's probability over its class share. Each set of copies counts as one sample, and so does
    a group (`dataset.group`) whose samples share their labels.

    That p is above 0.05 does not show that there is no relation. So relations of known strength are planted: labels
    drawn from a smooth random function of the same inputs (a draw from the model's own prior) that explains 1, 2, 3, 5,
    10, 20 or 50 % of the label entropy, as many of each class as there are, 60 times each.

    - ERROR where p > 0.05 and a relation of `weakest_relation` or a weaker one is found in 95 % of the plantings.
    - Inconclusive where p > 0.05 and only stronger ones are: too few samples.
    - Otherwise it tells the bits a label that are gained over the class shares by exact leave-one-out, a lower bound on
      the mutual information, and the classes whose samples score no higher for it than others do (p > 0.05 by
      permutation, not corrected for their number).

    The default of `weakest_relation`, 3 %, is 1 − h(0.4), with h the binary entropy: what is left of a perfect relation
    of two balanced classes if 40 % of the labels are flipped, the most in published sets of real annotations (CIFAR-N;
    Wei et al. 2022).

    At most 5,000 samples are looked at, each class in proportion, and of many classes the largest, up to 100,000
    samples × classes. A relation that these features cannot show, as one of two columns' product among many columns, is
    missed: the confidence is medium where the features are made here, and high where they or probabilities are given.

    Options:

    - `weakest_relation`: the share of the label entropy that a relation must explain for the rule to be answerable for
      it: an ERROR says that there is none as strong.

    Measured by `benchmarks/unlearnable.py`. False alarms: on 1,000 sets whose labels can be learned it failed 3, and
    could not decide on 67. All 500 parts of iris, wine, breast cancer and digits passed, of 100 samples and more and
    with up to 40 % of the labels drawn anew, and so did 80 of 99:1 with 6 to 15 samples of the rare class. The rest are
    tables of 200 to 3,000 rows and 5 to 20 columns whose labels follow one or two columns: where these explain 3 % of
    the label entropy it failed 3 of 140 (the product of two columns) and could not decide on 50; where they explain 10
    %, none and 17; 30 %, none and none. 100 sets of 1,000 pictures that are hard to tell (three dots or four, two
    shapes alike or not, a line of five pixels across or down, …) passed.

    Power on 500 sets with labels permuted or shifted by one row: 5 % passed, as the level says. All others of 100 to
    500 samples were undecided, and so were 100 classes of 1,000 samples. Of 1,000 samples it failed 28 % with 2 classes
    and 90 % with 10; of 2,000 samples 88 % with 2 classes and 94 % with 100; of 5,000 samples 91 %. With given
    probabilities of 5 classes it failed 97 % of 200 such sets of 1,000 and 5,000 samples, and none of 150 with right
    labels. With a `weakest_relation` of 0.1, 300 samples of 10 classes decide, and with 0.2, 300 of 2.

    ## Example

    >>> import numpy as np
    >>> from dataguard.labels.control import permute_labels
    >>> features = np.random.default_rng(0).standard_normal((1500, 4)).astype(np.float32)
    >>> labels = np.where(features[:, 0] > 0, "up", "down").astype(object)
    >>> for given in (labels, np.roll(labels, 1)):
    ...     control = permute_labels(
    ...         sample_ids=[f"{row:04}" for row in range(1500)], paths=[None] * 1500, labels=given,
    ...         features=features, kind="features")
    ...     print(type(unlearnable_labels(control)[0]).__name__)
    Observation
    Finding

    ## How to fix

    Look at some samples with their labels. Where these do not fit, trace them back to where they were right: the join,
    the sort, the shift by one row. Where they fit, the relation is too fine for the features: give those of your own
    model (`dataset.features`), or its out-of-sample probabilities (`dataset.pred-probs`). Where the probabilities are
    given already, see whether their rows are in the order of the samples.

    ## References

    * Ojala & Garriga, "Permutation Tests for Studying Classifier Performance", Journal of Machine Learning Research 11,
      2010.
    * Phipson & Smyth, "Permutation P-values Should Never Be Zero", Statistical Applications in Genetics and Molecular
      Biology 9, 2010: (b + 1)/(m + 1).
    * Golub, Heath & Wahba, "Generalized Cross-Validation as a Method for Choosing a Good Ridge Parameter",
      Technometrics 21, 1979.
    * Wei et al., "Learning with Noisy Labels Revisited: A Study Using Real-World Human Annotations", ICLR 2022.
    * Zhang et al., "Understanding deep learning requires rethinking generalization", ICLR 2017: networks fit permuted
      labels without complaint.
    """
    measurements = _measurements(control, weakest_relation)
    if control.p_value <= LEVEL:
        chance = [code for code in np.argsort(control.classes) if control.class_p_values[code] > LEVEL]
        yield Observation(
            message=f"{_upper(_inputs(control))} tell the labels better than chance (p = {_p(control.p_value)}): "
            f"{_bits(control.gain)} of {_bits(control.entropy)} bits a label out of sample, "
            f"{_bits(float(control.null_gains.mean()))} of permuted labels." + _unrecognised(control, chance),
            measurements=measurements,
            exhibits=(_classes(control),),
        )
        return
    detectable = control.detectable
    if detectable is None or detectable > weakest_relation:
        found = (
            "none would have been found"
            if detectable is None
            else f"one that explains less than {_percent(detectable)} of the label entropy may have been missed"
        )
        yield Inconclusive(
            reason=f"no relation between the labels and {_inputs(control)} (p = {_p(control.p_value)}), and "
            f"{control.n:,} samples are too few to rule out a weak one: {found}",
            measurements=measurements,
        )
        return
    sure = control.kind in ("features", "probabilities")
    yield unlearnable_labels.finding(
        f"No relation between the labels and {_inputs(control)}: these tell {_bits(control.gain)} of "
        f"{_bits(control.entropy)} bits a label, no more than of permuted labels (p = {_p(control.p_value)}; "
        f"{control.n:,} samples, {len(control.classes):,} classes). A relation that explains {_percent(detectable)} of "
        f"the label entropy would have been found {100 * (1 - LEVEL):.0f} times in 100.",
        remedy=_REMEDIES[control.kind],
        confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
        measurements=measurements,
        exhibits=(*_samples(control), _classes(control)),
    )


def _inputs(control: LabelPermutations) -> str:
    return {
        "image": "the pictures",
        "table": "the other columns",
        "text": "the texts",
        "features": "the given features",
        "probabilities": "the given probabilities",
    }[control.kind]


def _measurements(control: LabelPermutations, weakest: float) -> tuple[Measurement, ...]:
    n = control.n
    unit = "" if control.kind == "probabilities" else "share"
    found = [
        Measurement(
            name=control.statistic,
            value=round(control.observed, 6),
            threshold=round(float(np.quantile(control.null, 1 - LEVEL)), 6),
            p_value=control.p_value,
            n=n,
            unit=unit,
        ),
        Measurement(
            name="the same of permuted labels, mean", value=round(float(control.null.mean()), 6), n=n, unit=unit
        ),
        Measurement(name="bits a label told out of sample", value=round(control.gain, 6), n=n),
        Measurement(name="bits a label, entropy", value=round(control.entropy, 6), n=n),
        Measurement(
            name="bits a label told of permuted labels, mean", value=round(float(control.null_gains.mean()), 6), n=n
        ),
        Measurement(name="accuracy out of sample", value=control.accuracy, n=n, unit="share"),
    ]
    if control.found:
        found.insert(
            1,
            Measurement(
                name="weakest relation that would have been found",
                value="none" if control.detectable is None else control.detectable,
                threshold=weakest,
                n=n,
                unit="" if control.detectable is None else "share",
            ),
        )
        found += [
            Measurement(name=f"power at a relation of {_percent(strength)}", value=share, unit="share")
            for strength, share in control.found.items()
        ]
    found += [Measurement(name=name, value=value) for name, value in control.origin.items()]
    return tuple(found)


def _unrecognised(control: LabelPermutations, chance: list[int]) -> str:
    if not chance:
        return ""
    counts = control.counts
    names = ", ".join(f"{control.classes[code]!r} ({counts[code]:,} samples)" for code in chance[:NAMED_CLASSES])
    more = f" and {len(chance) - NAMED_CLASSES:,} more" if len(chance) > NAMED_CLASSES else ""
    verb = "class is" if len(chance) == 1 else f"of {len(control.classes):,} classes are"
    return f" {len(chance):,} {verb} recognised no better than chance: {names}{more}."


def _classes(control: LabelPermutations) -> Listing:
    limits = np.quantile(control.null_class_scores, 1 - LEVEL, axis=0)
    order = np.argsort(control.class_scores - limits, kind="stable")
    counts, p_values = control.counts, control.class_p_values
    return Listing(
        title="How much higher a class scores in its own samples than in others, worst first",
        columns=("class", "samples", "labels as they are", "permuted labels, 95 % quantile", "p-value"),
        rows=tuple(
            (
                control.classes[code],
                int(counts[code]),
                round(float(control.class_scores[code]), 4),
                round(float(limits[code]), 4),
                float(p_values[code]),
            )
            for code in order[:SHOWN_CLASSES]
        ),
        total=len(control.classes),
    )


def _samples(control: LabelPermutations) -> tuple[Exhibit, ...]:
    shown = range(min(SHOWN, control.n))
    if any(control.paths[row] is None for row in shown):
        return ()
    return (
        Gallery(
            title="Samples drawn at random, with their labels",
            pictures=tuple(
                Picture(
                    sample_id=control.sample_ids[row],
                    path=control.paths[row],
                    given=control.classes[control.codes[row]],
                )
                for row in shown
            ),
            total=control.n,
        ),
    )


def _bits(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}" if value >= 0.001 else "below 0.001"


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _p(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
