from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.sources.table_files import (
    common_type,
    find_tables,
    named_tables,
    other_spelling,
    split_in_name,
)

pytestmark = pytest.mark.slow  # Whole files of tables are written, opened and scanned.

TRAIN = pd.DataFrame({"age": [1, 2, 3], "size": [0.5, 1.5, 2.5], "sex": ["f", "m", "f"], "label": ["a", "b", "a"]})
TEST = pd.DataFrame({"age": [4, 5], "size": [3.5, 4.5], "sex": ["m", "f"], "label": ["b", "a"]})


def folder(root: Path, *, suffix: str = ".csv", **tables: pd.DataFrame) -> Path:
    for name, table in tables.items():
        if suffix == ".parquet":
            duckdb.from_df(table).write_parquet(str(root / f"{name}.parquet"))
        else:
            table.to_csv(root / f"{name}{suffix}", index=False)
    return root


def source(root: Path, **options: Any) -> TableSource:
    return TableSource(root, files=find_tables(root).files, **options)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_files_are_one_table_with_the_split_that_their_names_say(tmp_path: Path, suffix: str) -> None:
    made = source(folder(tmp_path, train=TRAIN, test=TEST, suffix=suffix))
    references = list(made.references())
    assert [reference.split for reference in references] == ["train"] * 3 + ["test"] * 2
    assert [reference.sample_id for reference in references][2:] == [
        f"train{suffix} row 3",
        f"test{suffix} row 1",
        f"test{suffix} row 2",
    ]
    assert [reference.row for reference in references] == [1, 2, 3, 4, 5]
    assert [reference.label for reference in references] == ["a", "b", "a", "b", "a"]
    assert made.columns()["age"].tolist() == [1, 2, 3, 4, 5]
    assert made.column_names == ("age", "size", "sex", "label")
    assert made.root == tmp_path


def test_columns_are_matched_by_name_and_not_by_place(tmp_path: Path) -> None:
    made = source(folder(tmp_path, train=TRAIN, test=TRAIN[["label", "sex", "size", "age"]]))
    digests = [reference.digest for reference in made.references()]
    assert digests[:3] == digests[3:]
    assert len(set(digests)) == 3


def test_whole_numbers_beside_fractions_are_equal_to_them(tmp_path: Path) -> None:
    made = source(folder(tmp_path, train=TRAIN.assign(size=[1.0, 2.5, 3.0]), test=TRAIN.assign(size=[1, 2, 3])))
    digests = [reference.digest for reference in made.references()]
    assert [one == other for one, other in zip(digests[:3], digests[3:], strict=True)] == [True, False, True]
    assert made.columns(["size"])["size"].dtype == np.float64


def test_a_column_without_any_value_takes_the_type_of_the_others(tmp_path: Path) -> None:
    made = source(folder(tmp_path, train=TRAIN, test=TEST.assign(size=np.nan)))
    assert made.columns(["size"])["size"].isna().tolist() == [False] * 3 + [True] * 2


def test_a_test_file_without_labels_is_read_and_said(tmp_path: Path) -> None:
    made = source(folder(tmp_path, train=TRAIN.assign(label=[0.5, 1.5, 2.5]), test=TEST.drop(columns="label")))
    assert made.label == "label"
    assert [reference.label for reference in made.references()] == ["0.5", "1.5", "2.5", None, None]
    assert any("test.csv has no column 'label'" in note for note in made.notes)


def test_a_column_that_a_file_lacks_is_left_out_and_said(tmp_path: Path) -> None:
    made = source(folder(tmp_path, train=TRAIN, test=TEST.drop(columns="size")))
    assert made.feature_names == ("age", "sex")
    assert "left out, as not every file has it: 'size' (not in test.csv)" in made.notes


@pytest.mark.parametrize(
    ("test", "message", "hint"),
    [
        (TEST.rename(columns={"size": "Size_"}), "no column 'size', which train.csv has", "it has 'Size_'"),
        (TEST[:0], "the table has no row", "leave the file out"),
        (pd.DataFrame({"x": [1]}), "no column in common with train.csv", "this file has 'x'"),
    ],
    ids=["renamed", "empty", "other"],
)
def test_files_that_do_not_fit_are_named_with_the_column(
    tmp_path: Path, test: pd.DataFrame, message: str, hint: str
) -> None:
    folder(tmp_path, train=TRAIN, test=test)
    with pytest.raises(SourceError) as caught:
        source(tmp_path)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.where == str(tmp_path / "test.csv")


def test_text_among_numbers_makes_a_column_text_and_is_quoted(tmp_path: Path) -> None:
    made = source(folder(tmp_path, train=TRAIN.assign(age=[7, 8, 9]), test=TEST.assign(age=["8", "unknown"])))
    assert made.columns(["age"])["age"].tolist() == ["7", "8", "9", "8", "unknown"]
    (note,) = [note for note in made.notes if "'age'" in note]
    assert "'unknown' in data row 2" in note
    assert "test.csv" in note


def test_declared_types_that_differ_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, train=TRAIN, test=TEST.assign(age=["4", "old"]), suffix=".parquet")
    with pytest.raises(SourceError, match=r"'age' holds text, as 'old' in data row 2, and BIGINT in train.parquet"):
        source(tmp_path)


@pytest.mark.parametrize(
    ("values", "said"),
    [(["M", "F"], "no value in common: 'F', 'M' in test.csv"), (["F ", "m"], "spelt in two ways")],
)
def test_codes_that_differ_between_files_are_said(tmp_path: Path, values: list[str], said: str) -> None:
    train = pd.DataFrame({"n": range(20), "sex": ["f", "m"] * 10})
    test = pd.DataFrame({"n": range(20, 40), "sex": values * 10})
    if said.startswith("no value"):
        train["sex"] = ["female", "male"] * 10
    notes = source(folder(tmp_path, train=train, test=test)).notes
    assert any(said in note and "'sex'" in note for note in notes)


def test_codes_that_agree_are_not_spoken_of(tmp_path: Path) -> None:
    train = pd.DataFrame({"n": range(40), "sex": ["f", "m"] * 20, "b": [True, False] * 20})
    notes = source(folder(tmp_path, train=train, test=train.assign(b=[1, 0] * 20))).notes
    assert not [note for note in notes if "codes" in note]


def test_ids_that_recur_are_told_apart_by_their_file(tmp_path: Path) -> None:
    folder(tmp_path, train=TRAIN.assign(id=[1, 2, 3]), test=TEST.assign(id=[3, 4]))
    made = source(tmp_path, id="id")
    assert [reference.sample_id for reference in made.references()] == [
        "train.csv 1",
        "train.csv 2",
        "train.csv 3",
        "test.csv 3",
        "test.csv 4",
    ]
    assert any("1 values of the id column 'id' are in several files, as '3'" in note for note in made.notes)
    with pytest.raises(SourceError, match=r"does not tell rows apart: '3' \(2 times\)"):
        source(folder(tmp_path, train=TRAIN.assign(id=[1, 3, 3])), id="id")


def test_a_bad_time_is_named_by_file_and_row(tmp_path: Path) -> None:
    folder(tmp_path, train=TRAIN.assign(t="2024-01-01"), test=TEST.assign(t=["2024-01-01", "soon"]))
    with pytest.raises(SourceError, match=r"test.csv 2: 'soon' is no date"):
        source(tmp_path, time="t")


def test_the_identity_depends_on_every_file_and_its_split(tmp_path: Path) -> None:
    folder(tmp_path, train=TRAIN, test=TEST)
    made = source(tmp_path)
    identity = made.identity()
    assert identity is not None
    assert identity.n_samples == 5
    assert source(tmp_path).identity() == identity
    swapped = named_tables(tmp_path, {"train": ["test.csv"], "test": ["train.csv"]}, where="t")
    assert TableSource(tmp_path, files=swapped).identity() != identity
    folder(tmp_path, test=TEST[:1])
    assert made.identity() is None
    assert source(tmp_path).identity() != identity


def test_a_split_of_one_row_is_a_split(tmp_path: Path) -> None:
    made = source(folder(tmp_path, train=TRAIN, test=TEST[:1]))
    assert [reference.split for reference in made.references()] == ["train"] * 3 + ["test"]


def test_the_files_and_a_split_column_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the files tell the split"):
        source(folder(tmp_path, train=TRAIN, test=TEST), split="sex")


# Which files there are


def test_tables_are_found_by_name_and_others_are_said(tmp_path: Path) -> None:
    folder(tmp_path, test=TEST, train=TRAIN, sample_submission=TEST)
    (tmp_path / "readme.txt").write_text("train")
    (tmp_path / ".train.csv").write_text("x")
    found = find_tables(tmp_path)
    assert [(file.name, file.split) for file in found.files] == [("train.csv", "train"), ("test.csv", "test")]
    assert found.others == ("sample_submission.csv",)


def test_equal_names_in_folders_of_splits_are_different_tables(tmp_path: Path) -> None:
    for split, table in (("train", TRAIN), ("val", TEST)):
        (tmp_path / split).mkdir()
        folder(tmp_path / split, data=table)
    made = source(tmp_path)
    assert [reference.sample_id for reference in made.references()][2:4] == [
        "train/data.csv row 3",
        "val/data.csv row 1",
    ]


def test_one_name_in_two_formats_is_refused(tmp_path: Path) -> None:
    folder(tmp_path, train=TRAIN)
    folder(tmp_path, train=TEST, suffix=".parquet")
    with pytest.raises(SourceError, match=r"train.csv and train.parquet are both called 'train'") as caught:
        find_tables(tmp_path)
    assert "[dataset.splits]" in (caught.value.hint or "")


def test_parts_of_one_split_are_joined(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"train-00000-of-00002": TRAIN, "train-00001-of-00002": TEST, "test": TEST}
    folder(tmp_path, **parts)
    splits = [reference.split for reference in source(tmp_path).references()]
    assert splits == ["train"] * 5 + ["test"] * 2


def test_named_files_are_looked_up_and_checked(tmp_path: Path) -> None:
    folder(tmp_path, a=TRAIN, b=TEST)
    files = named_tables(tmp_path, {"holdout": ["b.csv"], "train": ["a.csv"]}, where="dataguard.toml")
    assert [(file.name, file.split) for file in files] == [("a.csv", "train"), ("b.csv", "holdout")]
    with pytest.raises(SourceError, match=r"names for 'train'[\s\S]*did you mean 'a.csv'"):
        named_tables(tmp_path, {"train": ["aa.csv"]}, where="dataguard.toml")
    with pytest.raises(ConfigurationError, match=r"named for 'train' and for 'test'"):
        named_tables(tmp_path, {"train": ["a.csv"], "test": ["a.csv"]}, where="dataguard.toml")
    (tmp_path / "c.xlsx").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"dataguard.toml: dataset.splits.train: 'c.xlsx' is no table"):
        named_tables(tmp_path, {"train": ["c.xlsx"]}, where="dataguard.toml")


@pytest.mark.parametrize(
    ("stem", "split"),
    [
        ("train", "train"),
        ("X_Test", "test"),
        ("mydata-validation", "validation"),
        ("train_and_test", None),
        ("x", None),
    ],
)
def test_a_split_is_a_word_of_the_name(stem: str, split: str | None) -> None:
    assert split_in_name(stem) == split


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["FLOAT", "DOUBLE"], "DOUBLE"),
        (["DECIMAL(9,2)", "BIGINT"], "DOUBLE"),
        (["UBIGINT", "BIGINT"], "HUGEINT"),
        (["DATE", "TIMESTAMP"], "TIMESTAMP"),
        (["DATE", "BIGINT"], None),
        (["BOOLEAN", "VARCHAR"], None),
    ],
)
def test_the_common_type_holds_every_value(kinds: list[str], expected: str | None) -> None:
    assert common_type(kinds) == common_type(kinds[::-1]) == expected


def test_another_spelling_of_a_column_is_recognized() -> None:
    assert other_spelling("Sepal length (cm)", ["sepal_length_cm"]) == "sepal_length_cm"
    assert other_spelling("age", ["ages", "wage"]) is None


def test_a_column_of_two_types_that_are_not_one_is_named(tmp_path: Path) -> None:
    folder(tmp_path, suffix=".parquet", train=TRAIN.assign(x=True), test=TEST.assign(x=pd.Timestamp("2024-01-31")))
    with pytest.raises(SourceError, match=r"the column 'x' holds TIMESTAMP.*, and BOOLEAN in train.parquet"):
        source(tmp_path)


def test_of_several_columns_of_pictures_one_is_to_be_named(tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(40)
    table = pd.DataFrame({"left": [picture] * 3, "right": [picture] * 3, "label": ["a", "b", "a"]})
    duckdb.from_df(table).write_parquet(str(tmp_path / "pairs.parquet"))
    with pytest.raises(SourceError, match="several columns hold pictures: 'left', 'right'") as caught:
        TableSource(tmp_path / "pairs.parquet")
    assert caught.value.hint == "say with dataset.image which one is meant"
    assert TableSource(tmp_path / "pairs.parquet", image="right").image == "right"
