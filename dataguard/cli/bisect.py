"""``dataguard bisect``: find the smallest set of differences that explains a changed result."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dataguard.cli.progress_bar import progress_bar
from dataguard.cli.reporting import add_report_options, listed, reasons
from dataguard.cli.reproduce import (
    add_runner_arguments,
    add_situation_arguments,
    check_situation,
    container_of,
    finish,
    variables,
)

_DESCRIPTION = """\
Run a locked result again with some of the differences undone: versions of
packages, environment variables, the instruction set, the batch size. What is
left is the smallest set that explains why the result is another.

  dataguard bisect
  dataguard bisect --environment ../other/.venv
  dataguard bisect --package Pillow==9.5.0 --package numpy==2.3.0
  dataguard bisect --runner docker --package Pillow==9.5.0
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "bisect",
        help="find which differences explain a changed result",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lock", nargs="?", default="dataguard.lock", metavar="LOCK", help="the lock, or its folder")
    add_runner_arguments(parser, "here (default), process or docker, as for reproduce")
    add_situation_arguments(parser)
    parser.add_argument("--bitwise", action="store_true", help="explain float noise too")
    parser.add_argument("--most-runs", metavar="N", type=int, help="when to stop (default: 60)")
    add_report_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.engine import bisect

    check_situation(arguments)
    with progress_bar(sys.stderr) as progress:
        report = bisect(
            arguments.lock,
            runner=arguments.runner,
            environment=arguments.environment,
            container=container_of(arguments),
            packages=arguments.package,
            variables=variables(arguments.set),
            batch_size=arguments.batch_size,
            bitwise=arguments.bitwise,
            most_runs=arguments.most_runs,
            select=listed(arguments.select),
            ignore=reasons(arguments.ignore),
            progress=progress,
        )
    return finish(report, arguments)
