"""A command `dataguard` that runs this checkout, for scripts that expect it to be installed."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOOD = "x,y,label\n" + "".join(f"{n % 7},{n * 7 % 11},{'ab'[n % 2]}\n" for n in range(300))
BAD = "x,y,label\n" + "".join(f"{n % 7},{n * 7 % 11},{'b' if n < 2 else 'a'}\n" for n in range(300))
SELECT = 'fail-on = "warning"\nselect = ["DG102", "DG104"]\n'


def project(folder: Path, table: str = GOOD) -> Path:
    """A repository with a table and the configuration that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.csv").write_text(table, encoding="utf-8")
    (folder / "dataguard.toml").write_text(f'{SELECT}[dataset]\npath = "data.csv"\nlabel = "label"\n', encoding="utf-8")
    return folder


def command(folder: Path) -> Path:
    """The folder to put on PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "dataguard"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m dataguard "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    return folder
