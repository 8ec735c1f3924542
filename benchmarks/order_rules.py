"""What the rules say of whole streams, two epochs each, end to end: false alarms, and which rule finds which fault.

    python benchmarks/order_rules.py [null] [power] [--seconds 300] [--repetitions 50]

`benchmarks/order.py` measures each test; here the rules decide, and leave a fault to the one that names its cause, so
that power is the share of streams in which that one speaks. Bounds are Clopper and Pearson's, one-sided, 95 %.

null: shuffled streams of random designs, as `benchmarks/order.py` draws them (2 to 1,000 classes, balanced to 1000:1,
    batches of 1 to 512, whole epochs and parts), and in turn the corners: 1,000 classes balanced and 1000:1, two
    classes 99:1 and 1000:1, batches of one sample and of 512. With ids or without.
power: sorted data, shuffled blocks of it, shuffle buffers over it, and round robin, in 10 to 100 batches of 32.

Measured, seed 2027: null: 4,500 streams of 10,000 that it was meant for, half of them corners: 10 alarms of DG201
(0.0022, at most 0.0038), one each of DG205 and DG206 (at most 0.0011), none of the others (at most 0.0007); any: at
most 0.0043. Seed 77: 2 alarms, of DG201, in 2,600. A stream takes 0.1 s. Power, seed 2027, named of 300 streams each,
which some rule of order reported all (at least 0.990):

    10 batches    sorted 300    blocks 250    buffer of 1 % 212    5 % 287    10 % 252    round robin 199
    20 batches    sorted 300    blocks 300    buffer of 1 % 290    5 % 300    10 % 300    round robin 297
    50 batches    258 of 258 each, where the run was stopped (at least 0.988)

Seed 1, 100 batches: every fault named in 72 of 72 streams (at least 0.959). Before the tests of DG210 to DG212 joined
the family: alarms of DG201 in 0.0037, and of any of the six in 0.0041 of 4,341 random designs of at most 100 classes.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from dataguard.batches.evidence import OrderEvidence
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Finding
from dataguard.core.rule import Rule
from dataguard.rules import all_rules

RULES = [
    rule
    for rule in all_rules()
    if "DG201" <= rule.code <= "DG214"
    and all(item.type in (BatchStream, OrderEvidence) for item in rule.inputs if item.required)
]
ORDER = frozenset({"DG201", "DG202", "DG203", "DG204", "DG205", "DG206"})
Order = Callable[[], NDArray[np.int64]]


class Loader:
    """Feeds labels in an order that is made anew each epoch, with ids or without."""

    def __init__(self, labels: NDArray[np.int64], order: Order, sizes: NDArray[np.int64], *, ids: bool) -> None:
        self.labels, self.order, self.cuts = labels, order, np.cumsum(sizes)
        self.names = np.char.mod("s%d", np.arange(len(labels))) if ids else None
        self.x = np.random.default_rng(0).normal(size=(len(labels), 4)).astype(np.float32)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        order = self.order()
        for rows in np.split(order[: self.cuts[-1]], self.cuts[:-1]):
            batch: dict[str, Any] = {"x": self.x[rows], "label": self.labels[rows]}
            yield batch if self.names is None else {**batch, "id": self.names[rows]}


def found(loader: Loader, *, part: bool = False) -> set[str]:
    """The rules that report a loader.

    Args:
        loader: What to record.
        part: Whether the recording ends before the epoch does.
    """
    stream = record(loader, epochs=2, batches=len(loader.cuts) if part else None)
    made: dict[type, Any] = {BatchStream: stream, OrderEvidence: order_evidence(stream)}
    return {rule.code for rule in RULES if any(isinstance(item, Finding) for item in asked(rule, made))}


def asked(rule: Rule[Any], made: dict[type, Any]) -> Any:
    """What a rule says."""
    return rule(*(made.get(item.type) for item in rule.inputs))


def buffered(rng: np.random.Generator, n: int, size: int) -> NDArray[np.int64]:
    """The order that a buffer of `size` leaves of 0 … n − 1."""
    held, out = list(range(size)), np.empty(n, dtype=np.int64)
    for step in range(n - size):
        at = int(rng.integers(size))
        out[step], held[at] = held[at], step + size
    out[n - size :] = rng.permutation(held)
    return out


def class_counts(classes: int, samples: int, ratio: float) -> NDArray[np.int64]:
    """Counts that fall geometrically from the largest to the smallest by `ratio`, each at least 1."""
    weights = np.geomspace(ratio, 1, classes)
    counts = np.maximum(1, np.floor(weights / weights.sum() * samples)).astype(np.int64)
    while counts.sum() > samples:
        counts[np.argmax(counts)] -= min(counts.sum() - samples, counts.max() - 1)
    counts[0] += samples - counts.sum()
    return np.asarray(counts, dtype=np.int64)


def design(rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Class counts of a dataset, batch sizes of one epoch, and how many samples of it were seen."""
    batch = round(2.0 ** rng.uniform(0, 9))
    seen = int(np.clip(batch * round(10 ** rng.uniform(1, 2.5)), 64, 8_192))
    whole = seen if rng.random() < 0.5 else round(seen / rng.uniform(0.05, 0.95))
    classes = int(min(round(10 ** rng.uniform(np.log10(2), 3)), whole // 2))
    sizes = np.full(seen // batch, batch)
    if seen % batch:
        sizes = np.append(sizes, seen % batch)
    return class_counts(classes, whole, float(rng.choice([1, 10, 100, 1000]))), sizes, seen


def progress(counted: Counter[str], started: float) -> None:
    """Say on the error stream how far it is, so that a run that is stopped has said something."""
    shares = ", ".join(f"{name} {counted[name]}" for name in sorted(counted))
    print(f"[{time.process_time() - started:.0f} s] {shares}", file=sys.stderr, flush=True)


def at_most(hits: int, trials: int) -> float:
    """The upper bound of a share."""
    return 1.0 if hits == trials else float(beta.ppf(0.95, hits + 1, trials - hits))


def at_least(hits: int, trials: int) -> float:
    """The lower bound of a share."""
    return 0.0 if hits == 0 else float(beta.ppf(0.05, hits, trials - hits + 1))


def corners() -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Class counts and batch sizes at the ends of every range."""
    return {
        "1,000 classes, batches of 32": (class_counts(1000, 4000, 1), np.full(125, 32)),
        "1,000 classes, 1000:1": (class_counts(1000, 8192, 1000), np.full(256, 32)),
        "99:1, batches of 8": (class_counts(2, 2000, 99), np.full(250, 8)),
        "1000:1, batches of 8": (class_counts(2, 2002, 1000), np.full(250, 8)),
        "10 classes, batches of 1": (class_counts(10, 400, 1), np.full(400, 1)),
        "99:1, batches of 1": (class_counts(2, 400, 99), np.full(400, 1)),
        "10 classes, batches of 512": (class_counts(10, 8192, 1), np.full(16, 512)),
        "1,000 classes, batches of 512": (class_counts(1000, 8192, 1), np.full(16, 512)),
    }


def null(seconds: float, seed: int) -> None:
    """False alarms."""
    rng, started = np.random.default_rng(seed), time.process_time()
    alarms: dict[str, Counter[str]] = defaultdict(Counter)
    fixed = itertools.cycle(corners().items())
    for number in itertools.count():
        if time.process_time() - started > seconds:
            break
        name, (counts, sizes) = ("random designs", design(rng)[:2]) if number % 2 else next(fixed)
        labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        n = len(labels)
        loader = Loader(labels, lambda n=n: rng.permutation(n), sizes, ids=bool(rng.integers(2)))  # type: ignore[misc]
        codes = found(loader, part=int(sizes.sum()) < n)
        groups = {"streams", *(["any"] if codes else []), *(["order"] if codes & ORDER else [])}
        alarms[name].update(codes | groups)
        if number % 100 == 99:
            progress(sum(alarms.values(), Counter[str]()), started)
    every = sum(alarms.values(), Counter[str]())
    for name, counted in [*sorted(alarms.items()), ("all", every)]:
        n = counted.pop("streams")
        shares = ", ".join(f"{code} {counted[code]}" for code in sorted(counted)) or "none"
        print(f"{name:32} {n:5} streams, alarms: {shares}; any ≤ {at_most(counted['any'], n):.4f}", flush=True)


def power(repetitions: int, batches: list[int], seed: int) -> None:
    """The share of streams in which the rule that names the fault speaks."""
    rng, started = np.random.default_rng(seed), time.process_time()
    for count in batches:
        hits, wrong, trials = Counter[str](), Counter[str](), Counter[str]()
        n = 32 * count
        for _, classes, ids in itertools.product(range(repetitions), (2, 10, 100), (False, True)):
            # Classes of unequal size, so that no two streams are the same.
            shares = rng.dirichlet(np.full(classes, 20.0))
            cuts = np.round(np.cumsum(shares)[:-1] * n).astype(np.int64)
            labels = np.searchsorted(cuts, np.arange(n), side="right")
            place = np.arange(n) - np.searchsorted(labels, labels)
            turns = np.lexsort((labels, place))
            blocks = np.split(
                np.arange(n), np.sort(rng.choice(np.arange(1, n), min(4 * classes, n // 16), replace=False))
            )
            faults: dict[str, tuple[str, Order]] = {
                "sorted": ("DG201", lambda n=n: np.arange(n)),  # type: ignore[misc]
                "blocks": ("DG201", lambda b=blocks: np.concatenate([b[at] for at in rng.permutation(len(b))])),  # type: ignore[misc]
                **{
                    f"buffer {share:.0%}": ("DG205", lambda share=share, n=n: buffered(rng, n, max(2, int(n * share))))  # type: ignore[misc]
                    for share in (0.01, 0.05, 0.1)
                },
                "round robin": ("DG206", lambda turns=turns: turns),  # type: ignore[misc]
            }
            for name, (code, order) in faults.items():
                codes = found(Loader(labels, order, np.full(count, 32), ids=ids))
                hits[name] += code in codes
                wrong[name] += bool(codes & ORDER)
                trials[name] += 1
            if ids and classes == 100:
                progress(Counter({name: hits[name] for name in hits} | {"of": trials["sorted"]}), started)
        for name, n_trials in trials.items():
            print(
                f"{count:4} batches, {name:12} named {hits[name]}/{n_trials} (≥ {at_least(hits[name], n_trials):.4f}), "
                f"reported by any rule of order {wrong[name]}/{n_trials} (≥ {at_least(wrong[name], n_trials):.4f})",
                flush=True,
            )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["null", "power"], help="null, power")
    parser.add_argument("--seconds", type=float, default=300.0, help="processor time for null")
    parser.add_argument(
        "--repetitions", type=int, default=50, help="streams for each number of classes, with ids and without"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[10, 20, 50, 100])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "null" in options.parts:
        null(options.seconds, options.seed)
    if "power" in options.parts:
        power(options.repetitions, options.batches, options.seed)


if __name__ == "__main__":
    main()
