"""Pictures that are mixed with others of their kind: mixup, cutmix, compositing. Their levels mean what they meant."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.picture import State, moved
from dataguard.preprocessing.static.values import Choice, Picture, Unknown, Value, choice, is_number
from dataguard.preprocessing.steps import Pad

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine


def blended(machine: Machine, node: ast.BinOp) -> Value:
    """What ``a * first + (1 - a) * second`` is of two pictures of one kind; None where it is something else."""
    shared = _parts(node)
    if shared is None:
        return None
    first, second = (machine.evaluate(one) for one in shared)
    if isinstance(first, Choice):
        found = [_mixed(one, second, machine.place(node)) for one in first.options]
        return choice(found, first.why) if all(one is not None for one in found) else None
    return _mixed(first, second, machine.place(node))


def _mixed(first: Value, second: Value, place: str) -> Value:
    others = second.options if isinstance(second, Choice) else [second]
    states = [one.state for one in others if isinstance(one, Picture)]
    if not isinstance(first, Picture) or len(states) != len(others):
        return None
    fitting = [one for one in states if alike(first.state, one)]
    if not fitting:
        return None
    # Items of a batch that are taken by chance are a batch.
    return Picture(moved(max((first.state, fitting[0]), key=lambda one: "N" in one.layout), place))


def alike(first: State, second: State) -> bool:
    """Whether two pictures hold the same of their levels, so that a share of each holds that too."""
    return (
        first.channels == second.channels
        and first.layout.replace("N", "") == second.layout.replace("N", "")
        and first.scale == second.scale
        and first.offset == second.offset
        and second.lost.keys() <= first.lost.keys()
    )


def _parts(node: ast.BinOp) -> tuple[ast.expr, ast.expr] | None:
    """The two that are mixed, where the shares of both come to one whatever they are."""
    left, right = node.left, node.right
    if not isinstance(left, ast.BinOp) or not isinstance(right, ast.BinOp):
        return None
    for one, first in ((left.left, left.right), (left.right, left.left)):
        for rest, second in ((right.left, right.right), (right.right, right.left)):
            if _is_rest(rest, one) or _is_rest(one, rest):
                return first, second
    return None


def _is_rest(node: ast.expr, share: ast.expr) -> bool:
    """Whether an expression is what a share leaves of one: '1 - share', or '0.4' of '0.6'."""
    if isinstance(node, ast.Constant) and isinstance(share, ast.Constant):
        shares = [one for one in (node.value, share.value) if isinstance(one, float)]
        return len(shares) == 2 and min(shares) > 0 and abs(sum(shares) - 1) < 1e-9
    if not isinstance(node, ast.BinOp) or type(node.op) is not ast.Sub or not isinstance(node.left, ast.Constant):
        return False
    if not is_number(node.left.value) or node.left.value != 1 or type(node.right) is not type(share):
        return False
    return ast.dump(node.right) == ast.dump(share)


def _clips(machine: Machine, state: State, index: ast.expr, value: Value) -> bool:
    """Whether levels beyond a bound are brought to it, or those that are no numbers: 'image[image > 255] = 255'."""
    if not is_number(value):
        return False
    if isinstance(index, ast.Call) and isinstance(index.func, ast.Attribute):
        asked = index.args[0] if index.args else index.func.value
        return index.func.attr in ("isnan", "isinf") and _is_of(machine.evaluate(asked), state)
    if not isinstance(index, ast.Compare) or len(index.ops) != 1:
        return False
    if not isinstance(index.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        return False
    return value == machine.evaluate(index.comparators[0]) and _is_of(machine.evaluate(index.left), state)


def _is_of(value: Value, state: State) -> bool:
    """Whether a value is the picture that has a state, and not another one, as a mask, that was read as it was."""
    options = value.options if isinstance(value, Choice) else [value]
    return any(isinstance(one, Picture) and one.state is state for one in options)


def _at_edge(part: ast.Slice) -> bool:
    """Whether a slice reaches from an edge to somewhere: '0:top', 'top + height:'."""
    from_edge = part.lower is None or (isinstance(part.lower, ast.Constant) and part.lower.value == 0)
    return part.step is None and from_edge is not (part.upper is None)


def overwritten(machine: Machine, state: State, index: ast.expr, value: Value, place: str) -> State | None:
    """A picture after a part of it was overwritten by another of its kind, or a part that chance chooses by anything.

    None where what is overwritten is no matter of augmentation.
    """
    if _clips(machine, state, index, value):
        return moved(state, place)
    options = value.options if isinstance(value, Choice) else [value]
    if options and all(isinstance(one, Picture) and alike(state, one.state) for one in options):
        return moved(state, place)
    slices = [one for one in (index.elts if isinstance(index, ast.Tuple) else [index]) if isinstance(one, ast.Slice)]
    if state.steps and isinstance(state.steps[-1], Pad) and any(map(_at_edge, slices)):
        # The border that was just put there gets another value.
        why = {**state.steps[-1].undetermined, "fill": "the border's value is not known"}
        border = replace(state.steps[-1], fill=None, undetermined=why)
        return moved(replace(state, steps=(*state.steps[:-1], border)), place)
    bounds = [machine.evaluate(one) for part in slices for one in (part.lower, part.upper) if one is not None]
    if any(isinstance(one, Unknown) and one.kind == "random" for one in bounds):
        return moved(state, place)
    return None
