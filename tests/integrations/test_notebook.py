"""A report in a notebook: `_repr_html_` and `repr`."""

from __future__ import annotations

import dataclasses
import html as escapes
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

import dataguard
from dataguard.core import notebook
from dataguard.core.finding import Confidence, Finding, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject
from dataguard.formats import html
from dataguard.formats.notebook import PICTURE_BUDGET


def report(
    *severities: Severity, status: Status = Status.FOUND, path: str = "/data", **configuration: object
) -> Report:
    found = tuple(
        Finding(
            code="DG102",
            name="x",
            severity=item,
            confidence=Confidence.HIGH,
            message="<b>few</b> & small",
            remedy="mend",
        )
        for item in severities
    )
    run = RuleRun(code="DG102", name="x", summary="X.", severity=Severity.ERROR, status=status, findings=found)
    return Report(
        subject=Subject(kind="dataset", path=path, root=path),
        runs=(run,),
        tool_version=dataguard.__version__,
        started_at="2026-01-01T00:00:00+00:00",
        seconds=0.0,
        configuration=configuration,
        environment={},
    )


class Parts(HTMLParser):
    """The elements, with their attributes, and the text outside the frame."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(shown: Report) -> Parts:
    text = shown._repr_html_()
    assert text is not None
    return Parts(text)


def test_the_frame_holds_the_html_report_and_nothing_runs() -> None:
    shown = report(Severity.ERROR)
    parts = rendered(shown)
    assert [tag for tag, _ in parts.elements] == ["div", "p", "strong", "iframe"]
    frame = parts.elements[-1][1]
    assert frame["srcdoc"] == html.render(shown, picture_budget=PICTURE_BUDGET, confined=True)
    assert frame["sandbox"] == ""
    assert frame["title"]


def test_the_line_says_the_verdict_where_frames_are_stripped() -> None:
    assert "1 finding at or above 'error'" in rendered(report(Severity.ERROR)).text
    assert "no finding at or above 'error'" in rendered(report(Severity.WARNING)).text
    assert "1 finding at or above 'warning'" in rendered(report(Severity.WARNING, fail_on="warning")).text
    skipped = report(status=Status.SKIPPED)
    assert "nothing was checked" in rendered(skipped).text


def test_a_strangers_text_is_no_markup() -> None:
    shown = report(Severity.ERROR, path='/data/"><script>alert(1)</script>')
    parts = rendered(shown)
    assert "script" not in {tag for tag, _ in parts.elements}
    assert "<script" not in (parts.elements[-1][1]["srcdoc"] or "")


def test_without_a_renderer_the_repr_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_renderers", [])
    assert report()._repr_html_() is None


def test_the_repr_is_one_line_with_the_counts() -> None:
    shown = report(Severity.ERROR, Severity.ERROR, Severity.INFO)
    assert repr(shown) == "<Report of dataset /data: 2 errors, 1 info; rules: 1 found>"
    assert repr(report(status=Status.PASSED)) == "<Report of dataset /data: no findings; rules: 1 passed>"
    assert repr(dataclasses.replace(shown, partial=True)).endswith(", partial>")


@pytest.mark.slow
def test_a_browser_shows_it_inside_a_page(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium here")
    text = report(Severity.ERROR)._repr_html_()
    page = tmp_path / "cell.html"
    page.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{text}</body>", encoding="utf-8")
    picture = tmp_path / "cell.png"
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=900,760",
        f"--screenshot={picture}",
    ]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert picture.is_file(), done.stderr
    assert "Refused to" not in done.stderr
    assert escapes.escape("<b>few</b>") in html.render(report(Severity.ERROR))
