"""Iterators of TensorFlow 1 over data sets: of one, or of whichever they were last started with.

Source: tensorflow ``data/ops/iterator_ops.py`` (from_structure, make_initializer, get_next).
"""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import ExtObj, Seq, Unknown, Value, choice

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
