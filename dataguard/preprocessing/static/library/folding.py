"""``functools.reduce``: a function of what came before and each item in turn, as of a list of transforms."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static import arrays
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import ExtObj, Unknown, Value

MOST = 64
"""Items that are followed."""


@function("functools.reduce", "builtins.reduce", "six.moves.reduce")
def _folded(call: Call) -> Value:
    func, source, begun = call.get(0, "function"), call.get(1, "iterable"), len(call.args) > 2
    items = arrays.iterated(call.machine, source, call.node) if isinstance(call.node, ast.expr) else None
    # Layers of networks that are composed, as of YOLO, say nothing about pictures.
    layers = not begun and items is not None and any(isinstance(one, ExtObj | Unknown) for one in items)
    if items is None or not (items or begun) or layers:
        return arrays.opaque(call.machine, call.args[1:], "what is folded is not known", call.node)
    made = call.args[2] if begun else items.pop(0)
    for one in items[:MOST]:
        made = call.machine.call(func, [made, one], {}, call.node)
    return made
