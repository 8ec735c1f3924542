"""Goes through a module statement by statement as Python would, with abstract values instead of data."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from dataguard.splits.code.knowledge import TORCH_MODULES
from dataguard.splits.code.library import Library
from dataguard.splits.code.trace import Trace
from dataguard.splits.code.values import (
    MAX_ELEMENTS,
    NO_EVENTS,
    NOTHING,
    Bound,
    Class,
    Const,
    Data,
    Estimator,
    Function,
    Instance,
    Lib,
    Mapped,
    Scope,
    Seq,
    Value,
    combined,
    joined,
)

MAX_STEPS = 250_000
"""Nodes that are looked at before the rest of a file is left."""
TIRED = 100_000
"""Nodes after which loops are gone through once and functions are not followed any more."""
MAX_DEPTH = 6
"""Calls within calls that are followed."""
MAX_UNROLLED = 12
"""Elements of a list that a loop is gone through for one by one."""
MAX_NESTING = 150
"""Expressions within expressions that are followed."""


class Exhausted(Exception):
    """The work allowed for one file is done."""


class Interpreter:
    """Interprets one module and fills a trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.scope = Scope()
        self.library = Library(trace, self)
        self.steps = 0
        self.nesting = 0
        self.frames: list[list[Value]] = []
        self.conditions: list[list[Value]] = []
        self.active: list[ast.AST] = []
        self.owners: list[Instance] = []
        self.no_grad = 0
        self.looping: list[set[str]] = []
        self.defined: dict[ast.FunctionDef | ast.AsyncFunctionDef, Function] = {}
        self.called: set[int] = set()

    # Statements

    def run(self, tree: ast.Module) -> None:
        """Interpret a module; what lies beyond the work allowed is left, and the trace says so."""
        try:
            self.block(tree.body)
            self._call_what_was_not()
        except Exhausted:
            self.trace.truncated = True
        except RecursionError:
            self.trace.truncated = True

    def _call_what_was_not(self) -> None:
        """Functions that the file only defines, as a module's, are called with data of which nothing is known."""
        for node, function in list(self.defined.items()):
            if id(node) in self.called or self.tired:
                continue
            spec = node.args
            names = [item.arg for item in (*spec.posonlyargs, *spec.args)]
            rows = [Data(frozenset({(self.trace.root((id(node), name)), frozenset())})) for name in names]
            self.inline(function, list(rows), {})

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Interpret statements in order."""
        for statement in body:
            self.statement(statement)

    def tick(self) -> None:
        """Count a step of work."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted

    @property
    def tired(self) -> bool:
        """Whether to take short cuts from here on."""
        return self.steps > TIRED

    def statement(self, node: ast.stmt) -> None:
        """Interpret one statement."""
        self.tick()
        method = getattr(self, "_do_" + type(node).__name__.lower(), None)
        if method is not None:
            method(node)

    def _do_expr(self, node: ast.Expr) -> None:
        self.evaluate(node.value)

    def _do_assign(self, node: ast.Assign) -> None:
        value = self.evaluate(node.value)
        for target in node.targets:
            self.assign(target, value, node.value)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.evaluate(node.value), node.value)

    def _do_augassign(self, node: ast.AugAssign) -> None:
        old = self.evaluate(_loaded(node.target))
        value = self.evaluate(node.value)
        if isinstance(old, Seq) and isinstance(node.op, ast.Add):
            if isinstance(value, Seq):
                old.items = (old.items + value.items)[:MAX_ELEMENTS]
            elif isinstance(value, Data):
                old.rest = joined(old.rest, value)
            return
        result = self.library.operate(old, value)
        if isinstance(old, Data) and isinstance(node.target, ast.Name):
            old.become(result if isinstance(result, Data) else combined([old, value]))
            return
        self.assign(node.target, result, node.value)

    def _do_if(self, node: ast.If) -> None:
        test = self.evaluate(node.test)
        if self.conditions:
            self.conditions[-1].append(test)
        self._branches([node.body, node.orelse])

    def _branches(self, bodies: Sequence[Sequence[ast.stmt]]) -> None:
        """Each from where things stand now; then names stand for what either left."""
        before = dict(self.scope.names)
        after: list[dict[str, Value]] = []
        for body in bodies:
            self.scope.names = dict(before)
            if body:
                self.block(body)
            after.append(self.scope.names)
        merged = after[0]
        for other in after[1:]:
            for name, value in other.items():
                if name not in merged:
                    merged[name] = value
                elif merged[name] is not value:
                    merged[name] = joined(merged[name], value)
        self.scope.names = merged

    def _do_for(self, node: ast.For | ast.AsyncFor) -> None:
        names = {item.id for item in ast.walk(node.target) if isinstance(item, ast.Name)}
        for element in self.iterations(self.evaluate(node.iter)):
            self.assign(node.target, element, node.iter)
            self.looping.append(names)
            self.block(node.body)
            self.looping.pop()
        self.block(node.orelse)

    _do_asyncfor = _do_for

    def moves(self, node: ast.expr) -> bool:
        """Whether an expression changes from one turn of a loop to the next, as the bound of a window does."""
        if not self.looping:
            return False
        moving = set().union(*self.looping)
        return any(isinstance(item, ast.Name) and item.id in moving for item in ast.walk(node))

    def iterations(self, value: Value) -> list[Value]:
        """What a loop goes through: each element where there are few, or else one for all."""
        if isinstance(value, Seq) and value.items:
            few = len(value.items) <= MAX_UNROLLED and not self.tired
            if few and value.rest is None:
                return list(value.items)
            element: Value | None = None
            for item in value.elements():
                element = joined(element, item)
            if isinstance(element, Data) and all(isinstance(item, Const) for item in value.elements()):
                return [Data()]
            return [element or NOTHING]
        return [self.library.element(value)]

    def _do_while(self, node: ast.While) -> None:
        self.evaluate(node.test)
        self.block(node.body)
        self.block(node.orelse)

    def _do_with(self, node: ast.With | ast.AsyncWith) -> None:
        quiet = 0
        for item in node.items:
            value = self.evaluate(item.context_expr)
            text = _dotted(item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr)
            quiet += text.endswith(("no_grad", "inference_mode"))
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value, item.context_expr)
        self.no_grad += quiet
        self.block(node.body)
        self.no_grad -= quiet

    _do_asyncwith = _do_with

    def _do_try(self, node: Any) -> None:
        self.block(node.body)
        for handler in node.handlers:
            self.block(handler.body)
        self.block(node.orelse)
        self.block(node.finalbody)

    _do_trystar = _do_try

    def _do_match(self, node: ast.Match) -> None:
        self.evaluate(node.subject)
        self._branches([case.body for case in node.cases] or [[]])

    def _do_return(self, node: ast.Return) -> None:
        value = self.evaluate(node.value) if node.value is not None else NOTHING
        if self.frames:
            self.frames[-1].append(value)

    def _do_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        function = Function(node, self.scope)
        self.scope.set(node.name, function)
        if self.scope.parent is None:
            self.defined[node] = function

    _do_asyncfunctiondef = _do_functiondef

    def _do_classdef(self, node: ast.ClassDef) -> None:
        bases = tuple(self.evaluate(base) for base in node.bases)
        outer, self.scope = self.scope, Scope(self.scope)
        try:
            self.block(node.body)
            attributes = self.scope.names
        finally:
            self.scope = outer
        # A method does not see the names of its class.
        for value in attributes.values():
            if isinstance(value, Function) and value.scope.parent is outer:
                value.scope = outer
        self.scope.set(node.name, Class(node.name, bases, attributes))

    def _do_import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.scope.set(name, Lib(alias.name if alias.asname else name))

    def _do_importfrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name != "*":
                self.scope.set(alias.asname or alias.name, Lib(f"{node.module or ''}.{alias.name}".strip(".")))

    def _do_global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.declared.update(node.names)

    _do_nonlocal = _do_global

    def _do_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.scope.names.pop(target.id, None)

    def _do_assert(self, node: ast.Assert) -> None:
        self.evaluate(node.test)

    # Assignment

    def assign(self, target: ast.expr, value: Value, origin: ast.expr | None = None) -> None:
        """Let a target stand for a value."""
        self.tick()
        if isinstance(target, ast.Name):
            self.scope.set(target.id, value)
            self._carried(value, target.lineno, target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value, origin)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, origin)
        elif isinstance(target, ast.Subscript):
            owner = self.evaluate(target.value)
            self.library.set_item(owner, target, value)
            self._carried(value, target.lineno, _dotted(target.value))
        elif isinstance(target, ast.Attribute):
            owner = self.evaluate(target.value)
            if isinstance(owner, Instance):
                owner.attributes[target.attr] = value
            elif isinstance(owner, Data) and target.attr not in ("columns", "index", "name"):
                owner.set_column(target.attr, combined([value]).all_events | combined([value]).latent)
            elif isinstance(owner, Estimator):
                owner.events |= combined([value]).all_events
            self._carried(value, target.lineno, _dotted(target))

    def _carried(self, value: Value, line: int, name: str) -> None:
        if isinstance(value, Data):
            events = value.all_events | value.latent if value.latent else value.all_events
            if events:
                self.trace.carry(events, line, name)
        elif isinstance(value, Seq):
            for item in value.items[:4]:
                self._carried(item, line, name)
        elif isinstance(value, Estimator) and value.events:
            self.trace.carry(value.events, line, name)

    def _unpack(self, target: ast.Tuple | ast.List, value: Value, origin: ast.expr | None) -> None:
        targets = target.elts
        starred = any(isinstance(item, ast.Starred) for item in targets)
        if isinstance(value, Seq) and len(value.items) == len(targets) and value.rest is None and not starred:
            for item, element in zip(targets, value.items, strict=True):
                self.assign(item, element, origin)
            return
        if isinstance(value, Seq):
            for index, item in enumerate(targets):
                known = value.items[index] if index < len(value.items) else value.rest
                self.assign(item, known if known is not None else combined(value.elements()), origin)
            return
        whole = value if isinstance(value, Data) else combined([value])
        names = [_dotted(item) for item in targets]
        for item, part in zip(targets, self.library.named_parts(whole, names, target.lineno), strict=True):
            self.assign(item, part, origin)

    # Expressions

    def evaluate(self, node: ast.expr | None) -> Value:
        """The abstract value of an expression."""
        if node is None:
            return NOTHING
        self.tick()
        method = getattr(self, "_of_" + type(node).__name__.lower(), None)
        if method is None or self.nesting > MAX_NESTING:
            return Data()
        self.nesting += 1
        try:
            value: Value = method(node)
        finally:
            self.nesting -= 1
        return value

    def _of_constant(self, node: ast.Constant) -> Value:
        return Const(node.value)

    def _of_name(self, node: ast.Name) -> Value:
        value = self.scope.get(node.id)
        return Lib(node.id) if value is None else value

    def _of_attribute(self, node: ast.Attribute) -> Value:
        owner = self.evaluate(node.value)
        return self.attribute(owner, node.attr, node.lineno)

    def attribute(self, owner: Value, name: str, line: int) -> Value:
        """What an attribute stands for."""
        if isinstance(owner, Lib):
            return Lib(f"{owner.name}.{name}")
        if isinstance(owner, Instance):
            if name in owner.attributes:
                return owner.attributes[name]
            found = owner.cls.find(name)
            return Bound(owner, name) if isinstance(found, Function) or found is None else found
        if isinstance(owner, Class):
            found = owner.find(name)
            return found if found is not None else Bound(owner, name)
        return self.library.attribute(owner, name, line)

    def _of_subscript(self, node: ast.Subscript) -> Value:
        owner = self.evaluate(node.value)
        return self.library.get_item(owner, node)

    def _of_starred(self, node: ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _of_await(self, node: ast.Await) -> Value:
        return self.evaluate(node.value)

    def _of_yield(self, node: ast.Yield) -> Value:
        value = self.evaluate(node.value)
        if self.frames:
            self.frames[-1].append(Seq([], value))
        return NOTHING

    _of_yieldfrom = _of_yield

    def _of_namedexpr(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self.assign(node.target, value, node.value)
        return value

    def _of_tuple(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        if len(node.elts) > MAX_ELEMENTS:
            if all(isinstance(item, ast.Constant) for item in node.elts):
                return Seq([Const(item.value) for item in node.elts if isinstance(item, ast.Constant)])
            items = [self.evaluate(item) for item in node.elts[:200]]
            return Seq(items[:MAX_ELEMENTS], combined(items[MAX_ELEMENTS:]))
        items = []
        for item in node.elts:
            value = self.evaluate(item)
            if isinstance(item, ast.Starred) and isinstance(value, Seq):
                items += value.items
            else:
                items.append(value)
        return Seq(items)

    _of_list = _of_tuple
    _of_set = _of_tuple

    def _of_dict(self, node: ast.Dict) -> Value:
        result = Mapped()
        for key, item in zip(node.keys[:200], node.values[:200], strict=True):
            value = self.evaluate(item)
            name = self.evaluate(key) if key is not None else None
            if isinstance(name, Const):
                result.items[_hashable(name.value)] = value
            elif key is None and isinstance(value, Mapped):
                result.items.update(value.items)
            else:
                result.rest = joined(result.rest, value)
        return result

    def _of_binop(self, node: ast.BinOp) -> Value:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if isinstance(left, Seq) and isinstance(right, Seq) and isinstance(node.op, ast.Add):
            rest = joined(left.rest, right.rest) if left.rest or right.rest else None
            return Seq((left.items + right.items)[: 2 * MAX_ELEMENTS], rest)
        if isinstance(left, Seq) and isinstance(right, Const) and isinstance(node.op, ast.Mult):
            return left
        if isinstance(node.op, ast.BitAnd | ast.BitOr):
            for side in (left, right):
                if isinstance(side, Data) and side.mask is not None and isinstance(node.op, ast.BitAnd):
                    result = combined([left, right])
                    result.mask = side.mask
                    return result
        return self.library.operate(left, right)

    def _of_unaryop(self, node: ast.UnaryOp) -> Value:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Invert | ast.Not) and isinstance(value, Data) and value.mask is not None:
            flipped = value.copy()
            key, part = value.mask
            flipped.mask = (key, part[1:] if part.startswith("~") else "~" + part)
            return flipped
        if isinstance(value, Const) and isinstance(node.op, ast.USub) and isinstance(value.value, int | float):
            return Const(-value.value)
        return value

    def _of_boolop(self, node: ast.BoolOp) -> Value:
        return combined([self.evaluate(value) for value in node.values])

    def _of_compare(self, node: ast.Compare) -> Value:
        values = [self.evaluate(node.left), *(self.evaluate(item) for item in node.comparators)]
        return self.library.compare(node, values)

    def _of_ifexp(self, node: ast.IfExp) -> Value:
        test = self.evaluate(node.test)
        return self._depending(joined(self.evaluate(node.body), self.evaluate(node.orelse)), [test])

    def _depending(self, value: Value, tests: Sequence[Value]) -> Value:
        """A value that was chosen by conditions: by statistics, if these are held against."""
        latent = NO_EVENTS.union(*(test.all_events | test.latent for test in tests if isinstance(test, Data)))
        if not latent or not isinstance(value, Const | Data) or (isinstance(value, Data) and value.rows):
            return value
        return Data(latent=latent, aggregate=True)

    def _of_joinedstr(self, node: ast.JoinedStr) -> Value:
        for item in node.values:
            if isinstance(item, ast.FormattedValue):
                self.evaluate(item.value)
        return Data()

    def _of_lambda(self, node: ast.Lambda) -> Value:
        return Function(node, self.scope)

    def _of_listcomp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Value:
        outer, self.scope = self.scope, Scope(self.scope)
        try:
            first = node.generators[0]
            source = self.evaluate(first.iter)
            elements = self.iterations(source)
            results = []
            for element in elements:
                self.assign(first.target, element, first.iter)
                for test in first.ifs:
                    self.evaluate(test)
                for further in node.generators[1:]:
                    inner = self.iterations(self.evaluate(further.iter))
                    self.assign(further.target, inner[0], further.iter)
                    for test in further.ifs:
                        self.evaluate(test)
                results.append(self.evaluate(node.elt))
        finally:
            self.scope = outer
        if isinstance(source, Seq) and len(node.generators) == 1 and not first.ifs:
            return Seq(results)
        merged: Value | None = None
        for result in results:
            merged = joined(merged, result)
        if isinstance(merged, Data):
            # A list made of data's elements has the data's rows again.
            whole = merged.copy()
            whole.single = isinstance(source, Data) and source.single
            if isinstance(source, Data) and not whole.rows and source.rows:
                whole.rows = source.rows
                whole.aggregate = source.aggregate
            return whole
        return Seq([], merged)

    _of_setcomp = _of_listcomp
    _of_generatorexp = _of_listcomp

    def _of_dictcomp(self, node: ast.DictComp) -> Value:
        outer, self.scope = self.scope, Scope(self.scope)
        try:
            result = Mapped()
            for further in node.generators:
                self.assign(further.target, self.iterations(self.evaluate(further.iter))[0], further.iter)
            self.evaluate(node.key)
            result.rest = self.evaluate(node.value)
        finally:
            self.scope = outer
        return result

    # Calls

    def _of_call(self, node: ast.Call) -> Value:
        function = node.func
        if isinstance(function, ast.Name) and function.id == "super" and self.owners:
            return self.owners[-1]
        if isinstance(function, ast.Attribute):
            owner = self.evaluate(function.value)
            arguments, keywords = self._arguments(node)
            return self.method(owner, function.attr, arguments, keywords, node)
        value = self.evaluate(function)
        arguments, keywords = self._arguments(node)
        return self.call(value, arguments, keywords, node)

    def _arguments(self, node: ast.Call) -> tuple[list[Value], dict[str, Value]]:
        arguments: list[Value] = []
        for argument in node.args:
            value = self.evaluate(argument)
            if isinstance(argument, ast.Starred) and isinstance(value, Seq):
                arguments += value.items
            else:
                arguments.append(value)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, Mapped):
                keywords.update({str(key): item for key, item in value.items.items()})
        return arguments, keywords

    def method(
        self, owner: Value, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call
    ) -> Value:
        """Call a method of a value."""
        if isinstance(owner, Instance):
            return self._instance_method(owner, name, arguments, keywords, node)
        if isinstance(owner, Class):
            found = owner.find(name)
            if isinstance(found, Function):
                return self.inline(found, arguments, keywords)
            return combined([*arguments, *keywords.values()])
        if isinstance(owner, Lib):
            return self.library.function(f"{owner.name}.{name}", arguments, keywords, node)
        return self.library.method(owner, name, arguments, keywords, node)

    def _instance_method(
        self, owner: Instance, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call
    ) -> Value:
        held = owner.attributes.get(name)
        if held is not None:
            return self.call(held, arguments, keywords, node)
        found = owner.cls.find(name)
        if isinstance(found, Function):
            if name == "fit" and owner.cls.find("predict") is None and owner.cls.find("transform") is None:
                self.library.foreign_method(owner, name, arguments, keywords, node)  # it predicts as its library's base
            return self.bound(owner, found, arguments, keywords)
        if name == "fit_transform" and owner.cls.find("transform") is not None:
            fit = owner.cls.find("fit")
            if isinstance(fit, Function):
                self.bound(owner, fit, arguments, keywords)
            transform = owner.cls.find("transform")
            if isinstance(transform, Function):
                return self.bound(owner, transform, arguments[:1], {})
        return self.library.foreign_method(owner, name, arguments, keywords, node)

    def bound(self, owner: Instance, function: Function, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        """Call a method of the code's own class."""
        node = function.node
        static = isinstance(node, ast.FunctionDef) and any(
            isinstance(item, ast.Name) and item.id == "staticmethod" for item in node.decorator_list
        )
        self.owners.append(owner)
        try:
            return self.inline(function, arguments if static else [owner, *arguments], keywords)
        finally:
            self.owners.pop()

    def call(self, value: Value, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Value:
        """Call a value."""
        if isinstance(value, Function):
            return self.inline(value, arguments, keywords)
        if isinstance(value, Class):
            return self.instantiate(value, arguments, keywords, node)
        if isinstance(value, Bound):
            return self.method(value.owner, value.name, arguments, keywords, node)
        if isinstance(value, Lib):
            return self.library.function(value.name, arguments, keywords, node)
        if isinstance(value, Instance):
            for name in ("__call__", "forward", "call"):
                found = value.cls.find(name)
                if isinstance(found, Function):
                    if value.cls.inherits(TORCH_MODULES):
                        return self.library.forward(value, arguments, node, no_grad=self.no_grad > 0)
                    return self.bound(value, found, arguments, keywords)
        if isinstance(value, Estimator):
            return self.library.called_estimator(value, arguments, keywords, node, no_grad=self.no_grad > 0)
        return combined([value, *arguments, *keywords.values()])

    def instantiate(self, cls: Class, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Value:
        """Make an instance of one of the code's own classes."""
        instance = Instance(cls, node.lineno)
        start = cls.find("__init__")
        if isinstance(start, Function):
            self.bound(instance, start, arguments, keywords)
        return instance

    def inline(self, function: Function, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        """Go through one of the code's own functions with these arguments; what it may return."""
        node = function.node
        if len(self.active) >= MAX_DEPTH or self.tired or any(item is node for item in self.active):
            return combined([*arguments, *keywords.values()])
        scope = Scope(function.scope)
        self._bind(node.args, scope, arguments, keywords)
        outer, self.scope = self.scope, scope
        looping, self.looping = self.looping, []
        self.called.add(id(node))
        self.active.append(node)
        self.frames.append([])
        self.conditions.append([])
        try:
            if isinstance(node, ast.Lambda):
                return self.evaluate(node.body)
            self.block(node.body)
            result: Value | None = None
            for value in self.frames[-1]:
                result = joined(result, value)
            return self._depending(result, self.conditions[-1]) if result is not None else NOTHING
        finally:
            self.frames.pop()
            self.conditions.pop()
            self.active.pop()
            self.scope = outer
            self.looping = looping

    def _bind(self, spec: ast.arguments, scope: Scope, arguments: list[Value], keywords: dict[str, Value]) -> None:
        names = [item.arg for item in (*spec.posonlyargs, *spec.args)]
        defaults = [None] * (len(names) - len(spec.defaults)) + list(spec.defaults)
        for name, default in zip(names, defaults, strict=True):
            if default is not None:
                scope.names[name] = self.evaluate(default)
        for item, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if default is not None:
                scope.names[item.arg] = self.evaluate(default)
        scope.names.update(zip(names, arguments, strict=False))
        if spec.vararg is not None:
            scope.names[spec.vararg.arg] = Seq(arguments[len(names) :])
        known = {*names, *(item.arg for item in spec.kwonlyargs)}
        rest: dict[object, Value] = {}
        for name, value in keywords.items():
            if name in known:
                scope.names[name] = value
            else:
                rest[name] = value
        if spec.kwarg is not None:
            scope.names[spec.kwarg.arg] = Mapped(dict(rest))
        for name in known:
            scope.names.setdefault(name, Data())


def _loaded(target: ast.expr) -> ast.expr:
    """A target as an expression that is read."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(id=target.id, ctx=ast.Load()), target)
    return target


def _dotted(node: ast.expr) -> str:
    """The name of an expression: 'a.b' of a name or an attribute, else the nearest."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Subscript | ast.Starred):
        return _dotted(node.value)
    return ""


def _hashable(value: object) -> object:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value
