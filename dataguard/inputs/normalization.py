"""How splits were normalized: from a table, arrays, loaders, or pictures with declared statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Skipped
from dataguard.dataset.sources.table import TableSource
from dataguard.splits.normalization.accumulate import Layout, SplitState
from dataguard.splits.normalization.assess import judge
from dataguard.splits.normalization.declared import Declared
from dataguard.splits.normalization.evidence import NormalizationEvidence
from dataguard.splits.normalization.gathered import evidence_of
from dataguard.splits.normalization.read import explained_by, gather, second_look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.inputs.made import Inputs, Unavailable

_LARGEST = 255.0
_CHANNELS = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}
"""Colour channels of pictures of 8 bits; alpha is none."""
_COLOURS = ("red", "green", "blue")
_PICTURES_AT_A_TIME = 50_000


def _evidence(inputs: Inputs) -> NormalizationEvidence | Unavailable:
    settings = inputs.config.normalization
    if settings.splits is not None:
        return _of_arrays(inputs, settings.splits)
    if settings.loaders is not None:
        from dataguard.inputs.normalization_child import gather_in_subprocess

        base = inputs.config.base.absolute()
        raw = settings.mean is not None
        states, again = gather_in_subprocess(
            settings.loaders, base=base, layout=settings.layout, timeout=settings.timeout, again=not raw
        )
        if again is not None:
            return evidence_of(
                states, source="loaders", method=settings.method, verdict=explained_by(judge(states), again)
            )
        return _made(inputs, states, "loaders")
    if inputs.source is None:
        return Skipped(
            reason="no splits are named", hint="set normalization.splits, normalization.loaders or a dataset"
        )
    if isinstance(inputs.source, TableSource) and inputs.source.image is None:
        return _of_table(inputs, inputs.source)
    return _of_pictures(inputs)


def _of_arrays(inputs: Inputs, named: Mapping[str, str]) -> NormalizationEvidence | Unavailable:
    settings = inputs.config.normalization
    paths = {name: inputs.config.base.absolute() / file for name, file in named.items()}
    try:
        states, columns, notes = gather(paths, layout=cast("Layout | None", settings.layout))
    except ValueError as error:
        raise ConfigurationError(str(error), where=inputs.config.origin or "normalization.splits") from error
    if settings.mean is None and all(state.n for state in states.values()):
        _check_widths(inputs, states)
        verdict = second_look(judge(states, columns=columns, notes=notes), paths, states)
        return evidence_of(states, source="arrays", method=settings.method, verdict=verdict)
    return _made(inputs, states, "arrays", notes=notes)


def _of_table(inputs: Inputs, source: TableSource) -> NormalizationEvidence | Unavailable:
    names = source.number_names
    if source.split_column is None:
        return Skipped(reason="the table has no split", hint="name the column with dataset.split")
    if not names:
        return Skipped(reason="the table has no column of numbers")
    states: dict[str, SplitState] = {}
    for split, values in source.numbers(names):
        states.setdefault(split, SplitState(seed=inputs.config.seed)).add(values)
    return _made(inputs, states, "table", columns=names)


def _of_pictures(inputs: Inputs) -> NormalizationEvidence | Unavailable:
    settings = inputs.config.normalization
    if settings.mean is None:
        return Skipped(
            reason="pictures in files are not normalized yet",
            hint="declare normalization.mean and std, or name what feeds the model with normalization.loaders",
        )
    width = 1 if len(settings.mean) == 1 and len(settings.std or ()) == 1 else max(len(settings.mean), 3)
    collected: dict[str, list[tuple[NDArray[np.float64], ...]]] = {}
    left_out = 0
    for rows in _sums(inputs):
        for split, mode, pixels, sums, squares in rows:
            if mode not in _CHANNELS or not pixels:
                left_out += 1
                continue
            channels = _CHANNELS[mode]
            means = np.array([float(value) for value in sums[:channels]]) / pixels
            of_squares = np.array([float(value) for value in squares[:channels]]) / pixels
            if channels != width:
                # Gray pictures are repeated; of colours, one channel is the mean of three, whatever the weights.
                if channels == 3:
                    left_out += 1
                    continue
                means, of_squares = np.repeat(means, width), np.repeat(of_squares, width)
            collected.setdefault(split or "", []).append((np.array([float(pixels)]), means, of_squares))
    if not collected:
        return Skipped(reason="no picture of 8 bits has as many channels as means are declared")
    states = {}
    for split, items in collected.items():
        pixels_of, means_of, squares_of = (np.stack(arrays) for arrays in zip(*items, strict=True))
        states[split] = SplitState.of_pictures(pixels_of[:, 0], means_of, squares_of, _LARGEST)
    notes = [f"{left_out:,} pictures have other channels and are left out"] if left_out else []
    names = _COLOURS if width == len(_COLOURS) else None
    return _made(inputs, states, "pictures", columns=names, scale=_LARGEST, notes=notes)


def _sums(inputs: Inputs) -> Iterator[list[tuple[Any, ...]]]:
    table = inputs.table()
    cursor = table.connection.cursor().execute(
        "SELECT split, mode, CAST(width AS BIGINT) * height, channel_sums, channel_square_sums "
        f"FROM {table.query} WHERE channel_sums IS NOT NULL ORDER BY sample_id"
    )
    while rows := cursor.fetchmany(_PICTURES_AT_A_TIME):
        yield rows


def _made(
    inputs: Inputs,
    states: Mapping[str, SplitState],
    source: str,
    *,
    columns: tuple[str, ...] | None = None,
    scale: float = 1.0,
    notes: list[str] | None = None,
) -> NormalizationEvidence | Unavailable:
    settings = inputs.config.normalization
    known = {name: state for name, state in states.items() if state.n}
    if not known:
        return Skipped(reason="no split has a sample")
    _check_widths(inputs, known)
    declared = None
    if settings.mean is not None and settings.std is not None:
        width = next(iter(known.values())).width
        try:
            declared = Declared.of(settings.mean, settings.std, width, scale=settings.scale or scale)
        except ValueError as error:
            raise ConfigurationError(str(error), where=inputs.config.origin or "normalization") from error
    return evidence_of(
        known, source=source, columns=columns, declared=declared, method=settings.method, notes=notes or ()
    )


def _check_widths(inputs: Inputs, states: Mapping[str, SplitState]) -> None:
    widths = {name: state.width for name, state in states.items()}
    if len(set(widths.values())) > 1:
        said = ", ".join(f"{name!r} {width}" for name, width in widths.items())
        raise ConfigurationError(
            f"the splits have different numbers of columns: {said}",
            where=inputs.config.origin or "normalization",
            hint="columns that only some splits have, as of a one-hot encoding fitted anew, are no features",
        )


NORMALIZATION_INPUTS: tuple[type, ...] = (NormalizationEvidence,)
"""Inputs that the configuration's ``[normalization]`` gives by itself."""

MAKERS: Mapping[type, Callable[[Inputs], Any]] = {NormalizationEvidence: _evidence}
