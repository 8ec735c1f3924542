"""Going through a user's dataset in a process of its own, so that its code can neither hang nor end this one.

``python -m dataguard.dataset.sources.torch_child JOB`` imports the dataset, and leaves its samples' bytes in ``data``,
what is said of them in ``index.jsonl``, and ``done.json`` or ``failed.json`` beside them.
"""

from __future__ import annotations

import errno
import inspect
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from dataguard.core.atomic import write_atomically
from dataguard.core.errors import ConfigurationError, DataguardError, SourceError
from dataguard.core.paths import encode_path
from dataguard.core.users_code import load_named, shortened_error, users_code
from dataguard.dataset.contents import array_digest, is_picture, picture_of

MOST_SAMPLES = 1_000_000
"""A stream without a length that has not ended by then is taken for endless, unless a limit says more."""
_INPUTS = ("image", "img", "picture", "input", "inputs", "x", "pixel_values", "data")
_LABELS = ("label", "labels", "target", "class", "y")
_IDS = ("id", "key", "__key__")


def main(arguments: list[str]) -> None:
    """Do the job that a file describes; the results are files."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    folder = Path(job["folder"])
    try:
        ended = _Spooler(job, folder).run()
    except DataguardError as error:
        values = {"kind": type(error).__name__, "message": error.message, "where": error.where, "hint": error.hint}
        write_atomically(folder / "failed.json", json.dumps(values))
    else:
        write_atomically(folder / "done.json", json.dumps(ended))


class _Spooler:
    """Writes down what a dataset gives."""

    def __init__(self, job: dict[str, Any], folder: Path) -> None:
        self._target, self._base, self._limit = str(job["target"]), Path(job["base"]), job["limit"]
        self._keys: dict[str, str | None] = job["keys"]
        self._folder = folder
        self._notes: list[str] = []
        self._root: str | None = None
        self._offset = 0

    def run(self) -> dict[str, Any]:
        """Go through the dataset; what is to be known of the whole."""
        sys.path.insert(0, str(self._base))
        found = load_named(self._target, self._base, what="dataset")
        if isinstance(found, type) or (callable(found) and not _is_dataset(found)):
            with users_code(self._target, "the function that makes the dataset failed"):
                found = found()
        splits = found if isinstance(found, Mapping) else {None: found}
        for dataset in splits.values():
            if not _is_dataset(dataset):
                raise ConfigurationError(
                    f"of type {type(dataset).__name__}, which can be neither indexed nor iterated over",
                    where=self._target,
                    hint="name a torch Dataset, a mapping of them by split, or a function that returns either",
                )
        roots = [root for dataset in splits.values() if (root := self._root_of(dataset)) is not None]
        if roots:
            # The splits of one dataset lie in folders of one folder: keys tell them apart from there on.
            self._root = os.path.commonpath(roots)
        with (self._folder / "data").open("wb") as data, (self._folder / "index.jsonl").open("w") as index:
            try:
                for split, dataset in splits.items():
                    self._go_through(dataset, None if split is None else str(split), data, index)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise SourceError(
                    "there is no room to keep what the dataset gives",
                    where=self._folder,
                    hint="set TMPDIR to a folder with room, or dataset.limit",
                ) from error
        return {"root": self._root, "notes": self._notes}

    def _go_through(self, dataset: Any, split: str | None, data: IO[bytes], index: IO[str]) -> None:
        classes = getattr(dataset, "classes", None)
        names = (
            [str(name) for name in classes] if isinstance(classes, Sequence) and not isinstance(classes, str) else []
        )
        prefix = "" if split is None else f"{split} "
        if (files := _files_of(dataset)) is not None:
            self._list_files(files, split, names, index)
            return
        for number, item in enumerate(self._items(dataset)):
            said: dict[str, Any] = {"sample_id": f"{prefix}{number}", "split": split, "row": number + 1}
            if isinstance(item, _Failed):
                if not number and not _has_length(dataset):
                    raise ConfigurationError(f"the dataset failed before its first sample: {item}", where=self._target)
                said |= {"damage": str(item), "path": said["sample_id"]}
            else:
                said |= self._described(item, names, data, said["sample_id"])
            index.write(json.dumps(said) + "\n")

    def _root_of(self, dataset: Any) -> str | None:
        """The folder of a dataset that lists its files; None of any other."""
        files = _files_of(dataset)
        if files is None:
            return None
        root = getattr(dataset, "root", None) or os.path.commonpath([Path(path).parent for path, _ in files])
        return os.path.abspath(self._base / root)  # noqa: PTH100 - links stay as they are

    def _list_files(
        self, files: Sequence[tuple[str, Any]], split: str | None, names: Sequence[str], index: IO[str]
    ) -> None:
        """A dataset that says which file each sample is: the files themselves are checked."""
        for path, label in files[: self._limit]:
            name = encode_path(os.path.relpath(self._base / path, self._root).replace(os.sep, "/"))
            said = {"sample_id": name, "path": name, "split": split, "label": self._label(label, names)}
            index.write(json.dumps(said) + "\n")

    def _items(self, dataset: Any) -> Iterator[Any]:
        if _has_length(dataset) and hasattr(dataset, "__getitem__"):
            try:
                n_samples = len(dataset)
            except Exception as error:
                raise ConfigurationError(
                    f"its length cannot be told: {shortened_error(error)}", where=self._target
                ) from error
            if self._limit is not None and self._limit < n_samples:
                self._note(f"the first {self._limit:,} of {n_samples:,} samples were taken, as dataset.limit says")
                n_samples = self._limit
            for number in range(n_samples):
                try:
                    yield dataset[number]
                except Exception as error:  # noqa: BLE001 - one broken sample is one finding
                    yield _Failed(f"the dataset failed: {shortened_error(error)}")
            return
        with users_code(self._target, "the dataset cannot be iterated over"):
            iterator = iter(dataset)
        number = 0
        while True:
            if self._limit is not None and number >= self._limit:
                self._note(f"the first {self._limit:,} samples were taken, as dataset.limit says")
                return
            if self._limit is None and number >= MOST_SAMPLES:
                raise SourceError(
                    f"the stream has not ended after {MOST_SAMPLES:,} samples",
                    where=self._target,
                    hint="set dataset.limit to how many of its samples are to be checked",
                )
            try:
                yield next(iterator)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 - what came before it counts
                yield _Failed(f"the dataset failed here, and what follows is lost: {shortened_error(error)}")
                return
            number += 1

    def _described(self, item: Any, names: Sequence[str], data: IO[bytes], sample_id: str) -> dict[str, Any]:
        given, label, name, group = self._parts(item)
        said: dict[str, Any] = {"label": self._label(label, names)}
        if name is not None:
            said["sample_id"] = sample_id = str(_plain(name))
        if group is not None:
            said["group_id"] = str(_plain(group))
        if isinstance(given, str | os.PathLike):
            path = Path(os.path.abspath(self._base / given))  # noqa: PTH100 - links stay as they are
            inside = path.is_relative_to(self._base)
            said["path"] = encode_path(path.relative_to(self._base).as_posix() if inside else str(path))
            if name is None:
                said["sample_id"] = said["path"]
            return said
        if isinstance(given, bytes | bytearray | memoryview):
            return said | {"path": sample_id, "place": self._kept(bytes(given), data)}
        array = _as_array(given)
        if array is None:
            self._note(
                f"inputs of type {type(given).__name__} are not looked into: give bytes, paths, pictures or arrays"
            )
            return said
        if not is_picture(array.shape, array.dtype):
            shape = "×".join(map(str, array.shape))
            self._note(
                f"inputs are arrays of {array.dtype} with shape {shape}, which are no pictures as they are stored:"
                " labels and copies are judged, and pictures are not"
            )
            return said | {"digest": array_digest(array).hex()}
        picture = picture_of(array)
        digest = (picture.digest or b"").hex()
        place = f"{self._kept(picture.data, data)} {digest} {picture.n_bytes}"
        return said | {"path": sample_id, "place": place}

    def _parts(self, item: Any) -> tuple[Any, Any, Any, Any]:
        """Input, label, name and group of a sample."""
        if isinstance(item, Mapping):
            given = [
                self._by_key(item, self._keys[role], role, known)
                for role, known in (("image", _INPUTS), ("label", _LABELS), ("id", _IDS), ("group", ()))
            ]
            return given[0], given[1], given[2], given[3]
        if isinstance(item, tuple | list):
            rest = [*item, None, None]
            return rest[0], rest[1], None, None
        return item, None, None, None

    def _by_key(self, item: Mapping[Any, Any], key: str | None, role: str, known: Sequence[str]) -> Any:
        if key is None:
            return next((item[name] for name in known if name in item), None)
        if key not in item:
            raise ConfigurationError(
                f"a sample has no {key!r}, which dataset.{role} names",
                where=self._target,
                hint=f"its keys are {', '.join(map(repr, list(item)[:8]))}",
            )
        return item[key]

    def _label(self, label: Any, names: Sequence[str]) -> str | None:
        value = _plain(label)
        if value is None or isinstance(value, list | dict | tuple):
            if value is not None:
                self._note("labels with several values are not looked into")
            return None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return names[value]
        return str(value)

    def _kept(self, content: bytes, data: IO[bytes]) -> str:
        data.write(content)
        place = f"{self._offset} {len(content)}"
        self._offset += len(content)
        return place

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)


class _Failed(str):
    """Why a sample could not be had."""

    __slots__ = ()


def _is_dataset(value: Any) -> bool:
    return not isinstance(value, str | bytes) and (hasattr(value, "__getitem__") or hasattr(value, "__iter__"))


def _has_length(dataset: Any) -> bool:
    # An iterable dataset of torch inherits __getitem__, and may have a length that is a guess.
    return hasattr(type(dataset), "__len__") and not hasattr(type(dataset), "__next__") and not _is_iterable(dataset)


def _is_iterable(dataset: Any) -> bool:
    return any(base.__name__ == "IterableDataset" for base in inspect.getmro(type(dataset)))


def _files_of(dataset: Any) -> list[tuple[str, Any]] | None:
    """The file and the class of each sample, where a dataset lists them as torchvision's ImageFolder does."""
    listed = getattr(dataset, "samples", None)
    if not isinstance(listed, list) or not listed:
        return None
    fitting = all(
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str | os.PathLike) for item in listed
    )
    return [(os.fspath(path), label) for path, label in listed] if fitting else None


def _as_array(given: Any) -> Any:
    """An array of numbers; a picture has its channels last. None where it is none."""
    module = type(given).__module__.partition(".")[0]
    if module == "PIL":
        mode = given.mode
        if mode not in ("L", "RGB", "RGBA", "I;16"):
            given = given.convert("RGBA" if "A" in mode or "transparency" in given.info else "RGB")
        return np.asarray(given)
    if hasattr(given, "detach") and hasattr(given, "cpu"):
        given = given.detach().cpu()
        given = given.float() if str(given.dtype) == "torch.bfloat16" else given
        array = given.numpy()
    elif isinstance(given, np.ndarray):
        array = given
    else:
        return None
    if array.dtype.kind not in "biuf":
        return None
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        channels_last = np.moveaxis(array, 0, -1)
        return channels_last if is_picture(channels_last.shape, array.dtype) else array
    return array


def _plain(value: Any) -> Any:
    """A number of numpy or torch as one of Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


if __name__ == "__main__":
    main(sys.argv[1:])
