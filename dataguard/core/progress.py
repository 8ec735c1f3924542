"""How long work says how far it is; only the command line draws it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then by long work, from the thread that started it."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note of the progress.

        Args:
            stage: What is being done, as 'scanning'.
            done: How many items are done.
            total: How many there are; None while that is unknown.
        """


def silent(stage: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""
