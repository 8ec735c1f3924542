"""The packages of a lock for the Python of an image: a folder that is installed once, and mounted read-only."""

from __future__ import annotations

import contextlib
import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dataguard.core.containers import Box, Engine
from dataguard.core.errors import ConfigurationError, DataguardError
from dataguard.core.progress import Progress, silent
from dataguard.environment.installed import InstalledEnvironment, installed
from dataguard.reproduction.image import PACKAGES, Image
from dataguard.reproduction.lock import Lock
from dataguard.reproduction.process_environment import (
    TIMEOUT,
    building,
    cache_folder,
    pip,
    requirements,
    sweep_building,
    wheels_for,
)

_OLDEST_GLIBC, _NEWEST_GLIBC = 5, 28
"""manylinux_2_5 is the first there was; where an image does not say its glibc, one as old as RHEL 8's is assumed."""
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""PEP 600: the older names of tags, by the second number of their glibc."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packages:
    """A folder of packages that is mounted into containers."""

    folder: Path
    """A ``site-packages``."""
    requirements: str
    """What was asked for; '' for an environment that was there already."""
    key: str
    """SHA-256 of what was asked for, and of the Python and the system that it is for."""
    environment: InstalledEnvironment

    @property
    def minor(self) -> str:
        """The first two numbers of the Python that they are for; '' where nothing says."""
        return ".".join(self.environment.python.split(".")[:2])


def packages_of(environment: str | Path | None, *, image: Image) -> Packages:
    """The packages of an environment of this machine, as they are.

    Args:
        environment: The folder of a virtual environment.
        image: What they are to be imported in.

    Raises:
        SourceError: it is no environment.
        ConfigurationError: they are for another Python than the image's.
    """
    found = installed(environment)
    python = ".".join(found.python.split(".")[:2])
    if python and python != image.minor:
        raise ConfigurationError(
            f"the image has Python {image.python}, and the environment is one of {python}",
            where=image.name,
            hint=f"name an image with Python {python}: --image python:{python}-slim",
        )
    folder = Path(found.folders[0])
    key = hashlib.sha256(f"{image.minor}\n{folder}\n".encode())
    for item in found.by_name.values():
        key.update(f"{item.key}=={item.version}\n".encode())
    return Packages(folder=folder, requirements="", key=key.hexdigest(), environment=found)


def packages_from(lock: Lock, image: Image, *, folder: Path | None = None, progress: Progress = silent) -> Packages:
    """The packages of a lock for an image's Python; installed by pip where they are not there yet.

    Only wheels are taken, so nothing of a package runs on this machine. Where every package of the lock has hashes, pip
    checks them.

    Args:
        lock: What names them.
        image: Whose Python and C library they are for.
        folder: Where they are kept; by default the user's cache.
        progress: Told that they are installed.

    Raises:
        ConfigurationError: the lock is of another Python than the image.
        DataguardError: pip could not install them.
    """
    minor = ".".join(lock.environment.python.version.split(".")[:2])
    if minor != image.minor:
        raise ConfigurationError(
            f"the lock is of Python {minor}, and the image has {image.python}",
            where=image.name,
            hint=f"name one with Python {minor}: --image python:{minor}-slim",
        )
    text, hashed = requirements(lock)
    tags = platforms(image)
    key = hashlib.sha256(f"{minor}\n{image.machine}\n{image.libc}\n{text}".encode()).hexdigest()
    base = (cache_folder() if folder is None else folder) / "containers"
    target = base / key[:24]
    if not (target / "site-packages").is_dir():
        base.mkdir(parents=True, exist_ok=True)
        sweep_building(base)
        progress("installing packages for the image", 0, None)
        with building(base, target.name) as place:
            (place / "site-packages").mkdir()
            listed = place / "requirements.txt"
            listed.write_text(text, encoding="utf-8")
            if text.strip():
                _install(listed, place / "site-packages", minor, tags, hashed=hashed)
                _compile(place / "site-packages", minor)
            # Whoever a container runs as has to read them.
            place.chmod(0o755)
            with contextlib.suppress(OSError):
                # Another process may have been quicker; its folder is the same.
                place.rename(target)
    return Packages(
        folder=target / "site-packages", requirements=text, key=key, environment=installed(target / "site-packages")
    )


def packages_in(engine: Engine, image: Image, *, folder: Path | None = None, progress: Progress = silent) -> Packages:
    """The packages that are built into an image, copied out once, so that what a run imports is known file by file.

    Args:
        engine: Where the image is.
        image: One that `built_image` made, here or elsewhere.
        folder: Where the copy is kept; by default the user's cache.
        progress: Told that it copies.

    Raises:
        DataguardError: there are none in it.
    """
    base = (cache_folder() if folder is None else folder) / "containers"
    target = base / f"image-{image.id.removeprefix('sha256:')[:24]}"
    if not (target / "site-packages").is_dir():
        base.mkdir(parents=True, exist_ok=True)
        sweep_building(base)
        progress("reading the packages of the image", 0, None)
        with building(base, target.name) as place:
            place.chmod(0o777)
            box = Box(image=image.id, command=("python3", "-c", _COPY), writable={place: "/dataguard/out"})
            ending = engine.run(box, timeout=TIMEOUT)
            if ending.code or not (place / "site-packages").is_dir():
                said = ending.errors.decode("utf-8", "replace").strip().splitlines()[-1:]
                raise DataguardError(f"the image's packages cannot be read: {said}", where=image.name)
            place.chmod(0o755)
            with contextlib.suppress(OSError):
                place.rename(target)
    return Packages(
        folder=target / "site-packages",
        requirements="",
        key=image.packages,
        environment=installed(target / "site-packages"),
    )


_COPY = f"import os, shutil; os.umask(0); shutil.copytree({PACKAGES!r}, '/dataguard/out/site-packages')"
"""In the container, so that a link in an image leads to nothing of this machine."""


def _install(listed: Path, target: Path, minor: str, tags: list[str], *, hashed: bool) -> None:
    arguments = ["install", "--quiet", "--no-deps", "--no-compile", "--target", str(target), *wheels_for(minor, tags)]
    arguments += [*(["--require-hashes"] if hashed else []), "-r", str(listed)]
    try:
        pip(arguments)
    except DataguardError as error:
        raise DataguardError(
            error.message,
            where=error.where,
            hint="only wheels are taken; --environment takes an environment that is there already in place of the lock",
        ) from error


def _compile(folder: Path, minor: str) -> None:
    """Compile what is mounted read-only, where this Python is of the same version; torch starts seconds sooner then."""
    if sys.version_info[:2] == tuple(map(int, minor.split("."))):
        # By content, not by time, so that it holds in an image too. What does not compile is left as it is.
        subprocess.run(
            [sys.executable, "-m", "compileall", "-qq", "-j0", "--invalidation-mode", "unchecked-hash", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def platforms(image: Image) -> list[str]:
    """The platform tags of the wheels that run in an image, the newest first (PEP 600, PEP 656)."""
    if image.libc == "musl":
        return [*(f"musllinux_1_{number}_{image.machine}" for number in (2, 1, 0)), f"linux_{image.machine}"]
    match = re.search(r"2\.(\d+)", image.libc)
    newest = int(match[1]) if match else _NEWEST_GLIBC
    tags = []
    for number in range(newest, _OLDEST_GLIBC - 1, -1):
        tags.append(f"manylinux_2_{number}_{image.machine}")
        if number in _LEGACY:
            tags.append(f"{_LEGACY[number]}_{image.machine}")
    return [*tags, f"linux_{image.machine}", "any"]
