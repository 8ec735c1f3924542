"""Which steps explain where the pixels come from.

Every family of steps that is in use is written down with the lengths that the measurements suggest, and all ways to
round; what predicts every measurement is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from dataguard.preprocessing.probe.measuring import Measured
from dataguard.preprocessing.probe.placement import Placement, predict
from dataguard.preprocessing.steps import Crop, Flip, Pad, Resize, Rounding, Step

ROUNDINGS: tuple[Rounding, ...] = ("floor", "half_even", "half_up", "ceil")
MULTIPLES = (8, 14, 16, 28, 32, 64, 128)

Steps = tuple[Step, ...]

OTHERS = ((97, 331), (210, 211), (333, 500), (480, 640), (513, 512), (640, 427), (719, 1280), (801, 300))
"""Sizes beside those that were asked about, at which steps may differ."""


def explanations(measured: Sequence[Measured]) -> list[Steps]:
    """The steps that predict all measurements, the simplest first; kernels are left at their defaults."""
    turned, undone = _undone(measured)
    if _untouched(undone):
        return [turned]
    fill = next((one.fill for one in measured if one.fill is not None), None)
    mode = next((one.border for one in undone if one.border is not None), None)
    found = _explaining_all(undone, fill or (0.0,), mode)
    if not found:
        first, behind = _behind_a_border(undone, fill)
        rest = [] if not first else [()] if _untouched(behind) else _explaining_all(behind, (0.0,), None)
        found = [(pad, *steps) for steps in rest for pad in first]
    return [(*steps, *turned) for steps in found]


def _untouched(measured: Sequence[Measured]) -> bool:
    return all(one.agrees(predict((), one.placement.height, one.placement.width)) for one in measured)


def _explaining_all(
    measured: Sequence[Measured], fill: tuple[float, ...], mode: Literal["edge", "reflect", "symmetric"] | None
) -> list[Steps]:
    """The candidates that predict all measurements, where a border that is added repeats the picture by `mode`."""
    kept: dict[Steps, None] = {}
    for given in _variants(_candidates(measured, fill), measured):
        steps = given
        if mode is not None:
            steps = tuple(replace(step, mode=mode) if isinstance(step, Pad) else step for step in given)
        if all(_fits(steps, one) for one in measured) and all(_predicts(steps, one) for one in measured):
            kept[steps] = None
    return list(kept)


def _behind_a_border(measured: Sequence[Measured], fill: tuple[float, ...] | None) -> tuple[list[Pad], list[Measured]]:
    """A border of the same pixels for every size that may come first, and the measurements as of pictures with it.

    Where the output begins and ends on the picture is measured inside of it, so that it does not matter whether the
    border can be seen.
    """
    each = []
    for one in measured:
        rows, columns = one.placement.rows, one.placement.columns
        beyond = -rows.at(0), rows.at(rows.size) - one.placement.height
        beside = -columns.at(0), columns.at(columns.size) - one.placement.width
        each.append((*beyond, *beside))
    sides = tuple(round(float(np.median(side))) for side in zip(*each, strict=True))
    error = 0.3 + 4 * max(max(one.row_error, one.column_error) for one in measured)
    off = max(abs(side - length) for one in each for side, length in zip(sides, one, strict=True))
    if off > error or min(sides) < 0 or not any(sides):
        return [], []
    behind = []
    for one in measured:
        place = one.placement
        rows = replace(place.rows, shift=place.rows.shift + sides[0], start=0.0, stop=float(place.rows.size))
        columns = replace(
            place.columns, shift=place.columns.shift + sides[2], start=0.0, stop=float(place.columns.size)
        )
        placement = replace(
            place,
            height=place.height + sides[0] + sides[1],
            width=place.width + sides[2] + sides[3],
            rows=rows,
            columns=columns,
        )
        behind.append(replace(one, placement=placement))
    pad = Pad(rule="by", sides=sides)
    if fill is not None:
        return [replace(pad, fill=fill)], behind
    return [replace(pad, mode="edge"), replace(pad, mode="reflect"), replace(pad, mode="symmetric")], behind


def _variants(candidates: Iterable[Steps], measured: Sequence[Measured]) -> Iterator[Steps]:
    """The candidates, and those whose crop pads what is too small in one of the other ways."""
    smallest = min(min(one.placement.height, one.placement.width) for one in measured)
    for steps in candidates:
        yield steps
        for at, step in enumerate(steps):
            if isinstance(step, Crop) and step.rule == "center" and step.fill is not None:
                # Behind a resize to a side that is known the picture may still be smaller.
                resized = any(isinstance(before, Resize) for before in steps[:at])
                if not resized and smallest >= max(step.height or 0, step.width or 0):
                    continue
                for border in ("floor", "ceil"):
                    other = replace(step, border="floor" if border == "floor" else "ceil")
                    yield (*steps[:at], other, *steps[at + 1 :])


def explaining(candidates: Sequence[Steps], one: Measured) -> list[Steps]:
    """Those of some candidates that predict one measurement more."""
    turned, (undone,) = _undone([one])
    count = len(turned)
    return [steps for steps in candidates if _predicts(steps[: len(steps) - count] if count else steps, undone)]


def _fits(steps: Steps, one: Measured) -> bool:
    """Whether the sizes are right, which is quick to see."""
    placement = one.placement
    height, width = placement.height, placement.width
    try:
        for step in steps:
            if isinstance(step, Resize):
                height, width = step.target(height, width)
            elif isinstance(step, Crop):
                _, _, height, width = step.box(height, width)
            elif isinstance(step, Pad):
                top, bottom, left, right = step.border(height, width)
                height, width = height + top + bottom, width + left + right
    except (ValueError, ZeroDivisionError):
        return False
    return (height, width) == (placement.rows.size, placement.columns.size)


def trace(steps: Steps, height: int, width: int) -> tuple[object, ...]:
    """The lengths that steps come to for one size: what is the same for two does the same to it."""
    found: list[object] = []
    for step in steps:
        if isinstance(step, Resize):
            size, area = step.target(height, width), step.area(height, width)
            if area != (0.0, 0.0, width, height):
                found.append(("part", *area))
            if size != (height, width) or area != (0.0, 0.0, width, height):
                found.append(size)
            height, width = size
        elif isinstance(step, Crop):
            box = step.box(height, width)
            if box[:2] != (0, 0) or box[2:] != (height, width):
                found.append(("cut", *box))
            height, width = box[2:]
        elif isinstance(step, Pad):
            border = step.border(height, width)
            if any(border):
                found.append(("border", *border, step.mode))
            height, width = height + border[0] + border[1], width + border[2] + border[3]
        else:
            found.append(step)
    return tuple(found)


def distinct(candidates: Sequence[Steps], sizes: Iterable[tuple[int, int]]) -> list[Steps]:
    """The first of those that do the same to every one of some sizes."""
    kept: dict[tuple[object, ...], Steps] = {}
    for steps in candidates:
        kept.setdefault(tuple(trace(steps, *size) for size in sizes), steps)
    return list(kept.values())


def _predicts(steps: Steps, one: Measured) -> bool:
    try:
        return one.agrees(predict(steps, one.placement.height, one.placement.width))
    except (ValueError, ZeroDivisionError):
        return False


def distinguishing_size(candidates: Sequence[Steps], sizes: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Of some sizes the one at which most of the candidates differ by at least a fifth of a pixel; None for none."""
    best, most = None, 1
    for size in sizes:
        try:
            kinds = {_signature(predict(steps, *size)) for steps in candidates}
        except (ValueError, ZeroDivisionError):
            continue
        if len(kinds) > most:
            best, most = size, len(kinds)
    return best


def tie_sizes(candidates: Sequence[Steps], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Sizes at which a side that follows lies halfway between two whole numbers, which random ones seldom do."""
    sides = {
        side
        for steps in candidates
        for step in steps
        if isinstance(step, Resize) and step.rule in ("short", "long", "fit", "cover")
        for side in (step.side, step.height, step.width)
        if side is not None
    }
    found = []
    for side in sorted(sides)[:6]:
        for low, high in ((side // 3, side), (side // 8, side // 3)):
            other = 4 * int(rng.integers(low, high)) + 1
            found += [(2 * side, other), (other, 2 * side)]
        # A shorter side of 2·side/k makes the longer one end in a half, if it is odd.
        for k in (1, 3, 5):
            if 2 * side % k == 0:
                short = 2 * side // k
                for _ in range(2):
                    long = short + 1 + 2 * int(rng.integers(1, max(2, short // 2))) + short % 2
                    found += [(short, long), (long, short)]
    return [size for size in found if min(size) >= 16 and max(size) <= 2400]


def _signature(placement: Placement) -> tuple[int, ...]:
    found: list[int] = []
    for axis in (placement.rows, placement.columns):
        ends = axis.at(axis.start), axis.at(axis.stop)
        found += [axis.size, round(axis.start * 2), round(axis.stop * 2), *(round(end * 5) for end in ends)]
    return tuple(found)


def _undone(measured: Sequence[Measured]) -> tuple[Steps, list[Measured]]:
    """The flips that come last, and the measurements without them."""
    first = measured[0].placement
    kinds = []
    if first.transposed:
        kinds.append(Flip(kind="transpose"))
    if first.columns.scale < 0:
        kinds.append(Flip(kind="left_right"))
    if first.rows.scale < 0:
        kinds.append(Flip(kind="up_down"))
    if not kinds:
        return (), list(measured)
    undone = []
    for one in measured:
        rows, columns = (
            replace(
                axis,
                scale=abs(axis.scale),
                shift=axis.shift if axis.scale > 0 else axis.at(axis.size),
                start=axis.start if axis.scale > 0 else axis.size - axis.stop,
                stop=axis.stop if axis.scale > 0 else axis.size - axis.start,
            )
            for axis in (one.placement.rows, one.placement.columns)
        )
        row_error, column_error = one.row_error, one.column_error
        if first.transposed:
            rows, columns, row_error, column_error = columns, rows, column_error, row_error
        placement = replace(one.placement, rows=rows, columns=columns, transposed=False)
        undone.append(replace(one, placement=placement, row_error=row_error, column_error=column_error))
    return tuple(kinds), undone


def _candidates(measured: Sequence[Measured], fill: tuple[float, ...]) -> Iterator[Steps]:
    sizes = {(one.placement.rows.size, one.placement.columns.size) for one in measured}
    yield ()
    if len(sizes) == 1:
        yield from _of_one_size(measured, *next(iter(sizes)), fill)
    yield from _of_any_size(measured, fill)


def _of_one_size(measured: Sequence[Measured], h: int, w: int, fill: tuple[float, ...]) -> Iterator[Steps]:
    """Steps whose result has height h and width w, whatever the picture's size."""
    exact = Resize(rule="exact", height=h, width=w)
    yield (exact,)
    yield (Crop(rule="center", height=h, width=w, fill=fill),)
    yield from _of_a_part(measured, exact)
    shorts = _near(min(_resized(one)) for one in measured)
    first = measured[0].placement
    for side in shorts:
        for follow in ROUNDINGS:
            for cut in ROUNDINGS:
                crop = Crop(rule="center", height=h, width=w, rounding=cut, fill=fill)
                yield Resize(rule="short", side=side, rounding=follow), crop
    for cut in ROUNDINGS[1:]:
        yield (Crop(rule="center", height=h, width=w, rounding=cut, fill=fill),)
    # Letterboxes.
    for enlarge in (True, False):
        for follow in ROUNDINGS:
            fit = Resize(rule="fit", height=h, width=w, rounding=follow, enlarge=enlarge)
            for edge in ROUNDINGS:
                yield fit, Pad(rule="to", height=h, width=w, rounding=edge, fill=fill)
            yield fit, Pad(rule="to", height=h, width=w, position="top_left", fill=fill)
    for edge in ROUNDINGS[::3]:
        yield Pad(rule="square", rounding=edge, fill=fill), exact
        yield (Pad(rule="to", height=h, width=w, rounding=edge, fill=fill),)
    yield Pad(rule="square", position="top_left", fill=fill), exact
    yield (Pad(rule="to", height=h, width=w, position="top_left", fill=fill),)
    # Crops before the resize.
    for cut in ROUNDINGS:
        yield Crop(rule="square", rounding=cut), exact
    shares = {round((hi - lo) / size, 4) for one in measured for lo, hi, size in _shown(one)}
    for fraction in sorted({round(share, digits) for share in shares for digits in (2, 3, 4)} | {0.875}):
        for cut in ROUNDINGS:
            if 0.05 < fraction < 1:
                yield Crop(rule="fraction", fraction=fraction, rounding=cut), exact
    tall, wide = (_near([hi - lo]) for lo, hi, _ in _shown(measured[0]))
    for high, broad in itertools.product(tall, wide):
        for cut in ROUNDINGS:
            yield Crop(rule="center", height=high, width=broad, rounding=cut, fill=fill), exact
            yield Crop(rule="center", height=high, width=broad, rounding=cut, fill=None), exact
        above, leftward = (_near([lo]) for lo, _, _ in _shown(measured[0]))
        for top, left in itertools.product(above, leftward):
            if top >= 0 and left >= 0:
                yield Crop(rule="offset", top=top, left=left, height=high, width=broad, fill=None), exact
    # An exact resize, and a crop out of it.
    down, across = (_near([side]) for side in _resized(measured[0]))
    for high, broad in itertools.product(down, across):
        larger = Resize(rule="exact", height=high, width=broad)
        for cut in ROUNDINGS:
            yield larger, Crop(rule="center", height=h, width=w, rounding=cut, fill=fill)
        yield larger, Pad(rule="to", height=h, width=w, fill=fill)
        above, leftward = (_near([axis.shift / axis.scale]) for axis in (first.rows, first.columns))
        for top, left in itertools.product(above, leftward):
            if top >= 0 and left >= 0:
                yield larger, Crop(rule="offset", top=top, left=left, height=h, width=w, fill=fill)
            if top <= 0 and left <= 0:
                sides = -top, h - high + top, -left, w - broad + left
                if min(sides) >= 0:
                    yield larger, Pad(rule="by", sides=sides, fill=fill)
    for follow in ROUNDINGS:
        for cut in ROUNDINGS:
            crop = Crop(rule="center", height=h, width=w, rounding=cut)
            yield Resize(rule="cover", height=h, width=w, rounding=follow), crop
        for side in shorts:
            corner = Crop(rule="offset", top=0, left=0, height=h, width=w, fill=fill)
            yield Resize(rule="short", side=side, rounding=follow), corner
    # To cover a size that is no square, and a crop out of it: each side is shortest where it decides.
    covered = (_near([min(sides)]) for sides in zip(*map(_resized, measured), strict=True))
    for high, broad in itertools.product(*covered):
        for follow, cut in itertools.product(ROUNDINGS, ROUNDINGS):
            if high != broad:
                crop = Crop(rule="center", height=h, width=w, rounding=cut, fill=fill)
                yield Resize(rule="cover", height=high, width=broad, rounding=follow), crop
    # A crop out of a resize, resized again: the composition of scales tells the crop's size only.
    for side in shorts:
        yield Resize(rule="short", side=side), Crop(rule="square"), exact


def _of_a_part(measured: Sequence[Measured], exact: Resize) -> Iterator[Steps]:
    """The largest part with the target's shape, resized; what is left out of it need not be whole pixels."""
    # Along the side that is shown whole nothing is left out but what is left out all around.
    bleeds, places = {0.0}, {0.0, 0.5, 1.0}
    for one in measured:
        left_out = [(low / size, 1 - high / size) for low, high, size in _shown(one)]
        around = min(sum(both) for both in left_out) / 2
        bleeds |= {round(around, digits) for digits in (2, 3) if 0.004 < around < 0.5}
        before, after = max(left_out, key=sum)
        if before + after > 2 * around + 0.05:
            places |= {round(min(1.0, max(0.0, (before - around) / (before + after - 2 * around))), 2)}
    for bleed in sorted(bleeds):
        for down in sorted(places, key=lambda place: abs(place - 0.5)):
            for across in sorted(places, key=lambda place: abs(place - 0.5)):
                yield (replace(exact, source="aspect", bleed=bleed, centering=(across, down)),)


def _of_any_size(measured: Sequence[Measured], fill: tuple[float, ...]) -> Iterator[Steps]:
    """Steps whose result depends on the picture's size."""
    shorts, longs = (_near(choose(_resized(one)) for one in measured) for choose in (min, max))
    resizes: list[Resize] = []
    high, broad = (max(axis) for axis in zip(*map(_resized, measured), strict=True))
    factors = {round(side / full, 3) for one in measured for side, full in zip(_resized(one), _full(one), strict=True)}
    largest = _near([max(longs)]) if longs else []
    reached = [*itertools.product(_near([high]), _near([broad]))]
    # A limit that no picture reaches lies beyond the largest side, which was rounded down below it.
    limits = [(tall + more, wide + wider) for more, wider in ((0, 0), (0, 1), (1, 0)) for tall, wide in reached]
    for follow in ROUNDINGS:
        for side in shorts:
            resizes.append(Resize(rule="short", side=side, rounding=follow))
            resizes += [Resize(rule="short", side=side, longest=long, rounding=follow) for long in largest]
        resizes += [Resize(rule="long", side=side, rounding=follow) for side in longs]
        resizes += [
            Resize(rule="fit", height=tall, width=wide, rounding=follow, enlarge=enlarge)
            for tall, wide in limits
            for enlarge in (True, False)
        ]
        resizes += [Resize(rule="scale", factor=factor, rounding=follow) for factor in sorted(factors)]
    for resize in resizes:
        yield (resize,)
    for edge in ("square", "multiple"):
        multiples = MULTIPLES if edge == "multiple" else (None,)
        for multiple in multiples:
            for position in ("top_left", "center"):
                pad = Pad(
                    rule="square" if edge == "square" else "multiple",
                    multiple=multiple,
                    position="center" if position == "center" else "top_left",
                    fill=fill,
                )
                yield (pad,)
                for resize in resizes:
                    yield resize, pad
    for multiple in MULTIPLES:
        for follow in ROUNDINGS:
            yield (Resize(rule="scale", factor=1.0, multiple=multiple, rounding=follow),)
        for resize in resizes:
            yield (replace(resize, multiple=multiple),)
    for cut in ROUNDINGS:
        yield (Crop(rule="square", rounding=cut),)
    for fraction in sorted({round((hi - lo) / size, 3) for one in measured for lo, hi, size in _shown(one)}):
        for cut in ROUNDINGS:
            if 0.05 < fraction < 1:
                yield (Crop(rule="fraction", fraction=fraction, rounding=cut),)
    first = measured[0].placement
    sides = tuple(round(side) for axis in (first.rows, first.columns) for side in (axis.start, axis.size - axis.stop))
    if any(sides):
        yield (Pad(rule="by", sides=sides, fill=fill),)


def _full(one: Measured) -> tuple[int, int]:
    return one.placement.height, one.placement.width


def _resized(one: Measured) -> tuple[float, float]:
    """Height and width of the whole picture at the scale of the output."""
    placement = one.placement
    return placement.height / placement.rows.scale, placement.width / placement.columns.scale


def _shown(one: Measured) -> tuple[tuple[float, float, int], tuple[float, float, int]]:
    """The part of the input that is shown and the input's size, for rows and columns."""
    placement = one.placement
    return (*placement.rows.source, placement.height), (*placement.columns.source, placement.width)


def _near(lengths: Iterable[float]) -> list[int]:
    """Whole numbers that a measured length may be, without repetition."""
    found: dict[int, None] = {}
    for length in lengths:
        middle = round(length)
        for side in (middle, middle - 1, middle + 1):
            if abs(side - length) <= max(0.75, 0.004 * abs(length)):
                found[side] = None
    return list(found)
