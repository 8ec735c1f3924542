"""Going through a loader, whatever kind it is, without hanging and without losing what came before an error."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import random
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dataguard.batches.facts import attribute, length, unwrapped
from dataguard.core.errors import ConfigurationError
from dataguard.core.seeding import seed_torch

T = TypeVar("T")

END: Any = object()
"""What a pass gives after its last batch."""


class StepTimeoutError(Exception):
    """A step took longer than allowed; it goes on in its thread, and nobody waits for it."""


class Steps:
    """Calls functions one after the other, each within `timeout` seconds and all within `limit`.

    With either they all run in one daemon thread of their own, so that one that never returns can be left behind.
    """

    def __init__(self, timeout: float | None, limit: float | None = None) -> None:
        self._timeout = timeout
        self._end = None if limit is None else time.monotonic() + limit
        self._tasks: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._started = False
        self._left = False

    def __call__(self, function: Callable[[], T]) -> T:
        """What `function` returns.

        Raises:
            StepTimeoutError: it took longer than allowed. Nothing more can be called then.
        """
        patience = self._patience()
        if patience is None:
            return function()
        if not self._started:
            self._started = True
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(self._work,), name="dataguard-loader", daemon=True).start()
        self._tasks.put(function)
        try:
            result, error = self._results.get(timeout=patience)
        except queue.Empty:
            self._left = True
            raise StepTimeoutError from None
        if error is not None:
            raise error
        value: T = result
        return value

    @property
    def over(self) -> bool:
        """Whether the time for all steps together is used up."""
        return self._end is not None and time.monotonic() >= self._end

    def _patience(self) -> float | None:
        if self._end is None:
            return self._timeout
        left = max(0.0, self._end - time.monotonic())
        return left if self._timeout is None else min(left, self._timeout)

    def close(self) -> None:
        """Let the thread end."""
        self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._results.put((task(), None))
            except BaseException as error:  # noqa: BLE001 - raised again where the step was asked for
                if self._left:
                    let_go(error)
                    return
                self._results.put((None, error))
            del task


class Overheard:
    """A sampler that remembers what it drew, so that the dataset's indices are known of every batch."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self.drawn: deque[Any] = deque()

    def __iter__(self) -> Iterator[Any]:
        # A new pass: what an earlier one left behind was drawn ahead and never fed.
        drawn: deque[Any] = deque()
        self.drawn = drawn
        for item in self._sampler:
            drawn.append(item)
            yield item

    def __len__(self) -> int:
        return len(self._sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)

    def next(self) -> Any:
        """What was drawn for the next batch; None for nothing."""
        return self.drawn.popleft() if self.drawn else None


def drawn_indices(item: Any) -> list[int] | None:
    """What a sampler drew as indices; None where they are no whole numbers."""
    if item is None:
        return None
    try:
        return [int(index) for index in (item if isinstance(item, list | tuple) else [item])]
    except (TypeError, ValueError):
        return None


def open_pass(loader: Any, *, native: bool = False) -> tuple[Iterator[Any], Overheard | None]:
    """A new iterator over `loader`, and its overheard sampler where it has one.

    Keras sequences are gone through by index, which is what their ``fit`` does, with ``on_epoch_end`` at the end;
    TensorFlow's datasets by their numpy iterator; a function is called for a new iterable.

    Args:
        loader: What yields batches.
        native: Whether the batches must be what the loader itself yields, and not numpy's form of them.

    Raises:
        ConfigurationError: it cannot be iterated.
    """
    if is_factory(loader):
        loader = loader()
    if _is_indexed(loader):
        return _by_index(loader), None
    to_numpy = attribute(loader, "as_numpy_iterator")
    if callable(to_numpy) and not native:
        return iter(to_numpy()), None
    with _overhearing(loader):
        try:
            iterator = iter(loader)
        except TypeError as error:
            if hasattr(loader, "__iter__"):
                raise
            raise ConfigurationError(
                f"a {type(loader).__name__} cannot be iterated",
                where="loader",
                hint="pass what the training loop iterates: a DataLoader, a dataset of batches, a generator",
            ) from error
    # Workers that persist keep the sampler of the first pass.
    kept = attribute(iterator, "_index_sampler")
    return iterator, kept if isinstance(kept, Overheard) else None


def is_factory(loader: Any) -> bool:
    """Whether it is a function that makes the iterable, and no iterable."""
    return callable(loader) and not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__")


def is_one_shot(loader: Any) -> bool:
    """Whether it is an iterator, which gives what it has once."""
    return hasattr(loader, "__next__") and not _is_indexed(loader)


def _is_indexed(loader: Any) -> bool:
    """Whether it is a sequence of batches as Keras knows them."""
    counted = hasattr(type(loader), "__len__") or hasattr(loader, "num_batches")
    if not (hasattr(loader, "__getitem__") and counted):
        return False
    return hasattr(loader, "on_epoch_end") or not hasattr(loader, "__iter__")


def _by_index(loader: Any) -> Iterator[Any]:
    # Keras 3 begins with this hook; Keras 2 has only the one at the end.
    begin, end = attribute(loader, "on_epoch_begin"), attribute(loader, "on_epoch_end")
    if callable(begin):
        begin()
    n = length(loader)
    n = attribute(loader, "num_batches") if n is None else n
    number = 0
    while n is None or number < n:
        try:
            batch = loader[number]
        except IndexError:
            break
        yield batch
        number += 1
    if callable(end):
        end()


@contextlib.contextmanager
def _overhearing(loader: Any) -> Iterator[None]:
    """Put an overheard sampler into a torch loader while an iterator is made of it, which keeps it."""
    owner = unwrapped(loader)
    stream = any(kind.__name__ == "IterableDataset" for kind in type(attribute(owner, "dataset")).__mro__)
    name = "batch_sampler" if attribute(owner, "batch_sampler") is not None else "sampler"
    sampler = attribute(owner, name)
    if stream or sampler is None or not hasattr(owner, "_index_sampler") or attribute(owner, "in_order") is False:
        yield
        return
    # torch refuses to set these after the loader is made; it means the user, who would expect more to change.
    object.__setattr__(owner, name, Overheard(sampler))
    try:
        yield
    finally:
        object.__setattr__(owner, name, sampler)


@contextlib.contextmanager
def seeded(seed: int | None, loader: Any) -> Iterator[list[str]]:
    """Seed Python's, numpy's and torch's global generators and the loader's own, and put them back afterwards.

    Gives the names of what was seeded. torch and TensorFlow only where they have been imported; TensorFlow's generator
    and those of GPUs cannot be put back.
    """
    if seed is None:
        yield []
        return
    names = ["random", "numpy"]
    state, numpy_state = random.getstate(), np.random.get_state()
    seed_globals(seed)
    torch, tensorflow = sys.modules.get("torch"), sys.modules.get("tensorflow")
    restore: list[Callable[[], Any]] = []
    if torch is not None and hasattr(torch, "manual_seed"):
        torch_state = torch.get_rng_state()
        restore.append(lambda: torch.set_rng_state(torch_state))
        seed_torch(torch, seed)
        names.append("torch")
    for generator in _generators(loader):
        generator_state = generator.get_state()
        restore.append(lambda generator=generator, state=generator_state: generator.set_state(state))  # type: ignore[misc]
        generator.manual_seed(seed)
        names.append("the loader's generator")
    if tensorflow is not None and hasattr(tensorflow, "random"):
        tensorflow.random.set_seed(seed)
        names.append("tensorflow")
    try:
        yield list(dict.fromkeys(names))
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)
        for put_back in restore:
            put_back()


def seed_globals(seed: int) -> None:
    """Seed Python's and numpy's global generators; numpy takes 32 bits of it."""
    random.seed(seed)
    np.random.seed(seed % 2**32)


def _generators(loader: Any) -> list[Any]:
    """The torch generators that the loader and its samplers were given."""
    owner = unwrapped(loader)
    batch_sampler = attribute(owner, "batch_sampler")
    owners = (owner, attribute(owner, "sampler"), batch_sampler, attribute(batch_sampler, "sampler"))
    found = [attribute(value, "generator") for value in owners]
    unique = {id(value): value for value in found if hasattr(value, "manual_seed") and hasattr(value, "get_state")}
    return list(unique.values())


def is_dead_worker(error: BaseException) -> bool:
    """Whether torch says that a worker died.

    It says so from a signal handler, and so wherever the main thread happens to be, in code of ours too.
    """
    return isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker")


def let_go(error: BaseException) -> None:
    """Drop an error's traceback, by which it keeps the loader's iterator and its workers alive.

    torch's errors of workers refer to themselves through it, so that they would stay until the next collection.
    """
    error.__traceback__ = None


def error_text(error: BaseException) -> str:
    """An error in one line: what it says, and where in the user's code it was raised.

    torch hands an error of a worker on with the worker's whole traceback for its message: the last line and the last
    place in it are what matters.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = type(error).__name__
    if len(lines) > 1 and lines[0].startswith("Caught "):
        places = [line for line in lines if line.startswith('File "')]
        text = f"{lines[-1]} (in {lines[0].partition(' in ')[2].rstrip('.')})"
        return f"{text} at {_place(places[-1])}" if places else text
    text = f"{kind}: {lines[0]}" if lines else kind
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    return f"{text} at {frames[-1].filename}:{frames[-1].lineno}" if frames else text


def _is_users(filename: str) -> bool:
    path = Path(filename)
    installed = {"site-packages", "dist-packages"} & set(path.parts) or filename.startswith("<")
    return not installed and path.parent != Path(__file__).parent


def _place(line: str) -> str:
    """``File "x.py", line 3, in f`` as ``x.py:3``."""
    parts = line.split('"')
    number = line.partition(", line ")[2].partition(",")[0]
    return f"{parts[1]}:{number}" if len(parts) > 1 else line
