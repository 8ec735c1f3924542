"""Which classes are labelled as which: the transition matrix of label noise, by expectation maximization."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.labels.ensemble import Combined
from dataguard.labels.leading import Leading, Others, others
from dataguard.labels.probabilities import class_sums, cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARPENING = 1.2
"""Power of the transition matrix's contraction that undoes what a model has learnt of the noise. In theory log-odds
near the boundary shrink by the contraction itself, power 1, and more where the model is sure. On the eight noisy label
sets of Northcutt et al. 2021 with 20 and 40 % noise (CIFAR-10) powers 1, 1.2 and 1.5 put the rate 2.6 and 0.9 points
too low and 1.7 too high on average."""
LEAST_CONTRACTION = 0.05
SPURIOUS = 0.1
"""Most of the labels that disagree which are called errors where there is none: 8 % of them on 20 classes of 100
samples that overlap so much that two labels in three are not foreseen, 4 % where two in five are not."""
SETTLED = 0.999
"""Samples labelled as a class that is at least this probable are counted, not weighed: their share of doubt is less
than a thousandth of the error rates themselves."""
PSEUDO = 1.0
"""Samples' worth of the prior that each row of the matrix starts from: the overall rate, spread evenly."""
STEPS = 80
TOLERANCE = 1e-4
START = 0.05
LARGEST_FACTOR = 20.0
BLOCK = 32_768
"""Samples judged at a time: what is computed of them stays in the cache."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tempered:
    """Probabilities of the leading classes raised to 1/temperature; each of shape (n,)."""

    top: NDArray[np.float32]
    given: NDArray[np.float32]
    """0 where the given class is the likeliest."""
    other: NDArray[np.float32] | None
    """Of the runners-up; None where they count among the rest."""
    rest: NDArray[np.float32]
    """What all further classes have together."""


def tempered(leading: Leading, temperature: float, runners_up: Others | None = None) -> Tempered:
    """The leading classes' probabilities ∝ p^(1/temperature).

    Args:
        leading: The samples.
        temperature: Above 1 for probabilities that are overconfident.
        runners_up: The likeliest other classes; further ones are each taken to be as likely as these, as many as their
            probability makes. Without, all the rest is taken for one class.
    """
    agrees = leading.agrees
    top = np.maximum(leading.p_top, np.float32(1e-30))
    given = np.where(agrees, np.float32(0), leading.p_given)
    rest = 1 - leading.p_top
    rest -= given
    given /= top
    power = np.float32(1 / temperature)
    if runners_up is None:
        np.maximum(rest, 0, out=rest)
        rest /= top
        if temperature != 1:
            given, rest = _power(given, power), _power(rest, power)
        share = 1 + given
        share += rest
        np.reciprocal(share, out=share)
        given *= share
        rest *= share
        return Tempered(top=share, given=given, other=None, rest=rest)
    other = np.where(runners_up.place == leading.top, np.float32(0), runners_up.p)
    rest = np.maximum(rest - other, np.float32(0))
    rest /= top
    other /= top
    if temperature != 1:
        given = _power(given, power)
        raised = _power(other, power)
        rest *= np.divide(raised, other, out=np.zeros_like(raised), where=other > 0)
        other = raised
    share = np.reciprocal(1 + given + other + rest)
    return Tempered(top=share, given=given * share, other=other * share, rest=rest * share)


def _power(values: NDArray[np.float32], power: np.float32) -> NDArray[np.float32]:
    # exp and log are vectorized where power is not; log(0) = −∞ comes back as 0.
    with np.errstate(divide="ignore"):
        raised: NDArray[np.float32] = np.log(values)
    raised *= power
    return np.exp(raised, out=raised)


class Pairs:
    """Samples that transition rates are fitted to, with the class pairs that occur in them."""

    def __init__(self, leading: Leading, runners_up: Others, settled: NDArray[np.float64], weight: float) -> None:
        self.leading = leading
        self.runners_up = runners_up
        self.n_classes = k = leading.n_classes
        self.settled = settled
        """How many samples of each class are settled, shape (classes,)."""
        self.weight = weight
        """How many samples each of `leading` stands for."""
        self.total = float(settled.sum()) + weight * len(leading)
        self.disagreement = weight * float(np.count_nonzero(~leading.agrees)) / max(self.total, 1e-9)
        """Share of samples whose label is not the likeliest class."""
        given = leading.given.astype(np.int64)
        diagonal = np.arange(k, dtype=np.int64) * (k + 1)
        codes = np.concatenate([leading.top * np.int64(k) + given, runners_up.place * np.int64(k) + given, diagonal])
        self.codes, places = np.unique(codes, return_inverse=True)
        n = len(leading)
        self.top_pair, self.other_pair, self.diagonal = places[:n], places[n : 2 * n], places[2 * n :]
        self.true, self.label = self.codes // k, self.codes % k

    @classmethod
    def of(
        cls,
        leading: Leading,
        pred_probs: Combined,
        among: NDArray[np.bool_],
        *,
        limit: int,
    ) -> Pairs:
        """Settled samples as counts; of the others at most about `limit`, whichever order they come in.

        Args:
            leading: All samples.
            pred_probs: Their probabilities.
            among: Which of them have a label.
            limit: How many samples are weighed one by one.
        """
        settled = leading.agrees
        settled &= leading.p_top >= SETTLED
        settled &= among
        counts = class_sums(leading.given, leading.n_classes, where=settled)
        rows, n = leading.chosen(among & ~settled, limit)
        part = leading.take(rows)
        runners_up = others(pred_probs.take(rows).astype(np.float32), part)
        return cls(part, runners_up, counts, n / len(rows) if len(rows) else 1.0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Transition:
    """Rates at which classes are labelled as others."""

    rate: float
    """Share of wrong labels, 0–1."""
    temperature: float
    matrix: NDArray[np.float64]
    """T[k, j]: probability that a sample of true class k is labelled j; rows sum to 1. Shape (classes, classes)."""
    joint: NDArray[np.float64]
    """Share of samples of true class k labelled j; sums to 1. Shape (classes, classes)."""


def faultless(leading: Leading) -> Transition:
    """No label is wrong."""
    shares = np.bincount(leading.given, minlength=leading.n_classes) / max(len(leading), 1)
    return Transition(rate=0.0, temperature=1.0, matrix=np.eye(leading.n_classes), joint=np.diag(shares))


class Rates:
    """T as the rates of the pairs that occur, and one background rate a true class for all others."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self.temperature = 1.0
        self.rate = START
        k = pairs.n_classes
        self.values = np.full(len(pairs.codes), self.rate / (k - 1))
        self.values[pairs.diagonal] = 1 - self.rate
        self.into = np.full(k, self.rate / (k - 1))
        self.counts = np.zeros(len(pairs.codes))

    def copy(self) -> Rates:
        """The same rates, to go on from."""
        made = Rates(self.pairs)
        made.temperature, made.rate = self.temperature, self.rate
        made.values, made.into, made.counts = self.values, self.into, self.counts
        return made

    def step(self, probs: Tempered) -> float:
        """One step of expectation maximization; returns by how much the rate changed."""
        pairs, k = self.pairs, self.pairs.n_classes
        leading = pairs.leading
        values = self.values.astype(np.float32)
        diagonal = pairs.diagonal
        right = values[diagonal][leading.given]
        by_top = probs.top * values[pairs.top_pair]
        by_given = probs.given * right
        by_other = probs.other * values[pairs.other_pair] if probs.other is not None else np.zeros_like(by_top)
        by_rest = probs.rest * self.into.astype(np.float32)[leading.given]
        scale = np.float32(pairs.weight) / np.maximum(by_top + by_given + by_other + by_rest, np.float32(1e-30))
        # Of no samples at all bincount would make integers.
        counts = np.bincount(pairs.top_pair, by_top * scale, len(pairs.codes)).astype(np.float64)
        counts += np.bincount(pairs.other_pair, by_other * scale, len(pairs.codes))
        counts[diagonal] += np.bincount(leading.given, by_given * scale, k) + pairs.settled
        # Which class the further ones were is not known: as likely as the rates into the given class say.
        missed = np.bincount(leading.given, by_rest * scale, k)
        spread = self.values.copy()
        spread[diagonal] = 0
        into = np.bincount(pairs.label, spread, k)
        counts += spread * np.divide(missed, into, out=np.zeros(k), where=into > 0)[pairs.label]
        rate = max(0.0, 1 - float(counts[diagonal].sum()) / pairs.total) if pairs.total else 0.0
        sizes = np.bincount(pairs.true, counts, k) + PSEUDO
        background = PSEUDO * rate / (k - 1) / sizes
        self.counts = counts
        self.values = counts / sizes[pairs.true] + background[pairs.true]
        self.values[diagonal] = (counts[diagonal] + PSEUDO * (1 - rate)) / sizes
        seen = counts / sizes[pairs.true]
        seen[diagonal] = 0
        self.into = (np.bincount(pairs.label, seen, k) + background.sum() - background) / (k - 1)
        change = abs(rate - self.rate)
        self.rate = rate
        return change

    def contraction(self) -> float:
        """(trace T − 1)/(classes − 1): the mean factor by which differences of class probabilities shrink under T."""
        k = self.pairs.n_classes
        return (float(self.values[self.pairs.diagonal].sum()) - 1) / (k - 1)

    def beyond(self) -> float:
        """The part of the errors that is more than would be found without any."""
        return max(0.0, 1 - SPURIOUS * self.pairs.disagreement / self.rate) if self.rate > 0 else 0.0

    def result(self) -> Transition:
        """The rates as matrices."""
        pairs, k = self.pairs, self.pairs.n_classes
        joint = np.zeros((k, k))
        joint[pairs.true, pairs.label] = self.counts
        sizes = joint.sum(axis=1)
        matrix = joint + PSEUDO * self.rate / (k - 1)
        np.fill_diagonal(matrix, joint.diagonal() + PSEUDO * (1 - self.rate))
        matrix /= (sizes + PSEUDO)[:, None]
        matrix /= matrix.sum(axis=1, keepdims=True)
        total = max(float(joint.sum()), 1e-300)
        return Transition(rate=self.rate, temperature=self.temperature, matrix=matrix, joint=joint / total)


def rate_at(start: Rates, temperature: float) -> float:
    """The share of wrong labels where p^(1/temperature) are the probabilities of the true class.

    The transition rates are the most likely ones, by expectation maximization (Dawid & Skene 1979, with the model in
    the place of the other annotators).

    Args:
        start: Rates to start from.
        temperature: Above 1 for probabilities that are overconfident.
    """
    rates = start.copy()
    probs = tempered(rates.pairs.leading, temperature, rates.pairs.runners_up)
    for _ in range(STEPS):
        if rates.step(probs) < TOLERANCE:
            break
    return rates.rate


def at_face_value(pairs: Pairs, *, temperature: float = 1.0, ceiling: float = np.inf) -> Rates:
    """The most likely transition rates where the model's probabilities are taken at their word.

    A model that has learnt from noisy labels has learnt the noise too: its log-odds are smaller by about the
    contraction of the transition matrix. So the temperature is that contraction to the power `SHARPENING`, found
    together with the matrix.

    Args:
        pairs: The samples.
        temperature: What the probabilities would have to be raised to the inverse of, were there no noise.
        ceiling: The highest temperature.
    """
    rates = Rates(pairs)
    rates.temperature = min(temperature, ceiling)
    probs = tempered(pairs.leading, rates.temperature, pairs.runners_up)
    for _ in range(STEPS):
        # A few steps between changes of the temperature: both settle together.
        change = max(rates.step(probs) for _ in range(3))
        contraction = 1 - (1 - rates.contraction()) * rates.beyond()
        sharper = min(ceiling, temperature * float(np.clip(contraction, LEAST_CONTRACTION, 1)) ** SHARPENING)
        if change < TOLERANCE and abs(sharper - rates.temperature) < TOLERANCE * 10:
            break
        if abs(sharper - rates.temperature) > TOLERANCE:
            rates.temperature = sharper
            probs = tempered(pairs.leading, sharper, pairs.runners_up)
    return rates


def raised(start: Rates, rate: float) -> Rates:
    """The same errors, all of them more frequent by one factor, so that their share becomes `rate`.

    The temperature and with it the order of the samples stay as they are.
    """
    rates, pairs = start.copy(), start.pairs
    probs = tempered(pairs.leading, rates.temperature, pairs.runners_up)
    values, into = rates.values, rates.into
    off = 1 - values[pairs.diagonal]
    low, high = 0.0, np.log(LARGEST_FACTOR)
    for _ in range(10):
        middle = (low + high) / 2
        # Rows stay distributions: a class is labelled as another at most nine times out of ten.
        factor = np.minimum(np.exp(middle), 0.9 / np.maximum(off, 1e-9)).clip(min=1.0)
        rates.values = values * factor[pairs.true]
        rates.values[pairs.diagonal] = 1 - off * factor
        rates.into = into * float(np.exp(middle))
        rates.step(probs)
        if rates.rate < rate:
            low = middle
        else:
            high = middle
    return rates


def right(
    leading: Leading, fitted: Transition, runners_up: Others | None = None, *, jobs: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Each sample's posterior probability that its given label is right, and its likeliest true class; shape (n,).

    Args:
        leading: The samples.
        fitted: The transition matrix.
        runners_up: The likeliest other classes; without, the rest of a sample's probability is any other class.
        jobs: Threads; None for one a core.
    """
    k = leading.n_classes
    matrix = fitted.matrix.astype(np.float32)
    flat = matrix.reshape(-1)
    into = ((matrix.sum(axis=0) - matrix.diagonal()) / (k - 1)).astype(np.float32)
    score = np.empty(len(leading), dtype=np.float32)
    likeliest = np.empty(len(leading), dtype=np.int32)
    right_rate = np.ascontiguousarray(matrix.diagonal())

    def judge(first: int) -> None:
        rows = slice(first, first + BLOCK)
        part = leading.take(rows)
        others_here = None if runners_up is None else Others(place=runners_up.place[rows], p=runners_up.p[rows])
        probs = tempered(part, fitted.temperature, others_here)
        agrees = part.agrees
        by_top = probs.top
        by_top *= flat.take(part.top * np.intp(k) + part.given)
        by_given = probs.given
        by_given *= right_rate.take(part.given)
        total = probs.rest
        total *= into.take(part.given)
        total += by_top
        total += by_given
        best = np.where(by_top >= by_given, part.top, part.given)
        if others_here is not None and probs.other is not None:
            by_other = probs.other
            by_other *= flat.take(others_here.place * np.intp(k) + part.given)
            total += by_other
            best = np.where(by_other > np.maximum(by_top, by_given), others_here.place, best)
        np.copyto(by_given, by_top, where=agrees)
        np.divide(by_given, np.maximum(total, np.float32(1e-30), out=total), out=score[rows])
        likeliest[rows] = best

    starts = range(0, len(leading), BLOCK)
    threads = min(cores() if jobs is None else max(1, jobs), len(starts))
    if threads > 1:
        with ThreadPoolExecutor(threads) as workers:
            list(workers.map(judge, starts))
    else:
        for first in starts:
            judge(first)
    return score, likeliest
