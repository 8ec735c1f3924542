"""What the rules DG201 to DG206 say of whole streams, two epochs each: false alarms, and which rule finds which fault.

Run ``python benchmarks/order_rules.py [seconds]``. `benchmarks/order.py` measures each test; here the rules decide, and
leave a fault to the one that names its cause, so that power is the share of streams in which that one speaks.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.batches.evidence import order_evidence
from dataguard.batches.record import record
from dataguard.core.finding import Finding
from dataguard.rules import all_rules

RULES = [rule for rule in all_rules() if "DG201" <= rule.code <= "DG206"]
Order = Callable[[], NDArray[np.int64]]


class Loader:
    """Feeds labels in an order that is made anew each epoch, with or without ids."""

    def __init__(self, labels: NDArray[np.int64], order: Order, size: int, *, ids: bool) -> None:
        self.labels, self.order, self.size = labels, order, size
        self.names = np.char.mod("s%d", np.arange(len(labels))) if ids else None
        self.x = np.random.default_rng(0).normal(size=(len(labels), 1))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        order = self.order()
        for at in range(0, len(order), self.size):
            rows = order[at : at + self.size]
            batch = {"x": self.x[rows], "label": self.labels[rows]}
            yield batch if self.names is None else {**batch, "id": self.names[rows]}


def found(loader: Loader) -> set[str]:
    """The rules that report a loader."""
    evidence = order_evidence(record(loader, epochs=2))
    return {rule.code for rule in RULES if any(isinstance(item, Finding) for item in rule(evidence))}


def buffered(rng: np.random.Generator, n: int, size: int) -> NDArray[np.int64]:
    """The order that a buffer of `size` leaves of 0 … n − 1."""
    held, out = list(range(size)), np.empty(n, dtype=np.int64)
    for step in range(n - size):
        at = int(rng.integers(size))
        out[step], held[at] = held[at], step + size
    out[n - size :] = rng.permutation(held)
    return out


def false_alarms(seconds: float) -> None:
    """Shuffled streams of 60 to 3,000 samples, 2 to 100 classes, balanced or skewed, in batches of 1 to 256."""
    rng, alarms, streams, started = np.random.default_rng(7), Counter[str](), 0, time.monotonic()
    while time.monotonic() - started < seconds:
        n, k = (int(np.exp(rng.uniform(np.log(low), np.log(high)))) for low, high in ((60, 3000), (2, 100)))
        shares = np.exp(rng.choice([0, 3]) * rng.uniform(-1, 1) * np.linspace(0, 1, k))
        labels = rng.choice(k, n, p=shares / shares.sum())
        size = int(np.exp(rng.uniform(0 if n < 1500 else np.log(16), np.log(min(256, n / 3)))))
        codes = found(Loader(labels, lambda n=n: rng.permutation(n), size, ids=bool(rng.integers(2))))  # type: ignore[misc]
        alarms.update(codes)
        alarms["any"] += bool(codes)
        streams += 1
    print(f"{streams} shuffled streams: " + ", ".join(f"{name} {count}" for name, count in sorted(alarms.items())))


def power(batches: int, classes: int, trials: int, *, ids: bool) -> None:
    """The share of streams in which the rule that names the fault speaks."""
    rng, hits = np.random.default_rng(11), Counter[str]()
    n = 32 * batches
    labels = np.arange(n) * classes // n
    turns = np.argsort(np.arange(n) % (n // classes), kind="stable")
    blocks = np.array_split(np.arange(n), 4 * classes)
    faults: dict[str, tuple[str, Order]] = {
        "sorted": ("DG201", lambda: np.arange(n)),
        "blocks": ("DG201", lambda: np.concatenate([blocks[at] for at in rng.permutation(len(blocks))])),
        **{
            f"buffer {share:.0%}": ("DG205", lambda share=share: buffered(rng, n, int(n * share)))  # type: ignore[misc]
            for share in (0.01, 0.05, 0.1, 0.5)
        },
        "round robin": ("DG206", lambda: turns),
    }
    for _ in range(trials):
        for name, (code, order) in faults.items():
            hits[name] += code in found(Loader(labels, order, 32, ids=ids))
    shares = ", ".join(f"{name} {hits[name] / trials:.2f}" for name in faults)
    print(f"{batches:4} batches, {classes:4} classes, {'ids' if ids else 'labels'}: {shares}", flush=True)


if __name__ == "__main__":
    for count in (10, 20, 50, 100):
        for k in (2, 10, 100):
            for known in (False, True):
                power(count, k, 10, ids=known)
    false_alarms(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
