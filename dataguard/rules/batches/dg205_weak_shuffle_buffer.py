"""DG205 weak-shuffle-buffer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.batches.buffer import LEVEL
from dataguard.batches.evidence import TESTS_OF, EpochOrder, OrderEvidence
from dataguard.core.finding import Confidence, Finding, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.figures import (
    condition,
    decided,
    listing_of_tests,
    measured,
    places,
    quiet,
    sampler_named,
    undecided,
)

_NAMES = tuple(name for name, code in TESTS_OF.items() if code == "DG205")
_BY_POSITION = frozenset({"successors", "trend", "nearness", "batch nearness", "buffer", "overlap"})
SMALL = 0.1
"""Share of the source below which a buffer leaves ordered data nearly as it was."""


@rule("DG205", "weak-shuffle-buffer", Severity.WARNING)
def weak_shuffle_buffer(
    evidence: OrderEvidence, *, alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01
) -> Iterator[Outcome]:
    """A shuffle buffer is too small for data that is in order.

    ## What it does

    Recognizes the order that a shuffle buffer leaves of ordered data, and estimates how many samples the buffer holds:
    by the samples' places in the source where these are known, or else by the labels.

    ## Why is this bad?

    A buffer of b samples moves a sample by about b places and no further. Over data that is sorted by class, a buffer
    of 1,000 is no shuffle but a slow drift from class to class; every epoch begins with the same part of the data. It
    is how `tf.data`, webdataset and Hugging Face streams shuffle, and their defaults are small.

    ## How it decides

    Null hypothesis: every order of the samples is equally likely.

    - By places: what leaves a buffer at step t was read at place t + b − 1 at the latest. The largest lead L − 1 of any
      sample has the exact law Π_t min(L, N − t)/(N − t) in a full shuffle; L estimates b, and b ≤ L/(1 − 3/n) with 95 %
      confidence.
    - By labels: a class begins later, or ends earlier, than C(N − t, n_k)/C(N, n_k) makes likely (exact, times the
      number of classes and ends). The size follows from where the classes begin, or from their spread (interval 95 %).
      The order must fit it: classes that last about as long as behind such a buffer, and neighbours mixed as by one;
      otherwise it is sorted or in blocks, and DG201, unshuffled-order, says so.
    - By two epochs of which only the first part was seen: the samples in both, against the hypergeometric law.

    All p-values are corrected with the tests of the stream (Holm), and reported at `alpha` = 0.01. Severity: an
    error where the labels show it and the buffer is below 10 % of the source, since most of the order is left then; a
    warning where the labels show it otherwise; and information where only places do, which does no harm if the data
    lies in a random order.

    Options:

    - `alpha`: chance that a shuffled stream is reported by any of the rules DG201 to DG206, in all.

    Measured (`benchmarks/order.py`): false alarms in 10,000 shuffled streams (2 to 1,000 classes, balanced to 1000:1,
    batches of 1 to 512) 0.0009 at `alpha` = 0.01. Power over sorted data with buffers of 1, 5, 10 and 50 % of it: 1.00
    from 50 batches of 32 on, with 2 to 1,000 classes. At 10 batches 1.00, but for a buffer of 10 % at 99:1 (0.15) and
    of 50 % over 100 classes (0.25); 1,000 classes were measured from 50 batches on. By the rule, which must also find
    that a buffer fits (`benchmarks/order_rules.py`, two epochs): 0 of 4,341 shuffled streams; buffers of 1 to 50 %
    found in each trial from 100 batches on, with 2, 10 and 100 classes, and at 50 batches but for 50 % over 100 (0.9).
    With the tests of DG210 to DG212 in the family, buffers of 1, 5 and 10 % were named in 212, 287 and 252 of 300
    streams of 10 batches (in all others another rule of order spoke), in 290, 300 and 300 of 20 (at least 0.990 with
    95 % confidence for 300), and in 258 of 258 each of 50; one alarm in 4,500 shuffled streams (at most 0.0011).

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.order_evidence import order_evidence
    >>> from dataguard.batches.record import record
    >>> rng = np.random.default_rng(0)
    >>> held, fed = [], []
    >>> for label in np.repeat(np.arange(10), 200):
    ...     held.append(label)
    ...     if len(held) == 100:
    ...         fed.append(held.pop(rng.integers(100)))
    >>> y = np.array(fed + rng.permutation(held).tolist())
    >>> x = rng.normal(size=(2000, 4))
    >>> stream = record([(x[at : at + 50], y[at : at + 50]) for at in range(0, 2000, 50)])
    >>> [finding] = weak_shuffle_buffer(order_evidence(stream))
    >>> finding.severity.word, finding.message.split(" samples")[0]
    ('error', 'The order is that of a shuffle buffer of about 100')

    ## How to fix

    Shuffle the data once where it lies, so that neighbours no longer belong together; then a small buffer suffices.
    Or shuffle the shards as well as the buffer, and make the buffer larger than what is in order.

    ## References

    - TensorFlow, *tf.data.Dataset.shuffle* (`buffer_size`),
      https://www.tensorflow.org/api_docs/python/tf/data/Dataset#shuffle.
    - webdataset, *Shuffling*, https://github.com/webdataset/webdataset.
    """
    testable = [order for order in evidence.epochs if order.made("DG205")]
    if not testable:
        yield undecided(evidence, "DG205", _NAMES)
        return
    found, silent = [], True
    for order in testable:
        names = order.significant("DG205", alpha)
        if not names:
            continue
        silent = False
        if order.deliberate:
            yield sampler_named(order, evidence)
        elif order.buffered(alpha) or "overlap" in names:
            found.append(order)
        else:
            judge = "DG206, too-regular-order," if order.regular(alpha) else "DG201, unshuffled-order,"
            yield Observation(
                message=f"The order of {order.where} is not random, and not that of a shuffle buffer "
                f"({order.tests[names[0]].effect}); {judge} judges it.",
                measurements=tuple(measured(order.tests[name], order.adjusted[name]) for name in names),
            )
    if found:
        yield _finding(evidence, found, len(testable), alpha)
    elif silent and (observed := quiet(evidence, testable, "DG205", alpha)) is not None:
        yield observed


def _finding(evidence: OrderEvidence, found: list[EpochOrder], of: int, alpha: float) -> Finding:
    worst = min(found, key=lambda order: order.tests[order.significant("DG205", alpha)[0]].p_value)
    names = worst.significant("DG205", alpha)
    p = min(worst.adjusted[name] for name in names)
    facts = evidence.stream.loaders[worst.item.loader]
    buffer = worst.buffer if worst.buffered(alpha) else None
    declared = (
        "" if facts.shuffle_buffer is None else f" The loader says that its buffer holds {facts.shuffle_buffer:,}."
    )
    labels = [
        name
        for code in ("DG201", "DG205")
        for name in worst.significant(code, alpha)
        if name not in _BY_POSITION and name != "prefix"
    ]
    if buffer is None:
        what, share = "Each epoch begins with the same part of the data", 1.0
    else:
        share = buffer.share
        size = f"about {buffer.size:,} samples"
        if buffer.high > buffer.low:
            size += f" ({buffer.low:,} to {buffer.high:,})"
        what = f"The order is that of a shuffle buffer of {size}, {share:.1%} of the source"
    severity = Severity.INFO if not labels else Severity.ERROR if share < SMALL else Severity.WARNING
    extra: tuple[Measurement, ...] = ()
    if buffer is not None:
        n = worst.tests[names[0]].n
        size_of = Measurement(
            name="samples in the buffer", value=buffer.size, low=buffer.low, high=buffer.high, level=LEVEL, n=n
        )
        extra = (size_of, Measurement(name="buffer over source", value=share, threshold=SMALL, unit="share"))
    return weak_shuffle_buffer.finding(
        f"{what}: {worst.tests[names[0]].effect} ({condition(p, evidence, found, of)}).{declared}"
        + ("" if labels else " The labels do not show it: the data may lie in a random order."),
        remedy="Shuffle the data once where it lies, or make the buffer larger than what is in order.",
        severity=severity,
        confidence=Confidence.HIGH,
        measurements=(
            *extra,
            decided(p, alpha, evidence.n_tests),
            *(measured(worst.tests[name], worst.adjusted[name]) for name in names),
        ),
        locations=places(found),
        exhibits=(listing_of_tests(worst.tests, worst.adjusted, (*worst.made("DG205"), *worst.made("DG201"))),),
    )
