"""imgaug: augmenters that are put together; some set a size, and the rest is by chance."""

from __future__ import annotations

import re

from dataguard.preprocessing.static.library.opencv import kernel_of
from dataguard.preprocessing.static.library.registry import Call
from dataguard.preprocessing.static.picture import State, by_chance, default, losing, resized
from dataguard.preprocessing.static.values import Choice, ExtObj, Map, Picture, Seq, Value, is_number

PREFIX = "imgaug."
_FIXED = re.compile(r"FixedSize|PadTo|CropTo|ToAspectRatio|ToMultiples|Lambda|Scale$")
"""Augmenters that give a picture another size by rules that are not followed, or do what they are told."""
_PICTURES = ("image", "images")


def augmented(thing: Value, state: State, call: Call, depth: int = 0) -> State:
    """A state after an augmenter; one that is not known leaves axes and colours' order as they are."""
    place = call.place
    if not isinstance(thing, ExtObj) or depth > 6:
        return losing(by_chance(state, "augmenter", place), place, "an augmenter that is not known", "affine")
    name = thing.name.rpartition(".")[2]
    within = thing.args[0] if thing.args else thing.kwargs.get("children")
    if name == "Sequential" and isinstance(within, Seq) and thing.kwargs.get("random_order") in (None, False):
        for one in within.items[:64]:
            state = augmented(one, state, call, depth + 1)
        return state
    if name in ("Resize", "Scale"):
        return _resized(thing, state)
    if name in ("Noop", "Identity"):
        return state
    if any(_FIXED.search(one) for one in _names(thing)):
        return losing(state, thing.place or place, f"what {name} does is not followed", "geometry")
    sized = any(one in ("Resize", "Scale") for one in _names(thing))
    return by_chance(state, name, thing.place or place, size=(None, None) if sized else state.size)


def _names(thing: Value, depth: int = 0) -> list[str]:
    """What an augmenter is called, and those that it is made of."""
    if isinstance(thing, Choice):
        return [name for one in thing.options for name in _names(one, depth + 1)]
    within = [*thing.args, *thing.kwargs.values()] if isinstance(thing, ExtObj) else getattr(thing, "items", ())
    found = [thing.name.rpartition(".")[2]] if isinstance(thing, ExtObj) else []
    for one in within if depth < 6 and isinstance(within, list) else ():
        found += _names(one, depth + 1)
    return found


def _resized(thing: ExtObj, state: State) -> State:
    """``Resize`` to a size for both sides, or to one for each; bicubic where nothing is said."""
    size = thing.args[0] if thing.args else thing.kwargs.get("size")
    height: Value = size
    width: Value = size
    if isinstance(size, Map):
        height, width = size.items.get("height"), size.items.get("width")
    elif not is_number(size):
        # Of a pair or a list one is drawn.
        return by_chance(state, "Resize", thing.place)
    if not all(isinstance(one, int) for one in (height, width)):
        return losing(state, thing.place, "a resize by a factor, or of one side", "geometry")
    given = "interpolation" in thing.kwargs or len(thing.args) > 1
    word = thing.kwargs.get("interpolation", thing.args[1] if len(thing.args) > 1 else "cubic")
    names = {"nearest": "INTER_NEAREST", "linear": "INTER_LINEAR", "cubic": "INTER_CUBIC", "area": "INTER_AREA"}
    fields, said = kernel_of(names.get(word, word) if isinstance(word, str) else word, True, thing.place, state)
    said = said if given else default(thing.place, "imgaug: cubic")
    return resized(state, height, width, fields, thing.place, kernel=said, antialias=said)


def asked(call: Call) -> Value:
    """What an augmenter returns that is called, or asked for pictures: as they are given, alone or in a list."""
    first = [one for one in call.args[:1] if isinstance(one, Picture | Seq)]
    named = {name: call.kwargs[name] for name in _PICTURES if name in call.kwargs}
    value = first[0] if first else next(iter(named.values()), None)
    if isinstance(value, Seq) and value.items and all(isinstance(one, Picture) for one in value.items):
        made: Value = Seq([Picture(augmented(call.receiver, one.state, call)) for one in value.items], value.kind)
    elif isinstance(value, Picture):
        made = Picture(augmented(call.receiver, value.state, call))
    else:
        return call.unknown(f"what {call.name} returns")
    beside = [call.unknown(f"augmented {name}") for name in call.kwargs if name not in _PICTURES]
    return Seq([made, *beside], "tuple") if beside else made
