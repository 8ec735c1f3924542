"""Loops: how many of their turns are followed, and what they change."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static import arrays, parts
from dataguard.preprocessing.static.joining import MISSING
from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.picture import losing
from dataguard.preprocessing.static.values import (
    Choice,
    ExtObj,
    Map,
    Measure,
    Obj,
    Picture,
    Seq,
    Unknown,
    Value,
    each,
    is_number,
    is_picture,
    is_plain,
)

if TYPE_CHECKING:
    from dataguard.preprocessing.static.interpreter import Interpreter

LONGEST_LOOP = 128
"""Turns of a loop over known items that are followed, where an item may be a transform or a picture."""
SHORTEST_LOOP = 4
"""The same where all are constants: as many as a picture has channels."""
_POWERS = frozenset({"pow", "power", "float_power"})


def most_turns(machine: Machine, node: ast.For | ast.AsyncFor, source: Value, items: Sequence[Value]) -> int:
    """How many turns of a loop are followed.

    All of them over names, as of a configuration, over what may act, and over the places of a list of such:
    'for i in range(len(images))'.
    """
    if isinstance(source, (Map, Obj)) or any(may_act(one) for one in items):
        return LONGEST_LOOP
    call = node.iter if isinstance(node.iter, ast.Call) else None
    name = getattr(call.func, "id", "") if call is not None else ""
    if name == "dir":
        return LONGEST_LOOP
    inner = call.args[0] if call is not None and name == "range" and len(call.args) == 1 else None
    if isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "len" and len(inner.args) == 1:
        held = machine.evaluate(inner.args[0])
        if isinstance(held, Seq) and any(may_act(one) for one in held.items):
            return LONGEST_LOOP
    return SHORTEST_LOOP


def changes_in_place(body: Sequence[ast.stmt], name: str) -> bool:
    """Whether statements change what a name stands for: 't.sub_(m).div_(s)', 't -= m'."""
    for one in body:
        inner: ast.expr | None = one.value if isinstance(one, ast.Expr) else None
        if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name) and one.target.id == name:
            return True
        changes = False
        while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            changes |= inner.func.attr.endswith("_")
            inner = inner.func.value
        if changes and isinstance(inner, ast.Name) and inner.id == name:
            return True
    return False


def write_back(machine: Machine, node: ast.For | ast.AsyncFor, source: Value, index: int) -> None:
    """Keep in a list what a turn of a loop over it changed in place: 'for image in images: image.sub_(mean)'."""
    name = node.target.id if isinstance(node.target, ast.Name) else ""
    if not name or not isinstance(source, Seq) or index >= len(source.items) or not is_picture(source.items[index]):
        return
    changes = machine.changing.get(node)
    if changes is None:
        inner = any(isinstance(one, ast.For) and _goes_along(one, name) for one in node.body)
        changes = machine.changing[node] = inner or changes_in_place(node.body, name)
    if changes:
        made = machine.frame.names.get(name)
        if is_picture(made):
            machine.put(source.items, "*", [*source.items[:index], made, *source.items[index + 1 :]])


def _goes_along(node: ast.For, name: str) -> bool:
    """Whether a loop changes the channels of a picture in place: 'for t, m in zip(image, mean): t.sub_(m)'."""
    first = node.iter.args[0] if isinstance(node.iter, ast.Call) and node.iter.args else None
    target = node.target.elts[0] if isinstance(node.target, ast.Tuple) and node.target.elts else None
    if not isinstance(first, ast.Name) or first.id != name or not isinstance(target, ast.Name):
        return False
    return changes_in_place(node.body, target.id)


def may_act(value: Value) -> bool:
    """Whether something may do something, so that every turn of a loop over it counts."""
    if isinstance(value, Seq) and value.kind == "tuple":
        # A tuple with a word in it is a key of what is kept by such; of numbers alone there may be many.
        return any(isinstance(one, str) or may_act(one) for one in value.items[:8])
    return not is_plain(value) and not isinstance(value, (Seq, Map, Unknown, Measure))


def counts(machine: Machine, node: ast.If) -> bool:
    """Whether a branch gives something back once as many turns of a loop are counted as a batch has places."""
    test, func = node.test, machine.frame.func
    if func is None or not isinstance(test, ast.Compare) or not isinstance(test.ops[0], (ast.Eq, ast.GtE, ast.Gt)):
        return False
    if not isinstance(test.left, ast.Name) or not is_number(machine.evaluate(test.comparators[0])):
        return False
    if not any(isinstance(one, (ast.Return, ast.Yield)) for inner in node.body for one in nodes(inner)):
        return False
    loops = [list(nodes(one)) for one in nodes(func.node) if isinstance(one, (ast.While, ast.For))]
    around = [one for inner in loops if node in inner for one in inner]
    return any(_adds_one(one, test.left.id) for one in around)


def _adds_one(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.AugAssign) or not isinstance(node.target, ast.Name) or node.target.id != name:
        return False
    return isinstance(node.op, ast.Add) and isinstance(node.value, ast.Constant) and node.value.value == 1


def carry(machine: Machine, left: dict[tuple[int, Any], tuple[Any, Any, Value, Value]]) -> None:
    """Give a branch what the other one made in an earlier turn: 'if first: state = begin(x) else: go_on(state, x)'.

    Args:
        machine: The interpreter's state, within a loop of which one turn stands for all.
        left: What the other branch changed.
    """
    if not any(old is MISSING and new is not MISSING for _, _, old, new in left.values()):
        return
    names = machine.frame.names
    changed: dict[int, list[tuple[Any, Any, Value, Value]]] = {}
    for one in left.values():
        changed.setdefault(id(one[0]), []).append(one)
    found: list[Obj | Map] = []
    for holder in (names, *(one.attrs for one in names.values() if isinstance(one, Obj))):
        for container, key, old, new in changed.pop(id(holder), ()):
            if old is MISSING:
                machine.put(container, key, new)
                found += [new] if isinstance(new, Obj | Map) else []
    seen: set[int] = set()
    while found and changed:
        # What was made holds what was put into it since.
        made = found.pop()
        inner = made.attrs if isinstance(made, Obj) else made.items
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        for container, key, _, new in changed.pop(id(inner), ()):
            machine.put(container, key, new)
        found += [one for one in inner.values() if isinstance(one, Obj | Map)]


def unsettle(machine: Machine, node: ast.While) -> None:
    """Take what grows with each turn for not known: the scales of a pyramid are many, and the first is one of them."""
    names = machine.frame.names
    if node not in machine.growing:
        machine.growing[node] = _growing(node)
    for name in machine.growing[node]:
        if is_number(names.get(name)) or isinstance(names.get(name), Measure):
            machine.put(names, name, Unknown(f"{name} is another number with each turn", machine.place(node)))


def _growing(node: ast.While) -> set[str]:
    """Names that are multiplied or divided in a loop, and those that are counted there for a power."""
    found: set[str] = set()
    counted: set[str] = set()
    powers: set[str] = set()
    for statement in node.body:
        for one in nodes(statement):
            if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name):
                (found if isinstance(one.op, (ast.Mult, ast.Div)) else counted).add(one.target.id)
            elif isinstance(one, ast.BinOp) and isinstance(one.op, ast.Pow) and isinstance(one.right, ast.Name):
                powers.add(one.right.id)
            elif isinstance(one, ast.Call) and getattr(one.func, "attr", getattr(one.func, "id", "")) in _POWERS:
                powers |= {given.id for given in one.args[1:] if isinstance(given, ast.Name)}
    return found | (counted & powers)


def by_channel(machine: Interpreter, node: ast.For | ast.AsyncFor, source: Value) -> bool:
    """``for t, m, s in zip(picture, mean, std): t.sub_(m).div_(s)``: each turn changes a channel of the picture."""
    if isinstance(source, Choice) and all(_is_zip(one) for one in source.options):
        first = source.options[0]
        firsts = Choice([one.args[0] for one in source.options], source.why)
        source = ExtObj(first.name, [firsts, *first.args[1:]], first.kwargs, first.place)
    if not _is_zip(source) or not isinstance(node.iter, ast.Call):
        return False
    first = source.args[0]
    holder = node.iter.args[0] if node.iter.args else None
    target = node.target.elts[0] if isinstance(node.target, ast.Tuple) and node.target.elts else None
    if not arrays.pictures(first) or not isinstance(target, ast.Name) or not isinstance(holder, ast.Name):
        return False
    if isinstance(first, (Seq, Map)):
        return False
    if not changes_in_place(node.body, target.id):
        return False
    rest = [arrays.iterated(machine, one, node.iter) for one in source.args[1:]]
    # Of several of which not all are pictures the others stay as they are.
    changed = each(first, lambda one: _channels(machine, node, one, target.id, rest) if is_picture(one) else one)
    machine.assign(holder, changed)
    return True


def _channels(
    machine: Interpreter, node: ast.For | ast.AsyncFor, first: Picture, name: str, rest: list[list[Value] | None]
) -> Value:
    """A picture of which a loop changes one channel with each turn."""
    state = first.state
    if state.layout[:1] != "C" or state.channels is None or "layout" in state.lost:
        return Picture(losing(state, machine.place(node), "its parts are changed one by one", "affine"))
    planes: list[Value] = []
    for index in range(len(state.channels)):
        row: list[Value] = [parts.plane(state, index, machine.place(node))]
        row += [
            one[index] if one is not None and index < len(one) else Unknown("a value", machine.place(node))
            for one in rest
        ]
        machine.assign(node.target, Seq(row, "tuple"))
        machine.run(node.body)
        planes.append(machine.lookup(name, node))
    found = [one.state for one in planes if isinstance(one, Picture)]
    made = parts.assembled(found, machine.place(node), axis=state.layout) if len(found) == len(planes) else None
    return Picture(made) if made is not None else arrays.opaque(machine, [first], "its channels are changed", node)


def _is_zip(value: Value) -> bool:
    return isinstance(value, ExtObj) and value.name == "builtins.zip" and bool(value.args)
