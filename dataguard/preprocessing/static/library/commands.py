"""What a README runs a script with: 'python train.py configs/a.yaml --size 512'.

It is asked for what a command line must say, and what nobody could run the script without: a required option, a
positional one, a configuration file. Placeholders of a text ('<path>', '${CONFIG}') say nothing.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Container, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine
    from dataguard.preprocessing.static.tree import Tree

LARGEST = 2**19
"""Bytes of a text that is searched."""
MOST = 64
"""Commands of a repository that are kept."""
GIVES = "the command line gives "
"""Beginning of the reason why a value is not known that nobody could run a script without."""
TEXT = ", a text"
"""End of the reason why a value is not known of which it is known that it is a text."""
_MODULE = re.compile(r"python[\d.]*\s+-m\s+([\w.]+)((?:[ \t]+[^\n|;&`#]*)?)")
_HERE = re.compile(r"(\$\(pwd\)|\$\{?PWD\}?|`pwd`)/")
_COMMAND = re.compile(r"python[\d.]*\s[^\n|;&>`]{0,300}?(?<![\w.-])([\w./-]*\w\.py)((?:[ \t]+[^\n|;&`#]*)?)")
MOST_WAYS = 12
"""Configurations that a script is followed with beside the first."""
_ONE_OF = re.compile(r"(--?[\w-]+=)?([\w./-]+/)[<{\[][^/<>{}\[\]]*[>}\]](\.(?:ya?ml|json))?")
_CONFIGURES = re.compile(r"(?i)conf|cfg")
_NO_VALUE = re.compile(r"[<>$\[\]{}*]|^\.\.\.|^path[/_]to|^/path|^your", re.IGNORECASE)
CONFIGURATIONS = (".yaml", ".yml", ".json", ".py", ".toml", ".cfg", ".ini")


def _commands(tree: Tree) -> list[tuple[str, list[str]]]:
    """Every script that a README runs, with its words."""
    found: list[tuple[str, list[str]]] = []
    texts = [one for one in tree.sizes if one.lower().endswith(".md") and tree.sizes[one] <= LARGEST]
    for path in sorted(texts, key=lambda one: (one.count("/"), "readme" not in one.lower(), one))[:8]:
        text = _continued(re.sub(r"\\[ \t]*\r?\n\s*", " ", tree.text(path) or ""))
        text = _HERE.sub("", text)
        called = [(match.start(), match[1], match[2]) for match in _COMMAND.finditer(text)]
        called += [(match.start(), match[1].replace(".", "/") + ".py", match[2]) for match in _MODULE.finditer(text)]
        for _, script, given in sorted(called):
            try:
                words = shlex.split(given)
            except ValueError:
                words = given.split()
            name, words = _from_above(tree, script.removeprefix("./"), words)
            for one in _filled(tree, words):
                found.append((name, one))
                if len(found) >= MOST:
                    return found
    return found


def _continued(text: str) -> str:
    r"""A text in which options that are written below a command, each on a line of its own, stand behind it.

    >>> _continued("python main.py\n  --sel train\n  --fname a.yaml\nAnd then")
    'python main.py --sel train --fname a.yaml\nAnd then'
    """
    if "\n " not in text and "\n\t" not in text:
        return text
    lines: list[list[str]] = []
    calls = False
    for line in text.split("\n"):
        if calls and line[:1] in " \t" and _OPTION.match(line):
            lines[-1].append(line.strip())
        else:
            lines.append([line])
            calls = _CALLS.search(line) is not None
    return "\n".join(map(" ".join, lines))


_OPTION = re.compile(r"\s+--?[a-zA-Z]")
_CALLS = re.compile(r"python[\d.]*\s.{0,300}?\.py\b")


def _from_above(tree: Tree, script: str, words: list[str]) -> tuple[str, list[str]]:
    """A command as it is in the repository's folder, where it is written for the folder that the repository lies in."""
    folder, _, path = script.partition("/")
    if path not in tree.sizes or script in tree.sizes:
        return script, words
    return path, [word.removeprefix(folder + "/") for word in words]


def _filled(tree: Tree, words: list[str]) -> list[list[str]]:
    """A command of which a word stands for any file of a folder, once for each: 'configs/<name>.yaml'."""
    for index, word in enumerate(words):
        match = _ONE_OF.fullmatch(word)
        if match is not None and (match[3] or _CONFIGURES.search(word)):
            folder = match[2].removeprefix("./").rstrip("/")
            names = [one for one in tree.within(folder) if one.endswith(match[3] or (".yaml", ".yml", ".json"))]
            ways = [[*words[:index], (match[1] or "") + one, *words[index + 1 :]] for one in sorted(names)[:MOST_WAYS]]
            return ways or [words]
    return [words]


def ways(machine: Machine) -> list[tuple[int, str]]:
    """The further commands for the script which is followed, of other configurations than those before: which, what."""
    seen: set[tuple[str, ...]] = {()}
    found: list[tuple[int, str]] = []
    for index, words in enumerate(_of_script(machine)):
        files = tuple(word.rpartition("=")[2] for word in words if word.endswith(CONFIGURATIONS))
        if files not in seen and not any(_NO_VALUE.search(one) for one in files):
            found.append((index, " ".join(files)))
        seen.add(files)
    return found[1 : MOST_WAYS + 1]


def words_of(machine: Machine) -> list[list[str]]:
    """The words that the script which is followed is run with, a list for each time that a README runs it."""
    found = _of_script(machine)
    return [*found[machine.way :], *found[: machine.way]]


def _of_script(machine: Machine) -> list[list[str]]:
    if machine.commands is None:
        machine.commands = _commands(machine.tree)
    script = machine.root
    return [words for name, words in machine.commands if script == name or script.endswith("/" + name.split("/")[-1])]


def _asked(machine: Machine, value: str) -> None:
    """Remember of a script that a README says what it is configured by."""
    if value.endswith(CONFIGURATIONS):
        machine.configured.add(machine.root)


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
                _asked(machine, value)
                return value
    return None


def several(machine: Machine, flags: list[str]) -> list[str]:
    """What a README gives an option that takes several words; empty where it gives none that could be taken."""
    for words in words_of(machine):
        for index, word in enumerate(words):
            if word in flags:
                given = list(takewhile(lambda one: not one.startswith("-"), words[index + 1 :]))
                if given and not any(_NO_VALUE.search(one) for one in given):
                    _asked(machine, given[0])
                    return given
    return []


def of_argument_file(machine: Machine, options: Mapping[Any, Any], prefixes: str, *, bare: bool) -> dict[str, Any]:
    """Options that a file of arguments gives which a README names: 'python train.py @arguments.txt'.

    Args:
        machine: What follows the script.
        options: Its options by name, with their defaults, whose types are those of what is given.
        prefixes: Characters that the name of such a file is written after.
        bare: Whether the script may write them itself: 'parse_args(["@" + sys.argv[1]])'.
    """
    folder = machine.root.rpartition("/")[0]
    for words in words_of(machine):
        for word in words:
            named = word.lstrip(prefixes)
            if word.startswith("-") or (named == word and not bare):
                continue
            # It lies where the command is run, or beside the script.
            for path in (posixpath.normpath(named), posixpath.normpath(posixpath.join(folder, named))):
                if machine.tree.sizes.get(path, LARGEST + 1) <= LARGEST:
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
            kinds = (
                [type(usual).__name__] if isinstance(usual, int | float) else ["int", "float"] if usual is None else []
            )
            found[key] = next((made for kind in kinds if (made := converted(value, kind)) is not None), value)
    return found


def converted(text: str, kind: str) -> Any:
    """A word of a command line as an option of a type takes it; None where it is no such number.

    >>> converted("8", "int"), converted("8", "float"), converted("8", "str"), converted("x", "int")
    (8, 8.0, '8', None)
    """
    if kind not in ("int", "float"):
        return text
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        return None


def one_of(machine: Machine, taken: Callable[[str], Any]) -> Any:
    """What a README gives a script that must be given one of several words, 'train.py ucf101 RGB'; None for none.

    Args:
        machine: What follows the script.
        taken: What a word is taken for; None for one that is none of these.
    """
    for given in words_of(machine):
        plain = takewhile(lambda one: not one.startswith("-"), given)
        found = next((made for one in plain if (made := taken(one)) is not None), None)
        if found is not None:
            return found
    return None


def among(machine: Machine, names: Container[Any]) -> str | None:
    """Which of several names a README gives a script, in whatever option; None for none of them."""
    given = (word.rpartition("=")[2] for words in words_of(machine) for word in words)
    return next((one for one in given if one in names), None)


def positional(machine: Machine) -> str | None:
    """The first configuration file of the repository that a README gives a script, whatever stands before it."""
    for words in words_of(machine):
        for index, word in enumerate(words):
            named = index and words[index - 1].startswith("-")
            if not named and not word.startswith("-") and word.endswith(CONFIGURATIONS) and not _NO_VALUE.search(word):
                _asked(machine, word)
                return word
    return None
