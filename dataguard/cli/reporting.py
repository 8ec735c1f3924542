"""What commands that report have in common: which rules run, how bad is too bad, and where the report goes."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, OutputError, did_you_mean

if TYPE_CHECKING:
    from dataguard.core.report import Report
    from dataguard.core.report_format import ReportFormat

FORMATS = ("terminal", "json", "html", "sarif", "markdown", "junit", "github", "gitlab")
JUDGES = ("DG101",)
"""The rules that judge every sample, and so fill an export."""
_SUFFIXES = {".json": "json", ".sarif": "sarif", ".html": "html", ".htm": "html", ".md": "markdown", ".txt": "terminal"}
_ENDINGS = {
    ".junit.xml": "junit",
    ".gitlab.json": "gitlab",
    ".codequality.json": "gitlab",
    "-code-quality-report.json": "gitlab",
}
"""Ends of names that say more than the suffix does; GitLab's own name is ``gl-code-quality-report.json``."""


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which rules run, what exits with 1, and what is written."""
    parser.add_argument(
        "--select", metavar="RULES", action="append", default=[], help="run these only: codes, prefixes or names"
    )
    parser.add_argument(
        "--ignore",
        metavar="RULES",
        action="append",
        default=[],
        help="do not run these; RULE=REASON says why in the report; a reason may end in (until 2027-01-31)",
    )
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", help="the least severity that exits with 1: info, warning, error (default)"
    )
    parser.add_argument("--strict", action="store_true", help="a skipped or inconclusive rule exits with 2")
    add_output_options(parser)


def add_output_options(parser: argparse.ArgumentParser, written: str = "write the report there as well") -> None:
    """Add the options that say what is written, and where."""
    parser.add_argument(
        "--format", metavar="FORMAT", help=f"what is written: {', '.join(FORMATS)} (default: by the file's suffix)"
    )
    add_output_files(parser, f"{written}; may be given several times")


def add_output_files(parser: argparse.ArgumentParser, said: str, *, required: bool = False) -> None:
    """Add the option that names the files to be written."""
    parser.add_argument("-o", "--output", metavar="FILE", action="append", default=[], required=required, help=said)


def write(
    report: Report,
    outputs: list[tuple[Path, str]],
    exports: list[Path],
    shown: str,
    verbose: bool,
    fail_on: Any,
    strict: bool,
    *,
    confined: bool = False,
) -> None:
    """Write a report to its files, and to standard output as `shown` says; '' for nothing there.

    `confined` says that the report may be a stranger's: no picture from outside its root is read.

    Raises:
        OutputError: a file could not be written; the others were.
    """
    from dataguard.cli.github_log import print_report
    from dataguard.core.atomic import write_atomically

    failures: list[OutputError] = []
    # The export comes first, so that the reports can say that it is there.
    exported = []
    for path in exports:
        try:
            exported.append(_exported(report, path))
        except OutputError as error:
            # What was found must still reach the person who waited for it.
            failures.append(error)
    noted = dataclasses.replace(report, notes=(*report.notes, *(f"written to {text}" for text in exported)))
    for path, kind in outputs:
        try:
            write_atomically(
                path, _rendered(noted, kind, verbose=verbose, fail_on=fail_on, strict=strict, confined=confined)
            )
        except OutputError as error:
            failures.append(error)
    written = [path for path, _ in outputs if not any(error.where == str(path) for error in failures)]
    # The terminal says at its end what was written, where nobody has to scroll.
    text = (
        ""
        if not shown
        else _rendered(
            report if shown == "terminal" else noted,
            shown,
            verbose=verbose,
            fail_on=fail_on,
            strict=strict,
            to_terminal=True,
            confined=confined,
            written=written,
            exported=exported,
        )
    )
    if shown:
        print_report(text if text.endswith("\n") else text + "\n", shown)
    if failures:
        raise failures[0]


def _exported(report: Report, path: Path) -> str:
    """Write the export; what it is, in words."""
    from dataguard.core.atomic import write_atomically
    from dataguard.core.paths import encode_path
    from dataguard.formats.ranking import to_csv, to_parquet

    rankings = report.rankings
    if not rankings:
        reasons = [
            f"{run.code} {run.name}: {run.status.value}" + (f", {run.reason}" if run.reason else "")
            for run in report.runs
            if run.code in JUDGES
        ]
        raise OutputError(
            f"not written: no sample was judged ({'; '.join(reasons)})",
            where=path.absolute(),
            hint="what was there before is untouched",
        )
    write_atomically(path, to_parquet(rankings) if path.suffix.lower() == ".parquet" else to_csv(rankings))
    n_samples, n_errors = sum(map(len, rankings)), sum(ranking.n_errors for ranking in rankings)
    rows = "1 row" if n_samples == 1 else f"{n_samples:,} rows"
    return f"{encode_path(str(path.absolute()))}: {rows}, worst first, {n_errors:,} of them probably wrong"


def _rendered(
    report: Report,
    kind: str,
    *,
    verbose: bool,
    fail_on: Any,
    strict: bool,
    to_terminal: bool = False,
    written: list[Path] | None = None,
    exported: list[str] | None = None,
    confined: bool = False,
) -> str:
    if kind == "json":
        from dataguard.formats import json

        return json.dump(report)
    if kind == "html":
        from dataguard.formats import html

        return html.render(report, fail_on=fail_on, strict=strict, confined=confined)
    if kind == "sarif":
        from dataguard.formats import sarif
        from dataguard.rules import all_rules

        pages = {rule.code: rule.page for rule in all_rules()}
        return sarif.dump(report, pages=pages, fail_on=fail_on, strict=strict)
    if kind == "markdown":
        from dataguard.formats import markdown

        return markdown.render(report, fail_on=fail_on, strict=strict)
    if kind == "junit":
        from dataguard.formats import junit

        return junit.render(report, fail_on=fail_on, strict=strict)
    if kind == "github":
        from dataguard.formats import github

        return github.render(report, workspace=_repository(), fail_on=fail_on, strict=strict)
    if kind == "gitlab":
        from dataguard.formats import gitlab

        return gitlab.dump(report, repository=_repository())
    if kind != "terminal" and (added := _plugin_format(kind)) is not None:
        return _rendered_by(added, report, fail_on=fail_on, strict=strict)
    from dataguard.formats import terminal

    width, color = terminal_style() if to_terminal else (80, False)
    return terminal.render(
        report,
        width=width,
        color=color,
        verbose=verbose,
        fail_on=fail_on,
        strict=strict,
        written=written or [],
        exported=exported or [],
    )


def _rendered_by(added: ReportFormat, report: Report, *, fail_on: Any, strict: bool) -> str:
    from dataguard.core.plugins import PluginError

    try:
        return str(added.render(report, fail_on, strict))
    except Exception as error:
        raise PluginError(
            f"the format {added.name!r} failed: {type(error).__name__}: {error}",
            where=added.render.__module__,
            hint="mend, update or uninstall what adds it",
        ) from error


def _repository() -> str:
    """The folder that paths in a code host are relative to: the checkout of the job, or the current folder."""
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        if folder := os.environ.get(name):
            return folder
    return str(Path.cwd())


def add_summary_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that appends to a job summary of GitHub Actions."""
    parser.add_argument(
        "--github-summary",
        action="store_true",
        help="append the report, as Markdown, to the job summary of GitHub Actions ($GITHUB_STEP_SUMMARY)",
    )


def summary_file() -> Path:
    """The file of the job summary.

    Raises:
        ConfigurationError: there is none: this is no step of GitHub Actions.
    """
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        raise ConfigurationError(
            "GITHUB_STEP_SUMMARY is not set, so there is no job summary to append to",
            where="--github-summary",
            hint="leave it out where the job is not one of GitHub Actions, or write -o summary.md",
        )
    return Path(name)


def append_summary(report: Report, path: Path, fail_on: Any, strict: bool) -> None:
    """Append a report to a job summary, which other steps write to as well.

    Raises:
        OutputError: it cannot be written.
    """
    from dataguard.formats import markdown

    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown.render(report, fail_on=fail_on, strict=strict) + "\n")
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=path.absolute()) from error


def terminal_style() -> tuple[int, bool]:
    """How wide standard output is, in columns, and whether it takes colour."""
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    color = is_terminal and not os.environ.get("NO_COLOR")
    if not is_terminal:
        return int(os.environ.get("COLUMNS") or 80), color
    # Lines longer than this are hard to read, however wide the window is.
    return min(os.get_terminal_size(sys.stdout.fileno()).columns, 110), color


def output_named(path: Path, format_name: str | None, n_outputs: int) -> tuple[Path, str]:
    """A file to write, with the format that its suffix or ``--format`` names.

    Raises:
        ConfigurationError: neither names one.
    """
    if format_name is not None:
        if n_outputs > 1:
            raise ConfigurationError(
                "one format for several files", where="--format", hint="leave it out: the suffixes say it"
            )
        return path, format_named(format_name)
    for ending, kind in _ENDINGS.items():
        if path.name.lower().endswith(ending):
            return path, kind
    if path.suffix.lower() not in _SUFFIXES and (added := _plugin_with_ending(path)) is not None:
        return path, added
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(
            "the suffix names no format",
            where=f"--output {path}",
            hint="end it in .html, .json, .md, .sarif or .junit.xml, or add --format",
        )
    return path, _SUFFIXES[path.suffix.lower()]


def format_named(name: str) -> str:
    """The format of that name.

    Raises:
        ConfigurationError: there is none.
    """
    from dataguard.core import plugins

    known = (*FORMATS, *(plugin.name for plugin in plugins.plugins(plugins.FORMATS)))
    if name not in known:
        raise ConfigurationError(f"unknown format {name!r}", where="--format", hint=did_you_mean(name, known))
    _plugin_format(name)
    return name


def _plugin_format(name: str) -> ReportFormat | None:
    """The plug-in's format of that name; None for one of dataguard's own.

    Raises:
        PluginError: it cannot be used, or two have one name.
    """
    from dataguard.core import plugins
    from dataguard.core.report_format import ReportFormat

    named = [plugin for plugin in plugins.plugins(plugins.FORMATS) if plugin.name == name]
    if not named:
        return None
    others = ["dataguard"] if name in FORMATS else [plugin.distribution for plugin in named[1:]]
    if others:
        raise plugins.collision(named[0], f"the format {name!r}", others)
    found: ReportFormat = named[0].load(ReportFormat)
    if found.name != name:
        raise named[0].error(f"it calls itself {found.name!r}")
    return found


def _plugin_with_ending(path: Path) -> str | None:
    """The plug-in's format for a file's name; one that cannot be loaded is not asked."""
    from dataguard.core import plugins

    for plugin in plugins.plugins(plugins.FORMATS):
        with contextlib.suppress(plugins.PluginError):
            found = _plugin_format(plugin.name)
            if found is not None and path.name.lower().endswith(tuple(found.endings)):
                return found.name
    return None


def listed(values: list[str]) -> list[str]:
    """The words of options that may be given several times, and hold several words each."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def reasons(values: list[str]) -> dict[str, str]:
    """Rules to ignore, with the reason for each, which may say until when.

    Raises:
        ConfigurationError: a reason is empty, or ends on no day.
    """
    from dataguard.config.ignores import expiry

    reasons = {}
    for value in values:
        selector, equals, reason = value.partition("=")
        if equals:
            if not reason.strip():
                raise ConfigurationError("empty reason", where=f"--ignore {value}", hint="write RULE=why")
            expiry(reason, where=f"--ignore {value}")
            reasons[selector.strip()] = reason.strip()
        else:
            reasons.update(dict.fromkeys(listed([value]), "given on the command line"))
    return reasons
