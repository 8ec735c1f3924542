"""Pictures that a module saves as tensors or arrays and loads again, under the same name."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.arrays import pictures
from dataguard.preprocessing.static.library.paths import text_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.library.unlisted import wrote
from dataguard.preprocessing.static.picture import moved
from dataguard.preprocessing.static.values import ExtObj, Picture, Value

_MARK = "*saved:"
_FILE = "*file:"


def _file(value: Value) -> str:
    """The name of a file, without its folders; '' where it is not known. ``numpy.save`` adds its suffix itself."""
    if isinstance(value, ExtObj) and value.name.endswith("open") and value.args:
        value = value.args[0]
    text = text_of(value) or ""
    return text.rpartition("/")[2].removesuffix(".npy")


@function("torch.save", "numpy.save", "joblib.dump", "pickle.dump", "numpy.savez", "numpy.savez_compressed")
def _saved(call: Call) -> Value:
    """``torch.save(im, path)``: what is loaded into a name like it by the same module is this picture."""
    for one in (*call.args, *call.kwargs.values()):
        for picture in pictures(one)[:1]:
            wrote(call, picture, None, None)
    value = call.get(1, "arr") if call.name == "numpy.save" else call.get(0, "obj")
    file = _file(call.get(0, "file") if call.name == "numpy.save" else call.get(1, "f"))
    if file and isinstance(value, Picture) and value.state.loaded and "savez" not in call.name:
        call.machine.shared[f"{_FILE}{file}"] = value
    at = 1 if call.name == "numpy.save" else 0
    node = call.node.args[at] if isinstance(call.node, ast.Call) and len(call.node.args) > at else None
    value = call.args[at] if len(call.args) > at else None
    if isinstance(node, ast.Name) and isinstance(value, Picture) and value.state.loaded:
        call.machine.shared[f"{_MARK}{call.machine.frame.module.path}:{node.id}"] = value
    return None


@function("torch.load", "numpy.load", "joblib.load")
def _loaded(call: Call) -> Value:
    names = call.machine.assigning
    known = call.machine.shared.get(f"{_MARK}{call.machine.frame.module.path}:{names[0]}") if len(names) == 1 else None
    file = _file(call.args[0] if call.args else None)
    known = call.machine.shared.get(f"{_FILE}{file}") if file and known is None else known
    if isinstance(known, Picture):
        return Picture(moved(known.state, call.place))
    return call.unknown(f"what {call.name} returns")
