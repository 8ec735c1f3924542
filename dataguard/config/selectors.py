"""Which rules a word in the configuration or on the command line means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dataguard.core.errors import ConfigurationError, did_you_mean
from dataguard.core.rule import Rule


def matches(selector: str, rule: Rule[Any]) -> bool:
    """Whether a selector (code, prefix of a code, name, or 'ALL') means a rule.

    >>> from dataguard.rules import all_rules
    >>> [rule.code for rule in all_rules() if matches("class-imbalance", rule)]
    ['DG102']
    """
    return selector.upper() == "ALL" or rule.code.startswith(selector.upper()) or rule.name == selector.lower()


def check_selector(selector: str, rules: Iterable[Rule[Any]], *, where: str) -> None:
    """See that a selector means at least one rule.

    Raises:
        ConfigurationError: it means none.
    """
    known = list(rules)
    if re.fullmatch(r"(?i)all|[a-z][\w-]*", selector) and any(matches(selector, rule) for rule in known):
        return
    raise ConfigurationError(f"no rule matches {selector!r}", where=where, hint=_hint(selector, known))


def rule_named(word: str, rules: Iterable[Rule[Any]], *, where: str) -> Rule[Any]:
    """The one rule that has a code or a name.

    Raises:
        ConfigurationError: there is none.
    """
    known = list(rules)
    for rule in known:
        if word.upper() == rule.code or word.lower() == rule.name:
            return rule
    raise ConfigurationError(f"no rule {word!r}", where=where, hint=_hint(word, known))


def _hint(word: str, rules: Iterable[Rule[Any]]) -> str:
    hint = did_you_mean(word, {name for rule in rules for name in (rule.code, rule.name)})
    return hint if hint.startswith("did you") else "`dataguard rules` lists them"
