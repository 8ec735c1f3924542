"""Containers: a Docker engine that is asked clearly, and runs that reach nothing and leave nothing behind.

Every container carries the label `OWNER`, which names the process that it belongs to; `connect` removes those whose
process is gone, so that a run that was killed is cleaned up by the next one. Nothing is ever pulled.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from dataguard.core.errors import ConfigurationError, DataguardError

OWNER = "dataguard.owner"
"""Label of every container: boot id, namespace of process ids, process id and the process's start, by '/'."""
NOBODY = "65534:65534"
"""Debian's and everyone's nobody:nogroup."""
TOO_OLD = 24 * 3600.0
"""Seconds after which a container of another machine or an earlier boot that does not run is a leftover: nothing waits
a day between making a container and starting it."""
_FRAME = struct.Struct(">BxxxL")
_NO_CARD = ("could not select device driver", "nvidia-container-cli", "unresolvable CDI devices")
"""What engines say that are asked for a graphics card and have none: Docker, NVIDIA's runtime, and CDI (podman too)."""
_ERRORS = 2
"""Frames of Docker's stream: number of the stream (1 output, 2 errors), three zeros, length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """What a container runs and is given; by default it reaches nothing else.

    It has no network, a root that is read-only, no capabilities and no way to new privileges, and does not run as root.
    """

    image: str
    """Name or id of an image that is there."""
    command: tuple[str, ...]
    """Program and arguments, in place of what the image would run."""
    readable: Mapping[Path, str] = field(default_factory=dict)
    """Files and folders of this machine, and where they are seen, read-only."""
    writable: Mapping[Path, str] = field(default_factory=dict)
    """Folders of this machine, and where they are seen and written to."""
    covers: tuple[tuple[Path, str], ...] = ()
    """Files and folders of this machine, and what is hidden by them, read-only: parts of what can be read otherwise."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of the image and HOME, which is /tmp."""
    folder: str = "/tmp"  # noqa: S108 - in the container
    """The folder inside that it works in."""
    user: str | None = None
    """``uid:gid``; by default who runs dataguard, or nobody where that is root."""
    network: str = "none"
    """Docker's network mode."""
    memory: float | None = None
    """GiB, without any swap; None for all there is."""
    processes: int = 256
    """Processes and threads at one time."""
    scratch: float = 1.0
    """GiB of /tmp, the one place inside that can be written to, and of shared memory; they count towards the memory."""
    gpus: bool = False
    """Whether it is given the machine's graphics cards."""


class EngineLost(DataguardError):
    """The engine answered, and then no longer did: it was stopped, or it crashed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a container's program ended."""

    code: int
    """Exit code; 128 + n for signal n."""
    out_of_memory: bool
    """Whether it was killed because it reached its limit of memory."""
    output: bytes = b""
    """What it wrote to its output."""
    errors: bytes = b""
    """What it wrote to its errors."""
    timed_out: bool = False
    """Whether it was killed because its time was over."""
    seconds: float = 0.0
    """From its start to its end."""


class Engine:
    """A Docker engine that answers; `connect` gives it, and it is closed at the end.

    Args:
        client: A ``docker.DockerClient``.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.removed = 0
        """Containers of runs that were killed, which `connect` removed."""

    def image_id(self, name: str) -> str:
        """The id, ``sha256:…``, of an image that is there.

        Raises:
            ConfigurationError: there is none of that name.
        """
        try:
            return str(self.client.images.get(name).id)
        except _docker().errors.APIError as error:
            raise _refused(error, name) from error

    def start(self, box: Box, *, errors: BinaryIO) -> Running:
        """Start a program whose input and output are pipes.

        Args:
            box: What it is given.
            errors: Where what it writes to its errors goes, as far as its output is read.

        Raises:
            ConfigurationError: the image is not there or has no such program, or the engine refuses.
        """
        docker = _docker()
        mounts = [
            docker.types.Mount(inside, str(place.absolute()), type="bind", read_only=read_only)
            for places, read_only in ((box.readable.items(), True), (box.writable.items(), False), (box.covers, True))
            for place, inside in places
        ]
        memory = None if box.memory is None else int(box.memory * (1 << 30))
        container: Any = None
        running: Running | None = None
        try:
            container = self.client.containers.create(
                box.image,
                entrypoint=list(box.command),
                command=[],
                mounts=mounts,
                environment={"HOME": "/tmp", **box.environment},  # noqa: S108
                working_dir=box.folder,
                user=box.user or _own_user(),
                network_mode=box.network,
                mem_limit=memory,
                memswap_limit=memory,
                pids_limit=box.processes,
                tmpfs={"/tmp": f"rw,nosuid,nodev,mode=1777,size={int(box.scratch * (1 << 30))}"},  # noqa: S108
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                shm_size=int(box.scratch * (1 << 30)),
                device_requests=self._devices() if box.gpus else None,
                init=True,
                stdin_open=True,
                log_config=docker.types.LogConfig(type="none"),
                labels={OWNER: owner()},
            )
            running = Running(container, errors)
            container.start()
        except BaseException as error:
            if running is not None:
                running.close()
            _removed(container)
            if isinstance(error, docker.errors.APIError):
                raise _refused(error, box.image) from error
            if isinstance(error, OSError):
                raise _lost(error) from error
            raise
        return running

    def _devices(self) -> list[Any]:
        """All cards, by the interface of which the engine has a driver: NVIDIA's own runtime, else CDI (Docker 28)."""
        about = self.client.info()
        found = " ".join(str(item.get("ID", "")) for item in about.get("DiscoveredDevices") or [])
        request = _docker().types.DeviceRequest
        if "nvidia" not in (about.get("Runtimes") or {}) and "nvidia.com/gpu=all" in found:
            return [request(driver="cdi", device_ids=["nvidia.com/gpu=all"])]
        return [request(count=-1, capabilities=[["gpu"]])]

    def run(self, box: Box, *, timeout: float, given: bytes = b"") -> Ending:
        """Run a program to its end, and remove its container.

        Args:
            box: What it is given.
            timeout: Seconds until it is killed.
            given: What it reads from its input.

        Raises:
            ConfigurationError: as in `start`.
        """
        with tempfile.TemporaryFile() as errors:
            running = self.start(box, errors=errors)
            started = time.monotonic()
            late = threading.Event()

            def too_late() -> None:
                late.set()
                running.kill()

            timer = threading.Timer(timeout, too_late)
            timer.daemon = True
            timer.start()
            try:
                with contextlib.suppress(OSError):
                    running.stdin.write(given)
                running.stdin.close()
                output = b"".join(iter(lambda: running.stdout.read(1 << 16), b""))
                ending = running.wait()
            finally:
                timer.cancel()
                running.close()
            errors.seek(0)
            return Ending(
                code=ending.code,
                out_of_memory=ending.out_of_memory,
                output=output,
                errors=errors.read(),
                timed_out=late.is_set(),
                seconds=time.monotonic() - started,
            )

    def close(self) -> None:
        """Give up the connection; what was started is closed by itself."""
        self.client.close()

    def remove_leftovers(self) -> int:
        """Remove the containers of processes that are gone, and say how many there were."""
        removed = 0
        for container in self.client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True):
            idle = container.status not in ("running", "paused", "restarting")
            if _left_over(container.labels.get(OWNER, ""), idle=idle, made=container.attrs.get("Created", "")):
                _removed(container)
                removed += 1
        return removed


class Running:
    """A program in a container, with pipes to it: `stdin` is written to, `stdout` is read from."""

    def __init__(self, container: Any, errors: BinaryIO) -> None:
        self._container = container
        # Before it starts, so that nothing that it writes is missed.
        parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._attached = container.attach_socket(params=parameters)
        self._socket = getattr(self._attached, "_sock", self._attached)
        self._socket.settimeout(None)
        self.stdin = _Input(self._socket)
        self.stdout = _Output(self._socket, errors)

    @property
    def id(self) -> str:
        """Docker's id of the container."""
        return str(self._container.id)

    def kill(self) -> None:
        """End it now; what it has written can still be read."""
        with contextlib.suppress(*engine_errors()):
            self._container.kill()

    @property
    def process(self) -> int:
        """Its first process as this machine counts them; 0 where it runs no longer.

        Raises:
            EngineLost: the engine no longer answers.
        """
        return int(self._state()["Pid"])

    def wait(self) -> Ending:
        """How it ended; waits until it has.

        Raises:
            EngineLost: the engine no longer answers.
        """
        try:
            # Without a limit: who calls this has seen the end of its output, or kills it when its time is over.
            self._container.wait(timeout=None)
        except engine_errors() as error:
            raise _lost(error) from error
        state = self._state()
        return Ending(code=int(state["ExitCode"]), out_of_memory=bool(state["OOMKilled"]))

    def _state(self) -> Mapping[str, Any]:
        try:
            self._container.reload()
        except engine_errors() as error:
            raise _lost(error) from error
        state: Mapping[str, Any] = self._container.attrs["State"]
        return state

    def close(self) -> None:
        """End it, and remove its container; may be called again."""
        _removed(self._container)
        for wire in (self._attached, self._socket):
            with contextlib.suppress(OSError):
                wire.close()


class _Input:
    """What is written to a container's program."""

    def __init__(self, wire: Any) -> None:
        self._socket = wire

    def write(self, content: bytes) -> None:
        self._socket.sendall(content)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)


class _Output:
    """What a container's program writes to its output; its errors, which come over the same wire, go elsewhere."""

    def __init__(self, wire: Any, errors: BinaryIO) -> None:
        self._socket = wire
        self._errors = errors
        self._held = memoryview(b"")

    def read(self, count: int) -> bytes:
        """Up to `count` bytes; none at the end."""
        while not self._held:
            header = self._exactly(_FRAME.size)
            if len(header) < _FRAME.size:
                return b""
            stream, length = _FRAME.unpack(header)
            content = self._exactly(length)
            if stream == _ERRORS:
                self._errors.write(content)
                self._errors.flush()
            else:
                self._held = memoryview(content)
        part, self._held = self._held[:count], self._held[count:]
        return bytes(part)

    def close(self) -> None:
        """The wire is closed with the container."""

    def _exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self._socket.recv(length - len(parts))
            if not part:
                break
            parts += part
        return bytes(parts)


def connect() -> Engine:
    """The engine that ``DOCKER_HOST`` names, or this machine's, with the leftovers of runs that were killed removed.

    Raises:
        ConfigurationError: there is no SDK or no engine, or it may not be used.
    """
    docker = _docker()
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if address.startswith("unix://"):
        # First by hand: the SDK wraps the reason away, and leaves sockets open.
        try:
            with socket.socket(socket.AF_UNIX) as trial:
                trial.connect(address.removeprefix("unix://"))
        except PermissionError as error:
            raise ConfigurationError(
                "the Docker engine may not be used by this user",
                where=address,
                hint="ask for membership in the group docker, which amounts to root, or use rootless Docker",
            ) from error
        except OSError as error:
            raise _no_engine(error.strerror or str(error), address) from error
    try:
        engine = Engine(docker.from_env())
    except docker.errors.DockerException as error:
        raise _no_engine(str(error), address) from error
    engine.removed = engine.remove_leftovers()
    return engine


def owner() -> str:
    """What the label `OWNER` says of this process."""
    pid = os.getpid()
    return "/".join((_boot(), _namespace(), str(pid), _start_of(pid) or "0"))


def _left_over(label: str, *, idle: bool, made: str) -> bool:
    parts = label.split("/")
    if len(parts) == 4 and parts[0] == _boot() and parts[1] == _namespace() and parts[2].isdigit():
        return _start_of(int(parts[2])) != parts[3]
    # Of another machine, or of a container, that uses this engine, or of an earlier boot: who owns it is not seen.
    from datetime import datetime

    try:
        age = time.time() - datetime.fromisoformat(made[:19] + "+00:00").timestamp()
    except ValueError:
        return False
    return idle and age > TOO_OLD


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _namespace() -> str:
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def _start_of(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None where there is none. Process ids are used again."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # proc(5): the name, in parentheses, may hold anything; the start is the 20th field after it.
    return text.rpartition(")")[2].split()[19]


def _own_user() -> str:
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() else NOBODY


def engine_errors() -> tuple[type[Exception], ...]:
    """What a request to an engine raises: it refuses, or it is gone."""
    return (_docker().errors.DockerException, OSError)


def _docker() -> Any:
    try:
        return importlib.import_module("docker")
    except ImportError as error:
        raise ConfigurationError(
            "the Docker SDK for Python is not installed", where="docker", hint="pip install 'dataguard[docker]'"
        ) from error


def _removed(container: Any) -> None:
    if container is not None:
        # Gone already, or on its way; or the engine is, and the next run removes it.
        with contextlib.suppress(*engine_errors()):
            container.remove(force=True, v=True)


def _refused(error: Any, image: str) -> ConfigurationError:
    """What the engine said no to, in the user's terms."""
    said = " ".join(str(error.explanation or error).split())
    if isinstance(error, _docker().errors.ImageNotFound) or "No such image" in said:
        return ConfigurationError(
            "there is no such image on this machine",
            where=image,
            hint=f"nothing is pulled without being asked for: docker pull {image}, or docker build -t {image} .",
        )
    if any(words in said for words in _NO_CARD):
        return ConfigurationError(
            "a graphics card was asked for, and this engine has none to give",
            where=image,
            hint="run it without --gpus; with a card, install NVIDIA's container toolkit and start the engine again",
        )
    if "executable file not found" in said or "no such file or directory: unknown" in said:
        return ConfigurationError(
            f"the image cannot run what is asked of it: {said}", where=image, hint="take an image that has it"
        )
    return ConfigurationError(f"the engine refuses: {said}", where=image, hint="try it with docker run")


def _lost(error: Exception) -> EngineLost:
    return EngineLost(
        f"the Docker engine went away while a container ran: {' '.join(str(error).split())[:200]}",
        where=os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock",
        hint="start it again, and run this again: what the container left behind is removed then",
    )


def _no_engine(reason: str, address: str) -> ConfigurationError:
    return ConfigurationError(
        f"no Docker engine answers: {reason}",
        where=address,
        hint="install and start it, or say where it is with DOCKER_HOST",
    )
