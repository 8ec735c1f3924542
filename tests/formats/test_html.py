from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataguard.core.exhibit import Gallery, Histogram, Listing, Picture, Series
from dataguard.core.finding import Measurement, Observation
from dataguard.core.report import Report, Status
from dataguard.formats import html, json, terminal
from tests.formats.html_page import Page, assert_sound


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
