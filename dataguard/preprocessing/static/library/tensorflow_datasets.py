"""TensorFlow Datasets: pictures of data sets by their names, as tensors of TensorFlow.

Source: tensorflow_datasets ``core/load.py``, ``core/features/image_feature.py`` (decoded by ``tf.io.decode_image``).
"""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import COLOURS, State, explicit
from dataguard.preprocessing.static.values import Ext, ExtObj, Map, Method, Obj, Picture, Seq, Unknown, Value

_GRAY = frozenset({"mnist", "fashion_mnist", "kmnist", "emnist", "mnist_corrupted"})
SPLITS = ("train", "test", "validation")


@function("tensorflow_datasets.load", "tensorflow_datasets.load_dataset")
def _load(call: Call) -> Value:
    name, split = call.get(0, "name"), call.get(1, "split")
    supervised = call.kwargs.get("as_supervised") is True
    made = _of_splits(call, name, split, supervised)
    return Seq([made, _info()], "tuple") if call.kwargs.get("with_info") is True else made


@function("tensorflow_datasets.builder", "tensorflow_datasets.builder_from_directory")
def _builder(call: Call) -> Value:
    return ExtObj("tensorflow_datasets.builder", call.args, call.kwargs, call.place, {"info": _info()})


@function("tensorflow_datasets.decode_example")
def _decoded(call: Call) -> Value:
    value = call.get(0, "example")
    return value if isinstance(value, Picture) else Picture(_read(None, call.place))


def of_builder(call: Call) -> Value:
    """A method of a builder: ``as_dataset`` gives what ``load`` gives."""
    if call.name != "as_dataset":
        return None
    name = call.thing.args[0] if call.thing.args else call.thing.kwargs.get("name")
    return _of_splits(call, name, call.get(0, "split"), call.kwargs.get("as_supervised") is True)


def _info() -> Obj:
    image = Obj(None, {"decode_example": Ext("tensorflow_datasets.decode_example")}, open=True)
    return Obj(None, {"features": Map({"image": image}, open=True)}, open=True)


def _of_splits(call: Call, name: Value, split: Value, supervised: bool) -> Value:
    if isinstance(split, Seq):
        return Seq([_dataset(call, name, one, supervised) for one in split.items], split.kind)
    if split is None:
        return Map({one: _dataset(call, name, one, supervised) for one in SPLITS}, open=True)
    return _dataset(call, name, split, supervised)


def _dataset(call: Call, name: Value, split: Value, supervised: bool) -> Value:
    picture, label = Picture(_read(name, call.place)), Unknown("a label", call.place)
    item: Value = Seq([picture, label], "tuple") if supervised else Map({"image": picture, "label": label}, open=True)
    words = [split] if isinstance(split, str) else []
    made = ExtObj("tensorflow.data.Dataset", list(words), {}, call.place, {"batch": item})
    if call.kwargs.get("batch_size") is None:
        return made
    whole = call.kwargs["batch_size"] == -1  # all of it as one array, and no data set of TensorFlow
    batches = call.machine.call(Method(made, "batch"), [call.kwargs["batch_size"]], {}, call.node)
    return batches.attrs["batch"] if whole else batches


def _read(name: Value, place: str) -> State:
    word = name.partition("/")[0].partition(":")[0] if isinstance(name, str) else ""
    gray = word in _GRAY
    decode = Decode.of("tensorflow", "channels=1" if gray else "channels=3")
    decode = replace(decode, provenance={"": explicit(place, word)})
    said = {"order": explicit(place, word)}
    if gray:
        state = State(kind="tf", decode=replace(decode, order="GRAY"), channels=COLOURS["GRAY"], said=said)
    else:
        state = State(kind="tf", decode=decode, said=said)
    state = replace(state, loaded=place, places=(place,))
    return state if decode.size is None else replace(state, size=decode.size)
