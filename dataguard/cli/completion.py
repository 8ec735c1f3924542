"""``dataguard completion``: a script that completes the command line, for bash, zsh and fish."""

from __future__ import annotations

import argparse
import sys
from typing import Any

SHELLS = ("bash", "zsh", "fish")
_DESCRIPTION = """\
Print a script that completes commands, options, their values and file names.

  bash   dataguard completion bash > ~/.local/share/bash-completion/completions/dataguard
  zsh    dataguard completion zsh > "${fpath[1]}/_dataguard"
  fish   dataguard completion fish > ~/.config/fish/completions/dataguard.fish

It is made from this version's command line; make it again after an update.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "completion",
        help="print a script for shell completion",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell that it is for")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    # The parser imports this file.
    from dataguard.cli import build_parser
    from dataguard.cli.completion_scripts import SCRIPTS
    from dataguard.cli.completion_tree import tree_of

    sys.stdout.write(SCRIPTS[arguments.shell](tree_of(build_parser())))
    return 0
