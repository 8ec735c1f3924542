"""The recorder: goes through a loader as a training loop would, and notes what it feeds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Literal

from dataguard.batches.builder import StreamBuilder
from dataguard.batches.content import read
from dataguard.batches.facts import attribute, epoch_setter, read_facts, sampler_epoch, worker_of_batch
from dataguard.batches.kinds import Ending
from dataguard.batches.passes import (
    END,
    Steps,
    StepTimeoutError,
    drawn_indices,
    error_text,
    is_dead_worker,
    is_factory,
    is_one_shot,
    let_go,
    open_pass,
    seeded,
)
from dataguard.batches.selection import Selector
from dataguard.batches.stream import BatchStream
from dataguard.core.errors import ConfigurationError, NothingToCheckError
from dataguard.core.progress import Progress, silent

MAX_UNDECLARED = 1000
"""Batches after which a loader that does not say how many it has is taken to be endless, unless `batches` says more."""
THUMBNAILS = 64
"""Samples to keep a small picture of: as many as fit a grid that can be looked at."""

EpochHook = Callable[[int], Any] | Literal["set_epoch"] | None


def record(
    loader: Any,
    batches: int | None = None,
    epochs: int = 1,
    *,
    label: Selector = None,
    inputs: Selector = None,
    sample_id: Selector = None,
    seed: int | None = None,
    timeout: float | None = None,
    time_limit: float | None = None,
    on_epoch: EpochHook = None,
    rank: int | None = None,
    thumbnails: int = THUMBNAILS,
    progress: Progress = silent,
) -> BatchStream:
    """Record what a loader feeds: any iterable of batches.

    Goes through a torch DataLoader, a Keras Sequence or PyDataset, a TensorFlow dataset, a Hugging Face dataset,
    a webdataset pipeline, a list, a generator, or a function that makes one of these. Inputs, labels and ids are found
    by the rules of `dataguard.batches.content`. The data is looked at and let go.

    >>> import numpy as np
    >>> pictures, labels = np.zeros((6, 8, 8), dtype=np.uint8), np.array([0, 0, 0, 1, 1, 1])
    >>> stream = record([(pictures[:3], labels[:3]), (pictures[3:], labels[3:])])
    >>> stream.codes.tolist(), stream.batch_size.tolist(), stream.label_origin
    ([0, 0, 0, 1, 1, 1], [3, 3], 'second of 2 elements')

    Args:
        loader: What the training loop iterates.
        batches: The most batches of an epoch. By default the whole epoch, or the first 1,000 batches where the loader
            does not say how many it has; the stream says where that cut it.
        epochs: How often to go through it.
        label: Where the labels are: a key (``"meta.label"`` for a nested one), an index, or a function of the batch.
        inputs: Where the inputs are, likewise.
        sample_id: Where the ids of the samples are, likewise.
        seed: Set before the first batch in Python, numpy, torch and the loader's own generators, and put back at the
            end. None leaves them alone.
        timeout: Seconds to wait for one batch. With it the loader runs in a thread of its own, which is left behind
            where it hangs. None waits as long as it takes.
        time_limit: Seconds for all batches together, likewise; what came within them is recorded.
        on_epoch: Called with the epoch's number before each epoch, as the training loop does; ``"set_epoch"`` calls the
            ``set_epoch`` that the loader, its sampler or its dataset has. None calls nothing, which a
            DistributedSampler answers with the same order every time.
        rank: Which process of a distributed training this is; by default what a distributed sampler says.
        thumbnails: Keep small pictures of so many samples, from the first on.
        progress: Told of every batch.

    Returns:
        The stream. A loader that raised or hung gives what came before it, and the pass says how it ended.

    Raises:
        NothingToCheckError: the loader has no batches.
        ConfigurationError: it cannot be iterated, or a selector does not fit.
    """
    if epochs < 1 or (batches is not None and batches < 1):
        raise ValueError("epochs and batches must be at least 1")
    facts = read_facts(loader)
    hook = _hook(on_epoch, loader)
    rank = rank if rank is not None else facts.distributed_rank if facts.distributed_rank is not None else -1
    limit = _limit(batches, facts.declared_batches)
    builder = StreamBuilder(loader, facts, thumbnails=thumbnails)
    steps = Steps(timeout, time_limit)
    with contextlib.closing(steps), seeded(seed, loader) as seeds:
        for epoch in range(epochs):
            if epoch and is_one_shot(loader):
                builder.begin(epoch=epoch, rank=rank, sampler_epoch=None)
                builder.end(Ending.USED_UP, f"a {type(loader).__name__} can be gone through only once")
                break
            try:
                ending = _one_pass(
                    loader, builder, steps, epoch, rank, limit, timeout, hook, (label, inputs, sample_id), progress
                )
            except RuntimeError as error:
                if not is_dead_worker(error):
                    raise
                ending = Ending.RAISED
                if builder.has_begun:
                    builder.end(ending, error_text(error))
            if ending in (Ending.RAISED, Ending.TIMED_OUT, Ending.USED_UP):
                break
    if not builder.n_batches and builder.passes[0].ending is Ending.COMPLETE:
        raise NothingToCheckError(
            "the loader has no batches",
            where=facts.loader,
            hint="with drop_last=True a dataset smaller than the batch size gives none"
            if facts.drop_last
            else "an iterator that was already used up gives none",
        )
    if seeds:
        builder.notes[f"seed {seed} was set in " + ", ".join(seeds)] = None
    return builder.finish(
        seed=seed,
        batch_limit=limit,
        epoch_hook="" if hook is None else on_epoch if isinstance(on_epoch, str) else "on_epoch",
    )


def _hook(on_epoch: EpochHook, loader: Any) -> Callable[[int], Any] | None:
    if on_epoch == "set_epoch":
        return epoch_setter(loader)
    if on_epoch is None or callable(on_epoch):
        return on_epoch
    raise ConfigurationError(f"on_epoch is {on_epoch!r}", where="on_epoch", hint="give a function, or 'set_epoch'")


def _limit(batches: int | None, declared: int | None) -> int:
    if batches is not None:
        return batches
    # Beyond what it declares, so that a loader that gives more is seen to.
    return MAX_UNDECLARED if declared is None else 2 * declared + 16


def _one_pass(
    loader: Any,
    builder: StreamBuilder,
    steps: Steps,
    epoch: int,
    rank: int,
    limit: int,
    timeout: float | None,
    hook: Callable[[int], Any] | None,
    selectors: tuple[Selector, Selector, Selector],
    progress: Progress,
) -> Ending:
    label, inputs, sample_id = selectors
    worker_of = worker_of_batch(builder.facts, loader)
    iterator: Any = None
    number = 0
    began = False
    try:
        if hook is not None:
            steps(lambda: hook(epoch))
        builder.begin(epoch=epoch, rank=rank, sampler_epoch=sampler_epoch(loader))
        began = True
        started = time.perf_counter()
        iterator, overheard = steps(lambda: open_pass(loader))
        while number < limit:
            batch = steps(lambda: next(iterator, END))
            seconds = time.perf_counter() - started
            if batch is END:
                break
            content = read(batch, label=label, inputs=inputs, sample_id=sample_id)
            builder.add(
                content,
                seconds=seconds,
                worker=worker_of(number),
                indices=None if overheard is None else drawn_indices(overheard.next()),
            )
            del batch, content
            number += 1
            progress("recording", number, min(limit, builder.facts.declared_batches or limit))
            if steps.over:
                raise StepTimeoutError
            started = time.perf_counter()
    except ConfigurationError:
        raise
    except StepTimeoutError:
        ending = Ending.TIMED_OUT
        detail = "the time limit was reached" if steps.over or timeout is None else f"no batch within {timeout:g} s"
        for worker in attribute(iterator, "_workers") or ():
            worker.terminate()
    except Exception as error:  # noqa: BLE001 - a loader may raise anything; what came before it counts
        ending, detail = Ending.RAISED, error_text(error)
        let_go(error)
    else:
        if number >= limit:
            ending, detail = Ending.LIMIT, f"stopped after {limit} batches"
        elif number == 0 and epoch > 0 and builder.n_batches and not is_factory(loader):
            ending, detail = Ending.USED_UP, "the first epoch left nothing for the next"
        else:
            ending, detail = Ending.COMPLETE, ""
    if not began:
        builder.begin(epoch=epoch, rank=rank, sampler_epoch=None)
    builder.end(ending, detail)
    return ending
