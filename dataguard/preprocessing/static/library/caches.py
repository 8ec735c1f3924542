"""Pictures that a module saves and loads again under the same name, and objects of the repository's own classes."""

from __future__ import annotations

import ast
import posixpath

from dataguard.preprocessing.static.arrays import pictures
from dataguard.preprocessing.static.feeding import is_model
from dataguard.preprocessing.static.library.paths import text_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.library.unlisted import wrote
from dataguard.preprocessing.static.picture import moved
from dataguard.preprocessing.static.values import ExtObj, Map, Obj, Picture, Value

_MARK = "*saved:"
_FILE = "*file:"


def _file(value: Value) -> tuple[str, str]:
    """Folder and name of a file; '' for what is not known. ``numpy.save`` adds its suffix itself."""
    if isinstance(value, ExtObj) and value.name.endswith("open") and value.args:
        value = value.args[0]
    text = text_of(value)
    return posixpath.split(posixpath.normpath(text).removesuffix(".npy")) if text else ("", "")


def _kept(call: Call, file: tuple[str, str]) -> Value:
    """What was saved into a file, or into the only one of its name where one of their folders is not known."""
    folder, name = file
    held = call.machine.shared.get(f"{_FILE}{name}")
    if not isinstance(held, Map):
        return None
    found = held.items.get(folder)
    if found is None and len(held.items) == 1 and ("" in held.items or not folder):
        (found,) = held.items.values()
    return found


@function("torch.save", "numpy.save", "joblib.dump", "pickle.dump", "dill.dump", "numpy.savez",
          "numpy.savez_compressed")  # fmt: skip
def _saved(call: Call) -> Value:
    """``torch.save(im, path)``: what is loaded into a name like it by the same module is this picture."""
    for one in (*call.args, *call.kwargs.values()):
        for picture in pictures(one)[:1]:
            wrote(call, picture, None, None)
    value = call.get(1, "arr") if call.name == "numpy.save" else call.get(0, "obj")
    file = _file(call.get(0, "file") if call.name == "numpy.save" else call.get(1, "f"))
    if isinstance(value, Obj) and value.cls is not None and not is_model(value.cls):
        # As it is now: what becomes of it later is not in the file.
        value = Obj(value.cls, dict(value.attrs), place=value.place)
    elif not isinstance(value, Picture) or not value.state.loaded or "savez" in call.name:
        value = None
    if file[1] and value is not None:
        held = call.machine.shared.setdefault(f"{_FILE}{file[1]}", Map({}))
        held.items[file[0]] = value
    at = 1 if call.name == "numpy.save" else 0
    node = call.node.args[at] if isinstance(call.node, ast.Call) and len(call.node.args) > at else None
    value = call.args[at] if len(call.args) > at else None
    if isinstance(node, ast.Name) and isinstance(value, Picture) and value.state.loaded:
        call.machine.shared[f"{_MARK}{call.machine.frame.module.path}:{node.id}"] = value
    return None


@function("torch.load", "numpy.load", "joblib.load", "pickle.load", "dill.load")
def _loaded(call: Call) -> Value:
    names = call.machine.assigning
    known = call.machine.shared.get(f"{_MARK}{call.machine.frame.module.path}:{names[0]}") if len(names) == 1 else None
    known = _kept(call, _file(call.args[0] if call.args else None)) if known is None else known
    if isinstance(known, Picture):
        return Picture(moved(known.state, call.place))
    if isinstance(known, Obj):
        return Obj(known.cls, dict(known.attrs), place=call.place)
    return call.unknown(f"what {call.name} returns")
