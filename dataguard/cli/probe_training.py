"""``dataguard probe-training``: the golden tests of a model and its loss."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from dataguard.cli.progress_bar import progress_bar
from dataguard.cli.reporting import add_report_options, format_named, listed, output_named, reasons, write
from dataguard.core.errors import ConfigurationError

_DESCRIPTION = """\
Try a model and its loss with the golden tests: does it start at chance, can it
overfit a few samples, does it go by its inputs, does it learn anything from
shuffled labels. It is run and trained on copies: the model, its modes and all
random states stay as they are.
"""

_EPILOG = """\
TARGET is module:name or file.py:name of a function without arguments that
returns (model, loss, loader), (model, loss, loader, optimizer), a dict with
such keys, or a dataguard.training.Training, which can say more: held-out data,
padding, whether the model is causal, pretrained, frozen in part.

examples:
  dataguard probe-training train.py:make
  dataguard probe-training package.train:make --device cuda -o report.html
  dataguard probe-training train.py:make --select DG701,DG702 --budget 30
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "probe-training",
        help="try a model and its loss: the golden tests",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET", help="what makes the model (default: training.target)")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 (default: where the model is)")
    parser.add_argument(
        "--budget", metavar="SECONDS", type=float, help="begin no training run after this time (default: 120)"
    )
    parser.add_argument("--batches", metavar="N", type=int, help="the most batches that are fetched (default: 16)")
    parser.add_argument("--seed", metavar="N", type=int, help="seed of all generators (default: 0)")
    parser.add_argument("--config", metavar="FILE", help="configuration (default: the nearest dataguard.toml)")
    add_report_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.config import Config, find_config, load_config, severity_named
    from dataguard.engine import probe_training
    from dataguard.rules import all_rules

    for name, least in (("budget", 0.0), ("batches", 1), ("seed", 0)):
        value = getattr(arguments, name)
        if value is not None and not (value >= least and value < float("inf")):
            raise ConfigurationError(f"expected {least:g} or more, got {value:g}", where=f"--{name}")
    found = Path(arguments.config) if arguments.config else find_config(Path.cwd())
    config = load_config(found, all_rules()) if found else Config(base=Path.cwd())
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else config.fail_on
    strict = arguments.strict or config.strict
    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    selected = listed(arguments.select)
    with progress_bar(sys.stderr) as progress:
        report = probe_training(
            arguments.target,
            device=arguments.device,
            seed=arguments.seed,
            budget=arguments.budget,
            batches=arguments.batches,
            select=selected or None,
            ignore=reasons(arguments.ignore),
            base=Path.cwd() if arguments.target is not None else None,
            config=dataclasses.replace(config, fail_on=fail_on, strict=strict),
            progress=progress,
        )
    write(report, outputs, [], shown, arguments.verbose, fail_on, strict)
    return report.exit_code(fail_on=fail_on, strict=strict)
