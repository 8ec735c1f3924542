"""``dataguard reproduce``: run a locked result again, and say whether it is the same."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.cli.progress_bar import progress_bar
from dataguard.cli.reporting import add_report_options, format_named, listed, output_named, reasons, write
from dataguard.core.errors import ConfigurationError

if TYPE_CHECKING:
    from dataguard.core.report import Report
    from dataguard.engine.runners import Container

_DESCRIPTION = """\
Run a locked result again and hold it against the golden outputs, stage by
stage: bitwise, float noise, decision-safe or changed. Exits with 1 where it
changed, or where weights, data or golden outputs are not those of the lock.
"""

_EPILOG = """\
runners:
  here       --environment, or the configuration's, or this one (default)
  process    a fresh virtual environment made from the lock
  docker     a container without network, of the lock's packages, or those of
             --environment; LOCK may be what --bundle wrote

examples:
  dataguard reproduce
  dataguard reproduce --runner process -o report.html
  dataguard reproduce --package Pillow==9.5.0 --batch-size 1
  dataguard reproduce --runner docker --image python:3.11-slim
  dataguard reproduce --runner docker --package Pillow==9.5.0
  dataguard reproduce --bundle result.tar; dataguard reproduce result.tar
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "reproduce",
        help="run a locked result again, and say whether it is the same",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lock", nargs="?", default="dataguard.lock", metavar="LOCK", help="the lock, or its folder")
    add_runner_arguments(parser, "here (default), process or docker")
    parser.add_argument(
        "--bundle",
        metavar="FILE",
        help="for docker: write an archive with image, code, data and lock, and run that; it needs no network",
    )
    add_situation_arguments(parser)
    add_report_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def add_runner_arguments(parser: argparse.ArgumentParser, known: str) -> None:
    """Add where it is run."""
    parser.add_argument("--runner", metavar="RUNNER", default="here", help=known)
    parser.add_argument(
        "--image", metavar="IMAGE", help="for docker: what to run in (default: the lock's, or docker/engine.sh's)"
    )
    parser.add_argument("--gpus", action="store_true", help="for docker: give the container the graphics cards")


def add_situation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be made different from the lock."""
    parser.add_argument("--environment", metavar="VENV", help="the virtual environment to run in (default: this one)")
    parser.add_argument("--batch-size", metavar="N", type=int, help="over the lock's")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="an environment variable, over the lock's"
    )
    parser.add_argument(
        "--package",
        metavar="NAME==VERSION",
        action="append",
        default=[],
        help="take this version in place of the environment's; the environment itself stays as it is",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.engine.bundles import reproduce

    check_situation(arguments)
    with progress_bar(sys.stderr) as progress:
        report = reproduce(
            arguments.lock,
            runner=arguments.runner,
            environment=arguments.environment,
            container=container_of(arguments),
            bundle=arguments.bundle,
            batch_size=arguments.batch_size,
            variables=variables(arguments.set),
            packages=arguments.package,
            select=listed(arguments.select),
            ignore=reasons(arguments.ignore),
            progress=progress,
        )
    return finish(report, arguments)


def container_of(arguments: argparse.Namespace) -> Container | None:
    """What is asked of a container; None where nothing is."""
    from dataguard.engine.runners import Container

    if arguments.image is None and not arguments.gpus:
        return None
    return Container(image=arguments.image, gpus=arguments.gpus)


def check_situation(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be run, before anything is.

    Raises:
        ConfigurationError: a number is out of range.
    """
    if arguments.batch_size is not None and arguments.batch_size < 1:
        raise ConfigurationError(f"expected at least 1, got {arguments.batch_size}", where="--batch-size")


def variables(values: list[str]) -> dict[str, str]:
    """Environment variables of texts as NAME=VALUE.

    Raises:
        ConfigurationError: one is not of that form.
    """
    found = {}
    for value in values:
        name, equals, content = value.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"expected NAME=VALUE, got {value!r}", where="--set")
        found[name] = content
    return found


def finish(report: Report, arguments: argparse.Namespace) -> int:
    """Write a report as the arguments say, and give the exit code."""
    from dataguard.config import severity_named
    from dataguard.core.finding import Severity

    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else Severity.ERROR
    write(report, outputs, [], shown, arguments.verbose, fail_on, arguments.strict)
    return report.exit_code(fail_on=fail_on, strict=arguments.strict)
