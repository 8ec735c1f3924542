"""DG203 repeated-batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.batches import measure
from dataguard.batches.epochs import RepeatedBatches
from dataguard.batches.evidence import OrderEvidence, Repeats
from dataguard.core.finding import Confidence, Finding, Inconclusive, Location, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.figures import decided, measured, p_text

_LISTED = 100
_NAMED = 5


@rule("DG203", "repeated-batch", Severity.ERROR)
def repeated_batch(
    evidence: OrderEvidence, *, alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01
) -> Iterator[Outcome]:
    """The same batch comes again within an epoch.

    ## What it does

    Looks for batches of one epoch that hold the same samples, in whatever order: by their index in the dataset or their
    ids, and by their content.

    ## Why is this bad?

    The model learns a handful of samples by heart, and the loss looks splendid. It happens where the loop calls
    `next(iter(loader))` and so begins anew at every step, where a collate function reuses its buffer, or where a cache
    keys on the wrong thing.

    ## How it decides

    Null hypothesis: every order of the samples is equally likely. A batch with o_h of the c_h copies of each sample h
    is equal to another one with probability Π C(c_h − o_h, o_h)/C(N − B, B); the expected number of equal pairs, over
    the number found, bounds the p-value (Markov's inequality). So copies in the dataset, tiny data and drawing with
    replacement are allowed for, and batches of one sample do not count. The p-value is corrected with all tests of the
    stream (Holm), and reported at `alpha` = 0.01.

    By content, samples are told apart by a hash of all their bytes. A stream of `guard` has seen 256 bytes of each
    only: where samples are known by index or id these decide alone, and where they are not, confidence is medium.

    Options:

    - `alpha`: chance that a shuffled stream is reported by any of the rules DG201 to DG206, in all.

    Measured (`benchmarks/epochs.py`, 10,000 shuffled streams of 20 to 2,000 samples in batches of 2 to 256, a third of
    them with copies): false alarms 0.0002 at 0.01 without the correction. A batch of 32 that comes twice among 3 to 50
    others was found in each of 400 trials. Where all batches are the same, the p-value is that of the exact law.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.order_evidence import order_evidence
    >>> from dataguard.batches.record import record
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(32, 4)), rng.integers(0, 10, 32)
    >>> [finding] = repeated_batch(order_evidence(record([(x, y)] * 50)))
    >>> finding.message.split(" (")[0]
    '49 of 50 batches hold the same samples as an earlier one of their epoch: batches 0, 1, 2, 3, 4 and 45 more'

    ## How to fix

    Make the iterator once an epoch, `for batch in loader`, and not once a step. Copy what a collate function returns if
    it writes into a buffer. To over-fit one batch on purpose, as a check of the model, ignore this rule and say so.

    ## References

    - Karpathy, *A recipe for training neural networks*, 2019 (over-fit a single batch, and then stop doing so),
      https://karpathy.github.io/2019/04/25/recipe/.
    """
    if not evidence.repeats:
        yield Skipped(reason="no batch holds a sample")
        return
    made = [(item, item.found) for item in evidence.repeats if not isinstance(item.found, Inconclusive)]
    if not made:
        yield Inconclusive(
            reason=next(str(r.found.reason) for r in evidence.repeats if isinstance(r.found, Inconclusive))
        )
        return
    found = [(item, repeats) for item, repeats in made if repeats.repeats and item.adjusted <= alpha]
    if found:
        yield _finding(evidence, found, alpha)
        return
    some = max(made, key=lambda pair: pair[1].repeats)[1]
    yield Observation(
        message=f"{some.repeats:,} of {some.batches:,} batches hold the same samples as an earlier one of their epoch, "
        f"{some.test.expected:.2g} if shuffled.",
        measurements=tuple(measured(repeats.test, item.adjusted) for item, repeats in made),
    )


def _finding(evidence: OrderEvidence, found: list[tuple[Repeats, RepeatedBatches]], alpha: float) -> Finding:
    item, repeats = max(found, key=lambda pair: pair[1].repeats)
    group = repeats.groups[0]
    more = f" and {len(group) - _NAMED:,} more" if len(group) > _NAMED else ""
    named = ", ".join(str(batch) for batch in group[:_NAMED])
    passes = sorted({other.item.epoch for other, _ in found})
    where = "" if len(evidence.stream.passes) < 2 else " in epochs " + ", ".join(map(str, passes))
    sketched = item.by == "content" and evidence.stream.hash_method != measure.HASH_METHOD
    by = f" (known by {item.by}" + (", 256 bytes of each sample" if sketched else "") + f"; {p_text(item.adjusted)})"
    return repeated_batch.finding(
        f"{repeats.repeats:,} of {repeats.batches:,} batches hold the same samples as an earlier one of their epoch: "
        f"batches {named}{more}{where}{by}.",
        remedy="Look for an iterator that is made anew for every batch, or a buffer that is reused.",
        confidence=Confidence.MEDIUM if sketched else Confidence.HIGH,
        measurements=(
            decided(item.adjusted, alpha, evidence.n_tests),
            *(measured(other.test, pair.adjusted) for pair, other in found),
        ),
        locations=tuple(
            Location(
                note=f"epoch {item.item.epoch}: batches {', '.join(str(batch) for batch in other[:20])}"
                + (f" and {len(other) - 20:,} more" if len(other) > 20 else "")
                + " are equal"
            )
            for other in repeats.groups[:_LISTED]
        ),
    )
