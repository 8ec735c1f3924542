"""Follows ``if``: the branch that is taken, both where reading does not tell, and those that options lead to."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static import asserting, looping, returning, supposing, unusual
from dataguard.preprocessing.static.feeding import DEEPEST_BRANCH, FEEDING, FITTING, is_model
from dataguard.preprocessing.static.importing import Importing
from dataguard.preprocessing.static.joining import MISSING, join, truth
from dataguard.preprocessing.static.machine import Flow, RaisedError, SpentError
from dataguard.preprocessing.static.values import (
    Choice,
    Cls,
    ExtObj,
    Func,
    Mod,
    Obj,
    Picture,
    Seq,
    Unknown,
    Value,
    is_number,
    is_picture,
)

MOST_EXPLORED = 30_000
"""Steps that a branch is followed for which the defaults of the command line do not take."""


class Branching(Importing):
    """Follows branches."""

    __slots__ = ()

    def _asserting(self, node: ast.Assert) -> Flow | None:
        asserting.take(self, node.test)
        return "raise" if asserting.fails(node) else None

    def branching(self, node: ast.If) -> Flow | None:
        """Follow the branch that is taken, or both."""
        condition = self.evaluate(node.test)
        known = truth(condition)
        if known is False and self.turning and self._fills(node.test):
            # Loops are followed once; over all their turns a list does get as long as a batch.
            return self.run(node.body)
        if known is not None and type(node.test) in (ast.Compare, ast.UnaryOp):
            unusual.followed(self, node, holds=known)
        if known is False and self.turning and looping.counts(self, node):
            condition, known = None, None
        if known is not None and not self.trying:
            optional = known and bool(node.body) and any(self.is_option(one) for one in self._within_test(node.test))
            if known and (_raises(node.body) or (optional and not node.orelse and _gives_up(node.body))):
                # Nobody runs what raises: something else is given than is known here.
                return self.run(node.orelse)
            if not known and self._unset(node):
                why = f"nothing is the default of {self.in_words(node.test)}"
                return self._both(Unknown(why, self.place(node)), node.body, node.orelse)
            if not known and self._raises_else(node):
                if not _raises(node.orelse) and _gives_up(node.orelse):
                    return self.run(node.body)
                why = f"none of the alternatives to {self.in_words(node.test)} is the default"
                return self._both(Unknown(why, self.place(node)), node.body, node.orelse)
        if known is not None:
            other = node.orelse if known else node.body
            if other and self._stands_in(node.test, node.body if known else node.orelse, other):
                return self.run(other)
            if other and not self.exploring and len(self.frames) <= DEEPEST_BRANCH:
                test, holds = node.test, not known
                while known and len(other) == 1 and isinstance(other[0], ast.If):
                    # Of a chain of alternatives each is one.
                    chained = other[0]
                    test, other, holds = chained.test, chained.orelse, False
                    self._explore(test, chained.body, holds=True)
                if other:
                    self._explore(test, other, holds=holds)
            return self.run(node.body if known else node.orelse)
        if isinstance(condition, Unknown) and condition.kind == "content" and condition.typical is not None:
            with self.branch() as journal:
                flow = self.run(node.body if condition.typical else node.orelse)
            _mark_content(self, journal, node)
            return flow
        if self._by_option(node):
            return None
        if self._again(node.body):
            return self.run(node.orelse)
        return self._both(self.deciding(condition, node), node.body, node.orelse, node.test)

    def _by_option(self, node: ast.If) -> bool:
        """Follow for each of several pictures the branch that it takes, where each tells; whether that was done."""
        names = self.frame.names
        asked = {one.id for one in self._within_test(node.test) if isinstance(one, ast.Name) and one.id in names}
        held = [one for one in asked if isinstance(names[one], Choice) and any(map(is_picture, names[one].options))]
        if len(held) != 1 or _leaves(node):
            return False
        name, several = held[0], names[held[0]]
        told = []
        for option in several.options:
            names[name] = option
            told.append(_verdict(self.evaluate(node.test)))
        names[name] = several
        ofs = {verdict for one, verdict in zip(several.options, told, strict=True) if is_picture(one)}
        if None in told and len(ofs) == 1 and None not in ofs:
            # What is no picture is not asked.
            self.run(node.body if ofs.pop() else node.orelse)
            return True
        if None in told or len(set(told)) == 1:
            return False
        merged: dict[tuple[int, Any], tuple[Any, Any, Value, Value]] = {}
        for option, verdict in zip(several.options, told, strict=True):
            with self.branch() as journal:
                self.put(names, name, option)
                self.run(node.body if verdict else node.orelse)
                changes = self.take_back(journal)
                journal.clear()
            # What the turn before left and this one did not touch was for the others alone.
            for mark in {**merged, **changes} if merged else changes:
                container, key, old, new = changes.get(mark) or (*merged[mark][:3], merged[mark][2])
                first = merged[mark][3] if mark in merged else old if merged else new
                merged[mark] = (container, key, old, join(Unknown(several.why), first, new))
        for container, key, _, new in merged.values():
            self.put(container, key, new)
        return True

    def _raises_else(self, node: ast.If) -> bool:
        """Whether no test of a chain of ``elif`` holds, and what is left raises, or gives up for want of options."""
        rest: Sequence[ast.stmt] = node.orelse
        optional = any(self.is_option(one) for one in self._within_test(node.test))
        while len(rest) == 1 and isinstance(rest[0], ast.If):
            if truth(self.evaluate(rest[0].test)) is not False:
                return False
            rest = rest[0].orelse
        return _raises(rest) or (optional and _gives_up(rest))

    def _unset(self, node: ast.If) -> bool:
        """Whether a chain of ``elif`` asks which of several texts an option is that has no default: one is given."""
        asked, rest = "", [node]
        while True:
            test = rest[0].test
            if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq) or len(test.ops) > 1:
                return False
            said = test.comparators[0]
            if not isinstance(said, ast.Constant) or not isinstance(said.value, str) or not self.is_option(test.left):
                return False
            shown = ast.dump(test.left)
            if asked and shown != asked:
                return False
            if not asked and self.evaluate(test.left) is not None:
                return False
            more = rest[0].orelse
            if not more:
                return bool(asked)
            if len(more) != 1 or not isinstance(more[0], ast.If):
                return False
            asked, rest = shown, [more[0]]

    def _fills(self, test: ast.expr) -> bool:
        """Whether a test asks if a list has become as long as something: 'len(batch) == batch_size'."""
        if isinstance(test, ast.BoolOp):
            return any(self._fills(one) for one in test.values)
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], (ast.Eq, ast.GtE, ast.Gt)):
            return False
        left = test.left
        if not isinstance(left, ast.Call) or not isinstance(left.func, ast.Name) or left.func.id != "len":
            return False
        held = self.evaluate(left.args[0]) if len(left.args) == 1 else None
        if not isinstance(held, Seq) or held.kind != "list":
            return False
        limit = self.evaluate(test.comparators[0])
        return is_number(limit) and 0 < len(held.items) <= limit

    def _explore(self, test: ast.expr, body: Sequence[ast.stmt], *, holds: bool) -> None:
        """Follow a branch that only the defaults of the command line do not take, for the paths in it alone."""
        called = self._calls_within(body)
        opens = any(_opens(one) for one in called) and bool(self._within_test(test))
        if not opens and not any(self.is_option(one) for one in self._within_test(test)):
            return
        if not opens and not any(self._leads(one) for one in called):
            return
        before, self.left = self.left, min(self.left // 3, MOST_EXPLORED)  # the branch that is taken comes after
        granted = self.left
        self.exploring = True
        catching, self.catching = self.catching, []
        depth = len(self.frames)
        training = self.frame.training
        frame, returned, yielded = self.frame, len(self.frame.returns), len(self.frame.yields)
        try:
            with self.branch() as journal:
                try:
                    supposing.suppose(self, test, holds=holds)
                    self.run(body)
                except SpentError:
                    del self.frames[depth:]
                finally:
                    self.take_back(journal)
                    journal.clear()
        finally:
            self.exploring = False
            self.catching = catching
            del frame.returns[returned:], frame.yields[yielded:]
            self.left = before - (granted - max(0, self.left))
            self.frame.training = training

    def _stands_in(self, test: ast.expr, taken: Sequence[ast.stmt], other: Sequence[ast.stmt]) -> bool:
        """Whether numbers are made up where no picture is named on the command line, and else one is opened."""
        if not taken or not any(_opens(one) for one in self._calls_within(other)):
            return False
        made = self._calls_within(taken)
        if any(_opens(one) for one in made) or not any(_makes_up(one) for one in made):
            return False
        return bool(_bound(taken) & _bound(other)) and any(self.is_option(one) for one in self._within_test(test))

    def _again(self, body: Sequence[ast.stmt]) -> bool:
        """Whether a branch calls the function once more that it is in, which was called by itself: this ends it."""
        func = self.frame.func
        if func is None or sum(one.func is not None and one.func.node is func.node for one in self.frames) < 2:
            return False
        return any(getattr(one.func, "id", "") == func.name for one in self._calls_within(body))

    def _calls_within(self, body: Sequence[ast.stmt]) -> list[ast.Call]:
        """Calls in a branch, which is met again with every call of its function."""
        first = body[0]
        if first not in self.calls_in:
            self.calls_in[first] = [one for item in body for one in nodes(item) if isinstance(one, ast.Call)]
        return self.calls_in[first]

    def _within_test(self, test: ast.expr) -> list[ast.expr]:
        """Names and attributes of a condition, which is met again with every call of its function."""
        if test not in self.tests:
            self.tests[test] = [one for one in nodes(test) if isinstance(one, (ast.Attribute, ast.Name))]
        return self.tests[test]

    def _leads(self, node: ast.Call) -> bool:
        """Whether a call may lead to the repository's own code, or feeds something."""
        func = node.func
        if isinstance(func, ast.Name):
            called = self.lookup(func.id, None)
            network = isinstance(called, ExtObj) and called.name.startswith("keras.models.")
            return network or isinstance(called, (Func, Cls)) or (isinstance(called, Obj) and is_model(called.cls))
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            if func.attr in FITTING:
                return True
            held = self.lookup(func.value.id, None)
            if isinstance(held, ExtObj):
                return held.name.startswith("keras.models.") and func.attr in FEEDING
            return isinstance(held, (Mod, Obj)) and func.attr not in ("eval", "cuda", "to")
        return False

    def _both(
        self, condition: Value, first: Sequence[ast.stmt], second: Sequence[ast.stmt], test: ast.expr | None = None
    ) -> Flow | None:
        frame = self.frame
        flows: list[Flow] = []
        changes: list[dict[tuple[int, Any], tuple[Any, Any, Value, Value]]] = []
        returned: list[list[Value]] = []
        for positive, body in ((True, first), (False, second)):
            if not body:
                flows.append("next")
                changes.append({})
                returned.append([])
                continue
            before = len(frame.returns)
            frame.conditions.append((condition, positive))
            with self.branch() as journal:
                if self.turning and flows == ["next"]:
                    looping.carry(self, changes[0])
                if positive and test is not None and isinstance(body[-1], ast.Return):
                    asserting.take(self, test)
                flows.append(self._reached(body))
                returned.append([value for _, value in frame.returns[before:]])
                changes.append(self.take_back(journal))
                journal.clear()
            frame.conditions.pop()
        going = [flow == "next" for flow in flows]
        if all(going):
            self.merge(condition, *changes)
            return None
        if any(going):
            kept = going.index(True)
            self.merge(True, *([changes[kept]] * 2))
            returning.keep(self, changes[kept ^ 1], returned[kept ^ 1])
            if flows[kept ^ 1] == "break":
                self._flag(condition, changes[kept ^ 1])
            return None
        if "raise" in flows and flows != ["raise", "raise"]:
            kept = flows.index("raise") ^ 1
            self.merge(True, *([changes[kept]] * 2))
            return flows[kept]
        self.merge(condition, *changes)
        return "return" if "return" in flows else flows[0]

    def _reached(self, body: Sequence[ast.stmt]) -> Flow:
        """How a branch ends that may be taken: what is raised in it is raised where it is taken alone."""
        try:
            return self.run(body)
        except RaisedError:
            return "raise"

    def _flag(self, condition: Value, left: dict[tuple[int, Any], tuple[Any, Any, Value, Value]]) -> None:
        """Keep what a branch that leaves a loop says of it: 'found = True; break', and what was searched for."""
        for container, key, old, new in left.values():
            if isinstance(old, bool) and isinstance(new, bool) and old is not new:
                self.put(container, key, join(condition, new, old))
            elif (old is None and new is not MISSING and isinstance(container, dict)) or (
                key == "*" and isinstance(old, list) and isinstance(new, list) and len(new) > len(old)
            ):
                self.put(container, key, new)


_OPENING = frozenset({"imread", "load_img", "VideoCapture", "decode_jpeg", "decode_image"})


def _opens(node: ast.Call) -> bool:
    """Whether a call opens pictures, by its name."""
    func = node.func
    if isinstance(func, ast.Attribute):
        of_pillow = func.attr == "open" and isinstance(func.value, ast.Name) and func.value.id == "Image"
        return of_pillow or func.attr in _OPENING
    return isinstance(func, ast.Name) and func.id in _OPENING


_MADE_UP = frozenset({"randint", "rand", "randn", "random", "uniform", "zeros", "ones", "full", "random_sample"})


def _makes_up(node: ast.Call) -> bool:
    """Whether a call makes an array of numbers that are by chance or all the same, by its name."""
    return (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) in _MADE_UP


def _bound(body: Sequence[ast.stmt]) -> set[str]:
    """Names that statements of a branch bind."""
    targets = [one for item in body if isinstance(item, ast.Assign) for one in item.targets]
    return {one.id for one in targets if isinstance(one, ast.Name)}


def _leaves(node: ast.If) -> bool:
    """Whether a branch leaves the function or the loop."""
    leaving = ast.Return | ast.Raise | ast.Break | ast.Continue | ast.Yield
    return any(isinstance(one, leaving) for item in (*node.body, *node.orelse) for one in nodes(item))


def _verdict(condition: Value) -> bool | None:
    """Whether a condition holds, for a photograph where the levels decide."""
    known = truth(condition)
    return condition.typical if known is None and isinstance(condition, Unknown) else known


def _raises(body: Sequence[ast.stmt]) -> bool:
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.Raise) or asserting.fails(last):
        return True
    return ends_program(last) and all(_says(one) for one in body[:-1])


def _gives_up(body: Sequence[ast.stmt]) -> bool:
    """Whether statements say something and return nothing: 'print("give --video or --image")' and 'return'."""
    last = body[-1] if len(body) > 1 else None
    return isinstance(last, ast.Return) and last.value is None and all(_says(one) for one in body[:-1])


def ends_program(node: ast.stmt) -> bool:
    """Whether a statement leaves the program and does no more: ``exit()``, ``sys.exit(1)``, ``os._exit(0)``."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return False
    func = call.func
    if isinstance(func, ast.Attribute):
        leaves = func.attr in ("exit", "_exit") and isinstance(func.value, ast.Name) and func.value.id in ("sys", "os")
    else:
        leaves = isinstance(func, ast.Name) and func.id in ("exit", "quit")
    return leaves and not any(isinstance(one, ast.Call) for one in call.args)


def _says(node: ast.stmt) -> bool:
    """Whether a statement writes a message, and does no more."""
    call = node.value if isinstance(node, ast.Expr) else None
    name = getattr(call.func, "id", getattr(call.func, "attr", "")) if isinstance(call, ast.Call) else ""
    return name in ("print", "print_help", "print_usage", "usage", "error", "warning", "warn", "info", "write")


def _mark_content(machine: Branching, journal: list[tuple[Any, Any, Any]], node: ast.If) -> None:
    """Say of the pictures that a branch changed that the picture's own levels decided about it."""
    for container, key, old in journal:
        if not isinstance(container, dict):
            continue
        new = container.get(key, MISSING)
        if not isinstance(new, Picture) or not isinstance(old, Picture):
            continue
        if (new.state.scale, new.state.offset) != (old.state.scale, old.state.offset):
            text = f"only where {ast.unparse(node.test)[:80]} ({machine.place(node)})"
            container[key] = Picture(replace(new.state, of_content=new.state.of_content or text))
