"""Hydra: the configuration that a script's main function is given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dataguard.preprocessing.static.library.configuration import resolve
from dataguard.preprocessing.static.library.contents import loaded
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import ExtObj, Map, Obj, Seq, Unknown, Value

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
    if not isinstance(name, str):
        return ExtObj("hydra.main", call.args, call.kwargs, call.place)
    found = _composed(call, folder if isinstance(folder, str) else "", name, 0)
    attrs = {"*config": _node(_filled(found, found), call.place)} if isinstance(found, Map) else {}
    return ExtObj("hydra.main", call.args, call.kwargs, call.place, attrs)


def given(decorator: Value) -> Value:
    """What a function with this decorator is given; None for another decorator."""
    return decorator.attrs.get("*config") if isinstance(decorator, ExtObj) and decorator.name == "hydra.main" else None


def _composed(call: Call, folder: str, name: str, depth: int) -> Value:
    """A file with the files that its list of defaults names: those first, but where '_self_' stands before them."""
    path = resolve(call, f"{folder}/{name}" if folder else name) or resolve(call, f"{folder}/{name}.yaml".lstrip("/"))
    own = loaded(call.machine.tree.read(path), path) if path is not None else None
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


def _filled(value: Value, whole: Map, depth: int = 0) -> Value:
    """A value with '${a.b}' replaced by what it stands for."""
    if depth > 2 * DEEPEST:
        return Unknown("configured by what is nested too deep")
    if isinstance(value, Map):
        return Map({key: _filled(one, whole, depth + 1) for key, one in value.items.items()}, open=value.open)
    if isinstance(value, Seq):
        return Seq([_filled(one, whole, depth + 1) for one in value.items], value.kind)
    if not isinstance(value, str) or "${" not in value:
        return value
    match = _WHOLE.match(value)
    found: Value = whole if match is not None else None
    for name in match[1].split(".") if match is not None else []:
        found = found.items.get(name) if isinstance(found, Map) else None
    return Unknown(f"configured as {value[:60]}") if found is None else _filled(found, whole, depth + 1)


def _node(value: Value, place: str) -> Value:
    if isinstance(value, Map):
        named = {key: _node(one, place) for key, one in value.items.items() if isinstance(key, str)}
        return Obj(None, named, place=place, open=True)
    return value
