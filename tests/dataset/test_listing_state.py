from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dataguard.dataset.listing_state import ListingState
from dataguard.dataset.sources import Reference
from dataguard.dataset.sources.folder import FolderSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/ü\\3.jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, times=(time.time() - 60,) * 2)
    return root


def state(root: Path, references: list[Reference] | None = None) -> str | None:
    found = ListingState(root)
    found.update(list(FolderSource(root).references()) if references is None else references)
    return found.digest()


def test_nothing_changed(folder: Path) -> None:
    first = state(folder)
    assert first is not None
    assert state(folder) == first


def test_a_batch_ends_anywhere(folder: Path) -> None:
    references = list(FolderSource(folder).references())
    found = ListingState(folder)
    found.update(references[:1])
    found.update(references[1:])
    assert found.digest() == state(folder)


def test_anything_changed(folder: Path) -> None:
    first = state(folder)
    states = {first}
    path = folder / "cat/1.jpg"
    os.utime(path, times=(time.time() - 50,) * 2)
    states.add(state(folder))
    before = path.stat()
    path.write_text("another size")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    states.add(state(folder))
    other = path.with_suffix(".new")
    other.write_text("another size")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    states.add(state(folder))
    path.rename(folder / "cat/4.jpg")
    states.add(state(folder))
    (folder / "cat/4.jpg").rename(folder / "dog/4.jpg")
    states.add(state(folder))
    (folder / "dog/4.jpg").unlink()
    states.add(state(folder))
    assert len(states) == 7
    assert None not in states


@pytest.mark.parametrize(
    "changed", [{"label": None}, {"label": "None"}, {"split": "cat"}, {"group_id": "g"}, {"row": 1}]
)
def test_what_is_said_of_a_sample_counts(folder: Path, changed: dict[str, str | int | None]) -> None:
    references = list(FolderSource(folder).references())
    other = [replace(references[0], **changed), *references[1:]]  # type: ignore[arg-type]
    assert state(folder, other) != state(folder)


def test_no_label_is_not_the_label_none(folder: Path) -> None:
    references = list(FolderSource(folder).references())
    none = [replace(one, label=None) for one in references]
    named = [replace(one, label="None") for one in references]
    assert state(folder, none) != state(folder, named)


def test_what_cannot_be_told_by_stats(folder: Path) -> None:
    references = list(FolderSource(folder).references())
    assert state(folder, [*references, Reference(sample_id="row", digest=b"x" * 32)]) is None
    assert state(folder, [*references, Reference(sample_id="part", path="part", place="shard:0")]) is None
    assert state(folder, [*references, Reference(sample_id="gone", path="gone.jpg")]) is None
    assert state(folder, [*references, Reference(sample_id="folder", path="cat")]) is None
    # It has just been written: the next write may leave its time as it is.
    (folder / "cat/1.jpg").touch()
    assert state(folder) is None
