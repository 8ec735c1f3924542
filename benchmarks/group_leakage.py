"""False alarms and power of DG303, group-leakage, and DG304, temporal-leakage, in tables with strong confounders.

Run ``python benchmarks/group_leakage.py [--draws N] [--seconds S] [--only PART] [--kinds NAME ...] [--seed SEED]``.
Every draw is a new table of 200 to 1,500 rows, 2 to 16 columns, 2 to 5 classes or a regression target, with a random
split. Clean tables are sorted, drift, and have columns of counters, ages and ids that mean nothing; leaks are planted
in tables of the same kind.

Measured with seeds that played no part in the making of the detectors; bounds are exact, one-sided, at 95 %:

* DG303, seed 771: of 1,000 clean tables 1 warned and 1 more reported (at most 0.63 %; the tests' level is 1 %).
  Planted: tests positive in 250 of 250 (at least 98.8 %), twice the chance in 245.
* DG304, seeds 5519 and 6008: 0 of 784 tables reported in which time does not matter (250), a column drifts that has
  nothing to do with the label (34), training is the past (250), or columns of ranks hold one another's values (250): at
  most 0.38 %. The permutation tests alone were positive in 2 of 250 exchangeable ones.
* DG304, seeds 5519, 6007 and 6008: of planted ones 8 of 8 random walks, 73 of 73 turning concepts (at least 96.0 %) and
  27 of 27 tables of windows reported.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dataguard.core.finding import Finding, Observation, Severity
from dataguard.core.rule import Rule
from dataguard.labels.features import table_features
from dataguard.rules.splits.dg303_group_leakage import STRIKING, group_leakage
from dataguard.rules.splits.dg304_temporal_leakage import temporal_leakage
from dataguard.splits.proposals import propose
from dataguard.splits.samples import SplitSamples

Draw = Callable[[np.random.Generator], SplitSamples]


def samples_of(
    frame: pd.DataFrame,
    label: NDArray[Any],
    rng: np.random.Generator,
    *,
    times: NDArray[np.datetime64] | None = None,
    groups: Sequence[str] = (),
    names: Sequence[str] | None = None,
    splits: NDArray[Any] | None = None,
) -> SplitSamples:
    """The samples as a run would make them of a table, or of files with names and features."""
    n = len(frame)
    if splits is None:
        splits = np.where(rng.random(n) < 0.75, "train", "test")
    made = table_features(frame)
    regression = label.dtype.kind == "f"
    return SplitSamples(
        sample_ids=tuple(names) if names is not None else tuple(map(str, range(n))),
        splits=tuple(splits.tolist()),
        positions=np.arange(n),
        n_total=n,
        kind="table" if names is None else "image",
        paths=(None,) * n if names is None else tuple(names),
        contents=(None,) * n,
        labels=None if regression else label.astype(str).astype(object),
        targets=label.astype(np.float64) if regression else None,
        groups=tuple(groups),
        times=times,
        features=made.values,
        feature_names=made.names if names is None else (),
        columns=None if names is not None else frame,
        feature_columns=() if names is not None else tuple(map(str, frame.columns)),
    )


def table(rng: np.random.Generator, n: int | None = None) -> tuple[pd.DataFrame, NDArray[Any], NDArray[np.float64]]:
    """A table in which everything is exchangeable: columns, label, and the score that the label comes of."""
    n = n or int(np.exp(rng.uniform(np.log(200), np.log(1500))))
    d = int(rng.integers(2, 17))
    mixing = rng.normal(size=(d, d)) * rng.choice([0.0, 0.4]) + np.eye(d)
    x = rng.normal(size=(n, d)) @ mixing
    if rng.random() < 0.3:
        x[:, 0] = np.exp(x[:, 0])
    if rng.random() < 0.3:
        x[:, -1] = np.round(x[:, -1])
    score = x @ rng.normal(size=d) / np.sqrt(d) + rng.choice([0.3, 1.0, 3.0]) * rng.normal(size=n)
    label: NDArray[Any] = score
    if rng.random() < 0.75:
        k = int(rng.integers(2, 6))
        label = np.searchsorted(np.quantile(score, np.linspace(0, 1, k + 1)[1:-1]), score)
    frame = pd.DataFrame(x, columns=[f"x{at}" for at in range(d)])
    return frame, label, score


def with_noise_columns(frame: pd.DataFrame, label: NDArray[Any], rng: np.random.Generator) -> pd.DataFrame:
    """Columns that look like ids: random ones, an age and a count that go with others, one that goes with the label."""
    n = len(frame)
    first = frame["x0"].to_numpy()
    frame = frame.copy()
    frame["user_id"] = [f"u{number:05d}" for number in rng.integers(0, max(4, n // 6), n)]
    frame["age"] = np.clip(np.round(45 + 12 * first / first.std() + 4 * rng.normal(size=n)), 18, 90).astype(int)
    frame["count"] = rng.poisson(np.exp(np.clip(frame["x1"].to_numpy() / frame["x1"].std(), -2, 2)) * 20)
    frame["code"] = (100 * pd.factorize(label, sort=True)[0] / n * 5).astype(int) + rng.integers(0, 40, n)
    frame["zip"] = 10000 + rng.integers(0, max(5, n // 10), n)
    return frame


def reordered(frame: pd.DataFrame, label: NDArray[Any], order: NDArray[Any]) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Rows in another order."""
    return frame.iloc[order].reset_index(drop=True), label[order]


# Clean tables


def iid(rng: np.random.Generator) -> SplitSamples:
    """Random order."""
    frame, label, _ = table(rng)
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def sorted_by_label(rng: np.random.Generator) -> SplitSamples:
    """Sorted by the label."""
    frame, label, _ = table(rng)
    frame, label = reordered(with_noise_columns(frame, label, rng), label, np.argsort(label, kind="stable"))
    return samples_of(frame, label, rng)


def sorted_by_column(rng: np.random.Generator) -> SplitSamples:
    """Sorted by a feature, which others go with."""
    frame, label, _ = table(rng)
    frame["x1"] = frame["x1"] + 2 * frame["x0"] * rng.choice([-1, 1])
    frame, label = reordered(frame, label, np.argsort(frame["x0"].to_numpy(), kind="stable"))
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def sorted_by_two(rng: np.random.Generator) -> SplitSamples:
    """Sorted by a category, and within it by a feature."""
    frame, label, _ = table(rng)
    frame["city"] = rng.choice(list("abcdefgh"), len(frame))
    frame, label = reordered(frame, label, np.lexsort((frame["x0"], frame["city"])))
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def sorted_by_label_and_column(rng: np.random.Generator) -> SplitSamples:
    """Sorted by the label, and within it by a feature."""
    frame, label, _ = table(rng)
    frame, label = reordered(frame, label, np.lexsort((frame["x0"], label)))
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def sorted_by_unseen(rng: np.random.Generator) -> SplitSamples:
    """Sorted by a column that is not in the table and that features go with."""
    frame, label, _ = table(rng)
    hidden = frame["x0"].to_numpy() / frame["x0"].std() + rng.choice([0.2, 0.5]) * rng.normal(size=len(frame))
    frame, label = reordered(frame, label, np.argsort(hidden))
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def drift(rng: np.random.Generator) -> SplitSamples:
    """Means drift over the file, along a line or through one period of a sine; so does the noise."""
    frame, label, _ = table(rng)
    at = np.linspace(0, 1, len(frame))
    curve = at if rng.random() < 0.5 else np.sin(2 * np.pi * at)
    frame = frame + 2 * curve[:, None] * rng.normal(size=frame.shape[1])
    frame["x0"] = frame["x0"] * (1 + 2 * at)
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def enrolment(rng: np.random.Generator) -> SplitSamples:
    """Ids are given in the order of time, and everything drifts in time."""
    frame, label, _ = table(rng)
    at = np.linspace(0, 1, len(frame))
    frame = frame + 2 * at[:, None] * rng.normal(size=frame.shape[1])
    frame = with_noise_columns(frame, label, rng)
    frame["order_id"] = 1000 + np.arange(len(frame)) // 5
    return samples_of(frame, label, rng)


def categorical(rng: np.random.Generator) -> SplitSamples:
    """Few columns of few values: most rows have equals."""
    frame, label, _ = table(rng)
    frame = pd.DataFrame({name: np.round(frame[name]).clip(-1, 1) for name in frame.columns[:4]})
    frame, label = reordered(frame, label, np.lexsort([frame[name] for name in frame.columns]))
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def numbered_files(rng: np.random.Generator) -> SplitSamples:
    """Files with numbers, a date and a batch of ten that mean nothing; sorted by class, as folders are."""
    frame, label, _ = table(rng)
    label = pd.factorize(label > np.median(label))[0] if label.dtype.kind == "f" else label
    frame, label = reordered(frame, label, np.argsort(label, kind="stable"))
    splits = np.where(rng.random(len(frame)) < 0.75, "train", "test")
    names = [
        f"{split}/class{k}/batch{at // 10 % 7}_2024-{at % 12 + 1:02d}-{at % 28 + 1:02d}_{at:05d}.png"
        for at, (split, k) in enumerate(zip(splits, label, strict=True))
    ]
    return samples_of(frame, label, rng, names=names, splits=splits)


CLEAN: dict[str, Draw] = {
    item.__name__: item
    for item in (
        iid,
        sorted_by_label,
        sorted_by_column,
        sorted_by_two,
        sorted_by_label_and_column,
        sorted_by_unseen,
        drift,
        enrolment,
        categorical,
        numbered_files,
    )
}

# Planted groups


def grouped(
    rng: np.random.Generator, *, per_group: int, one_class: bool
) -> tuple[pd.DataFrame, NDArray[Any], NDArray[np.intp]]:
    """Entities that differ as much as samples of one do, each with labels of its own or one label."""
    n = int(rng.integers(400, 1200))
    n_groups = n // per_group
    group = np.sort(rng.integers(0, n_groups, n))
    d = int(rng.integers(4, 17))
    x = rng.normal(size=(n_groups, d))[group] + rng.normal(size=(n, d))
    own = rng.normal(size=n_groups)[group]
    score = 0.5 * x[:, 0] + own + (0.0 if one_class else 0.5) * rng.normal(size=n)
    if one_class:
        score = (rng.normal(size=(n_groups, 1)) + 0.5 * rng.normal(size=(n_groups, 1)))[group, 0]
    label = (score > np.median(score)).astype(int)
    return pd.DataFrame(x, columns=[f"x{at}" for at in range(d)]), label, group


def column_of_groups(rng: np.random.Generator) -> SplitSamples:
    """A column of ids among others that mean nothing; rows in random order."""
    frame, label, group = grouped(rng, per_group=8, one_class=bool(rng.integers(2)))
    frame = with_noise_columns(frame, label, rng)
    frame["source"] = rng.permutation(100_000)[: group.max() + 1][group]
    frame, label = reordered(frame, label, rng.permutation(len(frame)))
    return samples_of(frame, label, rng)


def files_of_groups(rng: np.random.Generator) -> SplitSamples:
    """patient_012_slice_03.png, in folders of split and class."""
    frame, label, group = grouped(rng, per_group=8, one_class=bool(rng.integers(2)))
    splits = np.where(rng.random(len(frame)) < 0.75, "train", "test")
    names = [
        f"{split}/class{k}/patient_{g:03d}_slice_{at % 9:02d}_{at}.png"
        for at, (split, k, g) in enumerate(zip(splits, label, group, strict=True))
    ]
    order = np.argsort(names)
    frame, label = reordered(frame, label, order)
    return samples_of(frame, label, rng, names=[names[at] for at in order], splits=splits[order])


def order_of_groups(rng: np.random.Generator) -> SplitSamples:
    """No id, but groups of 15 lie together in the file."""
    frame, label, _ = grouped(rng, per_group=15, one_class=False)
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


def order_of_groups_by_class(rng: np.random.Generator) -> SplitSamples:
    """The same, and the file is sorted by class."""
    frame, label, _ = grouped(rng, per_group=15, one_class=False)
    frame, label = reordered(frame, label, np.argsort(label, kind="stable"))
    return samples_of(frame, label, rng)


def order_with_drift(rng: np.random.Generator) -> SplitSamples:
    """Groups of 15 in the order of the file, with drift on top."""
    frame, label, _ = grouped(rng, per_group=15, one_class=False)
    frame = frame + 2 * np.linspace(0, 1, len(frame))[:, None] * rng.normal(size=frame.shape[1])
    return samples_of(with_noise_columns(frame, label, rng), label, rng)


GROUPED: dict[str, Draw] = {
    item.__name__: item
    for item in (
        column_of_groups,
        files_of_groups,
        order_of_groups,
        order_of_groups_by_class,
        order_with_drift,
    )
}

# Times


def moments(n: int, rng: np.random.Generator) -> NDArray[np.datetime64]:
    """Random moments of a year, ascending."""
    start = np.datetime64("2024-01-01", "us")
    return start + np.sort(rng.integers(0, 365 * 86_400, n)) * np.timedelta64(1_000_000, "us")


def timeless(rng: np.random.Generator) -> SplitSamples:
    """Time does not matter."""
    frame, label, _ = table(rng)
    return samples_of(frame, label, rng, times=moments(len(frame), rng))


def drifting_features(rng: np.random.Generator) -> SplitSamples:
    """A column drifts that has nothing to do with the label."""
    frame, label, _ = table(rng)
    frame["temperature"] = np.linspace(0, 3, len(frame)) + rng.normal(size=len(frame))
    return samples_of(frame, label, rng, times=moments(len(frame), rng))


def in_order(rng: np.random.Generator) -> SplitSamples:
    """Everything drifts, and training is the past."""
    frame, label, _ = table(rng)
    frame = frame + 3 * np.linspace(0, 1, len(frame))[:, None]
    splits = np.where(np.arange(len(frame)) < 0.75 * len(frame), "train", "test")
    return samples_of(frame, label, rng, times=moments(len(frame), rng), splits=splits)


def ranks(rng: np.random.Generator) -> SplitSamples:
    """Columns of ranks, which hold one another's values, copies and rounded prices."""
    frame, label, _ = table(rng)
    n = len(frame)
    frame["rank"], frame["other"] = rng.permutation(n), rng.permutation(n)
    frame["copy"] = frame["x0"]
    frame["price"], frame["cost"] = np.round(rng.uniform(1, 900, n), 2), np.round(rng.uniform(1, 900, n), 2)
    return samples_of(frame, label, rng, times=moments(n, rng))


TIMELESS: dict[str, Draw] = {item.__name__: item for item in (timeless, drifting_features, in_order, ranks)}


def random_walk(rng: np.random.Generator) -> SplitSamples:
    """Regression of a level that wanders; features tell when."""
    n = int(rng.integers(400, 1200))
    state = np.cumsum(rng.normal(size=(n, 3)), axis=0)
    frame = pd.DataFrame(state + rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    level = np.cumsum(rng.normal(size=n))
    return samples_of(frame, level, rng, times=moments(n, rng))


def changing_concept(rng: np.random.Generator) -> SplitSamples:
    """What the label comes of turns by half a circle over the year; a column tells the time, roughly."""
    n = int(rng.integers(800, 1500))
    x = rng.normal(size=(n, 4))
    angle = np.linspace(0, np.pi, n)
    score = np.cos(angle) * x[:, 0] + np.sin(angle) * x[:, 1] + 0.3 * rng.normal(size=n)
    frame = pd.DataFrame(x, columns=list("abcd")).assign(wear=np.linspace(0, 10, n) + 0.3 * rng.normal(size=n))
    return samples_of(frame, (score > 0).astype(int), rng, times=moments(n, rng))


def sliding_windows(rng: np.random.Generator) -> SplitSamples:
    """Windows of a series, in random order, without times."""
    n, m = int(rng.integers(300, 1200)), int(rng.integers(3, 12))
    series = np.cumsum(rng.normal(size=n + m + 1))
    rows = np.lib.stride_tricks.sliding_window_view(series, m + 1)[:n]
    order = rng.permutation(n)
    frame = pd.DataFrame(rows[order, :m], columns=[f"lag{m - at}" for at in range(m)])
    return samples_of(frame, rows[order, m].copy(), rng)


def windows_in_order(rng: np.random.Generator) -> SplitSamples:
    """One lag only, in the order of the series."""
    n = int(rng.integers(300, 1200))
    series = 0.1 * rng.normal(size=n + 1) + np.sin(np.arange(n + 1) / 9)
    frame = pd.DataFrame({"today": series[1:], "yesterday": series[:-1], "noise": rng.normal(size=n)})
    return samples_of(frame, (series[1:] > 0).astype(int), rng)


TIMED: dict[str, Draw] = {
    item.__name__: item for item in (random_walk, changing_concept, sliding_windows, windows_in_order)
}


KINDS = (*CLEAN, *GROUPED, *TIMELESS, *TIMED)


def run(rule: Rule[Any], title: str, draws: dict[str, Draw], n: int, seconds: float, master: int) -> None:
    """Print, for each kind of table, how often the rule warns, and how often its tests alone would."""
    print(f"\n{title}\n{'table':<28}{'draws':>7}{'warned':>8}{'reported':>10}{'tested positive':>17}{'ms':>7}")
    total, warned_in_all, reported_in_all = 0, 0, 0
    per_kind = max(1, n // len(draws))
    for name, draw in draws.items():
        number = KINDS.index(name)
        warned = reported = positive = done = 0
        began = time.monotonic()
        for seed in range(per_kind):
            if time.monotonic() - began > seconds / len(draws):
                break
            samples = draw(np.random.default_rng([master, number, seed]))
            done += 1
            outcomes = rule(samples)
            found = [item for item in outcomes if isinstance(item, Finding)]
            reported += bool(found)
            warned += any(item.severity >= Severity.WARNING for item in found)
            # The worth is measured only where a test is positive.
            positive += any(
                figure.name.startswith("worth of")
                for item in outcomes
                if isinstance(item, Finding | Observation)
                for figure in item.measurements
            )
        spent = 1000 * (time.monotonic() - began) / max(1, done)
        total, warned_in_all, reported_in_all = total + done, warned_in_all + warned, reported_in_all + reported
        shares = f"{warned / max(1, done):>8.1%}{reported / max(1, done):>10.1%}{positive / max(1, done):>17.1%}"
        print(f"{name:<28}{done:>7}{shares}{spent:>7.0f}", flush=True)
    print(f"{'all':<28}{total:>7}{warned_in_all / max(1, total):>8.2%}{reported_in_all / max(1, total):>10.2%}")


def run_tests(title: str, draws: dict[str, Draw], n: int, seconds: float, master: int) -> None:
    """Print how often the tests of DG303 are positive; without the worth, which takes most of the time."""
    print(f"\n{title}\n{'table':<28}{'draws':>7}{'tested positive':>17}{'striking':>10}{'ms':>7}")
    for name, draw in draws.items():
        number = KINDS.index(name)
        positive = striking = done = 0
        began = time.monotonic()
        for seed in range(max(1, n // len(draws))):
            if time.monotonic() - began > seconds / len(draws):
                break
            found = propose(draw(np.random.default_rng([master, number, seed])), level=0.01, seed=0)
            done += 1
            positive += bool(found.chosen or found.hidden)
            ratio = found.chosen.ratio if found.chosen else found.hidden.ratio if found.hidden else 0.0
            striking += ratio >= STRIKING
        spent = 1000 * (time.monotonic() - began) / max(1, done)
        shares = f"{positive / max(1, done):>17.1%}{striking / max(1, done):>10.1%}"
        print(f"{name:<28}{done:>7}{shares}{spent:>7.0f}", flush=True)


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="tables of each part")
    parser.add_argument("--seconds", type=float, default=3600.0, help="the most time for each part")
    parser.add_argument("--only", choices=("clean", "tests", "grouped", "timeless", "timed"), help="one part only")
    parser.add_argument("--kinds", nargs="*", default=(), help="names of tables; by default all of a part")
    parser.add_argument("--seed", type=int, default=0, help="of all tables")
    arguments = parser.parse_args()
    parts: dict[str, tuple[Rule[Any], str, dict[str, Draw]]] = {
        "clean": (group_leakage, "DG303, no groups", CLEAN),
        "grouped": (group_leakage, "DG303, groups planted", GROUPED),
        "timeless": (temporal_leakage, "DG304, time does not matter, or training is earlier", TIMELESS),
        "timed": (temporal_leakage, "DG304, time matters", TIMED),
    }
    if arguments.only in (None, "tests"):
        run_tests("DG303, groups planted: tests alone", GROUPED, arguments.draws, arguments.seconds, arguments.seed)
    for name, (rule, title, every) in parts.items():
        draws = {kind: draw for kind, draw in every.items() if not arguments.kinds or kind in arguments.kinds}
        if draws and arguments.only in (None, name):
            run(rule, title, draws, arguments.draws, arguments.seconds, arguments.seed)


if __name__ == "__main__":
    main()
