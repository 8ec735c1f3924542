"""What is run: the entry or the command, its inputs and its weights; and these, found and hashed."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.paths import encode_path
from dataguard.core.progress import Progress, silent
from dataguard.dataset.manifest import Manifest

Takes: TypeAlias = Literal["paths", "path", "batch"]
"""What an entry is given: a list of paths, one path, or the rows of a .npy file."""

BATCH_SIZE = 32
TIMEOUT = 600.0
"""Seconds that one run may take by default."""
MEMORY = 32.0
"""GiB of address space by default; torch alone reserves some 5, with CUDA some 20."""
_CHUNK = 1 << 20
_PICTURES = frozenset(
    {".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp", ".avif", ".heic"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inference:
    """What is run, as the configuration's table ``[inference]`` declares it."""

    base: Path
    """The folder that everything is relative to, and that the entry works in."""
    entry: str = ""
    """``module:callable`` or ``file.py:callable``; '' where there is a command."""
    command: str = ""
    """A command with ``{inputs}``, a file that lists paths, and ``{output}``, the .npz file that it is to write."""
    inputs: tuple[str, ...] = ()
    """Files, folders of pictures or globs; or one .npy file whose rows are the samples."""
    weights: tuple[str, ...] = ()
    """Files, folders or globs of what the model is loaded from."""
    stages: tuple[str, ...] = ()
    """The stages in the order in which they happen; by default as the entry returns them."""
    output: str = ""
    """The stage that is the result; by default the last."""
    classes: bool | None = None
    """Whether the result is one number a class, so that it decides; by default where its name says so."""
    takes: Takes | None = None
    """What the entry is given; by default 'batch' for a .npy file, else 'paths'."""
    seed: int = 0
    """What the generators of Python, NumPy and torch are seeded with, and PYTHONHASHSEED."""
    batch_size: int = BATCH_SIZE
    timeout: float = TIMEOUT
    """Seconds a run."""
    memory: float | None = MEMORY
    """GiB of address space; None for all there is."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables to run it with."""
    pipeline: str = ""
    """A file that declares the preprocessing, as ``dataguard probe --save`` writes it."""
    environment: str = ""
    """The virtual environment to run it in; by default that of dataguard itself."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ConfigurationError: there is not exactly one of entry and command, or no input.
        """
        if bool(self.entry) == bool(self.command):
            raise ConfigurationError(
                "nothing says what to run" if not self.entry else "both an entry and a command are named",
                where="[inference]",
                hint='name one: entry = "file.py:function", or command = "python run.py {inputs} {output}"',
            )
        if self.command and "{output}" not in self.command:
            raise ConfigurationError(
                "the command has no {output}",
                where="inference.command",
                hint="as in: python run.py {inputs} {output}; it writes an .npz file there, one array a stage",
            )
        if not self.inputs:
            raise ConfigurationError(
                "no inputs are named", where="inference.inputs", hint='as in: inputs = "images/*.jpg"'
            )


def decides(name: str) -> bool:
    """Whether a stage of that name holds one number a class.

    >>> decides("logits"), decides("class_probs"), decides("boxes")
    (True, True, False)
    """
    return any(word in name.lower() for word in ("logit", "prob", "score", "softmax", "class"))


@dataclass(frozen=True, kw_only=True, slots=True)
class HashedFile:
    """One file by its content."""

    path: str
    """Relative to the lock's folder, with forward slashes; absolute where it lies outside of it."""
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """The samples that are run."""

    takes: Takes
    files: tuple[HashedFile, ...]
    """In the order in which they are run."""
    version_id: str
    """The root of the Merkle tree over them; see `Manifest`."""
    n: int
    """How many samples: files, or rows."""

    @property
    def names(self) -> tuple[str, ...]:
        """What each sample is called."""
        if self.takes == "batch":
            return tuple(f"{self.files[0].path}[{row}]" for row in range(self.n))
        return tuple(file.path for file in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """The user's code that ran."""

    commit: str
    """The commit of its git repository; '' where there is none."""
    dirty: bool
    """Whether a file that ran is not as committed."""
    files: tuple[HashedFile, ...]
    """The files of the project that were imported."""


def found_files(patterns: Iterable[str], base: Path, *, key: str, pictures: bool = False) -> list[Path]:
    """The files that patterns name, sorted, each once; a folder stands for the files in it.

    Args:
        patterns: Files, folders and globs, relative to `base`.
        base: A folder.
        key: What to name in an error.
        pictures: Whether of a folder only pictures are taken.

    Raises:
        SourceError: a pattern names nothing.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        place = base / pattern
        if place.is_dir():
            paths = [
                Path(folder, name)
                for folder, _, names in os.walk(place)
                for name in names
                if not name.startswith(".") and (not pictures or Path(name).suffix.lower() in _PICTURES)
            ]
        elif place.is_file():
            paths = [place]
        else:
            paths = [Path(name) for name in glob.glob(str(place), recursive=True) if Path(name).is_file()]  # noqa: PTH207
        if not paths:
            raise SourceError("no file is there", where=place, hint=f"{key} names it; relative to {base}")
        for path in paths:
            found.setdefault(os.path.abspath(path), Path(os.path.abspath(path)))  # noqa: PTH100 - links keep their names
    return [found[name] for name in sorted(found)]


def hashed(
    paths: Sequence[Path], base: Path, *, stage: str = "hashing", progress: Progress = silent
) -> list[HashedFile]:
    """The files with their SHA-256.

    Raises:
        SourceError: one cannot be read.
    """
    result = []
    for at, path in enumerate(paths):
        progress(stage, at, len(paths))
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
        result.append(HashedFile(path=name_of(path, base), sha256=digest.hexdigest(), size=size))
    return result


def name_of(path: Path, base: Path) -> str:
    """What a file is called in a lock: relative to the folder where it lies below it."""
    absolute, root = os.path.abspath(path), os.path.abspath(base)  # noqa: PTH100 - links keep their names
    inside = absolute.startswith(root.rstrip(os.sep) + os.sep)
    return encode_path((os.path.relpath(absolute, root) if inside else absolute).replace(os.sep, "/"))


def samples(inference: Inference, *, progress: Progress = silent) -> Samples:
    """The samples that an inference is run on, found and hashed.

    Raises:
        SourceError: there are none, or they cannot be read.
    """
    paths = found_files(inference.inputs, inference.base, key="inference.inputs", pictures=True)
    takes = inference.takes
    if takes is None:
        takes = "batch" if len(paths) == 1 and paths[0].suffix == ".npy" else "paths"
    if takes == "batch" and len(paths) != 1:
        raise SourceError(
            f"{len(paths)} files are named for an entry that takes a batch",
            where="inference.inputs",
            hint="name one .npy file, whose rows are the samples",
        )
    files = tuple(hashed(paths, inference.base, stage="hashing inputs", progress=progress))
    return Samples(
        takes=takes, files=files, version_id=version_of(files), n=_rows(paths[0]) if takes == "batch" else len(files)
    )


def version_of(files: Iterable[HashedFile]) -> str:
    """The version id of some files: see `Manifest`; the content's digest is SHA-256."""
    manifest = Manifest()
    for file in files:
        manifest.add(file.path, bytes.fromhex(file.sha256), None, None)
    return manifest.version_id


def _rows(path: Path) -> int:
    import numpy as np

    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise SourceError(f"no array of numbers: {error}", where=path) from error
    if array.ndim == 0:
        raise SourceError("a single number, not a batch", where=path)
    return len(array)


def code(names: Iterable[str], base: Path) -> Code:
    """The user's code by its files and its commit.

    Args:
        names: The files that ran, relative to `base`.
        base: The folder of the project.
    """
    paths = [base / name for name in sorted(names) if (base / name).is_file()]
    files = tuple(hashed(paths, base))
    commit = _git(base, "rev-parse", "HEAD")
    changed = _git(base, "status", "--porcelain", "--", *(str(path) for path in paths)) if commit and paths else ""
    return Code(commit=commit, dirty=bool(changed), files=files)


def _git(base: Path, *arguments: str) -> str:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", "-C", str(base), *arguments],
            capture_output=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "replace").strip()
    return ""
