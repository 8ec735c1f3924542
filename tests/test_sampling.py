"""Judging by a random part: the same part whatever holds the samples, and only what a part can answer."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
from PIL import Image

import dataguard
from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Finding
from dataguard.core.report import Report, Status
from dataguard.dataset.sampling import SampledSource, rank
from dataguard.dataset.scan import scan
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.engine import sampling
from dataguard.engine.areas import AREAS, DATASET, area_of
from dataguard.inputs import NORMALIZATION_INPUTS, SERVING_INPUTS, VERSION_INPUTS
from dataguard.rules import all_rules

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sampled") / "rows.parquet"
    duckdb.sql(
        "COPY (SELECT 'n' || i AS name, CASE WHEN i % 50 = 0 THEN 'rare' ELSE 'common' END AS label, "
        "CASE WHEN i % 4 = 0 THEN 'test' ELSE 'train' END AS split, i * 37 % 1000 / 7.0 AS x "
        f"FROM range(4000) t(i)) TO '{path}'"
    )
    return path


def test_every_rule_about_a_dataset_says_whether_a_part_answers_it() -> None:
    kinds = {
        f"{kind.__module__}.{kind.__qualname__}".removeprefix("dataguard.")
        for kind in (*VERSION_INPUTS, *SERVING_INPUTS, *NORMALIZATION_INPUTS)
    }
    areas = [DATASET, *(area for area in AREAS if kinds & set(area.inputs))]
    about = {rule.code for rule in all_rules() if area_of(rule) in areas and not rule.code.startswith("DG9")}

    assert not sampling.ANSWERED & sampling.NEEDS_ALL.keys()
    assert sampling.ANSWERED | sampling.NEEDS_ALL.keys() == about


def test_the_part_is_the_same_in_a_table_and_one_by_one(table: Path) -> None:
    source = TableSource(table, id="name")
    assert source.take_sample(300, 7) == 4_000
    chosen = set(scan(source, cache=None).fetch(["sample_id"])["sample_id"])

    ranked = sorted((rank(f"n{number}", 7), f"n{number}") for number in range(4_000))
    assert chosen == {name for _, name in ranked[:300]}
    other = TableSource(table, id="name")
    other.take_sample(300, 8)
    assert set(scan(other, cache=None).fetch(["sample_id"])["sample_id"]) != chosen


def test_rows_keep_their_numbers_and_columns_go_with_them(table: Path) -> None:
    source = TableSource(table)
    source.take_sample(200, 0)
    found = scan(source, cache=None).fetch(["row", "label"], order='"row"')
    columns = source.columns(["name", "label"])

    assert len(columns) == source.n_rows == 200
    assert (columns["name"] == [f"n{row - 1}" for row in found["row"]]).all()
    assert (columns["label"] == found["label"]).all()


def test_some_rows_of_a_part_are_those_in_their_places(table: Path) -> None:
    source = TableSource(table)
    source.take_sample(200, 0)
    everything = source.columns(["name", "x"])
    places = np.array([0, 7, 8, 199])

    assert source.columns(["name", "x"], rows=places).equals(everything.iloc[places].reset_index(drop=True))


def test_pictures_are_chosen_as_rows_are(tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / ("a" if number % 2 else "b")
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((9, 9), number, np.uint8)).save(folder / f"{number}.png")
    source = SampledSource(FolderSource(tmp_path), 15, 3)

    names = [item.sample_id for item in source.references()]

    everyone = [item.sample_id for item in FolderSource(tmp_path).references()]
    assert names == [name for name in everyone if name in sorted(everyone, key=lambda name: rank(name, 3))[:15]]
    assert source.n_all == 40
    assert len(names) == scan(source, cache=None).n_samples == 15


def report_of(path: Path, sample: int) -> Report:
    return dataguard.check(path, sample=sample, cache=False, select=["DG102", "DG103", "DG104", "DG105", "DG108"])


def test_rules_that_need_every_sample_say_so(table: Path) -> None:
    report = report_of(table, 500)
    runs = {run.code: run for run in report.runs}

    assert runs["DG103"].status is runs["DG104"].status is runs["DG105"].status is Status.SKIPPED
    assert "needs every sample, and 500 of 4,000 were drawn" in runs["DG105"].reason
    assert runs["DG102"].status is Status.FOUND
    assert runs["DG108"].status is Status.PASSED
    assert report.subject.n_samples == 500
    assert any("500 of 4,000 samples, drawn at random with seed 0" in note for note in report.notes)
    assert report.configuration["sample"] == 500


def test_a_sample_of_all_is_no_sample(table: Path) -> None:
    whole = dataguard.check(table, cache=False, select=["DG102", "DG103", "DG105"])
    part = dataguard.check(table, sample=9_999, cache=False, select=["DG102", "DG103", "DG105"])

    assert part.subject.version_id == whole.subject.version_id
    assert [(run.code, run.status, run.findings) for run in part.runs] == [
        (run.code, run.status, run.findings) for run in whole.runs
    ]
    assert not any("drawn at random" in note for note in part.notes)


def test_shares_get_an_interval_that_holds_as_often_as_it_says() -> None:
    from scipy import stats

    n = 400
    ends = np.array([sampling.wilson(seen / n, n) for seen in range(n + 1)])
    shares = np.arange(1, 100) / 100
    held = [
        stats.binom.pmf(np.arange(n + 1), n, share)[(ends[:, 0] <= share) & (share <= ends[:, 1])].sum()
        for share in shares
    ]
    # It swings around what it says from share to share (Brown, Cai and DasGupta 2001).
    assert 0.947 <= np.mean(held) <= 0.953
    assert min(held) >= 0.92


def test_findings_of_a_part_have_intervals(table: Path) -> None:
    finding: Finding = next(run for run in report_of(table, 500).runs if run.code == "DG102").findings[0]
    shares = [item for item in finding.measurements if item.unit == "share" and item.n is not None]

    assert all(item.low is not None and item.high is not None and item.level is not None for item in shares)


def test_what_has_a_row_for_every_sample_does_not_go_with_a_part(table: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "probabilities.npy", np.full((4_000, 2), 0.5))
    (tmp_path / "dataguard.toml").write_text(f'[dataset]\npath = "{table}"\npred-probs = "probabilities.npy"\n')

    with pytest.raises(ConfigurationError, match="has a row for every sample"):
        dataguard.check(config=tmp_path / "dataguard.toml", sample=100, cache=False)
