"""``eval`` of a text that is known: 'eval("datasets." + cfg.name)(cfg)'."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Choice, Unknown, Value, choice

LONGEST = 500
"""Characters of a text that is followed."""


@function("builtins.eval")
def evaluated(call: Call) -> Value:
    """What the expression comes to that a text holds; it is read as the rest is, and never run."""
    text = call.args[0] if call.args else None
    if isinstance(text, Choice):
        found = [evaluated(Call(call.machine, call.name, [one], {}, call.node)) for one in text.options]
        return choice(found, text.why)
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
