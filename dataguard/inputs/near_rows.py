"""Rows and texts of a table that are nearly the same in two splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Skipped
from dataguard.dataset.near_rows import NearRows, find_near_rows
from dataguard.dataset.near_texts import NearTexts, find_near_texts
from dataguard.dataset.sources.table import TableSource
from dataguard.inputs.rows import Rows

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs

_NO_ROWS = Skipped(reason="the samples are no rows of a table")
_NO_TEXT = Skipped(reason="there is no column of texts", hint="name it with dataset.text")
_ONE_SPLIT = Skipped(
    reason="there is only one split", hint="name the splits, as a split column or files train.csv and test.csv"
)


def _near_rows(inputs: Inputs) -> NearRows | Skipped:
    source = inputs.source
    if not isinstance(source, TableSource) or source.image is not None:
        return _NO_ROWS
    rows = Rows.of(inputs.table(), inputs.order)
    if len(set(rows.splits)) < 2:
        return _ONE_SPLIT
    return find_near_rows(
        source.columns(source.feature_names),
        rows.splits,
        sample_ids=rows.sample_ids,
        contents=rows.contents,
        labels=rows.labels.tolist(),
        seed=inputs.config.seed,
        progress=inputs.progress,
    )


def _near_texts(inputs: Inputs) -> NearTexts | Skipped:
    source = inputs.source
    if not isinstance(source, TableSource) or source.image is not None:
        return _NO_ROWS
    column = source.text or source.prose
    if column is None:
        return _NO_TEXT
    rows = Rows.of(inputs.table(), inputs.order)
    if len(set(rows.splits)) < 2:
        return _ONE_SPLIT
    return find_near_texts(
        [text if isinstance(text, str) else None for text in source.columns([column])[column]],
        rows.splits,
        column=column,
        sample_ids=rows.sample_ids,
        contents=rows.contents,
        labels=rows.labels.tolist(),
        progress=inputs.progress,
    )


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {NearRows: _near_rows, NearTexts: _near_texts}
