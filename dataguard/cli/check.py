"""``dataguard check``: gate a dataset version."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.cli.reporting import (
    JUDGES,
    add_report_options,
    add_summary_option,
    append_summary,
    format_named,
    listed,
    output_named,
    reasons,
    summary_file,
    write,
)
from dataguard.core.errors import ConfigurationError, OutputError

if TYPE_CHECKING:
    from dataguard.config import Config
    from dataguard.core.report import Report

EXPORTS = (".csv", ".parquet")


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
    add_subject_options(parser)
    add_report_options(parser)
    add_summary_option(parser)
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        help="findings that do not count, as `dataguard baseline` recorded them (default: the configuration's)",
    )
    parser.add_argument(
        "--export",
        metavar="FILE",
        action="append",
        default=[],
        help="write a table (.csv or .parquet) of every sample that label-noise judged, the most suspicious first",
    )
    parser.add_argument(
        "--diff", action="store_true", help="show, in place of the report, the changes that --fix would make"
    )
    parser.add_argument("--fix", action="store_true", help="make the changes that need no person's decision")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def add_subject_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is checked, and how."""
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="a folder of images, a .csv, .parquet or .arrow file, a folder of these (train.csv, test.csv), tar shards "
        "(train-{000..009}.tar), a .npz file, a saved Hugging Face dataset, annotations of COCO, VOC or YOLO, "
        "data.py:name of a torch dataset, a URL (s3://, http://) of any, or a dataguard.toml (default: what the "
        "configuration names)",
    )
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="what kind of dataset it is, where that cannot be told from it: folder, table, webdataset, huggingface, "
        "torch, numpy, coco, voc, yolo, or a plug-in's",
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
    parser.add_argument(
        "--against",
        metavar="SNAPSHOT",
        help="a former version, that dataguard snapshot wrote: what was lost, relabelled or moved, and what drifted",
    )
    parser.add_argument(
        "--serving",
        metavar="PATH",
        help="a logged sample of what the model is fed with in service, a table or a folder, to hold training against",
    )
    parser.add_argument("--batches", metavar="N", type=int, help="batches of an epoch to look at (default: all)")
    parser.add_argument("--epochs", metavar="N", type=int, help="how often to go through the loader (default: 2)")
    parser.add_argument(
        "--loader-timeout", metavar="SECONDS", type=float, help="time for import and recording (default: 600)"
    )
    parser.add_argument("--seed", metavar="N", type=int, help="seed of the loader and of all permutations (default: 0)")
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the nearest dataguard.toml)")
    parser.add_argument("--jobs", metavar="N", type=int, help="threads (default: one a core)")
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help="what decodes in place of threads: spark, dask or ray, with a cluster's address as in "
        "spark=spark://host:7077 (docs/scale.md)",
    )
    parser.add_argument(
        "--sample",
        metavar="N",
        type=int,
        help="judge by N samples, chosen at random by --seed; what needs all of them is skipped with the reason",
    )
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="the most to use, as 2GB (default: half of what there is); what needs more is skipped with the reason",
    )
    parser.add_argument(
        "--resolve",
        action="store_true",
        help="with --environment: let uv or pip ask the index whether the requirements can be installed together",
    )
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep what was computed")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.cli.fix import make_changes, show_diff
    from dataguard.config import severity_named

    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    summary = summary_file() if arguments.github_summary else None
    exports = [_export(Path(name), [path for path, _ in outputs]) for name in arguments.export]
    if arguments.diff and arguments.fix:
        raise ConfigurationError("one shows and one makes the changes", where="--diff, --fix", hint="give one of them")
    config = configured(arguments, images=arguments.diff or arguments.fix)
    if exports:
        _require_judge(config, listed(arguments.select), reasons(arguments.ignore))
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else config.fail_on
    strict = arguments.strict or config.strict
    report = checked(config, arguments, baseline=arguments.baseline)
    if summary is not None:
        append_summary(report, summary, fail_on, strict)
    write(report, outputs, exports, "" if arguments.diff else shown, arguments.verbose, fail_on, strict)
    if arguments.diff:
        show_diff(report)
    elif arguments.fix:
        make_changes(report)
    return report.exit_code(fail_on=fail_on, strict=strict)


def configured(arguments: argparse.Namespace, *, images: bool = False) -> Config:
    """The configuration that holds, with what the options of `add_subject_options` say."""
    from dataguard.engine import resolve_config
    from dataguard.rules import EveryRule

    if arguments.jobs is not None and arguments.jobs < 1:
        raise ConfigurationError(f"expected at least 1, got {arguments.jobs}", where="--jobs")
    if arguments.sample is not None and arguments.sample < 1:
        raise ConfigurationError(f"expected at least 1, got {arguments.sample}", where="--sample")
    others = arguments.loader is not None or bool(arguments.code) or arguments.environment is not None
    source = arguments.source
    if source is not None:
        from dataguard.core.errors import did_you_mean
        from dataguard.core.plugins import source_names

        if source not in source_names():
            hint = did_you_mean(source, source_names())
            raise ConfigurationError(f"unknown source {source!r}", where="--source", hint=hint)
    config = resolve_config(arguments.path, arguments.config, EveryRule(), dataset_optional=others, source=source)
    config = _with_loader(config, arguments)
    return _with_versions(_with_environment(config, resolve=arguments.resolve, images=images), arguments)


def checked(config: Config, arguments: argparse.Namespace, *, baseline: str | None) -> Report:
    """The report of what the options of `add_subject_options`, ``--select`` and ``--ignore`` say."""
    from dataguard.engine import check

    with _progress() as progress:
        return check(
            config=config,
            code=arguments.code,
            environment=arguments.environment,
            select=listed(arguments.select) or None,
            ignore=reasons(arguments.ignore),
            baseline=baseline,
            jobs=arguments.jobs,
            engine=arguments.engine,
            memory=arguments.memory,
            sample=arguments.sample,
            cache=not arguments.no_cache,
            progress=progress,
        )


def _with_environment(config: Config, *, resolve: bool, images: bool) -> Config:
    """The configuration with what the command line lets be asked of an index, or of Docker on this machine."""
    changes: dict[str, Any] = {}
    if resolve:
        changes["resolve"] = True
    if images:
        changes["images"] = True
    return dataclasses.replace(config, environment=dataclasses.replace(config.environment, **changes))


def _with_versions(config: Config, arguments: argparse.Namespace) -> Config:
    """The configuration with what the command line says to hold the dataset against; relative to the current folder."""
    named = {"against": arguments.against, "serving": arguments.serving}
    changes: dict[str, Any] = {name: str(Path(path).absolute()) for name, path in named.items() if path is not None}
    return dataclasses.replace(config, dataset=dataclasses.replace(config.dataset, **changes))


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


def _progress() -> Any:
    from dataguard.cli.progress_bar import progress_bar

    return progress_bar(sys.stderr)
