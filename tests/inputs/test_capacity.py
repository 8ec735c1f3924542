"""What would hold more samples than memory has room for is skipped, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import cv2
import duckdb
import numpy as np
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


def test_pictures_and_classes_take_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / f"class {number % 3}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".png", generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))[1].tobytes())
    bytes_each = 2_000 + 8 * 60 + 2_944 + 3 * 60
    for room, is_skipped in ((60 * bytes_each - 50, True), (60 * bytes_each + 50, False)):
        monkeypatch.setattr(capacity, "SHARE", room / (1 << 30))
        report = dataguard.check(tmp_path, memory="1GiB", cache=False, select=["DG101"])
        assert (report.runs[0].status is Status.SKIPPED) == is_skipped
