"""DG204 no-reshuffle-between-epochs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.batches.epochs import EpochComparison
from dataguard.batches.evidence import EpochOrder, EpochPair, OrderEvidence
from dataguard.batches.kinds import Ending
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Finding, Inconclusive, Location, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.figures import decided, measured, p_text

_WHOLE = (
    "the same order",
    "the same order, rotated",
    "the same order, reversed",
    "the same batches in another order",
    "the same batches, shuffled within",
)
"""Kinds of repetition that only a missing reshuffle makes; the others may come from blocks or a small buffer."""


@rule("DG204", "no-reshuffle-between-epochs", Severity.WARNING)
def no_reshuffle_between_epochs(
    evidence: OrderEvidence, *, alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01
) -> Iterator[Outcome]:
    """An epoch repeats the order, or the batches, of the epoch before.

    ## What it does

    Compares each epoch with the one before: by the samples' index or ids, or else by their content, or, where
    augmentation changes every sample, by the order of the labels. It tells apart the same order, the same one rotated
    or reversed, the same batches in another order, the same batches shuffled within, and parts of an order that are
    kept.

    ## Why is this bad?

    Samples that always share a batch always share a gradient and its batch-normalization statistics, and what the order
    does by chance is done again each epoch instead of averaging out. Reshuffling each epoch converges faster than any
    fixed order. A `DistributedSampler` shuffles by `seed + epoch`, and without `set_epoch` the epoch is always 0.

    ## How it decides

    Null hypothesis: the second epoch is a random order. Then about one sample is followed by the same one as before
    (Poisson; all binomial moments are exact), the pairs that share a batch in both epochs have an exact mean and
    variance (checked by permutations), and equal labels stand at Σ n_k²/N places. The p-values are corrected with all
    tests of the stream (Holm), and reported at `alpha` = 0.01.

    The message says whether `set_epoch` was called, as far as that is known: by the recorder, or of a sampler whose
    epoch did not change. A loader that does not shuffle at all is DG201, unshuffled-order; parts that are kept because
    of blocks or of a small buffer are DG201 and DG205, weak-shuffle-buffer.

    Options:

    - `alpha`: chance that a shuffled stream is reported by any of the rules DG201 to DG206, in all.

    Measured (`benchmarks/epochs.py`, 10,000 pairs of shuffled epochs of 20 to 2,000 samples in batches of 2 to 256, at
    0.01, corrected for the tests of the pair): false alarms 0.0039 by samples, 0 where samples have copies, and 0.0012
    by labels. The same order, a rotation, the same batches, and the same batches shuffled within were found in each of
    100 trials, from 3 batches of 32 on.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.order_evidence import order_evidence
    >>> from dataguard.batches.record import record
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(640, 4)), rng.integers(0, 10, 640)
    >>> same = [(x[at : at + 32], y[at : at + 32]) for at in range(0, 640, 32)]
    >>> [finding] = no_reshuffle_between_epochs(order_evidence(record(same, epochs=2)))
    >>> finding.message.split(" (")[0]
    'Epoch 1 has the same order as epoch 0'

    ## How to fix

    Shuffle anew in each epoch. Call `sampler.set_epoch(epoch)` before each epoch of distributed training, and
    `dataset.set_epoch(epoch)` for a Hugging Face stream. Do not set the seed, or make the loader, inside the loop over
    epochs. If the training loop calls `set_epoch` and only the recording did not, record with `on_epoch="set_epoch"`.

    ## References

    - PyTorch, *DistributedSampler* (`set_epoch`),
      https://pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler.
    - Mishchenko, Khaled, Richtárik, *Random reshuffling: simple analysis with vast improvements*, NeurIPS 2020,
      https://arxiv.org/abs/2006.05988.
    """
    if not evidence.pairs:
        yield Inconclusive(reason=_too_few(evidence.stream))
        return
    found, settled = [], False
    for pair in evidence.pairs:
        if isinstance(pair.found, Inconclusive):
            continue
        settled = True
        if pair.found.kind == "reshuffled" or min(pair.adjusted, default=1.0) > alpha:
            continue
        cause = _named_elsewhere(evidence, pair, pair.found, alpha)
        if cause:
            yield Observation(message=f"{_sentence(pair, pair.found)}; {cause}.")
        else:
            found.append((pair, pair.found))
    if found:
        yield _finding(evidence, found, alpha)
    elif not settled:
        reasons = dict.fromkeys(pair.found.reason for pair in evidence.pairs if isinstance(pair.found, Inconclusive))
        yield Inconclusive(reason="; ".join(reasons))
    elif all(isinstance(pair.found, Inconclusive) or pair.found.kind == "reshuffled" for pair in evidence.pairs):
        pair, test, p = min(
            (
                (pair, test, p)
                for pair in evidence.pairs
                if not isinstance(pair.found, Inconclusive)
                for test, p in zip(pair.found.tests, pair.adjusted, strict=True)
            ),
            key=lambda item: item[2],
        )
        yield Observation(
            message=f"The epochs are shuffled anew (compared by {pair.by}): {test.effect}.",
            measurements=(measured(test, p),),
        )


def _too_few(stream: BatchStream) -> str:
    used_up = next((item for item in stream.passes if item.ending is Ending.USED_UP), None)
    if used_up is not None:
        return f"there is no second epoch to compare: {used_up.detail}"
    return "one epoch was recorded, and it takes two to compare them (loader.epochs, or epochs=2 of record)"


def _order_of(evidence: OrderEvidence, pair: EpochPair) -> list[EpochOrder]:
    return [order for order in evidence.epochs if order.item in (pair.before, pair.item)]


def _named_elsewhere(evidence: OrderEvidence, pair: EpochPair, compared: EpochComparison, alpha: float) -> str:
    """The rule that says what made this, where one does."""
    orders = _order_of(evidence, pair)
    fixed = any(order.significant("DG201", alpha) and not order.deliberate for order in orders)
    if compared.kind in _WHOLE:
        sequential = compared.kind == "the same order" and fixed and not any(order.buffered(alpha) for order in orders)
        return "it is not shuffled at all, as DG201, unshuffled-order, says" if sequential else ""
    if any(order.buffered(alpha) for order in orders):
        return "a small shuffle buffer leaves that much of it, as DG205, weak-shuffle-buffer, says"
    return "parts of the source are kept together, as DG201, unshuffled-order, says" if fixed else ""


def _sentence(pair: EpochPair, compared: EpochComparison) -> str:
    rank = f" of rank {pair.item.rank}" if pair.item.rank >= 0 else ""
    epoch, before = f"Epoch {pair.item.epoch}{rank}", f"epoch {pair.before.epoch}"
    kept = compared.tests[0].effect
    return {
        "the same order": f"{epoch} has the same order as {before}",
        "the same order, rotated": f"{epoch} has the order of {before}, rotated by {compared.offset:,} samples",
        "the same order, reversed": f"{epoch} has the order of {before}, reversed",
        "the same batches in another order": f"{epoch} has the batches of {before} in another order",
        "the same batches, shuffled within": f"{epoch} has the batches of {before}, shuffled within",
    }.get(compared.kind, f"{epoch} keeps part of the order of {before}: {kept}")


def _hook(evidence: OrderEvidence, pair: EpochPair) -> tuple[str, str]:
    """What is known of `set_epoch`, and what to do."""
    stream = evidence.stream
    facts = stream.loaders[pair.item.loader]
    distributed = facts.distributed_replicas is not None or pair.item.sampler_epoch is not None
    advice = "Shuffle anew in each epoch; do not set the seed, or make the loader, inside the loop over epochs."
    if distributed and pair.before.sampler_epoch == pair.item.sampler_epoch is not None:
        called = "" if not stream.epoch_hook else f", although {stream.epoch_hook} was called"
        return (
            f" set_epoch was not called on its sampler: its epoch was {pair.item.sampler_epoch} in both{called}.",
            'Call sampler.set_epoch(epoch) before each epoch; if the loop does, record with on_epoch="set_epoch".',
        )
    if stream.epoch_hook == "set_epoch":
        return " set_epoch was called before each, and changed nothing.", "Make the shuffle depend on the epoch."
    if distributed:
        return " Nothing was called before an epoch.", "Call sampler.set_epoch(epoch) before each epoch."
    if facts.shuffle is False:
        return " The loader says that it does not shuffle.", advice
    return "", advice


def _finding(evidence: OrderEvidence, found: list[tuple[EpochPair, EpochComparison]], alpha: float) -> Finding:
    pair, compared = min(found, key=lambda item: _rank(item[1]))
    p = min(pair.adjusted)
    said, remedy = _hook(evidence, pair)
    others = (
        f"; so do {len(found) - 1} other epochs" if len(found) > 2 else "; so does another" if len(found) > 1 else ""
    )
    by = "order of labels" if pair.by == "labels" else pair.by
    return no_reshuffle_between_epochs.finding(
        f"{_sentence(pair, compared)} (by {by}, {compared.common:,} samples; {p_text(p)} if reshuffled){others}.{said}",
        remedy=remedy,
        confidence=Confidence.HIGH if pair.by != "labels" or compared.kind in _WHOLE else Confidence.MEDIUM,
        measurements=(
            decided(p, alpha, evidence.n_tests),
            *(measured(test, value) for test, value in zip(compared.tests, pair.adjusted, strict=True)),
        ),
        locations=tuple(Location(note=_sentence(other, what)) for other, what in found),
    )


def _rank(compared: EpochComparison) -> int:
    return _WHOLE.index(compared.kind) if compared.kind in _WHOLE else len(_WHOLE)
