"""Folders of tables, from the configuration to the report."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import dataguard
from dataguard.config import Config, DatasetConfig, parse_config
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.finding import Confidence, Severity, Skipped
from dataguard.dataset.near_rows import NearRows
from dataguard.dataset.near_texts import NearTexts
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.inputs import Inputs, open_source
from dataguard.starter import propose

pytestmark = pytest.mark.slow


N_TRAIN, N_TEST = 120, 60


def tables(root: Path, *, noise: float | None = None, names: tuple[str, str] = ("train", "test")) -> Path:
    """Two files, with the columns in another order, and 10 test rows that are training rows with noise."""
    generator = np.random.default_rng(0)
    n = N_TRAIN + N_TEST
    frame = pd.DataFrame(generator.normal(size=(n, 5)), columns=list("abcde"))
    frame["label"] = generator.choice(["x", "y"], n)
    if noise is not None:
        frame.iloc[N_TRAIN : N_TRAIN + 10, :5] = frame.iloc[:10, :5] * (1 + noise * generator.normal(size=(10, 5)))
    frame[:N_TRAIN].to_csv(root / f"{names[0]}.csv", index=False)
    frame[N_TRAIN:][["label", *"edcba"]].to_csv(root / f"{names[1]}.csv", index=False)
    return root


def opened(path: Path, **options: object) -> object:
    return open_source(Config(dataset=DatasetConfig(path=str(path), **options)))  # type: ignore[arg-type]


def test_a_folder_of_tables_is_checked_as_one_dataset(tmp_path: Path) -> None:
    report = dataguard.check(tables(tmp_path, noise=1e-4), select=["DG301", "DG302"], cache=False)
    assert dict(report.subject.splits) == {"train": N_TRAIN, "test": N_TEST}
    (finding,) = report.findings
    assert (finding.code, finding.severity, finding.confidence) == ("DG302", Severity.ERROR, Confidence.HIGH)
    assert "10 of 60 rows of test" in finding.message
    assert min(location.sample_id or "" for location in finding.locations) == "test.csv row 1"
    assert finding.locations[0].related[0].startswith("train.csv row ")
    assert any("the files tell the splits: train is train.csv, test is test.csv" in note for note in report.notes)


def test_copied_rows_of_fractions_are_an_error_with_their_values(tmp_path: Path) -> None:
    report = dataguard.check(tables(tmp_path, noise=0.0), select=["DG301"], cache=False)
    (finding,) = report.findings
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert finding.exhibits[0].rows[0][2].startswith("a=")  # type: ignore[union-attr, index]


def test_a_clean_folder_passes(tmp_path: Path) -> None:
    report = dataguard.check(tables(tmp_path), select=["DG301", "DG302"], cache=False)
    assert [run.status.value for run in report.runs] == ["passed", "passed"]


def test_splits_are_named_in_the_configuration(tmp_path: Path) -> None:
    tables(tmp_path, names=("a", "b"))
    (tmp_path / "dataguard.toml").write_text(
        '[dataset]\npath = "."\n[dataset.splits]\ntrain = "a.csv"\nholdout = ["b.csv"]\n'
    )
    report = dataguard.check(tmp_path, select=["DG301"], cache=False)
    assert dict(report.subject.splits) == {"train": N_TRAIN, "holdout": N_TEST}
    with pytest.raises(SourceError, match=r"2 tables, and no name says a split[\s\S]*\[dataset.splits\]"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({}, "splits: names no split"),
        ({"train": 3}, "splits.train: expected text in quotes, got 3"),
        ({"train": ["a.csv", 1]}, "splits.train: expected text in quotes, got 1"),
        ("train.csv", 'expected a table of splits with what belongs to each, as { train = "train.csv" }'),
    ],
)
def test_splits_that_say_nothing_are_refused(splits: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_config({"dataset": {"splits": splits}}, [])
    assert said in str(caught.value)


def test_splits_need_a_folder(tmp_path: Path) -> None:
    tables(tmp_path)
    with pytest.raises(ConfigurationError, match=r"dataset\.path is no folder"):
        opened(tmp_path / "train.csv", splits={"train": ("train.csv",)})


def test_a_folder_with_one_table_is_that_table(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2], "split": ["train", "test"]}).to_csv(tmp_path / "all.csv", index=False)
    source = opened(tmp_path)
    assert isinstance(source, TableSource)
    assert source.path == tmp_path / "all.csv"
    assert source.split == "split"


def test_a_folder_with_an_image_stays_a_folder_of_images(tmp_path: Path) -> None:
    tables(tmp_path)
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.png").write_bytes(b"")
    assert isinstance(opened(tmp_path), FolderSource)
    assert isinstance(opened(tmp_path, source="table"), TableSource)
    assert isinstance(opened(tmp_path, splits={"train": ("train.csv",)}), TableSource)


def test_a_folder_without_a_table_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no table in this folder"):
        opened(tmp_path, source="table")


def test_a_configuration_is_proposed_for_a_folder_of_tables(tmp_path: Path) -> None:
    tables(tmp_path)
    text = propose(tmp_path, relative_to=tmp_path)
    assert 'splits = { "train" = "train.csv", "test" = "test.csv" }' in text
    assert 'label = "label"' in text
    assert "split = " not in text.replace("splits = ", "")
    (tmp_path / "dataguard.toml").write_text(text)
    report = dataguard.check(tmp_path, select=["DG301"], cache=False)
    assert dict(report.subject.splits) == {"train": N_TRAIN, "test": N_TEST}


def inputs(path: Path, **options: object) -> Inputs:
    config = Config(dataset=DatasetConfig(path=str(path), **options))  # type: ignore[arg-type]
    return Inputs(config, open_source(config), use_cache=False, progress=lambda *_: None)


def test_near_rows_and_texts_are_made_of_tables_with_splits_only(tmp_path: Path) -> None:
    made = inputs(tables(tmp_path))
    assert isinstance(made.get(NearRows), NearRows)
    assert made.get(NearTexts) == Skipped(reason="there is no column of texts", hint="name it with dataset.text")
    alone = inputs(tmp_path / "train.csv")
    rows = alone.get(NearRows)
    assert isinstance(rows, Skipped)
    assert rows.reason == "there is only one split"


def test_near_texts_are_made_of_a_text_column_that_is_named_or_found(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    words = [" ".join(f"w{number}" for number in generator.integers(0, 400, 20)) for _ in range(90)]
    words[80] = words[3].upper()
    frame = pd.DataFrame({"review": words, "label": generator.choice(["x", "y"], 90)})
    frame[:60].to_csv(tmp_path / "train.csv", index=False)
    frame[60:].to_csv(tmp_path / "test.csv", index=False)
    for options in ({}, {"text": "review"}):
        found = inputs(tmp_path, **options).get(NearTexts)
        assert isinstance(found, NearTexts)
        assert found.column == "review"
        assert [pair.right.sample_id for pair in found.between[0].pairs] == ["test.csv row 21"]


def test_what_the_splits_of_several_files_were_normalized_with_is_told(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(3, 2, size=(300, 4))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    for name, rows in (("train", values[:200]), ("test", values[200:])):
        frame = pd.DataFrame(rows, columns=list("abcd")).assign(label=np.arange(len(rows)) % 2)
        duckdb.from_df(frame).write_parquet(str(tmp_path / f"{name}.parquet"))
    report = dataguard.check(tmp_path, select=["DG305"], cache=False)
    (finding,) = report.findings
    assert finding.code == "DG305"
    assert "'train' and 'test'" in finding.message
