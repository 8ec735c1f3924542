from __future__ import annotations

import dataclasses

from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.reproduction.differences import FileChange
from dataguard.reproduction.made_up import made_up_lock, made_up_reproduction
from dataguard.rules.reproduction.dg605_weights_changed import weights_changed

CHANGED = FileChange(path="weights.pt", was="ab" * 32, now="cd" * 32)


def test_fires_on_another_file() -> None:
    (finding,) = weights_changed(made_up_reproduction(weights=(CHANGED,)))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.locations[0].path == "weights.pt"
    assert "abababab… → cdcdcdcd…" in finding.message


def test_silent_on_the_same_files() -> None:
    (outcome,) = weights_changed(made_up_reproduction())
    assert isinstance(outcome, Observation)
    assert outcome.message == "1 of 1 files of weights are those of the lock."


def test_edge_a_lock_without_weights_is_skipped() -> None:
    lock = dataclasses.replace(made_up_lock(), weights=())
    (outcome,) = weights_changed(made_up_reproduction(lock=lock))
    assert isinstance(outcome, Skipped)
    assert "inference.weights" in outcome.hint
