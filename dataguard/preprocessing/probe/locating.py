"""Asking about one size after another until one sequence of steps is left that says where the pixels come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dataguard.preprocessing.probe.asking import Asker
from dataguard.preprocessing.probe.geometry import Steps, distinguishing_size, explaining, explanations, tie_sizes
from dataguard.preprocessing.probe.measuring import Measured, measure, shrunk_size, takes_nearest
from dataguard.preprocessing.probe.response import Response
from dataguard.preprocessing.probe.taken import explain_indices, takes, with_indices


def located(asker: Asker, response: Response, side: int, seed: int) -> tuple[list[Measured], list[Steps]]:
    """Measurements of some sizes, and the steps that explain all of them, the simplest first; their kernels are open.

    Args:
        asker: Of the function.
        response: What it makes of levels.
        side: The longer side of what it makes of a picture of 120 × 150 pixels.
        seed: Of the sizes.

    Raises:
        ProbeError: it cannot be asked, or leaves too little of the picture to tell.
    """
    base = min(max(1.05 * side, 200.0), 700.0)
    shares = [(1.0, 1.37), (1.83, 0.85), (0.53, 0.47)]
    measured = [measure(asker, response, round(base * high), round(base * wide)) for high, wide in shares]
    repeats = next((one.border for one in measured if one.border is not None), None)
    if repeats is not None:
        # Where a kernel is a staircase a repeating border cannot be told from the picture: another size may show it.
        measured = [
            one
            if one.border is not None or max(one.row_error, one.column_error) < 0.3
            else measure(asker, response, 2 * one.placement.height + 31, 2 * one.placement.width + 1)
            for one in measured
        ]
    fill = next((one.fill for one in measured if one.fill is not None), ())
    nearest = takes_nearest(asker, response, round(base), round(base * 1.37), fill)
    if nearest:
        # At that size it may not resize at all, or enlarge by repeating what it averages when it shrinks.
        nearest = takes_nearest(asker, response, *shrunk_size(measured[0]), fill)
    if nearest:
        measured = [with_indices(asker, response, replace(one, nearest=True)) for one in measured]
    candidates = explained(measured)
    if not candidates:
        # Of a shorter side with a limit to the longer one a square shows the first, and other pictures may not.
        measured.append(measured_at(asker, response, round(base), round(base), nearest=nearest))
        candidates = explained(measured)
    rng = np.random.default_rng(seed)
    untold: set[tuple[int, int]] = set()
    for _ in range(5):
        if len(candidates) < 2:
            break
        further = rng.integers(round(0.5 * base), round(1.6 * base), (60, 2)).tolist()
        sizes = [*((one, two) for one, two in further), *tie_sizes(candidates, rng)]
        if repeats is not None:
            # A border that repeats the picture does not show where pixels are enlarged much.
            sizes = [one for one in sizes if max(one) >= side]
        size = distinguishing_size(candidates[:40], [one for one in sizes if one not in untold])
        if size is None:
            break
        one = measured_at(asker, response, *size, nearest=nearest)
        left = explaining(candidates, one)
        left = [steps for steps in left if takes(steps, [one])] if nearest else left
        left = left or explained([*measured, one])
        if left:
            candidates = left
            measured.append(one)
        else:
            # What explains all others and not this one was measured badly there; the pixels decide in the end.
            untold.add(size)
    return measured, candidates


def measured_at(asker: Asker, response: Response, height: int, width: int, *, nearest: bool) -> Measured:
    """A measurement of pictures of one size, with the pixels that were taken where they are taken as they are."""
    one = measure(asker, response, height, width, nearest=nearest)
    return with_indices(asker, response, one) if nearest else one


def explained(measured: Sequence[Measured]) -> list[Steps]:
    """The steps that explain some measurements, the simplest first."""
    candidates = explanations(measured)
    return explain_indices(candidates, measured) if measured[0].indices is not None else candidates
