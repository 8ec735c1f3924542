"""Running a locked result again from a lock or from a bundle, and writing bundles."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, OutputError
from dataguard.core.paths import encode_path
from dataguard.core.progress import Progress, silent
from dataguard.engine import reproducing
from dataguard.engine.runners import Container
from dataguard.reproduction.bundle import is_bundle, opened_bundle, unfinished, write_bundle
from dataguard.reproduction.lock import FILE_NAME, read_lock

if TYPE_CHECKING:
    from dataguard.core.report import Report
    from dataguard.reproduction.container_packages import Packages


def reproduce(
    path: str | Path = FILE_NAME,
    *,
    bundle: str | Path | None = None,
    runner: str = "here",
    environment: str | Path | None = None,
    container: Container | None = None,
    progress: Progress = silent,
    **rest: Any,
) -> Report:
    """Run a locked result again; see `dataguard.engine.reproducing.reproduce`.

    Args:
        path: The lock, its folder, or a bundle.
        bundle: Where to write a bundle, which is then what is run.
        runner: As there; a bundle runs in a container.
        environment: As there.
        container: As there.
        progress: Called with how far it is.
        rest: As there.

    Raises:
        DataguardError: it cannot be read, written or run.
    """
    place = Path(path)
    given = {"environment": environment, "container": container, "progress": progress, **rest}
    if bundle is None and not is_bundle(place):
        return reproducing.reproduce(place, runner=runner, **given)
    if is_bundle(place):
        if bundle is not None:
            raise ConfigurationError("a bundle is there already", where=place.absolute(), hint="leave --bundle out")
        if environment is not None or (container is not None and container.image is not None):
            raise ConfigurationError(
                "a bundle has its own image and packages", where=place.absolute(), hint="leave the other ones out"
            )
        return _run(place, place, gpus=container is not None and container.gpus, progress=progress, **rest)
    if runner == "process":
        raise ConfigurationError("a bundle runs in a container", where="runner", hint="leave --runner process out")
    target = Path(str(bundle)).absolute()
    if not target.parent.is_dir():
        raise OutputError("no such folder", where=target.parent)
    partial = unfinished(target)
    try:
        built = _write(partial, place, environment, container or Container(), progress)
        # What was written is what is run, so a bundle that lacks a file is never left behind.
        gpus = container is not None and container.gpus
        report = _run(partial, target, built=built, gpus=gpus, progress=progress, **rest)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return dataclasses.replace(report, notes=(*report.notes, f"written: {encode_path(target.name)}"))


def _write(
    target: Path, place: Path, environment: str | Path | None, container: Container, progress: Progress
) -> Packages:
    from dataguard.reproduction.docker_runner import DockerRunner

    path = place.absolute() / FILE_NAME if place.is_dir() else place.absolute()
    lock = read_lock(path)
    made = DockerRunner(
        lock,
        path=path,
        image=container.image,
        environment=environment,
        portable=True,
        gpus=container.gpus,
        progress=progress,
    )
    with contextlib.closing(made):
        write_bundle(
            target,
            lock,
            path,
            image=made.image.id,
            machine=made.image.machine,
            engine=made.engine,
            progress=progress,
        )
        return made.packages


def _run(
    path: Path, named: Path, *, gpus: bool, progress: Progress, built: Packages | None = None, **rest: Any
) -> Report:
    from dataguard.reproduction.docker_runner import DockerRunner

    with opened_bundle(path, progress=progress) as opened:
        lock = read_lock(opened.lock)
        runner = DockerRunner(lock, path=opened.lock, image=opened.image, packages=built, gpus=gpus, progress=progress)
        with contextlib.closing(runner):
            report = reproducing.reproduce(opened.lock, runner=runner, progress=progress, **rest)
    where = encode_path(str(named.absolute()))
    command = shlex.join(["dataguard", "reproduce", named.name, *(["--gpus"] if gpus else [])])
    facts = {key: command if key == "to run it again" else value for key, value in report.subject.facts.items()}
    subject = dataclasses.replace(
        report.subject, path=where, root=encode_path(str(named.absolute().parent)), facts=facts
    )
    return dataclasses.replace(report, subject=subject)
