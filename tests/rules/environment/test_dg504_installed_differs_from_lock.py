from __future__ import annotations

import dataclasses

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.rules.environment.dg504_installed_differs_from_lock import installed_differs_from_lock
from tests.environment.test_drift import declared, pin, there


def test_fires_on_another_version_and_on_a_missing_package() -> None:
    lock = declared(pin("numpy", "==1.26.4"), pin("pillow", "==8.4.0"), pin("timm", "==1.0"))
    finding, observation = installed_differs_from_lock(lock, there(numpy="2.4.6", pillow="8.4.0"))
    assert isinstance(finding, Finding)
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert "2 of 3 pinned packages are not installed as pinned" in finding.message
    assert "numpy 2.4.6 instead of 1.26.4, timm 1.0 is missing" in finding.message
    assert [(place.path, place.line) for place in finding.locations] == [("lock.txt", 1)] * 2
    assert isinstance(observation, Observation)
    assert observation.message == "1 of 3 pins hold."


def test_fires_as_a_warning_where_the_environment_was_guessed() -> None:
    guessed = dataclasses.replace(there(numpy="2.0", pillow="8.4.0"), named=False)
    finding, _ = installed_differs_from_lock(declared(pin("numpy", "==1.0"), pin("pillow", "==8.4.0")), guessed)
    assert isinstance(finding, Finding)
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert "was not named" in finding.message


def test_silent_where_every_pin_holds() -> None:
    (observation,) = installed_differs_from_lock(declared(pin("torch", "==2.1.0")), there(torch="2.1.0+cpu"))
    assert isinstance(observation, Observation)
    assert "other builds: torch 2.1.0+cpu" in observation.message


def test_edge_another_project_s_environment_decides_nothing() -> None:
    guessed = dataclasses.replace(there(a="9"), named=False)
    (outcome,) = installed_differs_from_lock(declared(*(pin(name, "==1") for name in "abcd")), guessed)
    assert isinstance(outcome, Inconclusive)
    named = installed_differs_from_lock(declared(*(pin(name, "==1") for name in "abcd")), there(a="9"))
    assert isinstance(named[0], Finding)


def test_edge_nothing_is_pinned() -> None:
    (outcome,) = installed_differs_from_lock(DeclaredEnvironment(root="/p"), there(a="1"))
    assert isinstance(outcome, Skipped)
    (outcome,) = installed_differs_from_lock(declared(pin("a", ">=1")), there(a="1"))
    assert isinstance(outcome, Skipped)
