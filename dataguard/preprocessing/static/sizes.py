"""Which rule a resize, a crop or a border follows, told from what it makes of pictures of several sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from dataguard.preprocessing.static.values import SIZES, Measure, Unknown, Value, is_number, measured
from dataguard.preprocessing.steps import UNLIMITED, Crop, Flip, Pad, Random, Resize, Rounding

ROUNDINGS: tuple[Rounding, ...] = ("floor", "half_even", "half_up", "ceil")
_MULTIPLES = (8, 14, 16, 32, 64, 128)


def listed(value: Value) -> tuple[float, ...] | None:
    """A length for each of `SIZES`; None where it is not known."""
    if is_number(value):
        return (value,) * len(SIZES)
    return value.values if isinstance(value, Measure) else None


def pairs(height: Value, width: Value) -> list[tuple[int, int]] | None:
    """Height and width for each of `SIZES`, in whole pixels; None where they are not known."""
    tall, wide = listed(height), listed(width)
    if tall is None or wide is None:
        return None
    if any(not 0 < one < 1e6 for one in (*tall, *wide)):
        return None
    return [(int(a), int(b)) for a, b in zip(tall, wide, strict=True)]


def resize_rule(
    before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]], rounding: Rounding | None = None
) -> dict[str, Any] | None:
    """The fields of a `Resize` that makes these sizes of those; None where no rule does.

    Where it is known how what resizes rounds, sizes that another rounding makes too are not taken for that one's.

    >>> resize_rule(SIZES, [(256, 256)] * len(SIZES))
    {'rule': 'exact', 'height': 256, 'width': 256}
    """
    found = _resize_rule(tuple(before), tuple(after), (rounding,)) if rounding is not None else None
    if found is None:
        found = _resize_rule(tuple(before), tuple(after), ROUNDINGS)
    return None if found is None else dict(found)


@lru_cache(maxsize=1024)
def _resize_rule(
    before: tuple[tuple[int, int], ...], after: tuple[tuple[int, int], ...], roundings: tuple[Rounding, ...]
) -> dict[str, Any] | None:
    if len(set(after)) == 1:
        return {"rule": "exact", "height": after[0][0], "width": after[0][1]}
    for candidate in _candidates(before, after):
        for rounding in roundings:
            step = Resize(**candidate, rounding=rounding)
            try:
                if all(step.target(*b) == a for b, a in zip(before, after, strict=True)):
                    return {**candidate, "rounding": rounding}
            except (ValueError, ArithmeticError):
                break
    return _limited(before, after) if roundings == ROUNDINGS else None


def _limited(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> dict[str, Any] | None:
    """The same for a shorter side with a limit of the longer one, which some round twice: a pixel is not counted.

    DETR rounds the shorter side that the limit leaves, and cuts off the longer one that follows from it.
    """
    # What a shorter side is rounded by is many pixels of a side that is many times as long.
    alike = [(size, made) for size, made in zip(before, after, strict=True) if max(size) <= 4 * min(size)]
    if not alike:
        return None
    before, after = [size for size, _ in alike], [made for _, made in alike]
    short, longest = max(min(one) for one in after), max(max(one) for one in after)
    best: tuple[int, dict[str, Any]] | None = None
    for side in {short, min(after[0])}:
        for limit in (longest, longest - 1, longest - 2):
            step = Resize(rule="short", side=side, longest=limit)
            apart = [
                abs(a - b)
                for size, made in zip(before, after, strict=True)
                for a, b in zip(step.target(*size), made, strict=True)
            ]
            few = sum(1 for one in apart if one) * 4 <= len(apart)
            if side < limit and max(apart) <= 1 and few and (best is None or sum(apart) < best[0]):
                best = sum(apart), {"rule": "short", "side": side, "longest": limit, "rounding": "floor"}
    return best[1] if best is not None else None


def _candidates(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    short = [min(one) for one in after]
    long = [max(one) for one in after]
    kept = any(b == a for b, a in zip(before, after, strict=True))
    plain: list[dict[str, Any]] = []
    tall, wide = max(a[0] for a in after), max(a[1] for a in after)
    low, narrow = min(a[0] for a in after), min(a[1] for a in after)
    sides = {max(short), *short[:1]}
    plain += [{"rule": "short", "side": value} for value in sides]
    if tall == wide:
        plain.append({"rule": "long", "side": max(long)})
    # Where one side is the same for all, nothing says that the other has a limit.
    limits = UNLIMITED if wide == narrow else tall, UNLIMITED if tall == low else wide
    plain.append({"rule": "fit", "height": limits[0], "width": limits[1]})
    plain.append({"rule": "cover", "height": low, "width": narrow})
    for value in sides:
        plain.append({"rule": "short", "side": value, "longest": max(long)})
        plain.append({"rule": "within", "side": value, "longest": max(long)})
    for factor in _factors(before, after):
        plain.append({"rule": "scale", "factor": factor})
    yield from plain
    if kept:
        yield from ({**one, "enlarge": False} for one in plain)
    common = 0
    for a in after:
        common = math.gcd(common, math.gcd(*a))
    for multiple in _MULTIPLES:
        if common % multiple == 0 and common:
            yield from ({**one, "multiple": multiple} for one in plain if one["rule"] != "exact")


def _factors(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> list[float]:
    largest = max(range(len(before)), key=lambda index: before[index][0] * before[index][1])
    ratio = after[largest][0] / before[largest][0]
    found = [round(ratio, digits) for digits in (0, 1, 2, 3)]
    found += [round(ratio * part) / part for part in (3, 6, 7, 16, 32)]
    return [one for one in dict.fromkeys(found) if one > 0]


def crop_rule(before: Sequence[tuple[int, int]], box: Sequence[tuple[int, int, int, int]]) -> dict[str, Any] | None:
    """The fields of a `Crop` that cuts these boxes (top, left, height, width) out of those sizes; None for no rule."""
    heights, widths = {b[2] for b in box}, {b[3] for b in box}
    candidates: list[dict[str, Any]] = []
    if len(heights) == 1 and len(widths) == 1:
        size = {"height": box[0][2], "width": box[0][3]}
        candidates.append({"rule": "center", **size})
        if len({b[:2] for b in box}) == 1:
            candidates.append({"rule": "offset", **size, "top": box[0][0], "left": box[0][1]})
    candidates.append({"rule": "square"})
    share = max(b[2] / size[0] for b, size in zip(box, before, strict=True))
    candidates += [{"rule": "fraction", "fraction": value} for value in {round(share, 2), round(share, 3)} if value < 1]
    for candidate in candidates:
        for rounding in ROUNDINGS:
            step = Crop(**candidate, rounding=rounding)
            if all(step.box(*size) == tuple(b) for size, b in zip(before, box, strict=True)):
                return {**candidate, "rounding": rounding}
    return None


def pad_rule(
    before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]], corner: Sequence[tuple[int, int]]
) -> dict[str, Any] | None:
    """The fields of a `Pad` that puts pictures of these sizes at these corners (top, left) of those sizes."""
    tall, wide = {a[0] for a in after}, {a[1] for a in after}
    candidates: list[dict[str, Any]] = [{"rule": "to", "height": min(tall), "width": min(wide)}]
    square: dict[str, Any] = {"rule": "square"}
    candidates.insert(0 if len(tall) > 1 else 1, square)
    candidates += [{"rule": "multiple", "multiple": value} for value in (*_MULTIPLES, 4, 2, 6, 7, 10, 12, 20, 24, 28)]
    sides = {
        (c[0], a[0] - b[0] - c[0], c[1], a[1] - b[1] - c[1]) for b, a, c in zip(before, after, corner, strict=True)
    }
    if len(sides) == 1:
        candidates.insert(0, {"rule": "by", "sides": next(iter(sides))})
    for candidate in candidates:
        for position in ("center", "top_left"):
            for rounding in ROUNDINGS:
                step = replace(Pad(**candidate, rounding=rounding), position=position)
                if all(_padded(step, *one) for one in zip(before, after, corner, strict=True)):
                    return {**candidate, "position": position, "rounding": rounding}
    return None


def _padded(step: Pad, before: tuple[int, int], after: tuple[int, int], corner: tuple[int, int]) -> bool:
    top, bottom, left, right = step.border(*before)
    return (top, left) == tuple(corner) and (before[0] + top + bottom, before[1] + left + right) == tuple(after)


def through(step: Any, height: Value, width: Value) -> tuple[Value, Value] | None:
    """The size that a step gives to a picture of this size; None where it is not known."""
    sizes = pairs(height, width)
    if sizes is None:
        return None
    try:
        if isinstance(step, Resize):
            made = [step.target(*one) for one in sizes]
        elif isinstance(step, Crop):
            made = [step.box(*one)[2:] for one in sizes]
        elif isinstance(step, Pad):
            borders = [step.border(*one) for one in sizes]
            made = [(h + b[0] + b[1], w + b[2] + b[3]) for (h, w), b in zip(sizes, borders, strict=True)]
        else:
            return height, width
    except (ValueError, ArithmeticError):
        return None
    return measure(one[0] for one in made), measure(one[1] for one in made)


def before_last(steps: Sequence[Any]) -> list[tuple[int, int]] | None:
    """The sizes that pictures have before the last of some steps; None where they are not known."""
    size: tuple[Value, Value] | None = HEIGHT, WIDTH
    for step in steps[:-1]:
        if isinstance(step, Random) or size is None:
            return None
        turned = isinstance(step, Flip) and step.kind in ("transpose", "rotate_90", "rotate_270")
        size = size[::-1] if turned else through(step, *size)
    return None if size is None else pairs(*size)


def measure(values: Iterator[int] | Sequence[int]) -> Value:
    """Values for `SIZES` as one value.

    >>> measure([3] * 10)
    3
    """
    found = tuple(values)
    return found[0] if len(set(found)) == 1 else Measure(found)


HEIGHT = Measure(tuple(size[0] for size in SIZES))
WIDTH = Measure(tuple(size[1] for size in SIZES))


LENGTHS = ("a height that is not known", "a width that is not known")
"""Why lengths of pictures are not known, which are of one pixel at least."""


def corners(top: Value, left: Value) -> list[tuple[int, int]] | None:
    """Where upper left corners may be, of two lengths that may be several."""
    tall, wide = listed(top), listed(left)
    if tall is None or wide is None:
        return None
    return [(int(a), int(b)) for a, b in zip(tall, wide, strict=True)]


def extent(low: Value, high: Value) -> Value:
    """The length between two bounds; None where it is not known."""
    if low is None:
        return high if is_number(high) else None
    if isinstance(low, Unknown) and isinstance(high, Unknown):
        if low.place and replace(low, shift=0) == replace(high, shift=0):
            found = measured(lambda a, b: a - b, high.shift, low.shift)
            # Two that only began as one, as the least and the greatest of several did, would be no pixel apart.
            return found if is_number(found) and found > 1 else None
        return None
    return measured(lambda a, b: b - a, low, high) if is_number(low) and is_number(high) else None
