"""Configurations in a repository that declare what is done to a picture: found by name and content, and only read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from dataguard.core.errors import DataguardError
from dataguard.core.project_files import walk
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Part, Provenance
from dataguard.preprocessing.readers import NAMES, read
from dataguard.preprocessing.static.reading import FoundPath, Role

AnyPart = TypeVar("AnyPart", bound=Part)

MOST_READ = 300
"""Files that may declare something and are read; repositories with models for every purpose have more."""
MOST_BYTES = 2**20
"""Of a file of text."""
MOST_OF_A_MODEL = 2**28
MODELS = frozenset({".onnx", ".tflite", ".keras"})
"""Exported networks, which say themselves what they are fed."""
_MARKS: Mapping[str, re.Pattern[bytes]] = {
    ".json": re.compile(
        rb'"(?:image_processor_type|feature_extractor_type|image_mean|pretrained_cfg|preprocess_cfg|__class_fullname__|'
        rb'img_norm_cfg|data_preprocessor)"|"class_name"\s*:\s*"(?:Functional|Sequential|Model)"'
    ),
    ".yaml": re.compile(rb"(?m)^\s*(?:imgsz|__class_fullname__|img_norm_cfg|data_preprocessor|image_mean)\s*:"),
    ".py": re.compile(rb"(?m)^(?:img_norm_cfg|data_preprocessor|(?:train|val|test)_pipeline)\s*=\s*(?:dict\(|\[|\{)"),
    ".xml": re.compile(rb"<net\b[^>]*\bversion="),
    ".pbtxt": re.compile(rb"(?m)^\s*input\s*:?\s*[\[{]"),
}
"""What a file of that kind has that is worth reading whole."""
_SUFFIXES: Mapping[str, str] = {".yml": ".yaml"}
_DEFINES = re.compile(rb"(?m)^(?:def|class|if|for|with|try)\b")
"""A configuration in Python is a list of values; one that does more is code, and is followed as such."""
_PROGRAM = re.compile(rb"(?m)^[ \t]*(?:from|import)[ \t]+nvidia\.dali\b")
"""A loader's graph that is written in Python, in which no array is seen."""
_OF_TESTS = re.compile(r"(?:^|/)(?:tests?|testing|fixtures|docs?)/")
_HEAD = 4096


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Configuration:
    """A file that declares what is done to a picture."""

    name: str
    """The file, relative to the repository."""
    program: bool
    """Whether it is the loader itself, written as a graph, and says nothing of published weights."""
    ways: tuple[Pipeline, ...]
    """Several where it declares several, or does not say which implementation runs it."""

    @property
    def fed(self) -> tuple[Pipeline, ...]:
        """Those that are not of training, where there are any."""
        return tuple(way for way in self.ways if not way.name.startswith("train")) or self.ways

    def paths(self) -> Iterator[FoundPath]:
        """What it declares, as paths of the repository, each once."""
        for way in dict.fromkeys(self.ways):
            name = self.name if len(self.ways) == 1 or not way.name else f"{self.name}: {way.name}"
            role: Role = "config"
            if self.program:
                role = "train" if "train" in way.name else "val"
            yield FoundPath(role=role, name=name, entry=self.name, pipeline=replace(way, name=name))


def configurations(folder: Path) -> tuple[Configuration, ...]:
    """Every configuration below a folder, each declaration once, in the order of their names.

    Names of files that say what they are come before those that only look so; what is broken, a link, or of tests is
    passed over. Of files that declare the same, as a family of models does, the first stands for all.

    Args:
        folder: The repository's.
    """
    found: list[Configuration] = []
    seen: set[tuple[Pipeline, ...]] = set()
    named = sorted(_candidates(folder), key=lambda one: (one[0], one[1]))
    for _, name in named[:MOST_READ]:
        try:
            ways = tuple(_placed(way, name) for way in read(folder / name))
            program = name.endswith(".py") and _PROGRAM.search((folder / name).read_bytes()) is not None
        except (DataguardError, OSError, ValueError, TypeError, RecursionError):
            continue
        key = (*(replace(way, name="") for way in ways),)
        # One that is named as weights' own stays: a path is held against the nearest of them.
        if key not in seen or Path(name).name in NAMES:
            seen.add(key)
            found.append(Configuration(name=name, program=program, ways=ways))
    return tuple(sorted(found, key=lambda one: one.name))


def _candidates(folder: Path) -> Iterator[tuple[bool, str]]:
    """Files that may declare something, and whether only what is in them says so."""
    for parent, names in walk(folder):
        within = parent.relative_to(folder).as_posix()
        for name in names:
            shown = name if within == "." else f"{within}/{name}"
            if not _OF_TESTS.search(shown) and _may_declare(parent / name):
                yield name not in NAMES, shown


def _may_declare(path: Path) -> bool:
    suffix = path.suffix.lower()
    marks = _MARKS.get(_SUFFIXES.get(suffix, suffix))
    if marks is None and suffix not in MODELS:
        return False
    try:
        if path.is_symlink() or not path.is_file():
            return False
        size = path.stat().st_size
        if suffix in MODELS or suffix == ".xml":
            return size <= MOST_OF_A_MODEL and (marks is None or marks.search(_head(path)) is not None)
        if size > MOST_BYTES:
            return False
        content = path.read_bytes()
    except OSError:
        return False
    if suffix == ".py" and _PROGRAM.search(content):
        return True
    return (
        marks is not None and marks.search(content) is not None and not (suffix == ".py" and _DEFINES.search(content))
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _placed(way: Pipeline, name: str) -> Pipeline:
    """The path with the file's name within the repository for wherever it lies just now."""
    steps = None if way.geometry is None else tuple(_part(step, name) for step in way.geometry)
    return replace(_part(way, name), decode=_part(way.decode, name), affine=_part(way.affine, name), geometry=steps)


def _part(part: AnyPart, name: str) -> AnyPart:
    said: dict[str, Provenance] = {
        field: one if one.path is None else replace(one, path=name) for field, one in part.provenance.items()
    }
    return replace(part, provenance=said)
