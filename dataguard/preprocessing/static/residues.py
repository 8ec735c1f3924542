"""Pictures that were made ready and then lost sight of: where a path is taken to end that ends in no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataguard.preprocessing.static.values import Choice, Picture, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine, Sink

_ASIDE = re.compile(
    r"(?i)mask|label|target|(^|_)gts?(_|$)|ground|depth|seg|vis|show|draw|heat|plot|result|out|pred|overlay|canvas|orig|"
    r"mean|std|palette|color|thumb|saved?$|save_|style|background|hr(_|$)"
)
"""Names of what is no network's input, or is what one gave."""


@dataclass(slots=True)
class Residue:
    """A picture, and where it was last seen."""

    value: Value
    name: str
    """What it was bound to."""
    stack: tuple[tuple[str, str, int], ...]
    """Where it was seen, as `stack_of` has it."""
    training: bool | None
    """Whether a model was put into training, or into evaluation, there."""
    places: tuple[str, ...]
    """'file:line' of what was done to it."""

    @property
    def length(self) -> int:
        """How many places it went through."""
        return len(self.places)

    @property
    def place(self) -> str:
        """The last of them."""
        return self.places[-1] if self.places else ""


@dataclass(slots=True)
class Residues:
    """Of each script, what went furthest of the pictures that it opened."""

    held: dict[tuple[str, str], Residue] = field(default_factory=dict)
    """By the script and the place that opened the file."""

    def passed(self, machine: Machine, value: Value, name: str) -> None:
        """A picture is given a name."""
        first = value.options[0] if isinstance(value, Choice) else value
        if not isinstance(first, Picture) or machine.quiet:
            return
        state = first.state
        if not state.loaded or not (state.touched or "N" in state.layout or state.kind == "tensor"):
            return
        key = machine.root, state.loaded
        before = self.held.get(key)
        if (before is None or len(state.places) > before.length) and not _ASIDE.search(name):
            self.held[key] = Residue(value, name, machine.stack(), machine.training, state.places)

    def ends(self, sinks: list[Sink]) -> list[Sink]:
        """What went furthest in each script of which no picture was seen to arrive anywhere, as if it arrived there."""
        from dataguard.preprocessing.static.machine import Sink

        ended = {one.root for one in sinks}
        furthest: dict[str, Residue] = {}
        for (root, _), one in self.held.items():
            if root not in ended and (root not in furthest or one.length > furthest[root].length):
                furthest[root] = one
        return [
            Sink("last", one.value, one.place, one.stack, (one.name,), one.training, one.place, root)
            for root, one in furthest.items()
        ]


def stack_of(frames: Sequence[Any]) -> tuple[tuple[str, str, int], ...]:
    """Every frame as name, file and first line."""
    return tuple(
        (one.name, one.module.path, one.module.line(one.func.node.lineno) if one.func is not None else 0)
        for one in frames
    )
