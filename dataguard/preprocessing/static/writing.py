"""What becomes of a picture, or of a number, that is written into an array."""

from __future__ import annotations

from dataguard.preprocessing.static.picture import cast
from dataguard.preprocessing.static.values import Blank, Picture, Unknown, Value, is_number


def is_chance(holder: Blank, value: Value) -> bool:
    """Whether a few points get one that is by chance: so is what is computed of them."""
    small = all(is_number(one) and one <= 4 for one in holder.shape)
    return small and isinstance(value, Unknown) and value.kind == "random"


def as_held(holder: Blank, value: Picture, place: str) -> Picture:
    """A picture as the numbers of the array that it is written into."""
    state = value.state
    if not holder.dtype or state.dtype is None or state.dtype == holder.dtype:
        return value
    return Picture(cast(state, holder.dtype, place))
