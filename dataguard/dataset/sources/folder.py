"""A folder of image files: ``split/class/image``, ``class/image``, or whatever a pattern says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from dataguard.core.errors import NothingToCheckError, SourceError, did_you_mean
from dataguard.core.paths import decode_path, encode_path
from dataguard.dataset.class_counts import split_order
from dataguard.dataset.image_header import has_image_signature
from dataguard.dataset.kinds import Opening, SourceKind
from dataguard.dataset.sources import Identity, Pictures, Reference

_IMAGES = """
    apng avif bmp dib gif j2k jfif jp2 jpe jpeg jpg pbm pgm png pnm ppm tga tif tiff webp
"""
_OTHERS = """
    7z arrow avi bak bz2 c cfg ckpt conf cpp csv db doc docx feather flac gz h h5 hdf5 htm html idx ini ipynb js json
    jsonl lmdb lnk lock log m mat md md5 mdb mkv mov mp3 mp4 ndjson npy npz ogg onnx parquet part pb pdf pickle pkl pt
    pth py rar rec rst sarif sh sha1 sha256 sqlite svg tar tflite tfrecord tfrecords tgz tmp toml ts tsv txt wav webm
    xls xlsx xml xz yaml yml zip
"""

IMAGE_SUFFIXES = frozenset(f".{name}" for name in _IMAGES.split())
"""What is taken for an image by its name; one that is none is an unreadable sample."""

OTHER_SUFFIXES = frozenset(f".{name}" for name in _OTHERS.split())
"""What is never an image, by its name. Anything else is looked into."""

_OTHER_NAMES = frozenset(("thumbs.db", "desktop.ini", "__macosx", "__pycache__", "lost+found"))
_GROUPS = ("split", "label", "group", "id", "time")


@dataclass(slots=True)
class _Seen:
    """What a walk came across, for the message when nothing was found."""

    others: int = 0
    """Files that are no images, or that the pattern does not fit."""
    example: str | None = None
    """An image that the pattern does not fit."""


class FolderSource:
    """Images in a folder.

    Without a pattern, first-level folders named as splits (``train``, ``val``, ``test``, …) are splits and the folders
    in them classes; otherwise the first-level folders are classes; images beside them have no label. Symbolic links
    are followed, each real folder once on the way down. Hidden files and folders are left out.

    Args:
        root: The folder.
        pattern: A glob over paths relative to `root` in which ``{split}``, ``{label}``, ``{group}``, ``{id}`` and
            ``{time}`` name what they match: ``{split}/{label}/*.png``, ``**/{label}_{group}_*.jpg``. A name matches
            the shortest text without ``/`` that fits; ``*`` any text without ``/``; ``**/`` any folders.

    Raises:
        SourceError: there is no such folder, it is a file, or the pattern is wrong.
    """

    kind = "folder"
    pictures: Pictures | None = None

    def __init__(self, root: str | Path, *, pattern: str | None = None) -> None:
        self.root = Path(root).absolute()
        self.pattern = pattern
        self.notes: list[str] = []
        self._regex = None if pattern is None else _compile(pattern)
        if not self.root.exists():
            raise SourceError("no such folder", where=self.root, hint=_nearest_hint(self.root))
        if not self.root.is_dir():
            raise SourceError(
                "is a file, not a folder", where=self.root, hint=f"name the folder that it lies in: {self.root.parent}"
            )

    def references(self) -> Iterator[Reference]:
        """Every image, in the order of its encoded path.

        Raises:
            SourceError: the folder cannot be listed, no path fits the pattern, or two files have one id.
            NothingToCheckError: there is no image.
        """
        seen = _Seen()
        found = False
        if self._regex is None:
            depth = int(self._has_splits())
            for path, folders in self._walk(str(self.root), "", (), _identities(self.root), seen):
                found = True
                yield Reference(
                    sample_id=path,
                    path=path,
                    split=folders[0] if depth and folders else None,
                    label=folders[depth] if len(folders) > depth else None,
                )
        else:
            ids: set[str] = set()
            for path, _ in self._walk(str(self.root), "", (), _identities(self.root), seen):
                reference = self._by_pattern(path, seen)
                if reference is None:
                    continue
                found = True
                if reference.sample_id != path:
                    if reference.sample_id in ids:
                        raise SourceError(
                            f"two files have the id {reference.sample_id!r}",
                            where=self.root / path,
                            hint=f"make {{id}} in the pattern {self.pattern!r} tell files apart",
                        )
                    ids.add(reference.sample_id)
                yield reference
        if not found:
            raise self._nothing(seen)

    def identity(self) -> Identity | None:
        """None: only the files can tell."""
        return None

    def _has_splits(self) -> bool:
        names = [name[:-1] for name in _listed(str(self.root)) if name[-1] == "/"]
        splits = [name for name in names if split_order(name)[0] < 3]
        # One class may well be called "test"; two splits, or nothing but splits, are no accident.
        return bool(splits) and (len(splits) == len(names) or len({split_order(name)[0] for name in splits}) > 1)

    def _walk(
        self, folder: str, prefix: str, folders: tuple[str, ...], above: frozenset[tuple[int, int]], seen: _Seen
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The encoded path of every file that may be an image, ascending, and the names of the folders it lies in."""
        try:
            names = _listed(folder)
        except SourceError:
            if not folders:
                raise
            # A folder that may not be listed is one unreadable sample, and the rest goes on.
            yield prefix[:-1], folders[:-1]
            return
        for name in names:
            suffix = _suffix(name)
            path = f"{folder}/{decode_path(name)}"
            if name[-1] != "/":
                if suffix in IMAGE_SUFFIXES or (suffix not in OTHER_SUFFIXES and has_image_signature(path)):
                    yield prefix + name, folders
                else:
                    seen.others += 1
            elif suffix in IMAGE_SUFFIXES:
                yield prefix + name[:-1], folders
            else:
                info = os.stat(path)  # noqa: PTH116 - as the rest of the walk
                identity = (info.st_dev, info.st_ino)
                # A link to a folder that this one lies in would lead in a circle.
                if identity not in above:
                    yield from self._walk(path[:-1], prefix + name, (*folders, name[:-1]), above | {identity}, seen)

    def _by_pattern(self, path: str, seen: _Seen) -> Reference | None:
        match = self._regex.fullmatch(path) if self._regex is not None else None
        if match is None:
            seen.others += 1
            seen.example = seen.example or path
            return None
        groups = match.groupdict()
        time = None
        if groups.get("time") is not None:
            try:
                time = datetime.fromisoformat(groups["time"])
            except ValueError:
                raise SourceError(
                    f"{{time}} in the pattern matched {groups['time']!r}, which is no ISO 8601 date or time",
                    where=self.root / path,
                    hint="write it as 2024-01-31 or 20240131T235959",
                ) from None
        return Reference(
            sample_id=groups.get("id") or path,
            path=path,
            split=groups.get("split"),
            label=groups.get("label"),
            group_id=groups.get("group"),
            time=time,
        )

    def _nothing(self, seen: _Seen) -> NothingToCheckError | SourceError:
        if self.pattern is not None and seen.example is not None:
            return SourceError(
                f"no file fits the pattern {self.pattern!r}",
                where=self.root,
                hint=f"paths look like {seen.example!r}",
            )
        others = (
            "1 other file" if seen.others == 1 else f"{seen.others:,} other files" if seen.others else "no other file"
        )
        return NothingToCheckError(
            f"no image in this folder or below it; {others}",
            where=self.root,
            hint="looked for " + " ".join(sorted(IMAGE_SUFFIXES)) + ", and for image content in files of unknown kind",
        )


def _identities(folder: Path) -> frozenset[tuple[int, int]]:
    info = folder.stat()
    return frozenset({(info.st_dev, info.st_ino)})


def _listed(folder: str) -> list[str]:
    """The encoded names of what is in a folder and not left out, ascending; a separator ends that of a folder.

    So the whole walk is in ascending order. Names alone are kept: a folder may hold a million files.

    Raises:
        SourceError: it cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                encode_path(entry.name) + ("/" if _is_folder(entry) else "")
                for entry in entries
                if not _ignored(entry.name)
            )
    except OSError as error:
        raise SourceError(
            f"the folder cannot be listed: {error.strerror or error}", where=encode_path(folder)
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _ignored(name: str) -> bool:
    return name[0] == "." or name.lower() in _OTHER_NAMES


def _suffix(name: str) -> str:
    """The suffix of a file's name, or of a folder's with the separator behind it."""
    dot = name.rfind(".")
    return name[dot:].rstrip("/").lower() if dot > 0 else ""


def _compile(pattern: str) -> re.Pattern[str]:
    """The regular expression of a glob with named groups."""
    named: set[str] = set()
    result = []
    for piece in re.findall(r"\*\*/|\*+|\?|\[[^\]]+\]|\{[^}]*\}|.", pattern.removeprefix("./"), flags=re.DOTALL):
        if piece == "**/":
            result.append("(?:[^/]+/)*")
        elif piece[0] == "*":
            result.append("[^/]*" if piece == "*" else ".*")
        elif piece == "?":
            result.append("[^/]")
        elif piece[0] == "[" and len(piece) > 1:
            negated = piece[1] in "!^"
            result.append(
                "[" + ("^/" if negated else "") + re.escape(piece[1 + negated : -1]).replace(r"\-", "-") + "]"
            )
        elif piece[0] == "{" and len(piece) > 1:
            name = piece[1:-1]
            if name not in _GROUPS:
                raise SourceError(
                    f"the pattern {pattern!r} names {{{name}}}, which means nothing here",
                    hint=did_you_mean(name, _GROUPS),
                )
            result.append(f"(?P={name})" if name in named else f"(?P<{name}>[^/]+?)")
            named.add(name)
        else:
            result.append(re.escape(piece))
    try:
        return re.compile("".join(result), flags=re.DOTALL)
    except re.error as error:
        raise SourceError(f"the pattern {pattern!r} is no glob: {error}") from error


def _nearest_hint(path: Path) -> str | None:
    parent = path.parent
    if not parent.is_dir():
        missing = next(
            (folder for folder in reversed(PurePosixPath(path).parents) if not Path(folder).exists()), parent
        )
        return f"{missing} does not exist either"
    names = [entry.name for entry in parent.iterdir() if not entry.name.startswith(".")]
    return did_you_mean(path.name, names) if 0 < len(names) <= 20 else None


def _open(opening: Opening) -> FolderSource:
    return FolderSource(opening.location, pattern=opening.pattern)


SOURCE = SourceKind(
    name="folder",
    words="a folder",
    summary="image files: split/class/image, class/image, or what dataset.pattern says",
    keys=("pattern",),
    open=_open,
    recognizes=lambda opening: not opening.is_url and opening.path.is_dir(),
    rank=2,
    hint="use dataset.pattern, as '{split}/{label}/*.png'",
)
