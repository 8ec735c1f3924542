"""Decorators of the repository that give what they decorate more than it is called with: layers of a chain."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.values import Func, Obj, Seq, Value, is_picture

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine


def wrapper(machine: Machine, func: Func, receiver: Value) -> Func | None:
    """What stands for a decorated method; None where its decorators hand on what they are given.

    Only while the object has a list with a picture in it: layers after the first get what others made of it. What
    decorates the wrapper itself is left out, as functools.wraps is: it could be what made it, without end.
    """
    for one in func.decorators:
        if isinstance(one, Func) and _waits(receiver) and _adds(one.node):
            made = machine.call(one, [replace(func, decorators=())], {}, None)
            return replace(made, decorators=()) if isinstance(made, Func) and made.node is not func.node else None
    return None


def _waits(receiver: Value) -> bool:
    lists = [one for one in receiver.attrs.values() if isinstance(one, Seq)] if isinstance(receiver, Obj) else []
    return any(is_picture(item) for one in lists if one.kind == "list" for item in one.items[:4])


def _adds(decorator: ast.AST) -> bool:
    """Whether a decorator calls what it decorates with more arguments than it gets: 'op(self, self.inputs, *args)'."""
    if not isinstance(decorator, ast.FunctionDef) or len(decorator.args.args) != 1:
        return False
    name = decorator.args.args[0].arg
    for inner in decorator.body:
        if isinstance(inner, ast.FunctionDef) and inner.args.vararg is not None:
            own = len(inner.args.args)
            for one in nodes(inner):
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == name:
                    return sum(not isinstance(given, ast.Starred) for given in one.args) > own
    return False
