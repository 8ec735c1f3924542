from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from dataguard.splits.normalization import NormalizationVerdict, assess

pytestmark = pytest.mark.slow

Array = NDArray[np.floating]
Fit = Callable[[Array], Callable[[Array], Array]]


def scaler(make: Callable[[], Any]) -> Fit:
    return lambda rows: make().fit(rows).transform


def everywhere(rows: Array) -> Callable[[Array], Array]:
    mean, std = rows.mean(), rows.std()
    return lambda x: (x - mean) / std


def by_hand(rows: Array) -> Callable[[Array], Array]:
    mean, std = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    return lambda x: (x - mean) / np.where(std > 0, std, 1)


METHODS: dict[str, tuple[str, Fit]] = {
    "standard": ("standard", scaler(StandardScaler)),
    "ddof 1": ("standard", by_hand),
    "centre": ("centre", scaler(lambda: StandardScaler(with_std=False))),
    "scale": ("scale", scaler(lambda: StandardScaler(with_mean=False))),
    "min-max": ("min-max", scaler(MinMaxScaler)),
    "any range": ("min-max", scaler(lambda: MinMaxScaler((-3, 7)))),
    "max-abs": ("max-abs", scaler(MaxAbsScaler)),
    "robust": ("robust", scaler(RobustScaler)),
    "other quantiles": ("robust", scaler(lambda: RobustScaler(quantile_range=(10, 90)))),
    "whitening": ("whitening", scaler(lambda: PCA(whiten=True))),
    "rotation": ("rotation", scaler(PCA)),
    "everything": ("standard", everywhere),
}
FITTED: dict[str, tuple[str, ...] | None] = {
    "train": ("train",),
    "train + val": ("train", "val"),
    "all": ("train", "val", "test"),
    "itself": None,
}


def drawn(n: int = 600, d: int = 6, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    rows = rng.gamma(2, 3, (n, d)) + 0.5 * rng.gamma(2, 3, (n, 1))
    # Both signs, so that max-abs is no min-max.
    return np.asarray((rows - 6) * np.logspace(-2, 3, d))


def cut(rows: Array, seed: int = 0) -> dict[str, Array]:
    order = np.random.default_rng(seed).permutation(len(rows))
    first, second = int(0.6 * len(rows)), int(0.8 * len(rows))
    return {"train": rows[order[:first]], "val": rows[order[first:second]], "test": rows[order[second:]]}


def normalized(parts: dict[str, Array], fit: Fit, on: tuple[str, ...] | None) -> dict[str, Array]:
    if on is None:
        return {name: fit(rows)(rows).astype(rows.dtype) for name, rows in parts.items()}
    apply = fit(np.concatenate([parts[name] for name in on]))
    return {name: apply(rows).astype(rows.dtype) for name, rows in parts.items()}


def answer(verdict: NormalizationVerdict) -> tuple[str, ...] | str | None:
    """The union that is claimed; None for 'each by itself', and what is said otherwise."""
    if verdict.status != "identified" or verdict.origin not in ("splits", "itself"):
        return f"{verdict.status} {verdict.origin}"
    return None if verdict.origin == "itself" else verdict.fitted_on[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("on", FITTED)
@pytest.mark.parametrize("method", METHODS)
def test_data_and_method_are_recognized(method: str, on: str, dtype: type[np.floating]) -> None:
    name, fit = METHODS[method]
    parts = {split: rows.astype(dtype) for split, rows in cut(drawn()).items()}
    # Extremes in test and in validation, so that no two unions are the same map.
    beyond = 2 * np.abs(parts["train"]).max(axis=0)
    # Of every third column in one of the three.
    for index, split in enumerate(("train", "val", "test")):
        parts[split][0, index::3] = beyond[index::3]
    verdict = assess(normalized(parts, fit, FITTED[on]))
    assert answer(verdict) == FITTED[on]
    assert verdict.method == name
    assert verdict.scope == ("everything" if method == "everything" else "feature")
    if method == "ddof 1" and dtype is np.float64:
        assert verdict.ddof == 1
    if method == "standard" and dtype is np.float64:
        assert verdict.ddof == 0
    held_out = {"train": (), "train + val": ("val",), "all": ("val", "test"), "itself": ()}[on]
    assert verdict.leaks == held_out
    assert verdict.by_itself == (("val", "test") if on == "itself" else ())


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
@pytest.mark.parametrize("on", FITTED)
def test_real_sets_are_never_answered_wrong(name: str, on: str) -> None:
    rows = getattr(datasets, f"load_{name}")().data
    for seed, method in enumerate(METHODS):
        parts = cut(rows.astype(np.float32 if seed % 2 else np.float64), seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's on digits' constant columns
            verdict = assess(normalized(parts, METHODS[method][1], FITTED[on]))
        if verdict.status == "equivalent":
            assert verdict.method in ("min-max", "max-abs", "robust", "median")
            assert on == "itself" or FITTED[on] in verdict.fitted_on
        else:
            assert answer(verdict) == FITTED[on], method


@pytest.mark.slow
@given(
    n=st.integers(20, 300),
    d=st.integers(2, 8),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["standard", "centre", "min-max", "robust"]),
)
@settings(max_examples=60, deadline=None)
def test_a_clean_pipeline_never_leaks(n: int, d: int, seed: int, kind: str) -> None:
    verdict = assess(normalized(cut(drawn(n, d, seed), seed), METHODS[kind][1], ("train",)))
    assert verdict.leaks == ()
    assert verdict.by_itself == ()


@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-1e3, 1e3), factor=st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_the_raw_scale_of_the_columns_does_not_matter(seed: int, shift: float, factor: float) -> None:
    rows = drawn(200, 4, seed)
    fit = METHODS["standard"][1]
    for on in (("train",), ("train", "val", "test")):
        assert answer(assess(normalized(cut(rows * factor + shift), fit, on))) == on


def test_the_order_of_splits_and_rows_does_not_matter() -> None:
    z = normalized(cut(drawn()), METHODS["standard"][1], ("train", "val"))
    rng = np.random.default_rng(1)
    for names in itertools.permutations(z):
        verdict = assess({name: rng.permutation(z[name]) for name in names})
        assert answer(verdict) == ("train", "val")


def test_extremes_in_training_make_candidates_equivalent() -> None:
    parts = cut(drawn())
    parts["train"][0], parts["train"][1] = 1e6, -1e6
    verdict = assess(normalized(parts, METHODS["min-max"][1], ("train", "val", "test")))
    assert verdict.status == "equivalent"
    assert ("train",) in verdict.fitted_on
    assert ("train", "val", "test") in verdict.fitted_on
    assert verdict.leaks == ()
    assert "the same map" in verdict.sentence


def test_a_split_that_is_in_all_equivalent_candidates_leaks() -> None:
    parts = cut(drawn())
    # Test holds all extremes, so that validation changes nothing.
    parts["test"][0], parts["test"][1] = 1e6, -1e6
    verdict = assess(normalized(parts, METHODS["min-max"][1], ("train", "val", "test")))
    assert verdict.status == "equivalent"
    assert ("train",) not in verdict.fitted_on
    assert verdict.leaks == ("test",)
    assert verdict.worth is not None


def test_per_sample_scaling_is_no_leak() -> None:
    rows = drawn() / np.logspace(-2, 3, 6)
    for make, detail in (
        (Normalizer(), "L2 norm 1"),
        (Normalizer("l1"), "L1 norm 1"),
        (Normalizer("max"), "largest magnitude 1"),
    ):
        verdict = assess({name: make.transform(part) for name, part in cut(rows).items()})
        assert (verdict.origin, verdict.detail) == ("sample", detail)
        assert verdict.leaks == ()
    z = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    assert assess(cut(z)).detail == "mean 0 and standard deviation 1"


def test_statistics_from_outside_and_raw_numbers_are_told_apart() -> None:
    parts = cut(drawn())
    other = METHODS["standard"][1](drawn(seed=7))
    assert assess({name: other(rows) for name, rows in parts.items()}).origin == "outside"
    verdict = assess({name: rows + 1e4 for name, rows in parts.items()})
    assert verdict.origin == "raw"
    assert verdict.leaks == verdict.by_itself == ()


@pytest.mark.parametrize("on", [("train",), ("train", "val", "test")])
def test_rows_repeated_or_made_after_scaling_are_seen_through(on: tuple[str, ...]) -> None:
    z = normalized(cut(drawn()), METHODS["standard"][1], on)
    rng = np.random.default_rng(2)
    train = z["train"]
    one, other = rng.integers(0, len(train), (2, 150))
    verdict = assess({**z, "train": np.concatenate([train, train[one]])})
    assert answer(verdict) == on
    assert "repeated after scaling" in verdict.notes[-1]
    made = train[one] + rng.random((150, 1)) * (train[other] - train[one])
    verdict = assess({**z, "train": np.concatenate([train, made])})
    assert answer(verdict) == on
    assert "150 rows of 'train' after the first 360 were added" in verdict.notes[-1]
    # Shuffled, nothing is known of them; and nothing is claimed.
    verdict = assess({**z, "train": rng.permutation(np.concatenate([train, made]))})
    assert verdict.origin == "outside"


def test_clipped_values_leave_it_undecided_or_right() -> None:
    rows = drawn(2000)
    for on in (("train",), ("train", "val", "test")):
        z = normalized(cut(rows), METHODS["standard"][1], on)
        clipped = assess({name: np.clip(part, -3, 3) for name, part in z.items()})
        assert clipped.status == "undecided"
        assert "clipped" in clipped.reason
        # One column that was not reached decides again.
        partly = {name: np.column_stack([np.clip(part[:, :5], -3, 3), part[:, 5]]) for name, part in z.items()}
        assert answer(assess(partly)) == on


def test_bad_numbers_are_left_out_and_said() -> None:
    for on in (("train",), ("train", "val", "test")):
        z = normalized(cut(drawn()), METHODS["standard"][1], on)
        z["train"][5, 0], z["test"][3, 1] = np.nan, np.inf
        verdict = assess(z)
        assert answer(verdict) == on
        assert verdict.notes == ("1 values are NaN and left out", "1 values are infinite and left out")


def test_a_split_of_one_row() -> None:
    rows = drawn()
    fit = METHODS["standard"][1]
    clean = normalized({"train": rows[:599], "test": rows[599:]}, fit, ("train",))
    assert assess(clean).fitted_on == (("train",),)
    assert assess({**clean, "test": np.zeros((1, 6))}).by_itself == ("test",)
    leaky = normalized({"train": rows[:599], "test": rows[599:]}, fit, ("train", "test"))
    assert assess(leaky).leaks == ("test",)


def test_nothing_to_judge() -> None:
    verdict = assess({"train": np.ones((50, 3)), "test": np.ones((5, 3))})
    assert verdict.status == "undecided"
    assert "constant" in verdict.reason
    with pytest.raises(ValueError, match="no split has a sample"):
        assess({"train": np.empty((0, 3))})
    with pytest.raises(ValueError, match="different numbers of columns: 'train' 3, 'test' 2"):
        assess({"train": np.ones((5, 3)), "test": np.ones((5, 2))})
    with pytest.raises(ValueError, match="split 'train': expected numbers"):
        assess({"train": np.array([["a"]])})


def test_columns_of_other_kinds_beside_scaled_ones() -> None:
    rows = drawn()
    one_hot = np.eye(3)[np.random.default_rng(0).integers(0, 3, len(rows))]
    ages = np.random.default_rng(1).integers(18, 90, (len(rows), 1))
    for on in (("train",), ("train", "val", "test")):
        z = normalized(cut(rows), METHODS["standard"][1], on)
        beside = cut(np.hstack([one_hot, ages]))
        verdict = assess({name: np.hstack([z[name], beside[name]]) for name in z})
        assert answer(verdict) == on
        assert verdict.scaled.tolist() == [True] * 6 + [False] * 4


def test_equal_statistics_by_stratification_are_no_finding() -> None:
    # Each split holds the same shares of each row, so that all statistics are equal.
    kinds = np.array([[1.0, 0, 0, 2], [0, 1, 0, 5], [0, 0, 1, 7], [1, 1, 0, 4], [0, 0, 0, 1]])
    rows = np.tile(kinds, (60, 1))
    z = METHODS["standard"][1](rows[:200])(rows)
    verdict = assess({"train": z[:200], "test": z[200:]})
    assert verdict.status == "equivalent"
    assert verdict.by_itself == verdict.leaks == ()


def test_what_a_leak_is_worth_is_what_it_has_moved() -> None:
    parts = cut(drawn())
    z = normalized(parts, METHODS["standard"][1], ("train", "val", "test"))
    clean = normalized(parts, METHODS["standard"][1], ("train",))
    verdict = assess(z)
    assert verdict.worth is not None
    moved = max(float(np.abs(z[name] - clean[name]).max()) for name in ("val", "test"))
    assert verdict.worth.largest == pytest.approx(moved, rel=1e-6)
    split, column = verdict.worth.split, int(verdict.worth.column)
    assert float(np.abs(z[split] - clean[split])[:, column].max()) == pytest.approx(moved)


def test_eight_bit_pixels_over_a_constant_are_no_min_max_leak() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 250, (300, 20))
    # White only in the held-out part.
    pixels[250:253], pixels[:3] = 255, 0
    verdict = assess({"train": pixels[:250] / 255, "test": pixels[250:] / 255})
    assert verdict.leaks == ()
    assert "255 equal steps" in verdict.reason
