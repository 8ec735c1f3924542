"""DG213 loader-not-deterministic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.evidence import SecondRecording
from dataguard.batches.kinds import Ending
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Inconclusive, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule

if TYPE_CHECKING:
    from numpy.typing import NDArray


@rule("DG213", "loader-not-deterministic", Severity.WARNING)
def loader_not_deterministic(stream: BatchStream, repeat: SecondRecording) -> Iterator[Outcome]:
    """The same seed gives another stream: the loader is not deterministic.

    ## What it does

    Compares two recordings of the loader, each begun anew with the same seed, sample by sample: content by hash, and
    labels. It says at which batch they part, and whether the order, the content or the labels differ.

    ## Why is this bad?

    A run that cannot be repeated cannot be debugged: whether a change helped, or a fault is mended, drowns in what the
    loader changes by itself. Published figures cannot be reproduced, and training that is resumed goes on differently.

    ## How it decides

    Streams of the same seed must be equal byte by byte. Of the first pass in which they differ:

    - order: both hold the same samples (by index or id, or else by content) in another order;
    - content: the same samples in the same order, with other content, so that augmentation draws from a generator that
      the seed does not reach;
    - labels: the same samples with other labels;
    - samples: other samples altogether, or another number of them.

    What is compared is what both recorded. A difference is a fact: there is no false alarm in it, except where the
    loader is meant to go on from where it was (a stream without end, recorded twice from one object). If no seed was
    set, the rule is inconclusive. Equal streams say that this machine repeats itself, and not that another one does the
    same; and a seed set by `record` reaches the generators of Python, numpy and torch in the main process, from which
    torch seeds its workers.

    Measured (`benchmarks/batches.py`): equal in 10 of 10 recordings of a seeded loader; found in 20 of 20 where the
    order or the augmentation was not seeded.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.evidence import SecondRecording
    >>> from dataguard.batches.record import record
    >>> class Loader:  # whose generator no seed reaches
    ...     def __iter__(self):
    ...         for rows in np.random.default_rng().permutation(64).reshape(4, 16):
    ...             yield rows[:, None] + np.zeros(4), rows % 2
    >>> first, again = (record(Loader(), seed=0) for _ in range(2))
    >>> print(loader_not_deterministic(first, SecondRecording(stream=again))[0].message)
    The same seed gives another order from batch 0 of epoch 0 on: the same 64 samples, in other places.

    ## How to fix

    Draw all randomness from generators that the seed reaches: `torch.Generator` given to the loader, `worker_init_fn`
    that seeds numpy from `torch.initial_seed()`, no `numpy.random.default_rng()` without a seed, no iteration over
    sets, and file names sorted after they are listed. With several workers keep `in_order=True`; a race of threads, as
    in tf.data with `deterministic=False`, gives another order every time.

    ## References

    - [PyTorch: reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader)
    - [TensorFlow: tf.data.Options.deterministic](https://www.tensorflow.org/api_docs/python/tf/data/Options)
    - Pineau and others, [*Improving reproducibility in machine learning
      research*](https://jmlr.org/papers/v22/20-303.html), JMLR 22, 2021.
    """
    other = repeat.stream
    if stream.seed is None or other.seed != stream.seed:
        yield Inconclusive(
            reason="no seed was set before the recordings"
            if stream.seed is None
            else f"the recordings were made with seeds {stream.seed} and {other.seed}"
        )
        return
    if stream.hash_method != other.hash_method:
        yield Inconclusive(reason="the recordings were hashed in different ways")
        return
    compared = 0
    for number, (mine, theirs) in enumerate(zip(stream.sample_slices(), other.sample_slices(), strict=False)):
        item, again = stream.passes[number], other.passes[number]
        if (item.epoch, item.rank) != (again.epoch, again.rank):
            break
        open_ended = Ending.COMPLETE not in (item.ending, again.ending) or item.ending != again.ending
        n, m = mine.stop - mine.start, theirs.stop - theirs.start
        common = min(n, m)
        differs = _differs(stream, mine, other, theirs, common)
        if len(differs) or (n != m and not open_ended):
            first = int(differs[0]) if len(differs) else common
            yield _finding(stream, number, mine, other, theirs, differs, first)
            return
        compared += common
    if not compared:
        yield Inconclusive(reason="the recordings have no sample to compare")
        return
    yield Observation(
        message=f"Recorded again with seed {stream.seed}, {compared:,} samples were the same, byte by byte and in the "
        "same order.",
        measurements=(Measurement(name="samples that differ", value=0, threshold=0, n=compared),),
    )


def _labels(stream: BatchStream, part: slice) -> NDArray[np.str_]:
    names = np.asarray([*stream.classes, ""], dtype=np.str_)
    return names[stream.codes[part]]


def _differs(stream: BatchStream, mine: slice, other: BatchStream, theirs: slice, common: int) -> NDArray[np.intp]:
    """Places in a pass, among the first that both have, where content or label differ."""
    a, b = slice(mine.start, mine.start + common), slice(theirs.start, theirs.start + common)
    unequal = (stream.hashes[a] != other.hashes[b]) | (_labels(stream, a) != _labels(other, b))
    if stream.targets is not None and other.targets is not None:
        unequal |= ~np.isclose(stream.targets[a], other.targets[b], rtol=0, atol=0, equal_nan=True)
    return np.flatnonzero(unequal)


def _identities(stream: BatchStream, part: slice) -> NDArray[np.generic] | None:
    if stream.source_index is not None and (stream.source_index[part] >= 0).all():
        return stream.source_index[part]
    return None if stream.sample_ids is None else stream.sample_ids[part]


def _finding(
    stream: BatchStream,
    number: int,
    mine: slice,
    other: BatchStream,
    theirs: slice,
    differs: NDArray[np.intp],
    first: int,
) -> Outcome:
    n, m = mine.stop - mine.start, theirs.stop - theirs.start
    epoch = stream.passes[number].epoch
    batch = int(stream.batches[mine.start + first]) if first < n else stream.passes[number].n_batches
    kind, words, remedy = _kind(stream, mine, other, theirs)
    facts = stream.facts
    if kind == "content" and facts.num_workers and not facts.worker_init_fn:
        remedy += " Workers are not seeded by worker_init_fn."
    return loader_not_deterministic.finding(
        f"The same seed gives {_ANOTHER[kind]} from batch {batch} of epoch {epoch} on: {words}.",
        remedy=remedy,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(name="samples that differ", value=len(differs), threshold=0, n=min(n, m)),
            Measurement(name="first batch that differs", value=batch),
            Measurement(name="samples of the first recording", value=n),
            Measurement(name="samples of the second recording", value=m),
            Measurement(name="seed", value=stream.seed if stream.seed is not None else -1),
        ),
        locations=(Location(note=f"epoch {epoch}, batch {batch}"),),
        key=(kind,),
    )


_ANOTHER = {"order": "another order", "content": "other content", "labels": "other labels", "samples": "other samples"}


def _kind(stream: BatchStream, mine: slice, other: BatchStream, theirs: slice) -> tuple[str, str, str]:
    n, m = mine.stop - mine.start, theirs.stop - theirs.start
    a, b = _identities(stream, mine), _identities(other, theirs)
    hashes = stream.hashes[mine], other.hashes[theirs]
    alike = n == m and np.array_equal(np.sort(hashes[0]), np.sort(hashes[1]))
    if n == m and np.array_equal(*hashes):
        return "labels", f"{n:,} samples are the same, with other labels", "Look at what makes or shuffles the labels."
    if a is not None and b is not None:
        if n == m and np.array_equal(a, b):
            return (
                "content",
                f"the same {n:,} samples in the same order, augmented otherwise",
                "Let augmentation draw from generators that the seed reaches.",
            )
        alike = alike or (n == m and np.array_equal(np.sort(a), np.sort(b)))
    if alike:
        return (
            "order",
            f"the same {n:,} samples, in other places",
            "Give the sampler or the shuffle buffer a seeded generator, and sort file names after listing them.",
        )
    both = len(np.intersect1d(*hashes))
    return (
        "samples",
        f"{n:,} and {m:,} samples, of which {both:,} have the same content",
        "Give the sampler and the augmentation generators that the seed reaches.",
    )
