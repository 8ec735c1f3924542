"""Calls of the code's own functions and classes, and of what libraries have."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Sequence

from dataguard.splits.code.expressions import Expressions
from dataguard.splits.code.knowledge import TORCH_MODULES
from dataguard.splits.code.values import (
    NOTHING,
    Bound,
    Class,
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

MAX_DEPTH = 6
"""Calls within calls that are followed."""


class Calls(Expressions, ABC):
    """Goes through what is called."""

    @abstractmethod
    def block(self, body: Sequence[ast.stmt]) -> None:
        """Interpret statements in order."""

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
            if type(argument) is ast.Starred and isinstance(value, Seq):
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
        instance = Instance(cls, self.trace.line_of(node))
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
        start, self.trace.start = self.trace.start, function.start
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
            self.trace.start = start

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
