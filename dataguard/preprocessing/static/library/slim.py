"""TF-Slim: data sets that give their items by name, and what its preprocessing asks of TensorFlow's own parts.

Sources: TF-Slim ``data/dataset_data_provider.py``, ``data/tfexample_decoder.py`` (Image: decoded by its format, three
channels by default); TensorFlow 1 ``python/ops/control_flow_ops.py``: switch gives its input for either outcome, merge
whichever of several there is and which one that was, with_dependencies its last argument.
"""

from __future__ import annotations

from dataguard.preprocessing.static.joining import join
from dataguard.preprocessing.static.library.registry import FUNCTIONS, Call, function
from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.static.values import ExtObj, Map, Seq, Unknown, Value, is_picture

PROVIDERS = ("tensorflow.contrib.slim.dataset_data_provider.", "tensorflow.contrib.slim.DatasetDataProvider",
             "tensorflow.contrib.slim.python.slim.data.dataset_data_provider.", "tf_slim.data.dataset_data_provider.",
             "tf_slim.dataset_data_provider.")  # fmt: skip
METHODS = frozenset({"get"})
_DECODER = "tfexample_decoder."


def provided(call: Call) -> Value:
    """Items by their names, in the order that they are asked for: ``provider.get(["image", "label"])``."""
    names = call.get(0, "items")
    if not isinstance(names, Seq):
        return call.unknown("items of a data set whose names are not known")
    dataset = call.thing.args[0] if call.thing.args else call.thing.kwargs.get("dataset")
    return Seq([_item(call, one, _handlers(dataset)) for one in names.items], "list")


def _handlers(dataset: Value) -> dict[str, Value] | None:
    """How a data set's items are read, by their names; None where that is not known."""
    if not isinstance(dataset, ExtObj):
        return None
    decoder = dataset.kwargs.get("decoder", dataset.args[2] if len(dataset.args) > 2 else None)
    if not isinstance(decoder, ExtObj) or not decoder.name.endswith("TFExampleDecoder"):
        return None
    held = decoder.kwargs.get("items_to_handlers", decoder.args[1] if len(decoder.args) > 1 else None)
    return {str(name): one for name, one in held.items.items()} if isinstance(held, Map) else None


def _item(call: Call, name: Value, handlers: dict[str, Value] | None) -> Value:
    unknown = call.unknown(f"the item {name} of a data set")
    if handlers is None:
        return _decoded(call, 3) if name == "image" else unknown
    handler = handlers.get(str(name))
    if not isinstance(handler, ExtObj) or not handler.name.endswith(f"{_DECODER}Image"):
        return unknown
    return _decoded(call, handler.kwargs.get("channels", 3))


def _decoded(call: Call, channels: Value) -> Value:
    name = "tensorflow.image.decode_image"
    given = [Unknown("what a file of records holds", call.place)]
    return FUNCTIONS[name](Call(call.machine, name, given, {"channels": channels}, call.node))


@function("tensorflow.switch")
def _switched(call: Call) -> Value:
    return Seq([call.get(0, "data")] * 2, "tuple")


@function("tensorflow.merge")
def _merged(call: Call) -> Value:
    """One of several of which a number that is drawn tells which."""
    inputs = call.get(0, "inputs")
    found = inputs.items if isinstance(inputs, Seq) else []
    if not found or not all(is_picture(one) for one in found):
        return call.unknown("one of several values")
    made, chance = found[0], Unknown(CHANCE, call.place, "random")
    for one in found[1:]:
        made = join(chance, made, one)
    return Seq([made, chance], "tuple")


@function("tensorflow.with_dependencies")
def _after(call: Call) -> Value:
    return call.get(1, "output_tensor")
