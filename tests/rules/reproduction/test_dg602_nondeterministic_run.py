from __future__ import annotations

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Severity
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.made_up import made_up_lock
from dataguard.reproduction.tolerance import Noise, Variation
from dataguard.rules.reproduction.dg602_nondeterministic_run import nondeterministic_run


def locked(*variations: tuple[str, float], error: str = "") -> Lock:
    items = tuple(
        Variation(kind=kind, setting="0 → 1", largest={} if error else {"logits": moved}, samples=3, error=error)
        for kind, moved in variations
    )
    return made_up_lock(noise=Noise(variations=items, double={"logits": 1e-6}))


@pytest.mark.parametrize(("moved", "severity"), [(0.5, Severity.ERROR), (2e-6, Severity.WARNING)])
def test_fires_on_two_runs_that_differ(moved: float, severity: Severity) -> None:
    (finding,) = nondeterministic_run(locked(("repeat", moved)))
    assert isinstance(finding, Finding)
    assert finding.severity is severity
    assert "'logits'" in finding.message


def test_fires_on_a_result_that_depends_on_the_seed() -> None:
    (finding,) = nondeterministic_run(locked(("repeat", 0.0), ("seed", 0.5)))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "depends on the seed: with 0 → 1" in finding.message


def test_silent_on_two_runs_that_are_bitwise_the_same() -> None:
    (outcome,) = nondeterministic_run(locked(("repeat", 0.0), ("seed", 0.0)))
    assert isinstance(outcome, Observation)


def test_edge_a_run_that_was_not_repeated_is_not_decided() -> None:
    (outcome,) = nondeterministic_run(locked(("repeat", 0.0), error="out of memory"))
    assert isinstance(outcome, Inconclusive)
