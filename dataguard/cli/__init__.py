"""The command line: one file a command, and the only place that prints or exits.

Nothing heavy is imported before a command runs, so that ``--help`` is instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from dataguard import __version__
from dataguard.cli import (
    audit,
    baseline,
    bisect,
    check,
    completion,
    diff,
    environment,
    init,
    lock,
    merge,
    pin,
    probe,
    probe_training,
    report,
    reproduce,
    rule,
    rules,
    schema,
    snapshot,
)
from dataguard.cli.github_log import inert_streams
from dataguard.core.errors import DataguardError, ExitCode
from dataguard.core.text import printable

_EPILOG = """\
exit codes:
  0  nothing at or above --fail-on was found
  1  at least one finding at or above --fail-on
  2  the job could not be done: bad configuration, unreadable source, full disk
  3  nothing was checked

start here:
  dataguard check path/to/dataset             check a folder of images, or a table
  dataguard check data.csv -o report.html     the same, with a report to look at
  dataguard audit path/to/repository          what a model's code does to pictures
  dataguard init path/to/dataset              write a configuration to keep
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="dataguard",
        description="Check data, preprocessing and reproducibility before you train on it, trust it or publish it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dataguard {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        check,
        baseline,
        report,
        merge,
        snapshot,
        diff,
        schema,
        audit,
        probe,
        probe_training,
        lock,
        reproduce,
        bisect,
        environment,
        pin,
        init,
        rules,
        rule,
        completion,
    ):
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The arguments without the program's name; by default those of the process.

    Returns:
        The exit code; see `ExitCode`.
    """
    # A file name that is not UTF-8 must not end a run when it is printed.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    with inert_streams():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except DataguardError as error:
        print("dataguard:", printable(str(error), keep="\n"), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`); Python would complain once more while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print("dataguard:", printable(f"{place}{error.strerror or error}"), file=sys.stderr)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        print("dataguard: interrupted", file=sys.stderr)
        return 130
    return code
