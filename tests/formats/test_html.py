from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dataguard.core.exhibit import Gallery, HeatMap, Histogram, Listing, Picture, Reliability, Series
from dataguard.core.finding import Measurement, Observation
from dataguard.core.report import Report, Status
from dataguard.formats import html, json, terminal

VOID = {"meta", "link", "img", "br", "hr", "input"}
INTERACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "base",
    "video",
    "audio",
    "foreignObject",
}


class Page(HTMLParser):
    """What a test asks of a page; fails where the tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for tag, text in self.texts if tag != "style").split())


def assert_sound(text: str) -> Page:
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>\n")
    assert not INTERACTIVE & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset", "srcdoc")]
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/", "data:,"))
    ids = [value for _, attributes in page.tags if (value := attributes.get("id")) is not None]
    assert len(ids) == len(set(ids))
    for attributes in page.named("a"):
        assert (attributes["href"] or "")[1:] in ids
    assert all(attributes.get("alt") for attributes in page.named("img"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("caption")) == len(page.named("table"))
    assert all(attributes.get("scope") in ("row", "col") for attributes in page.named("th"))
    # By keyboard: what scrolls by itself is reached and named, in the order of the page; what unfolds says what it is.
    for attributes in page.named("div"):
        if "scroll" in (attributes.get("class") or "").split():
            assert (attributes.get("role"), attributes.get("tabindex")) == ("region", "0")
            assert attributes.get("aria-label")
    assert {attributes["tabindex"] for _, attributes in page.tags if "tabindex" in attributes} <= {"0"}
    assert len(page.named("summary")) == len(page.named("details"))
    # A drawing has a name, or is hidden from who does not see it: the text says the same.
    drawings = page.named("svg")
    named = [attributes for attributes in drawings if attributes.get("role") == "img"]
    assert all(attributes.get("aria-hidden") == "true" for attributes in drawings if attributes not in named)
    assert len(re.findall(r"<svg [^>]*role=\"img\"[^>]*><title>[^<]", text)) == len(named)
    assert text.encode("utf-8").decode("utf-8") == text
    return page


def test_the_page_is_sound(report: Report, pictured: Report) -> None:
    assert_sound(html.render(report))
    assert_sound(html.render(pictured))


def test_hostile_text_is_shown_and_does_nothing(hostile: Report) -> None:
    text = html.render(hostile)
    page = assert_sound(text)
    assert "</style></script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>" in page.text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)
    assert len(page.named("style")) == 1


def test_the_policy_allows_this_style_sheet_and_pictures_and_nothing_else(report: Report) -> None:
    page = Page(html.render(report))
    (css,) = [text for tag, text in page.texts if tag == "style"]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    (policy,) = [a["content"] for a in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in css
    assert "@import" not in css


def test_every_format_has_every_finding_and_every_reason(report: Report) -> None:
    rendered = (
        Page(html.render(report)).text,
        json.dump(report).replace("\\n", "\n"),
        " ".join(terminal.render(report, width=1000).split()),
    )
    for text in rendered:
        for finding in report.findings:
            assert finding.code in text
            assert finding.message in text
            assert finding.remedy in text
        for run in report.runs:
            assert run.name in text
            assert run.reason.splitlines()[:1] == [] or run.reason.splitlines()[0] in text


@pytest.mark.parametrize(
    ("statuses", "partial", "verdict"),
    [
        (set(Status), False, "1 error and 1 warning in digits"),
        ({Status.FOUND}, True, "The check of digits was interrupted: 1 error and 1 warning so far"),
        ({Status.PASSED}, False, "No defect was found in digits"),
        ({Status.PASSED, Status.CRASHED}, False, "No defect was found in digits, but 1 rule could not run"),
        ({Status.SKIPPED, Status.IGNORED}, False, "Nothing was checked in digits"),
        (set(), False, "Nothing was checked in digits"),
    ],
)
def test_the_verdict_is_the_heading(
    make_report: Callable[..., Report], statuses: set[Status], partial: bool, verdict: str
) -> None:
    runs = tuple(run for run in make_report().runs if run.status in statuses)
    page = assert_sound(html.render(make_report(runs=runs, partial=partial)))
    assert "".join(text for tag, text in page.texts if tag == "h1").strip() == verdict
    assert next(text for tag, text in page.texts if tag == "title") == f"{verdict} - dataguard"


def test_what_did_not_decide_does_not_look_like_a_pass(report: Report) -> None:
    page = Page(html.render(report))
    chips = {a["title"]: a["class"] for a in page.named("a") if "chip" in (a.get("class") or "")}
    assert chips == {
        "label-noise: 1 finding": "chip tone-error",
        "class-imbalance: 1 finding": "chip tone-warning",
        "too-few-samples-per-class: passed": "chip tone-passed",
        "near-duplicate-across-splits: inconclusive": "chip tone-undecided",
        "schema-violation: skipped": "chip tone-undecided",
        "odd-size: ignored": "chip tone-undecided",
        "unused-ignore: could not run": "chip tone-crashed",
    }


def test_figures_options_and_settings_are_all_there(report: Report) -> None:
    text = Page(html.render(report)).text
    for figure in ("3.9 %", "3.1 % to 4.8 %", "95 %", "1.2e-09", "0.0916", "96.2 %", "0.041", "min-samples", "20"):
        assert figure in text
    for setting in ("dataset.path", "digits", "fail_on", "python", "3.11.2", "3f2a9c1e77b0d4c8", "linear, forest"):
        assert setting in text


def test_what_an_undecided_rule_measured_is_shown(make_report: Callable[..., Report]) -> None:
    run = make_report().runs[3]
    seen = Observation(message="Seen in 7 of 9 pairs.", measurements=(Measurement(name="pairs", value=9),))
    page = assert_sound(
        html.render(make_report(runs=(dataclasses.replace(run, observations=(seen,), options={"depth": 3}),)))
    )
    undecided = page.text[page.text.index("Not decided") :]
    for said in ("inconclusive DG302", "collisions 0.041", "Seen in 7 of 9 pairs.", "pairs 9", "depth 3"):
        assert said in undecided


# --- pictures


def test_pictures_are_inside_and_tiny_ones_stay_crisp(pictured: Report) -> None:
    page = Page(html.render(pictured))
    images = page.named("img")
    # 30 in the gallery and 2 in the pair; 01 and 02 cannot be shown.
    assert len(images) == 29
    assert {image["class"] for image in images} == {"pixelated"}
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in images)
    assert images[0]["alt"] == "sample train/0/00.png, given label 0, suggested label 1"
    assert images[0]["title"] == "8 × 8 pixels"
    assert "the file is not there any more" in page.text
    assert "not an image that can be decoded" in page.text


def test_the_budget_keeps_the_worst_and_says_what_is_left_out(pictured: Report) -> None:
    whole = html.render(pictured)
    text = html.render(pictured, picture_budget=1000)
    page = assert_sound(text)
    n_shown = len(page.named("img"))
    assert 0 < n_shown < 10
    assert sum(len(image["src"] or "") for image in page.named("img")) <= 1000
    assert f"{32 - n_shown - 2} pictures left out" in page.text
    assert page.named("img")[0]["alt"] == Page(whole).named("img")[0]["alt"]
    assert "left out" not in Page(whole).text
    assert not assert_sound(html.render(pictured, picture_budget=0)).named("img")


def with_overview(make_report: Callable[..., Report], *exhibits: object) -> str:
    text = html.render(make_report(overview=exhibits))
    assert_sound(text)
    return text


def test_samples_without_pictures_are_a_table(make_report: Callable[..., Report]) -> None:
    pictures = tuple(Picture(sample_id=f"row {n}", given="a", suggested="b", score=0.25) for n in range(30))
    text = Page(with_overview(make_report, Gallery(title="Rows", pictures=pictures, total=90))).text
    assert "The first 30 of 90 samples." in text
    assert "sample given suggested score row 0 a b 0.25" in text
    assert "no picture" not in text[text.index("Rows") : text.index("Not decided")]


@pytest.mark.parametrize(
    ("score", "text"), [(0.0, "0.000"), (0.0001, "< 0.001"), (0.12345, "0.123"), (float("nan"), "not a number")]
)
def test_scores_have_the_same_decimals(make_report: Callable[..., Report], score: float, text: str) -> None:
    picture = Picture(sample_id="a", path="a.png", given="x", suggested="y", score=score)
    shown = Page(with_overview(make_report, Gallery(title="G", pictures=(picture,), total=1))).text
    assert f"score {text}" in shown


def histogram(n: int) -> Histogram:
    values = tuple(float(1000 - index % 997) for index in range(n))
    names = tuple(f"class {index}" for index in range(n))
    series = (Series(name="train", values=values), Series(name="test", values=(*values[:-1], 0.0)))
    return Histogram(title="Samples per class", categories=names, series=series)


@pytest.mark.parametrize("n", [0, 1, 2, 10, 40])
def test_a_histogram_of_few_classes_has_a_row_for_each(make_report: Callable[..., Report], n: int) -> None:
    text = with_overview(make_report, histogram(n))
    page = Page(text)
    for index in range(n):
        assert f"class {index} {1000 - index:,}" in page.text
    assert len([a for a in page.named("svg") if a.get("class") == "bar-box"]) >= 2 * n


@pytest.mark.parametrize("n", [41, 100, 1000, 5000])
def test_a_histogram_of_many_classes_is_a_profile(make_report: Callable[..., Report], n: int) -> None:
    text = with_overview(make_report, histogram(n))
    page = Page(text)
    assert len([a for a in page.named("svg") if a.get("class") == "profile"]) == 2
    assert f"{n:,} classes, each column from its largest to its smallest" in page.text
    assert "smallest 0 , 1 with none" in page.text
    assert len(text) < 500_000
    assert f"class {n - 1}" in page.text or "more are in the JSON report" in page.text


def test_histograms_bear_numbers_that_are_none(make_report: Callable[..., Report]) -> None:
    for n in (3, 60):
        values = (float("nan"), float("inf"), *([0.0] * (n - 2)))
        odd = Histogram(
            title="Odd", categories=tuple(map(str, range(n))), series=(Series(name="s", values=values),), unit="x"
        )
        with_overview(make_report, odd, dataclasses.replace(odd, series=()))


def test_long_tables_unfold_and_say_what_is_left_out(make_report: Callable[..., Report]) -> None:
    rows = tuple((f"file {n}", n) for n in range(700))
    text = Page(with_overview(make_report, Listing(title="Files", columns=("file", "n"), rows=rows, total=900))).text
    assert "The first 700 of 900 rows." in text
    assert "480 more rows" in text
    assert "400 more rows are in the JSON report." in text
    assert "file 499" in text
    assert "file 500" not in text


# --- heat maps and calibration plots


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


# --- the look


def variables(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css))


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2.2 defines it."""

    def luminance(color: str) -> float:
        channels = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(report: Report, scheme: str) -> None:
    (css,) = [text for tag, text in Page(html.render(report)).texts if tag == "style"]
    light, _, dark = css.partition("@media (prefers-color-scheme: dark)")
    colors = variables(light)
    if scheme == "dark":
        changed = variables(dark[: dark.index("\n}")])
        assert set(changed) == set(colors)
        colors = changed
    for ground in ("ground", "paper"):
        for ink in ("ink", "muted", "link", "error", "warning", "info", "passed", "undecided"):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    for tone in ("error", "warning", "info", "passed", "undecided"):
        assert contrast(colors[tone], colors[f"{tone}-ground"]) >= 4.5, tone
        assert contrast(colors["cut"], colors[tone]) >= 3, tone
    assert contrast(colors["muted"], colors["faint"]) >= 4.5
    assert contrast(colors["bar"], colors["track"]) >= 3
    # Numbers stand on every strength of a heat map's colour, the full one included.
    assert contrast(colors["ink"], colors["heat"]) >= 4.5
    assert contrast(colors["heat"], colors["paper"]) >= 2.5


CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_shows_pictures_and_style_without_complaint(
    make_report: Callable[..., Report], tmp_path: Path
) -> None:
    from PIL import Image

    assert CHROMIUM is not None
    Image.new("RGB", (8, 8), (255, 0, 255)).save(tmp_path / "magenta.png")
    Image.new("RGB", (400, 300), (0, 255, 255)).save(tmp_path / "cyan.jpg", quality=95)
    pictures = tuple(Picture(sample_id=name, path=name) for name in ("magenta.png", "cyan.jpg"))
    gallery = Gallery(title="Pictures", pictures=pictures, total=2)
    page = tmp_path / "report.html"
    page.write_text(html.render(make_report(str(tmp_path), runs=(), overview=(gallery,))), encoding="utf-8")
    shot = tmp_path / "shot.png"
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --hide-scrollbars --blink-settings=preferredColorScheme=1"
    )
    done = subprocess.run(
        [
            CHROMIUM,
            *quiet.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1200,1600",
            "--enable-logging=stderr",
            f"--screenshot={shot}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    # A blocked or failing request, and a style sheet that the policy refuses, are told on the console.
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    for color in ((255, 0, 255), (0, 255, 255)):
        assert (np.abs(pixels - color).max(axis=1) < 12).sum() > 90 * 60
    # The ground that the style sheet gives the page.
    assert (pixels == (0xF6, 0xF6, 0xF3)).all(axis=1).sum() > pixels.shape[0] / 4
