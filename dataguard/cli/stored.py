"""Reports that were written as JSON: read, and judged as they were or as the command line says."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, DataguardError, SourceError

if TYPE_CHECKING:
    from dataguard.core.finding import Severity
    from dataguard.core.report import Report


def read_report(path: Path) -> Report:
    """The report that a JSON file holds.

    Raises:
        DataguardError: the file is missing or unreadable, is no report, or one of another schema version.
    """
    from dataguard.formats import json

    where = path.absolute()
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise SourceError("there is no such report", where=where, hint="write one with -o results.json") from error
    except IsADirectoryError as error:
        raise SourceError("it is a folder, not a report", where=where, hint="name the .json file in it") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"not a report: not UTF-8 at byte {error.start}", where=where) from error
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=where) from error
    if not text.strip():
        raise SourceError("the file is empty", where=where, hint="did the job that wrote it end early?")
    try:
        return json.load(text)
    except DataguardError as error:
        raise SourceError(
            error.message if error.where is None else f"{error.message} (at {error.where})",
            where=where,
            hint=error.hint,
        ) from error


def add_verdict_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that make a command end as a check would."""
    parser.add_argument(
        "--fail-on",
        metavar="SEVERITY",
        help="exit with 1 where there is a finding of that severity: info, warning, error; without it or --strict the "
        "exit code is 0, whatever the report says",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 2 where a rule was skipped or inconclusive")


def verdict(report: Report, arguments: argparse.Namespace) -> tuple[Severity, bool, int]:
    """The least severity that fails, whether it is strict, and the exit code.

    The first two are those of the run that made the report where the command line says nothing; the exit code is 0
    then.
    """
    from dataguard.config import severity_named

    fail_on, strict = _as_it_was(report)
    if arguments.fail_on:
        fail_on = severity_named(arguments.fail_on, where="--fail-on")
    asked = arguments.fail_on is not None or arguments.strict
    strict = strict or arguments.strict
    return fail_on, strict, int(report.exit_code(fail_on=fail_on, strict=strict)) if asked else 0


def _as_it_was(report: Report) -> tuple[Severity, bool]:
    """What its configuration says; of several the strictest."""
    from dataguard.config import severity_named
    from dataguard.core.finding import Severity

    held: Any = report.configuration.get("merged") or (report.configuration,)
    settings = [item for item in held if isinstance(item, Mapping)]
    found = []
    for item in settings:
        try:
            found.append(severity_named(str(item.get("fail_on", "error")), where="fail_on"))
        except ConfigurationError:
            found.append(Severity.ERROR)
    return min(found, default=Severity.ERROR), any(item.get("strict") is True for item in settings)
