"""What was gathered of splits, as bytes: from a process that ran a loader, or for later."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.splits.normalization.accumulate import SplitState
from dataguard.splits.normalization.sums import RowFacts, UnitSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUMS = ("units", "whole", "distinct")
_FIELDS = tuple(field.name for field in dataclasses.fields(UnitSums))
_NUMBERS = ("n", "not_a_number", "infinite", "precision")


def pack(states: Mapping[str, SplitState]) -> bytes:
    """The states as an ``.npz`` archive without Python objects; the order of splits is kept."""
    arrays: dict[str, NDArray[Any]] = {}
    heads = []
    for number, (name, state) in enumerate(states.items()):
        head: dict[str, Any] = {"name": name, "layout": state.layout}
        head |= {field: getattr(state, field) for field in _NUMBERS}
        head["row_samples"] = state.rows.n
        for kind in _SUMS:
            sums = getattr(state, kind)
            if sums is not None:
                arrays |= {f"{number} {kind} {field}": getattr(sums, field) for field in _FIELDS}
        arrays[f"{number} rows"] = state.rows.ranges
        for key, array in state.arrays().items():
            if array is not None:
                arrays[f"{number} {key}"] = array
        heads.append(head)
    buffer = io.BytesIO()
    np.savez(buffer, head=np.frombuffer(json.dumps(heads).encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, SplitState]:
    """The states that `pack` made bytes of."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    found = {}
    for number, head in enumerate(json.loads(arrays["head"].tobytes())):
        state = SplitState(head["layout"])
        for field in _NUMBERS:
            setattr(state, field, head[field])
        for kind in _SUMS:
            if f"{number} {kind} n" in arrays:
                setattr(state, kind, UnitSums(**{field: arrays[f"{number} {kind} {field}"] for field in _FIELDS}))
        state.rows = RowFacts(n=head["row_samples"], ranges=arrays[f"{number} rows"])
        state.restore({key: arrays.get(f"{number} {key}") for key in state.arrays()})
        found[head["name"]] = state
    return found
