"""Folders that hold tables and nothing else that is looked at."""

from __future__ import annotations

from pathlib import Path

from dataguard.core.errors import NothingToCheckError, SourceError
from dataguard.core.paths import decode_path
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table_files import TableFile, find_tables, suffix_hint


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
