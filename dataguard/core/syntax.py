"""Walks through syntax trees in less than half the time that `ast.walk` takes."""

from __future__ import annotations

import ast

_PLAIN = frozenset(
    {
        *("ctx", "op", "ops", "id", "attr", "arg", "asname", "module", "level", "kind", "type_comment", "type_ignores"),
        *("conversion", "simple", "is_async", "tag", "kwd_attrs", "rest"),
    }
)
"""Fields that hold no node, or one that says no more than how a name is used or which operator it is."""
_MIXED = frozenset({"keys", "kw_defaults", "names"})
"""Fields with lists that may hold what is no node."""
_LEAVES = frozenset({ast.Constant, ast.Name, ast.MatchSingleton, ast.Pass, ast.Break, ast.Continue})
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
"""The fields of each kind of node that was met which may hold nodes."""


def nodes(root: ast.AST) -> list[ast.AST]:
    """All nodes of a tree, in the order of `ast.walk`, but for operators and for what says how a name is used.

    >>> [type(node).__name__ for node in nodes(ast.parse("-a.b(c, d=1)", mode="eval").body)]
    ['UnaryOp', 'Call', 'Attribute', 'Name', 'keyword', 'Name', 'Constant']
    """
    found = [root]
    add = found.append
    for node in found:
        kind = node.__class__
        fields = _FIELDS.get(kind)
        if fields is None:
            fields = _FIELDS[kind] = () if kind in _LEAVES else tuple(one for one in kind._fields if one not in _PLAIN)
        for name in fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                found += [one for one in value if isinstance(one, ast.AST)] if name in _MIXED else value
            elif isinstance(value, ast.AST):
                add(value)
    return found


_BODIES = ("body", "handlers", "cases", "orelse", "finalbody")


def statements(root: ast.AST) -> list[ast.AST]:
    r"""The statements of a tree and what holds them, in the order of `ast.walk`; what they compute is not looked into.

    >>> [type(node).__name__ for node in statements(ast.parse("if a:\n    b = [c for c in d]\nelse:\n    pass"))]
    ['Module', 'If', 'Assign', 'Pass']
    """
    found = [root]
    for node in found:
        for name in _BODIES:
            held = getattr(node, name, None)
            if held.__class__ is list:
                found += held
    return found
