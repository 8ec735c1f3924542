"""Which kinds of source there are, what the configuration says to each, and which one a path is.

A kind is a file under ``sources/`` whose name is one word and that binds a `SourceKind` to ``SOURCE``; other
distributions add theirs as entry points of the group ``dataguard.sources``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from dataguard.core.errors import ConfigurationError, SourceError, did_you_mean
from dataguard.core.plugins import SOURCES, Plugin, PluginError, collision, one_word_modules, plugins, source_names
from dataguard.dataset.sources import Source

_URL = re.compile(r"[a-z][a-z0-9+.-]+(?:::|://)", re.IGNORECASE)
_PLAIN = ("location", "base", "where", "max_pixels", "jobs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What is said of a dataset that is to be opened; the keys of the table ``[dataset]`` by their names."""

    location: str
    """An absolute path, a URL, a pattern of either, or ``module:name``."""
    base: Path
    """The folder that relative names are relative to."""
    where: str
    """What errors about the configuration name."""
    pattern: str | None = None
    label: str | None = None
    splits: Mapping[str, tuple[str, ...]] | None = None
    split: str | None = None
    image: str | None = None
    group: str | None = None
    time: str | None = None
    id: str | None = None
    text: str | None = None
    limit: int | None = None
    """The most samples that are taken."""
    timeout: float | None = None
    """Seconds that a user's code may take."""

    @property
    def path(self) -> Path:
        """The location as a path."""
        return Path(self.location)

    @property
    def is_url(self) -> bool:
        """Whether it lies on another machine, or in another file system of fsspec's."""
        return is_url(self.location)

    def roles(self, *names: str) -> dict[str, Any]:
        """Some keys with their values."""
        return {name: getattr(self, name) for name in names}


COLUMNS = ("label", "split", "image", "group", "time", "id", "text")
"""The keys that name columns of a table."""
_MEANINGS = {
    **dict.fromkeys(COLUMNS, "names a column of a table"),
    "pattern": "is for folders",
    "splits": "names the files of each split",
    "limit": "is for streams",
    "timeout": "is for a dataset that your own code makes",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceKind:
    """A kind of source."""

    name: str
    """As the configuration has it: ``source = "webdataset"``."""
    words: str
    """What a dataset of that kind is, with its article: 'a folder'."""
    summary: str
    """One line of what it reads."""
    keys: tuple[str, ...]
    """The keys of ``[dataset]`` that it reads, beside ``path``."""
    open: Callable[[Opening], Source]
    """Makes the source; raises `DataguardError`."""
    recognizes: Callable[[Opening], bool]
    """Whether a location is unmistakably of that kind. Called with locations of every kind, and reads little."""
    rank: int = 0
    """Of several that recognize a location the lowest is taken; two of one rank are an error."""
    opens_urls: bool = False
    """Whether it is given URLs as they are, and not the path of a copy."""
    hint: str = ""
    """What to do where a key does not fit."""


def is_url(location: str) -> bool:
    """Whether a location is a URL that fsspec opens, and no path.

    >>> is_url("s3://bucket/train"), is_url("C:/data"), is_url("train.py:make")
    (True, False, False)
    """
    return _URL.match(location) is not None


def is_target(location: str) -> bool:
    """Whether a location is ``file.py:name``.

    >>> is_target("data.py:make"), is_target("data.py")
    (True, False)
    """
    place, separator, name = location.rpartition(":")
    return bool(separator) and place.endswith(".py") and all(part.isidentifier() for part in name.split("."))


def is_plain_path(location: str) -> bool:
    """Whether a location is a path that must be there, and neither a URL, a target nor a pattern."""
    return not (is_url(location) or is_target(location) or has_braces(location))


def has_braces(location: str) -> bool:
    """Whether a location is a pattern with braces, as ``train-{000..009}.tar``."""
    return re.search(r"\{[^{}]*(?:\.\.|,)[^{}]*\}", location) is not None


@cache
def built_in_kinds() -> Mapping[str, SourceKind]:
    """The kinds of this package, by name."""
    found = {}
    for name in one_word_modules("dataset", "sources"):
        module = f"dataguard.dataset.sources.{name}"
        kind = getattr(importlib.import_module(module), "SOURCE", None)
        if not isinstance(kind, SourceKind) or kind.name != name:
            raise ImportError(f"{module}: expected a SourceKind {name!r} named SOURCE")
        found[name] = kind
    return found


def kind_named(name: str, *, where: str) -> SourceKind:
    """The kind of that name.

    Raises:
        ConfigurationError: there is none.
        PluginError: the plug-in that has it cannot be used.
    """
    built_in = built_in_kinds()
    of_plugins = [plugin for plugin in plugins(SOURCES) if plugin.name == name]
    if of_plugins and name in built_in:
        raise collision(of_plugins[0], f"the source {name!r}", ["dataguard"])
    if name in built_in:
        return built_in[name]
    if not of_plugins:
        raise ConfigurationError(f"unknown source {name!r}", where=where, hint=did_you_mean(name, source_names()))
    if len(of_plugins) > 1:
        raise collision(of_plugins[0], f"the source {name!r}", [other.distribution for other in of_plugins[1:]])
    return _loaded(of_plugins[0])


def _loaded(plugin: Plugin) -> SourceKind:
    kind: SourceKind = plugin.load(SourceKind)
    if kind.name != plugin.name:
        raise plugin.error(f"it calls itself {kind.name!r}")
    return kind


def recognized(opening: Opening, notes: list[str]) -> SourceKind | None:
    """The kind that a location is unmistakably of; None where there is none.

    Args:
        opening: The location.
        notes: Told of plug-ins that cannot be asked.

    Raises:
        SourceError: it is of several kinds.
    """
    kinds = dict(built_in_kinds())
    for plugin in plugins(SOURCES):
        if plugin.name in kinds:
            notes.append(collision(plugin, f"the source {plugin.name!r}", ["dataguard"]).message)
            continue
        try:
            kinds[plugin.name] = _loaded(plugin)
        except PluginError as error:
            notes.append(error.message)
    fitting = [kind for kind in kinds.values() if kind.recognizes(opening)]
    if not fitting:
        return None
    best = [kind for kind in fitting if kind.rank == min(kind.rank for kind in fitting)]
    if len(best) > 1:
        raise SourceError(
            f"this may be {' or '.join(kind.words for kind in best)}",
            where=opening.location,
            hint="say which: " + " or ".join(f'dataset.source = "{kind.name}"' for kind in best),
        )
    return best[0]


def check_keys(kind: SourceKind, opening: Opening) -> None:
    """See that every key which is set means something to the kind.

    Raises:
        ConfigurationError: one does not.
    """
    for item in fields(opening):
        key = item.name
        if key not in _MEANINGS or getattr(opening, key) is None or key in kind.keys:
            continue
        raise ConfigurationError(
            f"dataset.{key} {_MEANINGS[key]}, and this is {kind.words}",
            where=opening.where,
            hint=kind.hint or _known_keys(kind.keys),
        )


def _known_keys(keys: Sequence[str]) -> str | None:
    return f"it reads {', '.join(f'dataset.{key}' for key in keys)}" if keys else None
