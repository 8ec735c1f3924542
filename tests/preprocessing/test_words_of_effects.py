"""How far apart two paths take pixels, in words."""

from __future__ import annotations

from dataguard.preprocessing.differing import Effect


def test_levels_are_said_as_of_0_to_255() -> None:
    effect = Effect(mean=4.41, largest=104.0, n=2, measured="two pictures")
    assert effect.in_full == "4.41 levels on average, at most 104, of 0 to 255"


def test_what_is_beyond_all_levels_is_said_as_times_these() -> None:
    effect = Effect(mean=29_860.0, largest=64_770.0, n=2, measured="two pictures")
    assert effect.in_full == "117 times the range of 0 to 255 on average, at most 254 times"


def test_other_sizes_are_said_instead() -> None:
    effect = Effect(
        mean=float("inf"), largest=float("inf"), n=2, measured="two pictures", sizes="of 2×2, 1×1 against 1×2"
    )
    assert effect.in_full == effect.words == "other sizes: of 2×2, 1×1 against 1×2"
