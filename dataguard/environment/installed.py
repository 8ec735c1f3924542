"""Which distributions are installed in an environment, read from their metadata; nothing is imported.

An environment is a folder that a virtual environment, conda or a plain Python lives in (``bin/python``,
``lib/python3.11/site-packages``), a ``site-packages`` folder itself, or the environment of this process.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.environment.requirement import normalized

_HEAD = 64 * 1024
"""Bytes of a metadata file that are read: name and version come first, the long description last."""
_SMALL = 1024 * 1024
"""Bytes of a ``direct_url.json`` or of an INSTALLER that are read."""
_NAMES_OF_ENVIRONMENTS = (".venv", "venv", "env", ".env", "virtualenv")
_KINDS = (".dist-info", ".egg-info")


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """One installed distribution."""

    name: str
    """As its metadata spell it, as 'Pillow'."""
    version: str
    """As its metadata spell it; '' where they say none."""
    location: str
    """The absolute ``site-packages`` folder that it lies in."""
    metadata: str
    """The absolute path of its ``.dist-info`` or ``.egg-info``."""
    installer: str = ""
    """What installed it: 'pip', 'uv', 'conda', …; '' where nothing says."""
    url: str = ""
    """Where it came from, where that was not an index: a URL, a repository with its commit, a folder. No password."""
    editable: bool = False
    """Whether the code is used from the developer's folder."""
    requires_python: str = ""
    """Its own demand on Python, as '>=3.9'."""

    @property
    def key(self) -> str:
        """The normalized name of PEP 503, as 'opencv-python'."""
        return normalized(self.name)

    @property
    def record(self) -> Path | None:
        """The list of its files with their hashes; None where the installer wrote none."""
        path = Path(self.metadata) / "RECORD"
        return path if path.is_file() else None


@dataclass(frozen=True, kw_only=True)
class InstalledEnvironment:
    """The distributions of one environment."""

    root: str
    """The absolute folder of the environment (its prefix)."""
    folders: tuple[str, ...]
    """The ``site-packages`` folders, in the order that Python looks through them."""
    python: str
    """The version of its Python, as '3.11.2'; only '3.11' where nothing says more, '' where nothing says anything."""
    distributions: tuple[Distribution, ...]
    """Every distribution, by name, those found first foremost."""
    unreadable: tuple[str, ...] = ()
    """Metadata folders that hold no name: what a broken installation leaves."""
    named: bool = True
    """Whether somebody said that this is the one; False where it was only the likeliest."""
    prefix: str = ""
    """What a report puts before a path from ``root``; '' where its paths are from there."""

    @cached_property
    def by_name(self) -> Mapping[str, Distribution]:
        """The distribution that Python would use, by normalized name."""
        found: dict[str, Distribution] = {}
        for distribution in self.distributions:
            found.setdefault(distribution.key, distribution)
        return found

    @cached_property
    def shadowed(self) -> tuple[Distribution, ...]:
        """Those that lie there and another of the same name is in front of."""
        return tuple(item for item in self.distributions if self.by_name[item.key] is not item)


def installed(path: str | Path | None = None, *, named: bool = True) -> InstalledEnvironment:
    """The distributions of an environment.

    Args:
        path: The folder of a virtual environment, of conda or of Python, or a ``site-packages``; None for this
            process's own. A project's folder stands for the ``.venv``, ``venv`` or ``env`` in it.
        named: What `InstalledEnvironment.named` says.

    Raises:
        SourceError: there is no such folder, or it is no environment.
    """
    if path is None:
        return _read(Path(sys.prefix), _own_folders(), platform.python_version(), named=named)
    chosen = Path(os.path.abspath(path))  # noqa: PTH100 - a link to an environment keeps its name
    if not chosen.is_dir():
        raise SourceError("no such folder", where=chosen, hint="name the folder of a virtual environment")
    environment = find_environment(chosen)
    if environment is None:
        raise SourceError(
            "no Python environment: it holds neither pyvenv.cfg nor lib/pythonX.Y/site-packages",
            where=chosen,
            hint="name the folder of a virtual environment, as .venv, or its site-packages",
        )
    folders = _site_folders(environment)
    return _read(environment, folders, _python_version(environment, folders), named=named)


def environment_of(project: str | Path) -> InstalledEnvironment:
    """The environment that a project most likely runs in.

    That is the one in its folder; else the one that is active in the shell (``VIRTUAL_ENV``, ``CONDA_PREFIX``); else
    this process's own. Only the first says so itself: the others have ``named`` False.
    """
    folder = Path(os.path.abspath(project))  # noqa: PTH100 - a link to an environment keeps its name
    inside = find_environment(folder)
    if inside is not None:
        return installed(inside)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        active = os.environ.get(name)
        if active and os.path.realpath(active) != os.path.realpath(sys.prefix):
            found = find_environment(Path(active))
            if found is not None:
                return installed(found, named=False)
    return installed(named=False)


def find_environment(folder: Path) -> Path | None:
    """The environment that a folder is, or that lies in it under one of the usual names; None where there is none."""
    for candidate in (folder, *(folder / name for name in _NAMES_OF_ENVIRONMENTS)):
        if candidate.is_dir() and _site_folders(candidate):
            return candidate
    return None


def _own_folders() -> list[Path]:
    found = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    # What else Python would import from: user site, a system's dist-packages, what PYTHONPATH names.
    found += [Path(entry) for entry in sys.path if entry and Path(entry).name in {"site-packages", "dist-packages"}]
    ordered = sorted(dict.fromkeys(found), key=lambda path: _position(str(path)))
    return [path for path in ordered if path.is_dir()]


def _position(folder: str) -> int:
    return sys.path.index(folder) if folder in sys.path else len(sys.path)


def _site_folders(environment: Path) -> list[Path]:
    if environment.name in {"site-packages", "dist-packages"}:
        return [environment]
    patterns = ["lib/python3*/site-packages", "lib64/python3*/site-packages", "Lib/site-packages"]
    if not (environment / "pyvenv.cfg").is_file():
        patterns += ["lib/python3*/dist-packages", "lib/python3/dist-packages"]
    found: dict[str, Path] = {}
    for pattern in patterns:
        for path in sorted(environment.glob(pattern)):
            # lib64 is usually a link to lib.
            found.setdefault(os.path.realpath(path), path)
    return [path for path in found.values() if path.is_dir()]


def _python_version(environment: Path, folders: Iterable[Path]) -> str:
    try:
        for line in (environment / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()[:100]:
            key, _, value = line.partition("=")
            if key.strip().lower() in {"version", "version_info"}:
                match = re.match(r"\d+\.\d+(\.\d+)?", value.strip())
                if match:
                    return match[0]
    except OSError:
        pass
    for folder in folders:
        match = re.fullmatch(r"python(3\.\d+)", folder.parent.name)
        if match:
            return match[1]
    return ""


def _read(root: Path, folders: Iterable[Path], python: str, *, named: bool) -> InstalledEnvironment:
    found: list[Distribution] = []
    broken: list[str] = []
    kept = tuple(str(folder) for folder in folders)
    for folder in kept:
        for entry in _metadata(folder):
            distribution = _distribution(folder, entry)
            if distribution is None:
                broken.append(entry)
            else:
                found.append(distribution)
    # Stable: of two of one name the first folder's stays first.
    found.sort(key=lambda item: item.key)
    return InstalledEnvironment(
        root=str(root),
        folders=kept,
        python=python,
        distributions=tuple(found),
        unreadable=tuple(sorted(broken)),
        named=named,
    )


def _metadata(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(_KINDS))
    except OSError:
        return
    for name in names:
        yield str(Path(folder) / name)


def _distribution(folder: str, metadata: str) -> Distribution | None:
    is_folder = Path(metadata).is_dir()
    name = "METADATA" if metadata.endswith(".dist-info") else "PKG-INFO"
    fields = _fields(Path(metadata) / name if is_folder else Path(metadata))
    if not fields.get("name"):
        return None
    url, editable = _direct_url(Path(metadata) / "direct_url.json") if is_folder else ("", False)
    return Distribution(
        name=fields["name"],
        version=fields.get("version", ""),
        location=folder,
        metadata=metadata,
        installer=_text(Path(metadata) / "INSTALLER", 100).strip() if is_folder else "",
        url=url,
        editable=editable,
        requires_python=fields.get("requires-python", ""),
    )


def _fields(path: Path) -> dict[str, str]:
    """The first value of each header; the body is not read."""
    fields: dict[str, str] = {}
    for line in _text(path, _HEAD).splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            fields.setdefault(key.strip().lower(), value.strip())
    return fields


def _direct_url(path: Path) -> tuple[str, bool]:
    text = _text(path, _SMALL)
    if not text:
        return "", False
    try:
        document = json.loads(text)
        url = without_password(str(document["url"]))
        commit = str(document.get("vcs_info", {}).get("commit_id", ""))
        editable = bool(document.get("dir_info", {}).get("editable"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", False
    return (f"{url}@{commit}" if commit else url), editable


def without_password(url: str) -> str:
    """A URL without what is before the ``@`` of its host, and without its query: both may be a secret.

    >>> without_password("https://me:token@example.org/simple?key=1")
    'https://example.org/simple'
    """
    head, separator, rest = url.partition("://")
    if not separator:
        return url
    rest = rest.split("?", 1)[0]
    host, slash, path = rest.partition("/")
    return head + separator + host.rpartition("@")[2] + slash + path


def _text(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""
