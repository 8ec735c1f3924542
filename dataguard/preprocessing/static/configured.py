"""Functions that Detectron2's ``configurable`` decorates: given a configuration, they get what another makes of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.values import Bound, ExtObj, Func, Map, Obj, Value, last

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

NAME = "configurable"


def arguments(
    machine: Machine, func: Func, receiver: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None
) -> dict[str, Value] | None:
    """The arguments of such a function that is called with a configuration; None for another, or called without."""
    first = kwargs.get("cfg", args[0] if args else None)
    if not isinstance(first, Obj) or (first.cls is not None and not first.cls.holds_items):
        return None
    made = _from_config(func, receiver)
    found = machine.call(made, list(args), dict(kwargs), node) if made is not None else None
    return {key: one for key, one in found.items.items() if isinstance(key, str)} if isinstance(found, Map) else None


def _from_config(func: Func, receiver: Value) -> Value:
    for one in func.decorators:
        if isinstance(one, ExtObj) and last(one) == NAME:
            return one.kwargs.get("from_config")
        if isinstance(one, Func) and one.scope is not None and getattr(one.scope.func, "name", "") == NAME:
            # What the repository's own of that name returned, which holds what it was given.
            return one.scope.names.get("from_config")
        if (one.name if isinstance(one, Func) else last(one)) == NAME and isinstance(receiver, Obj):
            found = receiver.cls.find("from_config") if receiver.cls is not None else None
            return Bound(found[0], receiver.cls) if found is not None and isinstance(found[0], Func) else None
    return None
