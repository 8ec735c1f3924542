"""`dataguard completion`: each shell's own completion is run where the shell is there."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from dataguard.cli import build_parser, main
from dataguard.cli.completion_scripts import SCRIPTS
from dataguard.cli.completion_tree import Command, tree_of
from dataguard.rules import all_rules

TREE = tree_of(build_parser())
COMMANDS = {command.name: command for command in TREE.walk()}


def script(shell: str, folder: Path) -> Path:
    path = folder / f"completion.{shell}"
    path.write_text(SCRIPTS[shell](TREE), encoding="utf-8")
    return path


def shell_named(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data set.csv").touch()
    (tmp_path / "report.html").touch()
    return tmp_path


def by_bash(folder: Path, *words: str) -> list[str]:
    """What bash's function proposes for the last word."""
    program = (
        f"source {shlex.quote(str(script('bash', folder)))}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
        f'COMP_CWORD={len(words) - 1}; _dataguard; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run([shell_named("bash"), "--norc", "-c", program], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if line]


def by_fish(folder: Path, *words: str) -> list[str]:
    program = f"source {script('fish', folder)}; complete -C {shlex.quote(' '.join(words))}"
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    done = subprocess.run(
        [shell_named("fish"), "--no-config", "-c", program], cwd=folder, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def test_the_tree_has_every_command_option_and_choice() -> None:
    assert {"", "check", "audit", "rules", "completion", "schema infer"} <= set(COMMANDS)
    check = COMMANDS["check"]
    spelt = {name: option for option in check.options for name in option.names}
    assert {"--select", "-o", "--output", "--strict", "--help"} <= set(spelt)
    assert spelt["--output"].files
    assert spelt["--output"].repeated
    assert not spelt["--strict"].takes_value
    assert set(spelt["--fail-on"].words) == {"info", "warning", "error"}
    assert {word for rule in all_rules() for word in (rule.code, rule.name)} == set(spelt["--select"].words)
    assert COMMANDS["completion"].positionals[0].words == ("bash", "zsh", "fish")
    formats = {name: option.words for option in COMMANDS["environment"].options for name in option.names}
    assert formats["--format"] == ("terminal", "json")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == SCRIPTS[shell](TREE)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_shell_can_read_it(shell: str, tmp_path: Path) -> None:
    done = subprocess.run([shell_named(shell), "-n", script(shell, tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("ask", [by_bash, by_fish])
def test_commands_options_values_and_files(ask: object, folder: Path) -> None:
    def asked(*words: str) -> set[str]:
        return set(ask(folder, *words))  # type: ignore[operator]

    top = {command.path[-1] for command in TREE.commands}
    assert asked("dataguard", "") == top
    assert asked("dataguard", "che") == {"check"}
    assert asked("dataguard", "schema", "") == {"infer", "check"}
    assert {"--fail-on", "--format"} <= asked("dataguard", "check", "--f") <= {"--fail-on", "--format", "--fix"}
    assert asked("dataguard", "check", "--fail-on", "") == {"info", "warning", "error"}
    assert asked("dataguard", "check", "data", "--fail-on", "w") == {"warning"}
    assert asked("dataguard", "environment", "--format", "") == {"terminal", "json"}
    assert asked("dataguard", "rules", "--format", "") == {"terminal", "json"}
    assert asked("dataguard", "rule", "label-n") == {"label-noise"}
    assert asked("dataguard", "check", "--select", "DG101,label-n") == {"DG101,label-noise"}
    assert asked("dataguard", "check", "-o", "rep") == {"report.html"}
    assert {name.rstrip("/") for name in asked("dataguard", "check", "da")} >= {"data"}
    assert asked("dataguard", "check", "--seed", "da") == set()


def test_bash_completes_what_stands_after_an_equals_sign(folder: Path) -> None:
    # Readline makes three words of --fail-on=w.
    assert by_bash(folder, "dataguard", "check", "--fail-on", "=", "w") == ["warning"]
    assert by_bash(folder, "dataguard", "check", "--fail-on", "=") == ["info", "warning", "error"]


def typed(command: list[str], keys: list[tuple[str, str]], folder: Path) -> str:
    """What an interactive shell shows: each text is typed after what is waited for has been shown."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TERM": "dumb",
            "PS1": "ready> ",
            "COLUMNS": "200",
        }
        os.execve(command[0], command, environment)  # noqa: S606
    shown, seen, deadline = "", 0, time.monotonic() + 60
    try:
        for expected, text in [*keys, ("done", "")]:
            while (found := re.search(expected, shown[seen:])) is None:
                assert time.monotonic() < deadline, f"waited for {expected!r}: {shown!r}"
                if select.select([terminal], [], [], 0.2)[0]:
                    try:
                        shown += os.read(terminal, 4096).decode(errors="replace")
                    except OSError as error:
                        raise AssertionError(shown) from error
            seen += found.end()
            os.write(terminal, text.encode())
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return shown


@pytest.mark.slow
def test_bash_completes_a_line_that_is_typed(folder: Path) -> None:
    bash = shell_named("bash")
    keys = [
        ("ready> ", f"source {script('bash', folder)}\n"),
        ("ready> ", "dataguard() { printf '<%s>' \"$@\"; echo; }\n"),
        ("ready> ", "dataguard che\t--fail-on=w\tdata\\ s\t; echo do''ne\n"),
    ]
    shown = typed([bash, "--norc", "--noprofile", "-i"], keys, folder)
    assert "<check><--fail-on=warning><data set.csv>" in shown.replace("\r", "")


@pytest.mark.slow
@pytest.mark.parametrize("sourced", [True, False], ids=["sourced", "autoloaded"])
def test_zsh_completes_a_line_that_is_typed(folder: Path, sourced: bool) -> None:
    zsh = shell_named("zsh")
    (folder / "functions").mkdir()
    shutil.copy(script("zsh", folder), folder / "functions" / "_dataguard")
    ways = ("true", f"source {script('zsh', folder)}") if sourced else ("fpath=(~/functions $fpath)", "true")
    keys = [
        ("ready> ", f"{ways[0]}\n"),
        ("ready> ", "autoload -U compinit; compinit -u -D\n"),
        ("ready> ", f"{ways[1]}\n"),
        ("ready> ", "dataguard() { printf '<%s>' \"$@\"; echo; }\n"),
        ("ready> ", "dataguard che\t--fail-on w\t-o rep\tdata\\ s\t; echo do''ne\n"),
    ]
    shown = typed([zsh, "-f", "-i"], keys, folder)
    assert "<check><--fail-on><warning><-o><report.html><data set.csv>" in shown.replace("\r", "")


def test_walking_gives_every_command_once() -> None:
    names = [command.name for command in TREE.walk()]
    assert len(names) == len(set(names))
    assert isinstance(TREE, Command)
