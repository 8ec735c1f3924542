from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import RobustScaler

from dataguard.splits.normalization import SplitState, accumulate, assess, judge
from dataguard.splits.normalization.ranks import MOST_COLUMNS, RankCounts
from dataguard.splits.normalization.store import pack, unpack


@given(
    n=st.integers(1, 60),
    cut=st.integers(0, 60),
    digits=st.sampled_from([0, 1, 6]),
    shift=st.sampled_from([0.0, 0.3, -5.0]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None)
def test_the_median_is_exact_next_to_0_and_quantiles_are_within_a_bin(
    n: int, cut: int, digits: int, shift: float, seed: int
) -> None:
    rows = np.random.default_rng(seed).normal(shift, 1, (n, 2)).round(digits)
    parts = [part for part in (rows[:cut], rows[cut:]) if len(part)]
    ranks = RankCounts.of(parts[0])
    assert ranks is not None
    for part in parts[1:]:
        other = RankCounts.of(part)
        assert other is not None
        ranks = ranks.merge(other)
    true, found = np.median(rows, axis=0), ranks.median()
    known = np.isfinite(found)
    assert found[known] == pytest.approx(true[known], abs=1e-15)
    assert known[(true == 0) & (n % 2 == 1)].all()
    low, exact = ranks.quantiles((0.25, 0.75)), np.quantile(rows, (0.25, 0.75), axis=0)
    told = np.isfinite(low)
    assert (low[told] <= exact[told] + 1e-12).all()
    assert (exact[told] <= low[told] + ranks.width + 1e-12).all()


def test_values_that_are_not_finite_have_no_rank() -> None:
    ranks = RankCounts.of(np.array([[np.nan], [np.inf], [-1.5], [0.0], [0.25]]))
    assert ranks is not None
    assert ranks.n.tolist() == [3.0]
    assert ranks.median().tolist() == [0.0]
    assert ranks.under.tolist() == [1.0]


def test_too_many_columns_are_not_counted() -> None:
    assert RankCounts.of(np.zeros((1, MOST_COLUMNS + 1))) is None


@pytest.mark.parametrize("fitted_on", [("train",), ("train", "test"), ("itself",)])
@pytest.mark.parametrize("quantiles", [(25, 75), (10, 90)])
def test_robust_scaling_is_traced_where_values_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, fitted_on: tuple[str, ...], quantiles: tuple[int, int]
) -> None:
    monkeypatch.setattr(accumulate, "KEPT_VALUES", 5_000)
    rng = np.random.default_rng(3)
    raw = {"train": rng.gamma(2, 3, (3000, 4)), "test": rng.gamma(2, 3, (1001, 4))}
    scaler = RobustScaler(quantile_range=quantiles)
    if fitted_on == ("itself",):
        z = {name: scaler.fit_transform(rows) for name, rows in raw.items()}
    else:
        scaler.fit(np.concatenate([raw[name] for name in fitted_on]))
        z = {name: scaler.transform(rows) for name, rows in raw.items()}
    states = {}
    for number, (name, rows) in enumerate(z.items()):
        states[name] = SplitState(seed=number)
        for batch in np.array_split(rows, 5):
            part = SplitState(seed=number)
            part.add(batch)
            states[name].merge(part)
    assert states["train"].values() is None
    for verdict in (judge(states), judge(unpack(pack(states)))):
        assert verdict.method == "robust"
        assert verdict.status == "identified"
        assert verdict.fitted_on == ((("train",), ("test",)) if fitted_on == ("itself",) else (fitted_on,))


def test_what_is_robust_by_itself_but_for_a_column_without_quartiles_is_still_told() -> None:
    rng = np.random.default_rng(0)
    train, test = rng.gamma(2, 3, (400, 6)), rng.gamma(2, 3, (200, 6))
    test[:, 0] = np.where(np.arange(200) < 160, 1.0, test[:, 0])
    z = {"train": RobustScaler().fit_transform(train), "test": RobustScaler().fit_transform(test)}
    verdict = assess(z)
    assert verdict.by_itself == ("test",)


@pytest.mark.parametrize("ranges", [(16, 15), (16, 16)])
def test_whole_numbers_of_different_ranges_went_through_maps_of_their_own(ranges: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    raw = {"train": rng.integers(0, ranges[0] + 1, (300, 5)), "test": rng.integers(0, ranges[1] + 1, (150, 5))}
    z = {name: (rows - rows.min(axis=0)) / np.ptp(rows, axis=0) for name, rows in raw.items()}
    verdict = assess(z)
    if ranges[0] == ranges[1]:
        # The two maps are one.
        assert verdict.status == "equivalent"
    else:
        assert verdict.by_itself == ("test",)


def test_a_few_rows_of_whole_numbers_leave_it_open_whether_one_map_was_applied() -> None:
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 3, (16, 3)).astype(float)
    raw[[0, 12]], raw[[1, 13]] = 0.0, 2.0
    raw[2:12], raw[14:16] = 1.0, 1.0
    z = raw - 1 + 0.5
    verdict = assess({"train": z[:12] - z[:12].mean(axis=0), "test": z[12:] - z[12:].mean(axis=0)})
    assert verdict.by_itself == ()
    assert verdict.leaks == ()


def test_rounded_columns_of_a_held_out_split_that_end_at_1_are_chance() -> None:
    rng = np.random.default_rng(0)
    train = np.round(rng.normal(0, 1.2, (48, 2)))
    test = np.clip(np.round(rng.normal(0, 1.2, (12, 2))), -1, 1)
    # As after a division in float32: whole but for the last digits.
    verdict = assess({"train": (train * 1.0000034).astype(np.float32), "test": test.astype(np.float32)})
    assert verdict.by_itself == ()
    assert verdict.leaks == ()
