"""``dataguard check``: gate a dataset version."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from dataguard.core.report import Report

FORMATS = ("terminal", "json", "html")
_SUFFIXES = {".json": "json", ".html": "html", ".htm": "html", ".txt": "terminal"}

_DESCRIPTION = """\
Check a dataset version: wrong labels, starved classes, copies across splits,
unreadable files, broken schemas. The answer is in the exit code.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="gate a dataset version",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="a folder of images, a .csv or .parquet file, or a dataguard.toml "
        "(default: what the configuration of this folder names)",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the nearest dataguard.toml)")
    parser.add_argument(
        "--select", metavar="RULES", action="append", default=[], help="run these only: codes, prefixes or names"
    )
    parser.add_argument(
        "--ignore",
        metavar="RULES",
        action="append",
        default=[],
        help="do not run these; RULE=REASON says why in the report",
    )
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", help="the least severity that exits with 1: info, warning, error (default)"
    )
    parser.add_argument("--strict", action="store_true", help="a skipped or inconclusive rule exits with 2")
    parser.add_argument(
        "--format", metavar="FORMAT", help=f"what is written: {', '.join(FORMATS)} (default: by the file's suffix)"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        action="append",
        default=[],
        help="write the report there as well; may be given several times",
    )
    parser.add_argument("--jobs", metavar="N", type=int, help="threads (default: one a core)")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep what was computed")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.config import severity_named
    from dataguard.engine import check, resolve_config
    from dataguard.rules import all_rules

    outputs = [_output(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = _format_named(arguments.format) if arguments.format and not outputs else "terminal"
    if arguments.jobs is not None and arguments.jobs < 1:
        raise ConfigurationError(f"expected at least 1, got {arguments.jobs}", where="--jobs")
    config = resolve_config(arguments.path, arguments.config, all_rules())
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else config.fail_on
    strict = arguments.strict or config.strict
    with _progress() as progress:
        report = check(
            config=config,
            select=_listed(arguments.select) or None,
            ignore=_reasons(arguments.ignore),
            jobs=arguments.jobs,
            cache=not arguments.no_cache,
            progress=progress,
        )
    _write(report, outputs, shown, arguments.verbose, fail_on, strict)
    return report.exit_code(fail_on=fail_on, strict=strict)


def _write(
    report: Report, outputs: list[tuple[Path, str]], shown: str, verbose: bool, fail_on: Any, strict: bool
) -> None:
    from dataguard.core.atomic import write_atomically
    from dataguard.core.errors import OutputError

    failures: list[OutputError] = []
    for path, kind in outputs:
        try:
            write_atomically(path, _rendered(report, kind, verbose=verbose, fail_on=fail_on, strict=strict))
        except OutputError as error:
            # What was found must still reach the person who waited for it.
            failures.append(error)
    written = [path for path, _ in outputs if not any(error.where == str(path) for error in failures)]
    text = _rendered(report, shown, verbose=verbose, fail_on=fail_on, strict=strict, to_terminal=True, written=written)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    if failures:
        raise failures[0]


def _rendered(
    report: Report,
    kind: str,
    *,
    verbose: bool,
    fail_on: Any,
    strict: bool,
    to_terminal: bool = False,
    written: list[Path] | None = None,
) -> str:
    if kind == "json":
        from dataguard.formats import json

        return json.dump(report)
    if kind == "html":
        from dataguard.formats import html

        return html.render(report, fail_on=fail_on, strict=strict)
    from dataguard.formats import terminal

    width, color = terminal_style() if to_terminal else (80, False)
    return terminal.render(
        report, width=width, color=color, verbose=verbose, fail_on=fail_on, strict=strict, written=written or []
    )


def terminal_style() -> tuple[int, bool]:
    """How wide standard output is, in columns, and whether it takes colour."""
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    color = is_terminal and not os.environ.get("NO_COLOR")
    if not is_terminal:
        return int(os.environ.get("COLUMNS") or 80), color
    # Lines longer than this are hard to read, however wide the window is.
    return min(os.get_terminal_size(sys.stdout.fileno()).columns, 110), color


def _output(path: Path, format_name: str | None, n_outputs: int) -> tuple[Path, str]:
    if format_name is not None:
        if n_outputs > 1:
            raise ConfigurationError(
                "one format for several files", where="--format", hint="leave it out: the suffixes say it"
            )
        return path, _format_named(format_name)
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(
            "the suffix names no format", where=f"--output {path}", hint="end it in .html or .json, or add --format"
        )
    return path, _SUFFIXES[path.suffix.lower()]


def _format_named(name: str) -> str:
    if name not in FORMATS:
        raise ConfigurationError(f"unknown format {name!r}", where="--format", hint=did_you_mean(name, FORMATS))
    return name


def _listed(values: list[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def _reasons(values: list[str]) -> dict[str, str]:
    reasons = {}
    for value in values:
        selector, equals, reason = value.partition("=")
        if equals:
            if not reason.strip():
                raise ConfigurationError("empty reason", where=f"--ignore {value}", hint="write RULE=why")
            reasons[selector.strip()] = reason.strip()
        else:
            reasons.update(dict.fromkeys(_listed([value]), "given on the command line"))
    return reasons


def _progress() -> Any:
    from dataguard.cli.progress_bar import progress_bar

    return progress_bar(sys.stderr)
