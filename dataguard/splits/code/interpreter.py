"""Goes through a module statement by statement as Python would, with abstract values instead of data."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dataguard.splits.code.calls import Calls
from dataguard.splits.code.expressions import Exhausted, dotted
from dataguard.splits.code.library import Library
from dataguard.splits.code.own_modules import OwnModule, OwnModules
from dataguard.splits.code.telling import Telling
from dataguard.splits.code.trace import Trace
from dataguard.splits.code.values import (
    MAX_ELEMENTS,
    NOTHING,
    Class,
    Data,
    Function,
    Instance,
    Lib,
    Scope,
    Seq,
    Value,
    combined,
    joined,
)

MAX_IMPORT_STEPS = 5_000
"""Nodes of modules after which no further one is gone through: some 20 ms, however many a project has."""


_METHODS: dict[type[ast.stmt], Callable[[Any, Any], None] | None] = {}
"""The method for each kind of statement that was met."""


class Interpreter(Calls):
    """Interprets one module and fills a trace."""

    def __init__(self, trace: Trace, path: Path | None = None, modules: OwnModules | None = None) -> None:
        super().__init__(trace)
        self.library = Library(trace, self)
        self.modules = None if path is None else modules
        self.files: list[Path] = [] if path is None else [path.absolute()]
        """The file that is gone through, within those that import it."""
        self.imported: dict[Path, Instance] = {}
        self.followed: list[OwnModule] = []
        """Modules of the project that were gone through."""
        self.unfollowed: set[Path] = set()
        """Those that were not, for the work that they would have taken."""
        self.import_steps = 0
        self.before_imports = 0

    def run(self, tree: ast.Module) -> None:
        """Interpret a module; what lies beyond the work allowed is left, and the trace says so."""
        try:
            self.block(tree.body)
            self._call_what_was_not(tree)
        except Exhausted:
            self.trace.truncated = True
        except RecursionError:
            self.trace.truncated = True

    def _call_what_was_not(self, tree: ast.Module) -> None:
        """Functions that the file only defines, as a module's, are called with data of which nothing is known.

        That is all of a library's, and so only those that come to something which fits, splits or scores.
        """
        uncalled = [(node, function) for node, function in self.defined.items() if id(node) not in self.called]
        telling = Telling(tree, self._telling) if uncalled else None
        for node, function in uncalled:
            if telling is None or id(node) in self.called or self.tired or not telling.of(node.name):
                continue
            spec = node.args
            names = [item.arg for item in (*spec.posonlyargs, *spec.args)]
            rows = [Data(frozenset({(self.trace.root((id(node), name)), frozenset())})) for name in names]
            self.inline(function, list(rows), {})

    def _telling(self, name: str, level: int) -> Telling | None:
        return None if self.modules is None else self.modules.told(name, level, self.files[0])

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Interpret statements in order."""
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Interpret one statement."""
        self.tick()
        kind = type(node)
        if kind not in _METHODS:
            _METHODS[kind] = getattr(Interpreter, "_do_" + kind.__name__.lower(), None)
        method = _METHODS[kind]
        if method is not None:
            method(self, node)

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
        if len(self.files) > 1 and any(
            isinstance(item, ast.Name) and item.id == "__name__" for item in ast.walk(node.test)
        ):
            self.block(node.orelse)
            return
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

    def _do_while(self, node: ast.While) -> None:
        self.evaluate(node.test)
        self.block(node.body)
        self.block(node.orelse)

    def _do_with(self, node: ast.With | ast.AsyncWith) -> None:
        quiet = 0
        for item in node.items:
            value = self.evaluate(item.context_expr)
            text = dotted(item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr)
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
        function = Function(node, self.scope, self.trace.start)
        self.scope.set(node.name, function)
        if self.scope.parent is None and len(self.files) < 2:
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
            head, _, rest = alias.name.partition(".")
            own = self._own_module(alias.name, 0)
            if own is None:
                self.scope.set(alias.asname or head, Lib(alias.name if alias.asname else head))
            elif alias.asname or not rest:
                self.scope.set(alias.asname or head, own)
            else:
                # `import a.b` lets `a` stand for what has `b`.
                known = self.scope.get(head)
                outer = (
                    known if isinstance(known, Instance) else Instance(Class(head, (), {}), self.trace.line_of(node))
                )
                self.scope.set(head, outer)
                *between, last = rest.split(".")
                for name in between:
                    inner = outer.attributes.get(name)
                    made = (
                        inner
                        if isinstance(inner, Instance)
                        else Instance(Class(name, (), {}), self.trace.line_of(node))
                    )
                    outer.attributes[name] = made
                    outer = made
                outer.attributes[last] = own

    def _do_importfrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        own = self._own_module(module, node.level)
        for alias in node.names:
            if alias.name == "*":
                for name, value in ({} if own is None else own.attributes).items():
                    if not name.startswith("_"):
                        self.scope.set(name, value)
                continue
            found = None if own is None else own.attributes.get(alias.name)
            found = found or self._own_module(f"{module}.{alias.name}".strip("."), node.level)
            self.scope.set(alias.asname or alias.name, found or Lib(f"{module}.{alias.name}".strip(".")))

    def _own_module(self, name: str, level: int) -> Instance | None:
        """A module of the project, gone through once, with what its names stand for; None for a library."""
        if self.modules is None:
            return None
        module = self.modules.find(name, level, self.files[-1])
        if module is None or module.path == self.files[0]:
            return None
        if module.path in self.imported:
            return self.imported[module.path]
        if len(self.files) == 1:
            self.before_imports = self.steps - self.import_steps
        if self.steps - self.before_imports > MAX_IMPORT_STEPS:
            self.unfollowed.add(module.path)
            return None
        made = self.imported[module.path] = Instance(Class(name, (), {}), 0)
        self.followed.append(module)
        inside = Scope()
        made.attributes = inside.names
        kept = self.scope, self.frames, self.conditions, self.active, self.looping, self.no_grad
        self.scope, self.frames, self.conditions, self.active, self.looping, self.no_grad = inside, [], [], [], [], 0
        self.files.append(module.path)
        start, self.trace.start = self.trace.start, module.start
        try:
            self.block(module.source.tree.body)
        finally:
            self.trace.start = start
            self.files.pop()
            self.scope, self.frames, self.conditions, self.active, self.looping, self.no_grad = kept
            self.import_steps = self.steps - self.before_imports
        made.attributes = inside.names
        return made

    def _do_global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.declared.update(node.names)

    _do_nonlocal = _do_global

    def _do_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.scope.names.pop(target.id, None)

    def _do_assert(self, node: ast.Assert) -> None:
        self.evaluate(node.test)


def _loaded(target: ast.expr) -> ast.expr:
    """A target as an expression that is read."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(id=target.id, ctx=ast.Load()), target)
    return target
