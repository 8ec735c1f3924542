"""Attributes and items of values."""

from __future__ import annotations

import ast
from abc import abstractmethod

from dataguard.preprocessing.static import arrays, loaders, parts, records, unknowns
from dataguard.preprocessing.static.library import commands, constant, given, of_whole, whole_of
from dataguard.preprocessing.static.library.mixing import looked_up
from dataguard.preprocessing.static.library.registry import FUNCTIONS
from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.values import (
    NO_KEY,
    Blank,
    Bound,
    Choice,
    Cls,
    Ext,
    ExtObj,
    Func,
    Map,
    Measure,
    Method,
    Mod,
    Obj,
    Picture,
    Seq,
    Shape,
    Super,
    Unknown,
    Value,
    choice,
    is_plain,
    key_of,
    same,
)


class Items(Machine):
    """Finds attributes and items."""

    __slots__ = ()

    @abstractmethod
    def initialize(self, value: Obj) -> bool:
        """Follow the constructor of a model of which an attribute is asked for; whether it was not followed before."""

    def attribute(self, value: Value, name: str, node: ast.AST | None) -> Value:
        """What an attribute is."""
        kind = type(value)
        if kind in _WITH_METHODS:
            return _turned(value) if name == "T" and kind is Seq else Method(value, name)
        if kind is Obj:
            if name in value.attrs:
                return value.attrs[name]
            if name == "__dict__":
                return Map(value.attrs, open=True)
            if value.cls is not None:
                found = value.cls.find(name)
                if found is not None:
                    return self._of_class(found[0], value, node)
                if name == "__class__":
                    return value.cls
                if name in ("__setattr__", "__getattribute__", "__setitem__", "setattr"):
                    return Method(value, name)
                if self.initialize(value) and name in value.attrs:
                    return value.attrs[name]
                if name == "module" and "torch.nn.Module" in value.cls.foreign():
                    return value  # of a model within what spreads it over devices
                asked = value.cls.find("__getattr__")
                if asked is not None and isinstance(asked[0], Func) and not name.startswith("__"):
                    return self.call(Bound(asked[0], value), [name], {}, node)
                if value.cls.foreign():
                    found_inside = loaders.kept(value, name)
                    return found_inside[0] if found_inside else Method(value, name)
            elif name in _NAMESPACE_METHODS:
                return Method(value, name)
            return Unknown(f"attribute {name} is not known", self.place(node))
        if kind is Ext:
            held = self.shared.get(value.name)
            if held is not None:
                return self.attribute(held, name, node)
            if name == "sep" and value.name in ("os", "os.path"):
                return "/"
            if value.name == "sys" and name == "version_info":
                return Seq([3, 11, 0, "final", 0], "tuple")
            known = constant(f"{value.name}.{name}") if name.isupper() else None
            if known is not None:
                return known
            if name == "__module__":
                return value.name.rpartition(".")[0]
            return Ext(f"{value.name}.{name}") if len(value.name) < 300 else Unknown()
        if kind is Mod:
            self.run_module(value.module)
            if name in value.module.names:
                return value.module.names[name]
            if name == "__dict__":
                return Map(value.module.names, open=True)
            if name == "__file__":
                return value.module.path
            inner = (
                self.tree.relative(value.module.path, 1, name) if value.module.path.endswith("__init__.py") else None
            )
            if inner is not None:
                return Mod(inner)
            # A library of that name is meant that the repository only seems to have a module of.
            foreign = f"{value.module.path.rpartition('/')[2].removesuffix('.py')}.{name}"
            if foreign in FUNCTIONS:
                return Ext(foreign)
            handed_on = self._of_whole(value.module.names, name)
            return (
                handed_on
                if handed_on is not None
                else Unknown(f"{name} is not in {value.module.path}", self.place(node))
            )
        if kind is Cls:
            found = value.find(name)
            if found is not None:
                func = found[0]
                if isinstance(func, Func) and any(
                    getattr(one, "name", "") == "builtins.classmethod" for one in func.decorators
                ):
                    return Bound(func, value)
                return func
            if name == "__name__":
                return value.name
            return Unknown(f"{value.name}.{name} is not known", self.place(node))
        if kind is Picture:
            return arrays.attribute(self, value, name, node)
        if kind is Choice:
            return choice([self.attribute(one, name, node) for one in value.options], value.why)
        if kind is Super:
            return self._of_super(value, name, node)
        if kind is Map and name in value.items and name not in _MAP_METHODS:
            return value.items[name]
        if isinstance(value, ExtObj):
            if name in value.attrs and name != "batch":
                return value.attrs[name]
            if name in loaders.KEPT and (inside := loaders.kept(value, name)):
                return inside[0]
            return arrays.object_attribute(value, name)
        if isinstance(value, Blank) and name in ("shape", "data"):
            return Shape(list(value.shape)) if name == "shape" else value
        if kind is Map or kind is Blank:
            return Method(value, name)
        if isinstance(value, Func) and name == "__name__":
            return value.name
        return Unknown(f"attribute {name} is not known", self.place(node))

    def undefined(self, name: str, node: ast.AST | None) -> Value:
        """What a name stands for that nothing here binds: something of a library that is imported whole."""
        found = self._of_whole(self.frame.module.names, name)
        return found if found is not None else Unknown(f"{name} is not defined where it is read", self.place(node))

    def _of_whole(self, names: dict[str, Value], name: str) -> Value:
        """What a module gets by a name from the libraries that it imports whole; None for nothing."""
        libraries = whole_of(names)
        return of_whole(libraries, name) if libraries else None

    def _of_class(self, found: Value, receiver: Obj, node: ast.AST | None) -> Value:
        if not isinstance(found, Func):
            return found
        if not found.decorators:
            return Bound(found, receiver)
        names = {getattr(one, "name", "").rpartition(".")[2] for one in found.decorators}
        if "staticmethod" in names:
            return found
        if "classmethod" in names:
            return Bound(found, receiver.cls)
        if names & {"property", "cached_property", "lazyproperty"}:
            return self.call(Bound(found, receiver), [], {}, node)
        return Bound(found, receiver)

    def _of_super(self, value: Super, name: str, node: ast.AST | None) -> Value:
        receiver = value.receiver
        cls = receiver.cls if isinstance(receiver, Obj) else receiver if isinstance(receiver, Cls) else None
        found = cls.find(name, after=value.after) if cls is not None else None
        if found is None:
            if isinstance(receiver, Obj) and name in ("__getitem__", "__iter__"):
                return Method(receiver, "super().__getitem__")
            if isinstance(receiver, Obj) and name == "__init__":
                return Method(receiver, "super().__init__")
            if isinstance(receiver, Obj) and name in ("__call__", "forward"):
                return Method(receiver, "super().__call__")
            return Method(Unknown(f"super().{name} is of a library", self.place(node)), name)
        return Bound(found[0], receiver) if isinstance(found[0], Func) else found[0]

    def _subscript(self, node: ast.Subscript) -> Value:
        value = self.evaluate(node.value)
        return self.item(value, node.slice, node)

    def item(self, value: Value, index: ast.expr, node: ast.AST) -> Value:
        """What ``value[index]`` is."""
        if type(value) is Unknown:
            key = self.evaluate(index)
            if isinstance(key, Picture) and key.state.loaded:
                return looked_up(value, key.state, self.place(node))
            plane = given.of_plane(value, self.place(node)) if parts.adds_channel(index) else None
            if plane is not None:
                return plane
            drawn = isinstance(key, Unknown) and key.kind == "random" and not value.kind
            return Unknown(value.why, value.place, "random" if drawn else value.kind, changed=value.changed)
        if isinstance(value, Choice):
            return choice([self.item(one, index, node) for one in value.options], value.why)
        if isinstance(value, (Picture, Blank)):
            return arrays.subscript(self, value, index, node)
        if isinstance(value, (Seq, Shape, str)):
            return self._of_sequence(value, index, node)
        key = self.evaluate(index)
        if isinstance(value, Map):
            return self._of_map(value, key, node)
        if isinstance(value, Obj) and value.cls is not None:
            found = value.cls.find("__getitem__")
            if found is not None and isinstance(found[0], Func):
                return self.call(Bound(found[0], value), [key], {}, node)
        if isinstance(value, Obj) and isinstance(key, str) and key in value.attrs:
            return value.attrs[key]
        held = records.items_of(value)
        if held is not None and isinstance(key, int) and -len(held) <= key < len(held):
            return held[key]
        if isinstance(value, ExtObj):
            return arrays.object_item(self, value, key, node)
        if isinstance(value, Ext) and value.name.startswith(("typing.", "builtins.")):
            return value
        holder = f"what {value.name} holds" if isinstance(value, Ext) else "an item of something that is not followed"
        return Unknown(holder, self.place(node))

    def _of_sequence(self, value: Seq | Shape | str, index: ast.expr, node: ast.AST) -> Value:
        items = list(value) if isinstance(value, str) else value.items
        if isinstance(index, ast.Slice):
            bounds = [self.evaluate(one) for one in (index.lower, index.upper, index.step)]
            if isinstance(value, Seq) and value.many:
                return Seq(list(items), value.kind, many=True)
            if not all(one is None or isinstance(one, int) for one in bounds) or bounds[2] == 0:
                return Unknown("a part between bounds that are not known", self.place(node))
            taken = items[slice(*bounds)]
            return "".join(taken) if isinstance(value, str) else Seq(taken, getattr(value, "kind", "tuple"))
        key = self.evaluate(index)
        if isinstance(key, int) and -len(items) <= key < len(items):
            return items[key]
        if isinstance(value, Seq) and value.kind == "array" and isinstance(key, Seq):
            if all(isinstance(one, int) and -len(items) <= one < len(items) for one in key.items):
                return Seq([items[one] for one in key.items], "array")
            # mean[None, None, :] and the like change the shape alone
            return value
        if isinstance(value, Seq) and value.kind == "array" and key is None:
            return value
        if isinstance(value, Seq) and value.kind == "array" and isinstance(key, Picture):
            return looked_up(value, key.state, self.place(node))
        if isinstance(key, Unknown) and key.kind == "random" and len(items) != 1:
            return Unknown("one of several, by chance", self.place(node), "random")
        if 0 < len(items) <= 8 and isinstance(value, Seq):
            return choice(items, f"one of several ({self.place(node)})")
        if items and all(one is items[0] for one in items):
            return items[0]
        return Unknown("an item by an index that is not known", self.place(node))

    def _holds_other_than_code(self, value: Map) -> bool:
        return not all(isinstance(one, Cls | Func | Mod) for one in value.items.values())

    def _of_map(self, value: Map, key: Value, node: ast.AST) -> Value:
        known = key_of(key)
        if known is not NO_KEY:
            if known in value.items:
                return value.items[known]
            if not value.open:
                self.fails("KeyError")
            if value.rest is not None:
                return value.rest
            if isinstance(known, str) and 0 < len(value.items) <= 8 and not self._holds_other_than_code(value):
                # A default that is none of them, so nobody runs the script without saying which.
                said = commands.among(self, value.items)
                return value.items[said] if said is not None else choice(value.items.values(), "nothing says which")
            return Unknown(f"there is no {known!r} in what is read", self.place(node))
        if isinstance(key, Unknown) and key.kind == "random":
            return Unknown("one of several, by chance", self.place(node), "random")
        if isinstance(key, Choice) and all(is_plain(one) and one in value.items for one in key.options):
            return choice([value.items[one] for one in key.options], key.why)
        if 0 < len(value.items) <= 8 and not value.open:
            why = key.reason() if isinstance(key, Unknown) else "by a key that is not known"
            return choice(value.items.values(), why)
        return Unknown("an item by a key that is not known", self.place(node))

    def contains(self, item: Value, container: Value, positive: bool, node: ast.AST) -> Value:
        """Whether a container holds an item, or holds it not."""
        if isinstance(container, Seq) and (is_plain(item) or isinstance(item, Ext)):
            if any(same(one, item) for one in container.items):
                return positive
            if all(is_plain(one) or isinstance(one, Ext) for one in container.items):
                return not positive
        if isinstance(container, Map) and key_of(item) is not NO_KEY:
            item = key_of(item)
            if item in container.items:
                return positive
            return Unknown("", self.place(node)) if container.open else not positive
        if isinstance(container, str) and isinstance(item, str):
            return (item in container) == positive
        if isinstance(container, Obj) and isinstance(item, str):
            if container.cls is not None and container.cls.holds_items:
                return (item in container.attrs) == positive
            if container.library and item in container.attrs:
                return positive
        return unknowns.unknown_of(item, container, self.place(node))


_WITH_METHODS = frozenset({Unknown, Seq, Shape, Measure, str, float, int, bool})
"""Values of which every attribute is taken for a method."""


def _turned(value: Seq) -> Seq:
    """An array of numbers with rows and columns exchanged."""
    rows = [one.items for one in value.items if isinstance(one, Seq)]
    if len(rows) != len(value.items) or len({len(one) for one in rows}) != 1:
        return value
    return Seq([Seq(list(column), "array") for column in zip(*rows, strict=True)], "array")


_MAP_METHODS = frozenset({"get", "items", "keys", "values", "update", "pop", "copy", "setdefault", "merge"})
_NAMESPACE_METHODS = frozenset(
    {
        "update",
        "items",
        "keys",
        "get",
        "pop",
        "lock",
        "unlock",
        "to_dict",
        "copy_and_resolve_references",
        "copy",
        "__dict__",
        "merge_from_file",
        "freeze",
        "clone",
        "merge_from_list",
        "defrost",
        "__getattr__",
        "__getitem__",
    }
)
