"""Running the user's own code: in a process of its own, and with errors that name the lines that are the user's."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from dataguard.core.errors import ConfigurationError, DataguardError, NothingToCheckError, SourceError, did_you_mean

_GRACE = 5.0
"""Seconds beyond the limit, for starting Python and for writing the result."""
_POLL = 0.05


def run_module(
    module: str, job: Path, base: Path, written: Path, timeout: float, *, done: Sequence[Path]
) -> int | None:
    """Run a module on a job until it ends or one of the files is there.

    Args:
        module: What ``python -m`` runs; its argument is `job`.
        job: The file that says what to do.
        base: The folder that it works in.
        written: Where what it writes goes.
        timeout: Seconds until it is killed.
        done: Files that say that it has done its work.

    Returns:
        Its exit code, or None where it had to be killed.
    """
    # `-P`: without it the user's folder would come first on the path, and a random.py there would break dataguard.
    command = [sys.executable, "-P", "-m", module, str(job)]
    with written.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=base,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": python_path()},
            start_new_session=True,
        )
        end = time.monotonic() + timeout + _GRACE
        try:
            while time.monotonic() < end:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(timeout=_POLL)
                # With its result there, a child may still wait for workers that never end.
                if any(path.exists() for path in done):
                    return None
            return None
        finally:
            kill_group(process)


def python_path() -> str:
    """A path on which the child finds this dataguard, also where it was not installed."""
    own = str(Path(__file__).resolve().parents[2])
    given = os.environ.get("PYTHONPATH", "")
    return own if not given else os.pathsep.join([given, own])


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process, and with it whatever it started, which is in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def exit_text(code: int) -> str:
    """How a process ended, in words: 'exit code 3', 'signal SIGKILL'."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


_ERRORS: dict[str, type[DataguardError]] = {
    kind.__name__: kind for kind in (ConfigurationError, NothingToCheckError, SourceError)
}


def restored_error(values: dict[str, Any]) -> DataguardError:
    """The error that a child wrote down."""
    kind = _ERRORS.get(values["kind"], SourceError)
    return kind(values["message"], where=values["where"], hint=values["hint"])


# In the child


def split_target(target: str, *, what: str = "function") -> tuple[str, str]:
    """The two parts of ``module:name`` or ``file.py:name``.

    Raises:
        ConfigurationError: it is neither.
    """
    place, separator, name = target.rpartition(":")
    if not separator or not place or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(
            f"cannot tell a {what} from {target!r}", where=what, hint="name 'package.module:name' or 'file.py:name'"
        )
    return place, name


def load_named(target: str, base: Path, *, what: str = "loader") -> Any:
    """What ``module:name`` or ``file.py:name`` names; the file is relative to `base`.

    Raises:
        ConfigurationError: there is no such thing, or the user's code failed while it was imported.
    """
    place, name = split_target(target, what=what)
    module = _run_file(base / place, target) if place.endswith(".py") else _import(place, base, target)
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            names = [word for word in vars(found) if not word.startswith("_")] if hasattr(found, "__dict__") else []
            raise ConfigurationError(
                f"no {part!r} in it",
                where=getattr(module, "__file__", None) or place,
                hint=did_you_mean(part, names) if names else "it defines no names",
            ) from error
    return found


def _run_file(path: Path, target: str) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(
            "no such file", where=path, hint="relative paths start at the folder of the configuration"
        )
    # Under its own name, so that workers that are started anew can import what they unpickle.
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError("cannot be imported as Python", where=path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules.setdefault(path.stem, module)
    with users_code(target, "its file failed when imported"):
        spec.loader.exec_module(module)
    return module


def _import(name: str, base: Path, target: str) -> ModuleType:
    try:
        with users_code(target, "its module failed when imported"):
            return importlib.import_module(name)
    except ConfigurationError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{name}.".startswith(f"{cause.name}."):
            raise ConfigurationError(
                f"no module named {cause.name!r}",
                where=target,
                hint=f"modules are looked for in {base} and among the installed packages; a file is 'file.py:name'",
            ) from cause
        raise


@contextlib.contextmanager
def users_code(target: str, what: str) -> Iterator[None]:
    """Errors of the user's own code, with the places in it that they came through."""
    try:
        yield
    except DataguardError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{what}: {shortened_error(error)}", where=target) from error


def shortened_error(error: BaseException) -> str:
    """The error, with the last lines of its traceback that are the user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"not valid Python: {error.msg} at {error.filename}:{error.lineno}"
    own = str(Path(__file__).resolve().parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((own, "<")) and "site-packages" not in frame.filename
    ]
    places = "".join(f"\n    {frame.filename}:{frame.lineno}: {frame.line}" for frame in frames[-3:])
    return f"{type(error).__name__}: {error}{places}"
