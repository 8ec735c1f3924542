"""The runner that a command names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataguard.core.errors import ConfigurationError
from dataguard.core.progress import Progress, silent

if TYPE_CHECKING:
    from dataguard.reproduction.docker_runner import DockerRunner
    from dataguard.reproduction.lock import Lock
    from dataguard.reproduction.overlays import Overlays
    from dataguard.reproduction.process_runner import ProcessRunner
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
    _check_container(runner, container)
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
    return ProcessRunner(folder, words="a fresh environment made from the lock", keep_variables=False, fresh=True)


def locking_runner(
    runner: str,
    *,
    path: Path,
    environment: str | Path | None = None,
    container: Container | None = None,
    progress: Progress = silent,
) -> ProcessRunner | DockerRunner:
    """The runner of that name for what is yet to be locked.

    Raises:
        ConfigurationError: there is none, or it needs a lock.
        DataguardError: its environment cannot be used.
    """
    if runner not in ("here", "docker"):
        raise ConfigurationError(
            f"a result cannot be locked with the runner {runner!r}", where="runner", hint="known: here, docker"
        )
    _check_container(runner, container)
    if runner == "docker":
        from dataguard.reproduction.docker_runner import DockerRunner

        wanted = container or Container()
        return DockerRunner(
            None, path=path, image=wanted.image, gpus=wanted.gpus, environment=environment, progress=progress
        )
    from dataguard.reproduction.process_runner import ProcessRunner

    return ProcessRunner(environment)


def bisecting_runner(
    runner: str,
    locked: Lock,
    *,
    path: Path,
    environment: str | Path | None = None,
    container: Container | None = None,
    progress: Progress = silent,
) -> Runner:
    """The runner of that name, which passes on no variables by itself: each is set or left out run by run.

    Raises:
        DataguardError: as for `opened_runner`.
    """
    if runner != "here":
        return opened_runner(runner, locked, path=path, environment=environment, container=container, progress=progress)
    _check_container(runner, container)
    from dataguard.reproduction.process_runner import ProcessRunner

    return ProcessRunner(environment, keep_variables=False)


def variables_now(runner: Runner, locked: Lock) -> dict[str, str]:
    """The environment variables that a run has in a runner that `bisecting_runner` gave, if nobody sets others.

    They are this process's in its own environment; in one that is made from a lock they are the lock's.
    """
    from dataguard.environment.fingerprint import VARIABLES, is_withheld
    from dataguard.reproduction.process_runner import ProcessRunner

    if isinstance(runner, ProcessRunner) and not runner.fresh:
        return {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return {name: value for name, value in locked.environment.variables.items() if not is_withheld(value)}


def overlays_of(runner: Runner) -> Overlays:
    """Where other versions of packages are installed for a runner.

    Raises:
        ConfigurationError: it has no environment that they could be put before.
    """
    from dataguard.reproduction.docker_runner import DockerRunner
    from dataguard.reproduction.process_runner import ProcessRunner

    if not isinstance(runner, ProcessRunner | DockerRunner):
        raise ConfigurationError("other versions cannot be taken in this runner", where="package")
    return runner.overlays()


def overlay_folders(packages: Iterable[str], runner: Runner) -> list[Path]:
    """The folders of the packages that are taken in other versions.

    Raises:
        ConfigurationError: one is no pin, or the runner has no environment that they could be put before.
        DataguardError: one cannot be installed.
    """
    from dataguard.reproduction.overlays import parse_pins

    pins = parse_pins(packages)
    if not pins:
        return []
    shelf = overlays_of(runner)
    return [shelf.get(name, version) for name, version in sorted(pins.items())]


def _check_container(runner: str, container: Container | None) -> None:
    if container is not None and runner != "docker":
        raise ConfigurationError(
            "an image and graphics cards are for the runner 'docker'", where="runner", hint="add --runner docker"
        )
