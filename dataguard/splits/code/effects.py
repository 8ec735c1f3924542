"""What every value can do, whatever it comes from."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dataguard.splits.code import knowledge as known
from dataguard.splits.code.trace import Trace
from dataguard.splits.code.values import (
    Class,
    Const,
    Data,
    Estimator,
    Function,
    Instance,
    Lib,
    Mapped,
    Parts,
    Rows,
    Seq,
    Value,
    combined,
    joined,
    restricted,
)

if TYPE_CHECKING:
    from dataguard.splits.code.interpreter import Interpreter

_TEST_NAME = re.compile(r"(?:^|_|[a-z])(?:test|tst|te|holdout|eval|evaluation)(?:$|_|[A-Z0-9])|(?i:test)|^(?:Xt|yt)e?$")

_VALIDATION_NAME = re.compile(r"(?i:valid|^val|_val|val_|_cv$|_dev)|(?:^|_)(?:va|cv)(?:$|_)")

_TRAIN_NAME = re.compile(r"(?i:train|^tr_|_tr$)|(?:^|_)trn?(?:$|_)|^(?:Xt|yt)r$")

GROUPED: Rows = frozenset({(0, frozenset())})

_METHODS = frozenset(
    [
        "head",
        "tail",
        "describe",
        "mean",
        "std",
        "min",
        "max",
        "sum",
        "median",
        "mode",
        "copy",
        "drop",
        "dropna",
        "fillna",
        "apply",
        "map",
        "append",
        "merge",
        "join",
        "groupby",
        "isnull",
        "isna",
        "notnull",
        "notna",
        "astype",
        "replace",
        "values",
        "reset_index",
        "value_counts",
        "unique",
        "nunique",
        "corr",
        "sample",
        "sort_values",
        "plot",
        "hist",
        "fit",
        "transform",
        "predict",
        "score",
        "split",
        "strip",
        "lower",
        "upper",
        "items",
        "keys",
        "get",
        "pop",
        "add",
        "update",
        "rename",
        "quantile",
        "isin",
        "to_frame",
        "abs",
        "round",
        "clip",
        "interpolate",
        "where",
        "mask",
        "any",
        "all",
    ]
)


def role(name: str) -> str:
    """Which part a variable's name says that it is: 'train', 'validation', 'test' or ''.

    >>> [role(name) for name in ("X_train", "y_val", "testX", "train_test", "data")]
    ['train', 'validation', 'test', '', '']
    """
    if _TRAIN_NAME.search(name):
        return "" if _TEST_NAME.search(name) else "train"
    if _VALIDATION_NAME.search(name):
        return "validation"
    return "test" if _TEST_NAME.search(name) else ""


class Effects:
    """The base of what calls, attributes and subscripts do to abstract values."""

    def __init__(self, trace: Trace, interpreter: Interpreter) -> None:
        self.trace = trace
        self.interpreter = interpreter

    def source(self, key: object) -> Data:
        """New rows."""
        root = self.trace.root(key)
        return Data(frozenset({(root, frozenset())}), origin=root)

    def element(self, value: Value) -> Value:
        """What a loop over a value goes through."""
        if isinstance(value, Data):
            if value.index is not None or not value.rows or value.aggregate:
                return value
            return Data(value.rows, value.all_events, latent=value.latent, single=True)
        if isinstance(value, Mapped):
            return Const("") if all(isinstance(key, str) for key in value.items) and value.items else Data()
        if isinstance(value, Seq):
            merged: Value | None = None
            for item in value.elements():
                merged = joined(merged, item)
            return merged if merged is not None else Data()
        return Data()

    def operate(self, left: Value, right: Value) -> Value:
        """Arithmetic."""
        if isinstance(left, Const) and isinstance(right, Const):
            return Data()
        if isinstance(left, Lib | Function | Class | Estimator | Instance):
            left = combined([left])
        return combined([left, right])

    def compare(self, node: ast.Compare, values: Sequence[Value]) -> Data:
        """A comparison; over rows it says for each which part it goes to."""
        result = combined(values)
        if len(values) != 2 or not result.rows or result.aggregate or result.single:
            return result
        left, right = written(node.left), written(node.comparators[0])
        operator = node.ops[0]
        if isinstance(operator, ast.Eq):
            result.mask = (("is", left), right) if isinstance(values[1], Const) else (("is", left, right), "yes")
        elif isinstance(operator, ast.NotEq):
            result.mask = (("is", left), "~" + right) if isinstance(values[1], Const) else (("is", left, right), "~yes")
        elif isinstance(operator, ast.Lt | ast.LtE):
            result.mask = (("below", left, right), "below")
        elif isinstance(operator, ast.Gt | ast.GtE):
            result.mask = (("below", left, right), "~below")
        return result

    def named_parts(self, whole: Data, names: Sequence[str], line: int) -> list[Value]:
        """What unpacking gives; of a function that is not known the names say which part of a split each is."""
        roles = [role(name) for name in names]
        told = {item for item in roles if item}
        if whole.rows and not whole.aggregate and not whole.single and len(told) > 1:
            key = self.trace.split(("named", line), "split", line, whole.rows, whole.all_events)
            return [
                Data(restricted(whole.rows, [(key, part or "rest")]), whole.events, columns=whole.columns)
                for part in roles
            ]
        return [whole.copy() for _ in names]


@lru_cache(maxsize=4096)
def written(node: ast.expr) -> str:
    """An expression as text; a loop and a function that is called again meet it again."""
    return ast.unparse(node)


def is_method(name: str) -> bool:
    """Whether a name is a method that frames or models have, and so no column."""
    return name in _METHODS or name in known.REDUCTIONS or name in known.FITS or name in known.PREDICTS


def common_parts(rows: Rows) -> Parts:
    """The parts that all rows went to."""
    found = [parts for _, parts in rows]
    return frozenset.intersection(*found) if found else frozenset()


def constant(value: Value | None, default: object = None) -> object:
    """What a literal says; `default` where the value is none."""
    return value.value if isinstance(value, Const) else default


def integer(node: ast.expr | None) -> int | None:
    """The whole number that an expression is written as; None where it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        return -value if isinstance(value, int) else None
    return None


def hashes(value: object) -> bool:
    """Whether a value may be a key."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def copied(value: Value, *, fresh: bool = False) -> Value:
    """Another value, the same at this moment; `fresh` as before any fit."""
    if isinstance(value, Data):
        return value.copy()
    if isinstance(value, Seq):
        return Seq([copied(item) for item in value.items], value.rest)
    if isinstance(value, Mapped):
        return Mapped({key: copied(item) for key, item in value.items.items()}, value.rest)
    if isinstance(value, Estimator):
        made = Estimator(value.name, value.line, steps=value.steps, keywords=value.keywords)
        made.count = value.count
        if not fresh:
            made.events, made.fits, made.trained = value.events, value.fits, value.trained
        return made
    return value
