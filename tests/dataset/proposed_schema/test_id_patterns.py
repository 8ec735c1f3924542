from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.dataset.proposed_schema.id_patterns import id_pattern


@pytest.mark.parametrize(
    ("values", "regex"),
    [
        (["V0001", "V0417"], "^V[0-9]{4}$"),
        (["V1", "V20"], "^V[0-9]+$"),
        (["1001", "2417"], "^[0-9]+$"),
        (["img_007.png", "img_012.png"], r"^img_[0-9]{3}\.png$"),
        (["deadbeef", "0123abcd"], "^[0-9a-f]{8}$"),
        (["a-1", "bc-2"], r"^[a-z]+\-[0-9]+$"),
        ([f"{a}{b}-{n}" for n, (a, b) in enumerate(zip("ABCDEFGHIJKLMNOPQRSTU", "BCDEFGHIJKLMNOPQRSTUV", strict=True))],
         r"^[A-Z]{2}\-[0-9]+$"),
        (["x-1"] * 40 + ["y-2"] * 40, r"^(?:x|y)\-[0-9]+$"),
        (
            ["123e4567-e89b-12d3-a456-426614174000"],
            "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        ),
    ],
)  # fmt: skip
def test_the_form_of_ids(values: list[str], regex: str) -> None:
    found = id_pattern(values)
    assert found is not None
    assert found.regex == regex


@pytest.mark.parametrize(
    "values",
    [[], ["cat", "dog"], ["a dog 1", "a cat 2"], ["V1", "W-1"], ["", "V1"], ["x1" * 150], ["a1b2c3d4e5f6g7h8"]],
)
def test_what_has_no_one_form_is_no_id(values: list[str]) -> None:
    assert id_pattern(values) is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="aZ09-_./é\n ", min_size=0, max_size=8), min_size=1, max_size=30))
def test_every_value_has_the_form_that_was_found(values: list[str]) -> None:
    found = id_pattern(values)
    if found is not None:
        assert all(re.match(found.regex, value) for value in values)


def test_capacity_counts_what_varies() -> None:
    found = id_pattern(["V00", "V99"])
    assert found is not None
    assert found.log_capacity == pytest.approx(2 * 2.302585)
