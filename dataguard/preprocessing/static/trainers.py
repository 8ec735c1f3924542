"""What trainers of libraries ask of the classes that are given to them: loaders, layers of data, steps with batches."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.values import Bound, Cls, Func, Map, Obj, Seq, Unknown, Value

if TYPE_CHECKING:
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
    module.attrs["*hooked"] = True
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
    module.attrs["*loaders"] = Map(given)


def follow_steps(machine: Machine, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> None:
    """Call the steps of a model that a trainer is given with batches of the loaders that it gets with it."""
    from dataguard.preprocessing.static.arrays import element, pictures

    values = [*args, *kwargs.values()]
    models = [one for one in values if isinstance(one, Obj) and _step(one, STEPS[0]) is not None]
    for model in models[:1]:
        for index, name in enumerate(STEPS):
            step = _step(model, name)
            for loader in _loaders(index, args[1:], kwargs, values) if step is not None else ():
                batch = element(machine, loader, None)
                if step is None or not pictures(batch):
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
