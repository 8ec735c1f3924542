"""The runner that a command names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataguard.core.errors import ConfigurationError
from dataguard.core.progress import Progress, silent

if TYPE_CHECKING:
    from dataguard.reproduction.lock import Lock
    from dataguard.reproduction.runner import Runner

RUNNERS = ("here", "process", "docker")
"""Where a locked result can be run: this environment; a fresh one made from the lock; a container."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """What is asked of the runner 'docker'."""

    image: str | None = None
    """The image, as 'python:3.11-slim'; by default the lock's, or the one that ``docker/engine.sh`` makes."""
    gpus: bool = False
    """Whether it is given the graphics cards."""


def opened_runner(
    runner: str | Runner,
    locked: Lock,
    *,
    path: Path | None = None,
    environment: str | Path | None = None,
    container: Container | None = None,
    progress: Progress = silent,
) -> Runner:
    """The runner of that name.

    Raises:
        ConfigurationError: there is none, or the lock's processor is not this one.
        DataguardError: its environment cannot be made.
    """
    if not isinstance(runner, str):
        return runner
    if runner not in RUNNERS:
        raise ConfigurationError(f"unknown runner {runner!r}", where="runner", hint=f"known: {', '.join(RUNNERS)}")
    if environment is not None and runner == "process":
        raise ConfigurationError(
            "an environment is for the runner 'here', or 'docker'", where="environment", hint="leave one of them out"
        )
    if container is not None and runner != "docker":
        raise ConfigurationError(
            "an image and graphics cards are for the runner 'docker'", where="runner", hint="add --runner docker"
        )
    if runner == "docker":
        from dataguard.reproduction.docker_runner import DockerRunner

        wanted = container or Container()
        return DockerRunner(
            locked, path=path, image=wanted.image, gpus=wanted.gpus, environment=environment, progress=progress
        )
    from dataguard.reproduction.process_runner import ProcessRunner

    if runner == "here":
        return ProcessRunner(environment)
    from dataguard.reproduction.process_environment import environment_from

    folder = environment_from(locked, progress=progress)
    return ProcessRunner(folder, words="a fresh environment made from the lock", keep_variables=False)


def overlay_folders(packages: Iterable[str], runner: Runner) -> list[Path]:
    """The folders of the packages that are taken in other versions.

    Raises:
        ConfigurationError: one is no pin, or the runner has no environment that they could be put before.
        DataguardError: one cannot be installed.
    """
    from dataguard.reproduction.overlays import Overlays, parse_pins
    from dataguard.reproduction.process_runner import ProcessRunner

    pins = parse_pins(packages)
    if not pins:
        return []
    if not isinstance(runner, ProcessRunner):
        raise ConfigurationError(
            "other versions are for environments of this machine", where="package", hint="leave --runner docker out"
        )
    shelf = Overlays(runner.installed().python, interpreter=runner.python)
    return [shelf.get(name, version) for name, version in sorted(pins.items())]
