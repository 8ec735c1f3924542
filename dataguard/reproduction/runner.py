"""What runs inference somewhere: a job that says what to run, the protocol of a runner, and what comes back.

A runner makes an empty output folder, runs ``child.py`` with a job file in an environment of its own, and reads the
folder with `read_run`. Whatever the child wrote is not trusted: links are not followed, nothing is unpickled, and no
more is read than `MOST_BYTES`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from dataguard.core.errors import DataguardError
from dataguard.core.progress import Progress, silent
from dataguard.reproduction.child import PROTOCOL
from dataguard.reproduction.inference import Inference, Samples, Takes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.environment.fingerprint import Fingerprint

MOST_BYTES = 16 << 30
"""Bytes of one pass that are read back."""
_MOST_RESULT = 16 << 20
CHILD = Path(__file__).with_name("child.py")
"""The program that a runner runs; it needs Python 3.8, and numpy in its environment."""

Stages: TypeAlias = Mapping[str, tuple["NDArray[Any]", ...]]
"""What each stage made of each sample, stages in the order in which the entry returned them."""


class RunError(DataguardError):
    """Inference could not be run, or ended before it was done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """One time through all samples."""

    batch_size: int
    threads: int | None = None
    """Threads of torch and of BLAS; None for as many as they take by themselves."""
    precision: str | None = None
    """'float64' for a run in double precision; None for the entry's own."""
    seed: int | None = None
    """Over the job's seed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to run, on what, and within which limits. Paths are those of this machine."""

    base: Path
    """The folder that the entry works in; it reads it and writes nothing there."""
    entry: str
    command: str
    takes: Takes
    inputs: tuple[Path, ...]
    rows: tuple[int, ...] | None = None
    """Of a batch, the rows that are run; None for all."""
    weights: tuple[Path, ...] = ()
    """Files that it reads, so that a runner can let it."""
    seed: int = 0
    passes: tuple[Pass, ...]
    """All in one process, one after another. Where the first fails the run has failed; the others are extra."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables; nothing else of this process's is passed on but what finding libraries needs."""
    timeout: float
    """Seconds for all passes together."""
    memory: float | None
    """GiB."""
    overlays: tuple[Path, ...] = ()
    """Folders of packages that come before the environment's own."""
    gpu: bool = False
    """Whether it needs a graphics card."""

    @property
    def n(self) -> int:
        """How many samples it runs; -1 for all rows of a batch."""
        if self.takes == "batch":
            return -1 if self.rows is None else len(self.rows)
        return len(self.inputs)


@dataclass(frozen=True, kw_only=True, slots=True)
class PassResult:
    """What one pass gave."""

    stages: Stages
    """Empty where it failed."""
    seconds: float
    error: str = ""
    """Why it failed; never so for the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What the process said about itself once it had run."""

    python: str
    machine: str
    """'x86_64', 'aarch64', …"""
    numerics: Mapping[str, str | int | bool]
    """The settings of torch in force, where it was used."""
    threads: tuple[Mapping[str, Any], ...]
    """The pools of threads of what was loaded: library, version, threads, architecture."""
    used: Mapping[str, str]
    """The packages of which something was imported, with their versions."""
    code: tuple[str, ...]
    """The user's own files that were imported, relative to the base."""
    loaded: tuple[str, ...] | None = None
    """The files of the shared libraries that it had loaded, at its own paths; None where that is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What came back."""

    passes: tuple[PassResult, ...]
    facts: RunFacts
    loading: float
    """Seconds that importing the entry took."""
    seconds: float
    """Seconds from the start of the process to its end."""
    written: str = ""
    """The end of what it printed."""

    @property
    def stages(self) -> Stages:
        """What the first pass gave."""
        return self.passes[0].stages


class Runner(Protocol):
    """Runs jobs in one environment. Made for one environment, used for several jobs, closed at the end."""

    @property
    def kind(self) -> str:
        """One word, as 'process' or 'docker'."""
        ...

    @property
    def words(self) -> str:
        """Where it runs, for a person: 'this environment', 'a container of image sha256:…'."""
        ...

    @property
    def inherits(self) -> bool:
        """Whether settings such as OMP_NUM_THREADS come from this process; else a job runs with the lock's."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """What else belongs into a lock, as the image's digest."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know, as leftovers of a killed run that were removed."""
        ...

    def run(self, job: Job, *, progress: Progress = silent) -> Run:
        """Run a job.

        Raises:
            RunError: it failed, ran out of time or memory, or its output cannot be read.
            DataguardError: the environment cannot be made.
        """
        ...

    def fingerprint(self) -> Fingerprint:
        """The environment and the machine that jobs run in, before a job."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


def job_for(
    inference: Inference,
    taken: Samples,
    *,
    passes: Sequence[Pass],
    weights: Sequence[Path] = (),
    variables: Mapping[str, str] | None = None,
    overlays: Sequence[Path] = (),
    rows: tuple[int, ...] | None = None,
) -> Job:
    """The job of running an inference on samples."""
    from dataguard.core.paths import decode_path

    return Job(
        base=inference.base,
        entry=inference.entry,
        command=inference.command,
        takes=taken.takes,
        inputs=tuple(inference.base / decode_path(file.path) for file in taken.files),
        rows=rows,
        weights=tuple(weights),
        seed=inference.seed,
        passes=tuple(passes),
        variables={**inference.variables, **(variables or {})},
        timeout=inference.timeout,
        memory=inference.memory,
        overlays=tuple(overlays),
    )


def job_document(job: Job, out: str, *, where: Callable[[Path], str] = str, parent: int | None = None) -> str:
    """The text of the file that ``child.py`` is given.

    Args:
        job: What to run.
        out: The output folder as the child sees it.
        where: The path under which the child sees a path of this machine.
        parent: The process that the child is to end with; None where that is not its parent.
    """
    return json.dumps(
        {
            "protocol": PROTOCOL,
            "base": where(job.base),
            "entry": job.entry,
            "command": job.command,
            "takes": job.takes,
            "inputs": [where(path) for path in job.inputs],
            "rows": job.rows,
            "seed": job.seed,
            "passes": [
                {
                    "batch_size": one.batch_size,
                    "threads": one.threads,
                    "precision": one.precision,
                    "seed": one.seed,
                }
                for one in job.passes
            ],
            "memory": None if job.memory is None else int(job.memory * (1 << 30)),
            "largest_file": MOST_BYTES,
            "parent": parent,
            "out": out,
        }
    )


def environment_variables(job: Job) -> dict[str, str]:
    """The variables that every runner sets: the job's own, and Python's hash seed."""
    return {"PYTHONHASHSEED": str(job.seed % 2**32), "PYTHONDONTWRITEBYTECODE": "1", **job.variables}


def read_run(out: Path, job: Job, *, seconds: float, written: str, ended: str) -> Run:
    """What a child wrote into its output folder.

    Args:
        out: The folder, on this machine.
        job: What it was to do.
        seconds: How long it took.
        written: What it printed.
        ended: How it ended, as 'exit code 1', for when it wrote no result.

    Raises:
        RunError: it failed, or wrote something else than a result.
    """
    tail = "\n    ".join(written.strip().splitlines()[-8:])
    try:
        with _opened(out / "result.json") as stream:
            result: Any = json.loads(stream.read(_MOST_RESULT))
    except FileNotFoundError:
        raise RunError(
            f"the process that ran it ended without a result: {ended}" + (f"\n    {tail}" if tail else ""),
            where=job.entry or job.command,
            hint="a crash in native code, or the limit of memory: raise inference.memory, or run it by hand",
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise RunError(f"the result cannot be read: {error}", where=job.entry or job.command) from error
    if not isinstance(result, dict):
        raise RunError("the result is no object", where=job.entry or job.command)
    if "error" in result:
        raise RunError(
            str(result["error"]),
            where=str(result.get("where") or job.entry or job.command),
            hint=str(result.get("hint") or "") or None,
        )
    try:
        passes = tuple(
            PassResult(
                stages={} if "error" in one else _stages(out / str(number), one["stages"], job),
                seconds=float(one["seconds"]),
                error=str(one.get("error", "")),
            )
            for number, one in enumerate(result["passes"])
        )
        if len(passes) != len(job.passes):
            raise RunError(f"{len(passes)} of {len(job.passes)} passes are there", where=job.entry or job.command)
        return Run(
            passes=passes,
            facts=_facts(result["facts"]),
            loading=float(result["loading"]),
            seconds=seconds,
            written=tail,
        )
    except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise RunError(
            f"what it wrote is not a result: {type(error).__name__}: {error}", where=job.entry or job.command
        ) from error


def _facts(given: Mapping[str, Any]) -> RunFacts:
    return RunFacts(
        python=str(given["python"]),
        machine=str(given["machine"]),
        numerics={str(key): value for key, value in given["numerics"].items() if isinstance(value, str | int | bool)},
        threads=tuple(dict(pool) for pool in given["threads"]),
        used={str(key): str(value) for key, value in given["used"].items()},
        code=tuple(str(name) for name in given["code"]),
        loaded=None if given.get("loaded") is None else tuple(str(path) for path in given["loaded"]),
    )


def _stages(folder: Path, names: Sequence[str], job: Job) -> Stages:
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise RunError("an output folder is no folder", where=folder)
    found: dict[str, tuple[NDArray[Any], ...]] = {}
    for number, name in enumerate(names):
        with _opened(folder / f"{number}.npz") as stream:
            found[str(name)] = tuple(read_arrays(stream))
    sizes = {len(arrays) for arrays in found.values()}
    if len(sizes) != 1 or (job.n >= 0 and sizes != {job.n}):
        raise RunError(f"stages have {sorted(sizes)} samples, and {job.n} were run", where=job.entry or job.command)
    return found


def read_arrays(stream: IO[bytes]) -> list[NDArray[Any]]:
    """The arrays of an .npz file with the members 0.npy, 1.npy, …, read-only.

    Raises:
        ValueError: they are no arrays of numbers, or too large.
    """
    arrays: list[NDArray[Any]] = []
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES >> 30} GiB")
        names = {member.filename for member in members}
        for number in range(len(members)):
            if f"{number}.npy" not in names:
                raise ValueError(f"sample {number} is missing")
            arrays.append(read_array(archive, f"{number}.npy"))
    return arrays


def read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array of an archive, read-only.

    Raises:
        KeyError: it is not there.
        ValueError: it is no array of numbers, or has not as many bytes as it says; nothing is reserved for these.
    """
    import numpy as np

    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{name}: version {version} of the format")
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(member)
        if dtype.hasobject:
            raise ValueError(f"{name}: it holds Python objects")
        expected = math.prod(shape) * dtype.itemsize
        size = archive.getinfo(name).file_size
        if not 0 <= expected <= size:
            raise ValueError(f"{name}: {expected} bytes are promised, and {size} are there")
        content = member.read(expected + 1)
    if len(content) != expected:
        raise ValueError(f"{name}: {expected} bytes are promised, and {len(content)} are there")
    # The buffer is immutable, and so is the array.
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if fortran else "C")


@contextlib.contextmanager
def _opened(path: Path) -> Any:
    """A regular file, not a link to one: what a container wrote must not name files of this machine."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path.name} is no regular file")
        yield stream
