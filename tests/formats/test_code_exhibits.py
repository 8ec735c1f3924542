"""Paths side by side and lines of code, on a terminal and on a page."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.exhibit import Contrast, ContrastRow, Excerpt
from dataguard.core.report import Document, Report, Undetermined
from dataguard.formats import html, json, terminal
from dataguard.formats.code_text import contrast_lines, excerpt_lines, wrapped
from tests.formats.conftest import HOSTILE
from tests.formats.test_sarif import finding, report

COLUMNS = ("decoder", "order", "size", "kernel", "values", "layout")


def row(name: str = "train", place: str = "train.py:5", marked: tuple[int, ...] = (), **changes: Any) -> ContrastRow:
    cells = ("Pillow", "RGB", "short 256, crop 224", "Pillow bilinear aa", "ImageNet", "CHW float32")
    values = {"name": name, "place": place, "cells": cells, "marked": tuple(at in marked for at in range(6)), **changes}
    return ContrastRow(**values)


def contrast(*rows: ContrastRow) -> Contrast:
    return Contrast(title="Paths", columns=COLUMNS, rows=rows, total=len(rows), meaning="marked: differs")


def lines_of(shown: Contrast, width: int) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in contrast_lines(shown, width)]


EXCERPT = Excerpt(title="serve.py:3", path="serve.py", start=2, lines=("a = 1", "\tb = 2", "c" * 200), marked=(3,))


def whole() -> Report:
    """A report with everything that is about code."""
    shown = contrast(row(), row("serve", "app/serve.py:3", marked=(1, 4)))
    return report(
        finding(exhibits=(EXCERPT,)),
        overview=(shown,),
        documents=(Document(kind="pipeline.v1", name="train", facts={"role": "train"}, content={"a": (1, 2.5, None)}),),
        undetermined=(
            Undetermined(
                of="serve: f", field="steps", reason="it is an argument", path="s.py", line=3, command="probe"
            ),
            Undetermined(
                of="serve: f", field="kernel", reason="it is an argument", path="s.py", line=3, command="probe"
            ),
        ),
    )


def test_a_table_of_ordinary_paths_fits_80_columns_without_breaking_words() -> None:
    lines = lines_of(contrast(row(), row("serve", "app/serve.py:3", marked=(1, 3))), 80)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == list(COLUMNS)
    text = " ".join(" ".join(lines).split())
    assert "! RGB" in text
    assert "serve.py:3" in text
    assert "float32" in text


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.builds(
            row,
            name=st.text(max_size=30),
            place=st.text(max_size=60),
            cells=st.tuples(*[st.text(max_size=40)] * 6),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(min_value=60, max_value=140),
)
def test_no_line_is_wider_than_asked(rows: list[ContrastRow], width: int) -> None:
    assert all(len(line) <= width for line in lines_of(contrast(*rows), width))


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab /-", max_size=60), st.integers(min_value=5, max_value=30))
def test_wrapping_loses_nothing_but_space(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_an_excerpt_has_numbers_and_a_mark_and_cuts_long_lines() -> None:
    lines = ["".join(text for text, _ in line) for line in excerpt_lines(EXCERPT, 40)]
    assert lines[:3] == ["serve.py:3", "  2 | a = 1", "> 3 |     b = 2"]
    assert len(lines[3]) <= 40
    assert lines[3].endswith("...")


def test_the_terminal_begins_with_the_table_and_names_what_is_open() -> None:
    text = terminal.render(whole(), width=80)
    table, _, rest = text.partition("marked: differs")
    assert "! RGB" in table
    assert "ERROR" not in table
    assert "> 3 |     b = 2" in rest
    assert "UNDETERMINED" in rest
    assert "steps, kernel  because it is an argument" in rest
    assert max(map(len, text.splitlines())) <= 80


def test_the_page_marks_by_word_and_sign_and_shows_code() -> None:
    page = html.render(whole())
    assert page.count('class="differs"') == 2
    assert '<span class="hidden">differs: </span>' in page
    assert '<tr class="marked">' in page
    assert "it is an argument" in page
    assert 'id="undetermined"' in page


def test_json_holds_all_of_it() -> None:
    made = whole()
    assert json.load(json.dump(made)) == made


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


@pytest.mark.parametrize("color", [False, True])
def test_hostile_code_acts_nowhere(color: bool) -> None:
    made = whole()
    shown = Excerpt(title=HOSTILE, path=HOSTILE, start=1, lines=(HOSTILE,), marked=(1,))
    table = contrast(row(HOSTILE, HOSTILE, cells=(HOSTILE,) * 6))
    opened = Undetermined(of=HOSTILE, field=HOSTILE, reason=HOSTILE, path=HOSTILE, line=1, command=HOSTILE)
    made = dataclasses.replace(
        report(finding(exhibits=(shown,))), overview=(table,), undetermined=(opened,), documents=made.documents
    )
    text = terminal.render(made, width=80, color=color)
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text
    assert "\x07" not in text
    page = html.render(made)
    parser = Tags()
    parser.feed(page)
    assert "table" in parser.found
    assert not {"script", "img"} & parser.found
    assert "\u202e" not in page
