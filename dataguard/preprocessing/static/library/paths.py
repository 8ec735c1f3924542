"""``pathlib``: paths that configurations are read by."""

from __future__ import annotations

from pathlib import PurePosixPath

from dataguard.preprocessing.static.library.registry import Call
from dataguard.preprocessing.static.values import ExtObj, Unknown, Value

PATH = "pathlib.Path"
METHODS = frozenset({"resolve", "absolute", "expanduser", "as_posix", "joinpath", "with_suffix", "with_name"})
_PARTS = frozenset({"parent", "name", "stem", "suffix"})


def of_path(call: Call) -> Value:
    """A method of a path."""
    text = text_of(call.thing)
    if call.name in ("resolve", "absolute", "expanduser"):
        return call.thing
    if text is None or not all(isinstance(one, str) for one in call.args):
        return call.unknown("a path")
    if call.name == "as_posix":
        return text
    try:
        made = getattr(PurePosixPath(text), call.name)(*call.args)
    except (ValueError, TypeError):
        return call.unknown("a path")
    return _path(str(made), call.place)


def part(path: ExtObj, name: str) -> Value:
    """An attribute of a path; None where it is none that a path has."""
    text = text_of(path)
    if text is None or name not in _PARTS:
        return Unknown("a part of a path", path.place) if name in _PARTS else None
    found = getattr(PurePosixPath(text), name)
    return _path(str(found), path.place) if name == "parent" else str(found)


def joined(left: Value, right: Value) -> Value:
    """What ``left / right`` is where the left is a path; None where it is none."""
    if not is_path(left):
        return None
    first, second = text_of(left), text_of(right)
    if first is None or second is None:
        return Unknown("a path", left.place)
    return _path(str(PurePosixPath(first) / second), left.place)


def is_path(value: Value) -> bool:
    """Whether a value is a path of pathlib."""
    return isinstance(value, ExtObj) and value.name == PATH


def text_of(value: Value) -> str | None:
    """A path as a text; None where it is not known."""
    if isinstance(value, str):
        return value
    parts = [text_of(one) for one in value.args] if is_path(value) and value.args else [None]
    return str(PurePosixPath(*[one for one in parts if one is not None])) if None not in parts else None


def _path(text: str, place: str) -> ExtObj:
    return ExtObj(PATH, [text], {}, place)
