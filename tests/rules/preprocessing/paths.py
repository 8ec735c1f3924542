"""Paths to compare, and what rules say of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Affine, Crop, Decode, Pipeline, Resize, Step
from dataguard.preprocessing.probe.incomplete import unknown_decode
from dataguard.preprocessing.provenance import Origin, Provenance

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESIZE = Resize(rule="short", side=72, engine="pillow", antialias="scaled")
CROP = Crop(height=64, width=64)


def path(**changes: Any) -> Pipeline:
    """A usual path of training, with changes."""
    usual = Pipeline(
        name="train",
        decode=Decode.of("pillow", "convert RGB"),
        geometry=(RESIZE, CROP),
        affine=Affine.normalized(*IMAGENET),
        layout="CHW",
        dtype="float32",
    )
    return replace(usual, **changes)


def pair(**changes: Any) -> PipelinePair:
    """The usual path against the same with changes."""
    return PipelinePair.of(path(), path(name="serve", **changes))


def findings(outcomes: Iterable[Outcome]) -> list[Finding]:
    """The findings among outcomes."""
    return [one for one in outcomes if isinstance(one, Finding)]


def silent(outcomes: Iterable[Outcome]) -> bool:
    """Whether a rule decided that all is well."""
    return [type(one) for one in outcomes] == [Observation]


def inconclusive(outcomes: Iterable[Outcome]) -> list[str]:
    """What a rule could not decide."""
    return [one.reason for one in outcomes if isinstance(one, Inconclusive)]


def unknown_path(name: str, reason: str, geometry: tuple[Step, ...] | None) -> Pipeline:
    """A path that was asked, of which nothing but some steps is known."""
    return Pipeline(
        name=name,
        decode=unknown_decode(reason),
        order=None,
        geometry=geometry,
        affine=Affine(scale=None, offset=None, undetermined={"scale": reason, "offset": reason}),
        layout=None,
        dtype=None,
        provenance={"": Provenance(origin=Origin.PROBE)},
        undetermined={"order": reason, "layout": reason, "dtype": reason},
    )
