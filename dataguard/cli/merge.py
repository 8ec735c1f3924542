"""``dataguard merge``: join the reports of jobs that shared the work."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from dataguard.cli.reporting import add_output_files, output_named, write
from dataguard.cli.stored import add_verdict_options, read_report, verdict
from dataguard.core.errors import ConfigurationError, ExitCode

_DESCRIPTION = """\
Join the JSON reports of jobs that shared the work, by rules, by parts of the
data or by what they look at. The order does not matter. Of one rule, what ran
takes the place of what another job skipped, ignored or did not reach.

  dataguard check data --select DG1 -o labels.json      in one job
  dataguard check data --select DG3 -o splits.json      in another
  dataguard merge labels.json splits.json -o merged.json
"""
_EPILOG = """\
Where jobs say different things of one rule and one subject, all of it is in the
joined report, the conflict is named, and the exit code is 2.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "merge",
        help="join the reports of jobs that shared the work",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="REPORT", nargs="+", help="a report, as -o results.json writes it")
    add_output_files(
        parser,
        "write the joined report there, in the format of the suffix; may be given several times",
        required=True,
    )
    add_verdict_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.core.merging import conflicts, merged
    from dataguard.core.text import printable

    outputs = [output_named(Path(name), None, len(arguments.output)) for name in arguments.output]
    targets = {path.absolute() for path, _ in outputs}
    for name in arguments.paths:
        if Path(name).absolute() in targets:
            raise ConfigurationError("it would be overwritten", where=f"--output {name}", hint="name another file")
    report = merged(read_report(Path(name)) for name in arguments.paths)
    fail_on, strict, code = verdict(report, arguments)
    write(report, outputs, [], "", False, fail_on, strict, confined=True)
    found = conflicts(report)
    for conflict in found:
        print(f"dataguard: conflict: {printable(str(conflict))}", file=sys.stderr)
    n = len(arguments.paths)
    print(
        f"{n} {'report' if n == 1 else 'reports'} joined: {len(report.runs)} rules, {_count(list(report.findings))}; "
        f"written to {', '.join(printable(str(path)) for path, _ in outputs)}"
    )
    return int(ExitCode.FAILED) if found else code


def _count(findings: list[Any]) -> str:
    return "1 finding" if len(findings) == 1 else f"{len(findings):,} findings"
