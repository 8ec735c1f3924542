from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataguard.dataset.sources.folder import OTHER_SUFFIXES
from dataguard.dataset.tree_state import NOT_DATA, tree_state
from tests.aged import aged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/ü\\3.jpg", "dog/deep/4.csv"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        aged(path)
    return root


def test_nothing_changed(folder: Path) -> None:
    first = tree_state(folder)
    assert first is not None
    assert len(first) == 64
    assert tree_state(str(folder)) == first


def test_each_change_shows(folder: Path) -> None:
    path = folder / "cat/1.jpg"
    states = [tree_state(folder)]

    def note() -> None:
        states.append(tree_state(folder))

    aged(path, 50)  # touched, and equal
    note()
    before = path.stat()
    path.write_text("another size")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    note()
    before = path.stat()
    path.write_text("ANOTHER SIZE")  # the same size, and the same time
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    note()
    other = path.with_suffix(".new")
    other.write_text("another size")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    note()
    path.rename(folder / "cat/5.jpg")
    note()
    (folder / "cat/5.jpg").rename(folder / "dog/5.jpg")
    note()
    (folder / "dog/5.jpg").unlink()
    note()
    (folder / "empty").mkdir()
    note()
    (folder / "dog").rename(folder / "wolf")
    note()
    assert None not in states
    assert len(set(states)) == len(states) == 10


def test_a_file_that_has_just_been_written_tells_nothing(folder: Path) -> None:
    (folder / "cat/1.jpg").touch()
    assert tree_state(folder) is None
    assert tree_state(folder / "cat/1.jpg") is None
    aged(folder / "cat/1.jpg")
    assert tree_state(folder) is not None


def test_one_file(folder: Path) -> None:
    path = folder / "dog/deep/4.csv"
    first = tree_state(path)
    assert first is not None
    aged(path, 50)
    assert tree_state(path) not in (first, None)
    assert tree_state(folder / "no such file") is None


def test_what_no_source_reads(folder: Path) -> None:
    assert OTHER_SUFFIXES.issuperset(NOT_DATA)
    first = tree_state(folder)
    (folder / "report.html").write_text("new")
    (folder / ".git").mkdir()
    (folder / ".git/index").write_text("new")
    (folder / "cat/.DS_Store").write_text("new")
    assert tree_state(folder) == first


def test_links_are_followed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "6.jpg").write_text("6")
    aged(other / "6.jpg")
    (folder / "link").symlink_to(other)
    (folder / "cat/7.jpg").symlink_to(other / "6.jpg")
    (other / "back").symlink_to(folder)  # in a circle
    first = tree_state(folder)
    assert first is not None
    aged(other / "6.jpg", 50)
    assert tree_state(folder) not in (first, None)


def test_what_is_neither_file_nor_folder(folder: Path) -> None:
    (folder / "cat/gone.jpg").symlink_to(folder / "nowhere")
    assert tree_state(folder) is None
    (folder / "cat/gone.jpg").unlink()
    os.mkfifo(folder / "cat/pipe.jpg")
    assert tree_state(folder) is None


def test_where_a_folder_ends_counts(tmp_path: Path) -> None:
    states = []
    for name in ("a", "b"):
        root = tmp_path / name
        (root / "x").mkdir(parents=True)
        path = root / ("x/1" if name == "a" else "1")
        path.write_text("1")
        os.utime(path, ns=(10**18, 10**18))
        states.append(tree_state(root))
    assert None not in states
    assert states[0] != states[1]
