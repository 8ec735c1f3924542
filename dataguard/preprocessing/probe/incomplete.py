"""What can be told of functions of which not all can be.

Chance decides them, they scale a picture by its own content, or they move pixels in a way that no steps explain.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.pipeline import Affine, Decode, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.affines import named
from dataguard.preprocessing.probe.asking import Asker, ProbeError
from dataguard.preprocessing.probe.identified import Identified
from dataguard.preprocessing.probe.measuring import PlaceError
from dataguard.preprocessing.probe.randomness import seeded, what_varies
from dataguard.preprocessing.probe.response import (
    ContentError,
    Response,
    find_dtype,
    find_layout,
    find_response,
    order_of_content,
)
from dataguard.preprocessing.probe.verifying import pipeline_of, snapped
from dataguard.preprocessing.provenance import Origin, Provenance


def of_chance(asker: Asker) -> Identified:
    """A function that chance decides: what it does beside that, as far as that can be seen."""
    steps = what_varies(asker)
    names = ", ".join(step.name for step in steps)
    reason = f"a random step is left on: {names}"
    notes = [f"the same picture gives different answers: {names}"]
    layout: Layout | None = None
    dtype: Dtype | None = None
    order: Order | None = None
    affine = Affine(scale=None, offset=None, undetermined=dict.fromkeys(("scale", "offset"), reason))
    if seeded(asker):
        notes.append("with the generators of Python, NumPy and torch seeded before each call it repeats")
    try:
        response = find_response(asker)
        layout, dtype, order = response.layout, response.dtype, response.order
        if not any(step.name in ("ColorJitter", "GaussianNoise") for step in steps) and response.linear:
            affine = named(response.affine, response.dtype)
    except ProbeError as error:
        notes.append(error.message)
        with contextlib.suppress(ProbeError):
            answer = asker.ask(stimuli.constant(128, 128, (190, 120, 70)))
            layout, dtype = find_layout(answer), find_dtype(answer)
    probe = {"": Provenance(origin=Origin.PROBE)}
    fields = (("layout", layout), ("dtype", dtype), ("order", order))
    unknown = {name: reason for name, value in fields if value is None}
    pipeline = Pipeline(
        decode=_decode(asker, reason),
        order=order,
        geometry=tuple(steps),
        affine=replace(affine, provenance=probe),
        layout=layout,
        dtype=dtype,
        provenance=probe,
        undetermined=unknown,
    )
    return replace(_without_figures(pipeline, *notes), random=steps)


def of_content(asker: Asker, error: ContentError) -> Identified:
    """A function whose scale depends on the picture: no more than that is known of its levels."""
    probe = {"": Provenance(origin=Origin.PROBE)}
    reason = f"the levels are scaled by the picture's own content: {error.words}"
    unknown = {"scale": reason, "offset": reason}
    affine = Affine(scale=None, offset=None, of_content=error.words, undetermined=unknown, provenance=probe)
    order = order_of_content(asker, error.layout)
    pipeline = Pipeline(
        decode=_decode(asker, reason),
        order=order,
        geometry=None,
        affine=affine,
        layout=error.layout,
        dtype=error.dtype,
        provenance=probe,
        undetermined={"geometry": reason, **({"order": reason} if order is None else {})},
    )
    return _without_figures(pipeline, error.message)


def of_unknown_places(asker: Asker, response: Response, error: PlaceError) -> Identified:
    """A function of which no steps say where its pixels come from: what becomes of levels is known all the same."""
    found = pipeline_of(response, (), snapped(response), _decode(asker, error.message))
    pipeline = replace(found, geometry=None, undetermined={"geometry": error.message})
    notes = [error.message if error.hint is None else f"{error.message}: {error.hint}"]
    if not response.linear:
        notes.append(response.affine.undetermined.get("scale", ""))
    return _without_figures(pipeline, *notes)


def _without_figures(pipeline: Pipeline, *notes: str) -> Identified:
    """What cannot be executed, and so not be held against the function."""
    far = float("inf")
    return Identified(pipeline=pipeline, largest=far, mean=far, alternatives=(), notes=notes, calls=0, seconds=0.0)


def _decode(asker: Asker, reason: str) -> Decode:
    if asker.takes in ("array", "pillow"):
        return Decode.of("array")
    return unknown_decode(f"how files are read was not found: {reason}")


def unknown_decode(reason: str) -> Decode:
    """A decoder of which nothing is known."""
    policies = ("library", "flags", "order", "exif", "alpha", "gray", "sixteen_bit")
    nothing: dict[str, Any] = dict.fromkeys(policies)
    return Decode(**nothing, undetermined=dict.fromkeys(policies, reason))
