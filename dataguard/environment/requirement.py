"""One thing that a project needs, as one line of one file says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_COMMIT = re.compile(r"@[0-9a-f]{40}(?:#|$)")
_LOCKED_URL = re.compile(r"[#&](?:sha256|sha384|sha512|md5)=[0-9a-fA-F]{32,}")
_VERSION_IN_NAME = re.compile(r"-v?(\d+(?:\.\d+)+[a-z0-9.+]*?)(?:-[^/]*\.whl|\.tar\.gz|\.zip|\.tar\.bz2|\.tgz)$")


class Pin(Enum):
    """How far a requirement leaves open what is installed."""

    EXACT = "exact"
    """One version: ``==1.2.3``, ``===1.2.3``, an archive with a hash or a version, a full commit."""
    RANGE = "range"
    """Some versions: ``>=1.2``, ``~=1.2``, ``==1.*``."""
    NONE = "none"
    """Any version."""
    MOVING = "moving"
    """A branch, a tag or an archive whose content may change under the same address."""
    LOCAL = "local"
    """A folder: the project itself, or what lies beside it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One requirement with the place that it was read from."""

    name: str
    """Normalized as PEP 503 says; '' where only an address or a folder is given."""
    written: str
    """The requirement as it stands in the file, without hashes."""
    path: str
    """The file, as its reader was told to call it."""
    line: int
    """From 1; where it begins."""
    extras: tuple[str, ...] = ()
    """Sorted."""
    specifier: str = ""
    """Versions that it allows, as PEP 440 writes them, sorted; '' for any."""
    marker: str = ""
    """The environment that it holds for, as PEP 508 writes it; '' for every one."""
    url: str | None = None
    """Where it comes from, if not from an index."""
    vcs: str | None = None
    """'git', 'hg', 'svn' or 'bzr'."""
    editable: bool = False
    constraint: bool = False
    """It does not ask for the package, it only says which version."""
    hashes: tuple[str, ...] = ()
    """``algorithm:hexadecimal``, sorted."""
    group: str = ""
    """The extra, dependency group or section that it belongs to; '' for what is always needed."""
    ecosystem: str = "pypi"
    """'pypi' or 'conda'."""
    via: tuple[str, ...] = ()
    """What asked for it, where a lock says so: names of packages, or ``-r file``."""
    conda_build: str = ""
    """The build of a conda package; '' where it is left open."""

    @property
    def version(self) -> str | None:
        """The one version that is allowed, normalized; None where there is a choice.

        >>> Requirement(name="torch", written="torch==2.1", path="r.txt", line=1, specifier="==2.1").version
        '2.1'
        """
        match = re.fullmatch(r"={1,3}\s*([^,*\s]+)", self.specifier)
        if match is None:
            return None
        try:
            return str(Version(match[1]))
        except InvalidVersion:
            return match[1]

    @property
    def pin(self) -> Pin:
        """How far it leaves open what is installed."""
        if self.version is not None:
            return Pin.EXACT
        if self.url is not None:
            return self._pin_of_url(self.url)
        return Pin.RANGE if self.specifier else Pin.NONE

    def _pin_of_url(self, url: str) -> Pin:
        if self.vcs is not None:
            return Pin.EXACT if _COMMIT.search(url) else Pin.MOVING
        if self.hashes or _LOCKED_URL.search(url) or _VERSION_IN_NAME.search(url.partition("#")[0]):
            return Pin.EXACT
        remote = re.match(r"(?:https?|ftp)://", url, re.IGNORECASE)
        return Pin.MOVING if remote else Pin.LOCAL

    def allows(self, version: str) -> bool:
        """Whether a version fits, pre-releases included; True where nothing can be said.

        >>> Requirement(name="torch", written="", path="r.txt", line=1, specifier=">=2").allows("1.13.1")
        False
        """
        if not self.specifier or self.url is not None or self.ecosystem == "conda":
            return True
        try:
            return SpecifierSet(self.specifier).contains(Version(version), prereleases=True)
        except (InvalidVersion, InvalidSpecifier):
            return True


def normalized(name: str) -> str:
    """A distribution's name as PEP 503 compares it.

    >>> normalized("Ruamel_YAML")
    'ruamel-yaml'
    """
    return canonicalize_name(name)
