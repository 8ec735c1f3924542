"""What expressions stand for, and what they are assigned to."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

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
MAX_UNROLLED = 12
"""Elements of a list that a loop is gone through for one by one."""
MAX_NESTING = 150
"""Expressions within expressions that are followed."""


_METHODS: dict[tuple[type, type[ast.expr]], Callable[[Any, Any], Value] | None] = {}
"""The method of each class of interpreters for each kind of expression that was met."""


class Exhausted(Exception):
    """The work allowed for one file is done."""


class Expressions:
    """Evaluates expressions to abstract values, and lets targets stand for them."""

    library: Library
    """What libraries do to values."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.scope = Scope()
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

    def tick(self) -> None:
        """Count a step of work."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted

    @property
    def tired(self) -> bool:
        """Whether to take short cuts from here on."""
        return self.steps > TIRED

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

    def assign(self, target: ast.expr, value: Value, origin: ast.expr | None = None) -> None:
        """Let a target stand for a value."""
        self.tick()
        if isinstance(target, ast.Name):
            self.scope.set(target.id, value)
            self._carried(value, self.trace.line_of(target), target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value, origin)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, origin)
        elif isinstance(target, ast.Subscript):
            owner = self.evaluate(target.value)
            self.library.set_item(owner, target, value)
            self._carried(value, self.trace.line_of(target), dotted(target.value))
        elif isinstance(target, ast.Attribute):
            owner = self.evaluate(target.value)
            if isinstance(owner, Instance):
                owner.attributes[target.attr] = value
            elif isinstance(owner, Data) and target.attr not in ("columns", "index", "name"):
                owner.set_column(target.attr, combined([value]).all_events | combined([value]).latent)
            elif isinstance(owner, Estimator):
                owner.events |= combined([value]).all_events
            self._carried(value, self.trace.line_of(target), dotted(target))

    def _carried(self, value: Value, line: int, name: str) -> None:
        if isinstance(value, Data):
            events = value.all_events if value.columns else value.events
            if value.latent:
                events |= value.latent
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
        names = [dotted(item) for item in targets]
        for item, part in zip(targets, self.library.named_parts(whole, names, self.trace.line_of(target)), strict=True):
            self.assign(item, part, origin)

    def evaluate(self, node: ast.expr | None) -> Value:
        """The abstract value of an expression."""
        if node is None:
            return NOTHING
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted
        kind = type(node)
        # Names and constants, which nothing nests in, are more than half of all expressions.
        if kind is ast.Name and self.nesting <= MAX_NESTING:
            name = node.id  # type: ignore[attr-defined]
            scope: Scope | None = self.scope
            while scope is not None:
                names = scope.names
                if name in names:
                    return names[name]
                scope = scope.parent
            return Lib(name)
        if kind is ast.Constant and self.nesting <= MAX_NESTING:
            return Const(node.value)  # type: ignore[attr-defined]
        key = self.__class__, kind
        if key not in _METHODS:
            _METHODS[key] = getattr(self.__class__, "_of_" + kind.__name__.lower(), None)
        method = _METHODS[key]
        if method is None or self.nesting > MAX_NESTING:
            return Data()
        self.nesting += 1
        try:
            return method(self, node)
        finally:
            self.nesting -= 1

    def _of_constant(self, node: ast.Constant) -> Value:
        return Const(node.value)

    def _of_name(self, node: ast.Name) -> Value:
        value = self.scope.get(node.id)
        return Lib(node.id) if value is None else value

    def _of_attribute(self, node: ast.Attribute) -> Value:
        owner = self.evaluate(node.value)
        return self.attribute(owner, node.attr, self.trace.line_of(node))

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
        return Function(node, self.scope, self.trace.start)

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


def dotted(node: ast.expr) -> str:
    """The name of an expression: 'a.b' of a name or an attribute, else the nearest."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Subscript | ast.Starred):
        return dotted(node.value)
    return ""


def _hashable(value: object) -> object:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value
