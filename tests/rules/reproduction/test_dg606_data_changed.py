from __future__ import annotations

from dataguard.core.finding import Finding, Observation, Severity
from dataguard.reproduction.differences import FileChange
from dataguard.reproduction.made_up import made_up_reproduction
from dataguard.rules.reproduction.dg606_data_changed import data_changed


def test_fires_on_changed_and_missing_inputs() -> None:
    changes = (
        FileChange(path="images/0.png", was="ab" * 32, now="cd" * 32),
        FileChange(path="images/1.png", was="ab" * 32, now=""),
    )
    (finding,) = data_changed(made_up_reproduction(data=changes))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message == "2 of 3 inputs are not as they were locked: 1 changed, 1 missing."
    assert [item.note for item in finding.locations] == ["changed", "missing"]


def test_silent_on_the_same_inputs() -> None:
    (outcome,) = data_changed(made_up_reproduction())
    assert isinstance(outcome, Observation)
    assert outcome.message.startswith("3 of 3 inputs are those of the lock")


def test_edge_one_input() -> None:
    (finding,) = data_changed(made_up_reproduction(data=(FileChange(path="a", was="x", now="y"),)))
    assert isinstance(finding, Finding)
    assert "1 of 3 inputs is not as it was locked" in finding.message
