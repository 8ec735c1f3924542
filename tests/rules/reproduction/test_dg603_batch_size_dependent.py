from __future__ import annotations

from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.made_up import made_up_lock
from dataguard.reproduction.tolerance import Noise, Variation
from dataguard.rules.reproduction.dg603_batch_size_dependent import batch_size_dependent


def locked(moved: float, *, error: str = "", double: bool = True) -> Lock:
    item = Variation(
        kind="batch size", setting="32 → 1", largest={} if error else {"logits": moved}, samples=3, error=error
    )
    return made_up_lock(noise=Noise(variations=(item,), double={"logits": 1e-6} if double else {}))


def test_fires_on_a_result_that_moves_by_more_than_rounding() -> None:
    (finding,) = batch_size_dependent(locked(0.7))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert "With batches 32 → 1, 'logits' moves by up to 0.7" in finding.message


def test_fires_also_where_no_double_precision_run_was_possible() -> None:
    (finding,) = batch_size_dependent(locked(0.7, double=False))
    assert isinstance(finding, Finding)


def test_silent_on_float_noise_and_on_the_same_bits() -> None:
    for moved, words in ((3e-6, "float noise"), (0.0, "bitwise the same")):
        (outcome,) = batch_size_dependent(locked(moved))
        assert isinstance(outcome, Observation)
        assert words in outcome.message


def test_edge_what_takes_one_sample_at_a_time_or_fails_is_skipped() -> None:
    (outcome,) = batch_size_dependent(made_up_lock(noise=Noise(variations=(), double={})))
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "it takes one sample at a time"
    (outcome,) = batch_size_dependent(locked(0.0, error="ValueError: a batch of 32 is wanted\n  at infer.py:3"))
    assert isinstance(outcome, Skipped)
    assert "a batch of 32 is wanted" in outcome.reason
