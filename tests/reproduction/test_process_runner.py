from __future__ import annotations

import dataclasses
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.core.errors import DataguardError, SourceError
from dataguard.core.users_code import python_path
from dataguard.reproduction.inference import Inference, samples
from dataguard.reproduction.leftovers import LABEL
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.runner import Pass, Run, RunError, job_for
from tests.reproduction.made_project import logits, make_project, replaced

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(folder))


def ran(inference: Inference, *passes: Pass, **changes: Any) -> Run:
    job = job_for(inference, samples(inference), passes=passes or (Pass(batch_size=4),))
    return ProcessRunner().run(dataclasses.replace(job, **changes))


def test_a_run_gives_every_stage_of_every_sample(tmp_path: Path) -> None:
    run = ran(make_project(tmp_path), Pass(batch_size=4), Pass(batch_size=1), Pass(batch_size=4, precision="float64"))
    assert list(run.stages) == ["decoded", "preprocessed", "logits"]
    assert [array.shape for array in run.stages["decoded"]] == [(5 + n, 6, 3) for n in range(6)]
    assert run.stages["logits"][0].dtype == np.float32
    assert run.passes[2].stages["logits"][0].dtype == np.float64
    for one in run.passes[1:]:
        np.testing.assert_allclose(logits(one.stages), logits(run.stages), rtol=1e-5)
    assert run.facts.code == ("infer.py",)
    assert "numpy" in run.facts.used
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"dataguard-run-{os.getpid()}.*"))  # noqa: S108


def test_an_entry_may_take_one_path_or_rows(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    each = ran(dataclasses.replace(inference, entry="infer.py:one", takes="path"))
    np.testing.assert_allclose(logits(each.stages), logits(ran(inference).stages), rtol=1e-5)
    np.save(tmp_path / "x.npy", np.arange(12).reshape(6, 2))
    rows = dataclasses.replace(inference, entry="infer.py:rows", inputs=("x.npy",), takes=None)
    assert samples(rows).takes == "batch"
    run = ran(rows)
    np.testing.assert_array_equal(np.stack(run.stages["output"]), np.arange(12).reshape(6, 2) * 2)
    few = ran(rows, rows=(1, 4))
    np.testing.assert_array_equal(np.stack(few.stages["output"]), np.arange(12).reshape(6, 2)[[1, 4]] * 2)


def test_a_command_reads_a_list_and_writes_an_archive(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    (tmp_path / "run.py").write_text(
        "import sys, numpy as np, infer\n"
        "paths = open(sys.argv[1]).read().split()\n"
        "np.savez(sys.argv[2], logits=infer.predict(paths)['logits'])\n"
    )
    command = dataclasses.replace(inference, entry="", command="python run.py {inputs} {output}")
    np.testing.assert_allclose(logits(ran(command).stages), logits(ran(inference).stages), rtol=1e-5)
    failing = dataclasses.replace(command, command="python run.py nothing {output}")
    with pytest.raises(RunError, match="exit code 1"):
        ran(failing)
    with pytest.raises(RunError, match="No such file"):
        ran(dataclasses.replace(command, command="no-such-program {output}"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no such layer')", r"ValueError: no such layer\n.*infer\.py"),
        ("return None", "returned None"),
        ("return {}", "empty mapping"),
        ("return 'text' * len(paths)", "no array of numbers"),
        ("return np.zeros(3)", "3 samples for a batch of 4"),
        ("raise SystemExit(3)", "ends the process"),
        ("os._exit(3)", "without a result: exit code 3"),
        ("os.kill(os.getpid(), 11)", "without a result: signal SIGSEGV"),
        ("raise MemoryError", "needs more memory"),
        ("return np.array([object()] * len(paths))", "no array of numbers"),
    ],
)
def test_what_goes_wrong_in_the_entry_is_said(tmp_path: Path, body: str, message: str) -> None:
    inference = make_project(tmp_path, code=f"import os\nimport numpy as np\ndef predict(paths):\n    {body}\n")
    with pytest.raises(RunError, match=message):
        ran(inference)


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    for entry, message in (
        ("infer.py:predct", "no 'predct' in it"),
        ("nothing.py:predict", "no such file"),
        ("no_such_module:predict", "no_such_module"),
        ("infer.py:WEIGHTS", "cannot be called"),
    ):
        with pytest.raises(RunError, match=message):
            ran(dataclasses.replace(inference, entry=entry))
    (tmp_path / "infer.py").write_text("def predict(:\n")
    with pytest.raises(RunError, match=r"not valid Python.*infer\.py:1"):
        ran(inference)


def test_a_run_that_does_not_end_is_stopped_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataguard.reproduction.process_runner._GRACE", 0.0)
    inference = make_project(tmp_path)
    code = "import subprocess, time\ndef predict(paths):\n"
    code += "    subprocess.Popen(['sleep', '600'], start_new_session=True)\n    time.sleep(600)\n"
    (tmp_path / "infer.py").write_text(code)
    with pytest.raises(RunError, match="did not end within 2 s"):
        ran(inference, timeout=2.0)
    assert labelled() == []


def labelled() -> list[str]:
    """The processes that carry the label of a run of this process."""
    wanted = f"{LABEL}=dataguard-run-{os.getpid()}.".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (place / "environ").read_bytes():
                found.append(place.name)
        except OSError:
            continue
    return found


def test_the_limit_of_memory_holds(tmp_path: Path) -> None:
    code = "import numpy as np\ndef predict(paths):\n    return np.ones((len(paths), 1 << 30))\n"
    with pytest.raises(RunError, match=r"needs more memory than the limit of 2 GiB"):
        ran(make_project(tmp_path, code=code), memory=2.0)


def test_where_a_card_is_memory_is_limited_and_addresses_are_not(tmp_path: Path) -> None:
    # As CUDA reserves them: 64 GiB that are never touched.
    code = f"""
import mmap
from dataguard.reproduction import child
child._CARD = {str(tmp_path)!r}
child._limit({{"memory": 1 << 30}})
reserved = mmap.mmap(-1, 64 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0)
try:
    bytearray(2 << 30)
except MemoryError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_a_later_pass_that_fails_does_not_fail_the_run(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    replaced(tmp_path, {', dtype="float32"': "", "astype(dtype)": "astype(np.float32)"})
    run = ran(inference, Pass(batch_size=4), Pass(batch_size=4, precision="float64"))
    assert "no double-precision run" in run.passes[1].error
    assert run.passes[1].stages == {}


def test_what_it_prints_and_reads_disturbs_nothing(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    replaced(tmp_path, {"    decoded =": "    print('x' * 100000)\n    assert os.read(0, 1) == b''\n    decoded ="})
    assert len(ran(inference).stages["logits"]) == 6


def test_a_seed_makes_random_numbers_the_same(tmp_path: Path) -> None:
    code = "import random, numpy as np\ndef predict(paths):\n"
    code += "    return np.array([[random.random(), np.random.rand(), hash('x') % 97] for _ in paths])\n"
    inference = make_project(tmp_path, code=code)
    one, other = ran(inference), ran(inference)
    np.testing.assert_array_equal(np.stack(one.stages["output"]), np.stack(other.stages["output"]))
    another = ran(dataclasses.replace(inference, seed=1))
    assert (np.stack(another.stages["output"]) != np.stack(one.stages["output"])).any()


def test_only_named_variables_are_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code = "import os, numpy as np\ndef predict(paths):\n    seen = ['AWS_SECRET_ACCESS_KEY' in os.environ,\n"
    code += "        os.environ.get('OMP_NUM_THREADS') == '1', os.environ.get('MINE') == 'x']\n"
    code += "    return np.array([seen] * len(paths))\n"
    run = ran(make_project(tmp_path, code=code), variables={"MINE": "x"})
    assert run.stages["output"][0].tolist() == [False, True, True]


def test_links_in_the_output_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.npz"
    np.savez(secret, np.zeros(3))
    code = "import os, glob, numpy as np, sys, atexit\n"
    code += "def predict(paths):\n    out = os.path.join(os.path.dirname(os.environ['TMPDIR']), 'out', '0', '0.npz')\n"
    code += f"    atexit.register(lambda: (os.remove(out), os.symlink({str(secret)!r}, out)))\n"
    code += "    return np.zeros((len(paths), 2))\n"
    with pytest.raises(RunError, match="not a result"):
        ran(make_project(tmp_path, code=code))


def test_another_environment_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no virtual environment"):
        ProcessRunner(tmp_path)


def test_a_folder_of_packages_comes_first(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "packaging.py").write_text("value = 7\n")
    code = "import numpy as np, packaging\ndef predict(paths):\n    return np.full((len(paths), 1), packaging.value)\n"
    run = ran(make_project(tmp_path, code=code), overlays=(tmp_path / "shelf",))
    assert run.stages["output"][0].tolist() == [7]


KILLED = """
import sys
from pathlib import Path
from tests.reproduction.made_project import make_project
from dataguard.reproduction.inference import samples
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.runner import Pass, job_for
code = "import time\\ndef predict(paths):\\n    open('started', 'w').close()\\n    time.sleep(600)\\n"
inference = make_project(Path(sys.argv[1]), code=code)
ProcessRunner().run(job_for(inference, samples(inference), passes=[Pass(batch_size=4)]))
"""


def test_a_killed_tool_leaves_nothing_that_the_next_run_does_not_remove(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    project = tmp_path / "project"
    project.mkdir()
    root = str(Path(__file__).resolve().parents[2])
    tool = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(project)],
        env={**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join([root, python_path()])},
    )
    try:
        end = time.monotonic() + 60
        while not (project / "started").exists():
            assert time.monotonic() < end
            assert tool.poll() is None
            time.sleep(0.05)
        (folder,) = scratch.iterdir()
        os.kill(tool.pid, signal.SIGKILL)
    finally:
        tool.kill()
        tool.wait()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(scratch))
        runner = ProcessRunner()
    assert folder.name in runner.notes[0]
    assert list(scratch.iterdir()) == []
    wanted = f"{LABEL}={folder.name}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            still = wanted in (place / "environ").read_bytes()
        except OSError:
            continue
        assert not still


def test_errors_are_for_people(tmp_path: Path) -> None:
    inference = make_project(tmp_path)
    with pytest.raises(DataguardError) as caught:
        ran(dataclasses.replace(inference, entry="infer.py:predct"))
    assert str(tmp_path / "infer.py") in str(caught.value)
    assert "it has:" in str(caught.value)


TORCH = """
import numpy as np
import torch
torch.manual_seed(0)

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(48, 4)
        self.norm = torch.nn.BatchNorm1d(4)

    def forward(self, *, pixels):
        return self.norm(self.layer(pixels))

NETWORK = Network().eval()

def predict(paths):
    pixels = np.stack([np.load(path)[:4, :4].ravel() for path in paths]).astype(np.float32) / 255
    with torch.inference_mode():
        return NETWORK(pixels=torch.from_numpy(pixels).to(DTYPE)).to(OUT)
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize(("dtype", "least", "most"), [("float32", 1e-9, 1e-5), ("bfloat16", 1e-4, 1e-1)])
def test_networks_of_torch_are_run_in_double_precision_by_themselves(
    tmp_path: Path, dtype: str, least: float, most: float
) -> None:
    code = TORCH.replace("DTYPE", f"torch.{dtype}").replace(".to(OUT)", "")
    code = code.replace("Network().eval()", f"Network().eval().to(torch.{dtype})")
    run = ran(make_project(tmp_path, code=code), Pass(batch_size=6), Pass(batch_size=6, precision="float64"))
    assert run.passes[1].error == ""
    single, double = (np.stack(one.stages["output"]) for one in run.passes)
    assert (str(single.dtype), str(double.dtype)) == ("float32", "float64")
    assert least < np.abs(single - double).max() < most
