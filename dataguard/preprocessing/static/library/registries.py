"""Registries: functions and classes that decorators keep by name, and that configurations ask for.

Sources: fvcore ``common/registry.py``, mmengine ``registry/registry.py``.
"""

from __future__ import annotations

from dataguard.preprocessing.static.library.registry import Call, applied
from dataguard.preprocessing.static.values import Cls, ExtObj, Func, Map, Obj, Value, choice

METHODS = frozenset({"register", "register_module", "get", "build"})
_REGISTERING = "*registering"


def of_registry(call: Call) -> Value:
    """What a method of a registry comes to: a decorator, what is kept under a name, or what that makes."""
    if call.name in ("register", "register_module"):
        made = next((one for one in (*call.args, *call.kwargs.values()) if isinstance(one, Func | Cls)), None)
        name = call.kwargs.get("name", next((one for one in call.args if isinstance(one, str)), None))
        if made is not None:
            return _keep(call, call.thing, name, made)
        return ExtObj(_REGISTERING, [call.thing, name], {}, call.place)
    if call.name == "get":
        return _kept(call, call.get(0, "name", call.kwargs.get("key")))
    config = call.get(0, "cfg")
    given = dict(config.items) if isinstance(config, Map) else dict(config.attrs) if isinstance(config, Obj) else {}
    found = _kept(call, given.pop("type", None))
    return call.machine.call(found, [], {str(key): one for key, one in given.items()} | call.kwargs, call.node)


@applied(_REGISTERING)
def _registered(call: Call) -> Value:
    """``@REGISTRY.register()`` on a function or a class."""
    holder, name = call.thing.args
    made = call.args[0] if call.args else None
    return _keep(call, holder, name, made) if isinstance(holder, ExtObj) and isinstance(made, Func | Cls) else made


def _keep(call: Call, holder: ExtObj, name: Value, made: Func | Cls) -> Value:
    held = holder.attrs.setdefault("*held", Map({}))
    call.machine.put(held.items, name if isinstance(name, str) else made.name, made)
    return made


def _kept(call: Call, name: Value) -> Value:
    held = call.thing.attrs.get("*held")
    items = held.items if isinstance(held, Map) else {}
    if isinstance(name, str):
        return items.get(name, call.unknown(f"{name[:60]} is not registered"))
    return choice(items.values(), "the name in the registry is not known") if items else call.unknown("a registry")
