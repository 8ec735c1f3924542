"""Inference in containers: the same bits as on the host, and code that means harm reaches nothing."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.core.containers import OWNER
from dataguard.core.errors import ConfigurationError, DataguardError, SourceError
from dataguard.environment.installed import installed
from dataguard.reproduction.docker_runner import DockerRunner
from dataguard.reproduction.inference import Inference, samples
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.locking import lock_result
from dataguard.reproduction.process_runner import ProcessRunner
from dataguard.reproduction.reproducing import reproduce
from dataguard.reproduction.runner import Pass, Run, RunError, job_for
from dataguard.reproduction.verdict import Verdict
from tests.docker_engine import engine_with_base
from tests.reproduction.made_project import make_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lock, Path]:
    folder = tmp_path_factory.mktemp("locked")
    folder.chmod(0o755)
    inference = dataclasses.replace(make_project(folder), memory=4.0)
    lock_result(inference, ProcessRunner(), path=folder / "dataguard.lock").write(folder / "dataguard.lock")
    from dataguard.reproduction.lock import read_lock

    return read_lock(folder / "dataguard.lock"), folder / "dataguard.lock"


@pytest.fixture(scope="module")
def runner(locked: tuple[Lock, Path]) -> Iterator[DockerRunner]:
    with engine_with_base() as (_, image):
        try:
            made = DockerRunner(locked[0], path=locked[1], image=image, environment=sys.prefix)
        except ConfigurationError as error:
            pytest.skip(f"{error.message} ({error.where})")
        with closing(made):
            yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that nobody, as whom root's containers run, can read."""
    tmp_path.chmod(0o755)
    made = tmp_path / "project"
    made.mkdir(mode=0o755)
    return made


@pytest.fixture(autouse=True)
def _nothing_is_left(runner: DockerRunner) -> Iterator[None]:
    def ours() -> set[str]:
        found = runner.engine.client.containers.list(all=True, filters={"label": OWNER})
        return {one.id for one in found if one.labels[OWNER].split("/")[2] == str(os.getpid())}

    assert ours() == set()
    yield
    assert ours() == set()


def ran(runner: DockerRunner, folder: Path, body: str, **changes: Any) -> Run:
    """What comes of a function of paths with that body."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    code = f"import os\nimport numpy as np\ndef predict(paths):\n{lines}    return np.zeros((len(paths), 2))\n"
    return ran_project(runner, dataclasses.replace(make_project(folder, code=code), timeout=60.0), **changes)


def ran_project(runner: DockerRunner, inference: Inference, **changes: Any) -> Run:
    weights = [inference.base / name for name in inference.weights]
    job = job_for(inference, samples(inference), passes=(Pass(batch_size=32),), weights=weights)
    return runner.run(dataclasses.replace(job, **changes))


def test_in_a_container_and_on_the_host_the_result_is_bitwise_the_same(
    runner: DockerRunner, locked: tuple[Lock, Path]
) -> None:
    lock, path = locked
    made = reproduce(lock, runner, path=path)
    assert made.comparison.overall is Verdict.BITWISE
    assert made.runner_kind == "docker"
    again = reproduce(lock, runner, path=path)
    assert again.comparison.overall is Verdict.BITWISE
    # What the image has is in the report, not what this machine has.
    assert made.environment.system.name == runner.image.system
    assert made.environment.python.version == runner.image.python
    assert {item.name for item in made.environment.packages} == set(installed(sys.prefix).by_name)
    assert not [item for item in made.differences if item.kind.value in ("package", "installed files")]


def test_what_a_lock_holds_of_an_image_names_it_for_good(runner: DockerRunner) -> None:
    assert runner.facts["image id"].startswith("sha256:")
    assert runner.facts["image archive"].startswith("sha256:") or runner.facts["image digest"]


def test_it_cannot_reach_the_network(runner: DockerRunner, folder: Path) -> None:
    with pytest.raises(RunError, match="Network is unreachable") as raised:
        ran(runner, folder, "import socket\nsocket.create_connection(('1.1.1.1', 80), timeout=5)")
    assert "the container has no network" in str(raised.value)
    with pytest.raises(RunError, match=r"urlopen error") as raised:
        ran(runner, folder, "import urllib.request\nurllib.request.urlopen('http://example.org/weights.pt', timeout=5)")
    assert "the container has no network" in str(raised.value)


@pytest.mark.parametrize("target", ["dataguard.golden.npz", "weights.bin", "infer.py", "data/0.npy", "new.txt"])
def test_it_overwrites_nothing_of_the_project(runner: DockerRunner, folder: Path, target: str) -> None:
    make_project(folder)
    (folder / "dataguard.golden.npz").write_bytes(b"golden")
    place = folder / target
    before = place.read_bytes() if place.exists() and target != "infer.py" else None
    with pytest.raises(RunError, match=r"Read-only file system|Permission denied|Errno 30|Errno 13") as raised:
        ran(runner, folder, f"open({str(place)!r}, 'wb').write(b'mine')")
    assert "read-only" in str(raised.value) or "nothing else of this machine" in str(raised.value)
    if before is not None:
        assert place.read_bytes() == before
    assert not (folder / "new.txt").exists()


def test_it_reads_no_golden_outputs_no_lock_and_nothing_hidden(runner: DockerRunner, folder: Path) -> None:
    for name in ("dataguard.golden.npz", "dataguard.lock", ".env"):
        (folder / name).write_text("secret")
    for name in (".git", "venv"):
        (folder / name).mkdir()
        (folder / name / "pyvenv.cfg").write_text("secret")
    body = "found = []\nfor place, _, names in os.walk('.'):\n"
    body += "    found += [n for n in names if b'secret' in open(os.path.join(place, n), 'rb').read()]\n"
    body += "assert found in ([], ['infer.py']), found\nassert os.path.exists('weights.bin')"
    assert len(ran(runner, folder, body).stages["output"]) == 6


def test_it_reads_no_files_of_the_host(runner: DockerRunner, folder: Path) -> None:
    secret = folder.parent / "secret.txt"
    secret.write_text("secret")
    with pytest.raises(RunError, match="FileNotFoundError") as raised:
        ran(runner, folder, f"open({str(secret)!r}).read()")
    assert "sees the folder of the lock" in str(raised.value)
    (folder / "link.txt").symlink_to(secret)
    with pytest.raises(RunError, match="FileNotFoundError"):
        ran(runner, folder, "open('link.txt').read()")
    for place in ("/etc/shadow", "/proc/kcore", "/dev/sda", "/var/run/docker.sock"):
        with pytest.raises(RunError, match=r"FileNotFoundError|PermissionError"):
            ran(runner, folder, f"open({place!r}, 'rb').read(1)")


def test_a_fork_bomb_is_contained_and_reported(runner: DockerRunner, folder: Path) -> None:
    body = "import time\nfor _ in range(100000):\n    if os.fork() == 0:\n        time.sleep(600)\n        os._exit(0)"
    with pytest.raises(RunError, match=r"BlockingIOError.*Resource temporarily unavailable") as raised:
        ran(runner, folder, body)
    assert "more processes and threads than a container may have" in str(raised.value)
    notes = runner.notes
    swallowed = "import time\ntry:\n"
    swallowed += "".join(f"    {line}\n" for line in body.splitlines()[1:])
    swallowed += "except OSError:\n    time.sleep(1)"
    try:
        assert len(ran(runner, folder, swallowed).stages["output"]) == 6
        assert len(runner.notes) == len(notes) or "its limit of" in runner.notes[-1]
    finally:
        runner.notes = notes


def test_memory_that_fills_up_ends_the_run(runner: DockerRunner, folder: Path) -> None:
    greedy = "held = []\nwhile True:\n    held.append(np.ones(1 << 22))"
    with pytest.raises(RunError, match=r"needs more memory than the limit of 1 GiB"):
        ran(runner, folder, greedy, memory=1.0)
    # In processes of their own, so that no limit of the first holds; the group's does.
    many = "import resource, time\nfor _ in range(20):\n    if os.fork() == 0:\n"
    many += "        held = np.ones(1 << 26)\n        time.sleep(600)\n        os._exit(0)\n"
    many += "time.sleep(5)\nheld = np.ones(1 << 26)"
    notes = runner.notes
    try:
        ran(runner, folder, many, memory=1.0)
        assert "its limit of memory" in runner.notes[-1]
    except RunError as error:
        assert "memory" in str(error)  # noqa: PT017 - either way it is said
    finally:
        runner.notes = notes


def test_a_full_disk_is_not_this_machine_s(runner: DockerRunner, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match="No space left on device") as raised:
        ran(runner, folder, "with open('/tmp/x', 'wb') as f:\n    while True: f.write(bytes(1 << 24))", memory=4.0)
    assert "holds 2 GiB" in str(raised.value)
    monkeypatch.setattr("dataguard.reproduction.watching.MOST_BYTES", 1 << 20)
    with pytest.raises(RunError, match="of output, and was stopped"):
        ran(
            runner,
            folder,
            "import time\nwith open('/dataguard/out/x', 'wb') as f: f.write(bytes(1 << 22))\ntime.sleep(60)",
        )
    monkeypatch.setattr("dataguard.reproduction.watching._MOST_FILES", 100)
    with pytest.raises(RunError, match="more than 100 files, and was stopped"):
        ran(
            runner,
            folder,
            "import time\nfor i in range(200): open(f'/dataguard/out/f{i}', 'w')\ntime.sleep(60)",
        )


def test_time_is_limited(runner: DockerRunner, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.reproduction.docker_runner._GRACE", 0.0)
    with pytest.raises(RunError, match="did not end within 3 s"):
        ran(runner, folder, "import time\ntime.sleep(600)", timeout=3.0)


def test_what_it_prints_fills_no_memory_here(runner: DockerRunner, folder: Path) -> None:
    run = ran(runner, folder, "import sys\nfor _ in range(200): sys.stdout.write('x' * (1 << 20))\nprint('end')")
    assert run.written.endswith("end")
    assert len(run.written) < 1 << 20


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ("os.remove(out); os.symlink('/etc/passwd', out)", "not a result"),
        ("open(out, 'wb').write(b'x' * 100)", "not a result"),
        ("os.remove(out); os.mkfifo(out)", "not a result"),
        ("os.remove(out)", "not a result"),
    ],
)
def test_a_forged_output_is_refused(runner: DockerRunner, folder: Path, after: str, message: str) -> None:
    body = "import atexit\nout = '/dataguard/out/0/0.npz'\n"
    body += f"atexit.register(lambda: exec({after!r}, {{'os': os, 'out': out}}))"
    with pytest.raises(RunError, match=message):
        ran(runner, folder, body)


def test_it_has_no_rights(runner: DockerRunner, folder: Path) -> None:
    body = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
assert os.getuid() != 0
assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
assert (int(status["NoNewPrivs"]), int(status["Seccomp"])) == (1, 2)
assert os.listdir("/sys/class/net") == ["lo"]
assert "AWS_SECRET_ACCESS_KEY" not in os.environ
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) != 0
assert libc.unshare(0x10000000) != 0
"""
    os.environ["AWS_SECRET_ACCESS_KEY"] = "secret"  # noqa: S105
    try:
        assert len(ran(runner, folder, body).stages["output"]) == 6
    finally:
        del os.environ["AWS_SECRET_ACCESS_KEY"]


def test_inputs_and_weights_elsewhere_are_seen_at_their_own_paths(runner: DockerRunner, folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "w.bin").write_bytes(b"w")
    (elsewhere / "other.bin").write_bytes(b"other")
    body = "assert open('../elsewhere/w.bin').read() == 'w'\nassert not os.path.exists('../elsewhere/other.bin')"
    run = ran(runner, folder, body, weights=(elsewhere / "w.bin",))
    assert len(run.stages["output"]) == 6


def test_what_nobody_may_read_is_named(runner: DockerRunner, folder: Path) -> None:
    if os.getuid():
        pytest.skip("only root's containers run as another user")
    make_project(folder)
    (folder / "data" / "1.npy").chmod(0o600)
    with pytest.raises(ConfigurationError, match="runs as nobody, who may not read this") as raised:
        ran(runner, folder, "pass")
    assert "1.npy" in str(raised.value)


def test_a_folder_of_packages_comes_first(runner: DockerRunner, folder: Path) -> None:
    shelf = folder.parent / "shelf"
    shelf.mkdir(mode=0o755)
    (shelf / "packaging.py").write_text("value = 7\n")
    ran(runner, folder, "import packaging\nassert packaging.value == 7", overlays=(shelf,))


def test_a_graphics_card_that_is_not_there_is_one_sentence(runner: DockerRunner, locked: tuple[Lock, Path]) -> None:
    about = runner.engine.client.info()
    if "nvidia" in about.get("Runtimes", {}):
        pytest.skip("this engine has graphics cards")
    with pytest.raises(ConfigurationError, match="a graphics card was asked for, and this engine has none") as raised:
        DockerRunner(locked[0], path=locked[1], image=runner.image.name, environment=sys.prefix, gpus=True)
    assert "without --gpus" in str(raised.value)


def test_an_image_or_a_lock_that_does_not_fit_is_named(
    runner: DockerRunner, locked: tuple[Lock, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, path = locked
    with pytest.raises(ConfigurationError, match="no such image on this machine"):
        DockerRunner(lock, path=path, image="dataguard-no-such:image", environment=sys.prefix)
    monkeypatch.setenv("DATAGUARD_BASE_IMAGE", "dataguard-no-such:image")
    with pytest.raises(ConfigurationError, match="there is no image to run it in") as raised:
        DockerRunner(lock, path=path, environment=sys.prefix)
    assert "docker pull python:3." in str(raised.value)
    processor = dataclasses.replace(lock.environment.processor, architecture="riscv64")
    other = dataclasses.replace(lock, environment=dataclasses.replace(lock.environment, processor=processor))
    with pytest.raises(SourceError, match="the lock is of riscv64, and this machine is"):
        DockerRunner(other, path=path, image=runner.image.name, environment=sys.prefix)
    python = dataclasses.replace(lock.environment.python, version="3.99.1")
    other = dataclasses.replace(lock, environment=dataclasses.replace(lock.environment, python=python))
    with pytest.raises(ConfigurationError, match=r"the lock is of Python 3\.99, and the image has 3\."):
        DockerRunner(other, path=path, image=runner.image.name)


def test_an_image_for_another_processor_is_refused(
    runner: DockerRunner, locked: tuple[Lock, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, path = locked
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    processor = dataclasses.replace(lock.environment.processor, architecture="riscv64")
    there = dataclasses.replace(lock, environment=dataclasses.replace(lock.environment, processor=processor))
    with pytest.raises(ConfigurationError, match=rf"the image is for {runner.image.machine}, and this machine is risc"):
        DockerRunner(there, path=path, image=runner.image.name, environment=sys.prefix)


def test_a_project_that_would_hide_the_image_s_own_files_is_refused(runner: DockerRunner, folder: Path) -> None:
    inference = dataclasses.replace(make_project(folder), inputs=("data/0.npy",))
    job = job_for(inference, samples(inference), passes=(Pass(batch_size=1),))
    with pytest.raises(DataguardError, match="would hide what is in the container"):
        runner.run(dataclasses.replace(job, base=Path("/usr")))


def test_a_result_of_a_torch_network_is_bitwise_the_same(runner: DockerRunner, folder: Path) -> None:
    pytest.importorskip("torch")
    code = """
import numpy as np, torch
torch.manual_seed(0)
layers = torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3600, 10)
net = torch.nn.Sequential(*layers).eval()
def predict(paths):
    x = torch.from_numpy(np.stack([np.resize(np.load(path), (3, 17, 17)) for path in paths]).astype(np.float32) / 255)
    with torch.inference_mode():
        return net(x)
"""
    inference = dataclasses.replace(make_project(folder, code=code), memory=16.0)
    here = ProcessRunner().run(job_for(inference, samples(inference), passes=(Pass(batch_size=32, threads=1),)))
    job = job_for(inference, samples(inference), passes=(Pass(batch_size=32, threads=1),))
    there = [runner.run(job), runner.run(job)]
    for run in there:
        assert np.array_equal(np.stack(run.stages["output"]), np.stack(here.stages["output"]))
