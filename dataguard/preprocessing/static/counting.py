"""Whether it is known how many items there are of what is iterated over."""

from __future__ import annotations

from dataguard.preprocessing.static.values import ExtObj, Value

MOST_NUMBERS = 16
"""Numbers of a range that are kept apart; of longer ones the first stands for all."""


def is_many(source: Value) -> bool:
    """Whether `arrays.iterated` gives of what is iterated over fewer items than it has, or may have.

    >>> is_many(ExtObj("builtins.range", [100], {}, "")), is_many(ExtObj("builtins.range", [3], {}, ""))
    (True, False)
    """
    if isinstance(source, ExtObj) and source.name == "builtins.range":
        span = counted(source)
        return span is None or is_long(span)
    if isinstance(source, ExtObj) and source.name in ("builtins.enumerate", "builtins.zip"):
        return all(map(is_many, source.args[:1] if source.name == "builtins.enumerate" else source.args))
    return getattr(source, "many", False)


def counted(source: ExtObj) -> range | None:
    """The numbers of a range whose bounds are known; None where they are not."""
    bounds = source.args
    known = all(isinstance(one, int) and not isinstance(one, bool) for one in bounds) and 0 < len(bounds) <= 3
    return range(*bounds) if known and bounds[2:] != [0] else None


def is_long(numbers: range) -> bool:
    """Whether a range has more numbers than are kept apart; Python has no length of one that is very long."""
    return bool(numbers[MOST_NUMBERS:])
