from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.splits.normalization import SplitState, judge
from dataguard.splits.normalization.store import pack, unpack


def state(rows: np.ndarray, *, parts: int = 1, seed: int = 0) -> SplitState:
    made = SplitState(seed=seed)
    for batch in np.array_split(rows, parts):
        made.add(batch)
    return made


@given(
    n=st.integers(4, 200),
    parts=st.integers(1, 9),
    offset=st.sampled_from([0.0, 1e3, -1e7]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_batches_and_merged_parts_give_the_moments_of_the_whole(n: int, parts: int, offset: float, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(offset, [1, 3, 0.1], (n, 3))
    whole = state(rows, parts=parts)
    merged = state(rows[: n // 2], seed=1)
    merged.merge(state(rows[n // 2 :], seed=2))
    for found in (whole, merged):
        assert found.units is not None
        assert found.n == n
        assert found.units.mean == pytest.approx(rows.mean(axis=0), rel=1e-12)
        assert found.units.variance == pytest.approx(rows.var(axis=0), rel=1e-8)
        assert found.units.low.tolist() == rows.min(axis=0).tolist()
        assert found.units.high.tolist() == rows.max(axis=0).tolist()
        moved = (rows - rows.mean(axis=0)) ** 2
        assert found.units.variance_spread == pytest.approx(moved.std(axis=0), rel=1e-6)
        assert found.products is not None
        assert found.values() is not None
        assert np.array_equal(found.values(), rows)  # type: ignore[arg-type]


def test_pictures_of_unequal_batches_give_the_moments_of_all_pixels() -> None:
    pictures = np.random.default_rng(0).gamma(2, 1, (50, 3, 6, 5))
    made = SplitState("NCHW")
    for batch in np.split(pictures, [7, 30]):
        made.add(batch)
    assert made.units is not None
    assert made.whole is not None
    assert made.units.mean == pytest.approx(pictures.mean(axis=(0, 2, 3)))
    assert made.units.variance == pytest.approx(pictures.var(axis=(0, 2, 3)))
    assert made.whole.variance == pytest.approx([pictures.var()])
    assert made.units.spread == pytest.approx(pictures.mean(axis=(2, 3)).std(axis=0))
    sums = SplitState.of_pictures(
        np.full(50, 30.0), pictures.mean(axis=(2, 3)), (pictures**2).mean(axis=(2, 3)), float(pictures.max())
    )
    assert sums.units is not None
    assert sums.units.variance == pytest.approx(made.units.variance)
    assert sums.units.variance_spread == pytest.approx(made.units.variance_spread)


def test_repeated_rows_count_once_across_parts() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    repeated = np.concatenate([rows, rows[:20]])
    whole = state(repeated, parts=4)
    merged = state(repeated[:40])
    merged.merge(state(repeated[40:]))
    for found in (whole, merged):
        assert found.n_repeated == 20
        assert found.distinct is not None
        assert found.distinct.mean == pytest.approx(rows.mean(axis=0))


def test_values_are_dropped_beyond_the_limit_and_a_sample_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.splits.normalization.accumulate.KEPT_VALUES", 500)
    monkeypatch.setattr("dataguard.splits.normalization.accumulate.SAMPLED_VALUES", 200)
    rows = np.random.default_rng(0).normal(size=(900, 2))
    found = state(rows, parts=9)
    assert found.values() is None
    assert len(found.sample()) == 100
    kept = {tuple(row) for row in found.sample()}
    assert kept <= {tuple(row) for row in rows}
    # From everywhere, and not the first ones.
    assert len(kept & {tuple(row) for row in rows[450:]}) > 25


def test_bytes_and_back_give_the_same_verdict() -> None:
    rows = np.random.default_rng(0).gamma(2, 2, (300, 4))
    z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    states = {"train": state(z[:200]), "test": state(z[200:])}
    again = unpack(pack(states))
    assert list(again) == ["train", "test"]
    assert judge(again).sentence == judge(states).sentence
    assert judge(again).leaks == ("test",)


def test_unfit_batches_are_said() -> None:
    made = SplitState()
    made.add(np.ones((3, 2)))
    with pytest.raises(ValueError, match="expected 2 features, got 3"):
        made.add(np.ones((3, 3)))
    with pytest.raises(ValueError, match="expected pictures"):
        SplitState("NCHW").add(np.ones((3, 3)))
    with pytest.raises(ValueError, match="cannot merge"):
        made.merge(state(np.ones((3, 5))))
