"""A requirement as pip reads it: a name with versions, an address, or a folder.

The steps are those of pip's ``parse_req_from_line`` and ``parse_editable``, with two differences: nothing is raised,
as a line that pip refuses is one problem of a file of many lines; and a folder keeps the name that the file gives it,
so that no path of this machine gets into a report.
"""

from __future__ import annotations

import os
import posixpath
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from dataguard.environment.requirement import Requirement

VCS_SCHEMES = frozenset(
    f"{tool}+{transport}"
    for tool, transports in {
        "git": "http https ssh git file",
        "hg": "file http https ssh static-http",
        "svn": "ssh http https svn file",
        "bzr": "http https ssh sftp ftp lp file",
    }.items()
    for transport in transports.split()
)
"""What pip takes for the address of a repository."""
ARCHIVES = (".zip", ".whl", ".tar.bz2", ".tbz", ".tar.gz", ".tgz", ".tar", ".tar.xz", ".txz", ".tlz")

_SCHEMES = frozenset({"http", "https", "file", "ftp"}) | VCS_SCHEMES
_EGG = re.compile(r"[#&]egg=([^&]*)")
_NAME = re.compile(r"([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])", re.IGNORECASE)
_EXTRAS = re.compile(r"^(.+)(\[[^\]]+\])$")
_SALVAGE = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?=\[|[<>=!~]=?|\(|@|$)")


class UnreadableRequirement(Exception):
    """The text is no requirement; the message says why, `name` what it probably meant."""

    def __init__(self, reason: str, name: str = "", url: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.name = name
        self.url = url


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What one requirement says."""

    name: str = ""
    extras: tuple[str, ...] = ()
    specifier: str = ""
    marker: str = ""
    url: str | None = None
    vcs: str | None = None

    def requirement(
        self,
        *,
        written: str,
        path: str,
        line: int,
        group: str = "",
        editable: bool = False,
        constraint: bool = False,
        hashes: tuple[str, ...] = (),
    ) -> Requirement:
        """The requirement, with the place that it was read from; see `Requirement` for the fields."""
        return Requirement(
            name=self.name,
            written=written,
            path=path,
            line=line,
            extras=self.extras,
            specifier=self.specifier,
            marker=self.marker,
            url=self.url,
            vcs=self.vcs,
            group=group,
            editable=editable,
            constraint=constraint,
            hashes=hashes,
        )


def parse_requirement(text: str, *, folders: tuple[Path, ...] = ()) -> Parts:
    """What a line of a requirements file asks for.

    >>> parse_requirement("Pillow[xmp] >= 10 ; python_version > '3.8'")
    Parts(name='pillow', extras=('xmp',), specifier='>=10', marker='python_version > "3.8"', url=None, vcs=None)
    >>> parse_requirement("git+https://github.com/openai/CLIP.git#egg=clip").vcs
    'git'

    Args:
        text: The line without comment and options.
        folders: What a relative path may be relative to, in this order.

    Raises:
        UnreadableRequirement: pip would refuse it.
    """
    is_address = _is_address(text)
    separator = "; " if is_address else ";"
    name, _, marker_text = text.partition(separator)
    marker = _marker(marker_text.strip(), name) if marker_text.strip() else ""
    name = name.strip()
    if not name:
        raise UnreadableRequirement("no name")
    url, extras = (name, "") if is_address else _local(name, folders)
    if url is None:
        parsed = _parsed(name)
        return _joined(parsed, marker=marker, extras=extras)
    if _extension(url) == ".whl":
        try:
            wheel, version, _, _ = parse_wheel_filename(_file_name(url))
        except InvalidWheelFilename as error:
            raise UnreadableRequirement(str(error), url=url) from error
        _egg(url)
        return Parts(
            name=wheel, specifier=f"=={version}", marker=marker, url=url, vcs=_vcs(url), extras=_extras(extras)
        )
    egg = _egg(url)
    if egg is None:
        return Parts(marker=marker, url=url, vcs=_vcs(url), extras=_extras(extras))
    return Parts(name=_checked(egg), marker=marker, url=url, vcs=_vcs(url), extras=_extras(extras))


def parse_editable(text: str, *, folders: tuple[Path, ...] = ()) -> Parts:
    """What follows ``-e``: a folder or the address of a repository.

    Raises:
        UnreadableRequirement: pip would refuse it.
    """
    try:
        parsed = Parsed(text)
    except InvalidRequirement:
        parsed = None
    if parsed is not None and parsed.url:
        if _vcs(parsed.url) is None and not parsed.url.lower().startswith("file:"):
            raise UnreadableRequirement(
                "not a folder, and not the address of a repository", canonicalize_name(parsed.name)
            )
        _egg(parsed.url)
        return _joined(parsed, marker="", extras="")
    match = _EXTRAS.match(text)
    path, extras = (match[1].rstrip(), match[2]) if match else (text, "")
    if any((folder / path).is_dir() for folder in folders):
        return Parts(url=path, extras=_extras(extras))
    if path.lower().startswith("file:"):
        return Parts(name=_checked(_egg(path)), url=path, extras=_extras(extras))
    url = text
    for tool in ("git", "hg", "svn", "bzr"):
        if url.lower().startswith(f"{tool}:"):
            url = f"{tool}+{url}"
            break
    if _vcs(url) is None:
        raise UnreadableRequirement("not a folder, and not the address of a repository", url=url)
    egg = _egg(url)
    if not egg:
        raise UnreadableRequirement("its name is not given: add #egg=NAME", url=url)
    return Parts(name=_checked(egg), url=url, vcs=_vcs(url))


def _joined(parsed: Parsed, *, marker: str, extras: str) -> Parts:
    if parsed.url:
        _egg(parsed.url)
    return Parts(
        name=canonicalize_name(parsed.name),
        extras=_extras(extras) or tuple(sorted(canonicalize_name(extra) for extra in parsed.extras)),
        specifier=str(parsed.specifier),
        marker=marker or (str(parsed.marker) if parsed.marker else ""),
        url=parsed.url,
        vcs=_vcs(parsed.url) if parsed.url else None,
    )


def _parsed(text: str) -> Parsed:
    try:
        return Parsed(text)
    except InvalidRequirement as error:
        reason = str(error).split("\n", 1)[0]
        if "=" in text and not re.search(r"[=~!<>]=|[<>]", text):
            reason = "= compares nothing; == was probably meant"
        elif "/" in text:
            reason = "looks like a path, and there is no such folder or archive"
        match = _SALVAGE.match(text)
        name = canonicalize_name(match[1]) if match and "/" not in text else ""
        raise UnreadableRequirement(reason, name) from error


def _marker(text: str, name: str) -> str:
    try:
        return str(Marker(text))
    except InvalidMarker as error:
        match = _SALVAGE.match(name)
        reason = f"the marker cannot be read: {str(error).splitlines()[0]}"
        raise UnreadableRequirement(reason, canonicalize_name(match[1]) if match else "") from error


def _checked(name: str | None) -> str:
    return "" if name is None else canonicalize_name(_parsed(name).name)


def _extras(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        return tuple(sorted(canonicalize_name(extra) for extra in Parsed("x" + text).extras))
    except InvalidRequirement as error:
        raise UnreadableRequirement(f"the extras {text} cannot be read") from error


def _is_address(text: str) -> bool:
    return _scheme(text) in _SCHEMES


def _scheme(text: str) -> str:
    try:
        return urllib.parse.urlsplit(text).scheme
    except ValueError as error:
        raise UnreadableRequirement(f"not an address: {error}") from error


def _vcs(url: str) -> str | None:
    scheme = _scheme(url)
    return scheme.partition("+")[0] if scheme in VCS_SCHEMES else None


def _egg(url: str) -> str | None:
    match = _EGG.search(url)
    if match is None:
        return None
    if not _NAME.match(match[1]) or not _NAME.fullmatch(match[1]):
        salvage = re.match(r"[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*", match[1])
        name = canonicalize_name(salvage[0]) if salvage else ""
        raise UnreadableRequirement(f"#egg={match[1]} is no name; extras go before the @", name, url)
    return match[1]


def _file_name(url: str) -> str:
    path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    return posixpath.basename(path.rstrip("/"))


def _extension(url: str) -> str:
    name = _file_name(url)
    return posixpath.splitext(name)[1]


def _local(name: str, folders: tuple[Path, ...]) -> tuple[str | None, str]:
    """The folder or archive that a text names, if any, and the extras at its end."""
    plain = os.path.normpath(name)
    match = _EXTRAS.match(plain)
    path, extras = (match[1].rstrip(), match[2]) if match else (plain, "")
    like_path = "/" in name or name.startswith(".")
    exists = _anywhere(folders, path, Path.is_dir)
    if like_path and exists is not None:
        if not any((exists / file).is_file() for file in ("setup.py", "pyproject.toml")):
            raise UnreadableRequirement("the folder has neither setup.py nor pyproject.toml")
        return path, extras
    if not path.lower().endswith(ARCHIVES):
        return None, extras
    if _anywhere(folders, path, Path.is_file) is not None:
        return path, extras
    before, mark, _ = name.partition("@")
    if mark and "/" not in before and not before.startswith("."):
        return None, extras
    return path, extras


def _anywhere(folders: tuple[Path, ...], path: str, is_there: Callable[[Path], bool]) -> Path | None:
    for folder in folders:
        try:
            if is_there(folder / path):
                return folder / path
        except (OSError, ValueError):
            continue
    return None
