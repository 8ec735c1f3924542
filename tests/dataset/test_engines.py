"""Every engine makes the same table of the same pictures, bit for bit."""

from __future__ import annotations

import pickle
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dataguard import check
from dataguard.config import Config, DatasetConfig
from dataguard.core.errors import ConfigurationError, EngineError, SourceError
from dataguard.dataset import engines
from dataguard.dataset.cache import Cache
from dataguard.dataset.class_counts import ClassCounts
from dataguard.dataset.duplicates import Duplicates
from dataguard.dataset.engines import EngineName, engine_names, in_windows, most_telling, on_engine, open_engine
from dataguard.dataset.engines.local import LocalEngine
from dataguard.dataset.scan import Summary, chunk, merge, scan
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.inputs import open_source
from tests.dataset.by_engine import checked, pictures, told
from tests.dataset.sources.same_data import as_folder, as_shards, planted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("pictures"))


def rows_of(folder: Path, **options: Any) -> tuple[str, str]:
    table = scan(FolderSource(folder), cache=options.pop("cache", None), **options)
    thumbnails = table.fetch(["sample_id", "thumbnail"])["thumbnail"]
    frame = table.to_pandas()
    text = frame.to_csv() + repr([None if item is None else bytes(item) for item in thumbnails])
    return table.version_id, text


class Backwards:
    """An engine that does the work in the worst order, and sends everything through pickle."""

    name = "backwards"

    def __init__(self, address: str | None = None) -> None:
        self.n_chunks = 0
        self.closed = False
        self.tables: list[Path] = []

    def map_chunks(self, function: Callable[[Any], Any], chunks: Iterable[Any]) -> Iterator[Any]:
        sent = [pickle.dumps((function, work)) for work in chunks]
        self.n_chunks += len(sent)
        random.Random(3).shuffle(sent)
        for data in sent:
            run, work = pickle.loads(data)  # noqa: S301
            yield pickle.loads(pickle.dumps(run(work)))  # noqa: S301

    def table(self, parquet: Path) -> Any:
        import narwhals.stable.v2 as nw

        self.tables.append(parquet)
        parts = [str(part) for part in sorted(parquet.glob("*.parquet"))]
        return nw.from_native(duckdb.connect().read_parquet(parts))

    def close(self) -> None:
        self.closed = True


def test_the_order_of_the_work_does_not_matter(folder: Path) -> None:
    here = rows_of(folder)

    assert rows_of(folder, engine=Backwards()) == here
    assert rows_of(folder, engine=LocalEngine("3")) == here
    assert "torn.jpg" in here[1]


def test_a_large_table_is_put_to_the_engine_if_its_workers_see_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scan(FolderSource(folder), cache=Cache(tmp_path))
    assert here.parquet is not None

    small, large = Backwards(), Backwards()
    assert on_engine(small, here.parquet, here.n_samples) is None
    monkeypatch.setattr(engines, "FOR_ENGINE", 0)
    assert on_engine(LocalEngine(), here.parquet, here.n_samples) is None
    frame = on_engine(large, here.parquet, here.n_samples)
    assert (small.n_chunks, small.tables, large.tables) == (0, [], [here.parquet])
    there = replace(here, elsewhere=frame)
    assert there.frame is frame
    assert Duplicates.from_table(there) == Duplicates.from_table(here)
    assert ClassCounts.from_table(there).counts.tolist() == ClassCounts.from_table(here).counts.tolist()

    class Blind(Backwards):
        def map_chunks(self, function: Any, chunks: Iterable[Any]) -> Iterator[Any]:
            return super().map_chunks(function, [(name + " of another machine", size) for name, size in chunks])

    assert on_engine(Blind(), here.parquet, here.n_samples) is None


def test_an_engine_reads_all_that_is_asked_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,y,label,split\n" + "".join(f"{i % 40},{i % 7},{i % 3},{'ab'[i % 2]}\n" for i in range(900)))
    here = scan(TableSource(path), cache=Cache(tmp_path / "cache"))
    assert here.parquet is not None
    monkeypatch.setattr(engines, "FOR_ENGINE", 0)
    there = replace(here, elsewhere=on_engine(Backwards(), here.parquet, here.n_samples))
    assert Duplicates.from_table(there) == Duplicates.from_table(here)
    assert {member.sample_id for group in Duplicates.from_table(there).groups for member in group.members} >= {"1"}
    assert ClassCounts.from_table(there).counts.tolist() == ClassCounts.from_table(here).counts.tolist()


def test_what_the_cache_knows_is_not_sent(folder: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    here = rows_of(folder)
    first, second = Backwards(), Backwards()

    assert rows_of(folder, cache=cache, engine=first) == here
    for table in (tmp_path / "tables").iterdir():
        for part in table.iterdir():
            part.unlink()
        table.rmdir()
    assert rows_of(folder, cache=cache, engine=second) == here

    assert first.n_chunks == 2
    # The file that cannot be decoded is known, too.
    assert second.n_chunks == 0


def test_partial_results_merge_to_the_same_bits_in_any_order(folder: Path) -> None:
    references = list(FolderSource(folder).references())
    parts = [chunk(references[at : at + 13], root=folder) for at in range(0, len(references), 13)]
    whole = chunk(references, root=folder)

    random.Random(1).shuffle(parts)
    left = Summary()
    for part in parts:
        left = merge(left, part)
    right = merge(merge(parts[0], parts[1]), merge_all(parts[2:]))

    for merged in (left, right):
        assert merged.manifest.version_id == whole.manifest.version_id
        assert merged.details.version_id == whole.details.version_id
        assert [(item.reference, item.content, item.facts) for item in merged.samples] == [
            (item.reference, item.content, item.facts) for item in whole.samples
        ]
        assert (merged.n_samples, merged.n_bytes) == (whole.n_samples, whole.n_bytes)


def merge_all(parts: list[Summary]) -> Summary:
    return parts[0] if len(parts) == 1 else merge(parts[0], merge_all(parts[1:]))


class Elsewhere(Backwards):
    """Its workers do not see the driver's files."""

    def map_chunks(self, function: Any, chunks: Iterable[Any]) -> Iterator[Any]:
        there = {**function.keywords, "root": Path("no such folder").absolute()}
        return super().map_chunks(partial(function.func, **there), chunks)


def test_a_worker_that_does_not_see_the_files_says_so(folder: Path) -> None:
    with pytest.raises(EngineError, match="does not see the folder") as caught:
        scan(FolderSource(folder), cache=None, engine=Elsewhere())
    assert "every worker" in str(caught.value)


def test_a_worker_that_does_not_see_the_shards_says_so_and_one_needs_no_copy_of_a_store(tmp_path: Path) -> None:
    def source(path: str) -> Any:
        return open_source(Config(dataset=DatasetConfig(path=path), cache=str(tmp_path / "cache")))

    samples = planted(10)
    with pytest.raises(EngineError, match="does not see the folder"):
        scan(source(str(as_shards(samples, tmp_path / "shards"))), cache=None, engine=Elsewhere())

    system = pytest.importorskip("fsspec").filesystem("memory")
    folder = as_folder(samples, tmp_path / "folder")
    for sample in samples:
        system.pipe_file(f"/of-engines/{sample.key}", (folder / sample.key).read_bytes())
    try:
        there = scan(source("memory://of-engines"), cache=None, engine=Elsewhere())
    finally:
        system.rm("/of-engines", recursive=True)
    assert there.version_id == scan(source(str(folder)), cache=None).version_id


def test_a_worker_with_other_decoders_is_refused(folder: Path) -> None:
    class Older(Backwards):
        def map_chunks(self, function: Any, chunks: Iterable[Any]) -> Iterator[Any]:
            return super().map_chunks(partial(function.func, **{**function.keywords, "decoder": "pillow 8"}), chunks)

    with pytest.raises(EngineError, match=r"decodes with .* and here it is pillow 8"):
        scan(FolderSource(folder), cache=None, engine=Older())


def test_names_and_addresses() -> None:
    assert EngineName.parse("spark") == EngineName(name="spark")
    assert EngineName.parse("Spark=local-cluster[2,1,1024]").address == "local-cluster[2,1,1024]"
    with pytest.raises(ConfigurationError, match="no such engine") as caught:
        open_engine("sparc")
    assert "did you mean 'spark'?" in str(caught.value)
    with pytest.raises(ConfigurationError, match="a number of threads"):
        open_engine("local=many")


def test_an_engine_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint(name="backwards", value=f"{__name__}:Backwards", group=engines.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == engines.GROUP else [])
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda self: Backwards)

    assert "backwards" in engine_names()
    assert isinstance(open_engine("backwards"), Backwards)


def test_what_is_not_installed_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyspark", "pyspark.sql", "distributed", "ray"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, package in (("spark", r"dataguard\[spark\]"), ("dask", "distributed"), ("ray", "ray")):
        with pytest.raises(ConfigurationError, match=f"engine = '{name}'(.|\n)*pip install .*{package}"):
            open_engine(name)


def test_no_more_chunks_are_under_way_than_may_be() -> None:
    taken, most = [], 0

    def chunks() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    done = 0
    for _ in in_windows(lambda number: number, lambda waiting: [waiting.popleft()], chunks(), 4):
        done += 1
        most = max(most, len(taken) - done + 1)
    assert (done, most) == (50, 4)


def test_threads_are_used() -> None:
    both = threading.Barrier(2, timeout=10)

    assert sorted(LocalEngine("2").map_chunks(lambda number: both.wait() * 0 + number, [1, 2])) == [1, 2]


def test_an_error_of_a_chunk_comes_through() -> None:
    def fail(_number: int) -> None:
        raise SourceError("broken", where="here")

    with pytest.raises(SourceError, match="broken"):
        list(LocalEngine("1").map_chunks(fail, [1]))


@pytest.fixture(scope="module")
def here(folder: Path) -> dict[str, Any]:
    return told(check(folder, cache=False))


@pytest.mark.parametrize(
    ("engine", "package"),
    [("spark=local[2]", "pyspark"), ("dask", "distributed"), ("ray", "ray"), ("local=2", "duckdb")],
)
def test_the_same_report_comes_out_of_every_engine(
    folder: Path, here: dict[str, Any], engine: str, package: str
) -> None:
    pytest.importorskip(package)
    found = checked(folder, engine)

    assert found == here
    assert {code for code, status, *_ in here["runs"] if status == "found"} >= {"DG801"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("An exception was thrown\nTraceback\nModuleNotFoundError: No module named 'x'\n", "ModuleNotFoundError: No"),
        (
            "An error occurred.\n: org.apache.X: Job\n\tat x\nCaused by: java.lang.NoClassDefFoundError: z\n",
            "java.lang.NoClassDefFoundError: z",
        ),
        ("An error occurred\n: org.apache.spark.SparkException: [X] lost\n\tat y\n", "org.apache.spark.SparkExc"),
        ("", "ValueError"),
    ],
)
def test_of_a_page_of_java_the_line_that_says_most_is_kept(text: str, said: str) -> None:
    assert most_telling(ValueError(text)).startswith(said)
