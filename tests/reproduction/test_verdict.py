from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dataguard.reproduction.golden import Golden, sample_hash
from dataguard.reproduction.tolerance import FACTOR, MOST_UNITS, Noise, Tolerance, Variation, largest_difference
from dataguard.reproduction.tolerance import tolerance as tolerance_of
from dataguard.reproduction.verdict import Comparison, StageVerdict, Verdict, compare

E0 = 1e-5


def judged(
    golden: Sequence[Any], found: Sequence[Any], *, e0: float = E0, keep: bool = True, stage: str = "logits"
) -> StageVerdict:
    was = tuple(np.asarray(item) for item in golden)
    now = tuple(np.asarray(item) for item in found)
    made: Comparison = compare(
        {stage: [sample_hash(item) for item in was]},
        Golden(stages={stage: was}) if keep else None,
        {stage: now},
        {stage: Tolerance(value=FACTOR * e0, e0=e0, basis="float64")},
        output=stage,
        classes=stage == "logits",
        names=[f"{index}.jpg" for index in range(len(was))],
    )
    return made.result


def logits(*rows: Sequence[float]) -> list[Any]:
    return [np.array(row, dtype=np.float32) for row in rows]


BASE = logits([3.0, 1.0, 0.0], [0.0, 0.5, 0.25])
"""The smallest margin is 0.25."""


@pytest.mark.parametrize(
    ("moved", "verdict"),
    [
        (0.0, Verdict.BITWISE),
        (7 * E0, Verdict.FLOAT_NOISE),
        (9 * E0, Verdict.DECISION_SAFE),
        (0.12, Verdict.DECISION_SAFE),
        (0.13, Verdict.CHANGED),
        (math.inf, Verdict.CHANGED),
        (math.nan, Verdict.CHANGED),
    ],
)
def test_the_verdict_by_how_far_it_moved(moved: float, verdict: Verdict) -> None:
    found = [BASE[0], BASE[1] + np.array([0, 0, moved], dtype=np.float32)]
    result = judged(BASE, found)
    assert result.verdict is verdict
    assert result.margin == 0.25
    assert result.n_different == (moved != 0)
    if 0 < moved < 1:
        assert result.largest == pytest.approx(moved, rel=1e-3)
        assert result.in_e0 == pytest.approx(moved / E0, rel=1e-3)
        assert [item.name for item in result.worst] == ["1.jpg"]
        assert result.n_values_different == 1


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float32, (4, 5), elements=st.floats(-10, 10, width=32)),
    arrays(np.float32, (4, 5), elements=st.floats(-10, 10, width=32)),
)
def test_no_first_class_changes_where_it_is_said_to_be_safe(one: Any, other: Any) -> None:
    result = judged(list(one), list(other), e0=1e-9)
    if result.verdict.rank <= Verdict.DECISION_SAFE.rank and result.margin:
        assert result.top1 == 1.0


@settings(max_examples=40, deadline=None)
@given(arrays(np.float32, (3, 4), elements=st.floats(-1e3, 1e3, width=32)))
def test_the_same_values_are_bitwise_the_same(values: Any) -> None:
    assert judged(list(values), list(values.copy())).verdict is Verdict.BITWISE


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float64, 6, elements=st.floats(allow_nan=True, allow_infinity=True)),
    arrays(np.float64, 6, elements=st.floats(allow_nan=True, allow_infinity=True)),
)
def test_the_largest_difference_is_symmetric_and_zero_for_the_same(one: Any, other: Any) -> None:
    assert largest_difference(one, other) == largest_difference(other, one)
    assert largest_difference(one, one.copy()) == 0
    assert largest_difference(one, other) >= 0


def test_the_bounds_themselves() -> None:
    # Powers of two, so that the differences are exact: 8·e0 is noise still, half of the margin is not safe any more.
    base = logits([2.0, 1.0, 0.0])
    for e0, moved, verdict in (
        (2.0**-10, 2.0**-7, Verdict.FLOAT_NOISE),
        (2.0**-10, 2.0**-7 + 2.0**-20, Verdict.DECISION_SAFE),
        (2.0**-10, 0.5 - 2.0**-20, Verdict.DECISION_SAFE),
        (2.0**-10, 0.5, Verdict.CHANGED),
    ):
        assert judged(base, [base[0] + np.array([0, 0, moved], dtype=np.float32)], e0=e0).verdict is verdict


@pytest.mark.parametrize(
    ("golden", "found", "e0"),
    [
        # The second sample's values are not kept: nobody knows that it is as near.
        (logits([2.0, 1.0, 0.0], [2.0, 1.0, 0.0]), logits([2.0, 1.0, 0.1], [0.0, 1.0, 2.0]), 2.0**-10),
        # The first is another type with the same values, the second has others.
        ([np.zeros(4, dtype=np.uint8)] * 2, [np.zeros(4, dtype=np.int16), np.ones(4, dtype=np.int16)], 0.0),
    ],
)
def test_what_is_not_kept_is_never_called_near(golden: list[Any], found: list[Any], e0: float) -> None:
    made = compare(
        {"logits": [sample_hash(item) for item in golden]},
        Golden(stages={"logits": (golden[0],)}),
        {"logits": tuple(found)},
        {"logits": Tolerance(value=FACTOR * e0, e0=e0, basis="float64")},
        output="logits",
        classes=True,
        names=["0", "1"],
    )
    assert made.overall is Verdict.CHANGED


def test_only_the_result_decides_and_the_first_stage_beyond_noise_is_named() -> None:
    golden = {"noise": logits([2.0, 1.0]), "features": logits([2.0, 1.0]), "logits": logits([2.0, 1.0])}
    moved = {"noise": 2.0**-8, "features": 0.1, "logits": 0.1}
    found = {name: [golden[name][0] + np.array([0, by], dtype=np.float32)] for name, by in moved.items()}
    made = compare(
        {name: [sample_hash(item) for item in arrays] for name, arrays in golden.items()},
        Golden(stages={name: tuple(arrays) for name, arrays in golden.items()}),
        {name: tuple(arrays) for name, arrays in found.items()},
        {name: Tolerance(value=2.0**-7, e0=2.0**-10, basis="float64") for name in golden},
        output="logits",
        classes=True,
        names=["0"],
    )
    assert [stage.verdict for stage in made.stages] == [Verdict.FLOAT_NOISE, Verdict.CHANGED, Verdict.DECISION_SAFE]
    assert [stage.top1 for stage in made.stages] == [None, None, 1.0]
    assert (made.first_different, made.first_changed) == (made.stages[0], made.stages[1])
    safe = Comparison(stages=(made.stages[0], made.stages[2]), output="logits")
    assert safe.first_changed is made.stages[2]


def test_integers_have_no_noise() -> None:
    was, now = np.full((4, 4, 3), 9, dtype=np.uint8), np.full((4, 4, 3), 9, dtype=np.uint8)
    now[0, 0, 0] = 10
    result = judged([was], [now], e0=0.0, stage="decoded")
    assert (result.verdict, result.largest, result.n_values_different) == (Verdict.CHANGED, 1.0, 1)
    assert math.isnan(result.scaled_ulp)
    assert result.top1 is None


def test_another_shape_or_type_is_said() -> None:
    result = judged(BASE, [BASE[0][:2], BASE[1]])
    assert result.verdict is Verdict.CHANGED
    assert "its shape is (2,), and was (3,)" in result.reason
    same = judged(BASE, [row.astype(np.float64) for row in BASE])
    assert same.verdict is Verdict.FLOAT_NOISE
    assert same.n_different == 2
    assert same.n_values_different == 0
    assert "float64" in same.reason


def test_without_golden_values_hashes_decide_alone() -> None:
    assert judged(BASE, BASE, keep=False).verdict is Verdict.BITWISE
    result = judged(BASE, [BASE[0] + 1, BASE[1]], keep=False)
    assert result.verdict is Verdict.CHANGED
    assert math.isnan(result.largest)
    assert "hashes differ" in result.reason


def test_a_stage_that_is_not_there_any_more_changed() -> None:
    made = compare(
        {"decoded": ["x"], "logits": [sample_hash(BASE[0])]},
        Golden(stages={"logits": (BASE[0],)}),
        {"logits": (BASE[0],)},
        dict.fromkeys(("decoded", "logits"), Tolerance(value=0.0, e0=0.0, basis="exact")),
        output="logits",
        classes=True,
        names=["0.jpg"],
    )
    assert made.overall is Verdict.BITWISE
    assert made.first_changed is not None
    assert made.first_changed.stage == "decoded"


def test_only_the_samples_that_were_run_are_compared() -> None:
    made = compare(
        {"logits": [sample_hash(row) for row in BASE]},
        Golden(stages={"logits": tuple(BASE)}),
        {"logits": (BASE[1],)},
        {"logits": Tolerance(value=0.0, e0=0.0, basis="exact")},
        output="logits",
        classes=True,
        names=["0.jpg", "1.jpg"],
        kept=[1],
    )
    assert (made.overall, made.result.n) == (Verdict.BITWISE, 1)


# The tolerance itself


def noise(*variations: tuple[str, float], double: float | None = None) -> Noise:
    return Noise(
        variations=tuple(
            Variation(kind=kind, setting="", largest={"y": value}, samples=1) for kind, value in variations
        ),
        double={} if double is None else {"y": double},
    )


ONES = (np.ones(3, dtype=np.float32),)
UNIT = 2.0**-24


def test_e0_is_the_distance_from_double_precision() -> None:
    found = tolerance_of("y", ONES, noise(("batch size", 1e-4), double=1e-6))
    assert (found.e0, found.value, found.basis) == (1e-6, 8e-6, "float64")


def test_e0_is_never_less_than_half_a_unit_in_the_last_place() -> None:
    found = tolerance_of("y", ONES, noise(double=0.0))
    assert (found.e0, found.basis) == (UNIT, "rounding")


def test_without_double_precision_it_rests_on_harmless_variation_up_to_a_bound() -> None:
    assert tolerance_of("y", ONES, noise(("threads", 1e-6))).e0 == 1e-6
    wild = tolerance_of("y", ONES, noise(("batch size", 0.5)))
    assert (wild.e0, wild.basis) == (MOST_UNITS * UNIT, "variation")


def test_what_depends_on_the_seed_says_nothing_about_rounding() -> None:
    found = tolerance_of("y", ONES, noise(("seed", 0.5), double=0.3))
    assert found.basis == "rounding"


def test_integers_are_exact() -> None:
    found = tolerance_of("y", (np.ones(3, dtype=np.uint8),), noise(("repeat", 3.0), double=1.0))
    assert (found.value, found.basis) == (0.0, "exact")
