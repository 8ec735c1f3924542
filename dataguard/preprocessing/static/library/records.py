"""``collections.namedtuple``: a class of records, made by a call."""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.records import FIELDS
from dataguard.preprocessing.static.values import Cls, Ext, Seq, Value


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
