"""Figures and settings in the HTML report: what was measured, and by which options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dataguard.core.finding import Measurement
from dataguard.core.report import RuleRun
from dataguard.formats import html_graphics as graphics
from dataguard.formats import wording
from dataguard.formats.html_tables import scrollable
from dataguard.formats.markup import Child, Element, element

_LONG_FACT = 48
_FEW_FIGURES = 6
"""Up to so many figures are all open; of more, those unfold that nothing is compared with."""


def pair(term: str, value: Child) -> Element:
    """A term and what it is."""
    # A long text in one narrow column would make its whole row as tall.
    long = isinstance(value, str) and len(value) > _LONG_FACT
    return element("div", element("dt", term), element("dd", value), class_="long" if long else None)


def measurements_shown(measurements: Sequence[Measurement], title: str) -> Element | None:
    """The figures that decide as a table, and the others unfolding."""
    first, others = wording.leading(measurements, _FEW_FIGURES)
    if not others:
        return _figures(first, title)
    pairs = element("dl", [pair(item.name, _figure_words(item)) for item in others], class_="others")
    if not first or len(measurements) <= _FEW_FIGURES:
        return element("div", _figures(first, title), pairs)
    folded = element("details", element("summary", wording.count(len(others), "more figure")), pairs)
    return element("div", _figures(first, title), folded)


def _figure_words(item: Measurement) -> str:
    value = wording.number(item.value, item.unit)
    compared = wording.comparison(item)
    return f"{value} ({compared})" if compared else value


def _figures(measurements: Sequence[Measurement], title: str) -> Element | None:
    """A table of figures with only the columns that say something."""
    if not measurements:
        return None
    columns: list[tuple[str, list[Child]]] = [
        ("observed", [wording.number(item.value, item.unit) for item in measurements])
    ]
    texts = {
        "threshold": [wording.number(item.threshold, item.unit) for item in measurements],
        "interval": [wording.interval(item) for item in measurements],
        "coverage": [wording.level(item) for item in measurements],
        "p-value": [wording.p_value(item.p_value) for item in measurements],
        "n": [wording.number(item.n) for item in measurements],
    }
    columns += [(name, list(cells)) for name, cells in texts.items() if any(cells)]
    drawn = [graphics.interval(item) for item in measurements]
    head = [element("th", name, scope="col", class_="number") for name, _ in columns]
    if any(graphic is not None for graphic in drawn):
        head.append(element("th", element("span", "drawn", class_="hidden"), scope="col"))
    rows = []
    for index, item in enumerate(measurements):
        cells = [element("td", column[index], class_="number", data_name=name) for name, column in columns]
        if len(head) > len(columns):
            cells.append(element("td", drawn[index], class_="drawn"))
        rows.append(element("tr", element("th", item.name, scope="row"), cells))
    return scrollable(
        element(
            "table",
            element("caption", title, class_="hidden"),
            element("thead", element("tr", element("th", "figure", scope="col"), head)),
            element("tbody", rows),
            class_="figures",
        ),
        title,
    )


def options_shown(run: RuleRun) -> Element | None:
    """The options that a rule ran with."""
    if not run.options:
        return None
    pairs = [pair(name.replace("_", "-"), wording.setting(value)) for name, value in run.options.items()]
    return element("div", element("p", "Options", class_="note"), element("dl", pairs), class_="options")


def settings_shown(title: str, values: Mapping[str, Any]) -> Element | None:
    """Nested settings as one table, a row each."""
    rows = [element("tr", element("th", key, scope="row"), element("td", value)) for key, value in _flat(values)]
    if not rows:
        return None
    table = element("table", element("caption", title), element("tbody", rows), class_="settings")
    return scrollable(table, title)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{name}.")
        else:
            rows.append((name, wording.setting(value)))
    return rows
