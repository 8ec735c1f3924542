"""Annotations as YOLO has them: ``images/`` and ``labels/`` side by side, a text file a picture, and ``data.yaml``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dataguard.core.errors import SourceError
from dataguard.core.paths import encode_path
from dataguard.core.split_roles import split_order
from dataguard.dataset.kinds import Opening, SourceKind
from dataguard.dataset.sources.annotated_images import AnnotatedPicture, AnnotatedSource, visible_files
from dataguard.dataset.sources.folder import IMAGE_SUFFIXES

_FILES = ("data.yaml", "data.yml", "dataset.yaml")
_SPLITS = ("train", "val", "test")


def _open(opening: Opening) -> AnnotatedSource:
    path = opening.path
    described = path if path.is_file() else next((path / name for name in _FILES if (path / name).is_file()), None)
    folder = path.parent if path.is_file() else path
    said: Mapping[str, Any] = {} if described is None else _described(described)
    root = _root(said, folder)
    places = (place for _, candidates in _named(root, said) for place in candidates)
    beyond = [path for place in places if not (path := _straight(place)).is_relative_to(root)]
    return AnnotatedSource("yolo", root, lambda: list(_read(root, said, described or folder)), beyond)


def _described(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError("no such file", where=path) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SourceError(f"cannot be read as YAML: {error}", where=path) from error
    if not isinstance(found, dict):
        raise SourceError("no table of YAML, as data.yaml is", where=path)
    return found


def _root(said: Mapping[str, Any], folder: Path) -> Path:
    path = said.get("path")
    if isinstance(path, str) and (folder / path).is_dir():
        # What the file names may be anywhere on the machine that it was written on.
        return _straight(folder / path)
    return folder


def _straight(path: Path) -> Path:
    """The same without ``..``; links stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - that is what it is for


def _named(root: Path, said: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """The splits that data.yaml names, and where the pictures, or the list of them, of each may be."""
    for split in _SPLITS:
        places = said.get(split) or []
        for place in places if isinstance(places, list) else [places]:
            # Roboflow writes ../train/images, relative to a folder that is not there.
            yield split, (root / str(place), root / str(place).removeprefix("../"))


def _names(said: Mapping[str, Any], where: Path) -> dict[int, str] | None:
    names = said.get("names")
    if names is None:
        return None
    if isinstance(names, list):
        return {code: str(name) for code, name in enumerate(names)}
    if isinstance(names, dict) and all(isinstance(code, int) for code in names):
        return {code: str(name) for code, name in names.items()}
    raise SourceError("its names are neither a list nor a table by number", where=where)


def _read(root: Path, said: Mapping[str, Any], where: Path) -> Iterator[AnnotatedPicture]:
    names = _names(said, where)
    for split, pictures in _pictures(root, said, where):
        for path in pictures:
            relative = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
            classes, damage = _classes(_label_file(relative, root), names)
            if not path.is_file():
                damage = None
            yield AnnotatedPicture(path=encode_path(relative), split=split, classes=classes, damage=damage)


def _pictures(root: Path, said: Mapping[str, Any], where: Path) -> Iterator[tuple[str | None, Sequence[Path]]]:
    named = list(_named(root, said))
    if not named:
        images = root / "images"
        if not images.is_dir():
            raise SourceError("neither splits nor a folder images", where=where)
        for path in _images_in(images):
            first = path.relative_to(images).parts[0]
            yield (first if split_order(first)[0] < 3 and path.parent != images else None), [path]
    for split, candidates in named:
        found = next((path for path in candidates if path.exists()), None)
        if found is None:
            raise SourceError(f"no such file or folder, which {where.name} names for {split!r}", where=candidates[0])
        found = _straight(found)
        if found.is_dir():
            yield split, list(_images_in(found))
        else:
            lines = found.read_text(encoding="utf-8", errors="replace").splitlines()
            yield split, [_straight(found.parent / line.strip()) for line in lines if line.strip()]


def _images_in(folder: Path) -> Iterator[Path]:
    return (path for path in visible_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES)


def _label_file(relative: str, root: Path) -> Path:
    """The annotation of a picture: as YOLO finds it, under labels in place of images."""
    before, images, after = f"/{relative}".rpartition("/images/")
    path = f"{before}/labels/{after}" if images else f"/{relative}"
    absolute = relative.startswith("/")
    return (Path(path) if absolute else root / path.lstrip("/")).with_suffix(".txt")


def _classes(path: Path, names: Mapping[int, str] | None) -> tuple[frozenset[str], str | None]:
    """The classes of the objects that an annotation lists, and why it cannot be used."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        # A picture without objects needs no annotation.
        return frozenset(), None
    except (OSError, UnicodeDecodeError) as error:
        return frozenset(), f"its annotation {path.name} cannot be read: {error}"
    found: set[str] = set()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        try:
            code, rest = int(words[0]), [float(word) for word in words[1:]]
        except ValueError:
            return frozenset(found), f"its annotation {path.name}, line {number}: {line[:60]!r} are no numbers"
        if len(rest) < 4:
            return frozenset(found), f"its annotation {path.name}, line {number}: {len(rest)} numbers, not 4 or more"
        if names is not None and code not in names:
            return frozenset(found), f"its annotation {path.name}, line {number}: the class {code} has no name"
        found.add(str(code) if names is None else names[code])
    return frozenset(found), None


def _recognizes(opening: Opening) -> bool:
    if opening.is_url:
        return False
    path = opening.path
    if path.is_file():
        return path.name.lower() in _FILES
    return path.is_dir() and (
        any((path / name).is_file() for name in _FILES)
        or ((path / "images").is_dir() and (path / "labels").is_dir() and any((path / "labels").rglob("*.txt")))
    )


SOURCE = SourceKind(
    name="yolo",
    words="a dataset with annotations of YOLO",
    summary="pictures with YOLO's annotations, images/ and labels/; the label is the class where there is one",
    keys=(),
    open=_open,
    recognizes=_recognizes,
)
