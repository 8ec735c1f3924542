"""``eval`` of a text that is known: 'eval("datasets." + cfg.name)(cfg)'."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import MOST_OPTIONS, Choice, Cls, Func, Method, Unknown, Value, choice

LONGEST = 500
"""Characters of a text that is followed."""


def data_sets(names: Mapping[str, Value]) -> Value:
    """The data sets among what a module knows, of which one is asked for by a name that is not known; None for none."""
    found = [one for one in names.values() if isinstance(one, Cls) and _is_data_set(one)]
    return choice(found, "one of the data sets that the module knows") if 0 < len(found) <= MOST_OPTIONS else None


def _is_data_set(cls: Cls) -> bool:
    return all(isinstance((cls.find(name) or (None,))[0], Func) for name in ("__getitem__", "__len__"))


@function("builtins.eval")
def evaluated(call: Call) -> Value:
    """What the expression comes to that a text holds; it is read as the rest is, and never run."""
    text = call.args[0] if call.args else None
    if isinstance(text, Choice):
        found = [evaluated(Call(call.machine, call.name, [one], {}, call.node)) for one in text.options]
        return choice(found, text.why)
    if isinstance(text, Unknown | Method) and (found_ := data_sets(call.machine.frame.module.names)) is not None:
        return found_
    if not isinstance(text, str) or len(text) > LONGEST:
        why = text.reason() if isinstance(text, Unknown) else "its text is not known"
        return call.unknown(f"eval() of what is not known: {why}")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return call.unknown("eval() of a text that is no expression")
    if call.node is not None and hasattr(call.node, "lineno"):
        for one in ast.walk(node):
            if hasattr(one, "lineno"):
                ast.copy_location(one, call.node)
    return call.machine.evaluate(node)
