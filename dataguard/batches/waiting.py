"""Batches that the guard holds on to: until the training loop is done with them, or until a block of them is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(slots=True, eq=False)
class Lent:
    """A batch that the training loop has now, and that is looked at when it asks for the next one."""

    x: Any
    x_version: int
    """torch counts changes in place."""
    y: Any
    y_version: int
    kept: Any
    seconds: float
    drawn: Any
    noted: bool
    """Whether it has been looked at already."""


class Waiting(NamedTuple):
    """A batch like the first one, of which all but the labels has been seen, or passed over."""

    y: Any
    y_version: int
    kept: Any
    """The labels as they came: ``y`` itself, or a copy where they may change."""
    seconds: float
    drawn: Any
    passed_over: bool


def own_memory(waiting: list[Waiting]) -> bool:
    """Whether labels that are all held at once lie at places of their own; True where that is not torch's to say."""
    places = [batch.y.data_ptr() for batch in waiting if hasattr(batch.y, "data_ptr")]
    return len(set(places)) == len(places)


def stayed(batch: Waiting) -> bool:
    """Whether labels of which a copy was taken when they came are still the same."""
    copied = batch.kept is not batch.y and hasattr(batch.y, "data_ptr")
    return copied and bool(batch.y._version == batch.y_version) and bool(batch.y.equal(batch.kept))
