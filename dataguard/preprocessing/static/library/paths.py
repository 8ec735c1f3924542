"""``pathlib`` and ``os.path``: paths that configurations are read by, from the folder of the repository."""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath

from dataguard.preprocessing.static.library.commands import GIVES
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import ExtObj, Seq, Unknown, Value

PATH = "pathlib.Path"
_EXISTS = frozenset({"exists", "is_file"})
METHODS = _EXISTS | frozenset({"resolve", "absolute", "expanduser", "as_posix", "joinpath", "with_suffix", "with_name"})
FILE_OF = "one of the files of "
"""How the reason begins why a path is not known of which only the folder is."""
_PARTS = frozenset({"parent", "parents", "name", "stem", "suffix"})


@function("sys.path.append", "sys.path.insert")
def _added(call: Call) -> Value:
    """A folder that modules are looked for in: its own are meant though libraries are called so."""
    text = text_of(call.args[-1]) if call.args else None
    tree = call.machine.tree
    folder = tree.folder(text, call.machine.frame.module.path) if text is not None else None
    if folder and folder not in tree.added:
        tree.added.append(folder)
    return None


def of_path(call: Call) -> Value:
    """A method of a path."""
    text = text_of(call.thing)
    if call.name in _EXISTS:
        return _exists(call, text)
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
    if name == "parents":
        return Seq([_path(str(one), path.place) for one in found], "tuple")
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


@function("os.path.join")
def _joined(call: Call) -> Value:
    parts = [text_of(one) for one in call.args]
    if parts and None not in parts:
        whole = "/".join(one for one in parts if one)
        return posixpath.normpath(whole) if whole.startswith(".") or "/.." in whole else whole
    tail = call.args[-1] if call.args else None
    folder = call.args[:-1]
    if (
        isinstance(tail, Unknown)
        and tail.why.startswith(GIVES)
        and folder
        and all(isinstance(one, str) for one in folder)
    ):
        return call.unknown(f"{FILE_OF}{posixpath.normpath('/'.join(folder))}")
    return tail if isinstance(tail, str) and "." in tail else call.unknown("a path")


@function("os.path.dirname", "os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expanduser",
          "os.path.basename", "os.path.splitext", "os.path.split", "os.path.relpath", "os.fspath")  # fmt: skip
def _of_text(call: Call) -> Value:
    text = text_of(call.args[0]) if call.args else None
    if text is None:
        return call.unknown("a path")
    name = call.name.rpartition(".")[2]
    if name in ("splitext", "split"):
        return Seq(list(getattr(posixpath, name)(text)), "tuple")
    if name == "dirname":
        return posixpath.dirname(text) or "."
    if name == "basename":
        return posixpath.basename(text)
    if name == "relpath":
        start = text_of(call.get(1, "start", "."))
        if start is None or text.startswith("/") != start.startswith("/"):
            return call.unknown("a path")
        return posixpath.relpath(text, start)
    return text


@function("os.getcwd", "pathlib.Path.cwd")
def _here(call: Call) -> Value:
    return "." if call.name == "os.getcwd" else _path(".", call.place)


@function("os.path.exists", "os.path.isfile")
def _is_there(call: Call) -> Value:
    return _exists(call, text_of(call.args[0]) if call.args else None)


def _exists(call: Call, text: str | None) -> Value:
    """Whether a file is there: one of the repository is, and of others nobody knows."""
    there = text is not None and text.removeprefix("./") in call.machine.tree.sizes
    return True if there else call.unknown("whether a file is there")
