"""The worked example on a graphics card, where there is one: benchmarks/gpu.py prints the figures of the same."""

from __future__ import annotations

import runpy
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Observation
from dataguard.reproduction.docker_runner import DockerRunner
from dataguard.reproduction.lock import Lock, read_lock
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.reproducing import Reproduction, reproduce
from dataguard.reproduction.runner import Runner
from dataguard.reproduction.verdict import Verdict
from dataguard.rules.reproduction.dg608_determinism_not_requested import determinism_not_requested
from tests.docker_engine import engine_with_base

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gpu() -> dict[str, Any]:
    """The benchmark's functions."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no graphics card")
    return runpy.run_path(str(ROOT / "benchmarks" / "gpu.py"))


@pytest.fixture(scope="module")
def locked(gpu: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Locked with deterministic algorithms and without TF32."""
    folder = tmp_path_factory.mktemp("example") / "project"
    shutil.copytree(ROOT / "examples" / "reproduce", folder)
    made = runpy.run_path(str(folder / "make.py"))
    made["make_pictures"](folder / "images")
    made["make_weights"](folder / "weights.pt")
    for place in (folder.parent, folder):
        place.chmod(0o755)
    gpu["project"](folder, "cuda", gpu["STRICT"])
    gpu["locked"](folder, ProcessRunner(), gpu["WORKSPACE"])
    return folder


@pytest.fixture
def project(locked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(locked, tmp_path / "project"))


def again(folder: Path, *, runner: Runner | None = None, batch_size: int | None = None) -> Reproduction:
    path = folder / "dataguard.lock"
    return reproduce(read_lock(path), runner or ProcessRunner(), path=path, batch_size=batch_size)


def lock_of(folder: Path) -> Lock:
    return read_lock(folder / "dataguard.lock")


def test_the_lock_knows_the_card_and_finds_determinism_asked_for(locked: Path) -> None:
    lock = lock_of(locked)
    assert lock.environment.numerics["torch.cuda.used"] is True
    assert lock.environment.graphics.cards
    (repeat,) = lock.noise.of("repeat")
    assert set(repeat.largest.values()) == {0.0}
    assert lock.tolerances["logits"].basis == "float64"
    (outcome,) = determinism_not_requested(lock)
    assert isinstance(outcome, Observation)


def test_two_processes_are_bitwise_the_same_and_other_batches_no_change(project: Path) -> None:
    assert again(project).comparison.overall is Verdict.BITWISE
    assert again(project, batch_size=1).comparison.overall is not Verdict.CHANGED


def test_tf32_moves_the_model_and_nothing_before_it(gpu: dict[str, Any], project: Path) -> None:
    gpu["project"](project, "cuda", gpu["STRICT"].replace("False", "True"))
    made = again(project)
    assert [stage.verdict for stage in made.comparison.stages[:2]] == [Verdict.BITWISE, Verdict.BITWISE]
    assert made.comparison.overall is not Verdict.BITWISE
    names = {item.name for item in made.differences}
    assert names >= {"torch.backends.cudnn.allow_tf32", "torch.backends.cuda.matmul.allow_tf32"}


def test_in_a_container_that_is_given_the_cards_it_is_bitwise_the_same(project: Path) -> None:
    project.parent.chmod(0o755)
    with engine_with_base() as (_, image):
        path = project / "dataguard.lock"
        try:
            runner = DockerRunner(lock_of(project), path=path, image=image, environment=sys.prefix, gpus=True)
        except ConfigurationError as error:
            pytest.skip(f"{error.message} ({error.where})")
        with closing(runner):
            assert again(project, runner=runner).comparison.overall is Verdict.BITWISE
