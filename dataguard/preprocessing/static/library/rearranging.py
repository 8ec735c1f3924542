"""Pixels and channels that functions of arrays put elsewhere: turned, rolled, taken by their places, repeated."""

from __future__ import annotations

from typing import Any

from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.picture import by_chance, explicit, losing, moved, reordered, stepped, without
from dataguard.preprocessing.static.values import Picture, Seq, Value
from dataguard.preprocessing.steps import Flip


@function("numpy.rot90", "torch.rot90")
def _turned(call: Call) -> Value:
    """Counterclockwise, by quarter turns of the first two axes."""
    state, turns, axes = call.picture(0, "m"), call.get(1, "k", 1), call.get(2, "axes", call.kwargs.get("dims"))
    if state is None:
        return call.unknown("no picture")
    if call.by_chance:
        return Picture(by_chance(state, "rot90", call.place))
    plain = axes is None or (isinstance(axes, Seq) and axes.items == [state.layout.find("H"), state.layout.find("W")])
    if not isinstance(turns, int) or not plain or "H" not in state.layout:
        return Picture(losing(state, call.place, "quarter turns that are not known", "geometry"))
    kind: Any = ("", "rotate_90", "rotate_180", "rotate_270")[turns % 4]
    step = Flip(kind=kind, provenance={"": explicit(call.place)}) if kind else None
    return Picture(state if step is None else stepped(state, step, call.place))


@function("numpy.take", "tensorflow.gather", "torch.index_select")
def _chosen(call: Call) -> Value:
    """Channels in another order; of a batch some pictures, or one; of other axes a part."""
    first = next((one for one in (*call.args, *call.kwargs.values()) if isinstance(one, Picture)), None)
    if first is None:
        return call.unknown(f"what {call.name} returns")
    state = first.state
    torch_like = call.name.startswith("torch.")
    axis = call.get(1, "dim") if torch_like else call.get(2 if call.name == "numpy.take" else 9, "axis")
    places = call.get(2 if torch_like else 1, "index" if torch_like else "indices")
    if axis is None and call.name == "tensorflow.gather" and "batch_dims" not in call.kwargs:
        axis = 0
    known = isinstance(places, Seq) and all(isinstance(one, int) for one in places.items)
    name = state.layout[axis] if isinstance(axis, int) and -len(state.layout) <= axis < len(state.layout) else ""
    if known and name == "C":
        return Picture(reordered(state, places.items, call.place))
    if name == "N" and (torch_like or parts.is_several(places)):
        return Picture(moved(state, call.place))
    if name == "N" and isinstance(places, int):
        return Picture(moved(state, call.place, layout=without(state.layout)))
    lost = {"N": ("layout",), "C": ("order",), "": ("layout", "order", "geometry")}.get(name, ("geometry",))
    return Picture(losing(state, call.place, "a part is taken by its places", *lost))


@methods("array", "take")
@methods("tensor", "index_select")
def _chosen_of(call: Call) -> Value:
    library = "torch.index_select" if call.name == "index_select" else "numpy.take"
    return _chosen(Call(call.machine, library, [call.receiver, *call.args], call.kwargs, call.node))


@function("numpy.roll", "torch.roll")
def _rolled(call: Call) -> Value:
    state = call.picture(0, "a")
    if state is None:
        return call.unknown("no picture")
    if call.by_chance:
        return Picture(by_chance(state, "roll", call.place, size=state.size))
    return Picture(losing(state, call.place, "pixels are moved around", "geometry"))


@function("numpy.repeat", "torch.repeat_interleave")
def _repeated(call: Call) -> Value:
    """One channel so many times; of other axes each pixel."""
    state, times, axis = call.picture(0, "a"), call.get(1, "repeats"), call.get(2, "axis", call.kwargs.get("dim"))
    if state is None:
        return call.unknown("no picture")
    name = state.layout[axis] if isinstance(axis, int) and -len(state.layout) <= axis < len(state.layout) else ""
    if name == "N" or (name == "C" and len(state.channels or ()) == 1 and isinstance(times, int)):
        return Picture(moved(state, call.place))
    return Picture(losing(state, call.place, "pixels are repeated", "geometry"))


@function(
    "cv2.pyrDown", "cv2.pyrUp", "cv2.undistort", "cv2.fisheye.undistortImage", "cv2.warpPolar", "cv2.linearPolar",
    "cv2.logPolar", "cv2.getRectSubPix", "cv2.hconcat", "cv2.vconcat", "skimage.transform.swirl",
    "skimage.transform.pyramid_reduce", "skimage.transform.pyramid_expand",
    "skimage.transform.downscale_local_mean", "skimage.util.crop", "scipy.ndimage.shift",
    "scipy.ndimage.affine_transform", "scipy.ndimage.map_coordinates", "PIL.ImageChops.offset",
    "torch.nn.functional.avg_pool2d", "torch.nn.functional.max_pool2d",
)  # fmt: skip
def _elsewhere(call: Call) -> Value:
    """Pixels come from places of which no more is said than that they are others."""
    first = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
    inner = first.items[0] if isinstance(first, Seq) and first.items else first
    state = as_state(inner, kind="pil" if call.name.startswith("PIL.") else "array")
    name = call.name.rpartition(".")[2]
    if state is None or (call.name.startswith("torch.") and not isinstance(inner, Picture)):
        return call.unknown(f"what {call.name} returns")
    if call.by_chance:
        return Picture(by_chance(state, name, call.place))
    return Picture(losing(state, call.place, f"{name} is not part of a canonical path", "geometry"))
