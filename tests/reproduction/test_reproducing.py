from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.reproduction.inference import Inference
from dataguard.reproduction.lock import Lock, read_lock
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.reproducing import Reproduction, reproduce
from dataguard.reproduction.verdict import Verdict
from tests.reproduction.made_project import make_project, replaced

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its lock; tests change copies of it."""
    folder = tmp_path_factory.mktemp("project")
    make_lock(make_project(folder))
    return folder


@pytest.fixture
def project(locked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(locked, tmp_path / "project"))


def make_lock(inference: Inference) -> Lock:
    path = inference.base / "dataguard.lock"
    made = lock_result(inference, ProcessRunner(), path=path)
    made.write(path)
    return made.lock


def again(folder: Path, **changes: Any) -> Reproduction:
    path = folder / "dataguard.lock"
    return reproduce(read_lock(path), ProcessRunner(), path=path, **changes)


def verdicts(made: Reproduction) -> Mapping[str, str]:
    return {stage.stage: stage.verdict.value for stage in made.comparison.stages}


def test_a_lock_holds_what_the_result_depends_on(locked: Path) -> None:
    lock = read_lock(locked / "dataguard.lock")
    assert lock.inference.stages == ("decoded", "preprocessed", "logits")
    assert [file.path for file in lock.code.files] == ["infer.py"]
    assert [file.path for file in lock.weights] == ["weights.bin"]
    assert lock.data.names == tuple(f"data/{n}.npy" for n in range(6))
    assert {item.name for item in lock.environment.packages} >= {"numpy", "pillow"}
    assert "numpy" in lock.used
    kinds = {stage.name: stage.tolerance.basis for stage in lock.outputs}
    assert kinds == {"decoded": "exact", "preprocessed": "rounding", "logits": "float64"}
    assert {item.kind for item in lock.noise.variations} == {"repeat", "batch size", "threads", "seed"}
    assert all(item.largest["decoded"] == 0 for item in lock.noise.variations)
    assert str(locked) not in lock.to_json()


def test_locking_twice_gives_the_same_bytes(project: Path) -> None:
    before = (project / "dataguard.lock").read_bytes(), (project / "dataguard.golden.npz").read_bytes()
    make_lock(dataclasses.replace(make_project(project)))
    assert ((project / "dataguard.lock").read_bytes(), (project / "dataguard.golden.npz").read_bytes()) == before


def test_run_again_elsewhere_it_is_bitwise_the_same(project: Path) -> None:
    made = again(project)
    assert made.comparison.overall is Verdict.BITWISE
    assert set(verdicts(made).values()) == {"bitwise"}
    assert (made.differences, made.code, made.weights, made.data, made.golden_problem) == ((), (), (), (), "")
    assert made.sights == ()


def test_another_batch_size_is_noise_at_most(project: Path) -> None:
    made = again(project, batch_size=1)
    assert made.comparison.overall.rank <= Verdict.FLOAT_NOISE.rank
    assert [str(item) for item in made.differences] == ["batch size 6 → 1"]


def test_a_change_is_placed_at_its_stage(project: Path) -> None:
    replaced(project, {"picture[:4, :4]": "picture[1:5, :4]"})
    made = again(project)
    assert verdicts(made) == {"decoded": "bitwise", "preprocessed": "changed", "logits": "changed"}
    assert [change.path for change in made.code] == ["infer.py"]
    assert made.sights[0].stage == "preprocessed"
    assert made.sights[0].was.shape == (4, 4, 3)


def test_changed_pixels_are_placed_at_decoding(project: Path) -> None:
    replaced(project, {"return np.load(path)": "return np.load(path) ^ np.uint8(64)"})
    made = again(project)
    assert set(verdicts(made).values()) == {"changed"}
    first = made.comparison.first_changed
    assert first is not None
    assert (first.stage, first.share_different, first.largest) == ("decoded", 1.0, 64.0)


def test_less_precision_changes_the_model_alone(project: Path) -> None:
    replaced(project, {"WEIGHTS.astype(dtype)": "WEIGHTS.astype(np.float16).astype(dtype)"})
    made = again(project)
    assert verdicts(made)["preprocessed"] == "bitwise"
    assert made.comparison.overall.rank >= Verdict.DECISION_SAFE.rank


def test_changed_weights_and_data_are_found_and_run(project: Path) -> None:
    (project / "weights.bin").write_bytes(b"other")
    np.save(project / "data" / "0.npy", np.zeros((5, 6, 3), dtype=np.uint8))
    (project / "data" / "1.npy").unlink()
    np.save(project / "data" / "99.npy", np.zeros((5, 6, 3), dtype=np.uint8))
    made = again(project)
    assert [change.path for change in made.weights] == ["weights.bin"]
    assert [(change.path, bool(change.now)) for change in made.data] == [("data/0.npy", True), ("data/1.npy", False)]
    assert made.n_run == 5
    assert made.comparison.result.n == 5
    assert [item.name for item in made.comparison.stages[0].worst] == ["data/0.npy"]


def test_missing_weights_and_inputs_are_one_clear_error(project: Path) -> None:
    (project / "weights.bin").unlink()
    with pytest.raises(SourceError, match=r"weights\.bin: these weights are missing"):
        again(project)
    (project / "weights.bin").write_bytes(b"weights")
    shutil.rmtree(project / "data")
    with pytest.raises(SourceError, match="none of the 6 inputs is there"):
        again(project)


def test_a_tampered_or_missing_golden_file_is_said_and_hashes_still_decide(project: Path) -> None:
    golden = project / "dataguard.golden.npz"
    golden.write_bytes(golden.read_bytes()[:-1] + b"?")
    made = again(project)
    assert "SHA-256" in made.golden_problem
    assert made.comparison.overall is Verdict.BITWISE
    golden.unlink()
    assert "cannot be read" in again(project).golden_problem


def test_code_that_overwrites_the_golden_outputs_is_caught(project: Path) -> None:
    replaced(project, {"    decoded =": "    open('dataguard.golden.npz', 'wb').close()\n    decoded ="})
    made = again(project)
    assert made.golden_problem == "it was changed while the run went on"
    assert [change.path for change in made.code] == ["infer.py"]


def test_a_lock_of_rows_runs_them_again(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    np.save(tmp_path / "x.npy", np.arange(12).reshape(6, 2))
    rows = dataclasses.replace(inference, entry="infer.py:rows", inputs=("x.npy",), takes=None)
    lock = make_lock(rows)
    assert (lock.data.n, lock.data.names[1], lock.inference.takes) == (6, "x.npy[1]", "batch")
    assert again(tmp_path).comparison.overall is Verdict.BITWISE
    (tmp_path / "x.npy").unlink()
    with pytest.raises(SourceError, match="the input is missing"):
        again(tmp_path)


def test_declared_stages_must_be_there(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    for changes in ({"stages": ("decoded", "logit")}, {"output": "logit"}):
        with pytest.raises(ConfigurationError, match=r"no stage 'logit'[\s\S]*did you mean 'logits'"):
            make_lock(dataclasses.replace(inference, **changes))
    assert not (tmp_path / "dataguard.lock").exists()


def test_only_what_holds_classes_can_be_decision_safe(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    replaced(tmp_path, {'"logits"': '"boxes"'})
    lock = make_lock(inference)
    assert not lock.inference.classes
    assert any("inference.classes = true" in note for note in lock.notes)
    replaced(tmp_path, {"@ WEIGHTS.astype(dtype)": "@ WEIGHTS.astype(dtype) + 1e-3"})
    made = again(tmp_path)
    assert made.comparison.overall is Verdict.CHANGED
    assert made.comparison.result.top1 is None
    replaced(tmp_path, {" + 1e-3": ""})
    assert make_lock(dataclasses.replace(inference, classes=True)).inference.classes


def test_a_random_result_is_seen_when_it_is_locked(tmp_path: Path) -> None:
    code = "import os, random, numpy as np\ndef predict(paths):\n"
    seeded = code + "    return np.array([[random.random(), 1.0] for _ in paths])\n"
    lock = make_lock(make_project(tmp_path, code=seeded))
    (drawn,) = lock.noise.of("seed")
    assert drawn.largest["output"] > 0
    wild = code + "    return np.array([[int.from_bytes(os.urandom(4), 'big') / 2**32, 1.0] for _ in paths])\n"
    lock = make_lock(make_project(tmp_path, code=wild))
    (repeat,) = lock.noise.of("repeat")
    assert repeat.largest["output"] > lock.tolerances["output"].value


def test_the_commit_of_the_code_is_locked(tmp_path: Path) -> None:
    import subprocess

    inference = make_project(tmp_path)
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
    for arguments in (["init", "-q"], ["add", "infer.py"], ["commit", "-qm", "x"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, env={**os.environ, **identity})
    lock = make_lock(inference)
    assert (len(lock.code.commit), lock.code.dirty) == (40, False)
    replaced(tmp_path, {"/ 255": "/ 254"})
    assert make_lock(inference).code.dirty


def test_a_lock_is_never_there_without_its_golden_outputs(
    locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path(shutil.copytree(locked, tmp_path / "p"))
    before = (project / "dataguard.lock").read_bytes()
    made = lock_result(make_project(project), ProcessRunner(), path=project / "dataguard.lock")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dataguard.core.atomic._write_all", full)
    with pytest.raises(Exception, match="No space left"):
        made.write(project / "dataguard.lock")
    assert (project / "dataguard.lock").read_bytes() == before
    assert json.loads(before)["schema_version"] == 1
    assert [path.name for path in project.iterdir() if ".tmp" in path.name] == []


def test_a_fresh_environment_has_the_variables_of_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_SCHEDULE", "guided")
    code = "import os, numpy as np\ndef predict(paths):\n"
    code += "    return np.full((len(paths), 2), os.environ.get('OMP_SCHEDULE') == 'guided')\n"
    lock = make_lock(make_project(tmp_path, code=code))
    assert lock.environment.variables["OMP_SCHEDULE"] == "guided"
    monkeypatch.delenv("OMP_SCHEDULE")
    path = tmp_path / "dataguard.lock"
    here = again(tmp_path)
    assert here.comparison.overall is Verdict.CHANGED
    assert [str(item) for item in here.differences] == ["OMP_SCHEDULE guided → none"]
    fresh = reproduce(lock, ProcessRunner(keep_variables=False), path=path)
    assert (fresh.comparison.overall, fresh.differences) == (Verdict.BITWISE, ())
    without = reproduce(lock, ProcessRunner(keep_variables=False), path=path, variables={"OMP_SCHEDULE": None})
    assert without.comparison.overall is Verdict.CHANGED


def test_what_stands_for_a_value_that_is_not_locked_is_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_PLACES", "$HOME")
    code = "import os, numpy as np\ndef predict(paths):\n"
    code += "    return np.full((len(paths), 2), len(os.environ.get('OMP_PLACES', '')))\n"
    lock = make_lock(make_project(tmp_path, code=code))
    assert lock.environment.variables["OMP_PLACES"] == "(withheld: 5 characters)"
    path = tmp_path / "dataguard.lock"
    assert again(tmp_path).comparison.overall is Verdict.BITWISE
    fresh = reproduce(lock, ProcessRunner(keep_variables=False), path=path)
    assert fresh.comparison.result.largest == 5.0
    assert "OMP_PLACES is not set: the lock does not hold its value; --set OMP_PLACES=… gives one" in fresh.notes
    given = reproduce(lock, ProcessRunner(keep_variables=False), path=path, variables={"OMP_PLACES": "$HOME"})
    assert (given.comparison.overall, given.differences) == (Verdict.BITWISE, ())
    assert not any("OMP_PLACES" in note for note in given.notes)
