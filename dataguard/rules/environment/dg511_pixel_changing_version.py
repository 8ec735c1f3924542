"""DG511: a version that changes pixels."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.behaviour import CHANGES, BehaviourChange, behaviour_at, canonical, changes_between
from dataguard.core.exhibit import Listing
from dataguard.core.finding import (
    Confidence,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import rule
from dataguard.environment.bundled import BundledLibrary, DecodingLibraries
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.drift import Drift, PinDrift, held_pins
from dataguard.environment.installed import InstalledEnvironment

_FAMILIES = {"libjpeg-turbo": "libjpeg-turbo", "libjpeg": "libjpeg 9"}
_IJG_LEVELS = 41
_LIBRARIES = frozenset(change.library for change in CHANGES)


@rule("DG511", "pixel-changing-version", Severity.WARNING)
def pixel_changing_version(
    environment: InstalledEnvironment,
    declared: DeclaredEnvironment | None,
    libraries: DecodingLibraries | None,
) -> Iterator[Outcome]:
    """An installed version makes other pixels or numbers than the one that the project names.

    ## What it does

    For libraries that decode, resize or normalize pictures, looks up what changed between the pinned version and the
    installed one. It also reads which JPEG decoder the installed Pillow really carries, and whether two decoders of one
    environment differ.

    ## Why is this bad?

    The same file becomes another picture, and nothing fails. From Pillow 8 to 13 a small network agrees with itself on
    84 % of its predictions; ResNet-50 loses about a point of ImageNet accuracy with another decoder or resize.

    ## How it decides

    *Between lock and environment*: the table of behaviour changes (`dataguard.core.behaviour`), each entry with its
    source, and those entries whose two sides the two versions lie on. A version difference without an entry is DG504's.

    *The decoder*: wheels of Pillow carry IJG's libjpeg 9 up to version 8.4 and libjpeg-turbo from 9.0, which differ by
    up to 41 levels of 255 on pictures with 4:2:0 chroma (most photographs). A Pillow that was built from source, or
    came from conda or a distribution, may carry or use the other one. What it is, is read from the file's own text
    (`libjpeg-turbo version 3.1.2`, or `9d  12-Jan-2020`), not from Pillow's version.

    *Two decoders*: Pillow with one of these and OpenCV or torchvision with the other in one environment: training that
    reads with one and serving that reads with the other see different pictures.

    There is no estimate in this, and so no false-alarm rate; an entry matters only if the code uses what it is about,
    which is why a finding is a warning.

    ## Example

    >>> from dataguard.environment.declared import DeclaredFile, Role
    >>> from dataguard.environment.installed import Distribution
    >>> from dataguard.environment.requirement import Requirement
    >>> pin = Requirement(name="pillow", written="pillow==8.4.0", path="lock.txt", line=3, specifier="==8.4.0")
    >>> lock = DeclaredFile(path="lock.txt", kind="requirements.txt", role=Role.LOCK, requirements=(pin,))
    >>> there = Distribution(name="Pillow", version="11.0.0", location="/venv", metadata="/venv/pillow.dist-info")
    >>> environment = InstalledEnvironment(root="/venv", folders=(), python="3.11.2", distributions=(there,))
    >>> declared = DeclaredEnvironment(root="/p", files=(lock,))
    >>> print(pixel_changing_version(environment, declared, None)[0].message)
    pillow 11.0.0 is installed and 8.4.0 is pinned, between which the decoder of JPEG in wheels for Linux and macOS \
went from libjpeg 9 to libjpeg-turbo: at most 41 levels on files with 4:2:0 chroma.

    ## How to fix

    Install the version that the weights were trained with, or measure with the installed one and pin that. Where the
    decoder differs, install the wheel (`pip install --only-binary :all: pillow`).

    ## References

    - Wang et al., *SysNoise: Exploring and benchmarking training-deployment system inconsistency*, MLSys 2023.
    - Pillow, release notes of 9.0.0, *Libjpeg-turbo*; the source of each change is in the finding.
    """
    yielded = 0
    compared: list[str] = []
    if declared is not None:
        for drift in _moved(declared, environment):
            compared.append(drift.requirement.name)
            changes = _changes(drift)
            if changes:
                yielded += 1
                yield _finding(declared, drift, changes)
    decoders = () if libraries is None else _decoders(libraries)
    if libraries is not None:
        for outcome in _of_decoders(environment, libraries, decoders):
            yielded += 1
            yield outcome
    if declared is None and not decoders:
        yield Skipped(reason="no pinned versions, and no library that decodes pictures, to look at")
        return
    known = [item for key, item in environment.by_name.items() if canonical(key) in _LIBRARIES]
    carried = "; ".join(f"{item.carrier} decodes JPEG by {item.name} {item.version}" for item in decoders)
    yield Observation(
        message=f"{len(known)} installed libraries have known changes of pixels, {len(compared)} of them in another "
        f"version than is pinned{'; ' if carried else ''}{carried}.",
        measurements=(
            Measurement(name="installed libraries with known changes", value=len(known)),
            Measurement(name="findings", value=yielded, threshold=0),
        ),
    )


def _moved(declared: DeclaredEnvironment, environment: InstalledEnvironment) -> Iterator[PinDrift]:
    for drift in held_pins(declared, environment).drifts:
        if drift.kind is Drift.VERSION and canonical(drift.requirement.name) in _LIBRARIES:
            yield drift


def _changes(drift: PinDrift) -> tuple[BehaviourChange, ...]:
    try:
        return changes_between(drift.requirement.name, drift.wanted, drift.found)
    except ValueError:
        return ()


def _finding(declared: DeclaredEnvironment, drift: PinDrift, changes: tuple[BehaviourChange, ...]) -> Outcome:
    name = drift.requirement.name
    said = "; ".join(_words(change, drift) for change in changes[:3])
    more = f"; and {len(changes) - 3} more" if len(changes) > 3 else ""
    levels = [change.largest_levels for change in changes if change.largest_levels is not None]
    return pixel_changing_version.finding(
        f"{name} {drift.found} is installed and {drift.wanted} is pinned, between which {said}{more}.",
        remedy=f"Install {name} {drift.wanted}; or pin {drift.found}, and measure the model again with it.",
        confidence=Confidence.MEDIUM,
        measurements=(
            Measurement(name="changes between the two versions", value=len(changes), threshold=0),
            *([Measurement(name="largest difference seen, in levels of 255", value=max(levels))] if levels else []),
        ),
        locations=(
            Location(
                path=declared.shown(drift.requirement.path),
                line=drift.requirement.line,
                note=f"{drift.found} is installed",
            ),
        ),
        exhibits=(
            Listing(
                title=f"What changed in {name} between {drift.wanted} and {drift.found}",
                columns=("what", "before", "after", "effect", "source"),
                rows=tuple((item.what, item.before, item.after, item.effect, item.source) for item in changes),
                total=len(changes),
            ),
        ),
        key=(name,),
    )


def _words(change: BehaviourChange, drift: PinDrift) -> str:
    upward = change in changes_between(change.library, drift.wanted, drift.found) and _is_older(drift, change)
    first, then = (change.before, change.after) if upward else (change.after, change.before)
    effect = f": {change.effect}" if change.effect else ""
    return f"{change.what} went from {first} to {then}{effect}"


def _is_older(drift: PinDrift, change: BehaviourChange) -> bool:
    """Whether the pinned version is on the earlier side of a change."""
    return any(
        item.change is change and item.does == change.before for item in behaviour_at(change.library, drift.wanted)
    )


def _decoders(libraries: DecodingLibraries) -> tuple[BundledLibrary, ...]:
    found = {(item.carrier, item.name): item for item in libraries.bundled if item.name in _FAMILIES}
    return tuple(found[key] for key in sorted(found))


def _of_decoders(
    environment: InstalledEnvironment, libraries: DecodingLibraries, decoders: tuple[BundledLibrary, ...]
) -> Iterator[Outcome]:
    pillow = environment.by_name.get("pillow")
    carried = [item for item in decoders if item.carrier == "pillow"]
    odd = False
    if pillow is not None and not pillow.editable:
        expected = _expected(pillow.version)
        used = carried or [item for item in libraries.system if item.name in _FAMILIES]
        if expected and used and all(_FAMILIES[item.name] != expected for item in used):
            odd = True
            where = "carries" if carried else "carries none, and the system has"
            yield pixel_changing_version.finding(
                f"Pillow {pillow.version} {where} {used[0].name} {used[0].version}, where its wheels carry {expected}: "
                f"JPEG files with 4:2:0 chroma differ by up to {_IJG_LEVELS} levels of 255.",
                remedy="Install Pillow's own wheel (pip install --only-binary :all: pillow), or pin how it was built.",
                confidence=Confidence.HIGH if carried else Confidence.LOW,
                measurements=(
                    Measurement(name="JPEG decoder", value=f"{used[0].name} {used[0].version}", threshold=expected),
                    Measurement(name="largest difference seen, in levels of 255", value=_IJG_LEVELS),
                ),
                locations=(Location(path=used[0].file),),
                key=("decoder", "pillow"),
            )
    families = {_FAMILIES[item.name] for item in decoders}
    if len(families) > 1 and not odd:
        named = ", ".join(f"{item.carrier} {item.name} {item.version}" for item in decoders)
        yield pixel_changing_version.finding(
            f"Two decoders of JPEG are installed that differ: {named}. The same photograph has other pixels by the one "
            f"than by the other, by up to {_IJG_LEVELS} levels of 255 where its chroma is 4:2:0.",
            remedy="Decode with one library in training and serving; or install Pillow 9 or later, which agrees.",
            confidence=Confidence.MEDIUM,
            measurements=(Measurement(name="families of JPEG decoders", value=len(families), threshold=1),),
            locations=tuple(Location(path=item.file, note=f"{item.name} {item.version}") for item in decoders),
            key=("decoders",),
        )


def _expected(version: str) -> str:
    """The JPEG decoder that Pillow's wheels of a version carry; '' where the table does not say."""
    try:
        does = [item.does for item in behaviour_at("pillow", version)]
    except ValueError:
        return ""
    return next((item for item in does if item in _FAMILIES.values()), "")
