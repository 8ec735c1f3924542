"""What a project declares that it needs, and what its code imports; read and never run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.images import LocalImages
from dataguard.environment.imports import ProjectImports
from dataguard.environment.resolution import Resolution
from dataguard.inputs.code import python_files

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs

NO_ENVIRONMENT = Skipped(
    reason="no project is named", hint="name its folder with --environment, or set environment.path"
)


def project_path(inputs: Inputs) -> Path | None:
    """The project's folder, or the one file that was named."""
    path = inputs.config.environment.path
    return None if path is None else inputs.config.base / path


def project_folder(inputs: Inputs) -> Path | None:
    """The project's folder, absolute."""
    path = project_path(inputs)
    return None if path is None else (path.parent if path.is_file() else path).absolute()


def environment_alone(inputs: Inputs) -> bool:
    """Whether the project's environment is all that is checked, so that places are given from its folder."""
    config = inputs.config
    others = (config.code.paths, config.normalization.fed, config.preprocessing.named, inputs.loader)
    return config.environment.path is not None and inputs.source is None and not any(others)


def shown_prefix(inputs: Inputs) -> str:
    """What makes a path of the project one that is relative to the report's root."""
    folder = project_folder(inputs)
    if folder is None or environment_alone(inputs):
        return ""
    if inputs.source is not None:
        root = Path(inputs.source.root)
    elif inputs.loader is not None:
        root = inputs.config.loader.base or inputs.config.base
    else:
        root = inputs.config.base
    try:
        within = folder.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return f"{folder.as_posix()}/"
    return "" if within == "." else f"{within}/"


def _declared(inputs: Inputs) -> DeclaredEnvironment | Skipped:
    from dataguard.environment.files.finding import read_environment_files

    path = project_path(inputs)
    if path is None:
        return NO_ENVIRONMENT
    return read_environment_files(
        path, exclude=inputs.config.environment.exclude, prefix=shown_prefix(inputs), progress=inputs.progress
    )


def _imports(inputs: Inputs) -> ProjectImports | Skipped:
    import importlib.metadata

    from dataguard.environment.imports import project_imports

    folder = project_folder(inputs)
    if folder is None:
        return NO_ENVIRONMENT
    return project_imports(
        folder,
        exclude=inputs.config.environment.exclude,
        # Of a project whose environment is elsewhere, what is installed here tells nothing.
        installed=importlib.metadata.packages_distributions() if inputs.config.environment.installed is None else None,
        progress=inputs.progress,
        files=python_files(inputs),
    )


def _images(inputs: Inputs) -> LocalImages | Skipped | Inconclusive:
    from dataguard.environment.images import local_images

    if not inputs.config.environment.images:
        return Skipped(reason="Docker is not asked", hint="set environment.images, or give --fix or --diff")
    declared = inputs.get(DeclaredEnvironment)
    if isinstance(declared, Skipped | Inconclusive):
        return declared
    found = local_images(image for file in declared.files for image in file.images)
    return Skipped(reason=found) if isinstance(found, str) else found


def _resolution(inputs: Inputs) -> Resolution | Skipped | Inconclusive:
    from dataguard.environment.resolution import resolve

    if not inputs.config.environment.resolve:
        return Skipped(reason="no resolver is asked", hint="set environment.resolve, or give --resolve")
    declared = inputs.get(DeclaredEnvironment)
    if isinstance(declared, Skipped | Inconclusive):
        return declared
    inputs.progress("resolving", 0, 1)
    return resolve(declared)


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {
    DeclaredEnvironment: _declared,
    ProjectImports: _imports,
    LocalImages: _images,
    Resolution: _resolution,
}
