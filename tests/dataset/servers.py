"""Servers that tests start as processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LONGEST = 120.0


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def until(holds: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + _LONGEST
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def behind(command: list[str], port: int) -> Iterator[None]:
    """A server in a process of its own, once it answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def up() -> bool:
        assert process.poll() is None, f"{command[:4]} ended"
        return _answers(port)

    try:
        until(up)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def spark_cluster(folder: Path, workers: int, **environment: str) -> Iterator[str]:
    """A cluster of Spark's own: a master and workers, each a process.

    Args:
        folder: Where each worker gets a folder, ``worker1`` and so on.
        workers: How many.
        environment: Of all these processes, over the own.

    Returns:
        The master's address.
    """
    pyspark = pytest.importorskip("pyspark")
    port = free_port()
    address = f"spark://127.0.0.1:{port}"
    home = Path(pyspark.__file__).parent
    environment = {
        **os.environ,
        **environment,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
    }
    package = "org.apache.spark.deploy"
    master = [f"{package}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = [f"{package}.worker.Worker", "--cores", "1", "--memory", "1g", "--webui-port", "0"]
    places = [str(folder / f"worker{number + 1}") for number in range(workers)]
    commands = [master, *([*worker, "--work-dir", place, address] for place in places)]
    running: list[subprocess.Popen[bytes]] = []
    logs = [(folder / f"{number}.log").open("wb") for number in range(len(commands))]
    try:
        for command, log in zip(commands, logs, strict=True):
            started = [str(home / "bin/spark-class"), *command]
            running.append(subprocess.Popen(started, stdout=log, stderr=log, env=environment, cwd=folder))
        until(lambda: "I have been elected leader" in (folder / "0.log").read_text())
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(timeout=60)
        for log in logs:
            log.close()
