"""Bisection with a runner that computes in this process: what it gives depends on packages and variables alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from dataguard.core.progress import Progress, silent
from dataguard.environment.fingerprint import Fingerprint
from dataguard.reproduction.bisecting import Bisection, Situation, bisect
from dataguard.reproduction.golden import packed, write_golden
from dataguard.reproduction.inference import hashed
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.made_up import made_up_environment, made_up_lock, made_up_stages
from dataguard.reproduction.overlays import Overlays, with_overlays
from dataguard.reproduction.runner import Job, PassResult, Run, RunError, RunFacts
from dataguard.reproduction.smallest_set import Answer
from dataguard.reproduction.summary import bisection_facts
from tests.environment.made_environment import install

Changes = Callable[[Mapping[str, str], Job], float]
"""How far the logits move, by the versions in force and the job."""


class Simulated:
    """A runner whose result moves as a function says."""

    kind = "process"
    inherits = False
    words = "a simulation"
    notes: tuple[str, ...] = ()

    def __init__(self, environment: Fingerprint, moved: Changes) -> None:
        self.environment = environment
        self.moved = moved
        self.runs = 0
        self.facts: Mapping[str, str] = {}

    def run(self, job: Job, *, progress: Progress = silent) -> Run:
        self.runs += 1
        versions = {item.name: item.version for item in with_overlays(self.environment, job.overlays).packages}
        stages = dict(made_up_stages())
        by = self.moved(versions, job)
        stages["logits"] = tuple(array + np.float32(by) * np.arange(4, dtype=np.float32) for array in stages["logits"])
        facts = RunFacts(python="3.11.2", machine="x86_64", numerics={}, threads=(), used=versions, code=())
        return Run(passes=(PassResult(stages=stages, seconds=0.0),), facts=facts, loading=0.0, seconds=0.0)

    def fingerprint(self) -> Fingerprint:
        return self.environment

    def close(self) -> None:
        pass


class Shelf(Overlays):
    """Packages that are made up on the spot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, version: str) -> Path:
        target = self.folder / f"{name}-{version}" / "site-packages"
        if not target.exists():
            target.mkdir(parents=True)
            install(target, name, version)
        return target


def on_disk(folder: Path, environment: Fingerprint) -> Lock:
    """A lock with its golden file, inputs and weights."""
    stages = made_up_stages()
    content, _ = packed(stages, output="logits")
    write_golden(folder / "dataguard.golden.npz", content)
    (folder / "images").mkdir()
    for index in range(3):
        (folder / "images" / f"{index}.png").write_bytes(bytes([index]))
    (folder / "weights.pt").write_bytes(b"weights")
    lock = made_up_lock(stages, environment=environment)
    files = hashed([folder / file.path for file in lock.data.files], folder)
    return dataclasses.replace(lock, data=dataclasses.replace(lock.data, files=tuple(files)))


def explained(
    folder: Path, was: Fingerprint, now: Fingerprint, moved: Changes, *, bitwise: bool = False, **more: object
) -> tuple[Bisection, Simulated]:
    runner = Simulated(now, moved)
    lock = on_disk(folder, was)
    found = bisect(
        lock,
        runner,
        path=folder / "dataguard.lock",
        now=Situation(**more),  # type: ignore[arg-type]
        overlays=Shelf(folder / "shelf"),
        bitwise=bitwise,
    )
    return found, runner


TWENTY = {f"package{number}": "1.0" for number in range(20)}
OTHERS = dict.fromkeys(TWENTY, "2.0")


@pytest.mark.parametrize("culprit", [0, 7, 13, 19])
def test_one_culprit_among_twenty_packages_takes_at_most_twelve_runs(tmp_path: Path, culprit: int) -> None:
    found, runner = explained(
        tmp_path,
        made_up_environment(TWENTY),
        made_up_environment(OTHERS),
        lambda versions, _: 1.0 if versions[f"package{culprit}"] == "2.0" else 0.0,
    )
    assert found.explanation == f"package{culprit} 1.0 → 2.0"
    assert found.found.minimal
    assert len(found.tried) == 20
    assert runner.runs == found.found.runs <= 12


def test_two_culprits_that_act_together_are_found_as_a_pair(tmp_path: Path) -> None:
    found, runner = explained(
        tmp_path,
        made_up_environment(TWENTY),
        made_up_environment(OTHERS),
        lambda versions, _: 1.0 if versions["package3"] == versions["package16"] == "2.0" else 0.0,
    )
    assert found.explanation == "package16 1.0 → 2.0 and package3 1.0 → 2.0"
    assert runner.runs <= 20


def test_a_version_that_somebody_names_is_what_there_is_now(tmp_path: Path) -> None:
    was = made_up_environment({"numpy": "2.0", "pillow": "13.0.0"})
    found, _ = explained(
        tmp_path,
        was,
        was,
        lambda versions, _: 1.0 if versions["pillow"] == "8.4.0" else 0.0,
        packages={"pillow": "8.4.0", "numpy": "1.26"},
    )
    assert found.explanation == "pillow 13.0.0 → 8.4.0"
    assert found.steps[0] == (2, "changed at 'logits'")


def test_variables_and_the_batch_size_are_undone_too(tmp_path: Path) -> None:
    was = made_up_environment(variables={"OMP_NUM_THREADS": "1"})
    found, _ = explained(
        tmp_path,
        was,
        made_up_environment(),
        lambda _, job: 1.0 if job.variables.get("MKL_CBWR") == "AUTO" and job.passes[0].batch_size == 1 else 0.0,
        variables={"MKL_CBWR": "AUTO"},
        batch_size=1,
    )
    assert {change.difference.name for change in found.found.changes} == {"MKL_CBWR", "batch size"}


def test_a_variable_of_which_no_value_is_locked_is_as_it_is_now_in_every_run(tmp_path: Path) -> None:
    seen = []

    def moved(versions: Mapping[str, str], job: Job) -> float:
        seen.append(job.variables.get("OMP_PLACES"))
        return float(versions["a"] == "2")

    found, _ = explained(
        tmp_path,
        made_up_environment({"a": "1", "b": "1"}, variables={"OMP_PLACES": "(withheld: 9 characters)"}),
        made_up_environment({"a": "2", "b": "2"}),
        moved,
        variables={"OMP_PLACES": "$secret"},
    )
    assert found.explanation == "a 1 → 2"
    assert [item.name for item in found.fixed] == ["OMP_PLACES"]
    assert len(seen) > 2
    assert set(seen) == {"$secret"}


def test_the_instruction_set_is_limited_to_what_was_locked(tmp_path: Path) -> None:
    found, _ = explained(
        tmp_path,
        made_up_environment(instruction_sets=("avx2",)),
        made_up_environment(instruction_sets=("avx2", "avx512f")),
        lambda _, job: 0.0 if job.variables.get("ONEDNN_MAX_CPU_ISA") == "AVX2" else 2e-6,
        bitwise=True,
    )
    assert [change.difference.name for change in found.found.changes] == ["instruction sets"]


def test_an_instruction_set_that_is_not_there_cannot_be_chosen(tmp_path: Path) -> None:
    found, runner = explained(
        tmp_path,
        made_up_environment(instruction_sets=("avx", "avx2")),
        made_up_environment(instruction_sets=("avx",)),
        lambda *_: 1.0,
    )
    assert [item.name for item in found.fixed] == ["instruction sets"]
    assert (found.tried, runner.runs) == ((), 1)


def test_versions_that_cannot_be_run_together_are_no_answer(tmp_path: Path) -> None:
    def moved(versions: Mapping[str, str], _: Job) -> float:
        if versions["a"] != versions["b"]:
            raise RunError("ImportError: b needs another a")
        return 1.0 if versions["b"] == "2" else 0.0

    found, _ = explained(
        tmp_path, made_up_environment({"a": "1", "b": "1"}), made_up_environment({"a": "2", "b": "2"}), moved
    )
    assert {change.difference.name for change in found.found.changes} == {"a", "b"}
    assert found.found.unresolved == 2
    assert "2 of 4 sets could not be run" in found.found.reason
    assert "could not be run: ImportError" in found.steps[2][1]


def test_what_cannot_be_undone_is_said(tmp_path: Path) -> None:
    found, _ = explained(
        tmp_path, made_up_environment(card="NVIDIA A100"), made_up_environment(card="NVIDIA H200"), lambda *_: 1.0
    )
    assert found.explanation == ""
    assert [str(item) for item in found.fixed] == ["graphics card NVIDIA A100 → NVIDIA H200"]
    assert found.found.reason


def test_nothing_to_explain_is_one_run(tmp_path: Path) -> None:
    found, runner = explained(tmp_path, made_up_environment(TWENTY), made_up_environment(OTHERS), lambda *_: 2e-6)
    assert (found.explanation, runner.runs) == ("", 1)
    assert found.found.reason == "all changes together give the same result"
    assert Answer.SAME.value == "same"


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (0.0, "nothing is to be explained: all changes"),
        (2e-6, "nothing is to be explained"),
        (1.0, "could be undone: "),
    ],
)
def test_what_explains_nothing_says_why(tmp_path: Path, moved: float, words: str) -> None:
    found, _ = explained(tmp_path, made_up_environment(TWENTY), made_up_environment(OTHERS), lambda *_: moved)
    assert words in bisection_facts(found)["explained by"]
