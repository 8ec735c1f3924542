"""``dataguard reproduce --runner docker`` as a user has it: what is right, what goes wrong, and what is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dataguard.cli import main
from dataguard.core.containers import OWNER, Engine
from dataguard.core.users_code import python_path
from dataguard.reproduction.image import LABEL
from tests.docker_engine import numpy_environment
from tests.reproduction.made_project import CODE, CONFIG, make_project, replaced

pytestmark = pytest.mark.slow
LIMITED = CONFIG + "memory = 4.0\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numpy_environment(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    (folder / "dataguard.toml").write_text(LIMITED)
    assert main(["lock", "--config", str(folder / "dataguard.toml"), "--offline", "--no-exports"]) == 0
    return folder


def ours(engine: Engine) -> list[str]:
    return [one.id for one in engine.client.containers.list(all=True, filters={"label": OWNER})]


def docker(project: Path, small: Path, image: str, *more: str) -> list[str]:
    return ["reproduce", str(project), "--runner", "docker", "--image", image, "--environment", str(small), *more]


def test_the_result_is_bitwise_that_of_the_host(
    there: tuple[Engine, str], project: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(docker(project, small, there[1])) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "verdict bitwise" in said
    assert "run in a container of" in said
    assert f"dataguard reproduce dataguard.lock --runner docker --image {there[1]}" in said


def test_a_changed_result_exits_with_1(
    there: tuple[Engine, str], project: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replaced(project, {"picture[:4, :4]": "picture[1:5, :4]"})
    assert main(docker(project, small, there[1])) == 1
    assert "First changed: the preprocessing stage" in " ".join(capsys.readouterr().out.split())


def test_harm_exits_with_2_and_is_named(
    there: tuple[Engine, str], project: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = (project / "dataguard.golden.npz").read_bytes()
    replaced(project, {"    decoded =": "    open('dataguard.golden.npz', 'wb').write(b'mine')\n    decoded ="})
    assert main(docker(project, small, there[1])) == 2
    said = capsys.readouterr().err
    assert "Read-only file system: 'dataguard.golden.npz'" in said
    assert "Traceback" not in said
    assert (project / "dataguard.golden.npz").read_bytes() == golden


def test_what_cannot_be_run_exits_with_2_and_one_sentence(
    there: tuple[Engine, str], project: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, image = there
    nvidia = "nvidia" in engine.client.info().get("Runtimes", {})
    for arguments, message in (
        (docker(project, small, "dataguard-no-such:image"), "there is no such image on this machine"),
        (docker(project, small, image, "--gpus"), "" if nvidia else "a graphics card was asked for"),
        (["bisect", *docker(project, small, image, "--gpus")[1:]], "" if nvidia else "a graphics card was asked for"),
        (
            ["lock", "--config", str(project), "--offline", *docker(project, small, image, "--gpus")[2:]],
            "" if nvidia else "a graphics card was asked for",
        ),
        (["reproduce", str(project), "--gpus"], "are for the runner 'docker'"),
        (["reproduce", str(project), "--image", image], "are for the runner 'docker'"),
        (docker(project, small, image, "--package", "numpy>1"), "expected NAME==VERSION"),
        (["reproduce", str(project), "--bundle", str(project / "nowhere" / "x.tar")], "no such folder"),
    ):
        if message:
            assert main(arguments) == 2
            said = capsys.readouterr().err
            assert message in said
            assert said.count("hint:") <= 1
            assert "Traceback" not in said
    assert all(not mine(label) for label in labels(engine))


def labels(engine: Engine) -> list[str]:
    found = engine.client.containers.list(all=True, filters={"label": OWNER})
    return [one.labels[OWNER] for one in found]


def mine(label: str) -> bool:
    return label.split("/")[2] == str(os.getpid())


def test_without_an_engine_it_exits_with_2(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert main(["reproduce", str(project), "--runner", "docker"]) == 2
    assert "no Docker engine answers" in capsys.readouterr().err


def test_an_engine_that_may_not_be_used_exits_with_2(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project}/d.sock")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.connect", refuse)
    assert main(["reproduce", str(project), "--runner", "docker"]) == 2
    said = capsys.readouterr().err
    assert "the Docker engine may not be used by this user" in said
    assert "ask for membership in the group docker" in said
    assert "Traceback" not in said


class Relay:
    """A socket through which an engine is reached, until it is cut as if the engine had died."""

    def __init__(self, path: Path, engine: str) -> None:
        self._engine = engine
        self._open: list[socket.socket] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._engine)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(1 << 16):
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        for one in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def waited(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def slowly(project: Path) -> None:
    """Let the inference take long: it ends with what runs it."""
    assert "def predict" in CODE
    replaced(project, {"    decoded =": "    import time\n    time.sleep(600)\n    decoded ="})


def started(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dataguard", *arguments],
        env={**os.environ, "PYTHONPATH": python_path(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def running(engine: Engine, pid: int) -> bool:
    found = engine.client.containers.list(filters={"label": OWNER})
    return any(one.labels[OWNER].split("/")[2] == str(pid) and "sleep" in project_code(one) for one in found)


def project_code(container: object) -> str:
    """'sleep' where the container is the one that runs the project."""
    mounts = getattr(container, "attrs", {}).get("Mounts", [])
    return "sleep" if any(mount["Destination"].endswith("/job.json") for mount in mounts) else ""


def test_an_engine_that_dies_midway_is_named_and_what_it_left_is_removed_later(
    there: tuple[Engine, str], project: Path, small: Path, tmp_path: Path
) -> None:
    engine, image = there
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not address.startswith("unix://"):
        pytest.skip("the engine is not reached through a socket of this machine")
    slowly(project)
    relay = Relay(tmp_path / "d.sock", address.removeprefix("unix://"))
    process = started(docker(project, small, image), DOCKER_HOST=f"unix://{tmp_path}/d.sock")
    assert waited(lambda: running(engine, process.pid))
    relay.cut()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert "the Docker engine went away while a container ran" in said
    assert "Traceback" not in said
    engine.remove_leftovers()
    assert all(label.split("/")[2] != str(process.pid) for label in labels(engine))


def test_a_container_that_is_killed_from_outside_ends_the_run(
    there: tuple[Engine, str], project: Path, small: Path
) -> None:
    engine, image = there
    slowly(project)
    process = started(docker(project, small, image))
    assert waited(lambda: running(engine, process.pid))
    for one in engine.client.containers.list(filters={"label": OWNER}):
        if one.labels[OWNER].split("/")[2] == str(process.pid):
            one.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "ended without a result: signal SIGKILL" in said
    assert all(label.split("/")[2] != str(process.pid) for label in labels(engine))


def test_a_killed_run_leaves_nothing_on_the_next(
    there: tuple[Engine, str], project: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, image = there
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    fast = Path(shutil.copytree(project, tmp_path / "fast"))
    fast.chmod(0o755)
    slowly(project)
    process = started(docker(project, small, image), TMPDIR=str(scratch))
    assert waited(lambda: running(engine, process.pid))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert any(label.split("/")[2] == str(process.pid) for label in labels(engine))
    assert list(scratch.glob("dataguard-run-*"))
    again = started(docker(fast, small, image), TMPDIR=str(scratch))
    said, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert "killed run(s) had left behind" in " ".join(said.split())
    assert all(label.split("/")[2] != str(process.pid) for label in labels(engine))
    assert not list(scratch.glob("dataguard-run-*"))


def test_a_bundle_runs_where_there_is_nothing_else(
    there: tuple[Engine, str], project: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, image = there
    bundle = tmp_path / "result.tar"
    before = set(images(engine))
    try:
        arguments = ["--bundle", str(bundle), "--image", image, "--environment", str(small)]
        assert main(["reproduce", str(project), *arguments]) == 0
        assert "written: result.tar" in " ".join(capsys.readouterr().out.split())
        shutil.rmtree(project)
        remove(engine, set(images(engine)) - before)
        assert main(["reproduce", str(bundle)]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "verdict bitwise" in said
        assert "dataguard reproduce result.tar" in said
        assert main(["reproduce", str(bundle), "--image", image]) == 2
        assert "has its own image" in capsys.readouterr().err
        content = bytearray(bundle.read_bytes())
        content[content.index(b"WEIGHTS = rng.normal")] ^= 1
        bundle.write_bytes(content)
        assert main(["reproduce", str(bundle)]) == 2
        assert "'infer.py' is not what was bundled" in capsys.readouterr().err
        bundle.write_bytes(content[: len(content) // 100])
        assert main(["reproduce", str(bundle)]) == 2
        assert "bundle" in capsys.readouterr().err
    finally:
        remove(engine, set(images(engine)) - before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.tar"]


def images(engine: Engine) -> list[str]:
    return [one.id for one in engine.client.images.list(filters={"label": LABEL})]


def remove(engine: Engine, found: set[str]) -> None:
    for name in found:
        engine.client.images.remove(name, force=True)


def test_an_archive_that_is_no_bundle_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    assert main(["reproduce", str(path)]) == 2
    assert "not a bundle of dataguard" in capsys.readouterr().err
