"""``dataguard audit``: read a repository and say what its preprocessing is."""

from __future__ import annotations

import argparse
import atexit
import gc
import sys
from pathlib import Path
from typing import Any

from dataguard.cli.progress_bar import progress_bar
from dataguard.cli.reporting import add_report_options, format_named, listed, output_named, reasons, write
from dataguard.core.errors import ConfigurationError
from dataguard.core.python_files import uncollected

_DESCRIPTION = """\
Read a repository and say what its training, evaluation and serving do to a
picture: decoder, channel order, resize, kernel, values, layout; and where they
disagree. What is fitted before the split, weights that run code, and what its
requirements leave open are in the same report.

Nothing of the repository is imported or run, unless --probe is given.
"""

_EPILOG = """\
PATH is
  a folder                      as its files lie there, or with --rev one
                                revision of its git repository
  a wheel or a zip              read as it is; nothing is installed

examples:
  dataguard audit some-github-model
  dataguard audit some-github-model --rev v1.2 -o report.html
  dataguard audit model-1.0-py3-none-any.whl --format json
  dataguard audit some-github-model --select DG4 --fail-on warning
  dataguard audit some-github-model --probe --sandbox docker --image IMAGE

a finding that is meant is taken back in the audited source, at its line:
  frame = Image.fromarray(bgr)  # dataguard: ignore[DG420] trained on BGR
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "audit",
        help="read a repository and say what its preprocessing is",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="a folder, a wheel or a zip; see below")
    parser.add_argument("--rev", metavar="REV", help="a branch, tag or commit of the folder's git repository")
    parser.add_argument(
        "--probe",
        action="store_true",
        help="ask the functions of paths of which something cannot be read; this runs the repository's code, in a "
        "process of its own",
    )
    parser.add_argument(
        "--sandbox", metavar="KIND", help="docker: ask in a container without network and with nothing to write"
    )
    parser.add_argument("--image", metavar="IMAGE", help="the sandbox's image: it has what the repository imports")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="time for one call of --probe (default: 30)")
    add_report_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    # What was read are a million objects, among which Python would look for cycles once more before it ends.
    atexit.register(gc.freeze)
    with uncollected():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from dataguard.config import severity_named
    from dataguard.core.finding import Severity
    from dataguard.engine import audit

    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else Severity.ERROR
    _check_probe(arguments)
    with progress_bar(sys.stderr) as progress:
        report = audit(
            arguments.path,
            rev=arguments.rev,
            probe=arguments.probe,
            sandbox=arguments.image,
            timeout=arguments.timeout,
            select=listed(arguments.select),
            ignore=reasons(arguments.ignore),
            pictures=any(kind != "terminal" for kind in (shown, *(kind for _, kind in outputs))),
            progress=progress,
        )
    write(report, outputs, [], shown, arguments.verbose, fail_on, arguments.strict)
    return report.exit_code(fail_on=fail_on, strict=arguments.strict)


def _check_probe(arguments: argparse.Namespace) -> None:
    for name in ("sandbox", "image", "timeout"):
        if getattr(arguments, name) is not None and not arguments.probe:
            raise ConfigurationError("nothing is asked", where=f"--{name}", hint="add --probe, or leave it out")
    if arguments.timeout is not None and not 0 < arguments.timeout < float("inf"):
        raise ConfigurationError(f"expected a number above 0, got {arguments.timeout:g}", where="--timeout")
    if arguments.sandbox not in (None, "docker"):
        raise ConfigurationError(f"unknown sandbox {arguments.sandbox!r}", where="--sandbox", hint="known: 'docker'")
    if (arguments.sandbox is None) != (arguments.image is None):
        raise ConfigurationError(
            "a sandbox and an image go together",
            where="--sandbox, --image",
            hint="add --sandbox docker --image IMAGE",
        )
