"""Pictures that a module saves as tensors or arrays and loads again, under the same name."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.arrays import pictures
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.library.unlisted import wrote
from dataguard.preprocessing.static.picture import moved
from dataguard.preprocessing.static.values import Picture, Value

_MARK = "*saved:"


@function("torch.save", "numpy.save", "joblib.dump", "pickle.dump", "numpy.savez", "numpy.savez_compressed")
def _saved(call: Call) -> Value:
    """``torch.save(im, path)``: what is loaded into a name like it by the same module is this picture."""
    for one in (*call.args, *call.kwargs.values()):
        for picture in pictures(one)[:1]:
            wrote(call, picture, None, None)
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
    if isinstance(known, Picture):
        return Picture(moved(known.state, call.place))
    return call.unknown(f"what {call.name} returns")
