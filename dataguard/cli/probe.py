"""``dataguard probe``: find out what a function does to a picture, and where two functions differ."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.cli.progress_bar import progress_bar
from dataguard.cli.reporting import (
    add_report_options,
    format_named,
    listed,
    output_named,
    reasons,
    terminal_style,
    write,
)
from dataguard.core.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from dataguard.preprocessing.probe.identify import Identified

_DESCRIPTION = """\
Find out what a preprocessing function really does to a picture, by asking it:
decoder, channel order, resize, crop, kernel, normalization, layout. With
--against, find where two of them differ and what that does to a model.

The function runs in a process of its own, with limits of time and memory.
"""

_EPILOG = """\
a TARGET is
  module:name, file.py:name     a function of one picture, or what makes one
  model.onnx                    what the graph does before its first layer
  http://host/path              a service that takes a picture by POST
  "prog {image} {output}"       a command that writes a .npy file
  path.json                     what --save wrote

examples:
  dataguard probe train.py:transform
  dataguard probe train.py:transform --against serve.py:preprocess
  dataguard probe train.py:transform --against serve.py:preprocess \\
      --model model.py:predict --images val/ -o report.html
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "probe",
        help="find out what a preprocessing function does",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET", help="what is asked; see below")
    parser.add_argument("--url", metavar="URL", help="the target is a service: it takes a picture by POST")
    parser.add_argument("--command", metavar="COMMAND", help='the target is a command: "prog {image} {output}"')
    parser.add_argument("--against", metavar="TARGET", help="what serving does, to compare the target with")
    parser.add_argument(
        "--declared", metavar="FILE", help="a configuration of published weights, or what --save wrote, to compare with"
    )
    parser.add_argument(
        "--model", metavar="TARGET", help="module:name of a function from a batch to outputs, to measure the impact"
    )
    parser.add_argument("--images", metavar="FOLDER", help="pictures for the model; folders in it are classes")
    parser.add_argument(
        "--takes", metavar="FORM", help="what functions take: path, bytes, pillow, array (default: each is tried)"
    )
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="time for one call (default: 30)")
    parser.add_argument("--memory", metavar="GIB", type=float, help="address space of the process (default: 16)")
    parser.add_argument(
        "--sandbox", metavar="KIND", help="docker: run in a container without network and with nothing to write"
    )
    parser.add_argument("--image", metavar="IMAGE", help="the sandbox's image: it has what the function imports")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="seed of the pictures that are made")
    parser.add_argument("--save", metavar="FILE", help="write the path that was found, as JSON")
    add_report_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="show every place of every finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.engine import probe

    target = _target(arguments)
    if arguments.against is None and arguments.declared is None:
        for name in ("model", "images", "select", "ignore", "fail_on"):
            if getattr(arguments, name):
                raise ConfigurationError(
                    "there is nothing to compare", where=f"--{name.replace('_', '-')}", hint="add --against TARGET"
                )
        if arguments.output or arguments.format not in (None, "terminal", "json"):
            raise ConfigurationError(
                "a report is made of two paths", where="--output", hint="add --against TARGET, or use --save FILE.json"
            )
    for name in ("timeout", "memory"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigurationError(f"expected a number above 0, got {value:g}", where=f"--{name}")
    if arguments.seed < 0:
        raise ConfigurationError(f"expected 0 or more, got {arguments.seed}", where="--seed")
    options: dict[str, Any] = {
        "takes": arguments.takes,
        "timeout": arguments.timeout,
        "memory": arguments.memory,
        "sandbox": _sandbox(arguments),
        "seed": arguments.seed,
    }
    if arguments.against is None and arguments.declared is None:
        with progress_bar(sys.stderr) as progress:
            found = probe(target, progress=progress, **options)
        if arguments.format == "json":
            from dataguard.preprocessing.document import to_json

            sys.stdout.write(to_json(found.pipeline))
        else:
            sys.stdout.write(table(found, *terminal_style()))
        _save(found, arguments.save)
        return ExitCode.CLEAN
    return _compare(arguments, target, options)


def _compare(arguments: argparse.Namespace, target: str, options: dict[str, Any]) -> int:
    from dataguard.config import Config, check_selector, severity_named
    from dataguard.core.finding import Severity
    from dataguard.engine import compare
    from dataguard.rules import all_rules

    if arguments.save is not None:
        raise ConfigurationError(
            "one path is saved at a time", where="--save", hint="leave --against and --declared out"
        )
    outputs = [output_named(Path(name), arguments.format, len(arguments.output)) for name in arguments.output]
    shown = format_named(arguments.format) if arguments.format and not outputs else "terminal"
    fail_on = severity_named(arguments.fail_on, where="--fail-on") if arguments.fail_on else Severity.ERROR
    config = Config(base=Path.cwd(), select=tuple(listed(arguments.select)), ignore=reasons(arguments.ignore))
    for selector in (*config.select, *config.ignore):
        check_selector(selector, all_rules(), where="--select or --ignore")
    with progress_bar(sys.stderr) as progress:
        report = compare(
            target,
            arguments.against,
            declared=arguments.declared,
            model=arguments.model,
            images=arguments.images,
            config=dataclasses.replace(config, fail_on=fail_on, strict=arguments.strict),
            progress=progress,
            **options,
        )
    write(report, outputs, [], shown, arguments.verbose, fail_on, arguments.strict)
    return report.exit_code(fail_on=fail_on, strict=arguments.strict)


def _target(arguments: argparse.Namespace) -> str:
    named = [value for value in (arguments.target, arguments.url, arguments.command) if value is not None]
    if len(named) != 1:
        raise ConfigurationError(
            "no target is named" if not named else "several targets are named",
            where="TARGET, --url, --command",
            hint="name one, as train.py:transform; --against names what it is compared with",
        )
    text: str = named[0]
    if arguments.command is not None and "{image}" not in text:
        raise ConfigurationError("the command has no {image}", where=text, hint="as in: prog {image} {output}")
    return text


def _sandbox(arguments: argparse.Namespace) -> str | None:
    if arguments.sandbox is None:
        if arguments.image is not None:
            raise ConfigurationError("an image without a sandbox", where="--image", hint="add --sandbox docker")
        return None
    if arguments.sandbox != "docker":
        raise ConfigurationError(f"unknown sandbox {arguments.sandbox!r}", where="--sandbox", hint="known: 'docker'")
    if arguments.image is None:
        raise ConfigurationError(
            "no image is named", where="--sandbox", hint="add --image with Python, numpy and what the function imports"
        )
    name: str = arguments.image
    return name


def _save(found: Identified, name: str | None) -> None:
    if name is None:
        return
    from dataguard.core.atomic import write_atomically
    from dataguard.preprocessing.document import to_json

    write_atomically(Path(name), to_json(found.pipeline))
    sys.stdout.write(f"\nwritten to {name}\n")


def table(found: Identified, width: int, color: bool) -> str:
    """What was found about one function, as lines for a terminal."""
    import io
    import math

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dataguard.core.text import printable
    from dataguard.preprocessing.summary import pipeline_rows

    target = io.StringIO()
    console = Console(
        file=target, width=width, force_terminal=color, no_color=not color, highlight=False, soft_wrap=False
    )
    console.print(Text(printable(found.pipeline.name), style="bold"))
    console.print()
    rows = pipeline_rows(found.pipeline)
    # One word in every row is none: it is said once.
    origins = {origin for _, _, origin in rows if origin}
    grid = Table.grid(padding=(0, 2, 0, 0))
    for index in range(3 if len(origins) > 1 else 2):
        grid.add_column(no_wrap=index == 0, overflow="fold")
    for name, value, origin in rows:
        known = [Text(printable(origin), style="dim")] if len(origins) > 1 else []
        grid.add_row(Text(f"  {name}", style="dim"), Text(printable(value)), *known)
    console.print(grid)
    console.print()
    lines: list[tuple[str, str]] = []
    if not math.isnan(found.largest):
        after = ", on pictures that were not used to find it" if math.isfinite(found.largest) else ""
        lines.append(("fidelity", found.fidelity + after))
    if len(origins) == 1:
        lines.append(
            (
                "known",
                f"by {next(iter(origins))}"
                + (f", {found.calls} calls in {found.seconds:.1f} s" if found.calls else ""),
            )
        )
    lines += [("or else", f"equally: {text}") for text in found.alternatives]
    lines += [("note", text) for text in found.notes]
    notes = Table.grid(padding=(0, 2, 0, 0))
    notes.add_column(no_wrap=True)
    notes.add_column(overflow="fold")
    for name, text in lines:
        notes.add_row(Text(f"  {name}", style="dim"), Text(printable(text)))
    console.print(notes)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"
