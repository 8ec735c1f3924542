"""What one script sets in the modules that it imports is gone when the next one begins, as each is run by itself.

What a module sets in another while it is imported stays, as neither is followed once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from dataguard.preprocessing.static.tree import Module
from dataguard.preprocessing.static.values import Cls, ExtObj, Map, Obj, Seq, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

DEEPEST = 3
"""Objects within one another."""
MOST = 256
"""Objects within one that are looked at."""


@contextmanager
def as_before(machine: Machine) -> Iterator[None]:
    """Take back afterwards what a script changed in modules that are not its own."""
    machine.changes = []
    try:
        yield
    finally:
        machine.take_back([one for one in machine.changes if id(one[0]) in machine.of_modules])
        machine.changes = []


def keep(module: Module, held: dict[int, Any]) -> None:
    """Remember by their ids what a module that was followed holds things in: its names, its lists, its objects."""
    held[id(module.names)] = module.names
    queue: list[tuple[Value, int]] = [(one, 0) for one in module.names.values() if type(one) in _HOLDING]
    while queue:
        value, depth = queue.pop()
        inner: Any = value.items if isinstance(value, (Seq, Map)) else value.attrs
        if id(inner) in held or (isinstance(value, Cls) and value.module is not module):
            continue
        held[id(inner)] = inner
        if depth < DEEPEST:
            within = [*islice(inner if isinstance(inner, list) else inner.values(), MOST)]
            if isinstance(value, ExtObj):
                within += [*value.args, *value.kwargs.values()]
            queue += [(one, depth + 1) for one in within if type(one) in _HOLDING]


_HOLDING = frozenset({Cls, ExtObj, Map, Obj, Seq})
