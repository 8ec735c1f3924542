"""How often DG203 and DG204 report streams that are shuffled, and how often they find repetitions.

Run ``python benchmarks/epochs.py [streams]``. Each stream has two epochs in independent random orders, of 20 to 2,000
samples in batches of 2 to 256; in a third of them samples have copies, as in over-sampled data, and in another third
only labels are compared. Prints the shares with a p-value of at most 0.01, corrected for the tests of the comparison.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from dataguard.batches.epochs import EpochComparison, compare_epochs, compare_label_epochs, repeated_batches
from dataguard.core.finding import Inconclusive
from dataguard.core.multiple_tests import holm

ALPHA = 0.01


def sizes_of(n: int, size: int) -> np.ndarray:
    """Full batches and the rest."""
    sizes = [size] * (n // size)
    return np.array([*sizes, n % size] if n % size else sizes)


def significant(found: EpochComparison | Inconclusive) -> bool:
    """Whether any test of a comparison is, corrected for their number."""
    return not isinstance(found, Inconclusive) and bool(holm([test.p_value for test in found.tests]).min() <= ALPHA)


def main(streams: int) -> None:
    """Simulate and print."""
    rng = np.random.default_rng(20261121)
    alarms: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for number in range(streams):
        n = int(np.exp(rng.uniform(np.log(20), np.log(2000))))
        sizes = sizes_of(n, int(np.exp(rng.uniform(np.log(2), np.log(min(256, n / 2))))))
        kind = ("samples", "copies", "labels")[number % 3]
        ids = np.arange(n) if kind != "copies" else rng.integers(0, max(2, n // int(rng.integers(1, 10))), n)
        if kind == "labels":
            ids = rng.integers(0, int(rng.integers(2, 100)), n)
        first, second = rng.permutation(ids), rng.permutation(ids)
        repeats = repeated_batches(first, sizes)
        if not isinstance(repeats, Inconclusive):
            made["DG203 repeated-batch"] += 1
            alarms["DG203 repeated-batch"] += repeats.repeats > 0 and repeats.test.p_value <= ALPHA
        found = (
            compare_label_epochs(first, second, sizes)
            if kind == "labels"
            else compare_epochs(first, sizes, second, sizes, seed=number)
        )
        if not isinstance(found, Inconclusive):
            name = f"DG204 no-reshuffle-between-epochs, by {kind}"
            made[name] += 1
            alarms[name] += significant(found)
    for name in sorted(made):
        print(f"{name:50} {alarms[name]:5} of {made[name]:6} shuffled, {alarms[name] / made[name]:.4f}")
    for batches in (3, 5, 10, 50):
        n = 32 * batches
        sizes, found_all = sizes_of(n, 32), Counter[str]()
        for trial in range(100):
            order = rng.permutation(n)
            blocks = order.reshape(batches, 32)
            faults = {
                "the same order": order,
                "rotated": np.roll(order, int(rng.integers(1, n))),
                "the same batches": blocks[rng.permutation(batches)].reshape(-1),
                "shuffled within": np.concatenate([rng.permutation(block) for block in blocks]),
            }
            for name, other in faults.items():
                found_all[name] += significant(compare_epochs(order, sizes, other, sizes, seed=trial))
            again = repeated_batches(np.concatenate([order, blocks[0]]), sizes_of(n + 32, 32))
            found_all["a batch again"] += not isinstance(again, Inconclusive) and again.test.p_value <= ALPHA
        print(
            f"{batches:3} batches of 32: " + ", ".join(f"{name} {count / 100:.2f}" for name, count in found_all.items())
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
