"""How often the tests of batch order cry wolf on shuffled streams, and what they find in streams that are not.

    python benchmarks/order.py [null] [power] [--streams 10000] [--repetitions 20] [--batches 10 20 50 100 200] [--seed
    0]

null: false alarms at 0.01 and 0.001 of every test, and of the family under Holm, over shuffled streams of random
    designs:
2-1,000 classes, balanced to 1000:1, batches of 1-512, full epochs and prefixes; about 10 minutes on one core for
10,000.
power: the share of faulty streams that the family finds, by number of batches of 32, and how far the largest p-value at
    100
batches is from 0.01; about 4 minutes for 20 streams a cell.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dataguard.batches.association import label_association
from dataguard.batches.buffer import buffer_from_labels, buffer_from_positions
from dataguard.batches.epochs import compare_epochs, compare_label_epochs, repeated_batches
from dataguard.batches.order import ALPHA, order_tests
from dataguard.batches.randomness import shared_randomness, worker_slots
from dataguard.batches.sampling import sampler_kind
from dataguard.batches.significance import OrderTest
from dataguard.core.finding import Inconclusive
from dataguard.core.multiple_tests import holm

Codes = NDArray[np.int64]


def class_counts(classes: int, samples: int, ratio: float) -> Codes:
    """Counts that fall geometrically from the largest to the smallest by `ratio`, each at least 1."""
    weights = np.geomspace(ratio, 1, classes)
    counts = np.maximum(1, np.floor(weights / weights.sum() * samples)).astype(np.int64)
    while counts.sum() > samples:
        counts[np.argmax(counts)] -= min(counts.sum() - samples, counts.max() - 1)
    counts[0] += samples - counts.sum()
    return np.asarray(counts, dtype=np.int64)


def design(rng: np.random.Generator) -> tuple[Codes, Codes, int]:
    """Class counts of a dataset, batch sizes of one epoch, and how many samples of it were seen."""
    batch = round(2.0 ** rng.uniform(0, 9))
    seen = int(np.clip(batch * round(10 ** rng.uniform(1, 2.5)), 64, 8_192))
    whole = seen if rng.random() < 0.5 else round(seen / rng.uniform(0.05, 0.95))
    classes = int(min(round(10 ** rng.uniform(np.log10(2), 3)), whole // 2))
    sizes = np.full(seen // batch, batch)
    if seen % batch:
        sizes = np.append(sizes, seen % batch)
    return class_counts(classes, whole, float(rng.choice([1, 10, 100, 1000]))), sizes, seen


def null(streams: int, seed: int) -> None:
    """False alarms."""
    rng = np.random.default_rng(seed)
    made: dict[str, int] = defaultdict(int)
    at_01: dict[str, int] = defaultdict(int)
    at_001: dict[str, int] = defaultdict(int)
    families = rules = named = 0
    by_rule: dict[str, int] = defaultdict(int)
    spent: dict[str, float] = defaultdict(float)
    for number in range(streams):
        counts, sizes, seen = design(rng)
        whole = int(counts.sum())
        source = (
            rng.permutation(np.repeat(np.arange(len(counts)), counts))
            if rng.random() < 0.5
            else np.repeat(np.arange(len(counts)), counts)
        )
        first, second = rng.permutation(whole)[:seen], rng.permutation(whole)[:seen]
        started = time.perf_counter()
        found = order_tests(source[first], sizes, dataset=counts, positions=first, source_size=whole, seed=number)
        spent["order tests"] += time.perf_counter() - started
        p = {name: test.p_value for name, test in found.tests.items()}
        started = time.perf_counter()
        p |= other_tests(rng, source, first, second, sizes)
        spent["epochs, batches, workers, labels"] += time.perf_counter() - started
        for name, value in p.items():
            made[name] += 1
            at_01[name] += value <= 0.01
            at_001[name] += value <= 0.001
        adjusted = dict(zip(p, holm(list(p.values())).tolist(), strict=True))
        families += min(adjusted.values()) <= ALPHA
        rules += bool(found.significant())
        for rule in {"DG201", "DG202", "DG205", "DG206"}:
            by_rule[rule] += bool(found.significant(rule))
        started = time.perf_counter()
        kind = sampler_kind(source[first], sizes, dataset=counts, ids=first, seed=number).name
        named += kind not in ("shuffled", "unknown")
        spent["sampler_kind"] += time.perf_counter() - started
    print(f"{streams:,} shuffled streams, seed {seed}")
    print(f"{'test':34}{'streams':>9}{'p <= 0.01':>11}{'p <= 0.001':>12}")
    for name in sorted(made, key=lambda name: -at_01[name] / made[name]):
        share, strict = at_01[name] / made[name], at_001[name] / made[name]
        print(f"{name:34}{made[name]:9,}{share:11.4f}{strict:12.4f}   {at_01[name]} {at_001[name]}")
    for rule in sorted(by_rule):
        share = by_rule[rule] / streams
        print(f"{rule + ', any of its tests, Holm':34}{streams:9,}{share:11.4f}{'':12}   {by_rule[rule]}")
    print(f"{'tests of one epoch, Holm':34}{streams:9,}{rules / streams:11.4f}{'':12}   {rules}")
    print(f"{'all tests, Holm':34}{streams:9,}{families / streams:11.4f}{'':12}   {families}")
    print(f"{'sampler not called shuffled':34}{streams:9,}{named / streams:11.4f}{'':12}   {named}")
    for name, seconds in spent.items():
        print(f"{name}: {1e3 * seconds / streams:.1f} ms a stream")


def other_tests(rng: np.random.Generator, source: Codes, first: Codes, second: Codes, sizes: Codes) -> dict[str, float]:
    """p-values of the tests of epochs, batches, workers and labels, by name."""
    found: dict[str, float] = {}

    def put(name: str, test: OrderTest | Inconclusive | None) -> None:
        if isinstance(test, OrderTest):
            found[name] = test.p_value

    for name, compared in (
        ("epochs by id", compare_epochs(first, sizes, second, sizes)),
        ("epochs by label", compare_label_epochs(source[first], source[second], sizes)),
    ):
        if not isinstance(compared, Inconclusive):
            for test in compared.tests:
                put(f"{name}: {test.name.split(' kept')[0]}", test)
    with_copies = np.concatenate([first, second]) // 2
    repeated = repeated_batches(with_copies, np.concatenate([sizes, sizes]))
    if not isinstance(repeated, Inconclusive):
        put("repeated batches", repeated.test)
    slots = worker_slots(sizes, 2)
    for name, residues in (("floats", rng.normal(size=len(first))), ("flips", rng.integers(0, 2, len(first)))):
        shared = shared_randomness(residues, slots.workers, slots.slots)
        if not isinstance(shared, Inconclusive):
            put(f"workers, {name}", shared.test)
    right = rng.random(len(first)) < 0.9
    held_out = (rng.random(500) < 0.9).mean()
    labels = source[first]
    guess = np.where(right, labels, labels + 1)
    kept = label_association(labels, guess, expected_agreement=float(held_out), expected_from=500)
    broken = label_association(rng.permutation(labels), labels)
    for name, result in (("labels below the source", kept), ("labels above chance", broken)):
        if not isinstance(result, Inconclusive):
            put(name, result.below if name.startswith("labels below") else result.chance)
    return found


def buffered(order: Codes, size: int, rng: np.random.Generator) -> Codes:
    """What comes out of a shuffle buffer."""
    held, out = order[:size].copy(), np.empty_like(order)
    for step, index in enumerate(rng.integers(0, size, len(order) - size)):
        out[step] = held[index]
        held[index] = order[size + step]
    out[len(order) - size :] = rng.permutation(held)
    return out


def power(repetitions: int, seed: int, batches: Sequence[int]) -> None:
    """What is found, of 32-sample batches."""
    rng = np.random.default_rng(seed)

    def block_sorted(labels: Codes) -> Codes:
        order = np.argsort(labels, kind="stable")
        return np.concatenate([order[part::8] for part in range(8)])

    def shuffled_batches(labels: Codes) -> Codes:
        order = np.argsort(labels, kind="stable").reshape(-1, 32)
        return order[rng.permutation(len(order))].ravel()

    def round_robin(labels: Codes) -> Codes:
        within = np.zeros(len(labels), dtype=np.int64)
        for label in np.unique(labels):
            within[labels == label] = np.arange((labels == label).sum())
        return np.lexsort((labels, within))

    def buffer(share: float) -> Callable[[Codes], Codes]:
        return lambda labels: buffered(np.argsort(labels, kind="stable"), max(1, round(share * len(labels))), rng)

    faults: dict[str, Callable[[Codes], Codes]] = {
        "sorted by class": lambda labels: np.argsort(labels, kind="stable"),
        "block-sorted, 8 blocks": block_sorted,
        "sorted, batches shuffled": shuffled_batches,
        "buffer 1 % over sorted": buffer(0.01),
        "buffer 5 % over sorted": buffer(0.05),
        "buffer 10 % over sorted": buffer(0.10),
        "buffer 50 % over sorted": buffer(0.50),
        "round robin": round_robin,
        "file order (positions)": lambda labels: np.arange(len(labels)),
        "buffer 10 % over files (positions)": lambda labels: buffered(np.arange(len(labels)), len(labels) // 10, rng),
        "buffer 50 % over files (positions)": lambda labels: buffered(np.arange(len(labels)), len(labels) // 2, rng),
    }
    for classes, ratio in ((2, 1.0), (2, 99.0), (10, 1.0), (10, 100.0), (100, 1.0), (1000, 1.0)):
        print(f"\n{classes} classes, {ratio:g}:1; found, by number of batches of 32, of {repetitions} streams each")
        print(
            f"{'':36}" + "".join(f"{count:>7}" for count in batches) + "   largest p at 100; buffer's size at the last"
        )
        for name, fault in faults.items():
            shares, sizes, largest = [], "", 0.0
            for count in batches:
                n = 32 * count
                if n < classes:
                    shares.append("      –")
                    continue
                counts = class_counts(classes, n, ratio)
                hits, estimates = 0, []
                for repetition in range(repetitions):
                    labels = rng.permutation(np.repeat(np.arange(classes), counts))
                    order = fault(labels)
                    known = {"positions": order, "source_size": n} if "positions" in name else {}
                    tests = order_tests(labels[order], np.full(count, 32), dataset=counts, seed=repetition, **known)  # type: ignore[arg-type]
                    hits += bool(tests.significant())
                    largest = max(largest, min(tests.adjusted.values())) if count == 100 else largest
                    if name.startswith("buffer") and count == batches[-1]:
                        by = buffer_from_positions(order, n) if known else buffer_from_labels(labels[order])
                        if not isinstance(by, Inconclusive):
                            estimates.append((by.size, by.low, by.high))
                shares.append(f"{hits / repetitions:7.2f}")
                if estimates:
                    low, middle, high = np.percentile([size for size, _, _ in estimates], [5, 50, 95])
                    true = round(n * float(name.split()[1]) / 100)
                    inside = np.mean([low <= true <= high for _, low, high in estimates])
                    sizes = f"   {middle:.0f} ({low:.0f}–{high:.0f}) for {true}, in the interval {inside:.2f}"
            print(f"{name:36}" + "".join(shares) + f"   {largest:.0e}" + sizes, flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["null", "power", []], default=[])
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--batches", type=int, nargs="+", default=[10, 20, 50, 100, 200])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for part in given.parts or ["null", "power"]:
        started = time.perf_counter()
        if part == "null":
            null(given.streams, given.seed)
        else:
            power(given.repetitions, given.seed, given.batches)
        print(f"{time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    main()
