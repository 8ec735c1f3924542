"""The images that `docker/` makes of dataguard, from wheels that pip fetched here: a build may have no network."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docker_engine import engine_with_base

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.txt", "docker/requirements-build.txt")
SHIPPED = (
    "LICENSE",
    "README.md",
    "dataguard",
    "docker",
    "hatch_build.py",
    "pyproject.toml",
    "requirements.txt",
    "schemas",
)
_VERSION = "import platform; print(platform.python_version())"
_WHEELS = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/source/wheels"}


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The docker command, whatever comes of it."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True)


class DockerImage(NamedTuple):
    """An image, by name."""

    name: str
    base: str
    """What it was made from."""


@contextmanager
def dataguard_image() -> Iterator[DockerImage]:
    """The image of `docker/Dockerfile`; where it cannot be had the test is skipped, and says why."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command here")
    with engine_with_base() as (_, base), tempfile.TemporaryDirectory() as temporary:
        context = Path(temporary)
        for name in SHIPPED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, context / name)
        for lock in LOCKS:
            _fetch(context, base, "--require-hashes", "-r", str(ROOT / lock))
        with _built(context, "docker/Dockerfile", {"BASE": base, **_WHEELS}, network="none") as name:
            yield DockerImage(name, base)


@contextmanager
def spark_image(dataguard: DockerImage) -> Iterator[str]:
    """The image of `docker/Dockerfile.spark`, with the versions of PySpark and pyarrow that are installed here.

    Args:
        dataguard: The image that it is made from.
    """
    try:
        versions = {name: metadata.version(name) for name in ("pyspark", "pyarrow")}
    except metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    (py4j,) = (line for line in metadata.requires("pyspark") or () if re.match(r"py4j\b", line) and "extra" not in line)
    with tempfile.TemporaryDirectory() as temporary:
        context = Path(temporary)
        (context / "docker").mkdir()
        shutil.copy(ROOT / "docker/requirements-spark.txt", context / "docker")
        _fetch(context, dataguard.base, "--no-deps", py4j.partition(";")[0], f"pyarrow=={versions['pyarrow']}")
        # There is no wheel of it to download; pip has kept the one that it made when it was installed.
        wanted = ("--quiet", "--no-deps", "--wheel-dir", str(context / "wheels"), f"pyspark=={versions['pyspark']}")
        _required(subprocess.run([sys.executable, "-m", "pip", "wheel", *wanted], capture_output=True, text=True))
        arguments = {"BASE": dataguard.base, "DATAGUARD": dataguard.name, **_WHEELS}
        # Java comes from the mirrors that apt is configured with.
        with _built(context, str(ROOT / "docker/Dockerfile.spark"), arguments, network="host") as name:
            yield name


def _fetch(context: Path, base: str, *wanted: str) -> None:
    version = docker("run", "--rm", "--network", "none", base, "python3", "-c", _VERSION).stdout.strip()
    options = ("--quiet", "--only-binary", ":all:", "--python-version", version, "--dest", str(context / "wheels"))
    _required(
        subprocess.run([sys.executable, "-m", "pip", "download", *options, *wanted], capture_output=True, text=True)
    )


def _required(fetched: subprocess.CompletedProcess[str]) -> None:
    if fetched.returncode != 0:
        pytest.skip(f"pip cannot fetch the wheels here: {fetched.stderr.strip()[-300:]}")


@contextmanager
def _built(context: Path, file: str, arguments: Mapping[str, str], *, network: str) -> Iterator[str]:
    name = f"dataguard-test:{uuid.uuid4().hex}"
    given = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    where = str(context / file)
    # One at a time: a second process of tests finds the layers of the first.
    with (Path(tempfile.gettempdir()) / f"dataguard-image-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = docker("build", "--network", network, "--quiet", "-f", where, *given, "-t", name, str(context))
    assert built.returncode == 0, built.stdout + built.stderr
    try:
        yield name
    finally:
        docker("image", "rm", "--force", "--no-prune", name)
