"""DG507: requirements that cannot be installed or run together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Location, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.clashes import CLASHES, Found, disjoint, find_clashes
from dataguard.environment.declared import DeclaredEnvironment, Role
from dataguard.environment.installed_sets import installed_together
from dataguard.environment.requirement import Requirement
from dataguard.environment.resolution import FileResolution, Resolution

_OLD_PYTHON = re.compile(r"={2,3}(?:2\.|3\.[0-8](?:\.|$))")


@rule("DG507", "incompatible-pins", Severity.ERROR)
def incompatible_pins(declared: DeclaredEnvironment, resolution: Resolution | None) -> Iterator[Outcome]:
    r"""Requirements contradict each other: they cannot be installed, or cannot be run, together.

    ## What it does

    Holds what is installed together (a file with its includes and constraints) against itself and against a table of
    well-known pairs: torch with torchvision, torchaudio and torchtext; NumPy 2 with what is compiled for NumPy 1;
    TensorFlow with Keras, protobuf and h5py; Pillow 7 with old torchvision; projects that have ended.

    ## Why is this bad?

    The installer stops, or, in the worse half of cases, does not: NumPy 2 beside a scipy of 2022 installs and crashes,
    or an unpinned torchvision beside basicsr fails at the first import. Of 35 popular model repositories 3 hold pins
    that cannot be installed together.

    ## How it decides

    - ERROR: two lines about one distribution that no version fits; or two lines whose every allowed version is a pair
      of the table.
    - WARNING: the lines leave the versions open, and the newest, which an installer takes, are a pair of the table.
      Only for pairs that metadata do not forbid: an installer steps around the others.

    - ERROR, where a resolver was asked (`--resolve`, or `environment.resolve`): it finds no versions that fit. uv does
      it where it is installed, else pip-tools, against the index that pip is set to and for the Python that the project
      names; nothing is installed or built. Where the index or the resolver does not answer in time, that is said and
      nothing concluded.

    NumPy 2 is not what a project on Python 3.8 or older gets. Lines with different markers are not compared. The
    table's pairs are of the projects' own compatibility matrices and release notes; each finding names its source.
    No statistics and no threshold. What it does not know only a resolver finds.

    ## Example

    >>> from dataguard.environment.files.requirements_txt import parse_text
    >>> from dataguard.environment.declared import DeclaredFile
    >>> read = parse_text("torch==1.13.1\ntorchvision==0.4.0\n", path="requirements.txt")
    >>> lines = tuple(entry for entry in read.entries if isinstance(entry, Requirement))
    >>> kind = "requirements.txt"
    >>> file = DeclaredFile(path=kind, kind=kind, role=Role.APPLICATION, requirements=lines)
    >>> finding = incompatible_pins(DeclaredEnvironment(root="/project", files=(file,)), None)[0]
    >>> print(finding.message)
    torchvision==0.4.0 and torch==1.13.1 do not go together: torchvision 0.4.0 is built for torch 1.2.

    ## How to fix

    Take a pair from the source that the finding names, then compile the lock again, so that a resolver has looked at
    the whole.

    ## References

    - [torchvision, versions](https://github.com/pytorch/vision#installation).
    - [NumPy 2.0 migration guide](https://numpy.org/devdocs/numpy_2_0_migration_guide.html).
    - [pip, dependency resolution](https://pip.pypa.io/en/stable/topics/dependency-resolution/).
    """
    files = [file for file in declared.files if file.requirements]
    if not files:
        yield Skipped(
            reason="no file says what the project needs", hint="requirements.txt, pyproject.toml and others are read"
        )
        return
    told: set[tuple[str, int, str, int]] = set()
    old_python = any(version.fixed and _OLD_PYTHON.match(version.specifier) for version in declared.python)
    n = 0
    for file in files:
        together = tuple(item for item in installed_together(declared, file) if item.name)
        n += len(together)
        for found in find_clashes(together):
            if not found.certain and old_python and found.second.name == "numpy":
                continue  # NumPy 1.24 is the newest there
            if _new(told, found.first, found.second):
                yield _clash(declared, found)
        if file.role is not Role.LIBRARY:
            for first, second in _contradictions(together):
                if _new(told, first, second):
                    yield _contradiction(declared, first, second)
    if resolution is not None:
        yield from _resolved(declared, resolution)
    yield Observation(message=f"{n:,} requirements of {len(files):,} files held against {len(CLASHES)} known pairs.")


def _resolved(declared: DeclaredEnvironment, resolution: Resolution) -> Iterator[Outcome]:
    for file in resolution.files:
        shown = declared.shown(file.path)
        if file.unresolved or (file.failure and not file.unknown):
            yield _unresolvable(declared, file, resolution)
        elif file.unknown:
            yield Inconclusive(reason=f"{shown}: the resolver did not come to an end: {file.unknown}")
        else:
            yield Observation(
                message=f"{file.tool} finds {file.n_packages:,} packages that fit the {file.n_asked} requirements of "
                f"{shown} on Python {resolution.python}."
            )
    if resolution.problem:
        yield Inconclusive(reason=f"the resolver could not be asked: {resolution.problem}")


def _unresolvable(declared: DeclaredEnvironment, file: FileResolution, resolution: Resolution) -> Outcome:
    reasons = [f"{item.text}: {item.reason}" for item in file.unresolved] or file.failure.splitlines()
    lines = {f"{item.path}:{item.line}": item for item in declared.requirements()}
    places = [(lines[item.place], item.reason) for item in file.unresolved if item.place in lines]
    note = f" ({resolution.note})" if resolution.note else ""
    return incompatible_pins.finding(
        f"{declared.shown(file.path)} cannot be installed on Python {resolution.python}{note}: "
        f"{'; '.join(reason.strip() for reason in reasons[:3])}.",
        remedy="Change the lines that it names, or the Python (`.python-version`); `dataguard pin` tries again "
        "and writes the lock.",
        # Where the index or the machine is another, so may be the answer.
        confidence=Confidence.MEDIUM,
        locations=tuple(
            Location(path=declared.shown(item.path), line=item.line, note=f"{item.written}: {reason}")
            for item, reason in places
        )
        or (Location(path=declared.shown(file.path), line=1, note=reasons[0].strip()),),
        key=(file.path, "resolver"),
    )


def _new(told: set[tuple[str, int, str, int]], first: Requirement, second: Requirement) -> bool:
    (one, other) = sorted([(first.path, first.line), (second.path, second.line)])
    key = (*one, *other)
    if key in told:
        return False
    told.add(key)
    return True


def _contradictions(together: tuple[Requirement, ...]) -> Iterator[tuple[Requirement, Requirement]]:
    by_name: dict[str, list[Requirement]] = {}
    for item in together:
        if item.specifier and not item.marker and not item.group and item.ecosystem == "pypi":
            by_name.setdefault(item.name, []).append(item)
    for items in by_name.values():
        for index, first in enumerate(items):
            for second in items[index + 1 :]:
                if disjoint(first, second):
                    yield first, second


def _clash(declared: DeclaredEnvironment, found: Found) -> Outcome:
    clash, first, second = found.clash, found.first, found.second
    if found.certain:
        message = f"{first.written} and {second.written} do not go together: {clash.reason}."
    else:
        message = (
            f"{first.written} and {second.written} get the newest versions, which do not go together: {clash.reason}."
        )
    return incompatible_pins.finding(
        message,
        remedy=f"Take a pair that {clash.source} lists"
        + (", and pin both." if not found.certain else "; the installer refuses this one." if clash.enforced else "."),
        severity=Severity.ERROR if found.certain else Severity.WARNING,
        confidence=Confidence.HIGH if found.certain else Confidence.MEDIUM,
        locations=_places(declared, first, second),
        key=(first.path, clash.name, clash.other),
    )


def _contradiction(declared: DeclaredEnvironment, first: Requirement, second: Requirement) -> Outcome:
    return incompatible_pins.finding(
        f"No version of {first.name} fits both {first.written} and {second.written}.",
        remedy="Keep one of the two lines, or widen one of them.",
        confidence=Confidence.HIGH,
        locations=_places(declared, first, second),
        key=(first.path, first.name, first.name),
    )


def _places(declared: DeclaredEnvironment, *items: Requirement) -> tuple[Location, ...]:
    return tuple(Location(path=declared.shown(item.path), line=item.line, note=item.written) for item in items)
