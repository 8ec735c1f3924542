"""Values of declarations that nobody checked: numbers, lengths and sizes, or an error that names the key."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from dataguard.preprocessing.errors import DeclarationError

MOST = 4096
"""More values than any list of means or sizes has."""

LARGEST_SIDE = 1_000_000
"""In pixels."""


def numbers(value: Any, where: str) -> tuple[float, ...]:
    """One number or several, finite; an array or tensor of one dimension too.

    >>> numbers([0.5, 1], "mean")
    (0.5, 1.0)

    Raises:
        DeclarationError: it is something else.
    """
    if type(value).__name__ in ("ndarray", "Tensor") and hasattr(value, "tolist"):
        value = value.tolist()
    values = [value] if isinstance(value, int | float) else value
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or not 0 < len(values) <= MOST:
        raise _wrong("a number or a list of numbers", value, where)
    # Keras and a few exporters write one list for each axis.
    while len(values) == 1 and isinstance(values[0], list | tuple) and values[0]:
        values = values[0]
    if not all(_is_number(one) for one in values):
        raise _wrong("finite numbers", value, where)
    return tuple(float(one) for one in values)


def number(value: Any, where: str) -> float:
    """One finite number.

    Raises:
        DeclarationError: it is something else.
    """
    if not _is_number(value):
        raise _wrong("a number", value, where)
    return float(value)


def length(value: Any, where: str) -> int:
    """A whole number of pixels, from 1.

    Raises:
        DeclarationError: it is something else.
    """
    if not _is_number(value) or value != int(value) or not 1 <= value <= LARGEST_SIDE:
        raise _wrong("a whole number of pixels", value, where)
    return int(value)


def size(value: Any, where: str) -> tuple[int, int]:
    """Height and width: one length for both, or the two.

    >>> size(224, "size"), size([480, 640], "size")
    ((224, 224), (480, 640))

    Raises:
        DeclarationError: it is something else.
    """
    if isinstance(value, int | float):
        return length(value, where), length(value, where)
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) in (1, 2):
        return length(value[0], where), length(value[-1], where)
    raise _wrong("a size, as [height, width]", value, where)


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """A mapping with texts for keys.

    Raises:
        DeclarationError: it is something else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _wrong("an object with named values", value, where)
    return value


def divisors(value: Any, where: str) -> tuple[float, ...]:
    """Numbers that something is divided by.

    Raises:
        DeclarationError: they are none, or one of them is zero.
    """
    found = numbers(value, where)
    if 0.0 in found:
        raise _wrong("no zeros, because it is divided by", value, where)
    return found


def matching(*lists: tuple[float, ...], where: str) -> None:
    """Check that lists of values for channels have one length, or are a single value.

    Raises:
        DeclarationError: they have not.
    """
    lengths = {len(values) for values in lists} - {1}
    if len(lengths) > 1:
        counts = " and ".join(map(str, sorted(lengths)))
        raise DeclarationError(f"there are {counts} values for the channels", where=where)


def shown(value: Any) -> str:
    """A value in at most 60 characters, in bounded time: what was read may repeat itself without end.

    >>> shown(list(range(100)))
    '[0, 1, 2, 3, 4, 5, ...]'
    """
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _wrong(expected: str, value: Any, where: str) -> DeclarationError:
    return DeclarationError(
        f"expected {expected}, got {shown(value)}",
        where=where,
        hint="correct the declaration, or check that the file is what its name says",
    )
