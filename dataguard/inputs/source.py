"""The dataset that a configuration names."""

from __future__ import annotations

from pathlib import Path

from dataguard.config import Config
from dataguard.core.errors import ConfigurationError, NothingToCheckError, SourceError
from dataguard.core.finding import Skipped
from dataguard.core.paths import decode_path
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_files import (
    TABLE_SUFFIXES as TABLE_SUFFIXES,
)
from dataguard.dataset.sources.table_files import (
    TableFile,
    find_tables,
    is_table,
    named_tables,
    suffix_hint,
)

NO_DATASET = Skipped(reason="no dataset is named", hint="give its path, or set dataset.path")


def open_source(config: Config) -> Source:
    """The source that a configuration names; ``config.dataset.path`` is absolute.

    Raises:
        SourceError: there is nothing at that path, or it is no kind of dataset.
    """
    dataset = config.dataset
    path = Path(dataset.path or ".")
    if not path.exists():
        raise SourceError("no such file or folder", where=path, hint="dataset.path names a folder of images or a table")
    if dataset.embedding is not None:
        from dataguard.labels.embedding.reference import resolve

        resolve(dataset.embedding, base=config.base.absolute())  # a mistake shows before the scan
        if dataset.features is not None:
            raise ConfigurationError(
                "dataset.features and dataset.embedding both say what the labels are judged by",
                where=config.origin or path,
                hint="keep one of them",
            )
    files: tuple[TableFile, ...] = ()
    notes: list[str] = []
    if dataset.splits is not None:
        if not path.is_dir():
            raise ConfigurationError(
                "dataset.splits names files, and dataset.path is no folder",
                where=config.origin or path,
                hint="dataset.path is the folder that they lie in",
            )
        files = named_tables(path, dataset.splits, where=config.origin or "configuration")
    elif path.is_dir() and (dataset.source == "table" or (dataset.source is None and holds_tables(path))):
        path, files = tables_of(path, notes)
    kind = dataset.source or ("folder" if path.is_dir() and not files else "table")
    if kind == "folder":
        for key in ("label", "split", "image", "group", "time", "id", "text"):
            if getattr(dataset, key) is not None:
                raise ConfigurationError(
                    f"dataset.{key} names a column of a table, and this is a folder",
                    where=config.origin or path,
                    hint="use dataset.pattern, as '{split}/{label}/*.png'",
                )
        return FolderSource(path, pattern=dataset.pattern)
    if dataset.pattern is not None:
        raise ConfigurationError("dataset.pattern is for folders, and this is a table", where=config.origin or path)
    if not files and (path.is_dir() or not is_table(path)):
        raise SourceError("not a table", where=path, hint=suffix_hint())
    source = TableSource(
        path,
        files=files,
        label=dataset.label,
        split=dataset.split,
        image=dataset.image,
        group=dataset.group,
        time=dataset.time,
        id=dataset.id,
        text=dataset.text,
    )
    source.notes[:0] = notes
    return source


def holds_tables(folder: Path) -> bool:
    """Whether a folder holds tables, itself or in folders named as splits, and no image anywhere in it."""
    found = find_tables(folder)
    if not found.files and not found.others:
        return False
    try:
        next(FolderSource(folder).references(), None)
    except NothingToCheckError:
        return True
    return False


def tables_of(folder: Path, notes: list[str]) -> tuple[Path, tuple[TableFile, ...]]:
    """What a folder of tables is as a `TableSource`: its one table, or the folder and the file of each split.

    Args:
        folder: The folder.
        notes: Told what was taken for what.

    Raises:
        SourceError: there is no table, or there are several and no name says a split.
    """
    found = find_tables(folder)
    if not found.files:
        if len(found.others) == 1:
            return folder / decode_path(found.others[0]), ()
        names = ", ".join(found.others[:5])
        raise SourceError(
            f"{len(found.others)} tables, and no name says a split" if found.others else "no table in this folder",
            where=folder,
            hint=f"point it at one of them ({names}), or name the splits in dataguard.toml: "
            f'[dataset.splits] train = "{found.others[0]}"'
            if found.others
            else suffix_hint(),
        )
    notes.append("the files tell the splits: " + ", ".join(f"{file.split} is {file.name}" for file in found.files[:8]))
    if found.others:
        notes.append(f"not read, for the name says no split: {', '.join(found.others[:8])}")
    return folder, found.files


def label_hint(source: Source | None) -> str:
    """How to say what the labels are."""
    if isinstance(source, TableSource):
        return "name the column with dataset.label"
    return "put each class in a folder of its own, or set dataset.pattern, as '{split}/{label}_*.png'"
