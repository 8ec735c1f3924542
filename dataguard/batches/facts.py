"""What a loader says of itself, read by attribute names so that no framework is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.kinds import LabelKind, LoaderFacts
from dataguard.batches.labels_seen import classify
from dataguard.batches.selection import LABEL_KEYS
from dataguard.batches.values import as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_NESTING = 8
"""Wrappers and subsets that are looked through."""
_SHUFFLING = ("RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler")


def read_facts(loader: Any) -> LoaderFacts:
    """What `loader` says of itself; see `LoaderFacts`."""
    torch_like = unwrapped(loader)
    dataset = attribute(torch_like, "dataset")
    batch_sampler = attribute(torch_like, "batch_sampler")
    sampler = innermost_sampler(torch_like)
    weights = attribute(sampler, "weights")
    collate = attribute(torch_like, "collate_fn")
    return LoaderFacts(
        loader=class_name(loader),
        declared_batches=_batches(loader),
        declared_samples=length(dataset),
        dataset=None if dataset is None else class_name(dataset),
        iterable_dataset=_iterable(torch_like, dataset),
        batch_size=_whole(_first(torch_like, batch_sampler, name="batch_size")),
        drop_last=_flag(_first(torch_like, batch_sampler, name="drop_last")),
        shuffle=_shuffles(torch_like, sampler),
        sampler=None if sampler is None else class_name(sampler),
        batch_sampler=None
        if batch_sampler is None or type(batch_sampler).__name__ == "BatchSampler"
        else class_name(batch_sampler),
        sampler_weights=None if sampler is None else weights is not None,
        replacement=_flag(attribute(sampler, "replacement")),
        shuffle_buffer=_shuffle_buffer(loader),
        num_workers=_whole(_first(torch_like, loader, name="num_workers", other="workers")),
        worker_init_fn=_given(torch_like, "worker_init_fn"),
        persistent_workers=_flag(attribute(torch_like, "persistent_workers")),
        generator=_given(torch_like, "generator"),
        collate=None if collate is None else getattr(collate, "__name__", type(collate).__name__),
        distributed_rank=_whole(attribute(sampler, "rank")),
        distributed_replicas=_whole(attribute(sampler, "num_replicas")),
        distributed_seed=_whole(attribute(sampler, "seed")) if attribute(sampler, "num_replicas") is not None else None,
    )


def attribute(value: Any, name: str) -> Any:
    """An attribute that may not be there, or whose property may fail."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's class may raise anything
        return None


def class_name(value: Any) -> str:
    """The full name of a value's class."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def length(value: Any) -> int | None:
    """``len(value)``; None where it has none, as a stream."""
    try:
        return len(value)
    except Exception:  # noqa: BLE001 - a length that a user's class computes may raise anything
        return None


def unwrapped(loader: Any) -> Any:
    """The loader within wrappers that has a sampler or a dataset; the loader itself where none has."""
    value = loader
    for _ in range(MAX_NESTING):
        if attribute(value, "sampler") is not None or attribute(value, "dataset") is not None:
            return value
        inner = next(
            (
                found
                for name in ("base_dataloader", "_dataloader", "dataloader", "loader", "_loader")
                if (found := attribute(value, name)) is not None
            ),
            None,
        )
        if inner is None:
            stages = attribute(value, "pipeline")
            inner = stages[0] if isinstance(stages, list) and stages else None
        if inner is None or inner is value:
            return loader
        value = inner
    return loader


def innermost_sampler(loader: Any) -> Any:
    """The sampler that draws indices: that of the batch sampler where the loader has one."""
    batch_sampler = attribute(loader, "batch_sampler")
    sampler = attribute(batch_sampler, "sampler")
    if not hasattr(sampler, "__iter__"):
        sampler = batch_sampler if batch_sampler is not None else attribute(loader, "sampler")
    for _ in range(MAX_NESTING):
        inner = attribute(sampler, "sampler")
        if not hasattr(inner, "__iter__"):
            break
        sampler = inner
    return sampler


def epoch_setter(loader: Any) -> Callable[[int], Any] | None:
    """The ``set_epoch`` of a loader, its samplers or its dataset; the first that there is."""
    torch_like = unwrapped(loader)
    batch_sampler = attribute(torch_like, "batch_sampler")
    for owner in (
        loader,
        torch_like,
        innermost_sampler(torch_like),
        batch_sampler,
        attribute(torch_like, "sampler"),
        attribute(torch_like, "dataset"),
    ):
        found = attribute(owner, "set_epoch")
        if callable(found):
            setter: Callable[[int], Any] = found
            return setter
    return None


def sampler_epoch(loader: Any) -> int | None:
    """The epoch that a distributed sampler shuffles by; None where there is none."""
    return _whole(attribute(innermost_sampler(unwrapped(loader)), "epoch"))


def worker_of_batch(facts: LoaderFacts, loader: Any) -> Callable[[int], int]:
    """Which worker made a batch, by its number.

    torch hands batches to its workers in turn, and yields them in that order unless ``in_order=False``. With a stream
    for a dataset a worker that has nothing left drops out, so that the turn is lost.
    """
    workers = facts.num_workers or 0
    ordered = attribute(unwrapped(loader), "in_order") is not False
    if workers < 1 or facts.iterable_dataset is not False or not ordered:
        workers = 0
    return lambda number: number % workers if workers else -1


def class_names(loader: Any) -> Sequence[str] | None:
    """What whole-number labels stand for, where the loader's dataset says so (``classes``, or HF's features)."""
    dataset = _root_dataset(unwrapped(loader))
    names = attribute(dataset, "classes")
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    features = attribute(dataset, "features")
    if isinstance(features, dict):
        for key in LABEL_KEYS:
            names = attribute(features.get(key), "names")
            if isinstance(names, list | tuple) and names:
                return tuple(str(name) for name in names)
    return None


def source_labels(loader: Any) -> tuple[LabelKind, Any] | None:
    """The labels of the loader's dataset in its own order, where they can be had without loading a sample.

    Looks for ``targets``, ``labels`` or ``y`` beside the samples (torchvision and most datasets written by hand), the
    last tensor of a ``TensorDataset``, a column of a Hugging Face dataset, and subsets of these.
    """
    loader = unwrapped(loader)
    dataset = attribute(loader, "dataset")
    chosen: list[NDArray[np.intp]] = []
    for _ in range(MAX_NESTING):
        inner, rows = attribute(dataset, "dataset"), attribute(dataset, "indices")
        if inner is None or rows is None:
            break
        try:
            chosen.append(np.asarray(rows, dtype=np.intp))
        except (TypeError, ValueError):
            return None
        dataset = inner
    n = length(dataset)
    for values in _label_columns(dataset):
        if length(values) == n and n:
            kind, found = classify(values if isinstance(values, list) else as_array(values))
            if kind not in (LabelKind.CLASSES, LabelKind.ONE_HOT, LabelKind.MULTI_LABEL):
                continue
            for rows in reversed(chosen):
                found = found[rows] if isinstance(found, np.ndarray) else [found[row] for row in rows]
            return kind, found
    return None


def _label_columns(dataset: Any) -> Iterator[Any]:
    for name in ("targets", "labels", "y"):
        values = attribute(dataset, name)
        if values is not None and not callable(values):
            yield values
    tensors = attribute(dataset, "tensors")
    if isinstance(tensors, tuple) and len(tensors) > 1:
        yield tensors[1]
    names = attribute(dataset, "column_names")
    if isinstance(names, list):
        for key in LABEL_KEYS:
            if key in names:
                try:
                    values = list(dataset[key])
                    yield [value if (array := as_array(value)) is None else array.item() for value in values]
                except Exception:  # noqa: BLE001 - a formatted column may raise anything
                    return
                return


def _root_dataset(loader: Any) -> Any:
    dataset = attribute(loader, "dataset")
    if dataset is None:
        return loader
    for _ in range(MAX_NESTING):
        inner = attribute(dataset, "dataset")
        if inner is None or attribute(dataset, "classes") is not None:
            break
        dataset = inner
    return dataset


def _batches(loader: Any) -> int | None:
    found = length(loader)
    if found is None:
        # Keras 3 and TensorFlow.
        found = _whole(attribute(loader, "num_batches"))
        cardinality = attribute(loader, "cardinality")
        if found is None and callable(cardinality):
            try:
                found = int(cardinality())
            except Exception:  # noqa: BLE001 - not TensorFlow's, then
                return None
    return found if found is None or found >= 0 else None


def _iterable(loader: Any, dataset: Any) -> bool | None:
    if dataset is None:
        return None
    if any(kind.__name__ == "IterableDataset" for kind in type(dataset).__mro__):
        return True
    return not hasattr(dataset, "__getitem__") if hasattr(loader, "batch_sampler") else None


def _shuffles(loader: Any, sampler: Any) -> bool | None:
    if sampler is not None:
        names = {kind.__name__ for kind in type(sampler).__mro__}
        if names & set(_SHUFFLING):
            return True
        if "SequentialSampler" in names:
            return False
    said = attribute(sampler, "shuffle")
    return _flag(said if said is not None else attribute(loader, "shuffle"))


def _shuffle_buffer(loader: Any) -> int | None:
    """The buffer of a pipeline of stages, as webdataset's; the largest where there are several."""
    found: list[int] = []
    pending, seen = [loader, attribute(unwrapped(loader), "dataset")], 0
    while pending and seen < 100:
        value = pending.pop()
        seen += 1
        if value is None:
            continue
        for name in ("bufsize", "buffer_size"):
            size = _whole(attribute(value, name))
            if size is not None:
                found.append(size)
        stages = attribute(value, "pipeline")
        if isinstance(stages, list):
            pending += stages
        function = attribute(value, "f")
        if getattr(function, "__name__", "") in ("_shuffle", "shuffle"):
            arguments = attribute(value, "args")
            size = _whole(arguments[0]) if isinstance(arguments, tuple) and arguments else None
            if size is not None:
                found.append(size)
        for name in ("_ex_iterable", "ex_iterable"):
            pending.append(attribute(value, name))
    return max(found, default=None)


def _first(*owners: Any, name: str, other: str | None = None) -> Any:
    for owner in owners:
        for key in (name, other):
            if key is not None and (found := attribute(owner, key)) is not None:
                return found
    return None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def _flag(value: Any) -> bool | None:
    return bool(value) if isinstance(value, bool | np.bool_) else None


def _given(loader: Any, name: str) -> bool | None:
    return attribute(loader, name) is not None if hasattr(loader, name) else None
