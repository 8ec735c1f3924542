"""Arithmetic of what is known in part: arrays of constants, offsets of unknown numbers, texts."""

from __future__ import annotations

import ast
import operator
import re

from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.values import Ext, Measure, Seq, Unknown, Value, is_number, is_plain, measured

LONGEST = 4096
"""Characters of a text that is put together."""


def is_small(base: Value, exponent: Value) -> bool:
    """Whether a power is small enough to be computed."""
    return is_number(base) and is_number(exponent) and abs(base) < 1e6 and abs(exponent) < 64


def elementwise(machine: Machine, operator: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
    """Arithmetic of arrays of known numbers; None where it is none."""
    arrays_ = [one for one in (left, right) if isinstance(one, Seq) and one.kind == "array"]
    if not arrays_:
        return None
    a = left.items if isinstance(left, Seq) else None
    b = right.items if isinstance(right, Seq) else None
    if a is not None and b is not None:
        if _is_table(a) and not any(isinstance(one, Seq) for one in b):
            # Each row with all of the numbers, as the last axes of both are the same.
            b = [Seq(b, "array")] * len(a)
        elif _is_table(b) and not any(isinstance(one, Seq) for one in a):
            a = [Seq(a, "array")] * len(b)
        if len(a) != len(b):
            if len(a) == 1 or len(b) == 1:
                a, b = (a * len(b), b) if len(a) == 1 else (a, b * len(a))
            else:
                return None
        made = [machine.operate(operator, x, y, node) for x, y in zip(a, b, strict=True)]
    elif a is not None and (is_number(right) or isinstance(right, Measure)):
        made = [machine.operate(operator, x, right, node) for x in a]
    elif b is not None and (is_number(left) or isinstance(left, Measure)):
        made = [machine.operate(operator, left, y, node) for y in b]
    else:
        return None
    return Seq([Seq(one.items, "array") if isinstance(one, Seq) else one for one in made], "array")


def _is_table(items: list[Value]) -> bool:
    """Whether items are rows of several numbers each, as those of a matrix."""
    return bool(items) and all(isinstance(one, Seq) and len(one.items) > 1 for one in items)


def flags(operator: ast.operator, left: Value, right: Value) -> Value:
    """Flags of OpenCV's decoder that are put together, 'A | B' or 'A + B'; None for what is none."""
    both = isinstance(left, Ext) and isinstance(right, Ext) and isinstance(operator, ast.BitOr | ast.Add)
    if not both or not all(one.name.startswith("cv2.IMREAD_") for one in (left, right)):
        return None
    return Ext(f"{left.name}|{right.name.rpartition('.')[2]}"[:LONGEST])


def shifted(left: Value, right: Value, minus: bool) -> Value:
    """A sum or difference of something unknown and a number, or of two that began as one; None for others."""
    if isinstance(left, Unknown) and isinstance(right, Unknown):
        if minus and (left.base or left) is (right.base or right):
            return measured(lambda a, b: a - b, left.shift, right.shift)
        return None
    if isinstance(left, Unknown) and (is_number(right) or isinstance(right, Measure)):
        return left.shifted(measured(operator.sub if minus else operator.add, left.shift, right))
    if isinstance(right, Unknown) and not minus and (is_number(left) or isinstance(left, Measure)):
        return right.shifted(measured(operator.add, right.shift, left))
    return None


_LONG = re.compile(r"%[^a-zA-Z%]*(\*|\d{4})")
"""A field of a text that is filled up to any length, as no text of use is."""


def shown(value: Value, asked: Value) -> str | None:
    """A value within a text, as a format asks for it: 'f"{index:04d}"'; None where that is not known.

    >>> shown(7, "04d"), shown(0.5, ".2f"), shown("a", ""), shown(1, "99999d"), shown(Unknown(), "")
    ('0007', '0.50', 'a', None, None)
    """
    if not is_plain(value) or not isinstance(asked, str) or re.search(r"\d{4}", asked):
        return None
    try:
        return format(value, asked) if asked else str(value)
    except (ValueError, TypeError):
        return None


def formatted(template: str, value: Value) -> Value:
    """``template % value``."""
    parts = value.items if isinstance(value, Seq) else [value]
    if not all(is_plain(one) for one in parts):
        return Unknown("a text that is put together")
    try:
        return (
            (template % tuple(parts))[:LONGEST] if len(template) < LONGEST and not _LONG.search(template) else Unknown()
        )
    except (TypeError, ValueError, OverflowError, MemoryError, KeyError):
        return Unknown("a text that is put together")


STRIDE = 32
"""What networks shrink pictures by: a size that is a multiple of it is one of every stride that they have."""


def next_multiple(machine: Machine, node: ast.BinOp) -> Value:
    """What 'ceil(size / stride) * stride' is of a stride that only the weights tell; None where it is no such thing.

    A size that is a multiple of what networks shrink by is taken for one of theirs: who wrote it meant to get it.
    """
    inner: ast.expr = node.left
    while isinstance(inner, ast.Call) and len(inner.args) == 1:
        if getattr(inner.func, "attr", getattr(inner.func, "id", "")) not in _ROUNDS:
            break
        inner = inner.args[0]
    if not isinstance(inner, ast.BinOp) or not isinstance(inner.op, ast.Div | ast.FloorDiv):
        return None
    if ast.dump(inner.right) != ast.dump(node.right) or type(machine.evaluate(node.right)) is not Unknown:
        return None
    return of_stride(machine.evaluate(inner.left))


def of_stride(size: Value) -> Value:
    """A size as the next multiple of a stride that is not known; None where that may be another."""
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 and size % STRIDE == 0 else None


_ROUNDS = frozenset({"ceil", "round", "int", "floor"})
