"""What DG309, DG311 and DG312 say of tables with strong confounders: false alarms, and power for planted leaks.

    python benchmarks/leakage.py [clean] [columns] [drift] [facts] [worth] [large] [--draws 1000] [--seed 1]

clean: DG311, DG312 and (every third) DG309 on tables without a leak that have all that may pass for one: a strong
latent factor measured by several columns, one dominant column, tests with an AUC of 0.98 to 0.995, grades, groups of
samples, categories that matter, honest out-of-fold encodings, values that are missing for a reason or in blocks, ids in
no order, copied and nearly copied rows, sorted rows, dates, constants, text, heavy ties, and classes of up to 99:1.
columns: leaks of every kind planted in such tables, one a table. drift: equal splits, drawn by rows and by groups, with
copies; and shifted ones. facts: containers of images that do and do not tell the class, and tables in order. worth: how
often the interval covers the difference on 5,000 rows more. large: 1,000,000 rows.

A false alarm is a finding of warning or above. One number is the share of draws.

Measured with seeds that nothing was tuned on, one thread, bounds exact (Clopper and Pearson, one-sided 95 %):

clean, seed 9401: DG311 0 of 1,000 warnings (at most 0.0030), 13 info or above; 0.09 CPU s a table on average, 0.06 in
the median. DG312 2 of 450 (0.0044, at most 0.0141; without Fisher's test). DG309 1 of
150 tables of mostly two evaluation splits (0.0067, at most 0.0312).
columns, seed 9401, 40 tables a kind: found, found as a warning. Other name, names the class, missing but for a class,
other units, monotone, leave-one-out 1.00, 1.00; noisy copy 0.98, 0.88; a copy with 1 % wrong 1.00, 0.95, with 5 % wrong
1.00, 0.75; there for half of a class 1.00, 0.88; a value of half of a class 1.00, 0.88; 0 for half of a class 0.95,
0.83; target and 1 % noise 0.98, 0.98; encoding of all rows 1.00, 0.98, with m = 10 1.00, 0.78, to 3 digits 0.98, 0.90,
to a prior of 0.5 1.00, 0.90; of the training rows 0.93, 0.78, with any m 1.00, 0.08 (where a row's own label weighs
little it is info). None blamed another column. 40 of 40 is at least 0.93, 38 of 40 at least 0.85.
columns, seed 9701, 20 tables a kind: every kind found in 0.90 to 1.00, none blamed another column; as a warning the
copies with 5 % wrong 0.60, encodings of the training rows 0.65, single values 0.80, all others 0.90 to 1.00. clean,
seed 9702: DG311 and DG312 0 of 147 warnings (at most 0.0202), DG309 0 of 39.
drift: equal splits, seed 9301, warnings: by rows 0 of 250, with copies 0 of 250 (0 of 500 at most 0.0060), info or
above 1 of 500; by rows of groups and by whole groups, seed 9403, 0 of 11 each. Shifts of 0.1, 0.25, 0.5 and 1, seed
9401, 11 draws each: 200 rows 0, 0, 3, 11 found, 0, 0, 3, 11 as a warning; 1,000 rows 0, 1, 11, 11 and 0, 0, 3, 11 (a
shift of 0.5 is an effect of 0.197, just below the 0.2 of a warning); 10,000 rows, 2 draws: 0.1 none, 0.25 both, as
info.
worth, seeds 9410 to 9414, 100 tables: 0.935 of 200 intervals of 95 % cover the difference; a noisy copy is a gain in
0.67.
large: DG309, DG311 and DG312 by `dataguard check` on a Parquet file of 1,000,000 rows of 20 columns: 26 CPU s in all,
200,000 rows looked at.
facts, 20 draws a kind (development seeds): the same container and the sorted folder 0.00, every planted fact 1.00.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
from leakage_tables import PLANTS, samples_of, table  # type: ignore[import-not-found]
from scipy import stats

from dataguard.core.finding import Finding, Inconclusive, Outcome, Severity, Skipped
from dataguard.rules.splits import (
    dg309_split_drift,
    dg311_label_leak_column,
    dg312_index_or_order_leak,
    label_column_worth,
)
from dataguard.splits.metadata import FileFacts
from dataguard.splits.samples import MOST_SAMPLES, SplitSamples
from dataguard.splits.worth.leaks import worth_of_columns
from dataguard.splits.worth.record import NoWorth, Worth

CLEAR = 30
"""Samples of the rarest class of a table in which a planted column is looked for."""
DRIFT = dg309_split_drift.split_drift
COLUMNS = dg311_label_leak_column.label_leak_column
FACTS = dg312_index_or_order_leak.index_or_order_leak


def loud(outcomes: list[Outcome], least: Severity = Severity.WARNING) -> list[Finding]:
    """Findings that are a warning or worse."""
    return [item for item in outcomes if isinstance(item, Finding) and item.severity >= least]


def bound(hits: int, n: int) -> str:
    """A share with its exact one-sided 95 % upper bound (Clopper and Pearson)."""
    high = 1.0 if hits == n else float(stats.beta.ppf(0.95, hits + 1, n - hits))
    return f"{hits}/{n} = {hits / max(n, 1):.4f} (at most {high:.4f})"


def clean(draws: int, seed: int) -> None:
    """False alarms of DG309, DG311 and DG312 on tables whose splits are drawn by rows."""
    counts: dict[str, int] = defaultdict(int)
    used: dict[str, float] = defaultdict(float)
    tables: dict[str, int] = defaultdict(int)
    for draw in range(draws):
        rng = np.random.default_rng([seed, 1, draw])
        samples = samples_of(rng, *table(rng, 2000))
        # Drift has equal splits of its own below, and takes the most time.
        for rule in (COLUMNS, FACTS, DRIFT) if draw % 3 == 0 else (COLUMNS, FACTS):
            started = time.process_time()
            found = FACTS(samples, None) if rule is FACTS else rule(samples)
            used[rule.code] += time.process_time() - started
            tables[rule.code] += not isinstance(found[0], Skipped | Inconclusive)
            for least in (Severity.WARNING, Severity.INFO):
                alarms = loud(found, least)
                counts[f"{rule.code} {least.word}"] += bool(alarms)
                if alarms and least is Severity.WARNING:
                    print(f"  draw {draw}: {alarms[0].message}")
                elif alarms and least is Severity.INFO and alarms[0].severity is Severity.INFO:
                    print(f"  draw {draw}: (info) {alarms[0].message[:160]}")
        if (draw + 1) % 50 == 0:
            print(f"  {draw + 1} tables: {dict(counts)}", flush=True)
    print(f"clean: {draws} tables")
    for rule in (COLUMNS, FACTS, DRIFT):
        for least in (Severity.WARNING, Severity.INFO):
            hits = counts[f"{rule.code} {least.word}"]
            print(f"  {rule.code} {least.word} or above: {bound(hits, tables[rule.code])}")
        print(f"  {rule.code}: {used[rule.code] / max(1, tables[rule.code]):.3f} CPU s a table")


def columns(draws: int, seed: int) -> None:
    """Power of DG311: the share of tables in which the planted column is found, at any severity and as a warning.

    Of tables without a strong test, whose rarest class has `CLEAR` samples or more.
    """
    hits: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    print("columns: planted, draws, found, found as a warning or error, another column blamed")
    for number, name in enumerate(PLANTS):
        draw = -1
        while len(hits[name]) < draws and draw < 20 * draws:
            draw += 1
            rng = np.random.default_rng([seed, 2, number, draw])
            frame, label, is_target, groups = table(rng, 800, tests=False)
            if not is_target and np.unique(label.astype(str), return_counts=True)[1].min() < CLEAR:
                continue
            samples = samples_of(rng, frame, label, is_target, groups)
            values = PLANTS[name](rng, frame, label, samples)
            if values is None:
                continue
            planted = frame.assign(planted=values)
            numbered = samples_of(np.random.default_rng([seed, 3, draw]), planted, label, is_target, groups)
            samples = replace(numbered, splits=samples.splits)
            outcomes = COLUMNS(samples)
            found = [
                item
                for item in outcomes
                if isinstance(item, Finding) and any(place.column == "planted" for place in item.locations)
            ]
            others = loud([item for item in outcomes if item not in found])
            hits[name].append((bool(found), bool(loud(list(found))), bool(others)))
        shares = np.mean(hits[name], axis=0)
        print(f"  {name:28} {len(hits[name]):4} {shares[0]:.3f} {shares[1]:.3f} {shares[2]:.3f}", flush=True)


def drifting(rng: np.random.Generator, n: int, shift: float, form: str) -> SplitSamples:
    """A table of 8 columns in two splits, in the second of which one is shifted."""
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
    frame["count"] = rng.poisson(0.3, n)
    frame.loc[rng.random(n) < 0.1, "x3"] = np.nan
    return SplitSamples(
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


def drift(draws: int, seed: int) -> None:
    """False alarms and power of DG309; of 10,000 rows a quarter of the draws."""
    print("drift: equal splits, info or above, warning or above")
    for place, form in enumerate(("rows", "copies", "grouped rows", "groups")):
        hits = np.zeros(2, dtype=int)
        for draw in range(draws):
            rng = np.random.default_rng([seed, 4, place, draw])
            found = DRIFT(drifting(rng, int(np.exp(rng.uniform(np.log(150), np.log(1500)))), 0.0, form))
            hits += [bool(loud(found, Severity.INFO)), bool(loud(found))]
        print(f"  {form:14} {bound(int(hits[0]), draws)} {bound(int(hits[1]), draws)}", flush=True)
    print("drift: shift of 1 of 8 columns in standard deviations, rows, draws, info or above, warning or above")
    for shift in (0.1, 0.25, 0.5, 1.0):
        for n in (200, 1000, 10_000):
            hits, wanted = np.zeros(2, dtype=int), draws if n < 10_000 else max(1, draws // 4)
            for draw in range(wanted):
                found = DRIFT(drifting(np.random.default_rng([seed, 5, int(100 * shift), n, draw]), n, shift, "rows"))
                hits += [bool(loud(found, Severity.INFO)), bool(loud(found))]
            print(f"  {shift:4} {n:6} {wanted:4} {hits[0] / wanted:.3f} {hits[1] / wanted:.3f}", flush=True)


def facts(draws: int, seed: int) -> None:
    """False alarms and power of DG312: containers of images, and tables in order."""
    hits: dict[str, list[bool]] = defaultdict(list)
    kinds = ("same container", "sorted folder", "quality 10 apart", "mode of half a class", "size of a class", "index")
    for draw in range(draws):
        rng = np.random.default_rng([seed, 7, draw])
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


def worth(draws: int, seed: int) -> None:
    """Coverage of the interval, and power for a noisy copy.

    The models are fixed by the training rows, so what an interval is to cover is their difference on all there is:
    measured on 5,000 more rows, whose own error counts against the coverage.
    """
    covered: dict[str, list[bool]] = defaultdict(list)
    gained = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, 6, draw])
        n_train, n_few, n_more = int(rng.integers(150, 800)), int(rng.integers(60, 400)), 5000
        n = n_train + n_few + n_more
        grouped = draw % 2 == 1
        group = rng.integers(0, n // 5, n)
        x = rng.normal(size=(n, 6)).astype(np.float32)
        noise = rng.normal(size=n) if not grouped else 0.8 * rng.normal(size=n // 5)[group] + 0.6 * rng.normal(size=n)
        signal = x[:, 0] + noise
        is_target = draw % 4 >= 2
        y = signal if is_target else (signal > 0).astype(int)
        x[:, 5] = y + rng.normal(size=n)
        place = np.arange(n)
        train, few = place < n_train, (place >= n_train) & (place < n_train + n_few)
        names = [str(code) for code in group] if grouped else None
        for column, what in ((4, "noise"), (5, "copy")):
            made = worth_of_columns(x, y, [column], subject="it", train=train, evaluation=few, groups=names, seed=draw)
            true = worth_of_columns(
                x, y, [column], subject="it", train=train, evaluation=place >= n_train + n_few, seed=draw
            )
            if isinstance(made, Worth) and isinstance(true, Worth):
                kind = f"{what}, {'R²' if is_target else 'balanced accuracy'}{', groups' if grouped else ''}"
                covered[kind].append(made.low <= true.difference <= made.high)
                if what == "copy":
                    gained.append(made.is_gain)
    print("worth: what, tables, share of 95 % intervals that cover the difference on 5,000 rows more")
    for kind, hits in sorted(covered.items()):
        print(f"  {kind:34} {len(hits):4} {np.mean(hits):.3f}")
    every = [hit for hits in covered.values() for hit in hits]
    print(f"  all {len(every)} {np.mean(every):.3f}; a copy is a gain in {np.mean(gained):.3f} of {len(gained)}")


def large(_: int, seed: int) -> None:
    """Time of the three rules for 1,000,000 rows of 20 columns, of which the samples of a run are drawn."""
    rng = np.random.default_rng([seed, 8])
    n = 1_000_000
    x = rng.normal(size=(n, 10)).astype(np.float64)
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(10)])
    for k, size in enumerate((3, 50, 1000, 20_000, 50)):
        frame[f"category {k}"] = np.array([f"v{code}" for code in range(size)], dtype=object)[rng.integers(0, size, n)]
    for k in range(3):
        frame[f"whole {k}"] = rng.integers(0, 100 * 10**k, n)
    frame["gaps"] = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    frame["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    label = np.where(x[:, 0] + x[:, 1] + rng.normal(size=n) > 0, "yes", "no").astype(object)
    rows = np.sort(rng.choice(n, MOST_SAMPLES, replace=False))
    small = samples_of(rng, frame.iloc[rows].reset_index(drop=True), label[rows], False, None)
    samples = replace(small, n_total=n, positions=rows)
    print(f"large: {n:,} rows, {len(samples):,} looked at; CPU seconds")
    for rule in (DRIFT, COLUMNS, FACTS):
        started = time.process_time()
        found = FACTS(samples, None) if rule is FACTS else rule(samples)
        print(f"  {rule.code} {time.process_time() - started:.1f}, findings: {len(loud(found))}", flush=True)


def without_worth() -> None:
    """The rules' findings without what they are worth, which takes most of the time and decides nothing."""
    label_column_worth.WORTHS = 0
    dg312_index_or_order_leak._WORTHS = 0
    nothing = NoWorth(subject="it", reason="not asked for")
    for module in (dg309_split_drift, dg312_index_or_order_leak):
        setattr(module, "worth_of_split", lambda *_, **__: nothing)  # noqa: B010 - mypy lets no other name be set


def main() -> None:
    """Run what is named, or all."""
    parts = {"clean": clean, "columns": columns, "drift": drift, "facts": facts, "worth": worth, "large": large}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=list(parts))
    parser.add_argument("--draws", type=int, default=1000, help="tables; of each kind where something is planted")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    without_worth()
    for name in arguments.parts or parts:
        parts[name](arguments.draws, arguments.seed)


if __name__ == "__main__":
    main()
