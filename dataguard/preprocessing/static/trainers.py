"""What trainers of libraries ask of the classes that are given to them: loaders, layers of data, steps with batches."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataguard.preprocessing.static import arrays, feeding, loaders, networks
from dataguard.preprocessing.static.library import first_layers
from dataguard.preprocessing.static.values import Bound, Choice, Cls, ExtObj, Func, Map, Obj, Seq, Unknown, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling
    from dataguard.preprocessing.static.machine import Machine

HOOKS = ("train_dataloader", "val_dataloader", "test_dataloader", "predict_dataloader")
"""Methods that a trainer of Lightning asks for loaders."""
STEPS = ("training_step", "validation_step", "test_step", "predict_step")
"""Methods of a model that it gives the batches of these to, in the same order."""
_GIVEN = (
    ("train_dataloaders", "train_dataloader"),
    ("val_dataloaders", "val_dataloader"),
    ("test_dataloaders", "dataloaders"),
    ("dataloaders",),
)
"""What its own methods call loaders that they are given."""


def asked(cls: Cls | None) -> tuple[str, ...]:
    """The methods that a library calls of a class that brings data, in its order; none of other classes.

    Lightning asks a data module, or a model, for its loaders; Caffe asks a layer of data for its pictures.
    """
    if cls is None:
        return ()
    if any(isinstance((cls.find(name) or (None,))[0], Func) for name in HOOKS):
        return ("prepare_data", "setup", *HOOKS)
    if any(one.endswith("LightningDataModule") for one in cls.foreign()):
        # Its constructor names the methods that give loaders.
        return ("prepare_data", "setup", *HOOKS)
    return ("setup", "reshape", "forward") if any(one == "caffe.Layer" for one in cls.foreign()) else ()


def follow_hooks(machine: Machine, module: Obj, node: ast.AST | None) -> None:
    """Call these methods of an object, once, and keep the loaders that they give."""
    if module.cls is None or module.attrs.get("*hooked"):
        return
    machine.put(module.attrs, "*hooked", True)
    given: dict[str, Value] = {}
    for name in asked(module.cls):
        held = module.attrs.get(name)
        found = module.cls.find(name)
        bound = held if isinstance(held, Bound) else None
        if bound is None and found is not None and isinstance(found[0], Func):
            bound = Bound(found[0], module)
        if bound is not None:
            spec = bound.func.node.args
            count = max(0, len(spec.args) - 1 - len(spec.defaults))
            given[name] = machine.call(bound, [Unknown("what the trainer gives", "", "caller")] * count, {}, node)
    machine.put(module.attrs, "*loaders", Map(given))


def follow_steps(machine: Machine, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> None:
    """Call the steps of a model that a trainer is given with batches of the loaders that it gets with it."""
    values = [*args, *kwargs.values()]
    models = [one for one in values if isinstance(one, Obj) and _step(one, STEPS[0]) is not None]
    for model in models[:1]:
        for index, name in enumerate(STEPS):
            step = _step(model, name)
            for loader in _loaders(index, args[1:], kwargs, values) if step is not None else ():
                batch = arrays.element(machine, loader, None)
                if step is None or not arrays.pictures(batch):
                    continue
                spec = step.func.node.args
                rest = [Unknown("what the trainer counts", "", "caller")] * (len(spec.args) - 2 - len(spec.defaults))
                machine.frame.training, before = index == 0, machine.frame.training
                machine.call(step, [batch, *rest], {}, node)
                machine.frame.training = before


def _step(model: Obj, name: str) -> Bound | None:
    found = model.cls.find(name) if model.cls is not None else None
    return Bound(found[0], model) if found is not None and isinstance(found[0], Func) else None


def _loaders(index: int, args: list[Value], kwargs: dict[str, Value], values: list[Value]) -> list[Value]:
    """The loaders that the batches of a step come from."""
    hooked = [one.attrs.get("*loaders") for one in values if isinstance(one, Obj)]
    found = [one.items.get(HOOKS[index]) for one in hooked if isinstance(one, Map)]
    found += [kwargs[name] for name in _GIVEN[index] if name in kwargs]
    if index < len(args) and not isinstance(args[index], Obj):
        found.append(args[index])
    flat = [one for value in found for one in (value.items if isinstance(value, Seq) else [value])]
    return [one for one in flat if one is not None][:2]


def fit(machine: Calling, args: Sequence[Value], kwargs: dict[str, Value], node: ast.AST | None, model: Value) -> None:
    """Give data sets to a model that is trained on them, or tested."""
    for one in (*args, *kwargs.values()):
        if isinstance(one, Obj) and asked(one.cls):
            machine.initialize(one)
            follow_hooks(machine, one, node)
    follow_steps(machine, [*args], kwargs, node)
    called = getattr(node.func, "attr", "") if isinstance(node, ast.Call) else ""
    first = "test" if called.startswith(("evaluate", "predict")) else "train"
    given: list[tuple[str, Value]] = [(first, one) for one in args[:1]]
    given += [(first, kwargs[name]) for name in ("generator", "x") if name in kwargs]
    if "validation_data" in kwargs:
        given.append(("val", kwargs["validation_data"]))
    for word, value in given:
        options = value.options if isinstance(value, Choice) else [value]
        for one in options:
            _fit_one(machine, word, one, node, Seq([model, kwargs.get("callbacks")], "list"))


def _fit_one(machine: Calling, word: str, value: Value, node: ast.AST | None, model: Value) -> None:
    identity = ""
    if isinstance(value, Obj):
        made, identity = loaders.item(machine, value, node), loaders.identity_of(value)
    elif isinstance(value, ExtObj):
        made = loaders.batch(machine, value, node)
    else:
        made = value.items[0] if isinstance(value, Seq) and value.kind == "list" and value.items else value
    found = arrays.pictures(made)
    if found:
        hints = (word, *loaders.hints_of(machine, value))
        place = getattr(value, "place", "") or machine.place(node)
        network = model.items[0] if isinstance(model, Seq) and model.items else None
        fed = first_layers.within(machine, network, feeding.as_fed(found[0], "fit"))
        machine.sink(
            "dataset", fed, node, hints=hints, place=place,
            identity=feeding.through(found[0]) or identity, network=networks.of(model),
            whole=feeding.is_fed_whole(found[0] if isinstance(value, Seq) else value, node),
        )  # fmt: skip
