"""What DG309, DG311 and DG312 say of tables with strong confounders: false alarms, and power for planted leaks.

    python benchmarks/leakage.py [clean] [columns] [drift] [facts] [worth] [--draws 1000]

clean: DG311 and DG312 on tables without a leak that have all that may pass for one: a strong latent factor measured by
several columns, one dominant column, groups of samples, categories that matter, honest out-of-fold encodings, values
that are missing for a reason, ids in no order, copied rows, dates, constants, text, and classes of up to 99:1.
columns: leaks of every kind planted in the same tables, one a table. drift: equal splits, drawn by rows and by groups,
with copies; and shifted ones. facts: containers of images that do and do not tell the class, and tables in order.
worth: how often the interval of a column that is noise covers no difference, and how often one that leaks is a gain.

A false alarm is a finding of warning or above. One number is the share of draws.

Measured, one thread: clean, 850 tables: no warning of DG311 or DG312, four info of DG311 (0.3 s a table). facts, 20
draws a kind: the same container and the sorted folder 0.00, every planted fact 1.00. drift, 30 draws a kind: equal
splits 0.00, 0.03, 0.00, 0.03; a shift of 0.1, 0.5 and 1 of one column 0.00, 0.63 and 1.00 (info and above 0.03, 0.73
and 1.00). columns, about 8 tables a kind, 150 to 1,200 rows: other name, names the class, missing but for a class,
other units, monotone, target and 1 % noise, leave-one-out 1.00; noisy copy 0.89; encoding of all rows 0.80, smoothed
0.30, of the training rows 0.60; a copy with 1 % wrong 0.38, with 5 % wrong 0.13; there for half of a class 0.22. None
blamed another column.
"""

# ruff: noqa: ARG005 - every plant is given the same four things, and uses what it needs
from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dataguard.core.finding import Finding, Outcome, Severity
from dataguard.rules.splits import dg309_split_drift, dg311_label_leak_column, dg312_index_or_order_leak
from dataguard.splits.metadata import FileFacts
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth import NoWorth, Worth, worth_of_columns

Frame = pd.DataFrame
DRIFT = dg309_split_drift.split_drift
COLUMNS = dg311_label_leak_column.label_leak_column
FACTS = dg312_index_or_order_leak.index_or_order_leak


def table(rng: np.random.Generator) -> tuple[Frame, NDArray[Any], bool, list[str] | None]:
    """A clean table, its label, whether that is a target, and its groups if there are any."""
    n = int(np.exp(rng.uniform(np.log(150), np.log(1200))))
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
    frame = pd.DataFrame(
        {
            **{f"measure {k}": latent + rng.uniform(0.1, 1.0) * rng.normal(size=n) for k in range(rng.integers(1, 4))},
            "dominant": signal + rng.uniform(0.2, 1) * rng.normal(size=n),
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
    # Missing for a reason: the sicker, the likelier a value was taken.
    taken = rng.random(n) < 1 / (1 + np.exp(-latent * rng.uniform(0, 2)))
    frame["lab value"] = np.where(taken, rng.normal(size=n), np.nan)
    frame["place rate"] = out_of_fold(rng, place, indicator(label), 5)
    copied = rng.random(n) < (0.05 if rng.random() < 0.5 else 0)
    rows = np.where(copied, rng.integers(0, n, n), np.arange(n))
    order = rows if rng.random() < 0.5 else rng.permutation(rows)
    names = [f"group {code}" for code in group[order]] if grouped else None
    return frame.iloc[order].reset_index(drop=True), label[order], task == "target", names


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


def loud(outcomes: list[Outcome], least: Severity = Severity.WARNING) -> list[Finding]:
    """Findings that are a warning or worse."""
    return [item for item in outcomes if isinstance(item, Finding) and item.severity >= least]


def clean(draws: int) -> None:
    """False alarms of DG311 and DG312."""
    counts: dict[str, int] = defaultdict(int)
    started = time.monotonic()
    for draw in range(draws):
        rng = np.random.default_rng([1, draw])
        samples = samples_of(rng, *table(rng))
        for rule in (COLUMNS, FACTS):
            found = COLUMNS(samples) if rule is COLUMNS else FACTS(samples, None)
            for least in (Severity.WARNING, Severity.INFO):
                alarms = loud(found, least)
                counts[f"{rule.code} {least.word}"] += bool(alarms)
                if alarms and least is Severity.WARNING:
                    print(f"  draw {draw}: {alarms[0].message}")
        if (draw + 1) % 50 == 0:
            print(f"  {draw + 1} tables: {dict(counts)}", flush=True)
    print(f"clean: {draws} tables, {time.monotonic() - started:.0f} s")
    for rule in (COLUMNS, FACTS):
        for least in (Severity.WARNING, Severity.INFO):
            print(f"  {rule.code} {least.word} or above: {counts[f'{rule.code} {least.word}'] / draws:.4f}")


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
    "encoding, leave-one-out": lambda rng, f, y, s: _left_out(f, y),
}


def columns(draws: int) -> None:
    """Power of DG311: the share of tables in which the planted column is found, at any severity and as a warning."""
    hits: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    names = list(PLANTS)
    for draw in range(draws):
        rng = np.random.default_rng([2, draw])
        frame, label, is_target, groups = table(rng)
        samples = samples_of(rng, frame, label, is_target, groups)
        name = names[draw % len(names)]
        values = PLANTS[name](rng, frame, label, samples)
        if values is None:
            continue
        planted = frame.assign(planted=values)
        numbered = samples_of(np.random.default_rng([3, draw]), planted, label, is_target, groups)
        samples = SplitSamples(
            **{
                **{item: getattr(numbered, item) for item in SplitSamples.__slots__},
                "splits": samples.splits,
            }
        )
        outcomes = COLUMNS(samples)
        found = [
            item
            for item in outcomes
            if isinstance(item, Finding) and any(place.column == "planted" for place in item.locations)
        ]
        others = loud([item for item in outcomes if item not in found])
        hits[name].append((bool(found), bool(loud(list(found))), bool(others)))
    print("columns: planted, draws, found, found as a warning or error, another column blamed")
    for name in names:
        if hits[name]:
            shares = np.mean(hits[name], axis=0)
            print(f"  {name:28} {len(hits[name]):4} {shares[0]:.3f} {shares[1]:.3f} {shares[2]:.3f}")


def drift(draws: int) -> None:
    """False alarms and power of DG309."""
    kinds = {
        "equal, by rows": (0.0, "rows"),
        "equal, copies": (0.0, "copies"),
        "equal, rows of groups": (0.0, "grouped rows"),
        "equal, whole groups": (0.0, "groups"),
        "shift 0.1 of 1 column": (0.1, "rows"),
        "shift 0.5 of 1 column": (0.5, "rows"),
        "shift 1.0 of 1 column": (1.0, "rows"),
    }
    hits: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for draw in range(draws):
        rng = np.random.default_rng([4, draw])
        kind = list(kinds)[draw % len(kinds)]
        shift, form = kinds[kind]
        n = int(np.exp(rng.uniform(np.log(150), np.log(1500))))
        n_groups = max(30, n // int(rng.integers(2, 10)))
        group = rng.integers(0, n_groups, n)
        x = rng.normal(size=(n, 6))
        if form == "copies":
            x = x[group]
        elif form in ("grouped rows", "groups"):
            x = 0.7 * x + rng.normal(size=(n_groups, 6))[group]
        test = (rng.random(n_groups) < 0.35)[group] if form == "groups" else rng.random(n) < 0.3
        x[test, 0] += shift
        frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(6)])
        frame["kind"] = np.array(["a", "b", "c"], dtype=object)[(x[:, 1] > 0).astype(int) + (x[:, 2] > 1)]
        frame.loc[rng.random(n) < 0.1, "x3"] = np.nan
        samples = SplitSamples(
            sample_ids=tuple(map(str, range(n))),
            splits=tuple(np.where(test, "test", "train").tolist()),
            positions=np.arange(n),
            n_total=n,
            kind="table",
            paths=(None,) * n,
            contents=tuple(map(str, group)) if form == "copies" else (None,) * n,
            groups=tuple(map(str, group)) if form in ("grouped rows", "groups") else (),
            columns=frame,
            feature_columns=tuple(frame.columns),
        )
        found = DRIFT(samples)
        hits[kind].append((bool(loud(found, Severity.INFO)), bool(loud(found))))
    print("drift: splits, draws, info or above, warning or above")
    for kind in kinds:
        if hits[kind]:
            shares = np.mean(hits[kind], axis=0)
            print(f"  {kind:24} {len(hits[kind]):4} {shares[0]:.3f} {shares[1]:.3f}")


def facts(draws: int) -> None:
    """False alarms and power of DG312: containers of images, and tables in order."""
    hits: dict[str, list[bool]] = defaultdict(list)
    kinds = ("same container", "sorted folder", "quality 10 apart", "mode of half a class", "size of a class", "index")
    for draw in range(draws):
        rng = np.random.default_rng([5, draw])
        kind = kinds[draw % len(kinds)]
        n, k = int(rng.integers(100, 800)), int(rng.integers(2, 8))
        codes = np.sort(rng.integers(0, k, n))
        label = np.array([f"c{code}" for code in codes], dtype=object)
        quality = rng.choice([75.0, 85, 90, 95], n)
        mode = rng.choice(["RGB", "L"], n, p=[0.95, 0.05])
        width = rng.choice([640.0, 800, 1024], n)
        if kind == "quality 10 apart":
            quality = np.where(codes == 0, 75.0, 85.0) + rng.integers(-2, 3, n)
        if kind == "mode of half a class":
            mode = np.where((codes == 0) & (rng.random(n) < 0.5), "L", "RGB")
        if kind == "size of a class":
            width = np.where(codes == 0, 640.0, 800.0)
        frame = pd.DataFrame({"Unnamed: 0": np.arange(n), "x": rng.normal(size=n)}) if kind == "index" else None
        samples = SplitSamples(
            sample_ids=tuple(map(str, range(n))),
            splits=tuple(rng.choice(["train", "test"], n, p=[0.7, 0.3]).tolist()),
            positions=np.arange(n),
            n_total=n,
            kind="image" if frame is None else "table",
            paths=tuple(f"{name}/{row:05d}.jpg" for row, name in enumerate(label)) if frame is None else (None,) * n,
            contents=(None,) * n,
            labels=label,
            columns=frame,
            feature_columns=() if frame is None else tuple(frame.columns),
            facts=None if frame is not None else {"width": width, "height": np.full(n, 480.0)},
        )
        files = None
        if frame is None:
            times = np.arange(n) + rng.random(n) if kind == "sorted folder" else rng.random(n) * 1e6
            files = FileFacts(
                rows=np.arange(n),
                numbers={"JPEG quality": quality, "file time": times},
                names={"color mode": tuple(mode.tolist())},
                n_files=n,
            )
        hits[kind].append(bool(loud(FACTS(samples, files), Severity.INFO)))
    print("facts: what was done, draws, info or above")
    for kind in kinds:
        if hits[kind]:
            print(f"  {kind:22} {len(hits[kind]):4} {np.mean(hits[kind]):.3f}")


def worth(draws: int) -> None:
    """Coverage of the interval of a column that is noise, and power for one that is a noisy copy."""
    covered, gained, measured = 0, 0, 0
    for draw in range(draws):
        rng = np.random.default_rng([6, draw])
        n = int(rng.integers(200, 800))
        x = rng.normal(size=(n, 6)).astype(np.float32)
        y = (x[:, 0] + rng.normal(size=n) > 0).astype(int)
        x[:, 5] = y + rng.normal(size=n)
        train = rng.random(n) < 0.7
        noise = worth_of_columns(x, y, [4], subject="noise", train=train, evaluation=~train, seed=draw)
        copy = worth_of_columns(x, y, [5], subject="a copy", train=train, evaluation=~train, seed=draw)
        if isinstance(noise, Worth) and isinstance(copy, Worth):
            covered += noise.low <= 0 <= noise.high
            gained += copy.is_gain
            measured += 1
    print(
        f"worth: {measured} tables, noise covered by 95 % {covered / measured:.3f}, copy a gain {gained / measured:.3f}"
    )


def without_worth() -> None:
    """The rules' findings without what they are worth, which takes most of the time and decides nothing."""
    dg311_label_leak_column._WORTHS = 0
    dg312_index_or_order_leak._WORTHS = 0
    nothing = NoWorth(subject="it", reason="not asked for")
    dg309_split_drift._worth = lambda *_: nothing


def main() -> None:
    """Run what is named, or all."""
    parts = {"clean": clean, "columns": columns, "drift": drift, "facts": facts, "worth": worth}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=list(parts))
    parser.add_argument("--draws", type=int, default=1000)
    arguments = parser.parse_args()
    without_worth()
    for name in arguments.parts or parts:
        parts[name](arguments.draws)


if __name__ == "__main__":
    main()
