"""What can stand on the command line, read from its parser: commands, options and what their values are."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FILES = frozenset(
    {"FILE", "FOLDER", "LOCK", "NEW", "OLD", "PATH", "PYTHON", "REPORT", "SCHEMA", "SNAPSHOT", "TARGET", "VENV"}
)
"""How arguments are called whose values are files or folders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """An option, or an argument without a name."""

    names: tuple[str, ...]
    """As ``('-o', '--output')``; () for an argument that is told by its position."""
    help: str
    """In a line."""
    takes_value: bool
    words: tuple[str, ...] = ()
    """What the value can be; () for anything."""
    files: bool = False
    """Whether the value is a file or a folder."""
    listed: bool = False
    """Whether the value may be several words with commas between."""
    repeated: bool = False
    """Whether it may be given more than once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A command, or a part of one, with its arguments."""

    path: tuple[str, ...]
    """Its words: ``('check',)``; () for the program itself."""
    help: str
    options: tuple[Argument, ...]
    positionals: tuple[Argument, ...]
    commands: tuple[Command, ...] = ()
    """Those that follow it."""

    @property
    def name(self) -> str:
        """Its words with blanks between; '' for the program itself."""
        return " ".join(self.path)

    def walk(self) -> Iterator[Command]:
        """It, and every command below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def tree_of(parser: argparse.ArgumentParser) -> Command:
    """What a parser with commands takes."""
    return _command(parser, (), "", _words())


def _command(
    parser: argparse.ArgumentParser, path: tuple[str, ...], said: str, words: Mapping[str, tuple[str, ...]]
) -> Command:
    commands = []
    for group in parser._actions:
        if isinstance(group, argparse._SubParsersAction):
            helps = {action.dest: action.help or "" for action in group._choices_actions}
            commands += [
                _command(inner, (*path, name), helps.get(name, ""), words) for name, inner in group.choices.items()
            ]
    options, positionals = _arguments(parser, words, " ".join(path))
    return Command(path=path, help=_line(said), options=options, positionals=positionals, commands=tuple(commands))


def _arguments(
    parser: argparse.ArgumentParser, words: Mapping[str, tuple[str, ...]], command: str
) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        takes_value = action.nargs != 0
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        choices = tuple(str(choice) for choice in action.choices) if action.choices is not None else ()
        known = words.get(f"{command} {metavar}", words.get(metavar, ())) if takes_value else ()
        found.append(
            Argument(
                names=tuple(sorted(action.option_strings, key=len)),
                help=_line((action.help or "") % {"default": action.default, "prog": parser.prog}),
                takes_value=takes_value,
                words=choices or known,
                files=takes_value and not choices and metavar in FILES,
                listed=metavar == "RULES",
                repeated=isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+"),
            )
        )
    return tuple(item for item in found if item.names), tuple(item for item in found if not item.names)


def _words() -> dict[str, tuple[str, ...]]:
    """What arguments can be that the parser does not know the choices of, by how they are called."""
    from dataguard.cli import environment
    from dataguard.cli.reporting import FORMATS
    from dataguard.config import PICTURE_FORMS
    from dataguard.core.finding import Severity
    from dataguard.core.plugins import source_names
    from dataguard.rules import all_rules

    names = tuple(word for rule in all_rules() for word in (rule.code, rule.name))
    return {
        "FORMAT": FORMATS,
        "environment FORMAT": tuple(environment.FORMATS),
        "FORM": PICTURE_FORMS,
        "KIND": ("docker",),
        "RULE": names,
        "RULES": names,
        "RUNNER": ("here", "process", "docker"),
        "SOURCE": source_names(),
        "SEVERITY": tuple(severity.word for severity in Severity),
    }


def _line(text: str) -> str:
    return " ".join(text.split())
