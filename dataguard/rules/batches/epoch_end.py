"""What the guard asks the rules at the end of every epoch."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dataguard.batches.faults import Fault, OnFault
from dataguard.batches.guard import Guarded
from dataguard.batches.guard import guard as bare_guard
from dataguard.batches.kinds import Ending
from dataguard.batches.passes import error_text
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Finding, Severity
from dataguard.core.rule import Rule
from dataguard.rules.batches.dg201_unshuffled_order import unshuffled_order
from dataguard.rules.batches.dg202_single_label_batch import single_label_batch
from dataguard.rules.batches.dg203_repeated_batch import repeated_batch
from dataguard.rules.batches.dg204_no_reshuffle_between_epochs import no_reshuffle_between_epochs
from dataguard.rules.batches.dg205_weak_shuffle_buffer import weak_shuffle_buffer
from dataguard.rules.batches.dg206_too_regular_order import too_regular_order
from dataguard.rules.batches.dg209_input_out_of_range import input_out_of_range
from dataguard.rules.batches.dg211_samples_missing_or_repeated_in_epoch import samples_missing_or_repeated_in_epoch
from dataguard.rules.batches.dg214_inconsistent_batch import inconsistent_batch

if TYPE_CHECKING:
    from dataguard.batches.selection import Selector

T = TypeVar("T")

JUDGED: tuple[Rule[Any], ...] = (
    unshuffled_order,
    single_label_batch,
    repeated_batch,
    no_reshuffle_between_epochs,
    weak_shuffle_buffer,
    too_regular_order,
    input_out_of_range,
    samples_missing_or_repeated_in_epoch,
    inconsistent_batch,
)
"""Rules that the stream of a guarded loader is enough for."""
OF_EVERY_EPOCH = frozenset({"DG209", "DG211", "DG214"})
"""Of these, rules that state facts, and cost little. The others test, and see the first epochs only."""
MAX_SAMPLES = 4096
"""Samples of an epoch that the tests of order look at: 128 batches of 32, where 100 are enough for a power of 0.99."""
TESTED_EPOCHS = 2
"""Epochs after which order is tested: a fault of the loader shows in the first, or by the second if it is that nothing
changes. Tested after every epoch, a sound loader would raise a false alarm some day."""
ALPHA = 0.01 / TESTED_EPOCHS
"""Level of the tests after one epoch, so that the chance of a false alarm in the whole training is at most 1 %."""


def guard(
    loader: Iterable[T],
    *,
    on_fault: OnFault = "warn",
    label: Selector = None,
    inputs: Selector = None,
    sample_id: Selector = None,
    on_epoch_end: Callable[[BatchStream], Iterable[Fault] | None] | None = None,
    rank: int | None = None,
) -> Guarded[T]:
    """Wrap a loader so that training goes on as before and faults of the data show early.

    As `dataguard.batches.guard.guard`, which says what it costs and what it looks for in every batch. After the first,
    second, fourth, eighth, … epoch the rules about range, shape and completeness judge the last two epochs too, and
    after the first and the second those about order; each reports a fault once.

    Args:
        loader: What the training loop iterates.
        on_fault: ``"warn"``, ``"raise"``, or a function that is called with the `Fault`.
        label: Where the labels are, as for `record`.
        inputs: Where the inputs are, likewise.
        sample_id: Where the ids are, likewise.
        on_epoch_end: Instead of `EpochEnd`; ``lambda stream: ()`` for nothing.
        rank: Which process of a distributed training this is; by default what a distributed sampler says.

    Returns:
        The guarded loader.

    Example:
        >>> import numpy as np
        >>> x, y = np.random.default_rng(0).random((640, 4)), np.repeat(np.arange(20), 32)
        >>> batches = [(x[start : start + 64], y[start : start + 64]) for start in range(0, 640, 64)]
        >>> found = []
        >>> for _ in guard(batches, on_fault=found.append):
        ...     pass
        >>> print(found[0].code, found[0].name)
        DG201 unshuffled-order
    """
    return bare_guard(
        loader,
        on_fault=on_fault,
        label=label,
        inputs=inputs,
        sample_id=sample_id,
        on_epoch_end=EpochEnd() if on_epoch_end is None else on_epoch_end,
        rank=rank,
    )


class EpochEnd:
    """Judges the stream of a guarded loader at the end of an epoch; says each fault once in its life.

    Args:
        rules: Which rules.
        max_samples: Samples of each epoch that the tests of order look at.
    """

    def __init__(self, rules: Iterable[Rule[Any]] = JUDGED, *, max_samples: int = MAX_SAMPLES) -> None:
        self.rules = tuple(rules)
        self.max_samples = max_samples
        self._said: set[str] = set()

    def due(self, epoch: int) -> bool:
        """Whether to look after this epoch: after the first, second, fourth, eighth, …, so that it costs little.

        Args:
            epoch: Its number, from 0.
        """
        return (epoch + 1) & epoch == 0

    def __call__(self, stream: BatchStream) -> list[Fault]:
        """Faults of the last epoch that were not said before.

        Args:
            stream: Of the last epochs.
        """
        if not stream.n_samples:
            return []
        made: dict[type, object] = {}
        ended = 1 + max(item.epoch for item in stream.passes)
        tested = ended <= TESTED_EPOCHS
        beginning = first_samples(stream, self.max_samples) if tested else stream
        faults = []
        for rule in self.rules:
            fact = rule.code in OF_EVERY_EPOCH
            if not (fact or tested):
                continue
            try:
                arguments = _arguments(rule, stream if fact else beginning, made)
                options = {"alpha": ALPHA} if "alpha" in rule.options else {}
                outcomes = [] if arguments is None else rule(*arguments, **options)
            except Exception as error:  # noqa: BLE001 - training must go on, whatever a stream looks like
                warnings.warn(
                    f"{rule.code} could not judge the epoch: {error_text(error)}", RuntimeWarning, stacklevel=2
                )
                continue
            for outcome in outcomes:
                if not isinstance(outcome, Finding) or outcome.severity < Severity.WARNING:
                    continue
                if outcome.fingerprint not in self._said:
                    self._said.add(outcome.fingerprint)
                    faults.append(_fault(outcome, stream))
        return faults


def _arguments(rule: Rule[Any], stream: BatchStream, made: dict[type, object]) -> list[object] | None:
    """What a rule asks for, as far as a stream alone gives it; None where that is not enough."""
    from dataguard.batches.evidence import OrderEvidence
    from dataguard.batches.order_evidence import order_evidence

    arguments: list[object] = []
    for parameter in rule.inputs:
        if parameter.type is BatchStream:
            arguments.append(stream)
        elif parameter.type is OrderEvidence and parameter.required:
            if OrderEvidence not in made:
                made[OrderEvidence] = order_evidence(stream)
            arguments.append(made[OrderEvidence])
        elif parameter.required:
            return None
        else:
            arguments.append(None)
    return arguments


def _fault(finding: Finding, stream: BatchStream) -> Fault:
    return Fault(
        code=finding.code,
        name=finding.name,
        epoch=max(item.epoch for item in stream.passes),
        batch=-1,
        message=finding.message.removesuffix("."),
        remedy=finding.remedy.removesuffix("."),
    )


def first_samples(stream: BatchStream, limit: int) -> BatchStream:
    """The first batches of every pass, with at most so many samples, and at least one batch.

    A pass that is cut short ends as one that was stopped at a limit, so that nothing is said of what came after.

    Args:
        stream: Any stream.
        limit: The most samples of a pass.
    """
    if all(item.n_samples <= limit for item in stream.passes):
        return stream
    keep = np.zeros(stream.n_batches, dtype=bool)
    passes = []
    for item, part in zip(stream.passes, stream.batch_slices(), strict=True):
        sizes = stream.batch_size[part]
        n = max(1, int(np.searchsorted(np.cumsum(sizes), limit, side="right"))) if len(sizes) else 0
        keep[part.start : part.start + n] = True
        cut: dict[str, Any] = {
            "n_batches": n,
            "n_samples": int(sizes[:n].sum()),
            "ending": Ending.LIMIT,
            "detail": f"the first {n} batches were looked at",
        }
        passes.append(dataclasses.replace(item, **cut) if n < len(sizes) else item)
    rows = keep[stream.batch_of_sample]
    values: dict[str, Any] = {}
    for field in dataclasses.fields(BatchStream):
        value = getattr(stream, field.name)
        if not isinstance(value, np.ndarray) or field.name in ("source_codes", "thumbnails", "thumbnail_rows"):
            continue
        by_batch = field.name.startswith("batch_") or field.name == "channels"
        values[field.name] = value[keep if by_batch else rows]
        values[field.name].setflags(write=False)
    # Pictures are of the first samples of the first pass, of which some may be cut off.
    return dataclasses.replace(
        stream, passes=tuple(passes), thumbnails=None, thumbnail_rows=None, thumbnail_range=None, **values
    )
