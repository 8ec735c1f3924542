"""The dataset that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dataguard.config import Config
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.finding import Skipped
from dataguard.dataset.cache import Cache
from dataguard.dataset.kinds import Opening, check_keys, is_plain_path, kind_named, recognized
from dataguard.dataset.remote import RemoteSource, copied
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_files import TABLE_SUFFIXES as TABLE_SUFFIXES
from dataguard.dataset.sources.table_files import suffix_hint
from dataguard.dataset.sources.table_folders import holds_tables as holds_tables
from dataguard.dataset.sources.table_folders import tables_of as tables_of

NO_DATASET = Skipped(reason="no dataset is named", hint="give its path, or set dataset.path")


def open_source(config: Config) -> Source:
    """The source that a configuration names; ``config.dataset.path`` is absolute, or no path.

    Raises:
        SourceError: there is nothing at that path, or it is no kind of dataset.
        ConfigurationError: a key does not fit the kind of dataset.
    """
    dataset = config.dataset
    location = dataset.path or "."
    _check_embedding(config, location)
    if dataset.frame is not None:
        return TableSource(
            location,
            frame=dataset.frame,
            draw=None if config.sample is None else (config.sample, config.seed),
            **{key: getattr(dataset, key) for key in kind_named("table", where="").keys if key != "splits"},
        )
    opening = Opening(
        location=location,
        base=config.base.absolute(),
        where=config.origin or location,
        pattern=dataset.pattern,
        label=dataset.label,
        splits=dataset.splits,
        split=dataset.split,
        image=dataset.image,
        group=dataset.group,
        time=dataset.time,
        id=dataset.id,
        text=dataset.text,
        limit=dataset.limit,
        timeout=dataset.timeout,
    )
    notes: list[str] = []
    kind = None
    if dataset.source is not None:
        kind = kind_named(dataset.source, where=f"{opening.where}: dataset.source")
        check_keys(kind, opening)
    else:
        _check_there(location)
    pictures, at_url = None, opening
    states: Mapping[str, tuple[int, str]] = {}
    if opening.is_url and not (kind is not None and kind.opens_urls):
        there = copied(opening, cache_folder(config))
        opening, pictures, states = there.opening, there.pictures, there.states
        notes += there.notes
    if kind is None:
        kind = recognized(opening, notes)
        if kind is None:
            raise SourceError("not a table, nor any other kind of dataset", where=location, hint=suffix_hint())
        check_keys(kind, opening)
    source = kind.open(opening)
    source.notes[:0] = notes
    if isinstance(source, TableSource):
        if pictures is not None and source.pictures is None and source.image is not None:
            # Paths in its rows are read as files.
            copied(at_url, cache_folder(config), whole=True)
        return source
    if pictures is None or source.pictures is not None:
        return source
    return RemoteSource(source, pictures, states)


def cache_folder(config: Config) -> Path:
    """The folder that results and copies are kept in."""
    return Cache.folder_for(config.base, config.cache)


def _check_there(location: str) -> None:
    if is_plain_path(location) and not Path(location).exists():
        raise SourceError(
            "no such file or folder", where=location, hint="dataset.path names a folder of images or a table"
        )


def _check_embedding(config: Config, location: str) -> None:
    dataset = config.dataset
    if dataset.embedding is None:
        return
    from dataguard.labels.embedding.reference import resolve

    _check_there(location)
    resolve(dataset.embedding, base=config.base.absolute())  # a mistake shows before the scan
    if dataset.features is not None:
        raise ConfigurationError(
            "dataset.features and dataset.embedding both say what the labels are judged by",
            where=config.origin or location,
            hint="keep one of them",
        )


def label_hint(source: Source | None) -> str:
    """How to say what the labels are."""
    if isinstance(source, TableSource):
        return "name the column with dataset.label"
    hints = {
        "webdataset": "put a .cls or a .json beside each picture, or name the field of the .json with dataset.label",
        "torch": "give pairs (input, label), or name the key of a sample with dataset.label",
        "numpy": "store an array y or labels beside the inputs, or name it with dataset.label",
        **dict.fromkeys(("coco", "voc", "yolo"), "only pictures with objects of one class have a label"),
    }
    if source is not None and source.kind in hints:
        return hints[source.kind]
    return "put each class in a folder of its own, or set dataset.pattern, as '{split}/{label}_*.png'"
