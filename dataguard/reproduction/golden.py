"""Golden outputs: what each stage made of each sample, in one file that is the same for the same values."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.atomic import write_atomically
from dataguard.core.errors import SourceError
from dataguard.reproduction.runner import MOST_BYTES, Stages, read_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_KEPT = 256 << 20
"""Bytes of the stages before the last that are kept; of the samples beyond, only hashes."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can name: no clock gets into it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenFile:
    """The file beside a lock that holds the arrays."""

    path: str
    """Its name, in the lock's folder."""
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Golden:
    """The arrays of a golden file."""

    stages: Stages
    """Of each stage the samples that were kept, from the first."""


def sample_hash(array: NDArray[Any]) -> str:
    """SHA-256 of an array's type, shape and values, 64 hexadecimal digits.

    >>> sample_hash(np.zeros(3)) == sample_hash(np.zeros(3)), sample_hash(np.zeros(3)) == sample_hash(np.zeros((3, 1)))
    (True, False)
    """
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    head = f"{little.dtype.str} {array.shape}\n".encode()
    return hashlib.sha256(head + little.tobytes()).hexdigest()


def golden_name(lock: Path) -> str:
    """The name of the file with the golden outputs, which lies beside a lock.

    >>> golden_name(Path("locks/first.lock"))
    'first.golden.npz'
    """
    return f"{lock.stem}.golden.npz"


def packed(stages: Stages, *, output: str) -> tuple[bytes, Mapping[str, int]]:
    """The bytes of a golden file, and how many samples of each stage are in it.

    The output is kept whole; the other stages from the first sample on, as far as `MOST_KEPT` goes.
    """
    room = MOST_KEPT
    kept: dict[str, int] = {}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for number, (name, samples) in enumerate(stages.items()):
            kept[name] = 0
            for at, sample in enumerate(samples):
                if name != output:
                    room -= sample.nbytes
                    if room < 0:
                        break
                held = io.BytesIO()
                little = np.ascontiguousarray(sample, dtype=sample.dtype.newbyteorder("<")).reshape(sample.shape)
                np.lib.format.write_array(held, little, version=(1, 0), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{number}/{at}.npy", _EPOCH), held.getvalue())
                kept[name] += 1
    return target.getvalue(), kept


def write_golden(path: Path, content: bytes) -> GoldenFile:
    """Write a golden file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(path, content)
    return GoldenFile(path=path.name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def golden_problem(file: GoldenFile, folder: Path) -> str:
    """What is the matter with a golden file: missing, or of another content; '' where nothing is."""
    path = folder / file.path
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != file.size:
                return f"it has {os.fstat(stream.fileno()).st_size:,} bytes, and the lock says {file.size:,}"
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if digest.hexdigest() != file.sha256:
        return f"its SHA-256 is {digest.hexdigest()[:16]}…, and the lock says {file.sha256[:16]}…"
    return ""


def read_golden(file: GoldenFile, folder: Path, kept: Mapping[str, int]) -> Golden:
    """The arrays of a golden file, read-only.

    Args:
        file: What the lock says of it.
        folder: The lock's.
        kept: How many samples of each stage are in it, stages in order.

    Raises:
        SourceError: it is missing, has another content, or holds no arrays.
    """
    path = folder / file.path
    problem = golden_problem(file, folder)
    if problem:
        raise SourceError(f"not the golden outputs of this lock: {problem}", where=path)
    stages: dict[str, tuple[NDArray[Any], ...]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise ValueError("too large")
            for number, (name, n) in enumerate(kept.items()):
                stages[name] = tuple(read_array(archive, f"{number}/{at}.npy") for at in range(n))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise SourceError(f"no golden outputs: {error}", where=path) from error
    return Golden(stages=stages)
