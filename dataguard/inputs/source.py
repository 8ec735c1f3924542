"""The dataset that a configuration names."""

from __future__ import annotations

from pathlib import Path

from dataguard.config import Config
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.finding import Skipped
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
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
    kind = dataset.source or ("folder" if path.is_dir() else "table")
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
    if path.is_dir() or not path.name.lower().endswith(TABLE_SUFFIXES):
        raise SourceError("not a table", where=path, hint="tables are " + ", ".join(TABLE_SUFFIXES) + " files")
    return TableSource(
        path,
        label=dataset.label,
        split=dataset.split,
        image=dataset.image,
        group=dataset.group,
        time=dataset.time,
        id=dataset.id,
        text=dataset.text,
    )


def label_hint(source: Source | None) -> str:
    """How to say what the labels are."""
    if isinstance(source, TableSource):
        return "name the column with dataset.label"
    return "put each class in a folder of its own, or set dataset.pattern, as '{split}/{label}_*.png'"
