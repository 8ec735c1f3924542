"""``dataguard report``: show one stored report in any format."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from dataguard.cli.reporting import (
    add_output_options,
    add_summary_option,
    append_summary,
    format_named,
    output_named,
    summary_file,
    write,
)
from dataguard.cli.stored import add_verdict_options, read_report, verdict
from dataguard.core.errors import SourceError

_DESCRIPTION = """\
Show a report that was written as JSON, in any format: nothing is checked again.

  dataguard check data -o results.json
  dataguard report results.json                                in the terminal
  dataguard report results.json -o report.html -o results.sarif
  dataguard report results.json --format junit -o tests.xml
"""
_EPILOG = """\
Pictures are read from below the report's root alone, whatever the report says,
so that a stranger's report shows nothing else of this machine. --root says
where that folder is here.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "report",
        help="show a stored report in any format",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="REPORT", help="a report, as -o results.json writes it")
    add_output_options(parser, "write the report there")
    add_summary_option(parser)
    parser.add_argument("--root", metavar="FOLDER", help="where the folder that was checked is on this machine")
    add_verdict_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.core.paths import encode_path

    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "" if outputs else "terminal"
    summary = summary_file() if arguments.github_summary else None
    report = read_report(Path(arguments.path))
    if arguments.root is not None:
        root = Path(arguments.root).absolute()
        if not root.is_dir():
            raise SourceError("no such folder", where=root, hint="--root names the folder that was checked")
        report = dataclasses.replace(report, subject=dataclasses.replace(report.subject, root=encode_path(str(root))))
    fail_on, strict, code = verdict(report, arguments)
    if summary is not None:
        append_summary(report, summary, fail_on, strict)
        shown = "" if arguments.format is None else shown
    write(report, outputs, [], shown, arguments.verbose, fail_on, strict, confined=True)
    return code
