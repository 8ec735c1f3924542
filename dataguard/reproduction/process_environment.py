"""A fresh virtual environment of the same Python from a lock, kept under the hash of what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dataguard.core.errors import DataguardError, SourceError
from dataguard.core.progress import Progress, silent
from dataguard.environment.fingerprint import InstalledPackage
from dataguard.environment.pinning.pythons import nearest_python
from dataguard.reproduction.leftovers import is_alive, owner
from dataguard.reproduction.lock import Lock

TIMEOUT = 1800.0
"""Seconds that installing may take; torch with CUDA has 3 GB."""
_BUILDING = re.compile(r".*\.building-(\d+\.\d+)-\w+")
_NOT_FROM_INDEX = frozenset({"dataguard", "pip", "setuptools", "wheel"})
"""Left out: what makes environments, which every one has in its own version, and dataguard, which no run imports."""


def cache_folder() -> Path:
    """Where environments are kept: in ``$DATAGUARD_CACHE_DIR``, or the user's cache folder."""
    if chosen := os.environ.get("DATAGUARD_CACHE_DIR"):
        return Path(chosen) / "environments"
    import platformdirs

    return Path(platformdirs.user_cache_dir("dataguard")) / "environments"


def wanted(lock: Lock) -> list[InstalledPackage]:
    """The packages that go into an environment: those of an index.

    What the run did not import is among them: what is imported may depend on the input.
    """
    return [
        item
        for item in lock.environment.packages
        if not item.editable
        and not item.url
        and (item.name not in _NOT_FROM_INDEX or item.name in _used(lock))
        and item.name != "dataguard"
    ]


def _used(lock: Lock) -> set[str]:
    return {name.lower().replace("_", "-").replace(".", "-") for name in lock.used}


def requirements(lock: Lock) -> tuple[str, bool]:
    """The text of a requirements file, and whether every package in it has a hash."""
    hashes: dict[str, list[str]] = {}
    for archive in lock.archives:
        hashes.setdefault(archive.name, []).append(archive.sha256)
    packages = wanted(lock)
    complete = all(item.name in hashes for item in packages)
    lines = []
    for item in packages:
        known = hashes.get(item.name, []) if complete else []
        lines.append(" ".join([f"{item.name}=={item.version}", *(f"--hash=sha256:{value}" for value in known)]))
    return "\n".join(lines) + "\n", complete


def environment_from(lock: Lock, *, folder: Path | None = None, progress: Progress = silent) -> Path:
    """The folder of a virtual environment with what a lock names; made where there is none yet.

    Where every package has hashes, pip checks them; else only versions are pinned, and DG607 compares what came of it
    with what was locked, file by file.

    Raises:
        SourceError: there is no such Python, or this is another kind of processor.
        DataguardError: pip could not install it.
    """
    import platform

    architecture = lock.environment.processor.architecture
    if architecture and architecture != platform.machine():
        raise SourceError(
            f"the lock is of {architecture}, and this machine is {platform.machine()}",
            where="dataguard.lock",
            hint="packages of the one do not run on the other; run it there, or with --runner here",
        )
    minor = ".".join(lock.environment.python.version.split(".")[:2])
    python = nearest_python(minor)
    if python is None or python.minor != minor:
        raise SourceError(
            f"Python {minor} is not installed here",
            where="dataguard.lock",
            hint=f"install python{minor}, or use Docker",
        )
    text, hashed = requirements(lock)
    base = cache_folder() if folder is None else folder
    base.mkdir(parents=True, exist_ok=True)
    sweep_building(base)
    name = hashlib.sha256(f"{python.version}\n{text}".encode()).hexdigest()[:24]
    target = base / name
    if (target / "pyvenv.cfg").is_file():
        return target
    progress("making the environment", 0, None)
    with building(base, name) as place:
        _make(Path(python.path), place)
        _install(place / "bin" / "python", text, hashed=hashed)
        with contextlib.suppress(OSError):
            # Another process may have been quicker; its environment is the same.
            place.rename(target)
    return target


@contextlib.contextmanager
def building(base: Path, name: str) -> Iterator[Path]:
    """A new folder to build in; where it is not renamed, it is removed."""
    place = Path(tempfile.mkdtemp(prefix=f"{name}.building-{owner()}-", dir=base))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def sweep_building(base: Path) -> tuple[str, ...]:
    """Remove what killed runs had begun to build."""
    removed = []
    for entry in sorted(base.glob("*.building-*")):
        match = _BUILDING.fullmatch(entry.name)
        if match is not None and not is_alive(match[1]):
            shutil.rmtree(entry, ignore_errors=True)
            removed.append(entry.name)
    return tuple(removed)


def _make(python: Path, place: Path) -> None:
    done = subprocess.run(
        [str(python), "-m", "venv", "--without-pip", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DataguardError(
            "no virtual environment could be made", where=place, hint=_last(done.stderr or done.stdout)
        )


def _install(python: Path, text: str, *, hashed: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="dataguard-") as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text(text, encoding="utf-8")
        pip(
            [
                "--python",
                str(python),
                "install",
                "--no-deps",
                "--quiet",
                *(["--require-hashes"] if hashed else []),
                "-r",
                str(listed),
            ]
        )


def wheels_for(minor: str, tags: Sequence[str]) -> list[str]:
    """The options by which pip takes wheels for another Python or system than its own.

    Args:
        minor: Of CPython, as '3.11'.
        tags: Of platforms, the newest first.
    """
    options = ["--only-binary", ":all:", "--python-version", minor, "--implementation", "cp"]
    for name in ("cp" + minor.replace(".", ""), "abi3", "none"):
        options += ["--abi", name]
    for tag in tags:
        options += ["--platform", tag]
    return options


def install_overlay(
    name: str, version: str, target: Path, *, python: Path | None = None, options: Sequence[str] | None = None
) -> None:
    """Install one version of one package, without what it needs, into a folder of its own.

    Args:
        name: The package.
        version: Its version.
        target: The folder.
        python: Which Python it is for; None for this process's own.
        options: In its place, those of `wheels_for`.

    Raises:
        DataguardError: pip could not.
    """
    chosen = ["--python", str(python)] if python is not None and options is None else []
    pip(
        [
            *chosen,
            "install",
            "--no-deps",
            "--quiet",
            *(["--only-binary", ":all:"] if options is None else options),
            "--target",
            str(target),
            f"{name}=={version}",
        ]
    )


def pip(arguments: Sequence[str]) -> None:
    """Run pip.

    Raises:
        DataguardError: it is not here, or it failed.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )
    except subprocess.TimeoutExpired as error:
        raise DataguardError(f"pip did not end within {TIMEOUT:g} s", where="pip install") from error
    if done.returncode:
        if "No module named pip" in done.stderr:
            raise DataguardError("pip is not installed here", where=sys.executable, hint="python -m ensurepip")
        raise DataguardError(f"pip could not install it: {_last(done.stderr)}", where="pip install")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[notice]")]
    errors = [line for line in lines if line.upper().startswith("ERROR")]
    return (errors or lines or ["no reason given"])[-1][:400]
