"""How many labels are wrong, which ones, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dataguard.labels import calibrated as calibrated_reading
from dataguard.labels import lapse, transition
from dataguard.labels.asymptote import Asymptote, asymptote
from dataguard.labels.codes import encode_labels
from dataguard.labels.confusion import Confusion, confusion, given_temperature
from dataguard.labels.counting import confident_rate
from dataguard.labels.ensemble import Combined, combine
from dataguard.labels.leading import Leading, Others, leading, others
from dataguard.labels.probabilities import checked, class_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

USUAL_OVERCONFIDENCE = 1.5
"""Temperatures up to this are a network's everyday overconfidence, which its probabilities at their word make up for;
only what is beyond is taken out. Guo et al. 2017 found 1.2 to 2.5 on image classifiers and about 1.5 in the middle."""
LEAST_OVERCONFIDENCE = 1.2
"""A model that foresees the given labels best at a temperature below this is made as overconfident as that: label
smoothing, mixup and averaging flatten probabilities without making the model any less sure of the true class."""
SLACK = 2.5
"""Factor by which probabilities may be sharper than they were read, for the upper end of the interval, and by which a
calibrated model is read as surer. At 2.5 intervals of 95 % held the true rate on 95 % of 336 noisy versions of seven
sets, by four kinds of model; at 1.5 on 87 %. On the same sets, 2.5 had the least error as a reading too (1.9 points;
2.0 at 2 and at 4, 2.1 without)."""
LEARNT = 0.9
"""A temperature of agreement below this says that a model has learnt the noise and is flatter for it: it then bounds
the temperature, and counting corrects the rate, alone at `LEARNT_ALL`. On 364 noisy versions of seven sets classical
models, which are calibrated, had 0.4 to 0.8; networks on CIFAR-10, which are overconfident, 0.8 to 1.3."""
LEARNT_ALL = 0.5
NOT_FLAT, FLAT = 1.25, 1.05
"""Temperatures at which the given labels are foreseen best, above and below which a model is overconfident about them,
and calibrated: noise and all. The second kind takes wrong labels for doubt of the true class, and is read as `SLACK`
times as sure of that. Of the networks of Northcutt et al. 2021 all had 1.25 or more, and need no such reading."""
NOT_SHARP, SHARP = 0.85, 0.7
"""Temperatures that the labels other than the likeliest class ask for, above and below which they are drawn as the
probabilities say, as where classes overlap, and more sharply, as errors are that people make by habit."""
UNFORESEEN, FORESEEN = 0.6, 0.5
"""Shares of labels that disagree above and below which too few are foreseen to be read so, and half are."""
AGREED = 0.1
"""Share of the wrong labels that the model predicts too, at most: 0.02 to 0.11 on CIFAR-10H, on CIFAR-10N and on
CIFAR-10 with 20 and 40 % of planted noise, by 21 networks. So many more than the labels that disagree may be wrong."""
LEAST_WORTH_LISTING = 0.25
"""Least posterior probability of error of a listed label, whatever would be best for the list as a whole."""
SAMPLE = 20_000
CELLS = 100_000
LEAST_SAMPLES = 250
"""Samples, and probabilities, that the curve of agreement, calibration and counting look at: their error is small
beside that of how probabilities are read."""
SMALL = 10_000_000
FITTED = 6_000
FITTED_CELLS = 3_000_000
"""Up to so many probabilities no pains are spared: rates are fitted to as many as `SAMPLE` samples, and each is judged
with its runner-up. Beyond, to `FITTED` samples, and each is judged by its likeliest and its given class alone: with
50,000,000 probabilities that is the difference between 6 passes over them and 13."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelQuality:
    """What the given labels are worth. Arrays are read-only; n samples, missing labels included."""

    noise_rate: float
    """Estimated share of wrong labels, 0–1."""
    low: float
    """Lower end of the interval around ``noise_rate``."""
    high: float
    level: float
    """Coverage of the interval, for example 0.95."""
    score: NDArray[np.float32]
    """Probability that the given label is right: lower is worse. Shape (n,); NaN where the label is missing."""
    is_error: NDArray[np.bool_]
    """The labels to look at: the list whose expected F1 is greatest, shape (n,); False where the label is missing."""
    threshold: float
    """Posterior probability of error from which a label is listed."""
    suggested: NDArray[np.int32]
    """The likeliest class of each sample, its given label taken into account; shape (n,)."""
    class_rates: NDArray[np.float64]
    """Estimated share of wrong labels among those given as each class, shape (classes,); NaN where none is given."""
    transition: NDArray[np.float64]
    """T[k, j]: probability that a sample of true class k is labelled j; rows sum to 1. Shape (classes, classes)."""
    joint: NDArray[np.float64]
    """Estimated share of samples of true class k labelled j; sums to 1. Shape (classes, classes)."""
    classes: tuple[object, ...]
    """What each column of the probabilities stands for."""
    reading: str
    """'face value' where the model's probabilities were taken at their word, 'calibrated', or 'uninformed' where they
    foresee the labels no better than the class shares do, so that nothing is known of the labels."""
    calibration: lapse.Calibration
    """What the probabilities were raised to; see `dataguard.labels.lapse` for the power."""
    asymptote: float | None
    """Share of labels that disagree however sure the model is; None in the calibrated reading, whose rate it is."""
    overconfidence: float | None
    """Temperature that the labels other than the likeliest class ask for; None where it cannot be told."""
    free_pairs: int
    """How many (true class, given class) pairs have a rate of their own."""
    at_face_value: float | None = None
    """In the calibrated reading: the rate if the probabilities were taken at their word; None where nothing is told."""
    temperatures: tuple[float, ...] = (1.0,)
    """Of several models: the temperature that each was calibrated with."""
    weights: tuple[float, ...] = (1.0,)
    """Of several models: the share of each in their mean."""

    @property
    def posterior(self) -> NDArray[np.float32]:
        """Probability that the given label is wrong, 1 − score; shape (n,)."""
        return _frozen(1 - self.score)

    @property
    def class_quality(self) -> NDArray[np.float64]:
        """Estimated share of right labels among those given as each class, shape (classes,)."""
        return _frozen(1 - self.class_rates)


def assess(
    labels: ArrayLike | Sequence[object],
    pred_probs: ArrayLike | Sequence[ArrayLike],
    *,
    classes: Sequence[object] | None = None,
    level: float = 0.95,
    calibrated: bool = False,
    jobs: int | None = None,
) -> LabelQuality:
    """Estimate how many labels are wrong, and which, from out-of-sample probabilities.

    A label that is not what the model expects is either wrong, or right and not foreseen. One model cannot tell the
    two apart by how often they occur, so how its probabilities are read decides:

    * At face value (the default, for any classifier): the probabilities are those of the true class, apart from the
      noise that the model itself has learnt. Which class is labelled as which follows by expectation maximization, and
      with it how much sharper the model would be without noise (`dataguard.labels.transition`). Two things that
      the labels do show correct the reading. Where labels other than the likeliest class are spread as an
      overconfident model would have it, beyond what is usual, the probabilities are softened, and where it is
      underconfident, sharpened (`dataguard.labels.confusion`); and the rate is never below the disagreement that
      remains where the model is surest (`dataguard.labels.asymptote`). A model that is calibrated about the given
      labels, noise and all, is read as surer of the true class than it says, where the labels that it does not foresee
      are drawn more sharply than its probabilities are: as the habits of people are, and not the overlap of classes
      (`FLAT`, `SHARP`).
    * Calibrated: for probabilities that were fitted to these labels with noise in the model, as dataguard's own are;
      see `dataguard.labels.calibrated`. A habit that the model has learnt (a third of one class given as another) looks
      to it as classes that overlap, so the interval's upper end is no lower than at face value.

    The interval covers both what the sample leaves open and what the reading does: from the rate at the temperature
    that explains most by overconfidence to the rate at a temperature `SLACK` times lower, or where the model is read
    as surer than it says to all labels that disagree and those wrong ones that it predicts too (`AGREED`); each widened
    to the Clopper–Pearson limit of as many errors among n.

    Args:
        labels: Given labels, shape (n,): column numbers, or names; None, NaN and −1 are missing labels, which
            are left out.
        pred_probs: Out-of-sample class probabilities of shape (n, classes), classes ≥ 2, as an array of float16, 32 or
            64, in memory or memory-mapped; never copied. Or a list of such arrays, one a model: they are calibrated
            and averaged (`dataguard.labels.ensemble`).
        classes: What each column stands for, where the labels are names; by default the sorted distinct labels.
        level: Coverage of the interval.
        calibrated: Whether the probabilities are calibrated ones of the true class.
        jobs: Threads; None for one a core.

    Raises:
        ValueError: labels and probabilities do not fit together, or rows, which are named, are no probabilities.
    """
    models = _models(pred_probs)
    array = models[0]
    codes, names = encode_labels(labels, classes, columns=array.shape[1])
    if len(codes) != len(array):
        raise ValueError(f"{len(codes)} labels for {len(array)} rows of probabilities")
    present = codes >= 0
    if not present.any():
        raise ValueError("not one sample has a label")
    if not calibrated:
        return _at_face_value(codes, names, models, level, jobs)
    if len(models) > 1:
        raise ValueError("several models' probabilities are combined at face value only; leave out calibrated=True")
    return _calibrated(codes, names, models[0], level, jobs)


def _at_face_value(
    codes: NDArray[np.int32], names: tuple[object, ...], models: list[NDArray[Any]], level: float, jobs: int | None
) -> LabelQuality:
    array, present = models[0], codes >= 0
    combined = combine(models, codes, jobs=jobs)
    # A sample without a label carries the likeliest class here, so that it agrees and changes little.
    every = leading(array, codes, transform=combined.transform, jobs=jobs)
    confused = confusion(combined, every)
    floor = asymptote(every.take(every.chosen(present, SAMPLE)[0]), level=level)
    rows, n = every.chosen(present, max(CELLS // array.shape[1], LEAST_SAMPLES))
    probs, part = combined.take(rows).astype(np.float32), every.take(rows)
    foreseen, gain = given_temperature(probs, part.given)
    counted = confident_rate(part, others(probs, part))
    small = array.size <= SMALL
    limit = SAMPLE if small else min(FITTED, FITTED_CELLS // array.shape[1])
    pairs = transition.Pairs.of(every, combined, present, limit=limit)
    # A temperature was fitted: half of log n is what that gains by chance (Schwarz 1978).
    informed = gain * len(rows) > np.log(len(rows)) / 2
    if informed:
        rates, low, high = _read(pairs, confused, floor, counted, foreseen)
        fitted = rates.result()
    else:
        fitted, low, high = transition.faultless(part), 0.0, 1.0
    runners_up = _runners_up(combined, every) if small else None
    score, suggested = transition.right(every, fitted, runners_up, jobs=jobs)
    threshold = listing_threshold(score[every.chosen(present, SAMPLE)[0]])
    low, high = _widened(low, high, fitted.rate, n, level)
    # The curve of agreement has the limits of its sample in its interval.
    high = max(high, floor.high)
    return _quality(
        codes,
        names,
        score=score,
        threshold=threshold,
        suggested=suggested,
        rate=fitted.rate,
        low=low,
        high=high,
        level=level,
        matrix=fitted.matrix,
        joint=fitted.joint,
        reading="face value" if informed else "uninformed",
        calibration=lapse.Calibration(temperature=fitted.temperature, power=1.0),
        asymptote=floor.rate,
        overconfidence=None if confused is None else confused.temperature,
        free_pairs=int(np.count_nonzero(fitted.joint) - len(fitted.joint)),
        temperatures=combined.temperatures,
        weights=combined.weights,
    )


def _read(
    pairs: transition.Pairs, confused: Confusion | None, floor: Asymptote, counted: float, foreseen: float
) -> tuple[transition.Rates, float, float]:
    """The reading at face value, and the rates at the ends of what the temperature may be."""
    told = floor.temperature if confused is None else confused.temperature
    start = max(1.0, told / USUAL_OVERCONFIDENCE)
    if foreseen < LEAST_OVERCONFIDENCE:
        start = foreseen / LEAST_OVERCONFIDENCE
    flattest = min(told, floor.temperature)
    rates = transition.at_face_value(pairs, temperature=start, ceiling=flattest if flattest < LEARNT else np.inf)
    share = _between(floor.temperature, LEARNT, LEARNT_ALL)
    sharp = transition.rate_at(rates, rates.temperature / SLACK)
    flat = 0.0
    if confused is not None:
        flat = _between(foreseen, NOT_FLAT, FLAT) * _between(confused.temperature, NOT_SHARP, SHARP)
        flat *= _between(pairs.disagreement, UNFORESEEN, FORESEEN)
    doubted = flat * rates.beyond() * max(0.0, sharp - rates.rate)
    everything = rates.rate + flat * max(0.0, pairs.disagreement / (1 - AGREED) - rates.rate)
    wanted = max(floor.rate, rates.rate + share * (counted - rates.rate), rates.rate + doubted)
    if rates.rate < wanted:
        rates = transition.raised(rates, wanted)
    soft = transition.rate_at(rates, max(rates.temperature, told, 1.0))
    soft = max(soft - transition.SPURIOUS * pairs.disagreement, 0.0)
    sharp = transition.rate_at(rates, rates.temperature / SLACK)
    return rates, min(soft, rates.rate), max(sharp, rates.rate, everything, counted if share > 0 else 0.0)


def _between(value: float, none: float, full: float) -> float:
    """0 from `none` on, 1 from `full` on, even in between."""
    return float(np.clip((none - value) / (none - full), 0, 1))


def _calibrated(
    codes: NDArray[np.int32], names: tuple[object, ...], array: NDArray[Any], level: float, jobs: int | None
) -> LabelQuality:
    # It checks the probabilities as well.
    at_face_value = _at_face_value(codes, names, [array], level, jobs)
    present = codes >= 0
    probs = array if present.all() else array[present]
    fitted = calibrated_reading.fit(codes[present], probs, level=level)
    score = np.full(len(codes), np.nan, dtype=np.float32)
    score[present] = fitted.score
    suggested = array.argmax(axis=1).astype(np.int32)
    suggested[present] = fitted.suggested
    low, high = _widened(fitted.rate, fitted.rate, fitted.rate, int(present.sum()), level)
    learnt = at_face_value if at_face_value.reading == "face value" else None
    if learnt is not None:
        high = max(high, learnt.high)
    return _quality(
        codes,
        names,
        score=score,
        threshold=listing_threshold(score[present]),
        suggested=suggested,
        rate=fitted.rate,
        low=min(low, fitted.low),
        high=max(high, fitted.high),
        level=level,
        matrix=fitted.transition,
        joint=fitted.joint,
        reading="calibrated",
        calibration=fitted.calibration,
        asymptote=None,
        overconfidence=None,
        free_pairs=fitted.free_pairs,
        at_face_value=None if learnt is None else learnt.noise_rate,
    )


def _quality(
    codes: NDArray[np.int32],
    names: tuple[object, ...],
    *,
    score: NDArray[np.float32],
    threshold: float,
    matrix: NDArray[np.float64],
    joint: NDArray[np.float64],
    suggested: NDArray[np.int32],
    rate: float,
    **fields: Any,
) -> LabelQuality:
    if codes.min() < 0:
        score[codes < 0] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        class_rates = 1 - class_sums(codes, len(matrix), weights=score) / class_sums(codes, len(matrix))
    return LabelQuality(
        noise_rate=rate,
        score=_frozen(score),
        is_error=_frozen(score <= np.float32(1 - threshold)),
        threshold=threshold,
        suggested=_frozen(suggested),
        class_rates=_frozen(class_rates),
        transition=_frozen(matrix),
        joint=_frozen(joint),
        classes=names,
        **fields,
    )


def listing_threshold(score: NDArray[np.float32]) -> float:
    """The posterior probability of error from which on labels are listed: that of the greatest expected F1.

    For a list of the m worst labels the expected F1 is about 2·Σ_listed p/(m + Σ_all p); the best list ends at half
    of the greatest value (Lipton, Elkan & Naryanaswamy 2014). It does not end below `LEAST_WORTH_LISTING`.

    Args:
        score: Probability that each label is right, shape (n,).
    """
    wrong = np.sort(1 - score.astype(np.float64))[::-1]
    expected = 2 * wrong.cumsum() / (np.arange(1, len(wrong) + 1) + max(float(wrong.sum()), 1e-300))
    return max(float(expected.max(initial=0)) / 2, LEAST_WORTH_LISTING)


def _runners_up(pred_probs: Combined, every: Leading) -> Others:
    parts = [
        others(pred_probs.take(rows).astype(np.float32), every.take(rows))
        for rows in np.array_split(np.arange(len(every)), max(1, len(every) * every.n_classes // CELLS))
    ]
    return Others(place=np.concatenate([one.place for one in parts]), p=np.concatenate([one.p for one in parts]))


def _models(pred_probs: Any) -> list[NDArray[Any]]:
    """One checked array a model."""
    several = isinstance(pred_probs, list | tuple) and len(pred_probs) > 0 and np.ndim(pred_probs[0]) == 2
    if isinstance(pred_probs, np.ndarray) and pred_probs.ndim == 3:
        several, pred_probs = True, list(pred_probs)
    if not several:
        return [checked(pred_probs)]
    models = [checked(one) for one in pred_probs]
    for number, model in enumerate(models):
        if model.shape != models[0].shape:
            raise ValueError(
                f"probabilities of model {number} have shape {model.shape}, those of model 0 {models[0].shape}: "
                "all models need the same samples and classes, in the same order"
            )
    return models


def _widened(low: float, high: float, rate: float, n: int, level: float) -> tuple[float, float]:
    """The Clopper–Pearson limits of as many errors among n samples as the rates `low` and `high` make."""
    from scipy import special

    tail = (1 - level) / 2
    few, many = low * n, high * n
    lower = float(special.betaincinv(few, n - few + 1, tail)) if few >= 1 else 0.0
    upper = float(special.betaincinv(many + 1, n - many, 1 - tail)) if many < n else 1.0
    return min(lower, rate), max(upper, rate)


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array
