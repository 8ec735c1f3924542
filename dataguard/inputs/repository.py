"""What was read out of a repository's source, and which of its paths differ; nothing of it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.preprocessing.audit.declarations import DeclaredPaths, declared_paths
from dataguard.preprocessing.audit.pairing import ComparedPaths, compare_paths
from dataguard.preprocessing.static.reading import RepositoryReading

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs

NO_REPOSITORY = Skipped(reason="no repository is named", hint="use `dataguard audit`")


def _compared(inputs: Inputs) -> ComparedPaths | Skipped | Inconclusive:
    reading = inputs.get(RepositoryReading)
    if isinstance(reading, Skipped | Inconclusive):
        return reading
    return compare_paths(reading, progress=inputs.progress)


def _declared(inputs: Inputs) -> DeclaredPaths | Skipped | Inconclusive:
    reading = inputs.get(RepositoryReading)
    if isinstance(reading, Skipped | Inconclusive):
        return reading
    return declared_paths(inputs.config.base, reading)


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {
    RepositoryReading: lambda _: NO_REPOSITORY,
    ComparedPaths: _compared,
    DeclaredPaths: _declared,
}
