"""Order strips: what they say, and how they look in each format."""

from __future__ import annotations

import base64
import dataclasses
import io
import json as standard_json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.exhibit import OrderStrip
from dataguard.core.report import Report
from dataguard.core.resources import read_schema
from dataguard.formats import html, json, strip, terminal
from dataguard.formats.html_strip import HEIGHT, WIDEST, color
from dataguard.formats.schema import FILE_NAME

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def pixels(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The strip of a page, as an RGB image."""
    from PIL import Image

    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def rgb(text: str) -> list[int]:
    return [int(text[at : at + 2], 16) for at in (1, 3, 5)]


def page(make_report: Callable[..., Report], shown: OrderStrip) -> str:
    return html.render(make_report(runs=(), overview=(shown,)))


def test_the_longest_run_is_of_batches_of_one_class(order: OrderStrip) -> None:
    assert strip.single_class(order) == [None, 0, 0, 1, 0, None]
    assert strip.longest_run(order) == strip.Run(start=1, length=2, label="cat")
    assert strip.totals(order) == [28, 12]
    mixed = dataclasses.replace(order, columns=((1, 1), (0, 0)))
    assert strip.longest_run(mixed) is None


@given(st.lists(st.lists(st.integers(0, 3), max_size=4).map(tuple), max_size=30).map(tuple), st.integers(1, 12))
def test_groups_hold_every_batch_once(columns: tuple[tuple[int, ...], ...], most: int) -> None:
    shown = OrderStrip(title="t", classes=("a", "b", "c"), columns=columns)
    groups = strip.grouped(shown, most)
    assert len(groups) == min(most, len(columns))
    assert all(0 <= group.share <= 1 for group in groups)
    assert any(group.leader is not None for group in groups) == any(strip.totals(shown))
    run = strip.longest_run(shown)
    singles = strip.single_class(shown)
    if run is None:
        assert set(singles) <= {None}
    else:
        assert {singles[place] for place in range(run.start, run.start + run.length)} == {
            shown.classes.index(run.label)
        }


def test_the_picture_has_a_column_a_batch_and_a_colour_a_class(
    make_report: Callable[..., Report], order: OrderStrip
) -> None:
    text = page(make_report, order)
    drawn = pixels(text)
    broad = drawn.shape[1] // 6
    assert drawn.shape == (HEIGHT, 6 * broad, 3)
    cat, dog = rgb(color(0, 2)), rgb(color(1, 2))
    columns = [drawn[:, index * broad + broad // 2] for index in range(6)]
    assert (columns[0][: HEIGHT // 2] == cat).all()
    assert (columns[0][HEIGHT // 2 :] == dog).all()
    assert (columns[1] == cat).all()
    assert (columns[3] == dog).all()
    assert not ((columns[5] == cat).all(axis=1) | (columns[5] == dog).all(axis=1)).any(), "an empty batch is neither"


def test_the_page_says_it_in_words_too(make_report: Callable[..., Report], order: OrderStrip) -> None:
    text = page(make_report, order)
    said = (
        "The first 6 batches of 90, from left to right. 4 of them hold one class alone. "
        "The longest run is 2 batches of cat, from batch 1 on. Seed 7."
    )
    assert f'<p class="note">{said}</p>' in text
    assert f'alt="Labels in the order that the loader gave them. {said}"' in text
    assert "<strong><bdi>dog</bdi></strong> 30.0 %" in text


@pytest.mark.parametrize(("n", "classes"), [(1, 1), (3000, 3), (9000, 12), (50, 300)])
def test_strips_of_any_size_stay_small(make_report: Callable[..., Report], n: int, classes: int) -> None:
    columns = tuple(tuple(int(place == index * classes // n) for place in range(classes)) for index in range(n))
    shown = OrderStrip(title="Sorted", classes=tuple(f"class {k}" for k in range(classes)), columns=columns)
    text = page(make_report, shown)
    drawn = pixels(text)
    assert drawn.shape[0] == HEIGHT
    assert drawn.shape[1] <= max(WIDEST, 1200)
    assert len(text) < 120_000
    held = len(set(strip.single_class(shown)))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) >= min(held, classes) * 0.9


def test_colours_of_few_classes_are_far_apart() -> None:
    for n in (2, 10):
        colors = np.array([rgb(color(index, n)) for index in range(n)], dtype=float)
        distance = np.linalg.norm(colors[:, None] - colors[None], axis=2) + 1e9 * np.eye(n)
        assert distance.min() > 60


def test_odd_strips_are_borne(make_report: Callable[..., Report], order: OrderStrip) -> None:
    assert "There is nothing to show." in page(make_report, dataclasses.replace(order, columns=()))
    assert "There is nothing to show." in page(make_report, dataclasses.replace(order, classes=()))
    ragged = dataclasses.replace(order, columns=((1,), (), (1, 2, 3), (-5, 1)))
    assert pixels(page(make_report, ragged)).shape[0] == HEIGHT
    assert "None of them holds" in page(make_report, dataclasses.replace(order, columns=((0, 0),)))


def test_hostile_names_are_shown_and_do_nothing(
    make_report: Callable[..., Report], report: Report, order: OrderStrip, hostile_text: str
) -> None:
    bad = dataclasses.replace(
        order, title="t" + hostile_text, classes=("c" + hostile_text, "d"), column_name="b" + hostile_text
    )
    for text in (page(make_report, bad), ANSI.sub("", in_terminal(report, bad, color=True))):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(page(make_report, bad))
    assert "script" not in tags
    assert tags.count("img") == 1


def test_json_holds_it_as_the_schema_says(make_report: Callable[..., Report], order: OrderStrip) -> None:
    import jsonschema

    report = make_report(runs=(), overview=(order,))
    text = json.dump(report)
    assert json.load(text) == report
    schema = standard_json.loads(read_schema(FILE_NAME))
    jsonschema.Draft202012Validator(schema).validate(standard_json.loads(text))


def in_terminal(report: Report, shown: OrderStrip, *, color: bool = False) -> str:
    finding = dataclasses.replace(report.runs[0].findings[0], exhibits=(shown,), locations=(), measurements=())
    runs = (dataclasses.replace(report.runs[0], findings=(finding,)),)
    return terminal.render(dataclasses.replace(report, runs=runs), color=color)


def test_the_terminal_has_a_letter_a_batch(report: Report, order: OrderStrip) -> None:
    text = in_terminal(report, order)
    assert "\n    aAABA.\n" in text
    assert "    A = cat (70.0 %), B = dog (30.0 %); capital: at least 90 % of it\n" in text
    assert text.isascii()
    colored = in_terminal(report, order, color=True)
    assert "\x1b[30;46mA" in colored
    assert "    aAABA." in ANSI.sub("", colored)


def test_sorted_labels_of_many_batches_read_in_order(report: Report) -> None:
    columns = tuple(tuple(8 * (place == index // 1000) for place in range(4)) for index in range(4000))
    shown = OrderStrip(title="Sorted", classes=("w", "x", "y", "z"), columns=columns)
    text = in_terminal(report, shown)
    (line,) = re.findall(r"^    ([A-Da-d]{20,})$", text, flags=re.MULTILINE)
    assert list(line.upper()) == sorted(line.upper())
    assert set(line.upper()) == set("ABCD")
    assert max(map(len, text.splitlines())) <= 80
