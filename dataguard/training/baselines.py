"""Simple models on the same batches, to be beaten: a constant, naive Bayes, a linear one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.training.case import TrainingCase
from dataguard.training.data import Batch
from dataguard.training.structure import batch_axis, tensors

LEAST_TRAIN, LEAST_HELD_OUT = 60, 30
"""Samples below which no baseline is fitted."""
FITTED = ("classification", "binary", "regression")
"""The tasks that simple models are fitted to."""
WIDEST = 512
"""Features beyond which inputs are projected at random onto so many."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Baseline:
    """A simple model on the held-out samples."""

    name: str
    losses: NDArray[np.float64]
    """One a sample: minus the log-probability of its class, or its squared error."""

    @property
    def mean(self) -> float:
        """The mean loss."""
        return float(self.losses.mean())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Baselines:
    """Simple models and the trained copy, on the same held-out samples."""

    unit: str
    """'log loss' or 'squared error'."""
    constant: Baseline
    others: tuple[Baseline, ...]
    """Naive Bayes (of classes) and a linear model."""
    n_train: int

    @property
    def best(self) -> Baseline:
        """The best of the others."""
        return min(self.others, key=lambda item: item.mean)


def gain(better: NDArray[np.float64], than: NDArray[np.float64]) -> tuple[float, float]:
    """How much smaller losses of the same samples are on the mean, and how many standard errors of it that is."""
    difference = than - better
    error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else 0.0
    mean = float(difference.mean())
    return mean, mean / error if error > 0 else (0.0 if mean == 0 else float(np.sign(mean)) * np.inf)


def baselines(case: TrainingCase) -> Baselines | str:
    """Fit them; or why there are none."""
    kind = case.task.kind
    if kind not in FITTED:
        return f"no simple model is fitted to a task of the kind {kind}"
    train, held = _arrays(case, case.batches), _arrays(case, case.held_out)
    if train is None or held is None:
        return "inputs or targets are no arrays of one row a sample"
    (x, y), (x_held, y_held) = train, held
    if len(x) < LEAST_TRAIN or len(x_held) < LEAST_HELD_OUT:
        return f"{len(x)} samples to train on and {len(x_held)} held out are too few"
    if x.shape[1] != x_held.shape[1]:
        return "samples differ in size from batch to batch"
    x, x_held = _scaled(x, x_held, case.settings.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _regressed(x, y, x_held, y_held) if kind == "regression" else _classified(x, y, x_held, y_held)


def sample_losses(case: TrainingCase, predictions: Sequence[Any]) -> NDArray[np.float64] | None:
    """The losses of the model's held-out predictions in the baselines' unit; None where they do not fit."""
    import torch

    from dataguard.training.losses import LossKind

    form, found = case.loss_form, []
    for batch, outputs in zip(case.held_out, predictions, strict=True):
        values, targets = outputs.double(), batch.targets
        if case.task.kind == "regression":
            if values.numel() != targets.numel():
                return None
            error = (values.reshape(batch.size, -1) - targets.reshape(batch.size, -1).double()).square()
            found.append(error.mean(1).cpu().numpy())
        elif case.task.kind == "binary":
            logits = values if form.kind is LossKind.BINARY_LOGITS else torch.logit(values, eps=1e-7)
            signs = targets.reshape(-1).double() * 2 - 1
            found.append(torch.nn.functional.softplus(-signs * logits.reshape(-1)).cpu().numpy())
        else:
            if targets.is_floating_point() or values.ndim != 2:
                return None
            logs = values if form.kind is LossKind.NLL else torch.log_softmax(values, 1)
            found.append(-logs[torch.arange(len(logs)), targets.reshape(-1).long()].cpu().numpy())
    return np.concatenate(found) if found else None


def _classified(x: Any, y: Any, x_held: Any, y_held: Any) -> Baselines | str:
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        return "there is one class"
    known = np.isin(y_held, classes)
    held = np.searchsorted(classes, y_held[known])
    if known.mean() < 1:
        return "held-out samples have classes that those to train on have not"
    counts = np.bincount(codes, minlength=len(classes)) + 1.0
    priors = np.log(counts / counts.sum())
    rows = np.arange(len(held))
    others = []
    for name, model in (
        ("naive Bayes", GaussianNB(var_smoothing=1e-2)),
        ("a linear model", LogisticRegression(C=0.1, max_iter=200)),
    ):
        chances = model.fit(x, codes).predict_proba(x_held)
        others.append(Baseline(name=name, losses=-np.log(np.clip(chances[rows, held], 1e-3, None))))
    return Baselines(
        unit="log loss",
        constant=Baseline(name="the frequencies of classes", losses=-priors[held]),
        others=tuple(others),
        n_train=len(x),
    )


def _regressed(x: Any, y: Any, x_held: Any, y_held: Any) -> Baselines:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=0.1 * len(x)).fit(x, y)
    found = np.asarray(model.predict(x_held)).reshape(len(x_held), -1)
    return Baselines(
        unit="squared error",
        constant=Baseline(name="the mean of targets", losses=np.square(y.mean(0) - y_held).mean(1)),
        others=(Baseline(name="a linear model", losses=np.square(found - y_held).mean(1)),),
        n_train=len(x),
    )


def _arrays(case: TrainingCase, batches: Sequence[Batch]) -> tuple[Any, Any] | None:
    import torch

    rows, wanted = [], []
    for batch in batches:
        parts = []
        for _, item in tensors(batch.inputs):
            axis = batch_axis(item, batch.size, batch.axis)
            if axis is None:
                continue
            values = item.detach().movedim(axis, 0).cpu()
            # Ids are names, not sizes: how often each occurs.
            parts.append(_counts(values) if _is_ids(values) else values.reshape(batch.size, -1).float().numpy())
        if not parts or not isinstance(batch.targets, torch.Tensor):
            return None
        rows.append(np.concatenate(parts, 1))
        targets = batch.targets.detach().cpu()
        if case.task.kind == "regression":
            wanted.append(targets.reshape(batch.size, -1).double().numpy())
        else:
            if targets.numel() != batch.size:
                return None
            wanted.append(targets.reshape(-1).long().numpy())
    if not rows or len({row.shape[1] for row in rows}) != 1:
        return None
    return np.concatenate(rows).astype(np.float64), np.concatenate(wanted)


def _is_ids(values: Any) -> bool:
    import torch

    return values.dtype in (torch.int64, torch.int32) and values.ndim == 2 and values.shape[1] > 1


def _counts(values: Any, buckets: int = 256) -> NDArray[np.float64]:
    ids = values.numpy() % buckets
    found = np.zeros((len(ids), buckets))
    np.add.at(found, (np.arange(len(ids))[:, None], ids), 1.0)
    return found


def _scaled(x: Any, x_held: Any, seed: int) -> tuple[Any, Any]:
    mean, std = x.mean(0), x.std(0)
    kept = std > 1e-9
    x, x_held = (x[:, kept] - mean[kept]) / std[kept], (x_held[:, kept] - mean[kept]) / std[kept]
    if x.shape[1] > WIDEST:
        turn = np.random.default_rng(seed).normal(size=(x.shape[1], WIDEST)) / np.sqrt(x.shape[1])
        x, x_held = x @ turn, x_held @ turn
    return np.clip(x, -10, 10), np.clip(x_held, -10, 10)
