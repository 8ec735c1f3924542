"""Pictures that branches on their size bring to one size: 'if w > h: ... elif w < h: ... else: ...', each its own way.

Each branch resizes, and pads or not, as no rule of its own says; over all sizes together one may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.static.picture import State
from dataguard.preprocessing.static.sizes import before_last, listed, measure, pairs, resize_rule, through
from dataguard.preprocessing.static.values import SIZES, Choice, Measure, Picture, Value, is_number
from dataguard.preprocessing.steps import Pad, Resize, Step

LENGTHS: dict[str, Any] = dict.fromkeys(("rule", "height", "width", "side", "longest", "factor", "multiple"))
"""What says how long the sides of a resized picture are."""


def joined(condition: Measure, first: Value, second: Value) -> State | None:
    """The one state that pictures of all sizes have, where each size takes its own of several; None for no such."""
    ways = _ways(Choice([first, second], "", test=condition))
    if ways is None:
        return None
    states = list({id(one): one for one in ways}.values())
    base = states[0]
    if any(replace(one, steps=base.steps, size=base.size) != base for one in states[1:]):
        return None
    shared = next((at for at, row in enumerate(zip(*(one.steps for one in states), strict=False)) if len(set(row)) > 1),
                  min(len(one.steps) for one in states))  # fmt: skip
    before = before_last((*base.steps[:shared], None))
    tails = {id(one): one.steps[shared:] for one in states}
    if before is None or not all(_is_letterbox(one) for one in tails.values()):
        return None
    resizes = [one[0] for one in tails.values()]
    blank = {**LENGTHS, "rounding": None, "undetermined": {}, "provenance": {}}
    if any(replace(one, **blank) != replace(resizes[0], **blank) for one in resizes):
        return None
    after = _sizes([tails[id(one)][:1] for one in ways], before)
    whole = _ends(ways)
    rule = resize_rule(before, after) if after is not None else None
    if rule is None or whole is None:
        return None
    steps: list[Step] = [*base.steps[:shared], replace(resizes[0], **{**LENGTHS, **rule})]
    size = measure(one[0] for one in whole), measure(one[1] for one in whole)
    pads = [one for tail in tails.values() for one in tail if isinstance(one, Pad)]
    if pads and whole != after:
        if not all(is_number(one) for one in size):
            return None
        why = "it lies elsewhere in pictures of other sizes"
        open_ = {**pads[0].undetermined, "position": why, "rounding": why}
        held = {**LENGTHS, "rule": "to", "height": int(size[0]), "width": int(size[1])}
        steps.append(replace(pads[0], **{name: held[name] for name in ("rule", "height", "width", "multiple")},
                             sides=None, position=None, rounding=None, undetermined=open_))  # fmt: skip
    return replace(base, steps=tuple(steps), size=size)


def _ways(value: Value) -> list[State] | None:
    """Of each size of `SIZES` the state that it takes."""
    if isinstance(value, Picture):
        return [value.state] * len(SIZES)
    if not isinstance(value, Choice) or not isinstance(value.test, Measure) or len(value.options) != 2:
        return None
    first, second = (_ways(one) for one in value.options)
    if first is None or second is None:
        return None
    return [a if held else b for a, b, held in zip(first, second, value.test.values, strict=True)]


def _is_letterbox(steps: Sequence[Step]) -> bool:
    kinds = [type(one) for one in steps]
    return kinds in ([Resize], [Resize, Pad])


def _sizes(steps: Sequence[Sequence[Step]], before: Sequence[tuple[int, int]]) -> list[tuple[int, int]] | None:
    """The size that each picture has after its own resize."""
    found: list[tuple[int, int]] = []
    for own, (height, width) in zip(steps, before, strict=True):
        made = through(own[0], height, width)
        lengths = (listed(made[0]), listed(made[1])) if made is not None else (None, None)
        if lengths[0] is None or lengths[1] is None:
            return None
        found.append((int(lengths[0][0]), int(lengths[1][0])))
    return found


def _ends(ways: Sequence[State]) -> list[tuple[int, int]] | None:
    """The size that each picture has in the end."""
    found: list[tuple[int, int]] = []
    for index, one in enumerate(ways):
        sizes = pairs(*one.size)
        if sizes is None:
            return None
        found.append((int(sizes[index][0]), int(sizes[index][1])))
    return found
