"""What is worth going through at all: code that names nothing which fits, splits or scores holds no leak."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from dataguard.core.python_texts import TEXTS
from dataguard.splits.code.expressions import dotted

_WORDS = ("fit", "cross_val", "Shuffle", ".score", "evaluate", "predict")
"""What a leak takes one of, beside folds and splits: a fit and a split, or a model that is held against data. It only
saves work: 273 of 315 files of a library of networks have none of these outside of comments, and none of these leaks.
"""
_FOLD = re.compile(r"(?:fold(?<![uU]nfold)|Fold(?<![uU]nFold))(?!er)")
_SPLIT = re.compile(r"split\w*\s*\(")
_TRAIN = re.compile(r"train\s*\(")
_FIT = re.compile(r"fit\w*\s*\(")
_NAME = re.compile(r"fit|cross_val|[Ff]old|Shuffle|score|evaluate|predict")
_WITHOUT_GRADIENT = ("no_grad", "inference_mode")
_AT_ONCE = frozenset({"forward", "call"})
"""Methods that are called without being named, beside those whose name begins with two underscores."""
_LONGEST_NAME = 200


def tells(text: str, tree: Callable[[], ast.Module]) -> bool:
    """Whether a script names anything that a leak takes, or applies a network where no gradient is kept.

    Args:
        text: The script, without comments and texts as `bare` gives it.
        tree: Gives its syntax, which is looked at where gradients are switched off.

    >>> texts = "model.fit(X)", "a.split(',')", "train_test_split(X)", "constrain(x)", "train (x)", "ImageFolder(x)"
    >>> [tells(text, lambda: ast.parse(text)) for text in texts]
    [True, False, True, False, True, False]
    """
    if _names_telling(text):
        return True
    return any(word in text for word in _WITHOUT_GRADIENT) and any(
        isinstance(node, ast.With) and _scores(node) for node in _compound(tree())
    )


def may_tell(text: str) -> bool:
    """The same, of a script with its comments and texts: where it does not hold, `tells` does not either."""
    return any(word in text for word in _WITHOUT_GRADIENT) or _names_telling(text)


def _names_telling(text: str) -> bool:
    named = any(word in text for word in _WORDS) or _FOLD.search(text) is not None
    return named or _begins_name(_TRAIN, text) or _splits(text)


def bare(text: str) -> str:
    r"""A script without its comments and texts; those that hold code in braces are kept.

    >>> bare("fit(X)  # a fold\nprint('a fit', f'{model.score(X)}')")
    "fit(X)  \nprint(, f'{model.score(X)}')"
    """
    return TEXTS.sub(_without, text)


def _without(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 2) : match.start()].lower()
    return match[0] if "f" in before and match[0][0] != "#" else ""


def fits_or_splits(text: str, tree: Callable[[], ast.Module]) -> bool:
    """Whether a script fits or splits something itself, for which the modules of the project are gone through as well.

    That takes twenty times as long as the script itself, and so words in its comments and texts do not count.

    Args:
        text: The script.
        tree: Gives its syntax, which is looked at where the text names anything of that kind.

    >>> scripts = "X = fit_transform(X)", "outfit(X)", "model.eval()", "print('the first split (of three)')"
    >>> [fits_or_splits(text, lambda: ast.parse(text)) for text in scripts]
    [True, False, False, False]
    """
    if any(word in text for word in ("cross_val", "KFold", "ShuffleSplit")):
        return True
    if not _begins_name(_FIT, text) and not _splits(text):
        return False
    return any(_fits_or_splits(node) for node in _nodes(tree()))


def _fits_or_splits(node: ast.AST) -> bool:
    """Whether a node calls or defines a function by whose name it fits or splits."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name.startswith("fit") or "split" in node.name
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr.startswith("fit") or function.attr.endswith("_split")
    return isinstance(function, ast.Name) and (function.id.startswith("fit") or "split" in function.id)


def _begins_name(pattern: re.Pattern[str], text: str) -> bool:
    # A pattern that begins with a word is searched for some ten times as fast as one that begins with a boundary.
    return any(not _is_word(text[match.start() - 1 : match.start()]) for match in pattern.finditer(text))


def _splits(text: str) -> bool:
    """Whether a function whose name has ``split`` in it is called; of methods only ``some_split``."""
    for match in _SPLIT.finditer(text):
        at = start = match.start()
        while start > 0 and at - start < _LONGEST_NAME and _is_word(text[start - 1]):
            start -= 1
        if text[start - 1 : start] != ".":
            return True
        if at - start > 1 and text[at - 1] == "_" and match[0].rstrip("(").rstrip() == "split":
            return True
    return False


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


class Telling:
    """Which functions of a module come, over any number of others, to something that tells.

    What a definition names counts as what it comes to, whatever it does with it: that is more than it does, never less.

    Args:
        tree: The module.
        imported: The project's own module of a dotted name, with the dots before it; None for a library.
    """

    def __init__(self, tree: ast.Module, imported: Callable[[str, int], Telling | None]) -> None:
        self._imported = imported
        self._defined: dict[str, list[ast.AST]] = {}
        """Definitions by what they are called: functions, methods as ``.name``, classes without their methods, and as
        ``*name`` with these."""
        self._named: dict[ast.AST, set[str]] = {}
        """What these name, as far as it was asked for: most of it never is."""
        self._imports: dict[str, list[tuple[str, int, str]]] = {}
        self._known: dict[str, bool] = {}
        for statement in _at_the_margin(tree.body):
            self._add(statement)

    def _add(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._imports.setdefault(alias.asname or alias.name.partition(".")[0], []).append((alias.name, 0, "*"))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found = (node.module or "", node.level, alias.name)
                self._imports.setdefault(alias.asname or alias.name, []).append(found)
        elif isinstance(node, ast.ClassDef):
            for part in (*node.bases, *node.keywords, *node.decorator_list, *node.body):
                named = isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and part.name
                self._note(f"*{node.name}", part)
                if named:
                    self._note(f".{named}", part)
                if not named or named.startswith("__") or named in _AT_ONCE:
                    self._note(node.name, part)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._note(node.name, node)
        else:
            used = self._named[node] = _names_in(node)
            for name in used:
                self._note(name, node)

    def _note(self, name: str, node: ast.AST) -> None:
        self._defined.setdefault(name, []).append(node)

    def _uses(self, name: str) -> set[str]:
        """What the definitions of a name name."""
        found: set[str] = set()
        for node in self._defined.get(name, ()):
            if node not in self._named:
                self._named[node] = _names_in(node)
            found |= self._named[node]
        return found

    def of(self, name: str) -> bool:
        """Whether what a name stands for comes to something that tells."""
        first: _Named = (self, name)
        came_from: dict[_Named, _Named | None] = {first: None}
        queue = [first]
        while queue:
            module, at = named = queue.pop()
            if module._known.get(at, False) or module._tells(at):
                step: _Named | None = named
                while step is not None:
                    step[0]._known[step[1]] = True
                    step = came_from[step]
                return True
            if at not in module._known:
                fresh = [other for other in module._leads(at) if other not in came_from]
                came_from.update(dict.fromkeys(fresh, named))
                queue += fresh
        for module, at in came_from:
            module._known[at] = False
        return False

    def _tells(self, name: str) -> bool:
        """Whether a name itself tells; one of the project's own does by what it comes to, however it is called."""
        if name == _TOLD:
            return True
        bare = name.removesuffix("()")
        if bare in self._defined:
            return False
        if any(self._imported(*found[:2]) is not None for found in self._imports.get(bare, ())):
            return False
        return bool(_NAME.search(name)) or (bare != name and ("split" in bare or bare.endswith("train")))

    def _leads(self, name: str) -> Iterator[_Named]:
        for used in self._uses(name):
            yield self, used
        imports = self._imports.get(name, [])
        if name not in self._defined and not imports:
            imports = self._imports.get("*", [])
        for module, level, what in imports:
            whole = self._imported(module, level)
            if whole is not None and what != "*":
                yield whole, f"*{what}" if f"*{what}" in whole._defined else what
            found = whole if what == "*" else self._imported(f"{module}.{what}".strip("."), level)
            if found is not None:
                yield from ((found, one) for one in (*found._defined, *found._imports))


_Named: TypeAlias = tuple[Telling, str]
_TOLD = "!"
"""Stands for what tells, among names."""


def _at_the_margin(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those within its conditions and attempts one by one."""
    for node in body:
        if isinstance(node, ast.If | ast.Try | ast.With):
            for name in ("body", "orelse", "finalbody"):
                yield from _at_the_margin(getattr(node, name, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _at_the_margin(handler.body)
        else:
            yield node


def _names_in(root: ast.AST) -> set[str]:
    """Names, with ``()`` where they are called too, and attributes as ``.name``; `_TOLD` where one of these tells."""
    found: set[str] = set()
    pending: list[Any] = [root]
    while pending:
        node = pending.pop()
        kind = node.__class__
        if kind is ast.Name:
            found.add(node.id)
            continue
        if kind is ast.Constant:
            continue
        if kind is ast.Attribute:
            found.add(f".{node.attr}")
            pending.append(node.value)
            continue
        if kind is ast.Call:
            function = node.func
            if isinstance(function, ast.Name):
                found.add(f"{function.id}()")
            elif isinstance(function, ast.Attribute) and function.attr.endswith(("_split", "train")):
                found.add(_TOLD)
        elif kind is ast.With and _scores(node):
            found.add(_TOLD)
        for name in node._fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                pending += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                pending.append(value)
    if any(_NAME.search(name) for name in found if name.startswith(".")):
        found.add(_TOLD)
    return found


def _nodes(root: ast.AST) -> Iterator[ast.AST]:
    """What `ast.walk` gives, in another order and three times as fast; without what says how a name is used."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        for name in node._fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                pending += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and name != "ctx":
                pending.append(value)


def _compound(tree: ast.Module) -> Iterator[ast.AST]:
    """Statements that hold others, and what holds these; expressions are not looked into."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in ("body", "handlers", "orelse", "finalbody", "cases"):
            held = getattr(node, name, None)
            if isinstance(held, list):
                pending += held


def _scores(node: ast.With) -> bool:
    """Whether a network may be applied where no gradient is kept."""
    return any(_without_gradient(item) for item in node.items) and any(
        _may_be_network(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)
    )


def _without_gradient(item: ast.withitem) -> bool:
    expression = item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr
    return dotted(expression).endswith(_WITHOUT_GRADIENT)


def _may_be_network(called: ast.expr) -> bool:
    """Whether what is called may be a network: not what changes a tensor in place, and nothing of a library."""
    name = dotted(called)
    known = hasattr(builtins, name) or name.startswith(("math.", "torch.", "np.", "nn."))
    return not known and not name.endswith(("_", *_WITHOUT_GRADIENT))
