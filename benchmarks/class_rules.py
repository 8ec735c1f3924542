"""False-alarm rate and power of what DG102, DG103 and DG104 decide by statistics, on simulated class counts.

Run: python benchmarks/class_rules.py [--draws 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dataguard.core.finding import Finding
from dataguard.dataset.class_counts import ClassCounts
from dataguard.rules.labels.dg102_class_imbalance import class_imbalance
from dataguard.rules.labels.dg103_missing_class_in_split import missing_class_in_split
from dataguard.rules.labels.dg104_too_few_samples_per_class import error_bound

MIN_RATIO = 0.1


def class_counts(**splits: NDArray[np.int64]) -> ClassCounts:
    """Class counts from one array a split."""
    return ClassCounts.from_mapping(
        {split: {f"{k:04d}": int(n) for k, n in enumerate(row) if n} for split, row in splits.items()}
    )


def interval(hits: int, draws: int) -> str:
    """A share with its exact 95 % interval."""
    from scipy.stats import binomtest

    low, high = binomtest(hits, draws).proportion_ci(confidence_level=0.95, method="exact")
    return f"{hits / draws:7.4f}  [{low:.4f}, {high:.4f}]"


def imbalance(draws: int, rng: np.random.Generator) -> None:
    """DG102 against the plain ratio of counts."""

    def rates(shares: NDArray[np.float64], n: int) -> tuple[int, int]:
        fired = plain = 0
        for _ in range(draws):
            row = rng.multinomial(n, shares)
            fired += any(isinstance(outcome, Finding) for outcome in class_imbalance(class_counts(train=row)))
            seen = row[row > 0]
            plain += len(seen) > 1 and seen.min() < MIN_RATIO * seen.max()
        return fired, plain

    print("\nDG102: balanced classes, false alarms (rule; plain ratio below 0.1)")
    for k in (2, 10, 100):
        for a_class in (2, 5, 20, 100):
            fired, plain = rates(np.full(k, 1 / k), k * a_class)
            print(f"  K={k:3d} n={a_class:3d} a class   {interval(fired, draws)}   plain {interval(plain, draws)}")
    print("\nDG102: the worst case of H0, rare classes at exactly 0.1, false alarms")
    for k in (2, 10, 100):
        for rare in sorted({1, k - 1}):
            for largest in (50, 500, 5000):
                weights = np.ones(k)
                weights[:rare] = MIN_RATIO
                fired, plain = rates(weights / weights.sum(), round(largest * weights.sum()))
                title = f"K={k:3d} rare={rare:2d} n of the largest={largest:4d}"
                print(f"  {title}   {interval(fired, draws)}   plain {interval(plain, draws)}")
    print("\nDG102: one class of ten at ratio r, power")
    for ratio in (0.02, 0.05):
        for largest in (50, 100, 200, 500, 1000, 2000, 5000):
            weights = np.ones(10)
            weights[0] = ratio
            fired, plain = rates(weights / weights.sum(), round(largest * weights.sum()))
            title = f"r={ratio:.2f} n of the largest={largest:4d}"
            print(f"  {title}   {interval(fired, draws)}   plain {interval(plain, draws)}")


def random_split(totals: NDArray[np.int64], rng: np.random.Generator) -> ClassCounts:
    """A random split into 70, 15 and 15 %."""
    n = int(totals.sum())
    train = rng.multivariate_hypergeometric(totals, round(0.7 * n))
    val = rng.multivariate_hypergeometric(totals - train, round(0.15 * n))
    return class_counts(train=train, val=val, test=totals - train - val)


def sorted_split(totals: NDArray[np.int64], rng: np.random.Generator) -> ClassCounts:
    """The first 70 % of data that are sorted by class, then 15 and 15 %."""
    labels = np.repeat(rng.permutation(len(totals)), totals[: len(totals)])
    cuts = np.split(labels, [round(0.7 * len(labels)), round(0.85 * len(labels))])
    rows = [np.bincount(part, minlength=len(totals)) for part in cuts]
    return class_counts(train=rows[0], val=rows[1], test=rows[2])


def missing(draws: int, rng: np.random.Generator) -> None:
    """DG103: how often it finds a class missing, and how often it says that the split is broken."""

    def rates(totals: NDArray[np.int64], split: Callable[[NDArray[np.int64], np.random.Generator], ClassCounts]) -> str:
        fired = broken = 0
        for _ in range(draws):
            findings = [found for found in missing_class_in_split(split(totals, rng)) if isinstance(found, Finding)]
            fired += bool(findings)
            broken += any("split is broken" in found.message for found in findings)
        return f"fires {interval(fired, draws)}   says broken {interval(broken, draws)}"

    long_tail = np.maximum(1, (1000 / np.arange(1, 101)).astype(np.int64))
    cases = {
        "10 classes of 100": np.full(10, 100),
        "10 classes of 20": np.full(10, 20),
        "100 classes of 5": np.full(100, 5),
        "100 classes of 1": np.full(100, 1),
        "100 classes, 1000/rank": long_tail,
    }
    for name, split in (("random", random_split), ("sorted by class", sorted_split)):
        print(f"\nDG103: {name} splits")
        for case, totals in cases.items():
            print(f"  {case:24s} {rates(totals.astype(np.int64), split)}")


def few(rng: np.random.Generator) -> None:
    """DG104: how often the bound lies below the true error rate, over tests without a mistake or with one."""
    print("\nDG104: share of tests in which no mistake is seen and the bound lies below the true error rate")
    tests, worst = 100_000, 0.0
    for n in (1, 2, 5, 10, 30, 100, 300):
        for rate in np.geomspace(0.005, 0.6, 60):
            if rate > error_bound(n):
                worst = max(worst, float(np.mean(rng.binomial(n, rate, size=tests) == 0)))
    print(f"  worst over n and error rates: {worst:.4f} (promised: at most 0.05)")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    print(f"draws={arguments.draws} seed={arguments.seed}")
    imbalance(arguments.draws, rng)
    missing(arguments.draws, rng)
    few(rng)


if __name__ == "__main__":
    main()
