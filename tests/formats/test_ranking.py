from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.paths import decode_path, encode_path
from dataguard.core.ranking import Ranking
from dataguard.formats.ranking import COLUMNS, guarded, to_csv, to_parquet


def ranking(**changes: Any) -> Ranking:
    fields: dict[str, Any] = {
        "rule": "DG101",
        "sample_ids": ("a", "b", "c", "d"),
        "paths": ("x/a.png", "x/b.png", None, "y/d.png"),
        "splits": ("train", "", "test", "test"),
        "classes": ("cat", "dog"),
        "given": np.array([0, 0, 1, 1]),
        "suggested": np.array([0, 1, 1, 0]),
        "score": np.array([0.999, 1e-9, 0.999, 0.25]),
        "p_wrong": np.array([0.001, 1 - 1e-9, 0.001, 0.75]),
        "is_error": np.array([False, True, False, True]),
        "confidence": np.array([0.9, 0.0, 0.9, 0.2]),
    }
    return Ranking(**{**fields, **changes})


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_worst_come_first_and_ties_go_by_id() -> None:
    rows = read(to_csv([ranking()]))
    assert [row["sample_id"] for row in rows] == ["b", "d", "a", "c"]
    assert rows[0] == {
        "sample_id": "b",
        "path": "x/b.png",
        "split": "",
        "label": "cat",
        "suggested_label": "dog",
        "score": "1e-09",
        "p_wrong": "1",
        "is_error": "true",
        "rule": "DG101",
    }
    assert [sample.sample_id for sample in ranking()] == ["b", "d", "a", "c"]
    assert (len(ranking()), ranking().n_errors) == (4, 2)
    assert tuple(ranking().columns()) == COLUMNS


def test_where_no_score_differs_the_least_confident_come_first() -> None:
    even = ranking(score=np.ones(4), confidence=np.array([0.9, 0.8, 0.1, 0.8]))
    assert [sample.sample_id for sample in even] == ["c", "b", "d", "a"]


def test_the_form_is_that_of_rfc_4180() -> None:
    odd = ranking(sample_ids=('say "hi"', "one, two", "two\nlines", "ü"))
    text = to_csv([odd])
    assert text.startswith("sample_id,path,split,label,suggested_label,score,p_wrong,is_error,rule\r\n")
    assert '"say ""hi""",' in text
    assert '"one, two",' in text
    assert '"two\nlines",' in text
    assert text.endswith("\r\n")
    assert not text.startswith("\ufeff")
    assert {row["sample_id"] for row in read(text)} == set(odd.sample_ids)


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "-", "'=1"]
)
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert guarded(text) == "'" + text
    rows = read(to_csv([ranking(classes=(text, "dog"), sample_ids=(text, "b", "c", "d"))]))
    assert {row["sample_id"] for row in rows} == {"'" + text, "b", "c", "d"}
    assert {row["label"] for row in rows} == {"'" + text, "dog"}


@pytest.mark.parametrize("text", ["", "cat", "-1", "+1", "-0.5", "+.5", "-1e-3", "a=b", "3-4", " =1"])
def test_numbers_and_plain_text_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


@given(st.text(st.sampled_from("'=+-@\t1a."), max_size=5))
def test_one_leading_quote_taken_off_gives_the_text_back(text: str) -> None:
    assert guarded(text).removeprefix("'") == text
    assert not re.match(r"[=+\-@\t\r\n](?![\d.])", guarded(text))


def test_a_path_that_is_not_utf8_is_found_again() -> None:
    name = "x/caf\udce9.png"
    rows = read(to_csv([ranking(paths=(encode_path(name), None, None, None))]))
    (row,) = [row for row in rows if row["sample_id"] == "a"]
    assert row["path"] == "x/caf\\xe9.png"
    assert decode_path(row["path"]) == name


def test_parquet_holds_the_same_with_types_and_without_quotes(tmp_path: Path) -> None:
    import duckdb

    target = tmp_path / "r.parquet"
    target.write_bytes(to_parquet([ranking(classes=("=1+1", "dog\udce9"))]))
    with duckdb.connect() as connection:
        relation = connection.sql(f"SELECT * FROM '{target}'")
        assert tuple(relation.columns) == COLUMNS
        rows = relation.fetchall()
    assert [row[0] for row in rows] == ["b", "d", "a", "c"]
    assert rows[0] == ("b", "x/b.png", None, "=1+1", "dog\\udce9", 1e-9, 1 - 1e-9, True, "DG101")
    assert rows[3][1] is None


def test_nothing_judged_is_a_table_without_rows(tmp_path: Path) -> None:
    import duckdb

    none = np.array([])
    empty = ranking(
        sample_ids=(),
        paths=(),
        splits=(),
        given=none.astype(int),
        suggested=none.astype(int),
        score=none,
        p_wrong=none,
        is_error=none.astype(bool),
        confidence=none,
    )
    assert to_csv([empty]).count("\r\n") == 1
    target = tmp_path / "r.parquet"
    target.write_bytes(to_parquet([empty]))
    with duckdb.connect() as connection:
        assert connection.sql(f"SELECT count(*) FROM '{target}'").fetchall() == [(0,)]


def test_several_rankings_are_one_table_worst_first() -> None:
    other = ranking(rule="DG199", score=np.array([0.5, 0.5, 0.5, 1e-12]))
    rows = read(to_csv([ranking(), other]))
    assert [row["rule"] for row in rows[:3]] == ["DG199", "DG101", "DG101"]
    assert len(rows) == 8
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores)
