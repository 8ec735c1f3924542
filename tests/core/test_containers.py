from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dataguard.core import containers
from dataguard.core.containers import OWNER, Box, Ending, Engine, connect
from dataguard.core.errors import ConfigurationError
from tests.docker_engine import engine_with_base

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def there() -> Iterator[tuple[Engine, str]]:
    with engine_with_base() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that nobody, as whom root's containers run, can read."""
    made = tmp_path / "given"
    made.mkdir()
    for place in (tmp_path, made):
        place.chmod(0o755)
    return made


def python(
    there: tuple[Engine, str], code: str, *, timeout: float = 60, given: bytes = b"", **given_to: object
) -> Ending:
    engine, image = there
    box = Box(image=image, command=("python3", "-c", code), **given_to)  # type: ignore[arg-type]
    return engine.run(box, timeout=timeout, given=given)


def with_label(engine: Engine, label: str) -> set[str]:
    return {one.id for one in engine.client.containers.list(all=True, filters={"label": label}, ignore_removed=True)}


def ours(engine: Engine) -> set[str]:
    """Of this process alone: others may use the engine at the same moment."""
    return with_label(engine, f"{OWNER}={containers.owner()}")


def test_a_program_reads_writes_and_ends_with_its_own_code(there: tuple[Engine, str]) -> None:
    before = ours(there[0])
    code = "import sys; t = sys.stdin.read(); print(t[::-1], end=''); sys.stderr.write('aside'); sys.exit(7)"
    ending = python(there, code, given=b"abc" * 100_000)
    assert (ending.code, ending.errors, ending.timed_out, ending.out_of_memory) == (7, b"aside", False, False)
    assert ending.output == b"cba" * 100_000
    assert ours(there[0]) == before


def test_it_has_no_privileges_no_network_and_nothing_to_write_to(there: tuple[Engine, str]) -> None:
    code = """
import os, pathlib
print(os.getuid() != 0 and os.getgid() != 0)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["CapEff"], 16), int(status["CapBnd"], 16), int(status["NoNewPrivs"]), int(status["Seccomp"]))
print(sorted(os.listdir("/sys/class/net")))
for place in ("/", "/usr/bin", "/etc", "/var/tmp", "/dev", "/home"):
    try:
        pathlib.Path(place, "x").write_text("x")
        print("wrote to", place)
    except OSError:
        pass
pathlib.Path("/tmp/x").write_text("x")
print(os.environ["HOME"], os.environ["GIVEN"])
"""
    ending = python(there, code, environment={"GIVEN": "yes"})
    assert ending.output.decode().splitlines() == ["True", "0 0 1 2", "['lo']", "/tmp yes"]  # noqa: S108


def test_it_sees_only_what_it_is_given(there: tuple[Engine, str], folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "out").mkdir(mode=0o777)
    (folder / "out").chmod(0o777)
    (folder / "in" / "a").write_text("hello")
    code = """
import pathlib
print(pathlib.Path("/in/a").read_text())
pathlib.Path("/out/b").write_text("there")
pathlib.Path("/in/a").write_text("changed")
"""
    ending = python(there, code, readable={folder / "in": "/in"}, writable={folder / "out": "/out"})
    assert ending.output == b"hello\n"
    assert b"Read-only file system: '/in/a'" in ending.errors
    assert (folder / "out" / "b").read_text() == "there"
    assert (folder / "in" / "a").read_text() == "hello"


def test_memory_processes_and_time_are_limited(there: tuple[Engine, str]) -> None:
    before = ours(there[0])
    hungry = python(there, "held = bytearray(400 << 20)", memory=0.1)
    assert hungry.out_of_memory
    assert hungry.code == 137
    many = python(there, "import os\nwhile os.fork() or True: pass", processes=16)
    assert b"BlockingIOError" in many.errors
    slow = python(there, "print('first', flush=True); import time; time.sleep(600)", timeout=2)
    assert (slow.timed_out, slow.output) == (True, b"first\n")
    assert ours(there[0]) == before


def test_what_cannot_be_started_is_named_and_leaves_nothing(there: tuple[Engine, str], tmp_path: Path) -> None:
    engine, image = there
    before = ours(engine)
    with pytest.raises(ConfigurationError, match="no such image on this machine") as raised:
        engine.run(Box(image="dataguard-no-such:image", command=("true",)), timeout=5)
    assert "docker pull dataguard-no-such:image" in str(raised.value)
    with pytest.raises(ConfigurationError, match="no such image"):
        engine.image_id("dataguard-no-such:image")
    missing = Box(image=image, command=("true",), readable={tmp_path / "missing": "/in"})
    with pytest.raises(ConfigurationError, match=r"refuses.*missing"):
        engine.run(missing, timeout=5)
    nowhere = Box(image=image, command=("true",), network="no-such-network")
    with pytest.raises(ConfigurationError, match="no-such-network"):
        engine.run(nowhere, timeout=5)
    assert ours(engine) == before


def test_the_container_of_a_killed_run_is_removed_by_the_next(there: tuple[Engine, str]) -> None:
    engine, image = there
    code = f"""
import os, signal, tempfile
from dataguard.core.containers import Box, connect
running = connect().start(Box(image={image!r}, command=("sleep", "600")), errors=tempfile.TemporaryFile())
print(running.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    written = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    left = written.stdout.strip()
    assert len(left) == 64, written.stderr
    own = engine.start(Box(image=image, command=("sleep", "600")), errors=sys.stderr.buffer)
    try:
        engine.remove_leftovers()
        assert left not in with_label(engine, OWNER)
        assert own.id in ours(engine)
    finally:
        own.close()
    assert own.id not in ours(engine)


def test_whose_a_container_is_does_not_rest_on_a_process_id_alone() -> None:
    boot, namespace, pid, start = containers.owner().split("/")
    assert int(pid) == os.getpid()
    assert not containers._left_over(containers.owner(), idle=True, made="2020-01-01T00:00:00")
    later = f"{boot}/{namespace}/{pid}/{int(start) + 1}"
    assert containers._left_over(later, idle=False, made="2020-01-01T00:00:00")
    elsewhere = f"another-boot/{namespace}/{pid}/{start}"
    assert not containers._left_over(elsewhere, idle=False, made="2020-01-01T00:00:00")
    assert containers._left_over(elsewhere, idle=True, made="2020-01-01T00:00:00")
    assert not containers._left_over(elsewhere, idle=True, made="2999-01-01T00:00:00")
    assert not containers._left_over("something else", idle=True, made="no time")


def test_without_the_sdk_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(ConfigurationError, match="SDK for Python is not installed") as raised:
        connect()
    assert "pip install 'dataguard[docker]'" in str(raised.value)


def test_without_an_engine_its_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    address = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    with pytest.raises(ConfigurationError, match="no Docker engine answers") as raised:
        connect()
    assert str(address) in str(raised.value)
    with socket.socket(socket.AF_UNIX) as bound:
        # Bound, and nobody listens.
        bound.bind(str(address))
        with pytest.raises(ConfigurationError, match="no Docker engine answers"):
            connect()


def test_an_engine_that_may_not_be_used_is_another_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    address = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    root = os.getuid() == 0
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(address))
        bound.listen()
        address.chmod(0)
        if root:
            os.seteuid(65534)
        try:
            with pytest.raises(ConfigurationError, match="may not be used by this user") as raised:
                connect()
        finally:
            if root:
                os.seteuid(0)
    assert "group docker" in str(raised.value)


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"Runtimes": {"runc": {}, "nvidia": {}}}, {"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}),
        (
            {"Runtimes": {"runc": {}}, "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]},
            {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]},
        ),
        (
            {"Runtimes": {"nvidia": {}}, "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]},
            {"Driver": "", "Count": -1},
        ),
        ({}, {"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}),
    ],
)
def test_cards_are_asked_for_by_what_the_engine_has(about: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    pytest.importorskip("docker")
    (request,) = Engine(SimpleNamespace(info=lambda: about))._devices()
    assert {key: request[key] for key in expected} == expected


@pytest.mark.parametrize(
    "said",
    [
        'could not select device driver "" with capabilities: [[gpu]]',
        'could not select device driver "cdi" with capabilities: []',
        "OCI runtime create failed: nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1",
        "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all",
        "setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all",
    ],
)
def test_an_engine_without_cards_says_so_in_one_sentence_and_leaves_nothing(said: str) -> None:
    docker = pytest.importorskip("docker")
    removed = []

    def refuse() -> None:
        raise docker.errors.APIError("500 Server Error", explanation=said)

    ours, far = socket.socketpair()
    container = SimpleNamespace(
        id="x", attach_socket=lambda **_: ours, start=refuse, remove=lambda **how: removed.append(how)
    )
    seen: list[Mapping[str, Any]] = []

    def create(*_: object, **given: Any) -> object:
        seen.append(given)
        return container

    engine = Engine(SimpleNamespace(info=dict, containers=SimpleNamespace(create=create)))
    with pytest.raises(ConfigurationError, match="a graphics card was asked for, and this engine has none") as raised:
        engine.run(Box(image="an-image", command=("true",), gpus=True), timeout=5)
    far.close()
    assert "without --gpus" in str(raised.value)
    assert said not in str(raised.value)
    assert seen[0]["device_requests"][0]["Capabilities"] == [["gpu"]]
    assert removed
    assert all(how == {"force": True, "v": True} for how in removed)
