"""Running a locked result again, and holding what comes back against it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import DataguardError, SourceError
from dataguard.core.paths import decode_path
from dataguard.core.progress import Progress, silent
from dataguard.environment.fingerprint import Fingerprint, is_withheld
from dataguard.reproduction.differences import Difference, FileChange, Kind, changed_files, differences
from dataguard.reproduction.golden import Golden, golden_problem, read_golden
from dataguard.reproduction.inference import Inference, Samples
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.locking import as_run, settings_of
from dataguard.reproduction.overlays import with_overlays
from dataguard.reproduction.runner import Pass, Run, Runner, job_for
from dataguard.reproduction.verdict import Comparison, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PICTURES = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sight:
    """One picture as it was locked and as it is now: uint8, RGB, shape (height, width, 3)."""

    name: str
    stage: str
    was: NDArray[np.uint8]
    now: NDArray[np.uint8]
    largest: float
    """The largest |Δ| of the stage's own values."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reproduction:
    """A locked result that was run again."""

    lock: Lock
    path: Path
    """The lock's."""
    comparison: Comparison
    environment: Fingerprint
    """As it was now."""
    used: Mapping[str, str]
    """The packages that the run imported now."""
    numerics: Mapping[str, str | int | bool]
    """The settings of torch in force now."""
    differences: tuple[Difference, ...]
    code: tuple[FileChange, ...]
    weights: tuple[FileChange, ...]
    data: tuple[FileChange, ...]
    golden_problem: str
    """What is the matter with the golden file; '' where nothing is."""
    batch_size: int
    """Samples of a batch now."""
    n_run: int
    """How many of the locked samples were run."""
    runner: str
    """Where it ran, in words."""
    runner_kind: str
    seconds: float
    """Seconds of the run."""
    inference_seconds: float
    """Seconds of the pass itself."""
    sights: tuple[Sight, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict in one word or two."""
        return self.comparison.overall.value


def reproduce(
    lock: Lock,
    runner: Runner,
    *,
    path: Path,
    batch_size: int | None = None,
    variables: Mapping[str, str | None] | None = None,
    overlays: Sequence[Path] = (),
    inference: Inference | None = None,
    progress: Progress = silent,
) -> Reproduction:
    """Run a locked result again and compare it.

    Args:
        lock: What is locked.
        runner: Where to run it.
        path: Where the lock lies; its relative paths start at its folder.
        batch_size: Over the lock's.
        variables: Environment variables over the lock's, or over this process's where the runner inherits these; None
            leaves one out.
        overlays: Folders of packages that come before the environment's own.
        inference: What to run, over what the lock says: today's declaration.
        progress: Told how far it is.

    Raises:
        SourceError: no input is left, a weight is missing, or the machine cannot run it.
        RunError: the run failed.
    """
    folder = path.absolute().parent
    chosen = inference or lock.inference_at(folder)
    progress("hashing inputs", 0, None)
    data = changed_files(lock.data.files, folder)
    weights = changed_files(lock.weights, folder)
    _refuse_missing(lock, weights, folder)
    taken, kept = _left(lock.data, data, folder)
    problem = golden_problem(lock.golden, folder)
    golden = None if problem else read_golden(lock.golden, folder, lock.kept)
    before = runner.fingerprint()
    size = batch_size or chosen.batch_size
    wanted: dict[str, str | None] = {**({} if runner.inherits else lock.environment.variables), **(variables or {})}
    # What stands for a value is none.
    unknown = [name for name, value in wanted.items() if value is not None and is_withheld(value)]
    settings = {name: value for name, value in wanted.items() if name not in unknown}
    chosen = dataclasses.replace(
        chosen,
        variables={name: value for name, value in chosen.variables.items() if settings.get(name, "") is not None},
    )
    job = job_for(
        chosen,
        taken,
        passes=[Pass(batch_size=size)],
        weights=[folder / decode_path(file.path) for file in lock.weights],
        variables={name: value for name, value in settings.items() if value is not None},
        overlays=overlays,
    )
    run = runner.run(job, progress=progress)
    # The code that ran has this user's rights: what it should reproduce may not be what was there before.
    if not problem and golden_problem(lock.golden, folder):
        problem = "it was changed while the run went on"
    comparison = compare(
        lock.hashes,
        golden,
        run.stages,
        lock.tolerances,
        output=lock.inference.output,
        classes=lock.inference.classes,
        names=lock.data.names,
        kept=kept,
    )
    now = as_run(with_overlays(before, overlays), run.facts, settings_of(runner, job.variables))
    return Reproduction(
        lock=lock,
        path=path.absolute(),
        comparison=comparison,
        environment=now,
        used=run.facts.used,
        numerics=run.facts.numerics,
        differences=_differences(lock, now, run, runner, size),
        code=changed_files(lock.code.files, folder),
        weights=weights,
        data=data,
        golden_problem=problem,
        batch_size=size,
        n_run=len(kept),
        runner=runner.words,
        runner_kind=runner.kind,
        seconds=run.seconds,
        inference_seconds=run.passes[0].seconds,
        sights=_sights(comparison, golden, run, kept),
        notes=(
            *lock.notes,
            *runner.notes,
            *(f"{name} is not set: the lock does not hold its value; --set {name}=… gives one" for name in unknown),
        ),
    )


def _refuse_missing(lock: Lock, weights: Sequence[FileChange], folder: Path) -> None:
    missing = [change.path for change in weights if not change.now]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SourceError(
            f"these weights are missing{others}",
            where=folder / decode_path(missing[0]),
            hint=f"the lock names them by SHA-256: {next(x.was for x in weights if not x.now)}; put them there",
        )
    if lock.data.takes == "batch" and not (folder / decode_path(lock.data.files[0].path)).is_file():
        raise SourceError("the input is missing", where=folder / decode_path(lock.data.files[0].path))


def _left(data: Samples, changes: Sequence[FileChange], folder: Path) -> tuple[Samples, list[int]]:
    """The samples that are still there, and their places among the locked ones."""
    gone = {change.path for change in changes if not change.now}
    if data.takes == "batch":
        return data, list(range(data.n))
    kept = [index for index, file in enumerate(data.files) if file.path not in gone]
    if not kept:
        raise SourceError(
            f"none of the {data.n} inputs is there",
            where=folder / decode_path(data.files[0].path),
            hint="put the inputs where the lock names them, relative to its folder",
        )
    files = tuple(data.files[index] for index in kept)
    return dataclasses.replace(data, files=files, n=len(files)), kept


def _differences(lock: Lock, now: Fingerprint, run: Run, runner: Runner, size: int) -> tuple[Difference, ...]:
    found = differences(
        lock.environment,
        now,
        used={*lock.used, *run.facts.used},
        loaded=run.facts.loaded,
        runner_was=lock.runner.get("kind", ""),
        runner_now=runner.kind,
    )
    was = min(lock.inference.batch_size, lock.data.n)
    if lock.data.takes != "path" and min(size, lock.data.n) != was:
        batch = Difference(kind=Kind.BATCH, name="batch size", was=str(was), now=str(min(size, lock.data.n)))
        found = (batch, *found)
    return found


def _sights(comparison: Comparison, golden: Golden | None, run: Run, kept: Sequence[int]) -> tuple[Sight, ...]:
    """The pictures of the first stage that can be shown and differs, the worst first.

    Where none does, as where only the model changed: what the samples whose result moved farthest look like.
    """
    if golden is None:
        return ()
    places = {index: at for at, index in enumerate(kept)}
    for stage in comparison.stages:
        if not stage.worst or stage.stage not in run.stages:
            continue
        found = []
        for item in stage.worst[:_PICTURES]:
            was, now = golden.stages[stage.stage][item.index], run.stages[stage.stage][places[item.index]]
            shown = _picture(was, was), _picture(now, was)
            if shown[0] is not None and shown[1] is not None:
                found.append(Sight(name=item.name, stage=stage.stage, was=shown[0], now=shown[1], largest=item.largest))
        if found:
            return tuple(found)
    result = comparison.result
    for stage in comparison.stages:
        pictures = run.stages.get(stage.stage, ())
        found = []
        for item in result.worst[:_PICTURES] if pictures else ():
            seen = _picture(pictures[places[item.index]], pictures[places[item.index]])
            if seen is not None:
                found.append(Sight(name=item.name, stage=stage.stage, was=seen, now=seen, largest=item.largest))
        if found:
            return tuple(found)
    return ()


def _picture(array: NDArray[Any], scale: NDArray[Any]) -> NDArray[np.uint8] | None:
    """An array as a picture, values spread over those of `scale`; None where it has not the form of one."""
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or min(array.shape[:2]) < 4 or array.dtype.kind not in "uif":
        return None
    if array.dtype != np.uint8:
        finite = scale[np.isfinite(scale)] if scale.dtype.kind == "f" else scale
        if not finite.size:
            return None
        low, high = float(finite.min()), float(finite.max())
        spread = (np.nan_to_num(array.astype(np.float64)) - low) * (255 / (high - low) if high > low else 1)
        array = np.clip(np.rint(spread), 0, 255).astype(np.uint8)
    shown: NDArray[np.uint8] = array[:, :, :3] if array.shape[2] >= 3 else np.repeat(array, 3, axis=2)
    return shown


def could_not(error: DataguardError) -> str:
    """An error as one line of a table."""
    return str(error).splitlines()[0]
