"""A dataset that Hugging Face's datasets saved with ``save_to_disk``: Arrow shards, and a description beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataguard.core.errors import SourceError
from dataguard.core.split_roles import split_order
from dataguard.dataset.kinds import COLUMNS, Opening, SourceKind
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_files import TableFile

_SPLITS, _INFO, _STATE = "dataset_dict.json", "dataset_info.json", "state.json"


def open_saved(folder: Path, roles: Mapping[str, Any]) -> TableSource:
    """The source of a saved dataset; see the kind `SOURCE`.

    Args:
        folder: What ``save_to_disk`` wrote: a dataset, or a folder of one for each split.
        roles: The columns that are named, by what they are.

    Raises:
        SourceError: a description is missing or broken, or so are all shards of a split.
    """
    if (folder / _SPLITS).is_file():
        described = _read(folder / _SPLITS)
        names = described.get("splits")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SourceError("it names no splits", where=folder / _SPLITS, hint="save the dataset again")
        splits = sorted(names, key=split_order)
        files = tuple(_file(_inside(folder, split, folder / _SPLITS), split) for split in splits)
        # A dataset's own column is not asked for where the folders say the split.
        return TableSource(folder, files=files, kind="huggingface", **roles)
    file = _file(folder, "")
    return TableSource(folder, shards=file, kind="huggingface", **roles)


def _file(folder: Path, split: str) -> TableFile:
    state = _read(folder / _STATE)
    listed = state.get("_data_files")
    names = [item.get("filename") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise SourceError("it names no shards", where=folder / _STATE, hint="save the dataset again")
    shards = tuple(_inside(folder, str(name), folder / _STATE) for name in names)
    return TableFile(path=folder, name=split or folder.name, split=split, shards=shards, names=_class_names(folder))


def _class_names(folder: Path) -> dict[str, tuple[str, ...]]:
    """What the codes of columns stand for whose feature is a ClassLabel."""
    described = _read(folder / _INFO).get("features")
    features = described if isinstance(described, dict) else {}
    found = {}
    for column, feature in features.items():
        if (
            isinstance(feature, dict)
            and feature.get("_type") == "ClassLabel"
            and isinstance(feature.get("names"), list)
        ):
            found[column] = tuple(map(str, feature["names"]))
    return found


def _inside(folder: Path, name: str, said_by: Path) -> Path:
    """What a description names; never outside the folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SourceError(f"it names {name!r}, which is outside of its folder", where=said_by)
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError("no such file", where=path, hint="save the dataset again with save_to_disk") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be read as JSON: {error}", where=path) from error
    if not isinstance(found, dict):
        raise SourceError("is not a table of JSON", where=path)
    return found


def _recognizes(opening: Opening) -> bool:
    if opening.is_url:
        return False
    folder = opening.path
    return (folder / _SPLITS).is_file() or ((folder / _INFO).is_file() and (folder / _STATE).is_file())


SOURCE = SourceKind(
    name="huggingface",
    words="a saved Hugging Face dataset",
    summary="what save_to_disk of Hugging Face's datasets wrote, with or without splits",
    keys=tuple(COLUMNS),
    open=lambda opening: open_saved(opening.path, opening.roles(*COLUMNS)),
    recognizes=_recognizes,
)
