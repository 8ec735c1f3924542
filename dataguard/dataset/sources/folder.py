"""A folder of image files: ``split/class/image``, ``class/image``, or whatever a pattern says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from dataguard.core.errors import NothingToCheckError, SourceError, did_you_mean
from dataguard.core.paths import encode_path
from dataguard.dataset.class_counts import split_order
from dataguard.dataset.image_header import has_image_signature
from dataguard.dataset.sources import Identity, Reference

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .gif .webp .tif .tiff .jp2 .j2k .avif .ppm .pgm .pbm .pnm .tga".split()
)
"""What is taken for an image by its name; one that is none is an unreadable sample."""

OTHER_SUFFIXES = frozenset(
    (
        ".txt .md .rst .json .jsonl .ndjson .csv .tsv .toml .yaml .yml .xml .ini .cfg .conf .log .html .htm .pdf .doc .docx"
        " .xls .xlsx .py .ipynb .sh .js .ts .c .h .cpp .m .mat .npy .npz .pt .pth .ckpt .onnx .pb .tflite .h5 .hdf5 .pkl"
        " .pickle .parquet .arrow .feather .db .sqlite .lmdb .mdb .tfrecord .tfrecords .rec .idx .zip .tar .gz .tgz .bz2"
        " .xz .7z .rar .md5 .sha1 .sha256 .lock .bak .tmp .part .mp3 .wav .flac .ogg .mp4 .avi .mov .mkv .webm .svg .lnk"
    ).split()
)
"""What is never an image, by its name. Anything else is looked into."""

_OTHER_NAMES = frozenset(("thumbs.db", "desktop.ini", "__macosx", "__pycache__", "lost+found"))
_GROUPS = ("split", "label", "group", "id", "time")


@dataclass(slots=True)
class _Seen:
    """What a walk came across, for the message when nothing was found."""

    others: int = 0
    example: str | None = None
    unreadable_folders: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    """Relative to the root, as the operating system has it."""
    parts: tuple[str, ...]


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

    def __init__(self, root: str | Path, *, pattern: str | None = None) -> None:
        self.root = Path(os.path.abspath(root))
        self.pattern = pattern
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
            has_splits = self._has_splits()
            for file in self._walk(seen):
                found = True
                yield _by_folders(file, has_splits)
        else:
            ids: set[str] = set()
            for file in self._walk(seen):
                reference = self._by_pattern(file, seen)
                if reference is None:
                    continue
                found = True
                if reference.sample_id != reference.path:
                    if reference.sample_id in ids:
                        raise SourceError(
                            f"two files have the id {reference.sample_id!r}",
                            where=self.root / file.name,
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
        names = [
            entry.name
            for entry in _entries(str(self.root), self.root)
            if not _ignored(entry.name) and _is_folder(entry)
        ]
        splits = [name for name in names if split_order(name)[0] < 3]
        # One class may well be called "test"; two splits, or nothing but splits, are no accident.
        return bool(splits) and (len(splits) == len(names) or len({split_order(name)[0] for name in splits}) > 1)

    def _walk(self, seen: _Seen) -> Iterator[_File]:
        info = os.stat(self.root)
        yield from self._walk_folder(str(self.root), (), {(info.st_dev, info.st_ino)}, seen)

    def _walk_folder(
        self, folder: str, parts: tuple[str, ...], above: set[tuple[int, int]], seen: _Seen
    ) -> Iterator[_File]:
        try:
            entries = _entries(folder, self.root)
        except SourceError:
            if not parts:
                raise
            # One folder without permission is one unreadable sample, and the rest goes on.
            yield _File(name="/".join(parts), parts=parts)
            return
        keyed = []
        for entry in entries:
            if not _ignored(entry.name):
                is_folder = _is_folder(entry)
                # As if the separator were part of the name: this makes the walk yield paths in ascending order.
                keyed.append((encode_path(entry.name) + ("/" if is_folder else ""), is_folder, entry))
        for _, is_folder, entry in sorted(keyed, key=lambda item: item[0]):
            here = (*parts, entry.name)
            if not is_folder:
                if _is_candidate(entry):
                    yield _File(name="/".join(here), parts=here)
                else:
                    seen.others += 1
                continue
            if _suffix(entry.name) in IMAGE_SUFFIXES:
                yield _File(name="/".join(here), parts=here)
                continue
            info = entry.stat()
            identity = (info.st_dev, info.st_ino)
            if identity not in above:
                yield from self._walk_folder(entry.path, here, above | {identity}, seen)

    def _by_pattern(self, file: _File, seen: _Seen) -> Reference | None:
        path = encode_path(file.name)
        match = self._regex.fullmatch(file.name) if self._regex is not None else None
        if match is None:
            seen.others += 1
            seen.example = seen.example or path
            return None
        groups = {name: encode_path(value) for name, value in match.groupdict().items() if value is not None}
        time = None
        if "time" in groups:
            try:
                time = datetime.fromisoformat(groups["time"])
            except ValueError:
                raise SourceError(
                    f"{{time}} in the pattern matched {groups['time']!r}, which is no ISO 8601 date or time",
                    where=self.root / file.name,
                    hint="write it as 2024-01-31 or 20240131T235959",
                ) from None
        return Reference(
            sample_id=groups.get("id", path),
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
        others = f"{seen.others:,} other files" if seen.others else "no other file"
        return NothingToCheckError(
            f"no image in this folder or below it; {others}",
            where=self.root,
            hint="looked for " + " ".join(sorted(IMAGE_SUFFIXES)) + ", and for image content in files of unknown kind",
        )


def _by_folders(file: _File, has_splits: bool) -> Reference:
    folders = file.parts[:-1]
    split = folders[0] if has_splits and folders else None
    label = folders[int(has_splits)] if len(folders) > has_splits else None
    path = encode_path(file.name)
    return Reference(
        sample_id=path,
        path=path,
        split=None if split is None else encode_path(split),
        label=None if label is None else encode_path(label),
    )


def _entries(folder: str, root: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SourceError(f"the folder cannot be listed: {reason}", where=folder or root) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in _OTHER_NAMES


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    suffix = _suffix(entry.name)
    if suffix in IMAGE_SUFFIXES:
        return True
    return suffix not in OTHER_SUFFIXES and has_image_signature(entry.path)


def _compile(pattern: str) -> re.Pattern[str]:
    """The regular expression of a glob with named groups."""
    named: set[str] = set()
    result = []
    for token in re.findall(r"\*\*/|\*+|\?|\[[^\]]+\]|\{[^}]*\}|.", pattern.removeprefix("./"), flags=re.DOTALL):
        if token == "**/":
            result.append("(?:[^/]+/)*")
        elif token[0] == "*":
            result.append("[^/]*" if token == "*" else ".*")
        elif token == "?":
            result.append("[^/]")
        elif token[0] == "[" and len(token) > 1:
            negated = token[1] in "!^"
            result.append(
                "[" + ("^/" if negated else "") + re.escape(token[1 + negated : -1]).replace(r"\-", "-") + "]"
            )
        elif token[0] == "{" and len(token) > 1:
            name = token[1:-1]
            if name not in _GROUPS:
                raise SourceError(
                    f"the pattern {pattern!r} names {{{name}}}, which means nothing here",
                    hint=did_you_mean(name, _GROUPS),
                )
            result.append(f"(?P={name})" if name in named else f"(?P<{name}>[^/]+?)")
            named.add(name)
        else:
            result.append(re.escape(token))
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
