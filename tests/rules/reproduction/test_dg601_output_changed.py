from __future__ import annotations

from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity
from dataguard.reproduction.differences import FileChange
from dataguard.reproduction.made_up import made_up_environment, made_up_reproduction
from dataguard.rules.reproduction.dg601_output_changed import output_changed


def test_fires_on_a_changed_result_with_the_stage_and_the_likeliest_cause() -> None:
    now = made_up_environment({"numpy": "2.4.6", "pillow": "8.4.0"})
    made = made_up_reproduction({"decoded": 40, "preprocessed": 0.2, "logits": 3.0}, environment=now)
    (finding,) = output_changed(made)
    assert isinstance(finding, Finding)
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert "the decoding stage ('decoded': " in finding.message
    assert "Likeliest: pillow 13.0.0 → 8.4.0." in finding.message
    assert "dataguard bisect dataguard.lock" in finding.remedy
    assert len(finding.locations) == 3
    figures = {item.name: item for item in finding.measurements}
    assert figures["logits: max |Δ|"].threshold == made.lock.tolerances["logits"].value
    assert figures["logits: smallest margin of the first class"].value == made.comparison.result.margin
    assert figures["logits: same first class"].value == made.comparison.result.top1
    assert "decoded: same first class" not in figures


def test_fires_softly_where_no_decision_can_change() -> None:
    (finding,) = output_changed(made_up_reproduction({"logits": 1e-4}))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "no decision can change" in finding.message


def test_silent_on_the_same_result_and_on_float_noise() -> None:
    for moved, words in ((0.0, "bitwise"), (2e-6, "float noise")):
        (outcome,) = output_changed(made_up_reproduction({"logits": moved}))
        assert isinstance(outcome, Observation)
        assert words in outcome.message


def test_edge_a_changed_stage_before_the_same_result_is_said() -> None:
    (outcome,) = output_changed(made_up_reproduction({"decoded": 3}))
    assert isinstance(outcome, Observation)
    assert "Before it, stage 'decoded' changed" in outcome.message


def test_edge_without_golden_values_a_difference_is_not_decided() -> None:
    (outcome,) = output_changed(made_up_reproduction({"logits": 2e-6}, golden_problem="it is missing"))
    assert isinstance(outcome, Inconclusive)


def test_edge_a_change_that_nothing_explains() -> None:
    (finding,) = output_changed(made_up_reproduction({"logits": 3.0}))
    assert isinstance(finding, Finding)
    assert "Likeliest" not in finding.message
    assert "nothing that was locked differs" in finding.remedy


def test_edge_changed_code_is_what_to_look_at() -> None:
    change = FileChange(path="infer.py", was="ab" * 32, now="cd" * 32)
    (finding,) = output_changed(made_up_reproduction({"logits": 3.0}, code=(change,)))
    assert isinstance(finding, Finding)
    assert finding.remedy == "Compare infer.py with what was locked: the code is all that is known to differ."
