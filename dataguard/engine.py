"""Select rules, satisfy their inputs, run them, and put together the report."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.metadata
import platform
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from dataguard import __version__
from dataguard.batches.stream import BatchStream
from dataguard.batches.summary import broken_off, loader_facts, loader_notes, loader_overview
from dataguard.config import (
    PICTURE_FORMS,
    Config,
    PreprocessingConfig,
    check_selector,
    find_config,
    load_config,
    matches,
)
from dataguard.core.errors import ConfigurationError, DataguardError, SourceError, did_you_mean
from dataguard.core.exhibit import Exhibit, Histogram, Series
from dataguard.core.finding import Finding, Inconclusive, Observation, Skipped
from dataguard.core.paths import encode_path
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report, RuleRun, Status, Subject
from dataguard.core.rule import Rule
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.inputs import (
    CODE_INPUTS,
    ENVIRONMENT_INPUTS,
    LOADER_INPUTS,
    NORMALIZATION_INPUTS,
    PREPROCESSING_INPUTS,
    Inputs,
    Loader,
    open_source,
)
from dataguard.inputs.environment import environment_alone, project_folder, project_path
from dataguard.preprocessing.pair import DeclaredPair, PipelinePair
from dataguard.preprocessing.summary import compared_facts, compared_name, compared_overview
from dataguard.rules import all_rules
from dataguard.splits.code.files import CodeFiles

if TYPE_CHECKING:
    from dataguard.dataset.class_counts import ClassCounts
    from dataguard.dataset.sources import Source
    from dataguard.dataset.table import SampleTable
    from dataguard.preprocessing.probe.identify import Identified

MEASURING_PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "pillow",
    "scikit-learn",
    "scipy",
    "duckdb",
    "pandas",
    "pandera",
)
"""Packages whose version can change a figure; the report names their versions."""
RESAMPLING_PACKAGES = ("torch", "torchvision", "scikit-image", "tensorflow")
"""Further ones that pictures are executed through where preprocessing is compared."""


def check(
    path: str | Path | None = None,
    *,
    loader: Loader | None = None,
    code: Iterable[str | Path] = (),
    environment: str | Path | None = None,
    config: str | Path | Config | None = None,
    select: Iterable[str] | None = None,
    ignore: Mapping[str, str] | None = None,
    jobs: int | None = None,
    cache: bool | str | Path = True,
    progress: Progress = silent,
) -> Report:
    """Check a dataset version, the loader that feeds a training loop, or both.

    Args:
        path: A folder of images, a CSV or Parquet file, or a ``dataguard.toml``. By default the configuration of the
            current folder says where the dataset is.
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
        config: A configuration file, or a configuration; by default the nearest one to `path`.
        select: Codes, prefixes or names of rules to run, over what the configuration says.
        ignore: Rules not to run with the reason for each, in addition to the configuration's.
        jobs: Threads; by default one a core.
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
    rules = all_rules()
    named_code = tuple(str(Path(name).absolute()) for name in code)
    without_dataset = loader is not None or bool(named_code) or environment is not None
    settings = resolve_config(path, config, rules, with_loader=without_dataset)
    changes: dict[str, Any] = {}
    if named_code:
        changes["code"] = dataclasses.replace(settings.code, paths=named_code)
    if environment is not None:
        changes["environment"] = dataclasses.replace(settings.environment, path=str(Path(environment).absolute()))
    if select is not None:
        changes["select"] = tuple(select)
    if ignore:
        changes["ignore"] = {**settings.ignore, **ignore}
    if jobs is not None:
        changes["jobs"] = jobs
    if not isinstance(cache, bool):
        changes["cache"] = str(Path(cache).absolute())
    settings = dataclasses.replace(settings, **changes)
    for selector in (*settings.select, *settings.ignore):
        check_selector(selector, rules, where="select or ignore")
    if isinstance(loader, str):
        named = dataclasses.replace(settings.loader, target=loader, base=Path.cwd())
        settings, loader = dataclasses.replace(settings, loader=named), None
    return run(settings, rules, loader=loader, use_cache=cache is not False, progress=progress)


@overload
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
) -> Identified: ...


@overload
def probe(
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
) -> Report: ...


def probe(
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
) -> Report | Identified:
    """Find out what a function does to a picture, and compare it with another one or with a configuration.

    Args:
        target: What training does: a function, or ``"module:name"``, ``"file.py:name"``, ``"model.onnx"``,
            ``"http://…"``, a command with ``{image}`` and ``{output}``, which run in a process of their own; or a .json
            file that ``dataguard probe --save`` wrote.
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
        What was found out, as a pipeline with how closely it reproduces the function; with `against` or `declared`, a
        report on the differences.

    Raises:
        DataguardError: a target cannot be imported, cannot be asked, or answers with no array.

    Example:
        >>> import numpy as np
        >>> found = probe(lambda picture: np.asarray(picture)[:, :, ::-1], takes="array")
        >>> found.pipeline.order, found.fidelity
        ('BGR', 'exact')
    """
    from dataguard.inputs.preprocessing import compared, limits_of, with_declared
    from dataguard.preprocessing.probe.target import opened_side, target_name

    if takes not in (None, *PICTURE_FORMS):
        raise ConfigurationError(f"unknown form {takes!r}", where="takes", hint=did_you_mean(str(takes), PICTURE_FORMS))
    if (model is None) != (images is None):
        raise ConfigurationError("a model and pictures go together", where="model, images", hint="give both, or none")
    folder = Path.cwd() if base is None else Path(base).absolute()
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
    if against is None and declared is None:
        limits = limits_of(settings)
        progress(f"asking {target_name(target)}", 0, 1)
        with opened_side(target, base=folder, takes=takes, limits=limits, seed=seed) as side:
            return side.found
    clock = time.perf_counter()
    given: list[object] = []
    if against is not None:
        given.append(compared(target, against, settings, base=folder, model=model, seed=seed, progress=progress))
    if declared is not None:
        given.append(with_declared(served, str(declared), settings, base=folder, seed=seed, progress=progress))
    whole = dataclasses.replace(config or Config(base=folder), preprocessing=settings, seed=seed)
    report = run(whole, all_rules(), use_cache=False, given=given, progress=progress)
    return dataclasses.replace(report, seconds=round(time.perf_counter() - clock, 3))


def resolve_config(
    path: str | Path | None,
    config: str | Path | Config | None,
    rules: Iterable[Rule[Any]],
    *,
    with_loader: bool = False,
) -> Config:
    """The configuration that holds, with the dataset's path made absolute; None where only a loader is to be checked.

    A configuration file as `path` is read. A folder that holds a configuration which names a dataset or a loader means
    these. Any other `path` is the dataset, and the nearest configuration holds. Without `path` and a dataset in the
    configuration, the current folder is the dataset, unless there is a loader or code (`with_loader`, or the
    configuration's).
    """
    target = None if path is None else Path(path)
    if isinstance(config, Config):
        settings = config
    elif config is not None:
        settings = load_config(Path(config), rules)
    elif target is not None and target.suffix == ".toml":
        settings = load_config(target, rules)
        target = None
    else:
        if target is not None and not target.exists():
            raise SourceError("no such file or folder", where=target.absolute(), hint=_siblings_hint(target))
        start = Path.cwd() if target is None else target if target.is_dir() else target.parent
        found = find_config(start) or (find_config(Path.cwd()) if target is not None else None)
        settings = load_config(found, rules) if found else Config(base=Path.cwd())
        named = settings.dataset.path or settings.loader.target or _without_dataset(settings)
        if target is not None and found and found.parent == target.absolute() and named:
            target = None
    without = with_loader or settings.loader.target is not None or _without_dataset(settings)
    if target is None and settings.dataset.path is None and without:
        return settings
    chosen = target.absolute() if target is not None else settings.base / (settings.dataset.path or ".")
    return dataclasses.replace(settings, dataset=dataclasses.replace(settings.dataset, path=str(chosen)))


def _siblings_hint(missing: Path) -> str | None:
    import difflib

    try:
        names = [entry.name for entry in missing.absolute().parent.iterdir()]
    except OSError:
        return "its folder does not exist either"
    near = difflib.get_close_matches(missing.name, names, n=1)
    return f"did you mean {str(missing.parent / near[0])!r}?" if near else None


def run(
    config: Config,
    rules: Iterable[Rule[Any]],
    *,
    loader: Loader | None = None,
    use_cache: bool = True,
    progress: Progress = silent,
    given: Iterable[object] = (),
) -> Report:
    """Run the selected rules on the dataset and the loader that a configuration names; see `check`.

    `given` are inputs that were made elsewhere; where there are any, they are all that is checked.

    Interrupted (Ctrl-C) while rules run, it returns what it has, marked as partial.
    """
    started = dt.datetime.now(dt.UTC)
    clock = time.perf_counter()
    loader = config.loader.target if loader is None else loader
    given = tuple(given)
    alone = bool(given) or (config.dataset.path is None and (loader is not None or _without_dataset(config)))
    source = None if alone else open_source(config)
    inputs = Inputs(config, source, use_cache=use_cache, progress=progress, loader=loader)
    for value in given:
        inputs.give(value)
    chosen = _chosen(config, rules, with_loader=loader is not None, with_dataset=source is not None)
    runs: list[RuleRun] = []
    partial = False
    table: SampleTable | None = None
    stream: BatchStream | None = None
    pairs: list[PipelinePair | DeclaredPair] = []
    try:
        # First the loader: a mistake in its name shows before a long scan.
        recorded = inputs.get(BatchStream) if loader is not None else None
        stream = recorded if isinstance(recorded, BatchStream) else None
        pairs = _compared(config, inputs, given)
        table = inputs.table() if source is not None else None
    except KeyboardInterrupt:
        # What was decoded is in the cache: the next run goes on from there.
        partial = True
    for number, rule in enumerate(chosen):
        if partial:
            runs.append(_record(rule, Status.NOT_RUN, reason="interrupted before it"))
            continue
        progress(f"checking {rule.code}", number, len(chosen))
        try:
            runs.append(_run_rule(rule, config, inputs))
        except KeyboardInterrupt:
            partial = True
            runs.append(_record(rule, Status.NOT_RUN, reason="interrupted while it ran"))
    counts = Skipped(reason="the scan was interrupted") if table is None else inputs.class_counts()
    broken = "" if stream is None else broken_off(stream)
    return Report(
        subject=_compared_subject(config, pairs)
        if source is None and loader is None and pairs
        else _environment_subject(inputs)
        if environment_alone(inputs)
        else _fed_subject(config)
        if source is None and loader is None and not config.code.paths
        else _code_subject(config, inputs)
        if source is None and loader is None
        else _loader_subject(config, loader, stream)
        if source is None
        else _subject(config, source, table, counts, stream),
        runs=tuple(runs),
        tool_version=__version__,
        started_at=started.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - clock, 3),
        configuration=_settings(config, use_cache=use_cache),
        environment=_environment(RESAMPLING_PACKAGES if pairs else ()),
        overview=(
            *_overview(counts),
            *(() if stream is None else loader_overview(stream)),
            *(exhibit for pair in pairs for exhibit in compared_overview(pair)),
        ),
        notes=(
            *([broken] if broken else []),
            *inputs.notes,
            *(note for pair in pairs for note in pair.notes),
            *(() if stream is None else loader_notes(stream)),
        ),
        partial=partial or bool(broken),
        ended_by="" if partial else broken,
    )


def _chosen(
    config: Config, rules: Iterable[Rule[Any]], *, with_loader: bool, with_dataset: bool = True
) -> list[Rule[Any]]:
    """The rules to run. Without a loader or code those about it are left out, unless they are selected by name.

    Where there is only code, so are those about anything else.
    """
    if config.select:
        return [rule for rule in rules if any(matches(text, rule) for text in config.select)]
    chosen = []
    for rule in rules:
        kinds = [item.type for item in rule.inputs]
        if any(kind in PREPROCESSING_INPUTS for kind in kinds):
            settings = config.preprocessing
            other = settings.declared if DeclaredPair in kinds else settings.train
            if settings.serve is not None and other is not None:
                chosen.append(rule)
            continue
        if any(kind in ENVIRONMENT_INPUTS for kind in kinds):
            if config.environment.path is not None:
                chosen.append(rule)
            continue
        about_code = any(kind in CODE_INPUTS for kind in kinds)
        about_loader = any(kind in LOADER_INPUTS for kind in kinds)
        about_numbers = bool(config.normalization.fed) and any(kind in NORMALIZATION_INPUTS for kind in kinds)
        if (
            (with_loader or not about_loader)
            and (config.code.paths or not about_code)
            and (about_code or about_numbers or with_loader or with_dataset)
        ):
            chosen.append(rule)
    return chosen


def _without_dataset(config: Config) -> bool:
    """Whether the configuration names something to check that needs no dataset."""
    named = config.code.paths or config.normalization.fed or config.preprocessing.named
    return bool(named or config.environment.path)


def _compared(config: Config, inputs: Inputs, given: tuple[object, ...]) -> list[PipelinePair | DeclaredPair]:
    """The pairs of paths that there are; a path that cannot be asked ends the run, before a long scan."""
    if not config.preprocessing.named and not given:
        return []
    kinds: tuple[type[PipelinePair | DeclaredPair], ...] = (PipelinePair, DeclaredPair)
    found = [inputs.get(kind) for kind in kinds]
    return [pair for pair in found if isinstance(pair, PipelinePair | DeclaredPair)]


def _compared_subject(config: Config, pairs: Sequence[PipelinePair | DeclaredPair]) -> Subject:
    return Subject(
        kind="preprocessing",
        path=" and ".join(dict.fromkeys(encode_path(compared_name(pair)) for pair in pairs)),
        root=encode_path(str(config.base.absolute())),
        source="what is done to a picture",
        version_id="",
        n_samples=0,
        splits={},
        n_classes=None,
        facts={key: value for pair in pairs for key, value in compared_facts(pair).items()},
    )


def _environment_subject(inputs: Inputs) -> Subject:
    declared = inputs.get(DeclaredEnvironment)
    folder = project_folder(inputs)
    return Subject(
        kind="environment",
        path=encode_path(str(project_path(inputs))),
        root=encode_path(str(folder)),
        source="requirements and locks",
        version_id="",
        n_samples=0,
        splits={},
        n_classes=None,
        facts=declared.facts() if isinstance(declared, DeclaredEnvironment) else {},
    )


def _fed_subject(config: Config) -> Subject:
    return Subject(
        kind="loader",
        path=", ".join(config.normalization.fed.values()),
        root=encode_path(str(config.base.absolute())),
        source="",
        version_id="",
        n_samples=0,
        splits={},
        n_classes=None,
    )


def _code_subject(config: Config, inputs: Inputs) -> Subject:
    found = inputs.get(CodeFiles)
    paths = [str(config.base.absolute() / path) for path in config.code.paths]
    facts: dict[str, Any] = {}
    if isinstance(found, CodeFiles):
        facts = {"scripts and notebooks": len(found.analyses) + len(found.unreadable)}
    return Subject(
        kind="code",
        path=", ".join(encode_path(path) for path in paths),
        root=encode_path(str(config.base.absolute())),
        source="code",
        version_id="",
        n_samples=0,
        splits={},
        n_classes=None,
        facts=facts,
    )


def _run_rule(rule: Rule[Any], config: Config, inputs: Inputs) -> RuleRun:
    for selector, reason in config.ignore.items():
        if matches(selector, rule):
            return _record(rule, Status.IGNORED, reason=reason)
    options = config.options(rule)
    clock = time.perf_counter()
    arguments: list[object] = []
    try:
        for parameter in rule.inputs:
            value: object = inputs.get(parameter.type)
            if isinstance(value, Skipped | Inconclusive):
                if parameter.required:
                    return _settled(rule, [value], options, time.perf_counter() - clock)
                arguments.append(None)
            else:
                arguments.append(value)
        outcomes = rule(*arguments, **options)
    except DataguardError as error:
        return _record(rule, Status.CRASHED, reason=str(error), options=options)
    except Exception as error:  # noqa: BLE001 - one broken rule must not take the others' findings with it
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        reason = f"{type(error).__name__} at {place}: {error} (a fault of dataguard's; please report it)"
        return _record(rule, Status.CRASHED, reason=reason, options=options)
    return _settled(rule, outcomes, options, time.perf_counter() - clock)


def _settled(rule: Rule[Any], outcomes: Iterable[object], options: Mapping[str, Any], seconds: float) -> RuleRun:
    outcomes = list(outcomes)
    findings = tuple(item for item in outcomes if isinstance(item, Finding))
    inconclusive = tuple(item for item in outcomes if isinstance(item, Inconclusive))
    skipped = [item for item in outcomes if isinstance(item, Skipped)]
    if findings:
        status, reason = Status.FOUND, ""
    elif inconclusive:
        status, reason = Status.INCONCLUSIVE, "; ".join(item.reason for item in inconclusive)
    elif skipped:
        status = Status.SKIPPED
        reason = "; ".join(item.reason + (f" ({item.hint})" if item.hint else "") for item in skipped)
    else:
        status, reason = Status.PASSED, ""
    return _record(
        rule,
        status,
        reason=reason,
        options=options,
        findings=findings,
        observations=tuple(item for item in outcomes if isinstance(item, Observation)),
        inconclusive=inconclusive,
        seconds=round(seconds, 3),
    )


def _record(rule: Rule[Any], status: Status, **fields: Any) -> RuleRun:
    return RuleRun(
        code=rule.code, name=rule.name, summary=rule.summary, severity=rule.severity, status=status, **fields
    )


def _loader_subject(config: Config, loader: Loader | None, stream: BatchStream | None) -> Subject:
    base = str((config.loader.base or config.base).absolute())
    named = loader if isinstance(loader, str) else "" if stream is None else stream.facts.loader
    return Subject(
        kind="loader",
        path=named,
        root=encode_path(base),
        source="" if stream is None else stream.facts.loader,
        version_id="",
        n_samples=0 if stream is None else stream.n_samples,
        splits={},
        n_classes=len(stream.classes) or None if stream is not None else None,
        facts={} if stream is None else loader_facts(stream),
    )


def _subject(
    config: Config,
    source: Source,
    table: SampleTable | None,
    counts: ClassCounts | Skipped,
    stream: BatchStream | None,
) -> Subject:
    from dataguard.dataset.class_counts import split_order

    path = encode_path(config.dataset.path or str(source.root))

    if table is None:
        return Subject(
            kind="dataset",
            path=path,
            root=encode_path(str(source.root)),
            source=source.kind,
            version_id="",
            n_samples=0,
            splits={},
            n_classes=None,
        )
    splits = {
        "" if name is None else str(name): int(n)
        for name, n in table.connection.execute(f"SELECT split, count(*) FROM {table.query} GROUP BY split").fetchall()
    }
    return Subject(
        kind="dataset",
        path=path,
        root=encode_path(str(table.root)),
        source=table.source,
        version_id=table.version_id,
        n_samples=table.n_samples,
        splits={name: splits[name] for name in sorted(splits, key=split_order)},
        n_classes=None if isinstance(counts, Skipped) else len(counts.classes),
        facts=table.facts()
        if stream is None
        else {**table.facts(), "loader": {"class": stream.facts.loader, **loader_facts(stream)}},
    )


def _overview(counts: ClassCounts | Skipped) -> tuple[Exhibit, ...]:
    if isinstance(counts, Skipped):
        return ()
    series = tuple(
        Series(name=split or "all", values=tuple(float(n) for n in row))
        for split, row in zip(counts.splits, counts.counts, strict=True)
    )
    return (Histogram(title="Samples per class", categories=counts.classes, series=series),)


def _settings(config: Config, *, use_cache: bool) -> dict[str, Any]:
    return {
        "origin": config.origin,
        "dataset": {key: value for key, value in dataclasses.asdict(config.dataset).items() if value is not None},
        "loader": _loader_settings(config),
        "code": {"paths": config.code.paths, "exclude": config.code.exclude} if config.code.paths else {},
        "normalization": {
            key: value for key, value in dataclasses.asdict(config.normalization).items() if value is not None
        },
        "preprocessing": {
            key: value for key, value in dataclasses.asdict(config.preprocessing).items() if value is not None
        },
        "environment": {
            "path": config.environment.path,
            "exclude": config.environment.exclude,
            "installed": config.environment.installed,
        }
        if config.environment.path is not None
        else {},
        "select": config.select,
        "ignore": dict(config.ignore),
        "fail_on": config.fail_on.word,
        "strict": config.strict,
        "seed": config.seed,
        "max_pixels": config.max_pixels,
        "cache": use_cache,
    }


def _loader_settings(config: Config) -> dict[str, Any]:
    values = {key: value for key, value in dataclasses.asdict(config.loader).items() if value is not None}
    return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def _environment(further: tuple[str, ...] = ()) -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for package in (*MEASURING_PACKAGES, *further):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed as a distribution"
    return versions
