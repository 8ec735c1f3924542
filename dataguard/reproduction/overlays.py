"""Single packages in other versions, put before those of an environment, which itself stays as it is."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dataguard.core.errors import ConfigurationError
from dataguard.environment.fingerprint import Fingerprint, InstalledPackage
from dataguard.environment.installed import installed
from dataguard.environment.record_files import content_hash
from dataguard.environment.requirement import normalized
from dataguard.reproduction.process_environment import (
    building,
    cache_folder,
    install_overlay,
    sweep_building,
    wheels_for,
)

_PIN = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*==\s*([\w.!+-]+)\s*")


def parse_pins(texts: Iterable[str]) -> dict[str, str]:
    """Versions by normalized name, of texts as 'Pillow==9.5.0'.

    Raises:
        ConfigurationError: one is no pin.

    >>> parse_pins(["Pillow==9.5.0"])
    {'pillow': '9.5.0'}
    """
    found = {}
    for text in texts:
        match = _PIN.fullmatch(text)
        if match is None:
            raise ConfigurationError(f"expected NAME==VERSION, got {text!r}", where="package", hint="as Pillow==9.5.0")
        found[normalized(match[1])] = match[2]
    return found


class Overlays:
    """Installs packages into folders of their own, each once, and keeps them for the next time.

    Args:
        python: The version of the Python that will import them, as '3.11.2'.
        interpreter: That Python; None for this process's own.
        platforms: Where it is not on this system, as in a container, the tags of the wheels that it takes, the newest
            first; `interpreter` is not asked then.
        folder: Where they are kept; by default the user's cache.
    """

    def __init__(
        self, python: str, *, interpreter: Path | None = None, platforms: Sequence[str] = (), folder: Path | None = None
    ) -> None:
        self._interpreter = interpreter
        self._platforms = tuple(platforms)
        self._minor = ".".join(python.split(".")[:2])
        base = (cache_folder() if folder is None else folder) / "overlays"
        self._base = base / "-".join([self._minor, platform.machine(), *self._platforms[:1]])

    def get(self, name: str, version: str) -> Path:
        """The folder with that version of a package.

        Raises:
            DataguardError: it cannot be installed, as where there is no wheel of it for this Python.
        """
        target = self._base / f"{normalized(name)}-{version}"
        if not (target / "site-packages").is_dir():
            self._base.mkdir(parents=True, exist_ok=True)
            sweep_building(self._base)
            with building(self._base, target.name) as place:
                options = wheels_for(self._minor, self._platforms) if self._platforms else None
                install_overlay(name, version, place / "site-packages", python=self._interpreter, options=options)
                # Whoever a container runs as has to read it.
                place.chmod(0o755)
                with contextlib.suppress(OSError):
                    place.rename(target)
        return target / "site-packages"


def with_overlays(environment: Fingerprint, overlays: Iterable[Path]) -> Fingerprint:
    """A fingerprint as it is with folders of packages in front."""
    packages = {item.name: item for item in environment.packages}
    before = dict(packages)
    for folder in overlays:
        for item in installed(folder).by_name.values():
            packages[item.key] = InstalledPackage(
                name=item.key,
                version=item.version,
                content=content_hash(item, ()),
                installer=item.installer,
                url=item.url,
                editable=item.editable,
            )
    if packages == before:
        return environment
    return dataclasses.replace(environment, packages=tuple(packages[name] for name in sorted(packages)))


def versions_in(environment: Fingerprint) -> Mapping[str, str]:
    """The version of each package."""
    return {item.name: item.version for item in environment.packages}
