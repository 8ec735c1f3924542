"""Runs inference in a container that has no network, writes to one folder, and reads what it is given and no more."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dataguard.core.containers import NOBODY, Box, connect
from dataguard.core.errors import ConfigurationError
from dataguard.core.paths import decode_path
from dataguard.core.progress import Progress, silent
from dataguard.environment.hardware import Graphics
from dataguard.reproduction.container_packages import Packages, packages_from, packages_in, packages_of, platforms
from dataguard.reproduction.golden import golden_name
from dataguard.reproduction.image import PACKAGES, built_image, chosen_image, look_inside, with_packages
from dataguard.reproduction.leftovers import scratch, sweep
from dataguard.reproduction.lock import FILE_NAME, Lock
from dataguard.reproduction.overlays import Overlays
from dataguard.reproduction.runner import (
    CHILD,
    Job,
    Run,
    RunError,
    environment_variables,
    job_document,
    read_run,
)
from dataguard.reproduction.watching import LATE, Tail, watched

if TYPE_CHECKING:
    from dataguard.environment.fingerprint import Fingerprint
    from dataguard.environment.installed import InstalledEnvironment

_HERE = "/dataguard"
_GRACE = 30.0
"""Seconds beyond a job's limit, for starting Python and importing a framework from a cold disk."""
_MOST_WRITTEN = 64 * 1024
_SHARE_OF_MEMORY = 0.9
"""Of the machine's memory that a container may use at most, so that it is killed and nothing else is."""
_PROCESSES_A_CORE = 16
_FEWEST_PROCESSES = 512
"""Processes and threads that a container may have: OpenMP, OpenBLAS and torch each start one a core."""
_SCRATCH = 2.0
_SINGLY = 200
"""Files outside of the project that are mounted one by one; of more, their folders are."""
_RESERVED = ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/tmp", "/usr", _HERE)  # noqa: S108
_START = (
    "import os, sys; os.umask(0); sys.path[:] = [path for path in sys.path if path]; "
    f"import site; site.addsitedir({PACKAGES!r}); "
    "import runpy; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
"""Runs a file without its folder on the path; what it writes can be removed by whoever ran it."""
_CROWDED = "it started more processes and threads than a container may have"
_HINTS = (
    (
        re.compile(r"Network is unreachable|name resolution|Name or service not known|Failed to resolve|\[Errno 101\]"),
        "the container has no network, so that a result rests on what is locked alone: put the file beside the lock",
    ),
    (
        re.compile(r"Read-only file system|\[Errno 30\]"),
        "in the container nothing but /tmp can be written to: inputs, weights, code and golden outputs are read-only",
    ),
    (
        re.compile(r"can't start new thread|\[Errno 11\]|BlockingIOError"),
        _CROWDED,
    ),
    (
        re.compile(r"No space left on device|\[Errno 28\]"),
        f"the container's own folder for temporary files holds {_SCRATCH:g} GiB",
    ),
    (
        re.compile(r"FileNotFoundError|No such file or directory|PermissionError|\[Errno 13\]"),
        "the container sees the folder of the lock, its inputs and its weights, and nothing else of this machine",
    ),
)


class DockerRunner:
    """Runs jobs in containers of one image, each in a container of its own, which is removed at its end.

    A container has no network and no capabilities, a root that is read-only, Docker's own seccomp profile, no user's
    rights but those of who runs dataguard (nobody's, where that is root), and limits on memory, processes, time and
    output. It sees the project's folder read-only, but nothing in it that begins with a dot, nor the lock, nor the
    golden outputs; inputs and weights elsewhere, at their own paths; and an empty folder for its output.

    Args:
        lock: What is run; None where it is yet to be locked.
        path: The lock's file; it is hidden from what runs.
        image: The image; by default the lock's own, or the one that ``docker/engine.sh`` makes.
        environment: A virtual environment of this machine whose packages are mounted; by default those of the lock are
            installed into a folder that is kept, and without a lock this process's own are mounted.
        portable: Whether the packages are built into an image, in place of being mounted.
        packages: Those that are in the image, where they are at hand.
        gpus: Whether it is given the graphics cards.
        progress: Told what takes long.

    Raises:
        ConfigurationError: there is no engine, no image, no graphics card, or another Python in it than in the lock.
        DataguardError: the packages cannot be installed.
    """

    kind = "docker"
    inherits = False

    def __init__(
        self,
        lock: Lock | None,
        *,
        path: Path | None = None,
        image: str | None = None,
        environment: str | Path | None = None,
        portable: bool = False,
        packages: Packages | None = None,
        gpus: bool = False,
        progress: Progress = silent,
    ) -> None:
        self._code = () if lock is None else tuple(decode_path(file.path) for file in lock.code.files)
        name = path.name if path else FILE_NAME
        self._hidden = frozenset({name, golden_name(Path(name)) if lock is None else lock.golden.path})
        self._gpus = gpus
        self.engine = connect()
        try:
            # After the containers that write there.
            removed = sweep()
            self.image = look_inside(self.engine, chosen_image(self.engine, lock, image), lock, gpus=gpus)
            if self.image.packages and packages is not None and packages.key == self.image.packages:
                self.packages = packages
            elif self.image.packages:
                self.packages = packages_in(self.engine, self.image, progress=progress)
            else:
                made = (
                    packages_of(environment, image=self.image)
                    if environment is not None or lock is None
                    else packages_from(lock, self.image, progress=progress)
                )
                self.packages = made
                if portable:
                    built = built_image(
                        self.engine, self.image, made.folder, made.requirements, made.key, progress=progress
                    )
                    self.image = with_packages(self.image, built, built, made.key)
        except BaseException:
            self.engine.close()
            raise
        self.words = f"a container of {self.image.words}"
        self.facts: Mapping[str, str] = self.image.facts
        left = len(removed) + self.engine.removed
        self.notes: tuple[str, ...] = (
            *((f"removed what {left} killed run(s) had left behind",) if left else ()),
            *(() if self._has_seccomp() else ("the engine runs containers without seccomp",)),
        )

    def run(self, job: Job, *, progress: Progress = silent) -> Run:
        """Run a job; see `Runner.run`."""
        progress("running in a container", 0, None)
        with scratch() as folder:
            out, empty, document = folder / "out", folder / "empty", folder / "job.json"
            for made in (out, empty, empty / "folder"):
                made.mkdir()
            # Not the null device, which would swallow what is written to it and say nothing.
            (empty / "file").touch()
            # Inside a folder that only this user enters; who the container runs as may be another.
            out.chmod(0o777)
            empty.chmod(0o755)
            limits = self._limits(job)
            document.write_text(
                job_document(dataclasses.replace(job, memory=limits.memory), f"{_HERE}/out"), encoding="utf-8"
            )
            document.chmod(0o644)
            box = self._box(limits, out, empty, document)
            return self._finished(box, limits, out)

    def _finished(self, box: Box, job: Job, out: Path) -> Run:
        where = job.entry or job.command
        written = Tail(_MOST_WRITTEN)
        started = time.perf_counter()
        running = self.engine.start(box, errors=written)  # type: ignore[arg-type] # a stream as far as it is used
        try:
            with watched(running, out, job.timeout + _GRACE) as watch:
                running.stdin.close()
                while content := running.stdout.read(1 << 16):
                    written.write(content)
                ending = running.wait()
        finally:
            running.close()
        seconds = time.perf_counter() - started
        if watch.stopped == LATE:
            raise RunError(
                f"it did not end within {job.timeout:g} s and was stopped",
                where=where,
                hint="raise inference.timeout, or name fewer inputs",
            )
        if watch.stopped:
            raise RunError(f"{watch.stopped}, and was stopped", where=where, hint="is that what it is to do?")
        if ending.out_of_memory and not (out / "result.json").exists():
            raise RunError(
                f"the run needs more memory than the limit of {job.memory:.3g} GiB, and was killed",
                where=where,
                hint="raise inference.memory, or name fewer inputs",
            )
        try:
            found = read_run(
                out, job, seconds=seconds, written=written.text(), ended=_ended(ending.code, watch.crowded)
            )
        except RunError as error:
            raise _with_hint(error, crowded=watch.crowded) from error
        if ending.out_of_memory or watch.crowded:
            limit = "of memory" if ending.out_of_memory else f"of {box.processes} processes"
            self.notes = (*self.notes, f"it ran into its limit {limit}; what it started then was killed or refused")
        return found

    def _limits(self, job: Job) -> Job:
        """The job with the memory that there is."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _SHARE_OF_MEMORY / (1 << 30)
        return dataclasses.replace(job, memory=machine if job.memory is None else min(job.memory, machine))

    def _box(self, job: Job, out: Path, empty: Path, document: Path) -> Box:
        base = Path(os.path.normpath(job.base))
        if str(base) in _RESERVED or base.is_relative_to("/proc") or base.is_relative_to("/sys"):
            raise ConfigurationError(
                "a project in this folder would hide what is in the container", where=base, hint="move it elsewhere"
            )
        needed = [Path(os.path.normpath(path)) for path in (*job.inputs, *job.weights)]
        code = [base / path for path in self._code]
        user = _user(base)
        if user == NOBODY:
            _check_readable(base, [*needed, *code])
        overlays = {path: f"{_HERE}/overlay{number}" for number, path in enumerate(job.overlays)}
        readable = {base: str(base), **_outside(base, needed), **overlays}
        if not self.image.packages:
            readable[self.packages.folder] = PACKAGES
        return Box(
            image=self.image.id,
            command=("python3", "-c", _START, f"{_HERE}/child.py", f"{_HERE}/job.json"),
            readable={**readable, CHILD: f"{_HERE}/child.py", document: f"{_HERE}/job.json"},
            writable={out: f"{_HERE}/out"},
            covers=tuple(self._covers(base, [*needed, *code], empty)),
            environment={
                **environment_variables(job),
                "PYTHONPATH": os.pathsep.join([*overlays.values(), PACKAGES]),
            },
            folder=str(base),
            user=user,
            memory=job.memory,
            processes=max(_FEWEST_PROCESSES, _PROCESSES_A_CORE * (os.cpu_count() or 1)),
            scratch=_SCRATCH,
            gpus=self._gpus or job.gpu,
        )

    def _covers(self, base: Path, needed: Sequence[Path], empty: Path) -> Iterator[tuple[Path, str]]:
        """What is laid over the parts of the project that it has no business with."""
        with os.scandir(base) as entries:
            for entry in sorted(entries, key=lambda item: item.name):
                place = base / entry.name
                folder = entry.is_dir(follow_symlinks=False)
                private = entry.name.startswith(".") or entry.name in self._hidden
                environment = folder and (place / "pyvenv.cfg").is_file()
                used = any(path == place or path.is_relative_to(place) for path in needed)
                # A link leads to what is not there, unless it stays in the project, where it hides nothing.
                if (private or environment) and not used and not entry.is_symlink():
                    yield empty / ("folder" if folder else "file"), str(place)

    def _has_seccomp(self) -> bool:
        return any("seccomp" in str(item) for item in self.engine.client.info().get("SecurityOptions") or ())

    def installed(self) -> InstalledEnvironment:
        """What is installed where jobs run."""
        return self.packages.environment

    def overlays(self, folder: Path | None = None) -> Overlays:
        """Other versions of packages, for the image's Python and C library."""
        return Overlays(self.image.python, platforms=platforms(self.image), folder=folder)

    def fingerprint(self) -> Fingerprint:
        """The packages, the image's system and this machine; see `Runner.fingerprint`."""
        from dataguard.environment.fingerprint import fingerprint, variables

        image = self.image
        found = fingerprint(self.packages.environment, with_threads=False)
        carried = tuple(item for item in found.libraries if item.carrier != "system")
        return dataclasses.replace(
            found,
            python=dataclasses.replace(
                found.python, version=image.python, implementation=image.implementation, compiler=image.compiler
            ),
            libraries=(*carried, *image.libraries),
            system=dataclasses.replace(found.system, name=image.system, libc=image.libc, container="docker"),
            graphics=found.graphics if self._gpus else Graphics(note="the container is given none"),
            threads=(),
            variables=variables(image.variables),
        )

    def close(self) -> None:
        """Give up the connection; containers end with their job."""
        self.engine.close()


def _user(base: Path) -> str | None:
    """Who it runs as: who runs dataguard; where that is root, who owns the project, or nobody."""
    if os.getuid():
        return None
    owner = base.stat()
    return f"{owner.st_uid}:{owner.st_gid}" if owner.st_uid else NOBODY


def _check_readable(base: Path, needed: Sequence[Path]) -> None:
    """Refuse what nobody may not read; in the container it would look as if it were not there.

    Raises:
        ConfigurationError: a file or folder is private.
    """
    checked: set[Path] = set()
    for path in (base, *needed):
        inside = path.is_relative_to(base)
        for place in (path, *(parent for parent in path.parents if inside and parent.is_relative_to(base))):
            if place in checked:
                continue
            checked.add(place)
            mode = place.stat().st_mode if place.exists() else 0o777
            if not mode & stat.S_IROTH or (stat.S_ISDIR(mode) and not mode & stat.S_IXOTH):
                raise ConfigurationError(
                    "the container runs as nobody, who may not read this",
                    where=place,
                    hint=f"chmod -R o+rX {base}; or run dataguard as the user whose files these are",
                )


def _outside(base: Path, needed: Sequence[Path]) -> dict[Path, str]:
    """Files that do not lie in the project, and what its links lead to: at their own paths, one by one where few."""
    found: dict[Path, str] = {}
    for path in needed:
        for place in {path, Path(os.path.realpath(path))}:
            if not place.is_relative_to(base) and place.exists():
                found[place] = str(place)
    if len(found) > _SINGLY:
        folders = {path.parent for path in found}
        found = {
            path: str(path)
            for path in folders
            if not any(path != other and path.is_relative_to(other) for other in folders)
        }
    return found


def _ended(code: int, crowded: bool) -> str:
    text = f"signal {signal.Signals(code - 128).name}" if code - 128 in set(signal.Signals) else f"exit code {code}"
    return f"{text}, at its limit of processes" if crowded else text


def _with_hint(error: RunError, *, crowded: bool) -> RunError:
    """The error with what the container has to do with it."""
    if crowded:
        return RunError(error.message, where=error.where, hint=_CROWDED)
    for pattern, hint in _HINTS:
        if pattern.search(error.message):
            return RunError(error.message, where=error.where, hint=hint)
    return error
