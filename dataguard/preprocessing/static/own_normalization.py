"""Modules by which networks normalize what they are given, before any layer: 'x = self.subtract_mean(x)'."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.feeding import is_model
from dataguard.preprocessing.static.values import Bound, Cls, Func, Obj

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

_OF_NUMBERS = frozenset({"Parameter", "Tensor", "FloatTensor", "Variable"})
"""Classes of what is no layer."""
_NO_CONSTANTS = frozenset({"conv2d", "conv_transpose2d", "linear", "relu", "batch_norm", "matmul", "mm", "bmm",
                           "einsum", "sigmoid", "softmax", "norm", "mean", "std", "var", "exp", "sqrt",
                           "pow"})  # fmt: skip
"""Functions of layers, and those that make of a picture what no constant does."""


def first(machine: Machine, model: Obj) -> Bound | None:
    """What a model's ``forward`` gives its input to before all else, where that does arithmetic with constants alone.

    Whether it does is told by the syntax of the two classes, so that no other network is followed for it.
    """
    found = model.cls.find("forward") if model.cls is not None else None
    name = _asked_first(found[0]) if found is not None and isinstance(found[0], Func) else ""
    if model.cls is None or not name or not _is_kept(model.cls, name):
        return None
    inner = machine.attribute(model, name, None)
    method = inner.cls.find("forward") if isinstance(inner, Obj) and inner.cls is not None else None
    return Bound(method[0], inner) if method is not None and isinstance(method[0], Func) else None


def _asked_first(forward: Func) -> str:
    """The attribute that a method binds its input anew by, in its first statement: 'x = self.name(x)'; '' for none."""
    params = forward.node.args.args
    if isinstance(forward.node, ast.Lambda) or len(params) < 2:
        return ""
    texts = (ast.Expr, ast.Assert)
    begun = next((one for one in forward.node.body if not isinstance(one, texts)), None)
    call = begun.value if isinstance(begun, ast.Assign) and len(begun.targets) == 1 else None
    if not isinstance(begun, ast.Assign) or not isinstance(call, ast.Call) or call.keywords or len(call.args) != 1:
        return ""
    names = [one.id for one in (call.args[0], begun.targets[0]) if isinstance(one, ast.Name)]
    func, own = call.func, params[0].arg
    asked = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == own
    return func.attr if asked and names == [params[1].arg] * 2 else ""  # type: ignore[attr-defined]


def _is_kept(cls: Cls, name: str) -> bool:
    """Whether a constructor keeps by a name an object of a class that does arithmetic with constants alone."""
    for one in cls.lineage():
        made = one.attrs.get("__init__")
        for node in nodes(made.node) if isinstance(made, Func) else ():
            target = node.targets[0] if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) else None
            if isinstance(target, ast.Attribute) and target.attr == name:
                held = one.module.names.get(getattr(node.value.func, "id", ""))  # type: ignore[attr-defined]
                return isinstance(held, Cls) and _normalizes(held)
    return False


def _normalizes(cls: Cls) -> bool:
    """Whether a module of the repository has no layers, and its ``forward`` subtracts or divides."""
    forward = cls.attrs.get("forward")
    if cls.node is None or not isinstance(forward, Func) or not is_model(cls):
        return False
    called = [one.func for one in nodes(cls.node) if isinstance(one, ast.Call)]
    names = {getattr(one, "attr", getattr(one, "id", "")) for one in called}
    if not _NO_CONSTANTS.isdisjoint(names) or any(one[:1].isupper() and one not in _OF_NUMBERS for one in names):
        return False
    changes = [one for one in nodes(forward.node) if isinstance(one, ast.BinOp | ast.AugAssign)]
    return any(isinstance(one.op, ast.Sub | ast.Div) for one in changes)
