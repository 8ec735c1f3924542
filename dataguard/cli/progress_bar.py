"""Progress on a terminal, and silence everywhere else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TextIO

from dataguard.core.progress import Progress, silent


@contextlib.contextmanager
def progress_bar(stream: TextIO) -> Iterator[Progress]:
    """Draw progress on `stream` while the block runs, where it is a terminal and no CI log."""
    if not stream.isatty() or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("reading", total=None, rate="")
        stage_now = ""

        def draw(stage: str, done: int, total: int | None) -> None:
            nonlocal stage_now
            if stage != stage_now:
                stage_now = stage
                bar.reset(task, description=stage, total=total)
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield draw
