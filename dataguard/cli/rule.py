"""``dataguard rule CODE``: a rule's page."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "rule",
        help="show a rule's page",
        description="Show a rule's page: what it finds, why that is bad, how it decides, and how to fix it.",
    )
    parser.add_argument("rule", metavar="RULE", help="a code or a name, as DG102 or class-imbalance")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.core.errors import ConfigurationError, did_you_mean
    from dataguard.rules import all_rules

    wanted = arguments.rule
    for rule in all_rules():
        if wanted.upper() == rule.code or wanted.lower() == rule.name:
            _show(rule)
            return 0
    names = [name for rule in all_rules() for name in (rule.code, rule.name)]
    hint = did_you_mean(wanted, names)
    raise ConfigurationError(
        f"no rule {wanted!r}", hint=hint if hint.startswith("did you") else "`dataguard rules` lists them"
    )


def _show(rule: Any) -> None:
    from dataguard.cli.reporting import terminal_style
    from dataguard.rules.pages import page

    width, color = terminal_style()
    text = page(rule)
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(width=width, no_color=not color).print(Markdown(text))
