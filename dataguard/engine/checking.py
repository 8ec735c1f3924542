"""Check a dataset version, a loader, code and an environment: what ``dataguard check`` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import Config, check_selector
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report
from dataguard.engine.remembered_report import look
from dataguard.engine.resolving import resolve_config
from dataguard.rules import EveryRule

if TYPE_CHECKING:
    from dataguard.inputs import Loader


def check(
    path: str | Path | Any | None = None,
    *,
    loader: Loader | None = None,
    code: Iterable[str | Path] = (),
    environment: str | Path | None = None,
    against: str | Path | None = None,
    serving: str | Path | None = None,
    config: str | Path | Config | None = None,
    select: Iterable[str] | None = None,
    ignore: Mapping[str, str] | None = None,
    baseline: str | Path | None = None,
    jobs: int | None = None,
    engine: str | None = None,
    memory: str | None = None,
    sample: int | None = None,
    cache: bool | str | Path = True,
    progress: Progress = silent,
) -> Report:
    """Check a dataset version, the loader that feeds a training loop, or both.

    Args:
        path: A folder of images, a CSV, Parquet or Arrow file, any other dataset that ``docs/sources.md`` lists, or a
            ``dataguard.toml``; or a table of pandas, polars or pyarrow. By default the configuration of the current
            folder says where the dataset is.
        loader: What feeds the training loop: the loader itself, a stream that `record` or `guard` made of it, or
            ``"module:name"`` or ``"file.py:name"``, which is imported and gone through in a process of its own. With
            no dataset named, it is all that is checked. The configuration's ``[loader]`` says how much of it is looked
            at, and names a loader where none is given here.
        code: Scripts, notebooks, and folders of these, that train and evaluate: what is fitted before data are split is
            looked for in them. They are read, never run. With no dataset and no loader named, they are all that is
            checked. Over the configuration's ``[code]``.
        environment: A project's folder, or one of its files such as ``requirements.txt``: what it declares that it
            needs, and what its code imports. Both are read, nothing is run. With nothing else named, it is all that is
            checked. Over the configuration's ``[environment]``.
        against: A snapshot of a former version of the dataset: what was lost, relabelled or moved since, and what
            drifted. Over the configuration's ``dataset.against``.
        serving: A logged sample of what the model is fed with in service, a table or a folder. Over the configuration's
            ``dataset.serving``.
        config: A configuration file, or a configuration; by default the nearest one to `path`.
        select: Codes, prefixes or names of rules to run, over what the configuration says.
        ignore: Rules not to run with the reason for each, which may end in ``(until 2027-01-31)``; in addition to those
            that the configuration ignores.
        baseline: A file of findings that do not count, as ``dataguard baseline`` recorded them; over the configuration.
        jobs: Threads; by default one a core.
        engine: What decodes pictures in place of threads here: ``"spark"``, ``"dask"``, ``"ray"``, each with the
            address of a cluster where need be, as ``"spark=spark://host:7077"``. The report is the same.
        memory: The most that checks of a dataset may use, as ``"2GB"``; by default half of what the machine has. What
            needs more is skipped, with the reason.
        sample: How many samples to judge by, chosen by a hash of the seed and each one's name. Shares come with
            intervals, and rules that need every sample are skipped.
        cache: Whether to keep and use what was computed, or the folder to keep it in.
        progress: Called with how far it is.

    Returns:
        The report. `Report.exit_code` says whether it should fail a build.

    Raises:
        DataguardError: the dataset or the loader cannot be read, or the configuration is wrong.
        NothingToCheckError: there is not one sample, or the loader has no batches.

    Example:
        >>> import numpy as np
        >>> x, y = np.random.default_rng(0).normal(size=(640, 4)), np.repeat(np.arange(10), 64)
        >>> batches = [(x[at : at + 32], y[at : at + 32]) for at in range(0, 640, 32)]
        >>> report = check(loader=batches, select=["DG202"])
        >>> [(finding.code, finding.name) for finding in report.findings]
        [('DG202', 'single-label-batch')]
    """
    rules = EveryRule()
    named_code = tuple(str(Path(name).absolute()) for name in code)
    others = loader is not None or bool(named_code) or environment is not None
    place: str | Path | None = path if isinstance(path, str | Path) else None
    frame: Any = None if place is not None else path
    settings = resolve_config(place, config, rules, dataset_optional=others or frame is not None)
    changes: dict[str, Any] = {}
    if named_code:
        changes["code"] = dataclasses.replace(settings.code, paths=named_code)
    if environment is not None:
        changes["environment"] = dataclasses.replace(settings.environment, path=str(Path(environment).absolute()))
    dataset = settings.dataset
    if frame is not None:
        name = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
        dataset = dataclasses.replace(dataset, path=name, frame=frame)
    if against is not None:
        dataset = dataclasses.replace(dataset, against=str(Path(against).absolute()))
    if serving is not None:
        dataset = dataclasses.replace(dataset, serving=str(Path(serving).absolute()))
    changes["dataset"] = dataset
    if select is not None:
        changes["select"] = tuple(select)
    if ignore:
        changes["left_out"] = dict(ignore)
    if baseline is not None:
        changes["baseline"] = str(Path(baseline).absolute())
    if jobs is not None:
        changes["jobs"] = jobs
    if engine is not None:
        changes["engine"] = engine
    if sample is not None:
        changes["sample"] = sample
    if memory is not None:
        changes["memory"] = memory
    if not isinstance(cache, bool):
        changes["cache"] = str(Path(cache).absolute())
    settings = dataclasses.replace(settings, **changes)
    # Before anything else is imported, and before what the same run found right is looked at again.
    looked = look(settings, None, allowed=cache is not False and loader is None)
    if looked.report is not None:
        return looked.report
    for selector in (*settings.select, *settings.ignore, *settings.left_out):
        check_selector(selector, rules, where="select or ignore")
    from dataguard.engine import running

    if isinstance(loader, str):
        named = dataclasses.replace(settings.loader, target=loader, base=Path.cwd())
        settings, loader = dataclasses.replace(settings, loader=named), None
    return running.run(settings, rules, loader=loader, use_cache=cache is not False, progress=progress, looked=looked)
