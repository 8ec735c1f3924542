from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.finding import Skipped
from dataguard.dataset import nearest_rows
from dataguard.dataset.duplicates import Origin
from dataguard.dataset.near_rows import NearRows, NearRowsBetween, find_near_rows
from dataguard.dataset.nearness import find_gap

pytestmark = pytest.mark.slow

N_TRAIN, N_TEST, PLANTED = 300, 120, 12
SPLITS = ["train"] * N_TRAIN + ["test"] * N_TEST
COPIES = [str(N_TRAIN + number + 1) for number in range(PLANTED)]


def table(seed: int = 0, *, n_numbers: int = 6, n: int = N_TRAIN + N_TEST) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    made = {f"x{k}": generator.normal(10 * k, 1 + k, n) for k in range(n_numbers)}
    return pd.DataFrame({**made, "city": generator.choice(["Zürich", "Oslo", "Rome"], n)})


def with_copies(frame: pd.DataFrame) -> pd.DataFrame:
    """The first rows of test are those of training."""
    made = frame.copy()
    made.iloc[N_TRAIN : N_TRAIN + PLANTED] = frame.iloc[:PLANTED].to_numpy()
    return made.astype(frame.dtypes)


def found(frame: pd.DataFrame, splits: list[str] = SPLITS, **options: object) -> NearRowsBetween:
    rows = find_near_rows(frame, splits, **options)  # type: ignore[arg-type]
    assert isinstance(rows, NearRows)
    (between,) = rows.between
    return between


def ids(between: NearRowsBetween) -> list[str]:
    return sorted(pair.right.sample_id for pair in between.pairs)


@pytest.mark.parametrize("noise", [1e-6, 1e-5, 1e-4, 1e-3])
def test_rows_with_noise_are_found_and_no_others(noise: float) -> None:
    frame = with_copies(table())
    numbers = [name for name in frame if name != "city"]
    factors = 1 + noise * np.random.default_rng(1).normal(size=(PLANTED, len(numbers)))
    frame.loc[N_TRAIN : N_TRAIN + PLANTED - 1, numbers] *= factors
    between = found(frame)
    assert ids(between) == COPIES
    assert between.total == PLANTED
    assert [int(pair.left.sample_id) + N_TRAIN for pair in between.pairs] == [
        int(pair.right.sample_id) for pair in between.pairs
    ]
    pair = between.pairs[0]
    assert (pair.n_equal, pair.n_changed) == (1, 0)  # the city
    assert pair.why == "1 of 7 cells equal, 6 the same but for rounding, noise or spelling"


def test_single_precision_case_spaces_and_unicode_form_are_no_difference() -> None:
    frame = with_copies(table())
    rows = slice(N_TRAIN, N_TRAIN + PLANTED - 1)
    frame.loc[rows, "x0"] = frame.loc[rows, "x0"].astype(np.float32).astype(np.float64)
    frame.loc[rows, "city"] = "  " + frame.loc[rows, "city"].str.upper().str.normalize("NFD") + " "
    between = found(frame)
    assert ids(between) == COPIES
    assert between.n_same == PLANTED
    assert between.same_origin is Origin.COPIED
    cell = next(cell for cell in between.pairs[0].cells if cell.column == "city")
    assert cell.close
    assert cell.left != cell.right


def test_exact_copies_are_left_to_another_rule() -> None:
    between = found(with_copies(table()))
    assert between.total == 0
    assert between.n_compared == N_TEST - PLANTED


def test_a_few_cells_changed_are_found_in_a_wide_table() -> None:
    frame = with_copies(table(n_numbers=30))
    generator = np.random.default_rng(2)
    for row in range(N_TRAIN, N_TRAIN + PLANTED):
        for column in generator.choice(30, 2, replace=False):
            frame.iloc[row, int(column)] = float(frame[f"x{column}"].iloc[int(generator.integers(N_TRAIN))])
    between = found(frame)
    assert ids(between) == COPIES
    pair = between.pairs[0]
    assert pair.n_changed == 2
    assert pair.why == "29 of 31 cells equal, 2 changed"
    assert all(frame[cell.column][int(pair.right.sample_id) - 1] != 0 for cell in pair.cells)
    assert not any(cell.close for cell in pair.cells[:2])


@pytest.mark.parametrize("kind", ["continuous", "mixed", "categorical", "lattice"])
@pytest.mark.parametrize("seed", range(5))
def test_clean_tables_have_none(kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    n = N_TRAIN + N_TEST
    frames = {
        "continuous": lambda: table(seed),
        "mixed": lambda: table(seed, n_numbers=1).assign(**{f"c{k}": generator.integers(0, 2, n) for k in range(8)}),
        "categorical": lambda: pd.DataFrame(generator.integers(0, 3, (n, 6))).astype(str),
        "lattice": lambda: pd.DataFrame(generator.normal(size=(n, 4)).round(1)),
    }
    assert found(frames[kind]()).total == 0


def test_carelessly_written_categories_repeat_by_chance() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.integers(0, 2, (N_TRAIN + N_TEST, 6)).astype(str)).replace({"0": "no", "1": "yes"})
    rows = generator.random(len(frame)) < 0.3
    frame.loc[rows] = frame.loc[rows].apply(lambda column: column.str.upper())
    between = found(frame)
    assert between.total == 0
    # As long as a written row is not found elsewhere exactly, it equals others up to its writing.
    assert between.same_origin is not Origin.COPIED


def test_numbers_and_names_of_rows_and_constants_are_left_out() -> None:
    frame = with_copies(table())
    numbers = [name for name in frame if name != "city"]
    frame.loc[N_TRAIN : N_TRAIN + PLANTED - 1, numbers] *= 1 + 1e-5
    frame = frame.assign(index=np.arange(len(frame)), key=[f"key {row}" for row in range(len(frame))], one=1.0)
    rows = find_near_rows(frame, SPLITS)
    assert isinstance(rows, NearRows)
    assert set(rows.left_out) == {"index", "key", "one"}
    assert ids(rows.between[0]) == COPIES


def test_missing_and_infinite_values_are_values() -> None:
    frame = table()
    generator = np.random.default_rng(3)
    for name in ("x0", "x1", "x2"):
        frame.loc[generator.random(len(frame)) < 0.3, name] = np.nan
        frame.loc[generator.random(len(frame)) < 0.05, name] = -np.inf
    assert found(frame).total == 0
    frame = with_copies(frame)
    frame.loc[N_TRAIN : N_TRAIN + PLANTED - 1, "x5"] *= 1 + 1e-4
    between = found(frame)
    assert ids(between) == COPIES
    assert all(pair.n_close == 1 and pair.n_changed == 0 for pair in between.pairs)


def test_the_bins_of_large_tables_find_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = with_copies(table(n_numbers=10))
    numbers = [name for name in frame if name != "city"]
    factors = 1 + 1e-4 * np.random.default_rng(1).normal(size=(PLANTED, len(numbers)))
    frame.loc[N_TRAIN : N_TRAIN + PLANTED - 1, numbers] *= factors
    every = found(frame)
    monkeypatch.setattr(nearest_rows, "ALL_PAIRS", 0)
    binned = found(frame)
    assert (every.complete, binned.complete) == (True, False)
    assert ids(binned) == ids(every) == COPIES


def test_a_split_of_one_row_and_short_tables_are_looked_at() -> None:
    frame = table()[: N_TRAIN + 1]
    frame.iloc[-1] = frame.iloc[0].to_numpy()
    frame.loc[N_TRAIN, "city"] = str(frame["city"].iloc[N_TRAIN]).upper()
    between = found(frame, ["train"] * N_TRAIN + ["test"])
    assert between.n_same == 1
    assert between.expected_same == np.inf  # one row says nothing of chance
    assert find_near_rows(frame[:2], ["train", "test"]) is not None


def test_two_training_splits_are_not_held_against_each_other() -> None:
    rows = find_near_rows(table(), ["train"] * 100 + [""] * 200 + ["test"] * N_TEST)
    assert isinstance(rows, NearRows)
    assert [(item.left, item.right) for item in rows.between] == [("", "test"), ("train", "test")]


@pytest.mark.parametrize(
    ("frame", "splits", "reason"),
    [
        (table(), ["train"] * (N_TRAIN + N_TEST), "only one split"),
        (table()[["x0", "city"]], SPLITS, "2 columns tell rows apart"),
        (pd.DataFrame({"a": [1.0] * 4, "b": ["x"] * 4}), ["train"] * 2 + ["test"] * 2, "0 columns"),
    ],
)
def test_what_cannot_be_compared_is_skipped(frame: pd.DataFrame, splits: list[str], reason: str) -> None:
    outcome = find_near_rows(frame, splits)
    assert isinstance(outcome, Skipped)
    assert reason in outcome.reason


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="420 rows"):
        find_near_rows(table(), SPLITS[:-1])


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(7)), st.integers(0, 1000))
def test_the_order_of_columns_and_the_seed_change_nothing(order: list[int], seed: int) -> None:
    frame = with_copies(table())
    frame.loc[N_TRAIN : N_TRAIN + PLANTED - 1, "x0"] += 1e-4
    assert ids(found(frame.iloc[:, order], seed=seed)) == COPIES


# The gap


@given(st.lists(st.floats(0.3, 1), min_size=20, max_size=200), st.integers(1, 20))
def test_far_below_the_rest_is_below_the_gap(natural: list[float], n: int) -> None:
    gap = find_gap(np.array([*natural, *[1e-6] * n]))
    assert gap.n == n
    assert gap.threshold == pytest.approx(1e-6)
    assert gap.natural == pytest.approx(min(natural))


@pytest.mark.parametrize("exponent", [1, 2, 5, 20])
def test_a_power_law_has_no_gap(exponent: int) -> None:
    generator = np.random.default_rng(exponent)
    n_gaps = sum(find_gap(generator.random(300) ** (1 / exponent)).n > 0 for _ in range(200))
    assert n_gaps <= 4


def test_a_gap_of_nothing() -> None:
    assert find_gap(np.empty(0)).n == 0
    assert find_gap(np.array([np.inf, np.nan])).natural is None
