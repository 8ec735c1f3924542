"""What is kept between runs of pictures that are no files of their own."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataguard.config import Config, DatasetConfig
from dataguard.dataset import finder
from dataguard.dataset.cache import Cache
from dataguard.dataset.files import UnreadableFileError
from dataguard.dataset.scan import scan
from dataguard.inputs import open_source
from tests.dataset.sources.same_data import TIME, as_parquet, as_saved, as_shards, made, planted

pytestmark = pytest.mark.slow

SAMPLES = planted(10)


def as_arrays(folder: Path) -> Path:
    pixels = np.random.default_rng(2).integers(0, 256, (23, 6, 6), dtype=np.uint8)
    np.savez(made(folder) / "a.npz", x=pixels, y=np.arange(23) % 2)
    return folder / "a.npz"


WAYS: dict[str, Callable[[Path], Any]] = {
    "webdataset": lambda folder: as_shards(SAMPLES, folder),
    "parquet": lambda folder: as_parquet(SAMPLES, made(folder) / "a.parquet"),
    "huggingface": lambda folder: as_saved(SAMPLES, folder),
    "numpy": as_arrays,
}


@pytest.fixture
def n_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the pictures that are decoded."""
    counted = [0]
    real = finder.Finder._decode

    def decode(self: Any, file: Any) -> None:
        counted[0] += 1
        real(self, file)

    monkeypatch.setattr(finder.Finder, "_decode", decode)
    return counted


@pytest.mark.parametrize("way", WAYS)
def test_an_unchanged_dataset_is_not_read_again(way: str, tmp_path: Path, n_decoded: list[int]) -> None:
    if way in ("parquet", "huggingface"):
        pytest.importorskip("pyarrow")
    location = WAYS[way](tmp_path / "data")
    settle(tmp_path / "data")
    cache = Cache(tmp_path / "cache")
    keys: dict[str, Any] = {"id": "key"} if way in ("parquet", "huggingface") else {}

    def scanned() -> Any:
        return scan(open_source(Config(dataset=DatasetConfig(path=str(location), **keys))), cache=cache)

    first = scanned()
    decoded = n_decoded[0]
    assert decoded >= 20
    second = scanned()
    assert (second.version_id, n_decoded[0]) == (first.version_id, decoded)
    # The table is the one that was kept, and still leads to the pictures.
    path = second.fetch(["path"], where="decode_error IS NULL")["path"][3]
    assert second.stored_pictures([path])[path].read_bytes()[:4] == b"\x89PNG"
    # Without the table, contents that are known are read and not decoded.
    shutil.rmtree(tmp_path / "cache" / "tables")
    third = scanned()
    assert (third.version_id, n_decoded[0]) == (first.version_id, decoded)
    assert third.to_pandas().equals(first.to_pandas())


def settle(folder: Path) -> None:
    """Files that have only just been written are not trusted."""
    for path in folder.rglob("*"):
        os.utime(path, (TIME, TIME))


def test_a_shard_that_changes_is_noticed(tmp_path: Path) -> None:
    location = as_shards(SAMPLES, tmp_path / "data")
    settle(tmp_path / "data")
    cache = Cache(tmp_path / "cache")
    config = Config(dataset=DatasetConfig(path=str(location)))
    before = scan(open_source(config), cache=cache)
    as_shards([item for item in SAMPLES if "00" not in item.key], tmp_path / "other")
    shutil.copy(tmp_path / "other" / "train-000.tar", tmp_path / "data" / "train-000.tar")
    after = scan(open_source(config), cache=cache)
    assert after.version_id != before.version_id
    assert after.n_samples < before.n_samples


def test_a_model_is_given_files_only_of_what_it_asks_for(tmp_path: Path) -> None:
    from dataguard.inputs.rows import _AsFiles

    location = as_shards(SAMPLES, tmp_path / "data")
    table = scan(open_source(Config(dataset=DatasetConfig(path=str(location)))), cache=None)
    paths = table.fetch(["path"], where="decode_error IS NULL")["path"].tolist()
    stored = table.stored_pictures(paths)
    folder = made(tmp_path / "given")
    given = _AsFiles([stored[path] for path in paths], folder)
    by_key = {item.key: item.data for item in SAMPLES}
    assert len(given) == len(paths)
    assert Path(given[4]).read_bytes() == by_key[paths[4]]
    assert [path.name for path in folder.iterdir()] == ["4"]
    assert [Path(name).read_bytes() for name in given[:2]] == [by_key[path] for path in paths[:2]]


@pytest.mark.parametrize("way", [name for name in WAYS if name != "numpy"])
def test_what_reads_pictures_goes_to_other_processes_without_them(way: str, tmp_path: Path) -> None:
    if way != "webdataset":
        pytest.importorskip("pyarrow")
    keys: dict[str, Any] = {} if way == "webdataset" else {"id": "key"}
    source = open_source(Config(dataset=DatasetConfig(path=str(WAYS[way](tmp_path / "data")), **keys)))
    by_key = {item.key: item.data for item in SAMPLES}
    sent = pickle.dumps(source.pictures)
    assert len(sent) < 2_000
    there = pickle.loads(sent)  # noqa: S301
    for reference in source.references():
        picture = there.read(reference.place, max_bytes=1 << 20)
        assert picture.data == by_key[reference.sample_id]
    with pytest.raises(UnreadableFileError, match="more than any picture"):
        there.read(next(item.place for item in source.references() if by_key[item.sample_id]), max_bytes=10)
