"""DG101: labels that are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.finding import (
    Confidence,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
)
from dataguard.core.ranking import Ranking
from dataguard.core.rule import Between, rule
from dataguard.labels.out_of_sample import OutOfSample
from dataguard.labels.quality import LabelQuality, assess
from dataguard.rules.labels.noise_exhibits import (
    calibration_shown,
    class_rates_shown,
    hard_samples,
    samples_shown,
    telling,
    transition_shown,
)

NAMED_COLUMNS = 2
"""Those in the one line that the terminal has for a sample."""
NAMED_LENGTH = 40


@rule("DG101", "label-noise", Severity.ERROR)
def label_noise(
    evidence: OutOfSample,
    *,
    max_noise_rate: Annotated[float, Between(low=0, high=1)] = 0.03,
    level: Annotated[float, Between(low=0.5, high=0.999)] = 0.95,
    certainty: Annotated[float, Between(low=0.5, high=1)] = 0.9,
) -> Iterator[Outcome]:
    """Labels of the dataset are wrong.

    ## What it does

    Estimates which share of the labels is wrong, with an interval, and names the samples. It needs out-of-sample
    probabilities: those of a model that has not seen the sample. Without any it makes them: kernel ridge regression
    with closed-form leave-one-out on picture descriptors; for tables also cross-validated logistic regression and
    boosted trees. Copies of a sample are left out together with it.

    The worst samples are shown as pictures, as texts, or as rows of the table with the four columns that tell the
    classes apart best (Kruskal & Wallis' ε² of a number's ranks, bias-corrected Cramér's V² of categories), with given
    and suggested label. The report also shows which classes are labelled as which (the posterior expected share of each
    true class, the largest pairs first) and how right the probabilities are: how often the likeliest class is the given
    label, in bins of about equally many samples, with Wilson's intervals, the expected calibration error (Naeini,
    Cooper & Hauskrecht 2015), what that error is by chance alone, and the agreement that labels as noisy as estimated
    allow at most. `dataguard check --export suspicious.csv` writes every judged sample, worst first.

    ## Why is this bad?

    A model learns wrong labels, and a test set with wrong labels ranks models wrongly: on ten much-used test sets 3.3 %
    of the labels are wrong on average, and with a few per cent more, smaller models overtake larger ones on the
    corrected labels (Northcutt, Athalye & Mueller 2021).

    ## How it decides

    A label that the model does not expect is wrong, or right and not foreseen. How often labels disagree cannot tell
    the two apart; how the probabilities are read does.

    Probabilities made here are calibrated with the noise in mind: a label is modelled as drawn from p_k ∝
    exp(−(d_k/τ)^γ), with d_k the margin of class k below the likeliest one, and then replaced by another class with the
    probabilities of a transition matrix. Temperature τ, power γ and noise rate are fitted together by maximum
    likelihood, the matrix by expectation maximization. Classes that overlap disagree with the model where it is unsure,
    and less the surer it is; wrong labels disagree however sure it is. Only the second counts as noise. The interval is
    the profile likelihood's, no narrower than Clopper and Pearson's. A habit that the model has learnt (a third of one
    class given as another, everywhere) cannot be told from overlap, so that the interval reaches up to where the
    reading at face value, below, has its upper end.

    Your own (`pred-probs`) are taken at their word about the true class, apart from what the model has learnt of the
    noise itself: log-odds shrink by the contraction of the transition matrix, which is found together with it by
    expectation maximization. What the labels do show corrects that reading: which of the other classes is given, where
    it is not the likeliest, tells unusual overconfidence; agreement as a function of confidence bounds the rate from
    below and shows a model that is flat because it has learnt the noise, for which counting (confident learning) is
    right. A model that is calibrated about the given labels, noise and all, while the labels that it does not foresee
    follow habits that are sharper than its doubts, is read as up to 2.5 times as sure. The interval runs from the rate
    that is left if overconfidence explains as much as it can to the rate if the model were 2.5 times as sure as it is
    read, or, for such a model, if all labels that disagree are wrong and a tenth more. Several models are calibrated
    and averaged first, by how seldom each departs from all.

    - ERROR where the lower end of the interval is above `max_noise_rate`, 3 %: the mean of the ten test sets above, so
      that the gate fails only what is worse than usual. It lists the labels whose expected F1 as a list is greatest:
      from a posterior probability of error of half that F1 on (Lipton, Elkan & Naryanaswamy 2014), 0.25 at least.
    - INFO below that, where the interval leaves zero out and labels are wrong with a posterior probability of at least
      `certainty`, 0.9: it lists them.
    - Inconclusive where the probabilities foresee the labels no better than the class shares do.
    - Inconclusive where class shares among the ten nearest neighbours, put through the same estimator, put the rate
      below the limit with the whole of their interval: two estimates that contradict each other fail nobody.

    Options:

    - `max_noise_rate`: the noise rate that the whole interval must exceed for an ERROR. 0.03 is the mean above.
    - `level`: coverage of the interval.
    - `certainty`: the least posterior probability of error of the labels that an INFO finding lists.

    Measured by `benchmarks/label_noise.py`. False alarms: on 153 clean tables whose classes overlap (iris, wine, breast
    cancer, 150 generated ones of 200 to 1,200 rows) the gate failed none; 5 % had an INFO finding. The rest is of the
    first 100 of them. The interval held the true rate in 96 % of the clean ones. Power: with 10 % of the labels
    replaced at random the gate failed 37 %, with 20 % it failed 57 %; the interval held the true rate in 100 % and
    96 %. With 8 % and 16 % of the labels given as one class, a habit that a model learns, it failed 41 % and 23 %; the
    interval held the true rate in 100 % and 87 %, but the rate was too low by 4.4 and 13.9 points. Where classes
    overlap much, wrong labels cannot be proved: the rate is rather low than high.

    On scikit-learn's digits, seeds 0–9, uniform noise of 2 %, 5 %, 10 %, 20 % and 30 %: mean F1 of the listed labels
    0.97, 0.98, 0.99, 0.99 and 0.99 (least 0.94, 0.97, 0.98, 0.98 and 0.98), the rate never off by more than 0.3, 0.3,
    0.4, 0.8 and 1.4 points; confident learning on the same probabilities reaches 0.95, 0.97, 0.97, 0.98 and 0.98.
    Untouched digits: nothing listed, interval 0 to 0.6 %.

    With given probabilities: seven sets under uniform, class-wise and human-like noise of 3 to 35 %, four kinds of
    cross-validated model each (336 cases): F1 0.84, where confident learning has 0.83 and the likeliest class 0.77;
    AUPRC 0.92, where the best of self-confidence, normalized margin and confidence-weighted entropy has 0.90; the rate
    is off by 2.2 points on average; intervals held the true rate in 96 %. Four models together: F1 0.88, AUPRC 0.95.
    Errors of people: labels of CIFAR-10H, of 5.0, 8.3 and 14.0 % wrong ones, came out as 5.4, 8.9 and 13.4 %. Where a
    network has learnt from people's errors (CIFAR-10N), 9.0 % came out as 8.5 to 9.6 % with five networks, and 40.2 %
    as 35.7 to 37.0 %: too low, and with lower ends near 0. On 32 sets of CIFAR-10 (people's errors and planted ones)
    and of verified labels the interval held the true rate in 91 %: it missed planted noise of 70 % twice, and a clean
    set whose network is wrong about 14 % by 0.4 points. Labels drawn from the very probabilities, none of them wrong:
    0.1 to 6.4 % with two and five classes, and more where most labels are not foreseen (28 % where 67 % are not); the
    lower end was 0 or near it, and the gate fails none.

    ## Example

    >>> import numpy as np
    >>> codes = np.repeat([0, 1], 100)
    >>> probability = 1 / (1 + np.exp(-np.linspace(2, 16, 200)))[:, None]
    >>> probs = np.where(np.eye(2)[codes] == 1, probability, 1 - probability).astype(np.float32)
    >>> given = codes.copy()
    >>> given[::10] = 1 - given[::10]
    >>> evidence = OutOfSample(
    ...     sample_ids=tuple(f"{i:03}" for i in range(200)), splits=("train",) * 200, paths=(None,) * 200,
    ...     classes=("cat", "dog"), codes=given.astype(np.int32), pred_probs=probs, origin={"pred_probs": "made up"})
    >>> observation, finding = label_noise(evidence)
    >>> finding.severity.word, len(finding.locations)
    ('error', 20)

    ## How to fix

    Look at the listed samples and correct those that are wrong. Where one class pair dominates, look at the labelling
    instructions. Where the probabilities come from the built-in features and the classes are hard to tell apart by
    them, give better ones: `pred-probs` or `features` of your own model, computed out of sample.

    ## References

    * Northcutt, Athalye & Mueller, "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks",
      NeurIPS Datasets and Benchmarks 2021.
    * Natarajan, Dhillon, Ravikumar & Tewari, "Learning with Noisy Labels", NeurIPS 2013: the noise model.
    * Dawid & Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", 1979.
    * Wichmann & Hill, "The psychometric function: I", 2001: lapses fitted together with the slope.
    * Lipton, Elkan & Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize F1 Measure", ECML PKDD 2014.
    * Naeini, Cooper & Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    * Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017: temperature.
    """
    quality = assess(evidence.codes, evidence.pred_probs, level=level, calibrated=evidence.calibrated)
    neighbours = (
        None
        if evidence.neighbour_probs is None
        else assess(evidence.codes, evidence.neighbour_probs, level=level, calibrated=True)
    )
    measurements = _measurements(evidence, quality, neighbours, max_noise_rate)
    rates = class_rates_shown(evidence, quality)
    confused = transition_shown(evidence, quality)
    summary = _summary(quality)
    learnt = quality.at_face_value
    if learnt is not None and quality.noise_rate <= max_noise_rate < learnt:
        summary += f"; {_percent(learnt)} if what looks like overlap of classes is a habit of the labels"
    if neighbours is not None and not _overlap(quality, neighbours):
        summary += f"; by nearest neighbours it is {_percent(neighbours.noise_rate)} {_interval(neighbours)}"

    yield Observation(
        message=_sentence(summary),
        measurements=measurements,
        exhibits=(confused, calibration_shown(evidence, quality), rates, *hard_samples(evidence, quality)),
        ranking=_ranking(evidence, quality),
    )

    if quality.reading == "uninformed":
        yield Inconclusive(
            reason="the probabilities foresee the labels no better than the class shares do",
            measurements=measurements,
        )
        return
    if quality.low > max_noise_rate:
        if neighbours is not None and neighbours.high < max_noise_rate:
            yield Inconclusive(
                reason=(
                    f"two estimates contradict each other: {_percent(quality.noise_rate)} {_interval(quality)} by the "
                    f"model, {_percent(neighbours.noise_rate)} {_interval(neighbours)} by nearest neighbours"
                ),
                measurements=measurements,
            )
            return
        wrong = _worst(quality, quality.is_error)
        yield label_noise.finding(
            f"{_sentence(summary)}; the limit is {_percent(max_noise_rate)}. {_count(len(wrong))} probably wrong.",
            remedy="Look at the listed samples, worst first, and correct those that are wrong.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=_locations(evidence, quality, wrong),
            estimated=True,
            exhibits=(*samples_shown(evidence, quality, wrong, "Labels that are probably wrong"), confused, rates),
        )
        return
    wrong = _worst(quality, quality.is_error & (quality.posterior >= certainty))
    if wrong and quality.low > 0:
        yield label_noise.finding(
            f"{_count(len(wrong))} wrong with a probability of at least {_percent(certainty)}; {summary}.",
            remedy="Look at the listed samples and correct those that are wrong.",
            severity=Severity.INFO,
            confidence=Confidence.MEDIUM,
            measurements=measurements,
            locations=_locations(evidence, quality, wrong),
            estimated=True,
            exhibits=(*samples_shown(evidence, quality, wrong, "Labels that are probably wrong"), confused, rates),
        )


def _measurements(
    evidence: OutOfSample, quality: LabelQuality, neighbours: LabelQuality | None, limit: float
) -> tuple[Measurement, ...]:
    n = len(evidence.codes)
    found = [
        Measurement(
            name="label noise rate",
            value=quality.noise_rate,
            threshold=limit,
            low=quality.low,
            high=quality.high,
            level=quality.level,
            n=n,
            unit="share",
        ),
        Measurement(name="labels that are probably wrong", value=int(quality.is_error.sum()), n=n),
        Measurement(name="listed from a probability of error of", value=round(quality.threshold, 6)),
        Measurement(name="reading of the probabilities", value=quality.reading),
        Measurement(name="temperature", value=round(quality.calibration.temperature, 6)),
    ]
    if quality.reading == "calibrated":
        found.append(Measurement(name="power", value=round(quality.calibration.power, 6)))
    if quality.at_face_value is not None:
        found.append(Measurement(name="label noise rate at face value", value=quality.at_face_value, unit="share"))
    if quality.asymptote is not None:
        found.append(Measurement(name="disagreement where the model is surest", value=quality.asymptote, unit="share"))
    if quality.overconfidence is not None:
        found.append(
            Measurement(name="temperature that the unforeseen labels ask for", value=round(quality.overconfidence, 6))
        )
    if neighbours is not None:
        found.append(
            Measurement(
                name="label noise rate by nearest neighbours",
                value=neighbours.noise_rate,
                low=neighbours.low,
                high=neighbours.high,
                level=neighbours.level,
                n=n,
                unit="share",
            )
        )
    if evidence.unlabelled:
        found.append(Measurement(name="samples without a label, not judged", value=evidence.unlabelled))
    if evidence.rare:
        found.append(
            Measurement(
                name="classes too rare to be judged",
                value=", ".join(f"{name} ({count})" for name, count in sorted(evidence.rare.items())),
            )
        )
    found += [Measurement(name=name, value=value) for name, value in evidence.origin.items()]
    return tuple(found)


def _overlap(one: LabelQuality, other: LabelQuality) -> bool:
    return one.low <= other.high and other.low <= one.high


def _worst(quality: LabelQuality, chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[int]:
    rows = np.flatnonzero(chosen)
    order: list[int] = rows[np.argsort(quality.score[rows], kind="stable")].tolist()
    return order


def _ranking(evidence: OutOfSample, quality: LabelQuality) -> Ranking:
    return Ranking(
        rule=label_noise.code,
        sample_ids=evidence.sample_ids,
        paths=evidence.paths,
        splits=evidence.splits,
        classes=evidence.classes,
        given=evidence.codes,
        suggested=quality.suggested,
        score=quality.score,
        p_wrong=quality.posterior,
        is_error=quality.is_error,
        confidence=evidence.pred_probs[np.arange(len(evidence.codes)), evidence.codes],
    )


def _locations(evidence: OutOfSample, quality: LabelQuality, rows: list[int]) -> tuple[Location, ...]:
    columns = telling(evidence, quality, NAMED_COLUMNS)
    return tuple(
        Location(
            path=evidence.paths[row],
            sample_id=evidence.sample_ids[row],
            split=evidence.splits[row] or None,
            label=evidence.classes[evidence.codes[row]],
            note=(
                f"rather {evidence.classes[quality.suggested[row]]!r}; "
                f"wrong with probability {_probability(float(quality.posterior[row]))}{_named(evidence, row, columns)}"
            ),
        )
        for row in rows
    )


def _named(evidence: OutOfSample, row: int, columns: tuple[int, ...]) -> str:
    if evidence.rows is None:
        return ""
    values = [(evidence.rows.names[column], evidence.rows.cell(row, column)) for column in columns]
    words = [f"{name} {'missing' if value is None else value}" for name, value in values]
    return "".join(f"; {word if len(word) <= NAMED_LENGTH else word[: NAMED_LENGTH - 1] + '…'}" for word in words)


def _summary(quality: LabelQuality) -> str:
    return f"about {_percent(quality.noise_rate)} of {len(quality.score):,} labels are wrong {_interval(quality)}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _interval(quality: LabelQuality) -> str:
    return f"({100 * quality.level:g} % interval {_percent(quality.low)} to {_percent(quality.high)})"


def _count(wrong: int) -> str:
    return "1 label is" if wrong == 1 else f"{wrong:,} labels are"


def _probability(posterior: float) -> str:
    return f"{posterior:.2f}" if posterior < 0.995 else "above 0.99"


def _percent(share: float) -> str:
    # Below a millionth of the labels it is none: an estimate of 1e-10 is a search that stopped beside 0.
    return f"{100 * share:.1f} %" if share >= 0.001 or share < 1e-6 else f"{100 * share:.2g} %"
