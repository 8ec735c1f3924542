"""``dataguard schema``: propose a table's schema, and hold a table against one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

_DESCRIPTION = """\
A schema says what a table promises: types, nulls, unique ids, ranges, lists of
values. It is a pandera schema, a YAML file to keep beside the data:

  dataguard schema infer visits.csv --id visit -o visits.yaml
  dataguard schema check visits.csv --schema visits.yaml

To have every `dataguard check` hold it, name it in dataguard.toml:

  [dataset]
  schema = "visits.yaml"
"""

_INFER = """\
Propose the strictest schema that the data justify, each line with its reason
as a comment. It holds for these data; on as many fresh rows of the same kind
its checks of values fail with a chance of 1 % (--false-alarm). Nulls, other
forms of ids and other kinds of file are forbidden where there are rows enough
to have shown a share of 1 %. Read it, correct it, and keep it with the data.
"""

_CHECK = """\
Hold a dataset against a schema, and name every row, column, value and check
that does not hold: `dataguard check --select DG802` with the schema named here
in place of dataguard.toml.
"""

_ROLES = ("label", "split", "id")


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "schema",
        help="propose a table's schema, and hold a table against one",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_infer(actions)
    _add_check(actions)


def _add_infer(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "infer",
        help="propose a schema from data",
        description=_INFER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_dataset_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it (default: to the terminal)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    for role, meaning in (("label", "is to be predicted"), ("split", "tells the split"), ("id", "names the row")):
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"tables: the column that {meaning}")
    parser.add_argument("--name", metavar="NAME", help="what the schema is called (default: as the dataset)")
    parser.add_argument(
        "--false-alarm",
        metavar="CHANCE",
        type=float,
        help="the chance of failing on as many fresh rows of the same kind (default: 0.01)",
    )
    parser.set_defaults(run=_run_infer)


def _add_check(actions: Any) -> None:
    from dataguard.cli.reporting import add_output_options

    parser: argparse.ArgumentParser = actions.add_parser(
        "check",
        help="hold a dataset against a schema",
        description=_CHECK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_dataset_options(parser)
    parser.add_argument(
        "--schema",
        metavar="SCHEMA",
        required=True,
        help="a YAML file, 'file.py:Name' or 'package.module:Name'; Python is imported, and so run",
    )
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", help="the least severity that exits with 1: info, warning, error (default)"
    )
    add_output_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=_run_check)


def _add_dataset_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="a table, or a folder of tables or images (default: the configuration's)",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the nearest dataguard.toml)")
    parser.add_argument("--jobs", metavar="N", type=int, help="threads (default: one a core)")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep what was computed")


def _run_infer(arguments: argparse.Namespace) -> int:
    from dataguard.cli.progress_bar import progress_bar
    from dataguard.core.errors import ConfigurationError, OutputError
    from dataguard.dataset.proposed_schema.proposal import FALSE_ALARM, write_schema
    from dataguard.engine.proposing import infer_schema

    output = None if arguments.output is None else Path(arguments.output)
    if output is not None and output.suffix.lower() not in (".yaml", ".yml"):
        raise ConfigurationError("a schema is YAML", where=f"--output {output}", hint="end the name in .yaml")
    if output is not None and output.exists() and not arguments.force:
        raise OutputError("is there already", where=output.absolute(), hint="--force replaces it")
    with progress_bar(sys.stderr) as progress:
        proposed = infer_schema(
            arguments.path,
            config=arguments.config,
            roles={role: value for role in _ROLES if (value := getattr(arguments, role)) is not None},
            false_alarm=FALSE_ALARM if arguments.false_alarm is None else arguments.false_alarm,
            name=arguments.name,
            jobs=_jobs(arguments),
            cache=not arguments.no_cache,
            progress=progress,
        )
    if output is None:
        print(proposed.to_yaml(), end="")
        return 0
    write_schema(output, proposed)
    print(f"wrote {output}: {len(proposed.columns):,} columns from {proposed.n_rows:,} rows")
    print(f"next: read it, correct it, then run `dataguard schema check … --schema {output}`")
    return 0


def _run_check(arguments: argparse.Namespace) -> int:
    from dataguard.cli.progress_bar import progress_bar
    from dataguard.cli.reporting import format_named, output_named, write
    from dataguard.config import severity_named
    from dataguard.core.finding import Severity
    from dataguard.engine.proposing import check_schema

    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else Severity.ERROR
    with progress_bar(sys.stderr) as progress:
        report = check_schema(
            arguments.path,
            arguments.schema,
            config=arguments.config,
            jobs=_jobs(arguments),
            cache=not arguments.no_cache,
            progress=progress,
        )
    write(report, outputs, [], shown, arguments.verbose, fail_on, strict=True)
    return report.exit_code(fail_on=fail_on, strict=True)


def _jobs(arguments: argparse.Namespace) -> int | None:
    from dataguard.core.errors import ConfigurationError

    jobs: int | None = arguments.jobs
    if jobs is not None and jobs < 1:
        raise ConfigurationError(f"expected at least 1, got {jobs}", where="--jobs")
    return jobs
