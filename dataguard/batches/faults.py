"""Faults of single batches, and how they reach whoever trains: as warnings, errors or calls."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from dataguard.core.errors import DataguardError


class DataFaultWarning(UserWarning):
    """A guarded loader feeds something that is wrong."""


class DataFaultError(DataguardError):
    """A guarded loader feeds something that is wrong, and was told to raise."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message, where=fault.where, hint=fault.remedy)
        self.fault = fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that is wrong with a batch."""

    code: str
    """The rule that judges the whole stream by the same measure."""
    name: str
    epoch: int
    """From 0."""
    batch: int
    """From 0, within its epoch; −1 for the epoch as a whole."""
    message: str
    remedy: str

    @property
    def where(self) -> str:
        """Epoch and batch in words."""
        return f"epoch {self.epoch}" + (f", batch {self.batch}" if self.batch >= 0 else "")

    def __str__(self) -> str:
        return f"{self.code} {self.name}: {self.where}: {self.message}; {self.remedy}"


OnFault: TypeAlias = Literal["warn", "raise"] | Callable[[Fault], Any]


class Reporter:
    """Collects faults, and tells them when training can be told.

    Args:
        on_fault: ``"warn"``, ``"raise"``, or a function that is called with each fault.

    Raises:
        ValueError: `on_fault` is something else.
    """

    def __init__(self, on_fault: OnFault) -> None:
        if not callable(on_fault) and on_fault not in ("warn", "raise"):
            raise ValueError(f"on_fault is {on_fault!r}: expected 'warn', 'raise' or a function")
        self.on_fault = on_fault
        self.told: list[Fault] = []
        self.waiting: list[Fault] = []

    def tell(self, *, can_raise: bool, stacklevel: int = 4) -> None:
        """Report what waits.

        Args:
            can_raise: Whether an error may be raised; else what should be raised is a warning.
            stacklevel: Of warnings: by default the training loop, two calls and a generator away.

        Raises:
            DataFaultError: faults are to be raised, and may be.
        """
        found = self.waiting.copy()
        self.waiting.clear()
        self.told += found
        for fault in found:
            if callable(self.on_fault):
                self.on_fault(fault)
            elif self.on_fault == "warn" or not can_raise:
                warnings.warn(str(fault), DataFaultWarning, stacklevel=stacklevel)
        if found and self.on_fault == "raise" and can_raise:
            raise DataFaultError(found[0])
