from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dataguard.splits.windows import Windows, find_windows


def windows(n: int, lags: int, seed: int = 0) -> pd.DataFrame:
    series = np.cumsum(np.random.default_rng(seed).normal(size=n + lags))
    rows = np.lib.stride_tricks.sliding_window_view(series, lags + 1)
    return pd.DataFrame(rows, columns=[f"lag{lags - at}" for at in range(lags + 1)])


def shuffled(frame: pd.DataFrame, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    order = np.random.default_rng(seed).permutation(len(frame))
    return frame.iloc[order].reset_index(drop=True), order


@pytest.mark.parametrize("lags", [2, 3, 8])
def test_windows_in_any_order_are_found_with_their_links(lags: int) -> None:
    frame, order = shuffled(windows(200, lags))
    found = find_windows(frame, np.arange(len(frame)))
    assert isinstance(found, Windows)
    assert found.n_pairs == (lags + 1) * lags / 2
    known = found.beside >= 0
    assert set(np.abs(order[known] - order[found.beside[known]]).tolist()) == {1}
    assert set(np.abs(np.diff(order[np.argsort(found.chain)])).tolist()) == {1}
    assert set(np.abs(order[found.linked[:, 0]] - order[found.linked[:, 1]]).tolist()) == set(range(1, lags + 1))


def test_one_lag_is_found_in_the_order_and_not_out_of_it() -> None:
    frame = windows(200, 1)
    assert find_windows(frame, np.arange(len(frame))) is not None
    mixed, order = shuffled(frame)
    assert find_windows(mixed, np.arange(len(frame))) is None
    assert find_windows(mixed, order) is not None  # in the order of time


def test_rows_that_are_missing_do_not_hide_windows() -> None:
    frame = windows(400, 4).sample(frac=0.8, random_state=0).reset_index(drop=True)
    assert find_windows(frame, np.arange(len(frame))) is not None


@pytest.mark.parametrize("case", ["ranks", "copies", "shuffled copy", "prices", "counters", "constants", "few", "none"])
def test_columns_that_share_values_for_another_reason(case: str) -> None:
    rng = np.random.default_rng(0)
    n = 300
    x = rng.normal(size=n)
    frame = {
        "ranks": {name: rng.permutation(n) for name in "abc"},
        "copies": {"a": x, "b": x, "c": np.where(np.arange(n) % 20 == 0, rng.normal(size=n), x)},
        "shuffled copy": {"a": x, "b": rng.permutation(x), "c": rng.normal(size=n)},
        "prices": {name: np.round(rng.uniform(1, 100, n), 2) for name in "abc"},
        "counters": {"a": np.arange(n) // 3, "b": np.arange(n) // 3 + 1},
        "constants": {"a": np.ones(n), "b": np.full(n, np.nan), "c": np.full(n, np.inf)},
        "few": {"a": x[:20], "b": x[1:21]},
        "none": {"a": x, "b": rng.normal(size=n)},
    }[case]
    made = pd.DataFrame(frame)
    assert find_windows(made, np.arange(len(made))) is None
