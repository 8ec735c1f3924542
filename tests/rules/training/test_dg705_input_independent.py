from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation
from dataguard.rules.training.dg705_input_independent import input_independent

torch = pytest.importorskip("torch", reason="torch is not installed")

from dataguard.training.golden import _blank_difference  # noqa: E402

Make = Callable[..., Any]


def test_fires_where_outputs_are_the_same_without_inputs(runs: Make, course: Make) -> None:
    (finding,) = input_independent(runs(blank_difference=0.0, real=course(blank_difference=1e-6)))
    assert isinstance(finding, Finding)
    assert finding.key == ("outputs",)
    assert finding.locations[0].note.startswith("Linear")


def test_fires_where_inputs_hardly_help(runs: Make, course: Make, overfit: Make) -> None:
    stuck = overfit(end=1.0, correct=0.4, reached=False)
    (finding,) = input_independent(runs(small=stuck, real=course(blank_difference=0.003)))
    assert isinstance(finding, Finding)
    assert "hardly matter" in finding.message


def test_fires_where_targets_are_known_without_inputs(runs: Make, overfit: Make) -> None:
    (finding,) = input_independent(runs(blank=overfit("8 samples, inputs taken away")))
    assert isinstance(finding, Finding)
    assert finding.key == ("targets",)


def test_silent_on_a_sound_model_and_on_a_last_layer_that_begins_at_zero(runs: Make) -> None:
    for fresh in (0.9, 0.0):
        (outcome,) = input_independent(runs(blank_difference=fresh))
        assert isinstance(outcome, Observation)


def test_silent_on_a_model_that_cannot_learn_and_looks_at_its_inputs(runs: Make, overfit: Make) -> None:
    (outcome,) = input_independent(runs(small=overfit(end=1.0, correct=0.4, reached=False)))
    assert isinstance(outcome, Observation)


def test_edge_without_a_trained_copy_it_is_inconclusive(runs: Make) -> None:
    (outcome,) = input_independent(runs(real=None, missing={"real labels": "the time budget was used up"}))
    assert isinstance(outcome, Inconclusive)


def test_edge_a_model_that_draws_instead_of_looking_is_seen_through(case: Any) -> None:
    copy = case.copy()
    assert _blank_difference(copy) > 0.3
    copy.model.forward = lambda x: torch.randn(len(x), 3)
    assert _blank_difference(copy) == 0
