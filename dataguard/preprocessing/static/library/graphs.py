"""TensorFlow 1: queues that pictures go through on their way into a graph, branches of it, and graphs that are loaded.

Sources: TensorFlow 1.15 ``python/training/input.py`` (batch, shuffle_batch, batch_join; with ``enqueue_many`` the first
axis of what is given counts the pictures), ``ops/data_flow_ops.py`` (queues), ``ops/control_flow_ops.py`` (cond),
``ops/script_ops.py`` (py_func), ``framework/importer.py`` (``input_map``).
"""

from __future__ import annotations

import ast
from dataclasses import replace

from dataguard.preprocessing.static import arrays
from dataguard.preprocessing.static.joining import join, truth
from dataguard.preprocessing.static.library.numpy import dtype_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.loaders import stamped
from dataguard.preprocessing.static.picture import Kind, cast
from dataguard.preprocessing.static.values import ExtObj, Map, Measure, Picture, Seq, Unknown, Value, each, is_picture
from dataguard.preprocessing.steps import Pad

QUEUES = frozenset({"enqueue", "enqueue_many", "dequeue", "dequeue_many", "dequeue_up_to"})
"""Methods of queues in a graph."""
FIRST_LAYERS = frozenset(
    ["conv", "conv2d", "conv_2d", "conv2d_same", "convolution", "convolution2d", "separable_conv2d",
     "separable_convolution2d", "depthwise_conv2d", "dense", "fully_connected", "repeat"]
)  # fmt: skip
"""Functions that are a network's layer, and not an operation on pictures."""


@function("tensorflow.cond")
def _cond(call: Call) -> Value:
    test = call.get(0, "pred")
    first = call.get(1, "true_fn", call.kwargs.get("fn1"))
    second = call.get(2, "false_fn", call.kwargs.get("fn2"))
    known = truth(test)
    if known is not None:
        return call.machine.call(first if known else second, [], {}, call.node)
    if not isinstance(test, Unknown | Measure):
        test = call.unknown("it depends on a condition of the graph")
    return join(test, *(call.machine.call(one, [], {}, call.node) for one in (first, second)))


@function("tensorflow.py_func", "tensorflow.py_function", "tensorflow.numpy_function")
def _python(call: Call) -> Value:
    """A function of Python within a graph: it is given arrays, and what it returns is a tensor again."""
    given = call.get(1, "inp")
    items = given.items if isinstance(given, Seq) else []
    made = call.machine.call(call.get(0, "func"), [_of_kind(one, "array") for one in items], {}, call.node)
    wanted = call.get(2, "Tout")
    if isinstance(made, Seq):
        types = wanted.items if isinstance(wanted, Seq) else [wanted] * len(made.items)
        rows = [_typed(one, types[at] if at < len(types) else None, call) for at, one in enumerate(made.items)]
        return Seq(rows, "list")
    return _typed(made, wanted.items[0] if isinstance(wanted, Seq) and len(wanted.items) == 1 else wanted, call)


def _of_kind(value: Value, kind: Kind) -> Value:
    return each(value, lambda one: Picture(replace(one.state, kind=kind))) if is_picture(value) else value


def _typed(value: Value, wanted: Value, call: Call) -> Value:
    """What becomes a tensor of a type that was said: the function must return that type already."""
    known = dtype_of(wanted)
    if not is_picture(value):
        return value
    value = _of_kind(value, "tf")
    return value if known is None else each(value, lambda one: Picture(cast(one.state, known, call.place)))


@function("tensorflow.train.batch", "tensorflow.train.shuffle_batch", "tensorflow.train.batch_join",
          "tensorflow.train.shuffle_batch_join", "tensorflow.train.maybe_batch",
          "tensorflow.train.maybe_shuffle_batch")  # fmt: skip
def _batched(call: Call) -> Value:
    given = call.get(0, "tensors", call.kwargs.get("tensors_list"))
    if call.name.endswith("_join") and isinstance(given, Seq):
        # One list a thread; all threads do the same.
        given = given.items[0] if given.items else None
    if given is None or not arrays.pictures(given):
        return _as_many(given, call)
    if call.kwargs.get("enqueue_many") is True:
        given = _each_of(given, call)
    identity = f"{call.place}#{call.machine.root}:{len(call.machine.sinks)}"
    made = stamped(given, identity, batched=True)
    found = arrays.pictures(made)
    hints = (*call.machine.binding(), *(["shuffle=True"] if "shuffle" in call.name else []))
    call.machine.sink("dataset", found[0], call.node, hints=hints, identity=identity)
    return made


def _as_many(given: Value, call: Call) -> Value:
    """Batches of what is not known, as many as there are tensors."""
    if isinstance(given, Seq | Map):
        items = given.items if isinstance(given, Seq) else given.items.values()
        return Seq([one if isinstance(one, Unknown) else call.unknown("a batch") for one in items])
    return given if isinstance(given, Unknown) else call.unknown(f"what {call.name} returns")


def _each_of(given: Value, call: Call) -> Value:
    """Of lists of pictures one picture each."""
    if isinstance(given, Seq) and any(isinstance(one, Seq) for one in given.items):
        rows = [arrays.element(call.machine, one, None) if isinstance(one, Seq) else one for one in given.items]
        return Seq(rows, given.kind)
    return given


def queue(call: Call) -> Value:
    """A queue's method: what is put into it comes out again, several as a batch."""
    if call.name.startswith("enqueue"):
        value = call.get(0, "vals")
        if arrays.pictures(value):
            call.machine.put(call.thing.attrs, "batch", value)
        return call.unknown("an operation of a graph")
    held = call.thing.attrs.get("batch")
    if held is None:
        return call.unknown(f"what {call.thing.name} holds")
    if call.name == "dequeue":
        return held
    return stamped(held, call.thing.place, batched=True)


@function("tensorflow.contrib.slim.prefetch_queue.prefetch_queue", "tensorflow.contrib.slim.prefetch_queue")
def _prefetched(call: Call) -> Value:
    return ExtObj("tensorflow.FIFOQueue", call.args, call.kwargs, call.place, {"batch": call.get(0, "tensors")})


@function("tensorflow.import_graph_def", "tensorflow.graph_util.import_graph_def",
          "tensorflow.train.import_meta_graph")  # fmt: skip
def _loaded(call: Call) -> Value:
    """A graph that is loaded, with pictures in the place of its inputs."""
    given = call.get(1, "input_map") if "meta" not in call.name else call.kwargs.get("input_map")
    if isinstance(given, Map) and arrays.pictures(given):
        call.machine.feed(list(given.items.values()), call.node, call.name)
    return call.unknown(f"what {call.name} returns")


def without_own_border(call: Call, value: Value) -> Value:
    """A picture without the border that the function of a layer itself puts around what the layer is given."""
    func = call.machine.frame.func
    if not isinstance(value, Picture) or func is None or isinstance(func.node, ast.Lambda):
        return value
    steps = value.state.steps
    while steps and isinstance(steps[-1], Pad):
        said = steps[-1].provenance.get("")
        if said is None or said.path != func.module.path or said.line is None:
            break
        if not func.node.lineno <= said.line <= (func.node.end_lineno or 0):
            break
        steps = steps[:-1]
    return value if steps is value.state.steps else Picture(replace(value.state, steps=steps))
