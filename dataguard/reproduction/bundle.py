"""An archive with everything that running a locked result again needs: image, lock, golden outputs, code and data.

A tar file: ``dataguard-bundle.json`` first, which names every file of the project by its SHA-256 and the image by its
id; ``README.txt``; ``project/…``; and ``image.tar``, as ``docker save`` writes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from dataguard.core.containers import Engine, connect, engine_errors
from dataguard.core.errors import ConfigurationError, DataguardError, OutputError, SourceError
from dataguard.core.paths import decode_path
from dataguard.core.progress import Progress, silent
from dataguard.reproduction.leftovers import scratch
from dataguard.reproduction.lock import Lock

MANIFEST = "dataguard-bundle.json"
SCHEMA_VERSION = 1
_PROJECT = "project/"
_IMAGE = "image.tar"
_MOST_MANIFEST = 64 << 20
_CHUNK = 1 << 20
_FORMAT: Literal[1] = tarfile.GNU_FORMAT
"""Its headers have one length for sizes below and above 8 GiB."""
_README = """\
A locked result, with what running it again needs: no network, and no image registry.

    pip install 'dataguard[docker]'        (once, where there is a network)
    dataguard reproduce {name}

It runs project/{lock} in a container of the image {image},
for {machine}, and says whether the result is the same.
Without dataguard: `docker load -i image.tar` loads the image, whose packages are in /dataguard/packages.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A bundle that was unpacked."""

    lock: Path
    """The lock, in a folder with what it names."""
    image: str
    """The id of its image, which the engine now has."""


def is_bundle(path: Path) -> bool:
    """Whether a file is an archive, not a lock, which is a text."""
    with contextlib.suppress(OSError):
        return path.is_file() and tarfile.is_tarfile(path)
    return False


def project_files(lock: Lock, path: Path) -> list[str]:
    """The files that a lock names, with itself and its golden outputs, relative to its folder.

    Args:
        lock: A lock.
        path: Where it lies.

    Raises:
        ConfigurationError: one lies outside of its folder.
        SourceError: one is missing.
    """
    files = [file.path for file in (*lock.code.files, *lock.weights, *lock.data.files)]
    names = dict.fromkeys([path.name, lock.golden.path, *files])
    folder = path.absolute().parent
    for name in names:
        inside = PurePosixPath(decode_path(name))
        if inside.is_absolute() or ".." in inside.parts:
            raise ConfigurationError(
                "lies outside of the folder of the lock, and a bundle holds that folder",
                where=folder / inside,
                hint="put it beside the lock, and lock it again",
            )
        if not (folder / inside).is_file():
            raise SourceError("the lock names it, and it is not there", where=folder / inside)
    return list(names)


def write_bundle(
    target: Path, lock: Lock, path: Path, *, image: str, machine: str, engine: Engine, progress: Progress = silent
) -> None:
    """Write a bundle.

    Args:
        target: The file; what was there is replaced.
        lock: The lock.
        path: Where it lies.
        image: The id of an image with the lock's packages.
        machine: The processor that the image is for.
        engine: Where the image is.
        progress: Told how far it is.

    Raises:
        ConfigurationError: a file lies outside of the lock's folder.
        DataguardError: the engine has not got the image.
        OutputError: it cannot be written.
    """
    folder = path.absolute().parent
    names = project_files(lock, path)
    try:
        with target.open("w+b") as stream, tarfile.open(fileobj=stream, mode="w", format=_FORMAT) as archive:
            hashes = {name: _sha256(folder / decode_path(name)) for name in names}
            told = {
                "schema_version": SCHEMA_VERSION,
                "lock": path.name,
                "image": image,
                "machine": machine,
                "files": hashes,
            }
            _add(archive, MANIFEST, json.dumps(told, indent=2, sort_keys=True).encode())
            about = _README.format(name=target.name, lock=path.name, image=image, machine=machine)
            _add(archive, "README.txt", about.encode())
            for at, name in enumerate(names):
                progress("writing the bundle", at, len(names))
                archive.add(folder / decode_path(name), _PROJECT + decode_path(name), recursive=False, filter=_plain)
            progress("saving the image", 0, None)
            _add_stream(archive, stream, engine.client.images.get(image).save(chunk_size=_CHUNK, named=True))
    except engine_errors() as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise OutputError(f"cannot be written: {error.strerror}", where=target) from error
        raise DataguardError(f"the image cannot be saved: {' '.join(str(error).split())[:300]}", where=image) from error


@contextlib.contextmanager
def opened_bundle(path: Path, *, progress: Progress = silent) -> Iterator[Opened]:
    """Unpack a bundle into a folder that is removed at the end, and load its image where the engine lacks it.

    Args:
        path: The bundle.
        progress: Told how far it is.

    Raises:
        SourceError: it is no bundle, is damaged, or is for another processor.
        ConfigurationError: there is no engine.
    """
    import platform

    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(tarfile.open(path))
            told = _manifest(archive, path)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise SourceError(f"not a bundle: {error}", where=path.absolute(), hint=_WRITE) from error
        if told["machine"] != platform.machine():
            raise SourceError(
                f"the bundle is for {told['machine']}, and this machine is {platform.machine()}",
                where=path.absolute(),
                hint=f"run it on a machine with {told['machine']}",
            )
        engine = stack.enter_context(contextlib.closing(connect()))
        # In a folder of its own: whoever a container runs as has to enter it.
        place = stack.enter_context(scratch()) / "project"
        place.mkdir(mode=0o755)
        progress("unpacking the bundle", 0, None)
        try:
            for name, expected in told["files"].items():
                _unpack(archive, name, expected, place, path)
            _load(archive, engine, told, path)
        except (tarfile.TarError, KeyError, EOFError) as error:
            raise SourceError(f"the bundle is damaged: {error}", where=path.absolute(), hint=_WRITE) from error
        yield Opened(lock=place / told["lock"], image=told["image"])


_WRITE = "`dataguard reproduce LOCK --bundle FILE` writes one"


def _manifest(archive: tarfile.TarFile, path: Path) -> dict[str, Any]:
    entry = archive.next()
    stream = archive.extractfile(entry) if entry is not None and entry.name == MANIFEST and entry.isreg() else None
    try:
        told = json.loads(stream.read(_MOST_MANIFEST)) if stream is not None else None
    except (ValueError, RecursionError):
        told = None
    texts = ("lock", "image", "machine")
    whole = (
        isinstance(told, dict)
        and all(isinstance(told.get(key), str) for key in texts)
        and isinstance(told.get("files"), dict)
        and all(isinstance(value, str) for value in told["files"].values())
        and told["lock"] in told["files"]
    )
    if not whole or told is None:
        raise SourceError("not a bundle of dataguard", where=path.absolute(), hint=_WRITE)
    if told.get("schema_version") != SCHEMA_VERSION:
        raise SourceError(
            f"the bundle has version {told.get('schema_version')!r}, and this dataguard reads {SCHEMA_VERSION}",
            where=path.absolute(),
            hint="install a later dataguard",
        )
    found: dict[str, Any] = told
    return found


def _unpack(archive: tarfile.TarFile, name: str, expected: str, place: Path, path: Path) -> None:
    inside = PurePosixPath(decode_path(name))
    if inside.is_absolute() or ".." in inside.parts or not inside.parts:
        raise SourceError(f"the bundle would write outside of its folder: {name!r}", where=path.absolute())
    entry = archive.getmember(_PROJECT + decode_path(name))
    stream = archive.extractfile(entry) if entry.isreg() else None
    if stream is None:
        raise SourceError(f"{name!r} is no regular file in the bundle", where=path.absolute())
    target = place / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        shutil.copyfileobj(stream, out, _CHUNK)
    if _sha256(target) != expected:
        raise SourceError(
            f"{name!r} is not what was bundled", where=path.absolute(), hint="it was damaged or changed; copy it again"
        )


def _load(archive: tarfile.TarFile, engine: Engine, told: dict[str, Any], path: Path) -> None:
    with contextlib.suppress(ConfigurationError):
        engine.image_id(told["image"])
        return
    stream = archive.extractfile(archive.getmember(_IMAGE))
    if stream is None:
        raise SourceError("the bundle holds no image", where=path.absolute(), hint=_WRITE)
    try:
        # The id is the hash of a document that names every layer by its hash, which the engine checks.
        engine.client.images.load(stream)
        engine.image_id(told["image"])
    except engine_errors() as error:
        raise DataguardError(
            f"the image cannot be loaded: {' '.join(str(error).split())[:300]}", where=path.absolute()
        ) from error


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(content))


def _add_stream(archive: tarfile.TarFile, stream: IO[bytes], content: Iterable[bytes]) -> None:
    """Add the image, whose size is known only at its end, without a second copy of it on the disk."""
    start, size = archive.offset, 0
    stream.seek(start + tarfile.BLOCKSIZE)
    for chunk in content:
        stream.write(chunk)
        size += len(chunk)
    stream.write(bytes(-size % tarfile.BLOCKSIZE))
    end = stream.tell()
    entry = tarfile.TarInfo(_IMAGE)
    entry.size = size
    entry.mode = 0o644
    stream.seek(start)
    stream.write(entry.tobuf(_FORMAT))
    stream.seek(end)
    archive.offset = end


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what names this machine and its users."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return _digest(stream)


def _digest(stream: IO[bytes]) -> str:
    found = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        found.update(chunk)
    return found.hexdigest()


def unfinished(target: Path) -> Path:
    """The name under which a bundle is written until it has been run."""
    return target.with_name(f".{target.name}.{os.getpid()}.partial")
