"""The guard: a loader as the training loop sees it, with an eye on what it yields."""

from __future__ import annotations

import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np

from dataguard.batches import measure, sketch
from dataguard.batches.builder import NOTHING, Measured, StreamBuilder
from dataguard.batches.content import Content, Leaf, Selector, as_array, read
from dataguard.batches.facts import (
    epoch_setter,
    innermost_sampler,
    length,
    read_facts,
    sampler_epoch,
    source_labels,
    unwrapped,
    worker_of_batch,
)
from dataguard.batches.labels_seen import classify
from dataguard.batches.measure import Moments
from dataguard.batches.passes import drawn_indices, error_text, is_dead_worker, open_pass
from dataguard.batches.sketch import Sketch, SketchBlock
from dataguard.batches.stream import ArrayKind, BatchStream, Ending, LabelKind, LoaderFacts
from dataguard.core.errors import DataguardError

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

BLOCK = 16
"""Batches that are looked at together; a fault shows at most so many batches late."""
DEVICE_BLOCK = 64
"""The same for batches on a GPU, which is waited for once a block."""
FALSE_ALARMS = 1e-3
"""The most that a check may expect to cry wolf in an epoch of a loader that has no fault."""
FULL_LOOKS = 3
"""How many batches of an epoch may be looked at in full to confirm what pieces of them suggest."""
WHOLE_BYTES = 1 << 16
"""Batches up to this size are searched whole for values that are not finite; it takes a few microseconds."""
KEPT_EPOCHS = 2
"""Epochs that are kept for `on_epoch_end`: what does not change between epochs shows in two."""
THUMBNAILS = 64


MAX_NESTING, MAX_ELEMENTS = 4, 16
"""How deep and how wide a batch is searched for the place of its inputs and labels."""
_MOMENTS = ("minimum", "maximum", "mean", "std", "n_nan", "n_inf")


class DataFaultWarning(UserWarning):
    """A guarded loader feeds something that is wrong."""


class DataFaultError(DataguardError):
    """A guarded loader feeds something that is wrong, and was told to raise."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message, where=fault.where, hint=fault.remedy)
        self.fault = fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that is wrong with a batch."""

    code: str
    """The rule that judges the whole stream by the same measure."""
    name: str
    epoch: int
    """From 0."""
    batch: int
    """From 0, within its epoch; −1 for the epoch as a whole."""
    message: str
    remedy: str

    @property
    def where(self) -> str:
        """Epoch and batch in words."""
        return f"epoch {self.epoch}" + (f", batch {self.batch}" if self.batch >= 0 else "")

    def __str__(self) -> str:
        return f"{self.code} {self.name}: {self.where}: {self.message}; {self.remedy}"


OnFault: TypeAlias = Literal["warn", "raise"] | Callable[[Fault], Any]
EpochEnd: TypeAlias = Callable[[BatchStream], Iterable[Fault] | None]


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
        if not callable(on_fault) and on_fault not in ("warn", "raise"):
            raise ValueError(f"on_fault is {on_fault!r}: expected 'warn', 'raise' or a function")
        own = {"_loader": loader, "_watch": _Watch(loader, on_fault, selectors, on_epoch_end, rank)}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def __iter__(self) -> Iterator[T]:
        watch: _Watch = self._watch
        iterator = watch.begin()
        ending, detail = Ending.ABANDONED, "the training loop left it"
        try:
            while True:
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
        watch: _Watch = self._watch
        return tuple(watch.faults)

    @property
    def overhead(self) -> float:
        """Seconds of the clock that the guard itself has used so far.

        With workers that includes the first touch of their shared memory, which the training step is spared then.
        """
        watch: _Watch = self._watch
        return watch.overhead

    def stream(self) -> BatchStream:
        """The stream of the last two epochs that have ended.

        Raises:
            ValueError: none has.
        """
        watch: _Watch = self._watch
        return watch.stream()


@dataclass(slots=True, eq=False)
class _Batch:
    """What was noted of one batch."""

    number: int
    n: int
    seconds: float
    kinds: Sequence[ArrayKind]
    labels: Any
    n_labels: int
    ids: list[str] | None
    drawn: Any
    """What the sampler drew for it."""
    label_kind: LabelKind | None = None
    """Where ``labels`` are no longer as they came."""
    seen: _Seen | None = None
    place: int = 0
    """Which of the batches in ``seen`` it is."""


@dataclass(slots=True, eq=False)
class _Seen:
    """What was seen of several batches of n samples each, in one piece, because taking it apart costs time."""

    n: int
    hashes: NDArray[np.uint64]
    moments: Moments

    def of(self, batch: _Batch) -> Measured:
        """What was seen of one batch."""
        part = slice(batch.place * self.n, (batch.place + 1) * self.n)
        columns = {name: getattr(self.moments, name)[part] for name in _MOMENTS}
        return Measured(hashes=self.hashes[part], moments=Moments(**columns), kinds=batch.kinds)


@dataclass(slots=True, eq=False)
class _Epoch:
    """What was noted of one epoch."""

    number: int
    sampler_epoch: int | None
    batches: list[_Batch] = field(default_factory=list)
    digests: dict[bytes, int] = field(default_factory=dict)
    """The hashes of whole batches, with their numbers."""
    counts: Counter[Any] = field(default_factory=Counter)
    """How often each label came, in the batches that have been counted."""
    sizes: Counter[int] = field(default_factory=Counter)
    """How many labelled batches of each size came, likewise."""
    counted: int = 0
    reported: set[str] = field(default_factory=set)
    looks: int = 0
    single: int = 0
    ending: Ending = Ending.ABANDONED
    detail: str = ""


@dataclass(slots=True, eq=False)
class _Route:
    """The short way to the inputs and labels of a batch that is built like the first one."""

    batch_type: type
    inputs: tuple[Any, ...]
    """Keys and indices, from the batch inwards."""
    labels: tuple[Any, ...] | None
    """None for no labels."""
    input_type: Any
    is_torch: bool
    label_type: Any
    """Where it is torch's tensor on the CPU or numpy's array of one label a sample; else NoneType."""
    dtype: str
    """Of the input, where numpy has another one; else ''."""


class _Watch:
    """Notes batches and finds faults; all of `Guarded` but its looks."""

    def __init__(
        self,
        loader: Any,
        on_fault: OnFault,
        selectors: tuple[Selector, Selector, Selector],
        on_epoch_end: EpochEnd | None,
        rank: int | None,
    ) -> None:
        self.loader = loader
        self.on_fault = on_fault
        self.selectors = selectors
        self.on_epoch_end = on_epoch_end
        self.facts = read_facts(loader)
        own_rank = self.facts.distributed_rank
        self.rank = rank if rank is not None else -1 if own_rank is None else own_rank
        self.faults: list[Fault] = []
        self.overhead = 0.0
        self.epochs: list[_Epoch] = []
        self.broken = ""
        self._begun = 0
        self._notes: dict[str, None] = {}
        self._origins = ("", "", "")
        self._pictures: tuple[NDArray[np.uint8], tuple[float, float]] | None = None
        self._found: list[Fault] = []
        self._epoch: _Epoch | None = None
        self._overheard: Any = None
        self._route: _Route | None = None
        self._block: SketchBlock | None = None
        self._block_kinds: tuple[ArrayKind, ...] = ()
        self._pending: list[_Batch] = []
        self._aside: list[tuple[_Batch, Any, Any]] = []
        self._look_in_full = False
        self._kinds: dict[Any, ArrayKind] = {}
        self._source_counts = _source_counts(loader, self.facts)

    # One epoch

    def begin(self) -> Iterator[Any]:
        """Begin an epoch: an iterator over the loader."""
        if self._epoch is not None:
            self.end(Ending.ABANDONED, "the training loop began anew")
        self._epoch = _Epoch(number=self._begun, sampler_epoch=sampler_epoch(self.loader))
        self._begun += 1
        iterator, self._overheard = open_pass(self.loader, native=True)
        return iterator

    def note(self, batch: Any, asked: float) -> None:
        """Take note of a batch that was asked for at `asked`.

        Raises:
            DataFaultError: it shows a fault, and faults are to be raised.
        """
        came = time.perf_counter()
        epoch = self._epoch
        if epoch is None or self.broken:
            return
        try:
            drawn = None if self._overheard is None else self._overheard.next()
            if not self._note_briefly(epoch, batch, came - asked, drawn):
                self._note_in_full(epoch, batch, came - asked, drawn)
        except DataguardError:
            raise
        except Exception as error:
            if is_dead_worker(error):
                raise
            # Training must go on, whatever a batch looks like.
            self._break(error)
        self.overhead += time.perf_counter() - came
        if self._found:
            self._report(can_raise=True)

    def end(self, ending: Ending, detail: str) -> None:
        """End the epoch.

        Raises:
            DataFaultError: a fault showed, and faults are to be raised; not while another error is on its way.
        """
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        started = time.perf_counter()
        epoch.ending, epoch.detail = ending, detail
        try:
            self._flush(epoch)
            self.epochs = [*self.epochs, epoch][-KEPT_EPOCHS:]
        except Exception as error:  # noqa: BLE001 - as above
            self._break(error)
        if self.on_epoch_end is not None and ending is Ending.COMPLETE and not self.broken and self._due(epoch):
            # What a batch has shown already is not said again of the whole.
            self._found += [
                fault for fault in self.on_epoch_end(self.stream()) or () if fault.code not in epoch.reported
            ]
        self.overhead += time.perf_counter() - started
        self._report(can_raise=ending is Ending.COMPLETE)

    def _due(self, epoch: _Epoch) -> bool:
        due = getattr(self.on_epoch_end, "due", None)
        return due is None or bool(due(epoch.number))

    def stream(self) -> BatchStream:
        """See `Guarded.stream`."""
        if not self.epochs:
            raise ValueError("no epoch has ended yet")
        builder = StreamBuilder(self.loader, self.facts, thumbnails=0)
        if self._pictures is not None and self.epochs[0].number == 0:
            builder.show(*self._pictures)
        worker_of = worker_of_batch(self.facts, self.loader)
        label_origin, input_origin, id_origin = self._origins
        for epoch in self.epochs:
            builder.begin(epoch=epoch.number, rank=self.rank, sampler_epoch=epoch.sampler_epoch)
            for batch in epoch.batches:
                content = Content(
                    n=batch.n,
                    inputs=(),
                    labels=batch.labels,
                    n_labels=batch.n_labels,
                    ids=batch.ids,
                    label_origin=label_origin,
                    input_origin=input_origin,
                    id_origin=id_origin,
                    notes=(),
                )
                builder.add(
                    content,
                    seconds=batch.seconds,
                    worker=worker_of(batch.number),
                    indices=drawn_indices(batch.drawn),
                    label_kind=batch.label_kind,
                    measured=None if batch.seen is None else batch.seen.of(batch),
                )
            builder.end(epoch.ending, epoch.detail)
        builder.notes.update(self._notes)
        return builder.finish(hash_method=sketch.HASH_METHOD, moments_method=sketch.MOMENTS_METHOD)

    # One batch

    def _note_briefly(self, epoch: _Epoch, batch: Any, seconds: float, drawn: Any) -> bool:
        """Note a batch that is built like the first one; False where it is not."""
        route = self._route
        if route is None or type(batch) is not route.batch_type:
            return False
        x: Any = batch
        y: Any = None
        try:
            for key in route.inputs:
                x = x[key]
            if route.labels is not None:
                y = batch
                for key in route.labels:
                    y = y[key]
        except (KeyError, IndexError, TypeError):
            return False
        if not isinstance(x, route.input_type):
            return False
        if route.is_torch:
            if x.requires_grad:
                x = x.detach()
            if route.dtype or not _is_here(x):
                return self._set_aside(epoch, x, y, seconds, drawn)
            x = x.numpy()
        n = len(x)
        block = self._block
        if block is None or block.shape != x.shape or block.dtype != x.dtype:
            self._flush(epoch)
            if not n or not _sketchable(x):
                return False
            block = self._new_block(x)
        label_kind = None
        if y is not None and type(y) is route.label_type and y.is_cpu and not y.requires_grad:
            values = y.numpy().copy()
        else:
            label_kind, values = _labels_of(y)
        n_labels = -1 if values is None else len(values)
        noted = _Batch(len(epoch.batches), n, seconds, self._block_kinds, values, n_labels, None, drawn, label_kind)
        block.add(x)
        epoch.batches.append(noted)
        self._pending.append(noted)
        if self._look_in_full or (
            x.nbytes <= WHOLE_BYTES
            and x.dtype.kind == "f"
            and not math.isfinite(np.add.reduce(x, axis=None))
            and "DG207" not in epoch.reported
        ):
            self._look(epoch, noted, (Leaf(name="", rows=x, dtype=""),))
        if block.size == block.capacity:
            self._flush(epoch)
        return True

    def _set_aside(self, epoch: _Epoch, x: Any, y: Any, seconds: float, drawn: Any) -> bool:
        """Keep pieces of a batch where it is, without waiting for it, to be fetched with those of others."""
        n = int(x.shape[0])
        if not n or x.ndim < 2:
            return False
        y = None if y is None else y.detach().clone() if hasattr(y, "detach") else y
        noted = _Batch(
            number=len(epoch.batches),
            n=n,
            seconds=seconds,
            kinds=(self._kind(tuple(x.shape), x.dtype, self._route.dtype if self._route else ""),) * n,
            labels=None,
            n_labels=-1,
            ids=None,
            drawn=drawn,
        )
        epoch.batches.append(noted)
        self._aside.append((noted, _torch_pieces(x), y))
        if len(self._aside) >= (BLOCK if _is_here(x) else DEVICE_BLOCK):
            self._flush(epoch)
        return True

    def _note_in_full(self, epoch: _Epoch, batch: Any, seconds: float, drawn: Any) -> None:
        """Note a batch by the rules of `content`: the first one, and those that are built otherwise."""
        self._flush(epoch)
        label, inputs, sample_id = self.selectors
        content = read(batch, label=label, inputs=inputs, sample_id=sample_id)
        for note in content.notes:
            self._notes[note] = None
        first = not self._origins[1]
        if first:
            self._origins = (content.label_origin, content.input_origin or "nothing", content.id_origin)
            if content.inputs:
                self._pictures = measure.thumbnails(content.inputs[0], THUMBNAILS, None)
            if not any(callable(selector) for selector in self.selectors) and sample_id is None:
                self._route = _route(batch, content)
        main = content.inputs[0] if content.inputs else None
        label_kind, values = _labels_of(content.labels)
        noted = _Batch(
            number=len(epoch.batches),
            n=content.n,
            seconds=seconds,
            kinds=[NOTHING] * content.n if main is None else measure.kinds_of(main, content.n),
            labels=values,
            label_kind=label_kind,
            n_labels=content.n_labels,
            ids=content.ids,
            drawn=drawn,
        )
        epoch.batches.append(noted)
        if first or self._look_in_full:
            self._look(epoch, noted, content.inputs)
        if main is not None and isinstance(main.rows, np.ndarray) and _sketchable(main.rows) and content.n:
            self._new_block(main.rows).add(main.rows)
            self._pending.append(noted)
            if self._route is None:
                self._flush(epoch)
            return
        found = measure.hashes(content.inputs, content.n), measure.moments(content.inputs, content.n)
        noted.seen = _Seen(n=content.n, hashes=found[0], moments=found[1])
        if content.n:
            self._judge(epoch, [noted], noted.seen)

    def _new_block(self, array: NDArray[Any]) -> SketchBlock:
        self._block = SketchBlock(array.dtype, array.shape, BLOCK)
        self._block_kinds = (self._kind(array.shape, array.dtype, ""),) * len(array)
        return self._block

    def _kind(self, shape: tuple[int, ...], dtype: Any, name: str) -> ArrayKind:
        key = (shape[1:], dtype)
        if key not in self._kinds:
            sample = tuple(int(side) for side in shape[1:])
            self._kinds[key] = ArrayKind(
                dtype=name or _plain_name(dtype), shape=sample, layout=measure.layout_of(sample)
            )
        return self._kinds[key]

    # Blocks of batches

    def _flush(self, epoch: _Epoch) -> None:
        """Measure and judge what waits."""
        if self._aside:
            self._fetch(epoch)
        block, pending = self._block, self._pending
        if block is None or not pending:
            return
        self._pending = []
        found = block.finish()
        self._take(epoch, pending, found)

    def _fetch(self, epoch: _Epoch) -> None:
        """Bring over what was set aside, and measure and judge it."""
        aside, self._aside = self._aside, []
        for noted, pieces, labels in aside:
            array = np.ascontiguousarray(as_array(pieces))
            block = SketchBlock(array.dtype, array.shape, 1)
            block.add(array)
            if labels is not None:
                noted.label_kind, noted.labels = _labels_of(labels)
                noted.n_labels = -1 if noted.labels is None else len(noted.labels)
            self._take(epoch, [noted], block.finish())

    def _take(self, epoch: _Epoch, batches: list[_Batch], found: Sketch) -> None:
        seen = _Seen(n=batches[0].n, hashes=found.hashes.reshape(-1), moments=found.moments)
        for place, noted in enumerate(batches):
            noted.seen, noted.place = seen, place
        self._judge(epoch, batches, seen)

    # Faults

    def _judge(self, epoch: _Epoch, batches: list[_Batch], seen: _Seen) -> None:
        """Look for faults in batches of one size."""
        moments, n = seen.moments, seen.n
        if moments.n_nan.any() or moments.n_inf.any():
            for noted in batches:
                one = seen.of(noted).moments
                self._non_finite(epoch, noted, one.n_nan, one.n_inf)
        constant = moments.minimum == moments.maximum
        if constant.any() and constant.reshape(-1, n).all(axis=1).any() and "DG208" not in epoch.reported:
            # Pieces may all lie in the background: the next batch is looked at in full before anything is said.
            self._look_in_full = epoch.looks < FULL_LOOKS
        table = seen.hashes.reshape(-1, n)
        for noted in batches:
            other = epoch.digests.setdefault(table[noted.place].tobytes(), noted.number)
            if other != noted.number and "DG203" not in epoch.reported and n:
                self._repeated(epoch, noted, other)
        self._judge_labels(epoch, batches)

    def _judge_labels(self, epoch: _Epoch, batches: list[_Batch]) -> None:
        first = batches[0].labels
        if isinstance(first, np.ndarray) and all(
            isinstance(noted.labels, np.ndarray) and noted.labels.shape == first.shape for noted in batches
        ):
            if first.ndim != 1 or len(first) < 2:
                return
            table = np.array([noted.labels for noted in batches])
            alike = np.equal(table, table[:, :1]).all(axis=1)
            single = [batches[place] for place in np.flatnonzero(alike)] if alike.any() else []
        else:
            single = [noted for noted in batches if _one_label(_class_values(noted.labels))]
        for noted in single:
            values = _class_values(noted.labels)
            if values is None or len(values) < 2:
                continue
            epoch.single += 1
            # At 1, 2, 4, 8, …, so that skewed data costs little; each look has half the error of the one before.
            if epoch.single & (epoch.single - 1) == 0:
                self._single_label(epoch, noted, values[0])

    @staticmethod
    def _count(epoch: _Epoch) -> None:
        """Count the labels of the batches that have come since the last time."""
        for noted in epoch.batches[epoch.counted :]:
            values = _class_values(noted.labels)
            if values is not None:
                epoch.counts.update(values.tolist() if isinstance(values, np.ndarray) else values)
                epoch.sizes[len(values)] += 1
        epoch.counted = len(epoch.batches)

    def _single_label(self, epoch: _Epoch, noted: _Batch, value: Any) -> None:
        self._count(epoch)
        counts = list((self._source_counts or epoch.counts).values())
        bound = single_label_bound(counts, epoch.sizes, epoch.single)
        if bound < FALSE_ALARMS / (2 * epoch.single):
            name = str(value.item() if isinstance(value, np.generic) else value)
            self._fault(
                epoch,
                noted.number,
                "DG202",
                "single-label-batch",
                f"all {noted.n} samples have the label {name!r}; {epoch.single} such of {sum(epoch.sizes.values())} "
                f"batches, by chance with p < {max(bound, 1e-300):.1g}",
                "shuffle the dataset, or the buffer it is read through, before it is cut into batches",
            )

    def _repeated(self, epoch: _Epoch, noted: _Batch, other: int) -> None:
        """Say that a batch came before, unless samples look alike so often that this happens by chance."""
        hashes = [batch.seen.of(batch).hashes for batch in epoch.batches if batch.seen is not None]
        _, times = np.unique(np.concatenate(hashes), return_counts=True)
        alike = float(np.sum((times / times.sum()) ** 2))
        pairs = len(hashes) * (len(hashes) - 1) / 2
        if pairs * alike**noted.n < FALSE_ALARMS:
            self._fault(
                epoch,
                noted.number,
                "DG203",
                "repeated-batch",
                f"the same {noted.n} samples in the same order as batch {other}",
                "look for an iterator that is made anew for every batch, or a buffer that is reused",
            )

    def _non_finite(self, epoch: _Epoch, noted: _Batch, n_nan: NDArray[np.int64], n_inf: NDArray[np.int64]) -> None:
        bad = int(np.sum((n_nan > 0) | (n_inf > 0)))
        if bad:
            what = " and ".join(word for word, counts in (("NaN", n_nan), ("infinity", n_inf)) if counts.any())
            self._fault(
                epoch,
                noted.number,
                "DG207",
                "non-finite-input",
                f"{bad} of {noted.n} samples hold {what}",
                "find where it comes from before training on: one such batch ruins the weights",
            )

    def _look(self, epoch: _Epoch, noted: _Batch, leaves: Sequence[Leaf]) -> None:
        """Look at every value of a batch."""
        self._look_in_full = False
        epoch.looks += 1
        moments = measure.moments(leaves, noted.n)
        self._non_finite(epoch, noted, moments.n_nan, moments.n_inf)
        several = noted.n > 0 and math.prod(noted.kinds[0].shape) > 1
        if several and (moments.minimum == moments.maximum).all():
            self._fault(
                epoch,
                noted.number,
                "DG208",
                "constant-input",
                f"all values of each of its {noted.n} samples are the same ({moments.minimum[0]:g} in the first)",
                "look at what the loader does to a sample: a mask, a scale or a crop may leave nothing of it",
            )

    def _fault(self, epoch: _Epoch, batch: int, code: str, name: str, message: str, remedy: str) -> None:
        if code not in epoch.reported:
            epoch.reported.add(code)
            self._found.append(
                Fault(code=code, name=name, epoch=epoch.number, batch=batch, message=message, remedy=remedy)
            )

    def _report(self, *, can_raise: bool) -> None:
        found, self._found = self._found, []
        self.faults += found
        for fault in found:
            if callable(self.on_fault):
                self.on_fault(fault)
            elif self.on_fault == "warn" or not can_raise:
                # Past this, its caller and the generator: at the training loop's own line.
                warnings.warn(str(fault), DataFaultWarning, stacklevel=4)
        if found and self.on_fault == "raise" and can_raise:
            raise DataFaultError(found[0])

    def _break(self, error: BaseException) -> None:
        self.broken = error_text(error)
        self._notes[f"the guard stopped looking: {self.broken}"] = None
        self._pending, self._aside, self._block = [], [], None
        warnings.warn(f"the guard stopped looking: {self.broken}", RuntimeWarning, stacklevel=4)


def single_label_bound(counts: Sequence[int], sizes: Mapping[int, int], seen: int) -> float:
    """The most probable it can be that so many batches or more have one label only, if samples are shuffled.

    λ = Σ over sizes B of M_B·Σ_k C(n_k, B) / C(N, B) such batches are expected; their number is near Poisson, whose
    upper tail is at most exp(s − λ)·(λ/s)^s (Chernoff).

    >>> single_label_bound([500, 500], {32: 31}, 1) < 1e-6
    True
    >>> single_label_bound([9900, 100], {8: 1250}, 1100)
    1.0

    Args:
        counts: Samples of each class, n_k.
        sizes: How many batches M_B of each size B there were.
        seen: How many of them had one label only.
    """
    total = sum(counts)
    expected = 0.0
    for size, batches in sizes.items():
        if size > total:
            return 1.0
        whole = _log_falling(total, size)
        expected += batches * sum(math.exp(_log_falling(n, size) - whole) for n in counts if n >= size)
    if expected >= seen:
        return 1.0
    if expected == 0.0:
        return 0.0
    return math.exp(seen - expected - seen * math.log(seen / expected))


def _log_falling(n: int, size: int) -> float:
    """The logarithm of n·(n − 1)·…·(n − size + 1)."""
    return math.lgamma(n + 1) - math.lgamma(n - size + 1)


def _source_counts(loader: Any, facts: LoaderFacts) -> dict[Any, int] | None:
    """How many samples of each class the dataset has; None where the sampler does not draw all of them alike."""
    if facts.sampler_weights or facts.replacement or facts.batch_sampler is not None:
        return None
    sampler = innermost_sampler(unwrapped(loader))
    if length(sampler) != facts.declared_samples and facts.distributed_replicas is None:
        return None
    found = source_labels(loader)
    if found is None or found[0] is LabelKind.MULTI_LABEL:
        return None
    return dict(Counter(found[1].tolist() if isinstance(found[1], np.ndarray) else found[1]))


def _route(batch: Any, content: Content) -> _Route | None:
    """Where the main input and the labels of this batch are in it; None where they are not there as they are."""
    if not content.inputs or not isinstance(content.inputs[0].rows, np.ndarray):
        return None
    places = list(_places(batch))
    main = next((path for path, item in places if _same(item, content.inputs[0].rows)), None)
    if main is None:
        return None
    label_place = None
    if content.labels is not None:
        label_place = next((path for path, item in places if path != main and _same(item, content.labels)), None)
        if label_place is None:
            return None
    x, labels = dict(places)[main], None if label_place is None else dict(places)[label_place]
    is_torch = hasattr(x, "is_cpu") and hasattr(x, "detach")
    if not is_torch and not isinstance(x, np.ndarray):
        return None
    return _Route(
        batch_type=type(batch),
        inputs=main,
        labels=label_place,
        input_type=type(x),
        is_torch=is_torch,
        label_type=_label_type(labels),
        dtype=content.inputs[0].dtype if is_torch else "",
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Everything in nested mappings and sequences, with its place."""
    if len(path) >= MAX_NESTING:
        return
    items: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list | tuple) and len(value) <= MAX_ELEMENTS:
        items = list(enumerate(value))
    for key, item in items:
        yield (*path, key), item
        yield from _places(item, (*path, key))


def _label_type(labels: Any) -> type:
    one_each = as_array(labels) if hasattr(labels, "is_cpu") else None
    return type(labels) if one_each is not None and one_each.ndim == 1 and one_each.dtype.kind in "biuf" else type(None)


def _one_label(values: NDArray[Any] | list[Any] | None) -> bool:
    return values is not None and len(set(values.tolist() if isinstance(values, np.ndarray) else values)) == 1


def _same(item: Any, array: Any) -> bool:
    """Whether an element of a batch is what was found in it."""
    if item is array:
        return True
    if isinstance(item, str | bytes | Mapping) or not isinstance(array, np.ndarray):
        return False
    found = as_array(item)
    if found is None or found.shape != array.shape or found.dtype != array.dtype:
        return False
    return found[:1].tobytes() == array[:1].tobytes() and found[-1:].tobytes() == array[-1:].tobytes()


def _sketchable(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "biuf" and array.dtype.itemsize <= 8 and array.ndim >= 1 and array.size > 0


def _is_here(tensor: Any) -> bool:
    """Whether a tensor is where it can be read without waiting for another device."""
    return bool(tensor.is_cpu)


def _torch_pieces(x: Any) -> Any:
    """64 values of each sample, or all where there are no more, set aside on its own device."""
    n, width = int(x.shape[0]), math.prod(int(side) for side in x.shape[1:])
    piece = sketch.PIECE_BYTES // max(4, x.element_size())
    if width <= sketch.PIECES * piece:
        return x.reshape(n, width).clone()
    if x.is_contiguous():
        first, step = sketch.places(width, piece)
        pieces = x.as_strided((n, sketch.PIECES, piece), (width, step, 1), x.storage_offset() + first)
        return pieces.clone().reshape(n, -1)
    return x[sketch.grid(tuple(x.shape[1:]), sketch.PIECES * piece)].clone().reshape(n, -1)


def _labels_of(labels: Any) -> tuple[LabelKind | None, Any]:
    """A copy of labels that is small enough to keep, and what they are where that is no longer to be seen."""
    if labels is None or isinstance(labels, list | tuple):
        return None, None if labels is None else list(labels)
    array = as_array(labels)
    if array is None:
        return None, None
    if array.ndim == 1 and array.dtype.kind in "biuf":
        return None, array.copy()
    return classify(array)


def _class_values(labels: Any) -> NDArray[Any] | list[Any] | None:
    """Labels whose equality means one class; None for continuous ones."""
    if isinstance(labels, np.ndarray):
        if labels.dtype.kind == "f" and not (labels == np.rint(labels)).all():
            return None
        return labels if labels.ndim == 1 and len(labels) else None
    if isinstance(labels, list) and labels and all(isinstance(item, str | bytes | int | tuple) for item in labels):
        return labels
    return None


def _plain_name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]
