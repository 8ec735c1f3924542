"""Courses of losses and small histograms in reports."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest

from dataguard.core.exhibit import (
    Curve,
    Curves,
    Exhibit,
    Level,
    SmallHistogram,
    SmallHistogramRow,
    SmallHistograms,
)
from dataguard.core.report import Report
from dataguard.formats import html, json, markdown, terminal

LOSSES = Curves(
    title="Samples learned by heart",
    curves=(
        Curve(name="real <b>", values=(2.3, 1.0, 0.4, 0.1)),
        Curve(name="blank", values=(2.3, 2.2, math.nan, 2.1)),
    ),
    levels=(Level(name="chance (nothing known)", value=2.303), Level(name="floor", value=0.0)),
    note="Seed 0.",
)
NOTHING = SmallHistogram(low=0.0, high=0.0, counts=(), words="none")
LAYERS = SmallHistograms(
    title="Layer by layer",
    columns=("output", "gradient"),
    rows=(
        SmallHistogramRow(
            name="fc",
            histograms=(SmallHistogram(low=-2.0, high=2.0, counts=(1, 9, 4, 0), words="std 0.9"), NOTHING),
        ),
    ),
    total=3,
    note="First batch.",
)


def page(make_report: Callable[..., Report], shown: Exhibit) -> str:
    return html.render(make_report(runs=(), overview=(shown,)))


def points(text: str, name: str) -> list[tuple[float, float]]:
    path = re.search(rf'<path d="M([^"]+)"[^>]*><title>{name}', text)
    assert path is not None
    return [(float(x), float(y)) for x, y in (pair.split() for pair in path.group(1).split("L"))]


def test_curves_are_drawn_to_scale_and_said_in_numbers(make_report: Callable[..., Report]) -> None:
    text = page(make_report, LOSSES)
    assert "<script" not in text
    real = points(text, "real &lt;b&gt;")
    assert [x for x, _ in real] == sorted(x for x, _ in real)
    assert [y for _, y in real] == sorted(y for _, y in real), "a loss that falls goes down the page"
    blank = points(text, "blank")
    assert len(blank) == 3, "what is no number is left out"
    assert blank[0] == real[0]
    floor = re.search(r'class="ideal" d="M\d+ ([\d.]+)H[^>]*><title>floor: 0', text)
    assert floor is not None
    assert float(floor.group(1)) > real[-1][1]
    for said in ("chance (nothing known): 2.303", "Seed 0.", ">0.1<"):
        assert said in text


@pytest.mark.parametrize(
    "values", [(), (math.nan,), (1.0,), (0.0, 0.0), (-3.0, 4.0), (1.0, math.inf, 1e30), tuple(range(5000))]
)
def test_odd_curves_are_borne(make_report: Callable[..., Report], values: tuple[float, ...]) -> None:
    text = page(make_report, Curves(title="t", curves=(Curve(name="c", values=values),)))
    assert "nan" not in text.lower().replace("nanum", "")
    assert len(text) < 200_000


def test_a_leap_does_not_flatten_the_rest(make_report: Callable[..., Report]) -> None:
    text = page(make_report, Curves(title="t", curves=(Curve(name="c", values=(1.0, 900.0, 0.5)),)))
    (_, first), (_, leap), (_, last) = points(text, "c")
    assert last - first > 20
    assert leap < first


def test_small_histograms_have_a_cell_each(make_report: Callable[..., Report]) -> None:
    text = page(make_report, LAYERS)
    for said in ("fc: -2 to 2, heights by the square root", "std 0.9", "none", "2 more are not shown", "First batch."):
        assert said in text, said
    empty = page(make_report, SmallHistograms(title="t", columns=("a",), rows=(), total=0))
    assert "nothing to draw" in empty


@pytest.mark.parametrize("shown", [LOSSES, LAYERS])
def test_they_survive_json_and_the_formats_of_text(make_report: Callable[..., Report], shown: Exhibit) -> None:
    report = make_report(runs=(), overview=(shown,))
    again = json.load(json.dump(report))
    assert repr(again.overview) == repr(report.overview)
    assert terminal.render(report, width=80)
    assert markdown.render(report)
