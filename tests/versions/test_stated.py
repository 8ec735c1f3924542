"""What DVC files and Croissant metadata say of a dataset, and whether that holds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dataguard.core.errors import SourceError
from dataguard.versions.profile import Stated
from dataguard.versions.stated import dvc_directory_hash, dvc_listing, statements


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    folder = tmp_path / "pets"
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "1.png").write_bytes(b"one")
    (folder / "b.png").write_bytes(b"two")
    return folder


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_the_hash_of_a_folder_is_that_of_dvc(pets: Path) -> None:
    # As DVC writes the list into its cache: by path, keys in order, the separators of json.dumps.
    listing = f'[{{"md5": "{md5(b"two")}", "relpath": "b.png"}}, {{"md5": "{md5(b"one")}", "relpath": "cat/1.png"}}]'
    assert dvc_directory_hash(pets) == md5(listing.encode()) + ".dir"
    assert dvc_directory_hash(pets / "b.png") == ""


def write_dvc(pets: Path, **out: Any) -> None:
    fields = {"md5": dvc_directory_hash(pets), "hash": "md5", "path": "pets", "nfiles": 2, **out}
    lines = "".join(f"  {key}: {value}\n" for key, value in fields.items() if value is not None)
    pets.with_name("pets.dvc").write_text(f"outs:\n- size: 6\n{lines}")


def test_a_dvc_file_names_the_version_and_is_held_against_the_data(pets: Path) -> None:
    write_dvc(pets)
    found = statements(pets)
    assert found.stated == (Stated(by="dvc", file="pets.dvc", version=f"md5:{dvc_directory_hash(pets)}"),)
    assert found.broken == ()
    (pets / "b.png").write_bytes(b"changed")
    (broken,) = statements(pets).broken
    assert (broken.by, broken.of, broken.algorithm) == ("dvc", "pets", "md5")


def test_hashes_of_a_dvc_before_3_are_names_and_not_checked(pets: Path) -> None:
    write_dvc(pets, hash=None, md5="a" * 32)
    found = statements(pets)
    assert [item.version for item in found.stated] == ["md5:" + "a" * 32]
    assert found.hashes == ()


def test_a_path_that_leads_elsewhere_is_not_hashed(pets: Path) -> None:
    write_dvc(pets, path="../secret", md5="0" * 32)
    assert statements(pets).hashes == ()


def write_croissant(folder: Path, **more: Any) -> None:
    (folder / "croissant.json").write_text(json.dumps({"@context": {}, "name": "pets", **more}))


def test_a_path_that_no_file_can_have_is_not_hashed(pets: Path) -> None:
    (pets.parent / "pets.dvc").write_text(f'outs: [{{path: "pets\\0", md5: {"a" * 32}, hash: md5}}]')
    found = statements(pets)
    assert (len(found.stated), found.hashes, found.notes) == (1, (), ())


def test_croissant_names_the_version_and_the_hash_of_its_files(pets: Path) -> None:
    right = {"contentUrl": "b.png", "sha256": hashlib.sha256(b"two").hexdigest().upper()}
    wrong = {"contentUrl": "cat/1.png", "sha256": "0" * 64}
    elsewhere = {"contentUrl": "https://example.org/b.png", "sha256": "0" * 64}
    absent = {"contentUrl": "not-downloaded.zip", "sha256": "0" * 64}
    outside = {"contentUrl": "../../etc/passwd", "sha256": "0" * 64}
    write_croissant(pets, version="1.2.0", distribution=[right, wrong, elsewhere, absent, outside, "text"])
    found = statements(pets)
    assert found.stated == (Stated(by="croissant", file="croissant.json", version="1.2.0"),)
    assert [item.of for item in found.hashes] == ["b.png", "cat/1.png"]
    assert [item.of for item in found.broken] == ["cat/1.png"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pets.dvc", "outs: [", "no YAML"),
        ("pets.dvc", "outs: " + 5000 * "[", "no YAML"),
        ("pets.dvc", "outs: 2001-99-99", "no YAML"),
        ("pets.dvc", "cmd: train", "it has no outs"),
        ("pets.dvc", "outs:\n- md5: abc", "an out without a path"),
        ("pets/croissant.json", "{", "no JSON"),
        ("pets/croissant.json", 100_000 * "[", "no JSON"),
        ("pets/croissant.json", "[]", "no @context"),
    ],
)
def test_a_broken_statement_is_a_note_and_no_error(pets: Path, name: str, text: str, said: str) -> None:
    (pets.parent / name).write_text(text)
    found = statements(pets)
    assert found.stated == ()
    (note,) = found.notes
    assert said in note
    assert name.rpartition("/")[2] in note


def test_nothing_beside_says_nothing(pets: Path) -> None:
    found = statements(pets)
    assert (found.stated, found.hashes, found.notes) == ((), (), ())


@pytest.mark.parametrize("text", ["{", "{}", 100_000 * "[", '[{"relpath": "a"}]', '[{"relpath": "a", "md5": "xyz"}]'])
def test_a_list_that_is_none_of_dvc_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "abc.dir"
    path.write_text(text)
    with pytest.raises(SourceError, match="no list of DVC") as caught:
        dvc_listing(path)
    assert caught.value.where == str(path)
