"""Functions that are called for every item: ``map``, and the methods of pools of threads and processes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.arrays import element, iterated
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Bound, ExtObj, Func, Seq, Shape, Unknown, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling

POOLS = ("multiprocessing.", "torch.multiprocessing.", "concurrent.futures.", "joblib.pool.", "pathos.")
METHODS = frozenset(["map", "imap", "imap_unordered", "starmap", "map_async", "apply", "apply_async", "submit"])


@function("builtins.map")
def _mapped(call: Call) -> Value:
    return over(call, call.args[0], call.args[1:]) if len(call.args) > 1 else call.unknown("a map")


def over(call: Call, func: Value, sources: list[Value]) -> Seq:
    """A function of an item of each source; of one item for all where it is not known how many there are."""
    rows = ExtObj("builtins.zip", sources, {}, call.place)
    found = iterated(call.machine, rows, ast.Constant(0))
    items = found if found is not None else [element(call.machine, rows, None)]
    machine, made = call.machine, list[Value]()
    outer = machine.assigning
    for index, one in enumerate(items[:16]):
        machine.assigning = machine.names_of(index, len(items))
        made.append(machine.call(func, list(one.items), {}, call.node))
        machine.assigning = outer
    return Seq(made, "list")


def of_pool(call: Call) -> Value:
    """What a method of a pool gives: that of ``map`` for a function and its items, or one result."""
    if not call.args:
        return call.unknown(f"what a pool's {call.name} returns")
    func, rest = call.args[0], call.args[1:]
    if call.name == "submit":
        made = call.machine.call(func, rest, call.kwargs, call.node)
        return ExtObj("concurrent.futures.Future", [], {}, call.place, {"batch": made})
    if call.name.startswith("apply"):
        given = call.get(1, "args")
        made = call.machine.call(func, list(given.items) if isinstance(given, Seq | Shape) else [], {}, call.node)
        return (
            made if call.name == "apply" else ExtObj("concurrent.futures.Future", [], {}, call.place, {"batch": made})
        )
    if call.name == "starmap" and rest:
        rows = iterated(call.machine, rest[0], ast.Constant(0)) or [element(call.machine, rest[0], None)]
        given_ = [list(one.items) if isinstance(one, Seq) else [one] for one in rows[:16]]
        return Seq([call.machine.call(func, one, {}, call.node) for one in given_], "list")
    many = call.name == "map" and "futures" in call.thing.name
    return over(call, func, rest if many else rest[:1]) if rest else call.unknown("a map")


ROWS = frozenset({"apply", "progress_apply", "parallel_apply"})
"""Methods of tables that call a function with each row, under their progress and parallel names too."""


def of_rows(machine: Calling, func: Func | Bound, node: ast.AST | None) -> Value:
    """What a table's method makes of its rows, of which it is not known how many there are."""
    return Seq([machine.call(func, [Unknown("a row of a table", machine.place(node))], {}, node)], "list", many=True)


def result(call: Call) -> Value:
    """What was asked of a pool."""
    return call.thing.attrs.get("batch", call.unknown("what a pool was asked"))
