"""What a model of Keras does to its input before its first layer of weights: Rescaling, Lambda, preprocess_input.

The input of a functional model is followed as TensorFlow's placeholders are; the layers of a Sequential are done in
their order. Layers that chance decides about do nothing where a model predicts, and are left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.library import placeholders
from dataguard.preprocessing.static.library.crops import centred
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, by_chance, mapped, resized
from dataguard.preprocessing.static.values import ExtObj, Picture, Seq, Value, is_number, numbers
from dataguard.preprocessing.steps import Random

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

_MODELS = "keras.models."


@function("keras.Input", "keras.layers.Input", "keras.models.Input")
def _input(call: Call) -> Value:
    shape = call.get(0, "shape")
    lengths = shape.items if isinstance(shape, Seq) else []
    if len(lengths) != 3 or lengths[-1] not in (1, 3):
        return ExtObj(f"{_MODELS}Input", call.args, call.kwargs, call.place)
    size = (lengths[0], lengths[1]) if all(is_number(one) for one in lengths[:2]) else None
    return Picture(placeholders.of_input(call.place, int(lengths[-1]), size))


def prepared(call: Call, layer: ExtObj, picture: Picture) -> Value:
    """What a layer without weights makes of a picture; None for a layer of a network."""
    name = layer.name.rpartition(".")[2]
    inner = Call(call.machine, layer.name, layer.args, layer.kwargs, call.node)
    state, place = picture.state, layer.place
    if name == "Rescaling":
        state = mapped(state, "multiply", inner.get(0, "scale", 1.0), place)
        return Picture(mapped(state, "add", inner.get(1, "offset", 0.0), place))
    if name == "Normalization" and (variance := numbers(inner.get(2, "variance"))) is not None:
        state = mapped(state, "subtract", inner.get(1, "mean"), place)
        return Picture(mapped(state, "divide", Seq([one**0.5 for one in variance], "array"), place))
    if name == "Lambda":
        made = call.machine.call(inner.get(0, "function"), [picture], {}, call.node)
        return made if isinstance(made, Picture) else None
    if name.startswith("Random"):
        return Picture(by_chance(state, name, place, size=state.size))
    if name == "Resizing":
        from dataguard.preprocessing.static.library.tensorflow import kernel_of

        given = inner.given(2, "interpolation")
        fields, said = kernel_of(inner.get(2, "interpolation", "bilinear"), given, place, False)
        return Picture(resized(state, inner.get(0, "height"), inner.get(1, "width"), fields, place, kernel=said))
    if name == "CenterCrop":
        height, width = inner.get(0, "height"), inner.get(1, "width")
        if is_number(height) and is_number(width):
            return Picture(centred(state, int(height), int(width), place))
        return Picture(parts.unknown_crop(state, "the size is not known", place))
    if name == "InputLayer":
        return picture
    return None


def through(call: Call, model: ExtObj, picture: Picture) -> tuple[Picture, bool]:
    """What the first layers of a Sequential make of a picture, and whether it has no others."""
    for layer in _layers(model):
        if isinstance(layer, ExtObj) and layer.name == f"{_MODELS}Sequential":
            picture, whole = through(call, layer, picture)
            if whole:
                continue
            return picture, False
        made = prepared(call, layer, picture) if isinstance(layer, ExtObj) else None
        if not isinstance(made, Picture):
            return picture, False
        picture = made
    return picture, bool(_layers(model))


def _layers(model: ExtObj) -> list[Value]:
    given = model.args[0] if model.args else model.kwargs.get("layers")
    added = model.attrs.get("*layers")
    return [*(given.items if isinstance(given, Seq) else []), *(added.items if isinstance(added, Seq) else [])]


def added(call: Call) -> Value:
    """``model.add(layer)``."""
    layers = call.receiver.attrs.setdefault("*layers", Seq([], "list"))
    if isinstance(layers, Seq) and call.args and len(layers.items) < 16:
        layers.items.append(call.args[0])
    return None


def within(machine: Machine, network: Value, value: Value) -> Value:
    """A picture that is fed to a model, after what the model does to it before its first layer."""
    if not isinstance(network, ExtObj) or not network.name.startswith(_MODELS) or not isinstance(value, Picture):
        return value
    if network.name.endswith(".Sequential"):
        call = Call(machine, network.name, [value], {}, None)  # type: ignore[arg-type]
        made, _ = through(call, network, value)
        return Picture(_prepared(made.state, value.state))
    given = network.args[0] if network.args else network.kwargs.get("inputs", network.kwargs.get("input"))
    graph = machine.graphs.get(placeholders.name_of(given))
    if not isinstance(graph, State) or not (graph.touched or graph.steps or graph.lost):
        return value
    return Picture(_prepared(placeholders.changed(value.state, graph), value.state))


def _prepared(after: State, before: State) -> State:
    """What a model's own layers make of a picture, without the steps of chance, which are for training alone."""
    count = len(before.steps)
    kept = [one for one in after.steps[count:] if not isinstance(one, Random)]
    if not before.is_float and (after.scale, after.offset) != (before.scale, before.offset):
        after = replace(after, dtype="float32")  # Keras casts what it is fed to the type of its layers
    if len(kept) == len(after.steps) - count:
        return after
    return replace(after, steps=(*before.steps, *kept), size=after.size if kept else before.size)
