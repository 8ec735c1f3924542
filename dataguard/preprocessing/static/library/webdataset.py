"""Shards of WebDataset: what its stages make of the pictures in them, as methods or as a list of stages.

Source: webdataset 0.2, ``autodecode.py`` (what a word decodes pictures to), ``filters.py``, ``pipeline.py``.
"""

from __future__ import annotations

import re
from dataclasses import replace

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import arrays
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import Kind, State, as_float, explicit, mapped
from dataguard.preprocessing.static.values import Bound, Ext, ExtObj, Func, Map, Picture, Seq, Unknown, Value

SHARDS = "webdataset.WebDataset"
_DECODED = re.compile(r"^(?P<what>pil|torch)?(?P<mode>rgb|l)?(?P<whole>8)?$")
_PICTURES = ("jpg", "png", "jpeg", "webp", "image")
"""Endings of files that hold pictures, and what they are renamed to most."""
_STAGES = frozenset({"decode", "rename", "map_dict", "to_tuple", "map_tuple", "map", "batched", "extract_keys"})
_SAME = frozenset(
    {
        "shuffle", "select", "with_epoch", "with_length", "repeat", "slice", "rename_keys", "ddp_equalize",
        "detshuffle", "rsample", "listed",
    }
)  # fmt: skip
METHODS = _STAGES | _SAME
CHAINED = frozenset({"compose", "then", "unbatched"})
"""Methods of shards that are given stages, or take batches apart."""


@function("webdataset.WebDataset", "webdataset.Dataset", "webdataset.FluidWrapper")
def _shards(call: Call) -> Value:
    return ExtObj(SHARDS, call.args[:1], {}, call.place, {"picture": Map({}, open=True)})


@function("webdataset.DataPipeline")
def _stages(call: Call) -> Value:
    """A list of stages, each made by the function that is called as the method."""
    made = ExtObj(SHARDS, [], {}, call.place, {"picture": Map({}, open=True)})
    items = call.args[0].items if len(call.args) == 1 and isinstance(call.args[0], Seq) else call.args
    for one in items:
        made = _through(call, made, one) if _stage_of(one) or isinstance(one, Bound | Func) else made
    return made


def _stage_of(value: Value) -> str:
    """The method that a stage of a list is called as; '' for what is none."""
    known = isinstance(value, Ext | ExtObj) and value.name.startswith("webdataset.")
    return value.name.rpartition(".")[2] if known else ""


def _through(call: Call, shards: ExtObj, stage: Value) -> ExtObj:
    """Shards with a stage more, which may be a function that is given all samples and yields others."""
    name = _stage_of(stage)
    if name:
        known = isinstance(stage, ExtObj) and name in METHODS
        return with_stage(Call(call.machine, name, stage.args, stage.kwargs, call.node, shards)) if known else shards
    held = shards.attrs["picture"]
    samples = Seq([Map(dict(held.items), open=True) if isinstance(held, Map) else held], "list", many=True)
    more = call.args[1:] if call.name == "then" else []
    made = call.machine.call(stage, [samples, *more], dict(call.kwargs), call.node)
    return replace(shards, attrs={"picture": arrays.element(call.machine, made, None)})


def chained(call: Call) -> ExtObj:
    """``compose`` of several stages, ``then`` of one with its arguments, and batches that are taken apart."""
    made = call.thing
    if call.name == "unbatched":
        from dataguard.preprocessing.static.loaders import unbatched

        return replace(made, attrs={"picture": unbatched(made.attrs["picture"])})
    for one in call.args if call.name == "compose" else call.args[:1]:
        made = _through(call, made, one)
    return made


@function(
    *(f"webdataset.{name}" for name in sorted(METHODS)), *(f"webdataset.filters.{name}" for name in sorted(METHODS))
)
def _stage(call: Call) -> Value:
    return ExtObj(f"webdataset.{call.name.rpartition('.')[2]}", call.args, call.kwargs, call.place)


@function("webdataset.WebLoader")
def _loader(call: Call) -> Value:
    return call.machine.call(Ext("torch.utils.data.DataLoader"), call.args, call.kwargs, call.node)


def with_stage(call: Call) -> ExtObj:
    """What a method of shards comes to: the shards with one stage more."""
    thing = call.thing
    if call.name in _SAME:
        return thing
    before = thing.attrs.get("picture")
    item = _worked(call, before if isinstance(before, Map | Seq) else Map({}, open=True))
    return replace(thing, attrs={"picture": item})


def _worked(call: Call, item: Map | Seq) -> Value:
    machine = call.machine
    if call.name == "decode" and isinstance(item, Map):
        word = next((one for one in call.args if isinstance(one, str)), "")
        return Map({**item.items, **dict.fromkeys(_PICTURES, _picture(call, word))}, open=True)
    if call.name == "rename" and isinstance(item, Map):
        found = {name: _field(item, said) for name, said in call.kwargs.items()}
        return Map({**item.items, **found}, open=True)
    if call.name in ("to_tuple", "extract_keys") and isinstance(item, Map):
        names = call.args[0].split() if len(call.args) == 1 and isinstance(call.args[0], str) else call.args
        return Seq([_field(item, one) for one in names], "tuple")
    if call.name == "map_dict" and isinstance(item, Map):
        changed = {name: machine.call(func, [item.items.get(name, Unknown("a field"))], {}, call.node)
                   for name, func in call.kwargs.items()}  # fmt: skip
        return Map({**item.items, **changed}, open=True)
    if call.name == "map_tuple" and isinstance(item, Seq):
        pairs = [*zip(call.args, item.items, strict=False)]
        made = [one if func is None else machine.call(func, [one], {}, call.node) for func, one in pairs]
        return Seq([*made, *item.items[len(made) :]], "tuple")
    if call.name == "map" and call.args:
        return machine.call(call.args[0], [item], {}, call.node)
    if call.name == "batched":
        from dataguard.preprocessing.static.loaders import batched

        return batched(item)
    return item


def _field(item: Map, said: Value) -> Value:
    """A field by its name, or by the first of several that is there: 'jpg;png'."""
    names = said.split(";") if isinstance(said, str) else []
    return next((item.items[name] for name in names if name in item.items), Unknown("a field of a sample"))


def _picture(call: Call, word: str) -> Value:
    found = _DECODED.match(word)
    if found is None or not word:
        return Unknown(f"what decode({word!r}) makes of pictures", call.place)
    gray = found["mode"] == "l"
    place = call.place
    decode = replace(
        Decode.of("pillow", "convert L" if gray else "convert RGB"), provenance={"": explicit(place, word)}
    )
    kind: Kind = "pil" if found["what"] == "pil" else "tensor" if found["what"] == "torch" else "array"
    layout = "HW" if gray else "CHW" if kind == "tensor" else "HWC"
    state = State(
        kind=kind,
        decode=decode,
        channels=("Y",) if gray else ("R", "G", "B"),
        layout=layout,
        said={"order": explicit(place, word)},
        loaded=place,
        places=(place,),
    )
    if kind != "pil" and not found["whole"]:
        state = as_float(mapped(state, "divide", 255.0, place))
    return Picture(state)
