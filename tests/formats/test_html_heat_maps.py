"""Heat maps and calibration plots on the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from dataguard.core.exhibit import HeatMap, Reliability
from dataguard.core.report import Report
from dataguard.formats import html
from tests.formats.html_page import Page, assert_sound


def alone(make_report: Callable[..., Report], shown: object) -> str:
    text = html.render(make_report(runs=(), overview=(shown,)))
    assert_sound(text)
    return text


def square(n: int, **cells: float) -> HeatMap:
    """A map of n classes, 1 on the diagonal and 0 off it but for cells as `r3c5=0.2`."""
    values = np.eye(n)
    for name, value in cells.items():
        row, column = (int(part) for part in name[1:].split("c"))
        values[row, column] = value
    names = tuple(f"class {index}" for index in range(n))
    return HeatMap(
        title="Mixed up",
        rows=names,
        columns=names,
        values=tuple(tuple(row) for row in values.tolist()),
        row_axis="true class",
        column_axis="given label",
    )


def cells_of(page: Page) -> list[dict[str, str | None]]:
    """The coloured cells, without the legend's."""
    return [rect for rect in page.named("rect") if rect.get("class") == "heat"][:-5]


def test_a_heat_map_says_its_numbers_in_cells_and_in_words(
    make_report: Callable[..., Report], confused: HeatMap
) -> None:
    text = alone(make_report, confused)
    page = Page(text)
    for said in (
        "Estimated share of a true class that is labelled as another.",
        "true class cat, given label dog: 3.1 %",
        "cat dog 3.1 % 19",
        "eel dog 2.0 % 13",
        "Numbers in per cent.",
        "All numbers",
    ):
        assert said in page.text
    (agreeing,) = {rect["class"] for rect in page.named("rect") if rect.get("width") == "44"} - {"heat"}
    assert agreeing == "agreeing"


def test_the_diagonal_does_not_wash_out_what_is_off_it(make_report: Callable[..., Report]) -> None:
    page = Page(alone(make_report, square(5, r1c2=0.03, r3c4=0.0003)))
    strengths = sorted(float(cell["fill-opacity"] or 0) for cell in cells_of(page))
    assert strengths[-1] == 1, "the largest off the diagonal has the full colour"
    assert strengths[-2] == pytest.approx(0.1), "and a hundredth of it a tenth, by the square root"
    assert strengths[-3] == 0
    assert len([rect for rect in page.named("rect") if rect.get("class") == "agreeing"]) == 5


@pytest.mark.parametrize(("n", "drawn", "numbered"), [(2, 2, True), (12, 12, True), (13, 13, False), (200, 30, False)])
def test_a_heat_map_stays_legible(make_report: Callable[..., Report], n: int, drawn: int, numbered: bool) -> None:
    last = f"r{n - 1}c0"
    text = alone(make_report, square(n, **{last: 0.25}))
    page = Page(text)
    assert len([rect for rect in page.named("rect") if rect.get("class") == "agreeing"]) == drawn
    assert ("Numbers in per cent." in page.text) == numbered
    assert f"true class class {n - 1}, given label class 0: 25 %" in page.text
    assert (f"{n - drawn} more are left out" in page.text) == (n > drawn)
    (drawing,) = [a for a in page.named("svg") if a.get("class") == "heat-map"]
    assert int(drawing["width"] or 0) < 1000
    assert len(text) < 200_000


def test_a_map_that_is_a_choice_itself_says_how_many_there_are(make_report: Callable[..., Report]) -> None:
    chosen = dataclasses.replace(square(40, r3c5=0.2), total=1000)
    assert "970 more are left out" in Page(alone(make_report, chosen)).text


def test_a_map_with_nothing_off_the_diagonal_says_so(make_report: Callable[..., Report]) -> None:
    page = Page(alone(make_report, square(3)))
    assert "There is nothing off the diagonal." in page.text
    assert not [a for a in page.named("svg") if a.get("class") == "heat-map"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), -1.0, 10**400])
def test_maps_bear_numbers_that_are_none_and_missing_ones(make_report: Callable[..., Report], bad: float) -> None:
    odd = HeatMap(
        title="Odd",
        rows=("a", "b"),
        columns=("a", "c", "d"),
        values=((bad, 0.5), (0.1,)),
        row_axis="one",
        column_axis="other",
        unit="samples",
        row_totals=(bad, 1),
    )
    alone(make_report, odd)
    alone(make_report, dataclasses.replace(odd, columns=("a", "b")))
    alone(make_report, dataclasses.replace(odd, rows=()))
    alone(make_report, dataclasses.replace(odd, columns=(), values=()))


def test_a_calibration_plot_says_its_numbers_in_words(
    make_report: Callable[..., Report], calibrated: Reliability
) -> None:
    page = Page(alone(make_report, calibrated))
    for said in (
        "Expected calibration error 2.97 % (0.42 % by chance alone), over 2 bins of 1,797 samples.",
        "who knew every true class would agree with 96.1 % of the labels.",
        "predicted observed 95 % interval samples expected with noise",
        "98.1 % 95.2 % 94.0 % to 96.0 % 1,677 95.5 %",
        "predicted 51 %, observed 47 % of 120 samples",
        "The rule calibrates them.",
    ):
        assert said in page.text
    plot = next(a for a in page.named("svg") if a.get("class") == "calibration")
    assert plot["role"] == "img"
    dots = [(float(a["cx"] or 0), float(a["cy"] or 0)) for a in page.named("circle") if a.get("class") == "dot"]
    (across, up), (far, high), _ = dots
    assert far > across, "surer is further right"
    assert high < up, "and right more often is higher"


def test_calibration_plots_bear_numbers_that_are_none(
    make_report: Callable[..., Report], calibrated: Reliability
) -> None:
    nan = float("nan")
    odd = tuple(dataclasses.replace(item, predicted=nan, low=nan, expected=None) for item in calibrated.bins)
    alone(make_report, dataclasses.replace(calibrated, bins=odd, error=nan))
    alone(make_report, dataclasses.replace(calibrated, bins=odd + calibrated.bins, ceiling=None))
    assert "There is nothing to compare." in Page(alone(make_report, dataclasses.replace(calibrated, bins=()))).text


def test_what_a_finding_shows_is_not_shown_again_below_it(report: Report, confused: HeatMap) -> None:
    finding = dataclasses.replace(report.runs[0].findings[0], exhibits=(confused,))
    runs = (dataclasses.replace(report.runs[0], findings=(finding,)),)
    page = assert_sound(html.render(dataclasses.replace(report, runs=runs)))
    assert [text for tag, text in page.texts if tag == "h4"].count(confused.title) == 1
    assert "How right the probabilities are" in page.text
