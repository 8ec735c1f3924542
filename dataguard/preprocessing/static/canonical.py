"""States as Pipelines: one, or what several that reading cannot tell apart have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from dataguard.preprocessing.pipeline import Affine, Decode, Pipeline
from dataguard.preprocessing.provenance import Part
from dataguard.preprocessing.static.picture import State, affine_of
from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Random, Resize, Step, unread

_LAYOUTS = ("HWC", "CHW", "NHWC", "NCHW", "HW", "NHW")
_DTYPES = ("uint8", "int8", "float16", "float32", "float64")
P = TypeVar("P", bound=Part)


def pipeline_of(state: State, name: str) -> Pipeline:
    """The canonical form of what happened to a picture."""
    lost = dict(state.lost)
    undetermined: dict[str, str] = {}
    order: Any = state.order if "order" not in lost else None
    if order is None:
        undetermined["order"] = lost.get("order", "the channels are in none of the usual orders")
        if state.channels is not None and set(state.channels) == {"Y"}:
            undetermined["order"] = "three equal channels of gray, which is no order of colours"
    geometry: tuple[Step, ...] | None = state.steps
    if "geometry" in lost:
        geometry = None
        undetermined["geometry"] = lost["geometry"]
    layout: Any = state.layout if state.layout in _LAYOUTS and "layout" not in lost else None
    if layout is None:
        undetermined["layout"] = lost.get("layout", f"axes {state.layout or 'none'}")
    dtype: Any = state.dtype if state.dtype in _DTYPES and "dtype" not in lost else None
    if dtype is None:
        undetermined["dtype"] = lost.get("dtype", f"the type of its numbers is {state.dtype or 'not known'}")
    provenance = {key: one for key, one in state.said.items() if key in ("order", "layout", "dtype")}
    return Pipeline(
        name=name,
        decode=state.decode,
        order=order,
        geometry=geometry,
        affine=affine_of(state),
        layout=layout,
        dtype=dtype,
        provenance=provenance,
        undetermined=undetermined,
    )


def common(found: Sequence[Pipeline], why: str) -> Pipeline:
    """One pipeline of several: what all say is kept, and what they do not agree on is undetermined."""
    first = found[0]
    if len(found) == 1:
        return first
    undetermined = dict(first.undetermined)
    changes: dict[str, Any] = {}
    reason = f"it depends: {why}" if why else "it is one of several"
    for name in ("order", "layout", "dtype"):
        if any(getattr(one, name) != getattr(first, name) for one in found):
            changes[name] = None
            undetermined[name] = next((one.undetermined[name] for one in found if name in one.undetermined), reason)
    if any(one.geometry is None for one in found):
        changes["geometry"] = None
        undetermined["geometry"] = next(
            one.undetermined.get("geometry", reason) for one in found if one.geometry is None
        )
    else:
        changes["geometry"] = steps_of([one.geometry or () for one in found], reason)
        if changes["geometry"] is None:
            undetermined["geometry"] = reason
    changes["decode"] = _of_parts(_of_files([one.decode for one in found]), reason)
    if any(one.decode.size != first.decode.size for one in found):
        # Data sets of several sizes: their origin is not that of the first.
        changes["decode"] = replace(changes["decode"], provenance={})
    changes["affine"] = _affine([one.affine for one in found], reason)
    return replace(first, **changes, undetermined=undetermined)


def _of_files(parts: list[Decode]) -> list[Decode]:
    """Those that say how files are read, where a library takes frames of a camera as well, which have no such rules."""
    files = [one for one in parts if one.flags != ("video",)]
    return files if files and all(one.library == parts[0].library for one in parts) else parts


def steps_of(ways: list[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """What several ways have in common in their steps; None where that is nothing."""
    if all(one == ways[0] for one in ways):
        return ways[0]
    alike = len({tuple(type(step) for step in one) for one in ways}) == 1
    if alike:
        merged = [_merged(list(column), reason) for column in zip(*ways, strict=True)]
        if None not in merged:
            return tuple(one for one in merged if one is not None)
    if any(isinstance(step, Filter) for way in ways for step in way):
        return _filtered(ways, reason)
    if not alike:
        found = _padded_alike(ways, reason) or _but_for_chance(ways) or _ending(ways, reason) or _shared(ways, reason)
        found = found or _any_by_chance(ways, reason)
        if found is not None:
            return found
    cut = _cut_or_resized(ways, reason)
    if cut is not None:
        return cut
    return _resized_alike(ways, reason)


def _filtered(ways: list[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """What ways have in common that filter or do not: which filters there are is not known where they differ."""
    filters = [[step for step in way if isinstance(step, Filter)] for way in ways]
    others: list[tuple[Step, ...]] = [tuple(step for step in way if not isinstance(step, Filter)) for way in ways]
    rest = steps_of(others, reason)
    if rest is None:
        return None
    made: list[Step] = [*filters[0]]
    if any(one != filters[0] for one in filters):
        said = next(one.provenance for way in filters for one in way)
        made = [Filter(name=None, provenance=said, undetermined={"name": reason})]
    begins = {way.index(own[0]) for way, own in zip(ways, filters, strict=True) if own}
    # A blur before a resize is another one than after it: where all ways tell, it stays before what follows it.
    told = begins == {0} or (len(begins) == 1 and all(len(one) == len(rest) for one in others))
    at = begins.pop() if told else len(rest)
    return *rest[:at], *made, *rest[at:]


def _resized_alike(ways: list[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """The resize that each way has last, where one library does all in one way; what is around it is not known."""
    lasts: list[Step] = []
    for way in ways:
        last = next((step for step in reversed(way) if isinstance(step, Resize)), None)
        if last is None:
            return None
        lasts.append(last)
    resize = _merged(lasts, reason)
    if not isinstance(resize, Resize) or resize.engine is None or resize.kernel is None:
        return None
    chance = [step for step in ways[0] if isinstance(step, Random) and all(step in way for way in ways)]
    ends = [way[len(way) - way[::-1].index(last) :] for way, last in zip(ways, lasts, strict=True)]
    moves = any(not isinstance(step, Random | Flip) for end in ends for step in end)
    return unread(reason), *chance, resize, *((unread(reason),) if moves else ())


def _ending(found: list[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """Steps that end alike, as of a face or of the whole picture where none is found; None where they do not.

    What comes before is one step of which nothing is known. That says enough where a resize follows that does not
    depend on the size before.
    """
    shared = 0
    while all(shared < len(one) for one in found) and all(
        _alike(one[-1 - shared], found[0][-1 - shared]) for one in found
    ):
        shared += 1
    begun = [one[: len(one) - shared] for one in found]
    ends = [one[len(one) - shared :] for one in found]
    placed = any(isinstance(step, Random) and "size" in dict(step.parameters) for step in ends[0])
    if not placed and not any(isinstance(step, Resize) and step.rule in (None, "exact") for step in ends[0]):
        return None
    chance: list[list[Step]] = [[step for step in one if isinstance(step, Random)] for one in begun]
    if any(one != chance[0] for one in chance):
        if CHANCE not in reason and not placed:
            return None
        # Which way is gone is by chance itself: any of them may happen. Else what all have is, and more at the end.
        every = [step for step in chance[0] if all(step in one for one in chance)]
        chance[0] = _of_all(begun, chance) if CHANCE in reason else every
    merged = [_merged(list(column), reason) for column in zip(*ends, strict=True)]
    return None if None in merged else (unread(reason), *chance[0], *(step for step in merged if step is not None))


def _of_all(ways: list[tuple[Step, ...]], chance: list[list[Step]]) -> list[Step]:
    """What may happen in any of several ways, of which chance takes one; what each cuts out is by chance then."""
    found = list(dict.fromkeys(step for one in chance for step in one))
    cut = next((step for way in ways for step in way if isinstance(step, Crop)), None)
    if cut is not None:
        found.append(Random(name="crop", parameters=(), provenance=cut.provenance))
    return found


def _alike(one: Step, other: Step) -> bool:
    """Whether two steps do the same, be it to whole levels or to fractions."""
    if isinstance(one, Resize) and isinstance(other, Resize):
        return replace(one, arithmetic=other.arithmetic, undetermined={}, provenance={}) == other
    return one == other


def _cut_or_resized(ways: Sequence[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """A part of one size by chance, where what is too small for it is resized to that size: both, in this order.

    Whether a picture is resized is not known; that it has the size in the end is.
    """
    shared = _begun(ways)
    resizes = [one for way in ways for one in way[shared : shared + 1] if isinstance(one, Resize)]
    cuts = [one for way in ways for one in way[shared : shared + 1] if isinstance(one, Random) and "crop" in one.name]
    if not resizes or not cuts or len(resizes) + len(cuts) < len(ways):
        return None
    resize, cut = resizes[0], cuts[0]
    alike = all(one == resize for one in resizes) and all(one == cut for one in cuts)
    size = dict(cut.parameters).get("size")
    if not alike or resize.rule != "exact" or size != f"{resize.height}x{resize.width}":
        return None
    if any(way[shared + 1 :] != ways[0][shared + 1 :] for way in ways):
        return None
    open_ = {**resize.undetermined, "rule": reason, "rounding": reason}
    some = replace(resize, rule=None, height=None, width=None, rounding=None, undetermined=open_)
    return *ways[0][:shared], some, cut, *ways[0][shared + 1 :]


def _padded_alike(ways: Sequence[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """A border up to a size that only some ways need, as others resize to that size at once: all have it then."""
    longest = max(ways, key=len)
    at = next((index for index, step in enumerate(longest) if isinstance(step, Pad) and step.rule == "to"), None)
    if at is None or not at or not isinstance(longest[at - 1], Resize):
        return None
    whole = longest[at].height, longest[at].width  # type: ignore[union-attr]
    columns: list[list[Step]] = [[] for _ in longest[:at]]
    for way in ways:
        last = way[at - 1] if len(way) >= at else None
        rest = way[at:]
        if rest[:1] != longest[at : at + 1]:
            exact = isinstance(last, Resize) and last.rule == "exact" and (last.height, last.width) == whole
            rest = (longest[at], *rest) if exact else ()
        if rest != longest[at:] or [type(one) for one in way[:at]] != [type(one) for one in longest[:at]]:
            return None
        for column, step in zip(columns, way, strict=False):
            column.append(step)
    begun = [_merged(column, reason) for column in columns]
    return None if None in begun else (*(one for one in begun if one is not None), *longest[at:])


def _but_for_chance(ways: Sequence[tuple[Step, ...]]) -> tuple[Step, ...] | None:
    """The way with the most steps of chance, where all others are the same: what chance decides may not happen."""
    fixed = {tuple(step for step in way if not isinstance(step, Random)) for way in ways}
    longest = max(ways, key=len)
    return longest if len(fixed) == 1 and all(set(way) <= set(longest) for way in ways) else None


def _shared(ways: Sequence[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """The steps that all ways begin with, where they go on with borders and crops alone, of which no more is said."""
    begun = _begun(ways)
    rest = [step for way in ways for step in way[begun:]]
    if not begun or not all(isinstance(step, Pad | Crop) for step in rest):
        return None
    made: list[Step] = list(ways[0][:begun])
    why = dict.fromkeys(("rule", "rounding"), reason)
    crop = next((step for step in rest if isinstance(step, Crop)), None)
    if crop is not None:
        made.append(Crop(rule=None, rounding=None, fill=None, undetermined=why, provenance=crop.provenance))
    pad = next((step for step in rest if isinstance(step, Pad)), None)
    if pad is not None:
        why = {**why, "position": reason, "fill": reason}
        made.append(
            Pad(rule=None, position=None, rounding=None, fill=None, undetermined=why, provenance=pad.provenance)
        )
    return tuple(made)


def _begun(ways: Sequence[tuple[Step, ...]]) -> int:
    """How many steps all ways begin with."""
    begun = 0
    while all(len(way) > begun and way[begun] == ways[0][begun] for way in ways):
        begun += 1
    return begun


def _any_by_chance(ways: Sequence[tuple[Step, ...]], reason: str) -> tuple[Step, ...] | None:
    """Ways that begin alike, of which chance takes one: whatever parts and borders any of them goes on with."""
    begun = _begun(ways)
    rest = [step for way in ways for step in way[begun:]]
    if CHANCE not in reason or not begun or not all(isinstance(step, Random | Pad | Crop) for step in rest):
        return None
    extra = [one if isinstance(one, Random) else Random(name=type(one).__name__.lower(), parameters=(),
                                                        provenance=one.provenance) for one in rest]  # fmt: skip
    extra = sorted(dict.fromkeys(extra), key=lambda one: "size" in dict(one.parameters))
    ends = {_size_after(way) for way in ways}
    size = ends.pop() if len(ends) == 1 else None
    if size is not None and "size" not in dict(extra[-1].parameters):
        extra[-1] = replace(extra[-1], parameters=(*extra[-1].parameters, ("size", size)))
    return *ways[0][:begun], *extra


def _size_after(way: tuple[Step, ...]) -> str | None:
    """The size that steps end with, 'height×width' as steps by chance say it; None where that is not told."""
    for step in reversed(way):
        if isinstance(step, Random):
            if "size" in dict(step.parameters):
                return dict(step.parameters)["size"]
            if step.name not in ("flip", "levels", "noise", "channels"):
                return None
        elif isinstance(step, Resize | Pad) and step.rule in ("exact", "to") and step.height and step.width:
            return f"{step.height}x{step.width}"
        elif not isinstance(step, Flip | Filter):
            return None
    return None


def _merged(column: list[Step], reason: str) -> Step | None:
    first = column[0]
    if all(one == first for one in column):
        return first
    if isinstance(first, Random) and all(isinstance(one, Random) and one.name == first.name for one in column):
        # The same by chance, of which one way says more than another.
        shared = [one for one in first.parameters if all(one in other.parameters for other in column)]  # type: ignore[union-attr]
        return replace(first, parameters=tuple(shared))
    if isinstance(first, Random | Filter):
        return None
    return _of_parts(column, reason)


def decode_of(parts: Sequence[Decode], reason: str) -> Decode:
    """What several ways to read a file have in common."""
    return _of_parts(parts, reason)


def _of_parts(parts: Sequence[P], reason: str) -> P:
    first = parts[0]
    changes: dict[str, Any] = {}
    undetermined = dict(first.undetermined)
    for item in fields(first):
        if item.name in ("provenance", "undetermined"):
            continue
        values = [getattr(one, item.name) for one in parts]
        if any(one != values[0] for one in values) and item.name != "enlarge":
            changes[item.name] = None
            undetermined[item.name] = next(
                (one.undetermined[item.name] for one in parts if item.name in one.undetermined), reason
            )
    return replace(first, **changes, undetermined=undetermined)


def _affine(parts: Sequence[Affine], reason: str) -> Affine:
    first = parts[0]
    if all(one == first for one in parts):
        return first
    known = [one for one in parts if one.scale is not None and one.offset is not None]
    same = len(known) == len(parts) and all(
        len(one.scale or ()) == len(first.scale or ())
        and all(abs(a - b) < 1e-9 for a, b in zip(one.scale or (), first.scale or (), strict=True))
        and len(one.offset or ()) == len(first.offset or ())
        and all(abs(a - b) < 1e-9 for a, b in zip(one.offset or (), first.offset or (), strict=True))
        for one in parts
    )
    if same:
        return first
    why = next((one.undetermined["scale"] for one in parts if "scale" in one.undetermined), reason)
    return replace(first, scale=None, offset=None, written=(), undetermined={"scale": why, "offset": why})
