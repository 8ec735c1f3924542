"""The Docker engine that tests use, where there is one: `docker/engine.sh` starts it and makes its base image."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dataguard.core.containers import Engine, connect
from dataguard.core.errors import ConfigurationError

_CARRIED = ("numpy", "numpy.libs", "threadpoolctl.py", "numpy-*.dist-info", "threadpoolctl-*.dist-info")


def base_image() -> str:
    """The name that `docker/engine.sh` gives to its image here."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    release = next((line.partition("=")[2].strip('"') for line in lines if line.startswith("VERSION_CODENAME=")), "")
    return os.environ.get("DATAGUARD_BASE_IMAGE") or f"dataguard-base:{release or 'base'}"


def numpy_environment(root: Path) -> Path:
    """An environment with numpy alone, which every user can read: an image of it is made in seconds."""
    root.chmod(0o755)
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    target = root / "lib" / name / "site-packages"
    target.mkdir(parents=True)
    source = Path(sysconfig.get_path("purelib"))
    for pattern in _CARRIED:
        for place in source.glob(pattern):
            if place.is_dir():
                shutil.copytree(place, target / place.name, ignore=shutil.ignore_patterns("tests"))
            else:
                shutil.copy2(place, target / place.name)
    (root / "pyvenv.cfg").write_text(f"version = {sys.version.split()[0]}\n")
    return root


@contextmanager
def engine_with_base() -> Iterator[tuple[Engine, str]]:
    """The engine and its base image; without them the test is skipped, and says why."""
    try:
        engine = connect()
    except ConfigurationError as error:
        pytest.skip(f"{error.message} ({error.where}); docker/engine.sh starts one")
    with closing(engine):
        image = base_image()
        try:
            engine.image_id(image)
        except ConfigurationError as error:
            pytest.skip(f"{error.message} ({error.where}); docker/engine.sh makes it")
        yield engine, image
