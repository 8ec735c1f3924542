"""The law: the same data through every source gives the same findings and the same version, bit for bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from dataguard import check
from dataguard.config import Config, DatasetConfig
from dataguard.core.report import Report
from dataguard.dataset.scan import scan
from dataguard.dataset.table import COLUMNS
from dataguard.engine import resolve_config
from dataguard.inputs import open_source
from dataguard.rules import all_rules
from tests.dataset.sources.same_data import WAYS, as_folder, planted

SAMPLES = planted()
CARRIED = [name for name in COLUMNS if name not in ("place", "row")]
"""What the sample table says of a sample, but for where it lies."""

each_way = pytest.mark.parametrize("way", [name for name in WAYS if name != "folder"])


def stored(way: str, folder: Path) -> tuple[Any, Config]:
    """The dataset stored in some way, and the configuration that reads it."""
    for module in WAYS[way].needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    place = WAYS[way].store(SAMPLES, folder / "data")
    return place, Config(base=folder, dataset=DatasetConfig(**WAYS[way].keys))


def rows_of(place: Any, config: Config) -> tuple[str, list[tuple[Any, ...]]]:
    """The version and everything that the sample table says of each sample."""
    if isinstance(place, str | Path):
        settings = resolve_config(None, with_path(config, str(place)), all_rules())
    else:
        settings = with_path(config, "a frame", frame=place)
    table = scan(open_source(settings), cache=None)
    selected = ", ".join(CARRIED)
    return table.version_id, table.connection.execute(f"SELECT {selected} FROM {table.query} ORDER BY 1").fetchall()


def with_path(config: Config, path: str, frame: Any = None) -> Config:
    import dataclasses

    return dataclasses.replace(config, dataset=dataclasses.replace(config.dataset, path=path, frame=frame))


@pytest.fixture(scope="module")
def of_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[tuple[Any, ...]]]:
    folder = tmp_path_factory.mktemp("folder")
    return rows_of(as_folder(SAMPLES, folder / "data"), Config(base=folder))


@each_way
def test_the_version_and_the_sample_table_are_the_same(
    way: str, tmp_path: Path, of_folder: tuple[str, list[tuple[Any, ...]]]
) -> None:
    place, config = stored(way, tmp_path)
    version, found = rows_of(place, config)
    for mine, theirs in zip(found, of_folder[1], strict=True):
        assert dict(zip(CARRIED, mine, strict=True)) == dict(zip(CARRIED, theirs, strict=True))
    assert version == of_folder[0]


def test_the_data_hold_what_findings_are_about(of_folder: tuple[str, list[tuple[Any, ...]]]) -> None:
    columns = [dict(zip(CARRIED, row, strict=True)) for row in of_folder[1]]
    assert sum(row["decode_error"] is not None for row in columns) == 2
    assert len({row["content_hash"] for row in columns}) == len(columns) - 2


def outcomes(report: Report) -> list[Any]:
    """All that rules said, but for how long they took."""
    return [(run.code, run.status, run.reason, run.findings, run.observations, run.inconclusive) for run in report.runs]


@pytest.fixture(scope="module")
def folder_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("folder")
    return check(as_folder(SAMPLES, folder / "data"), cache=False, select=SELECTED)


SELECTED = [rule.code for rule in all_rules() if rule.code[:3] in ("DG1", "DG3", "DG8")]


@pytest.mark.slow
@each_way
def test_the_findings_are_the_same(way: str, tmp_path: Path, folder_report: Report) -> None:
    place, config = stored(way, tmp_path)
    if isinstance(place, str | Path):
        config, place = with_path(config, str(place)), None
    report = check(place, config=config, cache=False, select=SELECTED)
    for mine, theirs in zip(outcomes(report), outcomes(folder_report), strict=True):
        assert repr(mine) == repr(theirs)
    assert report.subject.version_id == folder_report.subject.version_id
    assert report.subject.facts == folder_report.subject.facts
    assert {finding.code for finding in report.findings} >= {"DG105", "DG301", "DG801"}
