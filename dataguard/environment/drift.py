"""What is installed, held against the versions that a project declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.version import InvalidVersion, Version

from dataguard.environment.declared import DeclaredEnvironment, Role
from dataguard.environment.installed import Distribution, InstalledEnvironment
from dataguard.environment.requirement import Requirement

_COMMIT = re.compile(r"@([0-9a-f]{40})\b")
_NEVER_ASKED = frozenset({Role.DEVELOPMENT, Role.IMAGE, Role.CONSTRAINTS})


class Drift(Enum):
    """How an installed package differs from what was declared."""

    VERSION = "version"
    """Another version is installed."""
    MISSING = "missing"
    """It is not installed."""
    SOURCE = "source"
    """It is another commit of a repository."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PinDrift:
    """One pin that does not hold in an environment."""

    kind: Drift
    requirement: Requirement
    """The pin, the first of a name."""
    installed: Distribution | None

    @property
    def wanted(self) -> str:
        """The version or the commit that is declared."""
        if self.kind is Drift.SOURCE:
            return _commit(self.requirement.url or "")
        return self.requirement.version or self.requirement.specifier

    @property
    def found(self) -> str:
        """The version or the commit that is installed; '' where nothing is."""
        if self.installed is None:
            return ""
        return _commit(self.installed.url) if self.kind is Drift.SOURCE else self.installed.version


@dataclass(frozen=True, kw_only=True, slots=True)
class PinsHeld:
    """Every pin that applies to an environment, and which of them do not hold."""

    drifts: tuple[PinDrift, ...]
    """By name."""
    pins: tuple[Requirement, ...]
    """Those that were compared, by name, one a name."""
    n_installed: int
    """How many of these names are installed, whatever the version."""
    beyond: tuple[str, ...]
    """Installed packages that no lock names, by name; empty where there is no lock."""
    local: tuple[str, ...]
    """'name version' of packages that hold a pin as another build, as 2.1.0+cpu for 2.1.0."""


def held_pins(declared: DeclaredEnvironment, environment: InstalledEnvironment) -> PinsHeld:
    """Compare an environment with the pins of a project.

    Where there are lock files, they alone count; else every exact version in its other files. A package that several
    files pin differently holds where one of them is met. Pins whose marker excludes this Python are left out; those of
    an extra or a group, and constraints, need not be installed.
    """
    locks = {file.path for file in declared.locks}
    roles = {file.path: file.role for file in declared.files}
    drifts, pins, local = [], [], []
    n_installed = 0
    for name, candidates in sorted(_pins(declared).items()):
        chosen = [
            item
            for item in candidates
            if (not locks or item.path in locks) and _applies(item.marker, environment.python)
        ]
        if not chosen:
            continue
        distribution = environment.by_name.get(name)
        asked = any(
            not (item.constraint or item.group or roles.get(item.path) in _NEVER_ASKED or "extra" in item.marker)
            for item in chosen
        )
        if distribution is None and not asked:
            continue
        pins.append(chosen[0])
        n_installed += distribution is not None
        kinds = [_drift(item, distribution) for item in chosen]
        if all(kinds):
            drifts.append(PinDrift(kind=kinds[0] or Drift.VERSION, requirement=chosen[0], installed=distribution))
        elif distribution is not None and _is_another_build(distribution.version, chosen):
            local.append(f"{name} {distribution.version}")
    named = {item.name for file in declared.files for item in file.requirements} | declared.local_names
    beyond = [key for key in environment.by_name if key not in named] if locks else []
    return PinsHeld(
        drifts=tuple(drifts), pins=tuple(pins), n_installed=n_installed, beyond=tuple(beyond), local=tuple(local)
    )


def _is_another_build(version: str, pins: Iterable[Requirement]) -> bool:
    return "+" in version and not any(item.version and "+" in item.version for item in pins)


def _pins(declared: DeclaredEnvironment) -> dict[str, list[Requirement]]:
    found = {name: list(items) for name, items in declared.pinned.items()}
    for item in declared.requirements():
        if item.name and item.vcs == "git" and _commit(item.url or ""):
            found.setdefault(item.name, []).append(item)
    return found


def _drift(requirement: Requirement, distribution: Distribution | None) -> Drift | None:
    if distribution is None:
        return Drift.MISSING
    commit = _commit(requirement.url or "")
    if commit:
        installed = _commit(distribution.url)
        return Drift.SOURCE if installed and installed != commit else None
    if distribution.editable:
        # The developer's own copy of it.
        return None
    return None if requirement.allows(distribution.version) else Drift.VERSION


def _commit(url: str) -> str:
    match = _COMMIT.search(unquote(url))
    return match[1] if match else ""


def _applies(marker: str, python: str) -> bool:
    """Whether a marker holds for that Python on this system; True where that cannot be told."""
    if not marker or "extra" in marker:
        return True
    values = {}
    if python:
        values = {"python_version": ".".join(python.split(".")[:2])}
        values["python_full_version"] = python if python.count(".") >= 2 else f"{python}.0"
    try:
        return Marker(marker).evaluate(values)
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, ValueError):
        return True


def version_distance(old: str, new: str) -> str:
    """Which part of two versions differs: 'major', 'minor', 'patch' or 'other'.

    >>> version_distance("1.26.4", "2.0.0"), version_distance("2.1.0", "2.1.2")
    ('major', 'patch')
    """
    try:
        first, second = Version(old).release, Version(new).release
    except InvalidVersion:
        return "other"
    for name, at in (("major", 0), ("minor", 1), ("patch", 2)):
        if _part(first, at) != _part(second, at):
            return name
    return "other"


def _part(release: tuple[int, ...], at: int) -> int:
    return release[at] if at < len(release) else 0


def gravest_first(drifts: Iterable[PinDrift]) -> Iterator[PinDrift]:
    """Those that change results most likely first: other major versions, then minor ones, then what is missing."""
    order = {"major": 0, "minor": 1, "patch": 3, "other": 3}

    def rank(drift: PinDrift) -> tuple[int, str]:
        if drift.kind is Drift.MISSING:
            return 2, drift.requirement.name
        return order[version_distance(drift.wanted, drift.found)], drift.requirement.name

    yield from sorted(drifts, key=rank)
