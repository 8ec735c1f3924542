from __future__ import annotations

import os
import random
from datetime import datetime
from pathlib import Path

import pytest

from dataguard.core.errors import ExitCode, NothingToCheckError, SourceError
from dataguard.core.paths import decode_path
from dataguard.dataset.sources import Reference
from dataguard.dataset.sources.folder import FolderSource


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8\xff" if path.suffix else b"?")
    return root


def rows(source: FolderSource) -> list[tuple[str, str | None, str | None]]:
    return [(reference.sample_id, reference.split, reference.label) for reference in source.references()]


def test_split_class_image(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/1.jpg", "train/dog/sub/2.png", "Test/cat/3.jpeg", "train/4.jpg", "5.jpg")
    assert rows(FolderSource(tmp_path)) == [
        ("5.jpg", None, None),
        ("Test/cat/3.jpeg", "Test", "cat"),
        ("train/4.jpg", "train", None),
        ("train/cat/1.jpg", "train", "cat"),
        ("train/dog/sub/2.png", "train", "dog"),
    ]


def test_class_image(tmp_path: Path) -> None:
    make(tmp_path, "cat/1.jpg", "dog/2.jpg", "test/3.jpg")
    # One folder called as a split is among the classes by chance.
    assert rows(FolderSource(tmp_path)) == [
        ("cat/1.jpg", None, "cat"),
        ("dog/2.jpg", None, "dog"),
        ("test/3.jpg", None, "test"),
    ]


def test_a_third_split_may_have_any_name(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/1.jpg", "val/cat/2.jpg", "extra/cat/3.jpg")
    assert {split for _, split, _ in rows(FolderSource(tmp_path))} == {"train", "val", "extra"}


def test_a_flat_folder(tmp_path: Path) -> None:
    make(tmp_path, "b.png", "a.png")
    assert rows(FolderSource(tmp_path)) == [("a.png", None, None), ("b.png", None, None)]


def test_what_is_hidden_or_never_an_image_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", ".git/2.png", "a/.3.png", "a/notes.txt", "a/__MACOSX/4.png", "a/Thumbs.db", "labels.csv")
    assert [name for name, _, _ in rows(FolderSource(tmp_path))] == ["a/1.png"]


def test_files_of_unknown_kind_are_looked_into(tmp_path: Path) -> None:
    make(tmp_path, "a/1.unknown")
    (tmp_path / "a" / "no_suffix").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "a" / "LICENSE").write_bytes(b"BM I was here")
    os.mkfifo(tmp_path / "a" / "pipe")
    assert [name for name, _, _ in rows(FolderSource(tmp_path))] == ["a/1.unknown", "a/no_suffix"]


def test_paths_ascend_and_do_not_depend_on_the_order_of_creation(tmp_path: Path) -> None:
    names = ["a/1.png", "a-b/1.png", "a.b/1.png", "a1.png", "a/b/c.png", "B/1.png", "ä/1.png", "z.png", "a0/1.png"]
    listings = []
    for seed in range(3):
        random.Random(seed).shuffle(names)
        listings.append([name for name, _, _ in rows(FolderSource(make(tmp_path / str(seed), *names)))])
    assert listings[0] == listings[1] == listings[2] == sorted(names)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    Path(os.fsdecode(folder + b"/\xff\\1.jpg")).write_bytes(b"x")
    (reference,) = FolderSource(tmp_path).references()
    assert reference.sample_id == r"caf\xe9/\xff\x5c1.jpg"
    assert reference.label == r"caf\xe9"
    assert reference.path is not None
    assert (tmp_path / decode_path(reference.path)).exists()


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    data = make(tmp_path / "data", "cat/1.jpg")
    make(tmp_path / "elsewhere", "2.jpg", "deeper/3.jpg")
    (data / "dog").symlink_to(tmp_path / "elsewhere")
    (data / "cat" / "loop").symlink_to(data)
    (data / "cat" / "self").symlink_to(data / "cat")
    (tmp_path / "elsewhere" / "deeper" / "up").symlink_to(tmp_path / "elsewhere")
    (data / "cat" / "9.jpg").symlink_to(tmp_path / "elsewhere" / "2.jpg")
    (data / "cat" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (data / "cat" / "circle.jpg").symlink_to("circle.jpg")
    found = [name for name, _, _ in rows(FolderSource(data))]
    assert {"cat/1.jpg", "cat/9.jpg", "cat/gone.jpg", "cat/circle.jpg", "dog/2.jpg", "dog/deeper/3.jpg"} <= set(found)
    assert not any("up" in name or "self" in name for name in found)
    assert sum(name.startswith("cat/loop/") for name in found) <= 2


def test_a_folder_called_as_an_image_is_a_sample(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", "a/2.png/inner.png")
    assert [name for name, _, _ in rows(FolderSource(tmp_path))] == ["a/1.png", "a/2.png"]


def test_a_missing_folder_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(SourceError, match="no such folder") as caught:
        FolderSource(tmp_path / "imagse")
    assert caught.value.where == str(tmp_path / "imagse")
    assert caught.value.hint == "did you mean 'images'?"
    with pytest.raises(SourceError, match="does not exist either"):
        FolderSource(tmp_path / "no" / "such")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    make(tmp_path, "1.png")
    with pytest.raises(SourceError, match="is a file") as caught:
        FolderSource(tmp_path / "1.png")
    assert str(tmp_path) in (caught.value.hint or "")


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NothingToCheckError, match="no image"):
        list(FolderSource(tmp_path).references())
    make(tmp_path, "a.txt", "b/c.csv")
    with pytest.raises(NothingToCheckError, match="2 other files") as caught:
        list(FolderSource(tmp_path).references())
    assert ".jpg" in (caught.value.hint or "")
    assert caught.value.exit_code is ExitCode.NOTHING_CHECKED


def by_pattern(root: Path, pattern: str) -> list[Reference]:
    return list(FolderSource(root, pattern=pattern).references())


def test_a_pattern_names_split_and_label(tmp_path: Path) -> None:
    make(tmp_path, "cat/train/1.png", "cat/train/2.jpg", "dog/test/x/3.png")
    (found,) = by_pattern(tmp_path, "{label}/{split}/*.png")
    assert (found.path, found.split, found.label) == ("cat/train/1.png", "train", "cat")
    assert len(by_pattern(tmp_path, "{label}/{split}/**/*.png")) == 2
    assert len(by_pattern(tmp_path, "{label}/{split}/**/*.[pj][np]g")) == 3
    assert len(by_pattern(tmp_path, "{label}/{split}/?.[!p]*")) == 1


def test_a_pattern_names_group_id_and_time(tmp_path: Path) -> None:
    make(tmp_path, "a/cat_p7_20240131_x1.jpg", "b/dog_p8_20240201_x2.jpg")
    one, two = by_pattern(tmp_path, "**/{label}_{group}_{time}_{id}.jpg")
    assert (one.label, one.group_id, one.time, one.sample_id) == (
        "cat",
        "p7",
        datetime.fromisoformat("2024-01-31"),
        "x1",
    )
    assert (two.label, two.group_id, two.sample_id, two.path) == ("dog", "p8", "x2", "b/dog_p8_20240201_x2.jpg")


def test_a_name_used_twice_must_match_the_same(tmp_path: Path) -> None:
    make(tmp_path, "cat/cat_1.jpg", "cat/dog_2.jpg")
    (found,) = by_pattern(tmp_path, "{label}/{label}_*.jpg")
    assert found.path == "cat/cat_1.jpg"


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        ("{lable}/*.jpg", "names {lable}", "did you mean 'label'?"),
        ("{split}/{label}/*.png", "no file fits the pattern", "paths look like 'cat/1.jpg'"),
        ("{time}/*.jpg", "matched 'cat', which is no ISO 8601", "2024-01-31"),
        ("{id}/*.jpg", "two files have the id 'cat'", "tell files apart"),
        ("{label}/[", "no file fits", "paths look like"),
    ],
)
def test_a_wrong_pattern_is_explained(tmp_path: Path, pattern: str, message: str, hint: str) -> None:
    make(tmp_path, "cat/1.jpg", "cat/2.jpg")
    with pytest.raises(SourceError) as caught:
        by_pattern(tmp_path, pattern)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_folder_that_may_not_be_listed_is_one_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "cat/1.jpg", "dog/2.jpg")
    listed = os.scandir

    def forbidding(folder: str) -> object:
        if folder.endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", forbidding)
    assert [name for name, _, _ in rows(FolderSource(tmp_path))] == ["cat/1.jpg", "dog"]


def test_a_pattern_with_a_range_backwards_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the pattern '\{label\}/\[z-a\]\*' is no glob: bad character range"):
        by_pattern(tmp_path, "{label}/[z-a]*")
