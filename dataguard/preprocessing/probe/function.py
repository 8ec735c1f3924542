"""What can be asked about pictures, and within which limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dataguard.preprocessing.probe.asking import ProbeError, Takes

CALL_TIMEOUT = 30.0
"""Seconds that one call may take by default."""
MEMORY = 16.0
"""GiB of address space by default. Frameworks reserve several times what they use."""
SHOWN_LINES = 8
"""Lines of what a program wrote that an error repeats."""


class Function(Protocol):
    """What can be asked about pictures."""

    takes: Takes | None
    """What it is given; None where that is to be found out."""
    fatal: ProbeError | None
    """Why it cannot be asked any more."""

    def __call__(self, given: Any) -> object:
        """What it makes of one picture."""
        ...

    def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a function may use."""

    timeout: float = CALL_TIMEOUT
    """Seconds a call."""
    memory: float | None = MEMORY
    """GiB of address space; None for all there is."""
    image: str | None = None
    """Docker image to run it in, without network; None for an ordinary process."""


class InProcess:
    """A function of this process, for callers that trust it."""

    takes: Takes | None = None

    def __init__(self, function: Callable[[Any], object]) -> None:
        self.function = function
        self.fatal: ProbeError | None = None

    def __call__(self, given: Any) -> object:
        """What it makes of one picture."""
        return self.function(given)

    def close(self) -> None:
        """Nothing to do."""
