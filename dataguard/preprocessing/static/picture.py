"""A picture on its way to a model: what has happened to it so far, by the lines of code that did it.

The order of channels is kept by naming the channels (R, G, B, or Y), so that every way to exchange them is the same.
What is done to levels is kept as a scale and an offset for each channel, in the order that the channels have now.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from dataguard.preprocessing.pipeline import Affine, Decode
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.static import sizes
from dataguard.preprocessing.static.values import Value, is_number, numbers
from dataguard.preprocessing.steps import Crop, Flip, Pad, Random, Resize, Step, unread

Kind: TypeAlias = Literal["pil", "array", "tensor", "tf"]
"""Whose picture it is: Pillow's, numpy's, torch's, TensorFlow's."""

COLOURS: Mapping[str, tuple[str, ...]] = {
    "RGB": ("R", "G", "B"),
    "BGR": ("B", "G", "R"),
    "GRAY": ("Y",),
    "RGBA": ("R", "G", "B", "A"),
    "BGRA": ("B", "G", "R", "A"),
}
_ORDERS = {channels: order for order, channels in COLOURS.items()}

LUMA = "brightness first"
"""The note of a picture in a space of colours of which the first channel is its gray: YCbCr, YUV."""

MOST_STEPS = 64
"""More steps than any path has; a loop that adds more is not followed further."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What a picture is at one point of the code."""

    kind: Kind
    decode: Decode
    channels: tuple[str, ...] | None = ("R", "G", "B")
    layout: str = "HWC"
    """Of its axes: 'HWC', 'CHW', 'NCHW', 'HW', …"""
    dtype: str | None = "uint8"
    size: tuple[Value, Value] = (sizes.HEIGHT, sizes.WIDTH)
    steps: tuple[Step, ...] = ()
    scale: tuple[float, ...] | None = (1.0,)
    offset: tuple[float, ...] | None = (0.0,)
    written: tuple[tuple[str, tuple[float, ...]], ...] = ()
    of_content: str | None = None
    lost: Mapping[str, str] = field(default_factory=dict)
    """Fields of the pipeline that are not known from here on, with the reason."""
    said: Mapping[str, Provenance] = field(default_factory=dict, compare=False)
    """Where the fields of the pipeline were set."""
    places: tuple[str, ...] = field(default=(), compare=False)
    """'file:line' of everything that was done, in order."""
    loaded: str = field(default="", compare=False)
    """'file:line' where the file was opened; '' where a caller gives the picture."""
    notes: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """Facts on the way, as ('bgr-as-rgb', 'file:line')."""
    through: tuple[str, ...] = field(default=(), compare=False)
    """Ids of the data sets and loaders that it came out of."""
    target: str = field(default="", compare=False)
    """'module:function' of the function that returned it last."""

    @property
    def order(self) -> str | None:
        """RGB, BGR, GRAY …; None where it is none of them."""
        return None if self.channels is None else _ORDERS.get(self.channels)

    @property
    def touched(self) -> bool:
        """Whether levels were mapped."""
        return self.scale != (1.0,) or self.offset != (0.0,)

    @property
    def is_float(self) -> bool:
        """Whether its levels are floating point, as far as is known."""
        return self.dtype is not None and self.dtype.startswith("float")


def explicit(place: str, detail: str = "") -> Provenance:
    """Written in code at 'file:line'."""
    return _said(Origin.EXPLICIT, place, detail)


def default(place: str, detail: str) -> Provenance:
    """A library's default, at the call at 'file:line'."""
    return _said(Origin.DEFAULT, place, detail)


def _said(origin: Origin, place: str, detail: str) -> Provenance:
    path, _, line = place.rpartition(":")
    return Provenance(origin=origin, detail=detail, path=path or None, line=int(line) if line.isdigit() else None)


def moved(state: State, place: str, **changes: Any) -> State:
    """A state with changes, and the place that made them."""
    places = state.places
    if place and (not places or places[-1] != place) and len(places) < 4 * MOST_STEPS:
        places = (*places, place)
    return replace(state, places=places, **changes)


def losing(state: State, place: str, why: str, *names: str) -> State:
    """A state of which fields are not known any more.

    Args:
        state: The state.
        place: 'file:line' of what makes them unknown.
        why: What it is.
        names: Of 'order', 'geometry', 'affine', 'layout', 'dtype'; without any, all of them.
    """
    names = names or ("order", "geometry", "affine", "layout", "dtype")
    reason = f"{why} ({place})" if place else why
    lost = {**dict.fromkeys(names, reason), **state.lost}
    return moved(state, place, lost=lost)


def common(states: Sequence[State], why: str) -> State:
    """The first of several states, without the fields that the others do not share."""
    from dataguard.preprocessing.static.canonical import decode_of, steps_of

    first = states[0]
    sides: dict[str, list[Any]] = {
        "order": [one.channels for one in states],
        "affine": [(one.scale, one.offset, one.of_content) for one in states],
        "layout": [one.layout for one in states],
        "dtype": [one.dtype for one in states],
    }
    if any(one.decode != first.decode for one in states):
        first = replace(first, decode=decode_of([one.decode for one in states], why))
    if any("geometry" in one.lost for one in states):
        lost = next(one.lost["geometry"] for one in states if "geometry" in one.lost)
        first = replace(first, lost={**first.lost, "geometry": lost})
    elif any((one.steps, one.size) != (first.steps, first.size) for one in states):
        steps = steps_of([one.steps for one in states], why)
        first = losing(first, "", why, "geometry") if steps is None else replace(first, steps=steps)
        if any(one.size != first.size for one in states):
            first = replace(first, size=(None, None))
    differ = [
        name
        for name, found in sides.items()
        if any(one != found[0] for one in found) or len({name in one.lost for one in states}) > 1
    ]
    return losing(first, "", why, *differ) if differ else first


def mapped(state: State, operation: str, value: Value, place: str) -> State:
    """A state whose levels were divided, multiplied, subtracted from or added to.

    Args:
        state: The state.
        place: 'file:line' of the operation.
        operation: 'divide', 'multiply', 'subtract' or 'add'.
        value: One number, or one a channel in their present order.
    """
    found = numbers(value)
    if found is None:
        why = getattr(value, "reason", lambda: "a value that is not known")()
        return losing(state, place, f"levels are changed by {why}", "affine")
    if len(set(found)) == 1:
        found = found[:1]
    count = len(state.channels) if state.channels is not None else None
    if len(found) > 1 and count is not None and len(found) != count:
        return losing(state, place, f"{len(found)} values for {count} channels", "affine")
    if operation == "divide" and 0.0 in found:
        return losing(state, place, "levels are divided by zero", "affine")
    if state.scale is None or state.offset is None:
        return moved(state, place)
    length = max(len(found), len(state.scale), len(state.offset))
    scale, offset = _spread(state.scale, length), _spread(state.offset, length)
    each = _spread(found, length)
    change = _CHANGES[operation]
    if operation in ("divide", "multiply"):
        scale = tuple(map(change, scale, each))
    offset = tuple(map(change, offset, each))
    if 0.0 in scale:
        # What is left is of one value, as a border is.
        return replace(losing(state, place, "levels are multiplied by zero", "affine"), scale=scale, offset=offset)
    neutral = set(found) == {0.0 if operation in ("add", "subtract") else 1.0}
    written = state.written if neutral else (*state.written, (operation, found))
    said = {**state.said, "affine": explicit(place)}
    for name, parts in (("scale", ("divide", "multiply")), ("offset", ("add", "subtract"))):
        if operation in parts:
            said[f"affine.{name}"] = explicit(place)
    return moved(state, place, scale=scale, offset=offset, written=written[:MOST_STEPS], said=said)


_CHANGES: Mapping[str, Callable[[float, float], float]] = {
    "divide": operator.truediv,
    "multiply": operator.mul,
    "subtract": operator.sub,
    "add": operator.add,
}


def _spread(values: tuple[float, ...], length: int) -> tuple[float, ...]:
    return values * length if len(values) == 1 else values


def stepped(state: State, step: Step, place: str) -> State:
    """A state with one more step of its geometry."""
    if len(state.steps) >= MOST_STEPS:
        return losing(state, place, f"more than {MOST_STEPS} steps", "geometry")
    size = state.size
    if isinstance(step, Random):
        size = (None, None) if step.name not in _KEEPS_SIZE else size
    elif isinstance(step, Flip):
        if step.kind in ("transpose", "rotate_90", "rotate_270"):
            size = (size[1], size[0])
    elif isinstance(step, Resize | Crop | Pad):
        size = sizes.through(step, *size) or (None, None)
    after = moved(state, place, steps=(*state.steps, step), size=size)
    return begun_anew(after) if isinstance(step, Resize) else after


_KEEPS_SIZE = frozenset(
    {"RandomHorizontalFlip", "RandomVerticalFlip", "HorizontalFlip", "ColorJitter", "flip", "noise"}
)


def by_chance(
    state: State,
    name: str,
    place: str,
    *,
    size: tuple[Value, Value] | None = None,
    shown: Mapping[str, str] | None = None,
) -> State:
    """A state after a step that chance decides, with its parameters as they are shown."""
    step = Random(name=name, parameters=tuple((shown or {}).items()), provenance={"": explicit(place, name)})
    if any(
        isinstance(one, Random) and one.name == name and one.origin_of("") == step.origin_of("") for one in state.steps
    ):
        return moved(state, place)
    after = stepped(state, step, place)
    after = replace(after, size=size if size is not None else after.size)
    return begun_anew(after) if "interpolation" in (shown or {}) else after


def begun_anew(state: State) -> State:
    """A state whose last step is known where not all before it was followed, which becomes one step of its own.

    Nothing is known of that one. Where the last step gives every picture one size, the size before is no matter.
    """
    why = state.lost.get("geometry")
    if why is None or not state.steps:
        return state
    chance = [one for one in state.steps[:-1] if isinstance(one, Random)]
    lost = {name: reason for name, reason in state.lost.items() if name != "geometry"}
    return replace(state, steps=(unread(why), *chance, state.steps[-1]), lost=lost)


def reordered(state: State, positions: Sequence[int], place: str) -> State:
    """A state whose channels are taken in another order, or of which some are taken."""
    count = len(state.channels) if state.channels is not None else None
    if state.channels is None or count is None:
        return losing(state, place, "channels are exchanged whose order is not known", "order")
    if any(not -count <= one < count for one in positions):
        return losing(state, place, "a channel is taken that does not exist", "order")
    channels = tuple(state.channels[one] for one in positions)
    if list(positions) == [0] and any(name == LUMA for name, _ in state.notes):
        channels = COLOURS["GRAY"]
        state = replace(state, lost={name: why for name, why in state.lost.items() if name != "order"})

    def taken(values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is None or len(values) == 1:
            return values
        return tuple(values[one] for one in positions)

    written = state.written
    if any(len(values) > 1 for _, values in written):
        written = tuple((name, taken(values) or values) for name, values in written)
    said = {**state.said, "order": explicit(place)}
    return moved(
        state,
        place,
        channels=channels,
        scale=taken(state.scale),
        offset=taken(state.offset),
        written=written,
        said=said,
    )


def of_order(state: State, order: str, place: str) -> State:
    """A state that a conversion brings to an order, whatever its channels were."""
    lost = {name: why for name, why in state.lost.items() if name != "order"}
    if any(len(one or (0.0,)) not in (1, len(COLOURS[order])) for one in (state.scale, state.offset)):
        lost.setdefault("affine", f"channels whose levels were mapped apart are mixed ({place})")
        state = replace(state, scale=None, offset=None, written=())
    return moved(state, place, channels=COLOURS[order], lost=lost, said={**state.said, "order": explicit(place)})


def cast(state: State, dtype: str | None, place: str) -> State:
    """A state of another type of number; what a cast to whole numbers cuts off is not kept."""
    lost = dict(state.lost)
    if dtype is not None:
        lost.pop("dtype", None)
    changed = bool(state.steps) and getattr(state.steps[-1], "name", "") in ("levels", "noise")
    if dtype == "uint8" and state.touched and changed:
        # Levels that chance changed are whole ones of 0 to 255 again, whatever they were multiplied by meanwhile.
        state = replace(state, scale=(1.0,), offset=(0.0,), written=())
    whole = dtype in ("uint8", "int32", "int64") and state.touched and state.is_float
    if whole and state.scale is not None and max(map(abs, state.scale)) < 0.5:
        lost.setdefault("affine", f"levels are cut to whole numbers ({place})")
    return moved(state, place, dtype=dtype, lost=lost, said={**state.said, "dtype": explicit(place)})


def transposed(state: State, axes: Sequence[int], place: str) -> State:
    """A state whose axes are exchanged, as by ``transpose``."""
    count = len(state.layout)
    known = _ARRANGING.get(tuple(axes)) if "layout" in state.lost else None
    if known is not None:
        # What it was before is not known; nobody writes these axes for any other.
        lost = {name: why for name, why in state.lost.items() if name != "layout"}
        return moved(state, place, layout=known, lost=lost, said={**state.said, "layout": explicit(place)})
    if sorted(one % count if count else one for one in axes) != list(range(count)):
        if len(axes) == 3 and count == 2:
            return moved(state, place)
        return losing(state, place, f"axes {tuple(axes)} of a picture of {count} axes are exchanged", "layout")
    layout = "".join(state.layout[one] for one in axes)
    after = moved(state, place, layout=layout, said={**state.said, "layout": explicit(place)})
    if "H" in layout and "W" in layout and layout.index("W") < layout.index("H"):
        # Rows and columns change places; the axes are named anew so that H stays the first of the two.
        swapped = layout.replace("H", "?").replace("W", "H").replace("?", "W")
        if state.steps and isinstance(state.steps[-1], Flip) and state.steps[-1].kind == "transpose":
            # The second undoes the first.
            return replace(after, steps=state.steps[:-1], size=state.size[::-1], layout=swapped)
        turned = Flip(kind="transpose", provenance={"": explicit(place)})
        after = replace(stepped(after, turned, place), layout=swapped)
    return after


_ARRANGING: Mapping[tuple[int, ...], str] = {
    (2, 0, 1): "CHW",
    (1, 2, 0): "HWC",
    (0, 3, 1, 2): "NCHW",
    (0, 2, 3, 1): "NHWC",
}
"""What axes are after they are exchanged like this, as they are written of pictures."""


def with_axis(state: State, axis: int, place: str) -> State:
    """A state with one more axis of length 1."""
    count = len(state.layout) + 1
    axis = axis % count if count else 0
    if axis == 1 and state.layout[:1] == "C" and "N" not in state.layout and len(state.channels or ()) == 1:
        # What was stacked on the first axis are several gray pictures.
        return moved(state, place, layout="NC" + state.layout[1:], said={**state.said, "layout": explicit(place)})
    if axis in (1, 3) and state.layout == "NHW" and len(state.channels or ()) == 1:
        layout = "NHWC" if axis == 3 else "NCHW"
        return moved(state, place, layout=layout, said={**state.said, "layout": explicit(place)})
    if axis == 3 and state.layout == "CHW" and len(state.channels or ()) == 1:
        return moved(state, place, layout="NHWC", said={**state.said, "layout": explicit(place)})
    if state.layout == "HW" and axis in (0, 2):
        name = "C"
    elif "N" not in state.layout:
        name = "N"
    elif "T" not in state.layout:
        # Of a film: its frames are an axis of their own.
        inner = state.layout.replace("N", "T") if axis == 0 else state.layout
        layout = f"{inner[:axis]}{'T' if axis else 'N'}{inner[axis:]}"
        return moved(state, place, layout=layout, said={**state.said, "layout": explicit(place)})
    else:
        return losing(state, place, "an axis is added to a batch of films", "layout")
    layout = state.layout[:axis] + name + state.layout[axis:]
    return moved(state, place, layout=layout, said={**state.said, "layout": explicit(place)})


def without_axis(state: State, axis: int | None, place: str) -> State:
    """A state without an axis of length 1; None drops the batch."""
    if axis is None:
        axes = [at for at, name in enumerate(state.layout) if name == "N"]
        return moved(state, place, layout=without(state.layout, axes))
    if -len(state.layout) <= axis < len(state.layout) and state.layout[axis] in "NCT":
        return moved(state, place, layout=without(state.layout, [axis % len(state.layout)]))
    return moved(state, place)


def without(layout: str, axes: Collection[int] = (0,)) -> str:
    """A layout without some of its axes: without films the frames of one are the batch.

    >>> without("NTCHW"), without("NTCHW", [0, 1]), without("NNCHW")
    ('NCHW', 'CHW', 'NCHW')
    """
    left = "".join(name for at, name in enumerate(layout) if at not in axes)
    return left if "N" in left else left.replace("T", "N")


def fill_levels(state: State, value: Value) -> tuple[float, ...] | None:
    """A border's values as levels of 0 to 255: what is added after the levels were mapped is in the map's units."""
    found = numbers(value)
    if found is None:
        return None
    if not state.touched:
        return found
    if state.scale is None or state.offset is None or 0.0 in state.scale:
        return None
    length = max(len(found), len(state.scale), len(state.offset))
    rows = [_spread(one, length) for one in (found, state.scale, state.offset)]
    if any(len(one) != length for one in rows):
        return None
    levels = tuple((one - b) / a for one, a, b in zip(*rows, strict=True))
    return levels[:1] if len(set(levels)) == 1 else levels


def resized(
    state: State, height: Value, width: Value, fields: Mapping[str, Any], place: str, **said: Provenance
) -> State:
    """A state after a resize to a height and a width, each a number, a `Measure` or unknown.

    Of its fields, ``rounding`` is that of what multiplies lengths by factors itself.
    """
    before, after = sizes.pairs(*state.size), sizes.pairs(height, width)
    constant = is_number(height) and is_number(width)
    rule: dict[str, Any] | None = None
    if constant:
        rule = {"rule": "exact", "height": int(height), "width": int(width)} if height > 0 and width > 0 else None
    elif before is not None and after is not None:
        rule = sizes.resize_rule(before, after, fields.get("rounding"))
    undetermined = dict(fields.get("undetermined", {}))
    given = {name: value for name, value in fields.items() if name not in ("undetermined", "rounding")}
    if rule is None:
        unknown = next((one for one in (height, width) if hasattr(one, "reason")), None)
        if unknown is not None and (unknown.kind == "random" or _sized_by_chance(state, unknown)):
            return by_chance(state, "resize", place, shown=shown_of(fields))
        why = unknown.reason() if unknown is not None else "the size is computed in a way that is no known rule"
        rule = {"rule": None, "rounding": None}
        undetermined |= {"rule": why, "rounding": why}
    step = Resize(**{**rule, **given}, provenance={"": explicit(place), **said}, undetermined=undetermined)
    whole = step.rule == "exact" and step.source == "all"
    if whole and before is not None and set(before) == {(step.height, step.width)}:
        return moved(state, place)
    size: tuple[Value, Value] = (int(height), int(width)) if constant else (height, width)
    if after is None and not constant:
        size = (None, None)
    return replace(stepped(state, step, place), size=size)


def _sized_by_chance(state: State, unknown: Any) -> bool:
    """Whether a length is not known as it is of a picture that chance gave its size."""
    lost = unknown.why in sizes.LENGTHS
    return lost and any(isinstance(one, Random) and one.name not in _KEEPS_SIZE for one in state.steps)


def shown_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a resize to a size of chance."""
    words = {"linear": "bilinear", "cubic": "bicubic"}
    kernel = str(fields.get("kernel") or "unknown")
    return {"interpolation": words.get(kernel, kernel), "engine": str(fields.get("engine"))}


def arithmetic(state: State) -> str:
    """What the picture is while it is resampled."""
    if not state.is_float:
        return "uint8"
    return "float64" if state.dtype == "float64" else "float32"


def affine_of(state: State) -> Affine:
    """What is done to levels, in canonical form."""
    base = state.said.get("affine")
    provenance = {"": base} if base is not None else {}
    for name in ("scale", "offset"):
        if f"affine.{name}" in state.said:
            provenance[name] = state.said[f"affine.{name}"]
    if "affine" in state.lost or state.scale is None or state.offset is None:
        why = state.lost.get("affine", "what is done to levels is not known")
        return Affine(
            scale=None,
            offset=None,
            of_content=state.of_content,
            provenance=provenance,
            undetermined={"scale": why, "offset": why},
        )
    return Affine(
        scale=state.scale,
        offset=state.offset,
        written=state.written,
        of_content=state.of_content,
        provenance=provenance,
    )


def as_float(state: State) -> State:
    """A state of numbers with fractions, as division gives them."""
    if state.dtype in ("uint8", "int32", "int64", "int8"):
        return replace(state, dtype="float32" if state.kind in ("tensor", "tf") else "float64")
    return state
