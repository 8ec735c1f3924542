"""Caffe's pictures: ``caffe.io.load_image`` and the Transformer that nets are fed through.

Source: BVLC/caffe ``python/caffe/io.py``: load_image reads with scikit-image as float32 of 0 to 1;
Transformer.preprocess resizes to the input's size, then transposes, swaps channels, scales raw levels, subtracts the
mean, scales the input.
"""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, cast, explicit, losing, mapped, reordered, resized, transposed
from dataguard.preprocessing.static.values import Map, Picture, Seq, Shape, Unknown, Value
from dataguard.preprocessing.steps import Crop


@function("caffe.io.load_image")
def _load(call: Call) -> Value:
    place = call.place
    decode = replace(Decode.of("scikit-image"), provenance={"": explicit(place, call.name)})
    state = State(kind="array", decode=decode, loaded=place, places=(place,), said={"order": explicit(place)})
    return Picture(cast(mapped(state, "divide", 255.0, place), "float32", place))


def _is_cut_to_the_input(state: State) -> bool:
    """Whether the last step cut a part of a size that only the net says: what has that size is not resized."""
    step = state.steps[-1] if state.steps else None
    return isinstance(step, Crop) and (step.height is None or step.width is None)


def transformer(call: Call) -> Value:
    """What a method of ``caffe.io.Transformer`` does."""
    held = call.thing.attrs
    if call.name.startswith("set_"):
        held[call.name] = call.args[1] if len(call.args) > 1 else Unknown("what the transformer is given", call.place)
        return None
    value = call.get(1, "data")
    if call.name != "preprocess" or not isinstance(value, Picture):
        return call.unknown(f"what the transformer's {call.name} returns")
    place = call.place
    state = value.state
    shape = call.thing.args[0] if call.thing.args else None
    sizes = list(shape.items.values()) if isinstance(shape, Map) else []
    lengths = sizes[0].items if sizes and isinstance(sizes[0], Seq | Shape) else []
    height, width = lengths[-2:] if len(lengths) > 1 else [Unknown("the input's size", place)] * 2
    fields = {"engine": "scikit-image", "kernel": "linear", "antialias": "none", "align": "half_pixel"}
    if not (isinstance(height, Unknown) and isinstance(width, Unknown) and _is_cut_to_the_input(state)):
        state = resized(state, height, width, fields, place)
    axes = held.get("set_transpose")
    if isinstance(axes, Seq):
        state = transposed(state, [one for one in axes.items if isinstance(one, int)], place)
    swap = held.get("set_channel_swap")
    if isinstance(swap, Seq) and all(isinstance(one, int) for one in swap.items):
        state = reordered(state, swap.items, place)
    elif swap is not None:
        state = losing(state, place, "channels are exchanged by what is not known", "order")
    for name, operation in (("set_raw_scale", "multiply"), ("set_mean", "subtract"), ("set_input_scale", "multiply")):
        if held.get(name) is not None:
            state = mapped(state, operation, held[name], place)
    return Picture(state)
