"""What is installed where a project runs, and what its files of weights would do; read and never run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import SourceError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.environment.bundled import DecodingLibraries, bundled_libraries, system_libraries
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.installed import InstalledEnvironment, environment_of, installed
from dataguard.environment.weights import WeightScans, scan_weights
from dataguard.inputs.environment import NO_ENVIRONMENT, project_folder, project_path, shown_prefix

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs

LEAST_OVERLAP = 0.5
"""The share of the packages that a project names that an environment must have to be taken for the project's, where
nobody said which is. Two projects of this field share some 10 to 30 % of what they name."""


def _installed(inputs: Inputs) -> InstalledEnvironment | Skipped:
    folder = project_folder(inputs)
    if folder is None:
        return NO_ENVIRONMENT
    named = inputs.config.environment.installed
    try:
        found = environment_of(folder) if named is None else installed(inputs.config.base / named)
    except SourceError as error:
        return Skipped(reason=f"environment.installed: {error.message}: {error.where}", hint=error.hint or "")
    if not found.named:
        declared = inputs.get(DeclaredEnvironment)
        if isinstance(declared, Skipped | Inconclusive):
            return Skipped(reason=declared.reason)
        names = {item.name for item in declared.requirements() if item.name and item.ecosystem == "pypi"}
        n_there = len(names & set(found.by_name))
        if n_there < LEAST_OVERLAP * max(len(names), 1):
            return Skipped(
                reason=f"no environment of this project is known: it holds none, and {found.root} has {n_there} of the "
                f"{len(names)} packages that it names",
                hint="make a .venv in it, run in its environment, or set environment.installed to that",
            )
        inputs.guessed.append(
            f"{found.root} is taken for the project's environment (environment.installed names another)"
        )
    return dataclasses.replace(found, prefix=_prefix(found.root, folder, shown_prefix(inputs)))


def _prefix(root: str, project: Path, shown: str) -> str:
    """What makes a path in the environment one that the report can show."""
    try:
        within = Path(root).relative_to(project).as_posix()
    except ValueError:
        return f"{root}/"
    return shown if within == "." else f"{shown}{within}/"


def _libraries(inputs: Inputs) -> DecodingLibraries | Skipped | Inconclusive:
    import platform

    environment = inputs.get(InstalledEnvironment)
    if isinstance(environment, Skipped | Inconclusive):
        return environment
    return DecodingLibraries(bundled=bundled_libraries(environment), system=system_libraries(platform.machine()))


def _weights(inputs: Inputs) -> WeightScans | Skipped:
    path = project_path(inputs)
    if path is None:
        return NO_ENVIRONMENT
    folder = project_folder(inputs)
    return scan_weights(
        folder or path,
        exclude=inputs.config.environment.exclude,
        prefix=shown_prefix(inputs),
        progress=inputs.progress,
    )


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {
    InstalledEnvironment: _installed,
    DecodingLibraries: _libraries,
    WeightScans: _weights,
}
