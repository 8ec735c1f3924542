"""Clusters of Spark's own, each a master and workers that are processes here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import dataguard
from dataguard import check
from dataguard.core.errors import EngineError
from dataguard.dataset.engines import spark
from tests.dataset.by_engine import checked, pictures, told
from tests.dataset.object_store import CLOSED_LATE, S3, Front, Store, forget
from tests.dataset.servers import free_port, spark_cluster
from tests.dataset.sources.same_data import as_folder, planted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("pictures"))


@dataclass(frozen=True)
class Cluster:
    """A master and two workers, which see a store at an address of their own."""

    address: str
    folder: Path
    store: Front

    def applications(self, worker: int) -> set[Path]:
        return set((self.folder / f"worker{worker}").glob("app-*/*/stderr"))


ACCOUNT = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("pyspark")
    folder = tmp_path_factory.mktemp("cluster")
    # Nothing is behind it yet.
    store = Front(0, is_s3=True)
    try:
        with spark_cluster(folder, 2, **ACCOUNT, AWS_ENDPOINT_URL=store.address) as address:
            yield Cluster(address, folder, store)
    finally:
        store.close()


def driver() -> dict[str, str]:
    """The environment of a driver that is no part of the cluster, as a cluster's own settings would say it."""
    project = str(Path(dataguard.__file__).parents[1])
    return {
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([project, os.environ.get("PYTHONPATH", "")]),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


@pytest.mark.slow
def test_a_cluster_of_a_master_and_two_workers_comes_to_the_same(folder: Path, cluster: Cluster) -> None:
    before = [cluster.applications(number) for number in (1, 2)]

    assert checked(folder, f"spark={cluster.address}", **driver()) == told(check(folder, cache=False))
    # Both had a part in it.
    assert all(cluster.applications(number) - before[number - 1] for number in (1, 2))


@pytest.mark.slow
@CLOSED_LATE
def test_the_workers_read_the_objects_and_not_the_driver(
    cluster: Cluster, s3_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = planted(10)
    here = check(as_folder(samples, tmp_path / "data" / "d"), select=["DG801"], cache=False)
    cluster.store.port_behind = s3_port
    front = Front(s3_port, is_s3=True)
    try:
        for name, value in {**ACCOUNT, "AWS_ENDPOINT_URL": front.address}.items():
            monkeypatch.setenv(name, value)
        store = Store(S3, front, "of-a-cluster")
        store.system.mkdir(store.bucket)
        store.put(tmp_path / "data")
        found = checked(f"{store.url}/d", f"spark={cluster.address}", "DG801", **driver())
    finally:
        front.close()
        forget()
    assert found == told(here)
    assert set(cluster.store.asked) == {sample.key for sample in samples}
    assert front.asked == {}
    assert front.listings > 0


_IMPATIENT = """
import sys, warnings
warnings.simplefilter("ignore")
from dataguard.cli import main
from dataguard.dataset.engines import spark
spark._PATIENCE, spark._LOOK_EVERY = 3.0, 0.2
if __name__ == "__main__":
    sys.exit(main(["check", sys.argv[1], "--no-cache", "--engine", f"spark={sys.argv[2]}"]))
"""


def refused(folder: Path, address: str) -> str:
    """What the command says of a cluster that does nothing."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPATIENT, str(folder), address],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable},
    )
    assert done.returncode == 2, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    said = done.stderr[done.stderr.index("dataguard: ") :]
    # Spark's own lines about its start come before it, and none of its pages of Java behind it.
    assert len(said.splitlines()) == 2, said
    return said


@pytest.mark.slow
def test_a_master_without_workers_is_one_error(folder: Path, tmp_path: Path) -> None:
    with spark_cluster(tmp_path, 0) as address:
        said = refused(folder, address)
    assert f"engine = 'spark={address}': the master has no worker to give: there has been no executor for 3" in said
    assert "which workers are alive" in said


@pytest.mark.slow
def test_a_master_that_is_not_there_is_one_error_within_seconds(folder: Path) -> None:
    pytest.importorskip("pyspark")
    address = f"spark://127.0.0.1:{free_port()}"
    said = refused(folder, address)
    assert f"engine = 'spark={address}': no Spark master answers (127.0.0.1:" in said
    assert "Connection refused" in said


def test_one_of_several_masters_suffices_and_a_wrong_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_CONNECT_SECONDS", 0.0)
    closed = free_port()
    with socket.create_server(("127.0.0.1", 0)) as master:
        spark._require_master(f"spark://127.0.0.1:{closed},127.0.0.1:{master.getsockname()[1]}", "here")
    with pytest.raises(EngineError, match=r"no Spark master answers \('127\.0\.0\.1' is not host:port\)"):
        spark._require_master("spark://127.0.0.1", "here")
    with pytest.raises(EngineError, match=rf"no Spark master answers \(127\.0\.0\.1:{closed}: Connection refused\)"):
        spark._require_master(f"spark://127.0.0.1:{closed}", "here")


def test_a_master_that_is_being_started_is_waited_for() -> None:
    port = free_port()
    started = threading.Timer(0.2, lambda: servers.append(socket.create_server(("127.0.0.1", port))))
    servers: list[socket.socket] = []
    started.start()
    try:
        spark._require_master(f"spark://127.0.0.1:{port}", "here")
    finally:
        started.join()
        servers[0].close()
