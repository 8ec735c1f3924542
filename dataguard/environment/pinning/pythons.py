"""Which Python a project of some day would have run on, and where one like it is installed."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from dataguard.core.errors import SourceError

FIRST_RELEASES: dict[str, dt.date] = {
    "3.6": dt.date(2016, 12, 23),
    "3.7": dt.date(2018, 6, 27),
    "3.8": dt.date(2019, 10, 14),
    "3.9": dt.date(2020, 10, 5),
    "3.10": dt.date(2021, 10, 4),
    "3.11": dt.date(2022, 10, 24),
    "3.12": dt.date(2023, 10, 2),
    "3.13": dt.date(2024, 10, 7),
    "3.14": dt.date(2025, 10, 7),
}
"""The day of each first release: PEP 494, 537, 569, 596, 619, 664, 693, 719 and 745."""
SETTLING = dt.timedelta(days=240)
"""How long after its first release a Python is taken for what people used. TensorFlow had wheels for 3.8, 3.9, 3.10,
3.11 and 3.12 after 7, 7, 4, 5 and 5 months, torch after 3 to 5."""
MAINTAINED = dt.timedelta(days=5 * 365)
"""How long after its first release a Python is maintained (PEP 602)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """An installed Python."""

    path: str
    version: str
    """As '3.7.16'."""

    @property
    def minor(self) -> str:
        """Its first two numbers, as '3.7'."""
        return ".".join(self.version.split(".")[:2])


def end_of(minor: str) -> dt.datetime | None:
    """When a Python was maintained no longer, in UTC; None where it still is, or is not known.

    >>> end_of("3.7").year
    2023
    """
    first = FIRST_RELEASES.get(minor)
    if first is None:
        return None
    end = dt.datetime.combine(first + MAINTAINED, dt.time(), dt.UTC)
    return end if end < dt.datetime.now(dt.UTC) else None


def python_of(day: dt.date, demands: Iterable[str] = ()) -> str:
    """The Python that was in use on a day, as '3.7': the newest that had been out for `SETTLING`.

    >>> python_of(dt.date(2019, 12, 4)), python_of(dt.date(2019, 12, 4), [">=3.8"])
    ('3.7', '3.8')

    Args:
        day: The day.
        demands: What the project's files say of Python, as PEP 440; those that nothing fits are ignored.
    """
    known = list(FIRST_RELEASES)
    settled = [minor for minor in known if FIRST_RELEASES[minor] + SETTLING <= day] or known[:1]
    for choice in (settled[::-1], [minor for minor in known if minor not in settled]):
        for minor in choice:
            if all(_fits(demand, minor) for demand in demands):
                return minor
    return settled[-1]


def _fits(demand: str, minor: str) -> bool:
    try:
        allowed = SpecifierSet(demand)
    except InvalidSpecifier:
        return True
    # A demand as >=3.8.1 is met by a late patch release, one as <3.8 by the first.
    return any(allowed.contains(Version(f"{minor}.{patch}"), prereleases=True) for patch in (0, 30))


def nearest_python(minor: str) -> Interpreter | None:
    """An installed Python of that minor version; else of the next older, else of the next newer one; None without any.

    Args:
        minor: As '3.7'.
    """
    wanted = Version(minor).release
    found: dict[tuple[int, ...], list[Path]] = {}
    for name, path in _candidates():
        found.setdefault(Version(name).release, []).append(path)
    older = sorted((release for release in found if release <= wanted), reverse=True)
    for release in (*older, *sorted(release for release in found if release > wanted)):
        for path in found[release]:
            interpreter = interpreter_at(path)
            if interpreter is not None and Version(interpreter.minor).release == release:
                return interpreter
    return None


def find_python(named: str) -> Interpreter:
    """The Python that a person names: a version, as '3.8', or the path of an interpreter.

    Raises:
        SourceError: it is not installed.
    """
    if re.fullmatch(r"\d+\.\d+(?:\.\d+)?", named):
        minor = ".".join(named.split(".")[:2])
        found = nearest_python(minor)
        if found is not None and found.minor == minor:
            return found
        others = sorted({name for name, _ in _candidates()}, key=Version)
        raise SourceError(
            f"Python {minor} is not installed", where="--python", hint=f"there are {', '.join(others) or 'none'}"
        )
    path = Path(os.path.abspath(shutil.which(named) or named))  # noqa: PTH100 - a virtual environment's link counts
    interpreter = interpreter_at(path)
    if interpreter is None:
        raise SourceError("no Python that runs", where=path, hint="name an interpreter, or a version as 3.8")
    return interpreter


def interpreter_at(path: str | Path) -> Interpreter | None:
    """An interpreter with its version; None where it does not run."""
    command = [str(path), "-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = done.stdout.strip()
    if done.returncode != 0 or not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return None
    return Interpreter(path=str(path), version=version)


def own_python() -> Interpreter:
    """This process's own."""
    return Interpreter(path=sys.executable, version=".".join(map(str, sys.version_info[:3])))


def _candidates() -> Iterator[tuple[str, Path]]:
    """Minor versions with where one may be installed; what is a mere name for another is found when it is run."""
    yield ".".join(map(str, sys.version_info[:2])), Path(sys.executable)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for minor in FIRST_RELEASES:
            path = Path(folder, f"python{minor}")
            if folder and path.is_file() and os.access(path, os.X_OK):
                yield minor, path
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    stores = (
        Path(os.environ.get("PYENV_ROOT") or home / ".pyenv", "versions"),
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"),
    )
    for store in stores:
        for path in sorted(store.glob("*/bin/python3")) if store.is_dir() else ():
            named = re.match(r"(?:cpython-)?(3\.\d+)", path.parent.parent.name)
            if named is not None:
                yield named[1], path
