"""OpenCV's other spaces of colours: what is kept of a picture's channels while it is in one."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.picture import LUMA, State, moved

_BRIGHTNESS_FIRST = frozenset({"YUV", "YCrCb", "YCR_CB"})
NAMES = _BRIGHTNESS_FIRST | {"HSV", "HSV_FULL", "HLS", "HLS_FULL", "LAB", "Lab", "LUV", "Luv", "XYZ"}
"""As ``cvtColor`` calls them."""
_CHANNELS = "channels before"


def entered(state: State, source: str, space: str, place: str) -> State:
    """A state in another space, with a note of what its channels were and of what they were taken for."""
    held = "".join(state.channels) if state.channels is not None else ""
    brightness = ((LUMA, space),) if space in _BRIGHTNESS_FIRST else ()
    return moved(state, place, notes=(*state.notes, *brightness, (_CHANNELS, f"{held}:{source}"), ("space", "HSV")))


def left(state: State, target: str, place: str) -> State:
    """A state whose channels are those that it had before it was in another space, brought to an order."""
    kept = next((value for name, value in reversed(state.notes) if name == _CHANNELS), ":")
    held, _, source = kept.partition(":")
    notes = tuple(one for one in state.notes if one[0] not in ("space", _CHANNELS, LUMA))
    if len(held) == len(source) == len(state.channels or ()) and set(target) <= set(source):
        state = replace(state, channels=tuple(held[source.index(one)] for one in target))
    return moved(state, place, notes=notes)
