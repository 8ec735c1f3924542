"""``match``, and choices that stand alone, as the ``if`` that says the same: what follows that follows these."""

from __future__ import annotations

import ast
from typing import TypeVar

N = TypeVar("N", bound=ast.AST)
_SUBJECT = "the subject of a match"
_PATTERN = "the pattern of a case"
"""No names that code can have: of the second nothing is known."""


def as_branch(node: ast.IfExp) -> ast.If:
    """A choice that stands alone, 'train() if learns else test()', as the branch that says the same."""
    return _at(node, ast.If(node.test, [_at(node, ast.Expr(node.body))], [_at(node, ast.Expr(node.orelse))]))


def as_branches(node: ast.Match) -> list[ast.stmt]:
    r"""A ``match`` as statements: 'case "a" | "b" if wide:' as 'if mode in ("a", "b") and wide:'.

    Of patterns that ask for more than values (classes, sequences, keys) it is not known whether they fit.

    >>> text = "match mode:\n case 'a' | 'b' if wide: x = 1\n case None: x = 2\n case [*_]: x = 3\n case y: x = y"
    >>> print(ast.unparse(as_branches(ast.parse(text).body[0])[0]))
    if mode in ('a', 'b') and wide:
        x = 1
    elif mode is None:
        x = 2
    elif the pattern of a case:
        x = 3
    else:
        y = mode
        x = y
    """
    subject, made = node.subject, list[ast.stmt]()
    if not isinstance(subject, ast.Name | ast.Attribute):
        subject = _at(subject, ast.Name(_SUBJECT, ast.Load()))
    for case in reversed(node.cases):
        tests = [*_tests(subject, case.pattern), *([case.guard] if case.guard is not None else [])]
        body = [*_bound(subject, case.pattern), *case.body]
        test = tests[0] if len(tests) == 1 else _at(case.pattern, ast.BoolOp(ast.And(), tests))
        made = [_at(case.pattern, ast.If(test, body, made))] if tests else body
    if subject is not node.subject:
        made.insert(0, _at(node, ast.Assign([_at(subject, ast.Name(_SUBJECT, ast.Store()))], node.subject)))
    return made


def _tests(subject: ast.expr, pattern: ast.pattern) -> list[ast.expr]:
    """What must hold for a pattern to fit; nothing where it always does."""
    if isinstance(pattern, ast.MatchAs):
        return [] if pattern.pattern is None else _tests(subject, pattern.pattern)
    if isinstance(pattern, ast.MatchSingleton):
        return [_at(pattern, ast.Compare(subject, [ast.Is()], [_at(pattern, ast.Constant(pattern.value))]))]
    if isinstance(pattern, ast.MatchValue):
        return [_at(pattern, ast.Compare(subject, [ast.Eq()], [pattern.value]))]
    if isinstance(pattern, ast.MatchOr):
        values = [one.value for one in pattern.patterns if isinstance(one, ast.MatchValue)]
        if len(values) == len(pattern.patterns):
            several = _at(pattern, ast.Tuple(values, ast.Load()))
            return [_at(pattern, ast.Compare(subject, [ast.In()], [several]))]
        each = [one for inner in pattern.patterns for one in _tests(subject, inner)]
        return [_at(pattern, ast.BoolOp(ast.Or(), each))] if len(each) == len(pattern.patterns) else []
    return [_at(pattern, ast.Name(_PATTERN, ast.Load()))]


def _bound(subject: ast.expr, pattern: ast.pattern) -> list[ast.stmt]:
    """What gives the whole subject the name that a pattern has for it."""
    if not isinstance(pattern, ast.MatchAs) or pattern.name is None:
        return []
    return [_at(pattern, ast.Assign([_at(pattern, ast.Name(pattern.name, ast.Store()))], subject))]


def _at(place: ast.AST, made: N) -> N:
    """What is made, at the place of what it is made of."""
    return ast.copy_location(made, place)
