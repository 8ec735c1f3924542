"""Follows calls: of the repository's own functions and classes, and of what libraries have."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from dataguard.preprocessing.static import (
    arrays,
    calls,
    configured,
    decorating,
    feeding,
    in_place,
    library,
    loaders,
    networks,
    noise,
    own_normalization,
    own_resizes,
    records,
    trainers,
)
from dataguard.preprocessing.static.expressions import ENUMS, Expressions
from dataguard.preprocessing.static.joining import MISSING, join
from dataguard.preprocessing.static.library import darknet, first_layers, given, placeholders, pools, unlisted
from dataguard.preprocessing.static.library.command_lines import OPTIONS, given_options
from dataguard.preprocessing.static.library.configuration import filled
from dataguard.preprocessing.static.machine import DEEPEST, Frame, returned, signature_of
from dataguard.preprocessing.static.picture import by_chance, losing, moved
from dataguard.preprocessing.static.values import (
    Bound,
    Choice,
    Cls,
    Ext,
    ExtObj,
    Func,
    Map,
    Method,
    Mod,
    Obj,
    Partial,
    Picture,
    Seq,
    Shape,
    Super,
    Unknown,
    Value,
    choice,
    each,
    is_picture,
    last,
)

NAMED = frozenset({"get", "items", "keys", "values", "update", "copy", "clone", "freeze", "defrost", "merge_from_file",
                   "merge_from_list"})  # fmt: skip
"""Methods of ``dict``, and of yacs's nodes, that objects of their subclasses have."""

_SETTING = frozenset({"__setattr__", "__setitem__", "register_buffer", "register_parameter", "add_module",
                      "register_module"})  # fmt: skip
"""Methods that give an object an attribute, by its name and value."""

_PLACING = frozenset({"cuda", "to", "half", "float", "cpu", "double"})
"""Methods that bring tensors and models to a device, or to a type of numbers."""
_KEEPING = frozenset({"copy", "any", "all", "item", "strip", "lower", "numpy", "resize_", "resize_as_"})
"""Methods of which no more is known than of what they are called on."""


class Calling(Expressions):
    """Follows calls."""

    __slots__ = ()

    def invoke(self, node: ast.Call) -> Value:
        """A call, with its arguments."""
        func = self.evaluate(node.func)
        if type(func) is Ext and func.name == "builtins.super":
            return self._super()
        args: list[Value] = []
        for one in node.args:
            if type(one) is ast.Starred:
                inner = self.evaluate(one.value)
                args += inner.items if isinstance(inner, (Seq, Shape)) else arrays.spread(self, inner, one.value)
            else:
                args.append(self.evaluate(one))
        kwargs: dict[str, Value] = {}
        for key in node.keywords:
            value = self.evaluate(key.value)
            if key.arg is not None:
                kwargs[key.arg] = value
            elif isinstance(value, Map):
                kwargs.update({str(name): item for name, item in value.items.items()})
            elif isinstance(value, Obj) and (value.cls is None or value.cls.holds_items):
                kwargs.update({name: item for name, item in value.attrs.items() if not name.startswith("*")})
        made = self.call(func, args, kwargs, node)
        position = library.written_argument(func, args, kwargs)
        if position is not None and isinstance(made, (Picture, Choice)):
            target = feeding.by_place(node, len(args)).get(position)
            if isinstance(target, (ast.Name, ast.Attribute)):
                self.assign(target, made)
        return made

    def _super(self) -> Value:
        for frame in reversed(self.frames):
            if frame.owner is not None and frame.func is not None:
                return Super(frame.receiver, frame.owner)
        return Unknown("super() outside of a class")

    def call(self, func: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        """What a call comes to."""
        self.left -= 1
        if self.left < 0:
            self.spend()
        kind = type(func)
        if kind is Ext:
            return library.call(self, func.name, args, kwargs, node)
        if kind is Func:
            return self._inline(func, None, args, kwargs, node)
        if kind is Bound:
            held = func.receiver.cls if isinstance(func.receiver, Obj) else None
            ready = func.func.name in feeding.FEEDING and any(feeding.is_ready(one) for one in args)
            if ready and feeding.is_model(held) and not calls.goes_on(self, func.receiver, func.func):
                return self.feed([*args, *kwargs.values()], node, func.func.name, func.receiver)
            if func.func.name == "merge_from_file" and held is not None and held.holds_items:
                # What a class of yacs's kind does beside is to find the files that a file builds on.
                return library.method(self, func.receiver, func.func.name, args, kwargs, node)
            return self._inline(func.func, func.receiver, args, kwargs, node)
        if kind is Method:
            return self._method(func, args, kwargs, node)
        if isinstance(func, Cls):
            return self._instance(func, args, kwargs, node)
        if isinstance(func, Obj):
            return self._object(func, args, kwargs, node)
        if isinstance(func, ExtObj):
            return library.apply(self, func, args, kwargs, node)
        if isinstance(func, Partial):
            return self.call(func.func, [*func.args, *args], {**func.kwargs, **kwargs}, node)
        if isinstance(func, Choice) and func.chance is not None and len(func.options) == 2:
            made = [args[0] if one is None and args else self.call(one, args, kwargs, node) for one in func.options]
            return join(func.chance, *made)
        if isinstance(func, Choice):
            return choice(
                [self.call(one, args, kwargs, node) for one in func.options if one is not None] or [None], func.why
            )
        if func is None and len(args) == 1 and isinstance(args[0], Picture):
            return args[0]
        if isinstance(func, Unknown):
            return self._unknown(func, args, kwargs, node)
        if isinstance(func, Mod):
            return Unknown("a module is called", self.place(node))
        return arrays.opaque(self, args, "something that is not followed is called", node)

    def _inline(
        self, func: Func, receiver: Value, args: Sequence[Value], kwargs: dict[str, Value], node: ast.AST | None
    ) -> Value:
        running = 0
        for outer in self.frames:
            if outer.func is not None and outer.func.node is func.node:
                running += 1
        if (running > 2 and (running > 5 or not calls.is_walk(args))) or len(self.frames) > DEEPEST:
            return arrays.opaque(self, [*args, *kwargs.values()], "calls are nested too deep to follow", node)
        self.seen.add(func.node)
        if func.decorators and not isinstance(func.node, ast.Lambda):
            wanted = configured.arguments(self, func, receiver, list(args), kwargs, node)
            if wanted is not None:
                args, kwargs = [], wanted
            wrapper = decorating.wrapper(self, func, receiver)
            if wrapper is not None:
                return self._inline(wrapper, receiver, args, kwargs, node)
        names: dict[str, Value] = {}
        call_place = self.place(node)
        given = [receiver, *args] if receiver is not None else list(args)
        frame = Frame(
            names=names, module=func.module, func=func, outer=func.scope, receiver=receiver, owner=func.owner,
            call_place=call_place, words=tuple(self.assigning),
        )  # fmt: skip
        if len(self.frames) < feeding.DEEPEST_BRANCH and isinstance(node, ast.Call):
            frame.flags = given_options(self, func, node, method=receiver is not None)
        self.frames.append(frame)
        try:
            self._bind(func, given, kwargs, names)
            if isinstance(func.node, ast.Lambda):
                return self.evaluate(func.node.body)
            self.run(func.node.body)
        finally:
            self.frames.pop()
        in_place.carried(self, func, node, names, len(args), method=receiver is not None)
        if frame.yields and any(last(one) in ("contextmanager", "asynccontextmanager") for one in func.decorators):
            # ``with`` gives what it yields.
            return frame.yields[0]
        if frame.yields:
            return Seq(frame.yields[:16], "list")
        made = own_resizes.resampled(func, given, darknet.parsed(self, func, given, returned(frame)), call_place)
        if isinstance(node, ast.Call) and is_picture(made):
            # Where a function is called that makes a picture, what it is given is said.
            made = each(made, lambda one: Picture(moved(one.state, call_place)))
        if isinstance(made, Picture) and func.owner is None and func.scope is None and made.state.touched:
            dotted = func.module.path.removesuffix(".py").replace("/", ".")
            return Picture(replace(made.state, target=f"{dotted}:{func.name}"))
        return made

    def is_option(self, node: ast.expr) -> bool:
        """Whether an expression is an option of the command line: 'args.size', or a parameter that was given one."""
        if isinstance(node, ast.Name):
            return node.id in self.frame.flags
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            held = self.frame.names.get(node.value.id, self.frame.module.names.get(node.value.id))
            held = self.shared.get(held.name) if isinstance(held, Ext) else held
            return isinstance(held, Obj) and held.place == OPTIONS
        called = node.value if isinstance(node, ast.Attribute) else None
        return isinstance(called, ast.Call) and getattr(called.func, "attr", "") == "parse_args"

    def _bind(self, func: Func, args: list[Value], kwargs: dict[str, Value], names: dict[str, Value]) -> None:
        spec = func.node.args
        known = self.signatures.get(spec)
        if known is None:
            known = self.signatures[spec] = signature_of(spec)
        positional, every, defaults = known
        rest = dict(kwargs)
        for one, value in zip(positional, args, strict=False):
            names[one.arg] = value
        for one in every:
            if one.arg in rest:
                names[one.arg] = rest.pop(one.arg)
            elif one.arg not in names:
                if one.arg in defaults:
                    names[one.arg] = self.evaluate(defaults[one.arg])
                else:
                    found = library.declared_default(self, func, one.arg)
                    names[one.arg] = found if found is not None else self._given_by_caller(func, one)
        if spec.vararg is not None:
            names[spec.vararg.arg] = Seq(list(args[len(positional) :]), "tuple")
        if spec.kwarg is not None:
            declared = library.declared_options(self, func, names) if func.decorators and not kwargs else {}
            names[spec.kwarg.arg] = Map({**declared, **rest})

    def _given_by_caller(self, func: Func, parameter: ast.arg) -> Value:
        """An argument that nobody here gives: Pillow's picture where it is said to be one."""
        value = Unknown(f"argument {parameter.arg} is given by a caller", self.place(func.node), "caller")
        if isinstance(parameter.annotation, (ast.Attribute, ast.Name)):
            said = self.evaluate(parameter.annotation)
            if isinstance(said, Ext) and said.name == "PIL.Image.Image":
                return Picture(given.from_caller(value, kind="pil", opened=True))
        return value

    def _instance(self, cls: Cls, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        place = self.place(node)
        made = Obj(cls, {}, place=place)
        made.attrs["*given"] = ExtObj(cls.name, args, kwargs, place)
        foreign = list(cls.foreign())
        names = records.fields_of(cls)
        if names:
            records.fill(made, names, args, kwargs)
            return made
        if any(one.rpartition(".")[2] in ENUMS for one in foreign) and args:
            return args[0]
        if args and any(one.rpartition(".")[2] in ("DataParallel", "DistributedDataParallel") for one in foreign):
            return args[0]
        if any(one.rpartition(".")[2] in loaders.LOADERS for one in foreign):
            return loaders.of_class(self, made, args, kwargs, node)
        if feeding.is_model(cls) and not feeding.prepares(cls):
            made.attrs["*later"] = True
            return made
        if args and feeding.is_of_layers(cls) and any(map(arrays.pictures, (*args, *kwargs.values()))):
            self.feed([*args, *kwargs.values()], node, cls.name, made)
        found = cls.find("__init__")
        if found is not None and isinstance(found[0], Func):
            self._inline(found[0], made, args, kwargs, node)
        elif cls.node is not None:
            if foreign:
                loaders.inherit(self, made, args, kwargs, node)
            if args:
                annotated = [one.target for one in cls.node.body if isinstance(one, ast.AnnAssign)]
                fields = [one.id for one in annotated if isinstance(one, ast.Name)]
                made.attrs.update(zip(fields, args, strict=False))
            made.attrs.update(kwargs)
            if cls.holds_items:
                filled(made, args, kwargs)
        return made

    def initialize(self, value: Obj) -> bool:
        """Follow the constructor of a model of which an attribute is asked for; whether it was not followed before."""
        given = value.attrs.get("*given")
        if value.cls is None or "*later" not in value.attrs or not isinstance(given, ExtObj):
            return False
        self.put(value.attrs, "*later", MISSING)
        found = value.cls.find("__init__")
        if found is not None and isinstance(found[0], Func):
            self._inline(found[0], value, given.args, given.kwargs, None)
        return True

    def _object(self, func: Obj, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        if func.cls is None:
            return arrays.opaque(self, args, "an object that is not followed is called", node)
        if feeding.is_model(func.cls) and any(word in func.cls.name.lower() for word in feeding.MEASURES):
            return Unknown(f"what {func.cls.name} measures", self.place(node))
        transforms = feeding.is_transforming(func.cls.name) or feeding.holds_transform(func)
        if feeding.is_model(func.cls) and not transforms:
            if not feeding.takes_files(func.cls, [*args, *kwargs.values()]):
                return self._network(func, args, kwargs, node)
            self.initialize(func)
        for name in ("__call__", "forward"):
            found = func.cls.find(name)
            if found is not None and isinstance(found[0], Func):
                # What augments a batch feeds no network with it.
                augments = unlisted.augments(func.cls.name, args[0] if args else None)
                self.quiet += augments
                made = self._inline(found[0], func, args, kwargs, node)
                self.quiet -= augments
                return unlisted.kept_kind(func.cls.name, args[0], made, self.place(node)) if augments else made
        return self._as_base(func, args, kwargs, node)

    def _network(self, model: Obj, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        """A model that is called: followed to where it feeds others, if it has a method that prepares what it gets."""
        values = [*args, *kwargs.values()]
        forward = calls.ahead(self, model) if any(arrays.pictures(one) for one in values) else None
        if forward is not None:
            before = len(self.sinks)
            made = self._inline(forward, model, args, kwargs, node)
            if len(self.sinks) > before:
                return made
        normalizing = own_normalization.first(self, model) if args and arrays.pictures(args[0]) else None
        if normalizing is not None:
            values[0] = self._inline(normalizing.func, normalizing.receiver, args[:1], {}, node)
        return self.feed(values, node, model.cls.name if model.cls is not None else "", model)

    def _as_base(self, thing: Obj, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        """What a library's transform does that a class inherits from."""
        for base in thing.cls.foreign() if thing.cls is not None else ():
            made = thing.attrs.get("*base", thing.attrs.get("*given"))
            if "transforms" in base and isinstance(made, ExtObj):
                return library.apply(self, ExtObj(base, made.args, made.kwargs, made.place), args, kwargs, node)
        return arrays.opaque(self, args, f"{thing.cls.name if thing.cls else 'it'} is of a library", node)

    # What is not of the repository.

    def _method(self, func: Method, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        receiver = func.receiver
        if isinstance(receiver, Obj) and func.name in _SETTING and len(args) >= 2:
            if isinstance(args[0], str):
                self.put(receiver.attrs, args[0], args[1])
            return None
        if isinstance(receiver, Obj) and func.name in records.METHODS and "*record" in receiver.attrs:
            return records.changed(receiver, func.name, kwargs)
        if isinstance(receiver, Unknown) or (isinstance(receiver, Obj) and receiver.cls is not None):
            if func.name == "eval" and "feed_dict" in kwargs:
                # Of a tensor of a graph: what it comes to for what is fed.
                return self.feed([kwargs["feed_dict"]], node, "run", network=receiver)
            if func.name in ("train", "eval") and not args:
                self.set_training(func.name == "train" and kwargs.get("mode") is not False)
                return receiver
            if func.name in feeding.FITTING:
                self.fit(args, kwargs, node, receiver)
                return Unknown("a history", self.place(node))
            if func.name == "train" and args and isinstance(args[0], bool):
                self.set_training(args[0])
                return receiver
            if isinstance(receiver, Obj) and receiver.cls is not None and receiver.cls.holds_items:
                if func.name in NAMED:
                    return library.method(self, receiver, func.name, args, kwargs, node)
                if func.name == "super().__init__":
                    filled(receiver, args, kwargs)
                    return None
            if func.name == "super().__init__" and isinstance(receiver, Obj):
                loaders.inherit(self, receiver, args, kwargs, node)
                return None
            if func.name == "start" and isinstance(receiver, Obj) and receiver.cls is not None:
                found_ = receiver.cls.find("run")
                if found_ is not None and isinstance(found_[0], Func) and _is_thread(receiver.cls):
                    self._inline(found_[0], receiver, [], {}, node)
                    return None
            if func.name == "super().__call__" and isinstance(receiver, Obj):
                return self._as_base(receiver, args, kwargs, node)
            if func.name == "save_hyperparameters" and isinstance(receiver, Obj):
                names = {name: value for name, value in self.frame.names.items() if value is not receiver}
                self.put(receiver.attrs, "hparams", Obj(None, names, open=True))
                return None
            if isinstance(receiver, Unknown):
                return self._unknown_method(receiver, func.name, args, kwargs, node)
            if func.name == "super().__getitem__":
                found = loaders.inherited(self, receiver)
                return found if found is not None else Unknown("an item of a library's data set", self.place(node))
            if feeding.is_model(receiver.cls) or func.name in feeding.FEEDING:
                if func.name in feeding.FEEDING:
                    return self.feed([*args, *kwargs.values()], node, func.name, network=receiver)
                return (
                    receiver
                    if func.name in _PLACING or func.name == "requires_grad_"
                    else Unknown("", self.place(node))
                )
            return arrays.opaque(self, args, f"{func.name} is of a library", node)
        return library.method(self, receiver, func.name, args, kwargs, node)

    def set_training(self, training: bool) -> None:
        """A model is put into training, or into evaluation."""
        self.frame.training = training
        self.told += 1
        if not training:
            # A module that is imported twice is followed once: its file is remembered beside the script's.
            self.evaluating |= {self.root, self.frame.module.path}

    def _unknown_method(
        self, receiver: Unknown, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None
    ) -> Value:
        if name in _PLACING or name in _KEEPING:
            return receiver
        sized = name == "resize" and bool(args) and isinstance(args[0], Seq) and len(args[0].items) == 2
        if receiver.kind == "caller" and (sized or (name == "convert" and args[:1] in (["RGB"], ["L"]))):
            # Of what a caller may give, Pillow's pictures alone have these.
            opened = Picture(given.from_caller(receiver, kind="pil", opened=True))
            return library.method(self, opened, name, args, kwargs, node)
        if name in pools.ROWS and args and isinstance(args[0], Func | Bound):
            return pools.of_rows(self, args[0], node)
        if name == "reshape":
            arranged = given.of_stored(receiver, args, self.place(node))
            return receiver if arranged is None else Picture(arranged)
        values = placeholders.fed(receiver, name, args, kwargs)
        if name == "copy_" and args and is_picture(args[0]):
            # A tensor that was made before is filled with the picture.
            return args[0]
        chance = next((one for one in (receiver, *args) if isinstance(one, Unknown) and one.kind == "random"), None)
        if name in feeding.OF_TENSORS or name in feeding.DRAWING:
            drawn = chance is not None or name in feeding.DRAWING
            return Unknown(f"what {name} computes", self.place(node), "random" if drawn else "")
        if name in feeding.FEEDING and any(arrays.pictures(one) for one in values):
            return self.feed(values, node, name, network=receiver)
        if receiver.kind == "random" or name in ("random", "rand", "randint", "uniform", "choice"):
            kept = receiver.why == noise.NOISE and name in noise.METHODS
            return receiver if kept else Unknown("by chance", self.place(node), "random")
        if name == "preprocess_input" and args and is_picture(args[0]):
            # Keras's own of a model that is not known: it maps levels, in an order of channels.
            why = "what the model's preprocess_input does is not known"
            return each(
                args[0], lambda one: Picture(losing(one.state, self.place(node), why, "affine", "order", "dtype"))
            )
        if name in unlisted.AUGMENTING and args and isinstance(args[0], Picture):
            return Picture(by_chance(args[0].state, name, self.place(node)))
        changes = feeding.is_transforming(name) or feeding.given_back(self.assigning, args, node)
        if changes and any(isinstance(one, (Picture, Choice)) for one in args):
            return arrays.opaque(self, args, f"what {name} does is not known", node)
        if any(feeding.is_ready(one) for one in args) and not any(word in name.lower() for word in feeding.LOSSES):
            return self.feed(values, node, name, network=receiver)
        kind: Literal["", "caller"] = (
            "caller" if receiver.kind == "caller" and name in ("get", "to_dict", "pop") else ""
        )
        return Unknown(receiver.why or f"what {name} returns is not known", receiver.place or self.place(node), kind)

    def _unknown(self, func: Unknown, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        name = ""
        if isinstance(node, ast.Call):
            inner = node.func
            name = inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""
        values = [*args, *kwargs.values()]
        if not any(arrays.pictures(one) for one in values):
            if args and isinstance(args[0], ExtObj) and args[0].name.endswith(".ArgumentParser"):
                return args[0]  # what adds options to it gives it back
            return Unknown(func.why, func.place or self.place(node), func.kind)
        lowered = name.lower()
        method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        drawn = func.why.startswith(feeding.DRAWN_BY)
        if drawn or any(word in lowered for word in feeding.LOSSES) or (method and name in feeding.OF_TENSORS):
            return Unknown(f"what {name} returns", self.place(node))
        if func.kind == "random" and isinstance(args[0] if args else None, Picture):
            return Picture(by_chance(args[0].state, name or "augmentation", self.place(node), size=args[0].state.size))
        if feeding.is_transforming(name) or func.kind == "random" or feeding.given_back(self.assigning, args, node):
            return arrays.opaque(self, args, f"what {name or 'it'} does is not known: {func.reason()}", node)
        if any(frame.func is not None and frame.func.name == "__getitem__" for frame in self.frames):
            # A data set's item goes through what prepares it, and meets no model.
            return unlisted.changed_by(self, values, f"what {name or 'it'} does is not known: {func.reason()}", node)
        return self.feed(values, node, name, func)

    def fit(self, args: Sequence[Value], kwargs: dict[str, Value], node: ast.AST | None, model: Value = None) -> None:
        """Give data sets to a model that is trained on them, or tested."""
        trainers.fit(self, args, kwargs, node, model)

    def feed(
        self, values: Sequence[Value], node: ast.AST | None, name: str, model: Value = None, network: Value = None
    ) -> Value:
        """Give pictures to a model, which is a network's object where that is known."""
        if name == "run":
            # What a session is asked for stands before what it is given.
            values = [one for one in values if isinstance(one, Map)] or values
        for value in values:
            if graph := placeholders.name_of(value):
                return placeholders.reached(self, graph, value)
            found = [one for one in arrays.pictures(placeholders.given(self, value)) if feeding.is_prepared(one)]
            if found:
                found[0] = first_layers.within(self, network, feeding.as_fed(found[0], name))
                self.sink(
                    "model", found[0], node, hints=(name,), identity=feeding.through(found[0]), model=model,
                    network=networks.of(model if network is None else network),
                )  # fmt: skip
                break
        return Unknown("what a model returns", self.place(node))


def _is_thread(cls: Cls) -> bool:
    return any(base.rpartition(".")[2] in ("Thread", "Process") for base in cls.foreign())
