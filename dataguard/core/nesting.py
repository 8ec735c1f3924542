"""How deep YAML is nested, which must be known before libyaml makes anything of it.

libyaml's composer calls itself for every level, and beyond some ten thousand of them the process is at an end: no
exception tells of it. Its parser does not, and stops here as soon as it is too deep.
"""

from __future__ import annotations

from collections.abc import Iterable

DEEPEST = 100
"""Lists and dictionaries within one another; what people write has some ten."""
_STARTS = {"SequenceStartEvent", "MappingStartEvent"}
_ENDS = {"SequenceEndEvent", "MappingEndEvent"}


def is_too_deep(events: Iterable[object]) -> bool:
    """Whether YAML is nested deeper than `DEEPEST`.

    Args:
        events: What ``yaml.parse(text, Loader=loader)`` yields; no more of it is asked for than tells.

    >>> import yaml
    >>> is_too_deep(yaml.parse("[" * 200)), is_too_deep(yaml.parse("a: [1, [2]]"))
    (True, False)
    """
    depth = 0
    for event in events:
        kind = type(event).__name__
        if kind in _STARTS:
            depth += 1
            if depth > DEEPEST:
                return True
        elif kind in _ENDS:
            depth -= 1
    return False
