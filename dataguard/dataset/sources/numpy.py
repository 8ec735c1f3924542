"""Arrays of numpy in ``.npz`` and ``.npy`` files: pictures, rows of numbers, or any other arrays, with their labels."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from dataguard.core.errors import NothingToCheckError, SourceError, did_you_mean
from dataguard.core.split_roles import split_order
from dataguard.dataset.contents import array_digest, is_picture, picture_of
from dataguard.dataset.files import UnreadableFileError, stamp_of
from dataguard.dataset.kinds import Opening, SourceKind
from dataguard.dataset.sources import Identity, Picture, Reference, Source
from dataguard.dataset.sources.table import TableSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT_NAMES = ("x", "images", "image", "data", "inputs", "features", "arr0")
LABEL_NAMES = ("y", "labels", "label", "targets", "target", "classes", "arr1")
ID_NAMES = ("ids", "id", "keys", "names", "filenames")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArraySplit:
    """The arrays of one split."""

    name: str | None
    inputs: NDArray[Any]
    """Shape (n, …)."""
    labels: NDArray[Any] | None
    ids: NDArray[Any] | None
    groups: NDArray[Any] | None

    def text(self, values: NDArray[Any] | None, row: int) -> str | None:
        """An entry of one of the other arrays as text."""
        return None if values is None else str(values[row].item())

    def sample_id(self, row: int) -> str:
        """What a row is called."""
        own = self.text(self.ids, row)
        if own is not None:
            return own
        return str(row + 1) if self.name is None else f"{self.name} row {row + 1}"


@dataclass(eq=False)
class ArrayPictures:
    """Reads pictures out of arrays that are mapped to memory."""

    arrays: tuple[NDArray[Any], ...]

    def read(self, place: str, *, max_bytes: int) -> Picture:
        """The picture at ``array row``.

        Raises:
            UnreadableFileError: it is larger than `max_bytes`.
        """
        number, row = map(int, place.split())
        array = np.asarray(self.arrays[number][row])
        if array.nbytes > max_bytes:
            raise UnreadableFileError(f"{array.nbytes:,} bytes, more than any picture within the pixel limit has")
        return picture_of(array)


class NumpySource:
    """Arrays whose first axis counts samples, and that are no rows of numbers.

    Unsigned integers of 8 or 16 bits with shape (n, H, W), or (n, H, W, 1, 3 or 4), are pictures; of all other arrays
    only the content counts.

    Args:
        path: The file, or the folder of the files.
        splits: The arrays.
    """

    kind = "numpy"

    def __init__(self, path: Path, splits: tuple[ArraySplit, ...], roles: str) -> None:
        self.path, self.splits = path, splits
        self.root = path if path.is_dir() else path.parent
        self.notes: list[str] = []
        self._roles = roles
        self.pictures = ArrayPictures(tuple(split.inputs for split in splits))
        odd = next((split.inputs for split in splits if not _are_pictures(split.inputs)), None)
        if odd is not None:
            self.notes.append(
                f"the inputs are arrays of {odd.dtype} with shape {'×'.join(map(str, odd.shape[1:]))}, which are no"
                " pictures as they are stored: labels and copies are judged, and pictures are not"
            )

    def references(self) -> Iterator[Reference]:
        """Every sample, split by split."""
        total = 0
        for number, split in enumerate(self.splits):
            are_pictures = _are_pictures(split.inputs)
            for row in range(len(split.inputs)):
                total += 1
                name = split.sample_id(row)
                yield Reference(
                    sample_id=name,
                    path=name if are_pictures else None,
                    place=f"{number} {row}" if are_pictures else None,
                    split=split.name,
                    label=split.text(split.labels, row),
                    group_id=split.text(split.groups, row),
                    row=total,
                    digest=None if are_pictures else array_digest(np.asarray(split.inputs[row])),
                )

    def identity(self) -> Identity | None:
        """By the files' stat; None where one has only just been written."""
        digest = blake3(f"numpy 1 {self._roles}".encode())
        files = sorted(self.path.glob("*.npy")) if self.path.is_dir() else [self.path]
        for file in files:
            stamp = stamp_of(str(file))
            if stamp is None or not stamp.settled:
                return None
            digest.update(repr((str(file), *stamp.state)).encode())
        return Identity(digest=digest.hexdigest(), n_samples=sum(len(split.inputs) for split in self.splits))


class ArrayFiles:
    """The arrays of a ``.npz`` file, of a ``.npy`` file, or of the ``.npy`` files of a folder, mapped to memory.

    Raises:
        SourceError: there is none, or the file is broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise SourceError("no such file or folder", where=path)
        if path.is_dir():
            self._files = {file.stem: file for file in sorted(path.glob("*.npy"))}
            if not self._files:
                raise SourceError("no .npy file in this folder", where=path)
        elif path.suffix.lower() == ".npy":
            self._files = {"x": path}
        else:
            self._files = dict.fromkeys(self._zipped, path)
        self.names = tuple(self._files)

    @cached_property
    def _zipped(self) -> Mapping[str, zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                found = {
                    info.filename.removesuffix(".npy"): info
                    for info in archive.infolist()
                    if info.filename.endswith(".npy")
                }
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise SourceError(
                f"not a whole .npz file: {error}", where=self.path, hint="it may be truncated: fetch it again"
            ) from error
        if not found:
            raise SourceError("no array in this file", where=self.path)
        return found

    @cached_property
    def _folder(self) -> Path:
        """Where arrays of a .npz file are unpacked, under numbers; what is mapped stays when it is removed."""
        folder = Path(tempfile.mkdtemp(prefix="dataguard-arrays-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def load(self, name: str) -> NDArray[Any]:
        """One array.

        Raises:
            SourceError: it is broken, or holds Python objects.
        """
        file = self._files[name]
        try:
            if file.suffix.lower() == ".npz":
                file = self._unpacked(self._zipped[name])
            array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            hint = "it may be truncated: fetch it again"
            if any(word in str(error) for word in ("allow_pickle", "Object arrays", "Python objects")):
                raise SourceError(
                    f"the array {name!r} holds Python objects, which may run code when they are read",
                    where=self.path,
                    hint="store numbers or texts of a fixed type",
                ) from error
            raise SourceError(f"the array {name!r} cannot be read: {error}", where=self.path, hint=hint) from error
        if not array.ndim:
            raise SourceError(f"the array {name!r} is a single number", where=self.path)
        return array

    def _unpacked(self, info: zipfile.ZipInfo) -> Path:
        target = self._folder / f"{info.header_offset}.npy"
        if info.file_size > shutil.disk_usage(self._folder).free:
            raise SourceError(
                f"there is no room to unpack {info.file_size:,} bytes",
                where=self._folder,
                hint="set TMPDIR to a folder with room",
            )
        if not target.exists():
            with zipfile.ZipFile(self.path) as archive, archive.open(info) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
        return target


def _are_pictures(inputs: NDArray[Any]) -> bool:
    return inputs.ndim >= 3 and is_picture(inputs.shape[1:], inputs.dtype)


def _split_and_role(name: str) -> tuple[str | None, str]:
    """The split that an array's name says, and the rest of the name.

    >>> _split_and_role("x_train"), _split_and_role("test_labels"), _split_and_role("y")
    (('train', 'x'), ('test', 'labels'), (None, 'y'))
    """
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    splits = [word for word in words if split_order(word)[0] < 3]
    if len(splits) != 1:
        return None, "".join(words).lower()
    return splits[0].lower(), "".join(word for word in words if word != splits[0]).lower()


def read_splits(files: ArrayFiles, opening: Opening) -> tuple[ArraySplit, ...]:
    """The arrays that belong together, by their names or by the configuration's.

    Raises:
        SourceError: there are no inputs, or the arrays of a split differ in length.
    """
    placed: dict[str | None, dict[str, str]] = {}
    for name in files.names:
        split, role = _split_and_role(name)
        placed.setdefault(split, {})[role] = name
        placed[split][name] = name
    found = []
    named = (opening.image, opening.label, opening.id, opening.group)
    for split, roles in placed.items():
        inputs, labels, ids, groups = (
            _chosen(roles, said, known)
            for said, known in zip(named, (INPUT_NAMES, LABEL_NAMES, ID_NAMES, ()), strict=True)
        )
        if inputs is None:
            continue
        arrays = [None if name is None else files.load(name) for name in (inputs, labels, ids, groups)]
        for called, array in zip((inputs, labels, ids, groups), arrays, strict=True):
            if array is not None and arrays[0] is not None and len(array) != len(arrays[0]):
                raise SourceError(
                    f"{called!r} has {len(array):,} entries, and {inputs!r} has {len(arrays[0]):,}", where=files.path
                )
        labels_of = arrays[1]
        if labels_of is not None and labels_of.ndim == 2 and labels_of.shape[1] == 1:
            labels_of = labels_of[:, 0]
        if labels_of is not None and labels_of.ndim != 1:
            raise SourceError(f"the labels {labels!r} have shape {labels_of.shape}, not one a sample", where=files.path)
        if arrays[0] is not None and len(arrays[0]):
            found.append(ArraySplit(name=split, inputs=arrays[0], labels=labels_of, ids=arrays[2], groups=arrays[3]))
    for asked in named:
        if asked is not None and not any(asked in roles for roles in placed.values()):
            raise SourceError(f"no array {asked!r}", where=files.path, hint=did_you_mean(asked, files.names))
    if not found:
        raise NothingToCheckError(
            "no array of inputs with a sample in it",
            where=files.path,
            hint=f"its arrays are {', '.join(map(repr, files.names[:8]))}: name the inputs with dataset.image",
        )
    return tuple(sorted(found, key=lambda split: split_order(split.name or "")))


def _chosen(roles: Mapping[str, str], said: str | None, known: tuple[str, ...]) -> str | None:
    if said is not None:
        return roles.get(said) or roles.get(said.lower())
    return next((roles[name] for name in known if name in roles), None)


def _open(opening: Opening) -> Source:
    files = ArrayFiles(opening.path)
    splits = read_splits(files, opening)
    if not all(split.inputs.ndim == 2 and split.inputs.dtype.kind in "biuf" for split in splits):
        return NumpySource(opening.path, splits, repr(opening.roles("image", "label", "id", "group")))
    return _as_table(opening.path, splits)


def _as_table(path: Path, splits: tuple[ArraySplit, ...]) -> TableSource:
    """Rows of numbers, as a table whose columns are called by their numbers."""
    import pandas as pd

    widths = {split.inputs.shape[1] for split in splits}
    if len(widths) > 1:
        raise SourceError(f"the inputs of the splits have {' and '.join(map(str, sorted(widths)))} columns", where=path)
    frames = []
    for split in splits:
        frame = pd.DataFrame(np.asarray(split.inputs), columns=[str(column) for column in range(max(widths))])
        rows = range(len(frame))
        for role, values in (("label", split.labels), ("group", split.groups)):
            if values is not None:
                frame[role] = [split.text(values, row) for row in rows]
        if split.name is not None:
            frame["split"] = split.name
        if split.ids is not None or len(splits) > 1:
            frame["id"] = [split.sample_id(row) for row in rows]
        frames.append(frame)
    joined = pd.concat(frames, ignore_index=True)
    roles = {role: role for role in ("label", "split", "group", "id") if role in joined}
    return TableSource(
        path,
        frame=joined,
        kind="numpy",
        label=roles.get("label"),
        split=roles.get("split"),
        group=roles.get("group"),
        id=roles.get("id"),
    )


def _recognizes(opening: Opening) -> bool:
    if opening.is_url:
        return opening.location.lower().endswith((".npz", ".npy"))
    path = opening.path
    if path.is_file():
        return path.suffix.lower() in (".npz", ".npy")
    return path.is_dir() and _holds_inputs_and_labels(path)


def _holds_inputs_and_labels(folder: Path) -> bool:
    names = [file.stem for file in folder.glob("*.npy")]
    roles = {_split_and_role(name)[1] for name in names}
    return bool(roles & set(INPUT_NAMES)) and bool(roles & set(LABEL_NAMES))


SOURCE = SourceKind(
    name="numpy",
    words="a file of arrays",
    summary="a .npz file, a .npy file, or a folder of these: x and y, or x_train, y_train, x_test, y_test",
    keys=("label", "image", "id", "group"),
    open=_open,
    recognizes=_recognizes,
)
