"""Records: classes whose objects hold values by name and in order, as ``namedtuple`` makes them."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from dataguard.preprocessing.static.values import Cls, Map, Obj, Seq, Unknown, Value

FIELDS = "_fields"
"""The attribute that names the fields, as of a ``namedtuple``."""
TENSORS = frozenset({"tensors", "tensor", "image_tensor", "image_tensors"})
"""Attributes that hold a batch of pictures beside what else is known of it: of ``ImageList``, ``NestedTensor``."""


def fields_of(cls: Cls | None) -> tuple[str, ...]:
    """The names of a record's fields in order; empty for what is no tuple."""
    if cls is None:
        return ()
    found = cls.find(FIELDS)
    if found is not None and isinstance(found[0], Seq):
        return tuple(str(one) for one in found[0].items)
    if not any(base.rpartition(".")[2] == "NamedTuple" for base in cls.foreign()):
        return ()
    bodies = [one.node.body for one in cls.lineage() if one.node is not None]
    return tuple(
        one.target.id
        for body in bodies
        for one in body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    )


def items_of(value: Value) -> list[Value] | None:
    """What a record holds, in order; None for what is none."""
    if not isinstance(value, Obj) or value.cls is None or "*record" not in value.attrs:
        return None
    return [value.attrs.get(name) for name in fields_of(value.cls)]


def fill(made: Obj, names: tuple[str, ...], args: list[Value], kwargs: dict[str, Value]) -> None:
    """Give a record its values; a field that nobody gives keeps what its class says."""
    made.attrs["*record"] = True
    made.attrs.update(zip(names, args, strict=False))
    made.attrs.update({name: value for name, value in kwargs.items() if name in names})


METHODS = frozenset({"_replace", "_asdict"})
"""Methods of records, which none of them defines."""


def changed(record: Obj, name: str, kwargs: Mapping[str, Value]) -> Value:
    """A record with some fields replaced, or its fields by their names."""
    names = fields_of(record.cls)
    held = {one: record.attrs.get(one, _usual(record, one)) for one in names}
    if name == "_asdict":
        return Map(held)
    made = Obj(record.cls, {**record.attrs, **held}, place=record.place)
    made.attrs.update({one: value for one, value in kwargs.items() if one in names})
    return made


def _usual(record: Obj, name: str) -> Value:
    """What a field is that nobody gave: its class's own."""
    found = record.cls.find(name) if record.cls is not None else None
    return found[0] if found is not None else Unknown("a field that is not given")
