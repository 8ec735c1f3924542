"""All tests of one epoch's order together, with what they say after correction for their number.

Measured by ``benchmarks/order.py``. False alarms in 10,000 shuffled streams (2-1,000 classes, balanced to 1000:1,
batches of 1-512, full epochs and prefixes): any test of an epoch after Holm's correction at 0.01, 0.0046; by rule DG201
0.0031, DG202 0.0001, DG205 0.0009, DG206 0.0005. Each test by itself at 0.01: clustering 0.0016, longest run 0.0019,
drift 0.0097, spread 0.0093, prefix 0.0072, successors 0.0018, trend 0.0102, nearness 0.0102, batch nearness 0.0095,
single label 0.0007, buffer 0.0095, late classes 0.0073, alternation 0.0038, period 0, evenness 0.0051 (standard error
0.001; those near 0.01 have exact or nearly exact laws).

Power with batches of 32 is 1.00 from 50 batches on for data that is sorted, block-sorted, sorted with shuffled batches,
behind a buffer of 1, 5, 10 or 50 % of the data, or in round robin, with 2, 10, 100 and 1,000 classes, at 100:1 and, for
2 classes, at 99:1. At 10 batches (320 samples) it is 1.00 too, but for a buffer of half the data over 100 classes (0.2)
and at 99:1, with three samples of the rare class (buffer of 10 % 0.15, of 50 % 0, eight sorted blocks 0); at 20 batches
only the buffer of 50 % at 99:1 is missed. At 100 batches the largest corrected p-value was 2e-30 for any of these but
the buffer of 50 %, and 1e-8 for that one, at 99:1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.buffer import ShuffleBuffer, buffer_from_positions, late_classes
from dataguard.batches.composition import SingleLabel, class_totals, composition, drift, prefix, single_label
from dataguard.batches.positions import batch_nearness, nearness, successors, trend
from dataguard.batches.runs import Period, Run, alternation, clustering, longest_run, period
from dataguard.batches.significance import OrderTest
from dataguard.core.finding import Inconclusive
from dataguard.core.multiple_tests import holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.01
"""Chance that any test of a truly shuffled stream is significant, all together."""

RULE_OF = MappingProxyType(
    {
        "clustering": "DG201",
        "longest run": "DG201",
        "drift": "DG201",
        "spread": "DG201",
        "prefix": "DG201",
        "successors": "DG201",
        "trend": "DG201",
        "nearness": "DG201",
        "batch nearness": "DG201",
        "single label": "DG202",
        "buffer": "DG205",
        "late classes": "DG205",
        "alternation": "DG206",
        "period": "DG206",
        "evenness": "DG206",
    }
)
"""The rule that each test speaks for. Holm's correction is over all of them that could be made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTests:
    """The tests of one epoch's order."""

    tests: Mapping[str, OrderTest]
    """By name, as in `RULE_OF`."""
    adjusted: Mapping[str, float]
    """Their p-values after Holm's correction for all of them."""
    undecided: Mapping[str, str]
    """Why a test could not be made, by name."""

    def significant(self, rule: str | None = None, alpha: float = ALPHA) -> tuple[str, ...]:
        """Names of the tests with an adjusted p-value of at most `alpha`, smallest first; of one rule, or of all."""
        found = [name for name, p in self.adjusted.items() if p <= alpha and (rule is None or RULE_OF[name] == rule)]
        return tuple(sorted(found, key=lambda name: self.tests[name].p_value))


def order_tests(
    codes: NDArray[np.integer],
    batch_sizes: NDArray[np.integer],
    *,
    dataset: NDArray[np.integer] | None = None,
    positions: NDArray[np.integer] | None = None,
    source_size: int | None = None,
    seed: int = 0,
) -> OrderTests:
    """Every test of the order of one epoch, or of the first part of one.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,), each at least 0.
        batch_sizes: Shape (batches,), adding up to n.
        dataset: Samples of each class in the dataset, shape (classes,); `codes` index it.
        positions: Place of each sample in the source, −1 if unknown, shape (n,).
        source_size: How many samples the source has; needed with `positions`.
        seed: Seed of all permutations.

    Raises:
        ValueError: the sizes do not add up, a code is negative or no class of the dataset, or positions come without a
        size.

    Example:
        >>> tests = order_tests(np.repeat(np.arange(10), 64), np.full(20, 32))
        >>> tests.significant("DG201")[0], tests.significant("DG206")
        ('clustering', ())
    """
    codes = np.asarray(codes)
    made: dict[str, OrderTest | Run | Period | SingleLabel | ShuffleBuffer | Inconclusive] = {
        "clustering": clustering(codes),
        "longest run": longest_run(codes),
        "drift": drift(codes, seed=seed),
        "spread": composition(codes, batch_sizes, tail="upper", seed=seed),
        "single label": single_label(codes, batch_sizes, dataset=dataset),
        "late classes": late_classes(codes) if len(codes) else Inconclusive(reason="no samples"),
        "alternation": alternation(codes, seed=seed),
        "period": period(codes),
        "evenness": composition(codes, batch_sizes, tail="lower", seed=seed),
    }
    if dataset is not None:
        made["prefix"] = prefix(class_totals(codes, dataset), np.asarray(dataset), seed=seed)
    if positions is not None:
        if source_size is None:
            raise ValueError("source_size: needed with positions")
        made["successors"] = successors(positions, source_size)
        made["trend"] = trend(positions, seed=seed)
        made["nearness"] = nearness(positions, seed=seed)
        made["batch nearness"] = batch_nearness(positions, batch_sizes, seed=seed)
        made["buffer"] = buffer_from_positions(positions, source_size)
    tests: dict[str, OrderTest] = {}
    undecided: dict[str, str] = {}
    for name, result in made.items():
        if isinstance(result, Inconclusive):
            undecided[name] = result.reason
        else:
            tests[name] = result if isinstance(result, OrderTest) else result.test
    adjusted = holm([test.p_value for test in tests.values()])
    return OrderTests(
        tests=MappingProxyType(tests),
        adjusted=MappingProxyType(dict(zip(tests, adjusted.tolist(), strict=True))),
        undecided=MappingProxyType(undecided),
    )
