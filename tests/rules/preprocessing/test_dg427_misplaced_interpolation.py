from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Severity
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.static.reading import CodeFact, FoundPath
from dataguard.preprocessing.steps import Resize
from dataguard.rules.preprocessing.dg427_misplaced_interpolation import misplaced_interpolation
from tests.rules.preprocessing.paths import findings, silent
from tests.rules.preprocessing.readings import fact, found, reading

HERE = {"": Provenance(origin=Origin.EXPLICIT, path="serve.py", line=7)}


def misplaced(meant: str = "INTER_AREA", **changes: Any) -> CodeFact:
    said = f"cv2.resize takes {meant or 'one of two'} for dst, not for interpolation, and so interpolates bilinearly"
    return fact("misplaced-interpolation", message=said, meant=meant, parameter="dst", **changes)


def through(**changes: Any) -> FoundPath:
    """A path that resizes bilinearly where the fact is."""
    size: dict[str, Any] = {"rule": "exact", "height": 64, "width": 64} | changes
    step = Resize(kernel="linear", engine="opencv", antialias="none", provenance=HERE, **size)
    return found("serve", "serve.py:7", pipeline=Pipeline(geometry=(step,)))


def levels(meant: str) -> float:
    (finding,) = findings(misplaced_interpolation(reading(misplaced(meant), paths=(through(),))))
    return float(finding.measurements[0].value)


def test_fires_as_a_warning_with_what_is_meant_against_what_is_done() -> None:
    (finding,) = findings(misplaced_interpolation(reading(misplaced(), paths=(through(),))))
    assert finding.severity is Severity.WARNING
    assert [(one.path, one.line) for one in finding.locations] == [("serve.py", 7)]
    assert finding.message.startswith("serve.py:7: cv2.resize takes INTER_AREA for dst, not for interpolation, and so ")
    assert "by itself" in finding.message
    assert "levels on average" in finding.message


def test_fires_with_the_pixels_of_the_interpolation_that_was_meant() -> None:
    cv2, np = pytest.importorskip("cv2"), pytest.importorskip("numpy")
    area, nearest, cubic = levels("INTER_AREA"), levels("INTER_NEAREST"), levels("INTER_CUBIC")
    assert min(area, nearest, cubic) > 1
    picture = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    bilinear = cv2.resize(picture, (60, 40))
    for interpolation in (cv2.INTER_AREA, cv2.INTER_NEAREST, cv2.INTER_CUBIC):
        early = cv2.resize(picture, (60, 40), interpolation), cv2.resize(picture, (60, 40), 0, 0, interpolation)
        assert all(np.array_equal(one, bilinear) for one in early)
        assert not np.array_equal(cv2.resize(picture, (60, 40), interpolation=interpolation), bilinear)


def test_fires_once_a_file_for_several_places() -> None:
    (finding,) = findings(misplaced_interpolation(reading(misplaced(), misplaced(line=19))))
    assert [one.line for one in finding.locations] == [7, 19]


def test_silent_where_there_is_none() -> None:
    assert silent(misplaced_interpolation(reading()))


@pytest.mark.parametrize(
    ("meant", "paths"),
    [
        ("INTER_AREA", ()),
        ("", (through(),)),
        ("INTER_AREA", (through(rule=None, height=None, width=None, undetermined={"rule": "it is computed"}),)),
    ],
)
def test_edge_without_the_resize_or_one_interpolation_there_are_no_figures(
    meant: str, paths: tuple[FoundPath, ...]
) -> None:
    (finding,) = findings(misplaced_interpolation(reading(misplaced(meant), paths=paths)))
    assert finding.measurements == ()


def test_edge_training_that_does_the_same_is_named() -> None:
    trained = found("train", "train.py:3")
    learnt = reading(misplaced(), misplaced(file="train.py", line=3), paths=(through(), trained))
    assert all("training does the same" in one.message for one in findings(misplaced_interpolation(learnt)))
    otherwise = reading(misplaced(), paths=(through(), trained))
    assert not any("training" in one.message for one in findings(misplaced_interpolation(otherwise)))
