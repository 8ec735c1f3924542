"""Functions that change an array which they are given: 'normalize_(image, mean, std)' with 'image -= mean' in it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.feeding import by_place
from dataguard.preprocessing.static.values import Func, Picture, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling

_OF_ARRAYS = ("array", "tensor")
"""Whose pictures change in place; TensorFlow's are bound anew."""


def carried(
    machine: Calling, func: Func, node: ast.AST | None, names: dict[str, Value], count: int, *, method: bool
) -> None:
    """Let the caller's names be what a function made of the pictures that they stand for."""
    if not isinstance(node, ast.Call) or isinstance(func.node, ast.Lambda):
        return
    if Picture not in map(type, names.values()):
        return
    changed = machine.changed_in_place.get(func.node)
    if changed is None:
        changed = machine.changed_in_place[func.node] = _changed(func.node)
    if not changed:
        return
    spec = func.node.args
    parameters = [one.arg for one in (*spec.posonlyargs, *spec.args)][1 if method else 0 :]
    placed = by_place(node, count)
    given = [
        *((parameters[at], one) for at, one in placed.items() if at < len(parameters)),
        *((one.arg, one.value) for one in node.keywords),
    ]
    for name, value in given:
        made = names.get(name or "")
        if name in changed and isinstance(value, ast.Name) and isinstance(made, Picture):
            held = machine.frame.names.get(value.id)
            if isinstance(held, Picture) and held.state.layout == made.state.layout and made.state.kind in _OF_ARRAYS:
                machine.assign(value, made)


def _changed(node: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    inner = nodes(node)
    targets = {one.target for one in inner if type(one) is ast.AugAssign}
    changed = {name for one in inner if (name := _base(one))}
    if not changed:
        return frozenset()
    stored = [one for one in inner if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
    anew = {one.id for one in stored if one not in targets}
    spec = node.args
    return frozenset(changed & {one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)} - anew)


def _base(node: ast.AST) -> str:
    """The name of the array that something changes: 'x -= mean', 'x[..., 0] = 0', 'x.sub_(mean).div_(std)'."""
    changed: ast.expr | None = None
    if isinstance(node, ast.AugAssign):
        changed = node.target
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        changed = node.targets[0]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        changed = node.value
        while isinstance(changed, ast.Call) and isinstance(changed.func, ast.Attribute):
            if not changed.func.attr.endswith("_") or changed.func.attr.endswith("__"):
                return ""
            changed = changed.func.value
    while isinstance(changed, ast.Subscript):
        changed = changed.value
    return changed.id if isinstance(changed, ast.Name) else ""
