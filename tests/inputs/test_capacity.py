"""What would hold more samples than memory has room for is skipped, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import dataguard
from dataguard.core.errors import ConfigurationError
from dataguard.core.report import Status
from dataguard.inputs import capacity


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    duckdb.sql(f"COPY (SELECT i AS x, i * 7 % 13 AS y, 'c' || i % 2 AS label FROM range(400) t(i)) TO '{path}'")
    return path


def test_what_has_no_room_is_skipped_with_the_reason(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "SHARE", 0.0005)
    report = dataguard.check(table, memory="1GiB", cache=False, select=["DG101", "DG102", "DG107"])
    runs = {run.code: run for run in report.runs}

    assert runs["DG101"].status is runs["DG107"].status is Status.SKIPPED
    assert "holds all 400 samples at once" in runs["DG101"].reason
    assert "--sample 200 judges by a random part" in runs["DG101"].reason
    assert runs["DG102"].status is Status.PASSED


def test_what_has_room_is_made(table: Path) -> None:
    report = dataguard.check(table, memory="1GiB", cache=False, select=["DG107"])

    assert report.runs[0].status is not Status.SKIPPED


def test_a_size_that_is_none_is_an_error(table: Path) -> None:
    with pytest.raises(ConfigurationError, match="memory: expected a size"):
        dataguard.check(table, memory="a lot")
