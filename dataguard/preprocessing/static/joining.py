"""What a value is after an ``if`` of which reading does not tell the outcome."""

from __future__ import annotations

import operator
import re
from dataclasses import replace
from itertools import takewhile

from dataguard.preprocessing.static import letterboxes
from dataguard.preprocessing.static.picture import State, by_chance
from dataguard.preprocessing.static.sizes import before_last, pairs, resize_rule
from dataguard.preprocessing.static.values import (
    PLAIN,
    SIZES,
    Choice,
    Ext,
    Map,
    Measure,
    Method,
    Obj,
    Picture,
    Seq,
    Unknown,
    Value,
    choice,
    is_number,
    same,
)
from dataguard.preprocessing.steps import Crop, Flip, Pad, Random, Resize, Step

MISSING = object()
"""What a name that was not set has."""


def truth(value: Value) -> bool | None:
    """Whether a value is true; None where reading does not tell.

    >>> truth(Seq([])), truth(Unknown())
    (False, None)
    """
    kind = type(value)
    if kind in PLAIN:
        return bool(value)
    if isinstance(value, Measure):
        truths = {bool(one) for one in value.values}
        return truths.pop() if len(truths) == 1 else None
    if kind is Unknown or kind is Ext or (isinstance(value, Method) and isinstance(value.receiver, (Unknown, Obj))):
        return None
    if isinstance(value, Choice):
        found = {truth(one) for one in value.options}
        return found.pop() if len(found) == 1 else None
    if isinstance(value, Seq):
        return bool(value.items)
    if isinstance(value, Map):
        return True if value.items else None if value.open else False
    return True


def join(condition: Value, first: Value, second: Value) -> Value:
    """What a value is that is `first` where a condition holds and `second` where not."""
    if first is second:
        return first
    if first is MISSING or (isinstance(first, Unknown) and second is None):
        return second if first is MISSING else first
    if second is MISSING:
        return first
    if isinstance(first, list) and isinstance(second, list):
        return _lists(condition, first, second)
    if same(first, second):
        return first
    if isinstance(condition, Measure):
        found = _by_size(condition, first, second)
        if found is not None:
            return found
    random = isinstance(condition, Unknown) and condition.kind == "random"
    if isinstance(first, Picture) and isinstance(second, Picture):
        if random and not _cut_to_size(condition, first.state, second.state):
            return Picture(chance(condition, first.state, second.state))
        whole = _converted(condition, first.state, second.state)
        if whole is not None:
            return Picture(whole)
        if isinstance(condition, Measure):
            merged = _sized(condition, first.state, second.state)
            if merged is not None:
                return Picture(merged)
        bordered = _bordered(first.state, second.state) or _unneeded(condition, first.state, second.state)
        bordered = bordered or _mirrored(condition, first.state, second.state) or _augmented(first.state, second.state)
        if bordered is not None:
            return Picture(bordered)
    ensured = _ensured(condition, first, second)
    if ensured is not None:
        return ensured
    plain = not isinstance(first, (Picture, Choice)) and not isinstance(second, (Picture, Choice))
    by_chance_ = [one for one in (first, second) if isinstance(one, Unknown) and one.kind == "random"]
    if len(by_chance_) == 1 and any(is_number(one) or isinstance(one, Measure) for one in (first, second)):
        # A number in one case, by chance in the other: nobody knows it before.
        return by_chance_[0]
    if random and plain and any(is_number(one) or isinstance(one, Measure) for one in (first, second)):
        return condition
    if isinstance(condition, Unknown) and _OF_FILES.search(condition.why):
        # What reads files of all kinds reads pictures where pictures are read.
        ways = [one for side in (first, second) for one in (side.options if isinstance(side, Choice) else [side])]
        read = [one for one in ways if isinstance(one, Picture) and one.state.loaded]
        if len(read) == 1:
            return read[0]
    if isinstance(first, Picture) and second is None:
        return first
    if isinstance(second, Picture) and first is None:
        return second
    lists = isinstance(first, Seq) and isinstance(second, Seq) and first.kind == second.kind == "list"
    if random and lists and len(first.items) != len(second.items):
        # What chance adds to a list, as to one of transforms.
        return Seq(_lists(condition, first.items, second.items), "list")
    if isinstance(first, Seq) and isinstance(second, Seq) and len(first.items) == len(second.items):
        pairs = zip(first.items, second.items, strict=True)
        return Seq([join(condition, a, b) for a, b in pairs], first.kind)
    if isinstance(first, Map) and isinstance(second, Map):
        keys = {**first.items, **second.items}
        return Map(
            {key: join(condition, first.items.get(key, MISSING), second.items.get(key, MISSING)) for key in keys},
            open=first.open or second.open,
        )
    why = condition.reason() if isinstance(condition, Unknown) else "it depends on the picture's size"
    if (
        isinstance(condition, Measure)
        and isinstance(first, (Picture, Choice))
        and isinstance(second, (Picture, Choice))
    ):
        boxed = letterboxes.joined(condition, first, second)
        if boxed is not None:
            return Picture(boxed)
    if isinstance(first, Choice) and isinstance(second, Choice) and _alike(first, second):
        # Of one of several, each is changed or left alone.
        both = zip(first.options, second.options, strict=True)
        return choice([join(condition, *two) for two in both], first.why)
    found = choice([first, second], why)
    if isinstance(found, Choice) and len(found.options) == 2:
        nested = [one for one in (first, second) if isinstance(one, Choice)]
        # Of what was one of several before, the condition alone does not tell which it is.
        if not nested and found.options[0] is first:
            found.test = condition
        if random and all(one.chance is not None for one in nested):
            found.chance = condition
    return found


def _alike(first: Choice, second: Choice) -> bool:
    """Whether both are one of several for the same reason, which is not chance; one may come of the other."""
    return first.why == second.why and first.chance is None and len(first.options) == len(second.options)


_OF_FILES = re.compile(
    r"(?i)\b(ext|extension|suffix|endswith|splitext|file_?type)\b.*['\"]\.?\w{2,5}['\"]"
    r"|isinstance\([\w.]+, \(?(str|bytes|unicode|basestring|[\w.]*Path|six\.string_types)\b"
)
"""A condition about what a file's name ends with, or about whether it is a name that is given."""


def _converted(condition: Value, first: State, second: State) -> State | None:
    """The picture that is converted to RGB unless it has three channels already: the same as converting all."""
    if not isinstance(condition, Unknown) or not any(
        word in condition.why for word in ("shape", "mode", "ndim", "len(")
    ):
        return None
    for one, other in ((first, second), (second, first)):
        added = (one.decode.flags or ())[len(other.decode.flags or ()) :]
        alike = replace(one, decode=other.decode, places=other.places, said=other.said) == other
        if alike and added == ("convert RGB",):
            return one
    return None


def _ensured(condition: Value, first: Value, second: Value) -> Value:
    """The picture that is resized unless it has that size already: the same as resizing all; None for others."""
    if not isinstance(condition, Unknown) or not any(
        word in condition.why for word in ("shape", "size", "width", "height")
    ):
        return None
    if "!=" in condition.why:
        longer, shorter = first, second
    elif "==" in condition.why:
        longer, shorter = second, first
    else:
        return None
    ours, others = ([one] if isinstance(one, Picture) else getattr(one, "options", []) for one in (longer, shorter))
    if not ours or len(ours) != len(others) or not all(isinstance(one, Picture) for one in (*ours, *others)):
        return None
    for one, other in zip(ours, others, strict=True):
        steps = one.state.steps
        alike = replace(one.state, steps=other.state.steps, size=other.state.size) == other.state
        if not alike or steps[:-1] != other.state.steps or not isinstance(steps[-1], Resize):
            return None
    return longer


def _cut_to_size(condition: Unknown, first: State, second: State) -> bool:
    """Whether pictures whose size is by chance differ by borders and crops of which none is so."""
    longer, shorter = (
        (first.steps, second.steps) if len(first.steps) >= len(second.steps) else (second.steps, first.steps)
    )
    extra = longer[len(shorter) :]
    sized = condition.why.endswith("that is not known") and longer[: len(shorter)] == shorter
    return sized and bool(extra) and all(isinstance(one, Crop | Pad) for one in extra)


def _bordered(first: State, second: State) -> State | None:
    """The one of two that has a border more of a width that is not known: where there is none its width is zero."""
    longer, shorter = (first, second) if len(first.steps) >= len(second.steps) else (second, first)
    rest: list[Step] = []
    for step in longer.steps:
        if not isinstance(step, Pad) or step.rule is not None or shorter.steps[len(rest) : len(rest) + 1] == (step,):
            rest.append(step)
    # Of a picture that is cut the part that is taken may lie in the border.
    if len(rest) != len(shorter.steps) or not all(map(_cut_alike, rest, shorter.steps)):
        return _filled(first, second)
    alike = replace(longer, steps=shorter.steps, size=shorter.size) == shorter
    return replace(longer, size=longer.size if longer.size == shorter.size else (None, None)) if alike else None


def _filled(first: State, second: State) -> State | None:
    """The one of two of whose last border less is known, where the other only gave it another value."""
    step, other = (one.steps[-1] if one.steps else None for one in (first, second))
    if not isinstance(step, Pad) or not isinstance(other, Pad) or first.steps[:-1] != second.steps[:-1]:
        return None
    less, more = (first, second) if step.fill is None else (second, first)
    same_ = replace(step, fill=None, undetermined={}) == replace(other, fill=None, undetermined={})
    return less if same_ and replace(less, steps=more.steps) == more else None


def _cut_alike(one: Step, other: Step) -> bool:
    """Whether two steps are the same, or both cut a part out of which is not known where it lies."""
    return one == other or (isinstance(one, Crop) and isinstance(other, Crop) and one.rule is other.rule is None)


_SIZES = re.compile(r"^it depends on \(?[\w.\[\]]*(w|h|width|height|size|sz|shape|rows|cols)\w*[\w.\[\]:-]* *(==|!=) ")
"""A condition that two lengths are the same."""
_EQUAL = re.compile(r"^it depends on (not )?[\w.]*(array_equal|allclose)\(.*(size|sz|shape|h|w)\b")
"""The same of several lengths at once."""
_FACTORS = re.compile(r"^it depends on \(?[\w.]*(\br|scale|ratio|factor|gain|zoom) *(==|!=) *1(?:\.0*)?\b")
"""A condition that a length is the same before and after."""


def _unneeded(condition: Value, first: State, second: State) -> State | None:
    """The one of two that is brought to a size, where the other is left alone as it has that size already."""
    if not isinstance(condition, Unknown):
        return None
    found = _SIZES.search(condition.why) or _FACTORS.search(condition.why)
    several = None if found is not None else _EQUAL.search(condition.why)
    if found is None and several is None:
        return None
    equal = found[2] == "==" if found is not None else several is not None and several[1] is None
    alone, brought = (first, second) if equal else (second, first)
    shared = len(alone.steps)
    extra = brought.steps[shared:]
    sized = [
        one
        for one in extra
        if isinstance(one, Resize | Pad | Crop) or (isinstance(one, Random) and one.name not in ("levels", "noise"))
    ]
    if not extra or brought.steps[:shared] != alone.steps or len(sized) != len(extra):
        return None
    return brought if replace(brought, steps=alone.steps, size=alone.size) == alone else None


def _augmented(first: State, second: State) -> State | None:
    """The one of two that has more steps of chance: where they are left out nothing happens that may not anyway."""
    longer, shorter = (first, second) if len(first.steps) >= len(second.steps) else (second, first)
    rest = iter(longer.steps)
    extra: list[Step] = []
    for step in shorter.steps:
        extra += takewhile(lambda one, step=step: one != step, rest)  # type: ignore[misc]
    extra += rest
    if not extra or len(longer.steps) - len(extra) != len(shorter.steps):
        return None
    like = replace(shorter, steps=longer.steps, size=longer.size)
    if like != longer or not all(isinstance(one, Random) for one in extra):
        return None
    return longer if longer.size == shorter.size else replace(longer, size=(None, None))


def _mirrored(condition: Value, first: State, second: State) -> State | None:
    """A picture that is mirrored where something holds that is not known, as an entry of its list says: by chance."""
    longer, shorter = (first, second) if len(first.steps) > len(second.steps) else (second, first)
    step = longer.steps[-1] if len(longer.steps) == len(shorter.steps) + 1 else None
    if not isinstance(step, Flip) or step.kind != "left_right" or not isinstance(condition, Unknown):
        return None
    if not re.search(r"\[.*(flip|mirror)|(flip|mirror)\w*\[", condition.why):
        return None
    if longer.steps[:-1] != shorter.steps or replace(longer, steps=shorter.steps) != shorter:
        return None
    said = step.origin_of("")
    return replace(
        longer, steps=(*shorter.steps, Random(name="flip", parameters=(), provenance={"": said} if said else {}))
    )


def _by_size(condition: Measure, first: Value, second: Value) -> Value:
    if not all(is_number(one) or isinstance(one, Measure) for one in (first, second)):
        return None
    picked = tuple(
        (side.values[index] if isinstance(side, Measure) else side)
        for index, side in ((index, first if condition.values[index] else second) for index in range(len(SIZES)))
    )
    return picked[0] if all(one == picked[0] for one in picked) else Measure(picked)


def _lists(condition: Value, first: list[Value], second: list[Value]) -> list[Value]:
    if len(first) == len(second):
        return [a if a is b else join(condition, a, b) for a, b in zip(first, second, strict=True)]
    longer, shorter = (first, second) if len(first) > len(second) else (second, first)
    why = condition.reason() if isinstance(condition, Unknown) else "it depends on the picture's size"
    # A list that grows in a branch again and again is not looked through each time.
    at = len(shorter) if all(map(operator.is_, shorter, longer)) else 0
    found: list[Value] = longer[:at]
    for item in longer[at:]:
        if at < len(shorter) and same(item, shorter[at]):
            found.append(item)
            at += 1
        else:
            chance_ = condition if isinstance(condition, Unknown) and condition.kind == "random" else None
            found.append(Choice([item, None], why, chance_))
    return found if at == len(shorter) else longer


def chance(condition: Unknown, first: State, second: State) -> State:
    """A picture after something that was done to it or not, by chance."""
    if first == second:
        return first
    longer, shorter = (first, second) if len(first.steps) >= len(second.steps) else (second, first)
    size = longer.size if longer.size == shorter.size else (None, None)
    steps = _random_steps(condition, longer.steps, shorter.steps, size)
    place = condition.place
    kept = replace(longer, steps=steps, size=size)
    if steps == longer.steps and (longer.scale, longer.offset) != (shorter.scale, shorter.offset):
        base = shorter if len(shorter.written) <= len(longer.written) else longer
        kept = replace(kept, scale=base.scale, offset=base.offset, written=base.written, channels=base.channels)
        kept = by_chance(kept, "levels", place, size=kept.size)
    elif longer.channels != shorter.channels and longer.channels is not None and shorter.channels is not None:
        kept = by_chance(replace(kept, channels=shorter.channels), "channels", place, size=kept.size)
    lost = {**{key: why for key, why in longer.lost.items() if key in shorter.lost}}
    return replace(kept, lost=lost, dtype=longer.dtype if longer.dtype == shorter.dtype else None)


def _random_steps(
    condition: Unknown, longer: tuple[Step, ...], shorter: tuple[Step, ...], size: tuple[Value, Value] = (None, None)
) -> tuple[Step, ...]:
    from dataguard.preprocessing.static.picture import explicit

    shared = 0
    while shared < len(shorter) and longer[shared] == shorter[shared]:
        shared += 1
    ending = 0
    while shared + ending < len(shorter) and longer[-1 - ending] == shorter[-1 - ending]:
        ending += 1
    if ending and shared + ending == len(shorter):
        # Both end alike: what lies between the beginning and the end is by chance.
        whole = len(longer) - ending
        return (*_random_steps(condition, longer[:whole], shorter[:shared]), *longer[whole:])
    extra = longer[shared:]
    if not extra:
        return longer
    if all(isinstance(one, Random) for one in (*extra, *shorter[shared:])):
        # One or the other: both may happen.
        return (*longer, *(one for one in shorter[shared:] if one not in extra))
    if all(isinstance(one, Random) for one in extra):
        return longer
    fixed = [one for one in extra if not isinstance(one, Random)]
    names = [getattr(one, "kind", "") or getattr(one, "name", "") or type(one).__name__ for one in fixed]
    names = list(dict.fromkeys(str(one).lower() for one in names))
    name = "flip" if set(names) <= {"left_right", "up_down"} else "+".join(names)
    shown = _resizing(extra, shorter[shared:])
    others = [one for one in shorter[shared:] if isinstance(one, Random) and one not in extra]
    sized = any(isinstance(one, Pad | Resize) or (others and isinstance(one, Crop)) for one in fixed)
    if "size" not in dict(shown) and all(map(is_number, size)) and sized:
        # Both ways end at one size.
        shown = (*shown, ("size", f"{size[0]}x{size[1]}"))
    said = extra[0].origin_of("") or explicit(condition.place)
    known = [one for one in extra if isinstance(one, Random)]
    return (
        *longer[:shared],
        *known,
        *others,
        Random(name=name, parameters=shown, provenance={"": said}),
    )


def _resizing(first: tuple[Step, ...], second: tuple[Step, ...]) -> tuple[tuple[str, str], ...]:
    """How a picture is resized whatever chance decides: what all resizes of two ways have in common."""
    sides = [[one for one in side if isinstance(one, Resize)] for side in (first, second)]
    ways = {(one.kernel, one.engine) for side in sides for one in side}
    kernel, engine = ways.pop() if len(ways) == 1 else (None, None)
    if kernel is None or engine is None:
        return ()
    shown = [("interpolation", {"linear": "bilinear", "cubic": "bicubic"}.get(kernel, kernel)), ("engine", engine)]
    ends = [(side[-1].height, side[-1].width) if side else (None, None) for side in sides]
    if ends[0] == ends[1] and None not in ends[0]:
        shown.append(("size", f"{ends[0][0]}x{ends[0][1]}"))
    return tuple(shown)


def _two_ways(condition: Measure, first: State, second: State) -> State | None:
    """One state of two that are resized by one kernel, to another size where a condition on the size holds."""
    one, other = first.steps[-1:], second.steps[-1:]
    if not one or not isinstance(one[0], Resize) or not isinstance(other[0], Resize):
        return None
    blank = {**letterboxes.LENGTHS, "rounding": None, "undetermined": {}}
    before = before_last(first.steps)
    if replace(one[0], **blank) != replace(other[0], **blank) or before is None:
        return None
    size = tuple(_by_size(condition, first.size[axis], second.size[axis]) for axis in (0, 1))
    after = pairs(*size)
    rule = resize_rule(before, after) if after is not None else None
    alike = replace(first, steps=second.steps, size=second.size) == second
    if rule is None or not alike:
        return None
    open_ = {name: why for name, why in one[0].undetermined.items() if name not in ("rule", "rounding")}
    step = replace(one[0], **{**letterboxes.LENGTHS, **rule}, undetermined=open_)
    return replace(first, steps=(*first.steps[:-1], step), size=(size[0], size[1]))


def _sized(condition: Measure, first: State, second: State) -> State | None:
    """One state of two that differ by steps which leave pictures alone where the condition does not hold."""
    longer, shorter = (first, second) if len(first.steps) >= len(second.steps) else (second, first)
    if len(first.steps) == len(second.steps) and first.steps[:-1] == second.steps[:-1]:
        return _two_ways(condition, first, second)
    if longer.steps[: len(shorter.steps)] != shorter.steps or replace(longer, steps=(), size=shorter.size) != replace(
        shorter, steps=()
    ):
        return None
    sizes = []
    for axis in (0, 1):
        found = _by_size(condition, first.size[axis], second.size[axis])
        if found is None:
            return None
        sizes.append(found)
    made = longer.size
    size = (sizes[0], sizes[1])
    if all(same(made[axis], sizes[axis]) for axis in (0, 1)):
        return replace(longer, size=size)
    last = longer.steps[-1]
    if len(longer.steps) != len(shorter.steps) + 1 or not isinstance(last, Resize):
        return None
    # Resized where the condition holds, left alone elsewhere: a rule of its own, if it is one.
    before, after = pairs(*shorter.size), pairs(*size)
    rule = resize_rule(before, after) if before is not None and after is not None else None
    if rule is None:
        return None
    return replace(longer, steps=(*longer.steps[:-1], replace(last, **{**letterboxes.LENGTHS, **rule})), size=size)
