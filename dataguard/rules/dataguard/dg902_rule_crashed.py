"""DG902: a rule that could not run."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.acceptance import FinishedRuns
from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.report import Status
from dataguard.core.rule import rule


@rule("DG902", "rule-crashed", Severity.ERROR)
def rule_crashed(finished: FinishedRuns) -> Iterator[Outcome]:
    """A rule could not run, so that what it is about was not judged.

    ## What it does

    Lists the rules of this run that failed, each with the reason.

    ## Why is this bad?

    A check that failed looks like one that passed wherever only findings are shown, as in annotations of a pull
    request. The run ends in exit code 2 as well: its silence is no pass.

    ## How it decides

    A rule that raised an error has crashed. One whose input is not there is skipped, and one that cannot decide is
    inconclusive: neither is a crash. No statistics and no threshold.

    ## Example

    >>> from dataguard.core.report import RuleRun
    >>> run = RuleRun(code="DG101", name="label-noise", summary="Labels are wrong.", severity=Severity.ERROR,
    ...     status=Status.CRASHED, reason="MemoryError at kernel.py:88")
    >>> print(rule_crashed(FinishedRuns(runs=(run,)))[0].message)
    DG101 label-noise could not run: MemoryError at kernel.py:88.

    ## How to fix

    Where the reason names a file or a setting of yours, mend it. Else it is a fault of dataguard: report it, with the
    reason. Until then `ignore = { DG101 = "crashes, reported (until 2027-01-31)" }` takes the rule out, and says so in
    every report.

    ## References

    - [SARIF 2.1.0, section 3.20.21](https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html): notifications
      of a tool's own failures, as other tools give them.
    """
    ran = [run for run in finished.runs if run.status is not Status.NOT_RUN]
    if not ran:
        yield Skipped(reason="no rule was run")
        return
    crashed = [run for run in ran if run.status is Status.CRASHED]
    for run in crashed:
        # The hint of an error stands on lines of its own.
        reason = "; ".join(line.strip() for line in run.reason.splitlines() if line.strip()).rstrip(".")
        yield rule_crashed.finding(
            f"{run.code} {run.name} could not run: {reason or 'no reason was given'}.",
            remedy="What it is about was not judged: this is no pass. Mend what the reason names, or report it.",
            confidence=Confidence.HIGH,
            key=(run.code,),
        )
    yield Observation(
        message=f"{len(crashed)} of {len(ran)} rules could not run.",
        measurements=(Measurement(name="rules that could not run", value=len(crashed), threshold=0, n=len(ran)),),
    )
