from __future__ import annotations

from dataclasses import replace

from dataguard.core.finding import Severity, Skipped
from dataguard.preprocessing.audit.pairing import compare_paths
from dataguard.rules.preprocessing.dg421_mean_std_in_wrong_channel_order import mean_std_in_wrong_channel_order
from tests.rules.preprocessing.paths import findings, path, silent
from tests.rules.preprocessing.readings import fact, found, reading

FACT = fact("mean-std-in-wrong-channel-order", message="the mean (0.406, 0.456, 0.485) does not fit the pixels")


def test_fires_as_an_error_at_its_line() -> None:
    (finding,) = findings(mean_std_in_wrong_channel_order(reading(FACT), None))
    assert finding.severity is Severity.ERROR
    assert finding.message == "serve.py:7: the mean (0.406, 0.456, 0.485) does not fit the pixels."
    assert finding.locations[0].line == 7


def test_fires_as_a_warning_where_every_path_has_it() -> None:
    paths = (found("train", "data.py:2"), found("serve", "serve.py:1", "serve.py:7"))
    in_training = fact("mean-std-in-wrong-channel-order", file="data.py", line=2)
    severities = {
        one.severity for one in findings(mean_std_in_wrong_channel_order(reading(FACT, in_training, paths=paths), None))
    }
    assert severities == {Severity.WARNING}


def test_silent_on_other_facts() -> None:
    assert silent(mean_std_in_wrong_channel_order(reading(fact("bgr-used-as-rgb")), None))


def test_edge_a_training_path_that_nothing_leads_to_does_not_excuse_it() -> None:
    dead = found("train", "data.py:2", reachable=False)
    in_training = fact("mean-std-in-wrong-channel-order", file="data.py", line=2)
    made = findings(
        mean_std_in_wrong_channel_order(reading(FACT, in_training, paths=(dead, found("serve", "serve.py:7"))), None)
    )
    assert {one.severity for one in made} == {Severity.ERROR}


def test_edge_without_code_it_is_skipped() -> None:
    assert isinstance(mean_std_in_wrong_channel_order(reading(files=0), None)[0], Skipped)


def test_edge_what_follows_from_exchanged_channels_is_left_to_that_finding() -> None:
    served = found("serve", "serve.py:7", pipeline=path(order="BGR"))
    read = reading(FACT, paths=(found("train", "train.py:1", pipeline=path()), served))
    assert silent(mean_std_in_wrong_channel_order(read, compare_paths(read)))
    same = replace(read, paths=(read.paths[0], replace(served, pipeline=path())))
    assert findings(mean_std_in_wrong_channel_order(same, compare_paths(same)))
