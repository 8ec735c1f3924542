"""Completion scripts made from what can stand on the command line. No script runs dataguard when a key is pressed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from dataguard.cli.completion_tree import Argument, Command


def bash(tree: Command) -> str:
    """For bash from 3.2 on, with or without the package bash-completion."""
    lines = [
        "# Completion of dataguard for bash, written by `dataguard completion bash`.",
        "_dataguard() {",
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}",
        '    local command="" words="" files="" flags=""',
        '    local comma="" line i',
        "    COMPREPLY=()",
        "    # Readline splits --option=value at the sign.",
        '    if [[ $cur == "=" ]]; then cur=""',
        '    elif [[ $prev == "=" && COMP_CWORD -gt 2 ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi',
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        '        case "$command ${COMP_WORDS[i]}" in',
        *(f"            {_bash_case(inner)}) command={shlex.quote(inner.name)} ;;" for inner in _below(tree)),
        "        esac",
        "    done",
        '    case "$command|$prev" in',
    ]
    for command in tree.walk():
        for option in command.options:
            if option.takes_value:
                pattern = "|".join(shlex.quote(f"{command.name}|{name}") for name in option.names)
                lines.append(f"        {pattern}) {_bash_value(option)} ;;")
    lines += ["        *)", '            case "$command" in']
    for command in tree.walk():
        flags = " ".join(name for option in command.options for name in option.names)
        first = [inner.path[-1] for inner in command.commands]
        words = [*first, *(word for item in command.positionals for word in item.words)]
        files = "yes" if any(item.files for item in command.positionals) else ""
        lines.append(
            f"                {shlex.quote(command.name)}) flags={shlex.quote(flags)} "
            f"words={shlex.quote(' '.join(words))} files={shlex.quote(files)} ;;"
        )
    lines += [
        "            esac",
        '            if [[ $cur == -* ]]; then words=$flags files=""; fi ;;',
        "    esac",
        '    if [[ -n $comma && $cur == *,* ]]; then comma=${cur%,*},; cur=${cur##*,}; else comma=""; fi',
        "    while IFS= read -r line; do",
        '        COMPREPLY+=("$line")',
        '    done < <([[ -z $words ]] || compgen -P "$comma" -W "$words" -- "$cur"',
        '        [[ -z $files ]] || compgen -f -- "$cur")',
        "    # It is an error outside of a completion, and missing in bash 3.2.",
        "    if [[ -n $files ]]; then compopt -o filenames 2>/dev/null; fi",
        "    return 0",
        "}",
        f"complete -F _dataguard {tree_name(tree)}",
    ]
    return "\n".join(lines) + "\n"


def zsh(tree: Command) -> str:
    """For zsh with its own completion system."""
    lines = [
        f"#compdef {tree_name(tree)}",
        "# Completion of dataguard for zsh, written by `dataguard completion zsh`.",
    ]
    for command in tree.walk():
        lines += ["", f"{_zsh_name(command)}() {{", *_zsh_body(command), "}"]
    # Autoloaded by compinit, the file is the function's body; sourced, it registers it.
    lines += [
        "",
        'if [[ $funcstack[1] == _dataguard ]]; then _dataguard_ "$@"; else compdef _dataguard_ '
        + tree_name(tree)
        + "; fi",
    ]
    return "\n".join(lines) + "\n"


def fish(tree: Command) -> str:
    """For fish from 3.0 on."""
    name = tree_name(tree)
    lines = [
        "# Completion of dataguard for fish, written by `dataguard completion fish`.",
        "function __dataguard_command",
        "    set -l words (commandline -opc)",
        "    set -e words[1]",
        "    set -l command ''",
        "    for word in $words",
        '        switch "$command $word"',
    ]
    for inner in _below(tree):
        typed = " ".join(inner.path) if len(inner.path) > 1 else f" {inner.name}"
        lines += [f"            case {_fish_quote(typed)}", f"                set command {_fish_quote(inner.name)}"]
    lines += ["        end", "    end", '    test "$command" = "$argv"', "end", f"complete -c {name} -f"]
    for command in tree.walk():
        when = f"complete -c {name} -n {_fish_quote(f'__dataguard_command {_fish_quote(command.name)}')}"
        for inner in command.commands:
            lines.append(f"{when} -a {inner.path[-1]} -d {_fish_quote(_short(inner.help))}")
        for item in command.positionals:
            if item.words:
                lines.append(f"{when} -a {_fish_quote(' '.join(item.words))}")
            if item.files:
                lines.append(f"{when} -F")
        for option in command.options:
            spelt = [
                f"-l {spelling[2:]}" if spelling.startswith("--") else f"-s {spelling[1:]}" for spelling in option.names
            ]
            lines.append(f"{when} {' '.join([*spelt, *_fish_value(option)])} -d {_fish_quote(_short(option.help))}")
    return "\n".join(lines) + "\n"


SCRIPTS: Mapping[str, Callable[[Command], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
"""What makes the script of each shell."""


def tree_name(tree: Command) -> str:
    """What the program is called."""
    return "dataguard" if not tree.path else tree.path[0]


def _below(tree: Command) -> Iterator[Command]:
    return (command for command in tree.walk() if command.path)


def _bash_case(command: Command) -> str:
    typed = command.name if len(command.path) > 1 else f" {command.name}"
    return shlex.quote(typed)


def _bash_value(option: Argument) -> str:
    said = []
    if option.words:
        said.append(f"words={shlex.quote(' '.join(option.words))}")
    if option.files:
        said.append("files=yes")
    if option.listed:
        said.append("comma=yes")
    return " ".join(said) or ":"


def _zsh_name(command: Command) -> str:
    return "_dataguard_" + "_".join(command.path)


def _zsh_body(command: Command) -> Iterator[str]:
    specs = [spec for option in command.options for spec in _zsh_option(option)]
    if not command.commands:
        specs += [
            f"'{'*' if item.repeated else ''}:{_zsh_text(item.help)}:{_zsh_action(item)}'"
            for item in command.positionals
        ]
        yield from ("  _arguments \\", *(f"    {spec} \\" for spec in specs), "    && return 0")
        return
    yield "  local curcontext=$curcontext state line"
    yield from ("  _arguments -C \\", *(f"    {spec} \\" for spec in specs), "    '1: :->command' '*:: :->arguments'")
    yield "  case $state in"
    described = " ".join(f"'{inner.path[-1]}:{_zsh_text(inner.help)}'" for inner in command.commands)
    yield f"    command) local -a commands=({described}); _describe command commands ;;"
    yield "    arguments)"
    yield "      case $words[1] in"
    yield from (f"        {inner.path[-1]}) {_zsh_name(inner)} ;;" for inner in command.commands)
    yield from ("      esac ;;", "  esac")


def _zsh_option(option: Argument) -> Iterator[str]:
    for name in option.names:
        first = "*" if option.repeated else f"({' '.join(option.names)})" if len(option.names) > 1 else ""
        sign = "=" if option.takes_value and name.startswith("--") else ""
        value = f":value:{_zsh_action(option)}" if option.takes_value else ""
        yield f"'{first}{name}{sign}[{_zsh_text(option.help)}]{value}'"


def _zsh_action(argument: Argument) -> str:
    if argument.words:
        words = " ".join(argument.words)
        return f"_sequence compadd - {words}" if argument.listed else f"({words})"
    return "_files" if argument.files else " "


def _zsh_text(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", _short(text)).replace("'", "'\\''")


def _fish_value(option: Argument) -> list[str]:
    if not option.takes_value:
        return []
    if option.words and option.listed:
        return ["-x", "-a", _fish_quote(f"(__fish_append , {' '.join(option.words)})")]
    if option.words:
        return ["-x", "-a", _fish_quote(" ".join(option.words))]
    return ["-r", "-F"] if option.files else ["-x"]


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _short(text: str) -> str:
    """What fits into a line beside the word: up to the first clause's end."""
    first = re.split(r"; | \(|: (?=[a-z])", text)[0]
    return first if len(first) <= 80 else first[:79].rsplit(" ", 1)[0] + "…"
