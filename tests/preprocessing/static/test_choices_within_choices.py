"""One of several values where one of these was one of several before: what tells which of them it is."""

from __future__ import annotations

import pytest

from dataguard.preprocessing.static.joining import join
from dataguard.preprocessing.static.values import SIZES, Choice, Ext, Measure, Unknown

FIRST, SECOND = Ext("first"), Ext("second")
WIDE = Measure(tuple(width > height for height, width in SIZES))
DRAWN = Unknown("chance decides", kind="random")


def test_a_condition_tells_two_values_apart() -> None:
    found = join(WIDE, FIRST, SECOND)
    assert (found.options, found.test) == ([FIRST, SECOND], WIDE)
    assert join(DRAWN, FIRST, SECOND).chance is DRAWN


def test_a_condition_does_not_tell_what_a_flag_decides_as_well() -> None:
    by_flag = Choice([FIRST, SECOND], "it depends on a flag")
    assert join(WIDE, FIRST, by_flag).test is None
    assert join(DRAWN, FIRST, by_flag).chance is None
    assert join(DRAWN, by_flag, SECOND).chance is None


@pytest.mark.parametrize("chance", [DRAWN, Unknown("by chance", kind="random")])
def test_chance_within_chance_is_chance(chance: Unknown) -> None:
    nested = Choice([FIRST, SECOND], "chance decides", chance)
    assert join(DRAWN, FIRST, nested).chance is DRAWN
