"""What the guard measures: every batch of every epoch, as cheaply as it can be looked at."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.batches import measure, sketch
from dataguard.batches.builder import NOTHING, StreamBuilder
from dataguard.batches.content import Content, Leaf, read
from dataguard.batches.facts import read_facts, sampler_epoch, worker_of_batch
from dataguard.batches.faults import Fault, OnFault, Reporter
from dataguard.batches.kinds import ArrayKind, Ending
from dataguard.batches.noted import NotedBatch, NotedEpoch, Seen, kept_labels
from dataguard.batches.passes import drawn_indices, error_text, is_dead_worker, open_pass
from dataguard.batches.route import Route, find_route, is_here, is_plain
from dataguard.batches.selection import Selector
from dataguard.batches.sketch import Scratch, Sketch, SketchBlock
from dataguard.batches.stream import BatchStream
from dataguard.batches.values import as_array
from dataguard.batches.verdicts import Judge, drawn_counts
from dataguard.batches.waiting import Lent, Waiting, own_memory, stayed
from dataguard.core.errors import DataguardError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 16
"""Batches that are judged together; a fault shows at most so many batches late."""
DEVICE_BLOCK = 64
"""The same for batches on a GPU, which is waited for once a block."""
ALL_LOOKED_AT = 16
"""Batches from the start on whose inputs are all looked at, however much it costs."""
EVERY = 8
"""Afterwards, of large batches whose indices in the dataset are known, one in so many."""
KEPT_EPOCHS = 2
"""Epochs that are kept for `on_epoch_end`: what does not change between epochs shows in two."""
THUMBNAILS = 64

clock = time.perf_counter
"""What the guard's own time is taken by."""

EpochEnd: TypeAlias = Callable[[BatchStream], Iterable[Fault] | None]


class Watch:
    """Notes batches and has them judged; all of `Guarded` but its looks.

    A batch that workers made lies in shared memory, and whoever touches a page of it first pays some 4 µs for its
    mapping; and after megabytes of data all code is cold in the processor's caches, the more so with workers around it:
    the first call of ``Tensor.numpy`` then takes 50 µs, not 1. So batches of more than `sketch.WHOLE_BYTES` are thinned
    where the sampler tells which samples are in them: after the first `ALL_LOOKED_AT`, the inputs of one in `EVERY` are
    looked at, by turns over the epochs; labels, indices, shapes and types are noted of all. Those in shared memory are
    looked at when the loop asks for the next batch, having touched all of this one, unless the loop changes its batches
    in place. And labels that nobody else writes to are read `BLOCK` batches at a time (`_note_lean`, `_settle`): those
    of torch's own collation, and those that a first block of copies has shown to stay as they came, each in its own
    memory.
    """

    def __init__(
        self,
        loader: Any,
        on_fault: OnFault,
        selectors: tuple[Selector, Selector, Selector],
        on_epoch_end: EpochEnd | None,
        rank: int | None,
    ) -> None:
        self.loader = loader
        self.reporter = Reporter(on_fault)
        self.selectors = selectors
        self.on_epoch_end = on_epoch_end
        self.facts = read_facts(loader)
        own_rank = self.facts.distributed_rank
        self.rank = rank if rank is not None else -1 if own_rank is None else own_rank
        self.overhead = 0.0
        self.epochs: list[NotedEpoch] = []
        self.broken = ""
        self._begun = 0
        self._notes: dict[str, None] = {}
        self._origins = ("", "", "")
        self._pictures: tuple[NDArray[np.uint8], tuple[float, float]] | None = None
        self._epoch: NotedEpoch | None = None
        self._overheard: Any = None
        self._route: Route | None = None
        self._block: SketchBlock | None = None
        self._block_type: Any = None
        """torch's name for the type of the block, where batches of it have come as tensors."""
        self._block_kinds: tuple[ArrayKind, ...] = ()
        self._pending: list[NotedBatch] = []
        self._aside: list[tuple[NotedBatch, Any, Any]] = []
        self.lent: Lent | None = None
        """The batch that `take_back` has to look at."""
        self._waiting: list[Waiting] = []
        self._passed_over: list[NotedBatch] = []
        self._scratch = Scratch()
        self._kinds: dict[Any, ArrayKind] = {}
        self._judge = Judge(self.reporter.waiting, drawn_counts(loader, self.facts))

    # One epoch

    def begin(self) -> Iterator[Any]:
        """Begin an epoch: an iterator over the loader."""
        if self._epoch is not None:
            self.end(Ending.ABANDONED, "the training loop began anew")
        self._epoch = NotedEpoch(number=self._begun, sampler_epoch=sampler_epoch(self.loader))
        self._begun += 1
        iterator, self._overheard = open_pass(self.loader, native=True)
        return iterator

    def note(self, batch: Any, asked: float) -> None:
        """Take note of a batch that was asked for at `asked`.

        Raises:
            DataFaultError: it shows a fault, and faults are to be raised.
        """
        came = clock()
        epoch = self._epoch
        if epoch is None or self.broken:
            return
        try:
            drawn = None if self._overheard is None else self._overheard.next()
            if not self._note_lean(epoch, batch, came - asked, drawn):
                self._receive(epoch, batch, came - asked, drawn)
        except Exception as error:
            if isinstance(error, DataguardError) or is_dead_worker(error):
                raise
            # Training must go on, whatever a batch looks like.
            self._break(error)
        self.overhead += clock() - came
        if self.reporter.waiting:
            self.reporter.tell(can_raise=True)

    def take_back(self) -> None:
        """Look at the batch that the training loop is done with, if it has not been looked at.

        Raises:
            DataFaultError: it shows a fault, and faults are to be raised.
        """
        epoch = self._epoch
        if self.lent is None or epoch is None:
            return
        started = clock()
        try:
            self._look_back(epoch)
        except Exception as error:
            if isinstance(error, DataguardError) or is_dead_worker(error):
                raise
            self._break(error)
        self.overhead += clock() - started
        if self.reporter.waiting:
            self.reporter.tell(can_raise=True)

    def end(self, ending: Ending, detail: str) -> None:
        """End the epoch.

        Raises:
            DataFaultError: a fault showed, and faults are to be raised; not while another error is on its way.
        """
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        started = clock()
        epoch.ending, epoch.detail = ending, detail
        try:
            self._look_back(epoch)
            self._flush(epoch)
            self.epochs = [*self.epochs, epoch][-KEPT_EPOCHS:]
        except Exception as error:  # noqa: BLE001 - as above
            self._break(error)
        if self.on_epoch_end is not None and ending is Ending.COMPLETE and not self.broken and self._due(epoch):
            # What a batch has shown already is not said again of the whole.
            self.reporter.waiting.extend(
                fault for fault in self.on_epoch_end(self.stream()) or () if fault.code not in epoch.reported
            )
        self.overhead += clock() - started
        self.reporter.tell(can_raise=ending is Ending.COMPLETE)

    def _due(self, epoch: NotedEpoch) -> bool:
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
                    measured=batch.measured(epoch.number),
                )
            builder.end(epoch.ending, epoch.detail)
        looked = [not batch.passed_over for epoch in self.epochs for batch in epoch.batches]
        if not all(looked):
            builder.notes[f"the guard looked at the inputs of {sum(looked)} of {len(looked)} batches"] = None
        builder.notes.update(self._notes)
        return builder.finish(hash_method=sketch.HASH_METHOD, moments_method=sketch.MOMENTS_METHOD)

    # One batch

    def _note_lean(self, epoch: NotedEpoch, batch: Any, seconds: float, drawn: Any) -> bool:
        """Note a large batch of the first one's type and shape in as few steps as can be.

        False for any other, and where something needs a closer look.
        """
        route, block = self._route, self._block
        if route is None or block is None or not route.lean or self._judge.wants_full_look:
            return False
        found = route.follow(batch)
        if found is None:
            return False
        x, y = found
        if x.shape != block.shape or x.dtype is not self._block_type or not is_plain(x):
            return False
        y_version, kept = getattr(y, "_version", 0), y
        if not route.fresh or (epoch.number == 0 and len(epoch.batches) + len(self._waiting) <= ALL_LOOKED_AT):
            # Those of the first batches are copied all the same: by then it shows whether training changes labels.
            kept = y.clone() if hasattr(y, "clone") else copy.copy(y)
        passed_over = False
        if drawn is not None and self._may_pass_over(epoch):
            passed_over = True
        elif route.shared and route.fresh:
            self.lent = Lent(x, x._version, y, y_version, kept, seconds, drawn, noted=False)
            return True
        else:
            block.add_tensor(x)
        self._waiting.append(Waiting(y, y_version, kept, seconds, drawn, passed_over))
        if len(self._waiting) + len(self._pending) + len(self._passed_over) >= BLOCK:
            self._flush(epoch)
        return True

    def _receive(self, epoch: NotedEpoch, batch: Any, seconds: float, drawn: Any) -> None:
        """Note a batch of any kind."""
        self._settle(epoch)
        route = self._route
        found = None if route is None else route.follow(batch)
        if route is None or found is None or not self._note_briefly(epoch, route, *found, seconds, drawn):
            self._note_in_full(epoch, batch, seconds, drawn)
        route = self._route
        if route is not None and route.lean and route.shared and (found := route.follow(batch)) is not None:
            # Whether the training loop changes it shows where the next ones may be looked at.
            x = found[0]
            self.lent = Lent(x, x._version, None, 0, None, seconds, drawn, noted=True)

    def _may_pass_over(self, epoch: NotedEpoch) -> bool:
        number = len(epoch.batches) + len(self._waiting)
        return (epoch.number > 0 or number >= ALL_LOOKED_AT) and (number + epoch.number) % EVERY != 0

    def _look_back(self, epoch: NotedEpoch) -> None:
        lent, self.lent = self.lent, None
        route, block = self._route, self._block
        if lent is None or route is None or block is None:
            return
        if lent.x._version != lent.x_version:
            route.stale()
            if not lent.noted:
                number = len(epoch.batches) + len(self._waiting)
                self._notes[f"batch {number} of epoch {epoch.number} was looked at after training changed it"] = None
        if lent.noted:
            return
        block.add_tensor(lent.x)
        self._waiting.append(Waiting(lent.y, lent.y_version, lent.kept, lent.seconds, lent.drawn, False))
        if len(self._waiting) + len(self._pending) + len(self._passed_over) >= BLOCK:
            self._flush(epoch)

    def _settle(self, epoch: NotedEpoch) -> None:
        """Note the batches that wait, and read what is left to read of them."""
        waiting, self._waiting = self._waiting, []
        route, block = self._route, self._block
        if not waiting or route is None or block is None:
            return
        kinds, n = self._block_kinds, block.shape[0]
        if not own_memory(waiting):
            route.stale()
        elif not route.fresh and route.may_prove and len(waiting) >= BLOCK // 2:
            route.fresh = all(stayed(batch) for batch in waiting)
        for y, y_version, kept, seconds, drawn, passed_over in waiting:
            number = len(epoch.batches)
            kind, values = kept_labels(kept)
            if getattr(y, "_version", 0) != y_version:
                route.stale()
                if kept is y:
                    self._notes[f"labels from batch {number} of epoch {epoch.number} on were read after a change"] = (
                        None
                    )
            n_labels = -1 if values is None else len(values)
            noted = NotedBatch(number, n, seconds, kinds, values, n_labels, None, drawn, kind, None, 0, passed_over)
            epoch.batches.append(noted)
            (self._passed_over if passed_over else self._pending).append(noted)

    def _note_briefly(self, epoch: NotedEpoch, route: Route, x: Any, y: Any, seconds: float, drawn: Any) -> bool:
        """Note a batch that is built like the first one; False where its input is not of a kind that can be."""
        if route.is_torch:
            if x.requires_grad:
                x = x.detach()
            if route.dtype or not is_here(x):
                return self._set_aside(epoch, route, x, y, seconds, drawn)
            kind, x = x.dtype, x.numpy()
        else:
            kind, x = None, np.asarray(x)
        n = len(x)
        block = self._block
        if block is None or block.shape != x.shape or block.dtype != x.dtype:
            self._flush(epoch)
            if not n or not sketch.sketchable(x):
                return False
            block = self._new_block(x)
        self._block_type = kind
        label_kind = None
        if y is not None and type(y) is route.label_type and is_here(y) and not y.requires_grad:
            values = y.numpy().copy()
        else:
            label_kind, values = kept_labels(y)
        n_labels = -1 if values is None else len(values)
        noted = NotedBatch(len(epoch.batches), n, seconds, self._block_kinds, values, n_labels, None, drawn, label_kind)
        block.add(x)
        epoch.batches.append(noted)
        self._pending.append(noted)
        if self._judge.wants_full_look or (
            x.nbytes <= sketch.WHOLE_BYTES
            and x.dtype.kind == "f"
            and not math.isfinite(np.add.reduce(x, axis=None))
            and "DG207" not in epoch.reported
        ):
            self._judge.look(epoch, noted, (Leaf(name="", rows=x, dtype=""),))
        if len(self._pending) + len(self._passed_over) >= BLOCK:
            self._flush(epoch)
        return True

    def _set_aside(self, epoch: NotedEpoch, route: Route, x: Any, y: Any, seconds: float, drawn: Any) -> bool:
        """Keep pieces of a batch where it is, without waiting for it, to be fetched with those of others."""
        n = int(x.shape[0])
        if not n or x.ndim < 2:
            return False
        y = None if y is None else y.detach().clone() if hasattr(y, "detach") else y
        noted = NotedBatch(
            number=len(epoch.batches),
            n=n,
            seconds=seconds,
            kinds=(self._kind(tuple(x.shape), x.dtype, route.dtype),) * n,
            labels=None,
            n_labels=-1,
            ids=None,
            drawn=drawn,
        )
        epoch.batches.append(noted)
        self._aside.append((noted, sketch.torch_pieces(x), y))
        if len(self._aside) >= (BLOCK if is_here(x) else DEVICE_BLOCK):
            self._flush(epoch)
        return True

    def _note_in_full(self, epoch: NotedEpoch, batch: Any, seconds: float, drawn: Any) -> None:
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
                self._route = find_route(batch, content, fresh=self.facts.collate == "default_collate")
        main = content.inputs[0] if content.inputs else None
        label_kind, values = kept_labels(content.labels)
        noted = NotedBatch(
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
        if first or self._judge.wants_full_look:
            self._judge.look(epoch, noted, content.inputs)
        if main is not None and isinstance(main.rows, np.ndarray) and sketch.sketchable(main.rows) and content.n:
            self._new_block(main.rows).add(main.rows)
            self._pending.append(noted)
            if self._route is None:
                self._flush(epoch)
            return
        found = measure.hashes(content.inputs, content.n), measure.moments(content.inputs, content.n)
        noted.seen = Seen(n=content.n, hashes=found[0], moments=found[1])
        if content.n:
            self._judge.judge(epoch, [noted], noted.seen)

    def _new_block(self, array: NDArray[Any]) -> SketchBlock:
        self._block, self._block_type = SketchBlock(array.dtype, array.shape, BLOCK, self._scratch), None
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

    def _flush(self, epoch: NotedEpoch) -> None:
        """Measure and judge what waits."""
        self._settle(epoch)
        if self._passed_over:
            passed_over, self._passed_over = self._passed_over, []
            self._judge.judge_labels(epoch, passed_over)
        if self._aside:
            self._fetch(epoch)
        block, pending = self._block, self._pending
        if block is None or not pending:
            return
        self._pending = []
        found = block.finish()
        self._take(epoch, pending, found)

    def _fetch(self, epoch: NotedEpoch) -> None:
        """Bring over what was set aside, and measure and judge it."""
        aside, self._aside = self._aside, []
        for noted, pieces, labels in aside:
            array = np.ascontiguousarray(as_array(pieces))
            block = SketchBlock(array.dtype, array.shape, 1, self._scratch)
            block.add(array)
            if labels is not None:
                noted.label_kind, noted.labels = kept_labels(labels)
                noted.n_labels = -1 if noted.labels is None else len(noted.labels)
            self._take(epoch, [noted], block.finish())

    def _take(self, epoch: NotedEpoch, batches: list[NotedBatch], found: Sketch) -> None:
        seen = Seen(n=batches[0].n, hashes=found.hashes.reshape(-1), moments=found.moments)
        for place, noted in enumerate(batches):
            noted.seen, noted.place = seen, place
        self._judge.judge(epoch, batches, seen)

    def _break(self, error: BaseException) -> None:
        self.broken = error_text(error)
        self._notes[f"the guard stopped looking: {self.broken}"] = None
        self._pending, self._waiting, self._aside, self._block, self.lent = [], [], [], None, None
        warnings.warn(f"the guard stopped looking: {self.broken}", RuntimeWarning, stacklevel=4)


def _plain_name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]
