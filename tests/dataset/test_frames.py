"""Tables that engines hold come to the same findings as the file that they were read from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from dataguard.core.errors import EngineError, NothingToCheckError, SourceError
from dataguard.dataset.engines.frames import writer_of
from dataguard.dataset.scan import scan
from dataguard.dataset.sources.table import TableSource

pytestmark = pytest.mark.slow


def made(n: int = 3_000) -> pd.DataFrame:
    random = np.random.default_rng(3)
    label = random.integers(0, 3, n)
    frame = pd.DataFrame(
        {
            "size": random.normal(label, 1.0),
            "weight": random.normal(-label, 2.0).astype(np.float32),
            "count": random.integers(0, 9, n),
            "text": [None if row % 7 == 0 else f"kind {row % 13}" for row in range(n)],
            "split": ["test" if row % 5 == 0 else "train" for row in range(n)],
            "label": [f"class {value}" for value in label],
        }
    )
    return pd.concat([frame, frame.iloc[:40].assign(split="test")], ignore_index=True)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    frame = made()
    duckdb.sql(f"COPY (FROM frame) TO '{path}' (ROW_GROUP_SIZE 2048)")
    assert len(frame)
    return path


def rows_of(source: TableSource) -> tuple[str, pd.DataFrame]:
    table = scan(source, cache=None)
    return table.version_id, table.to_pandas()


def test_a_relation_of_duckdb_is_the_file_that_it_reads(parquet: Path) -> None:
    version, rows = rows_of(TableSource(parquet))
    source = TableSource("a relation", frame=duckdb.connect().read_parquet(str(parquet)))

    again, same = rows_of(source)

    assert again == version
    pd.testing.assert_frame_equal(same, rows)
    assert source.feature_names == ("size", "weight", "count", "text")


def test_what_was_written_goes_when_the_source_does(
    parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = TableSource("a relation", frame=duckdb.connect().read_parquet(str(parquet)))
    assert len(list(tmp_path.glob("*/table.parquet"))) == 1

    del source

    assert not list(tmp_path.glob("*/table.parquet"))


def test_a_frame_of_narwhals_is_what_it_holds(parquet: Path, tmp_path: Path) -> None:
    import narwhals.stable.v2 as nw

    write = writer_of(nw.from_native(duckdb.connect().read_parquet(str(parquet))))

    assert write is not None
    write(tmp_path / "written.parquet")
    assert duckdb.read_parquet(str(tmp_path / "written.parquet")).shape == (3_040, 6)


def test_what_is_in_memory_is_not_written() -> None:
    assert writer_of(made()) is None
    with pytest.raises(SourceError, match="no table that can be read"):
        TableSource("a list", frame=[1, 2])


def test_a_query_that_fails_is_one_error(parquet: Path) -> None:
    broken = duckdb.connect().sql(f"SELECT error('no such thing') AS label FROM '{parquet}'")

    with pytest.raises(EngineError, match=r"cannot be computed: .*no such thing"):
        TableSource("a relation", frame=broken)


def test_an_empty_table_holds_nothing_to_check(parquet: Path) -> None:
    empty = duckdb.connect().sql(f"SELECT * EXCLUDE (label) FROM '{parquet}' WHERE false")

    with pytest.raises(NothingToCheckError):
        rows_of(TableSource("a relation", frame=empty))


# In a process of their own: sessions and clusters outlive a test, and warn of what is not ours.
_CHECK = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import dataguard


def spark(path):
    from pyspark.sql import SparkSession
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return SparkSession.builder.master("local[2]").getOrCreate().read.parquet(path)


def dask(path):
    import dask.dataframe as dd
    return dd.read_parquet(path, blocksize=20_000)


def ray(path):
    import ray
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False, logging_level="ERROR")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.execution_options.preserve_order = False, True
    return ray.data.read_parquet(path)


def ibis(path):
    import ibis
    return ibis.duckdb.connect().read_parquet(path)


def polars(path):
    import polars as pl
    return pl.scan_parquet(path)


def polars_eager(path):
    return polars(path).collect()


def pyarrow(path):
    import pyarrow.parquet as pq
    return pq.read_table(path)


def duckdb(path):
    import duckdb
    return duckdb.connect().read_parquet(path)


if __name__ == "__main__":
    name, jobs = sys.argv[1], json.loads(sys.argv[2])
    from dataguard.dataset.sources import table_part
    written, open_part = [], table_part.Database.open
    def counted(self, file, *rest):
        part = open_part(self, file, *rest)
        written.append(self.query(f"SELECT count(*) FROM {part.table}", part.path)[0][0])
        return part
    table_part.Database.open = counted
    said = []
    for path, sample, config in jobs:
        written.clear()
        subject = path if name == "file" else globals()[name](path)
        report = dataguard.check(subject, cache=False, sample=sample or None, config=config or None)
        runs = [[run.code, run.status.value, [repr(f) for f in run.findings], run.reason] for run in report.runs]
        told = {"version": report.subject.version_id, "n": report.subject.n_samples, "runs": runs}
        said.append({"written": list(written), **told})
    print(json.dumps(said, default=str))
"""


def checked(name: str, jobs: list[tuple[str, int, str]]) -> tuple[list[list[int]], list[dict[str, Any]]]:
    """How many rows were written down, and what came of it, of a table, a size of sample and a configuration each."""
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, name, json.dumps(jobs)],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return [one.pop("written") for one in found], found


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("named")
    frame = made()
    frame.insert(0, "name", [f"n{row * 7919 % 10_007}" for row in range(len(frame))])
    duckdb.sql(f"COPY (FROM frame) TO '{folder / 'table.parquet'}' (ROW_GROUP_SIZE 2048)")
    (folder / "named.toml").write_text('[dataset]\nid = "name"\n')
    return folder / "table.parquet", folder / "named.toml"


@pytest.fixture(scope="module")
def jobs(parquet: Path, named: tuple[Path, Path]) -> list[tuple[str, int, str]]:
    """The whole table, a sample of it by its rows' numbers, and one by their names."""
    return [(str(parquet), 0, ""), (str(parquet), 500, ""), (str(named[0]), 500, str(named[1]))]


@pytest.fixture(scope="module")
def from_file(jobs: list[tuple[str, int, str]]) -> list[dict[str, Any]]:
    written, found = checked("file", jobs)
    assert written == [[3_040]] * 3
    return found


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("spark", "pyspark"),
        ("dask", "dask.dataframe"),
        ("ray", "ray"),
        ("ibis", "ibis"),
        ("polars", "polars"),
        ("polars_eager", "polars"),
        ("pyarrow", "pyarrow"),
        ("duckdb", "duckdb"),
    ],
)
def test_a_users_own_table_comes_to_the_same_report_as_its_file(
    jobs: list[tuple[str, int, str]], from_file: list[dict[str, Any]], name: str, package: str
) -> None:
    pytest.importorskip(package)

    written, found = checked(name, jobs)

    assert found == from_file
    assert [one["n"] for one in found] == [3_040, 500, 500]
    assert {code for code, status, *_ in found[0]["runs"] if status == "found"} >= {"DG301"}
    # What lies in memory already is read from there; of other tables no rows but those of a sample leave the engine.
    assert written == ([[]] * 3 if name in ("polars_eager", "pyarrow") else [[3_040], [500], [500]])


@pytest.mark.parametrize("names", [None, "name"])
def test_a_sample_of_a_relation_is_drawn_by_its_database(named: tuple[Path, Path], names: str | None) -> None:
    relation = duckdb.connect().read_parquet(str(named[0]))
    drawn = TableSource("a relation", frame=relation, id=names, draw=(500, 3))
    here = TableSource(named[0], id=names)

    assert drawn.n_rows == 500
    assert drawn.take_sample(500, 3) == here.take_sample(500, 3) == 3_040
    again, rows = rows_of(drawn)
    version, expected = rows_of(here)
    assert again == version
    pd.testing.assert_frame_equal(rows, expected)
    assert drawn.column_names == here.column_names
    places = np.array([0, 3, 499])
    pd.testing.assert_frame_equal(drawn.columns(rows=places), here.columns(rows=places))


@pytest.mark.parametrize(("names", "n"), [("size", 500), (None, 3_040), (None, 5_000)])
def test_a_sample_that_its_database_does_not_draw_is_drawn_here(
    named: tuple[Path, Path], names: str | None, n: int
) -> None:
    # Numbers with fractions are written in another way by each database.
    relation = duckdb.connect().read_parquet(str(named[0])).limit(3_000 if names else 3_040)
    source = TableSource("a relation", frame=relation, id=names, draw=(n, 3))

    n_all = 3_000 if names else 3_040
    assert source.n_rows == n_all
    assert source.take_sample(n, 3) == n_all
    assert source.n_rows == min(n, n_all)
