"""What the guard finds while a loop runs over a loader."""

from __future__ import annotations

from typing import Any

from dataguard.batches.faults import Fault
from dataguard.batches.guard import guard


def faults(loader: Any, epochs: int = 1, **options: Any) -> list[Fault]:
    """Go through the loader; what was found, each as it was said."""
    found: list[Fault] = []
    guarded = guard(loader, on_fault=found.append, **options)
    for _ in range(epochs):
        for _ in guarded:
            pass
    assert tuple(found) == guarded.faults
    return found
