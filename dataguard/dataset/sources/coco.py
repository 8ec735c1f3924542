"""Annotations as COCO has them: a JSON file with ``images``, ``annotations`` and ``categories``, one a split."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataguard.core.errors import SourceError
from dataguard.core.paths import encode_path
from dataguard.core.split_roles import split_order
from dataguard.dataset.kinds import Opening, SourceKind
from dataguard.dataset.sources.annotated_images import AnnotatedPicture, AnnotatedSource, BrokenAnnotation

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
    try:
        said = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise SourceError("no such file", where=file) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"cannot be read as JSON: {error}", where=file, hint="it may be truncated") from error
    images, annotations, categories = (_listed(said, key, file) for key in ("images", "annotations", "categories"))
    split = split_of(file.stem)
    names = {item.get("id"): str(item.get("name", item.get("id"))) for item in categories}
    folders = _Folders(root, split)
    classes: dict[Any, set[str]] = {}
    paths: dict[Any, str] = {}
    found: list[AnnotatedPicture | BrokenAnnotation] = []
    for number, image in enumerate(images):
        identifier, name = image.get("id"), image.get("file_name")
        if not isinstance(name, str) or identifier is None:
            found.append(_broken(file, split, f"image {number + 1}", "it has no id or no file_name"))
        elif identifier in paths:
            found.append(_broken(file, split, f"image {number + 1}", f"the id {identifier!r} is also another image's"))
        else:
            paths[identifier] = folders.placed(name)
            classes[identifier] = set()
    for number, annotation in enumerate(annotations):
        of, category = annotation.get("image_id"), annotation.get("category_id")
        called = f"annotation {annotation.get('id', number + 1)}"
        if of not in classes:
            found.append(_broken(file, split, called, f"it is of image {of!r}, which is not listed"))
        elif category not in names:
            found.append(_broken(file, split, called, f"it is of category {category!r}, which is not listed"))
        else:
            classes[of].add(names[category])
    for identifier, path in paths.items():
        own = split
        first = path.split("/")[0]
        if own is None and "/" in path and split_order(first)[0] < 3:
            own = first
        found.append(AnnotatedPicture(path=encode_path(path), split=own, classes=frozenset(classes[identifier])))
    return found


def _broken(file: Path, split: str | None, called: str, reason: str) -> BrokenAnnotation:
    return BrokenAnnotation(name=f"{encode_path(file.name)} {called}", split=split, reason=reason)


class _Folders:
    """Finds the folder that images lie in; COCO's file names are relative to one that nothing names."""

    def __init__(self, root: Path, split: str | None) -> None:
        self._root = root
        named = [split] if split else []
        try:
            here = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
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


def _listed(said: Any, key: str, file: Path) -> list[dict[str, Any]]:
    found = said.get(key) if isinstance(said, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise SourceError(f"no list {key!r}, as annotations of COCO have", where=file)
    return found


def _annotation_files(folder: Path) -> list[Path]:
    places = [folder / "annotations", folder / "Annotations", folder]
    candidates = [path for place in places if place.is_dir() for path in sorted(place.glob("*.json"))]
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
