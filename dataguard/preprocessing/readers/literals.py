"""Values of Python source that are plain to see: nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from dataguard.preprocessing.errors import DeclarationError

LARGEST = 4 * 2**20
_DEEPEST = 64


class Call(dict[str, Any]):
    """A call that is not ``dict``: its name, and its arguments by name; those without one are under numbers."""

    def __init__(self, name: str, arguments: Mapping[str, Any], line: int) -> None:
        super().__init__(arguments)
        self.name, self.line = name, line

    def __repr__(self) -> str:
        return f"{self.name}(…)"


class Unread:
    """A value that only running the code would give."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def parsed(text: str, where: str | None) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        DeclarationError: it is no Python, or too large.
    """
    if len(text) > LARGEST:
        raise DeclarationError(f"more than {LARGEST >> 20} MiB of Python", where=where)
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DeclarationError(f"not Python: {error}", where=where) from error


def value(node: ast.AST | None, names: Mapping[str, Any], depth: int = 0) -> Any:
    """What an expression is: literals, ``dict(…)``, names that were assigned, sums, products and calls as `Call`."""
    if depth > _DEEPEST:
        return Unread("nested too deep")
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        items = [value(item, names, depth + 1) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict):
        return dict(_pairs(node, names, depth))
    if isinstance(node, ast.Name):
        return names.get(node.id, Unread(node.id))
    if isinstance(node, ast.Call):
        return _call(node, names, depth)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = value(node.operand, names, depth + 1)
        return -operand if isinstance(operand, int | float) else Unread("a negation")
    if isinstance(node, ast.BinOp):
        return _sum(node, names, depth)
    if isinstance(node, ast.Subscript):
        return _picked(node, names, depth)
    if isinstance(node, ast.ListComp) and len(node.generators) == 1 and isinstance(node.elt, ast.BinOp):
        # [0.485 * 255, 0.456 * 255] written as [x * 255 for x in …].
        generator = node.generators[0]
        over = value(generator.iter, names, depth + 1)
        if isinstance(generator.target, ast.Name) and isinstance(over, list | tuple) and not generator.ifs:
            target = generator.target.id
            return [value(node.elt, {**names, target: one}, depth + 1) for one in over[:4096]]
    return Unread("an expression" if node is None else ast.unparse(node)[:80])


def _pairs(node: ast.Dict, names: Mapping[str, Any], depth: int) -> Iterator[tuple[Any, Any]]:
    for key, item in zip(node.keys, node.values, strict=True):
        found = value(item, names, depth + 1)
        if key is None:
            if isinstance(found, dict):
                yield from found.items()
            continue
        name = value(key, names, depth + 1)
        if isinstance(name, str | int | float):
            yield name, found


def _call(node: ast.Call, names: Mapping[str, Any], depth: int) -> Any:
    arguments: dict[str, Any] = {}
    for keyword in node.keywords:
        found = value(keyword.value, names, depth + 1)
        if keyword.arg is not None:
            arguments[keyword.arg] = found
        elif isinstance(found, dict):
            arguments |= {str(key): item for key, item in found.items()}
    called = ast.unparse(node.func)
    if called in ("dict", "Config", "ConfigDict") and not node.args:
        return arguments
    if called in ("tuple", "list") and len(node.args) == 1:
        return value(node.args[0], names, depth + 1)
    for index, argument in enumerate(node.args):
        arguments[str(index)] = value(argument, names, depth + 1)
    return Call(called, arguments, node.lineno)


def _sum(node: ast.BinOp, names: Mapping[str, Any], depth: int) -> Any:
    left, right = value(node.left, names, depth + 1), value(node.right, names, depth + 1)
    if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
        return [*left, *right]
    if isinstance(node.op, ast.Mult) and isinstance(left, list) and isinstance(right, int) and 0 <= right <= 64:
        return left * right if len(left) <= 64 else Unread("a long list")
    if isinstance(left, int | float) and isinstance(right, int | float):
        try:
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Mult):
                return left * right
            if isinstance(node.op, ast.Div):
                return left / right
            if isinstance(node.op, ast.FloorDiv):
                return left // right
        except (ArithmeticError, ValueError):
            pass
    return Unread(ast.unparse(node)[:80])


def _picked(node: ast.Subscript, names: Mapping[str, Any], depth: int) -> Any:
    of, key = value(node.value, names, depth + 1), value(node.slice, names, depth + 1)
    if isinstance(of, dict | list | tuple) and isinstance(key, str | int):
        try:
            return of[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            pass
    return Unread(ast.unparse(node)[:80])
