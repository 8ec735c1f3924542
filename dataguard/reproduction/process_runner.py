"""Runs inference in a process: of this environment, of a named one, or of a fresh one made from a lock."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dataguard.core.errors import SourceError
from dataguard.core.progress import Progress, silent
from dataguard.core.users_code import exit_text, kill_group
from dataguard.environment.fingerprint import VARIABLES
from dataguard.environment.installed import InstalledEnvironment, find_environment, installed
from dataguard.reproduction.leftovers import LABEL, scratch, sweep
from dataguard.reproduction.overlays import Overlays
from dataguard.reproduction.runner import CHILD, Job, Run, RunError, environment_variables, job_document, read_run

if TYPE_CHECKING:
    from dataguard.environment.fingerprint import Fingerprint

_GRACE = 30.0
"""Seconds beyond a job's limit, for starting Python and importing a framework from a cold disk."""
_MOST_WRITTEN = 64 * 1024
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|LD_LIBRARY_PATH|CUDA_\w+|NVIDIA_\w+|SSL_CERT_\w+"
)


class ProcessRunner:
    """Runs jobs in a process of their own, in one environment.

    It is no sandbox: the code has this user's rights. It is limited in time and memory, its output folder is the only
    thing that is read back, and what it started is ended with it.

    Args:
        environment: The folder of a virtual environment; None for the interpreter of this process.
        words: What to call it; made up from the folder where nothing is said.
        keep_variables: Whether settings such as OMP_NUM_THREADS are passed on from this process.
        fresh: Whether the environment was made from a lock.

    Raises:
        SourceError: it is no environment with a Python.
    """

    kind = "process"

    def __init__(
        self,
        environment: str | Path | None = None,
        *,
        words: str = "",
        keep_variables: bool = True,
        fresh: bool = False,
    ) -> None:
        self._root = None if environment is None else find_environment(Path(environment))
        if environment is not None and self._root is None:
            raise SourceError(
                "no virtual environment", where=Path(environment).absolute(), hint="name its folder, as .venv"
            )
        self._python = sys.executable if self._root is None else str(self._root / "bin" / "python")
        if not os.access(self._python, os.X_OK):
            raise SourceError("no Python that can be run", where=self._python)
        self.words = words or ("this environment" if self._root is None else f"the environment {self._root}")
        self.inherits = keep_variables
        self.fresh = fresh
        removed = sweep()
        self.notes: tuple[str, ...] = (
            (f"removed what {len(removed)} killed run(s) had left behind: {', '.join(removed)}",) if removed else ()
        )
        self.facts: Mapping[str, str] = {}

    def run(self, job: Job, *, progress: Progress = silent) -> Run:
        """Run a job; see `Runner.run`."""
        progress("running", 0, None)
        with scratch() as folder:
            out = folder / "out"
            out.mkdir()
            (folder / "tmp").mkdir()
            document = folder / "job.json"
            document.write_text(job_document(job, str(out), parent=os.getpid()), encoding="utf-8")
            written = folder / "written.txt"
            started = time.perf_counter()
            ended = self._finished(job, document, written, folder)
            seconds = time.perf_counter() - started
            text = _tail(written)
            if ended is None:
                raise RunError(
                    f"it did not end within {job.timeout:g} s and was stopped",
                    where=job.entry or job.command,
                    hint="raise inference.timeout, or name fewer inputs",
                )
            return read_run(out, job, seconds=seconds, written=text, ended=ended)

    def _finished(self, job: Job, document: Path, written: Path, folder: Path) -> str | None:
        """How the process ended; None where it had to be stopped."""
        # `-P`, since 3.11: the folder of child.py must not come first on the path. Older ones take it out themselves.
        command = [self._python, "-c", _START, str(CHILD), str(document)]
        with written.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=job.base,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._variables(job, folder),
                start_new_session=True,
            )
            try:
                return exit_text(process.wait(timeout=job.timeout + _GRACE))
            except subprocess.TimeoutExpired:
                return None
            finally:
                kill_group(process)

    def _variables(self, job: Job, folder: Path) -> dict[str, str]:
        passed = {
            key: value
            for key, value in os.environ.items()
            if _PASSED_ON.fullmatch(key) or (self.inherits and key in VARIABLES)
        }
        paths = [str(path) for path in job.overlays]
        return {
            **passed,
            **environment_variables(job),
            **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
            "TMPDIR": str(folder / "tmp"),
            LABEL: folder.name,
        }

    @property
    def python(self) -> Path:
        """The interpreter that jobs are run by."""
        return Path(self._python)

    def installed(self) -> InstalledEnvironment:
        """What is installed where jobs run."""
        return installed(self._root)

    def overlays(self, folder: Path | None = None) -> Overlays:
        """Other versions of packages, for its Python."""
        return Overlays(self.installed().python, interpreter=self.python, folder=folder)

    def fingerprint(self) -> Fingerprint:
        """The environment and the machine; see `Runner.fingerprint`."""
        from dataguard.environment.fingerprint import fingerprint

        return fingerprint(self.installed(), with_threads=False)

    def close(self) -> None:
        """Nothing outlives a job."""


_START = (
    "import sys; sys.path[:] = [path for path in sys.path if path]; "
    "import runpy; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
"""Runs a file without putting its folder, or the current one, on the path."""


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _MOST_WRITTEN))
        return stream.read(_MOST_WRITTEN).decode("utf-8", "replace")
    return ""
