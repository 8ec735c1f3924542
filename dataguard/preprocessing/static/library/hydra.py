"""Hydra: the configuration that a script's main function is given, and what is made of its nodes.

Source: hydra ``_internal/instantiate/_instantiate2.py``: nodes within are made first unless ``_recursive_`` is false,
``_args_`` come before what is given, ``_partial_`` gives a partial. Before 1.0: ``class`` or ``cls``, and ``params``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from dataguard.preprocessing.static.library import commands
from dataguard.preprocessing.static.library.configuration import resolve
from dataguard.preprocessing.static.library.contents import of_file
from dataguard.preprocessing.static.library.naming import canonical
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Ext, ExtObj, Map, Mod, Obj, Partial, Seq, Unknown, Value

DEEPEST = 6
"""Files that are included by one another."""
_WHOLE = re.compile(r"^\$\{([\w.]+)\}$")
_GLOBAL = b"@package _global_"


@function("hydra.main")
def _main(call: Call) -> Value:
    """The decorator, with what it composes of the files that it names."""
    folder, name = call.kwargs.get("config_path"), call.kwargs.get("config_name")
    folder = call.args[0] if call.args and folder is None else folder
    if isinstance(folder, str) and folder.endswith((".yaml", ".yml")) and name is None:
        # As it was before version 1.0.
        name, folder = PurePosixPath(folder).name, str(PurePosixPath(folder).parent)
    if isinstance(name, str) and resolve(call, f"{folder}/{name}" if isinstance(folder, str) else name) is None:
        written = commands.option(call.machine, ["-cn", "--config-name"])
        name = written if written is not None else name
    if not isinstance(name, str):
        return ExtObj("hydra.main", call.args, call.kwargs, call.place)
    found = _composed(call, folder if isinstance(folder, str) else "", name, 0)
    attrs = {"*config": _node(_filled(call, found, found), call.place)} if isinstance(found, Map) else {}
    return ExtObj("hydra.main", call.args, call.kwargs, call.place, attrs)


def given(decorator: Value) -> Value:
    """What a function with this decorator is given; None for another decorator."""
    return decorator.attrs.get("*config") if isinstance(decorator, ExtObj) and decorator.name == "hydra.main" else None


def _composed(call: Call, folder: str, name: str, depth: int) -> Value:
    """A file with the files that its list of defaults names: those first, but where '_self_' stands before them."""
    path = resolve(call, f"{folder}/{name}" if folder else name) or resolve(call, f"{folder}/{name}.yaml".lstrip("/"))
    own = of_file(call.machine, path) if path is not None else None
    if not isinstance(own, Map) or depth > DEEPEST:
        return own
    defaults = own.items.pop("defaults", None)
    made = Map({})
    entries = list(_entries(defaults))
    if ("", "_self_") not in entries:
        entries.append(("", "_self_"))
    for group, option in entries:
        if option == "_self_":
            _merge(made, own)
            continue
        part = _composed(call, f"{folder}/{group}" if group else folder, option, depth + 1)
        if isinstance(part, Map):
            _merge(made, part if not group or _is_global(call, folder, group, option) else _under(group, part))
        else:
            made.open = True
    return made


def _entries(defaults: Value) -> Iterator[tuple[str, str]]:
    for one in defaults.items if isinstance(defaults, Seq) else []:
        if isinstance(one, str):
            group, _, option = one.rpartition("/")
            yield group, option
        elif isinstance(one, Map):
            for key, option in one.items.items():
                if isinstance(key, str) and isinstance(option, str) and "hydra/" not in key:
                    yield key.removeprefix("override ").removeprefix("optional ").partition("@")[0], option


def _is_global(call: Call, folder: str, group: str, option: str) -> bool:
    path = resolve(call, f"{folder}/{group}/{option}.yaml")
    data = call.machine.tree.read(path) if path is not None else None
    return data is not None and _GLOBAL in data[:200]


def _under(group: str, part: Map) -> Map:
    for name in reversed(group.strip("/").split("/")):
        part = Map({name: part})
    return part


def _merge(into: Map, other: Map) -> None:
    into.open |= other.open
    for key, value in other.items.items():
        before = into.items.get(key)
        if isinstance(before, Map) and isinstance(value, Map):
            _merge(before, value)
        else:
            into.items[key] = value


def _filled(call: Call, value: Value, whole: Map, depth: int = 0) -> Value:
    """A value with '${a.b}' replaced by what it stands for."""
    # What stands for what stands for others grows with each time.
    call.machine.spend()
    leaf = not isinstance(value, Map | Seq) and not (isinstance(value, str) and "${" in value)
    if leaf or depth > 2 * DEEPEST:
        return value if leaf else Unknown("configured by what is nested too deep")
    if isinstance(value, Map):
        return Map({key: _filled(call, one, whole, depth + 1) for key, one in value.items.items()}, open=value.open)
    if isinstance(value, Seq):
        return replace(value, items=[_filled(call, one, whole, depth + 1) for one in value.items])
    match = _WHOLE.match(value)
    found: Value = whole if match is not None else None
    for name in match[1].split(".") if match is not None else []:
        found = found.items.get(name) if isinstance(found, Map) else None
    return Unknown(f"configured as {value[:60]}") if found is None else _filled(call, found, whole, depth + 1)


def _node(value: Value, place: str) -> Value:
    if isinstance(value, Map):
        named = {key: _node(one, place) for key, one in value.items.items() if isinstance(key, str)}
        return Obj(None, named, place=place, open=True)
    return value


@function("hydra.utils.instantiate", "hydra.utils.call", "hydra._internal.instantiate._instantiate2.instantiate")
def _instantiated(call: Call) -> Value:
    """What a node of a configuration names as its target, called with the node's other items and what is given."""
    given = {name: one for name, one in call.kwargs.items() if name != "config"}
    return _made(call, call.get(0, "config"), call.args[1:], given, 0)


@function("hydra.utils.get_class", "hydra.utils.get_method", "hydra.utils.get_object")
def _named(call: Call) -> Value:
    return _target(call, call.get(0, "path"))


def _made(call: Call, node: Value, args: list[Value], kwargs: dict[str, Value], depth: int) -> Value:
    if not isinstance(node, Seq | Map) and not (isinstance(node, Obj) and node.cls is None):
        return node
    if depth > DEEPEST:
        return call.unknown("configured by what is nested too deep")
    if isinstance(node, Seq):
        return replace(node, items=[_made(call, one, [], {}, depth + 1) for one in node.items])
    items = _items_of(node)
    named = next(
        (items[key] for key in ("_target_", "target", "class", "cls") if isinstance(items.get(key), str)), None
    )
    if named is None or ("_target_" not in items and depth):
        return _among(call, node, items, depth) if depth else call.unknown("what hydra.utils.instantiate returns")
    inner = items if "_target_" in items else _items_of(items.get("params"))
    own = {key: one for key, one in inner.items() if isinstance(key, str) and not re.match(r"\*|_\w+_$", key)}
    if kwargs.get("_recursive_", items.get("_recursive_")) is not False:
        own = {key: _made(call, one, [], {}, depth + 1) for key, one in own.items()}
    own |= {key: one for key, one in kwargs.items() if not re.match(r"_\w+_$", key)}
    first = items.get("_args_")
    args = [*(first.items if isinstance(first, Seq) else []), *args]
    target = _target(call, named)
    if kwargs.get("_partial_", items.get("_partial_")) is True:
        return Partial(target, args, own)
    return call.machine.call(target, args, own, call.node)


def _items_of(node: Value) -> dict[Any, Value]:
    return node.attrs if isinstance(node, Obj) else node.items if isinstance(node, Map) else {}


def _among(call: Call, node: Value, items: dict[Any, Value], depth: int) -> Value:
    """A node that names no target itself, where one within it may."""
    found = {key: _made(call, one, [], {}, depth + 1) for key, one in items.items()}
    return Obj(None, found, place=node.place, open=node.open) if isinstance(node, Obj) else Map(found)


def _target(call: Call, name: Value) -> Value:
    """What a dotted name means: of the repository, or of a library."""
    if not isinstance(name, str):
        return call.unknown("a target that is not known")
    path, _, last_ = name.rpartition(".")
    found = call.machine.tree.resolve(path, call.machine.frame.module.path) if path else None
    if found is not None:
        return call.machine.attribute(Mod(found), last_, call.node)
    outer, _, owner = path.rpartition(".")
    module = call.machine.tree.resolve(outer, call.machine.frame.module.path) if outer else None
    if module is not None:
        return call.machine.attribute(call.machine.attribute(Mod(module), owner, call.node), last_, call.node)
    return Ext(canonical(name))
