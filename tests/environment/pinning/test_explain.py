from __future__ import annotations

import datetime as dt
import platform
import sys
from collections.abc import Iterator

import pytest

from dataguard.environment.files.requirements_txt import parse_text
from dataguard.environment.index_page import PageError
from dataguard.environment.pinning.explain import resolver_reason, unobtainable, without_wheel
from dataguard.environment.pinning.index import PackageIndex
from dataguard.environment.pinning.pythons import Interpreter
from dataguard.environment.requirement import Requirement
from tests.environment.made_index import MadeIndex

PYTHON = Interpreter(path=sys.executable, version="3.11.4")
PLATFORM = {"Linux": f"manylinux_2_17_{platform.machine()}", "Darwin": f"macosx_11_0_{platform.machine()}"}.get(
    platform.system(), "win_amd64"
)


@pytest.fixture
def made() -> Iterator[MadeIndex]:
    index = MadeIndex()
    index.add("demo", "1.0", day="2019-05-01")
    index.add("demo", "2.0", day="2021-05-01")
    index.add("gone", "1.0", yanked="leaks keys")
    index.add("old", "0.4.0", tag=f"cp37-cp37m-{PLATFORM}")
    index.add("stable", "1.0", tag=f"cp38-abi3-{PLATFORM}")
    index.add("elsewhere", "1.0", tag="cp311-cp311-someos_9000")
    index.add("young", "1.0", requires_python=">=3.12")
    index.add_source("source", "1.0")
    with index.served():
        yield index


def reason(made: MadeIndex, line: str, *, before: dt.datetime | None = None, only_binary: bool = False) -> str:
    read = parse_text(f"{line}\n", path="r.txt")
    items = [entry for entry in read.entries if isinstance(entry, Requirement)]
    found = unobtainable(items, PackageIndex(made.url, before=before), PYTHON, only_binary=only_binary)
    return found[0].reason if found else ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("demo", ""),
        ("demo>=1.5,<3", ""),
        ("stable", ""),
        ("source", ""),
        ("gone==1.0", ""),
        ("nosuch", "the index has no project of that name"),
        ("cv2", "the index has no project of that name: the module cv2 is of opencv-python"),
        ("demo>=3", "no release fits >=3: there are 1.0, 2.0"),
        ("demo==2.0+cu118", "a local version (after +), which indexes do not hold: ask for the version without it"),
        ("gone", "every release that fits was withdrawn: leaks keys"),
        ("nosuch ; python_version < '3'", ""),
    ],
)
def test_why_it_cannot_be_had(made: MadeIndex, line: str, expected: str) -> None:
    assert reason(made, line) == expected


@pytest.mark.parametrize("line", ["old", "elsewhere", "young"])
def test_not_for_this_python_or_system(made: MadeIndex, line: str) -> None:
    assert "is for Python 3.11 on" in reason(made, line)
    if line == "old":
        assert reason(made, line).endswith("its wheels are for 3.7")


def test_what_must_be_built_where_that_is_refused(made: MadeIndex) -> None:
    assert reason(made, "source", only_binary=True) == "there is no wheel: 1.0 would have to be built for Python 3.11"


def test_on_a_day_before_it_was_there(made: MadeIndex) -> None:
    day = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert reason(made, "demo", before=day) == ""
    assert reason(made, "demo>=2", before=day) == "not there yet on 2020-01-01: 2.0 was uploaded on 2021-05-01"
    assert reason(made, "old", before=day) == "not there yet on 2020-01-01: 0.4.0 was uploaded on 2024-01-01"


def test_an_index_without_dates_is_said_to_have_none(made: MadeIndex) -> None:
    for record in made.files["demo"]:
        del record["upload-time"]
    assert "does not say when" in reason(made, "demo", before=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))


def test_an_index_that_does_not_answer_is_no_reason(made: MadeIndex) -> None:
    made.silent = True
    with pytest.raises(PageError):
        unobtainable(
            [Requirement(name="demo", written="demo", path="r.txt", line=1)],
            PackageIndex(made.url, timeout=0.1),
            PYTHON,
        )


PIP = """\
  ERROR: Cannot install -r wanted.in (line 1) and numpy<1.26 because these have conflicting dependencies.
Discarding https://host.example/x: whatever

The conflict is caused by:
    The user requested numpy<1.26
    pandas 3.0.0 depends on numpy>=1.26.0
    something indented that says nothing
Traceback (most recent call last):
  File "/venv/requires.py", line 3, in conflict
pip._internal.exceptions.DistributionNotFound: ResolutionImpossible: for help visit https://host.example/conflicts
"""
UV = """\
error: No solution found when resolving dependencies
  cause: Because x==1 depends on y>=2 and you require y<2, we can conclude that your requirements are unsatisfiable.
"""


def test_what_a_resolver_says_in_short() -> None:
    assert resolver_reason(PIP, ["pandas==3.0.0"]).splitlines() == [
        "Cannot install pandas==3.0.0 and numpy<1.26 because these have conflicting dependencies.",
        "The conflict is caused by:",
        "The user requested numpy<1.26",
        "pandas 3.0.0 depends on numpy>=1.26.0",
    ]
    assert resolver_reason(UV) == (
        "Because x==1 depends on y>=2 and you require y<2, we can conclude that your requirements are unsatisfiable."
    )
    assert resolver_reason("") == "the resolver says nothing"
    assert resolver_reason("a\nb\nthe disk is full\n").endswith("the disk is full")


def test_what_stands_against_what_is_read_from_the_exception() -> None:
    text = (
        "x.ResolutionImpossible: [RequirementInformation(requirement=SpecifierRequirement('numpy<1.26'), parent=None), "
        "RequirementInformation(requirement=SpecifierRequirement('numpy>=1.26; python_version > \"3\"'), "
        "parent=LinkCandidate('https://host.example/a/pandas-3.0.0-cp311-cp311-x.whl#sha256=00 (from x)'))]"
    )
    assert resolver_reason(text).splitlines()[-2:] == [
        "The user requested numpy<1.26",
        "pandas 3.0.0 depends on numpy>=1.26",
    ]


def test_a_missing_wheel_is_told_from_other_failures(made: MadeIndex) -> None:
    index = PackageIndex(made.url)
    assert without_wheel("ERROR: No matching distribution found for source==1.0", index) == "source==1.0"
    assert without_wheel("ERROR: No matching distribution found for demo==9", index) == ""
    assert without_wheel(PIP, index) == ""
