"""The samples with all that leakage between splits is judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.dataset.sources.table import TableSource
from dataguard.inputs.rows import Kind, Rows, embedding, own_features
from dataguard.splits.samples import MOST_SAMPLES, SplitSamples

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from dataguard.inputs.made import Inputs


def _split_samples(inputs: Inputs) -> SplitSamples:
    """The samples; of more than `MOST_SAMPLES` a random part, chosen by the seed."""
    table, source = inputs.table(), inputs.source
    n = table.n_samples
    chosen = np.arange(n)
    where = ""
    if n > MOST_SAMPLES:
        chosen = np.sort(np.random.default_rng(inputs.config.seed).choice(n, MOST_SAMPLES, replace=False))
        inputs.guessed.append(
            f"leakage between splits is judged by {MOST_SAMPLES:,} of {n:,} samples, drawn with seed "
            f"{inputs.config.seed}"
        )
        where = table.condition_on(chosen, order=inputs.order)
    rows = Rows.of(table, inputs.order, where=where)
    fetched = table.fetch(["group_id", "time", "bytes", "width", "height"], order=inputs.order, where=where)
    columns: pd.DataFrame | None = None
    if isinstance(source, TableSource) and source.image is None:
        columns = source.columns(rows=chosen if where else None)
    features, names, kind = _features(inputs, rows, columns)
    labels: NDArray[np.object_] | None = None
    targets: NDArray[np.float64] | None = None
    if inputs.regression:
        from dataguard.labels.target_evidence import numbers

        targets = numbers(rows.labels)
    elif any(label is not None for label in rows.labels):
        labels = rows.labels
    groups = fetched["group_id"]
    times = _moments(fetched["time"])
    facts: dict[str, NDArray[np.float64]] | None = None
    if table.has_thumbnails:
        facts = {name: fetched[name].astype(np.float64) for name in ("bytes", "width", "height")}
    for array in (chosen, features, labels, targets, times, *(facts or {}).values()):
        if array is not None:
            array.setflags(write=False)
    return SplitSamples(
        sample_ids=rows.sample_ids,
        splits=rows.splits,
        positions=chosen,
        n_total=n,
        kind=kind,
        paths=rows.paths,
        contents=rows.contents,
        labels=labels,
        targets=targets,
        groups=tuple(groups.tolist()) if any(group is not None for group in groups) else (),
        times=times,
        features=features,
        feature_names=names,
        columns=columns,
        feature_columns=source.feature_names if isinstance(source, TableSource) and columns is not None else (),
        facts=facts,
    )


def _moments(times: NDArray[Any]) -> NDArray[np.datetime64] | None:
    """Times as datetime64[us]; None where there is none."""
    if times.dtype.kind != "M":
        times = np.array([np.datetime64("NaT") if value is None or value != value else value for value in times])
    moments = times.astype("datetime64[us]")
    return None if np.isnat(moments).all() else moments


def _features(
    inputs: Inputs, rows: Rows, columns: pd.DataFrame | None
) -> tuple[NDArray[np.float32] | None, tuple[str, ...], Any]:
    """What a model-free classifier sees of every sample: zeros where a picture could not be read."""
    from dataguard.labels.features import TableFeatures, table_features
    from dataguard.labels.given import read_features

    dataset, source = inputs.config.dataset, inputs.source
    kind: Kind = "given"
    described: tuple[str, ...] = ()
    if dataset.features is not None:
        every = Rows.of(inputs.table(), inputs.order)
        values, found = read_features(inputs.config.base / dataset.features, sample_ids=every.sample_ids), every
    elif dataset.embedding is not None:
        values, found, _ = embedding(inputs, dataset.embedding, rows)
    elif isinstance(source, TableSource) and source.text is None and columns is not None:
        made = table_features(columns[list(source.feature_names)])
        return made.values, made.names, "table"
    elif isinstance(source, TableSource) and source.text is not None:
        kind = "text"
        text, found = own_features(inputs, kind, Rows.of(inputs.table(), inputs.order))
        values = text if isinstance(text, np.ndarray) else text.values
    elif inputs.table().has_thumbnails:
        kind = "image"
        pictures, found = own_features(inputs, kind, rows)
        values = pictures if isinstance(pictures, np.ndarray) else pictures.values
        described = pictures.names if isinstance(pictures, TableFeatures) else ()
    else:
        return None, (), ""
    if not values.shape[1]:
        return None, (), ""
    if found.sample_ids != rows.sample_ids:
        place = {sample_id: row for row, sample_id in enumerate(found.sample_ids)}
        at = np.array([place.get(sample_id, -1) for sample_id in rows.sample_ids])
        values = np.where((at >= 0)[:, None], values[at], np.float32(0))
    return np.asarray(values, dtype=np.float32), described, kind


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {SplitSamples: _split_samples}
