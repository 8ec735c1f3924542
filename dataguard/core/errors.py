"""Errors for the person who made the mistake: what happened, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a run ends with; the same in every format."""

    CLEAN = 0
    """Nothing at or above ``--fail-on`` was found."""
    FOUND = 1
    """At least one finding at or above ``--fail-on``."""
    FAILED = 2
    """The job could not be done: bad configuration, unreadable source, full disk, crashed rule."""
    NOTHING_CHECKED = 3
    """No rule came to a conclusion: an empty dataset, or every rule skipped."""


class DataguardError(Exception):
    """A mistake or an obstacle that the user can act on.

    Args:
        message: What happened, one sentence without a final full stop.
        where: The whole path, key or line that it happened at.
        hint: What to do about it.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, where: str | Path | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = None if where is None else str(where)
        self.hint = hint

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        return text if self.hint is None else f"{text}\n  hint: {self.hint}"


class ConfigurationError(DataguardError):
    """The configuration, or an argument of the command line, says something that cannot be done."""


class SourceError(DataguardError):
    """A source of samples is missing, unreadable or not what it was declared to be."""


class EngineError(DataguardError):
    """What was to do the work, as a cluster, does not answer or has given up."""


class OutputError(DataguardError):
    """A result could not be written; what was there before is untouched."""


class NothingToCheckError(DataguardError):
    """There is not one sample to check: an empty folder, a table without rows."""

    exit_code = ExitCode.NOTHING_CHECKED


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the nearest known word, or all of them where none is near.

    >>> did_you_mean("fail-onn", ["fail-on", "select"])
    "did you mean 'fail-on'?"
    >>> did_you_mean("zzz", ["fail-on", "select"])
    "known: 'fail-on', 'select'"
    """
    import difflib

    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(repr(choice) for choice in choices)
