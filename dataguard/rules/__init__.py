"""The rules, one a file, a folder a family, found by their file names; and those that other distributions add."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from dataguard.core.plugins import RULES, PluginError, collision, plugins
from dataguard.core.rule import OWN_PREFIX, Rule

_FILE = re.compile(r"dg\d{3}_[a-z0-9_]+\.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenPlugin:
    """A rule of another distribution that cannot be used."""

    name: str
    """Of the entry point: the code that it would have."""
    error: PluginError


def all_rules() -> tuple[Rule[Any], ...]:
    """Every rule, by code: dataguard's own, then those of plug-ins that can be used."""
    return (*built_in_rules(), *_plugin_rules()[0])


def broken_plugins() -> tuple[BrokenPlugin, ...]:
    """The rules of other distributions that cannot be used, and why."""
    return _plugin_rules()[1]


class EveryRule:
    """What goes through `all_rules`, which are imported when somebody does so, and not before."""

    def __iter__(self) -> Iterator[Rule[Any]]:
        return iter(all_rules())


def has_plugins() -> bool:
    """Whether another distribution adds rules."""
    return bool(plugins(RULES))


def rules_of(*prefixes: str) -> tuple[Rule[Any], ...]:
    """The rules whose code begins with one of these, and those of plug-ins; no file of another rule is imported."""
    own = tuple(_own_rule(code) for code in _rule_files() if code.startswith(prefixes))
    return (*own, *_plugin_rules()[0])


@cache
def _plugin_rules() -> tuple[tuple[Rule[Any], ...], tuple[BrokenPlugin, ...]]:
    taken = {word: "dataguard" for code, (_, stem) in _rule_files().items() for word in (code, stem.replace("_", "-"))}
    rules, broken = [], []
    for plugin in plugins(RULES):
        try:
            rule: Rule[Any] = plugin.load(Rule)
            if rule.code != plugin.name:
                raise plugin.error(f"its code is {rule.code}, and the entry point is called {plugin.name}")
            if rule.code.startswith(OWN_PREFIX):
                raise plugin.error(f"codes that begin with {OWN_PREFIX} are dataguard's own")
            for what in ("code", "name"):
                word = getattr(rule, what)
                if word in taken:
                    raise collision(plugin, f"the {what} {word!r}", [taken[word]])
        except PluginError as error:
            broken.append(BrokenPlugin(name=plugin.name, error=error))
        else:
            taken |= dict.fromkeys((rule.code, rule.name), plugin.distribution)
            rules.append(rule)
    return tuple(sorted(rules, key=lambda rule: rule.code)), tuple(broken)


@cache
def built_in_rules() -> tuple[Rule[Any], ...]:
    """Every rule of dataguard's own, by code.

    A rule file ``dg102_class_imbalance.py`` holds the rule DG102, bound to the name ``class_imbalance``.

    Raises:
        ImportError: a file holds no such rule.
    """
    return tuple(_own_rule(code) for code in _rule_files())


@cache
def _own_rule(code: str) -> Rule[Any]:
    module_name, stem = _rule_files()[code]
    candidate = getattr(importlib.import_module(module_name), stem, None)
    if not isinstance(candidate, Rule) or candidate.code != code:
        raise ImportError(f"{module_name}: expected a rule {code} named {stem!r}")
    return candidate


@cache
def _rule_files() -> dict[str, tuple[str, str]]:
    """The module of each of dataguard's own rules and its name in it, by code; none of them is imported."""
    found = {}
    for module_name in _rule_modules(resources.files(__name__), __name__):
        code, _, stem = module_name.rpartition(".")[2].partition("_")
        found[code.upper()] = module_name, stem
    return dict(sorted(found.items()))


def _rule_modules(folder: Traversable, package: str) -> list[str]:
    modules = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name.isidentifier():
            modules += _rule_modules(entry, f"{package}.{entry.name}")
        elif _FILE.fullmatch(entry.name):
            modules.append(f"{package}.{entry.name[:-3]}")
    return modules
