from __future__ import annotations

import math
from typing import Any

import pytest

from dataguard.core.finding import Measurement, Severity
from dataguard.formats import wording


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "", "0"),
        (1797, "", "1,797"),
        (1797, "pixels", "1,797 pixels"),
        (0.0, "", "0"),
        (12.0, "", "12"),
        (1257.0, "", "1,257"),
        (0.123456, "", "0.1235"),
        (0.00001234, "", "1.23e-05"),
        (-2.5, "", "-2.5"),
        (1e20, "", "1e+20"),
        (True, "", "yes"),
        ("text\x1b", "", r"text\x1b"),
        (None, "", ""),
        (math.nan, "share", "not a number"),
        (math.inf, "", "infinite"),
        (-math.inf, "", "minus infinite"),
        (0.0, "share", "0 %"),
        (0.1153, "share", "11.5 %"),
        (1.0, "share", "100 %"),
        (1, "share", "100 %"),
        (0.9997, "share", "99.97 %"),
        (0.000004, "share", "< 0.001 %"),
        (12.5, "share", "1,250 %"),
        (1_234_567, "bytes", "1.23 MB"),
    ],
)
def test_numbers_read_as_people_write_them(value: float | str | None, unit: str, text: str) -> None:
    assert wording.number(value, unit) == text


def test_an_interval_may_be_open() -> None:
    def interval(low: float | None, high: float | None) -> str:
        return wording.interval(Measurement(name="x", value=0.5, unit="share", low=low, high=high))

    assert interval(0.1, 0.2) == "10 % to 20 %"
    assert interval(0.1, None) == "10 % to ..."
    assert interval(None, 0.2) == "... to 20 %"
    assert interval(None, None) == ""


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("bytes", 812_345, ("size", "812 kB")),
        ("archive_bytes", 999, ("archive bytes", "999 bytes")),
        ("formats", {"png": 1796, "jpeg": 1}, ("formats", "png 1,796, jpeg 1")),
        ("image_sizes", ("8x8", "9x9"), ("image sizes", "8x8, 9x9")),
        ("median", 1234.5, ("median", "1,234")),
        ("mode", None, ("mode", "unknown")),
        ("modes", {}, ("modes", "none")),
    ],
)
def test_facts_are_in_words(name: str, value: Any, shown: tuple[str, str]) -> None:
    assert wording.fact(name, value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0001, "0.0001"),
        (1000000, "1000000"),
        (False, "no"),
        (None, "none"),
        ((), "none"),
        (("a", "b"), "a, b"),
        ({"a": 1}, "a 1"),
        (Severity.ERROR, "error"),
    ],
)
def test_settings_are_shown_in_full(value: Any, shown: str) -> None:
    assert wording.setting(value) == shown


def test_figures_that_decide_lead_where_there_are_many() -> None:
    compared = (
        Measurement(name="rate", value=0.1, threshold=0.2),
        Measurement(name="kind", value="uint8", threshold="float32"),
        Measurement(name="bounded", value=0.1, low=0.0),
        Measurement(name="tested", value=math.nan, p_value=0.5),
    )
    settings = tuple(Measurement(name=f"setting {index}", value=index) for index in range(6))
    words = Measurement(name="model", value="kernel ridge regression")
    assert wording.leading((*settings, *compared, words), 5) == (compared, (*settings, words))
    assert wording.leading((*compared, words), 5) == (compared, (words,))
    assert wording.leading((*settings, words), 5) == (settings[:5], (settings[5], words))
    assert wording.leading((words,), 5) == ((), (words,))
    assert wording.leading((), 5) == ((), ())


def test_a_comparison_says_all_that_is_known() -> None:
    assert wording.comparison(Measurement(name="x", value=1)) == ""
    full = Measurement(
        name="x", value=0.1, threshold=0.2, low=0.05, high=0.15, level=0.95, p_value=0.01, n=9, unit="share"
    )
    assert wording.comparison(full) == "threshold 20 %, interval 5 % to 15 % (95 %), p=0.01, n=9"
    assert wording.comparison(Measurement(name="x", value=1, level=0.9)) == "level 90 %"
