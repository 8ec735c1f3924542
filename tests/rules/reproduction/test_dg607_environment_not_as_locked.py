from __future__ import annotations

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Finding, Observation, Severity
from dataguard.reproduction.differences import FileChange
from dataguard.reproduction.made_up import made_up_environment, made_up_reproduction
from dataguard.rules.reproduction.dg607_environment_not_as_locked import environment_not_as_locked

OLDER = made_up_environment({"numpy": "2.4.6", "pillow": "8.4.0"})


def test_fires_on_another_version_of_what_the_run_used() -> None:
    (finding,) = environment_not_as_locked(made_up_reproduction({"logits": 1.0}, environment=OLDER))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "pillow 13.0.0 → 8.4.0" in finding.message
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert listing.rows[0][:5] == ("package", "pillow", "13.0.0", "8.4.0", "yes")


def test_fires_on_changed_code() -> None:
    change = FileChange(path="infer.py", was="ab" * 32, now="cd" * 32)
    (finding,) = environment_not_as_locked(made_up_reproduction({"logits": 1.0}, code=(change,)))
    assert isinstance(finding, Finding)
    assert "code infer.py changed" in finding.message
    assert finding.locations[0].path == "infer.py"
    assert finding.remedy.startswith("Take the code that was locked")


def test_silent_on_the_same_environment() -> None:
    (outcome,) = environment_not_as_locked(made_up_reproduction({"logits": 1.0}))
    assert isinstance(outcome, Observation)


def test_edge_the_same_result_or_what_it_did_not_use_is_a_note() -> None:
    (finding,) = environment_not_as_locked(made_up_reproduction(environment=OLDER))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.INFO
    assert finding.message.endswith("The result is bitwise the same nonetheless.")
    more = made_up_environment({"numpy": "2.4.6", "pillow": "13.0.0", "attrs": "1.0"})
    (finding,) = environment_not_as_locked(made_up_reproduction({"logits": 1.0}, environment=more))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.INFO
    assert finding.message == "1 thing that the run did not use is not as it was locked: attrs none → 1.0."


def test_edge_hardware_is_left_to_its_own_rule() -> None:
    now = made_up_environment(card="NVIDIA H200", instruction_sets=("avx512f",))
    (outcome,) = environment_not_as_locked(made_up_reproduction({"logits": 1.0}, environment=now))
    assert isinstance(outcome, Observation)


def test_edge_what_was_only_set_otherwise_needs_no_other_environment() -> None:
    now = made_up_environment(variables={"OMP_NUM_THREADS": "1"})
    (finding,) = environment_not_as_locked(made_up_reproduction({"logits": 1.0}, environment=now))
    assert isinstance(finding, Finding)
    assert finding.remedy.startswith("Run it with the batch size and the variables of the lock")
    (finding,) = environment_not_as_locked(made_up_reproduction({"logits": 1.0}, environment=OLDER))
    assert isinstance(finding, Finding)
    assert "--runner process" in finding.remedy
