"""A lock and a reproduction of a few numbers, without running anything: for the examples of rules, and for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.environment.fingerprint import Fingerprint, InstalledPackage, PythonFacts
from dataguard.environment.hardware import Graphics, GraphicsCard, OperatingSystem, Processor
from dataguard.reproduction.differences import FileChange, differences
from dataguard.reproduction.golden import Golden, GoldenFile, packed, sample_hash
from dataguard.reproduction.inference import Code, HashedFile, Samples, version_of
from dataguard.reproduction.lock import SCHEMA_VERSION, Declared, Lock, StageLock
from dataguard.reproduction.reproducing import Reproduction
from dataguard.reproduction.runner import Stages
from dataguard.reproduction.tolerance import Noise, Variation, tolerance
from dataguard.reproduction.verdict import compare

if TYPE_CHECKING:
    from numpy.typing import NDArray


def made_up_environment(
    packages: Mapping[str, str] | None = None,
    *,
    card: str = "",
    driver: str = "",
    instruction_sets: Sequence[str] = ("avx2",),
    architecture: str = "x86_64",
    numerics: Mapping[str, str | int | bool] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Fingerprint:
    """An environment with these packages, on a machine with this card."""
    return Fingerprint(
        python=PythonFacts(version="3.11.2", implementation="CPython", compiler="GCC 12.2.0", optimized=0),
        packages=tuple(
            InstalledPackage(
                name=name, version=version, content=hashlib.sha256(f"{name} {version}".encode()).hexdigest()
            )
            for name, version in sorted((packages or {"numpy": "2.4.6", "pillow": "13.0.0"}).items())
        ),
        libraries=(),
        system=OperatingSystem(name="Debian GNU/Linux 12 (bookworm)", kernel="6.1", libc="glibc 2.36"),
        processor=Processor(
            architecture=architecture,
            model="a processor",
            vendor="",
            n_logical=2,
            n_usable=2,
            quota=None,
            instruction_sets=tuple(instruction_sets),
        ),
        graphics=Graphics(cards=(GraphicsCard(name=card),) if card else (), driver=driver),
        threads=(),
        numerics=dict(numerics or {}),
        variables=dict(variables or {}),
        checked="times",
    )


def made_up_stages(n: int = 3, *, seed: int = 0) -> Stages:
    """Pictures of 8×8 pixels, the same as floats, and logits of four classes."""
    rng = np.random.default_rng(seed)
    decoded = tuple(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(n))
    tensors = tuple((picture / np.float32(255)).astype(np.float32).transpose(2, 0, 1) for picture in decoded)
    logits = tuple(rng.normal(size=4).astype(np.float32) for _ in range(n))
    return {"decoded": decoded, "preprocessed": tensors, "logits": logits}


def made_up_lock(
    stages: Stages | None = None,
    *,
    noise: Noise | None = None,
    environment: Fingerprint | None = None,
    used: Mapping[str, str] | None = None,
) -> Lock:
    """A lock of some stages; the last is the output."""
    given = made_up_stages() if stages is None else stages
    output = tuple(given)[-1]
    n = len(given[output])
    content, kept = packed(given, output=output)
    files = tuple(
        HashedFile(path=f"images/{index}.png", sha256=hashlib.sha256(bytes([index])).hexdigest(), size=1)
        for index in range(n)
    )
    floor = noise or Noise(
        variations=(Variation(kind="repeat", setting="another process", largest=dict.fromkeys(given, 0.0), samples=0),),
        double=dict.fromkeys(given, 0.0) | {output: 1e-6},
    )
    return Lock(
        schema_version=SCHEMA_VERSION,
        tool_version="0",
        inference=Declared(
            entry="infer.py:predict",
            command="",
            inputs=("images",),
            weights=("weights.pt",),
            takes="paths",
            stages=tuple(given),
            output=output,
            classes=True,
            seed=0,
            batch_size=32,
            timeout=600.0,
            memory=None,
            variables={},
        ),
        code=Code(commit="", dirty=False, files=()),
        weights=(HashedFile(path="weights.pt", sha256=hashlib.sha256(b"weights").hexdigest(), size=7),),
        data=Samples(takes="paths", files=files, version_id=version_of(files), n=n),
        preprocessing=None,
        environment=environment or made_up_environment(),
        used=dict(used or {"numpy": "2.4.6", "pillow": "13.0.0"}),
        archives=(),
        runner={"kind": "process"},
        golden=GoldenFile(path="dataguard.golden.npz", sha256=hashlib.sha256(content).hexdigest(), size=len(content)),
        outputs=tuple(
            StageLock(
                name=name,
                dtypes=tuple(sorted({str(array.dtype) for array in arrays})),
                shapes=("×".join(map(str, arrays[0].shape)),) if arrays else (),
                hashes=tuple(sample_hash(array) for array in arrays),
                n_kept=kept[name],
                tolerance=tolerance(name, arrays, floor),
            )
            for name, arrays in given.items()
        ),
        noise=floor,
        notes=(),
    )


def made_up_reproduction(
    changes: Mapping[str, float] | None = None,
    *,
    stages: Stages | None = None,
    found: Stages | None = None,
    lock: Lock | None = None,
    environment: Fingerprint | None = None,
    code: tuple[FileChange, ...] = (),
    weights: tuple[FileChange, ...] = (),
    data: tuple[FileChange, ...] = (),
    golden_problem: str = "",
) -> Reproduction:
    """A reproduction in which stages moved by as much as `changes` says.

    >>> made_up_reproduction().verdict, made_up_reproduction({"logits": 0.5}).verdict
    ('bitwise', 'changed')
    """
    given = made_up_stages() if stages is None else stages
    locked = lock or made_up_lock(given)
    moved = found or {name: _moved(arrays, (changes or {}).get(name, 0.0)) for name, arrays in given.items()}
    now = environment or locked.environment
    return Reproduction(
        lock=locked,
        path=Path("/project/dataguard.lock"),
        comparison=compare(
            locked.hashes,
            None if golden_problem else Golden(stages=given),
            moved,
            locked.tolerances,
            output=locked.inference.output,
            classes=locked.inference.classes,
            names=locked.data.names,
        ),
        environment=now,
        used=locked.used,
        numerics=now.numerics,
        differences=differences(locked.environment, now, used=locked.used),
        code=code,
        weights=weights,
        data=data,
        golden_problem=golden_problem,
        batch_size=32,
        n_run=locked.data.n,
        runner="this environment",
        runner_kind="process",
        seconds=1.0,
        inference_seconds=0.5,
    )


def _moved(arrays: Sequence[NDArray[Any]], by: float) -> tuple[NDArray[Any], ...]:
    """The arrays with the first value of each moved."""
    result = []
    for array in arrays:
        other = array.copy()
        # An integer wraps round: it moves, which is all that is asked for.
        other.reshape(-1)[:1] += np.array([by]).astype(array.dtype)
        result.append(other)
    return tuple(result)
