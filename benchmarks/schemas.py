"""``dataguard schema infer``: how often a proposed schema refuses fresh rows of the same kind, and what it finds.

    python benchmarks/schemas.py            1,000 resamplings (about eight minutes on a quiet machine)
    python benchmarks/schemas.py --draws 50

A resampling draws a table of ROWS rows, proposes a schema from it, draws as many rows again, and holds them against
it. A fault is planted in the fresh rows. Ends of distributions are measured apart, by `upper_bound` alone.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd

from dataguard.dataset.proposed_schema.bounds import upper_bound
from dataguard.dataset.proposed_schema.proposal import FALSE_ALARM, propose_schema
from dataguard.dataset.schema import validate_frame
from dataguard.dataset.schema_file import schema_from_text

ROWS = 1000
FAULTS_EVERY = 20

Random = np.random.Generator
Fault = Callable[[pd.DataFrame, Random], pd.DataFrame]


def table(random: Random, n: int = ROWS) -> pd.DataFrame:
    """Customers: ids, categories (one of 3 %), ages, sums with a heavy tail, counts, shares, nulls, texts."""
    words = np.array(["paid", "late", "called", "moved", "twice", "again", "no", "answer"])
    return pd.DataFrame(
        {
            "customer": [f"C{number:07d}" for number in random.choice(10**7, n, replace=False)],
            "plan": random.choice(["basic", "plus", "pro"], n, p=[0.6, 0.37, 0.03]),
            "city": [f"city {number}" for number in np.minimum(random.zipf(1.5, n), 10**6)],
            "age": np.clip(np.rint(random.normal(45, 15, n)), 18, 95).astype(int),
            "height_cm": random.normal(170, 10, n),
            "income": random.lognormal(10, 0.8, n),
            "visits": random.poisson(3, n),
            "used_share": random.beta(2, 5, n),
            "score": np.where(random.random(n) < 0.1, np.nan, random.standard_t(5, n)),
            "note": [" ".join(random.choice(words, random.integers(1, 12))) for _ in range(n)],
            "churned": random.random(n) < 0.2,
        }
    )


def swapped(one: str, other: str) -> Fault:
    """Two columns under each other's name."""
    return lambda frame, _: frame.rename(columns={one: other, other: one})[list(frame.columns)]


def some(column: str, value: object, rows: int) -> Fault:
    """A value in some rows."""

    def plant(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
        places = set(random.choice(len(frame), rows, replace=False).tolist())
        values = [value if row in places else kept for row, kept in enumerate(frame[column])]
        return frame.assign(**{column: pd.Series(values)})

    return plant


FAULTS: dict[str, Fault] = {
    "swapped: age and height": swapped("age", "height_cm"),
    "swapped: plan and city": swapped("plan", "city"),
    "swapped: income and height": swapped("income", "height_cm"),
    "swapped: visits and age": swapped("visits", "age"),
    "unit x1000: height": lambda frame, _: frame.assign(height_cm=frame["height_cm"] * 1000),
    "unit x1000: income": lambda frame, _: frame.assign(income=frame["income"] * 1000),
    "unit x1000: share": lambda frame, _: frame.assign(used_share=frame["used_share"] * 1000),
    "unit x100: share as per cent": lambda frame, _: frame.assign(used_share=frame["used_share"] * 100),
    "unit /100: height in metres": lambda frame, _: frame.assign(height_cm=frame["height_cm"] / 100),
    "new category in 1 row": some("plan", "gold", 1),
    "null in 1 row: age": some("age", None, 1),
    "null in 1 row: plan": some("plan", None, 1),
    "id twice": lambda frame, _: frame.assign(customer=[frame["customer"][1], *frame["customer"][1:]]),
    "id of another form in 1 row": some("customer", "c-17", 1),
    "age of -1 in 1 row": some("age", -1, 1),
    "age of 999 in 1 row": some("age", 999, 1),
    "empty note in 1 row": some("note", "", 1),
    "text among numbers": some("visits", "three", 1),
    "column missing": lambda frame, _: frame.drop(columns="score"),
    "column added": lambda frame, _: frame.assign(extra=1),
}

TAILS: dict[str, Callable[[Random, int], np.ndarray[tuple[int], np.dtype[np.float64]]]] = {
    "uniform": lambda random, n: random.random(n),
    "normal": lambda random, n: random.normal(size=n),
    "exponential": lambda random, n: random.exponential(size=n),
    "lognormal, s = 1": lambda random, n: random.lognormal(0, 1, n),
    "lognormal, s = 2": lambda random, n: random.lognormal(0, 2, n),
    "Student t, 3": lambda random, n: random.standard_t(3, n),
    "Pareto, 1.5": lambda random, n: random.pareto(1.5, n) + 1,
    "Cauchy": lambda random, n: random.standard_cauchy(n),
    "Poisson, 3": lambda random, n: random.poisson(3, n).astype(float),
    "Poisson, 0.1": lambda random, n: random.poisson(0.1, n).astype(float),
    "90 % zeros, else lognormal": lambda random, n: np.where(random.random(n) < 0.9, 0, random.lognormal(0, 1, n)),
    "0.5 % in a second cluster": lambda random, n: random.normal(size=n) + 20 * (random.random(n) < 0.005),
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="False alarms and power of proposed schemas.")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    schemas(arguments.draws, arguments.seed)
    tails(arguments.draws, arguments.seed)


def schemas(draws: int, seed: int) -> None:
    """False alarms and power of whole schemas."""
    random = np.random.default_rng(seed)
    alarms: Counter[str] = Counter()
    found: Counter[str] = Counter()
    alarmed = tried = 0
    started = time.perf_counter()
    for draw in range(draws):
        schema = schema_from_text(propose_schema(table(random), id_column="customer").to_yaml(), where="proposed")
        fresh = table(random)
        failures = validate_frame(schema, fresh, reference="proposed")
        alarmed += failures.total > 0
        alarms.update(f"{broken.column}: {broken.check}" for broken in failures.broken)
        if (draw + 1) % 50 == 0:
            print(f"  after {draw + 1} resamplings: {alarmed} false alarms", flush=True)
        if draw % FAULTS_EVERY or failures.total:
            continue
        tried += 1
        for name, plant in FAULTS.items():
            found[name] += validate_frame(schema, plant(fresh, random), reference="proposed").total > 0
    print(f"{draws} resamplings of {ROWS} rows, {time.perf_counter() - started:.0f} s; asked for {FALSE_ALARM:.1%}")
    print(f"false alarms: {alarmed} of {draws} ({alarmed / draws:.2%})")
    for name, count in alarms.most_common():
        print(f"  {count:4} {name}")
    print(f"power, of {tried} tables:")
    for name in FAULTS:
        print(f"  {found[name] / max(1, tried):6.1%}  {name}")


def tails(draws: int, seed: int, chance: float = 0.001) -> None:
    """False alarms of one end of a range, and how far beyond the largest value it lies."""
    random = np.random.default_rng(seed)
    print(f"one end of a range, made for a chance of {chance:g}: false alarms and median bound / largest value")
    for name, draw in TAILS.items():
        line = f"  {name:28}"
        for n in (100, 1000, 10_000):
            alarms, ratios = 0, []
            for _ in range(draws):
                values = draw(random, n)
                bound = upper_bound(values, chance=chance)
                assert bound is not None
                ratios.append(bound.value / values.max() if values.max() > 0 else 1.0)
                alarms += draw(random, n).max() > bound.value
            line += f"  n = {n:6,}: {alarms / draws:6.2%} {np.median(ratios):10.3g}"
        print(line)


if __name__ == "__main__":
    main()
