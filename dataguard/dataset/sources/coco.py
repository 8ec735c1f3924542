"""Annotations as COCO has them: a JSON file with ``images``, ``annotations`` and ``categories``, one a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dataguard.core.errors import SourceError
from dataguard.core.paths import encode_path
from dataguard.core.split_roles import split_order
from dataguard.dataset.kinds import Opening, SourceKind
from dataguard.dataset.sources.annotated_images import AnnotatedPicture, AnnotatedSource, BrokenAnnotation
from dataguard.dataset.sources.json_lists import read_lists

_HEAD = 1 << 16
_YEAR = re.compile(r"\d{4}$")


def _open(opening: Opening) -> AnnotatedSource:
    path = opening.path
    if path.is_dir():
        root = path
        files = _annotation_files(path)
        if not files:
            raise SourceError("no file of annotations as COCO has them", where=path, hint="name the .json file")
    else:
        files = [path]
        root = path.parent.parent if path.parent.name.lower() == "annotations" else path.parent
    return AnnotatedSource("coco", root, lambda: [item for file in files for item in _read(file, root)])


def _read(file: Path, root: Path) -> Sequence[AnnotatedPicture | BrokenAnnotation]:
    split = split_of(file.stem)
    listing = _Listing(file, root, split)
    takers = {"images": listing.image, "annotations": listing.annotation, "categories": listing.category}
    try:
        there = read_lists(file, {key: partial(_checked, file, key, taker) for key, taker in takers.items()})
    except FileNotFoundError:
        raise SourceError("no such file", where=file) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"cannot be read as JSON: {error}", where=file, hint="it may be truncated") from error
    for key in takers:
        if key not in there:
            raise _no_list(key, file)
    return listing.finished()


class _Listing:
    """What one file says, as its items come, in whatever order its lists stand."""

    def __init__(self, file: Path, root: Path, split: str | None) -> None:
        self._file = file
        self._split = split
        self._folders = _Folders(root, split)
        self._broken: list[BrokenAnnotation] = []
        self._n_images = 0
        self._paths: dict[Any, str] = {}
        self._names: dict[Any, str] = {}
        # Of each annotation its id, where it is not its number, its image and its category: three columns.
        self._annotations: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        self._keys: dict[Any, Any] = {}

    def image(self, image: dict[str, Any]) -> None:
        """Take note of an image."""
        self._n_images += 1
        identifier, name = image.get("id"), image.get("file_name")
        called = f"image {self._n_images}"
        if not isinstance(name, str) or not isinstance(identifier, int | str | float):
            self._say(called, "it has no id or no file_name")
        elif identifier in self._paths:
            self._say(called, f"the id {identifier!r} is also another image's")
        else:
            self._paths[self._shared(identifier)] = self._folders.placed(name)

    def annotation(self, annotation: dict[str, Any]) -> None:
        """Take note of an annotation; its outline, which is most of a file, is not kept."""
        identifiers, images, categories = self._annotations
        identifier = annotation.get("id")
        identifiers.append(None if identifier == len(identifiers) + 1 else identifier)
        images.append(self._shared(annotation.get("image_id")))
        categories.append(self._shared(annotation.get("category_id")))

    def category(self, category: dict[str, Any]) -> None:
        """Take note of a category."""
        identifier = category.get("id")
        self._names[self._shared(identifier)] = str(category.get("name", identifier))

    def finished(self) -> list[AnnotatedPicture | BrokenAnnotation]:
        """The pictures with the classes of their objects, behind what refers to something that is not there."""
        # Few sets are different, so that they are shared.
        empty: frozenset[str] = frozenset()
        sets = {empty: empty}
        classes = dict.fromkeys(self._paths, empty)
        for number, (identifier, of, category) in enumerate(zip(*self._annotations, strict=True), 1):
            called = f"annotation {number if identifier is None else identifier}"
            known = classes.get(of)
            if known is None:
                self._say(called, f"it is of image {of!r}, which is not listed")
            elif category not in self._names:
                self._say(called, f"it is of category {category!r}, which is not listed")
            elif self._names[category] not in known:
                joined = known | {self._names[category]}
                classes[of] = sets.setdefault(joined, joined)
        found: list[AnnotatedPicture | BrokenAnnotation] = list(self._broken)
        for identifier, path in self._paths.items():
            own = self._split
            first = path.split("/")[0]
            if own is None and "/" in path and split_order(first)[0] < 3:
                own = first
            found.append(AnnotatedPicture(path=encode_path(path), split=own, classes=classes[identifier]))
        return found

    def _shared(self, key: Any) -> Any:
        """The same key as one object; what can be no key, as text."""
        if not (key is None or isinstance(key, int | str | float)):
            key = repr(key)
        return self._keys.setdefault(key, key)

    def _say(self, called: str, reason: str) -> None:
        name = f"{encode_path(self._file.name)} {called}"
        self._broken.append(BrokenAnnotation(name=name, split=self._split, reason=reason))


def _checked(file: Path, key: str, taker: Callable[[dict[str, Any]], None], item: Any) -> None:
    if not isinstance(item, dict):
        raise _no_list(key, file)
    taker(item)


def _no_list(key: str, file: Path) -> SourceError:
    return SourceError(f"no list {key!r}, as annotations of COCO have", where=file)


class _Folders:
    """Finds the folder that images lie in; COCO's file names are relative to one that nothing names."""

    def __init__(self, root: Path, split: str | None) -> None:
        self._root = root
        named = [split] if split else []
        try:
            here = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
        except OSError:
            here = []
        of_split = [name for name in here if split is not None and split_of(name) == split]
        self._folders = ["", *of_split, "images", "data", *(f"images/{name}" for name in (*named, *of_split))]
        self._last = ""

    def placed(self, name: str) -> str:
        """The path of an image, relative to the root."""
        for folder in (self._last, *self._folders):
            path = f"{folder}/{name}" if folder else name
            if (self._root / path).is_file():
                self._last = folder
                return path
        return f"{self._last}/{name}" if self._last else name


def split_of(name: str) -> str | None:
    """The split that a name as COCO gives it says.

    >>> split_of("instances_val2017"), split_of("train2017"), split_of("annotations")
    ('val', 'train', None)
    """
    words = [_YEAR.sub("", word) for word in re.split(r"[^A-Za-z0-9]+", name.lower())]
    found = [word for word in words if word and split_order(word)[0] < 3]
    return found[0] if len(found) == 1 else None


def _annotation_files(folder: Path) -> list[Path]:
    places = [folder / "annotations", folder / "Annotations", folder]
    candidates = [path for place in places if place.is_dir() for path in sorted(place.glob("[!.]*.json"))]
    return [path for path in dict.fromkeys(path.resolve() for path in candidates) if _looks_like(path)]


def _looks_like(path: Path) -> bool:
    """Whether a JSON file begins as one of COCO's; a large one is not read whole for that."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            whole = len(head) < _HEAD
            tail = b"" if whole else _tail(path)
    except OSError:
        return False
    if not head.lstrip().startswith(b"{"):
        return False
    if whole:
        return all(f'"{key}"'.encode() in head for key in ("images", "annotations", "categories"))
    return sum(f'"{key}"'.encode() in head + tail for key in ("images", "annotations", "categories")) >= 2


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-_HEAD, 2)
        return file.read()


def _recognizes(opening: Opening) -> bool:
    if opening.is_url:
        return False
    path = opening.path
    if path.is_file():
        return path.suffix.lower() == ".json" and _looks_like(path)
    return path.is_dir() and bool(_annotation_files(path))


SOURCE = SourceKind(
    name="coco",
    words="a dataset with annotations of COCO",
    summary="pictures with COCO's annotations, instances_train.json; the label is the class where there is one",
    keys=(),
    open=_open,
    recognizes=_recognizes,
)
