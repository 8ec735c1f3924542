from __future__ import annotations

from dataguard.core.finding import Finding, Observation, Severity
from dataguard.reproduction.made_up import made_up_reproduction
from dataguard.rules.reproduction.dg609_golden_output_missing import golden_output_missing


def test_fires_on_a_missing_file() -> None:
    made = made_up_reproduction(golden_problem="it cannot be read: No such file or directory")
    (finding,) = golden_output_missing(made)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.locations[0].path == "dataguard.golden.npz"
    assert made.lock.golden.sha256 in finding.remedy


def test_silent_on_the_locked_file() -> None:
    (outcome,) = golden_output_missing(made_up_reproduction())
    assert isinstance(outcome, Observation)


def test_edge_a_tampered_file_is_found_even_where_the_result_is_bitwise_the_same() -> None:
    made = made_up_reproduction(golden_problem="its SHA-256 is 00…, and the lock says 11…")
    assert made.verdict == "bitwise"
    (finding,) = golden_output_missing(made)
    assert isinstance(finding, Finding)
    assert "SHA-256" in finding.message
