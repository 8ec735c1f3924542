"""What branches do that plain photographs do not take: to gray pictures, and to those with transparency."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from dataguard.preprocessing.static.values import Picture

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

_REPEATING = frozenset(
    {"gray2rgb", "grey2rgb", "cvtColor", "stack", "dstack", "concatenate", "repeat", "tile", "merge"}
)


def followed(machine: Machine, node: ast.If) -> None:
    """Say of the picture that a test asks for its channels what the branch makes of one that has others.

    Args:
        machine: The interpreter's state.
        node: An ``if`` of which the test does not hold of a photograph: 'if img.ndim == 2: img = gray2rgb(img)'.
    """
    asked = _asked(node.test)
    if asked is None:
        return
    name, kind = asked
    held = machine.frame.names.get(name)
    if not isinstance(held, Picture) or getattr(held.state.decode, kind) != "kept":
        return
    given = [one.value for one in node.body if isinstance(one, ast.Assign) and _binds(one, name)]
    if len(given) != 1:
        return
    decode = held.state.decode
    if kind == "gray" and _called(given[0]) in _REPEATING:
        decode = replace(decode, gray="repeated")
    elif kind == "alpha" and (_cuts(given[0]) or _called(given[0]) == "cvtColor"):
        decode = replace(decode, alpha="dropped")
    machine.put(machine.frame.names, name, Picture(replace(held.state, decode=decode)))


def conversion(node: ast.If | ast.IfExp) -> ast.expr | None:
    """What makes RGB of pictures of other modes while the others are left alone, which is the same as converting all.

    Args:
        node: A branch: 'if img.mode != "RGB": img = img.convert("RGB")'.
    """
    test = node.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq | ast.NotEq):
        return None
    sides = [test.left, test.comparators[0]]
    asked = next((one.value for one in sides if isinstance(one, ast.Attribute) and one.attr == "mode"), None)
    if asked is None or not any(_is_rgb(one) for one in sides):
        return None
    equal = isinstance(test.ops[0], ast.Eq)
    if isinstance(node, ast.IfExp):
        alone, made = (node.body, node.orelse) if equal else (node.orelse, node.body)
    else:
        held = node.body[0] if len(node.body) == 1 and not node.orelse and not equal else None
        if not isinstance(held, ast.Assign) or len(held.targets) != 1:
            return None
        alone, made = held.targets[0], held.value
    if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Attribute) or made.func.attr != "convert":
        return None
    given = [*made.args, *(one.value for one in made.keywords)]
    one_picture = len({ast.unparse(one) for one in (asked, alone, made.func.value)}) == 1
    return made if one_picture and len(given) == 1 and _is_rgb(given[0]) else None


def _is_rgb(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == "RGB"


def _asked(test: ast.expr) -> tuple[str, Literal["gray", "alpha"]] | None:
    """The name that a test asks for a number of axes or channels that photographs do not have, and what has it."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, right = test.left, test.comparators[0]
    if not isinstance(right, ast.Constant) or not isinstance(test.ops[0], ast.Eq | ast.Lt):
        return None
    equal = isinstance(test.ops[0], ast.Eq)
    if isinstance(left, ast.Call) and getattr(left.func, "id", "") == "len" and len(left.args) == 1:
        shape, counted = left.args[0], right.value == (2 if equal else 3)
        return (_of(shape, "shape"), "gray") if counted and _of(shape, "shape") else None
    if _of(left, "ndim"):
        return (_of(left, "ndim"), "gray") if right.value == (2 if equal else 3) else None
    if not equal or not isinstance(left, ast.Subscript) or right.value not in (1, 4):
        return None
    name = _of(left.value, "shape") if ast.unparse(left.slice) in ("2", "-1") else ""
    return (name, "gray" if right.value == 1 else "alpha") if name else None


def _of(node: ast.expr, attribute: str) -> str:
    """The name that an attribute is asked of; '' where it is another, or not of a name."""
    asked = isinstance(node, ast.Attribute) and node.attr == attribute and isinstance(node.value, ast.Name)
    return node.value.id if asked else ""  # type: ignore[attr-defined]


def _binds(node: ast.Assign, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in node.targets)


def _called(node: ast.expr) -> str:
    func = node.func if isinstance(node, ast.Call) else None
    return getattr(func, "attr", getattr(func, "id", ""))


def _cuts(node: ast.expr) -> bool:
    """Whether an expression takes the first three channels: 'image[:, :, :3]'."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
        return False
    end = node.slice.elts[-1]
    return isinstance(end, ast.Slice) and isinstance(end.upper, ast.Constant) and end.upper.value == 3
