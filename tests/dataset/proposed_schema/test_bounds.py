from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.dataset.proposed_schema.bounds import FEWEST_VALUES, TailBound, upper_bound


def bound_of(values: object, chance: float = 0.001) -> TailBound:
    found = upper_bound(np.asarray(values, dtype="float64"), chance=chance)
    assert found is not None
    return found


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=FEWEST_VALUES, max_size=80))
def test_the_bound_is_never_below_the_largest_value(values: list[float]) -> None:
    assert bound_of(values).value >= max(values)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.001, 1000), st.floats(-1000, 1000))
def test_a_change_of_unit_changes_the_bound_with_it(seed: int, scale: float, shift: float) -> None:
    # A light tail is linear: scaled and shifted. A heavy one has its own zero, so that only the scale is free.
    values = np.random.default_rng(seed).random(300)
    assert bound_of(values * scale).value == pytest.approx(bound_of(values).value * scale)
    one, other = bound_of(values - 2), bound_of(values * scale - 2 * scale + shift - abs(shift))
    assert other.value == pytest.approx(one.value * scale + shift - abs(shift), rel=1e-6, abs=1e-6 * scale)


def test_a_smaller_chance_asks_for_more_room() -> None:
    values = np.random.default_rng(0).normal(size=500)
    assert bound_of(values, 1e-2).value < bound_of(values, 1e-4).value


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (lambda random: random.random(2000), "light"),
        (lambda random: random.pareto(1.5, 2000) + 1, "heavy"),
        (lambda random: random.integers(1, 6, 2000), "end"),
        (lambda random: np.full(50, 7), "end"),
    ],
)
def test_the_kind_of_tail_is_told(draw: object, kind: str) -> None:
    assert bound_of(draw(np.random.default_rng(1))).kind == kind  # type: ignore[operator]


def test_a_natural_end_is_kept_exactly() -> None:
    values = np.random.default_rng(2).integers(1, 6, 1000)
    assert bound_of(values).value == 5
    assert bound_of(-values).value == -1


def test_counts_that_fall_off_have_no_natural_end() -> None:
    # 100 rows of 0 and 1 with ten ones: a 2 is to be expected soon.
    found = bound_of([0] * 90 + [1] * 10)
    assert found.kind != "end"
    assert found.value > 2


def test_few_values_bound_nothing() -> None:
    assert upper_bound(np.arange(FEWEST_VALUES - 1.0), chance=0.01) is None


@pytest.mark.parametrize("draw", ["normal", "exponential", "lognormal", "pareto"])
def test_fresh_values_seldom_go_beyond(draw: str) -> None:
    random = np.random.default_rng(3)

    def values() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return random.pareto(1.5, 300) if draw == "pareto" else getattr(random, draw)(size=300)

    beyond = sum(bool(values().max() > bound_of(values(), 0.01).value) for _ in range(200))
    # Twice in 200 are expected; nine or more would happen once in 4,000 times.
    assert beyond < 9
