"""What does not count: findings of ignored rules, and those of a baseline; and the rules that keep this honest."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import Config, matches
from dataguard.config.ignores import expiry
from dataguard.core import baseline as baselines
from dataguard.core.acceptance import Acceptances, FinishedRuns, IgnoreUse
from dataguard.core.baseline import Baseline, GoneEntry
from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Finding
from dataguard.core.paths import decode_path, encode_path
from dataguard.core.report import CONCLUDED, RuleRun, Status, Subject
from dataguard.core.rule import Rule
from dataguard.rules.dataguard.dg901_unused_ignore import unused_ignore
from dataguard.rules.dataguard.dg902_rule_crashed import rule_crashed

if TYPE_CHECKING:
    from dataguard.inputs import Inputs

ABOUT_THE_RUN: tuple[Rule[Any], ...] = (unused_ignore, rule_crashed)
"""The rules that look at what became of the others, and so come last."""


def ignored_by(rule: Rule[Any], ignores: Mapping[str, str], today: dt.date, *, where: str) -> tuple[str, str] | None:
    """The selector and the reason by which a rule is ignored on a day; None where it is not."""
    for selector, reason in ignores.items():
        if matches(selector, rule):
            until = expiry(reason, where=f"{where}.{selector}")
            if until is None or today <= until:
                return selector, reason
    return None


def runs_ignored(config: Config) -> bool:
    """Whether ignored rules are run, so that an ignore that hides nothing is noticed."""
    return bool(config.options(unused_ignore)["run_ignored"])


def hidden(run: RuleRun, reason: str) -> RuleRun:
    """The run of an ignored rule: what it found is there, and does not count."""
    said = reason
    if run.status is Status.CRASHED:
        said = f"{reason} (it could not run: {run.reason})"
    elif run.findings:
        said = f"{reason} ({len(run.findings)} {'finding is' if len(run.findings) == 1 else 'findings are'} hidden)"
    return dataclasses.replace(run, status=Status.IGNORED, reason=said, findings=(), known=run.findings)


def uses(config: Config, ran: Iterable[tuple[Rule[Any], RuleRun, Status | None]], today: dt.date) -> list[IgnoreUse]:
    """What each ignore of the configuration did.

    Args:
        config: It has the ignores.
        ran: Each rule of the run, its record, and what would have become of it without ignores; None where it was not
            run.
        today: The day of the run.
    """
    ran = list(ran)
    found = []
    for selector, reason in config.ignore.items():
        until = expiry(reason, where=f"ignore.{selector}")
        meant = [(rule, run, status) for rule, run, status in ran if matches(selector, rule)]
        # A rule that two ignores mean is hidden by the first of them that has not expired.
        first = [
            item for item in meant if ignored_by(item[0], config.ignore, today, where="ignore") == (selector, reason)
        ]
        found.append(
            IgnoreUse(
                selector=selector,
                reason=reason,
                until=until,
                expired=until is not None and today > until,
                rules=tuple(rule.code for rule, _, _ in meant),
                undecided=tuple(rule.code for rule, _, status in meant if status not in CONCLUDED),
                hidden_by_others=tuple(item[0].code for item in meant if item not in first and item[1].known),
                n_hidden=sum(len(run.known) for _, run, _ in first),
            )
        )
    return found


def read_baseline(config: Config) -> Baseline | None:
    """The baseline that a configuration names; None where it names none.

    Raises:
        DataguardError: it is not there, or is none.
    """
    if config.baseline is None:
        return None
    path = config.base / config.baseline
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(
            "there is no such baseline", where=path.absolute(), hint="`dataguard baseline` writes one"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"not UTF-8 at byte {error.start}", where=path.absolute()) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=path.absolute()) from error
    return baselines.load(text, where=str(path.absolute()))


def with_contents(run: RuleRun, inputs: Inputs) -> RuleRun:
    """The run with the hash of the content at every place whose sample is named by its position in a table."""
    source = inputs.source
    wanted = {place.sample_id for finding in run.findings for place in finding.locations} - {None}
    if not wanted:
        return run
    from dataguard.dataset.sources.table import TableSource

    if not isinstance(source, TableSource) or source.id is not None:
        return run
    contents = inputs.table().contents_of(name for name in wanted if name is not None)
    return dataclasses.replace(run, findings=tuple(_with_contents(finding, contents) for finding in run.findings))


def _with_contents(finding: Finding, contents: Mapping[str, str]) -> Finding:
    places = tuple(
        dataclasses.replace(place, content=contents[place.sample_id][:32])
        if place.sample_id is not None and place.sample_id in contents
        else place
        for place in finding.locations
    )
    return dataclasses.replace(finding, locations=places)


def acceptances(
    config: Config, subject: Subject, ignores: Iterable[IgnoreUse], baseline: Baseline | None, gone: Iterable[GoneEntry]
) -> Acceptances:
    """What the rules about the run itself look at."""
    root = Path(decode_path(subject.root))
    return Acceptances(
        ignores=tuple(ignores),
        origin=None if config.origin is None else _shown(Path(config.origin), root),
        baseline=None if config.baseline is None else _shown(config.base / config.baseline, root),
        n_entries=0 if baseline is None else len(baseline.entries),
        gone=tuple(gone),
    )


def due(rule: Rule[Any], config: Config, accepted: Acceptances, finished: FinishedRuns) -> bool:
    """Whether a rule about the run itself has anything to look at, or is asked for."""
    if config.select:
        return any(matches(text, rule) for text in config.select)
    if rule.code == unused_ignore.code:
        return bool(accepted.ignores) or accepted.baseline is not None
    return any(run.status is Status.CRASHED for run in finished.runs)


def notes(accepted: Acceptances, n_known: int) -> list[str]:
    """What a reader should know of what does not count."""
    said = [
        f"the ignore of {use.selector} ended on {use.until}: what it hid counts again"
        for use in accepted.ignores
        if use.expired
    ]
    if accepted.baseline is not None:
        said.append(
            f"the baseline {accepted.baseline} has {_findings(accepted.n_entries)}; {n_known:,} of this run "
            f"{'is' if n_known == 1 else 'are'} known by it and {'does' if n_known == 1 else 'do'} not count"
        )
    return said


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count:,} findings"


def _shown(path: Path, root: Path) -> str:
    try:
        return encode_path(path.absolute().relative_to(root).as_posix())
    except ValueError:
        return encode_path(str(path.absolute()))
