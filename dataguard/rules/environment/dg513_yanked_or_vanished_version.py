"""DG513: pinned releases that the index withdrew or lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import (
    Confidence,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.release_status import ReleaseState, ReleaseStatus, release_statuses
from dataguard.environment.requirement import Requirement


@rule("DG513", "yanked-or-vanished-version", Severity.ERROR)
def yanked_or_vanished_version(
    declared: DeclaredEnvironment,
    *,
    index: str = "",
    timeout: Annotated[float, Between(low=0.1, high=60)] = 5.0,
    deadline: Annotated[float, Between(low=0.1, high=600)] = 20.0,
) -> Iterator[Outcome]:
    """A pinned version was withdrawn from the index, or is not there any more.

    ## What it does

    Asks a package index, if you name one, whether it still offers each version that the project pins.

    ## Why is this bad?

    A version that is gone cannot be installed: nobody can make the environment again. One that was yanked still can be,
    where it is named exactly, and its author says not to use it: it is broken, or insecure, or was a mistake.

    ## How it decides

    By the index's page of each project (PEP 503 or PEP 691): *vanished* (an error) if no file of that version is on it,
    or if there is no such project; *yanked* (a warning) if every file of the version is marked so (PEP 592). Local
    parts, as `+cu118`, are left away, since indexes do not list them. No version is judged by an answer that did not
    come.

    Nothing is asked, and the rule is skipped, unless `index` is set: the names of all pinned packages are sent to it,
    the private ones among them. Eight projects are asked at a time; each may take `timeout` seconds, and all together
    `deadline`; what is not known by then is said to be unknown.

    Options:

    - `index`: the address of a simple repository, as `https://index.example/simple`; nothing is asked where it is
      empty.
    - `timeout`: seconds that the index may be silent.
    - `deadline`: seconds after which the rest is unknown.

    ## Example

    >>> from dataguard.environment.declared import DeclaredFile, Role
    >>> pin = Requirement(name="demo", written="demo==1.0", path="requirements.txt", line=1, specifier="==1.0")
    >>> lock = DeclaredFile(path="requirements.txt", kind="requirements.txt", role=Role.LOCK, requirements=(pin,))
    >>> print(yanked_or_vanished_version(DeclaredEnvironment(root="/p", files=(lock,)))[0].reason)
    no index is asked unless one is named

    ## How to fix

    Pin the next version that is offered, compile the lock again, and measure again. If a result rests on the version
    that is gone, look for its wheel in the caches of those who made it, and keep it with the result.

    ## References

    - PEP 592, *Adding "yank" support to the simple API*; PEP 691, *JSON-based simple API*.
    """
    pins = {
        (name, item.version): item
        for name, items in declared.pinned.items()
        for item in items
        if item.version is not None and item.url is None
    }
    if not pins:
        yield Skipped(reason="no file names one version of anything")
        return
    if not index:
        yield Skipped(
            reason="no index is asked unless one is named",
            hint="set rules.DG513.index to the address of a simple repository",
        )
        return
    try:
        statuses = release_statuses(pins, index=index, timeout=timeout, deadline=deadline)
    except ValueError as error:
        yield Skipped(reason=f"index: {error}")
        return
    gone = [item for item in statuses if item.state in (ReleaseState.VANISHED, ReleaseState.NO_PROJECT)]
    yanked = [item for item in statuses if item.state is ReleaseState.YANKED]
    unknown = [item for item in statuses if item.state is ReleaseState.UNKNOWN]
    figures = (
        Measurement(name="pinned releases asked for", value=len(statuses)),
        Measurement(name="not there any more", value=len(gone), threshold=0),
        Measurement(name="yanked", value=len(yanked), threshold=0),
        Measurement(name="not answered", value=len(unknown)),
    )
    for status in (*gone, *yanked):
        yield _finding(declared, status, pins[status.name, status.version], figures)
    if unknown:
        yield Inconclusive(
            reason=f"of {len(unknown)} of {len(statuses)} releases nothing is known: {unknown[0].reason}",
            measurements=figures,
        )
    offered = len(statuses) - len(gone) - len(yanked) - len(unknown)
    yield Observation(message=f"{offered} of {len(statuses)} pinned releases are offered.", measurements=figures)


def _finding(
    declared: DeclaredEnvironment, status: ReleaseStatus, pin: Requirement, figures: tuple[Measurement, ...]
) -> Outcome:
    release = f"{status.name} {status.version}"
    if status.state is ReleaseState.YANKED:
        why = f": {status.reason}" if status.reason else ""
        message, severity = f"{release} was withdrawn by its author{why}.", Severity.WARNING
    elif status.state is ReleaseState.VANISHED:
        message, severity = f"{release} is not on the index any more.", Severity.ERROR
    else:
        message, severity = f"{release} cannot be installed: the index has no project of that name.", Severity.ERROR
    return yanked_or_vanished_version.finding(
        message,
        remedy=f"Pin another version of {status.name}, compile the lock again, and measure again.",
        severity=severity,
        # A private package is on another index.
        confidence=Confidence.MEDIUM if status.state is ReleaseState.NO_PROJECT else Confidence.HIGH,
        measurements=figures,
        locations=(Location(path=declared.shown(pin.path), line=pin.line),),
        key=(status.name, status.version),
    )
