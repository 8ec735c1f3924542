"""The guard: a loader as the training loop sees it, with an eye on what it yields."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from dataguard.batches.facts import epoch_setter
from dataguard.batches.faults import Fault, OnFault
from dataguard.batches.kinds import Ending
from dataguard.batches.passes import error_text
from dataguard.batches.selection import Selector
from dataguard.batches.stream import BatchStream
from dataguard.batches.watch import EpochEnd, Watch

T = TypeVar("T")


def guard(
    loader: Iterable[T],
    *,
    on_fault: OnFault = "warn",
    label: Selector = None,
    inputs: Selector = None,
    sample_id: Selector = None,
    on_epoch_end: EpochEnd | None = None,
    rank: int | None = None,
) -> Guarded[T]:
    """Wrap a loader so that training goes on as before and faults of the data show early.

    The batches that come out are the very objects that the loader yields; ``len``, attributes and ``set_epoch`` are the
    loader's. While training it notes the order of labels, 256 bytes of every sample and how long each batch took, and
    looks for single-label batches, repeated batches, non-finite and constant inputs; each is reported once an epoch.

    What is looked at:

    ============================================================  ===================================================
    batch                                                         what of it
    ============================================================  ===================================================
    every one                                                     labels, indices that the sampler drew, type, shape
    the first                                                     every value
    every one of at most 64 KB                                    256 bytes in the middle of each sample; of floating
                                                                  point, the sum of all values too (NaN, infinity)
    every larger one of a loader that tells no indices            256 bytes in the middle of each sample
    larger ones of a map-style torch ``DataLoader`` on the CPU    likewise of the first 16 batches, and of one in 8
                                                                  after these, by turns over the epochs
    the next one, where all of a batch is constant in the middle  every value, at most 3 times an epoch
    ============================================================  ===================================================

    So a fault that stays is seen, and one that strikes a single large batch late in the first epoch is seen with a
    chance of one in eight; batches that come twice are seen there by what the sampler drew (DG203, at the end of the
    first two epochs). Faults are told when 16 batches have come; those of small batches at once. Large batches that
    workers made are looked at when the loop asks for the next one, which spares the cost of mapping their memory; where
    the loop changes them in place, before it has them.

    >>> import numpy as np
    >>> zeros, labels = np.zeros((4, 3)), np.array([0, 1, 0, 1])
    >>> found = []
    >>> for x, y in guard([(zeros, labels)], on_fault=found.append):
    ...     pass
    >>> print(found[0])
    DG208 constant-input: epoch 0, batch 0: all values of each of its 4 samples are the same (0 in the first); \
look at what the loader does to a sample: a mask, a scale or a crop may leave nothing of it

    What it costs and what it can miss: `dataguard.batches.sketch` and ``benchmarks/guard.py``. A batch that is on a
    GPU is never waited for by itself: pieces of it are set aside on the GPU and fetched 64 batches at a time. Batches
    of other frameworks than torch and numpy, of text and of ragged samples are looked at in full, which costs more.

    Args:
        loader: What the training loop iterates.
        on_fault: ``"warn"`` for a `DataFaultWarning`, ``"raise"`` for a `DataFaultError`, or a function that is called
            with the `Fault`.
        label: Where the labels are, as for `record`.
        inputs: Where the inputs are, likewise.
        sample_id: Where the ids are, likewise; the guard then reads them of every batch, which costs more.
        on_epoch_end: Called at the end of every epoch with the stream of the last two, for whatever statistics; what
            it returns is reported like any other fault. If it has a method ``due(epoch)``, that is asked first, so
            that no stream is put together for an epoch that it passes over.
        rank: Which process of a distributed training this is; by default what a distributed sampler says.

    Returns:
        The guarded loader.
    """
    return Guarded(
        loader,
        on_fault=on_fault,
        selectors=(label, inputs, sample_id),
        on_epoch_end=on_epoch_end,
        rank=rank,
    )


class Guarded(Generic[T]):
    """A loader that is looked after; see `guard`."""

    _loader: Iterable[T]

    def __init__(
        self,
        loader: Iterable[T],
        *,
        on_fault: OnFault,
        selectors: tuple[Selector, Selector, Selector],
        on_epoch_end: EpochEnd | None,
        rank: int | None,
    ) -> None:
        own = {"_loader": loader, "_watch": Watch(loader, on_fault, selectors, on_epoch_end, rank)}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def __iter__(self) -> Iterator[T]:
        watch: Watch = self._watch
        iterator = watch.begin()
        ending, detail = Ending.ABANDONED, "the training loop left it"
        try:
            while True:
                if watch.lent is not None:
                    watch.take_back()
                started = time.perf_counter()
                try:
                    batch = next(iterator)
                except StopIteration:
                    ending, detail = Ending.COMPLETE, ""
                    break
                except Exception as error:
                    ending, detail = Ending.RAISED, error_text(error)
                    raise
                watch.note(batch, started)
                yield batch
        finally:
            watch.end(ending, detail)

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return bool(self._loader)

    def __getattr__(self, name: str) -> Any:
        if name in ("_loader", "_watch"):  # not yet there: unpickling
            raise AttributeError(name)
        if name == "set_epoch" and not hasattr(self._loader, name):
            setter = epoch_setter(self._loader)
            if setter is not None:
                return setter
        return getattr(self._loader, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._loader, name, value)

    def __repr__(self) -> str:
        return f"<Guarded {self._loader!r}>"

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every fault so far."""
        watch: Watch = self._watch
        return tuple(watch.reporter.told)

    @property
    def overhead(self) -> float:
        """Seconds of the clock that the guard itself has used so far.

        With workers that includes the first touch of their shared memory, which the training step is spared then.
        """
        watch: Watch = self._watch
        return watch.overhead

    def stream(self) -> BatchStream:
        """The stream of the last two epochs that have ended.

        Raises:
            ValueError: none has.
        """
        watch: Watch = self._watch
        return watch.stream()
