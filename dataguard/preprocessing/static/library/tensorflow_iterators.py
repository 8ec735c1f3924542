"""Iterators of TensorFlow 1 over data sets, of one or of whichever they were last started with; what sets apply.

Sources: tensorflow ``data/ops/iterator_ops.py`` (from_structure, make_initializer, get_next),
``data/experimental/ops/batching.py`` (map_and_batch), ``data/ops/dataset_ops.py`` (apply).
"""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Bound, ExtObj, Func, Method, Seq, Unknown, Value, choice

ITERATOR = "tensorflow.data.Iterator"
STARTED = "it depends on which data set an iterator was started with"


@function("tensorflow.data.Iterator.from_structure", "tensorflow.data.Iterator.from_string_handle")
def _iterator(call: Call) -> Value:
    return ExtObj(ITERATOR, [], {}, call.place, {"sets": Seq([], "list")})


def of_iterator(call: Call) -> Value:
    """What a method of an iterator gives: an item of the data sets that it is started with."""
    iterator, name = call.thing, call.name.rpartition(".")[2]
    held = iterator.attrs.get("sets")
    items = held.items if isinstance(held, Seq) else []
    if name == "make_initializer":
        dataset = call.get(0, "dataset")
        item = dataset.attrs.get("batch") if isinstance(dataset, ExtObj) else None
        if item is not None:
            call.machine.put(iterator.attrs, "sets", Seq([*items, item], "list"))
        return Unknown("what starts an iterator", call.place)
    if name == "get_next" and items:
        return choice(items, STARTED)
    return call.unknown(f"what {name} of an iterator returns")


_MAPPING = ("map_and_batch", "parallel_interleave", "map_and_batch_with_legacy_function")
_AS = {
    **dict.fromkeys(("map_and_batch", "batch_and_drop_remainder", "map_and_batch_with_legacy_function",
                     "dense_to_ragged_batch", "dense_to_sparse_batch", "padded_batch_and_drop_remainder",
                     "bucket_by_sequence_length"), "batch"),
    "unbatch": "unbatch",
    "enumerate_dataset": "enumerate",
}  # fmt: skip
"""Methods of data sets that do what transformations do."""
_OTHERS = ("shuffle_and_repeat", "prefetch_to_device", "copy_to_device", "ignore_errors", "unique",
           "assert_cardinality")  # fmt: skip
_HOMES = ("tensorflow.data.experimental", "tensorflow.contrib.data", "tensorflow.contrib.data.python.ops.batching",
          "tensorflow.contrib.data.python.ops.shuffle_ops",
          "tensorflow.contrib.data.python.ops.interleave_ops")  # fmt: skip


@function(*(f"{home}.{name}" for home in _HOMES for name in dict.fromkeys((*_MAPPING, *_AS, *_OTHERS))))
def _transformation(call: Call) -> Value:
    """What a data set's ``apply`` is given."""
    return ExtObj(call.name, call.args, call.kwargs, call.place)


def applied_to(call: Call) -> Value:
    """``dataset.apply(transformation)``: a library's is a method or two by another name, or a function is called."""
    what = call.get(0, "transformation_func")
    if not isinstance(what, ExtObj) or not what.name.startswith(_HOMES):
        made = call.machine.call(what, [call.receiver], {}, call.node) if isinstance(what, Func | Bound) else None
        return made if isinstance(made, ExtObj) else call.receiver
    name, made = what.name.rpartition(".")[2], call.receiver
    given = what.kwargs.get("map_func", what.args[0] if what.args else None)
    if name in _MAPPING and given is not None:
        method = "map" if name.startswith("map") else "interleave"
        made = call.machine.call(Method(made, method), [given], {}, call.node)
    return call.machine.call(Method(made, _AS[name]), [1], {}, call.node) if name in _AS else made


@function(*(f"{home}.cardinality" for home in _HOMES))
def _cardinality(call: Call) -> Value:
    return call.unknown("how many items a data set has")
