from __future__ import annotations

import dataclasses
import re

import pytest

from dataguard.core.exhibit import Contrast, ContrastRow, Excerpt, Listing
from dataguard.core.finding import Severity
from dataguard.core.report import Report
from dataguard.formats import markdown

BARE = re.compile(r"(?<!\\)[`*_\[\]<>|]")


def test_a_report_reads_from_top_to_bottom(report: Report) -> None:
    text = markdown.render(report)
    headings = re.findall(r"^#+ .+$", text, flags=re.MULTILINE)
    assert headings[0].startswith("# dataguard: ")
    assert any("❌ DG101 label-noise" in line for line in headings)
    assert "An estimated 3.9 % of the labels are wrong" in text
    assert "| noise rate | 3.9 % | threshold 3 %" in text
    assert "- and 20 more" in text
    assert "## Passed" in text
    assert "## Not decided" in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_exit_code_is_that_of_the_command_line(report: Report) -> None:
    for strict in (False, True):
        code = int(report.exit_code(fail_on=Severity.WARNING, strict=strict))
        assert f"Exit code {code}: " in markdown.render(report, fail_on=Severity.WARNING, strict=strict)


def test_tables_have_as_many_cells_as_columns(report: Report) -> None:
    rows = [line for line in markdown.render(report).splitlines() if line.startswith("|")]
    assert rows
    for at, line in enumerate(rows):
        if "---" in line and set(line) <= set("|- "):
            n = len(re.findall(r"(?<!\\)\|", line))
            assert [len(re.findall(r"(?<!\\)\|", rows[at + step])) for step in (-1, 1)] == [n, n]


def test_nothing_hostile_acts(hostile: Report) -> None:
    text = markdown.render(hostile)
    assert "<script" not in text
    assert "<img" not in text
    assert "http://" not in text
    assert "\x1b" not in text
    for line in text.splitlines():
        assert not re.search(r"(?<!\\)!\[", line)


@pytest.mark.parametrize(
    "text",
    ["[a](https://x.example)", "![a](x)", "`a`", "a|b", "**a**", "<b>", "a\n# b", "@someone", "&lt;", "- a", "1. a"],
)
def test_marks_are_escaped(text: str) -> None:
    escaped = markdown._text(text)
    assert not BARE.search(escaped)
    assert "\n" not in escaped
    assert not re.match(r"[-+#]|\d+[.)]", escaped)
    assert "://" not in escaped
    assert "@s" not in escaped


def test_tables_marks_and_lines_of_code_are_shown(report: Report) -> None:
    shown = dataclasses.replace(
        report,
        overview=(
            Listing(title="Counts", columns=("a", "b"), rows=(("x|y", 1), ("z", None)), total=50),
            Contrast(
                title="Alike?",
                columns=("kernel",),
                rows=(ContrastRow(name="serve", cells=("bilinear",), marked=(True,)),),
                total=1,
                meaning="Marked differs.",
            ),
            Excerpt(title="Code", path="a.py", start=7, lines=("x = 1", "```"), marked=(7,)),
        ),
    )
    text = markdown.render(shown)
    assert "| x\\|y | 1 |" in text
    assert "*and 48 more*" in text
    assert "| serve | **bilinear** |" in text
    assert "*Bold differs.*" in text
    assert "\n        7  x = 1\n        8  ```" in text


def test_a_report_that_no_page_would_show_is_cut(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "MOST_BYTES", 500)
    text = markdown.render(report)
    assert len(text.encode()) < 700
    assert text.rstrip().endswith("the HTML and JSON reports have it.*")
