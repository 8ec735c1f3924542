"""Files that are new are read while others are still being listed, and it makes no difference to what is found."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataguard.core.errors import SourceError
from dataguard.core.progress import silent
from dataguard.dataset import decode, listing
from dataguard.dataset.cache import Cache
from dataguard.dataset.listing import Listing, ListingUnderWay, listed
from dataguard.dataset.scan import scan
from dataguard.dataset.sources.folder import FolderSource

N = 23
MANY = 10**9


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    generator = np.random.default_rng(0)
    for index in range(N):
        path = folder / f"class {index % 3}" / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), generator.integers(0, 256, (9, 8, 3), dtype=np.uint8))
        # Files younger than 2 s are not trusted by their stat.
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_BESIDE_DECODING", 4)


def is_under_way(going: Listing) -> bool:
    return going.under_way


@pytest.mark.parametrize("kept", [4, 10, N, 1_000])
@pytest.mark.usefixtures("few_at_a_time")
def test_all_are_handed_out_in_their_order(kept: int, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_KEPT_REFERENCES", kept)
    source = FolderSource(images)
    going = listed(source, None, MANY, silent, beside_decoding=True)
    assert isinstance(going, ListingUnderWay)
    assert going.n_samples != N
    found = going.take(3)
    assert is_under_way(going)
    while part := going.take(5):
        found += part
    assert found == list(source.references())
    assert not is_under_way(going)
    assert going.n_samples == N
    assert (going.references is None) is (kept < N)


@pytest.mark.usefixtures("few_at_a_time")
def test_the_digest_is_that_of_a_listing_that_was_waited_for(images: Path, tmp_path: Path) -> None:
    source, cache = FolderSource(images), Cache(tmp_path / "cache")
    going = listed(source, cache, MANY, silent, beside_decoding=True)
    assert is_under_way(going)
    while is_under_way(going):
        going.list_more()
    assert going.state is not None
    assert going.state == listed(source, cache, MANY, silent).state


@pytest.mark.parametrize("kept", [4, 1_000])
@pytest.mark.usefixtures("few_at_a_time")
def test_a_scan_finds_the_same(kept: int, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_KEPT_REFERENCES", kept)
    source, cache = FolderSource(images), Cache(tmp_path / "cache")
    told: list[tuple[str, int, int | None]] = []
    first = scan(source, cache=cache, jobs=2, progress=lambda *event: told.append(event))
    monkeypatch.setattr(listing, "_are_new", lambda *given: False)
    waited = scan(source, cache=Cache(tmp_path / "other"), jobs=2)
    everything = "SELECT * FROM {} ORDER BY sample_id"
    rows, expected = (table.connection.execute(everything.format(table.query)).fetchall() for table in (first, waited))
    assert rows == expected
    assert (first.version_id, first.state) == (waited.version_id, waited.state)
    assert told[-1] == ("scanning", N, N)
    # How many there are is told with every step, and listing comes to its end before the first of these.
    assert all(total == N for stage, _, total in told if stage == "scanning")
    stages = [stage for stage, _, _ in told]
    assert stages == sorted(stages)


def test_what_is_known_is_listed_before_anything_is_read(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, cache = FolderSource(images), Cache(tmp_path / "cache")
    before = scan(source, cache=cache, jobs=2)
    assert not listed(source, cache, MANY, silent, beside_decoding=True).under_way

    def fail(*given: object) -> None:
        raise AssertionError

    monkeypatch.setattr(decode, "decoded", fail)
    assert scan(source, cache=cache, jobs=2).parquet == before.parquet
    # Another folder has no table yet: it is read at once.
    moved = FolderSource(images.rename(images.with_name("moved")))
    assert listed(moved, cache, MANY, silent, beside_decoding=True).under_way


@pytest.mark.usefixtures("few_at_a_time")
def test_an_error_of_the_listing_ends_the_scan(images: Path, tmp_path: Path) -> None:
    source = FolderSource(images, pattern="class {label}/*{id}.png")
    for folder in ("class 1", "class 2"):
        (images / folder / "double99.png").write_bytes((images / "class 0" / "00.png").read_bytes())
    with pytest.raises(SourceError, match="two files have the id"):
        scan(source, cache=Cache(tmp_path / "cache"), jobs=2)
    tables = Cache(tmp_path / "cache").tables
    assert tables is not None
    assert list(tables.iterdir()) == []
