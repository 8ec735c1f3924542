"""Ask the functions of a repository what reading could not tell. This runs its code, and so only where it is asked for.

The functions run in a process of their own with limits of time and memory, or in a container without network.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataguard.core.errors import DataguardError
from dataguard.core.progress import Progress, silent
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Origin, Part, Provenance
from dataguard.preprocessing.static.reading import FoundPath, RepositoryReading
from dataguard.preprocessing.steps import Step

if TYPE_CHECKING:
    from dataguard.preprocessing.probe.identify import Identified

AnyPart = TypeVar("AnyPart", bound=Part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What became of asking."""

    notes: tuple[str, ...]
    """One a function: what it settled, or why it could not be asked."""


def ask_paths(
    reading: RepositoryReading,
    *,
    folder: Path,
    image: str | None = None,
    timeout: float | None = None,
    progress: Progress = silent,
) -> tuple[RepositoryReading, Asked]:
    """Ask the function of each path of which something is undetermined, and fill that in.

    What was read stays as it was read: asking only adds. Each function is asked once.

    Args:
        reading: What was read.
        folder: The repository's folder, which names of modules are relative to.
        image: A Docker image to run the functions in; None for a process of their own.
        timeout: Seconds that one call may take; None for the default.
        progress: Told how far it is.
    """
    notes: list[str] = []
    answers: dict[str, Identified | None] = {}
    made: list[FoundPath] = []
    wanted = {path.target for path in reading.paths if path.target and path.reachable and path.pipeline.unknown}
    for path in reading.paths:
        if path.target not in wanted or not path.pipeline.unknown:
            made.append(path)
            continue
        if path.target not in answers:
            progress(f"asking {path.target}", len(answers), len(wanted))
            answers[path.target] = _asked(path.target, folder, image, timeout, notes)
        found = answers[path.target]
        if found is None:
            made.append(path)
            continue
        pipeline = filled(path.pipeline, found.pipeline, pixels=found.takes == "array")
        settled = len(path.pipeline.unknown) - len(pipeline.unknown)
        notes.append(
            f"{path.target}, asked: {settled} of {len(path.pipeline.unknown)} open fields settled ({found.fidelity})"
        )
        made.append(replace(path, pipeline=pipeline))
    if not wanted:
        notes.append("nothing was asked: no path that has something undetermined names a function to ask")
    return replace(reading, paths=tuple(made)), Asked(notes=tuple(notes))


def _asked(target: str, folder: Path, image: str | None, timeout: float | None, notes: list[str]) -> Identified | None:
    from dataguard.preprocessing.probe.function import CALL_TIMEOUT, Limits
    from dataguard.preprocessing.probe.target import opened_side

    limits = Limits(timeout=CALL_TIMEOUT if timeout is None else timeout, image=image)
    try:
        with opened_side(target, base=folder, limits=limits) as side:
            return side.found
    except DataguardError as error:
        said = error.message.splitlines()
        notes.append(f"{target} cannot be asked: {said[0] if said else error}")
        return None


def filled(read: Pipeline, asked: Pipeline, *, pixels: bool) -> Pipeline:
    """A path that was read, with what is undetermined in it taken from one that was asked.

    Args:
        read: Stays as it is wherever it says something.
        asked: What the function does.
        pixels: Whether the function takes pixels: then how files are decoded, and the order in which pixels come, is
            not the function's.

    >>> read = Pipeline(geometry=None, undetermined={"geometry": "the size is an argument"})
    >>> filled(read, Pipeline(), pixels=True).geometry
    ()
    """
    geometry = read.geometry
    undetermined = dict(read.undetermined)
    provenance = dict(read.provenance)
    if read.geometry is None and asked.geometry is not None:
        geometry = asked.geometry
        undetermined.pop("geometry", None)
        provenance["geometry"] = _origin(asked, "geometry")
    elif read.geometry is not None and asked.geometry is not None:
        geometry = _steps(read.geometry, asked.geometry)
    changes: dict[str, Any] = {}
    for name in ("order", "layout", "dtype"):
        value = getattr(asked, name)
        if name in undetermined and value is not None and not (pixels and name == "order"):
            changes[name] = value
            undetermined.pop(name)
            provenance[name] = _origin(asked, name)
    return replace(
        read,
        decode=read.decode if pixels else _merged(read.decode, asked.decode),
        affine=_merged(read.affine, asked.affine),
        geometry=geometry,
        undetermined=undetermined,
        provenance=provenance,
        **changes,
    )


def _steps(read: tuple[Step, ...], asked: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps one by one, where both have the same kinds in the same order."""
    if [type(step) for step in read] != [type(step) for step in asked]:
        return read
    return tuple(_merged(ours, theirs) for ours, theirs in zip(read, asked, strict=True))


def _merged(read: AnyPart, asked: Part) -> AnyPart:
    names = {item.name for item in fields(read)}
    taken = {
        name: getattr(asked, name) for name in read.undetermined if name in names and getattr(asked, name) is not None
    }
    if not taken:
        return read
    return replace(
        read,
        undetermined={name: why for name, why in read.undetermined.items() if name not in taken},
        provenance={**read.provenance, **{name: _origin(asked, name) for name in taken}},
        **taken,
    )


def _origin(asked: Part, name: str) -> Provenance:
    return asked.origin_of(name) or Provenance(origin=Origin.PROBE)
