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
from dataguard.core.paths import decode_path, encode_path
from dataguard.dataset.files import UnreadableFileError
from dataguard.dataset.kinds import Opening
from dataguard.dataset.sources import Identity, Picture, Reference, Source
from dataguard.dataset.sources.folder import IMAGE_SUFFIXES
from dataguard.dataset.sources.shard_names import expanded
from dataguard.dataset.stores import (
    copy_state,
    explained,
    file_system,
    is_away,
    is_of_account,
    is_refused,
    object_state,
    words,
)

_COPIED = 1 << 22
_RESERVED = 1 << 28
"""Bytes that are left free on the disk."""
_DAYS = 30
"""How long a copy is kept that is not asked for."""


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
            SourceError: the store cannot be opened here, does not answer, or refuses who asks, so that no other object
                could be had either.
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
        except SourceError:
            raise
        except FileNotFoundError:
            raise UnreadableFileError("there is no such file") from None
        except Exception as error:
            if is_of_account(error) or is_away(error):
                said = explained(error, f"{self.url.rstrip('/')}/{name}")
                kept = "run it again: what was read is kept, and only the rest is fetched"
                raise SourceError(said.message, where=said.where, hint=f"{said.hint}; {kept}") from error
            raise UnreadableFileError(words(error)) from error
        return Picture(data=data)


class RemoteSource:
    """A source whose files lie elsewhere.

    Args:
        inner: The source of the local copy.
        pictures: What reads the pictures that were not copied.
        states: Of these, by path: size, and words that change with the content; without those that have none.
    """

    def __init__(self, inner: Source, pictures: RemotePictures, states: Mapping[str, tuple[int, str]]) -> None:
        self.kind, self.root, self.notes = inner.kind, inner.root, inner.notes
        self._inner = inner
        self._states = states
        self.pictures = pictures

    def references(self) -> Iterator[Reference]:
        """Every sample; see `Source`."""
        for reference in self._inner.references():
            if reference.path and reference.damage is None:
                state = self._states.get(reference.path)
                yield dataclasses.replace(reference, place=reference.path, state=state)
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
    states: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Of these, by encoded path; see `RemoteSource`."""
    notes: tuple[str, ...] = ()
    """What there is to say of them."""


def copied(opening: Opening, folder: Path, *, whole: bool = False) -> Copied:
    """Copy what a location names, but for pictures in files of their own.

    Args:
        opening: Its location is a URL.
        folder: Where copies are kept.
        whole: Copy pictures, too.

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
            return _copied_folder(opening, system, names[0], root, whole=whole)
        base = str(PurePosixPath(os.path.commonpath([str(PurePosixPath(name).parent) for name in names])))
        found = 0
        for name in names:
            try:
                said = system.info(name)
            except FileNotFoundError as error:
                if is_refused(error):
                    raise
                continue
            found += 1
            _copy(system, name, _target(root, _relative(name, base), location), said, location)
    except SourceError:
        raise
    except Exception as error:
        raise explained(error, location) from error
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


def _copied_folder(opening: Opening, system: Any, path: str, root: Path, *, whole: bool) -> Copied:
    listed: Mapping[str, Mapping[str, Any]] = system.find(path, detail=True)
    if not listed:
        raise SourceError("there is nothing at this URL", where=opening.location)
    wanted, n_pictures = set(), 0
    states: dict[str, tuple[int, str]] = {}
    n_unknown = 0
    now = time.time()
    for name, said in listed.items():
        relative = _relative(name, path)
        target = _target(root, relative, opening.location)
        wanted.add(target)
        if target.suffix.lower() in IMAGE_SUFFIXES and not whole:
            n_pictures += 1
            state = object_state(said, now)
            n_unknown += state is None
            if state:
                states[encode_path(relative)] = (int(said["size"]), state)
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
    notes: tuple[str, ...] = ()
    if n_unknown:
        silent = "neither version nor checksum nor time of change"
        notes = (
            f"{n_unknown:,} of {n_pictures:,} pictures are fetched at every check: the store says {silent} of them",
        )
    return Copied(
        opening=dataclasses.replace(opening, location=str(root)),
        pictures=RemotePictures(url=opening.location, listed=root) if n_pictures else None,
        states=states,
        notes=notes,
    )


def _copy(system: Any, name: str, target: Path, said: Mapping[str, Any], url: str) -> None:
    """Copy a file, unless what is there is the same."""
    seen = target.with_name(f".{target.name}.seen")
    stamp = copy_state(said)
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
