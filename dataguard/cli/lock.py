"""``dataguard lock``: lock a result with everything that it depends on."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dataguard.cli.progress_bar import progress_bar
from dataguard.cli.reporting import add_report_options, listed, reasons
from dataguard.cli.reproduce import add_runner_arguments, container_of, finish

_DESCRIPTION = """\
Run the inference that dataguard.toml declares, measure how much its result
moves by itself, and write dataguard.lock with golden outputs beside it: what a
later `dataguard reproduce` is held against.

  [inference]
  entry = "infer.py:predict"      a function of a list of paths
  inputs = "images"               returns an array, or one a stage:
  weights = "model.pt"            {"decoded": …, "preprocessed": …, "logits": …}
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "lock",
        help="lock a result with everything that it depends on",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the nearest dataguard.toml)")
    parser.add_argument("--lock", metavar="FILE", help="where to write it (default: dataguard.lock beside that)")
    add_runner_arguments(parser, "here (default) or docker, in which the environment's packages are mounted")
    parser.add_argument("--environment", metavar="VENV", help="the virtual environment to run in (default: this one)")
    parser.add_argument("--offline", action="store_true", help="ask no package index for the hashes of archives")
    parser.add_argument(
        "--no-exports",
        action="store_true",
        help="write neither pylock.toml, nor the bill of materials, nor manifests for signing",
    )
    add_report_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.engine import lock

    with progress_bar(sys.stderr) as progress:
        report = lock(
            arguments.config,
            output=arguments.lock,
            runner=arguments.runner,
            environment=arguments.environment,
            container=container_of(arguments),
            offline=arguments.offline,
            exports=not arguments.no_exports,
            select=listed(arguments.select),
            ignore=reasons(arguments.ignore),
            progress=progress,
        )
    return finish(report, arguments)
