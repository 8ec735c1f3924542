"""A quicker walk through syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dataguard
from dataguard.core.syntax import nodes

LEFT_OUT = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
FILES = ("core/syntax.py", "core/python_source.py", "preprocessing/static/interpreter.py", "formats/terminal.py")
KINDS = """
global g
import a.b as c
from .d import *
async def f(a, /, b: int = 1, *args, c=2, d, **kw) -> None:
    nonlocal_ = [x async for x in await g(*a, **kw) if x]
    async with a as b, c: pass
    try: raise E from e
    except (A, B) as e: del x[1:2:3], y.z
    else: assert not (a and b or -c < d is not e)
    finally: return {**a, 1: f"{x!r:>{w}}", 'k': lambda *, q=1: (yield q)}
match p:
    case Point(x=0, y=[1, *rest]) | {"k": v, **others} if v: pass
    case None | 1.5 as named: pass
    case _: x: int = 3; x @= y; (z := 1)
class C(B, metaclass=M):
    '''Text.'''
"""


@pytest.mark.parametrize("name", ["", *FILES])
def test_nodes_are_those_of_walk_in_its_order(name: str) -> None:
    text = (Path(dataguard.__file__).parent / name).read_text(encoding="utf-8") if name else KINDS
    tree = ast.parse(text)
    wanted = [node for node in ast.walk(tree) if not isinstance(node, LEFT_OUT)]
    assert [id(node) for node in nodes(tree)] == [id(node) for node in wanted]
