"""New arrays of which a loop fills the rows: 'for image, row in zip(images, batch): row[...].copy_(image)'."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.picture import State
from dataguard.preprocessing.static.values import Blank, Choice, ExtObj, Picture, Value, choice

if TYPE_CHECKING:
    from dataguard.preprocessing.static.interpreter import Interpreter


def row_of(blank: Blank) -> Blank:
    """One row of a new array."""
    return Blank(list(blank.shape[1:]), blank.fill, blank.library, {}, blank.place, dtype=blank.dtype)


def filled(machine: Interpreter, node: ast.For | ast.AsyncFor, source: Value) -> None:
    """Give the arrays of which a loop filled the rows what their rows have become."""
    if isinstance(source, Blank):
        _fill(machine, node.iter, node.target)
        return
    named = isinstance(node.target, ast.Tuple) and isinstance(node.iter, ast.Call)
    if not named or not isinstance(source, ExtObj) or source.name != "builtins.zip":
        return
    holders, targets = node.iter.args, node.target.elts  # type: ignore[attr-defined]
    if len(targets) == len(source.args) == len(holders):
        for given, holder, target in zip(source.args, holders, targets, strict=True):
            if isinstance(given, Blank):
                _fill(machine, holder, target)


def _fill(machine: Interpreter, holder: ast.expr, target: ast.expr) -> None:
    if not isinstance(target, ast.Name) or not isinstance(holder, ast.Name | ast.Attribute):
        return
    row = machine.lookup(target.id, target)
    options = row.options if isinstance(row, Choice) else [row]
    pictures = [Picture(_as_batch(one.state)) for one in options if isinstance(one, Picture)]
    if pictures and len(pictures) == len(options):
        machine.assign(holder, choice(pictures, row.why if isinstance(row, Choice) else ""))


def _as_batch(state: State) -> State:
    return state if "N" in state.layout else replace(state, layout=f"N{state.layout}")
