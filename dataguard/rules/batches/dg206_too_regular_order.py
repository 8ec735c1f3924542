"""DG206 too-regular-order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.batches.evidence import EpochOrder, OrderEvidence
from dataguard.batches.order import RULE_OF
from dataguard.batches.runs import period
from dataguard.core.finding import Confidence, Finding, Inconclusive, Measurement, Observation, Outcome, Severity
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

_NAMES = tuple(name for name, code in RULE_OF.items() if code == "DG206")


@rule("DG206", "too-regular-order", Severity.WARNING)
def too_regular_order(
    evidence: OrderEvidence, *, alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01
) -> Iterator[Outcome]:
    """The classes take turns more regularly than shuffling lets them.

    ## What it does

    Recognizes orders that are more even than chance: classes in round robin, files that are interleaved without a
    shuffle, batches that all hold the same mix.

    ## Why is this bad?

    It looks well mixed, and is not random: after each class comes the same other one, so that augmentation, batch
    position and worker can tell the class; a model with state, or batch normalization over parts of a batch, learns the
    turn. It comes from `interleave` or `zip` over one file a class, and means that nothing shuffles behind it.

    ## How it decides

    Null hypothesis: every order of the samples is equally likely. Three statistics are held against it: too few equal
    neighbours (*alternation*), labels that come round again after a fixed number of samples (*period*: the largest
    agreement at any lag, corrected for the number of lags), and batches whose mix of classes varies too little
    (*evenness*: the lower tail of χ² with its exact moments). p-values are proven bounds or checked by permutations,
    corrected with all tests of the stream (Holm), and reported at `alpha` = 0.01.

    A sampler that makes batches even on purpose (the same number of each class in every batch, P classes × K samples,
    stratified batches, or draws by weights) is recognized, named, and not reported. A batch that comes again and again
    is DG203, repeated-batch, and data in blocks is DG201, unshuffled-order.

    Options:

    - `alpha`: chance that a shuffled stream is reported by any of the rules DG201 to DG206, in all.

    Measured (`benchmarks/order.py`): false alarms in 10,000 shuffled streams (2 to 1,000 classes, balanced to 1000:1,
    batches of 1 to 512) 0.0005 at `alpha` = 0.01. Power for round robin 1.00 from 10 batches of 32 on, with 2 to 100
    classes, and from 50 batches on, where it was first measured, with 1,000. By the rule (`benchmarks/order_rules.py`,
    two epochs): 1.00 from 10 batches on with 2 and 10 classes, and from 50 on with 100, whose turns are long. With the
    tests of DG210 to DG212 in the family, round robin of 2, 10 and 100 classes was named in 199 of 300 streams of 10
    batches, 297 of 300 of 20 (at least 0.974 with 95 % confidence) and 258 of 258 of 50, and reported by some rule of
    order in all; one alarm in 4,500 shuffled streams (at most 0.0011).

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.order_evidence import order_evidence
    >>> from dataguard.batches.record import record
    >>> x, y = np.random.default_rng(0).normal(size=(640, 4)), np.tile(np.arange(10), 64)
    >>> stream = record([(x[at : at + 32], y[at : at + 32]) for at in range(0, 640, 32)])
    >>> [finding] = too_regular_order(order_evidence(stream))
    >>> finding.message.split(" (")[0]
    'The classes take turns: 100.0% of samples have the class of the one 10 before, 9.9% if shuffled'

    ## How to fix

    Shuffle what was interleaved, through a buffer of many rounds, or draw the file of each sample at random. If batches
    are to be balanced, draw within each class at random and shuffle each batch.

    ## References

    - Wald, Wolfowitz, *On a test whether two samples are from the same population*, Annals of Mathematical Statistics
      11, 1940 (runs).
    - TensorFlow, *tf.data.Dataset.interleave*, https://www.tensorflow.org/api_docs/python/tf/data/Dataset#interleave.
    """
    testable = [order for order in evidence.epochs if order.made("DG206")]
    if not testable or evidence.unlabelled:
        yield undecided(evidence, "DG206", _NAMES)
        return
    found, silent = [], True
    for order in testable:
        if order.deliberate:
            yield sampler_named(order, evidence)
            continue
        names = order.significant("DG206", alpha)
        if not names:
            continue
        silent = False
        cause = _named_elsewhere(evidence, order, alpha)
        if cause:
            yield Observation(
                message=f"The order of {order.where} is regular ({order.tests[names[0]].effect}); {cause}.",
                measurements=tuple(measured(order.tests[name], order.adjusted[name]) for name in names),
            )
        else:
            found.append(order)
    if found:
        yield _finding(evidence, found, len(testable), alpha)
    elif silent:
        observed = quiet(evidence, [order for order in testable if not order.deliberate], "DG206", alpha)
        if observed is not None:
            yield observed


def _named_elsewhere(evidence: OrderEvidence, order: EpochOrder, alpha: float) -> str:
    """The rule that says what made this order, where one does."""
    if any(item.item == order.item and item.adjusted <= alpha for item in evidence.repeats):
        return "a batch comes again, as DG203, repeated-batch, says"
    if order.sequential(alpha):
        return "it is that of the source, as DG201, unshuffled-order, says"
    if order.buffered(alpha):
        return "it is that of a shuffle buffer, as DG205, weak-shuffle-buffer, says"
    if "clustering" in order.significant("DG201", alpha):
        return "the classes come in blocks, as DG201, unshuffled-order, says"
    return ""


def _finding(evidence: OrderEvidence, found: list[EpochOrder], of: int, alpha: float) -> Finding:
    worst = min(found, key=lambda order: order.tests[order.significant("DG206", alpha)[0]].p_value)
    names = worst.significant("DG206", alpha)
    p = min(worst.adjusted[name] for name in names)
    turns = period(worst.codes) if "period" in names else None
    extra: tuple[Measurement, ...] = ()
    if turns is None or isinstance(turns, Inconclusive):
        what = f"The batches are more alike than by shuffling: {worst.tests[names[0]].effect}"
        if names[0] == "alternation":
            what = f"The classes avoid coming twice in a row: {worst.tests[names[0]].effect}"
    else:
        what = f"The classes take turns: {worst.tests['period'].effect}"
        extra = (Measurement(name="samples until the classes come round", value=turns.lag),)
    return too_regular_order.finding(
        f"{what} ({condition(p, evidence, found, of)}).",
        remedy="Shuffle what was interleaved, or name the sampler that makes the batches even and ignore this rule.",
        confidence=Confidence.HIGH if worst.regular(alpha) else Confidence.MEDIUM,
        measurements=(
            *extra,
            decided(p, alpha, evidence.n_tests),
            *(measured(worst.tests[name], worst.adjusted[name]) for name in names),
        ),
        locations=places(found),
        exhibits=(listing_of_tests(worst.tests, worst.adjusted, worst.made("DG206")),),
    )
