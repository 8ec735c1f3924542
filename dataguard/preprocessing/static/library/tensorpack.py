"""tensorpack: flows of data points, each a list of components, that functions are mapped over.

Source: tensorpack ``dataflow/common.py`` (MapData, MapDataComponent, BatchData), ``dataflow/parallel.py`` and
``dataflow/parallel_map.py`` (what runs a flow in other processes or threads leaves its points as they are).
"""

from __future__ import annotations

import ast
from itertools import product

from dataguard.preprocessing.static import arrays
from dataguard.preprocessing.static.effects import unfollowed
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.loaders import identity_of, stamped
from dataguard.preprocessing.static.values import ExtObj, Obj, Picture, Seq, Value, each, is_picture

FLOW = "tensorpack.flow"
METHODS = frozenset({"get_data", "reset_state", "__iter__"})
_MODULES = ("", "common.", "parallel.", "parallel_map.", "image.")
_ALIKE = ("PrefetchData", "PrefetchDataZMQ", "MultiProcessRunner", "MultiProcessRunnerZMQ", "MultiThreadRunner",
          "MultiProcessPrefetchData", "LocallyShuffleData", "RepeatedData", "FixedSizeData", "CacheData", "PrintData",
          "TestDataSpeed")  # fmt: skip
_MAPPING = ("MapData", "MultiThreadMapData", "MultiProcessMapData", "MultiProcessMapDataZMQ", "MapDataComponent",
            "AugmentImageComponent", "BatchData")  # fmt: skip


def _named(names: tuple[str, ...]) -> list[str]:
    return [f"tensorpack.dataflow.{module}{name}" for module, name in product(_MODULES, names)]


def _point(call: Call) -> Value:
    """A data point of the flow that a call is given."""
    flow, machine = call.get(0, "ds"), call.machine
    if isinstance(flow, Obj) and flow.cls is not None:
        name = next((one for one in ("get_data", "__iter__") if flow.cls.find(one) is not None), "")
        flow = machine.call(machine.attribute(flow, name, call.node), [], {}, call.node) if name else flow
    return arrays.element(machine, flow, call.node if isinstance(call.node, ast.expr) else None)


def _flow(call: Call, point: Value) -> ExtObj:
    return ExtObj(FLOW, call.args, call.kwargs, call.place, {"batch": point})


@function(*_named(_ALIKE))
def _alike(call: Call) -> Value:
    return _flow(call, _point(call))


@function(*_named(_MAPPING))
def _mapped(call: Call) -> Value:
    word, point, machine = call.name.rpartition(".")[2], _point(call), call.machine
    if word == "BatchData":
        made = _flow(call, None)
        made.attrs["batch"] = batch = stamped(point, identity_of(made), batched=True)
        for one in arrays.pictures(batch)[:1]:
            machine.sink("dataset", one, call.node, hints=machine.binding(), identity=identity_of(made))
        return made
    func = call.kwargs.get("map_func", call.kwargs.get("func", call.args[-1] if len(call.args) > 1 else None))
    if word not in ("MapDataComponent", "AugmentImageComponent"):
        return _flow(call, machine.call(func, [point], {}, call.node))
    func, index = call.get(1, "func"), call.get(2, "index", 0)
    if not isinstance(point, Seq) or not isinstance(index, int) or not -len(point.items) <= index < len(point.items):
        return _flow(call, point)
    items = list(point.items)
    if word == "MapDataComponent":
        items[index] = machine.call(func, [items[index]], {}, call.node)
    elif is_picture(items[index]):
        why = "what its augmentors do is not followed"
        items[index] = each(items[index], lambda one: Picture(unfollowed(one.state, call.place, why, "augment")))
    return _flow(call, Seq(items, point.kind))


def of_flow(call: Call) -> Value:
    """Methods of a flow: all that ask for its points give it, which is iterated over."""
    return call.thing
