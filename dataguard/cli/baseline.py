"""``dataguard baseline``: record today's findings, so that only later ones fail."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.cli.check import add_subject_options, checked, configured
from dataguard.cli.stored import read_report

if TYPE_CHECKING:
    from dataguard.core.baseline import Baseline

FILE_NAME = "dataguard-baseline.json"
_DESCRIPTION = """\
Check, and record what is found as known: `dataguard check --baseline FILE` then
fails for new findings alone. A finding is told by its rule, by what it is about
and by its places, not by figures or by the order of the data.

  dataguard baseline path/to/dataset
  dataguard check path/to/dataset --baseline dataguard-baseline.json

or, for good, in dataguard.toml:  baseline = "dataguard-baseline.json"
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "baseline",
        help="record today's findings, so that only later ones fail",
        description=_DESCRIPTION,
        epilog="PATH may be a JSON report, as -o results.json writes it: then nothing is\nchecked again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_subject_options(parser)
    parser.add_argument(
        "--select", metavar="RULES", action="append", default=[], help="run these only: codes, prefixes or names"
    )
    parser.add_argument("--ignore", metavar="RULES", action="append", default=[], help="do not run these")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"the baseline (default: the configuration's, or {FILE_NAME} beside the configuration)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.core.atomic import write_atomically
    from dataguard.core.baseline import dump, recorded
    from dataguard.core.text import printable

    path = None if arguments.output is None else Path(arguments.output)
    if arguments.path is not None and arguments.path.endswith(".json"):
        report = read_report(Path(arguments.path))
        path = path or Path(FILE_NAME)
    else:
        config = configured(arguments)
        folder = Path.cwd() if config.origin is None else config.base
        path = path or folder / (config.baseline or FILE_NAME)
        # What the old baseline knows is to be in the new one, as far as it is still there.
        report = checked(dataclasses.replace(config, baseline=None), arguments, baseline=None)
    made = recorded(report)
    before = _there(path)
    write_atomically(path, dump(made))
    print(f"{printable(str(path))}: {_findings(len(made.entries))} recorded{_changes(before, made)}")
    return 0


def _there(path: Path) -> Baseline | None:
    """The baseline that the new one replaces.

    Raises:
        DataguardError: what is there is no baseline; it is not overwritten.
    """
    from dataguard.core.baseline import load

    if not path.exists():
        return None
    return load(path.read_text(encoding="utf-8", errors="replace"), where=str(path.absolute()))


def _changes(before: Baseline | None, made: Baseline) -> str:
    if before is None:
        return ""
    old = {entry.fingerprint for entry in before.entries}
    new = {entry.fingerprint for entry in made.entries}
    return f"; {len(new - old):,} of them new, {len(old - new):,} gone since the last"


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count:,} findings"
