"""A configuration that is one of several files: what all of them say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataguard.preprocessing.static.library.contents import of_file
from dataguard.preprocessing.static.values import Map, Unknown, Value, same

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

MOST = 24
"""Files of a folder that are compared."""


def common(machine: Machine, folder: str, unknown: Unknown) -> Value:
    """What every file of a folder of configurations says, with what they differ in not known."""
    names = sorted(one for one in machine.tree.within(folder.strip("/")) if one.endswith((".yaml", ".yml", ".json")))
    if not 0 < len(names) <= MOST:
        return unknown
    found = [of_file(machine, one) for one in names]
    if not all(isinstance(one, Map) for one in found):
        return unknown
    made = found[0]
    for one in found[1:]:
        made = _shared(made, one, unknown)
    return made


def _shared(first: Value, second: Value, unknown: Unknown) -> Value:
    if isinstance(first, Map) and isinstance(second, Map):
        keys = [key for key in first.items if key in second.items]
        items = {key: _shared(first.items[key], second.items[key], unknown) for key in keys}
        return Map(items, open=first.open or second.open or len(keys) < max(len(first.items), len(second.items)))
    return first if same(first, second) else unknown
