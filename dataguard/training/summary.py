"""What a report says of a model under test before any finding."""

from __future__ import annotations

import math
from typing import Any

from dataguard.core.exhibit import (
    Curve,
    Curves,
    Exhibit,
    Level,
    SmallHistogram,
    SmallHistogramRow,
    SmallHistograms,
)
from dataguard.training.case import TrainingCase
from dataguard.training.golden import GoldenRuns
from dataguard.training.layers import Distribution
from dataguard.training.optimizers import described
from dataguard.training.passes import FirstPass
from dataguard.training.structure import form

_SHOWN_LAYERS = 200
_NONE = SmallHistogram(low=0.0, high=0.0, counts=(), words="no gradient came here")


def training_facts(case: TrainingCase) -> dict[str, Any]:
    """What was tried, and everything that decides the figures."""
    n = sum(item.numel() for item in case.template.parameters())
    frozen = f", of them {len(case.frozen)} tensors frozen" if case.frozen else ""
    held_out = sum(batch.size for batch in case.held_out)
    return {
        "model": f"{type(case.original).__name__}, {n:,} parameters{frozen}",
        "loss": f"{case.loss_form.words} ({case.loss_form.origin})",
        "task": f"{case.task.kind} ({case.task.reason})",
        "optimizer": described(case),
        "inputs": form(case.first.inputs),
        "targets": "none" if case.first.targets is None else form(case.first.targets),
        "samples": f"{case.n_samples:,} in {len(case.batches)} batches, and {held_out:,} held out "
        f"({case.held_out_origin})",
        "device": case.device,
        "seed": case.settings.seed,
        "time budget": f"{case.settings.budget:g} s",
        **dict(case.training.notes),
    }


def training_notes(case: TrainingCase) -> tuple[str, ...]:
    """What was taken for what, and how often models were run."""
    counter = case.counter
    return (
        *case.notes,
        f"copies of the model ran {counter.forward:,} times forward, {counter.backward:,} backward; the model did not",
    )


def training_overview(runs: GoldenRuns | None, first: FirstPass | None) -> tuple[Exhibit, ...]:
    """Pictures of the runs and of the first pass: losses against floors and chance, activations and gradients."""
    found: list[Exhibit] = []
    if runs is not None:
        found += [exhibit for exhibit in (_overfits(runs), _courses(runs)) if exhibit.curves]
    if first is not None and first.layers:
        found.append(_layers(first))
    return tuple(found)


def _overfits(runs: GoldenRuns) -> Curves:
    made = [run for run in (*runs.overfits, runs.blank) if run is not None]
    levels = {}
    for run in made:
        if run.floor is not None:
            levels[f"floor, {run.name}"] = run.floor.loss
        if run.chance is not None:
            levels["chance (outputs that say nothing)"] = run.chance
    floors = {round(value, 6) for name, value in levels.items() if name.startswith("floor")}
    if len(floors) == 1:
        levels = {name: value for name, value in levels.items() if not name.startswith("floor")}
        levels = {f"floor ({made[0].floor.how})" if made[0].floor else "floor": floors.pop(), **levels}
    return Curves(
        title="Samples learned by heart",
        curves=tuple(Curve(name=run.name, values=tuple(run.losses.tolist())) for run in made if len(run.losses)),
        levels=tuple(Level(name=name, value=value) for name, value in levels.items()),
        note="Copies of the model, trained on a few samples without dropout and without the regularizer. With real "
        "inputs they must come to the floor; with the inputs taken away they must not.",
    )


def _courses(runs: GoldenRuns) -> Curves:
    made = [run for run in (runs.real, runs.shuffled) if run is not None]
    levels = [
        Level(name=f"held out after training, {run.name}", value=run.after) for run in made if math.isfinite(run.after)
    ]
    if made and math.isfinite(made[0].chance):
        levels.append(Level(name="chance (the best constant, held out)", value=made[0].chance))
    return Curves(
        title="Real and shuffled labels",
        curves=tuple(Curve(name=run.name, values=tuple(run.losses.tolist())) for run in made if len(run.losses)),
        levels=tuple(levels),
        note="Copies of the model, trained on all batches with Adam. Real labels must be learned faster than shuffled "
        "ones, and held-out shuffled ones must stay at chance.",
    )


def _layers(first: FirstPass) -> SmallHistograms:
    rows = [
        SmallHistogramRow(
            name=f"{layer.name or type(first.case.original).__name__} ({layer.kind})",
            histograms=(_small(layer.activation), _NONE if layer.gradient is None else _small(layer.gradient)),
        )
        for layer in first.layers[:_SHOWN_LAYERS]
    ]
    return SmallHistograms(
        title="Activations and gradients, layer by layer",
        columns=("output", "gradient of the loss by the output"),
        rows=tuple(rows),
        total=len(first.layers),
        note="Of the first batch, in train mode, before any training. Heights go by the square root.",
    )


def _small(shown: Distribution) -> SmallHistogram:
    words = [f"std {shown.std:.3g}"]
    if shown.zeros > 0.01:
        words.append(f"{shown.zeros:.0%} zeros".replace("%", " %"))
    if shown.non_finite:
        words.append(f"{shown.non_finite:.1%} not finite".replace("%", " %"))
    return SmallHistogram(
        low=float(shown.edges[0]),
        high=float(shown.edges[-1]),
        counts=tuple(shown.counts.tolist()),
        words=", ".join(words),
    )
