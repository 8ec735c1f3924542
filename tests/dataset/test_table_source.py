from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataguard.core.errors import NothingToCheckError, SourceError
from dataguard.dataset.sources import Reference
from dataguard.dataset.sources.table import TableSource

pytestmark = pytest.mark.slow  # Whole files of tables are written, opened and scanned.


def write(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def as_parquet(csv: Path) -> Path:
    target = csv.with_suffix(".parquet")
    duckdb.connect().execute(f"COPY (FROM read_csv('{csv}', sample_size = -1)) TO '{target}'")
    return target


SAMPLE = """name,size,wet,when,label,split
α,1.5,true,2024-01-31,cat,train
b,,false,2024-02-01,dog,test
α,1.5,true,2024-01-31,dog,test
"""


def digests(source: TableSource) -> list[bytes | None]:
    return [reference.digest for reference in source.references()]


def test_rows_become_references(tmp_path: Path) -> None:
    source = TableSource(write(tmp_path / "t.csv", SAMPLE), time="when", group="name")
    first, second, third = source.references()
    assert first == Reference(
        sample_id="1",
        split="train",
        label="cat",
        group_id="α",
        time=datetime.fromisoformat("2024-01-31"),
        row=1,
        digest=first.digest,
    )
    assert (second.split, second.label, second.row) == ("test", "dog", 2)
    assert source.feature_names == ("size", "wet")
    assert first.digest == third.digest != second.digest
    assert source.notes == [
        "'label' is taken for the label column, by its name",
        "'split' is taken for the split column, by its name",
    ]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_the_same_table_in_any_format_gives_the_same_references(tmp_path: Path, suffix: str) -> None:
    csv = write(tmp_path / "t.csv", SAMPLE)
    if suffix == ".parquet":
        other = as_parquet(csv)
    else:
        text = SAMPLE.replace(",", "\t") if suffix == ".tsv" else SAMPLE
        other = write(tmp_path / f"other{suffix}", text)
    assert list(TableSource(csv).references()) == list(TableSource(other).references())


def test_columns_come_in_the_order_of_rows(tmp_path: Path) -> None:
    csv = write(tmp_path / "t.csv", "n,label\n" + "".join(f"{n},x\n" for n in range(30_000, 0, -1)))
    for source in (TableSource(csv), TableSource(as_parquet(csv))):
        frame = source.columns(["n"])
        assert isinstance(frame, pd.DataFrame)
        assert frame["n"].tolist() == list(range(30_000, 0, -1))
        assert source.columns().columns.tolist() == ["n", "label"]
        assert source.column_names == ("n", "label")
        references = list(source.references())
        assert [reference.row for reference in references] == list(range(1, 30_001))


@functools.cache
def one_database() -> duckdb.DuckDBPyConnection:
    """One for all examples: to open it takes longer than to fill it."""
    return duckdb.connect()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(width=64) | st.none(),
            st.integers(-5, 5) | st.none(),
            st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=3) | st.none(),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_rows_are_equal_if_and_only_if_their_digests_are(
    tmp_path: Path, rows: list[tuple[float | None, int | None, str | None]]
) -> None:
    path = tmp_path / "t.parquet"
    connection = one_database()
    connection.execute("CREATE OR REPLACE TABLE t (a DOUBLE, b INTEGER, c VARCHAR)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [list(row) for row in rows])
    connection.execute(f"COPY t TO '{path}'")
    found = digests(TableSource(path))
    # repr tells NaN from nothing and holds all digits; zero has no sign.
    plain = [repr((None if row[0] is None else row[0] + 0.0, row[1], row[2])) for row in rows]
    assert [found.index(digest) for digest in found] == [plain.index(row) for row in plain]


@pytest.mark.parametrize(
    ("one", "other"),
    [("a,b\n12,3\n", "a,b\n1,23\n"), ("a,b\nx,\n", "a,b\n,x\n"), ("a,b\n1,2\n", "a,c\n1,2\n"), ("a\n1\n", "a\n1.0\n")],
)
def test_different_rows_have_different_digests(tmp_path: Path, one: str, other: str) -> None:
    left = digests(TableSource(write(tmp_path / "one.csv", one)))
    assert left != digests(TableSource(write(tmp_path / "other.csv", other)))


def test_a_row_without_features_has_no_digest(tmp_path: Path) -> None:
    assert digests(TableSource(write(tmp_path / "t.csv", "label\ncat\ndog\n"))) == [None, None]


def test_labels_are_text_and_nan_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    duckdb.connect().execute(
        f"COPY (SELECT * FROM (VALUES (1, 0.0), (2, 'nan'::DOUBLE), (3, NULL)) AS t(a, label)) TO '{path}'"
    )
    assert [reference.label for reference in TableSource(path).references()] == ["0.0", None, None]


def test_a_target_of_fractions_is_no_label_unless_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,target\n1,0.5\n2,1.5\n")
    source = TableSource(path)
    assert source.label is None
    assert "numbers that are not whole" in source.notes[0]
    assert TableSource(path, label="target").label == "target"


def test_images_are_paths_relative_to_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    text = f"image,label\n./a/1.png,x\n{folder}/b.png,y\n/elsewhere/c.png,y\n,x\n../d.png,x\n"
    source = TableSource(write(folder / "t.csv", text), image="image")
    assert [reference.path for reference in source.references()] == [
        "a/1.png",
        "b.png",
        "/elsewhere/c.png",
        "",
        "../d.png",
    ]
    assert [reference.digest for reference in source.references()] == [None] * 5
    assert source.identity() is None


def test_an_id_column_names_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "key,a\nx,1\ny,2\n")
    assert [reference.sample_id for reference in TableSource(path, id="key").references()] == ["x", "y"]


Case = tuple[str, str | bytes, dict[str, Any], str, str]
CASES: dict[str, Case] = {
    "column": ("t.csv", "a,label\n1,x\n", {"label": "lable"}, "no column 'lable', which label names", "'label'?"),
    "ragged": ("t.csv", "a,b\n1,2\n3,4,5\n", {}, "Line: 3", ""),
    "short row": ("t.csv", "a,b,c\n1,2,3\n3,4\n", {}, "Line: 3", ""),
    "late": ("t.csv", "a,b\n" + "1,2\n" * 25_000 + "1\n", {}, "Line: 25002", ""),
    "quote": ("t.csv", 'a,b\n"1,2\n3,4\n', {}, "quote", ""),
    "encoding": ("t.csv", "a,b\né,ü\n".encode("latin-1"), {}, "Line: 2", "iconv -f latin1"),
    "null labels": ("t.csv", "a,label\n1,\n2,\n", {}, "the label column 'label' is entirely null", ""),
    "same id": ("t.csv", "k,a\nx,1\nx,2\n", {"id": "k"}, "'x' (2 times)", ""),
    "null id": ("t.csv", "k,a\nx,1\n,2\n", {"id": "k"}, "null in data row 2", ""),
    "time": ("t.csv", "t,a\n2024-01-01,1\nsoon,2\n", {"time": "t"}, "data row 2: 'soon' is no date", "ISO 8601"),
    "time type": ("t.csv", "t,a\n1,1\n", {"time": "t"}, "neither dates nor times", "ISO 8601"),
    "image type": ("t.csv", "i,a\n1,1\n", {"image": "i"}, "holds BIGINT, not paths", ""),
    "no parquet": ("t.parquet", b"hello", {}, "cannot be read", ""),
    "no gzip": ("t.tsv.gz", b"", {}, "the table is empty", ""),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_broken_table_is_explained(tmp_path: Path, case: Case) -> None:
    name, content, options, message, hint = case
    path = write(tmp_path / name, content)
    with pytest.raises((SourceError, NothingToCheckError)) as caught:
        TableSource(path, **options)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.where == str(path)


def test_a_missing_table_and_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "table.csv", SAMPLE)
    with pytest.raises(SourceError, match="no such file") as caught:
        TableSource(tmp_path / "tabel.csv")
    assert caught.value.hint == "did you mean 'table.csv'?"
    with pytest.raises(SourceError, match="is a folder"):
        TableSource(tmp_path)


@pytest.mark.parametrize("make", [lambda path: path, as_parquet], ids=["csv", "parquet"])
def test_a_table_without_rows(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    source = TableSource(make(write(tmp_path / "t.csv", "a,label\n")))
    with pytest.raises(NothingToCheckError, match="no row"):
        list(source.references())


def test_labels_that_are_partly_null_are_read(tmp_path: Path) -> None:
    source = TableSource(write(tmp_path / "t.csv", "a,label\n1,\n2,x\n"))
    assert [reference.label for reference in source.references()] == [None, "x"]


def test_delimiters_and_names_that_sql_could_stumble_over(tmp_path: Path) -> None:
    source = TableSource(write(tmp_path / "it's.csv", '\ufeff"a ""b""";y\n1,5;u\n2;v\n'), label="y")
    assert source.column_names == ('a "b"', "y")
    assert source.columns(['a "b"']).shape == (2, 1)
    assert [reference.label for reference in source.references()] == ["u", "v"]


def test_the_identity_is_the_content_and_what_the_columns_mean(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", SAMPLE)
    same = write(tmp_path / "u.csv", SAMPLE)
    identity = TableSource(path).identity()
    assert identity is not None
    assert identity.n_samples == 3
    assert TableSource(same).identity() == identity
    assert TableSource(path, group="name").identity() != identity
    stale = TableSource(path)
    write(path, SAMPLE + "x,1,true,2024-01-31,cat,train\n")
    assert stale.identity() is None
    assert TableSource(path).identity() != identity


# Texts

PROSE = [
    "one two three four five six seven eight nine",
    "a b c d e f g h i j",
    "this is a sentence of eight words here",
]


def prose(folder: Path, header: str, rows: list[str]) -> TableSource:
    return TableSource(write(folder / "t.csv", "\n".join([header, *rows]) + "\n"))


def test_prose_is_taken_for_the_text_where_nothing_else_tells_classes_apart(tmp_path: Path) -> None:
    rows = [f"{number},{text},{number % 2},key{number}" for number, text in enumerate(PROSE)]
    source = prose(tmp_path, "number,review,label,key", rows)
    assert source.text == source.prose == "review"
    assert "'review' is taken for the text column: 9 words a row on average" in source.notes
    assert "review" in source.feature_names  # its content still tells rows apart


def test_prose_beside_other_columns_is_proposed_and_not_taken(tmp_path: Path) -> None:
    rows = [f"{number / 3},{text},{number % 2}" for number, text in enumerate(PROSE)]
    source = prose(tmp_path, "size,review,label", rows)
    assert (source.text, source.prose) == (None, "review")
    assert "dataset.text = 'review'" in source.notes[-1]


@pytest.mark.parametrize("values", [["12 Main Street Springfield"] * 3, [PROSE[0]] * 5 + [PROSE[1]]])
def test_short_and_repeated_texts_are_no_prose(tmp_path: Path, values: list[str]) -> None:
    source = prose(tmp_path, "name,label", [f"{value},{row % 2}" for row, value in enumerate(values)])
    assert (source.text, source.prose) == (None, None)


def test_a_named_text_column_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "n,title,label\n1,a b,x\n2,c,y\n")
    assert TableSource(path, text="title").text == "title"
    with pytest.raises(SourceError, match="the text column 'n' holds BIGINT, not text"):
        TableSource(path, text="n")
    with pytest.raises(SourceError, match=r"no column 'titel', which text names[\s\S]*did you mean 'title'"):
        TableSource(path, text="titel")
