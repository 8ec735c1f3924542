"""Pictures as arrays: their shapes, parts, arithmetic, and what is iterated over."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.static import loaders, parts, records, rows, sizes, unknowns
from dataguard.preprocessing.static.beside import open_length
from dataguard.preprocessing.static.counting import counted, is_long
from dataguard.preprocessing.static.effects import unfollowed
from dataguard.preprocessing.static.masks import under_mask
from dataguard.preprocessing.static.noise import NOISE
from dataguard.preprocessing.static.operators import ARITHMETIC, OPERATORS
from dataguard.preprocessing.static.picture import (
    State,
    as_float,
    by_chance,
    losing,
    mapped,
    moved,
    transposed,
    without,
)
from dataguard.preprocessing.static.values import (
    Blank,
    Bound,
    Choice,
    Ext,
    ExtObj,
    Func,
    Map,
    Method,
    Obj,
    Picture,
    Seq,
    Shape,
    Stat,
    Unknown,
    Value,
    choice,
    is_number,
    keys_of,
    measured,
    numbers,
)
from dataguard.preprocessing.steps import Random

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine


def shape_of(state: State) -> list[Value]:
    """The lengths of a picture's axes."""
    lengths: dict[str, Value] = {
        "N": 1,
        "C": len(state.channels) if state.channels is not None else Unknown("how many channels"),
        "H": state.size[0] if state.size[0] is not None else open_length(state, sizes.LENGTHS[0]),
        "W": state.size[1] if state.size[1] is not None else open_length(state, sizes.LENGTHS[1]),
    }
    return [lengths.get(axis, Unknown("a length")) for axis in state.layout]


def attribute(machine: Machine, value: Picture, name: str, node: ast.AST | None) -> Value:
    """What an attribute of a picture is."""
    state = value.state
    if state.kind == "pil":
        if name == "size":
            return Shape(shape_of(replace(state, layout="WH")))
        if name in ("width", "height"):
            return shape_of(replace(state, layout="W" if name == "width" else "H"))[0]
        if name == "mode":
            known = {"RGB": "RGB", "BGR": "RGB", "GRAY": "L", "RGBA": "RGBA", "BGRA": "RGBA"}.get(state.order or "")
            # Files of levels of 8 bits are opened in none of the modes of whole numbers or fractions.
            modes: list[Value] = ["RGB", "L", "RGBA", "P", "CMYK"]
            whole = Choice(modes, "its mode") if state.dtype == "uint8" else Unknown("its mode")
            return known if known is not None else whole
        return Method(value, name)
    if name == "shape":
        return Shape(shape_of(state))
    if name == "ndim":
        return len(state.layout)
    if name == "size" and state.kind == "array":
        found: Value = 1
        for one in shape_of(state):
            found = measured(lambda a, b: a * b, found, one) if not isinstance(one, Unknown) else one
            if isinstance(found, Unknown):
                return found
        return found
    if name == "dtype":
        return Ext(f"numpy.{state.dtype}") if state.dtype else Unknown("its type")
    if name == "T":
        return Picture(transposed(state, range(len(state.layout))[::-1], machine.place(node)))
    if name in ("data", "real"):
        return value
    if name == "device":
        return Unknown("a device")
    return Method(value, name)


def object_attribute(value: ExtObj, name: str) -> Value:
    """What an attribute of a library's object is."""
    if value.name == "pathlib.Path":
        from dataguard.preprocessing.static.library import paths

        found = paths.part(value, name)
        if found is not None:
            return found
    if name == "transforms" and value.args:
        return value.args[0]
    if name in value.kwargs and name != "update":
        return value.kwargs[name]
    if name == "dataset" and value.args:
        # A part of a data set stands for it: its own ``dataset`` is the same.
        return value if loaders.is_folder(value) else value.args[0]
    return Method(value, name)


def object_item(machine: Machine, value: ExtObj, key: Value, node: ast.AST) -> Value:
    """What an item of a library's object is."""
    if value.name.endswith("Compose") and isinstance(key, int):
        steps = value.args[0] if value.args else None
        if isinstance(steps, Seq) and -len(steps.items) <= key < len(steps.items):
            return steps.items[key]
    if value.name.startswith(loaders.FILMS):
        return _frame(value)
    found = loaders.item(machine, value, node)
    if found is not None:
        return found
    if isinstance(key, str) and key in value.attrs:
        return value.attrs[key]
    return Unknown(f"an item of {value.name}", machine.place(node))


def subscript(machine: Machine, value: Picture | Blank, index: ast.expr, node: ast.AST) -> Value:
    """A part of a picture."""
    return parts.taken(machine, value, index, node)


def changed_part(
    machine: Machine, holder: Picture, index: ast.expr, operator: ast.operator, value: Value, node: ast.AST
) -> Value:
    """A picture of which ``picture[index] operator= value`` changed a part."""
    found = parts.channel_of(machine, holder.state, index)
    operation = ARITHMETIC.get(type(operator))
    if found is None or operation is None or holder.state.channels is None:
        if operation is not None and parts.is_whole(index):
            return arithmetic(machine, operator, holder, value, node)
        return Picture(losing(holder.state, machine.place(node), "a part of the levels is changed", "affine"))
    neutral = 0.0 if operation in ("add", "subtract") else 1.0
    if isinstance(value, Unknown) and value.kind == "random":
        return Picture(by_chance(holder.state, "levels", machine.place(node), size=holder.state.size))
    if isinstance(value, Unknown) and value.kind == "content" and holder.state.notes[-1:] == (("space", "HSV"),):
        # Hues that were turned beyond the circle are brought back.
        return holder
    if not is_number(value):
        return Picture(losing(holder.state, machine.place(node), "a channel is changed by what is not known", "affine"))
    each: list[Value] = [neutral] * len(holder.state.channels)
    each[found] = value
    return Picture(as_float(mapped(holder.state, operation, Seq(each, "array"), machine.place(node))))


def written_part(machine: Machine, holder: Picture | Blank, index: ast.expr, value: Value, node: ast.AST) -> Value:
    """What an array is after ``array[index] = value``."""
    return parts.written(machine, holder, index, value, node)


def arithmetic(machine: Machine, operator: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
    """Arithmetic with a picture."""
    place = machine.place(node)
    if isinstance(left, Blank) or isinstance(right, Blank):
        return _with_blank(machine, operator, left, right, node)
    if isinstance(left, Stat) or isinstance(right, Stat):
        return _with_stat(operator, left, right, place)
    operation = ARITHMETIC.get(type(operator))
    if isinstance(left, Picture) and isinstance(right, Picture):
        mixed = _mixed_by_chance(left.state, right.state)
        if mixed is not None:
            return Picture(mixed)
        masked = under_mask(node, operation, left.state, right.state)
        if masked is not None:
            return Picture(moved(masked, place))
        if operation in ("add", "subtract") and _planes(left.state, right.state):
            why = "channels are mixed"
            gray = operation == "add" and _weighed(left.state) and _weighed(right.state)
            names = ("affine",) if gray else ("affine", "order")
            return Picture(losing(replace(left.state, channels=("Y",)), place, why, *names))
        if left.state.channels == right.state.channels and operation is not None:
            return Picture(losing(left.state, place, "two pictures are combined", "affine"))
        return Picture(losing(left.state, place, "two pictures are combined"))
    if isinstance(left, Picture):
        if operation is None:
            return Picture(losing(left.state, place, f"levels go through {type(operator).__name__}", "affine"))
        if isinstance(right, Unknown) and right.kind == "random":
            return Picture(by_chance(left.state, _changed_by(right), place, size=left.state.size))
        if operation == "multiply" and _is_mask(right):
            return Picture(moved(left.state, place))  # what a mask leaves of a picture
        state = mapped(left.state, operation, right, place)
        return Picture(as_float(state) if operation == "divide" or _is_float(right) else state)
    if not isinstance(right, Picture):
        return unknowns.computed(operator, left, right, place)
    if operation is not None and isinstance(left, Unknown) and left.kind == "random":
        return Picture(by_chance(right.state, _changed_by(left), place, size=right.state.size))
    if operation == "multiply" and _is_mask(left):
        return Picture(moved(right.state, place))
    if operation in ("add", "multiply"):
        state = mapped(right.state, operation, left, place)
        return Picture(as_float(state) if _is_float(left) else state)
    if operation == "subtract":
        state = mapped(mapped(right.state, "multiply", -1, place), "add", left, place)
        return Picture(as_float(state) if _is_float(left) else state)
    return Picture(losing(right.state, place, "levels go through what is no straight line", "affine"))


def _is_mask(value: Value) -> bool:
    """Whether a value says of each level of a picture whether it counts: 'image > 10'."""
    return isinstance(value, Unknown) and value.why == unknowns.MASK


def _changed_by(drawn: Unknown) -> str:
    """What a step is called by which chance changes levels: all of them alike, or each by itself."""
    return "noise" if drawn.why == NOISE else "levels"


def _planes(left: State, right: State) -> bool:
    """Whether two are single channels of one picture."""
    return left.layout == right.layout == "HW" and left.loaded == right.loaded != "" and left.steps == right.steps


def _weighed(state: State) -> bool:
    """Whether a channel counts with a weight of its own: a sum of such is gray."""
    return "order" not in state.lost and state.scale is not None and all(one > 0 for one in state.scale)


def _mixed_by_chance(left: State, right: State) -> State | None:
    """A picture mixed with what was made of it, in shares that chance decides: 'a * image + (1 - a) * gray'."""
    ends = [bool(one.steps) and isinstance(one.steps[-1], Random) and one.steps[-1].name in ("levels", "noise")
            for one in (left, right)]  # fmt: skip
    if not any(ends) or left.loaded != right.loaded:
        return None
    fewer = len(left.channels or ()) < len(right.channels or ())
    base, step = (right, left) if fewer else (left, right)
    return base if ends[fewer] else replace(base, steps=(*base.steps, step.steps[-1]))


def _is_float(value: Value) -> bool:
    found = [value] if not isinstance(value, Seq) else value.items
    return any(isinstance(one, (float, Seq)) for one in found)


def _with_stat(operator: ast.operator, left: Value, right: Value, place: str) -> Value:
    stat = left if isinstance(left, Stat) else right
    if not isinstance(stat, Stat):
        return unknowns.unknown_of(left, right, place)
    other = right if stat is left else left
    if isinstance(other, Picture):
        what = {"max": "the picture's largest level", "min": "its smallest level"}.get(stat.what, f"its {stat.what}")
        verb = {ast.Div: "divided by", ast.Sub: "minus", ast.Mult: "times", ast.Add: "plus"}.get(type(operator), "with")
        state = other.state
        content = f"{verb} {what}"
        joined = content if state.of_content is None else f"{state.of_content}, {content}"
        state = moved(state, place, of_content=joined[:200])
        if isinstance(operator, ast.Div) and stat.what == "max":
            state = mapped(state, "divide", stat.typical or 1.0, place)
        return Picture(as_float(losing(state, place, f"levels are {content}", "affine")))
    if is_number(other):
        function = OPERATORS.get(type(operator))
        if function is not None:
            found = measured(function, *((stat.typical, other) if stat is left else (other, stat.typical)))
            if is_number(found):
                return Stat(stat.what, float(found), stat.place)
    if isinstance(other, Stat):
        return Stat(f"{stat.what} and {other.what}", stat.typical, stat.place)
    return Unknown("the picture's own levels", place, "content")


def _with_blank(machine: Machine, operator: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
    blank, other = (left, right) if isinstance(left, Blank) else (right, left)
    if not isinstance(blank, Blank):
        return unknowns.unknown_of(left, right, machine.place(node))
    if isinstance(other, Unknown) and other.kind == "random":
        return other
    if isinstance(other, Stat | Unknown) and not blank.planes and blank.fill == 1 and isinstance(operator, ast.Mult):
        # A canvas of one value, of which no more is known: 'np.ones((h, w, 3)) * np.mean(image)'.
        return replace(blank, shape=list(blank.shape), fill=None, sides=[])
    if is_number(other) and not blank.planes and blank.fill is not None:
        function = OPERATORS.get(type(operator))
        if function is not None:
            found = measured(function, *((blank.fill, other) if blank is left else (other, blank.fill)))
            if is_number(found):
                return Blank(list(blank.shape), float(found), blank.library, {}, blank.place, dtype=blank.dtype)
    if isinstance(other, Picture) and not blank.planes and isinstance(operator, ast.Add) and blank.fill == 0:
        return other
    if isinstance(other, Picture) and not blank.planes:
        if isinstance(operator, ast.Mult) and blank.fill == 1:
            # Ones with holes: what is cut out of a picture changes no other level.
            return Picture(moved(other.state, machine.place(node)))
        return Picture(losing(other.state, machine.place(node), "arithmetic with a new array", "affine"))
    if numbers(other) is not None and not blank.planes and blank.fill in (0, 1):
        return other if isinstance(operator, ast.Mult if blank.fill == 1 else ast.Add) else Unknown("an array")
    if numbers(other) is not None and not blank.planes:
        # As the first turn is timed with: no picture is in it.
        return Blank(list(blank.shape), None, blank.library, {}, blank.place)
    return Unknown("arithmetic with a new array", machine.place(node))


def iterated(machine: Machine, source: Value, node: ast.expr) -> list[Value] | None:
    """The items of what is iterated over; None where it is not known how many there are."""
    if isinstance(source, (Seq, Shape)):
        return list(source.items)
    if isinstance(source, Map):
        return keys_of(source) if not source.open else None
    if isinstance(source, Choice) and all(isinstance(one, Seq) and not one.many for one in source.options):
        rows = [one.items for one in source.options if isinstance(one, Seq)]
        if len({len(one) for one in rows}) == 1:
            return [choice(column, source.why) for column in zip(*rows, strict=True)]
    if isinstance(source, str):
        return list(source[:256])
    if isinstance(source, Picture) and source.state.layout == "CHW" and source.state.channels is not None:
        return [parts.plane(source.state, index, "") for index in range(len(source.state.channels))]
    if isinstance(source, Obj):
        if source.cls is None and source.library:
            return [one for one in source.attrs if not one.startswith("*")]
        return records.items_of(source)
    if isinstance(source, ExtObj) and source.name == "builtins.range":
        span = counted(source)
        return None if span is None else [span[0]] if is_long(span) else list(span)
    if isinstance(source, ExtObj) and source.name == "builtins.enumerate" and source.args:
        inner = iterated(machine, source.args[0], node)
        start = source.args[1] if len(source.args) > 1 else source.kwargs.get("start", 0)
        if inner is None or not isinstance(start, int):
            return None
        return [Seq([index, one], "tuple") for index, one in enumerate(inner, start)]
    if isinstance(source, ExtObj) and source.name == "builtins.zip" and source.args:
        # One item that stands for any number of such is as many as the others are.
        columns = [
            None if isinstance(one, Seq) and one.many and len(one.items) == 1 else iterated(machine, one, node)
            for one in source.args
        ]
        lengths = [len(one) for one in columns if one is not None]
        if lengths:
            # As many as the shortest that is known; of the others one item stands for all.
            filled = [
                one if one is not None else [element(machine, given, node)] * min(lengths)
                for one, given in zip(columns, source.args, strict=True)
            ]
            return [Seq(list(row), "tuple") for row in zip(*filled, strict=False)]
    return None


def spread(machine: Machine, source: Value, node: ast.expr) -> list[Value]:
    """What 'zip(*pairs)' is given: of pairs of which it is not known how many there are, one that stands for all."""
    if not isinstance(source, ExtObj) or source.name != "builtins.zip":
        return []
    found = iterated(machine, source, node)
    return found if found is not None else [element(machine, source, node)]


def element(machine: Machine, source: Value, node: ast.expr | None) -> Value:
    """One item of what is iterated over."""
    if isinstance(source, (Seq, Shape)):
        return source.items[0] if source.items else Unknown("an item of nothing")
    if isinstance(source, ExtObj):
        if source.name == "builtins.enumerate" and source.args:
            return Seq([Unknown("a counter"), element(machine, source.args[0], node)], "tuple")
        if source.name == "builtins.zip":
            return Seq([element(machine, one, node) for one in source.args], "tuple")
        if source.name in ("builtins.range", "builtins.reversed", "builtins.iter", "builtins.sorted") or (
            source.name.endswith(("tqdm", "tqdm.auto.tqdm", "prange", "track"))
        ):
            return (
                element(machine, source.args[0], node) if source.args and source.name != "builtins.range" else Unknown()
            )
        if source.name.startswith(loaders.FILMS):
            return _frame(source)
        found = loaders.batch(machine, source, node)
        return found if found is not None else Unknown(f"an item of {source.name}", machine.place(node))
    if isinstance(source, Choice):
        return choice([element(machine, one, node) for one in source.options], source.why)
    if isinstance(source, Picture):
        state = source.state
        return Picture(replace(state, layout=without(state.layout))) if state.layout[:1] == "N" else source
    if isinstance(source, Blank) and len(source.shape) > 1 and not source.planes:
        return rows.row_of(source)
    if isinstance(source, Obj) and source.cls is not None:
        return _of_object(machine, source, node)
    if isinstance(source, Method) and isinstance(source.receiver, ExtObj):
        return element(machine, source.receiver, node)
    if isinstance(source, Unknown):
        return Unknown(source.why, source.place, source.kind, changed=source.changed)
    return Unknown("an item of what is not known", machine.place(node))


def _frame(film: ExtObj) -> Picture:
    from dataguard.preprocessing.static.library.films import frame_of

    return frame_of(film)


def _of_object(machine: Machine, source: Obj, node: ast.AST | None) -> Value:
    if source.cls is None:
        return Unknown("an item")
    if source.cls.find("__iter__") is not None and (found := source.cls.find("__next__")) is not None:
        machine.call(machine.attribute(source, "__iter__", node), [], {}, node)
        if isinstance(found[0], Func):
            return loaders.announced(machine, source, machine.call(Bound(found[0], source), [], {}, node), node)
    found = source.cls.find("__iter__")
    if found is not None and isinstance(found[0], Func):
        made = machine.call(Bound(found[0], source), [], {}, node)
        return element(machine, made, None) if not isinstance(made, Obj) else Unknown("an item")
    item = loaders.item(machine, source, node)
    return item if item is not None else Unknown("an item", machine.place(node))


def unpacked(machine: Machine, value: Value, count: int, node: ast.AST) -> list[Value] | None:
    """The parts of something that is assigned to several names; None where they are not known."""
    if isinstance(value, Picture):
        state = value.state
        if "geometry" in state.lost and "layout" in state.lost and count < 6:
            # What something unknown returned for a picture and more: the picture comes first.
            rest = Unknown("what else was returned is not known", machine.place(node))
            return [value, *[rest] * (count - 1)]
        if state.layout[:1] != "C" or state.channels is None:
            return None
        return [parts.plane(state, index, machine.place(node)) for index in range(len(state.channels))]
    if isinstance(value, ExtObj):
        found = element(machine, value, None)
        return [found] * count if isinstance(found, Picture) else None
    if isinstance(value, Choice):
        first = next((one for one in value.options if isinstance(one, Seq) and len(one.items) == count), None)
        return list(first.items) if first is not None else None
    return None


def pictures(value: Value, depth: int = 0) -> list[Picture | Choice]:
    """Every picture in a value: the likeliest input of a model first, by the names of keys."""
    if isinstance(value, Picture):
        return [value]
    if isinstance(value, Choice):
        found = [one for one in value.options if isinstance(one, Picture)]
        if len(found) > 1:
            return [Choice(list(found), value.why)]
        inner = [one for option in value.options for one in pictures(option, depth + 1)] if depth < 6 else []
        return inner[:4]
    if depth > 6:
        return []
    if isinstance(value, Seq):
        return [one for item in value.items[:64] for one in pictures(item, depth + 1)]
    if isinstance(value, Map):
        named: list[Picture | Choice] = []
        wanted = any(str(key).lower() in _WANTED for key in value.items)
        for key in sorted(value.items, key=_rank):
            if named or _rank(key) != _LAST or not wanted:
                # Where it is not known what the input is, its labels are not taken for it.
                named += pictures(value.items[key], depth + 1)
        return named
    if isinstance(value, Blank):
        held = value.planes.get(-1)
        return [Picture(held)] if isinstance(held, State) else []
    if isinstance(value, Obj):
        if value.cls is None or "*record" in value.attrs:
            return [one for key in sorted(value.attrs, key=_rank) for one in pictures(value.attrs[key], depth + 1)]
        batches = [value.attrs[key] for key in records.TENSORS if key in value.attrs]
        return pictures(batches[0], depth + 1) if batches and isinstance(batches[0], (Picture, Choice)) else []
    return []


_WANTED = ("image", "img", "images", "pixel_values", "input", "inputs", "lq", "lr", "x", "data", "imgs")
_UNWANTED = (
    "_ori", "orig", "raw", "vis", "path", "label", "mask", "target", "gt", "seg", "depth", "annot",
    "heat", "hm",
)  # fmt: skip
_LAST = 99


def _rank(key: object) -> int:
    name = str(key).lower()
    if name in _WANTED:
        return _WANTED.index(name)
    if any(word in name for word in _UNWANTED):
        return _LAST
    return 20


def opaque(machine: Machine, args: Sequence[Value], why: str, node: ast.AST | None, name: str = "") -> Value:
    """What something unknown returns that was given these: a picture of which less is known, or unknown."""
    for one in args:
        if isinstance(one, Picture):
            return Picture(unfollowed(one.state, machine.place(node), why, name))
        if isinstance(one, Choice):
            inner = next((option for option in one.options if isinstance(option, Picture)), None)
            if inner is not None:
                return Picture(unfollowed(inner.state, machine.place(node), why, name))
    return Unknown(why, machine.place(node))
