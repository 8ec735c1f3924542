"""DG504: other versions are installed than the lock says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.exhibit import Listing
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
from dataguard.environment.drift import Drift, PinDrift, PinsHeld, gravest_first, held_pins
from dataguard.environment.installed import InstalledEnvironment

_SHOWN = 50
_NAMED = 3


@rule("DG504", "installed-differs-from-lock", Severity.ERROR)
def installed_differs_from_lock(
    declared: DeclaredEnvironment,
    environment: InstalledEnvironment,
    *,
    min_overlap: Annotated[float, Between(low=0, high=1)] = 0.5,
) -> Iterator[Outcome]:
    """What is installed is not what the lock says.

    ## What it does

    Holds every pinned version (of the lock files; where there are none, every `==` in the project's other files)
    against the metadata of what is installed.

    ## Why is this bad?

    The lock is what a result is reproduced from, and the environment is what made it. Where they differ, nobody can
    install what the result came from, and the figures are those of versions that nothing names.

    ## How it decides

    A pin holds if the installed version satisfies it as PEP 440 reads it: `2.1.0+cpu` satisfies `==2.1.0`, and is
    listed as another build. A commit of a repository holds if the installer recorded the same (`direct_url.json`). A
    package that two locks pin differently holds if it meets one. Pins whose marker excludes this Python or this system
    are left out; those of an extra or a group, and constraints, count only where the package is installed. There is no
    estimate in this: two versions are equal or not.

    The environment is the one in the project's folder (`.venv`). Without one, the active environment is looked at,
    which may belong to another project: then nothing is decided where fewer than `min_overlap` of the pinned packages
    are installed at all, and a finding is a warning.

    Options:

    - `min_overlap`: the share of the pinned packages that must be installed, in whatever version, for an environment
      that nobody named to be taken for this project's.

    ## Example

    >>> from dataguard.environment.declared import DeclaredFile, Role
    >>> from dataguard.environment.installed import Distribution
    >>> from dataguard.environment.requirement import Requirement
    >>> pin = Requirement(name="pillow", written="pillow==8.4.0", path="requirements.txt", line=3, specifier="==8.4.0")
    >>> lock = DeclaredFile(path="requirements.txt", kind="requirements.txt", role=Role.LOCK, requirements=(pin,))
    >>> there = Distribution(name="Pillow", version="11.0.0", location="/venv", metadata="/venv/pillow.dist-info")
    >>> environment = InstalledEnvironment(root="/venv", folders=(), python="3.11.2", distributions=(there,))
    >>> finding = installed_differs_from_lock(DeclaredEnvironment(root="/p", files=(lock,)), environment)[0]
    >>> print(finding.message)
    1 of 1 pinned package is not installed as pinned: pillow 11.0.0 instead of 8.4.0.

    ## How to fix

    Install what the lock says (`pip-sync requirements.txt`, `uv sync`, or a new environment and
    `pip install --require-hashes -r requirements.txt`); or, if the installed versions are the ones that you want,
    compile the lock again and measure again.

    ## References

    - PEP 440, *Version specifiers*; PEP 610, *Recording the direct URL origin of installed distributions*.
    - pip documentation, *Repeatable installs*.
    """
    held = held_pins(declared, environment)
    if not held.pins:
        yield Skipped(reason="no file names one version of anything", hint="compile a lock, as with pip-compile or uv")
        return
    overlap = held.n_installed / len(held.pins)
    figures = (
        Measurement(name="pinned packages", value=len(held.pins)),
        Measurement(name="of these installed, in any version", value=held.n_installed),
        Measurement(name="pins that do not hold", value=len(held.drifts), threshold=0, n=len(held.pins)),
        Measurement(name="installed packages that no lock names", value=len(held.beyond)),
    )
    if not environment.named and overlap < min_overlap:
        yield Inconclusive(
            reason=f"only {held.n_installed} of {len(held.pins)} pinned packages are installed in {environment.root}, "
            "which is probably not this project's environment",
            measurements=figures,
        )
        return
    if held.drifts:
        yield _finding(declared, environment, held, figures)
    builds = f"; other builds: {', '.join(held.local)}" if held.local else ""
    yield Observation(
        message=f"{len(held.pins) - len(held.drifts)} of {len(held.pins)} pins hold{builds}.", measurements=figures
    )


def _finding(
    declared: DeclaredEnvironment, environment: InstalledEnvironment, held: PinsHeld, figures: tuple[Measurement, ...]
) -> Outcome:
    drifts = list(gravest_first(held.drifts))
    named = ", ".join(_words(drift) for drift in drifts[:_NAMED])
    more = f" and {len(drifts) - _NAMED} more" if len(drifts) > _NAMED else ""
    n = len(held.pins)
    guessed = (
        "" if environment.named else f" The environment, {environment.root}, was not named, but is the active one."
    )
    return installed_differs_from_lock.finding(
        f"{len(drifts)} of {n} pinned package{'s' if n != 1 else ''} {'is' if len(drifts) == 1 else 'are'} not "
        f"installed as pinned: {named}{more}.{guessed}",
        remedy="Install from the lock again (pip-sync, uv sync); or compile it again if these versions are meant.",
        confidence=Confidence.HIGH if environment.named else Confidence.MEDIUM,
        severity=None if environment.named else Severity.WARNING,
        measurements=figures,
        locations=tuple(
            Location(
                path=declared.shown(drift.requirement.path),
                line=drift.requirement.line,
                note=f"{drift.requirement.name} {drift.wanted}: "
                + (f"{drift.found} is installed" if drift.found else "not installed"),
            )
            for drift in drifts
        ),
        exhibits=(
            Listing(
                title="Pins that do not hold",
                columns=("package", "pinned", "installed", "in"),
                rows=tuple(
                    (
                        drift.requirement.name,
                        drift.wanted,
                        drift.found or "–",
                        f"{declared.shown(drift.requirement.path)}:{drift.requirement.line}",
                    )
                    for drift in drifts[:_SHOWN]
                ),
                total=len(drifts),
            ),
        ),
    )


def _words(drift: PinDrift) -> str:
    name = drift.requirement.name
    if drift.kind is Drift.MISSING:
        return f"{name} {drift.wanted} is missing"
    if drift.kind is Drift.SOURCE:
        return f"{name} at commit {drift.found[:10]} instead of {drift.wanted[:10]}"
    return f"{name} {drift.found} instead of {drift.wanted}"
