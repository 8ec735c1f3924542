"""What options are where a branch is followed that their defaults do not take."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.library.command_lines import OPTIONS
from dataguard.preprocessing.static.values import Obj, Seq, Unknown, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling

_EQUAL = (ast.Eq, ast.In, ast.Is)
_OTHER = (ast.NotEq, ast.NotIn, ast.IsNot)


def are_kept(held: Value, value: Unknown) -> bool:
    """Whether options are replaced by those that were kept beside weights: 'args = checkpoint["args"]'.

    Who trained gave them on the command line, as whoever runs the script would.
    """
    return value.why.startswith("what torch.load") and isinstance(held, Obj) and held.place == OPTIONS


def suppose(machine: Calling, test: ast.expr, *, holds: bool) -> None:
    """Set options to what a condition asks of them: 'args.mode == "test"', 'args.evaluate'.

    Args:
        machine: What follows the code.
        test: The condition.
        holds: Whether the branch is taken where it holds.
    """
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And if holds else ast.Or):
        for one in test.values:
            suppose(machine, one, holds=holds)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        suppose(machine, test.operand, holds=not holds)
    elif isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], (*_EQUAL, *_OTHER)):
        wanted = machine.evaluate(test.comparators[0]) if machine.is_option(test.left) else None
        if isinstance(wanted, Seq):
            wanted = wanted.items[0] if wanted.items else None
        equal = isinstance(test.ops[0], _EQUAL) is holds
        if isinstance(wanted, str | int) and (equal or isinstance(wanted, bool)):
            machine.assign(test.left, wanted if equal else not wanted)
    elif machine.is_option(test) and machine.evaluate(test) is (not holds):
        machine.assign(test, holds)
