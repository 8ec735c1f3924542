"""What is not as it was locked: packages, interpreter, processor, cards, settings, code, weights and data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dataguard.core.behaviour import changes_between, version_key
from dataguard.core.errors import DataguardError
from dataguard.core.paths import decode_path
from dataguard.environment.bundled import BundledLibrary
from dataguard.environment.fingerprint import Fingerprint, InstalledPackage
from dataguard.environment.hardware import Graphics, Processor
from dataguard.reproduction.inference import HashedFile, hashed

SPEED_ALONE = frozenset({"torch.num_interop_threads", "torch.cuda.used"})
"""Settings that are recorded and move no result."""
INSTRUCTION_LADDER = ("avx512f", "avx2", "avx", "sse4_1")
"""Instruction sets by which oneDNN, MKL and ATen choose kernels, the widest first."""


class Kind(Enum):
    """What a difference is about."""

    CODE = "code"
    PACKAGE = "package"
    FILES = "installed files"
    PYTHON = "Python"
    LIBRARY = "library"
    SYSTEM = "system"
    PROCESSOR = "processor"
    INSTRUCTIONS = "instruction set"
    GRAPHICS = "graphics card"
    DRIVER = "driver"
    THREADS = "threads"
    SETTING = "setting"
    VARIABLE = "variable"
    BATCH = "batch size"
    RUNNER = "runner"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is not as it was locked."""

    kind: Kind
    name: str
    was: str
    """What is locked; '' where there was none."""
    now: str
    """What there is; '' where there is none."""
    used: bool = True
    """Whether the run has to do with it: False for a package of which nothing was imported, then or now."""
    known: str = ""
    """What is known to have changed between the two, as a sentence."""

    def __str__(self) -> str:
        return f"{self.name} {self.was or 'none'} → {self.now or 'none'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileChange:
    """A file that is not as it was locked."""

    path: str
    was: str
    """Its SHA-256; '' where it was not there."""
    now: str
    """Its SHA-256; '' where it is missing."""


def changed_files(locked: Iterable[HashedFile], folder: Path) -> tuple[FileChange, ...]:
    """The locked files that are missing or have another content."""
    found = []
    for file in locked:
        path = folder / decode_path(file.path)
        try:
            (now,) = hashed([path], folder)
        except DataguardError:
            found.append(FileChange(path=file.path, was=file.sha256, now=""))
            continue
        if now.sha256 != file.sha256:
            found.append(FileChange(path=file.path, was=file.sha256, now=now.sha256))
    return tuple(found)


def differences(
    locked: Fingerprint,
    now: Fingerprint,
    *,
    used: Iterable[str] = (),
    loaded: Iterable[str] | None = None,
    runner_was: str = "",
    runner_now: str = "",
) -> tuple[Difference, ...]:
    """What differs between two environments and machines, what the run used first.

    Args:
        locked: As it was.
        now: As it is.
        used: The names of the packages of which one of the runs imported something.
        loaded: The files of the shared libraries that the run now had loaded; None where nobody knows.
        runner_was: The kind of runner then.
        runner_now: The kind of runner now.
    """
    names = {name.lower().replace("_", "-").replace(".", "-") for name in used}
    found = [
        *_packages(locked.packages, now.packages, names),
        *_pairs(Kind.PYTHON, {"Python": locked.python.version}, {"Python": now.python.version}),
        *_libraries(locked, now, names, None if loaded is None else set(loaded)),
        *_pairs(
            Kind.SYSTEM,
            {"operating system": locked.system.name, "C library": locked.system.libc},
            {"operating system": now.system.name, "C library": now.system.libc},
        ),
        *_processors(locked.processor, now.processor),
        *_graphics(locked.graphics, now.graphics),
        *_pairs(Kind.THREADS, _pools(locked), _pools(now)),
        *_pairs(Kind.SETTING, _settings(locked), _settings(now)),
        *_pairs(Kind.VARIABLE, locked.variables, now.variables),
        *_pairs(Kind.RUNNER, {"runner": runner_was}, {"runner": runner_now}),
    ]
    order = tuple(Kind)
    return tuple(sorted(found, key=lambda item: (not item.used, order.index(item.kind), item.name)))


def _pairs(kind: Kind, was: Mapping[str, object], now: Mapping[str, object]) -> Iterator[Difference]:
    for name in sorted({*was, *now}):
        old, new = str(was.get(name, "")), str(now.get(name, ""))
        if old != new:
            yield Difference(kind=kind, name=name, was=old, now=new)


def _packages(was: Iterable[InstalledPackage], now: Iterable[InstalledPackage], used: set[str]) -> Iterator[Difference]:
    old, new = {item.name: item for item in was}, {item.name: item for item in now}
    for name in sorted({*old, *new}):
        one, other = old.get(name), new.get(name)
        here = name in used
        if one is None or other is None:
            yield Difference(
                kind=Kind.PACKAGE,
                name=name,
                was=one.version if one else "",
                now=other.version if other else "",
                used=here,
            )
        elif one.version != other.version:
            yield Difference(
                kind=Kind.PACKAGE,
                name=name,
                was=one.version,
                now=other.version,
                used=here,
                known=_known(name, one.version, other.version),
            )
        elif one.content and other.content and one.content != other.content and not (one.editable or other.editable):
            # Wheels for two systems differ too: then libraries and the processor say more.
            yield Difference(kind=Kind.FILES, name=name, was=one.content[:12], now=other.content[:12], used=here)


def _known(name: str, was: str, now: str) -> str:
    try:
        changes = changes_between(name, was, now)
        backwards = version_key(now) < version_key(was)
    except ValueError:
        return ""
    sides = [(item.what, *((item.after, item.before) if backwards else (item.before, item.after))) for item in changes]
    return "; ".join(f"{what}: {old} → {new}" for what, old, new in sides if old and new)


def _libraries(locked: Fingerprint, now: Fingerprint, used: set[str], loaded: set[str] | None) -> Iterator[Difference]:
    """Libraries by their versions.

    A package's own is as much used as the package. The system's is used where the run loaded it; where only the run
    that was locked did, the package that took it brings its own now, and that is a difference too.
    """
    packages = {item.name for side in (locked, now) for item in side.packages}
    found = {item.name for item in now.libraries if item.carrier == "system" and item.file in (loaded or ())}

    def named(items: Iterable[BundledLibrary]) -> dict[tuple[str, str], str]:
        versions: dict[tuple[str, str], set[str]] = {}
        for item in items:
            versions.setdefault((item.name, item.carrier), set()).add(item.version or "unknown")
        return {key: ", ".join(sorted(several)) for key, several in versions.items()}

    sides = named(locked.libraries), named(now.libraries)
    for name, carrier in sorted({*sides[0], *sides[1]}):
        was, has = (side.get((name, carrier), "") for side in sides)
        if was != has:
            system = carrier == "system"
            yield Difference(
                kind=Kind.LIBRARY,
                name=f"{name} ({'the system’s' if system else f'in {carrier}'})",
                was=was,
                now=has,
                used=loaded is None or name in found if system else carrier in used or carrier not in packages,
            )


def _processors(was: Processor, now: Processor) -> Iterator[Difference]:
    yield from _pairs(
        Kind.PROCESSOR,
        {"architecture": was.architecture, "model": was.model},
        {"architecture": now.architecture, "model": now.model},
    )
    if was.architecture == now.architecture:
        lost = [name for name in was.instruction_sets if name not in now.instruction_sets]
        gained = [name for name in now.instruction_sets if name not in was.instruction_sets]
        if lost or gained:
            yield Difference(
                kind=Kind.INSTRUCTIONS,
                name="instruction sets",
                was=widest(was) + (f", {' '.join(lost)}" if lost else ""),
                now=widest(now) + (f", {' '.join(gained)}" if gained else ""),
            )


def widest(processor: Processor) -> str:
    """The widest instruction set of `INSTRUCTION_LADDER` that a processor has; '' where it has none of them."""
    return next((name for name in INSTRUCTION_LADDER if name in processor.instruction_sets), "")


def _graphics(was: Graphics, now: Graphics) -> Iterator[Difference]:
    def cards(graphics: Graphics) -> str:
        return ", ".join(sorted({card.name for card in graphics.cards}))

    yield from _pairs(Kind.GRAPHICS, {"graphics card": cards(was)}, {"graphics card": cards(now)})
    yield from _pairs(
        Kind.DRIVER,
        {"driver": was.driver, "CUDA toolkit": was.toolkit, "cuDNN": was.cudnn},
        {"driver": now.driver, "CUDA toolkit": now.toolkit, "cuDNN": now.cudnn},
    )


def _pools(environment: Fingerprint) -> dict[str, str]:
    return {
        f"{pool.library} threads": f"{pool.threads}" + (f" ({pool.architecture})" if pool.architecture else "")
        for pool in environment.threads
    }


def _settings(environment: Fingerprint) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in environment.numerics.items()
        if name not in SPEED_ALONE and not name.startswith("torch.version")
    }


def shown(value: float) -> str:
    """A difference in short: '0', '1.4e-07', 'not finite'.

    >>> shown(0.0), shown(1.38e-7), shown(float("inf"))
    ('0', '1.4e-07', 'not finite')
    """
    if math.isnan(value):
        return "unknown"
    return "not finite" if math.isinf(value) else f"{value:.2g}"
