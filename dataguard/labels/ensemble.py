"""Several models' probabilities as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.labels.pooling import pool
from dataguard.labels.probabilities import map_blocks, taken

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = 400_000
"""Probabilities a model that its temperature is fitted to; of 100 classes those of 4,000 samples."""
LEAST_SAMPLES = 500
LEAST_STRENGTH = 0.05
LEAST_APART = 0.001
LOG_FLOOR = -16.0
"""Least log probability: float32 softmax outputs reach about e⁻¹⁶ before they vanish beside 1."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Combined:
    """Models whose calibrated probabilities are averaged; one model is left as it is."""

    models: tuple[NDArray[Any], ...]
    temperatures: tuple[float, ...]
    """What the labels say each model's temperature is: above 1 for an overconfident one."""
    weights: tuple[float, ...]
    """Share of each model in the mean; they sum to 1."""

    @property
    def transform(self) -> Any:
        """What `leading` replaces blocks of the first model's rows by; None for one model as it is."""
        if len(self.models) == 1:
            return None

        def of(first: int, block: NDArray[Any]) -> NDArray[Any]:
            return self.rows([block, *(model[first : first + len(block)] for model in self.models[1:])])

        return of

    def rows(self, parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The weighted mean of the calibrated probabilities, raised to the models' mean temperature; rows sum to 1."""
        mean: NDArray[np.float32] | None = None
        for temperature, weight, part in zip(self.temperatures, self.weights, parts, strict=True):
            probs = _softmax(_logs(part) * np.float32(1 / temperature))
            probs *= np.float32(weight)
            mean = probs if mean is None else np.add(mean, probs, out=mean)
        if mean is None:
            raise ValueError("no model")
        return _softmax(_logs(mean) * np.float32(self.temperature))

    @property
    def temperature(self) -> float:
        """The mean temperature of the models."""
        return float(np.mean(self.temperatures))

    def take(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Some rows of the combined probabilities."""
        parts = [taken(model, rows) for model in self.models]
        return parts[0] if len(parts) == 1 else self.rows(parts)


def combine(models: Sequence[NDArray[Any]], codes: NDArray[np.int32], *, jobs: int | None = None) -> Combined:
    """Put the models' probabilities on one scale, so that their mean can be read as one model's.

    Probabilities of models that are confident to different degrees cannot be averaged: the surest model decides. So
    each is calibrated by a temperature first, fitted to the given labels with label noise in the likelihood
    (`dataguard.labels.pooling.pool`). A model's weight is the inverse square of how often it departs from the mean of
    all: models err apart from each other, so that such departures are mostly its own errors, and whoever errs half as
    often has four times the weight, as in a mean of measurements. The weighted mean is then made as confident as the
    models are by themselves: it is read at face value, as one of them would be.

    On 84 noisy label sets with four classical models each, this ranked errors with an AUPRC of 0.936, weights fitted by
    likelihood 0.929 (log-linear) and 0.935 (linear), the best single model, chosen with knowledge of the truth, 0.934.

    Args:
        models: One array a model, of one shape (n, classes).
        codes: Given labels, shape (n,); −1 for missing.
        jobs: Threads.

    Raises:
        ValueError: a row of a model is not a probability distribution.
    """
    if len(models) == 1:
        return Combined(models=tuple(models), temperatures=(1.0,), weights=(1.0,))
    rows = _sampled(models, codes, jobs)
    labels = codes[rows]
    logs = [_logs(taken(model, rows)) for model in models]
    temperatures = [
        1 / float(np.clip(pool([part.astype(np.float64)], labels)[1][0], LEAST_STRENGTH, 1 / LEAST_STRENGTH))
        for part in logs
    ]
    probs = [_softmax(part * np.float32(1 / t)) for part, t in zip(logs, temperatures, strict=True)]
    consensus = np.add.reduce(probs).argmax(axis=1)
    apart = np.array([max(float(np.mean(one.argmax(axis=1) != consensus)), LEAST_APART) for one in probs])
    weights = apart**-2 / (apart**-2).sum()
    return Combined(models=tuple(models), temperatures=tuple(temperatures), weights=tuple(weights.tolist()))


def _sampled(models: Sequence[NDArray[Any]], codes: NDArray[np.int32], jobs: int | None) -> NDArray[np.intp]:
    """Samples to fit temperatures to, by what they are and not by where they stand; every row is validated."""
    n, k = models[0].shape
    limit = max(CELLS // k, LEAST_SAMPLES)
    key = np.zeros(n, dtype=np.uint64)

    def mix(first: int, block: NDArray[Any]) -> None:
        rows = slice(first, first + len(block))
        given = block[np.arange(len(block)), np.maximum(codes[rows], 0)]
        for values in (block.max(axis=1), given):
            bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
            key[rows] = key[rows] * np.uint64(0x9E3779B97F4A7C15) + bits

    for model in models:
        map_blocks(model, mix, jobs=jobs)
    labelled = np.flatnonzero(codes >= 0)
    if len(labelled) <= limit:
        return labelled
    key ^= key >> np.uint64(29)
    key *= np.uint64(0xBF58476D1CE4E5B9)
    key ^= key >> np.uint64(32)
    return labelled[key[labelled] < np.uint64(limit / len(labelled) * 2**64)]


def _logs(part: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        logs: NDArray[np.float32] = np.log(np.asarray(part, dtype=np.float32))
    return np.maximum(logs, np.float32(LOG_FLOOR), out=logs)


def _softmax(logs: NDArray[np.float32]) -> NDArray[np.float32]:
    logs -= logs.max(axis=1, keepdims=True)
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=1, keepdims=True)
    return logs
