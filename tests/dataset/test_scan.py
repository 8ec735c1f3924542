from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataguard.core.errors import NothingToCheckError, SourceError
from dataguard.dataset import decode
from dataguard.dataset import finder as module
from dataguard.dataset.cache import Cache
from dataguard.dataset.decode import decoding
from dataguard.dataset.scan import Summary, chunk, merge, scan
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.table import COLUMNS, SampleTable

pytestmark = pytest.mark.slow


def draw(path: Path, seed: int, side: int = 24) -> Path:
    """A PNG of coloured noise; settled, as if written some time ago."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 3, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return settle(path)


def settle(path: Path) -> Path:
    os.utime(path, times=(time.time() - 60,) * 2)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for number in range(40):
        label, split = ("cat", "dog")[number % 2], ("train", "test")[number % 5 == 0]
        draw(root / split / label / f"{number:03}.png", number)
    return root


def rows(table: SampleTable) -> list[dict[str, Any]]:
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    found = table.connection.execute(f"SELECT {names} FROM {table.query}").fetchall()
    return [dict(zip(COLUMNS, row, strict=True)) for row in found]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for every file that is decoded."""
    calls: list[int] = []

    def counting(data: bytes, **options: Any) -> Any:
        calls.append(len(data))
        return decode.decoded(data, **options)

    monkeypatch.setattr(module, "decoded", counting)
    return calls


def test_the_facts_are_what_numpy_finds(images: Path) -> None:
    table = scan(FolderSource(images), cache=None)
    found = rows(table)
    assert table.n_samples == len(found) == 40
    assert (table.source, table.root) == ("folder", images)
    assert [row["sample_id"] for row in found] == sorted(row["sample_id"] for row in found)
    for row in found:
        path = images / row["path"]
        decoded = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert decoded is not None
        pixels = decoded.astype(np.int64).reshape(-1, 3)
        assert row["sample_id"] == row["path"] == f"{row['split']}/{row['label']}/{path.name}"
        assert row["bytes"] == path.stat().st_size
        assert row["content_hash"] == blake3(path.read_bytes()).hexdigest()
        assert (row["format"], row["mode"], row["width"], row["height"]) == ("png", "RGB", 27, 24)
        assert row["channel_sums"] == pixels.sum(axis=0).tolist()
        assert row["channel_square_sums"] == (pixels * pixels).sum(axis=0).tolist()
        assert len(row["thumbnail"]) == 3072
        assert 0 <= row["perceptual_hash"] < 2**64
        assert all(row[name] is None for name in ("group_id", "time", "row", "decode_error"))


def test_an_unchanged_folder_is_neither_read_nor_decoded(
    images: Path, tmp_path: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FolderSource(images)
    first = scan(source, cache=Cache(tmp_path / "cache"))
    assert len(decoded) == 40
    monkeypatch.setattr(module, "read_file", None)
    again = scan(source, cache=Cache(tmp_path / "cache"))
    assert len(decoded) == 40
    assert again.version_id == first.version_id
    assert rows(again) == rows(first)
    # The finished table is lost, the facts are not.
    shutil.rmtree(tmp_path / "cache" / "tables")
    assert rows(scan(source, cache=Cache(tmp_path / "cache"))) == rows(first)
    assert len(decoded) == 40


def test_only_what_changed_is_decoded(images: Path, tmp_path: Path, decoded: list[int]) -> None:
    source = FolderSource(images)
    before = scan(source, cache=Cache(tmp_path / "cache"))
    decoded.clear()
    changed = draw(images / "train/cat/002.png", 1_000)
    moved = images / "train/dog/moved.png"
    (images / "train/dog/003.png").rename(moved)
    settle(images / "train/cat/004.png")
    shutil.copy(images / "test/cat/000.png", images / "train/cat/copy.png")
    after = scan(source, cache=Cache(tmp_path / "cache"))
    assert decoded == [changed.stat().st_size]
    assert after.version_id != before.version_id
    assert {row["sample_id"] for row in rows(after)} - {row["sample_id"] for row in rows(before)} == {
        "train/dog/moved.png",
        "train/cat/copy.png",
    }


def test_a_picture_that_was_exchanged_with_its_time_put_back_is_read_again(tmp_path: Path, decoded: list[int]) -> None:
    path, other = draw(tmp_path / "data" / "a.png", 1), draw(tmp_path / "b.png", 2)
    source = FolderSource(tmp_path / "data")
    scan(source, cache=Cache(tmp_path / "cache"))
    before = path.stat()
    path.write_bytes(other.read_bytes())
    while (after := path.stat()).st_ctime_ns == before.st_ctime_ns or after.st_mtime_ns != before.st_mtime_ns:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    (row,) = rows(scan(source, cache=Cache(tmp_path / "cache")))
    assert row["content_hash"] == blake3(other.read_bytes()).hexdigest()
    assert len(decoded) == 2


def test_a_picture_that_gets_another_name_or_other_rights_is_not_decoded_again(
    tmp_path: Path, decoded: list[int]
) -> None:
    path = draw(tmp_path / "data" / "a.png", 1)
    source = FolderSource(tmp_path / "data")
    first = scan(source, cache=Cache(tmp_path / "cache"))
    os.link(path, tmp_path / "other.png")
    path.chmod(0o600)
    assert scan(source, cache=Cache(tmp_path / "cache")).version_id == first.version_id
    assert len(decoded) == 1


def test_files_that_were_just_written_are_read_again_and_not_decoded(tmp_path: Path, decoded: list[int]) -> None:
    path = draw(tmp_path / "data" / "a.png", 1)
    os.utime(path)
    scan(FolderSource(tmp_path / "data"), cache=Cache(tmp_path / "cache"))
    other = draw(tmp_path / "b.png", 2)
    assert path.stat().st_size == other.stat().st_size
    stat = path.stat()
    # Another picture of the same size within the clock's tick, in the same inode: nothing of the stat tells.
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (row,) = rows(scan(FolderSource(tmp_path / "data"), cache=Cache(tmp_path / "cache")))
    assert row["content_hash"] == blake3(other.read_bytes()).hexdigest()
    scan(FolderSource(tmp_path / "data"), cache=Cache(tmp_path / "cache"))
    assert len(decoded) == 2


def test_the_version_is_the_same_wherever_and_in_whatever_order(images: Path, tmp_path: Path) -> None:
    version = scan(FolderSource(images), cache=None).version_id
    copy = tmp_path / "elsewhere"
    for path in sorted(images.rglob("*.png"), reverse=True):
        target = copy / path.relative_to(images)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    assert scan(FolderSource(copy), cache=None, jobs=3).version_id == version
    (copy / "test/cat/000.png").rename(copy / "test/dog/000.png")
    assert scan(FolderSource(copy), cache=None).version_id != version


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_chunks_merge_to_the_whole(images: Path, data: st.DataObject) -> None:
    references = list(FolderSource(images).references())[:12]
    shuffled = data.draw(st.permutations(references))
    cuts = sorted({0, len(shuffled), *data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4))})
    with decoding():
        parts = [chunk(shuffled[start:end], root=images) for start, end in pairwise(cuts)]
        whole = chunk(references, root=images)

    def plain(summary: Summary) -> tuple[Any, ...]:
        ids = [(sample.reference.sample_id, sample.content, sample.facts) for sample in summary.samples]
        ends = (summary.manifest.version_id, summary.details.version_id)
        return ids, ends, summary.n_samples, summary.n_unreadable, summary.n_decoded, summary.n_bytes

    left = reduce(merge, parts, Summary())
    right = reduce(lambda later, earlier: merge(earlier, later), reversed(parts), Summary())
    assert plain(left) == plain(right) == plain(whole) == plain(merge(whole, Summary()))


def test_files_that_cannot_be_used_are_a_row_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    good = draw(root / "cat" / "good.png", 0, side=64)
    data = good.read_bytes()
    (root / "cat" / "text.jpg").write_text("I am no picture")
    (root / "cat" / "empty.png").write_bytes(b"")
    (root / "cat" / "half.png").write_bytes(data[: len(data) // 2])
    (root / "cat" / "folder.png").mkdir()
    (root / "cat" / "gone.jpg").symlink_to("nowhere")
    (root / "cat" / "circle.jpg").symlink_to("circle.jpg")
    (root / "cat" / "secret.png").write_bytes(data)
    os.mkfifo(root / "cat" / "pipe.png")
    opened = os.open

    def refusing(path: Any, flags: int, *rest: Any) -> int:
        if str(path).endswith("secret.png"):
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", refusing)
    cache = Cache(tmp_path / "cache")
    table = scan(FolderSource(root), cache=cache)
    errors = {row["sample_id"].removeprefix("cat/"): row["decode_error"] for row in rows(table)}
    assert errors == {
        "good.png": None,
        "text.jpg": "not an image: the file holds text",
        "empty.png": "the file is empty",
        "half.png": "the image is truncated: image file is truncated",
        "folder.png": "a folder, not a file",
        "gone.jpg": "the link points to nothing",
        "circle.jpg": "the link leads in a circle",
        "secret.png": "permission denied",
        "pipe.png": "not a regular file",
    }
    by_id = {row["sample_id"]: row for row in rows(table)}
    assert by_id["cat/text.jpg"]["content_hash"] is not None
    assert by_id["cat/gone.jpg"]["content_hash"] is None
    assert all(row["label"] == "cat" for row in by_id.values())
    assert rows(scan(FolderSource(root), cache=cache)) == rows(table)
    monkeypatch.undo()
    assert scan(FolderSource(root), cache=cache).version_id != table.version_id


def test_a_file_that_vanishes_on_the_way(images: Path) -> None:
    references = list(FolderSource(images).references())[:3]
    (images / references[1].sample_id).unlink()
    with decoding():
        summary = chunk(references, root=images)
    assert summary.n_unreadable == 1
    assert summary.samples[1].facts.decode_error == "there is no such file"


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    plain = draw(tmp_path / "data" / "cat" / "1.png", 1)
    draw(plain.parent / "2.png", 2).rename(os.fsdecode(os.fsencode(plain.parent) + b"/\xe9\\2.png"))
    cache = Cache(tmp_path / "cache")
    for _ in range(2):
        found = rows(scan(FolderSource(tmp_path / "data"), cache=cache))
        assert [row["sample_id"] for row in found] == ["cat/1.png", r"cat/\xe9\x5c2.png"]
        assert [row["decode_error"] for row in found] == [None, None]


def test_the_limit_on_pixels_is_part_of_what_is_cached(images: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")

    def unreadable(limit: int) -> int:
        return sum(row["decode_error"] is not None for row in rows(scan(source, cache=cache, max_pixels=limit)))

    source = FolderSource(images)
    assert [unreadable(limit) for limit in (24 * 27 - 1, 24 * 27, 24 * 27 - 1)] == [40, 0, 40]


def test_one_sample_and_none(tmp_path: Path) -> None:
    draw(tmp_path / "one" / "1.png", 1)
    assert scan(FolderSource(tmp_path / "one"), cache=None, jobs=8).n_samples == 1
    (tmp_path / "none").mkdir()
    with pytest.raises(NothingToCheckError):
        scan(FolderSource(tmp_path / "none"), cache=None)


def test_ids_that_do_not_come_in_order_are_put_in_order(images: Path) -> None:
    table = scan(FolderSource(images, pattern="{split}/{label}/{id}.png"), cache=None)
    assert [row["sample_id"] for row in rows(table)] == [f"{number:03}" for number in range(40)]
    assert {row["path"] for row in rows(table)} == {str(path.relative_to(images)) for path in images.rglob("*.png")}


def test_a_table_of_rows(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("a,b,label,split\n" + "".join(f"{n % 7},x,{n % 2},train\n" for n in range(50)))
    parquet = tmp_path / "t.parquet"
    TableSource(csv).columns().to_csv(tmp_path / "copy.csv", index=False)
    import duckdb

    duckdb.connect().execute(f"COPY (FROM '{csv}') TO '{parquet}'")
    cache = Cache(tmp_path / "cache")
    tables = [scan(TableSource(path), cache=cache) for path in (csv, parquet, tmp_path / "copy.csv", csv)]
    assert len({table.version_id for table in tables}) == 1
    found = sorted(rows(tables[0]), key=lambda row: row["row"])
    assert [row["row"] for row in found] == list(range(1, 51))
    assert [row["label"] for row in found] == [str(n % 2) for n in range(50)]
    assert len({row["content_hash"] for row in found}) == 7
    assert all(row["path"] is None and row["decode_error"] is None for row in found)
    assert all(rows(table) == rows(tables[0]) for table in tables)


def test_a_known_table_is_opened_without_listing_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("a,label\n1,x\n2,y\n")
    first = scan(TableSource(csv), cache=Cache(tmp_path / "cache"))
    monkeypatch.setattr(TableSource, "references", None)
    again = scan(TableSource(csv), cache=Cache(tmp_path / "cache"))
    assert (again.version_id, rows(again)) == (first.version_id, rows(first))


def test_a_table_of_image_paths(tmp_path: Path) -> None:
    draw(tmp_path / "pictures" / "1.png", 1)
    outside = draw(tmp_path / "outside.png", 2)
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "t.csv").write_text(f"file,label\n../pictures/1.png,a\n{outside},b\nmissing.png,a\n,b\n")
    found = rows(scan(TableSource(folder / "t.csv", image="file"), cache=Cache(tmp_path / "cache")))
    assert [row["label"] for row in found] == ["a", "b", "a", "b"]
    assert [row["decode_error"] for row in found] == [None, None, "there is no such file", "the row names no file"]
    assert [row["width"] for row in found] == [27, 27, None, None]
    assert found[1]["content_hash"] == blake3(outside.read_bytes()).hexdigest()


def test_ids_must_be_unique(tmp_path: Path) -> None:
    references = list(FolderSource(draw(tmp_path / "data" / "1.png", 1).parent).references())

    class Twice(FolderSource):
        def references(self) -> Any:
            return iter(references * 2)

    with pytest.raises(SourceError, match=r"not unique: '1.png' \(2 times\)"):
        scan(Twice(tmp_path / "data"), cache=None)


def test_progress_goes_up_to_all(images: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    scan(FolderSource(images), cache=None, jobs=2, progress=lambda *call: seen.append(call))
    listing = [done for stage, done, total in seen if stage == "listing" and total is None]
    scanning = [done for stage, done, total in seen if stage == "scanning" and total == 40]
    assert listing[-1] == scanning[-1] == 40
    assert scanning == sorted(scanning)
    assert len(scanning) > 1


def test_an_interrupted_scan_keeps_what_it_found(images: Path, tmp_path: Path, decoded: list[int]) -> None:
    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "scanning" and done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(FolderSource(images), cache=Cache(tmp_path / "cache"), jobs=1, progress=interrupt)
    assert list((tmp_path / "cache" / "tables").iterdir()) == []
    decoded.clear()
    assert scan(FolderSource(images), cache=Cache(tmp_path / "cache"), jobs=1).n_samples == 40
    assert len(decoded) <= 24


def test_a_killed_scan_resumes(images: Path, tmp_path: Path, decoded: list[int]) -> None:
    code = (
        "import os, signal, sys\n"
        "from dataguard.dataset.cache import Cache\n"
        "from dataguard.dataset.scan import scan\n"
        "from dataguard.dataset import finder\n"
        "from dataguard.dataset.sources.folder import FolderSource\n"
        "finder.WRITTEN_AT_A_TIME = 1\n"
        "def die(stage, done, total):\n"
        "    if stage == 'scanning' and done >= 16: os.kill(os.getpid(), signal.SIGKILL)\n"
        "scan(FolderSource(sys.argv[1]), cache=Cache(sys.argv[2]), jobs=1, progress=die)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(images), str(tmp_path / "cache")])
    assert done.returncode == -signal.SIGKILL
    cache = Cache(tmp_path / "cache")
    table = scan(FolderSource(images), cache=cache)
    assert len(decoded) <= 24
    assert cache.notes == []
    assert table.version_id == scan(FolderSource(images), cache=None).version_id


def test_two_processes_scan_into_one_cache(images: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from dataguard.dataset.cache import Cache\n"
        "from dataguard.dataset.scan import scan\n"
        "from dataguard.dataset.sources.folder import FolderSource\n"
        "cache = Cache(sys.argv[2])\n"
        "print(scan(FolderSource(sys.argv[1]), cache=cache).version_id, cache.notes)\n"
    )
    command = [sys.executable, "-c", code, str(images), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in processes]
    version = scan(FolderSource(images), cache=None).version_id
    assert outputs == [f"{version} []\n"] * 2
    assert len(list((tmp_path / "cache" / "tables").iterdir())) == 1


def test_a_broken_table_in_the_cache_is_made_again(images: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    expected = rows(scan(FolderSource(images), cache=cache))
    for part in (tmp_path / "cache").rglob("*.parquet"):
        part.write_bytes(b"broken")
    assert rows(scan(FolderSource(images), cache=cache)) == expected


def test_without_a_cache_nothing_stays(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    table = scan(FolderSource(images), cache=None)
    assert len(rows(table)) == 40
    del table
    assert list(scratch.iterdir()) == []


def test_an_unchanged_folder_is_told_by_its_listing_alone(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scan(FolderSource(images), cache=Cache(tmp_path / "cache"))
    assert first.state is not None
    asked: list[int] = []
    plain = Cache.hashes

    def counting(cache: Cache, stamps: Any) -> Any:
        asked.append(len(stamps))
        return plain(cache, stamps)

    monkeypatch.setattr(Cache, "hashes", counting)
    again = scan(FolderSource(images), cache=Cache(tmp_path / "cache"))
    assert (again.state, again.version_id, rows(again)) == (first.state, first.version_id, rows(first))
    assert asked == []
    # Under another name the contents are known, and the table is the other one: found by the stats, and then at once.
    images.rename(images.with_name("moved"))
    moved = FolderSource(images.with_name("moved"))
    assert scan(moved, cache=Cache(tmp_path / "cache")).version_id == first.version_id
    settle(moved.root / "test/cat/000.png")
    touched = scan(moved, cache=Cache(tmp_path / "cache"))
    assert touched.version_id == first.version_id
    assert touched.state not in (None, first.state)


def test_files_that_could_not_be_read_are_tried_again(images: Path, tmp_path: Path, decoded: list[int]) -> None:
    (images / "train/cat/gone.png").symlink_to(tmp_path / "later.png")
    cache = Cache(tmp_path / "cache")
    assert scan(FolderSource(images), cache=cache).state is None
    draw(tmp_path / "later.png", 50)
    decoded.clear()
    table = scan(FolderSource(images), cache=cache)
    assert len(decoded) == 1
    assert sum(row["decode_error"] is None for row in rows(table)) == 41
