"""Going through the loaders of splits in a process of its own, so that the user's code can neither hang nor end ours.

``python -m dataguard.inputs.normalization_child JOB`` imports them and leaves what was gathered, or the error,
in a file.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataguard.batches.child import LOADER_TIMEOUT, load_target
from dataguard.core.atomic import write_atomically
from dataguard.core.errors import ConfigurationError, DataguardError, SourceError
from dataguard.core.users_code import restored_error, run_module
from dataguard.splits.normalization.accumulate import SplitState
from dataguard.splits.normalization.assess import judge
from dataguard.splits.normalization.read import gather, repeated
from dataguard.splits.normalization.replay import Replayed
from dataguard.splits.normalization.store import pack, unpack


def gather_in_subprocess(
    targets: Mapping[str, str],
    *,
    base: Path,
    layout: str | None = None,
    timeout: float | None = None,
    again: bool = True,
) -> tuple[dict[str, SplitState], Replayed | None]:
    """What was gathered of each split's loader; and of pictures that nothing exact explains, what a second pass says.

    Args:
        targets: ``module:name`` or ``file.py:name`` of each split: an iterable of batches, or a function that returns
            one. Of a batch that is a tuple, list or mapping, the first item is taken for the inputs.
        base: The folder that the process works in and files are relative to.
        layout: As of `assess`.
        timeout: Seconds for all; None for 600.
        again: Whether to look at pictures a second time, whose order must then be the same; not at raw ones.

    Raises:
        ConfigurationError: a target cannot be imported, or its batches hold no numbers.
        SourceError: the process died or ran out of time.
    """
    seconds = LOADER_TIMEOUT if timeout is None else timeout
    with tempfile.TemporaryDirectory(prefix="dataguard-") as folder:
        job, result, written = Path(folder, "job.json"), Path(folder, "result"), Path(folder, "output")
        settings = {"targets": dict(targets), "base": str(base), "result": str(result), "layout": layout}
        job.write_text(json.dumps({**settings, "again": again}), encoding="utf-8")
        made, failed, second = result.with_suffix(".npz"), result.with_suffix(".json"), Path(folder, "again.json")
        code = run_module("dataguard.inputs.normalization_child", job, base, written, seconds, done=(made, failed))
        if made.exists():
            return unpack(made.read_bytes()), _restored(second) if second.exists() else None
        if failed.exists():
            raise restored_error(json.loads(failed.read_text(encoding="utf-8")))
        where = ", ".join(targets.values())
        if code is None:
            raise SourceError(
                f"not gone through within {seconds:g} s", where=where, hint="set normalization.timeout to more seconds"
            )
        lines = written.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        raise SourceError(
            f"its process ended with code {code}; it wrote: {' | '.join(lines)}",
            where=where,
            hint="run it by itself: memory, or a library that ends the process",
        )


def main(arguments: list[str]) -> None:
    """Do the job that a file describes; the result is a file."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    result, base = Path(job["result"]), Path(job["base"])
    sys.path.insert(0, str(base))
    try:
        states, found = _do(job, base)
    except DataguardError as error:
        values = {"kind": type(error).__name__, "message": error.message, "where": error.where, "hint": error.hint}
        write_atomically(result.with_suffix(".json"), json.dumps(values))
    else:
        if found is not None:
            write_atomically(result.with_name("again.json"), json.dumps(dataclasses.asdict(found)))
        write_atomically(result.with_suffix(".npz"), pack(states))


def _restored(path: Path) -> Replayed:
    values = json.loads(path.read_text(encoding="utf-8"))
    return Replayed(**{**values, "fitting": tuple(tuple(block) for block in values["fitting"])})


def _do(job: dict[str, Any], base: Path) -> tuple[dict[str, SplitState], Replayed | None]:
    states: dict[str, SplitState] = {}
    batches: dict[str, Any] = {}
    for number, (name, target) in enumerate(job["targets"].items()):
        loader = load_target(target, base)
        batches[name] = _Batches(loader, target, base)
        try:
            gathered, _, _ = gather({name: batches[name]}, layout=job["layout"], first=number)
        except ValueError as error:
            raise ConfigurationError(str(error), where=target) from error
        states |= gathered
    known = {name: state for name, state in states.items() if state.n}
    # An iterator that is no function's ends here: without any batch, no sum is explained.
    if not job["again"] or len({state.width for state in known.values()}) != 1:
        return states, None
    return states, repeated(judge(known), batches, known)


class _Batches:
    """The batches of a loader, as often as one asks: a function that makes an iterator is called again."""

    def __init__(self, loader: Any, target: str, base: Path) -> None:
        self._loader, self._target, self._base = loader, target, base
        self._used = False

    def __iter__(self) -> Iterator[Any]:
        if self._used and isinstance(self._loader, Iterator):
            self._loader = load_target(self._target, self._base)
        self._used = True
        return _batches(self._loader, self._target)


def _batches(loader: Any, target: str) -> Iterator[Any]:
    """The batches; an error of the user's own code says where it was."""
    started = time.monotonic()
    try:
        yield from loader() if callable(loader) and not hasattr(loader, "__iter__") else loader
    except Exception as error:
        after = time.monotonic() - started
        raise ConfigurationError(
            f"the loader failed after {after:.1f} s: {type(error).__name__}: {error}", where=target
        ) from error


if __name__ == "__main__":
    main(sys.argv[1:])
