"""Pictures in files with annotations of the objects in them: what COCO, Pascal VOC and YOLO have in common.

A sample is a picture. Its label is the class of its objects where all are of one class; a picture with objects of
several classes, or with none, has no label. An annotation that refers to something which is not there is a sample that
cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataguard.core.errors import NothingToCheckError
from dataguard.dataset.sources import Identity, Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatedPicture:
    """A picture with the classes of its objects."""

    path: str
    """Relative to the root, as `encode_path` writes it."""
    split: str | None
    classes: frozenset[str]
    damage: str | None = None
    """Why its annotation cannot be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenAnnotation:
    """An annotation without a picture that it could be of."""

    name: str
    """What it is called in reports."""
    split: str | None
    reason: str


def visible_files(folder: Path, pattern: str = "*") -> list[Path]:
    """What lies in a folder and in those below it, in order, without what is hidden, as where folders are classes."""
    below = len(str(folder))
    return sorted(path for path in folder.rglob(pattern) if "/." not in path.as_posix()[below:])


class AnnotatedSource:
    """Pictures with annotations.

    Args:
        kind: What the source is called.
        root: The folder that the pictures' paths are relative to.
        read: Reads the annotations.
        beyond: Where else files are looked for that say what belongs to it, beside what lies below the root.
    """

    def __init__(
        self,
        kind: str,
        root: Path,
        read: Callable[[], Sequence[AnnotatedPicture | BrokenAnnotation]],
        beyond: Sequence[Path] = (),
    ) -> None:
        self.kind = kind
        self.root = root
        self.beyond = tuple(beyond)
        self.notes: list[str] = []
        self.pictures = None
        self._read = read
        self._found: Sequence[AnnotatedPicture | BrokenAnnotation] | None = None

    def references(self) -> Iterator[Reference]:
        """Every picture, in the order of the paths; and one for each annotation that belongs to none.

        Raises:
            SourceError: the annotations cannot be read.
            NothingToCheckError: there is no picture.
        """
        # They are asked for several times, and take seconds to read where they are many.
        found = self._found = self._read() if self._found is None else self._found
        pictures = sorted((item for item in found if isinstance(item, AnnotatedPicture)), key=lambda item: item.path)
        if not found:
            raise NothingToCheckError("the annotations list no picture", where=self.root)
        several = sum(len(item.classes) > 1 for item in pictures)
        none = sum(not item.classes for item in pictures)
        for n_pictures, words in ((several, "show objects of several classes"), (none, "have no annotated object")):
            note = f"{n_pictures:,} of {len(pictures):,} pictures {words}, and so have no label of their own"
            if n_pictures and note not in self.notes:
                self.notes.append(note)
        for item in pictures:
            label = next(iter(item.classes)) if len(item.classes) == 1 else None
            yield Reference(sample_id=item.path, path=item.path, split=item.split, label=label, damage=item.damage)
        for broken in found:
            if isinstance(broken, BrokenAnnotation):
                yield Reference(sample_id=broken.name, path=broken.name, split=broken.split, damage=broken.reason)

    def identity(self) -> Identity | None:
        """None: only the files can tell."""
        return None
