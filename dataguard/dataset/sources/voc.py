"""Annotations as Pascal VOC has them: ``Annotations/*.xml``, ``JPEGImages/`` and the splits in ``ImageSets/Main``."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.paths import encode_path
from dataguard.core.split_roles import split_order
from dataguard.dataset.kinds import Opening, SourceKind
from dataguard.dataset.sources.annotated_images import (
    AnnotatedPicture,
    AnnotatedSource,
    BrokenAnnotation,
    visible_files,
)
from dataguard.dataset.sources.folder import IMAGE_SUFFIXES

_LARGEST = 1 << 24


def _open(opening: Opening) -> AnnotatedSource:
    root = opening.path
    if not (root / "Annotations").is_dir():
        raise SourceError("no folder Annotations in it", where=root, hint="name the folder that Annotations lies in")
    return AnnotatedSource("voc", root, lambda: _read(root))


def _read(root: Path) -> Sequence[AnnotatedPicture | BrokenAnnotation]:
    folder = root / "JPEGImages" if (root / "JPEGImages").is_dir() else root / "images"
    pictures = {}
    if folder.is_dir():
        pictures = {
            path.relative_to(folder).with_suffix("").as_posix(): path
            for path in visible_files(folder)
            if path.suffix.lower() in IMAGE_SUFFIXES
        }
    annotations = root / "Annotations"
    files = visible_files(annotations, "*.xml")
    described = {path.relative_to(annotations).with_suffix("").as_posix(): path for path in files}
    splits = _splits(root / "ImageSets" / "Main")
    found: list[AnnotatedPicture | BrokenAnnotation] = []
    for name, path in pictures.items():
        relative = path.relative_to(root).as_posix()
        classes: frozenset[str] = frozenset()
        damage = None
        if name in described:
            classes, damage = _classes(described[name])
        found.append(
            AnnotatedPicture(path=encode_path(relative), split=splits.get(name), classes=classes, damage=damage)
        )
    for name, path in sorted(described.items()):
        if name not in pictures:
            reason = f"it is of a picture that is not in {folder.name}"
            called = encode_path(path.relative_to(root).as_posix())
            found.append(BrokenAnnotation(name=called, split=splits.get(name), reason=reason))
    for name, split in splits.items():
        if name not in pictures and name not in described:
            reason = f"{split}.txt lists it, and there is neither a picture nor an annotation"
            found.append(BrokenAnnotation(name=encode_path(name), split=split, reason=reason))
    return found


def _classes(path: Path) -> tuple[frozenset[str], str | None]:
    """The classes of the objects that an annotation lists, and why it cannot be used."""
    try:
        text = path.read_bytes()
        if len(text) > _LARGEST:
            return frozenset(), f"its annotation {path.name} has {len(text):,} bytes"
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            return frozenset(), f"its annotation {path.name} declares entities, which no annotation needs"
        root = ET.fromstring(text)  # noqa: S314 - see above
    except (OSError, ET.ParseError, ValueError) as error:
        return frozenset(), f"its annotation {path.name} cannot be read: {error}"
    names = [(item.findtext("name") or "").strip() for item in root.iter("object")]
    if not all(names):
        return frozenset(filter(None, names)), f"its annotation {path.name} has an object without a name"
    return frozenset(names), None


def _splits(folder: Path) -> dict[str, str]:
    """The split of each picture, by its name without suffix."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt"), key=lambda path: split_order(path.stem)):
        # Beside train.txt there are trainval.txt, which repeats it, and a file for each class.
        if split_order(path.stem)[0] < 3:
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.strip():
                    found.setdefault(line.split()[0], path.stem)
    return found


SOURCE = SourceKind(
    name="voc",
    words="a dataset with annotations of Pascal VOC",
    summary="pictures with Pascal VOC's annotations, Annotations/*.xml; the label is the class where there is one",
    keys=(),
    open=_open,
    recognizes=lambda opening: (
        not opening.is_url
        and (opening.path / "Annotations").is_dir()
        and any((opening.path / "Annotations").glob("*.xml"))
    ),
)
