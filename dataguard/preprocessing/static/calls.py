"""Which functions of a repository work on pictures, and which of them others call."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.feeding import is_preparing, prepares
from dataguard.preprocessing.static.tree import Module
from dataguard.preprocessing.static.values import Cls, Func, Map, Obj, Value, is_plain

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

_WORKING = frozenset(
    {
        "resize",
        "imread",
        "open",
        "Compose",
        "transforms",
        "cvtColor",
        "fromarray",
        "interpolate",
        "Normalize",
        "normalize",
        "warpAffine",
        "load_img",
        "ToTensor",
        "preprocess_input",
        "imdecode",
        "to_tensor",
        "blobFromImage",
        "copyMakeBorder",
    }
)
"""Names of functions that work on pictures."""


def works_on_pictures(func: Func) -> bool:
    """Whether a function names one of a library that works on pictures."""
    return not _WORKING.isdisjoint(_named(func))


def holds_model(func: Func) -> bool:
    """Whether a method names a model that its object keeps."""
    return not _MODELS.isdisjoint(_named(func))


_MODELS = frozenset({"model", "net", "network", "session", "sess", "encoder", "backbone", "detector"})
_NAMING = (ast.Attribute, ast.Name)


def _named(func: Func) -> frozenset[str]:
    """Names and attributes in a function."""
    if func.named is None:
        func.named = frozenset(
            one.attr if isinstance(one, ast.Attribute) else one.id
            for one in nodes(func.node)
            if isinstance(one, _NAMING)
        )
    return func.named


def _is_method(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    """Whether a function is written outside of the class that it is made a method of."""
    return bool(node.args.args) and node.args.args[0].arg == "self"


def preparing(cls: Cls | None) -> Func | None:
    """The method that a model is called by, where it asks for another of its own to prepare what it is given.

    Or for transforms of pictures that it was made with.
    """
    found = cls.find("forward") if cls is not None else None
    if cls is None or found is None or not isinstance(found[0], Func):
        return None
    for name in _named(found[0]):
        if is_preparing(name) and isinstance((cls.find(name) or (None,))[0], Func):
            return found[0]
        if name.lstrip("_").startswith("augment") and _makes_transforms(cls, name):
            return found[0]
    return None


def uncalled(module: Module) -> list[Func]:
    """Functions of a script that no other of it names."""
    own = [one for one in module.names.values() if isinstance(one, Func) and one.module is module]
    naming = Counter(name for one in own for name in _named(one))
    return [one for one in own if naming[one.name] == (one.name in _named(one))]


def ahead(machine: Machine, model: Obj) -> Func | None:
    """The method that a model is called by, where what it is given goes on to other networks in another form."""
    return preparing(model.cls) or _handing_on(machine, model)


def goes_on(machine: Machine, model: Value, method: Func) -> bool:
    """Whether a model's class, or its method that is called, prepares pictures, or hands them on to one that does."""
    if prepares(model.cls if isinstance(model, Obj) else None) or _handing_on(machine, model) is not None:
        return True
    return method.name != "forward" and any(map(is_preparing, _named(method)))


def _handing_on(machine: Machine, model: Value) -> Func | None:
    """The method that a model is called by, where it does no more than to hand on to another that prepares."""
    found = model.cls.find("forward") if isinstance(model, Obj) and model.cls is not None else None
    if not isinstance(model, Obj) or found is None or not isinstance(found[0], Func):
        return None
    body = found[0].node.body
    call = body[-1].value if isinstance(body, list) and len(body) == 1 and isinstance(body[-1], ast.Return) else None
    func = call.func if isinstance(call, ast.Call) else None
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name) or func.value.id != "self":
        return None
    inner = machine.attribute(model, func.attr, None)
    return found[0] if isinstance(inner, Obj) and preparing(inner.cls) is not None else None


_TRANSFORMS = frozenset({"Normalize", "RandomResizedCrop", "RandomHorizontalFlip", "ColorJitter", "ColorJiggle",
                         "RandomCrop", "AugmentationSequential", "ImageSequential"})  # fmt: skip
"""Transforms of torchvision and of kornia that batches are changed by."""


def _makes_transforms(cls: Cls, name: str) -> bool:
    """Whether the constructor of a model keeps transforms of pictures by a name, which its ``forward`` asks for."""
    made = cls.find("__init__")
    names = _named(made[0]) if made is not None and isinstance(made[0], Func) else frozenset()
    return name in names and not _TRANSFORMS.isdisjoint(names)


def outermost(modules: Iterable[Module]) -> Iterator[Func]:
    """Functions that lead to pictures by others of the repository, and that none of these leads to.

    Told by names alone: who calls ``preprocess`` is taken to call the function of that name.
    """
    found: dict[str, list[tuple[Func, frozenset[str]]]] = {}
    for module in modules:
        for value in list(module.names.values()):
            if isinstance(value, Func) and value.module is module and not _is_method(value.node):
                found.setdefault(value.name, []).append((value, _named(value)))
    working = {name for name, held in found.items() if any(not _WORKING.isdisjoint(names) for _, names in held)}
    callers: dict[str, list[str]] = {}
    for name, held in found.items():
        for one in {one for _, names in held for one in names & found.keys()}:
            callers.setdefault(one, []).append(name)
    leading, waiting = set(working), list(working)
    while waiting:
        more = [name for name in callers.get(waiting.pop(), ()) if name not in leading]
        leading.update(more)
        waiting += more
    called = {one for name in leading for _, names in found[name] for one in names & leading if one != name}
    for name in sorted(leading - called):
        for value, names in found[name]:
            if not leading.isdisjoint(names - {name}):
                yield value


def leading(methods: Mapping[str, Func]) -> list[str]:
    """Methods of a class that work on pictures, those first that call others of them, which may work for them."""
    called = {name: _named(one) for name, one in methods.items()}
    working = {name for name, names in called.items() if not _WORKING.isdisjoint(names)}
    callers = [name for name, names in called.items() if not working.isdisjoint(names - {name})]
    return [*callers, *sorted(working.difference(callers))] if working else []


def is_walk(args: Sequence[Value]) -> bool:
    """Whether a function that calls itself goes through what a configuration holds, which ends at its leaves."""
    return 0 < len(args) < 3 and all(isinstance(one, Map) or is_plain(one) for one in args)
