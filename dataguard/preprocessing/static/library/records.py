"""``collections.namedtuple`` and ``enum.Enum``: classes of records and of names for numbers, made by a call."""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.records import FIELDS
from dataguard.preprocessing.static.values import Cls, Ext, Map, Obj, Seq, Value


@function("collections.namedtuple")
def _namedtuple(call: Call) -> Value:
    name, fields = call.get(0, "typename"), call.get(1, "field_names")
    names = fields.replace(",", " ").split() if isinstance(fields, str) else None
    if isinstance(fields, Seq) and all(isinstance(one, str) for one in fields.items):
        names = list(fields.items)
    if not isinstance(name, str) or not names:
        return call.unknown("a class of records whose fields are not known")
    defaults = call.kwargs.get("defaults")
    given = defaults.items if isinstance(defaults, Seq) else []
    attrs = dict(zip(names[len(names) - len(given) :], given, strict=False))
    made = {**attrs, FIELDS: Seq(list(names), "tuple")}
    return Cls(None, call.machine.frame.module, name, [Ext("typing.NamedTuple")], made)


@function("enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag")
def _enumeration(call: Call) -> Value:
    """Members by their names, as what they stand for: 'IntEnum("Mode", ("CROP", "WARP"))'."""
    names, start = call.get(1, "names"), call.get(2, "start", 1)
    items: list[Value] = list(names.items) if isinstance(names, Seq) else []
    if isinstance(names, str):
        items = list(names.replace(",", " ").split())
    made: dict[str, Value]
    if isinstance(names, Map):
        made = {str(name): value for name, value in names.items.items()}
    elif not items or not isinstance(start, int) or "Flag" in call.name:
        return call.unknown("an enumeration whose members are not known")
    elif all(isinstance(one, str) for one in items):
        made = {name: start + index for index, name in enumerate(items)}
    elif all(isinstance(one, Seq) and len(one.items) == 2 for one in items):
        made = {str(one.items[0]): one.items[1] for one in items}
    else:
        return call.unknown("an enumeration whose members are not known")
    return Obj(None, made, place=call.place)
