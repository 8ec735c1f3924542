"""Libraries that call a script's own functions, and those that bring models and loaders onto devices: Fire, Accelerate.

Source: python-fire ``fire/core.py``: without a component all of the script's names are commands; of a class and of an
object the methods are, of a dictionary its values. typer ``main.py``: what is registered is called with its defaults.
"""

from __future__ import annotations

from dataguard.preprocessing.static import calls
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Bound, Cls, Func, Map, Obj, Seq, Value

LAUNCHERS = ("accelerate.Accelerator", "lightning.Fabric", "lightning.fabric.Fabric", "lightning_fabric.Fabric")
METHODS = frozenset({"prepare", "prepare_model", "prepare_data_loader", "setup", "setup_module", "setup_dataloaders"})


def prepared(call: Call) -> Value:
    """What is handed over: by itself, or as many as were given in their order."""
    if len(call.args) == 1:
        return call.args[0]
    return Seq(list(call.args), "tuple") if call.args else call.unknown("nothing")


@function("absl.app.run", "tensorflow.app.run", "asyncio.run", "torch.multiprocessing.spawn", "typer.run")
def started(call: Call) -> Value:
    """A library that calls the script's own function."""
    func = call.get(0, "main") if call.name.endswith("app.run") else call.args[0] if call.args else None
    if func is None and call.name.endswith("app.run"):
        func = call.machine.frame.module.names.get("main")
    if isinstance(func, Func):
        rest = call.kwargs.get("args")
        given = (
            [call.unknown("a process's number"), *rest.items]
            if isinstance(rest, Seq) and call.name.endswith("spawn")
            else []
        )
        return call.machine.call(func, given, {}, call.node)
    return None


@function("fire.Fire", "fire.core.Fire", "defopt.run", "clize.run")
def _commands(call: Call) -> Value:
    """Whatever of the script a reader may ask for by its name."""
    component = call.get(0, "component")
    machine = call.machine
    if component is None:
        component = Seq([one for one in calls.uncalled(machine.frame.module) if not one.name.startswith("_")])
    if isinstance(component, Cls):
        component = machine.call(component, [], {}, call.node)
    if isinstance(component, Obj) and component.cls is not None:
        found = {name: one for cls in component.cls.lineage() for name, one in reversed(cls.attrs.items())}
        bound = [Bound(one, component) for one in reversed(found.values()) if isinstance(one, Func)]
        component = Seq([one for one in bound if not one.func.name.startswith("_") and not one.func.decorators])
    several = component.items if isinstance(component, Seq) else None
    several = list(component.items.values()) if isinstance(component, Map) else several
    for one in [component] if several is None else several:
        if isinstance(one, Func | Bound):
            machine.call(one, [], {}, call.node)
    return None
