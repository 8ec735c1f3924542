"""Locking a result: run it, measure its noise floor, and write down everything that it depends on."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataguard import __version__
from dataguard.core.errors import ConfigurationError, SourceError, did_you_mean
from dataguard.core.progress import Progress, silent
from dataguard.environment.fingerprint import Fingerprint, ThreadPool
from dataguard.preprocessing.document import SCHEMA_VERSION as PIPELINE_VERSION
from dataguard.preprocessing.document import PipelineDocument, from_json
from dataguard.reproduction.golden import GoldenFile, golden_name, packed, sample_hash, write_golden
from dataguard.reproduction.inference import HashedFile, Inference, code, decides, found_files, hashed, samples
from dataguard.reproduction.lock import SCHEMA_VERSION, Archive, Declared, Lock, StageLock, write_lock
from dataguard.reproduction.runner import Job, Pass, Run, RunFacts, Runner, Stages, job_for
from dataguard.reproduction.tolerance import Noise, Variation, stage_difference, tolerance, variation

_SHAPES = 3


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A lock with the content of its golden file, both yet to be written."""

    lock: Lock
    golden: bytes

    def write(self, path: Path) -> None:
        """Write the golden outputs, then the lock: a lock is never there without them.

        Raises:
            OutputError: one cannot be written.
        """
        write_golden(path.parent / self.lock.golden.path, self.golden)
        write_lock(self.lock, path)


def lock_result(
    inference: Inference,
    runner: Runner,
    *,
    path: Path,
    archives: Sequence[Archive] = (),
    notes: Sequence[str] = (),
    progress: Progress = silent,
) -> Locked:
    """Run an inference twice and lock what it gave.

    The first process runs it as declared, with batches of one, with other numbers of threads, and in double precision;
    the second runs it as declared once more.

    Args:
        inference: What is run.
        runner: Where.
        path: Where the lock will lie; its golden file goes beside it.
        archives: The files that an index serves for the packages.
        notes: What could not be found out.
        progress: Told how far it is.

    Raises:
        RunError: it cannot be run.
        SourceError: inputs or weights are missing.
    """
    import hashlib

    taken = samples(inference, progress=progress)
    weights = found_files(inference.weights, inference.base, key="inference.weights")
    hashed_weights = hashed(weights, inference.base, stage="hashing weights", progress=progress)
    pipeline = _pipeline(inference)
    progress("looking at the environment", 0, None)
    environment = runner.fingerprint()
    settings = _passes(inference, taken.takes, taken.n)
    whole = job_for(inference, taken, passes=[one for _, _, one in settings], weights=weights)
    progress("running", 1, 3)
    first = runner.run(whole)
    progress("running again", 2, 3)
    again = runner.run(dataclasses.replace(whole, passes=whole.passes[:1]))
    stages = _ordered(first.stages, inference)
    output = inference.output or tuple(stages)[-1]
    noise = _noise(stages, settings, first, again, output)
    content, kept = packed(stages, output=output)
    golden = GoldenFile(path=golden_name(path), sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    lock = Lock(
        schema_version=SCHEMA_VERSION,
        tool_version=__version__,
        inference=_declared(inference, whole, stages, output),
        code=code(first.facts.code or _script(inference), inference.base),
        weights=tuple(hashed_weights),
        data=taken,
        preprocessing=pipeline,
        environment=as_run(environment, first.facts, settings_of(runner, inference.variables)),
        used=first.facts.used,
        archives=tuple(archives),
        runner={"kind": runner.kind, **runner.facts},
        golden=golden,
        outputs=tuple(
            StageLock(
                name=name,
                dtypes=tuple(sorted({str(array.dtype) for array in arrays})),
                shapes=_shapes(arrays),
                hashes=tuple(sample_hash(array) for array in arrays),
                n_kept=kept[name],
                tolerance=tolerance(name, arrays, noise),
            )
            for name, arrays in stages.items()
        ),
        noise=noise,
        notes=(
            *notes,
            *_undecided(inference, output, stages),
            *_cut(kept, taken.n),
            *_outside([*taken.files, *hashed_weights]),
        ),
    )
    return Locked(lock=lock, golden=content)


def settings_of(runner: Runner, variables: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that move results, as a job of a runner had them."""
    from dataguard.environment.fingerprint import variables as allowed

    return allowed({**(os.environ if runner.inherits else {}), **variables})


def as_run(environment: Fingerprint, facts: RunFacts, variables: Mapping[str, str]) -> Fingerprint:
    """A fingerprint with what only the run itself could say: its threads, its variables and the settings of torch."""
    pools = sorted(
        {
            ThreadPool(
                library=str(pool.get("library", "")),
                version=str(pool.get("version", "")),
                threads=int(pool.get("threads", 0)),
                architecture=str(pool.get("architecture", "")),
            )
            for pool in facts.threads
        },
        key=dataclasses.astuple,
    )
    # `torch.version` is among the settings of the run, with its build.
    return dataclasses.replace(
        environment,
        python=dataclasses.replace(environment.python, version=facts.python or environment.python.version),
        threads=tuple(pools),
        numerics={**environment.numerics, **facts.numerics},
        variables=dict(variables),
    )


def _passes(inference: Inference, takes: str, n: int) -> list[tuple[str, str, Pass]]:
    """The passes of the first run: what kind of variation each is, in words, and how it is run."""
    size = inference.batch_size
    found = [("", "", Pass(batch_size=size))]
    if inference.command:
        # Every batch starts it anew, and nothing of this process reaches into it.
        half = -(-min(size, n) // 2)
        return [*found, ("batch size", f"{min(size, n)} → {half}", Pass(batch_size=half))]
    if takes != "path":
        others = sorted({1, max(1, min(size, n) // 4)} - {min(size, n)})
        found += [("batch size", f"{min(size, n)} → {other}", Pass(batch_size=other)) for other in others]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = sorted({1, 2, usable})
    found += [("threads", str(threads), Pass(batch_size=size, threads=threads)) for threads in counts]
    other = inference.seed + 1
    found.append(("seed", f"{inference.seed} → {other}", Pass(batch_size=size, seed=other)))
    found.append(("float64", "", Pass(batch_size=size, precision="float64")))
    return found


def _noise(stages: Stages, settings: Sequence[tuple[str, str, Pass]], first: Run, again: Run, output: str) -> Noise:
    variations = [variation("repeat", "another process", stages, again.stages, output=output)]
    double: Mapping[str, float] = {}
    failed = "a command cannot be run in double precision"
    for (kind, setting, _), result in zip(settings[1:], first.passes[1:], strict=True):
        if kind == "float64":
            failed = result.error
            if not result.error:
                double = {
                    name: stage_difference(arrays, result.stages[name])
                    for name, arrays in stages.items()
                    if name in result.stages
                }
        elif result.error:
            variations.append(Variation(kind=kind, setting=setting, largest={}, samples=0, error=result.error))
        else:
            variations.append(variation(kind, setting, stages, result.stages, output=output))
    double = {name: value for name, value in double.items() if math.isfinite(value)}
    return Noise(variations=tuple(variations), double=double, double_error=failed)


def _ordered(stages: Stages, inference: Inference) -> Stages:
    """The stages in the declared order."""
    for name in (*inference.stages, *([inference.output] if inference.output else [])):
        if name not in stages:
            raise ConfigurationError(
                f"the entry returned no stage {name!r}",
                where="inference.stages" if name in inference.stages else "inference.output",
                hint=did_you_mean(name, stages),
            )
    order = [*inference.stages, *(name for name in stages if name not in inference.stages)]
    return {name: stages[name] for name in order}


def _declared(inference: Inference, job: Job, stages: Stages, output: str) -> Declared:
    return Declared(
        entry=inference.entry,
        command=inference.command,
        inputs=inference.inputs,
        weights=inference.weights,
        takes=job.takes,
        stages=tuple(stages),
        output=output,
        classes=decides(output) if inference.classes is None else inference.classes,
        seed=inference.seed,
        batch_size=inference.batch_size,
        timeout=float(inference.timeout),
        memory=None if inference.memory is None else float(inference.memory),
        variables=dict(inference.variables),
    )


def _pipeline(inference: Inference) -> PipelineDocument | None:
    if not inference.pipeline:
        return None
    path = inference.base / inference.pipeline
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"cannot be read: {error.strerror}", where=path, hint="`dataguard probe --save` writes one"
        ) from error
    if '"pipeline"' in text and "schema_version" in json.loads(text):
        return PipelineDocument(schema_version=PIPELINE_VERSION, pipeline=from_json(text))
    from dataguard.preprocessing.readers import read

    return PipelineDocument(schema_version=PIPELINE_VERSION, pipeline=read(path)[0])


def _script(inference: Inference) -> tuple[str, ...]:
    """The files of a command that lie in the project."""
    import shlex

    words = shlex.split(inference.command) if inference.command else []
    return tuple(word for word in words if word.endswith(".py") and (inference.base / word).is_file())


def _shapes(arrays: Sequence[object]) -> tuple[str, ...]:
    shapes = dict.fromkeys("×".join(map(str, getattr(array, "shape", ()))) or "number" for array in arrays)
    return tuple(list(shapes)[:_SHAPES]) + (("…",) if len(shapes) > _SHAPES else ())


def _undecided(inference: Inference, output: str, stages: Stages) -> tuple[str, ...]:
    """That nothing says whether the result decides between classes, where it may."""
    if inference.classes is not None or decides(output):
        return ()
    if not all(array.ndim == 1 and array.size >= 2 and array.dtype.kind == "f" for array in stages[output]):
        return ()
    hint = "set inference.classes = true if it is"
    return (f"{output!r} is not taken for one number a class, so no first class is compared: {hint}",)


def _outside(files: Sequence[HashedFile]) -> tuple[str, ...]:
    """What ties a lock to this machine."""
    absolute = [file.path for file in files if file.path.startswith("/")]
    if not absolute:
        return ()
    many = f" and {len(absolute) - 1} more" if len(absolute) > 1 else ""
    return (f"{absolute[0]}{many}: outside of the lock's folder, so that it is found on this machine alone",)


def _cut(kept: Mapping[str, int], n: int) -> tuple[str, ...]:
    return tuple(
        f"of stage {name!r} the values of {number} of {n} samples are kept, and hashes of all"
        for name, number in kept.items()
        if number < n
    )
