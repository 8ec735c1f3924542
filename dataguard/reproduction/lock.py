"""``dataguard.lock``: everything that a result depends on, and the result, in one record that is read and written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataguard.core.atomic import write_atomically
from dataguard.core.errors import SourceError
from dataguard.environment.fingerprint import Fingerprint
from dataguard.preprocessing.document import PipelineDocument
from dataguard.reproduction.golden import GoldenFile
from dataguard.reproduction.inference import Code, HashedFile, Inference, Samples, Takes
from dataguard.reproduction.records import read, to_json
from dataguard.reproduction.tolerance import Noise, Tolerance

SCHEMA_VERSION: Literal[1] = 1
"""Raised when a lock of an older version can no longer be read as it was meant."""
FILE_NAME = "dataguard.lock"
_MOST_BYTES = 512 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What was run, as it was declared."""

    entry: str
    command: str
    inputs: tuple[str, ...]
    weights: tuple[str, ...]
    takes: Takes
    stages: tuple[str, ...]
    """In the order in which they happen."""
    output: str
    """The stage that is the result."""
    classes: bool
    """Whether that is one number a class: then the first class is the decision."""
    seed: int
    batch_size: int
    timeout: float
    memory: float | None
    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """A package's file as an index serves it."""

    name: str
    """Normalized."""
    version: str
    file: str
    """The wheel's name."""
    sha256: str
    url: str
    """Where it is; '' where only its hash is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageLock:
    """One stage of the golden outputs."""

    name: str
    dtypes: tuple[str, ...]
    """Of numpy, as 'float32'."""
    shapes: tuple[str, ...]
    """Of one sample, as '3×224×224'; where there are many, the first few."""
    hashes: tuple[str, ...]
    """SHA-256 of each sample, in the order of the samples; see `sample_hash`."""
    n_kept: int
    """How many samples, from the first, are in the golden file."""
    tolerance: Tolerance


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A result, with everything that it depends on."""

    schema_version: Literal[1]
    tool_version: str
    """The dataguard that wrote it."""
    inference: Declared
    code: Code
    weights: tuple[HashedFile, ...]
    data: Samples
    preprocessing: PipelineDocument | None
    """What is done to a picture, where the configuration names a file that says so."""
    environment: Fingerprint
    """Packages, Python, libraries, processor, graphics cards, threads, settings."""
    used: Mapping[str, str]
    """The packages of which the run imported something, with their versions."""
    archives: tuple[Archive, ...]
    """The files that an index serves for the packages, where they are known."""
    runner: Mapping[str, str]
    """What it ran in: 'kind', and the image's digest of a container."""
    golden: GoldenFile
    outputs: tuple[StageLock, ...]
    """In the order in which they happen."""
    noise: Noise
    notes: tuple[str, ...]
    """What could not be locked, and why."""

    def to_json(self) -> str:
        """JSON, the same bytes for the same facts."""
        return to_json(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON."""
        return hashlib.sha256(self.to_json().encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def hashes(self) -> Mapping[str, tuple[str, ...]]:
        """The hashes of each stage's samples."""
        return {stage.name: stage.hashes for stage in self.outputs}

    @property
    def kept(self) -> Mapping[str, int]:
        """How many samples of each stage are in the golden file."""
        return {stage.name: stage.n_kept for stage in self.outputs}

    @property
    def tolerances(self) -> Mapping[str, Tolerance]:
        """Each stage's tolerance."""
        return {stage.name: stage.tolerance for stage in self.outputs}

    def inference_at(self, folder: Path) -> Inference:
        """What to run again, with the paths of a folder.

        Args:
            folder: The folder that the lock lies in, where its relative paths start.
        """
        declared = self.inference
        return Inference(
            base=folder,
            entry=declared.entry,
            command=declared.command,
            inputs=declared.inputs,
            weights=declared.weights,
            stages=declared.stages,
            output=declared.output,
            classes=declared.classes,
            takes=declared.takes,
            seed=declared.seed,
            batch_size=declared.batch_size,
            timeout=declared.timeout,
            memory=declared.memory,
            variables=declared.variables,
        )


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(path, lock.to_json())


def read_lock(path: Path) -> Lock:
    """Read a lock.

    Raises:
        SourceError: it is missing, no lock, or of another version.
    """
    try:
        if path.is_dir():
            path = path / FILE_NAME
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise SourceError("no such lock", where=path.absolute(), hint="`dataguard lock` writes one") from None
    except UnicodeDecodeError as error:
        raise SourceError("not a lock: it is no text", where=path.absolute()) from error
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path.absolute()) from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"not a lock: {error}", where=path.absolute(), hint="the file is cut off, or is no lock of dataguard"
        ) from error
    if not isinstance(data, dict) or "schema_version" not in data or "golden" not in data:
        raise SourceError("not a lock of dataguard", where=path.absolute(), hint="`dataguard lock` writes one")
    version = data["schema_version"]
    if version != SCHEMA_VERSION:
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise SourceError(
            f"the lock has version {version!r}, and this dataguard reads version {SCHEMA_VERSION}",
            where=path.absolute(),
            hint=f"it was written by dataguard {data.get('tool_version')}: "
            + ("install that or a later one" if newer else "write it again with `dataguard lock`"),
        )
    lock = read(Lock, data, where=str(path.absolute()))
    _check(lock, path.absolute())
    return lock


def _check(lock: Lock, path: Path) -> None:
    """Refuse what a lock cannot say, since the rest relies on it."""
    n = lock.data.n
    names = {stage.name for stage in lock.outputs}
    problems = [
        f"stage {stage.name!r} has {len(stage.hashes)} hashes for {n} samples"
        for stage in lock.outputs
        if len(stage.hashes) != n or not 0 <= stage.n_kept <= n
    ]
    if lock.inference.output not in names:
        problems.append(f"there is no stage {lock.inference.output!r}")
    if "/" in lock.golden.path or lock.golden.path in ("", ".", ".."):
        problems.append(f"the golden file {lock.golden.path!r} is not in the lock's folder")
    if n != len(lock.data.files) and lock.data.takes != "batch":
        problems.append(f"{len(lock.data.files)} files for {n} samples")
    if not lock.data.files:
        problems.append("there are no inputs")
    if problems:
        raise SourceError(f"the lock contradicts itself: {problems[0]}", where=path, hint="write it again")
