"""DG202 single-label-batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.batches.composition import single_label
from dataguard.batches.evidence import EpochOrder, OrderEvidence
from dataguard.core.finding import Confidence, Finding, Inconclusive, Location, Measurement, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.figures import condition, decided, measured, quiet, undecided

_LISTED = 100
"""Batches that are listed as locations, the first ones."""


@rule("DG202", "single-label-batch", Severity.ERROR)
def single_label_batch(
    evidence: OrderEvidence, *, alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01
) -> Iterator[Outcome]:
    """Batches hold a single label, more of them than shuffling gives.

    ## What it does

    Counts the batches in which all samples have the same label, and holds their number against the one that shuffling
    gives for these class frequencies and this batch size.

    ## Why is this bad?

    The gradient of such a batch only says "more of this class", and the next one the opposite. Batch normalization
    takes the statistics of one class for those of the data; a contrastive or triplet loss has no negative left.

    ## How it decides

    Null hypothesis: every order of the samples is equally likely. With M batches of B out of N samples, n_k of class k,
    the expected number is M Σ C(n_k, B)/C(N, B) (hypergeometric), and the higher binomial moments are exact too; they
    bound the chance of as many as were seen. So 99:1 data in batches of 8, where 92 % of batches hold one label, is no
    finding. Where the loader's dataset says how frequent each class is, that is used for the first part of an epoch.
    The p-value is corrected with all tests of the stream (Holm), and reported at `alpha` = 0.01.

    Batches of one sample, and data of one class, have single labels by necessity: the rule is inconclusive there.

    Options:

    - `alpha`: chance that a shuffled stream is reported by any of the rules DG201 to DG206, in all.

    Measured (`benchmarks/order.py`): false alarms in 10,000 shuffled streams (2 to 1,000 classes, balanced to 1000:1,
    batches of 1 to 512) 0.0001 at `alpha` = 0.01, and 0.0046 for the whole family of an epoch. The bound is that
    conservative since the number of such batches is small.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.order_evidence import order_evidence
    >>> from dataguard.batches.record import record
    >>> x, y = np.random.default_rng(0).normal(size=(640, 4)), np.repeat(np.arange(10), 64)
    >>> stream = record([(x[at : at + 32], y[at : at + 32]) for at in range(0, 640, 32)])
    >>> [finding] = single_label_batch(order_evidence(stream))
    >>> finding.message.split(" (")[0]
    '20 of 20 batches of 32 hold a single label, 3.38e-34 if shuffled'

    ## How to fix

    Shuffle the samples before they are cut into batches. Where files hold a class each, interleave them and shuffle
    through a buffer larger than a file. For rare classes draw by weights, or by classes.

    ## References

    - Fisher's exact test rests on the same law: Fisher, *The logic of inductive inference*, JRSS 98, 1935.
    - Karpathy, *A recipe for training neural networks*, 2019 (look at what goes into the network),
      https://karpathy.github.io/2019/04/25/recipe/.
    """
    testable = [order for order in evidence.epochs if order.made("DG202")]
    if not testable:
        yield undecided(evidence, "DG202", ("single label",))
        return
    found = [order for order in testable if order.significant("DG202", alpha)]
    if found:
        yield _finding(evidence, found, len(testable), alpha)
    elif (observed := quiet(evidence, testable, "DG202", alpha)) is not None:
        yield observed


def _finding(evidence: OrderEvidence, found: list[EpochOrder], of: int, alpha: float) -> Finding:
    stream = evidence.stream
    worst = min(found, key=lambda order: order.adjusted["single label"])
    test, p = worst.tests["single label"], worst.adjusted["single label"]
    filled = np.flatnonzero(worst.batch_sizes > 0)
    single = single_label(worst.codes, worst.batch_sizes[filled])
    batches = [] if isinstance(single, Inconclusive) else filled[single.batches].tolist()
    starts = np.cumsum(worst.batch_sizes) - worst.batch_sizes
    labels = [stream.classes[worst.codes[starts[batch]]] for batch in batches]
    return single_label_batch.finding(
        f"{test.effect[0].upper()}{test.effect[1:]} ({condition(p, evidence, found, of)}).",
        remedy="Shuffle the dataset, or the buffer it is read through, before it is cut into batches.",
        confidence=Confidence.HIGH,
        measurements=(
            decided(p, alpha, evidence.n_tests),
            measured(test, p),
            Measurement(name="single-label batches if shuffled", value=test.expected, n=test.n),
        ),
        locations=tuple(
            Location(label=label, note=f"{worst.where}, batch {batch}")
            for batch, label in zip(batches[:_LISTED], labels[:_LISTED], strict=True)
        ),
    )
