"""What becomes of a picture, or of a number, that is written into an array."""

from __future__ import annotations

from dataguard.preprocessing.static.picture import cast
from dataguard.preprocessing.static.values import Blank, Choice, Picture, Seq, Unknown, Value, is_number


def chance_in(holder: Blank, value: Value) -> Unknown | None:
    """What is by chance of what a few points get: so is what is computed of them."""
    small = all(is_number(one) and one <= 4 for one in holder.shape)
    return _by_chance(value) if small else None


def _by_chance(value: Value) -> Unknown | None:
    """A value that is by chance, or one of several or of some that is."""
    if isinstance(value, Unknown):
        return value if value.kind == "random" else None
    held = value.items if isinstance(value, Seq) else value.options if isinstance(value, Choice) else []
    return next((found for one in held if (found := _by_chance(one)) is not None), None)


def as_held(holder: Blank, value: Picture, place: str) -> Picture:
    """A picture as the numbers of the array that it is written into."""
    state = value.state
    if not holder.dtype or state.dtype is None or state.dtype == holder.dtype:
        return value
    return Picture(cast(state, holder.dtype, place))
