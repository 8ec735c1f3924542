"""The path of a running function in canonical form, found by asking it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError, Takes, open_asker
from dataguard.preprocessing.probe.choosing import Choice, ask_noise, choose
from dataguard.preprocessing.probe.decoders import Reading, read
from dataguard.preprocessing.probe.identified import Identified
from dataguard.preprocessing.probe.incomplete import of_chance, of_content, of_unknown_places
from dataguard.preprocessing.probe.kernels import ONE_LEVEL
from dataguard.preprocessing.probe.locating import explained, located, measured_at
from dataguard.preprocessing.probe.measuring import PlaceError
from dataguard.preprocessing.probe.neighbours import Given, depends_on_neighbours
from dataguard.preprocessing.probe.randomness import TRIES, differs
from dataguard.preprocessing.probe.response import ContentError, Response, find_response, spatial
from dataguard.preprocessing.probe.verifying import off_on_lines, pipeline_of, verified, with_gap

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Identified", "identify"]

_LARGE = (1103, 1049)
"""Height and width of a picture that is larger than what loaders and caches resize to in most published code, and
nearly square, so that the limit of a shorter side shows and not that of the longer one."""

_GIVEN = {"array": "array", "pillow": "picture", "path": "file", "bytes": "bytes"}


def identify(
    function: Callable[[Any], object],
    *,
    takes: Takes | None = None,
    seed: int = 0,
    batch: Callable[[Sequence[Given]], object] | None = None,
) -> Identified:
    """Find out what a function does to a picture.

    Args:
        function: Called with one picture; what it returns is what a model is fed.
        takes: What it is given; by default each way is tried.
        seed: Of the pictures whose pixels are random.
        batch: Does the same to a list of what `function` takes, and returns an array with an axis of pictures first.

    Raises:
        ProbeError: it cannot be asked, or its answers do not let themselves be explained at all.
    """
    started = time.perf_counter()
    asker = open_asker(function, takes)
    try:
        found = _identify(asker, seed)
        if batch is not None:
            found = replace(found, of_neighbours=depends_on_neighbours(asker, batch, seed))
            if found.of_neighbours:
                found = replace(found, notes=(*found.notes, "an answer depends on the other pictures of its batch"))
        if asker.form:
            found = replace(found, notes=(*found.notes, f"it returns {asker.form}"))
        if asker.mutated:
            found = replace(found, notes=(*found.notes, f"it changes the {_GIVEN[asker.takes]} that it is given"))
        return replace(
            found,
            calls=asker.calls,
            seconds=time.perf_counter() - started,
            mutates=asker.mutated,
            takes=asker.takes,
        )
    finally:
        asker.close()


def _identify(asker: Asker, seed: int) -> Identified:
    trial = stimuli.photograph(120, 150, seed)
    if differs(asker, trial):
        return of_chance(asker)
    try:
        response = find_response(asker)
    except ContentError as error:
        return of_content(asker, error)
    try:
        found = _of_levels(asker, response, trial, seed)
    except ProbeError as error:
        if differs(asker, trial, TRIES):
            return of_chance(asker)
        if isinstance(error, PlaceError):
            return of_unknown_places(asker, response, error)
        raise
    return of_chance(asker) if found.largest > 3 and differs(asker, trial, TRIES) else found


def _of_levels(asker: Asker, response: Response, trial: NDArray[np.uint8], seed: int) -> Identified:
    """A function that gives the same answer each time, and maps levels by one map."""
    notes: list[str] = []
    side = max(spatial(asker.ask(trial), response.layout).shape[:2])
    measured, candidates = located(asker, response, side, seed)
    chosen = choose(asker, response, candidates, measured, seed)
    best: tuple[float, float, Choice, bool] | None = None
    for attempt in range(3):
        checked = verified(asker, response, chosen.best.steps, measured, seed + 5 * attempt)
        if best is None or checked.largest < best[0]:
            best = checked.largest, checked.mean, chosen, checked.bit_exact
            affine, decode = checked.affine, checked.decode
        if checked.largest <= ONE_LEVEL or attempt == 2:
            break
        if attempt == 1:
            chosen = choose(asker, response, candidates, measured, seed + 1, twice=True)
            continue
        # Right on the pictures that it was chosen by and wrong on others: these decide among the rest.
        height, width = measured[0].placement.height, measured[0].placement.width + 7
        chosen = chosen.reconsidered(ask_noise(asker, response, height, width, seed + attempt))
    if best is None:
        raise PlaceError("no sequence of steps was tried")
    largest, mean, chosen, bit_exact = best
    steps = with_gap(asker, response, chosen.best.steps)
    if largest <= ONE_LEVEL and min(measured[0].placement.height, measured[0].placement.width) < _LARGE[1]:
        off = off_on_lines(asker, response, steps, _LARGE, seed)
        if off > ONE_LEVEL:
            # A first resize that enlarged all that was asked about is seen where it shrinks.
            with contextlib.suppress(ProbeError):
                large = [measured_at(asker, response, *_LARGE, nearest=measured[0].nearest), *measured]
                again = choose(asker, response, explained(large) or candidates, large, seed, twice=True)
                checked = verified(asker, response, again.best.steps, large, seed)
                if checked.largest <= ONE_LEVEL:
                    off, steps, chosen, affine, decode = 0.0, again.best.steps, again, checked.affine, checked.decode
                    largest, mean, bit_exact = checked.largest, checked.mean, checked.bit_exact
        if off > ONE_LEVEL:
            largest, mean, bit_exact = max(largest, off), max(mean, off), False
            how = f"{off:.0f} levels off on average" if np.isfinite(off) else "with another size"
            notes.append(f"pictures of {_LARGE[0]} × {_LARGE[1]} pixels come out {how}")
    pipeline = pipeline_of(response, steps, affine, decode)
    readings: tuple[Reading, ...] = ()
    if asker.takes != "array" and response.linear:
        read_so = read(asker, pipeline, gray=response.gray)
        notes += read_so.notes
        readings = read_so.each
        pipeline = replace(pipeline, decode=read_so.decode)
    if not response.linear:
        notes.append((response.affine.undetermined or {}).get("scale", ""))
    if largest > ONE_LEVEL and not (response.dtype == "float16" and largest <= 3):
        notes.append("the steps found do not reproduce its answers")
    return Identified(
        pipeline=pipeline,
        largest=largest,
        mean=mean,
        alternatives=chosen.alternatives,
        notes=tuple(notes),
        calls=0,
        seconds=0.0,
        bit_exact=bit_exact,
        readings=readings,
    )
