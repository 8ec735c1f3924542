"""Datasets in S3 and Google Cloud Storage: servers of these protocols here, and the clients that everybody uses."""

from __future__ import annotations

import os
import time
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dataguard import check
from dataguard.core.errors import SourceError
from dataguard.dataset import stores
from dataguard.dataset.cache import Cache
from dataguard.dataset.remote import RemotePictures
from dataguard.dataset.scan import scan
from dataguard.dataset.sources import Reference
from dataguard.dataset.workers import Workers
from tests.dataset.object_store import CLOSED_LATE, GS, S3, Hurried, Store, forget, opened
from tests.dataset.servers import free_port
from tests.dataset.sources.same_data import as_folder, as_parquet, as_shards, made, planted

pytestmark = [pytest.mark.slow, CLOSED_LATE]
pytest.importorskip("fsspec")

SAMPLES = planted(10)


@pytest.fixture(scope="module")
def of_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = as_folder(SAMPLES, tmp_path_factory.mktemp("folder") / "data")
    return scan(opened(str(folder)), cache=None).version_id


@pytest.mark.parametrize(
    ("write", "location", "keys"),
    [
        (as_folder, "", {}),
        (lambda samples, folder: as_parquet(samples, made(folder) / "a.parquet"), "/a.parquet", {"id": "key"}),
        (as_shards, "/{train,val,test}-{000..002}.tar", {}),
    ],
)
def test_the_same_data_are_the_same_version_in_a_store(
    store: Store, tmp_path: Path, of_folder: str, write: Any, location: str, keys: dict[str, Any]
) -> None:
    write(SAMPLES, tmp_path / "d")
    store.put(tmp_path)
    found = scan(opened(f"{store.url}/d{location}", **keys), cache=None).version_id
    assert found == of_folder
    first = store.front.asked.copy()
    assert first
    if location:
        # Files that are copied as a whole lie here now.
        assert scan(opened(f"{store.url}/d{location}", **keys), cache=None).version_id == of_folder
        assert store.front.asked == first


def test_findings_are_the_same_and_what_is_unchanged_is_not_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.fill(SAMPLES, tmp_path)
    monkeypatch.setenv("DATAGUARD_CACHE_DIR", str(tmp_path / "cache"))
    select = ["DG1", "DG3", "DG8"]
    here = check(folder, select=select, cache=False)

    def there() -> Any:
        opened(str(folder))
        return check(f"{store.url}/d", select=select)

    first = there()
    assert repr([run.findings for run in first.runs]) == repr([run.findings for run in here.runs])
    assert first.subject.version_id == here.subject.version_id
    assert set(store.front.asked) == {sample.key for sample in SAMPLES}
    assert not any("fetched at every check" in note for note in first.notes)

    store.front.asked.clear()
    again = there()
    assert store.front.asked == Counter()
    assert store.front.listings > 0
    assert repr([run.findings for run in again.runs]) == repr([run.findings for run in first.runs])
    assert again.subject.version_id == first.subject.version_id


def test_of_what_changed_only_that_is_read(store: Store, tmp_path: Path) -> None:
    store.fill(SAMPLES, tmp_path)
    cache = Cache(tmp_path / "cache")
    first = scan(opened(f"{store.url}/d"), cache=cache)
    store.front.asked.clear()
    changed = (tmp_path / "d/test/disc/004.png").read_bytes()
    # Of the same size, and no other name: nothing but the store's own word tells.
    store.system.pipe_file(f"{store.bucket}/d/test/disc/004.png", changed[:-12] + changed[-12:][::-1])
    second = scan(opened(f"{store.url}/d"), cache=cache)
    assert second.version_id != first.version_id
    assert store.front.asked == {"test/disc/004.png": 1}


def test_an_object_that_disappears_after_listing_is_one_finding(store: Store, tmp_path: Path) -> None:
    store.fill(SAMPLES, tmp_path)
    source = opened(f"{store.url}/d")
    store.system.rm_file(f"{store.bucket}/d/test/disc/004.png")
    table = scan(source, cache=None)
    found = table.connection.execute(
        f"SELECT sample_id, decode_error FROM {table.query} WHERE decode_error IS NOT NULL"
    )
    assert ("test/disc/004.png", "there is no such file") in (rows := found.fetchall())
    assert [row for row in rows if "no such file" in row[1]] == [("test/disc/004.png", "there is no such file")]


def test_a_bucket_that_is_not_there_is_one_error(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    from dataguard.cli import main

    assert main(["check", f"{store.protocol}://no-such-bucket-here/d", "--select", "DG801"]) == 2
    said = capsys.readouterr().err
    assert f"{store.protocol}://no-such-bucket-here/d: there is nothing at this URL" in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 2


def test_more_than_a_page_of_objects_is_listed(store: Store, tmp_path: Path) -> None:
    store.fill(SAMPLES, tmp_path)
    n = len(SAMPLES)
    if store.protocol == S3:
        data = (tmp_path / "d/test/disc/004.png").read_bytes()
        store.system.pipe({f"{store.bucket}/d/train/disc/more-{number:04}.png": data for number in range(1_000)})
        n += 1_000
    store.front.a_page = 7
    store.front.listings = 0
    assert sum(1 for _ in opened(f"{store.url}/d").references()) == n
    assert store.front.listings >= (2 if store.protocol == S3 else n // 7)


@pytest.mark.parametrize("trouble", ["stall", "reset"])
def test_a_store_that_falls_silent_is_one_error_and_the_rest_is_fetched_later(
    store: Store, tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_SILENT_SECONDS", 0.5)
    monkeypatch.setattr(stores, "_CONNECT_SECONDS", 0.5)
    if store.protocol == GS:
        # Its pauses add up to half a minute.
        monkeypatch.setattr("gcsfs.retry.asyncio", Hurried())
    else:
        monkeypatch.setattr("s3fs.S3FileSystem.retries", 2)
    store.fill(SAMPLES, tmp_path)
    cache = Cache(tmp_path / "cache")
    source = opened(f"{store.url}/d")
    store.front.misbehave = lambda path: trouble if "/d/train/" in urllib.parse.unquote(path) else None
    with pytest.raises(SourceError, match="the store does not answer") as caught:
        scan(source, cache=cache)
    assert f"{store.url}/d/train/" in str(caught.value)
    assert "run it again" in str(caught.value)
    store.front.misbehave = lambda path: None
    assert scan(opened(f"{store.url}/d"), cache=cache).n_samples == len(SAMPLES)


def test_a_hiccup_is_asked_about_again(store: Store, tmp_path: Path, of_folder: str) -> None:
    store.fill(SAMPLES, tmp_path)
    seen: set[str] = set()

    def once(path: str) -> str | None:
        if "004.png" not in path or path in seen:
            return None
        seen.add(path)
        return "reset"

    source = opened(f"{store.url}/d")
    store.front.misbehave = once
    assert scan(source, cache=None).version_id == of_folder
    assert seen


def test_without_credentials_there_is_one_error(
    s3_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataguard.cli import main

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_port}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    forget()
    assert main(["check", "s3://bucket/d", "--select", "DG801"]) == 2
    said = capsys.readouterr().err
    assert "s3://bucket/d: access is refused: NoCredentialsError: Unable to locate credentials" in said
    assert "hint: look at the credentials that are found: AWS_PROFILE" in said
    assert "Traceback" not in said


def test_a_store_that_is_away_ends_the_run_from_a_process_too(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    url = f"http://127.0.0.1:{free_port()}/d"
    pictures = RemotePictures(url=url, listed=tmp_path)
    workers = Workers(1, root=tmp_path, cache=None, max_pixels=1_000, pictures=pictures)

    def ask() -> None:
        deadline = time.monotonic() + 120
        # None until the process is there.
        while workers.samples([Reference(sample_id="a.png", path="a.png", place="a.png")]) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    try:
        with pytest.raises(SourceError, match="the store does not answer") as caught:
            ask()
    finally:
        workers.close()
    assert caught.value.where == f"{url}/a.png"
