"""Python itself: builtins, methods of plain values, and what is done with calls that no table knows."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.static import arithmetic
from dataguard.preprocessing.static.library import paths
from dataguard.preprocessing.static.library.commands import TEXT
from dataguard.preprocessing.static.library.evaluated import data_sets
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import (
    Blank,
    Bound,
    Choice,
    Cls,
    Ext,
    ExtObj,
    Func,
    Map,
    Measure,
    Method,
    Mod,
    Obj,
    Partial,
    Picture,
    Seq,
    Shape,
    Unknown,
    Value,
    choice,
    is_number,
    is_plain,
    measured,
)

_SAME = frozenset(
    {
        "torch.nn.DataParallel",
        "torch.nn.parallel.DistributedDataParallel",
        "builtins.iter",
        "torch.nn.parallel.DataParallel",
        "functools.lru_cache",
        "torch.compile",
    }
)


@function(*_SAME)
def _same(call: Call) -> Value:
    return call.args[0] if call.args else call.unknown("nothing")


@function("copy.deepcopy", "copy.copy")
def _copied(call: Call) -> Value:
    return copied(call.args[0], 1 if call.name.endswith(".copy") else 4) if call.args else call.unknown("nothing")


def copied(value: Value, depth: int) -> Value:
    """A value that can be changed without the one that it was made of, so many levels deep."""
    if depth == 0 or is_plain(value):
        return value
    if isinstance(value, Seq):
        return Seq([copied(one, depth - 1) for one in value.items], value.kind)
    if isinstance(value, Map):
        return Map({key: copied(one, depth - 1) for key, one in value.items.items()}, open=value.open)
    if isinstance(value, (ExtObj, Obj)):
        attrs = {
            key: copied(one, depth - 1) for key, one in value.attrs.items() if key not in ("item", "*item", "batch")
        }
        return replace(value, attrs=attrs)
    return Picture(value.state) if isinstance(value, Picture) else value


@function("typing.cast", "typing_extensions.cast")
def _cast(call: Call) -> Value:
    return call.get(1, "val", call.unknown("nothing"))


@function("builtins.int", "builtins.float", "builtins.round", "math.floor", "math.ceil", "math.sqrt",
          "numpy.floor", "numpy.ceil", "numpy.sqrt", "numpy.int", "numpy.int_", "builtins.abs",
          "math.trunc", "numpy.float", "numpy.abs", "math.log", "math.log2", "numpy.trunc", "numpy.fix")  # fmt: skip
def _of_number(call: Call) -> Value:
    value = call.args[0] if call.args else 0
    name = call.name.rpartition(".")[2]
    functions: dict[str, Any] = {
        "int": int, "float": float, "floor": math.floor, "ceil": math.ceil, "sqrt": math.sqrt, "abs": abs, "int_": int,
        "trunc": math.trunc, "log": math.log, "log2": math.log2, "fix": math.trunc,
    }  # fmt: skip
    if isinstance(value, str) and name in ("int", "float"):
        try:
            return int(value) if name == "int" else float(value)
        except ValueError:
            if len(call.args) == 1:
                call.machine.fails("ValueError")
            return call.unknown("a text that is no number")
    if isinstance(value, Picture):
        return Picture(value.state)
    if isinstance(value, bool):
        return functions.get(name, round)(value)
    if isinstance(value, Choice):
        return choice(
            [_of_number(Call(call.machine, call.name, [one], {}, call.node)) for one in value.options], value.why
        )
    if not (is_number(value) or isinstance(value, Measure)):
        return (
            Unknown(value.why, value.place or call.place, value.kind)
            if isinstance(value, Unknown)
            else call.unknown("a number")
        )
    if name == "round":
        digits = call.args[1] if len(call.args) > 1 else None
        return measured(lambda one: round(one) if digits is None else round(one, digits), value)
    return measured(functions[name], value)


@function("builtins.min", "builtins.max", "builtins.sum")
def _extreme(call: Call) -> Value:
    items = call.args
    if len(items) == 1 and isinstance(items[0], (Seq, Shape)):
        items = items[0].items
    if call.name == "builtins.sum" and items and all(isinstance(one, Obj) for one in items):
        # Data sets that are added to each other.
        return items[0]
    if not items or not all(is_number(one) or isinstance(one, Measure) for one in items):
        found = next((one for one in items if isinstance(one, Unknown)), None)
        return (
            Unknown(found.why, found.place or call.place, found.kind) if found is not None else call.unknown("a number")
        )
    name = call.name.rpartition(".")[2]
    functions: dict[str, Any] = {"min": min, "max": max, "sum": lambda *values: sum(values)}
    if len(items) == 1:
        return items[0]
    return measured(functions[name], *items)


@function("builtins.len")
def _length(call: Call) -> Value:
    value = call.args[0] if call.args else None
    if isinstance(value, Choice):
        each = [_length(Call(call.machine, call.name, [one], {}, call.node)) for one in value.options]
        return choice(each, value.why)
    if isinstance(value, Seq) and value.many:
        return call.unknown("how many items a loop puts into a list")
    if isinstance(value, (Seq, Shape)):
        return len(value.items)
    if isinstance(value, Map) and not value.open:
        return len(value.items)
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Picture):
        from dataguard.preprocessing.static.arrays import shape_of

        found = shape_of(value.state)
        return found[0] if found else call.unknown("a length")
    if isinstance(value, Blank):
        return value.shape[0] if value.shape else call.unknown("a length")
    return call.unknown("a length")


@function("builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted", "builtins.reversed")
def _sequence(call: Call) -> Value:
    name = call.name.rpartition(".")[2]
    if not call.args:
        return Seq([], "list" if name != "tuple" else "tuple")
    value = call.args[0]
    from dataguard.preprocessing.static.arrays import iterated

    items = iterated(call.machine, value, ast.Constant(0))
    if items is None:
        return value if isinstance(value, (ExtObj, Unknown, Picture)) else call.unknown("a list")
    if name == "reversed":
        items = items[::-1]
    return Seq(items, "tuple" if name == "tuple" else "list", getattr(value, "many", False))


@function("builtins.dict")
def _dictionary(call: Call) -> Value:
    found = Map(dict(call.kwargs))
    if call.args:
        first = call.args[0]
        if isinstance(first, Map):
            found = Map({**first.items, **call.kwargs}, open=first.open)
        elif isinstance(first, Seq):
            for one in first.items:
                if isinstance(one, Seq) and len(one.items) == 2 and is_plain(one.items[0]):
                    found.items[one.items[0]] = one.items[1]
        else:
            found.open = True
    return found


@function("collections.OrderedDict", "collections.defaultdict")
def _ordered(call: Call) -> Value:
    rest = [one for one in call.args if isinstance(one, (Map, Seq))]
    return _dictionary(Call(call.machine, call.name, rest[:1], call.kwargs, call.node))


@function("builtins.str", "builtins.repr")
def _text(call: Call) -> Value:
    value = call.args[0] if call.args else ""
    text = str(value) if is_plain(value) else paths.text_of(value)
    return text if text is not None else call.unknown("a text")


@function("builtins.bool")
def _boolean(call: Call) -> Value:
    from dataguard.preprocessing.static.joining import truth

    known = truth(call.args[0]) if call.args else False
    return known if known is not None else call.args[0]


@function(
    "builtins.range", "builtins.enumerate", "builtins.zip", "itertools.count", "itertools.product", "builtins.filter"
)
def _iterator(call: Call) -> Value:
    if call.name == "builtins.filter" and len(call.args) > 1:
        return call.args[1]
    return ExtObj(call.name.replace("itertools.count", "builtins.range"), call.args, call.kwargs, call.place)


@function("builtins.next")
def _following(call: Call) -> Value:
    from dataguard.preprocessing.static.arrays import element
    from dataguard.preprocessing.static.library.numpy import WEIGHT

    given = call.node.args[0] if isinstance(call.node, ast.Call) and call.node.args else None
    if isinstance(given, ast.Call) and getattr(given.func, "attr", "") == "parameters":
        return call.unknown(WEIGHT)
    return element(call.machine, call.args[0], None) if call.args else call.unknown("an item")


@function("builtins.getattr", "builtins.hasattr", "builtins.setattr")
def _attribute(call: Call) -> Value:
    name = call.args[1] if len(call.args) > 1 else None
    holder = call.args[0] if call.args else None
    if not isinstance(name, str):
        held = data_sets(holder.module.names) if isinstance(holder, Mod) and call.name.endswith("getattr") else None
        return held if held is not None else call.unknown("an attribute that is not known")
    if call.name.endswith("setattr"):
        if isinstance(holder, (Obj, Cls, ExtObj)) and len(call.args) > 2:
            call.machine.put(holder.attrs, name, call.args[2])
        return None
    found = call.machine.attribute(holder, name, call.node)
    missing = isinstance(found, Unknown) and (found.why.startswith("attribute") or "is not" in found.why)
    if isinstance(holder, Obj) and not missing and isinstance(found, Method):
        missing = name not in holder.attrs
    if call.name.endswith("hasattr"):
        # Of a namespace that the repository fills itself everything is seen.
        if missing and isinstance(holder, Obj) and (not holder.open or holder.library.endswith("Namespace")):
            return False
        return call.unknown("whether it has an attribute") if missing or isinstance(holder, (Unknown, Ext)) else True
    if missing and len(call.args) > 2:
        return call.args[2]
    if missing and isinstance(holder, Mod):
        call.machine.fails("AttributeError")
    return found


@function("builtins.type")
def _kind(call: Call) -> Value:
    if len(call.args) == 3:
        name, bases, attrs = call.args
        if isinstance(name, str) and isinstance(bases, Seq):
            return Cls(
                None,
                call.machine.frame.module,
                name,
                list(bases.items),
                dict(attrs.items) if isinstance(attrs, Map) else {},
            )
    value = call.args[0] if call.args else None
    if isinstance(value, Obj) and value.cls is not None:
        return value.cls
    if isinstance(value, Obj) and value.library:
        return Ext(value.library)
    if isinstance(value, Seq):
        return Ext("numpy.ndarray" if value.kind == "array" else f"builtins.{value.kind}")
    if isinstance(value, Map):
        return Ext("builtins.dict")
    if isinstance(value, Picture):
        return Ext(
            {"pil": "PIL.Image.Image", "array": "numpy.ndarray", "tensor": "torch.Tensor", "tf": "tensorflow.Tensor"}[
                value.state.kind
            ]
        )
    if is_plain(value) and value is not None:
        return Ext(f"builtins.{type(value).__name__}")
    if isinstance(value, Unknown) and value.why.endswith(TEXT):
        return Ext("builtins.str")
    return call.unknown("a type")


@function("builtins.dir")
def _names_of(call: Call) -> Value:
    value = call.args[0] if call.args else None
    if isinstance(value, Mod):
        call.machine.run_module(value.module)
        return Seq([name for name in value.module.names if isinstance(name, str)], "list")
    if isinstance(value, Obj):
        return Seq([name for name in value.attrs if isinstance(name, str) and not name.startswith("*")], "list")
    return call.unknown("names")


@function("builtins.vars", "builtins.globals", "builtins.locals")
def _variables(call: Call) -> Value:
    value = call.args[0] if call.args else None
    if isinstance(value, Obj):
        # Of arguments all names are known: 'for name in vars(args): config[name] = getattr(args, name)'.
        return Map(value.attrs, open=value.cls is not None)
    if isinstance(value, Mod):
        return Map(value.module.names, open=True)
    if call.name.endswith("locals"):
        return Map(dict(call.machine.frame.names), open=True)
    if call.name.endswith("globals"):
        return Map(call.machine.frame.module.names, open=True)
    return call.unknown("names")


@function(
    "builtins.print",
    "builtins.input",
    "builtins.exec",
    "builtins.id",
    "builtins.hash",
)
def _silent(call: Call) -> Value:
    return None if call.name.endswith("print") else call.unknown("what is typed or run")


@function("builtins.slice")
def _slice(call: Call) -> Value:
    """Bounds of a part, which an array is indexed by later."""
    return ExtObj(call.name, [None, *call.args] if len(call.args) == 1 else call.args, {}, call.place)


@function("builtins.property", "builtins.staticmethod", "builtins.classmethod",
          "builtins.object", "builtins.callable", "builtins.issubclass", "builtins.any", "builtins.all")  # fmt: skip
def _passed(call: Call) -> Value:
    name = call.name.rpartition(".")[2]
    if name in ("staticmethod", "classmethod", "property") and call.args:
        return call.args[0]
    if name in ("any", "all") and call.args and isinstance(call.args[0], Seq):
        from dataguard.preprocessing.static.joining import truth

        found = [truth(one) for one in call.args[0].items]
        if None not in found:
            return any(found) if name == "any" else all(found)
        return next((one for one in call.args[0].items if isinstance(one, (Unknown, Measure))), call.unknown("a truth"))
    if name == "callable" and call.args:
        one = call.args[0]
        return (
            True
            if isinstance(one, (Func, Bound, Cls, Partial, ExtObj, Ext))
            or (isinstance(one, Obj) and one.cls is not None and one.cls.find("__call__") is not None)
            else False
            if is_plain(one) or isinstance(one, (Map, Seq, Picture)) or (isinstance(one, Obj) and one.cls is None)
            else call.unknown("callable")
        )
    if name == "object":
        return Obj(None, {}, open=True)
    return call.unknown(f"{name} is not followed")


@function(
    "cog.Input",
    "typer.Option",
    "typer.Argument",
    "fastapi.Query",
    "fastapi.Form",
    "fastapi.Body",
    "dataclasses.field",
    "pydantic.Field",
)
def declared(call: Call) -> Value:
    """An argument's declaration: its default, where it has one."""
    if "default" in call.kwargs:
        return call.kwargs["default"]
    factory = call.kwargs.get("default_factory")
    if isinstance(factory, (Func, Ext, Cls)):
        return call.machine.call(factory, [], {}, call.node)
    if call.name.startswith(("typer.", "fastapi.", "pydantic.")) and call.args and call.args[0] is not ...:
        return call.args[0]
    return Unknown("an argument that a caller gives", call.place, "caller")


@function("functools.partial")
def _partial(call: Call) -> Value:
    return Partial(call.args[0], call.args[1:], call.kwargs) if call.args else call.unknown("a partial")


@function("os.environ.get", "os.getenv")
def _environment(call: Call) -> Value:
    return call.get(1, "default") if len(call.args) > 1 else call.unknown("the environment")


@function("ultralytics.utils.ops.make_divisible", "ultralytics.utils.make_divisible")
def _divisible(call: Call) -> Value:
    found = arithmetic.of_stride(call.get(0, "x"))
    return found if found is not None else call.unknown("a multiple of a stride")
