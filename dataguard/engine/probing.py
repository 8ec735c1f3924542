"""Ask functions what they do to a picture: what ``dataguard probe`` does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import PICTURE_FORMS, Config, PreprocessingConfig
from dataguard.core.errors import ConfigurationError, did_you_mean
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report
from dataguard.engine.running import run
from dataguard.rules import all_rules

if TYPE_CHECKING:
    from dataguard.preprocessing.probe.identify import Identified


def probe(
    target: str | Callable[[Any], object],
    *,
    takes: str | None = None,
    timeout: float | None = None,
    memory: float | None = None,
    sandbox: str | None = None,
    base: str | Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Identified:
    """Find out what a function does to a picture.

    Args:
        target: A function, or ``"module:name"``, ``"file.py:name"``, ``"model.onnx"``, ``"http://…"``, a command with
            ``{image}`` and ``{output}``, which run in a process of their own.
        takes: What it takes: "path", "bytes", "pillow" or "array"; by default each is tried.
        timeout: Seconds that one call may take; 30 by default.
        memory: GiB of address space; 16 by default.
        sandbox: A Docker image to run in.
        base: The folder that names are relative to; the current one by default.
        seed: Of the pictures that are made.
        progress: Called with how far it is.

    Returns:
        What was found out, as a pipeline with how closely it reproduces the function.

    Raises:
        DataguardError: the target cannot be imported, cannot be asked, or answers with no array.

    Example:
        >>> import numpy as np
        >>> found = probe(lambda picture: np.asarray(picture)[:, :, ::-1], takes="array")
        >>> found.pipeline.order, found.fidelity
        ('BGR', 'exact')
    """
    from dataguard.inputs.preprocessing import limits_of
    from dataguard.preprocessing.probe.target import opened_side, target_name

    _check_form(takes)
    limits = limits_of(PreprocessingConfig(takes=takes, timeout=timeout, memory=memory, sandbox=sandbox))
    progress(f"asking {target_name(target)}", 0, 1)
    with opened_side(target, base=_folder(base), takes=takes, limits=limits, seed=seed) as side:
        return side.found


def compare(
    target: str | Callable[[Any], object],
    against: str | Callable[[Any], object] | None = None,
    *,
    declared: str | Path | None = None,
    model: str | Callable[[Any], object] | None = None,
    images: str | Path | None = None,
    takes: str | None = None,
    timeout: float | None = None,
    memory: float | None = None,
    sandbox: str | None = None,
    base: str | Path | None = None,
    seed: int = 0,
    config: Config | None = None,
    progress: Progress = silent,
) -> Report:
    """Compare what a function does to a picture with what another one does, or with a configuration.

    Args:
        target: What training does: a function or the name of one, as for `probe`, or a .json file that ``dataguard
            probe --save`` wrote.
        against: What serving does, likewise.
        declared: A configuration of published weights to hold the target (or `against`, if given) against.
        model: From a batch to outputs, to measure what the differences do.
        images: A folder of pictures for that; folders in it are taken for classes.
        takes: What the functions take: "path", "bytes", "pillow" or "array"; by default each is tried.
        timeout: Seconds that one call may take; 30 by default.
        memory: GiB of address space; 16 by default.
        sandbox: A Docker image to run in.
        base: The folder that names are relative to; the current one by default.
        seed: Of the pictures that are made.
        config: Rules to select and to ignore, and their options.
        progress: Called with how far it is.

    Returns:
        A report on the differences.

    Raises:
        ConfigurationError: there is nothing to compare with, or a model without pictures.
        DataguardError: a target cannot be imported, cannot be asked, or answers with no array.

    Example:
        >>> import numpy as np
        >>> report = compare(lambda picture: np.asarray(picture), lambda picture: np.asarray(picture)[:, :, ::-1])
        >>> [(finding.code, finding.name) for finding in report.findings]
        [('DG402', 'channel-order-mismatch')]
    """
    from dataguard.inputs.preprocessing import compared, with_declared
    from dataguard.preprocessing.probe.target import target_name

    _check_form(takes)
    if against is None and declared is None:
        raise ConfigurationError("there is nothing to compare with", where="against", hint="give it, or declared")
    if (model is None) != (images is None):
        raise ConfigurationError("a model and pictures go together", where="model, images", hint="give both, or none")
    folder = _folder(base)
    served = target if against is None else against
    settings = PreprocessingConfig(
        train=None if against is None else target_name(target),
        serve=target_name(served),
        declared=None if declared is None else str(declared),
        model=None if model is None else target_name(model),
        images=None if images is None else str(images),
        takes=takes,
        timeout=timeout,
        memory=memory,
        sandbox=sandbox,
    )
    clock = time.perf_counter()
    given: list[object] = []
    if against is not None:
        given.append(compared(target, against, settings, base=folder, model=model, seed=seed, progress=progress))
    if declared is not None:
        given.append(with_declared(served, str(declared), settings, base=folder, seed=seed, progress=progress))
    whole = dataclasses.replace(config or Config(base=folder), preprocessing=settings, seed=seed)
    report = run(whole, all_rules(), use_cache=False, given=given, progress=progress)
    return dataclasses.replace(report, seconds=round(time.perf_counter() - clock, 3))


def _check_form(takes: str | None) -> None:
    if takes not in (None, *PICTURE_FORMS):
        raise ConfigurationError(f"unknown form {takes!r}", where="takes", hint=did_you_mean(str(takes), PICTURE_FORMS))


def _folder(base: str | Path | None) -> Path:
    return Path.cwd() if base is None else Path(base).absolute()
