from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dataguard.core.exhibit import HeatMap
from dataguard.core.finding import Location, Severity
from dataguard.core.report import Report, Status
from dataguard.formats import terminal

ANSI = re.compile(r"\x1b\[[0-9;]*m")

PLAIN = """\
/data/digits
  dataset    folder, version 3f2a9c1e77b0
  samples    1,797 in 3 classes
  splits     train 1,257, test 540
  size       812 kB
  formats    png 1,796, jpeg 1
  dataguard  0.1.0, 2026-11-21 08:00 UTC

ERROR  DG101 label-noise  (medium confidence)
  An estimated 3.9 % of the labels are wrong: 30 of 60 samples are suspicious.

    noise rate          3.9 %  threshold 3 %, interval 3.1 % to 4.8 % (95 %),
                               n=60
    suspicious samples     30  p=1.2e-09

    - train/0/00.png: wrong?
    - train/1/01.png: wrong?
    - train/2/02.png: wrong?
    - train/0/03.png: wrong?
    - train/1/04.png: wrong?
    and 25 more (the HTML report shows more)

  fix  Look at the samples, worst first, and correct the labels that are wrong.

WARNING  DG102 class-imbalance  (high confidence)
  Class '2' of train has 12 samples, 0.09 of the largest class.

    smallest to largest class  0.0916  threshold 0.1

    - split train, class 2

  fix  Collect more samples of '2'.

PASSED  1 rule
  DG104  too-few-samples-per-class: The smallest class has 24 samples.

NOT DECIDED  neither passed nor failed
  could not run  DG901  unused-ignore: division by zero; hint: report it
  inconclusive   DG302  near-duplicate-across-splits: hashes collide by chance
  skipped        DG802  schema-violation: no schema is configured
  ignored        DG803  odd-size: 8 x 8 is what the scanner delivers
  in part        DG102  class-imbalance: hashes collide by chance

result  1 error and 1 warning
rules   3 of 7 rules came to a conclusion; 1 could not run, 1 inconclusive, 1
        skipped and 1 ignored
time    4.2 s
exit    2, 1 rule could not run
report  out/report.html
"""


def test_plain_text_is_exactly_this(report: Report) -> None:
    assert terminal.render(report, written=[Path("out/report.html")]) == PLAIN


def test_color_changes_nothing_but_the_color(report: Report) -> None:
    colored = terminal.render(report, color=True, written=[Path("out/report.html")])
    assert "\x1b[1;31mERROR\x1b[0m" in colored
    bare = "".join(line.rstrip() + "\n" for line in ANSI.sub("", colored).splitlines())
    assert bare == PLAIN


@pytest.mark.parametrize("width", [1, 40, 80, 200])
def test_lines_are_no_wider_than_the_terminal(report: Report, hostile: Report, width: int) -> None:
    from rich.cells import cell_len

    for shown in (report, hostile):
        text = terminal.render(shown, width=width)
        assert max(cell_len(line) for line in text.splitlines()) <= max(width, 20)


def test_wide_characters_count_two_columns(make_report: Callable[..., Report]) -> None:
    from rich.cells import cell_len

    finding = dataclasses.replace(next(make_report().findings), message="猫と犬の写真" * 30)
    run = dataclasses.replace(make_report().runs[0], findings=(finding,))
    text = terminal.render(make_report(runs=(run,)), width=60)
    assert max(cell_len(line) for line in text.splitlines()) <= 60
    assert "猫と犬" in text


@pytest.mark.parametrize("verbose", [False, True])
def test_hostile_text_is_shown_and_does_nothing(hostile: Report, verbose: bool) -> None:
    plain = terminal.render(hostile, verbose=verbose)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", plain)
    assert "[bold red]x[/] :skull:" in terminal.render(hostile, width=1000)
    assert r"\x1b[2J" in terminal.render(hostile, width=1000)
    colored = terminal.render(hostile, color=True, verbose=verbose)
    assert "\x1b" not in ANSI.sub("", colored)
    assert set(re.findall(r"\x1b\[([0-9;]*)m", colored)) <= {"0", "1", "2", "33", "1;31", "1;32", "1;33", "1;34"}


def test_text_of_dataguard_itself_is_ascii(report: Report) -> None:
    assert terminal.render(report, verbose=True).isascii()


def test_a_rule_that_did_not_decide_is_not_among_those_that_passed(report: Report) -> None:
    text = terminal.render(report)
    passed = text[text.index("PASSED") : text.index("NOT DECIDED")]
    undecided = text[text.index("NOT DECIDED") :]
    for run in report.runs:
        assert (run.code in passed) == (run.status is Status.PASSED)
        if run.status not in (Status.PASSED, Status.FOUND):
            assert run.code in undecided
            assert run.reason.splitlines()[0] in undecided
    # Decided in part: the rest is named too.
    assert re.search(r"in part +DG102", undecided)


def test_few_places_are_shown_and_the_others_counted(report: Report) -> None:
    text = terminal.render(report)
    assert text.count("- train/") == terminal.FEW_PLACES
    assert "and 25 more (the JSON report has them all)" in text
    assert "and 25 more (the HTML report shows more)" in terminal.render(report, written=["a.html"])
    assert terminal.render(report, verbose=True).count("- train/") == 30


def test_a_place_is_named_by_what_is_known_of_it(make_report: Callable[..., Report]) -> None:
    places = (
        Location(path="a.csv", line=7, column="age", note="null"),
        Location(line=1200),
        Location(sample_id="s1", split="", label="cat", related=("s2", "s3")),
        Location(path="train/cat/1.png", sample_id="one", split="train", label="cat"),
    )
    finding = dataclasses.replace(next(make_report().findings), locations=places)
    text = terminal.render(make_report(runs=(dataclasses.replace(make_report().runs[0], findings=(finding,)),)))
    for line in (
        "- a.csv:7, column age: null",
        "- line 1,200",
        "- s1, split (none), class cat, with s2, s3",
        "- train/cat/1.png, one",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("statuses", "fail_on", "strict", "said"),
    [
        ({Status.FOUND}, Severity.ERROR, False, "1, 1 finding at or above 'error'"),
        ({Status.FOUND}, Severity.INFO, False, "1, 2 findings at or above 'info'"),
        ({Status.PASSED}, Severity.ERROR, False, "0, nothing was found"),
        ({Status.PASSED, Status.SKIPPED}, Severity.ERROR, True, "2, a rule was skipped or inconclusive"),
        ({Status.SKIPPED}, Severity.ERROR, False, "3, no rule came to a conclusion"),
        ({Status.PASSED, Status.CRASHED}, Severity.ERROR, False, "2, 1 rule could not run"),
    ],
)
def test_the_exit_code_is_explained(
    report: Report, statuses: set[Status], fail_on: Severity, strict: bool, said: str
) -> None:
    shown = dataclasses.replace(report, runs=tuple(run for run in report.runs if run.status in statuses))
    text = terminal.render(shown, fail_on=fail_on, strict=strict, width=200)
    assert re.search(rf"^exit +{re.escape(said)}", text, re.MULTILINE)


def test_an_interrupted_run_says_so_at_the_top(make_report: Callable[..., Report]) -> None:
    text = terminal.render(make_report(partial=True))
    assert "INTERRUPTED" in text[: text.index("DG101")]
    assert "2, the run was interrupted" in terminal.render(make_report(partial=True, runs=()))


def test_verbose_shows_options_and_figures_of_what_passed(report: Report) -> None:
    text = terminal.render(report, verbose=True)
    assert "options: min_samples = 20" in text
    assert re.search(r"DG101 +label-noise: The probabilities are right for 96.2 %", text[text.index("ALSO MEASURED") :])
    assert "options: threshold = 0.03, models = linear, forest" in " ".join(text.split())
    assert re.search(r"smallest class +24 +threshold 20", text)


def with_map(report: Report, shown: HeatMap) -> Report:
    finding = dataclasses.replace(report.runs[0].findings[0], exhibits=(shown,), locations=(), measurements=())
    return dataclasses.replace(report, runs=(dataclasses.replace(report.runs[0], findings=(finding,)),))


MAP = """\
    Which classes are labelled as which (true class -> given label)
    cat -> dog  3.1 %  of true class cat, about 19
    eel -> dog  2.0 %  of true class eel, about 13
    cat -> eel  0.9 %  of true class cat, about 5

    true class  a  b  c   given label
    a cat       \\  ## **
    b dog          \\
    c eel          ## \\
    .. to 0.2 %, :: to 0.8 %, ** to 1.7 %, ## to 3.1 %
"""


def test_a_heat_map_is_its_largest_cells_and_a_small_map(report: Report, confused: HeatMap) -> None:
    text = terminal.render(with_map(report, confused))
    assert MAP in text
    assert text.isascii()
    colored = ANSI.sub("", terminal.render(with_map(report, confused), color=True))
    assert "cat → dog" in colored
    assert "██" in colored


def test_a_map_of_many_classes_is_its_largest_cells_alone(report: Report, confused: HeatMap) -> None:
    names = tuple(f"class {index}" for index in range(60))
    values = tuple(tuple(0.5 if (row, column) == (40, 50) else 0.0 for column in range(60)) for row in range(60))
    wide = dataclasses.replace(confused, rows=names, columns=names, values=values, row_totals=())
    text = terminal.render(with_map(report, wide))
    assert "    class 40 -> class 50  50.0 %  of true class class 40\n" in text
    assert "##" not in text
    nothing = dataclasses.replace(wide, values=tuple((0.0,) * 60 for _ in range(60)))
    assert "->" not in terminal.render(with_map(report, nothing))


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [20, 80])
def test_maps_bear_hostile_and_odd_numbers(
    report: Report, confused: HeatMap, hostile_text: str, color: bool, width: int
) -> None:
    odd = HeatMap(
        title="Odd" + hostile_text,
        rows=("a" + hostile_text, "b", ""),
        columns=("x", "y" + hostile_text, "c"),
        values=((float("nan"), float("inf"), 1), (-1.0, 0.5)),
        row_axis="r",
        column_axis="c",
        unit="samples",
    )
    text = ANSI.sub("", terminal.render(with_map(report, odd), width=width, color=color))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)
    assert "y" in text


def test_a_calibration_plot_is_a_line_and_in_detail_a_table(report: Report) -> None:
    said = "Expected calibration error 2.97 %"
    assert said not in terminal.render(report)
    text = terminal.render(report, verbose=True)
    assert said in text
    assert re.search(r"98\.1 % +95\.2 % +1,677 +94\.0 % to 96\.0 %", text)
    assert max(map(len, text.splitlines())) <= 80


def test_an_export_is_named_at_the_end(report: Report) -> None:
    text = terminal.render(report, exported=["/out/s.csv: 12 rows"])
    assert text.endswith("export  /out/s.csv: 12 rows\n")
