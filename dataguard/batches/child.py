"""Recording a loader in a process of its own, so that the user's code can neither hang nor end this one.

``python -m dataguard.batches.child JOB`` imports the loader, records it and leaves the stream or the error in a file.
"""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dataguard.batches.passes import is_factory, seed_globals
from dataguard.batches.record import THUMBNAILS, EpochHook, record
from dataguard.batches.stream import BatchStream
from dataguard.core.atomic import write_atomically
from dataguard.core.errors import ConfigurationError, DataguardError, SourceError
from dataguard.core.users_code import exit_text, load_named, restored_error, run_module, split_target, users_code

LOADER_TIMEOUT = 600.0
"""Seconds that importing and recording a loader may take by default."""
SHOWN_LINES = 12
"""Lines of what the process wrote that are quoted when it dies."""


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
    split_target(target, what="loader")
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
            f"its process ended with {exit_text(code)} and without a result" + (f"; it wrote:{lines}" if lines else ""),
            where=target,
            hint="run it by itself: memory, or a library that ends the process",
        )


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
    found = load_named(target, base)
    # A generator function is a loader by itself: `record` calls it for each epoch.
    if (isinstance(found, type) or is_factory(found)) and not inspect.isgeneratorfunction(found):
        with users_code(target, "the function that makes the loader failed"):
            found = found()
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
