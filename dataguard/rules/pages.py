"""A rule's page: its docstring with what the code knows better, its code, severity and options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dataguard.core.rule import PAGE_SECTIONS, Option, Rule

FAMILIES: Mapping[str, str] = {
    "DG1": "Labels",
    "DG2": "Batches and order",
    "DG3": "Splits, leakage and normalization",
    "DG4": "Preprocessing",
    "DG5": "Environment",
    "DG6": "Reproduction",
    "DG7": "Training probes",
    "DG8": "Dataset versions and schema",
    "DG9": "dataguard itself",
}
"""The families of rules by the beginning of their codes."""

_ITEM = re.compile(r"^- `(?P<name>\w+)`: (?P<text>.+(?:\n  +\S.*)*)$", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.;:?!])\s+(?=[A-Z`*-])")
_OPTIONS_LIST = re.compile(r"^Options:\n\n(?:- `\w+`: .+\n?(?: +\S.*\n?)*)+\n?", re.MULTILINE)


def page(rule: Rule[Any]) -> str:
    """The page of a rule in Markdown, the same bytes for the same rule.

    Its options, which the docstring describes in a list headed ``Options:``, become a table with types, bounds and
    defaults; examples become code blocks.
    """
    parts = [f"# {rule.code} {rule.name}", rule.summary, f"Severity: **{rule.severity.word}**"]
    for title in PAGE_SECTIONS:
        body = _OPTIONS_LIST.sub("", rule.sections.get(title, "")).strip()
        parts += [f"## {title}", "\n".join(_fenced(body.splitlines()))]
        if title == "How it decides":
            parts += ["## Options", _options(rule)]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(rules: Iterable[Rule[Any]]) -> str:
    """The list of all rules by family, in Markdown, linked to pages beside it."""
    parts = ["# Rules", "Generated from the rules' docstrings by `docs/generate.py`."]
    by_family: dict[str, list[Rule[Any]]] = {}
    for rule in sorted(rules, key=lambda rule: rule.code):
        by_family.setdefault(rule.code[:3], []).append(rule)
    for family, members in by_family.items():
        parts.append(f"## {family}xx: {FAMILIES.get(family, 'Other')}")
        rows = [
            f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severity.word} | {_cell(rule.summary)} |"
            for rule in members
        ]
        parts.append("\n".join(["| code | name | severity | finds |", "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def option_descriptions(rule: Rule[Any]) -> dict[str, str]:
    """What the docstring says of each option, by name: its item in the list of options, or else its first sentence."""
    found: dict[str, str] = {}
    for paragraph in re.split(r"\n\s*\n", rule.page):
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            for name in rule.options:
                if f"`{name}`" in sentence:
                    found.setdefault(name, sentence.removeprefix("- "))
    items = {match["name"]: " ".join(match["text"].split()) for match in _ITEM.finditer(rule.page)}
    return found | {name: text for name, text in items.items() if name in rule.options}


def _options(rule: Rule[Any]) -> str:
    if not rule.options:
        return "None."
    said = option_descriptions(rule)
    rows = [
        f"| `{option.name}` | {_cell(option.type_words)} | `{_toml(option)}` | {_cell(said.get(option.name, ''))} |"
        for option in rule.options.values()
    ]
    example = next(iter(rule.options.values()))
    return "\n".join(
        [
            "| option | type | default | meaning |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "```toml",
            f"[rules.{rule.code}]",
            f"{example.name} = {_toml(example)}",
            "```",
        ]
        if example.default is not None
        else ["| option | type | default | meaning |", "| --- | --- | --- | --- |", *rows]
    )


def _toml(option: Option) -> str:
    return _toml_value(option.default)


def _toml_value(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return repr(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _fenced(lines: list[str]) -> Iterator[str]:
    """The lines with every doctest in a code block; Markdown would take its `>>>` for a quotation."""
    inside, fenced = False, False
    for line in lines:
        if line.startswith("```"):
            fenced = not fenced
        if not inside and not fenced and line.startswith(">>> "):
            inside = True
            yield "```python"
        elif inside and not line.strip():
            inside = False
            yield "```"
        yield line
    if inside:
        yield "```"
