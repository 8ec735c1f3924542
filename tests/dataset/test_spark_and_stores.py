"""Spark's workers fetch the objects of a store themselves; the driver only lists them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dataguard
from dataguard import check
from tests.dataset.sources.same_data import as_folder, planted
from tests.dataset.test_engines import cluster_of_processes
from tests.dataset.test_object_stores import S3, Front, Store, behind, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

_CHECK = """
import sys, warnings
warnings.simplefilter("ignore")
from dataguard.config import Config, DatasetConfig
from dataguard.dataset.engines import open_engine
from dataguard.dataset.scan import scan
from dataguard.inputs import open_source
if __name__ == "__main__":
    engine = open_engine(sys.argv[2])
    try:
        source = open_source(Config(dataset=DatasetConfig(path=sys.argv[1])))
        print(scan(source, cache=None, engine=engine).version_id)
    finally:
        engine.close()
"""


def test_the_workers_read_the_objects_and_not_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("moto", "flask", "s3fs", "pyspark"):
        pytest.importorskip(module)
    samples = planted(10)
    here = check(as_folder(samples, tmp_path / "data" / "d"), select=["DG801"], cache=False)
    port = free_port()
    with behind([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        for_driver, for_workers = Front(port, is_s3=True), Front(port, is_s3=True)
        try:
            settings = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
            for name, value in {**settings, "AWS_ENDPOINT_URL": for_driver.address}.items():
                monkeypatch.setenv(name, value)
            store = Store(S3, for_driver, "bucket")
            store.system.mkdir("bucket")
            store.put(tmp_path / "data")
            found = scanned(store.url + "/d", tmp_path, {**settings, "AWS_ENDPOINT_URL": for_workers.address})
        finally:
            for_driver.close()
            for_workers.close()
    assert found == here.subject.version_id
    assert set(for_workers.asked) == {sample.key for sample in samples}
    assert for_driver.asked == {}
    assert for_driver.listings > 0


def scanned(url: str, tmp_path: Path, for_workers: dict[str, str]) -> Any:
    """The version that a driver finds whose workers were started with other settings."""
    project = str(Path(dataguard.__file__).parents[1])
    driver = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": project}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in for_workers.items():
            patched.setenv(name, value)
        with cluster_of_processes(tmp_path, 2) as address:
            done = subprocess.run(
                [sys.executable, "-c", _CHECK, url, f"spark={address}"],
                capture_output=True,
                text=True,
                timeout=600,
                env=driver,
            )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()[-1]
