from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Confidence, Finding, Location, Observation, Outcome, Severity
from dataguard.core.rule import Between, Option, Rule, rule


class Weights(tuple[float, ...]):
    """An input of the rules below."""


@rule("DG150", "heavy-weight", Severity.WARNING)
def heavy_weight(
    weights: Weights,
    labels: str | None,
    *,
    limit: Annotated[float, Between(low=0, high=10)] = 1.5,
    count: Annotated[int, Between(low=1)] = 3,
    name: str | None = None,
    strict: bool = False,
    words: tuple[str, ...] = ("a",),
) -> Iterator[Outcome]:
    """A weight is heavy.

    ## What it does

    Adds.

    ## Example

    None.
    """
    if sum(weights) > limit:
        yield heavy_weight.finding(
            f"{sum(weights):g} is above {limit:g}",
            remedy="take some off",
            confidence=Confidence.HIGH,
            severity=Severity.ERROR if strict else None,
            locations=(Location(label=labels),),
        )
    yield Observation(message="weighed")


def test_a_rule_is_called_with_its_inputs_and_options() -> None:
    finding, observation = heavy_weight(Weights([1.0, 1.0]), "x")
    assert isinstance(finding, Finding)
    assert (finding.code, finding.name, finding.severity) == ("DG150", "heavy-weight", Severity.WARNING)
    assert isinstance(observation, Observation)
    assert heavy_weight(Weights([1.0]), None) == [Observation(message="weighed")]
    (strict, _) = heavy_weight(Weights([9.0]), None, strict=True)
    assert isinstance(strict, Finding)
    assert strict.severity is Severity.ERROR


def test_inputs_come_from_positional_parameters() -> None:
    weights, labels = heavy_weight.inputs
    assert (weights.name, weights.type, weights.required) == ("weights", Weights, True)
    assert (labels.name, labels.type, labels.required) == ("labels", str, False)


def test_options_come_from_keyword_only_parameters() -> None:
    options = heavy_weight.options
    assert list(options) == ["limit", "count", "name", "strict", "words"]
    assert options["limit"].bounds == Between(low=0, high=10)
    assert options["count"].bounds == Between(low=1)
    assert options["name"].types == (str, type(None))
    assert options["words"].element is str
    assert {name: option.default for name, option in options.items()} == {
        "limit": 1.5,
        "count": 3,
        "name": None,
        "strict": False,
        "words": ("a",),
    }


def test_the_page_is_the_docstring_by_sections() -> None:
    assert heavy_weight.summary == "A weight is heavy."
    assert dict(heavy_weight.sections) == {"What it does": "Adds.", "Example": "None."}
    assert repr(heavy_weight) == "<Rule DG150 heavy-weight>"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("limit", 2, 2.0),
        ("limit", 0.0, 0.0),
        ("limit", 10, 10.0),
        ("count", 7, 7),
        ("name", "x", "x"),
        ("strict", True, True),
        ("words", ["x", "y"], ("x", "y")),
        ("words", [], ()),
    ],
)
def test_values_are_coerced(key: str, value: object, expected: object) -> None:
    got = heavy_weight.configure({key: value}, where="rules.DG150")
    assert got[key] == expected
    assert type(got[key]) is type(expected)
    assert list(got) == list(heavy_weight.options)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("limit", "2", "expected float from 0 to 10, got str '2'"),
        ("limit", True, "expected float from 0 to 10, got bool True"),
        ("limit", 10.5, "expected a number from 0 to 10, got 10.5"),
        ("limit", math.nan, "expected a number from 0 to 10, got nan"),
        ("count", 0, "expected a number at least 1, got 0"),
        ("count", 2.5, "expected int at least 1, got float 2.5"),
        ("strict", 1, "expected bool, got int 1"),
        ("name", 4, "expected str, got int 4"),
        ("words", "abc", "expected a list of str, got str 'abc'"),
        ("words", ["a", 1], "expected a list of str"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_their_place(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        heavy_weight.configure({key: value}, where="dataguard.toml: rules.DG150")
    assert message in caught.value.message
    assert caught.value.where == f"dataguard.toml: rules.DG150: {key}"


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as caught:
        heavy_weight.configure({"limitt": 1.0}, where="rules.DG150")
    assert caught.value.message == "rule DG150 has no option 'limitt'"
    assert caught.value.hint == "did you mean 'limit'?"


def test_a_rule_without_options_says_so() -> None:
    @rule("DG151", "plain", Severity.INFO)
    def plain(weights: Weights) -> Iterator[Outcome]:
        """Plain."""
        yield Observation(message="")

    with pytest.raises(ConfigurationError) as caught:
        plain.configure({"limit": 1}, where="rules.DG151")
    assert caught.value.hint == "it has no options"


def test_options_may_be_spelled_with_hyphens() -> None:
    @rule("DG152", "spelled", Severity.INFO)
    def spelled(weights: Weights, *, min_ratio: float = 0.1) -> Iterator[Outcome]:
        """Spelled."""
        yield Observation(message=str(min_ratio))

    assert spelled.configure({"min-ratio": 1}, where="") == {"min_ratio": 1.0}


@pytest.mark.parametrize(
    ("code", "name"), [("DG15", "x"), ("XX150", "x"), ("DG1500", "x"), ("DG150", "Heavy"), ("DG150", "a_b")]
)
def test_malformed_codes_and_names_are_refused(code: str, name: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        rule(code, name, Severity.INFO)(heavy_weight.function)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Between(low=0, high=1), "from 0 to 1"),
        (Between(low=2), "at least 2"),
        (Between(high=3), "at most 3"),
    ],
)
def test_bounds_read_well(bounds: Between, words: str) -> None:
    assert str(bounds) == words


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(0, 1e6),
    value=st.floats(allow_nan=True, allow_infinity=True),
)
def test_a_number_is_taken_exactly_when_it_lies_between_the_bounds(low: float, width: float, value: float) -> None:
    bounds = Between(low=low, high=low + width)
    option = Option(name="x", types=(float,), element=None, default=low, bounds=bounds)
    try:
        taken: Any = option.coerce(value, where="x")
    except ConfigurationError:
        assert not low <= value <= low + width
    else:
        assert taken == value
        assert low <= value <= low + width


def test_rules_are_generic_over_their_parameters() -> None:
    assert isinstance(heavy_weight, Rule)
    assert heavy_weight.__module__ == __name__
