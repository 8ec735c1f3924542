"""WebDataset: tar shards, in which the files of a sample stand side by side and share a name up to its first dot."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from blake3 import blake3

from dataguard.core.errors import ConfigurationError, NothingToCheckError, SourceError
from dataguard.core.paths import encode_path
from dataguard.core.split_roles import split_order
from dataguard.dataset.files import stamp_of
from dataguard.dataset.kinds import Opening, SourceKind, has_braces
from dataguard.dataset.sources import Identity, Reference
from dataguard.dataset.sources.folder import IMAGE_SUFFIXES
from dataguard.dataset.sources.shard_names import expanded, split_of_shard
from dataguard.dataset.sources.table_files import find_tables
from dataguard.dataset.sources.tar_members import (
    DamagedTarError,
    Member,
    TarPictures,
    is_tar,
    members,
    open_shard,
)

LABEL_FIELDS = ("label", "class", "target", "cls")
"""Fields of a sample's JSON that are taken for its label, in this order, where none is named and it has no ``.cls``."""
SHARD = "__url__"
"""As an id: puts the shard's name in front of the member's. WebDataset's own word for the shard."""
_LARGEST_SIDECAR = 1 << 20
_KEYS = ("splits", "label", "group", "time", "id", "limit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """A tar file."""

    path: Path
    name: str
    """As reports write it."""
    split: str | None


@dataclass(slots=True)
class _Group:
    """The members of one sample."""

    key: str
    pictures: list[Member] = field(default_factory=list)
    label: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


class WebDatasetSource:
    """Pictures in tar shards; a member's name is the sample's.

    A shard's folder or name says the split, or `splits` does. The label is the text of a sample's ``.cls``, or a field
    of its ``.json``; without either, the folder that the member's name has, as for a folder of images. A sample is
    called by the name of its picture in the shard, with the split in front unless the name begins with it.

    Args:
        shards: The tar files.
        root: The folder that they lie in.
        label: The field of the JSON that is the label, or ``cls``.
        group: The field that must not straddle splits.
        time: The field that says when it was recorded, as ISO 8601.
        id: The field that names a sample; or ``__url__``, which puts the shard's name in front.
        limit: The most samples that are taken.

    Raises:
        SourceError: none of the shards is there.
    """

    kind = "webdataset"

    def __init__(
        self,
        shards: Sequence[Shard],
        root: Path,
        *,
        label: str | None = None,
        group: str | None = None,
        time: str | None = None,
        id: str | None = None,  # noqa: A002 - the configuration's word
        limit: int | None = None,
    ) -> None:
        self.root = root
        self.notes: list[str] = []
        self.shards = tuple(shards)
        self.label, self.group, self.time, self.id, self.limit = label, group, time, id, limit
        self.pictures = TarPictures(tuple(shard.path for shard in self.shards))
        if not any(shard.path.exists() for shard in self.shards):
            first = self.shards[0].path
            raise SourceError(
                f"none of the {len(self.shards):,} shards is there" if len(self.shards) > 1 else "no such shard",
                where=first,
                hint="look at the pattern's folder and at its digits",
            )

    def references(self) -> Iterator[Reference]:
        """Every sample with a picture, shard by shard; and one for each shard that cannot be read to its end.

        Raises:
            SourceError: a field that is named is in no sample, or a time is none.
            NothingToCheckError: there is no picture.
        """
        n_samples = n_others = n_surplus = 0
        for number, shard in enumerate(self.shards):
            damage = None
            try:
                with open_shard(shard.path) as file:
                    for group in self._groups(file):
                        if not group.pictures:
                            n_others += 1
                            continue
                        if self.limit is not None and n_samples >= self.limit:
                            self._note(f"the first {self.limit:,} samples were taken, as dataset.limit says")
                            return
                        n_samples += 1
                        n_surplus += len(group.pictures) > 1
                        yield self._reference(number, shard, group)
            except DamagedTarError as error:
                damage = str(error)
            except OSError as error:
                damage = error.strerror or str(error)
            if damage is not None:
                n_samples += 1
                yield Reference(sample_id=shard.name, path=shard.name, split=shard.split, damage=damage)
        if not n_samples:
            raise NothingToCheckError(
                f"no picture in {len(self.shards):,} shards; {n_others:,} samples without one",
                where=self.shards[0].path,
                hint="looked for members that end in " + " ".join(sorted(IMAGE_SUFFIXES)),
            )
        if n_surplus:
            self._note(f"{n_surplus:,} samples have several pictures: the first of each was taken")

    def identity(self) -> Identity | None:
        """By the shards' stat; None where one has only just been written."""
        digest = blake3(f"webdataset 1 {(self.label, self.group, self.time, self.id, self.limit)!r}".encode())
        for shard in self.shards:
            stamp = stamp_of(str(shard.path))
            if stamp is None or not stamp.settled:
                return None
            said = (str(shard.path), shard.name, shard.split, *stamp.state)
            digest.update(repr(said).encode())
        return Identity(digest=digest.hexdigest(), n_samples=None)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _groups(self, file: IO[bytes]) -> Iterator[_Group]:
        group: _Group | None = None
        try:
            for member in members(file):
                folder, slash, name = member.name.removeprefix("./").rpartition("/")
                stem, dot, extension = name.partition(".")
                if not dot or not stem:
                    continue
                key = folder + slash + stem
                if group is None or group.key != key:
                    if group is not None:
                        yield group
                    group = _Group(key)
                self._take(file, group, member, extension.lower())
        except DamagedTarError:
            # Whole members before the damage count.
            if group is not None:
                yield group
            raise
        if group is not None:
            yield group

    def _take(self, file: IO[bytes], group: _Group, member: Member, extension: str) -> None:
        if "." + extension.rpartition(".")[2] in IMAGE_SUFFIXES:
            group.pictures.append(member)
        elif extension in ("cls", "json") and member.size <= _LARGEST_SIDECAR:
            file.seek(member.offset)
            data = file.read(member.size)
            if extension == "cls":
                group.label = data.decode("utf-8", "replace").strip() or None
            else:
                try:
                    found = json.loads(data)
                except (ValueError, RecursionError):
                    self._note(f"the JSON of some samples cannot be read, as that of {group.key!r}")
                else:
                    group.fields = found if isinstance(found, dict) else {}

    def _reference(self, number: int, shard: Shard, group: _Group) -> Reference:
        picture = group.pictures[0]
        name = encode_path(picture.name.removeprefix("./"))
        folders = name.split("/")[:-1]
        split = shard.split
        if folders and (folders[0] == split or (len(folders) > 1 and split_order(folders[0])[0] < 3)):
            split = split or folders[0]
            folders = folders[1:]
        if self.id is not None and self.id != SHARD:
            name = self._field(group, self.id, shard)
        elif self.id == SHARD:
            name = f"{shard.name}/{name}"
        elif shard.split is not None and not name.startswith(shard.split + "/"):
            name = f"{shard.split}/{name}"
        return Reference(
            sample_id=name,
            path=name,
            split=split,
            label=self._label(group, folders),
            group_id=None if self.group is None else self._field(group, self.group, shard),
            time=None if self.time is None else self._moment(group, shard),
            place=f"{number} {picture.offset} {picture.size}",
        )

    def _label(self, group: _Group, folders: Sequence[str]) -> str | None:
        if self.label is not None and self.label != "cls":
            value = group.fields.get(self.label)
            return None if value is None else _text(value)
        if group.label is not None:
            return group.label
        for field_name in LABEL_FIELDS:
            if isinstance(group.fields.get(field_name), str | int):
                self._note(f"the field {field_name!r} of the JSON is taken for the label, by its name")
                return _text(group.fields[field_name])
        return folders[0] if folders else None

    def _field(self, group: _Group, name: str, shard: Shard) -> str:
        if name == "__key__":
            return group.key
        value = group.fields.get(name)
        if value is None:
            raise SourceError(
                f"the sample {group.key!r} has no {name!r} in its JSON",
                where=shard.path,
                hint=f"its fields are {', '.join(map(repr, list(group.fields)[:8])) or 'none'}",
            )
        return _text(value)

    def _moment(self, group: _Group, shard: Shard) -> datetime:
        said = self._field(group, self.time or "", shard)
        try:
            return datetime.fromisoformat(said).replace(tzinfo=None)
        except ValueError:
            raise SourceError(
                f"the sample {group.key!r}: {said!r} is no date or time",
                where=shard.path,
                hint="write times as ISO 8601, as 2024-01-31T23:59:59",
            ) from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def shards_of(opening: Opening) -> tuple[list[Shard], Path]:
    """The shards that a location and ``dataset.splits`` name, and the folder that they lie in.

    Raises:
        SourceError: a folder holds no shard.
        ConfigurationError: a name of ``dataset.splits`` is no shard.
    """
    if opening.splits is not None:
        folder = opening.path
        found = []
        for split, patterns in opening.splits.items():
            for name in (name for pattern in patterns for name in expanded(pattern)):
                if not is_tar(name):
                    raise ConfigurationError(
                        f"{name!r} is no tar file", where=f"{opening.where}: dataset.splits.{split}"
                    )
                found.append(Shard(path=folder / name, name=encode_path(name), split=split))
        return sorted(found, key=lambda shard: split_order(shard.split or "")), folder
    if opening.path.is_dir():
        names = sorted(
            os.path.relpath(os.path.join(folder, name), opening.path)  # noqa: PTH118 - os.walk gives texts
            for folder, _, names in os.walk(opening.path)
            for name in names
            if is_tar(name) and not name.startswith(".")
        )
        if not names:
            raise SourceError("no tar file in this folder", where=opening.path)
        root = opening.path
    else:
        paths = [Path(name) for name in expanded(opening.location)]
        root = Path(os.path.commonpath([path.parent for path in paths]))
        names = [path.relative_to(root).as_posix() for path in paths]
    shards = [Shard(path=root / name, name=encode_path(name), split=split_of_shard(name)) for name in names]
    return sorted(shards, key=lambda shard: (split_order(shard.split or ""), shard.name)), root


def _open(opening: Opening) -> WebDatasetSource:
    shards, root = shards_of(opening)
    source = WebDatasetSource(shards, root, **opening.roles("label", "group", "time", "id", "limit"))
    splits = {shard.split for shard in shards if shard.split is not None}
    if splits and opening.splits is None:
        source.notes.append(f"the shards' names tell the splits: {', '.join(sorted(splits, key=split_order))}")
    return source


def _recognizes(opening: Opening) -> bool:
    location = opening.location
    if opening.is_url:
        return is_tar(location)
    if has_braces(location) or not opening.path.is_dir():
        return is_tar(location)
    return _holds_only_shards(opening.path)


def _holds_only_shards(folder: Path) -> bool:
    """Whether a folder holds tar files, and neither tables nor images beside them."""
    found = False
    for where, _, names in os.walk(folder):
        for name in names:
            if is_tar(name):
                found = True
            elif Path(name).suffix.lower() in IMAGE_SUFFIXES:
                return False
        if found is False and where != str(folder):
            break
    if not found:
        return False
    tables = find_tables(folder)
    return not tables.files and not tables.others


SOURCE = SourceKind(
    name="webdataset",
    words="a set of WebDataset shards",
    summary="tar shards, as train-{000..009}.tar: pictures with .cls or .json beside them",
    keys=_KEYS,
    open=_open,
    recognizes=_recognizes,
)
