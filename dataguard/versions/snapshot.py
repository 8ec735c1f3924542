"""A snapshot: a dataset version's manifest (Parquet) and profile (JSON), in a folder that is small enough for git."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from dataguard.core.atomic import write_atomically
from dataguard.core.errors import DataguardError, OutputError, SourceError
from dataguard.reproduction.records import plain, read
from dataguard.versions.manifest_file import CONTENT_HASH, KEY, Header, columns_of, header_of
from dataguard.versions.profile import KIND, SCHEMA_VERSION, Profile

MANIFEST_NAME = "manifest.parquet"
PROFILE_NAME = "profile.json"
SUFFIX = ".snapshot"
"""Of the folder that is written beside a dataset."""
HASHES = (CONTENT_HASH, "md5")
"""What contents may be named by."""
_MOST_BYTES = 256 << 20
_AGAIN = "write it again with `dataguard snapshot`, or fetch the whole of it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A dataset version as it was kept."""

    profile: Profile
    manifest: Path
    """The Parquet file with a row a sample."""
    place: str
    """Where it was read from, for messages."""
    root: str = ""
    """The folder that the samples' paths are relative to, where the data themselves are at hand; '' elsewhere."""

    @property
    def title(self) -> str:
        """What to call it in a sentence: the declared version, or the first digits of the id."""
        named = next((item.version for item in self.profile.stated if item.by == "configuration"), "")
        return named or self.profile.version_id[:12]


def profile_text(profile: Profile) -> str:
    """The profile as JSON: keys in order, arrays on one line, so that `git diff` shows what changed."""
    return _layout(plain(profile), 0) + "\n"


def write_snapshot(folder: Path, manifest: bytes, profile: Profile) -> None:
    """Write both files, the profile last, since it names the other by its hash.

    Raises:
        OutputError: they cannot be written, or the folder holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError("cannot be written: it is a file, not a folder", where=folder.absolute())
    others = folder.is_dir() and any(item.name not in (MANIFEST_NAME, PROFILE_NAME) for item in folder.iterdir())
    if others and not (folder / PROFILE_NAME).is_file():
        raise OutputError(
            "the folder holds other files, and no snapshot",
            where=folder.absolute(),
            hint="name a new folder, as data.snapshot",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made: {error.strerror}", where=folder.absolute()) from error
    write_atomically(folder / MANIFEST_NAME, manifest)
    write_atomically(folder / PROFILE_NAME, profile_text(profile))


def is_snapshot(path: Path) -> bool:
    """Whether a path names a snapshot: its folder, or one of its files."""
    if path.is_dir():
        return (path / PROFILE_NAME).is_file() or (path / MANIFEST_NAME).is_file()
    return path.name in (PROFILE_NAME, MANIFEST_NAME)


def read_snapshot(path: Path) -> Snapshot:
    """A snapshot by its folder, or by one of its files.

    Raises:
        SourceError: it is missing, cut off, changed since it was written, of a newer version, or no snapshot.
    """
    folder = path if path.is_dir() else path.parent
    place = folder.absolute()
    profile = read_profile(folder / PROFILE_NAME)
    manifest = folder / MANIFEST_NAME
    try:
        data = manifest.read_bytes()
    except FileNotFoundError:
        raise SourceError("there is no manifest beside the profile", where=manifest.absolute(), hint=_AGAIN) from None
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=manifest.absolute()) from error
    if blake3(data).hexdigest() != profile.manifest.blake3:
        raise SourceError(
            "not the manifest that the profile was written with: it is cut off, of another version, or was changed",
            where=manifest.absolute(),
            hint=_AGAIN,
        )
    _check_header(header_of(manifest), profile, manifest.absolute())
    return Snapshot(profile=profile, manifest=manifest, place=str(place))


def read_profile(path: Path) -> Profile:
    """A profile by its file.

    Raises:
        SourceError: it is missing, no profile, or of a version that this dataguard does not read.
    """
    where = path.absolute()
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise SourceError("no such snapshot", where=where, hint="`dataguard snapshot` writes one") from None
    except UnicodeDecodeError as error:
        raise SourceError("not a profile: it is no text", where=where) from error
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=where) from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"not a profile: {error}", where=where, hint="the file is cut off, or holds no JSON"
        ) from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise SourceError("not a profile of dataguard", where=where, hint="`dataguard snapshot` writes one")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise SourceError(
            f"the snapshot has version {version!r}, and this dataguard reads version {SCHEMA_VERSION}",
            where=where,
            hint=f"it was written by dataguard {data.get('tool_version')}: "
            + ("install that or a later one" if newer else "write it again with `dataguard snapshot`"),
        )
    profile = read(Profile, data, where=str(where))
    _check_hash(profile.manifest.content_hash, where)
    return profile


def _check_hash(name: str, where: Path) -> None:
    if name not in HASHES:
        raise SourceError(
            f"contents are named by {name!r}, and this dataguard knows {' and '.join(HASHES)}",
            where=where,
            hint="write the snapshot again with this dataguard",
        )


def _check_header(header: Header, profile: Profile, where: Path) -> None:
    if header.schema_version != SCHEMA_VERSION:
        raise SourceError(
            f"the manifest has version {header.schema_version!r}, and this dataguard reads {SCHEMA_VERSION}",
            where=where,
        )
    _check_hash(header.content_hash, where)
    if (header.version_id, header.keys, header.labels, header.content_hash) != (
        profile.version_id,
        profile.manifest.keys,
        profile.manifest.labels,
        profile.manifest.content_hash,
    ):
        raise SourceError("manifest and profile are of two versions", where=where, hint=_AGAIN)
    missing = {KEY[header.keys]} - columns_of(where)
    if missing:
        raise SourceError(f"the manifest has no column {min(missing)!r}", where=where, hint=_AGAIN)


def comparable(old: Snapshot, new: Snapshot) -> None:
    """Refuse two versions whose contents are named by different hashes.

    Raises:
        DataguardError: they are.
    """
    one, other = old.profile.manifest.content_hash, new.profile.manifest.content_hash
    if one != other:
        raise DataguardError(
            f"contents are named by {one} there, and by {other} in {new.place}: nothing can be compared",
            where=old.place,
            hint="compare two snapshots of dataguard, or two lists of DVC",
        )


def _layout(value: Any, depth: int) -> str:
    if isinstance(value, Mapping) and value:
        inner = "  " * (depth + 1)
        members = (
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_layout(value[key], depth + 1)}" for key in sorted(value)
        )
        return "{\n" + ",\n".join(members) + "\n" + "  " * depth + "}"
    if isinstance(value, list) and any(isinstance(item, list | dict) for item in value):
        inner = "  " * (depth + 1)
        return "[\n" + ",\n".join(inner + _layout(item, depth + 1) for item in value) + "\n" + "  " * depth + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
