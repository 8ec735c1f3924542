"""Recording a loader in a process of its own, so that the user's code can neither hang nor end this one.

``python -m dataguard.batches.child JOB`` imports the loader, records it and leaves the stream or the error in a file.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from dataguard.batches.passes import is_factory, seed_globals
from dataguard.batches.record import THUMBNAILS, EpochHook, record
from dataguard.batches.stream import BatchStream
from dataguard.core.atomic import write_atomically
from dataguard.core.errors import ConfigurationError, DataguardError, NothingToCheckError, SourceError, did_you_mean

LOADER_TIMEOUT = 600.0
"""Seconds that importing and recording a loader may take by default."""
SHOWN_LINES = 12
"""Lines of what the process wrote that are quoted when it dies."""
_GRACE = 5.0
"""Seconds beyond the limit, for starting Python and for writing the stream."""
_POLL = 0.05


def record_in_subprocess(
    target: str,
    *,
    base: Path,
    batches: int | None = None,
    epochs: int = 1,
    timeout: float = LOADER_TIMEOUT,
    seed: int | None = None,
    label: str | int | None = None,
    inputs: str | int | None = None,
    sample_id: str | int | None = None,
    on_epoch: str | None = "set_epoch",
    thumbnails: int = THUMBNAILS,
) -> BatchStream:
    """Record a loader that a target names, in a process of its own with a time limit.

    Args:
        target: ``module:name`` or ``file.py:name``; a loader, or a function without parameters that returns one.
        base: The folder that the process works in, that files are relative to and modules are looked for in first.
        batches: See `record`.
        epochs: See `record`.
        timeout: Seconds for everything: import, loader and recording. What was recorded by then is returned, with a
            pass that timed out.
        seed: See `record`; set before the target is imported, so that a shuffle at import is covered too.
        label: See `record`.
        inputs: See `record`.
        sample_id: See `record`.
        on_epoch: ``"set_epoch"``, or None to call nothing before each epoch.
        thumbnails: See `record`.

    Returns:
        The stream.

    Raises:
        ConfigurationError: the target cannot be imported, is no loader, or its code failed before the first batch.
        NothingToCheckError: the loader has no batches.
        SourceError: the process died or ran out of time before there was a stream.
    """
    _split(target)
    if timeout <= 0:
        raise ConfigurationError(f"expected a time above 0, got {timeout:g}", where="timeout")
    with tempfile.TemporaryDirectory(prefix="dataguard-") as folder:
        job, result = Path(folder, "job.json"), Path(folder, "result")
        job.write_text(
            json.dumps(
                {
                    "target": target,
                    "base": str(base.absolute()),
                    "result": str(result),
                    "end": time.time() + timeout,
                    "options": {
                        "batches": batches,
                        "epochs": epochs,
                        "seed": seed,
                        "label": label,
                        "inputs": inputs,
                        "sample_id": sample_id,
                        "on_epoch": on_epoch,
                        "thumbnails": thumbnails,
                    },
                }
            ),
            encoding="utf-8",
        )
        written = Path(folder, "output")
        code = run_module(
            "dataguard.batches.child",
            job,
            base,
            written,
            timeout,
            done=(result.with_suffix(".npz"), result.with_suffix(".json")),
        )
        if (found := result.with_suffix(".npz")).exists():
            return BatchStream.load(found)
        if (failed := result.with_suffix(".json")).exists():
            raise restored_error(json.loads(failed.read_text(encoding="utf-8")))
        said = written.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
        lines = "".join(f"\n    {line}" for line in said if line.strip())
        if code is None:
            raise SourceError(
                f"no batch within {timeout:g} s" + (f"; it wrote:{lines}" if lines else ""),
                where=target,
                hint="allow more time, or look for what its import or its first batch waits for",
            )
        raise SourceError(
            f"its process ended with {_exit_text(code)} and without a result"
            + (f"; it wrote:{lines}" if lines else ""),
            where=target,
            hint="run it by itself: memory, or a library that ends the process",
        )


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
            env={**os.environ, "PYTHONPATH": _python_path()},
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
            _kill(process)


def _python_path() -> str:
    """A path on which the child finds this dataguard, also where it was not installed."""
    own = str(Path(__file__).resolve().parents[2])
    given = os.environ.get("PYTHONPATH", "")
    return own if not given else os.pathsep.join([given, own])


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the child, and with it the workers of its loader, which are in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _exit_text(code: int) -> str:
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


def _split(target: str) -> tuple[str, str]:
    place, separator, name = target.rpartition(":")
    if not separator or not place or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(
            f"cannot tell a loader from {target!r}", where="loader", hint="name 'package.module:name' or 'file.py:name'"
        )
    return place, name


# In the child


def main(arguments: list[str]) -> None:
    """Do the job that a file describes; the result is a file."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    result = Path(job["result"])
    try:
        stream = _do(job)
    except DataguardError as error:
        values = {"kind": type(error).__name__, "message": error.message, "where": error.where, "hint": error.hint}
        write_atomically(result.with_suffix(".json"), json.dumps(values))
    else:
        stream.save(result.with_suffix(".npz"))


def _do(job: dict[str, Any]) -> BatchStream:
    target, base = str(job["target"]), Path(job["base"])
    options: dict[str, Any] = job["options"]
    hook: EpochHook = options.pop("on_epoch")
    sys.path.insert(0, str(base))
    if options["seed"] is not None:
        seed_globals(int(options["seed"]))
    loader = load_target(target, base)
    try:
        stream = record(loader, time_limit=max(0.1, job["end"] - time.time()), on_epoch=hook, **options)
    except DataguardError as error:
        if error.where is not None and error.where in ("label", "inputs", "sample_id", "on_epoch"):
            raise
        raise type(error)(error.message, where=target, hint=error.hint) from error
    if not stream.n_batches and stream.passes[0].detail:
        raise ConfigurationError(f"the loader failed before its first batch: {stream.passes[0].detail}", where=target)
    return stream


def load_target(target: str, base: Path) -> Any:
    """The loader that a target names."""
    place, name = _split(target)
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
    # A generator function is a loader by itself: `record` calls it for each epoch.
    if (isinstance(found, type) or is_factory(found)) and not inspect.isgeneratorfunction(found):
        with _users_code(target, "the function that makes the loader failed"):
            found = found()
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
    with _users_code(target, "its file failed when imported"):
        spec.loader.exec_module(module)
    return module


def _import(name: str, base: Path, target: str) -> ModuleType:
    try:
        with _users_code(target, "its module failed when imported"):
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
def _users_code(target: str, what: str) -> Iterator[None]:
    """Errors of the user's own code, with the places in it that they came through."""
    try:
        yield
    except DataguardError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{what}: {_shortened(error)}", where=target) from error


def _shortened(error: BaseException) -> str:
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


if __name__ == "__main__":
    main(sys.argv[1:])
