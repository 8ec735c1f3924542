"""The worked example with torch: each change is placed where it was made, and harmless ones are no change."""

from __future__ import annotations

import importlib.util
import runpy
import shutil
from pathlib import Path

import pytest

from dataguard.config import find_config, load_config
from dataguard.engine.reproducing import inference_of
from dataguard.reproduction.culprit import explanation
from dataguard.reproduction.lock import read_lock
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.reproducing import Reproduction, reproduce
from dataguard.reproduction.tolerance import FACTOR
from dataguard.reproduction.verdict import Verdict
from dataguard.rules import all_rules

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "reproduce"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed"),
]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    for name in ("infer.py", "dataguard.toml"):
        shutil.copy(EXAMPLE / name, folder / name)
    made = runpy.run_path(str(EXAMPLE / "make.py"))
    made["make_pictures"](folder / "images")
    made["make_weights"](folder / "weights.pt")
    found = find_config(folder)
    assert found is not None
    inference = inference_of(load_config(found, all_rules()))
    lock_result(inference, ProcessRunner(), path=folder / "dataguard.lock").write(folder / "dataguard.lock")
    return folder


@pytest.fixture
def project(locked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(locked, tmp_path / "project"))


def again(folder: Path, *, batch_size: int | None = None, variables: dict[str, str] | None = None) -> Reproduction:
    path = folder / "dataguard.lock"
    return reproduce(read_lock(path), ProcessRunner(), path=path, batch_size=batch_size, variables=variables)


def changed(folder: Path, old: str, new: str) -> None:
    text = (folder / "infer.py").read_text()
    assert old in text
    (folder / "infer.py").write_text(text.replace(old, new))


def test_the_lock_has_a_noise_floor_of_its_own(locked: Path) -> None:
    lock = read_lock(locked / "dataguard.lock")
    logits = lock.tolerances["logits"]
    assert logits.basis == "float64"
    assert 1e-9 < logits.e0 < 1e-5
    (repeat,) = lock.noise.of("repeat")
    assert set(repeat.largest.values()) == {0.0}
    assert lock.environment.numerics["torch.deterministic_algorithms"] is False
    assert [file.path for file in lock.weights] == ["weights.pt"]


def test_run_twice_it_is_bitwise_the_same(project: Path) -> None:
    made = again(project)
    assert made.comparison.overall is Verdict.BITWISE
    assert made.comparison.first_different is None


@pytest.mark.parametrize(
    ("batch_size", "variables"),
    [
        (1, {}),
        (8, {}),
        (None, {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}),
        (None, {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
    ],
)
def test_other_batches_and_instruction_sets_are_float_noise_and_never_a_change(
    project: Path, batch_size: int | None, variables: dict[str, str]
) -> None:
    made = again(project, batch_size=batch_size, variables=variables)
    assert made.comparison.overall.rank <= Verdict.FLOAT_NOISE.rank
    assert made.comparison.result.in_e0 <= FACTOR
    assert made.comparison.first_changed is None


def test_another_resize_is_a_change_of_preprocessing(project: Path) -> None:
    changed(
        project,
        "return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR))",
        "import cv2\n\n    return cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)",
    )
    made = again(project)
    assert made.comparison.overall is Verdict.CHANGED
    first = made.comparison.first_changed
    assert first is not None
    assert (first.stage, first.verdict) == ("preprocessed", Verdict.CHANGED)
    assert made.comparison.stages[0].verdict is Verdict.BITWISE
    assert explanation(made).startswith("code infer.py, preprocessing stage ('preprocessed')")
    assert len(made.sights) == 4


def test_bfloat16_is_a_change_of_the_model(project: Path) -> None:
    changed(project, "NETWORK(tensors)", "NETWORK.bfloat16()(tensors.bfloat16())")
    made = again(project)
    assert made.comparison.overall is Verdict.CHANGED
    assert [stage.verdict for stage in made.comparison.stages[:2]] == [Verdict.BITWISE, Verdict.BITWISE]
    first = made.comparison.first_changed
    assert first is not None
    assert first.stage == "logits"
    assert first.in_e0 > 100 * FACTOR


def test_a_picture_that_was_turned_is_a_change_of_decoding(project: Path) -> None:
    changed(project, 'picture.convert("RGB"))', 'picture.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT))')
    made = again(project)
    first = made.comparison.first_changed
    assert first is not None
    assert first.stage == "decoded"
    assert made.comparison.overall is Verdict.CHANGED
