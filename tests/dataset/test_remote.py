"""Datasets behind URLs: in memory, served over HTTP from here, and behind a file system that refuses."""

from __future__ import annotations

import datetime as dt
import functools
import http.server
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataguard import check
from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import SourceError
from dataguard.dataset import remote
from dataguard.dataset.cache import Cache, Stamp
from dataguard.dataset.scan import scan
from dataguard.dataset.stores import object_state
from dataguard.inputs import open_source
from tests.dataset.sources.same_data import (
    as_arrow,
    as_coco,
    as_folder,
    as_list_of_paths,
    as_parquet,
    as_saved,
    as_shards,
    made,
    planted,
)

fsspec = pytest.importorskip("fsspec")

pytestmark = pytest.mark.slow

SAMPLES = planted(10)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Any]:
    """The file system ``memory://``, empty before and after."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def fetched(memory: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that are opened."""
    paths: list[str] = []
    plain = type(memory).open

    def noting(self: Any, path: str, *arguments: Any, **keys: Any) -> Any:
        paths.append(path)
        return plain(self, path, *arguments, **keys)

    monkeypatch.setattr(type(memory), "open", noting)
    return paths


def put(system: Any, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            system.pipe_file(f"/bucket/{path.relative_to(folder).as_posix()}", path.read_bytes())


def opened(location: str, **keys: Any) -> Any:
    return open_source(Config(dataset=DatasetConfig(path=location, **keys)))


def version(location: str, **keys: Any) -> str:
    return scan(opened(location, **keys), cache=None).version_id


@pytest.fixture(scope="module")
def of_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return version(str(as_folder(SAMPLES, tmp_path_factory.mktemp("folder") / "data")))


@pytest.mark.parametrize(
    ("store", "location", "keys"),
    [
        (as_folder, "", {}),
        (as_shards, "", {}),
        (as_shards, "/{train,val,test}-{000..002}.tar", {}),
        (lambda samples, folder: as_parquet(samples, made(folder) / "a.parquet"), "/a.parquet", {"id": "key"}),
        (lambda samples, folder: as_arrow(samples, made(folder) / "a.arrow"), "/a.arrow", {"id": "key"}),
        (as_saved, "", {"id": "key"}),
        (as_coco, "", {}),
    ],
)
def test_the_same_data_are_the_same_version_behind_a_url(
    memory: Any, tmp_path: Path, of_folder: str, store: Any, location: str, keys: dict[str, Any]
) -> None:
    if store not in (as_folder, as_shards, as_coco):
        pytest.importorskip("pyarrow")
    store(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    assert version(f"memory://bucket/d{location}", **keys) == of_folder


def test_a_table_of_paths_needs_its_pictures_beside_it(memory: Any, tmp_path: Path, of_folder: str) -> None:
    as_list_of_paths(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    assert version("memory://bucket/d", source="folder") == of_folder


def test_pictures_that_a_table_names_come_with_its_folder(memory: Any, tmp_path: Path, of_folder: str) -> None:
    as_list_of_paths(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    keys = {"source": "table", "image": "file", "id": "key"}
    # Once after they were only listed, and once after they were copied.
    for _ in range(2):
        assert version("memory://bucket/d", source="folder") == of_folder
        assert version("memory://bucket/d", **keys) == of_folder


def test_pictures_that_no_row_names_are_not_fetched(memory: Any, tmp_path: Path, fetched: list[str]) -> None:
    as_folder(SAMPLES, tmp_path / "d")
    (tmp_path / "d" / "table.csv").write_text("x,label\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(9)))
    put(memory, tmp_path)
    fetched.clear()
    assert opened("memory://bucket/d", source="table").n_rows == 9
    assert fetched == ["/bucket/d/table.csv"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A web server of a folder."""
    if importlib.util.find_spec("aiohttp") is None:
        pytest.skip("aiohttp is not installed")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("store", "location"), [(as_folder, "/d"), (as_shards, "/d/{train,val,test}-{000..002}.tar")])
def test_a_web_server_is_read(served: str, tmp_path: Path, of_folder: str, store: Any, location: str) -> None:
    store(SAMPLES, tmp_path / "d")
    assert version(served + location) == of_folder


def test_nothing_at_a_web_address_is_one_error(served: str) -> None:
    with pytest.raises(SourceError, match="there is nothing at this URL"):
        opened(f"{served}/nothing.tar")


def test_what_is_unchanged_is_not_fetched_again(memory: Any, tmp_path: Path, fetched: list[str]) -> None:
    as_shards(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    location = "memory://bucket/d/{train,val,test}-{000..002}.tar"
    first = version(location)
    fetched.clear()
    assert version(location) == first
    assert fetched == []
    memory.pipe_file("/bucket/d/test-000.tar", memory.cat_file("/bucket/d/test-001.tar"))
    with pytest.raises(SourceError, match="not unique"):
        version(location)
    assert set(fetched) == {"/bucket/d/test-000.tar"}


def test_a_picture_that_disappears_is_a_finding(memory: Any, tmp_path: Path) -> None:
    as_folder(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    source = opened("memory://bucket/d")
    memory.rm_file("/bucket/d/test/disc/004.png")
    table = scan(source, cache=None)
    found = table.connection.execute(
        f"SELECT sample_id FROM {table.query} WHERE decode_error = 'there is no such file'"
    )
    assert found.fetchall() == [("test/disc/004.png",)]


def test_a_picture_that_was_removed_is_no_sample_of_the_next_run(memory: Any, tmp_path: Path) -> None:
    as_folder(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    before = scan(opened("memory://bucket/d"), cache=None).n_samples
    memory.rm_file("/bucket/d/test/disc/004.png")
    assert scan(opened("memory://bucket/d"), cache=None).n_samples == before - 1


def test_near_duplicates_and_html_read_pictures_behind_a_url(memory: Any, tmp_path: Path) -> None:
    from dataguard.dataset.table import SampleTable

    as_folder(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    table: SampleTable = scan(opened("memory://bucket/d"), cache=None)
    stored = table.stored_pictures(["train/disc/000.png"])["train/disc/000.png"]
    assert not stored.is_file
    assert stored.read_bytes() == (tmp_path / "d" / "train" / "disc" / "000.png").read_bytes()


class _Refusing:
    """Patches `fsspec.core.url_to_fs`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def isdir(self, path: str) -> bool:
        raise self.error


class NoCredentialsError(Exception):
    """As botocore's."""


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (PermissionError("Forbidden"), "access is refused: PermissionError: Forbidden", "credentials"),
        (NoCredentialsError("Unable to locate credentials"), "access is refused: NoCredentialsError", "credentials"),
        (OSError("403, message='Forbidden'"), "access is refused", "credentials"),
        (FileNotFoundError("x"), "there is nothing at this URL", "path"),
        (TimeoutError("timed out"), "the store does not answer: TimeoutError: timed out", "network"),
        (ValueError("odd"), "cannot be read: ValueError: odd", ""),
    ],
)
def test_a_store_that_refuses_is_one_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str, hint: str
) -> None:
    from dataguard.cli import main

    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url, **options: (_Refusing(error), "bucket/data"))
    assert main(["check", "s3://bucket/data", "--select", "DG801"]) == 2
    written = capsys.readouterr().err
    assert f"s3://bucket/data: {said}" in written
    assert hint in written
    assert "Traceback" not in written


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str, **options: Any) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(SourceError, match=r"what reads s3:// is not installed[\s\S]*install s3fs"):
        opened("s3://bucket/data")


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(SourceError, match=r'pip install "dataguard\[remote\]"'):
        opened("memory://bucket/data")


def test_an_unknown_protocol_is_one_error() -> None:
    with pytest.raises(SourceError, match="Protocol not known: nope"):
        opened("nope://bucket/data")


def test_names_that_lead_outside_are_refused(tmp_path: Path) -> None:
    for name in ("../../etc/cron", "/etc/passwd", ""):
        with pytest.raises(SourceError, match="outside of its folder"):
            remote._target(tmp_path, name, "memory://x")


def test_what_the_disk_has_no_room_for_is_one_error(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_shards(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    monkeypatch.setattr(remote, "_RESERVED", 1 << 60)
    with pytest.raises(SourceError, match=r"there is no room[\s\S]*endless stream"):
        opened("memory://bucket/d/train-000.tar")


def test_a_copy_that_is_cut_short_is_not_kept(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_shards(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    whole = type(memory).info

    def longer(self: Any, path: str, **keys: Any) -> Any:
        said = whole(self, path, **keys)
        return {**said, "size": (said.get("size") or 0) + 7}

    monkeypatch.setattr(type(memory), "info", longer)
    with pytest.raises(SourceError, match=r"bytes of /bucket/d/train-000\.tar arrived, and there are"):
        opened("memory://bucket/d/train-000.tar")


def test_findings_are_the_same_behind_a_url(memory: Any, tmp_path: Path) -> None:
    folder = as_folder(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    there, here = (check(place, select=["DG1", "DG3", "DG8"], cache=False) for place in ("memory://bucket/d", folder))
    assert repr([run.findings for run in there.runs]) == repr([run.findings for run in here.runs])
    assert there.subject.path == "memory://bucket/d"


def test_a_store_that_says_nothing_of_its_objects_is_read_at_every_check(memory: Any, tmp_path: Path) -> None:
    as_folder(SAMPLES, tmp_path / "d")
    put(memory, tmp_path)
    said = f"{len(SAMPLES)} of {len(SAMPLES)} pictures are fetched at every check: the store says neither version"
    cache = Cache(tmp_path / "cache")
    for _ in range(2):
        # ``memory://`` knows when an object was made, and not when it was changed.
        source = opened("memory://bucket/d")
        assert [note for note in source.notes if note.startswith(said)]
        assert scan(source, cache=cache).state is None
    memory.pipe_file("/bucket/d/test/disc/004.png", b"x")
    assert scan(opened("memory://bucket/d"), cache=cache).n_samples == len(SAMPLES)


NOW = 1.8e9


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"size": 7, "ETag": '"a"', "LastModified": dt.datetime(2027, 1, 15, tzinfo=dt.UTC)}, "size=7; etag"),
        ({"size": 7, "generation": "1", "etag": ""}, "size=7; generation=1"),
        ({"size": 7, "mtime": NOW - 601}, "size=7; mtime"),
        ({"size": 7, "updated": "2020-01-01T00:00:00Z"}, "size=7; updated"),
        # Another write in the same second would not show, and the store's clock may be off.
        ({"size": 7, "mtime": NOW - 1}, ""),
        ({"size": 7, "mtime": NOW + 3600}, ""),
        # Nothing that is sure to change.
        ({"size": 7, "created": NOW - 1e6}, None),
        ({"size": 7, "modify": "yesterday"}, None),
        ({"size": None, "ETag": "a"}, None),
        ({"size": 7}, None),
    ],
)
def test_what_a_store_says_stands_for_the_content_only_where_it_changes_with_it(
    said: dict[str, Any], state: str | None
) -> None:
    found = object_state(said, NOW)
    assert found == state or (state and found is not None and found.startswith(state))


def test_two_states_are_two_stamps_and_each_is_settled() -> None:
    stamps = [Stamp.told(7, f"size=7; etag={number}") for number in range(1_000)]
    assert len({(stamp.mtime_ns, stamp.inode) for stamp in stamps}) == 1_000
    assert all(stamp.settled and max(stamp.mtime_ns, stamp.inode, stamp.seen_ns) < 1 << 63 for stamp in stamps)
