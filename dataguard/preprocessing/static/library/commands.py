"""What a README runs a script with: 'python train.py configs/a.yaml --size 512'.

It is asked for what a command line must say, and what nobody could run the script without: a required option, a
positional one, a configuration file. Placeholders of a text ('<path>', '${CONFIG}') say nothing.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine
    from dataguard.preprocessing.static.tree import Tree

LARGEST = 2**19
"""Bytes of a text that is searched."""
MOST = 64
"""Commands of a repository that are kept."""
_MODULE = re.compile(r"python[\d.]*\s+-m\s+([\w.]+)((?:[ \t]+[^\n|;&`#]*)?)")
_HERE = re.compile(r"(\$\(pwd\)|\$\{?PWD\}?|`pwd`)/")
_COMMAND = re.compile(r"python[\d.]*\s[^\n|;&>`]*?(?<![\w.-])([\w./-]*\w\.py)((?:[ \t]+[^\n|;&`#]*)?)")
_NO_VALUE = re.compile(r"[<>$\[\]{}*]|^\.\.\.|^path[/_]to|^/path|^your", re.IGNORECASE)
CONFIGURATIONS = (".yaml", ".yml", ".json", ".py", ".toml", ".cfg", ".ini")


def _commands(tree: Tree) -> list[tuple[str, list[str]]]:
    """Every script that a README runs, with its words."""
    found: list[tuple[str, list[str]]] = []
    texts = [one for one in tree.sizes if one.lower().endswith(".md") and tree.sizes[one] <= LARGEST]
    for path in sorted(texts, key=lambda one: (one.count("/"), "readme" not in one.lower(), one))[:8]:
        text = re.sub(r"\\\r?\n\s*", " ", tree.text(path) or "")
        text = _HERE.sub("", text)
        called = [(match.start(), match[1], match[2]) for match in _COMMAND.finditer(text)]
        called += [(match.start(), match[1].replace(".", "/") + ".py", match[2]) for match in _MODULE.finditer(text)]
        for _, script, given in sorted(called):
            try:
                words = shlex.split(given)
            except ValueError:
                words = given.split()
            found.append((script.removeprefix("./"), words))
            if len(found) >= MOST:
                return found
    return found


def words_of(machine: Machine) -> list[list[str]]:
    """The words that the script which is followed is run with, a list for each time that a README runs it."""
    if machine.commands is None:
        machine.commands = _commands(machine.tree)
    script = machine.root
    return [words for name, words in machine.commands if script == name or script.endswith("/" + name.split("/")[-1])]


def option(machine: Machine, flags: list[str]) -> str | None:
    """What a README gives an option; None where it gives none that could be taken as it is."""
    for words in words_of(machine):
        for index, word in enumerate(words):
            name, equal, value = word.partition("=")
            if name not in flags:
                continue
            if not equal:
                value = words[index + 1] if index + 1 < len(words) else ""
            if value and not value.startswith("--") and not _NO_VALUE.search(value):
                return value
    return None


def several(machine: Machine, flags: list[str]) -> list[str]:
    """What a README gives an option that takes several words; empty where it gives none that could be taken."""
    for words in words_of(machine):
        for index, word in enumerate(words):
            if word in flags:
                given = list(takewhile(lambda one: not one.startswith("-"), words[index + 1 :]))
                if given and not any(_NO_VALUE.search(one) for one in given):
                    return given
    return []


def of_argument_file(machine: Machine, options: Mapping[Any, Any]) -> dict[str, Any]:
    """Options that a file of arguments gives which a README names: 'python train.py @arguments.txt'.

    Args:
        machine: What follows the script.
        options: Its options by name, with their defaults, whose types are those of what is given.
    """
    folder = machine.root.rpartition("/")[0]
    for words in words_of(machine):
        for word in words:
            path = posixpath.normpath(posixpath.join(folder, word.lstrip("@")))
            if word.startswith("-") or path not in machine.tree.sizes or machine.tree.sizes[path] > LARGEST:
                continue
            try:
                given = shlex.split(machine.tree.text(path) or "", comments=True)
            except ValueError:
                continue
            return _as_options(given, options)
    return {}


def _as_options(words: list[str], options: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, after in zip(words, [*words[1:], "--"], strict=True):
        name, equal, value = word.partition("=")
        key = name.lstrip("-").replace("-", "_")
        if not name.startswith("--") or key not in options:
            continue
        value = value if equal else "" if after.startswith("--") else after
        usual = options[key]
        if isinstance(usual, bool):
            found[key] = not usual
        elif value:
            kinds = [type(usual)] if isinstance(usual, int | float) else [int, float] if usual is None else []
            found[key] = next((made for kind in kinds if (made := _as(kind, value)) is not None), value)
    return found


def _as(kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None


def positional(machine: Machine) -> str | None:
    """The first configuration file of the repository that a README gives a script, whatever stands before it."""
    for words in words_of(machine):
        for index, word in enumerate(words):
            named = index and words[index - 1].startswith("-")
            if not named and not word.startswith("-") and word.endswith(CONFIGURATIONS) and not _NO_VALUE.search(word):
                return word
    return None
