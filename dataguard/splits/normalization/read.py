"""Splits from wherever they are: arrays, memory maps, files, data frames and iterables of batches."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import SourceError
from dataguard.splits.normalization.accumulate import Layout, SplitState
from dataguard.splits.normalization.assess import judge
from dataguard.splits.normalization.before import before_of_raw
from dataguard.splits.normalization.replay import Replayed, replay
from dataguard.splits.normalization.verdict import NormalizationVerdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES_AT_A_TIME = 1 << 21
"""Values of a batch that is read from a file or an array: 16 MB as float64."""
_CHANNELS = (1, 2, 3, 4)


def assess(
    splits: Mapping[str, Any],
    *,
    layout: Layout | None = None,
    columns: Sequence[str] | None = None,
    training: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float = 1.0,
    raw: Mapping[str, Any] | None = None,
) -> NormalizationVerdict:
    """Which data the statistics that normalized these splits were fitted on, from the numbers alone.

    Every split is gone through once, in the order given, and may be larger than memory.

    Args:
        splits: Of each split by its name: an array, a memory map, a path of a ``.npy`` or one-array ``.npz`` file, a
            data frame, a torch tensor, or an iterable of batches (an array, or a tuple or list whose first item is
            one, or a mapping whose first value is one). Arrays are (samples, features) or pictures.
        layout: 'features', 'NCHW' or 'NHWC'; by default told from the shape.
        columns: Names of features or channels.
        training: Names of the splits that are trained on; by default those called so, or else the first.
        mean: Declared statistics that are yet to be applied, one a column or a single one; the splits are raw then,
            and it is judged what (x / scale − mean) / std would be.
        std: Likewise.
        scale: What raw values are divided by first.
        raw: The same samples before normalization, of one split or of several, in the same order: they tell whether a
            logarithm was taken first where the normalized numbers alone do not.

    Returns:
        The verdict.

    Raises:
        ValueError: there are no samples or no numbers, or the splits differ in shape.
        SourceError: a file cannot be read.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> train, test = rng.normal(5, 2, (80, 3)), rng.normal(5, 2, (20, 3))
        >>> both = np.concatenate([train, test])
        >>> z = (both - both.mean(axis=0)) / both.std(axis=0)
        >>> verdict = assess({"train": z[:80], "test": z[80:]})
        >>> verdict.sentence
        'Fitted on train + test (mean 0 and standard deviation 1, ddof 0 in each column).'
        >>> verdict.leaks
        ('test',)
    """
    states, names, notes = gather(splits, layout=layout, columns=columns)
    if mean is not None or std is not None or scale != 1.0:
        for state in states.values():
            apply_declared(state, mean, std, scale)
        return judge(states, columns=names, training=training, notes=notes)
    verdict = judge(states, columns=names, training=training, notes=notes)
    if raw is not None:
        return _beside_raw(verdict, raw, states, columns)
    return second_look(verdict, splits, states)


def _beside_raw(
    verdict: NormalizationVerdict,
    raw: Mapping[str, Any],
    states: Mapping[str, SplitState],
    columns: Sequence[str] | None,
) -> NormalizationVerdict:
    layout = next(iter(states.values())).layout
    found = verdict
    for number, name in enumerate(states):
        if name not in raw:
            continue
        # The rows that are kept of as many rows are the same ones.
        gathered, _, _ = gather({name: raw[name]}, layout=layout, columns=columns, first=number)
        one, state = gathered[name], states[name]
        if (one.n, one.width) != (state.n, state.width):
            said = f"{one.n:,} rows of {one.width} columns; the normalized one has {state.n:,} of {state.width}"
            raise ValueError(f"raw split {name!r} has {said}")
        if found is verdict and verdict.before_sentence and layout == "features":
            found = replace(verdict, before=before_of_raw(one.sample(), state.sample(), verdict.scaled))
    return found


def second_look(
    verdict: NormalizationVerdict, splits: Mapping[str, Any], states: Mapping[str, SplitState]
) -> NormalizationVerdict:
    """The verdict; for pictures that no exact statistics explain, after the sums were repeated in float32."""
    found = repeated(verdict, splits, states)
    return verdict if found is None else explained_by(verdict, found)


def repeated(
    verdict: NormalizationVerdict, splits: Mapping[str, Any], states: Mapping[str, SplitState]
) -> Replayed | None:
    """What sums in float32 say of pictures that no exact statistics explain; None for nothing, or no need to look."""
    known = {name: state for name, state in states.items() if state.n}
    explained = verdict.origin != "outside" or any(state.layout == "features" for state in known.values())
    if explained or any(isinstance(splits[name], Iterator) for name in known):
        return None
    return replay({name: batches_of(splits[name]) for name in known}, known, verdict.training)


def explained_by(verdict: NormalizationVerdict, found: Replayed) -> NormalizationVerdict:
    """The verdict after the sums were repeated in float32."""
    scaled = np.ones(len(verdict.columns), dtype=bool)
    scaled.setflags(write=False)
    note = "the mean was summed in float32, one value after another"
    if abs(found.inexact_std) > 1e-3:
        note += f", and so was the standard deviation: the pictures' own is {1 / (1 + found.inexact_std):.4f}, not 1"
    return replace(
        verdict,
        status="identified",
        origin="itself" if found.itself else "splits",
        fitted_on=found.fitting,
        method="standard",
        scope="channel",
        scaled=scaled,
        reason="",
        notes=(*verdict.notes, note),
    )


def gather(
    splits: Mapping[str, Any], *, layout: Layout | None = None, columns: Sequence[str] | None = None, first: int = 0
) -> tuple[dict[str, SplitState], tuple[str, ...] | None, list[str]]:
    """The state of each split, the names of the columns if known, and what was left out.

    Args:
        splits: As of `assess`.
        layout: Likewise.
        columns: Likewise.
        first: Seed of the first split's sample of rows; that of the next is one more.

    Raises:
        ValueError: as `assess`.
        SourceError: a file cannot be read.
    """
    notes: list[str] = []
    frames = {name: item for name, item in splits.items() if hasattr(item, "iloc") and hasattr(item, "columns")}
    names = tuple(columns) if columns is not None else None
    if frames and len(frames) == len(splits):
        names, notes = common_columns(frames)
        splits = {name: frame[list(names)].to_numpy(dtype=np.float64) for name, frame in frames.items()}
        if not names:
            raise ValueError("no column of numbers is in every split")
    states: dict[str, SplitState] = {}
    for number, (name, item) in enumerate(splits.items(), start=first):
        state: SplitState | None = None
        for batch in batches_of(item):
            if state is None:
                layout = layout or told_layout(batch.shape)
                state = SplitState(layout, seed=number)
            try:
                state.add(batch)
            except ValueError as error:
                raise ValueError(f"split {name!r}: {error}") from error
        states[name] = state or SplitState(layout or "features")
    return states, names, notes


def common_columns(frames: Mapping[str, Any]) -> tuple[tuple[str, ...], list[str]]:
    """Columns of numbers that every data frame has, in the order of the first; and what was left out.

    Truth values are left out: they are not measured on a scale.
    """
    notes: list[str] = []
    first = next(iter(frames.values()))
    everywhere = [name for name in first.columns if all(name in frame.columns for frame in frames.values())]
    lacking = sorted({str(name) for frame in frames.values() for name in frame.columns} - {str(n) for n in everywhere})
    if lacking:
        notes.append(f"not in every split and left out: {', '.join(lacking[:5])}")
    numbers = [name for name in everywhere if all(frame[name].dtype.kind in "fiu" for frame in frames.values())]
    others = [str(name) for name in everywhere if name not in numbers]
    if others:
        notes.append(f"not numbers in every split and left out: {', '.join(others[:5])}")
    orders = {tuple(name for name in frame.columns if name in everywhere) for frame in frames.values()}
    if len(orders) > 1:
        notes.append("the columns are not in the same order in every split; they were matched by name")
    return tuple(numbers), notes


def batches_of(item: Any) -> Iterator[NDArray[np.generic]]:
    """The batches of one split, as arrays."""
    if isinstance(item, str | Path):
        yield from _slices(open_array(Path(item)))
    elif isinstance(item, np.ndarray):
        yield from _slices(item)
    elif hasattr(item, "iloc") and hasattr(item, "to_numpy"):
        yield from _slices(item.to_numpy(dtype=np.float64))
    elif hasattr(item, "__array__") and hasattr(item, "shape"):
        yield from _slices(_array(item))
    else:
        if callable(item) and not hasattr(item, "__iter__"):
            item = item()
        for batch in item:
            inputs = batch
            while isinstance(inputs, tuple | list | Mapping) and not _is_numbers(inputs):
                inputs = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs[0]
            yield _array(inputs)


def _is_numbers(batch: Any) -> bool:
    return isinstance(batch, list) and bool(batch) and isinstance(batch[0], int | float)


def _array(item: Any) -> NDArray[np.generic]:
    if hasattr(item, "detach"):
        item = item.detach().cpu()
        if str(item.dtype) == "torch.bfloat16":
            item = item.float()
        return np.asarray(item.numpy())
    return np.asarray(item)


def _slices(array: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    if array.ndim == 0:
        raise ValueError("expected an array of samples, got a single number")
    per_sample = max(1, int(np.prod(array.shape[1:])))
    rows = max(1, VALUES_AT_A_TIME // per_sample)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def open_array(path: Path) -> NDArray[np.generic]:
    """The array of a ``.npy`` file as a memory map, or of an ``.npz`` file that holds one.

    Raises:
        SourceError: there is no such file, it is no such archive, or it holds several arrays or Python objects.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                if len(stored.files) != 1:
                    raise SourceError(
                        f"holds {len(stored.files)} arrays ({', '.join(stored.files[:5])})",
                        where=path,
                        hint="save the one that is meant as .npy",
                    )
                return np.asarray(stored[stored.files[0]])
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError as error:
        raise SourceError("no such file", where=path) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(f"cannot be read as an array: {error}", where=path) from error


def told_layout(shape: tuple[int, ...]) -> Layout:
    """The layout that a batch's shape says.

    >>> told_layout((32, 3, 64, 64)), told_layout((32, 64, 64, 3)), told_layout((32, 30))
    ('NCHW', 'NHWC', 'features')
    """
    if len(shape) == 4:
        return "NHWC" if shape[3] in _CHANNELS and (shape[1] not in _CHANNELS or shape[2] in _CHANNELS) else "NCHW"
    if len(shape) == 3:
        return "NCHW"
    return "features"


def apply_declared(
    state: SplitState, mean: Sequence[float] | None, std: Sequence[float] | None, scale: float = 1.0
) -> None:
    """Make the state of raw numbers that of (x / scale − mean) / std.

    Raises:
        ValueError: their number is neither one nor that of the columns, or a standard deviation is not above 0.
    """
    if state.units is None:
        return
    width = state.width
    centre = _one_each(mean, 0.0, width, "mean") * scale
    divisor = _one_each(std, 1.0, width, "std") * scale
    if not (divisor > 0).all() or not np.isfinite(divisor).all() or not np.isfinite(centre).all():
        raise ValueError("expected finite means, and standard deviations and a scale above 0")
    state.rescale(centre, divisor)


def _one_each(values: Sequence[float] | None, default: float, width: int, name: str) -> NDArray[np.float64]:
    found = np.atleast_1d(np.asarray(default if values is None else values, dtype=np.float64))
    if len(found) not in (1, width):
        raise ValueError(f"{name} has {len(found)} numbers, and there are {width} columns")
    return np.broadcast_to(found, (width,)).copy()
