"""What a script asserts of a length before it goes on: 'assert width == 1024'."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.values import Measure, Unknown, is_number


def take(machine: Machine, test: ast.expr) -> None:
    """Give a name whose value is not known, or is a length of pictures of any size, the number it is asserted to be."""
    for one in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
        if not isinstance(one, ast.Compare) or len(one.ops) != 1 or not isinstance(one.ops[0], ast.Eq):
            continue
        if not isinstance(one.left, ast.Name):
            continue
        held = machine.frame.names.get(one.left.id)
        if isinstance(held, Measure | Unknown) and getattr(held, "kind", "") != "random":
            wanted = machine.evaluate(one.comparators[0])
            if is_number(wanted):
                machine.put(machine.frame.names, one.left.id, wanted)


def fails(node: ast.stmt) -> bool:
    """Whether a statement asserts what never holds, as one that raises: 'assert False, "no such mode"'."""
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and not node.test.value
