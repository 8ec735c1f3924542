"""``dataguard init``: write a configuration that fits a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

SCHEMA_FILE = "dataguard.schema.json"
"""What an editor finds beside the configuration: a folder of the machine that wrote it would be no place for a team."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "init",
        help="write a configuration that fits a dataset",
        description="Write a commented dataguard.toml that fits the dataset it is pointed at.",
    )
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        metavar="PATH",
        help="a folder of images, a table, a folder of tables, or any other dataset that check takes (default: .)",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="dataguard.toml", help="where to write it (default: ./dataguard.toml)"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument(
        "--no-schema",
        action="store_true",
        help=f"write no {SCHEMA_FILE} beside it, which editors check and complete by",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.config.schema import CONFIG_SCHEMA
    from dataguard.core.atomic import write_atomically
    from dataguard.core.errors import OutputError
    from dataguard.core.resources import read_schema
    from dataguard.starter import propose

    output = Path(arguments.output)
    if output.exists() and not arguments.force:
        raise OutputError("is there already", where=output.absolute(), hint="--force replaces it")
    text = propose(arguments.path, relative_to=output.absolute().parent)
    written = str(output)
    if not arguments.no_schema:
        schema = output.with_name(SCHEMA_FILE)
        write_atomically(schema, read_schema(CONFIG_SCHEMA))
        text = f"#:schema ./{SCHEMA_FILE}\n{text}"
        written += f"\nwrote {schema}, for editors; --no-schema leaves it out"
    write_atomically(output, text)
    print(f"wrote {written}\nnext: edit it, then run `dataguard check {output}`")
    return 0
