"""Findings that a comment in the audited source takes back, and comments that take nothing back."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from dataguard.config import Config, matches
from dataguard.core.acceptance import Acceptances, IgnoreUse
from dataguard.core.finding import Finding, Observation
from dataguard.core.report import CONCLUDED, Report, RuleRun, Status
from dataguard.engine.accepting import ignored_by
from dataguard.engine.running import settled
from dataguard.preprocessing.audit.excerpts import Comment, Lines, ignored, with_excerpts
from dataguard.rules.dataguard.dg901_unused_ignore import unused_ignore

OF_THEIR_OWN = frozenset({"DG310"})
"""Rules that read such comments themselves, so that what they took back is not among their findings."""


def looked_up(report: Report, lines: Lines, comments: Sequence[Comment], config: Config) -> Report:
    """The report with the lines that its findings are about, and without those that a comment there takes back.

    Args:
        report: Of the audit.
        lines: Of the audited files.
        comments: All that such files have; what none of the findings needed is DG901's.
        config: Says which rules are asked for.
    """
    used: set[tuple[str, int]] = set()
    notes: list[str] = []
    runs = [_of_rule(run, lines, notes, used) for run in report.runs]
    unused = [comment for comment in comments if (comment.path, comment.line) not in used]
    ignores = tuple(use for comment in unused for use in _uses(comment, runs))
    return dataclasses.replace(
        report,
        runs=tuple(_with_unused(runs, ignores, config)),
        notes=(*report.notes, *notes),
    )


def _of_rule(run: RuleRun, lines: Lines, notes: list[str], used: set[tuple[str, int]]) -> RuleRun:
    kept: list[Finding] = []
    n_ignored = 0
    for finding in run.findings:
        comment = ignored(finding, lines)
        if comment is not None:
            used.add((comment.path, comment.line))
        if comment is not None and comment.reason:
            n_ignored += 1
            notes.append(f"{finding.code} is ignored at {comment.path}:{comment.line}: {comment.reason}")
            continue
        if comment is not None:
            notes.append(f"the comment at {comment.path}:{comment.line} ignores nothing: it does not say why")
        kept.append(with_excerpts(finding, lines))
    if not n_ignored:
        return dataclasses.replace(run, findings=tuple(kept))
    said = f"{n_ignored} {'finding is' if n_ignored == 1 else 'findings are'} ignored by a comment at the line."
    status = run.status
    if not kept:
        status = Status.INCONCLUSIVE if run.inconclusive else Status.PASSED
    return dataclasses.replace(
        run,
        findings=tuple(kept),
        status=status,
        reason="; ".join(item.reason for item in run.inconclusive) if not kept else run.reason,
        observations=(*run.observations, Observation(message=said)),
    )


def _uses(comment: Comment, runs: Sequence[RuleRun]) -> list[IgnoreUse]:
    """What a comment that no finding needed is for, one of each rule of this run that it names."""
    meant = [run for run in runs if comment.names(run.code, run.name) and run.code not in OF_THEIR_OWN]
    return [
        IgnoreUse(
            selector=run.code,
            reason=comment.reason,
            rules=(run.code,),
            undecided=() if run.status in CONCLUDED else (run.code,),
            path=comment.path,
            line=comment.line,
        )
        for run in meant
    ]


def _with_unused(runs: list[RuleRun], ignores: tuple[IgnoreUse, ...], config: Config) -> list[RuleRun]:
    """The runs with DG901's on comments, where it is asked for."""
    asked = not config.select or any(matches(text, unused_ignore) for text in config.select)
    today = dt.datetime.now(dt.UTC).date()
    given_up = any(ignored_by(unused_ignore, one, today, where="ignore") for one in (config.left_out, config.ignore))
    if not ignores or not asked or given_up:
        return runs
    options = config.options(unused_ignore)
    made = settled(unused_ignore, unused_ignore(Acceptances(ignores=ignores), **options), options, 0.0)
    before = next((run for run in runs if run.code == made.code), None)
    if before is None or before.status is Status.SKIPPED:
        return [*(run for run in runs if run is not before), made]
    findings = (*before.findings, *made.findings)
    both = dataclasses.replace(before, findings=findings, status=Status.FOUND if findings else before.status)
    return [both if run is before else run for run in runs]
