from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels.spelling import nearest_spelling, same_but_for_spelling, spelling_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cat", "cat"),
        (" cat\t", "cat"),
        ("golden_retriever", "Golden Retriever"),
        ("golden-retriever", "golden  retriever"),
        ("1", "1.0"),
        ("007", "7"),
        ("-1.50", "-1.5"),
        ("+3", "3"),
        ("ﬁsh", "fish"),
        ("STRASSE", "straße"),
    ],
)
def test_spellings_of_one_class(one: str, other: str) -> None:
    assert spelling_key(one) == spelling_key(other)
    assert same_but_for_spelling(one, [other]) == other


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "cats"), ("1", "10"), ("-1", "1"), ("1-2", "12"), ("0", "O"), ("1.5", "15"), ("", "a")]
)
def test_different_classes(one: str, other: str) -> None:
    assert spelling_key(one) != spelling_key(other)
    assert same_but_for_spelling(one, [other]) is None


def test_a_label_is_no_spelling_of_itself() -> None:
    assert same_but_for_spelling("cat", ["cat"]) is None
    assert nearest_spelling("cat", ["cat"]) is None


def test_misspellings_are_near_and_numbers_never_are() -> None:
    assert nearest_spelling("airplne", ["bird", "airplane"]) == "airplane"
    assert nearest_spelling("zebra", ["bird", "airplane"]) is None
    assert nearest_spelling("class_11", ["class_12"]) is None
    assert nearest_spelling("Class_12", ["class 12"]) == "class 12"


@settings(max_examples=60)
@given(st.text())
def test_the_key_is_a_fixed_point(label: str) -> None:
    assert spelling_key(spelling_key(label)) == spelling_key(label)
