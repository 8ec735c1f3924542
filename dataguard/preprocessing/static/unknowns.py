"""What operations with something unknown, or with the levels of pictures, come to."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.operators import ARITHMETIC, COMPARISONS
from dataguard.preprocessing.static.picture import as_float, mapped
from dataguard.preprocessing.static.values import ExtObj, Picture, Stat, Unknown, Value, is_number


def by_content(operator: ast.cmpop, left: Value, right: Value, place: str) -> Value:
    """A comparison with a picture's levels, or with a number computed of them."""
    function = COMPARISONS.get(type(operator))
    sides: list[float] = []
    for side in (left, right):
        if isinstance(side, Picture):
            state = side.state
            known = state.scale is not None and state.offset is not None and "affine" not in state.lost
            sides.append(state.scale[0] * 255 + state.offset[0] if known else 255.0)  # type: ignore[index]
        elif isinstance(side, Stat):
            sides.append(side.typical)
        elif is_number(side):
            sides.append(side)
        else:
            return Unknown("the picture's own levels", place, "content")
    typical = bool(function(*sides)) if function is not None else None
    return Unknown(MASK if isinstance(left, Picture) else "the picture's own levels", place, "content", typical)


MASK = "the picture's own levels, one by one"
"""Why it is not known which levels of a picture are larger than a number: it is a mask."""
CHANCE = "chance decides"
"""Why a number that is drawn is not known."""
WHICH = f"{CHANCE} which"
"""Why the numbers of several are not known that are drawn of a list."""
PLACES = "which of several they are"
"""Why the places of several in an array are not known."""
STACKED = "numbers by chance"
"""Why arrays that are put together of what was drawn are not known."""


def computed(operator: ast.operator, left: Value, right: Value, place: str) -> Value:
    """Arithmetic with something unknown: what is stored and divided by the largest level is taken for a picture."""
    if isinstance(operator, ast.Div) and isinstance(left, ExtObj):
        from dataguard.preprocessing.static.library import paths

        joined = paths.joined(left, right)
        if joined is not None:
            return joined
    operation = ARITHMETIC.get(type(operator))
    if operation == "divide" and isinstance(left, Unknown) and not left.kind and right in (255, 127.5, 255.0):
        from dataguard.preprocessing.static.library.given import STORED, from_caller

        if left.why.startswith(STORED):
            return Picture(as_float(mapped(from_caller(left), "divide", right, place)))
    found = unknown_of(left, right, place)
    return found if operation is None or found.kind else Unknown(found.why, found.place, changed=True)


def is_drawn(node: ast.AST) -> bool:
    """Whether a comparison is of a number from 0 to 1 that is drawn there: 'random.random() < p'."""
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
        return False
    call = node.left
    name = getattr(call.func, "attr", getattr(call.func, "id", "")) if isinstance(call, ast.Call) else ""
    return name in ("random", "rand", "random_sample") and len(node.ops) == 1


def unknown_of(left: Value, right: Value, place: str) -> Unknown:
    """What an operation with something unknown gives: unknown for the same reason."""
    first, second = type(left) is Unknown, type(right) is Unknown
    if not first and not second:
        return Unknown("it is computed in a way that is not followed", place)
    one = left if first and (left.kind == "random" or not second or right.kind != "random") else right
    return Unknown(one.why, one.place or place, one.kind)
