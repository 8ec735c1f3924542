"""What a branch returns: objects and lists that were made in it stay as it left them, though others are followed after.

A branch that is followed beside another is undone before that; what it returned is one of several values then, and
holds what was put into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dataguard.preprocessing.static.joining import MISSING
from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.values import Bound, Choice, ExtObj, Map, Obj, Seq, Value

Changes = Mapping[tuple[int, Any], tuple[Any, Any, Value, Value]]
DEEPEST = 5
"""How far within one another values are looked for."""
MOST = 400
"""Values that are looked at."""


def keep(machine: Machine, changes: Changes, values: Sequence[Value]) -> None:
    """Put again into what a branch returned what it had put there, where nothing was before.

    Args:
        machine: What follows the code.
        changes: What was undone, as `Machine.take_back` gives it.
        values: What the branch returned.
    """
    held: dict[int, list[tuple[Any, Any, Value]]] = {}
    for (container_id, _), (container, key, old, new) in changes.items():
        if new is not MISSING and (old is MISSING or (isinstance(old, list) and not old)):
            held.setdefault(container_id, []).append((container, key, new))
    waiting = [(one, 0) for one in values] if held else []
    for _ in range(MOST):
        if not waiting:
            return
        value, depth = waiting.pop()
        for container in _containers(value):
            for one, key, new in held.pop(id(container), ()):
                machine.put(one, key, new)
        if depth < DEEPEST:
            waiting += [(one, depth + 1) for one in _within(value)]


def _containers(value: Value) -> list[Any]:
    if isinstance(value, Obj):
        return [value.attrs]
    if isinstance(value, ExtObj):
        return [value.attrs, value.args, value.kwargs]
    return [value.items] if isinstance(value, (Seq, Map)) else []


def _within(value: Value) -> Iterable[Value]:
    if isinstance(value, Obj):
        return list(value.attrs.values())[:32]
    if isinstance(value, ExtObj):
        return [*value.args, *value.kwargs.values()]
    if isinstance(value, Seq):
        return value.items[:16]
    if isinstance(value, Map):
        return list(value.items.values())[:32]
    if isinstance(value, Choice):
        return value.options
    return [value.receiver] if isinstance(value, Bound) else []
