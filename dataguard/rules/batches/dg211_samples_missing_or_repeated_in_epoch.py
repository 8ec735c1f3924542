"""DG211 samples-missing-or-repeated-in-epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.batches.evidence import OrderEvidence, family_level
from dataguard.batches.kinds import Ending, Pass
from dataguard.batches.sampling import SampleAccount, account_for
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import (
    Confidence,
    Finding,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.places import LISTED

if TYPE_CHECKING:
    from numpy.typing import NDArray


@rule("DG211", "samples-missing-or-repeated-in-epoch", Severity.ERROR)
def samples_missing_or_repeated_in_epoch(
    stream: BatchStream,
    evidence: OrderEvidence | None = None,
    *,
    alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01,
) -> Iterator[Outcome]:
    """An epoch leaves samples of the dataset out, or feeds some of them twice.

    ## What it does

    Accounts for every sample of an epoch: which came, how often, and which of the dataset did not. All ranks of a
    distributed training are taken together. It also compares the number of batches with what the loader declares.

    ## Why is this bad?

    Samples that never come are not trained on, or not evaluated: a score over part of the test set is not the score.
    Samples that come twice weigh twice. If each of W workers reads a stream for itself, every sample comes W times and
    an epoch is W epochs; if every rank reads the whole dataset, the ranks do the same work, and the learning-rate
    schedule, made for another number of steps, is wrong.

    ## How it decides

    The samples of an epoch are a multiset, held against that of the dataset by, in this order: the indices that the
    sampler drew; sample ids; hashes of the content, where two epochs or more show that samples are not augmented. What
    explains a difference:

    | Difference | Taken for |
    | --- | --- |
    | fewer than one batch a rank missing, none twice, unless the loader keeps the last | the last batch dropped |
    | R ranks, at most R − 1 samples twice, none missing | padding of `DistributedSampler` |
    | a sampler by weights, or with replacement, as it says itself | that sampler |
    | distinct samples N (1 − (1 − 1/N)ⁿ), within p > `alpha` / m | sampling with replacement |
    | fewer samples, and the loader declares so few batches with a sampler of torch's own | a subset |
    | a batch sampler that is not torch's own | that batch sampler |
    | the recording, or the training loop, ended before the epoch did | nothing missing |

    m is the number of all tests of the stream (DG201 to DG212), which share `alpha` = 0.01 between them.

    Explained differences are named and are no finding. Anything else is a fact: samples missing, repeated, or both.
    With one rank of several recorded, only repeats can be told. Where nothing tells the samples apart, the numbers of
    samples and of batches are compared with what the loader declares. With ids, which the user chose and which may not
    be unique, confidence is medium; otherwise it is high.

    Measured (`benchmarks/batches.py`): no alarm on 600 sound streams (shuffled or not, last batch dropped, by weights,
    with replacement, a random half, a batch sampler, one rank of two); found in 30 of 30: a tenth of the samples
    missing, one of 500 twice instead of another, half of them twice.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.record import record
    >>> class Loader:  # a dataset of 256 samples, of which a faulty sampler takes the first half twice
    ...     dataset = range(256)
    ...     def __iter__(self):
    ...         for rows in np.tile(np.arange(128), 2).reshape(16, 16):
    ...             yield {"x": rows[:, None] * np.ones(4), "y": rows % 2, "id": rows}
    >>> print(samples_missing_or_repeated_in_epoch(record(Loader()))[0].message)
    Epoch 0 fed 256 of 256 samples: 128 are missing and 128 came too often, by their ids.

    ## How to fix

    With a stream for a dataset, give each worker its own part by `torch.utils.data.get_worker_info()`, and each rank by
    its rank and world size. Use `DistributedSampler`, with `drop_last=False` and the padding taken off again for
    evaluation. Never drop the last batch of a test set. Compare `len(loader)` with the batches that come.

    ## References

    - [PyTorch: torch.utils.data](https://docs.pytorch.org/docs/stable/data.html) (iterable-style datasets and workers;
      DistributedSampler)
    - Feller, *An introduction to probability theory and its applications*, vol. 1, 1968, section II.5 (occupancy).
    """
    if not stream.n_samples:
        yield Skipped(reason="no sample was fed")
        return
    findings = [found for found in map(_batch_count, _firsts(stream)) if found is not None]
    observed: list[Observation] = []
    undecided: list[Inconclusive] = []
    source = _Source.of(stream)
    done: set[str] = set()
    for epoch in sorted({item.epoch for item in stream.passes}):
        outcome = _judge(stream, epoch, source, family_level(evidence, alpha))
        if isinstance(outcome, Finding):
            # The same fault in every epoch is one finding.
            if outcome.key[0] not in done:
                done.add(outcome.key[0])
                findings.append(outcome)
        elif isinstance(outcome, Observation):
            observed.append(outcome)
        elif isinstance(outcome, Inconclusive):
            undecided.append(outcome)
    yield from findings
    if not findings:
        yield from observed[:1] or undecided[:1]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Source:
    """What samples are told apart by, and the dataset by the same numbers."""

    by: str
    """'their indices', 'their ids', 'their content', or '' for nothing."""
    numbers: NDArray[np.int64]
    """Which sample each one of the stream is, shape (n,)."""
    dataset: NDArray[np.int64] | None
    """The same of every sample of the dataset; None where its size is not known."""
    names: tuple[str, ...] | None
    """What numbers stand for; None where they are indices."""

    @classmethod
    def of(cls, stream: BatchStream) -> _Source:
        declared = stream.facts.declared_samples
        if stream.source_index is not None and (stream.source_index >= 0).all():
            size = declared or int(stream.source_index.max()) + 1
            return cls(by="their indices", numbers=stream.source_index, dataset=np.arange(size), names=None)
        if stream.sample_ids is not None:
            names, numbers = np.unique(stream.sample_ids, return_inverse=True)
            numbers = numbers.astype(np.int64)
            return cls(
                by="their ids",
                numbers=numbers,
                dataset=_filled(np.arange(len(names)), declared if declared is not None else len(names)),
                names=tuple(names.tolist()),
            )
        return cls._by_content(stream)

    @classmethod
    def _by_content(cls, stream: BatchStream) -> _Source:
        """Hashes, where samples come again in another epoch as they were."""
        nothing = cls(by="", numbers=np.zeros(0, dtype=np.int64), dataset=None, names=None)
        values, numbers = np.unique(stream.hashes, return_inverse=True)
        epochs = np.unique(stream.epochs)
        counts = np.stack([np.bincount(numbers[stream.epochs == epoch], minlength=len(values)) for epoch in epochs])
        if len(epochs) < 2:
            return nothing
        # Augmented samples hardly ever come again; a loader that is sound or broken by a half still has many that do.
        again = float(np.minimum(counts[0], counts[1]).sum() / max(1, counts[:2].sum(axis=1).min()))
        declared = stream.facts.declared_samples
        most = counts.max(axis=0)
        size = int(most.sum())
        if again < 0.25 or (declared is not None and size > declared and bool((most > 1).any())):
            # Copies in the data, and samples fed twice, cannot be told apart.
            return nothing
        dataset = _filled(np.repeat(np.arange(len(values)), most), declared if declared is not None else size)
        return cls(by="their content", numbers=numbers.astype(np.int64), dataset=dataset, names=None)


def _filled(known: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The dataset's samples, with negative numbers for those that never came and so have no name."""
    return np.concatenate([known, -1 - np.arange(max(0, size - len(known)))]).astype(np.int64)


def _firsts(stream: BatchStream) -> list[tuple[BatchStream, Pass]]:
    """The first complete pass of each rank."""
    found: dict[int, Pass] = {}
    for item in stream.passes:
        if item.ending is Ending.COMPLETE:
            found.setdefault(item.rank, item)
    return [(stream, item) for item in found.values()]


def _batch_count(given: tuple[BatchStream, Pass]) -> Finding | None:
    """A finding where a complete pass has another number of batches than the loader declares."""
    stream, item = given
    facts = stream.loaders[item.loader]
    declared = facts.declared_batches
    # Each worker on a stream has a last batch of its own, which is short or dropped.
    spare = max((facts.num_workers or 0) - 1, 0) if facts.iterable_dataset else 0
    if declared is None or abs(declared - item.n_batches) <= spare:
        return None
    return samples_missing_or_repeated_in_epoch.finding(
        f"The loader declares {declared:,} batches and gave {item.n_batches:,} in epoch {item.epoch}.",
        remedy="Make len(loader) true: schedules and progress go by it. With several workers on a stream, the length "
        "must count what all of them give together.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="batches", value=item.n_batches, threshold=declared),),
        key=("length",),
    )


def _judge(stream: BatchStream, epoch: int, source: _Source, level: float) -> Outcome:
    passes = [item for item in stream.passes if item.epoch == epoch]
    facts = stream.loaders[passes[0].loader]
    replicas = facts.distributed_replicas or max(1, len(passes))
    complete = all(item.ending is Ending.COMPLETE for item in passes)
    everyone = len(passes) >= replicas
    whole = complete and everyone
    mine = stream.epochs == epoch
    n = int(mine.sum())
    words = f"Epoch {epoch}" if everyone else f"Epoch {epoch} of rank {passes[0].rank} of {replicas}"
    size = int(stream.batch_size[stream.batch_epoch == epoch].max(initial=1))
    if facts.sampler_weights or facts.replacement:
        how = "by weights" if facts.sampler_weights else "with replacement"
        return Observation(message=f"{words}: the sampler draws {how}, so that samples may come twice or not at all.")
    if source.dataset is None and facts.batch_sampler is not None:
        return Observation(message=f"{words}: batches are drawn by {facts.batch_sampler}, which may repeat samples.")
    # A loader that says that it keeps the last batch must have fed all.
    spare = size if facts.drop_last is not False or replicas > 1 else 1
    if facts.iterable_dataset:
        spare *= max(facts.num_workers or 0, 1)
    if source.dataset is None:
        return _by_number(facts.declared_samples, n, words, spare * replicas, replicas, whole=whole)
    numbers = source.numbers[mine]
    account = account_for(
        numbers, source.dataset, batch_size=max(spare, 1), ranks=replicas, complete=whole, level=level
    )
    measurements = [
        Measurement(name="samples fed", value=n, n=n),
        Measurement(name="samples of the dataset", value=account.expected),
        Measurement(name="samples missing", value=account.missing_count, threshold=0),
        Measurement(name="samples too many", value=account.repeated_count, threshold=0),
    ]
    if account.test is not None:
        measurements.append(
            Measurement(
                name=f"different samples (level {level:.2g})",
                value=account.test.statistic,
                p_value=account.test.p_value,
                n=account.test.n,
            )
        )
    explained = _explained(stream, passes[0], account, n)
    if not account.fault or explained:
        if not whole and not account.repeated_count:
            why = "one rank of several was recorded" if complete else "the epoch was not recorded to its end"
            return Inconclusive(
                reason=f"{words}: none of {n:,} samples came twice; what is missing cannot be told, because {why}",
                measurements=tuple(measurements),
            )
        return Observation(
            message=f"{words} fed {n:,} of {account.expected:,} samples: {explained or account.kind}.",
            measurements=tuple(measurements),
        )
    return _finding(account, source, words, tuple(measurements), _remedy(stream, passes[0], account, numbers))


def _explained(stream: BatchStream, item: Pass, account: SampleAccount, n: int) -> str:
    """What the loader itself says that accounts for it; '' for nothing."""
    facts = stream.loaders[item.loader]
    if len(account.foreign):
        return ""
    if facts.batch_sampler is not None:
        return f"batches are drawn by {facts.batch_sampler}, which may repeat and leave out"
    own = (facts.sampler or "").startswith("torch.utils.data") and facts.distributed_replicas is None
    as_declared = facts.declared_batches is not None and facts.declared_batches == item.n_batches
    if own and as_declared and not account.repeated_count and n < account.expected:
        return f"{facts.sampler} draws this part of the dataset"
    return ""


def _finding(
    account: SampleAccount, source: _Source, words: str, measurements: tuple[Measurement, ...], remedy: str
) -> Finding:
    parts = []
    if account.missing_count:
        parts.append(f"{account.missing_count:,} {_are(account.missing_count)} missing")
    if account.repeated_count:
        parts.append(f"{account.repeated_count:,} came too often")
    if len(account.foreign):
        parts.append(f"{len(account.foreign):,} {_are(len(account.foreign))} not of the dataset")
    locations = [
        Location(sample_id=_name(source, value), note=note)
        for values, note in (
            (account.repeated, "too often"),
            (account.missing, "missing"),
            (account.foreign, "not of the dataset"),
        )
        for value in values[:LISTED].tolist()
        if value >= 0 and source.by != "their content"
    ]
    return samples_missing_or_repeated_in_epoch.finding(
        f"{words} fed {account.seen:,} of {account.expected:,} samples: {' and '.join(parts)}, by {source.by}.",
        remedy=remedy,
        confidence=Confidence.MEDIUM if source.by == "their ids" else Confidence.HIGH,
        measurements=measurements,
        locations=tuple(locations[:LISTED]),
        key=(account.kind,),
    )


def _remedy(stream: BatchStream, item: Pass, account: SampleAccount, numbers: NDArray[np.int64]) -> str:
    facts = stream.loaders[item.loader]
    times = np.unique(np.unique(numbers, return_counts=True)[1])
    often = int(times[0]) if len(times) == 1 else 1
    workers, ranks = facts.num_workers or 0, len({one.rank for one in stream.passes})
    if often > 1 and often == workers and facts.iterable_dataset:
        return (
            f"Every sample came {often} times, once from each worker: give each worker its own part of the stream, by "
            "torch.utils.data.get_worker_info()."
        )
    if often > 1 and often == ranks:
        return f"Every sample came {often} times, once to each rank: give each its own part, by DistributedSampler."
    if not account.repeated_count:
        return "Look at the sampler's length and indices, and at samples that the dataset skips."
    return "Look at the sampler: each index of the dataset should come once an epoch, over all ranks and workers."


def _by_number(declared: int | None, n: int, words: str, spare: int, ranks: int, *, whole: bool) -> Outcome:
    """What the mere number of samples says."""
    if declared is None:
        return Inconclusive(
            reason=f"{words}: the loader says nothing of the size of its dataset, and nothing tells samples apart (no "
            "index, no id; content that is augmented, or a single epoch)"
        )
    measurements = (Measurement(name="samples fed", value=n, threshold=declared),)
    # One sample a rank may be padding, and less than a batch a rank may be dropped.
    if n > declared + ranks - 1:
        return samples_missing_or_repeated_in_epoch.finding(
            f"{words} fed {n:,} samples, and the dataset has {declared:,}: some came twice, or its length is wrong.",
            remedy="With a stream for a dataset, give each worker and each rank its own part.",
            confidence=Confidence.MEDIUM,
            measurements=measurements,
            key=("samples repeated",),
        )
    if whole and n <= declared - spare:
        return samples_missing_or_repeated_in_epoch.finding(
            f"{words} fed {n:,} samples, and the dataset has {declared:,}: {declared - n:,} are missing.",
            remedy="Look at the sampler's length, and at samples that the dataset skips.",
            confidence=Confidence.MEDIUM,
            measurements=measurements,
            key=("samples missing",),
        )
    return Inconclusive(
        reason=f"{words} fed {n:,} samples of a dataset of {declared:,}; nothing tells whether these are different "
        "ones (no index, no id; content that is augmented, or a single epoch)",
        measurements=measurements,
    )


def _name(source: _Source, value: int) -> str:
    return f"[{value}]" if source.names is None else source.names[value]


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
