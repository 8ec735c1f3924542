"""Tone curves that bring pictures nearest to others, and what they leave unexplained; many pairs at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.likeness import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLED = 3_000
"""Pixels that a tone curve is fitted to."""
_SATURATED = 2.0
"""Levels from 0 and from 255 at which a value counts as clipped."""
_LEAST_VALUES = 8
"""Values that a curve is fitted to, at least."""


def toned(sources: NDArray[np.float32], targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sources with a tone curve each, the same for each colour, that brings them nearest to their targets.

    A quadratic curve, a straight line that is clipped at 0 and 255, or a power, whichever leaves least.

    Args:
        sources: RGB, 0 to 255, shape (n, height, width, 3).
        targets: Of the same shape.

    Returns:
        Of the same shape.
    """
    n = len(sources)
    step = max(1, sources.shape[1] * sources.shape[2] // _SAMPLED)
    some, aims = (pictures.reshape(n, -1, 3)[:, ::step] for pictures in (sources, targets))
    colourless = (np.minimum(spread(some), spread(aims)) <= 1)[:, None, None]
    if colourless.any():
        some, aims = (np.where(colourless, (values @ LUMA)[..., None], values) for values in (some, aims))
    # Where there is no colour, each value is there three times.
    least_values = np.where(colourless[:, 0, 0], 3, 1) * _LEAST_VALUES
    x, y = (values.reshape(n, -1).astype(np.float64) / 255 for values in (some, aims))
    free = (y > _SATURATED / 255) & (y < 1 - _SATURATED / 255)
    weights = np.tile([0.0, 1.0, 0.0], (n, 1))
    least = np.full(n, np.inf)
    one, squares = np.ones_like(x), x * x
    for degree in (2, 1):
        if degree == 2:
            count, reach = np.full(n, x.shape[1]), np.ptp(x, axis=1)
        else:
            count = free.sum(axis=1)
            reach = np.max(x, axis=1, where=free, initial=-1) - np.min(x, axis=1, where=free, initial=2)
        usable = np.flatnonzero((count >= least_values) & (reach >= 1e-3))
        if not len(usable):
            continue
        u, v = x[usable], y[usable]
        design = np.stack([part[usable] for part in (squares, x, one)[2 - degree :]], axis=1)
        if degree == 1:
            design *= free[usable, None]
        normal = design @ design.transpose(0, 2, 1) + np.eye(degree + 1) * (1e-9 * count[usable])[:, None, None]
        found = np.zeros((len(usable), 3))
        found[:, 2 - degree :] = np.linalg.solve(normal, design @ v[..., None])[..., 0]
        curve = (found[:, :1] * u + found[:, 1:2]) * u + found[:, 2:]
        error = ((np.clip(curve, 0, 1) - v) ** 2).sum(axis=1)
        better = error < least[usable]
        weights[usable[better]], least[usable[better]] = found[better], error[better]
    levels = np.arange(1024, dtype=np.float64) / 1023
    curves = (weights[:, :1] * levels + weights[:, 1:2]) * levels + weights[:, 2:]
    logs = np.log(np.maximum(x, 1 / 255)) * free
    count = free.sum(axis=1)
    # Weighed so that errors count in levels, not in their logarithms.
    above = (logs * y * y * np.log(np.where(free, y, 1))).sum(axis=1)
    below = ((logs * y) ** 2).sum(axis=1)
    power = above / np.where(below > 0, below, 1)
    usable = np.flatnonzero(
        (count >= least_values) & ((logs**2).sum(axis=1) > 1e-3 * count) & (power > 0.2) & (power < 5)
    )
    error = ((x[usable] ** power[usable, None] - y[usable]) ** 2).sum(axis=1)
    usable = usable[error < least[usable]]
    curves[usable] = levels ** power[usable, None]
    table = (np.clip(curves, 0, 1) * 255).astype(np.float32)
    at = np.clip(sources.reshape(n, -1) * np.float32(1023 / 255) + np.float32(0.5), 0, 1023).astype(np.intp)
    at += 1024 * np.arange(n)[:, None]
    matched: NDArray[np.float32] = np.take(table.ravel(), at).reshape(sources.shape)
    return matched


def unexplained(predicted: NDArray[np.float32], targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """The share of the luma's variance that predictions leave, their blur or sharpness left out.

    Args:
        predicted: RGB, shape (n, height, width, 3).
        targets: Of the same shape.

    Returns:
        Shape (n,), from 0 to 1.
    """
    import cv2

    n = len(predicted)
    given, wanted = predicted @ LUMA, (targets @ LUMA).reshape(n, -1)
    total = ((wanted - wanted.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    laplacian = np.stack([np.asarray(cv2.Laplacian(plane, cv2.CV_32F), dtype=np.float32) for plane in given])
    design = np.stack([np.ones_like(wanted), given.reshape(n, -1), laplacian.reshape(n, -1)], axis=1)
    normal = design @ design.transpose(0, 2, 1) + np.eye(3, dtype=np.float32) * np.float32(1e-2)
    weights = np.linalg.solve(normal, design @ wanted[..., None])
    left_over = wanted - (weights.transpose(0, 2, 1) @ design)[:, 0]
    share = (left_over**2).sum(axis=1) / np.maximum(total, 1e-3)
    return np.where((total < 1e-3) | (weights[:, 1, 0] <= 0), 1.0, np.clip(share.astype(np.float64), 1e-6, 1.0))


def spread(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root mean square of the deviation of each pixel's colours from its own luma.

    Args:
        pictures: RGB, shape (n, …, 3).

    Returns:
        Shape (n,), in levels.
    """
    deviations = (pictures - (pictures @ LUMA)[..., None]).reshape(len(pictures), -1)
    squares = np.einsum("ij,ij->i", deviations, deviations)
    found: NDArray[np.float64] = np.sqrt(squares / deviations.shape[1]).astype(np.float64)
    return found


def one_tone_change(source: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    """What no change of brightness, contrast or gamma of all colours alike explains, as a share of the variance."""
    step = max(1, source.shape[0] * source.shape[1] // _SAMPLED)
    source, target = source.reshape(-1, 3)[::step], target.reshape(-1, 3)[::step]
    x, y = source.ravel().astype(np.float64), target.ravel().astype(np.float64)
    spreads = spread(np.stack([source, target]))
    if spreads.min() < 1 <= spreads.max():
        # The colours are gone: the tones must be what they were.
        x = np.repeat((source @ LUMA).ravel(), 3).astype(np.float64)
        y = np.repeat((target @ LUMA).ravel(), 3).astype(np.float64)
    total = float(((target - target.mean(axis=0)) ** 2).sum())
    free = (y > _SATURATED) & (y < 255 - _SATURATED)
    if total <= 0 or free.sum() < 8:
        return 1.0
    u, v = x[free], y[free]
    added = float(np.median(v - u))
    times = float(u @ v) / max(float(u @ u), 1e-9)
    middle = float((u - 128) @ (v - 128)) / max(float((u - 128) @ (u - 128)), 1e-9)
    logs = np.log(np.maximum(u, 1) / 255)
    power = float(logs @ np.log(np.maximum(v, 1) / 255)) / max(float(logs @ logs), 1e-9)
    curves = (x, x + added, x * times, (x - 128) * middle + 128, 255 * (np.maximum(x, 0) / 255) ** power)
    return min(float(((np.clip(curve, 0, 255) - y) ** 2).sum()) for curve in curves) / total
