"""Tables with strong confounders, clean and with planted leaks, for `leakage.py`."""

# ruff: noqa: ARG005 - every plant is given the same four things, and uses what it needs
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dataguard.splits.samples import SplitSamples

Frame = pd.DataFrame


def table(
    rng: np.random.Generator, most: int = 1200, *, tests: bool = True
) -> tuple[Frame, NDArray[Any], bool, list[str] | None]:
    """A clean table, its label, whether that is a target, and its groups if there are any."""
    n = int(np.exp(rng.uniform(np.log(150), np.log(most))))
    n_groups = max(8, n // int(rng.integers(2, 20)))
    group = rng.integers(0, n_groups, n)
    grouped = rng.random() < 0.4
    shared = rng.normal(size=n_groups)[group] * (1.0 if grouped else 0.0)
    latent = rng.normal(size=n) + shared
    place = rng.integers(0, int(rng.integers(3, 60)), n)
    signal = latent * rng.uniform(0.5, 3) + rng.normal(size=60)[place] * rng.uniform(0, 1) + rng.normal(size=n)
    task = rng.choice(["binary", "skewed", "many", "target"])
    label: NDArray[Any]
    if task == "target":
        label = signal.round(3)
    else:
        shares = {"binary": [0.5], "skewed": [rng.uniform(0.01, 0.1)], "many": [0.3, 0.6]}[str(task)]
        cuts = np.quantile(signal, 1 - np.array(shares)[::-1])
        label = np.array([f"c{code}" for code in np.searchsorted(np.sort(cuts), signal)], dtype=object)
    dominant = signal + rng.uniform(0.2, 1) * rng.normal(size=n)
    frame = pd.DataFrame(
        {
            **{f"measure {k}": latent + rng.uniform(0.1, 1.0) * rng.normal(size=n) for k in range(rng.integers(1, 4))},
            "dominant": dominant,
            "place": [f"place {code}" for code in place],
            "device": rng.choice(["a", "b"], n),
            "age": rng.integers(18, 90, n),
            "case_id": rng.permutation(n) + 1000,
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "constant": 1.0,
            "note": [f"text {number}" for number in rng.integers(0, 10 * n, n)],
            **{f"noise {k}": rng.normal(size=n) for k in range(4)},
        }
    )
    if rng.random() < 0.5:
        # Heavy ties: one measure by letter and by number of its grade, and counts that are mostly 0.
        grade = np.digitize(dominant, np.quantile(dominant, [0.1, 0.3, 0.7, 0.9]))
        frame["grade"], frame["grade number"] = np.array(list("ABCDE"), dtype=object)[grade], grade
        frame["visits"] = rng.poisson(np.exp(latent / 2 - 2))
    if rng.random() < 0.5:
        # Two columns of one meaning, and an area code with a value for every few rows.
        frame["measure 0, inches"] = (frame["measure 0"] / 2.54).round(2)
        frame["area"] = [f"{code:05d}" for code in rng.zipf(1.3, n) % max(10, n // 3)]
    if tests and task != "target" and rng.random() < 0.5:
        # A strong test: AUC of 0.98 to 0.995, where nothing else need come near; and one that says yes or no.
        hit = indicator(label)
        frame["score"] = np.sqrt(2) * rng.uniform(2.05, 2.58) * hit + rng.normal(size=n)
        frame["quick test"] = np.where(rng.random(n) < 0.1, 1 - hit, hit).astype(int)
    # Missing for a reason: the sicker, the likelier a value was taken.
    taken = rng.random(n) < 1 / (1 + np.exp(-latent * rng.uniform(0, 2)))
    frame["lab value"] = np.where(taken, rng.normal(size=n), np.nan)
    if rng.random() < 0.5:
        # A block of columns that were not recorded at some places, nor in the first rows.
        gone = np.isin(place, rng.choice(60, 20, replace=False)) | (np.arange(n) < rng.integers(0, n // 4))
        frame.loc[gone, ["noise 0", "noise 1", "age"]] = np.nan
    frame["place rate"] = out_of_fold(rng, place, indicator(label), 5)
    copied = rng.random(n) < (0.05 if rng.random() < 0.5 else 0)
    rows = np.where(copied, rng.integers(0, n, n), np.arange(n))
    near = rng.random() < 0.3
    order = rows if rng.random() < 0.5 else rng.permutation(rows)
    if rng.random() < 0.3:
        order = order[np.argsort(signal[order], kind="stable")]
    names = [f"group {code}" for code in group[order]] if grouped else None
    frame = frame.iloc[order].reset_index(drop=True)
    if near:
        # Copies with a digit more or less.
        frame["noise 2"] += 1e-6 * rng.normal(size=n)
    return frame, label[order], task == "target", names


def indicator(label: NDArray[Any]) -> NDArray[np.float64]:
    """The target, or where the rarest class is."""
    if label.dtype.kind == "f":
        return np.asarray(label, dtype=np.float64)
    names, counts = np.unique(label.astype(str), return_counts=True)
    return np.asarray(label.astype(str) == names[counts.argmin()], dtype=np.float64)


def out_of_fold(
    rng: np.random.Generator, code: NDArray[np.int64], y: NDArray[np.float64], folds: int
) -> NDArray[np.float64]:
    """An honest target encoding."""
    fold, made = rng.integers(0, folds, len(y)), np.empty(len(y))
    for number in range(folds):
        made[fold == number] = encoded(code, y, fold != number, 0.0)[fold == number]
    return made


def encoded(
    code: NDArray[np.int64], y: NDArray[np.float64], fitted: NDArray[np.bool_], m: float
) -> NDArray[np.float64]:
    """Means of categories, with additive smoothing."""
    size = int(code.max()) + 1
    counts, sums = np.bincount(code[fitted], minlength=size), np.bincount(code[fitted], y[fitted], size)
    prior = float(y[fitted].mean())
    return np.asarray(np.where(counts > 0, (sums + m * prior) / np.maximum(counts + m, 1e-9), prior)[code])


def samples_of(
    rng: np.random.Generator, frame: Frame, label: NDArray[Any], is_target: bool, groups: list[str] | None
) -> SplitSamples:
    """The table in three splits, drawn at random, or without."""
    n = len(frame)
    names = rng.choice(["train", "val", "test"], n, p=[0.6, 0.2, 0.2]) if rng.random() < 0.8 else np.full(n, "")
    numbers = frame.select_dtypes("number").fillna(0.0)
    return SplitSamples(
        sample_ids=tuple(map(str, range(n))),
        splits=tuple(map(str, names)),
        positions=np.arange(n),
        n_total=n,
        kind="table",
        paths=(None,) * n,
        contents=tuple(map(str, pd.util.hash_pandas_object(frame, index=False))),
        labels=None if is_target else label,
        targets=label.astype(np.float64) if is_target else None,
        groups=() if groups is None else tuple(groups),
        features=numbers.to_numpy(dtype=np.float32),
        feature_names=tuple(numbers.columns),
        columns=frame,
        feature_columns=tuple(frame.columns),
    )


Plant = Callable[[np.random.Generator, Frame, NDArray[Any], SplitSamples], NDArray[Any] | None]


def _of_classes(function: Plant) -> Plant:
    return lambda rng, frame, label, samples: (
        None if samples.targets is not None else function(rng, frame, label, samples)
    )


def _of_target(function: Plant) -> Plant:
    return lambda rng, frame, label, samples: None if samples.targets is None else function(rng, frame, label, samples)


def _codes(label: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(label.astype(str), return_inverse=True)[1].astype(np.int64)


def _places(frame: Frame) -> NDArray[np.int64]:
    return np.unique(frame["place"].astype(str), return_inverse=True)[1].astype(np.int64)


def _left_out(frame: Frame, label: NDArray[Any]) -> NDArray[Any]:
    code, y = _places(frame), indicator(label)
    counts, sums = np.bincount(code), np.bincount(code, y)
    return np.asarray(np.where(counts[code] > 1, (sums[code] - y) / np.maximum(counts[code] - 1, 1), y.mean()))


def _with_prior(code: NDArray[np.int64], y: NDArray[np.float64], m: float, prior: float) -> NDArray[np.float64]:
    return np.asarray(((np.bincount(code, y) + m * prior) / (np.bincount(code) + m))[code])


PLANTS: dict[str, Plant] = {
    "other name": _of_classes(lambda rng, f, y, s: np.array(["x", "y", "z"], dtype=object)[_codes(y)]),
    "names the class": _of_classes(
        lambda rng, f, y, s: np.array([f"{code}-{rng.integers(0, 5)}" for code in _codes(y)], dtype=object)
    ),
    "noisy copy, sd 0.1": _of_classes(lambda rng, f, y, s: _codes(y) + 0.1 * rng.normal(size=len(y))),
    "1 % wrong copy": _of_classes(
        lambda rng, f, y, s: np.where(rng.random(len(y)) < 0.01, rng.permutation(_codes(y)), _codes(y)).astype(float)
    ),
    "5 % wrong copy": _of_classes(
        lambda rng, f, y, s: np.where(rng.random(len(y)) < 0.05, rng.permutation(_codes(y)), _codes(y)).astype(float)
    ),
    "missing but for a class": _of_classes(
        lambda rng, f, y, s: np.where(indicator(y) == 1, rng.normal(size=len(y)), np.nan)
    ),
    "there for half of a class": _of_classes(
        lambda rng, f, y, s: np.where((indicator(y) == 1) & (rng.random(len(y)) < 0.5), 1.0, np.nan)
    ),
    "value of half of a class": _of_classes(
        lambda rng, f, y, s: np.where(
            (indicator(y) == 1) & (rng.random(len(y)) < 0.5), "closed", rng.choice(list("abcd"), len(y))
        )
    ),
    "0 for half of a class": _of_classes(
        lambda rng, f, y, s: np.where((indicator(y) == 1) & (rng.random(len(y)) < 0.5), 0.0, rng.normal(size=len(y)))
    ),
    "other units": _of_target(lambda rng, f, y, s: np.round(1.8 * y.astype(float) + 32, 2)),
    "monotone": _of_target(lambda rng, f, y, s: np.exp(y.astype(float) / 4)),
    "target and 1 % noise": _of_target(
        lambda rng, f, y, s: y.astype(float) + 0.01 * float(np.std(y.astype(float))) * rng.normal(size=len(y))
    ),
    "encoding, all rows": lambda rng, f, y, s: encoded(_places(f), indicator(y), np.ones(len(y), dtype=np.bool_), 0),
    "encoding, all rows, m = 10": lambda rng, f, y, s: encoded(
        _places(f), indicator(y), np.ones(len(y), dtype=np.bool_), 10
    ),
    "encoding, training rows": lambda rng, f, y, s: encoded(_places(f), indicator(y), s.in_training, 0),
    "encoding, all rows, 3 digits": lambda rng, f, y, s: encoded(
        _places(f), indicator(y), np.ones(len(y), dtype=np.bool_), 0
    ).round(3),
    "encoding, training, any m": lambda rng, f, y, s: encoded(
        _places(f), indicator(y), s.in_training, float(rng.uniform(1, 50))
    ),
    "encoding, m = 10, prior 0.5": lambda rng, f, y, s: _with_prior(_places(f), indicator(y), 10.0, 0.5),
    "encoding, leave-one-out": lambda rng, f, y, s: _left_out(f, y),
}
