"""What a report says of a model under test before any finding."""

from __future__ import annotations

from typing import Any

from dataguard.core.exhibit import Exhibit
from dataguard.training.case import TrainingCase
from dataguard.training.golden import GoldenRuns
from dataguard.training.optimizers import described
from dataguard.training.passes import FirstPass
from dataguard.training.structure import form


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
    """Pictures of the runs and of the first pass."""
    del runs, first
    return ()
