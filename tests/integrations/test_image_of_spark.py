"""`docker/spark.yaml` is a cluster: what it finds is what is found here, also when a worker is lost on the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataguard.cli import main
from tests.dataguard_image import ROOT, DockerImage, docker, spark_image

pytestmark = pytest.mark.slow

OPTIONS = ("--format", "json", "--no-cache", "--select", "DG102,DG301,DG303,DG801")
"""Rules that look at the table alone: what they find follows from what the cluster decoded."""
CHECK = ("python3", "-P", "-m", "dataguard", "check", "/data", *OPTIONS)
ENGINE = ("--engine", "spark=spark://master:7077")
LONGEST = 600.0
"""Seconds until something is taken for stuck; nothing here takes a fifth of it."""


@dataclass(frozen=True)
class Cluster:
    """A project of docker compose."""

    command: list[str]
    environment: dict[str, str]

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.started(*arguments)
        out, err = process.communicate(timeout=LONGEST)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def check(self, *options: str) -> subprocess.Popen[str]:
        return self.started("run", "--rm", "--no-deps", "-T", "check", *CHECK, *options)


def compose() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        found = shutil.which(command[0])
        if found and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    pytest.skip("there is no docker compose here")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's digits in splits and classes; a test picture is in training too, and a file is torn."""
    from sklearn.datasets import load_digits

    root = tmp_path_factory.mktemp("digits") / "data"
    found = load_digits()
    for number, (pixels, label) in enumerate(zip(found.images, found.target, strict=True)):
        folder = root / ("train" if number % 4 else "test") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15.9375).astype(np.uint8)).save(folder / f"{number:04}.png")
    shutil.copy(root / "test/0/0000.png", root / "train/0/copy.png")
    (root / "train/1/0001.png").write_bytes((root / "train/1/0001.png").read_bytes()[:60])
    # The image runs as nobody.
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return root


@pytest.fixture(scope="module")
def cluster(image: DockerImage, digits: Path) -> Iterator[Cluster]:
    command = compose()
    with spark_image(image) as name:
        project = f"dataguard-test-{uuid.uuid4().hex[:12]}"
        there = Cluster(
            [*command, "-p", project, "-f", str(ROOT / "docker/spark.yaml")],
            {**os.environ, "DATA": str(digits), "IMAGE": name},
        )
        try:
            up = there.run("up", "--detach", "master", "worker")
            if up.returncode != 0 and "network" in up.stderr.lower():
                pytest.skip(f"this engine makes no networks: {up.stderr.strip()[-300:]}")
            assert up.returncode == 0, up.stderr
            yield there
        finally:
            there.run("down", "--timeout", "1")


def told(process: subprocess.Popen[str]) -> tuple[str, list[dict[str, Any]]]:
    """Version and outcomes of a driver's report, without times; something was found."""
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 1, err[-3000:]
    return parsed(out)


def parsed(text: str) -> tuple[str, list[dict[str, Any]]]:
    report = json.loads(text[text.index("{") :])
    runs = report["runs"]
    for run in runs:
        run.pop("seconds")
    return report["subject"]["version_id"], runs


def findings(runs: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(run["code"], run["status"], run["findings"]) for run in runs]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cluster_of_containers_comes_to_the_same_and_outlives_a_worker(
    cluster: Cluster, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(digits), *OPTIONS]) == 1
    version, runs = parsed(capsys.readouterr().out.replace(str(digits), "/data"))
    assert {code for code, status, _ in findings(runs) if status == "found"} >= {"DG303", "DG801"}
    # To the last bit in the same image; here, libraries of other builds may round what is observed beside it otherwise.
    without_engine = told(cluster.check())
    assert (without_engine[0], findings(without_engine[1])) == (version, findings(runs))

    assert told(cluster.check(*ENGINE)) == without_engine

    one, other = cluster.run("ps", "--quiet", "worker").stdout.split()
    again = cluster.check(*ENGINE)

    def at_work() -> bool:
        assert again.poll() is None
        return "pyspark.daemon" in docker("top", one, "-eo", "pid,args").stdout

    until(at_work)
    assert docker("kill", one).returncode == 0
    assert again.poll() is None
    assert told(again) == without_engine
    assert docker("inspect", "--format", "{{.State.Running}}", other).stdout.strip() == "true"
