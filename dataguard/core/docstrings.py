"""The docstrings that stand below the fields of records: what schemas describe the fields with."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import MappingProxyType


@functools.cache
def field_docstrings(record: type) -> Mapping[str, str]:
    """The docstrings below the fields of a class, and of the records that it extends, by name.

    >>> from dataguard.core.report import RuleRun
    >>> field_docstrings(RuleRun)["seconds"]
    'How long it ran.'
    """
    documents: dict[str, str] = {}
    for base in record.__bases__:
        if is_dataclass(base):
            documents |= field_docstrings(base)
    definition = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    if isinstance(definition, ast.ClassDef):
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            target = (
                field.target
                if isinstance(field, ast.AnnAssign)
                else field.targets[0]
                if isinstance(field, ast.Assign)
                else None
            )
            if (
                isinstance(target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                documents[target.id] = inspect.cleandoc(below.value.value)
    return MappingProxyType(documents)


def in_one_line(docstring: str) -> str:
    r"""A docstring without its arguments, as one line without markup.

    >>> in_one_line("What ``check``\n    runs.\nArgs:\n    x: y")
    'What check runs.'
    """
    return re.sub(r"`+([^`]+)`+", r"\1", " ".join(docstring.split("\nArgs:")[0].split()))
