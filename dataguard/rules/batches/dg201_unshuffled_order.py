"""DG201 unshuffled-order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.batches.evidence import EpochOrder, OrderEvidence
from dataguard.batches.order import RULE_OF
from dataguard.batches.runs import longest_run
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.figures import (
    condition,
    decided,
    epochs_text,
    listing_of_tests,
    measured,
    places,
    quiet,
    sampler_named,
    undecided,
)

_BY_POSITION = ("successors", "trend", "nearness", "batch nearness")
"""Tests that look at places in the source, and not at labels."""
_MEASURED = 3
"""Tests among the measurements, the most significant ones; the exhibit has them all."""
_NAMES = tuple(name for name, code in RULE_OF.items() if code == "DG201")


@rule("DG201", "unshuffled-order", Severity.ERROR)
def unshuffled_order(
    evidence: OrderEvidence, *, alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01
) -> Iterator[Outcome]:
    """The samples come in an order that is not random: sorted, in blocks, or as they lie on disk.

    ## What it does

    Looks at the order in which a loader feeds samples, and says whether it can be a shuffled one: by the classes, and,
    where the loader or the ids tell which sample it is, by its place in the dataset.

    ## Why is this bad?

    Stochastic gradient descent takes each batch for a random sample of the data. Of sorted data it sees one class after
    the other, follows each, and forgets the one before; batch normalization takes one class's statistics for all. The
    loss falls all the same, in waves. `shuffle` is off by default in `torch.utils.data.DataLoader`.

    ## How it decides

    Null hypothesis: every order of the samples is equally likely. Nine statistics are held against it:

    - by class: the number of equal neighbours (*clustering*), the longest run of one class, the dependence of the
      position on the class (*drift*, Kruskal and Wallis's H), the spread of classes over batches (χ² with its exact
      moments), and of the first part of an epoch its mix of classes against the dataset's (*prefix*);
    - by place in the dataset: samples that follow their predecessor (*successors*), Spearman's rank correlation
      (*trend*), von Neumann's ratio of successive steps (*nearness*), and the spread of places within batches (*batch
      nearness*). They see an order on disk that the labels do not show.

    Each p-value is an exact law, a proven bound, or checked by permutations, so that it holds for rare classes and
    small streams too. All tests of the stream (DG201 to DG206 and DG210 to DG212, every epoch) are corrected together
    by Holm's method, and the rule reports at `alpha` = 0.01.

    Severity: an error where labels show it. A warning where only places in the dataset do: if the dataset itself lies
    in a random order, every epoch is then alike, which is milder (DG204, no-reshuffle-between-epochs).

    It gives way to the rule that names the cause: a shuffle buffer over ordered data is DG205, weak-shuffle-buffer;
    round robin is DG206, too-regular-order. A class-balanced, stratified or weighted sampler is named and not reported.

    Options:

    - `alpha`: chance that a shuffled stream is reported by any of the rules DG201 to DG212, in all.

    Measured (`benchmarks/order.py`): false alarms in 10,000 shuffled streams (2 to 1,000 classes, balanced to 1000:1,
    batches of 1 to 512, whole epochs and parts) 0.0031 at `alpha` = 0.01, and 0.0046 for the whole family of an epoch.
    The rules on two epochs, by labels or ids (`benchmarks/order_rules.py`): DG201 0.0037 (16 of 4,341), all six 0.0041;
    sorted and block-sorted data reported by this rule in each trial from 50 batches on, with 2, 10 and 100 classes.
    With the tests of DG210 to DG212 in the family, in 4,500 shuffled streams of two epochs, half of them corners (1,000
    classes, 99:1, 1000:1, batches of 1 and of 512): 10 alarms of this rule (0.0022, at most 0.0038 with 95 %
    confidence), one each of DG205 and DG206, none of the others. Of 2, 10 and 100 classes this rule reported sorted
    data in 300 of 300 streams of 10 and of 20 batches, and shuffled blocks in 250 of 300 of 10 batches (at least 0.79)
    and 300 of 300 of 20 (at least 0.990).
    Power 1.00 for sorted and block-sorted data from 50 batches of 32 on, with 2 to 1,000 classes, at 100:1 and 99:1; at
    10 batches 1.00 too, but for sorted blocks at 99:1 (0: three samples of the rare class) and 1,000 classes, which
    were measured from 50 batches on.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.order_evidence import order_evidence
    >>> from dataguard.batches.record import record
    >>> x, y = np.random.default_rng(0).normal(size=(640, 4)), np.repeat(np.arange(10), 64)
    >>> stream = record([(x[at : at + 32], y[at : at + 32]) for at in range(0, 640, 32)])
    >>> [finding] = unshuffled_order(order_evidence(stream))
    >>> finding.severity.word, finding.message.split(";")[0]
    ('error', "The order is not random: samples 0 to 63 are all of class '0'")

    ## How to fix

    Shuffle: `DataLoader(…, shuffle=True)`, `dataset.shuffle(seed=…)`, `tf.data`'s `shuffle` with a buffer as large as
    the data. Where the data is too large for that, shuffle it once on disk, then shuffle the shards and a buffer. A
    loader of validation data may be in order: ignore this rule for it, and say why.

    ## References

    - Bottou, *Stochastic gradient descent tricks*, in Neural Networks: Tricks of the Trade, 2012.
    - Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6, 1979,
      https://www.jstor.org/stable/4615733.
    - Kruskal, Wallis, *Use of ranks in one-criterion variance analysis*, JASA 47, 1952.
    - von Neumann, *Distribution of the ratio of the mean square successive difference to the variance*, Annals of
      Mathematical Statistics 12, 1941.
    """
    testable = [order for order in evidence.epochs if order.made("DG201")]
    if not testable:
        yield undecided(evidence, "DG201", _NAMES)
        return
    found = []
    for order in testable:
        if order.deliberate:
            yield sampler_named(order, evidence)
        elif order.significant("DG201", alpha):
            cause = _named_elsewhere(order, alpha)
            if cause:
                yield Observation(message=f"The order of {order.where} is not random; {cause}.")
            else:
                found.append(order)
    if found:
        yield _finding(evidence, found, len(testable), alpha)
    else:
        observed = quiet(evidence, [order for order in testable if not order.deliberate], "DG201", alpha)
        if observed is not None and not any(order.significant("DG201", alpha) for order in testable):
            yield observed


def _named_elsewhere(order: EpochOrder, alpha: float) -> str:
    """The rule that says what made this order, where one does."""
    if order.buffered(alpha):
        return "DG205, weak-shuffle-buffer, says why"
    if order.regular(alpha):
        return "DG206, too-regular-order, says why"
    return ""


def _finding(evidence: OrderEvidence, found: list[EpochOrder], of: int, alpha: float) -> Finding:
    worst = min(found, key=lambda order: order.tests[order.significant("DG201", alpha)[0]].p_value)
    names = worst.significant("DG201", alpha)
    labels = [name for name in names if name not in _BY_POSITION]
    lead = _lead(evidence, worst, names)
    smallest = min(worst.adjusted[name] for name in names)
    facts = evidence.stream.loaders[worst.item.loader]
    off = " The loader says that it does not shuffle." if facts.shuffle is False else ""
    return unshuffled_order.finding(
        f"The order is not random{epochs_text(found, of)}: {lead} ({condition(smallest, evidence, [], 1)}).{off}",
        remedy="Shuffle before the data is cut into batches, anew each epoch; a loader of validation data may be in "
        "order.",
        severity=Severity.ERROR if labels else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(
            decided(smallest, alpha, evidence.n_tests),
            *(measured(worst.tests[name], worst.adjusted[name]) for name in names[:_MEASURED]),
        ),
        locations=places(found),
        exhibits=(listing_of_tests(worst.tests, worst.adjusted, worst.made("DG201")),),
    )


def _lead(evidence: OrderEvidence, order: EpochOrder, names: tuple[str, ...]) -> str:
    """What a person sees of it at once: the order of the dataset, a run, or the strongest test."""
    parts = []
    if "successors" in names:
        followed = order.tests["successors"]
        if followed.statistic >= 0.5 * (followed.n - 1):
            parts.append(f"{followed.effect} (by {order.position_origin})")
    if "longest run" in names:
        run = longest_run(order.codes)
        if not isinstance(run, Inconclusive):
            name = evidence.stream.classes[run.code]
            parts.append(f"samples {run.start:,} to {run.start + run.length - 1:,} are all of class {name!r}")
    if len(parts) < 2:
        rest = [name for name in names if name not in ("longest run", "successors")]
        if rest:
            parts.append(order.tests[rest[0]].effect)
    return "; ".join(parts) or order.tests[names[0]].effect
