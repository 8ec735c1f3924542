from __future__ import annotations

import pytest

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.release_status import ReleaseState, ReleaseStatus
from dataguard.rules.environment import dg513_yanked_or_vanished_version as module
from dataguard.rules.environment.dg513_yanked_or_vanished_version import yanked_or_vanished_version
from tests.environment.test_drift import declared, pin

INDEX = "https://index.example/simple"


def answering(monkeypatch: pytest.MonkeyPatch, **states: ReleaseState) -> None:
    def answers(releases: dict[tuple[str, str], object], **_: object) -> tuple[ReleaseStatus, ...]:
        return tuple(
            ReleaseStatus(name=name, version=version, state=states[name], reason="it is broken")
            for name, version in releases
        )

    monkeypatch.setattr(module, "release_statuses", answers)


def test_fires_on_yanked_and_vanished_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(
        monkeypatch, a=ReleaseState.VANISHED, b=ReleaseState.YANKED, c=ReleaseState.NO_PROJECT, d=ReleaseState.OFFERED
    )
    outcomes = yanked_or_vanished_version(declared(*(pin(name, "==1.0") for name in "abcd")), index=INDEX)
    found = [item for item in outcomes if isinstance(item, Finding)]
    assert [(item.key[0], item.severity, item.confidence) for item in found] == [
        ("a", Severity.ERROR, Confidence.HIGH),
        ("c", Severity.ERROR, Confidence.MEDIUM),
        ("b", Severity.WARNING, Confidence.HIGH),
    ]
    assert "withdrawn by its author: it is broken" in found[2].message
    assert found[0].locations[0].path == "lock.txt"


def test_silent_where_everything_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, a=ReleaseState.OFFERED)
    (observation,) = yanked_or_vanished_version(declared(pin("a", "==1.0")), index=INDEX)
    assert isinstance(observation, Observation)
    assert observation.message == "1 of 1 pinned releases are offered."


def test_edge_nothing_is_asked_unless_an_index_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(module, "release_statuses", never)
    (outcome,) = yanked_or_vanished_version(declared(pin("a", "==1.0")))
    assert isinstance(outcome, Skipped)
    assert "DG513.index" in outcome.hint
    (outcome,) = yanked_or_vanished_version(DeclaredEnvironment(root="/p"), index=INDEX)
    assert isinstance(outcome, Skipped)


def test_edge_an_index_that_does_not_answer_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, a=ReleaseState.UNKNOWN)
    outcomes = yanked_or_vanished_version(declared(pin("a", "==1.0")), index=INDEX)
    assert isinstance(outcomes[0], Inconclusive)
    assert not [item for item in outcomes if isinstance(item, Finding)]


def test_edge_an_index_that_is_no_address_is_skipped() -> None:
    (outcome,) = yanked_or_vanished_version(declared(pin("a", "==1.0")), index="ftp://x")
    assert isinstance(outcome, Skipped)
    assert "http://" in outcome.reason
