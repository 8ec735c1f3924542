"""Run rules on what a configuration names, and put together the report."""

from __future__ import annotations

import datetime as dt
import time
import traceback
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard import __version__
from dataguard.config import Config
from dataguard.core import baseline as baselines
from dataguard.core.acceptance import Acceptances, FinishedRuns
from dataguard.core.baseline import Baseline, GoneEntry
from dataguard.core.errors import DataguardError
from dataguard.core.exhibit import Histogram, Series
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.core.progress import Progress, silent
from dataguard.core.report import Report, RuleRun, Status
from dataguard.core.rule import Rule
from dataguard.dataset.memory import memory_limited
from dataguard.engine import accepting, sampling
from dataguard.engine.areas import DATASET, area_of, chosen, open_areas, subject
from dataguard.engine.circumstances import settings_in_force, versions
from dataguard.engine.resolving import limit_of
from dataguard.engine.subjects import CASE, STREAM, pairs_of
from dataguard.inputs import Inputs
from dataguard.rules import BrokenPlugin, broken_plugins

# What reads datasets, loaders and models is imported where there is one: an audit reads none.
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataguard.core.exhibit import Exhibit
    from dataguard.dataset.class_counts import ClassCounts
    from dataguard.dataset.sources import Source
    from dataguard.dataset.table import SampleTable
    from dataguard.engine.remembered_report import Looked
    from dataguard.engine.remembering import Memory
    from dataguard.inputs import Loader


def run(
    config: Config,
    rules: Iterable[Rule[Any]],
    *,
    loader: Loader | None = None,
    use_cache: bool = True,
    progress: Progress = silent,
    given: Iterable[object] = (),
    looked: Looked | None = None,
) -> Report:
    """Run the selected rules on what a configuration names; see `check`.

    Args:
        config: What it is told; ``dataset.path`` is absolute, or None where no dataset is to be checked.
        rules: Every rule there is.
        loader: What feeds the training loop, over the configuration's.
        use_cache: Whether to keep and use what was computed.
        progress: Called with how far it is.
        given: Inputs that were made elsewhere; where there are any, no dataset is opened.
        looked: What came of looking for the report of the same among those of former runs, where that has been done.

    Returns:
        The report. Interrupted (Ctrl-C), it has what there is, and is marked as partial.

    Raises:
        DataguardError: the dataset or the loader cannot be read.
    """
    given = tuple(given)
    # A baseline that cannot be read is said before anything long.
    known = accepting.read_baseline(config)
    started, clock, memory = dt.datetime.now(dt.UTC), time.perf_counter(), None
    if looked is None and config.dataset.path is not None:
        from dataguard.engine.remembered_report import look

        rules = tuple(rules)
        looked = look(config, rules, allowed=use_cache and loader is None and not given)
    if looked is not None:
        if looked.report is not None:
            return looked.report
        memory, started, clock = looked.memory, looked.started, looked.clock
    with memory_limited(limit_of(config)):
        inputs = Inputs(
            config,
            None if given else _source(config),
            use_cache=use_cache,
            progress=progress,
            loader=config.loader.target if loader is None else loader,
        )
        for value in given:
            inputs.give(value)
        if memory is not None:
            memory = memory.opened(inputs.source)
        with closing(inputs):
            report = _report(config, rules, inputs, known, use_cache=use_cache, started=started, clock=clock)
            if memory is not None:
                memory.keep(report, inputs.source, inputs)
            return report


def _source(config: Config) -> Source | None:
    if config.dataset.path is None:
        return None
    from dataguard.inputs import open_source

    return open_source(config)


def _report(
    config: Config,
    rules: Iterable[Rule[Any]],
    inputs: Inputs,
    known: Baseline | None,
    *,
    use_cache: bool,
    started: dt.datetime,
    clock: float,
) -> Report:
    progress = inputs.progress
    selected = [rule for rule in chosen(rules, inputs) if rule not in accepting.ABOUT_THE_RUN]
    runs: list[RuleRun] = []
    without_ignores: list[Status | None] = []
    partial = False
    try:
        open_areas(selected, inputs)
    except KeyboardInterrupt:
        # What was decoded is in the cache: the next run goes on from there.
        partial = True
    memory = None if partial else _memory(config, inputs)
    for number, rule in enumerate(selected):
        if partial:
            runs.append(_record(rule, Status.NOT_RUN, reason="interrupted before it"))
            without_ignores.append(None)
            continue
        progress(f"checking {rule.code}", number, len(selected))
        try:
            made, status = _accepted_run(rule, config, inputs, started.date(), memory)
        except KeyboardInterrupt:
            partial = True
            made, status = _record(rule, Status.NOT_RUN, reason="interrupted while it ran"), None
        runs.append(made)
        without_ignores.append(status)
    about = subject(inputs)
    gone: tuple[GoneEntry, ...] = ()
    if known is not None:
        compared, gone = baselines.compared(runs, known, n_samples=about.n_samples)
        runs = list(compared)
    ran = zip(selected, runs, without_ignores, strict=True)
    accepted = accepting.acceptances(config, about, accepting.uses(config, ran, started.date()), known, gone)
    n_known = sum(len(item.known) for item in runs if item.status is not Status.IGNORED)
    if not partial and not config.select and (inputs.source is not None or inputs.loader is not None):
        runs += [_of_broken(plugin) for plugin in broken_plugins()]
    runs += _runs_about_the_run(config, inputs, accepted, FinishedRuns(runs=tuple(runs)), started.date())
    part = sampled(inputs)
    broken = _broken_off(inputs)
    return Report(
        subject=about,
        runs=tuple(runs),
        tool_version=__version__,
        started_at=started.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - clock, 3),
        configuration=settings_in_force(config, use_cache=use_cache),
        environment=versions(resampling=bool(pairs_of(inputs)), training=inputs.there(CASE) is not None),
        overview=tuple(_overview(inputs)),
        notes=(
            *([broken] if broken else []),
            *(() if part is None else (sampling.note(*part, config.seed),)),
            *inputs.notes,
            *accepting.notes(accepted, n_known),
            *_notes(inputs),
        ),
        partial=partial or bool(broken),
        ended_by="" if partial else broken,
    )


def _memory(config: Config, inputs: Inputs) -> Memory | None:
    if inputs.cache is None:
        return None
    from dataguard.engine.remembering import Memory

    return Memory.of(config, inputs)


def _broken_off(inputs: Inputs) -> str:
    """How the recording of a loader ended before its end; '' where it did not."""
    stream = inputs.there(STREAM)
    if stream is None:
        return ""
    from dataguard.batches.summary import broken_off

    return broken_off(stream)


def _overview(inputs: Inputs) -> Iterator[Exhibit]:
    if (counts := inputs.there("dataset.class_counts.ClassCounts")) is not None:
        yield _class_histogram(counts)
    if (stream := inputs.there(STREAM)) is not None:
        from dataguard.batches.summary import loader_overview

        yield from loader_overview(stream)
    runs, first = inputs.there("training.golden.GoldenRuns"), inputs.there("training.passes.FirstPass")
    if runs is not None or first is not None:
        from dataguard.training.summary import training_overview

        yield from training_overview(runs, first)
    for pair in pairs_of(inputs):
        from dataguard.preprocessing.summary import compared_overview

        yield from compared_overview(pair)


def _notes(inputs: Inputs) -> Iterator[str]:
    if (case := inputs.there(CASE)) is not None:
        from dataguard.training.summary import training_notes

        yield from training_notes(case)
    for pair in pairs_of(inputs):
        yield from pair.notes
    if (stream := inputs.there(STREAM)) is not None:
        from dataguard.batches.summary import loader_notes

        yield from loader_notes(stream)


def _accepted_run(
    rule: Rule[Any], config: Config, inputs: Inputs, today: dt.date, memory: Memory | None = None
) -> tuple[RuleRun, Status | None]:
    """A rule's part in a run, and what would have become of it were it not ignored; None where it was not run."""
    left_out = accepting.ignored_by(rule, config.left_out, today, where="--ignore")
    if left_out is not None:
        return _record(rule, Status.IGNORED, reason=left_out[1]), None
    ignored = accepting.ignored_by(rule, config.ignore, today, where="ignore")
    if ignored is not None and not accepting.runs_ignored(config):
        return _record(rule, Status.IGNORED, reason=ignored[1]), None

    def run_now() -> RuleRun:
        return _run_rule(rule, config, inputs)

    made = run_now() if memory is None else memory.run(rule, run_now)
    if area_of(rule) is DATASET:
        made = accepting.with_contents(made, inputs)
    return (made if ignored is None else accepting.hidden(made, ignored[1])), made.status


def _runs_about_the_run(
    config: Config, inputs: Inputs, accepted: Acceptances, finished: FinishedRuns, today: dt.date
) -> list[RuleRun]:
    inputs.give(accepted)
    inputs.give(finished)
    found = []
    for rule in accepting.ABOUT_THE_RUN:
        if accepting.due(rule, config, accepted, finished):
            made, _ = _accepted_run(rule, config, inputs, today)
            found.append(made)
    return found


def _run_rule(rule: Rule[Any], config: Config, inputs: Inputs) -> RuleRun:
    options = config.options(rule)
    clock = time.perf_counter()
    arguments: list[object] = []
    try:
        part = sampled(inputs)
        if part is not None and (refusal := sampling.refused(rule, *part)) is not None:
            return settled(rule, [refusal], options, time.perf_counter() - clock)
        for parameter in rule.inputs:
            value: object = inputs.get(parameter.type)
            if isinstance(value, Skipped | Inconclusive):
                if parameter.required:
                    return settled(rule, [value], options, time.perf_counter() - clock)
                arguments.append(None)
            else:
                arguments.append(value)
        outcomes = rule(*arguments, **options)
        if part is not None and rule.code in sampling.ANSWERED:
            outcomes = [sampling.with_intervals(item) if isinstance(item, Finding) else item for item in outcomes]
    except DataguardError as error:
        return _record(rule, Status.CRASHED, reason=str(error), options=options)
    except Exception as error:  # noqa: BLE001 - one broken rule must not take the others' findings with it
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        reason = f"{type(error).__name__} at {place}: {error} ({_whose(rule)})"
        return _record(rule, Status.CRASHED, reason=reason, options=options)
    return settled(rule, outcomes, options, time.perf_counter() - clock)


def sampled(inputs: Inputs) -> tuple[int, int] | None:
    """How many samples were drawn, of how many; None where all are looked at."""
    table: SampleTable | None = inputs.there("dataset.table.SampleTable")
    return None if table is None or inputs.n_all is None else (table.n_samples, inputs.n_all)


def settled(rule: Rule[Any], outcomes: Iterable[object], options: Mapping[str, Any], seconds: float) -> RuleRun:
    """What became of a rule, by its outcomes."""
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


def _of_broken(plugin: BrokenPlugin) -> RuleRun:
    """The part in a run of a rule that could not be loaded: it is not run, and that is no pass."""
    return RuleRun(
        code=plugin.name,
        name="broken-plug-in",
        summary="A rule of another distribution cannot be used.",
        severity=Severity.ERROR,
        status=Status.CRASHED,
        reason=str(plugin.error),
    )


def _whose(rule: Rule[Any]) -> str:
    """Whose fault it is when a rule fails."""
    package = rule.__module__.partition(".")[0]
    return "a fault of dataguard's; please report it" if package == "dataguard" else f"a fault of the plug-in {package}"


def _class_histogram(counts: ClassCounts) -> Histogram:
    series = tuple(
        Series(name=split or "all", values=tuple(float(n) for n in row))
        for split, row in zip(counts.splits, counts.counts, strict=True)
    )
    return Histogram(title="Samples per class", categories=counts.classes, series=series)
