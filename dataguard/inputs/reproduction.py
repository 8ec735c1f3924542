"""A lock, and a locked result that was run again; both are made by their own commands and given to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Skipped
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.reproducing import Reproduction

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs, Unavailable


def _lock(inputs: Inputs) -> Lock | Unavailable:
    again = inputs.made(Reproduction)
    if again is not None:
        return again.lock
    return Skipped(reason="no result is locked", hint="`dataguard lock` locks one")


def _reproduction(inputs: Inputs) -> Reproduction | Unavailable:  # noqa: ARG001 - every maker is given the inputs
    return Skipped(reason="no locked result was run again", hint="`dataguard reproduce` runs one")


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {Lock: _lock, Reproduction: _reproduction}
