"""The metric that is reported of a model, tried on a predictor that has learned nothing but the commonest class."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.training.case import TrainingCase
from dataguard.training.data import Batch

if TYPE_CHECKING:
    from torch import Tensor

SURE = 10.0
"""The logit of a class that a made-up predictor is sure of."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MetricTrial:
    """What a metric says of a constant predictor, and how frequent classes are."""

    case: TrainingCase
    name: str
    """Of the metric."""
    counts: NDArray[np.int64]
    """Samples (or steps) of each class; of several labels, one row a label, without and with it."""
    origin: str
    """Which samples were counted."""
    constant: float | None
    """The metric of the predictor that always gives the commonest class; None where it was not called."""
    perfect: float | None
    """Of one that is always right."""

    @property
    def n(self) -> int:
        """How many samples, or steps, the share rests on."""
        return int(self.counts.sum() if self.counts.ndim == 1 else self.counts[0].sum())

    @property
    def share(self) -> float:
        """Of the commonest class; of several labels the mean over them."""
        rows = np.atleast_2d(self.counts)
        return float((rows.max(1) / rows.sum(1)).mean())


def metric_trial(case: TrainingCase) -> MetricTrial | Skipped | Inconclusive:
    """Make a `MetricTrial`; no pass of the model is needed."""
    metric = case.training.metric
    if metric is None:
        return Skipped(reason="it is not known what metric is reported", hint="say it with Training(metric='accuracy')")
    batches, origin = case.batches, f"the {len(case.batches)} batches that were fetched to train on"
    if case.held_out_origin == "given" and case.held_out:
        batches, origin = case.held_out, "the held-out batches"
    elif case.held_out:
        batches, origin = (*case.batches, *case.held_out), "the batches that were fetched"
    rows = _classes(case, batches)
    if rows is None:
        return Skipped(reason=f"there are no classes: {case.task.reason}")
    labels, n_classes = rows
    if labels.size == 0:
        return Inconclusive(reason="no target is a class")
    counts: NDArray[np.int64]
    if labels.ndim == 1:
        counts = np.bincount(labels, minlength=n_classes).astype(np.int64)
    else:
        counts = np.stack([(labels == 0).sum(0), (labels == 1).sum(0)], 1).astype(np.int64)
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
    constant = perfect = None
    if callable(metric):
        with case.sandbox():
            constant, perfect = _tried(metric, case, labels, n_classes)
    return MetricTrial(case=case, name=name, counts=counts, origin=origin, constant=constant, perfect=perfect)


def _classes(case: TrainingCase, batches: tuple[Batch, ...]) -> tuple[NDArray[np.int64], int] | None:
    """The class of each sample or step, shape (n,); or which labels it has, shape (n, labels)."""
    import torch

    kind, n = case.task.kind, case.task.n_classes
    if kind not in ("classification", "sequence", "binary", "multi-label") or n is None:
        return None
    found = []
    for batch in batches:
        target = batch.targets
        if not isinstance(target, torch.Tensor):
            return None
        if kind == "multi-label":
            found.append((target.reshape(target.shape[0], -1) > 0.5).long())
        elif kind == "binary":
            found.append((target.reshape(-1) > 0.5).long())
        elif target.is_floating_point():
            found.append(target.argmax(1 if case.task.class_axis is None else case.task.class_axis).reshape(-1))
        else:
            flat = target.reshape(-1)
            kept = (flat != case.loss_form.ignore_index) & (flat >= 0) & (flat < n)
            if case.training.padding is not None and kind == "sequence":
                kept &= flat != case.training.padding
            found.append(flat[kept])
    return torch.cat(found).cpu().numpy().astype(np.int64), n


def _tried(
    metric: Callable[..., Any], case: TrainingCase, labels: NDArray[np.int64], n: int
) -> tuple[float | None, float | None]:
    import torch

    truth = torch.as_tensor(labels)
    if labels.ndim == 1:
        common = torch.full_like(truth, int(np.bincount(labels, minlength=n).argmax()))
    else:
        common = (truth.double().mean(0) > 0.5).long().expand_as(truth)
    return _called(metric, case, common, truth, n), _called(metric, case, truth, truth, n)


def _called(metric: Callable[..., Any], case: TrainingCase, predicted: Tensor, truth: Tensor, n: int) -> float | None:
    """The metric of predictions, given as outputs are and else as classes."""
    import torch

    as_classes = case.task.kind in ("classification", "sequence")
    scores = (
        torch.nn.functional.one_hot(predicted, n).float() * SURE if as_classes else (2 * predicted.float() - 1) * SURE
    )
    targets = truth if as_classes else truth.float()
    for given in (scores, predicted if as_classes else predicted.float()):
        try:
            value = float(metric(given, targets))
        except Exception:  # noqa: BLE001, S112 - a metric of the user's refuses what it is not meant for
            continue
        if math.isfinite(value):
            return value
    return None
