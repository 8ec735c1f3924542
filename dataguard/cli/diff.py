"""``dataguard diff``: what changed between two versions of a dataset."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from dataguard.cli.reporting import add_report_options, format_named, listed, output_named, reasons, write
from dataguard.core.errors import ConfigurationError

_DESCRIPTION = """\
Say what changed between two versions of a dataset: samples that were added,
removed, modified, relabelled, moved to another split or renamed, and whether
labels, pictures and columns drifted. OLD and NEW are snapshots, datasets (which
are scanned), or lists of files that DVC keeps (.dvc/cache/files/md5/…/….dir).

  dataguard diff data.snapshot data -o diff.html
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff",
        help="say what changed between two versions of a dataset",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="the former version")
    parser.add_argument("new", metavar="NEW", help="the later version")
    parser.add_argument("--config", metavar="FILE", help="the configuration that datasets are read by")
    add_report_options(parser)
    parser.add_argument("--jobs", metavar="N", type=int, help="threads (default: one a core)")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep what was computed")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.cli.progress_bar import progress_bar
    from dataguard.config import severity_named
    from dataguard.core.finding import Severity
    from dataguard.engine import diff

    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    if arguments.jobs is not None and arguments.jobs < 1:
        raise ConfigurationError(f"expected at least 1, got {arguments.jobs}", where="--jobs")
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else Severity.ERROR
    with progress_bar(sys.stderr) as progress:
        report = diff(
            arguments.old,
            arguments.new,
            config=arguments.config,
            select=listed(arguments.select) or None,
            ignore=reasons(arguments.ignore),
            jobs=arguments.jobs,
            cache=not arguments.no_cache,
            progress=progress,
        )
    write(report, outputs, [], shown, arguments.verbose, fail_on, arguments.strict)
    return report.exit_code(fail_on=fail_on, strict=arguments.strict)
