"""Datasets that lie elsewhere: in object stores, on web servers, in whatever fsspec opens.

What is read as a whole, as tables, shards and annotations, is copied to a folder of the cache, a file once as long as
it is unchanged there. Pictures in files of their own are only listed, and read one by one when the scan comes to them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from dataguard.core.errors import SourceError
from dataguard.core.paths import decode_path
from dataguard.dataset.files import UnreadableFileError
from dataguard.dataset.kinds import Opening
from dataguard.dataset.sources import Identity, Picture, Reference, Source
from dataguard.dataset.sources.folder import IMAGE_SUFFIXES
from dataguard.dataset.sources.shard_names import expanded

_COPIED = 1 << 22
_RESERVED = 1 << 28
"""Bytes that are left free on the disk."""
_DAYS = 30
"""How long a copy is kept that is not asked for."""
_REFUSED = ("credential", "forbidden", "access denied", "accessdenied", "unauthorized", "403", "401", "permission")


@dataclass(eq=False)
class RemotePictures:
    """Reads pictures that are objects of their own.

    Attributes:
        url: What the places are relative to.
        listed: The folder whose files have the sizes of the objects.
    """

    url: str
    listed: Path
    _opened: tuple[Any, str] | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "listed": self.listed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def read(self, place: str, *, max_bytes: int) -> Picture:
        """The object of that name.

        Raises:
            UnreadableFileError: it cannot be had, or is larger than `max_bytes`.
        """
        name = decode_path(place)
        with contextlib.suppress(OSError):
            size = (self.listed / name).stat().st_size
            if size > max_bytes:
                raise UnreadableFileError(f"{size:,} bytes, more than any picture within the pixel limit has")
        try:
            if self._opened is None:
                self._opened = file_system(self.url)
            system, root = self._opened
            data: bytes = system.cat_file(f"{root.rstrip('/')}/{name}")
        except FileNotFoundError:
            raise UnreadableFileError("there is no such file") from None
        except SourceError as error:
            raise UnreadableFileError(error.message) from error
        except Exception as error:
            raise UnreadableFileError(_words(error)) from error
        return Picture(data=data)


class RemoteSource:
    """A source whose files lie elsewhere.

    Args:
        inner: The source of the local copy.
        pictures: What reads the pictures that were not copied.
    """

    def __init__(self, inner: Source, pictures: RemotePictures) -> None:
        self.kind, self.root, self.notes = inner.kind, inner.root, inner.notes
        self._inner = inner
        self.pictures = pictures

    def references(self) -> Iterator[Reference]:
        """Every sample; see `Source`."""
        for reference in self._inner.references():
            if reference.path and reference.damage is None:
                yield dataclasses.replace(reference, place=reference.path)
            else:
                yield reference

    def identity(self) -> Identity | None:
        """None: only reading the pictures can tell."""
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """What was copied of a location."""

    opening: Opening
    """The same with a path in place of the URL."""
    pictures: RemotePictures | None
    """What reads the pictures that were listed and not copied; None where there are none."""


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        SourceError: fsspec or the package for this kind of URL is not installed, or the URL is wrong.
    """
    protocol = url.partition("://")[0].partition("::")[0]
    try:
        import fsspec
    except ImportError as error:
        raise SourceError(
            "fsspec is needed to read a URL, and it is not installed",
            where=url,
            hint='install it: pip install "dataguard[remote]"',
        ) from error
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise SourceError(
            f"what reads {protocol}:// is not installed: {error}", where=url, hint=f"install {_package(protocol)}"
        ) from error
    except Exception as error:
        raise _explained(error, url) from error
    return system, str(path)


def copied(opening: Opening, folder: Path) -> Copied:
    """Copy what a location names, but for pictures in files of their own.

    Args:
        opening: Its location is a URL.
        folder: Where copies are kept.

    Raises:
        SourceError: it cannot be had, or there is no room for it.
    """
    location = opening.location
    system, pattern = file_system(location)
    root = folder / "remote" / hashlib.sha256(location.encode()).hexdigest()[:24]
    _forget_old(root.parent)
    try:
        root.mkdir(parents=True, exist_ok=True)
        os.utime(root)
    except OSError as error:
        raise SourceError(
            f"there is no place to keep a copy: {error.strerror or error}", where=root, hint="name another cache folder"
        ) from error
    try:
        names = expanded(pattern)
        if len(names) == 1 and system.isdir(names[0]):
            return _copied_folder(opening, system, names[0], root)
        base = str(PurePosixPath(os.path.commonpath([str(PurePosixPath(name).parent) for name in names])))
        found = 0
        for name in names:
            try:
                said = system.info(name)
            except FileNotFoundError:
                continue
            found += 1
            _copy(system, name, _target(root, _relative(name, base), location), said, location)
    except SourceError:
        raise
    except Exception as error:
        raise _explained(error, location) from error
    if not found:
        raise SourceError("there is nothing at this URL", where=location, hint="look at its path and its digits")
    local = str(root / _relative(pattern, base))
    return Copied(opening=dataclasses.replace(opening, location=local), pictures=None)


def _forget_old(folder: Path) -> None:
    """Remove copies that nobody has asked for in a while."""
    with contextlib.suppress(OSError):
        for copy in folder.iterdir():
            if copy.stat().st_mtime < time.time() - _DAYS * 86_400:
                shutil.rmtree(copy, ignore_errors=True)


def _copied_folder(opening: Opening, system: Any, path: str, root: Path) -> Copied:
    listed: Mapping[str, Mapping[str, Any]] = system.find(path, detail=True)
    if not listed:
        raise SourceError("there is nothing at this URL", where=opening.location)
    wanted, pictures = set(), False
    for name, said in listed.items():
        relative = _relative(name, path)
        target = _target(root, relative, opening.location)
        wanted.add(target)
        if target.suffix.lower() in IMAGE_SUFFIXES:
            pictures = True
            target.parent.mkdir(parents=True, exist_ok=True)
            # Of its size and without content: it takes no room.
            with target.open("ab") as file:
                file.truncate(int(said.get("size") or 0))
        else:
            _copy(system, name, target, said, opening.location)
    for old in root.rglob("*"):
        # What is no longer there is no sample any more.
        if old.is_file() and old not in wanted and old.suffix != ".seen":
            old.unlink()
    return Copied(
        opening=dataclasses.replace(opening, location=str(root)),
        pictures=RemotePictures(url=opening.location, listed=root) if pictures else None,
    )


def _copy(system: Any, name: str, target: Path, said: Mapping[str, Any], url: str) -> None:
    """Copy a file, unless what is there is the same."""
    seen = target.with_name(f".{target.name}.seen")
    stamp = _stamp(said)
    if stamp and target.is_file() and seen.is_file() and seen.read_text(encoding="utf-8") == stamp:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    size = said.get("size")
    _require_room(target.parent, int(size or 0), url)
    descriptor, partial = tempfile.mkstemp(prefix=".partial-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file, system.open(name, "rb") as remote:
            n_bytes = _pour(remote, file, target.parent, url)
        if size is not None and n_bytes != size:
            raise SourceError(
                f"{n_bytes:,} bytes of {name} arrived, and there are {size:,}", where=url, hint="run it again"
            )
        Path(partial).replace(target)
        seen.write_text(stamp, encoding="utf-8")
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _pour(remote: Any, file: IO[bytes], folder: Path, url: str) -> int:
    n_bytes = 0
    while piece := remote.read(_COPIED):
        _require_room(folder, len(piece), url, so_far=n_bytes)
        file.write(piece)
        n_bytes += len(piece)
    return n_bytes


def _require_room(folder: Path, n_bytes: int, url: str, *, so_far: int = 0) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes > free - _RESERVED:
        arrived = f"after {so_far:,} bytes, " if so_far else ""
        raise SourceError(
            f"{arrived}there is no room to keep {n_bytes:,} more bytes of it in {folder}",
            where=url,
            hint="free some space, or name another cache folder; an endless stream cannot be copied",
        )


def _stamp(said: Mapping[str, Any]) -> str:
    """What changes with a remote file; '' where nothing is said that does."""
    known = (
        "ETag",
        "etag",
        "mtime",
        "LastModified",
        "last_modified",
        "created",
        "generation",
        "md5Hash",
        "content_md5",
    )
    parts = [f"{key}={said[key]}" for key in known if said.get(key) is not None]
    return "; ".join([f"size={said.get('size')}", *parts]) if parts else ""


def _target(root: Path, relative: str, url: str) -> Path:
    """Where a copy lies; never outside of its folder."""
    parts = PurePosixPath(relative).parts
    if not parts or ".." in parts or relative.startswith("/"):
        raise SourceError(f"it lists {relative!r}, which is outside of its folder", where=url)
    return root.joinpath(*parts)


def _relative(name: str, folder: str) -> str:
    plain, prefix = name.strip("/"), folder.strip("/")
    if prefix in ("", "."):
        return plain
    return plain.removeprefix(prefix).strip("/")


def _explained(error: Exception, url: str) -> SourceError:
    """What went wrong, in words, and what to do."""
    if isinstance(error, FileNotFoundError):
        return SourceError("there is nothing at this URL", where=url, hint="look at its path")
    words = _words(error)
    said = f"{type(error).__name__} {words}".lower()
    if isinstance(error, PermissionError) or any(word in said for word in _REFUSED):
        return SourceError(
            f"access is refused: {words}",
            where=url,
            hint="look at the credentials that fsspec finds, in the environment or in fsspec's configuration",
        )
    return SourceError(f"cannot be read: {words}", where=url)


def _words(error: BaseException) -> str:
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _package(protocol: str) -> str:
    known = {
        "s3": "s3fs",
        "s3a": "s3fs",
        "gs": "gcsfs",
        "gcs": "gcsfs",
        "http": "aiohttp and requests",
        "https": "aiohttp and requests",
    }
    known |= {"az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "hf": "huggingface_hub", "sftp": "paramiko"}
    return known.get(protocol, f"the package that fsspec names for {protocol}")
