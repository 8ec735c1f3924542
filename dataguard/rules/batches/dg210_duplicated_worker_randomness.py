"""DG210 duplicated-worker-randomness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.batches.evidence import OrderEvidence, corrected
from dataguard.batches.randomness import EpochRandomness, SharedRandomness, epoch_randomness, shared_randomness
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import (
    Confidence,
    Finding,
    Inconclusive,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.places import is_sketched

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESIDUES = ("mean", "std")


@rule("DG210", "duplicated-worker-randomness", Severity.ERROR)
def duplicated_worker_randomness(
    stream: BatchStream,
    evidence: OrderEvidence | None = None,
    *,
    alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01,
) -> Iterator[Outcome]:
    """Workers, or epochs, draw the same random numbers, so that augmentation repeats.

    ## What it does

    Compares what augmentation did to the k-th sample of one worker with what it did to the k-th sample of another, and
    the same between epochs. Where a generator is copied into the workers, or restarts with every epoch, they agree.

    ## Why is this bad?

    Four workers with one generator give a quarter of the augmentation that was asked for, and correlated samples in
    neighbouring batches; a generator that restarts gives every epoch the same numbers. Nothing fails: the model sees
    less variety than the code says, and generalizes worse. Of the public projects with a dataset of their own and
    numpy's random numbers in it, over 95 % had the fault (Pärnamaa 2021). PyTorch seeds numpy's global generator in its
    workers since 1.9; a generator that the dataset itself holds, as `self.rng = numpy.random.default_rng(0)`, is copied
    into every worker to this day.

    ## How it decides

    What augmentation did must be told from what the sample is. A sample that was fed in two epochs was augmented twice;
    its *residue* in one epoch is its mean (and, apart, its standard deviation) less the average over epochs, which
    cancels the sample itself. Its *slot* is how many samples its worker had made before it. Two tests:

    - Workers: in the first epoch, residues at equal slots of workers 0 and 1, 2 and 3, … have no rank correlation if
      drawn apart (Spearman's; permutations below 100 pairs).
    - Epochs: residues at equal slots in two epochs, of different samples, likewise; and samples that stand at the same
      slot in both must not have equal hashes more often than others (Fisher's exact test).

    The p-values, times the number of pairs of epochs, are corrected with all other tests of the stream (DG201 to
    DG212, Holm). One of them must be at most `alpha`, and the correlation above 0.1. With one epoch, or no indices or
    ids of the samples, means themselves serve, where a loader
    says that it shuffles; sorted data would correlate by itself.

    What cannot be seen: flips, rotations and small shifts, which leave mean and deviation as they are; augmentation of
    labels alone; randomness shared by workers that make unequal numbers of draws a sample. Augmentation that grows
    stronger in the course of each epoch looks shared. Brightness, contrast, noise
    of varying strength, erasing and crops can be seen. Where residues do not vary there is no augmentation to judge, or
    none of these, and the rule says that it is inconclusive. That every epoch has the same pictures is no fault by
    itself: it is what a loader without augmentation does.

    Options:

    - `alpha`: level of all tests of the stream together, 0.01 by default.

    Measured (`benchmarks/batches.py`; shifts, brightness, contrast, noise and erasing of digits and pictures): no alarm
    on 640 sound streams with augmentation, inconclusive on 200 without. Found, of two epochs with 4 workers
    that share a generator: 78 % with 128 samples, 100 % with 256; without indices or ids 100 % from 128 samples on. A
    generator that restarts with every epoch: 100 % from 128 samples on, and never without indices or ids.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.record import record
    >>> class Loader:  # whose augmentation restarts with every epoch
    ...     epoch = 0
    ...     def __iter__(self):
    ...         self.epoch += 1
    ...         order = np.random.default_rng(self.epoch).permutation(256)
    ...         augment = np.random.default_rng(7)
    ...         for rows in order.reshape(-1, 16):
    ...             light = augment.normal(size=(16, 1))
    ...             yield {"x": np.sin(rows[:, None] + np.arange(8)) + light, "y": rows % 2, "id": rows}
    >>> print(duplicated_worker_randomness(record(Loader(), epochs=2))[0].message)
    Epochs 0 and 1 augment alike: what was done to the brightness of their samples in the same place has rank \
correlation 0.54 over 255 places (p = 3e-16).

    ## How to fix

    Draw from the generator that the worker was given: torch's own functions, or a generator made in `worker_init_fn`
    from `torch.initial_seed()`, which differs between workers and epochs. Do not make a generator in `__init__` of the
    dataset. In a dataset of your own, make one at the first sample, from `torch.utils.data.get_worker_info().seed`.

    ## References

    - Pärnamaa, [*Using PyTorch + NumPy? You're making a
      mistake*](https://tanelp.github.io/posts/a-bug-that-plagues-thousands-of-open-source-ml-projects/), 2021.
    - [PyTorch: randomness in multi-process data loading](https://docs.pytorch.org/docs/stable/data.html#data-loading-randomness)
    - [pytorch/pytorch#56488](https://github.com/pytorch/pytorch/pull/56488): numpy is seeded in workers
    """
    prepared = _prepare(stream)
    if isinstance(prepared, Skipped | Inconclusive):
        yield prepared
        return
    found: list[Outcome] = []
    looked: list[Measurement] = []
    tests = {
        (what, name): shared
        for what in ("workers", "epochs")
        for name in _RESIDUES
        if isinstance(shared := _shared(prepared, name, what), SharedRandomness)
    }
    by_hash = _by_hash(stream)
    raw = [shared.test.p_value for shared in tests.values()]
    adjusted = corrected(evidence, [*raw, *([] if by_hash is None else [by_hash.p_value])])
    for what in ("workers", "epochs"):
        ours = [(p, key) for p, key in zip(adjusted, tests, strict=False) if key[0] == what]
        if not ours:
            continue
        p, key = min(ours, key=lambda item: (item[0], tests[item[1]].test.p_value))
        best = tests[key]
        measurement = Measurement(
            name=f"rank correlation of what augmentation did in the same place of two {what}",
            value=best.test.statistic,
            threshold=_LEAST_CORRELATION,
            p_value=p,
            n=best.test.n,
        )
        looked.append(measurement)
        if p <= alpha and best.test.statistic > _LEAST_CORRELATION:
            found.append(_finding(what, best, key[1], p, measurement))
    if by_hash is not None and adjusted[-1] <= alpha:
        counted = _hash_measurement(by_hash, adjusted[-1])
        looked.append(counted)
        if not any(isinstance(item, Finding) and item.key == ("epochs",) for item in found):
            found.append(
                duplicated_worker_randomness.finding(
                    f"{by_hash.equal_at_same_place:,} of {by_hash.at_same_place:,} samples that stand at the same "
                    "place in two epochs were augmented alike, and others were not: randomness restarts with every "
                    "epoch.",
                    remedy=_REMEDY["epochs"],
                    confidence=Confidence.HIGH,
                    measurements=(counted,),
                    key=("epochs",),
                )
            )
    if found:
        yield from found
    elif looked:
        yield Observation(
            message="What augmentation did in one place says nothing of what it did in the same place of another "
            + " or ".join(sorted({"worker" if "workers" in item.name else "epoch" for item in looked}, reverse=True))
            + ".",
            measurements=tuple(looked),
        )
    else:
        yield Inconclusive(
            reason="no augmentation shows in the means and deviations of the samples (there is none, or it only moves "
            "and turns them), or too few samples were recorded"
        )


_LEAST_CORRELATION = 0.1
"""Less shared randomness than this does no harm; and a test of a million samples would find a correlation of 0.005."""
_REMEDY = {
    "workers": "Seed each worker's generator on its own, in worker_init_fn from torch.initial_seed(), and make no "
    "generator in the dataset's __init__.",
    "epochs": "Do not restart the generator with every epoch: seed it from torch.initial_seed() in worker_init_fn, or "
    "from seed and epoch together.",
}


def _finding(what: str, shared: SharedRandomness, by: str, p: float, measurement: Measurement) -> Finding:
    one, other = shared.between
    who = f"Epochs {one} and {other}" if what == "epochs" else "Workers"
    moment = {"mean": "brightness", "std": "contrast"}[by]
    return duplicated_worker_randomness.finding(
        f"{who} augment alike: what was done to the {moment} of their samples in the "
        f"same place has rank correlation {shared.test.statistic:.2f} over {shared.test.n:,} places (p = {p:.1g}).",
        remedy=_REMEDY[what],
        confidence=Confidence.HIGH,
        measurements=(measurement,),
        key=(what,),
    )


class _Prepared:
    """Residues, with the epoch, the worker and the slot of each; rows of one rank."""

    __slots__ = ("epochs", "pure", "residues", "slots", "workers")

    def __init__(
        self,
        residues: dict[str, NDArray[np.float64]],
        epochs: NDArray[np.int64],
        workers: NDArray[np.int64],
        slots: NDArray[np.int64],
        *,
        pure: bool,
    ) -> None:
        self.residues, self.epochs, self.workers, self.slots, self.pure = residues, epochs, workers, slots, pure


def _prepare(stream: BatchStream) -> _Prepared | Skipped | Inconclusive:
    if is_sketched(stream):
        return Skipped(reason="the guard sees pieces of a sample only", hint="use dataguard.record with epochs=2")
    workers = int(stream.batch_worker.max(initial=-1)) + 1
    if workers < 2 and stream.n_epochs < 2:
        return Skipped(
            reason="there are neither two workers nor two epochs to compare", hint="record with epochs=2 or more"
        )
    if not np.isfinite(stream.mean).any() or not np.isfinite(stream.std).any():
        return Skipped(reason="the inputs are not numbers")
    rank = stream.passes[0].rank
    rows = np.flatnonzero(stream.ranks == rank)
    epochs = stream.epochs[rows].astype(np.int64)
    made_by = np.maximum(stream.workers[rows], 0).astype(np.int64)
    slots = np.empty(len(rows), dtype=np.int64)
    streams = epochs * max(workers, 1) + made_by
    order = np.argsort(streams, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(streams[order]) > 0])
    slots[order] = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    moments = {name: getattr(stream, name)[rows] for name in _RESIDUES}
    identities = stream.identities_by_epoch()
    if identities is not None and stream.n_epochs > 1:
        who = np.unique(np.concatenate(identities)[rows], return_inverse=True)[1]
        times = np.bincount(who)
        residues = {}
        for name, values in moments.items():
            centred = values - (np.bincount(who, values) / times)[who]
            # A sample that came once says nothing; and rounding is no augmentation.
            size = float(np.nanmax(np.abs(values), initial=0.0))
            residues[name] = np.where((times[who] > 1) & (np.abs(centred) > 1e-6 * size), centred, np.nan)
        return _Prepared(residues, epochs, made_by, slots, pure=True)
    if not stream.facts.shuffle:
        return Inconclusive(
            reason="samples cannot be told apart (no index, no id, or a single epoch), and the loader does not say "
            "that it shuffles, so that neighbours may be alike by themselves"
        )
    return _Prepared(moments, epochs, made_by, slots, pure=False)


def _shared(prepared: _Prepared, name: str, what: str) -> SharedRandomness | None:
    """Workers in pairs, or the two epochs that are most alike."""
    residues = prepared.residues[name]
    kept = np.isfinite(residues)
    if int(kept.sum()) < 20:
        return None
    workers = int(prepared.workers.max(initial=0)) + 1
    if what == "epochs":
        # Means of whole samples repeat between epochs wherever the order does; residues do not.
        if not prepared.pure or len(np.unique(prepared.epochs)) < 2:
            return None
        slots = prepared.slots * workers + prepared.workers
        found = shared_randomness(residues[kept], prepared.epochs[kept], slots[kept])
        return found if isinstance(found, SharedRandomness) else None
    if workers < 2:
        return None
    # One epoch: in another one the same two samples may meet again, with residues of the other sign. Workers in pairs:
    # if they share, all do, and so every pair counts in one test.
    mine = kept & (prepared.epochs == prepared.epochs.min()) & (prepared.workers < workers // 2 * 2)
    slots = prepared.slots * workers + prepared.workers // 2
    shared = shared_randomness(residues[mine], prepared.workers[mine] % 2, slots[mine])
    return shared if isinstance(shared, SharedRandomness) else None


def _by_hash(stream: BatchStream) -> EpochRandomness | None:
    """Samples at the same place of two epochs with equal hashes, where most others differ."""
    identities = stream.identities_by_epoch()
    if identities is None or stream.n_epochs < 2 or len(identities) < 2:
        return None
    hashes = stream.hashes_by_epoch()
    first, second = 0, next((i for i, item in enumerate(stream.passes) if item.epoch > stream.passes[0].epoch), 0)
    if not second or stream.passes[second].rank != stream.passes[first].rank:
        return None
    found = epoch_randomness(identities[first], hashes[first], identities[second], hashes[second])
    return None if isinstance(found, Inconclusive) else found


def _hash_measurement(found: EpochRandomness, p: float) -> Measurement:
    return Measurement(
        name="samples at the same place of two epochs that were augmented alike",
        value=found.equal_at_same_place,
        p_value=p,
        n=found.at_same_place,
    )
