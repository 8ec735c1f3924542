"""Lock a result and run it again: what ``dataguard lock``, ``reproduce`` and ``bisect`` do."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import Config, InferenceConfig, check_selector, find_config, load_config
from dataguard.core.errors import ConfigurationError
from dataguard.core.paths import encode_path
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report, Subject
from dataguard.engine.runners import (
    Container,
    bisecting_runner,
    locking_runner,
    opened_runner,
    overlay_folders,
    overlays_of,
    variables_now,
)
from dataguard.engine.running import run
from dataguard.reproduction.inference import BATCH_SIZE, MEMORY, TIMEOUT, Inference
from dataguard.reproduction.lock import FILE_NAME, Lock, read_lock
from dataguard.rules import all_rules

if TYPE_CHECKING:
    from dataguard.reproduction.reproducing import Reproduction
    from dataguard.reproduction.runner import Runner


def lock(
    config: str | Path | Config | None = None,
    *,
    output: str | Path | None = None,
    runner: str = "here",
    environment: str | Path | None = None,
    container: Container | None = None,
    offline: bool = False,
    exports: bool = True,
    select: Iterable[str] = (),
    ignore: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Report:
    """Run the declared inference, measure its noise, and lock its result with everything that it depends on.

    Args:
        config: A configuration with a table ``[inference]``, or its file or folder; by default the nearest one.
        output: Where to write the lock; ``dataguard.lock`` beside the configuration by default. Paths in it are
            relative to its folder, so that it belongs beside what it locks.
        runner: 'here', for this environment or the named one; 'docker', for a container that its packages are mounted
            in.
        environment: The virtual environment to run it in, over the configuration's.
        container: For 'docker', the image and whether it is given graphics cards.
        offline: Whether the package index is left alone; then the hashes of the archives are those of the project's
            own lock files alone.
        exports: Whether pylock.toml, the bill of materials and the manifests for signing are written beside the lock.
        select: Codes, prefixes or names of rules to run.
        ignore: Rules not to run with the reason for each.
        progress: Called with how far it is.

    Returns:
        The report on the lock: the noise floor, and what is the matter with it.

    Raises:
        DataguardError: the configuration declares nothing to run, or it cannot be run.
    """
    from dataguard.reproduction.archives import archives_of
    from dataguard.reproduction.export import write_exports
    from dataguard.reproduction.locking import lock_result
    from dataguard.reproduction.summary import lock_facts, lock_overview

    clock = time.perf_counter()
    select = tuple(select)
    settings = _resolved(config)
    _check_selectors(settings, select, ignore)
    inference = inference_of(settings)
    path = Path(output).absolute() if output is not None else inference.base / FILE_NAME
    if path.is_dir():
        path = path / FILE_NAME
    if path.parent != inference.base:
        inference = dataclasses.replace(inference, base=path.parent, **_rebased(inference, path.parent))
    chosen = str(environment) if environment is not None else inference.environment
    opened = locking_runner(
        runner,
        path=path,
        environment=inference.base / chosen if chosen else None,
        container=container,
        progress=progress,
    )
    try:
        archives, notes = archives_of(
            opened.installed(), project=settings.base.absolute(), offline=offline, progress=progress
        )
        made = lock_result(inference, opened, path=path, archives=archives, notes=notes, progress=progress)
    finally:
        opened.close()
    made.write(path)
    written = [path, path.parent / made.lock.golden.path]
    if exports:
        written += write_exports(made.lock, path)
    report = _report(settings, [made.lock], select=select, ignore=ignore, progress=progress)
    return dataclasses.replace(
        report,
        subject=_subject(path, "a locked result", made.lock, lock_facts(made.lock)),
        overview=tuple(lock_overview(made.lock)),
        notes=(*report.notes, *made.lock.notes, *opened.notes, *(f"written: {_shown(item)}" for item in written)),
        seconds=round(time.perf_counter() - clock, 3),
    )


def reproduce(
    path: str | Path = FILE_NAME,
    *,
    runner: str | Runner = "here",
    environment: str | Path | None = None,
    container: Container | None = None,
    batch_size: int | None = None,
    variables: Mapping[str, str] | None = None,
    packages: Iterable[str] = (),
    config: Config | None = None,
    select: Iterable[str] = (),
    ignore: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Report:
    """Run a locked result again, and say whether it is the same, and if not, where it differs and what may be why.

    Args:
        path: The lock, or its folder.
        runner: 'here', for this environment or the named one; 'process', for a fresh environment made from the lock;
            'docker', for a container; or a runner.
        environment: A virtual environment, for 'here' (by default the configuration's, or this one); for 'docker', the
            one whose packages are mounted.
        container: For 'docker', the image and whether it is given graphics cards.
        batch_size: Over the lock's.
        variables: Environment variables over the lock's.
        packages: Versions to take in place of the environment's own, as 'Pillow==9.5.0'.
        config: Rules to select and to ignore, and their options; by default that of the nearest ``dataguard.toml``.
        select: Codes, prefixes or names of rules to run, over the configuration's.
        ignore: Rules not to run with the reason for each.
        progress: Called with how far it is.

    Returns:
        The report; its subject's facts hold the verdict.

    Raises:
        DataguardError: the lock cannot be read, or it cannot be run.
    """
    clock = time.perf_counter()
    packages, select = tuple(packages), tuple(select)
    settings = _settings_beside(path, config)
    _check_selectors(settings, select, ignore)
    if runner == "here" and environment is None:
        environment = _environment_of(settings)
    made = reproduction(
        path,
        runner=runner,
        environment=environment,
        container=container,
        batch_size=batch_size,
        variables=variables,
        packages=packages,
        progress=progress,
    )
    report = _report(settings, [made, made.lock], select=select, ignore=ignore, progress=progress)
    words = _command(
        "reproduce",
        made.path,
        runner=runner if isinstance(runner, str) and runner != "here" else None,
        environment=environment,
        container=container,
        batch_size=batch_size,
        variables=variables,
        packages=packages,
    )
    return dataclasses.replace(finished(report, made, command=words), seconds=round(time.perf_counter() - clock, 3))


def _command(
    name: str,
    path: Path,
    *,
    runner: str | None = None,
    environment: str | Path | None = None,
    container: Container | None = None,
    batch_size: int | None = None,
    variables: Mapping[str, str] | None = None,
    packages: Iterable[str] = (),
) -> str:
    """The command line that does the same again, from the lock's folder."""
    import shlex

    words = ["dataguard", name, path.name]
    image = container.image if container else None
    options = {"runner": runner, "image": image, "environment": environment, "batch-size": batch_size}
    for option, value in options.items():
        words += [f"--{option}", str(value)] if value is not None else []
    words += ["--gpus"] if container and container.gpus else []
    for key, value in sorted((variables or {}).items()):
        words += ["--set", f"{key}={value}"]
    for pin in packages:
        words += ["--package", pin]
    return shlex.join(words)


def finished(report: Report, made: Reproduction, *, command: str = "") -> Report:
    """A report with what a reproduction says before any finding.

    Args:
        report: What the rules found.
        made: What was run.
        command: What runs it again.
    """
    from dataguard.reproduction.summary import reproduction_facts, reproduction_overview

    return dataclasses.replace(
        report,
        subject=_subject(made.path, "a locked result, run again", made.lock, reproduction_facts(made, command)),
        overview=tuple(reproduction_overview(made)),
        notes=(*report.notes, *made.notes),
    )


def reproduction(
    path: str | Path = FILE_NAME,
    *,
    runner: str | Runner = "here",
    environment: str | Path | None = None,
    container: Container | None = None,
    batch_size: int | None = None,
    variables: Mapping[str, str] | None = None,
    packages: Iterable[str] = (),
    progress: Progress = silent,
) -> Reproduction:
    """What `reproduce` reports on: a lock, and what came of running it again."""
    from dataguard.reproduction.reproducing import reproduce as run_again

    place = Path(path).absolute()
    place = place / FILE_NAME if place.is_dir() else place
    locked = read_lock(place)
    made = opened_runner(runner, locked, path=place, environment=environment, container=container, progress=progress)
    try:
        return run_again(
            locked,
            made,
            path=place,
            batch_size=batch_size,
            variables=variables,
            overlays=overlay_folders(packages, made),
            progress=progress,
        )
    finally:
        if made is not runner:
            made.close()


def bisect(
    path: str | Path = FILE_NAME,
    *,
    runner: str = "here",
    environment: str | Path | None = None,
    container: Container | None = None,
    packages: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
    batch_size: int | None = None,
    bitwise: bool = False,
    most_runs: int | None = None,
    config: Config | None = None,
    select: Iterable[str] = (),
    ignore: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Report:
    """Run a locked result again with subsets of the differences undone, to the smallest set that explains a change.

    Args:
        path: The lock, or its folder.
        runner: Where to run it, as for `reproduce`.
        environment: The virtual environment in which the result is another; by default the configuration's, or this
            one; for 'docker', the one whose packages are mounted.
        container: For 'docker', the image and whether it is given graphics cards.
        packages: Versions to take in place of its own, as 'Pillow==9.5.0'.
        variables: Environment variables over the lock's.
        batch_size: Over the lock's.
        bitwise: Whether float noise is to be explained too.
        most_runs: When to stop; 60 by default.
        config: Rules to select and to ignore, and their options; by default that of the nearest ``dataguard.toml``.
        select: Codes, prefixes or names of rules to run, over the configuration's.
        ignore: Rules not to run with the reason for each.
        progress: Called with how far it is.

    Returns:
        The report of the reproduction, with what explains it at its head.

    Raises:
        DataguardError: the lock cannot be read, or it cannot be run.
    """
    from dataguard.reproduction.bisecting import MOST_RUNS, Situation
    from dataguard.reproduction.bisecting import bisect as search
    from dataguard.reproduction.overlays import parse_pins
    from dataguard.reproduction.summary import bisection_facts, bisection_overview

    clock = time.perf_counter()
    packages, select = tuple(packages), tuple(select)
    settings = _settings_beside(path, config)
    _check_selectors(settings, select, ignore)
    if runner == "here" and environment is None:
        environment = _environment_of(settings)
    place = Path(path).absolute()
    place = place / FILE_NAME if place.is_dir() else place
    locked = read_lock(place)
    pins = parse_pins(packages)
    made = bisecting_runner(runner, locked, path=place, environment=environment, container=container, progress=progress)
    now = Situation(
        packages=pins, variables={**variables_now(made, locked), **(variables or {})}, batch_size=batch_size
    )
    try:
        found = search(
            locked,
            made,
            path=place,
            now=now,
            overlays=overlays_of(made),
            bitwise=bitwise,
            most_runs=MOST_RUNS if most_runs is None else most_runs,
            progress=progress,
        )
    finally:
        made.close()
    again = found.reproduction
    report = finished(
        _report(settings, [again, again.lock], select=select, ignore=ignore, progress=progress),
        again,
        command=_command(
            "bisect",
            place,
            runner=runner if runner != "here" else None,
            environment=environment,
            container=container,
            batch_size=batch_size,
            variables=variables,
            packages=packages,
        ),
    )
    return dataclasses.replace(
        report,
        subject=dataclasses.replace(report.subject, facts={**bisection_facts(found), **report.subject.facts}),
        overview=(*bisection_overview(found), *report.overview),
        seconds=round(time.perf_counter() - clock, 3),
    )


def inference_of(config: Config) -> Inference:
    """What a configuration declares to be run.

    Raises:
        ConfigurationError: it declares nothing, or something that contradicts itself.
    """
    table: InferenceConfig = config.inference
    if not table.named:
        raise ConfigurationError(
            "nothing says what to run",
            where=config.origin or str(config.base.absolute()),
            hint='add a table [inference] with entry = "infer.py:predict" and inputs = "images"',
        )
    values: dict[str, Any] = {
        "entry": table.entry or "",
        "command": table.command or "",
        "output": table.output or "",
        "pipeline": table.pipeline or "",
        "environment": table.environment or "",
        "batch_size": table.batch_size or BATCH_SIZE,
        "timeout": table.timeout or TIMEOUT,
        "memory": table.memory or MEMORY,
    }
    names = ("inputs", "weights", "stages", "classes", "takes", "seed", "variables")
    return Inference(base=config.base.absolute(), **values, **{name: getattr(table, name) for name in names})


def _resolved(config: str | Path | Config | None) -> Config:
    if isinstance(config, Config):
        return config
    given = Path.cwd() if config is None else Path(config)
    found = find_config(given) if given.is_dir() else given
    if found is None:
        raise ConfigurationError(
            "no configuration", where=given.absolute(), hint="write a dataguard.toml with a table [inference]"
        )
    return load_config(found, all_rules())


def _rebased(inference: Inference, folder: Path) -> dict[str, Any]:
    """The paths of an inference as seen from another folder."""
    import os

    def moved(text: str) -> str:
        return os.path.relpath(inference.base / text, folder)

    entry = inference.entry
    place, _, name = entry.rpartition(":")
    return {
        "entry": f"{moved(place)}:{name}" if place.endswith(".py") else entry,
        "inputs": tuple(moved(item) for item in inference.inputs),
        "weights": tuple(moved(item) for item in inference.weights),
        "pipeline": moved(inference.pipeline) if inference.pipeline else "",
        "environment": moved(inference.environment) if inference.environment else "",
    }


def _settings_beside(path: str | Path, config: Config | None) -> Config:
    """The configuration that holds for a lock: the given one, else the nearest to its folder.

    Raises:
        ConfigurationError: it is not valid.
    """
    if config is not None:
        return config
    place = Path(path).absolute()
    folder = place if place.is_dir() else place.parent
    found = find_config(folder) if folder.is_dir() else None
    return load_config(found, all_rules()) if found is not None else Config(base=folder)


def _environment_of(config: Config) -> str | None:
    """The environment that a configuration runs inference in; None for dataguard's own."""
    named = config.inference.environment
    return None if named is None else str(config.base / named)


def _check_selectors(config: Config | None, select: Iterable[str], ignore: Mapping[str, str] | None) -> None:
    """Refuse rules that there are none of before anything is run.

    Raises:
        ConfigurationError: a selector means no rule.
    """
    given = () if config is None else (*config.select, *config.ignore)
    for selector in (*given, *select, *(ignore or {})):
        check_selector(selector, all_rules(), where="select or ignore")


def _report(
    config: Config,
    given: Iterable[object],
    *,
    select: Iterable[str],
    ignore: Mapping[str, str] | None,
    progress: Progress,
) -> Report:
    """The report of the rules about locks alone, with the options and the choices of a configuration."""
    alone = Config(
        origin=config.origin,
        base=config.base.absolute(),
        inference=config.inference,
        select=tuple(select) or config.select,
        ignore={**config.ignore, **(ignore or {})},
        fail_on=config.fail_on,
        strict=config.strict,
        seed=config.seed,
        rules=config.rules,
    )
    return run(alone, all_rules(), use_cache=False, given=given, progress=progress)


def _subject(path: Path, source: str, locked: Lock, facts: Mapping[str, Any]) -> Subject:
    return Subject(
        kind="lock",
        path=encode_path(str(path)),
        root=encode_path(str(path.parent)),
        source=source,
        version_id=locked.data.version_id,
        n_samples=locked.data.n,
        facts=facts,
    )


def _shown(path: Path) -> str:
    return encode_path(path.name)
