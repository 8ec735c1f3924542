"""Which samples a model is to learn by heart: of different inputs, so that no two of them contradict each other."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.training.case import TrainingCase
from dataguard.training.data import Batch
from dataguard.training.structure import batch_axis, leaves, tensors


def sample_keys(value: Any, batch: Batch) -> list[str]:
    """For each sample of a batch what tells its inputs (or targets) from others': equal where they are equal."""
    import torch

    digests = [hashlib.sha256() for _ in range(batch.size)]
    for _, item in leaves(value):
        if not isinstance(item, torch.Tensor):
            continue
        axis = batch_axis(item, batch.size, batch.axis)
        if axis is None:
            continue
        rows = item.detach().movedim(axis, 0).contiguous().cpu()
        for digest, row in zip(digests, rows, strict=True):
            digest.update(np.ascontiguousarray(row.float().numpy()).tobytes())
    return [digest.hexdigest() for digest in digests]


def distinct(case: TrainingCase, n: int) -> tuple[int, ...]:
    """Up to `n` samples of the first batch that do not contradict each other.

    Their inputs are all different. Of sequences whose targets are steps, no two have the same beginning and then
    different targets, for a causal model cannot tell them apart.
    """
    batch = case.first
    found: list[int] = []
    seen: set[str] = set()
    known: dict[bytes, bytes] = {}
    steps = _steps(case)
    for at, key in enumerate(sample_keys(batch.inputs, batch)):
        if key in seen or len(found) >= n:
            continue
        if steps is not None:
            ids, wanted = steps
            ways = {ids[at, : step + 1].tobytes(): wanted[at, step].tobytes() for step in range(ids.shape[1])}
            if any(known.get(prefix, target) != target for prefix, target in ways.items()):
                continue
            known.update(ways)
        seen.add(key)
        found.append(at)
    return tuple(found)


def different_pair(case: TrainingCase) -> tuple[int, int] | None:
    """Two samples of the first batch that differ in inputs and in targets; None where there are none."""
    batch = case.first
    if batch.targets is None:
        return None
    chosen = distinct(case, batch.size)
    keys = sample_keys(batch.targets, batch)
    return next(((chosen[0], at) for at in chosen[1:] if keys[at] != keys[chosen[0]]), None)


def _steps(case: TrainingCase) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The ids and the target of each step, where inputs are ids and targets are steps of the same number."""
    batch = case.first
    targets = tensors(batch.targets)
    if case.task.kind != "sequence" or len(targets) != 1 or batch.axis != 0:
        return None
    wanted = targets[0][1]
    for path, item in tensors(batch.inputs):
        if not item.is_floating_point() and "mask" not in path and item.shape == wanted.shape and item.ndim == 2:
            return item.cpu().numpy(), wanted.cpu().numpy()
    return None
