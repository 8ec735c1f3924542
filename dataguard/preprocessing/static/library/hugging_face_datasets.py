"""Data sets of Hugging Face: their pictures, what ``map`` and ``set_transform`` make of them, and its trainer.

Sources: datasets 4, ``features/image.py`` (pictures are opened by Pillow, and turned as EXIF says from 2.18 on),
``arrow_dataset.py``; transformers 5.23, ``trainer.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import arrays, feeding, loaders
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, explicit
from dataguard.preprocessing.static.values import ExtObj, Map, Method, Picture, Seq, Unknown, Value

ONE = "datasets.arrow_dataset.Dataset"
SEVERAL = "datasets.dataset_dict.DatasetDict"
_FEATURE = "datasets.features.image.Image"
TRAINERS = ("transformers.Trainer", "transformers.Seq2SeqTrainer")
_SPLITS = ("train", "validation", "test", "val", "valid", "eval")
_PICTURES = ("image", "img", "jpg", "png")
"""Columns that hold pictures."""
_CHANGED = frozenset({"map", "set_transform", "with_transform", "cast_column"})
_SAME = frozenset(
    {
        "shuffle", "select", "filter", "with_format", "set_format", "remove_columns", "select_columns", "cast",
         "flatten_indices", "shard", "take", "skip", "sort", "class_encode_column", "to_iterable_dataset",
        "repeat", "flatten",
    }
)  # fmt: skip
METHODS = _CHANGED | _SAME | {"train_test_split", "rename_column", "rename_columns"}
TRAINING = frozenset({"train", "evaluate", "predict"})


def _opened(call: Call) -> Map:
    """An item as it is stored: a picture that Pillow opened, in the column that is asked for."""
    place = call.place
    why = "datasets turns pictures as EXIF says from 2.18 on, and nothing says which version is meant"
    decode = Decode.of("pillow")
    decode = replace(
        decode,
        exif=None,
        undetermined={**decode.undetermined, "exif": why},
        provenance={"": explicit(place, call.name)},
    )
    state = State(kind="pil", decode=decode, said={"order": explicit(place)}, loaded=place, places=(place,))
    return Map(dict.fromkeys(_PICTURES, Picture(state)), open=True)


def _of(item: Value, split: str, place: str) -> ExtObj:
    return ExtObj(ONE, [split] if split else [], {}, place, {"picture": item})


def _several(item: Value, place: str) -> ExtObj:
    return ExtObj(SEVERAL, [], {}, place, {name: _of(item, name, place) for name in _SPLITS})


@function("datasets.load_dataset", "datasets.load.load_dataset", "datasets.load_from_disk")
def _load(call: Call) -> Value:
    split = call.kwargs.get("split")
    if split is None:
        return _several(_opened(call), call.place)
    if isinstance(split, Seq):
        names = [one.partition("[")[0] if isinstance(one, str) else "" for one in split.items]
        return Seq([_of(_opened(call), name, call.place) for name in names], "list")
    return _of(_opened(call), split.partition("[")[0] if isinstance(split, str) else "", call.place)


def of_dataset(call: Call) -> Value:
    """What a method of a data set, or of several under their splits' names, comes to."""
    thing = call.thing
    parts = [one for one in thing.attrs.values() if isinstance(one, ExtObj)] if thing.name == SEVERAL else [thing]
    if not parts:
        return call.unknown("no data set")
    item = parts[0].attrs.get("picture")
    if call.name in _SAME or not isinstance(item, Map):
        return thing
    if call.name == "train_test_split":
        return _several(item, call.place)
    if call.name.startswith("rename"):
        column = call.get(0, "original_column_name", call.kwargs.get("column_mapping"))
        names = column.items if isinstance(column, Map) else {column: call.get(1, "new_column_name")}
        made: Value = Map({names.get(key, key): value for key, value in item.items.items()}, open=True)
    elif call.name == "cast_column":
        made = _cast(call, item)
    else:
        made = _changed(call, item)
    if call.name == "set_transform":
        for one in parts:
            call.machine.put(one.attrs, "picture", made)
        return None
    return _several(made, thing.place) if thing.name == SEVERAL else replace(thing, attrs={"picture": made})


@function("datasets.Image", "datasets.features.Image")
def _feature(call: Call) -> Value:
    return ExtObj(_FEATURE, call.args, call.kwargs, call.place)


def _cast(call: Call, item: Map) -> Map:
    """An item of which a column is read as a feature says: what names a file is opened, and converted to its mode."""
    column, feature = call.get(0, "column"), call.get(1, "feature")
    if not isinstance(feature, ExtObj) or feature.name != _FEATURE or not isinstance(column, str):
        return item
    asked = Call(call.machine, call.name, feature.args, feature.kwargs, call.node)
    made: Value = item.items.get(column)
    if not isinstance(made, Picture):
        made = _opened(call).items[_PICTURES[0]]
    if asked.get(1, "decode", True) is not True:
        made = call.unknown("a picture that may not be decoded")
    elif asked.get(0, "mode") is not None:
        made = call.machine.call(Method(made, "convert"), [asked.get(0, "mode")], {}, call.node)
    return Map({**item.items, column: made}, open=True)


def _changed(call: Call, item: Map) -> Value:
    """An item after a function: transforms are given dictionaries of lists, ``map`` is where it says so."""
    func = call.get(0, "function", call.kwargs.get("transform"))
    if func is None:
        return item
    lists = call.name != "map" or call.kwargs.get("batched") is True
    if lists:
        given: Value = Map({key: Seq([value], "list", many=True) for key, value in item.items.items()}, open=True)
    else:
        given = Map(dict(item.items), open=True)
    more = call.kwargs.get("fn_kwargs")
    kwargs = {str(key): value for key, value in more.items.items()} if isinstance(more, Map) else {}
    made = call.machine.call(func, [given], kwargs, call.node)
    if not isinstance(made, Map):
        return made
    if lists:
        made = Map({key: _first(value) for key, value in made.items.items()}, open=made.open)
    # What map does not name stays as it was.
    return Map({**item.items, **made.items}, open=True) if call.name == "map" else made


def _first(value: Value) -> Value:
    if isinstance(value, Seq):
        return value.items[0] if value.items else None
    if isinstance(value, Picture) and value.state.layout[:1] == "N":
        return Picture(replace(value.state, layout=value.state.layout[1:]))
    return value


def trained(call: Call) -> Value:
    """A trainer's methods: the data sets that it was made with go through its collator into its model."""
    machine, made = call.machine, call.thing.kwargs
    collate = made.get("data_collator")
    given: Mapping[str, Value] = {"train": made.get("train_dataset"), "val": made.get("eval_dataset")}
    if call.name != "train":
        given = {"val": call.get(0, "eval_dataset", call.kwargs.get("test_dataset")) or made.get("eval_dataset")}
    for role, held in given.items():
        item = loaders.item(machine, held, call.node)
        if isinstance(item, Map) and collate is not None and not isinstance(collate, Unknown | ExtObj):
            item = machine.call(collate, [Seq([item], "list", many=True)], {}, call.node)
        if isinstance(item, Map):
            # What the model does not take is dropped.
            item = item.items.get("pixel_values", item)
        found = [one for one in arrays.pictures(item) if feeding.is_prepared(one)]
        if found:
            place = getattr(held, "place", "") or call.place
            fed = loaders.batched(found[0])
            identity = loaders.identity_of(held) if isinstance(held, ExtObj) else ""
            machine.sink("dataset", fed, call.node, hints=(role,), identity=identity, place=place)
    return call.unknown("what a trainer returns")
