from __future__ import annotations

import dataclasses
import json as standard_json
import math
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataguard.core.errors import DataguardError
from dataguard.core.finding import Measurement
from dataguard.core.report import Report
from dataguard.formats import json
from dataguard.formats.json import EXHIBIT_KINDS, members_of, slots_of

# File names that are not UTF-8 reach Python as lone low surrogates.
TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\udc80\udcff")), max_size=6)
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(TEXT.filter(lambda key: key != "float"), inner, max_size=2),
    ),
    max_leaves=3,
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a record's field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return ANYTHING
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(TEXT, values(arguments[1]), max_size=2)
    if len(members_of(hint)) > 1:
        return st.one_of(*(values(member) for member in members_of(hint)))
    if dataclasses.is_dataclass(hint):
        return st.deferred(lambda: records(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    simple = {str: TEXT, int: st.integers(), float: NUMBERS, bool: st.booleans(), type(None): st.none()}
    return simple[hint]


def records(record: Any) -> st.SearchStrategy[Any]:
    return st.builds(record, **{slot.name: values(slot.hint) for slot in slots_of(record)})


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(records(Report))
def test_what_is_written_is_read_back(report: Report) -> None:
    report = dataclasses.replace(report, schema_version="1")
    text = json.dump(report)
    assert json.load(text) == report
    assert json.dump(json.load(text)) == text


def test_a_report_with_everything_is_read_back(report: Report, hostile: Report) -> None:
    assert json.load(json.dump(report)) == report
    assert json.load(json.dump(hostile)) == hostile


def test_text_is_ascii_and_the_same_each_time(hostile: Report) -> None:
    text = json.dump(hostile)
    assert text.isascii()
    assert not any(ord(character) < 0x20 and character != "\n" for character in text)
    assert text == json.dump(hostile)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_survive(report: Report, number: float) -> None:
    measurement = Measurement(name="x", value=number, threshold="NaN", low=number)
    finding = dataclasses.replace(next(report.findings), measurements=(measurement,))
    run = dataclasses.replace(report.runs[0], findings=(finding,))
    text = json.dump(dataclasses.replace(report, runs=(run,)))
    standard_json.loads(text, parse_constant=pytest.fail)
    (read,) = next(json.load(text).findings).measurements
    assert repr(read) == repr(measurement)


def test_numbers_of_numpy_are_numbers(report: Report) -> None:
    configuration: dict[str, Any] = {
        "float32": np.float32(0.5),
        "float64": np.float64(0.1),
        "int64": np.int64(3),
        "bool": np.bool_(True),
        "array": np.array([1, 2]),
    }
    read = json.load(json.dump(dataclasses.replace(report, configuration=configuration)))
    assert read.configuration == {"float32": 0.5, "float64": 0.1, "int64": 3, "bool": True, "array": (1, 2)}


def test_every_finding_and_place_carries_its_fingerprint(report: Report) -> None:
    document = standard_json.loads(json.dump(report))
    written = [finding for run in document["runs"] for finding in run["findings"]]
    own = [finding for run in report.runs for finding in run.findings]
    assert [finding["fingerprint"] for finding in written] == [finding.fingerprint for finding in own]
    assert [place["fingerprint"] for place in written[0]["locations"]] == [
        own[0].location_fingerprint(location) for location in own[0].locations
    ]


def test_counts_say_what_the_report_holds(report: Report) -> None:
    counts = standard_json.loads(json.dump(report))["counts"]
    assert counts == {
        "error": 1,
        "warning": 1,
        "info": 0,
        "passed": 1,
        "found": 2,
        "inconclusive": 1,
        "skipped": 1,
        "ignored": 1,
        "known": 0,
        "crashed": 1,
        "not-run": 0,
    }


def test_every_kind_of_exhibit_has_a_name() -> None:
    from dataguard.core.exhibit import Exhibit

    assert set(EXHIBIT_KINDS.values()) == set(members_of(Exhibit))


def test_a_newer_schema_version_names_both(report: Report) -> None:
    text = json.dump(report).replace('"schema_version": "1"', '"schema_version": "7"')
    with pytest.raises(DataguardError, match=r"version 7.* version 1") as caught:
        json.load(text)
    assert "0.1.0" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a JSON document"),
        ("{", "not a JSON document"),
        ("[" * 100_000, "not a JSON document"),
        ("[]", "no schema_version"),
        ('{"schema_version": "1"}', "'subject' is missing"),
    ],
)
def test_what_is_no_report_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataguardError, match=message):
        json.load(text)


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("seconds", "long", "report.seconds"),
        ("partial", 1, "report.partial"),
        ("runs", {}, "report.runs"),
        ("runs", [3], "report.runs[0]"),
        ("environment", {"python": 3}, "report.environment.python"),
        ("overview", [{"kind": "film"}], "report.overview[0]"),
        ("surprise", 1, "report"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(report: Report, key: str, value: object, where: str) -> None:
    document = standard_json.loads(json.dump(report))
    document[key] = value
    with pytest.raises(DataguardError, match="not a report of dataguard") as caught:
        json.load(standard_json.dumps(document))
    assert caught.value.where == where


def test_an_unknown_severity_is_refused_with_those_that_exist(report: Report) -> None:
    document = standard_json.loads(json.dump(report))
    document["runs"][0]["severity"] = "fatal"
    with pytest.raises(DataguardError, match="one of info, warning, error"):
        json.load(standard_json.dumps(document))
