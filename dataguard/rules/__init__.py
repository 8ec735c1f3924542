"""The rules, one a file, a folder a family; found by their file names."""

from __future__ import annotations

import importlib
import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from dataguard.core.rule import Rule

_FILE = re.compile(r"dg\d{3}_[a-z0-9_]+\.py")


@cache
def all_rules() -> tuple[Rule[Any], ...]:
    """Every rule, by code.

    A rule file ``dg102_class_imbalance.py`` holds the rule DG102, bound to the name ``class_imbalance``.

    Raises:
        ImportError: a file holds no such rule.
    """
    found = {}
    for module_name in sorted(_rule_modules(resources.files(__name__), __name__)):
        code, _, stem = module_name.rpartition(".")[2].partition("_")
        candidate = getattr(importlib.import_module(module_name), stem, None)
        if not isinstance(candidate, Rule) or candidate.code != code.upper():
            raise ImportError(f"{module_name}: expected a rule {code.upper()} named {stem!r}")
        found[candidate.code] = candidate
    return tuple(found[code] for code in sorted(found))


def _rule_modules(folder: Traversable, package: str) -> list[str]:
    modules = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name.isidentifier():
            modules += _rule_modules(entry, f"{package}.{entry.name}")
        elif _FILE.fullmatch(entry.name):
            modules.append(f"{package}.{entry.name[:-3]}")
    return modules
