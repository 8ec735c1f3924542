"""Parts of pictures: channels that are taken or exchanged, crops, and arrays that pictures are written into."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dataguard.preprocessing.static import batches, beside, borders, sizes, unknowns
from dataguard.preprocessing.static.blending import overwritten
from dataguard.preprocessing.static.picture import (
    State,
    by_chance,
    explicit,
    losing,
    moved,
    reordered,
    stepped,
    with_axis,
    without,
)
from dataguard.preprocessing.static.values import (
    Blank,
    Choice,
    ExtObj,
    Measure,
    Picture,
    Seq,
    Unknown,
    Value,
    choice,
    is_number,
    measured,
)
from dataguard.preprocessing.static.writing import as_held, chance_in, drawn_of, filled, overlaid
from dataguard.preprocessing.steps import Crop, Flip, Random, Resize

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

WHOLE = object()
"""All of an axis."""


def alike(items: Sequence[Value]) -> State | None:
    """A batch of coloured pictures of which the same is known; None of others."""
    states = [one.state for one in items if isinstance(one, Picture)]
    same = len(states) == len(items) and all(one == states[0] for one in states[1:])
    return replace(states[0], layout=f"N{states[0].layout}") if same and states[0].layout in ("HWC", "CHW") else None


def is_whole(index: ast.expr) -> bool:
    """Whether an index takes everything: ``[:]``, ``[...]``."""
    found = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(
        (isinstance(one, ast.Slice) and one.lower is None and one.upper is None and one.step is None)
        or (isinstance(one, ast.Constant) and one.value is ...)
        for one in found
    )


def _aligned(index: ast.expr, count: int) -> list[ast.expr | None]:
    """The index of every axis; None for a new axis is kept as a constant, and the ellipsis is filled in."""
    found: list[ast.expr | None] = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    used = sum(1 for one in found if not _is_new(one) and not _is_ellipsis(one))
    for position, one in enumerate(found):
        if _is_ellipsis(one):
            found[position : position + 1] = [None] * max(0, count - used)
            break
    return found


def _is_ellipsis(one: ast.expr | None) -> bool:
    return isinstance(one, ast.Constant) and one.value is ...


def _is_new(one: ast.expr | None) -> bool:
    if isinstance(one, ast.Constant):
        return one.value is None
    return isinstance(one, ast.Attribute) and one.attr == "newaxis"


def adds_channel(index: ast.expr) -> bool:
    """Whether an index gives a plane an axis for its channel: ``[:, :, None]``."""
    axes = index.elts if isinstance(index, ast.Tuple) else []
    return len(axes) == 3 and _is_new(axes[2]) and all(map(is_whole, axes[:2]))


def channel_of(machine: Machine, state: State, index: ast.expr) -> int | None:
    """The channel that an index like ``[:, :, 1]`` means; None where it means something else."""
    if "C" not in state.layout or state.channels is None:
        return None
    aligned = _aligned(index, len(state.layout))
    at = state.layout.index("C")
    found = None
    for position, one in enumerate(aligned):
        if one is None or (isinstance(one, ast.Slice) and one.lower is None and one.upper is None and one.step is None):
            continue
        if position != at:
            return None
        value = machine.evaluate(one) if not isinstance(one, ast.Slice) else None
        if not isinstance(value, int):
            return None
        found = value
    if found is None or not -len(state.channels) <= found < len(state.channels):
        return None
    return found % len(state.channels)


def plane(state: State, index: int, place: str) -> Picture:
    """One channel, without its axis."""
    one = reordered(state, [index], place)
    return Picture(replace(one, layout=one.layout.replace("C", "")))


def taken(machine: Machine, value: Picture | Blank, index: ast.expr, node: ast.AST) -> Value:
    """What ``array[index]`` is."""
    place = machine.place(node)
    if isinstance(value, Blank):
        return value if is_whole(index) else Unknown("a part of a new array", place)
    state = value.state
    if not isinstance(index, ast.Tuple | ast.Slice) and not _is_new(index) and not _is_ellipsis(index):
        key = machine.evaluate(index)
        array = node.value if isinstance(node, ast.Subscript) else node
        if state.layout[:1] == "N" and batches.takes_several(array, index, key, machine.assigning):
            return Picture(moved(state, place))
        if state.layout[:1] == "N" and is_several(key):
            return value
        if isinstance(key, Unknown):
            if state.layout[:1] in ("N", "C"):
                return Picture(replace(state, layout=without(state.layout))) if state.layout[0] == "N" else value
            return Picture(losing(state, place, "a part is taken by what is not known", "geometry"))
        if isinstance(key, int) and state.layout[:1] == "C" and state.channels is not None:
            return plane(state, key, place) if -len(state.channels) <= key < len(state.channels) else Unknown()
        if isinstance(key, Seq) and state.layout[:1] == "C" and all(isinstance(one, int) for one in key.items):
            return Picture(reordered(state, key.items, place))
        if isinstance(key, int) and state.layout[:1] == "N":
            return Picture(replace(state, layout=without(state.layout)))
        return Picture(losing(state, place, "a part is taken", "geometry", "layout"))
    aligned = _aligned(index, len(state.layout))
    box: dict[str, tuple[Value, Value]] = {}
    axis = 0
    new_axes: list[int] = []
    dropped: list[int] = []
    for position, one in enumerate(aligned):
        if _is_new(one):
            # Of what is left: an axis of which one place is taken is gone.
            new_axes.append(position - len(dropped))
            continue
        if axis >= len(state.layout):
            return Picture(losing(state, place, "more indices than axes", "geometry", "layout"))
        if one is not None:
            state = _along(machine, state, axis, one, box, dropped, place)
        axis += 1
    if state.channels == ():
        return Unknown("channels beyond those of the picture", place)  # of what was put beside it, as labels are
    if box:
        state = _cropped(state, box, place)
    state = replace(state, layout=without(state.layout, dropped))
    for position in new_axes:
        state = with_axis(state, position, place)
    return Picture(state)


_SEVERAL = (unknowns.WHICH, unknowns.PLACES, unknowns.STACKED)
"""Reasons why an index is not known which say that it is of several."""


def is_several(key: Value) -> bool:
    """Whether an index takes several of a batch: 'frames[[0, 4]]', 'frames[range(8)]', 'frames[np.sort(chosen)]'."""
    if isinstance(key, Choice):
        return any(map(is_several, key.options))
    if isinstance(key, Unknown):
        return key.why in _SEVERAL
    return isinstance(key, Seq) or (isinstance(key, ExtObj) and key.name == "builtins.range")


def _turns_by_chance(step: Value) -> bool:
    """Whether a step along an axis is 1 or -1 as chance has it: 'image[:, ::np.random.choice(2) * 2 - 1]'."""
    if isinstance(step, Choice):
        return set(map(repr, step.options)) <= {"1", "-1", "None"}
    return isinstance(step, Unknown) and step.kind == "random"


def _along(
    machine: Machine,
    state: State,
    axis: int,
    index: ast.expr,
    box: dict[str, tuple[Value, Value]],
    dropped: list[int],
    place: str,
) -> State:
    """A state of which one axis is indexed; what is taken of height and width goes to `box`, lost axes to `dropped`."""
    name = state.layout[axis]
    if isinstance(index, ast.Slice):
        lower, upper, step = (machine.evaluate(one) for one in (index.lower, index.upper, index.step))
        if lower is None and upper is None and step is None:
            return state
        if name == "C":
            return _channels(state, lower, upper, step, place)
        if name in "HW":
            if step == -1 and lower is None and upper is None:
                flip = Flip(kind="up_down" if name == "H" else "left_right", provenance={"": explicit(place)})
                return stepped(state, flip, place)
            if step is None or step == 1:
                box[name] = (lower, upper)
                return state
            if _turns_by_chance(step):
                return by_chance(state, "flip", place, size=state.size)
            if isinstance(step, int) and step > 1:
                return losing(state, place, f"every {step}th pixel is taken", "geometry")
            return losing(state, place, "pixels are taken by what is not known", "geometry")
        return state
    key = machine.evaluate(index)
    if name == "C" and state.channels is not None:
        if isinstance(key, int) and -len(state.channels) <= key < len(state.channels):
            dropped.append(axis)
            return reordered(state, [key], place)
        if isinstance(key, Seq) and all(isinstance(one, int) for one in key.items):
            return reordered(state, key.items, place)
        if drawn_of(key) is not None:
            return by_chance(state, "channels", place, size=state.size)
        return losing(state, place, "channels are taken by what is not known", "order")
    if name in "NT":
        if not is_several(key):
            dropped.append(axis)
        return state
    return losing(state, place, "a part is taken by what is not known", "geometry")


def _channels(state: State, lower: Value, upper: Value, step: Value, place: str) -> State:
    bounds = (lower, upper, step)
    if state.channels is None or not all(one is None or isinstance(one, int) for one in bounds) or step == 0:
        return losing(state, place, "channels are taken by what is not known", "order")
    positions = list(range(len(state.channels)))[slice(*bounds)]
    if positions == list(range(len(state.channels))):
        return state
    return reordered(state, positions, place)


def _cropped(state: State, box: dict[str, tuple[Value, Value]], place: str) -> State:
    """A state of which rows and columns between bounds are taken."""
    height, width = state.size
    if beside.is_trim(state, box):
        return moved(state, place)
    edges: list[Value] = []
    for name, length in (("H", height), ("W", width)):
        lower, upper = box.get(name, (None, None))
        drawn = [one for one in (lower, upper) if isinstance(one, Unknown) and one.kind == "random"]
        if drawn:
            extents = [sizes.extent(*box[one]) if one in box else state.size["HW".index(one)] for one in "HW"]
            if all(one.why in sizes.LENGTHS for one in drawn) and all(map(is_number, extents)):
                # The picture's size is by chance, and where the part lies is computed of it.
                return unknown_crop(state, drawn[0].reason(), place, (int(extents[0]), int(extents[1])))
            return random_crop(state, extents[0], extents[1], place)
        low: Value = 0 if lower is None else lower
        high: Value = length if upper is None else upper
        if length is not None:
            low = measured(lambda one, full: one + full if one < 0 else min(one, full), low, length)
            high = measured(lambda one, full: one + full if one < 0 else min(one, full), high, length)
        edges += [low, high]
    if all(is_number(one) or isinstance(one, Measure) for one in edges) and height is not None and width is not None:
        return cut(state, edges[0], edges[2], _minus(edges[1], edges[0]), _minus(edges[3], edges[2]), place)
    unknown = next((one.reason() for one in edges if isinstance(one, Unknown)), "the size is not known")
    return unknown_crop(state, unknown, place)


def unknown_crop(state: State, why: str, place: str, size: tuple[int, int] | None = None) -> State:
    """A state after a crop of which it is not known where the box lies, and its size only where that is given."""
    height, width = size or (None, None)
    step = Crop(
        rule=None,
        height=height,
        width=width,
        rounding=None,
        fill=None,
        undetermined={"rule": why, "rounding": why},
        provenance={"": explicit(place)},
    )
    return replace(stepped(state, step, place), size=(height, width))


def warped(state: State, size: tuple[Value, Value], fields: dict[str, Any], said: Any, name: str, place: str) -> State:
    """A state that is brought to a height and a width by a matrix, or by a map of where pixels come from."""
    why = f"{name.rpartition('.')[2]} by a matrix, which is no plain resize"
    undetermined = {**fields.pop("undetermined", {}), "rule": why, "rounding": why}
    height, width = (int(one) if is_number(one) else None for one in size)
    step = Resize(
        **fields, rule=None, rounding=None, height=height, width=width, undetermined=undetermined,
        provenance={"": explicit(place, name), "kernel": said},
    )  # fmt: skip
    return replace(stepped(state, step, place), size=(None, None) if height is None or width is None else size)


def random_crop(state: State, height: Value, width: Value, place: str) -> State:
    """A state after a crop whose place is by chance, and whose size may be known."""
    if is_number(height) and is_number(width):
        shown = {"size": f"{int(height)}x{int(width)}"}
        return by_chance(state, "crop", place, size=(int(height), int(width)), shown=shown)
    return by_chance(state, "crop", place)


def _minus(a: Value, b: Value) -> Value:
    return measured(lambda x, y: x - y, a, b)


def cut(state: State, top: Value, left: Value, height: Value, width: Value, place: str) -> State:
    """A state after a crop to a box of known lengths."""
    before, after, corner = sizes.pairs(*state.size), sizes.pairs(height, width), sizes.corners(top, left)
    if before is None or after is None or corner is None:
        return unknown_crop(state, "the box is not known", place)
    boxes = [(c[0], c[1], a[0], a[1]) for a, c in zip(after, corner, strict=True)]
    if all(c == (0, 0) and a == b for a, b, c in zip(after, before, corner, strict=True)):
        return moved(state, place)
    # Bounds beyond a small picture are cut off: such pictures say nothing about the rule.
    inside = [
        index
        for index, ((t, le, h, w), (tall, wide)) in enumerate(zip(boxes, before, strict=True))
        if t >= 0 and le >= 0 and t + h <= tall and le + w <= wide and not (h == tall or w == wide)
    ]
    rule = sizes.crop_rule(before, boxes)
    if rule is None and len(inside) >= 4:
        rule = sizes.crop_rule([before[index] for index in inside], [boxes[index] for index in inside])
    size = (height, width)
    if rule is None:
        step = Crop(
            rule=None,
            rounding=None,
            fill=None,
            undetermined=dict.fromkeys(("rule", "rounding"), "the box is computed in a way that is no known rule"),
            provenance={"": explicit(place)},
        )
    else:
        step = Crop(**rule, fill=None, provenance={"": explicit(place)})
    return replace(stepped(state, step, place), size=size)


def written(machine: Machine, holder: Picture | Blank, index: ast.expr, value: Value, node: ast.AST) -> Value:
    """What an array is after ``array[index] = value``."""
    place = machine.place(node)
    if isinstance(holder, Picture):
        return _into_picture(machine, holder, index, value, place)
    if isinstance(value, Choice) and isinstance(holder, Blank):
        # What is read of a file, where a copy that was kept may be taken as well.
        held = [one for one in value.options if isinstance(one, Picture)]
        if len(held) == 1:
            return written(machine, holder, index, held[0], node)
        if held:
            return _written_options(machine, holder, index, Choice(list(held), value.why), node)
    if not isinstance(value, Picture):
        return chance_in(holder, value) or (filled(holder, value) if is_whole(index) else holder)
    value = as_held(holder.dtype, value, place)
    if is_whole(index) and not isinstance(index, ast.Tuple):
        return value
    shape = holder.shape
    plane_ = _plane_index(machine, index, len(shape))
    if plane_ is not None and value.state.channels is not None and len(value.state.channels) == 1:
        holder.planes[plane_] = value.state
        count = shape[2] if len(shape) > 2 else None
        if isinstance(count, int) and set(holder.planes) == set(range(count)):
            found = assembled([holder.planes[one] for one in range(count)], place)
            return Picture(found) if found is not None else holder
        return holder
    return _pasted(machine, holder, index, value.state, place)


def _written_options(machine: Machine, holder: Blank, index: ast.expr, value: Choice, node: ast.AST) -> Value:
    """What an array is into which one of several pictures is written; option by option."""
    sides: list[Blank] = holder.sides
    if len(sides) != len(value.options):
        sides = [replace(holder, shape=list(holder.shape), planes={}, sides=[]) for _ in value.options]
        holder.sides = sides
    made = [written(machine, side, index, option, node) for side, option in zip(sides, value.options, strict=True)]
    if any(isinstance(one, Picture) for one in made):
        return choice([one for one in made if isinstance(one, Picture)], value.why)
    return holder


def _plane_index(machine: Machine, index: ast.expr, count: int) -> int | None:
    if not isinstance(index, ast.Tuple) or count != 3:
        return None
    aligned = _aligned(index, count)
    if len(aligned) != 3 or not all(one is None or is_whole(one) for one in aligned[:2]) or aligned[2] is None:
        return None
    if isinstance(aligned[2], ast.Slice):
        return None
    key = machine.evaluate(aligned[2])
    return key if isinstance(key, int) and 0 <= key < 8 else None


def assembled(planes: Sequence[State], place: str, *, axis: str = "HWC") -> State | None:
    """One picture of single channels; None where they are not of one picture."""
    first = planes[0]
    if any(one.channels is None or len(one.channels) != 1 for one in planes):
        return None
    if any(one.steps != first.steps or one.size != first.size for one in planes):
        return None
    channels = tuple(one.channels[0] for one in planes if one.channels)
    lost = {key: why for one in planes for key, why in one.lost.items()}
    if any("order" not in one.lost for one in planes) and "order" in lost:
        del lost["order"]  # of brightness and differences of colours, the brightness is known
        channels = tuple("?" if "order" in one.lost else name for one, name in zip(planes, channels, strict=True))
    scale: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None
    if all(one.scale is not None and one.offset is not None for one in planes):
        scale = tuple(one.scale[0] for one in planes if one.scale)
        offset = tuple(one.offset[0] for one in planes if one.offset)
        if len(set(scale)) == 1 and len(set(offset)) == 1:
            scale, offset = scale[:1], offset[:1]
    shapes = [tuple(name for name, _ in one.written) for one in planes]
    rows: tuple[tuple[str, tuple[float, ...]], ...] = ()
    if len(set(shapes)) == 1 and all(len(values) == 1 for one in planes for _, values in one.written):
        rows = tuple((name, tuple(one.written[index][1][0] for one in planes)) for index, name in enumerate(shapes[0]))
    elif scale is not None and offset is not None:
        rows = (("multiply", scale), ("add", offset))
    if len(set(channels)) == 1 and len(channels) > 1 and channels[0] != "Y":
        return None
    places = tuple(dict.fromkeys(spot for one in planes for spot in one.places))
    state = replace(
        first, channels=channels, layout=axis, scale=scale, offset=offset, written=rows, lost=lost, places=places
    )
    said = {**first.said, "order": explicit(place), **{key: one for item in planes for key, one in item.said.items()}}
    return moved(state, place, said={**said, "order": explicit(place)})


def _into_picture(machine: Machine, holder: Picture, index: ast.expr, value: Value, place: str) -> Value:
    state = holder.state
    if is_whole(index):
        return overlaid(state, value, place)
    whole = not isinstance(index, ast.Tuple) or all(map(is_whole, index.elts[1:]))
    if isinstance(value, Picture) and state.layout == "N" + value.state.layout and whole:
        # A batch that is filled one by one, and changed one by one: its last picture stands for all.
        dtype = state.dtype if state.dtype is not None and "dtype" not in state.lost else ""
        made = as_held(dtype, value, place).state
        if place in state.places and made.places[: len(state.places)] == state.places:
            # What stands for all went through this line before, as the first of them.
            return holder
        return Picture(moved(made, place, layout=state.layout))
    channel = channel_of(machine, state, index)
    given = value.state.channels if isinstance(value, Picture) else None
    if channel is not None and isinstance(value, Picture) and state.channels is not None and len(given or ()) == 1:
        planes = [plane(state, one, "").state for one in range(len(state.channels))]
        planes[channel] = value.state
        # Channels that are exchanged one by one are for a moment there twice.
        names = tuple(one.channels[0] for one in planes if one.channels)
        scales = [one.scale[0] if one.scale else None for one in planes]
        offsets = [one.offset[0] if one.offset else None for one in planes]
        if None in scales or None in offsets:
            return Picture(losing(state, place, "a channel is exchanged", "affine"))
        added = value.state.steps[len(state.steps) :]
        return Picture(
            moved(
                state,
                place,
                steps=(*state.steps, *(one for one in added if isinstance(one, Random) and one not in state.steps)),
                channels=names,
                scale=tuple(scales),
                offset=tuple(offsets),
                written=(("multiply", tuple(scales)), ("add", tuple(offsets))),
                said={**state.said, "affine": explicit(place)},
            )
        )
    if beside.is_beside(machine, state, _aligned(index, len(state.layout))):
        return holder
    mixed = overwritten(machine, state, index, value, place)
    return Picture(mixed or losing(state, place, "a part of the levels is overwritten", "affine"))


def _pasted(machine: Machine, holder: Blank, index: ast.expr, state: State, place: str) -> Value:
    """A picture written into a part of a new array: a border."""
    if state.layout[:1] == "N" and not isinstance(index, ast.Tuple | ast.Slice):
        # One item of a batch is a batch of one: 'images[i] = np.array([image])'.
        state = replace(state, layout=state.layout[1:])
    axes = [one for one in state.layout if one in "HWC"]
    aligned = _aligned(index, len(holder.shape))
    names = list(state.layout)
    if len(holder.shape) == len(names) + 1:
        # A batch or a stack: the picture fills one item, wholly or in its upper left corner.
        aligned, shape = aligned[1:], holder.shape[1:]
        batched = True
    else:
        shape, batched = holder.shape, False
    if len(shape) != len(names) or "H" not in axes or "W" not in axes:
        return holder
    if batched and all(one is None or is_whole(one) or beside.takes_all(machine, state, one) for one in aligned):
        # An array takes what is as large as the item alone.
        whole = shape[names.index("H")], shape[names.index("W")]
        kept = sizes.pairs(*state.size) is not None or sizes.pairs(*whole) is None
        return Picture(moved(state if kept else beside.sized(state, whole), place, layout="N" + state.layout))
    corner: dict[str, Value] = {"H": 0, "W": 0}
    for name, one in zip(names, [*aligned, *[None] * len(names)], strict=False):
        if one is None or name not in "HW":
            continue
        made = machine.evaluate(one) if isinstance(one, ast.Name) else None
        if isinstance(one, ast.Slice):
            lower = machine.evaluate(one.lower)
        elif isinstance(made, ExtObj) and made.name == "builtins.slice":
            lower = made.args[0] if len(made.args) > 1 else 0
        else:
            return Picture(losing(state, place, "it is written into an array", "geometry"))
        corner[name] = 0 if lower is None else lower
    height, width = shape[names.index("H")], shape[names.index("W")]
    after = borders.padded(state, (height, width), (corner["H"], corner["W"]), holder.fill, place)
    return Picture(replace(after, layout="N" + after.layout) if batched and "N" not in after.layout else after)
