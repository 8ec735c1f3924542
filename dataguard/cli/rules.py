"""``dataguard rules``: every rule in a line."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "rules", help="list every rule", description="List every rule: code, name, severity and what it finds."
    )
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal", help="(default: terminal)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.rules import all_rules, broken_plugins

    rules = all_rules()
    for plugin in broken_plugins():
        print(f"not listed: {plugin.error.message}", file=sys.stderr)
    if arguments.format == "json":
        import json

        listed = [
            {
                "code": rule.code,
                "name": rule.name,
                "severity": rule.severity.word,
                "summary": rule.summary,
                "options": {name: option.default for name, option in rule.options.items()},
            }
            for rule in rules
        ]
        print(json.dumps(listed, indent=2))
        return 0

    from rich.console import Console
    from rich.table import Table

    from dataguard.cli.reporting import terminal_style

    width, color = terminal_style()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("code", "severity", "name"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it finds")
    for rule in rules:
        table.add_row(rule.code, rule.severity.word, rule.name, rule.summary)
    console = Console(
        file=sys.stdout, width=width, no_color=not color, highlight=False, markup=False, force_terminal=color
    )
    console.print(table)
    console.print("\n`dataguard rule CODE` shows a rule's page.")
    return 0
