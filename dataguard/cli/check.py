"""``dataguard check``: gate a dataset version."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, OutputError, did_you_mean

if TYPE_CHECKING:
    from dataguard.config import Config
    from dataguard.core.report import Report

FORMATS = ("terminal", "json", "html")
EXPORTS = (".csv", ".parquet")
JUDGES = ("DG101",)
"""The rules that judge every sample, and so fill an export."""

_SUFFIXES = {".json": "json", ".html": "html", ".htm": "html", ".txt": "terminal"}

_DESCRIPTION = """\
Check a dataset version: wrong labels, starved classes, copies across splits,
unreadable files, broken schemas. With --loader, check what a training loop is
fed: its order, its batches, its inputs. The answer is in the exit code.
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
        help="a folder of images, a .csv or .parquet file, a folder of these (train.csv, test.csv), "
        "or a dataguard.toml (default: what the configuration of this folder names)",
    )
    parser.add_argument(
        "--loader",
        metavar="TARGET",
        help="what feeds the training loop: module:name or file.py:name, a loader or a function that makes one; it is "
        "imported and run in a process of its own",
    )
    parser.add_argument(
        "--code",
        metavar="PATH",
        action="append",
        default=[],
        help="a script, a notebook, or a folder of these, that trains and evaluates: what is fitted before data are "
        "split is found in it; it is read, never run; may be given several times",
    )
    parser.add_argument(
        "--environment",
        metavar="PATH",
        help="a project's folder, or one of its files (requirements.txt): what it needs, pins and imports; read, never "
        "run",
    )
    parser.add_argument("--batches", metavar="N", type=int, help="batches of an epoch to look at (default: all)")
    parser.add_argument("--epochs", metavar="N", type=int, help="how often to go through the loader (default: 2)")
    parser.add_argument(
        "--loader-timeout", metavar="SECONDS", type=float, help="time for import and recording (default: 600)"
    )
    parser.add_argument("--seed", metavar="N", type=int, help="seed of the loader and of all permutations (default: 0)")
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
    parser.add_argument(
        "--export",
        metavar="FILE",
        action="append",
        default=[],
        help="write a table (.csv or .parquet) of every sample that label-noise judged, the most suspicious first",
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

    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    if arguments.jobs is not None and arguments.jobs < 1:
        raise ConfigurationError(f"expected at least 1, got {arguments.jobs}", where="--jobs")
    exports = [_export(Path(name), [path for path, _ in outputs]) for name in arguments.export]
    without_dataset = arguments.loader is not None or bool(arguments.code) or arguments.environment is not None
    config = resolve_config(arguments.path, arguments.config, all_rules(), with_loader=without_dataset)
    config = _with_loader(config, arguments)
    if exports:
        _require_judge(config, listed(arguments.select), reasons(arguments.ignore))
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else config.fail_on
    strict = arguments.strict or config.strict
    with _progress() as progress:
        report = check(
            config=config,
            code=arguments.code,
            environment=arguments.environment,
            select=listed(arguments.select) or None,
            ignore=reasons(arguments.ignore),
            jobs=arguments.jobs,
            cache=not arguments.no_cache,
            progress=progress,
        )
    write(report, outputs, exports, shown, arguments.verbose, fail_on, strict)
    return report.exit_code(fail_on=fail_on, strict=strict)


def _with_loader(config: Config, arguments: argparse.Namespace) -> Config:
    """The configuration with what the command line says of the loader."""
    import math

    changes: dict[str, Any] = {}
    if arguments.loader is not None:
        changes |= {"target": arguments.loader, "base": Path.cwd()}
    for name in ("batches", "epochs"):
        value = getattr(arguments, name)
        if value is not None:
            if value < 1:
                raise ConfigurationError(f"expected at least 1, got {value}", where=f"--{name}")
            changes[name] = value
    if arguments.loader_timeout is not None:
        if not 0 < arguments.loader_timeout < math.inf:
            raise ConfigurationError(
                f"expected seconds above 0, got {arguments.loader_timeout:g}", where="--loader-timeout"
            )
        changes["timeout"] = arguments.loader_timeout
    loader = dataclasses.replace(config.loader, **changes)
    if changes and loader.target is None:
        given = ", ".join("--loader-timeout" if name == "timeout" else f"--{name}" for name in changes)
        raise ConfigurationError(
            "there is no loader that it could hold for", where=given, hint="name one with --loader module:name"
        )
    if arguments.seed is not None and arguments.seed < 0:
        raise ConfigurationError(f"expected 0 or more, got {arguments.seed}", where="--seed")
    seed = config.seed if arguments.seed is None else arguments.seed
    return dataclasses.replace(config, loader=loader, seed=seed)


def write(
    report: Report,
    outputs: list[tuple[Path, str]],
    exports: list[Path],
    shown: str,
    verbose: bool,
    fail_on: Any,
    strict: bool,
) -> None:
    """Write a report to its files, and to standard output as `shown` says.

    Raises:
        OutputError: a file could not be written; the others were.
    """
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
            write_atomically(path, _rendered(noted, kind, verbose=verbose, fail_on=fail_on, strict=strict))
        except OutputError as error:
            failures.append(error)
    written = [path for path, _ in outputs if not any(error.where == str(path) for error in failures)]
    # The terminal says at its end what was written, where nobody has to scroll.
    text = _rendered(
        report if shown == "terminal" else noted,
        shown,
        verbose=verbose,
        fail_on=fail_on,
        strict=strict,
        to_terminal=True,
        written=written,
        exported=exported,
    )
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    if failures:
        raise failures[0]


def _export(path: Path, outputs: list[Path]) -> Path:
    """The target of an export, looked at before the long part of the run."""
    if path.suffix.lower() not in EXPORTS:
        raise ConfigurationError(
            "the suffix names no kind of table", where=f"--export {path}", hint="end it in .csv or .parquet"
        )
    target = path.absolute()
    if target in (output.absolute() for output in outputs):
        raise ConfigurationError("the report goes to the same file", where=f"--export {path}", hint="name another")
    if target.is_dir():
        raise OutputError("cannot be written: it is a folder", where=target, hint="name a file, not a folder")
    if not target.parent.is_dir():
        raise OutputError("cannot be written: there is no such folder", where=target, hint="create the folder first")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(
            "cannot be written: no permission", where=target, hint="you may not write there: choose another place"
        )
    return path


def _require_judge(config: Config, select: list[str], ignore: dict[str, str]) -> None:
    """An export of a rule that will not run is a mistake that need not wait for the end of the run."""
    from dataguard.config import matches
    from dataguard.rules import all_rules

    judges = [rule for rule in all_rules() if rule.code in JUDGES]
    selectors = select or config.select
    ignored = [text for text in (*config.ignore, *ignore) if any(matches(text, rule) for rule in judges)]
    chosen = [rule for rule in judges if not selectors or any(matches(text, rule) for text in selectors)]
    names = " or ".join(f"{rule.code} {rule.name}" for rule in judges)
    if not chosen:
        raise ConfigurationError(
            f"there would be nothing to export: {names} is not selected",
            where="--export",
            hint=f"add {judges[0].code} to --select, or leave --export out",
        )
    if all(any(matches(text, rule) for text in ignored) for rule in chosen):
        raise ConfigurationError(
            f"there would be nothing to export: {names} is ignored",
            where="--export",
            hint=f"do not ignore {judges[0].code}, or leave --export out",
        )


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
        report,
        width=width,
        color=color,
        verbose=verbose,
        fail_on=fail_on,
        strict=strict,
        written=written or [],
        exported=exported or [],
    )


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
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(
            "the suffix names no format", where=f"--output {path}", hint="end it in .html or .json, or add --format"
        )
    return path, _SUFFIXES[path.suffix.lower()]


def format_named(name: str) -> str:
    """The format of that name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in FORMATS:
        raise ConfigurationError(f"unknown format {name!r}", where="--format", hint=did_you_mean(name, FORMATS))
    return name


def listed(values: list[str]) -> list[str]:
    """The words of options that may be given several times, and hold several words each."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def reasons(values: list[str]) -> dict[str, str]:
    """Rules to ignore, with the reason for each.

    Raises:
        ConfigurationError: a reason is empty.
    """
    reasons = {}
    for value in values:
        selector, equals, reason = value.partition("=")
        if equals:
            if not reason.strip():
                raise ConfigurationError("empty reason", where=f"--ignore {value}", hint="write RULE=why")
            reasons[selector.strip()] = reason.strip()
        else:
            reasons.update(dict.fromkeys(listed([value]), "given on the command line"))
    return reasons


def _progress() -> Any:
    from dataguard.cli.progress_bar import progress_bar

    return progress_bar(sys.stderr)
