"""What one script sets in the modules that it imports is gone when the next one begins, as each is run by itself.

What a module sets in another while it is imported stays, as neither is followed once more. What a script sets that is
followed as a module, for what no script leads to, is there for what it defines itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from dataguard.preprocessing.static.tree import Module
from dataguard.preprocessing.static.values import Cls, ExtObj, Map, Obj, Seq, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

DEEPEST = 3
"""Objects within one another."""
MOST = 256
"""Objects within one that are looked at."""
Change: TypeAlias = tuple[Any, Any, Value, Value]
"""A dictionary or list, a key, and the value before and after."""


@contextmanager
def as_before(machine: Machine) -> Iterator[None]:
    """Take back afterwards what a script changed in modules that are not its own."""
    machine.changes = []
    try:
        yield
    finally:
        _taken_back(machine)


def _taken_back(machine: Machine) -> list[Change]:
    made, machine.changes = machine.changes, []
    return list(machine.take_back([one for one in made if id(one[0]) in machine.of_modules]).values())


def settings_of(machine: Machine, module: Module) -> list[Change]:
    """Follow a script as a module; what it sets in others, which is taken back."""
    machine.changes, module.apart = [], True
    try:
        machine.run_module(module)
    finally:
        module.apart = False
        changes = _taken_back(machine)
        keep(module, machine.of_modules)
    return changes


@contextmanager
def given(machine: Machine, changes: Sequence[Change]) -> Iterator[None]:
    """Let what a script sets be there, for what it defines."""
    try:
        for container, key, _, new in changes:
            machine.put(container, key, new)
        yield
    finally:
        for container, key, old, _ in changes:
            machine.put(container, key, old)


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
