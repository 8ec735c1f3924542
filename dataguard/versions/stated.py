"""What DVC files and Croissant metadata beside a dataset say that it is, and whether that holds."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dataguard.core.errors import SourceError
from dataguard.versions.profile import Stated

CROISSANT_NAMES = ("croissant.json", "metadata.croissant.json")
_MOST_BYTES = 64 << 20
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedHash:
    """A hash that a file of DVC or Croissant gives, and the one that the data have."""

    by: Literal["dvc", "croissant"]
    file: str
    """The file that gives it, absolute."""
    of: str
    """What it is the hash of, relative to that file."""
    algorithm: Literal["md5", "sha256"]
    stated: str
    found: str
    """'' where what it names is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statements:
    """Everything that is said of a dataset beside it."""

    stated: tuple[Stated, ...] = ()
    hashes: tuple[StatedHash, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be read, in words."""

    @property
    def broken(self) -> tuple[StatedHash, ...]:
        """The hashes that the data do not have."""
        return tuple(item for item in self.hashes if item.stated != item.found)


def statements(path: Path) -> Statements:
    """What is said of the dataset at a path: by ``NAME.dvc`` beside it, and by ``croissant.json`` in or beside it.

    Nothing is fetched and nothing is run; only files within the folder of the metadata are hashed. A broken file is a
    note, and no error, since the dataset can be checked without it.
    """
    stated: list[Stated] = []
    hashes: list[StatedHash] = []
    notes: list[str] = []
    for read, files in ((_dvc, [path.with_name(path.name + ".dvc")]), (_croissant, _croissant_files(path))):
        for file in files:
            if not file.is_file():
                continue
            try:
                for item in read(file):
                    (stated if isinstance(item, Stated) else hashes).append(item)  # type: ignore[arg-type]
            except SourceError as error:
                notes.append(f"not used: {error.where}: {error.message}")
    return Statements(stated=tuple(stated), hashes=tuple(hashes), notes=tuple(notes))


def _croissant_files(path: Path) -> list[Path]:
    folders = [path, path.parent] if path.is_dir() else [path.parent]
    return [folder / name for folder in folders for name in CROISSANT_NAMES]


def _dvc(file: Path) -> Iterator[Stated | StatedHash]:
    import yaml

    try:
        data = yaml.safe_load(_text(file))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: of a date or a number that there is not.
        raise SourceError("no YAML", where=file) from error
    outs = data.get("outs") if isinstance(data, dict) else None
    if not isinstance(outs, list):
        raise SourceError("no file of DVC: it has no outs", where=file)
    for out in outs:
        if not isinstance(out, dict) or not isinstance(out.get("path"), str):
            raise SourceError("an out without a path", where=file)
        digest = out.get("md5")
        if not isinstance(digest, str):
            continue
        yield Stated(by="dvc", file=file.name, version=f"md5:{digest}")
        target = _within(file.parent, out["path"])
        # DVC before 3.0, which names no hash, made the ends of lines alike before it hashed a text.
        if target is None or out.get("hash") != "md5":
            continue
        found = dvc_directory_hash(target) if digest.endswith(".dir") else file_hash(target, "md5")
        yield StatedHash(
            by="dvc", file=str(file.absolute()), of=out["path"], algorithm="md5", stated=digest, found=found
        )


def dvc_directory_hash(folder: Path) -> str:
    """The hash that DVC gives a folder: the MD5 of the list of its files with theirs, and '.dir'; '' for none."""
    if not folder.is_dir():
        return ""
    entries = []
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            path = Path(where, name)
            if name != ".dvcignore":
                entries.append({"md5": file_hash(path, "md5"), "relpath": path.relative_to(folder).as_posix()})
    entries.sort(key=lambda entry: entry["relpath"])
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def file_hash(path: Path, algorithm: Literal["md5", "sha256"]) -> str:
    """The hash of a file's bytes, hexadecimal; '' where there is no file."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def dvc_listing(path: Path) -> list[tuple[str, str]]:
    """The files of a list that DVC keeps of a folder (``….dir``), each with its MD5.

    Raises:
        SourceError: it is none.
    """
    try:
        data = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise SourceError("no list of DVC: it holds no JSON", where=path.absolute()) from error
    if not isinstance(data, list) or not all(_is_entry(item) for item in data):
        raise SourceError("no list of DVC: expected files with md5 and relpath", where=path.absolute())
    return [(item["relpath"], item["md5"]) for item in data]


def _is_entry(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("relpath"), str)
        and isinstance(item.get("md5"), str)
        and len(item["md5"]) == 32
        and all(letter in "0123456789abcdef" for letter in item["md5"])
    )


def _croissant(file: Path) -> Iterator[Stated | StatedHash]:
    try:
        data = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise SourceError("no JSON", where=file) from error
    if not isinstance(data, dict) or "@context" not in data:
        raise SourceError("no Croissant metadata: it has no @context", where=file)
    version = data.get("version", data.get("sc:version"))
    if isinstance(version, str | int | float) and not isinstance(version, bool):
        yield Stated(by="croissant", file=file.name, version=str(version))
    distribution = data.get("distribution", [])
    for item in distribution if isinstance(distribution, list) else [distribution]:
        if not isinstance(item, Mapping):
            continue
        url, digest = item.get("contentUrl", item.get("sc:contentUrl")), item.get("sha256", item.get("sc:sha256"))
        if not isinstance(url, str) or not isinstance(digest, str) or "://" in url:
            continue
        target = _within(file.parent, url)
        # What was not downloaded is not beside it, and is no fault.
        if target is None or not target.is_file():
            continue
        found = file_hash(target, "sha256")
        yield StatedHash(
            by="croissant",
            file=str(file.absolute()),
            of=url,
            algorithm="sha256",
            stated=digest.lower(),
            found=found,
        )


def _within(folder: Path, name: str) -> Path | None:
    """A path below a folder; None for one that leads outside of it."""
    if "\0" in name:
        return None
    base = os.path.realpath(folder)
    target = os.path.realpath(Path(folder, name))
    return Path(target) if os.path.commonpath((base, target)) == base else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError("no text", where=path.absolute()) from error
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path.absolute()) from error
