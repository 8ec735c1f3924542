"""What a script asserts of a length before it goes on, or asks for: 'assert width == 1024', 'if width == 1024:'."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.values import Measure, Unknown, is_number


def take(machine: Machine, test: ast.expr) -> None:
    """Give names that a test says are equal to a number that number: 'width == 1024 and 768 == height'.

    Where their value is not known, or is a length of pictures of any size: after an assertion, and within a branch.
    """
    names = machine.frame.names
    for one in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
        if not isinstance(one, ast.Compare) or len(one.ops) != 1 or not isinstance(one.ops[0], ast.Eq):
            continue
        for name, other in ((one.left, one.comparators[0]), (one.comparators[0], one.left)):
            if isinstance(name, ast.Name) and isinstance(names.get(name.id), Measure | Unknown):
                wanted = machine.evaluate(other)
                if is_number(wanted):
                    machine.put(names, name.id, wanted)


def fails(node: ast.stmt) -> bool:
    """Whether a statement asserts what never holds, as one that raises: 'assert False, "no such mode"'."""
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and not node.test.value
