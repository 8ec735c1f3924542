"""What branches do that plain photographs do not take: to gray pictures, and to those with transparency.

They ask for the number of channels, or Pillow for the mode: 'if img.mode != "RGB": img = img.convert("RGB")' does to
pictures of other modes what ``convert`` always does.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from dataguard.preprocessing.static.values import Picture, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

_REPEATING = frozenset(
    {"gray2rgb", "grey2rgb", "cvtColor", "stack", "dstack", "concatenate", "repeat", "tile", "merge"}
)
_MODES = {"L": "gray", "RGBA": "alpha", "I;16": "sixteen_bit"}
"""Modes of pictures that are no plain photographs, and what a `Decode` says of them."""


def followed(machine: Machine, node: ast.If, *, holds: bool) -> None:
    """Say of the picture that a test asks for its channels what the branch makes of one that has others.

    Args:
        machine: The interpreter's state.
        node: An ``if`` that takes photographs elsewhere: 'if img.ndim == 2: img = gray2rgb(img)'.
        holds: Whether its test holds of a photograph.
    """
    mode = _of_mode(node.test, holds=holds)
    if mode is not None:
        _converted_by_branch(machine, *mode, node.orelse if holds else node.body)
        return
    asked = None if holds else _asked(node.test)
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


def chosen(machine: Machine, node: ast.IfExp, taken: Picture, *, holds: bool) -> Value:
    """What an expression gives that converts pictures of other modes: 'x if x.mode == "RGB" else x.convert("RGB")'.

    Args:
        machine: The interpreter's state.
        node: The expression.
        taken: What it gives for a photograph.
        holds: Whether its test holds of a photograph.
    """
    mode = _of_mode(node.test, holds=holds)
    if mode is None:
        return taken
    picture, kinds = mode
    same, other = (node.body, node.orelse) if holds else (node.orelse, node.body)
    if ast.unparse(same) != ast.unparse(picture) or not _converts(other, picture):
        return taken
    return _with(taken, machine.evaluate(other), kinds)


def _converted_by_branch(
    machine: Machine, picture: ast.Name | ast.Attribute, kinds: frozenset[str], body: list[ast.stmt]
) -> None:
    """Say of a picture what a branch makes of other modes: it converts them, or puts something else in their place."""
    held = machine.evaluate(picture)
    if not isinstance(held, Picture) or held.state.kind != "pil":
        return
    shown = ast.unparse(picture)
    for one in body:
        bound = isinstance(one, ast.Assign) and any(ast.unparse(target) == shown for target in one.targets)
        if (bound or isinstance(one, ast.Return)) and _converts(one.value, picture):  # type: ignore[attr-defined]
            machine.assign(picture, _with(held, machine.evaluate(one.value), kinds))  # type: ignore[attr-defined]
            return
        if bound and "alpha" in kinds and held.state.decode.alpha == "kept":
            # Most lay it on a picture of one colour; what converts it after that drops nothing more.
            why = f"what becomes of transparency at {machine.place(one)} is not followed"
            decode = held.state.decode
            decode = replace(decode, alpha=None, undetermined={**decode.undetermined, "alpha": why})
            machine.assign(picture, Picture(replace(held.state, decode=decode)))
            return


def _with(held: Picture, made: Value, kinds: frozenset[str]) -> Picture:
    """A picture of which files of some kinds are converted, and all others are as they are."""
    if not isinstance(made, Picture):
        return held
    before, after = held.state.decode, made.state.decode
    open_ = {kind: getattr(after, kind) for kind in kinds if getattr(before, kind) == "kept"}
    if len(open_) == len(_MODES):
        return made
    return Picture(replace(held.state, decode=replace(before, **open_)))


def _of_mode(test: ast.expr, *, holds: bool) -> tuple[ast.Name | ast.Attribute, frozenset[str]] | None:
    """The picture that a test asks for its mode, and the kinds of files that take the branch that photographs do not.

    None where it asks for something else, or photographs take the same branch.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _of_mode(test.operand, holds=not holds)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, right, how = test.left, test.comparators[0], test.ops[0]
    if isinstance(left, ast.Constant) and isinstance(how, ast.Eq | ast.NotEq):
        left, right = right, left
    if (
        not isinstance(left, ast.Attribute)
        or left.attr != "mode"
        or not isinstance(left.value, ast.Name | ast.Attribute)
    ):
        return None
    given = right.elts if isinstance(right, ast.Tuple | ast.List | ast.Set) else [right]
    modes = {one.value if isinstance(one, ast.Constant) else None for one in given}
    if None in modes or isinstance(how, ast.In | ast.NotIn) is (given == [right]):
        return None
    if not isinstance(how, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
        return None
    among = isinstance(how, ast.Eq | ast.In)
    if (("RGB" in modes) is among) is not holds:
        return None
    return left.value, frozenset(kind for mode, kind in _MODES.items() if ((mode in modes) is among) is not holds)


def _converts(node: ast.expr | None, picture: ast.expr) -> bool:
    """Whether an expression is 'picture.convert("RGB")'."""
    if not isinstance(node, ast.Call) or _called(node) != "convert" or not isinstance(node.func, ast.Attribute):
        return False
    given = [*node.args, *(one.value for one in node.keywords if one.arg == "mode")]
    plain = len(given) == 1 and isinstance(given[0], ast.Constant) and given[0].value == "RGB"
    return plain and ast.unparse(node.func.value) == ast.unparse(picture)


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
