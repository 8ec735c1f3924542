from __future__ import annotations

from dataguard.core.finding import Severity, Skipped
from dataguard.rules.preprocessing.dg422_mean_std_in_wrong_range import mean_std_in_wrong_range
from tests.rules.preprocessing.paths import findings, silent
from tests.rules.preprocessing.readings import fact, found, reading

FACT = fact("mean-std-in-wrong-range", message="the mean (0.406, 0.456, 0.485) does not fit the pixels")


def test_fires_as_an_error_at_its_line() -> None:
    (finding,) = findings(mean_std_in_wrong_range(reading(FACT)))
    assert finding.severity is Severity.ERROR
    assert finding.message == "serve.py:7: the mean (0.406, 0.456, 0.485) does not fit the pixels."
    assert finding.locations[0].line == 7


def test_fires_as_a_warning_where_every_path_has_it() -> None:
    paths = (found("train", "data.py:2"), found("serve", "serve.py:1", "serve.py:7"))
    in_training = fact("mean-std-in-wrong-range", file="data.py", line=2)
    severities = {one.severity for one in findings(mean_std_in_wrong_range(reading(FACT, in_training, paths=paths)))}
    assert severities == {Severity.WARNING}


def test_silent_on_other_facts() -> None:
    assert silent(mean_std_in_wrong_range(reading(fact("bgr-used-as-rgb"))))


def test_edge_a_training_path_that_nothing_leads_to_does_not_excuse_it() -> None:
    dead = found("train", "data.py:2", reachable=False)
    in_training = fact("mean-std-in-wrong-range", file="data.py", line=2)
    made = findings(mean_std_in_wrong_range(reading(FACT, in_training, paths=(dead, found("serve", "serve.py:7")))))
    assert {one.severity for one in made} == {Severity.ERROR}


def test_edge_without_code_it_is_skipped() -> None:
    assert isinstance(mean_std_in_wrong_range(reading(files=0))[0], Skipped)
