"""Training probes: what a model, its loss and a few batches show when they are tried, on copies.

A user's function returns a `Training`; `open_case` (in ``opening``) makes a `TrainingCase` of it; further functions
make evidence of a case, once a run: `FirstPass` (``passes``), `ShortTraining` (``steps``), `GoldenRuns`
(``golden``). Rules are pure functions from evidence to findings and train nothing themselves.

To add a rule that the evidence is enough for: one file in ``rules/training/`` whose input is the evidence. To add
evidence: a frozen record and a function ``make(case) -> Record`` here, which does its work within ``case.sandbox()``
on ``case.copy()``; and a line in ``MAKERS`` of ``inputs/training.py``.
"""

from dataguard.training.subject import TASKS, Training

__all__ = ["TASKS", "Training"]
