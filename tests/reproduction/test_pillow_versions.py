"""Pillow 8.4 in place of 13, for real: the pixels of JPEGs differ, and Pillow is found.

Needs an index, and a Python for which Pillow 8.4 has wheels: 3.10 at most.
"""

from __future__ import annotations

import runpy
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from dataguard.environment.pinning.pythons import nearest_python
from dataguard.reproduction.bisecting import Situation, bisect
from dataguard.reproduction.culprit import explanation, suspects
from dataguard.reproduction.inference import Inference
from dataguard.reproduction.lock import read_lock
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.overlays import Overlays
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.reproducing import reproduce
from dataguard.reproduction.verdict import Verdict

pytestmark = pytest.mark.slow
MAKE = Path(__file__).resolve().parents[2] / "examples" / "reproduce" / "make.py"
OLD, NEWEST_BESIDE_IT = "8.4.0", "12.3.0"
"""Pillow 13 has no wheel for the Pythons that 8.4 has one for."""
CODE = """
import numpy as np
from PIL import Image
WEIGHTS = np.random.default_rng(0).normal(size=(64 * 64 * 3, 100)).astype(np.float32) / 100
def predict(paths):
    decoded = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    small = [np.asarray(Image.fromarray(pixels).resize((64, 64), Image.BILINEAR)) for pixels in decoded]
    tensors = np.stack(small).astype(np.float32) / 255
    return {"decoded": decoded, "preprocessed": tensors, "logits": tensors.reshape(len(tensors), -1) @ WEIGHTS}
"""


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Overlays]:
    """An environment with a Python that both versions have wheels for, and a shelf with Pillow 8.4."""
    found = nearest_python("3.10")
    if found is None or found.minor != "3.10":
        pytest.skip("Python 3.10 is not installed here: Pillow 8.4 has no wheel for a newer one")
    root = tmp_path_factory.mktemp("old")
    subprocess.run([found.path, "-m", "venv", str(root / "venv")], check=True)
    packages = [f"pillow=={NEWEST_BESIDE_IT}", "numpy==1.26.4", "six==1.17.0"]
    command = [str(root / "venv" / "bin" / "pip"), "install", "-q", "--only-binary", ":all:", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip could not install Pillow from an index: {done.stderr.strip().splitlines()[-1:]}")
    return root / "venv", Overlays("3.10", interpreter=root / "venv" / "bin" / "python", folder=root / "shelf")


def project(folder: Path) -> Inference:
    (folder / "infer.py").write_text(CODE)
    runpy.run_path(str(MAKE))["make_pictures"](folder / "images", 12)
    return Inference(base=folder, entry="infer.py:predict", inputs=("images",))


def test_pillow_8_4_in_place_of_13_is_a_change_of_decoding_by_pillow(
    old_python: tuple[Path, Overlays], tmp_path: Path
) -> None:
    now = metadata.version("pillow")
    assert int(now.partition(".")[0]) >= 13
    environment, shelf = old_python
    path = tmp_path / "dataguard.lock"
    lock_result(project(tmp_path), ProcessRunner(), path=path).write(path)
    made = reproduce(
        read_lock(path),
        ProcessRunner(environment, keep_variables=False),
        path=path,
        overlays=[shelf.get("pillow", OLD)],
    )
    assert made.comparison.overall is Verdict.CHANGED
    first = made.comparison.first_changed
    assert first is not None
    assert first.stage == "decoded"
    assert 0.2 < first.share_different < 0.6
    assert suspects(made)[0].what == f"pillow {now} → {OLD}"
    assert explanation(made).startswith(f"pillow {now} → {OLD}, decoding stage ('decoded'): ")


def test_bisection_finds_pillow_among_what_else_is_another(old_python: tuple[Path, Overlays], tmp_path: Path) -> None:
    environment, shelf = old_python
    runner = ProcessRunner(environment, keep_variables=False)
    path = tmp_path / "dataguard.lock"
    lock_result(project(tmp_path), runner, path=path).write(path)
    found = bisect(
        read_lock(path),
        runner,
        path=path,
        now=Situation(packages={"pillow": OLD, "numpy": "1.25.2", "six": "1.16.0"}, batch_size=4),
        overlays=shelf,
    )
    assert found.explanation == f"pillow {NEWEST_BESIDE_IT} → {OLD}"
    assert found.found.minimal
    assert found.found.runs <= 6
    assert {change.difference.name for change in found.tried} == {"pillow", "numpy", "six", "batch size"}
    first = found.reproduction.comparison.first_changed
    assert first is not None
    assert first.stage == "decoded"
