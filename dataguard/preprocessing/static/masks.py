"""Pictures under masks: 'image * (1 - mask) + mask', where the mask is a picture of a file of its own.

Who paints holes over gives the network what a mask leaves of a picture, whose levels are as they were. Which of two
pictures is the mask is told by names, or by the one being gray and of another file.
"""

from __future__ import annotations

import ast
import re

from dataguard.preprocessing.static.picture import State

_MASK = re.compile(r"mask|matte|alpha|^holes?$|^pha(_|$)|^trimap")
_MODULES = frozenset({"np", "numpy", "torch", "tf", "tensorflow", "F", "cv2", "K"})


def under_mask(node: ast.AST, operation: str | None, left: State, right: State) -> State | None:
    """The picture that is left where two are multiplied or added of which one is a mask; None for none."""
    if operation == "multiply" and (coloured := _coloured(left, right)) is not None:
        return coloured
    sides = _sides(node)
    if sides is None or operation not in ("add", "multiply"):
        return None
    first, second = (_tokens(one) for one in sides)
    masks = [bool(one) and all(map(_is_mask, one)) for one in (first, second)]
    if masks[0] != masks[1]:
        # What is added where the mask is fills the holes.
        return right if masks[0] else left
    blended = operation == "add" and any(map(_is_mask, first)) and any(map(_is_mask, second)) and not masks[0]
    alike = (left.scale, left.offset, left.channels, left.layout) == (
        right.scale, right.offset, right.channels, right.layout
    )  # fmt: skip
    return left if blended and alike else None


def _sides(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    if isinstance(node, ast.BinOp):
        return node.left, node.right
    return (node.target, node.value) if isinstance(node, ast.AugAssign) else None


def _is_mask(name: str) -> bool:
    return _MASK.search(name.lower()) is not None


def _tokens(node: ast.expr) -> list[str]:
    """What an expression is computed of, by names: 'masks' of '(1 - masks).float()'."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.Subscript):
        key = node.slice
        return [key.value] if isinstance(key, ast.Constant) and isinstance(key.value, str) else _tokens(node.value)
    if isinstance(node, ast.BinOp):
        return _tokens(node.left) + _tokens(node.right)
    if isinstance(node, ast.UnaryOp):
        return _tokens(node.operand)
    if isinstance(node, ast.Call):
        func = node.func
        of_module = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in _MODULES
        if isinstance(func, ast.Attribute) and not of_module:
            return _tokens(func.value)
        return _tokens(node.args[0]) if node.args else ["?"]
    return [] if isinstance(node, ast.Constant) else ["?"]


def _coloured(left: State, right: State) -> State | None:
    """Of two pictures that are multiplied the coloured one, where the other is a gray one of another file: its mask."""
    for one, other in ((left, right), (right, left)):
        if len(one.channels or ()) == 3 and other.channels == ("Y",) and one.loaded != other.loaded:
            return one if "order" not in one.lost and one.is_float else None
    return None
