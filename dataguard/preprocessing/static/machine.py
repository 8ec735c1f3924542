"""The state of the interpreter: frames, what is left of the budget, and what two branches of an ``if`` come to."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from dataguard.preprocessing.static import restoring
from dataguard.preprocessing.static.joining import MISSING, join
from dataguard.preprocessing.static.residues import Residues, stack_of
from dataguard.preprocessing.static.tree import Module, Tree
from dataguard.preprocessing.static.values import (
    Cls,
    ExtObj,
    Func,
    Measure,
    Unknown,
    Value,
)

Flow: TypeAlias = Literal["next", "return", "break", "continue", "raise"]

Signature: TypeAlias = tuple[list[ast.arg], list[ast.arg], dict[str, ast.expr]]
"""A function's positional parameters, all that can be named, and defaults by name."""

DEEPEST = 18
"""Calls within one another."""


class SpentError(Exception):
    """The budget of one entry point is used up."""


class RaisedError(Exception):
    """Something that the code under reading catches: 'ImportError', 'KeyError'."""


_PARENTS = {
    "ImportError": frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException", ""}),
    "KeyError": frozenset({"KeyError", "LookupError"}),
    "AttributeError": frozenset({"AttributeError"}),
    "ValueError": frozenset({"ValueError"}),
}
"""What handlers name that are taken to catch an error; '' for those that catch all."""


@dataclass(slots=True)
class Frame:
    """A function that is being followed, or a module."""

    names: dict[str, Value]
    module: Module
    func: Func | None = None
    outer: Frame | None = None
    receiver: Value = None
    owner: Cls | None = None
    call_place: str = ""
    returns: list[tuple[Value, Value]] = field(default_factory=list)
    """Every returned value with the condition that it depended on."""
    yields: list[Value] = field(default_factory=list)
    conditions: list[Value] = field(default_factory=list)
    elsewhere: dict[str, dict[str, Value]] = field(default_factory=dict)
    """Names that are bound in the module or in a function around this one, with what holds them: 'global count'."""
    flags: set[str] = field(default_factory=set)
    """Parameters that options of the command line were given for."""
    training: bool | None = None
    """Whether a model was put into training (True) or evaluation (False) here."""
    words: tuple[str, ...] = ()
    """Names that the statement binds which called it."""

    @property
    def name(self) -> str:
        """As a reader would call it."""
        if self.func is None:
            return ""
        return f"{self.owner.name}.{self.func.name}" if self.owner is not None else self.func.name


@dataclass(frozen=True, slots=True)
class Sink:
    """A picture that reaches a model, or leaves a data set."""

    kind: str
    """'model', 'dataset', 'return', 'file'."""
    value: Value
    place: str
    stack: tuple[tuple[str, str, int], ...]
    """Name, file and first line of every function on the way, the outermost first."""
    hints: tuple[str, ...]
    """Words that the role can be told from: names of variables, functions, arguments."""
    training: bool | None
    identity: str
    """Of the data set or the call, so that what is met twice is one path."""
    root: str = ""
    model: Value = None
    """What was fed, as far as it is known."""
    network: tuple[str, ...] = ()
    """What names it: words of ``networks.of``."""
    whole: bool = False
    """Of what leaves a data set: it is what a model is fed, as it is."""
    setting: str = ""
    """The configuration that a script was followed with, where it is not the first that a README names."""
    explored: bool = False
    """Whether it arrived in a branch that the defaults of the command line do not take."""


class Machine(ABC):
    """What is common to statements, expressions and calls."""

    __slots__ = (
        "applied", "assigning", "bound", "calls_in", "catching", "changed_in_place", "changes", "changing",
        "commands", "configured", "copied", "evaluating", "exploring", "fixed_graphs", "frames", "graphs", "growing",
        "inner", "journal", "left", "matched", "notes", "of_modules", "parsed", "quiet", "raising", "residues",
        "root", "seen", "setting", "shared", "shown", "signatures", "sinks", "tests", "told", "transforms", "tree",
        "trying", "turning", "versions", "way", "written",
    )  # fmt: skip
    # Objects of more than 30 attributes share no keys of their dictionaries, and Python takes longer to find them.

    def __init__(self, tree: Tree, *, steps: int) -> None:
        self.tree = tree
        self.left = steps
        self.frames: list[Frame] = []
        self.sinks: list[Sink] = []
        self.journal: list[tuple[Any, Any, Any]] | None = None
        self.changes: list[tuple[Any, Any, Any]] = []
        """What the script that is followed changed, of what the journal holds."""
        self.of_modules: dict[int, Any] = {}
        """Dictionaries and lists of modules that were followed, by their ids."""
        self.seen: set[ast.AST] = set()
        """Functions that were followed."""
        self.transforms: dict[str, tuple[ExtObj, tuple[tuple[str, str, int], ...], tuple[str, ...]]] = {}
        """Compositions of a library by the place that made them."""
        self.applied: set[str] = set()
        """Places of those that a picture went through."""
        self.notes: list[tuple[str, str, int, int, str, dict[str, str | float]]] = []
        """Facts: kind, file, first and last line, message, detail."""
        self.versions: Mapping[str, tuple[int, ...]] = {}
        """By library, as far as the repository tells."""
        self.root = ""
        self.quiet = 0
        self.raising = False
        """Whether errors of the interpreter itself are raised; for tests."""
        self.exploring = False
        """Whether what is followed is a branch that the defaults of the command line do not take."""
        self.told = 0
        """How often a model was put into training or evaluation."""
        self.turning = 0
        """Loops within one another of which one turn stands for all."""
        self.trying = 0
        """``try`` within one another that catch what is raised."""
        self.catching: list[frozenset[str]] = []
        """What each of these names."""
        self.assigning: list[str] = []
        """Names that the statement that is followed binds."""
        self.shared: dict[str, Value] = {}
        """Objects of libraries that all modules share, by name."""
        self.written: list[tuple[Value, str, tuple[tuple[str, str, int], ...], bool]] = []
        """Pictures that are written to files, with the place, the frames, and whether as JPEG."""
        self.residues = Residues()
        """Pictures that were given names, of which some are seen to arrive nowhere."""
        self.inner: dict[ast.AST, Func] = {}
        """Functions within functions, by their syntax, as they were made first."""
        self.evaluating: set[str] = set()
        """Scripts in which a model is put into evaluation."""
        self.changed_in_place: dict[ast.AST, frozenset[str]] = {}
        """Parameters of functions that they change and do not bind anew, by the functions."""
        self.shown: dict[ast.expr, str] = {}
        """Conditions in a few words."""
        self.graphs: dict[str, Any] = {}
        """What graphs do to placeholders, by their names."""
        self.commands: list[tuple[str, list[str]]] | None = None
        """Scripts that a README runs, with their words, once they were asked for."""
        self.way = 0
        """Which of the commands that a README has for the script is followed."""
        self.setting = ""
        """The configuration of that command, where it is not the first."""
        self.configured: set[str] = set()
        """Scripts that a README's configuration was asked for."""
        self.copied: dict[tuple[str, str], str] = {}
        """What scripts copy, by the script and where to: a template to the configuration that is read then."""
        self.parsed: dict[str, Any] = {}
        """What configuration files hold, by their paths, once they were asked for."""
        self.fixed_graphs: set[str] = set()
        """Placeholders of which only networks are known whose weights are read from files."""
        self.tests: dict[ast.expr, list[ast.expr]] = {}
        """Names and attributes of conditions."""
        self.signatures: dict[ast.arguments, Signature] = {}
        """Of functions that were called."""
        self.bound: dict[ast.stmt, list[str]] = {}
        """Names that assignments bind."""
        self.matched: dict[ast.Match | ast.IfExp, list[ast.stmt]] = {}
        """``match`` as the branches that it is followed as."""
        self.growing: dict[ast.While, set[str]] = {}
        """Names that grow with each turn of loops that were met."""
        self.changing: dict[ast.For | ast.AsyncFor, bool] = {}
        """Whether loops over pictures change these in place."""
        self.calls_in: dict[ast.stmt, list[ast.Call]] = {}
        """Calls in branches, by the first statement of each."""

    # What the classes that build on this one do.

    @abstractmethod
    def evaluate(self, node: ast.expr | None) -> Value:
        """What an expression comes to."""

    @abstractmethod
    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target of an assignment."""

    @abstractmethod
    def run(self, body: Sequence[ast.stmt]) -> Flow:
        """Follow statements."""

    @abstractmethod
    def call(self, func: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST | None) -> Value:
        """What a call comes to."""

    @abstractmethod
    def attribute(self, value: Value, name: str, node: ast.AST | None) -> Value:
        """What an attribute is."""

    @abstractmethod
    def operate(self, operator: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
        """What ``left operator right`` is."""

    @abstractmethod
    def run_module(self, module: Module) -> None:
        """Follow a module's statements, once."""

    # Frames and places.

    @property
    def frame(self) -> Frame:
        """The innermost frame."""
        return self.frames[-1]

    def spend(self, count: int = 1) -> None:
        """Take from the budget.

        Raises:
            SpentError: nothing is left.
        """
        self.left -= count
        if self.left < 0:
            raise SpentError

    def fails(self, name: str) -> None:
        """Say that what is followed raises an error for sure.

        Raises:
            RaisedError: something around it catches that.
        """
        wanted = _PARENTS[name]
        if any(not wanted.isdisjoint(one) for one in self.catching):
            raise RaisedError(name)

    def place(self, node: ast.AST | None) -> str:
        """'file:line' of a node."""
        if not self.frames:
            return ""
        module, number = self.frames[-1].module, getattr(node, "lineno", 0)
        return module.places.get(number) or module.place(number)

    def stack(self) -> tuple[tuple[str, str, int], ...]:
        """Every frame as name, file and first line."""
        return stack_of(self.frames)

    @property
    def training(self) -> bool | None:
        """Whether a model was put into training (True) or evaluation (False) where the innermost frame is."""
        return next((frame.training for frame in reversed(self.frames) if frame.training is not None), None)

    def binding(self) -> tuple[str, ...]:
        """Names that the innermost statement binds, then those that what is called here is returned to, from inside."""
        from dataguard.preprocessing.static.roles import agreed

        outer = [word for frame in reversed(self.frames) for word in frame.words if " " not in word or agreed(word)]
        return tuple(dict.fromkeys((*self.assigning, *outer)))

    def done(self, module: Module) -> None:
        """A module was followed to its end."""
        module.state = "done"
        if not module.main and not module.apart:
            restoring.keep(module, self.of_modules)

    def names_of(self, index: int, count: int) -> list[str]:
        """What the innermost statement binds an item of several to: 'a, b = map(f, (x, y))'."""
        words = self.assigning[0].split() if len(self.assigning) == 1 else []
        return [words[index]] if len(words) == count > 1 else self.assigning

    def note(self, kind: str, node: ast.AST | None, message: str, **detail: str | float) -> None:
        """Keep a fact about one place in the code."""
        module = self.frame.module
        line = getattr(node, "lineno", 1)
        end = getattr(node, "end_lineno", line) or line
        entry = (kind, module.path, module.line(line), module.line(end), message, dict(detail))
        if not any(one[:4] == entry[:4] for one in self.notes):
            self.notes.append(entry)

    def sink(self, kind: str, value: Value, node: ast.AST | None, *, hints: Sequence[str] = (), identity: str = "",
             place: str = "", model: Value = None, network: tuple[str, ...] = (),
             whole: bool = False) -> None:  # fmt: skip
        """Keep a picture that arrived."""
        if self.quiet:
            return
        place = place or self.place(node)
        named, stack = identity or place, self.stack()
        self.sinks.append(
            Sink(
                kind,
                value,
                place,
                stack,
                tuple(hints),
                self.training,
                named,
                self.root,
                model,
                network,
                whole,
                self.setting,
                self.exploring,
            )
        )

    def composed(self, made: ExtObj) -> None:
        """Keep a composition of transforms and the names it is bound to: nobody may be seen to put a picture in."""
        if not self.quiet:
            self.transforms.setdefault(made.place, (made, self.stack(), tuple(self.assigning)))

    # Conditions of which reading does not tell the outcome.

    def deciding(self, condition: Value, node: ast.If | ast.IfExp) -> Value:
        """What decides between two ways: chance, the picture's size, or else what the condition says in words."""
        if isinstance(condition, Measure) or (isinstance(condition, Unknown) and condition.kind == "random"):
            return condition
        kind = condition.kind if isinstance(condition, Unknown) else ""
        return Unknown(f"it depends on {self.in_words(node.test)}", self.place(node), kind)

    def in_words(self, test: ast.expr) -> str:
        """A condition in a few words."""
        if test not in self.shown:
            try:
                text = ast.unparse(test)
            except (ValueError, RecursionError):
                text = "a condition"
            self.shown[test] = text if len(text) <= 60 else text[:57] + "..."
        return self.shown[test]

    # Changes that a branch can take back.

    def put(self, container: Any, key: Any, value: Value) -> None:
        """Set an item of a dictionary or list so that a branch can take it back."""
        if container.__class__ is dict:
            if self.journal is not None:
                self.journal.append((container, key, container.get(key, MISSING)))
            if value is not MISSING:
                container[key] = value
                return
        elif self.journal is not None:
            self.journal.append((container, key, _get(container, key)))
        _set(container, key, value)

    @contextmanager
    def branch(self) -> Iterator[list[tuple[Any, Any, Any]]]:
        """Take down every change from here on."""
        outer, self.journal = self.journal, []
        mine = self.journal
        try:
            yield mine
        finally:
            self.journal = outer
            if outer is not None:
                outer.extend(mine)

    def take_back(self, journal: list[tuple[Any, Any, Any]]) -> dict[tuple[int, Any], tuple[Any, Any, Value, Value]]:
        """Undo changes; what was changed, with the value before and the value it had."""
        changed: dict[tuple[int, Any], tuple[Any, Any, Value, Value]] = {}
        for container, key, old in reversed(journal):
            mark = (id(container), key)
            if mark in changed:
                new = changed[mark][3]
            else:
                new = container.get(key, MISSING) if container.__class__ is dict else _get(container, key)
            changed[mark] = (container, key, old, new)
        for container, key, old, _ in changed.values():
            if container.__class__ is dict and old is not MISSING:
                container[key] = old
            else:
                _set(container, key, old)
        return changed

    def merge(
        self,
        condition: Value,
        first: dict[tuple[int, Any], tuple[Any, Any, Value, Value]],
        second: dict[tuple[int, Any], tuple[Any, Any, Value, Value]],
    ) -> None:
        """Set everything that one of two branches changed to what both come to."""
        for mark in {**first, **second}:
            container, key, old, _ = first.get(mark) or second[mark]
            a = first[mark][3] if mark in first else old
            b = second[mark][3] if mark in second else old
            self.put(container, key, a if a is b else join(condition, a, b))


def caught(handler: ast.ExceptHandler) -> frozenset[str]:
    """What a handler names: words of classes, '' where it catches all."""
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return frozenset("" if one is None else getattr(one, "attr", getattr(one, "id", "?")) for one in named)


def catches(handler: ast.ExceptHandler, name: str) -> bool:
    """Whether a handler is taken to catch an error of `Machine.fails`."""
    return not _PARENTS[name].isdisjoint(caught(handler))


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, dict):
        return container.get(key, MISSING)
    if key == "*":
        return list(container)
    return container[key] if -len(container) <= key < len(container) else MISSING


def _set(container: Any, key: Any, value: Any) -> None:
    if isinstance(container, dict):
        if value is MISSING:
            container.pop(key, None)
        else:
            container[key] = value
    elif key == "*":
        if isinstance(value, list):
            container[:] = value
    elif -len(container) <= key < len(container) and value is not MISSING:
        container[key] = value


def signature_of(spec: ast.arguments) -> Signature:
    """A function's positional parameters, all that can be named, and defaults by name."""
    positional = [*spec.posonlyargs, *spec.args]
    with_default = positional[len(positional) - len(spec.defaults) :]
    defaults = {one.arg: value for one, value in zip(with_default, spec.defaults, strict=False)}
    defaults |= {
        one.arg: value for one, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if value is not None
    }
    return positional, [*positional, *spec.kwonlyargs], defaults


def bound_name(target: ast.expr) -> str:
    """The name, or the names, that an assignment binds."""
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, (ast.Tuple, ast.List)):
        return " ".join(bound_name(one) for one in target.elts[:4])
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return ""


def returned(frame: Frame) -> Value:
    """What a function returns: what its returns come to, the last first."""
    if not frame.returns:
        return None
    found: Value = None
    started = False
    for condition, value in reversed(frame.returns):
        if condition is None or not started:
            found, started = value, True
        else:
            test, positive = condition
            found = join(test, value, found) if positive else join(test, found, value)
    return found
