"""Follows statements: assignments, branches, loops, imports, definitions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.static import (
    arrays,
    experiments,
    feeding,
    looping,
    matching,
    records,
    rows,
    shaping,
    supposing,
    writing,
)
from dataguard.preprocessing.static.branching import Branching, ends_program
from dataguard.preprocessing.static.joining import MISSING, truth
from dataguard.preprocessing.static.library import tensorrt
from dataguard.preprocessing.static.machine import Flow, Frame, RaisedError, bound_name, catches, caught
from dataguard.preprocessing.static.tree import Module
from dataguard.preprocessing.static.values import (
    NO_KEY,
    Blank,
    Choice,
    Cls,
    ExtObj,
    Func,
    Map,
    Measure,
    Method,
    Mod,
    Obj,
    Picture,
    Seq,
    Shape,
    Unknown,
    Value,
    choice,
    each,
    key_of,
)

MODES = frozenset({"mode", "phase", "task", "run_mode"})
"""Names of what a reader sets in a script to say what it shall do, as others give it on the command line."""
MOST_SET = 64
"""Items of a list of which any may be the one that is set."""


class Interpreter(Branching):
    """Follows the statements of modules and functions."""

    __slots__ = ()

    def run(self, body: Sequence[ast.stmt]) -> Flow:
        """Follow statements in order, until one leaves."""
        for node in body:
            self.left -= 1
            if self.left < 0:
                self.spend()
            method = _BY_TYPE.get(type(node))
            if method is None:
                continue
            flow: Flow | None = method(self, node)
            if flow is not None and flow != "next":
                return flow
        return "next"

    def run_module(self, module: Module) -> None:
        """Follow a module's statements, the first time."""
        if module.state != "new":
            return
        module.state = "running"
        self.frames.append(Frame(names=module.names, module=module))
        journal, self.journal = self.journal, self.changes if module.main or module.apart else None
        try:
            if len(self.frames) < 60:
                self.run(module.body)
        finally:
            self.journal = journal
            self.frames.pop()
            self.done(module)

    def _expression(self, node: ast.Expr) -> Flow | None:
        value = node.value
        if isinstance(value, ast.Constant):
            return None
        if isinstance(value, ast.IfExp):
            if value not in self.matched:
                self.matched[value] = [matching.as_branch(value)]
            return self.run(self.matched[value])
        made = self.evaluate(value)
        if not isinstance(value, ast.Call):
            return None
        if ends_program(node):
            return "raise"
        if isinstance(value.func, ast.Attribute) and value.func.attr == "paste":
            canvas = self.evaluate(value.func.value)
            if isinstance(canvas, Blank) and -1 in canvas.planes:
                self.assign(value.func.value, Picture(canvas.planes[-1]))
            return None
        # ``x.sub_(0.5).div_(0.5)`` changes x.
        if isinstance(made, (Picture, Choice)):
            inner: ast.expr = value
            while (
                isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr.endswith("_")
            ):
                inner = inner.func.value
            if inner is not value and isinstance(inner, ast.Attribute) and inner.attr == "data":
                inner = inner.value
            if inner is not value and isinstance(inner, (ast.Name, ast.Attribute, ast.Subscript)):
                self.assign(inner, made)
        return None

    def _assignment(self, node: ast.Assign) -> None:
        self._bind_all(node, node.targets, node.value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._bind_all(node, [node.target], node.value)

    def _bind_all(self, node: ast.stmt, targets: Sequence[ast.expr], given: ast.expr) -> None:
        names = self.bound.get(node)
        if names is None:
            names = self.bound[node] = [bound_name(one) for one in targets]
        outer, self.assigning = self.assigning, names
        value = self.apart(given) if type(given) is ast.Tuple else self.evaluate(given)
        self.assigning = outer
        for target in targets:
            self.assign(target, value)
            if isinstance(target, ast.Name) and (
                (type(given) is ast.Attribute and self.is_option(given))
                or (target.id in MODES and isinstance(value, str) and self.frame.module.main)
            ):
                self.frame.flags.add(target.id)

    def apart(self, values: ast.Tuple) -> Value:
        """``a, b = f(), g()``: each with the name that it gets, also where a function returns both."""
        outer, items = self.assigning, list[Value]()
        if any(isinstance(one, ast.Starred) for one in values.elts):
            return self.evaluate(values)
        for index, one in enumerate(values.elts):
            self.assigning = self.names_of(index, len(values.elts))
            items.append(self.evaluate(one))
            self.assigning = outer
        return Seq(items, "tuple")

    def _augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Subscript):
            holder = self.evaluate(target.value)
            if _may_be(holder, Picture):
                by = self.evaluate(node.value)

                def changed(one: Value) -> Value:
                    if not isinstance(one, Picture):
                        return one
                    return arrays.changed_part(self, one, target.slice, node.op, by, node)

                self.assign(target.value, each(holder, changed))
                return
            if shaping.is_empty(holder) and isinstance(node.op, ast.Add):
                # What is added to a part of zeros is written there.
                value = self.evaluate(node.value)
                if isinstance(value, Picture):
                    self._set_item(target, value)
                    return
        before = self.evaluate(target)
        value = self.evaluate(node.value)
        if isinstance(before, Seq) and before.kind == "list" and isinstance(node.op, ast.Add):
            self.put(before.items, "*", before.items + (value.items if isinstance(value, Seq) else [Unknown("added")]))
            return
        self.assign(target, self.operate(node.op, before, value, node))

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target."""
        if type(target) is ast.Name:
            frame = self.frames[-1]
            names = frame.elsewhere.get(target.id, frame.names)
            if type(value) is Unknown and supposing.are_kept(names.get(target.id), value):
                return
            self.put(names, target.id, value)
            if type(value) is Picture or type(value) is Choice:
                self.residues.passed(self, value, target.id)
        elif isinstance(target, ast.Attribute):
            holder = self.evaluate(target.value)
            if isinstance(holder, Picture) and target.attr == "shape":
                self.assign(target.value, shaping.shaped(self, holder, value, target))
                return
            if target.attr == tensorrt.HOST and arrays.pictures(value):
                self.feed([value], target, target.attr)
            self._set_attribute(holder, target.attr, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target, value)
        elif isinstance(target, ast.Subscript):
            self._set_item(target, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value)

    def _set_attribute(self, holder: Value, name: str, value: Value) -> None:
        if isinstance(holder, (Obj, Cls, ExtObj)):
            held = "item" if isinstance(holder, ExtObj) else "*item"
            if "transform" in name and held in holder.attrs:
                self.put(holder.attrs, held, MISSING)
            self.put(holder.attrs, name, value)
        elif isinstance(holder, Mod):
            self.run_module(holder.module)
            self.put(holder.module.names, name, value)
        elif isinstance(holder, Map):
            self.put(holder.items, name, value)
        elif isinstance(holder, Choice):
            for one in holder.options:
                self._set_attribute(one, name, value)

    def _unpack(self, target: ast.Tuple | ast.List, value: Value) -> None:
        count = len(target.elts)
        if isinstance(value, Choice) and len({_count(one) for one in value.options}) == 1:
            columns = [self._column(value, index) for index in range(_count(value.options[0]))]
            value = Seq(columns, "tuple") if columns else value
        if isinstance(value, ExtObj) and value.name.startswith("builtins."):
            rows = arrays.iterated(self, value, target)
            value = Seq(rows, "tuple") if rows is not None else value
        items = value.items if isinstance(value, (Seq, Shape)) else records.items_of(value)
        star = next((index for index, one in enumerate(target.elts) if isinstance(one, ast.Starred)), None)
        if isinstance(value, Shape) and star is None and count == 2 and value.items[2:] == [3]:
            items = value.items[:2]  # of a picture that has no channels where it is unpacked so
        if items is None:
            items = arrays.unpacked(self, value, count, target)
        if star is not None and items is not None and len(items) >= count - 1:
            after = count - 1 - star
            middle = Seq(items[star : len(items) - after], "list")
            items = [*items[:star], middle, *items[len(items) - after :]]
        if items is None or len(items) != count:
            kind = value.kind if isinstance(value, Unknown) else ""
            why = value.why if isinstance(value, Unknown) else "unpacked from what is not known"
            items = [Unknown(why, self.place(target), kind) for _ in range(count)]
        for one, item in zip(target.elts, items, strict=True):
            self.assign(one.value if isinstance(one, ast.Starred) else one, item)

    def _column(self, value: Choice, index: int) -> Value:
        return choice([one.items[index] for one in value.options], value.why)

    def _set_item(self, target: ast.Subscript, value: Value) -> None:
        fed = feeding.fed_by_item(target)
        if fed == "model":
            self.feed([value], target, "blobs")
        elif fed and arrays.pictures(value):
            owner = self.frame.owner.name if self.frame.owner is not None else ""
            self.sink("dataset", arrays.pictures(value)[0], target, hints=(owner,))
        holder = self.evaluate(target.value)
        if isinstance(target.value, ast.Subscript) and isinstance(holder, (Unknown, Picture)):
            found = writing.of_item(self, target, value)
            if found is None:
                return
            holder = self.evaluate(found.value) if found is not target else holder
            target = found
        if _may_be(holder, Picture, Blank):
            if isinstance(holder, Choice) and len(getattr(value, "options", ())) == len(holder.options):
                pairs = zip(holder.options, value.options, strict=True)
                rows = [self._written(one, target, other) for one, other in pairs]
                made = choice(rows, holder.why)
            else:
                made = each(holder, lambda one: self._written(one, target, value))
            if made is not holder:
                self.assign(target.value, made)
            return
        key = self.evaluate(target.slice)
        if isinstance(holder, Map):
            if key_of(key) is not NO_KEY:
                self.put(holder.items, key_of(key), value)
        elif isinstance(holder, Seq):
            if holder.many and len(holder.items) == 1 and isinstance(key, Unknown):
                key = 0
            if isinstance(key, int) and -len(holder.items) <= key < len(holder.items):
                self.put(holder.items, key, value)
            elif isinstance(key, (Unknown, Measure, Choice)) and len(holder.items) <= MOST_SET:
                why = f"it is set by an index that is not known ({self.place(target)})"
                self.put(holder.items, "*", [choice([one, value], why) for one in holder.items])
        elif isinstance(holder, Obj) and isinstance(key, str):
            self.put(holder.attrs, key, value)
        elif isinstance(holder, Unknown) and isinstance(key, str) and isinstance(target.value, ast.Name):
            # An item of a data set that is made elsewhere: 'features["image"] = resized'.
            self.assign(target.value, Map({key: value}, open=True))
        elif isinstance(holder, Unknown) and isinstance(value, Picture) and isinstance(target.value, ast.Name):
            # Pictures written into a batch that is made elsewhere: the batch holds them.
            self.assign(target.value, Picture(replace(value.state, layout=_batched(value.state.layout))))

    def _written(self, holder: Value, target: ast.Subscript, value: Value) -> Value:
        """What a picture is after a part of it is set; what is none of several is left as it is."""
        if not isinstance(holder, Picture | Blank):
            return holder
        return arrays.written_part(self, holder, target.slice, value, target)

    def _looping(self, node: ast.For | ast.AsyncFor) -> Flow | None:
        source = self.evaluate(node.iter)
        if looping.by_channel(self, node, source):
            return None
        items = arrays.iterated(self, source, node.iter)
        if items is not None:
            flow = self._turns(node, items[: looping.most_turns(self, node, source, items)], source)
        else:
            self.turning += 1
            try:
                flow = self._turns(node, [arrays.element(self, source, node.iter)])
            finally:
                self.turning -= 1
        rows.filled(self, node, source)
        return flow

    def _turns(self, node: ast.For | ast.AsyncFor, items: list[Value], source: Value = None) -> Flow | None:
        for index, value in enumerate(items):
            self.assign(node.target, value)
            flow = self.run(node.body)
            looping.write_back(self, node, source, index)
            if flow == "break":
                return None
            if flow in ("return", "raise"):
                return flow
        return self.run(node.orelse)

    def _repeating(self, node: ast.While) -> Flow | None:
        if truth(self.evaluate(node.test)) is False:
            return self.run(node.orelse)
        looping.unsettle(self, node)
        self.turning += 1
        try:
            flow = self.run(node.body)
        finally:
            self.turning -= 1
        return flow if flow in ("return", "raise") else None

    def _trying(self, node: ast.Try) -> Flow | None:
        self.trying += bool(node.handlers)
        self.catching.append(frozenset[str]().union(*(caught(one) for one in node.handlers)))
        conditions, handler = len(self.frame.conditions), node.handlers[0] if node.handlers else None
        try:
            flow: Flow | None = self.run(node.body)
        except RaisedError as error:
            if (handler := next((one for one in node.handlers if catches(one, str(error))), None)) is None:
                raise
            del self.frame.conditions[conditions:]
            flow = "raise"
        finally:
            self.catching.pop()
            self.trying -= bool(node.handlers)
        if flow == "raise" and handler is not None:
            flow = self.run(handler.body)
        elif flow == "next":
            flow = self.run(node.orelse)
        final = self.run(node.finalbody)
        return final if final != "next" else flow

    def _within(self, node: ast.With | ast.AsyncWith) -> Flow | None:
        frame, held, told = self.frame, self.frame.training, self.told
        for item in node.items:
            value = self.evaluate(item.context_expr)
            if isinstance(value, ExtObj) and value.name.rpartition(".")[2] in ("no_grad", "inference_mode"):
                frame.training = frame.training or False
            if item.optional_vars is not None:
                if isinstance(value, Obj) and value.cls is not None:
                    entered = value.cls.find("__enter__")
                    value = self.call(self.attribute(value, "__enter__", node), [], {}, node) if entered else value
                self.assign(item.optional_vars, value)
        flow = self.run(node.body)
        if held is None and self.told == told:
            frame.training = None
        return flow

    def _matching(self, node: ast.Match) -> Flow:
        if node not in self.matched:
            self.matched[node] = matching.as_branches(node)
        return self.run(self.matched[node])

    def _returning(self, node: ast.Return) -> Flow:
        value = self.apart(node.value) if type(node.value) is ast.Tuple else self.evaluate(node.value)
        conditions = self.frame.conditions
        self.frame.returns.append((conditions[-1] if conditions else None, value))
        return "return"

    def _raising(self, _: ast.Raise) -> Flow:
        return "raise"

    def _breaking(self, _: ast.Break) -> Flow:
        return "break"

    def _continuing(self, _: ast.Continue) -> Flow:
        return "continue"

    def _global_(self, node: ast.Global) -> None:
        self.frame.elsewhere.update(dict.fromkeys(node.names, self.frame.module.names))

    def _nonlocal_(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            scope = self.frame.outer
            while scope is not None and name not in scope.names:
                scope = scope.outer
            if scope is not None:
                self.frame.elsewhere[name] = scope.names

    def _deleting(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in self.frame.names:
                self.put(self.frame.names, target.id, Unknown("deleted"))
            elif isinstance(target, ast.Subscript):
                holder, key = self.evaluate(target.value), key_of(self.evaluate(target.slice))
                if isinstance(holder, Map) and key is not NO_KEY and key in holder.items:
                    self.put(holder.items, key, MISSING)
                elif isinstance(holder, Seq) and not holder.many:
                    self._without(holder, target.slice, key)

    def _without(self, holder: Seq, index: ast.expr, key: Value) -> None:
        """Take an item out of a list, or several: 'del items[0]', 'del items[2:]'."""
        bounds = (index.lower, index.upper, index.step) if isinstance(index, ast.Slice) else ()
        limits = [self.evaluate(one) for one in bounds]
        rest = list(holder.items)
        if limits and limits[2] != 0 and all(one is None or type(one) is int for one in limits):
            del rest[slice(*limits)]
        elif type(key) is int and -len(rest) <= key < len(rest):
            del rest[key]
        self.put(holder.items, "*", rest)

    def _defining(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        frame = self.frame
        # Methods see the names of the function that their class is made in, not those of the class.
        scope = frame if frame.func is not None else frame.outer
        decorators = tuple(self.evaluate(one) for one in node.decorator_list)
        if any(isinstance(one, ast.Attribute) and one.attr in ("setter", "deleter") for one in node.decorator_list):
            return
        func = Func(node, frame.module, scope, frame.owner if frame.func is None else None, decorators)
        self.put(frame.names, node.name, func)
        if frame.func is not None:
            self.inner.setdefault(node, func)
        self._registered(func, zip(node.decorator_list, decorators, strict=True))
        for one in decorators:
            if isinstance(one, Method) and isinstance(one.receiver, ExtObj) and one.receiver.name.startswith("sacred."):
                experiments.decorated(self, func, one.receiver, one.name, node)

    def _classing(self, node: ast.ClassDef) -> None:
        frame = self.frame
        bases = [self.evaluate(one) for one in node.bases]
        cls = Cls(node, frame.module, node.name, bases, {})
        inner = Frame(names=cls.attrs, module=frame.module, outer=frame if frame.func is not None else None, owner=cls)
        self.frames.append(inner)
        try:
            self.run(node.body)
        finally:
            self.frames.pop()
        for value in cls.attrs.values():
            if isinstance(value, Func) and value.owner is None:
                value.owner = cls
        self.put(frame.names, node.name, cls)
        self._registered(cls, ((one, self.evaluate(one)) for one in node.decorator_list if _registers(one)))

    def _registered(self, made: Func | Cls, decorators: Iterable[tuple[ast.expr, Value]]) -> None:
        """Let decorators that keep functions and classes by name do so: '@DATASETS.register("coco")'."""
        for node, value in decorators:
            if _registers(node):
                self.call(value, [made], {}, node)


def _registers(decorator: ast.expr) -> bool:
    """Whether a decorator keeps what it decorates, by its name."""
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    word = inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""
    return "regist" in word.lower()


def _may_be(value: Value, *kinds: type) -> bool:
    """Whether a value is of one of some kinds, or one of several values of which some are."""
    return isinstance(value, kinds) or (isinstance(value, Choice) and any(isinstance(x, kinds) for x in value.options))


def _count(value: Value) -> int:
    return len(value.items) if isinstance(value, (Seq, Shape)) else 0


def _batched(layout: str) -> str:
    return layout if "N" in layout else "N" + layout


_BY_TYPE: dict[type[ast.stmt], Any] = {
    ast.Expr: Interpreter._expression,
    ast.Assign: Interpreter._assignment,
    ast.AnnAssign: Interpreter._annotated,
    ast.AugAssign: Interpreter._augmented,
    ast.If: Interpreter.branching,
    ast.For: Interpreter._looping,
    ast.AsyncFor: Interpreter._looping,
    ast.While: Interpreter._repeating,
    ast.Try: Interpreter._trying,
    ast.With: Interpreter._within,
    ast.AsyncWith: Interpreter._within,
    ast.Match: Interpreter._matching,
    ast.Return: Interpreter._returning,
    ast.Raise: Interpreter._raising,
    ast.Assert: Interpreter._asserting,
    ast.Break: Interpreter._breaking,
    ast.Continue: Interpreter._continuing,
    ast.Global: Interpreter._global_,
    ast.Nonlocal: Interpreter._nonlocal_,
    ast.Delete: Interpreter._deleting,
    ast.FunctionDef: Interpreter._defining,
    ast.AsyncFunctionDef: Interpreter._defining,
    ast.ClassDef: Interpreter._classing,
    ast.Import: Interpreter.importing,
    ast.ImportFrom: Interpreter.importing_from,
}
