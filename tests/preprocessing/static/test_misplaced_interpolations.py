"""Interpolations of OpenCV that are passed as another argument, and are not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import RepositoryReading
from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import reading, steps_of

FEED = "model(torch.from_numpy(x).permute(2, 0, 1)[None].float())\n"
HEAD = "import cv2, torch\nimport numpy as np\nx = cv2.imread(p)\n"


def read(folder: Path, code: str, feed: str = FEED) -> RepositoryReading:
    return reading(folder, {"predict.py": f"{HEAD}{code}\n{feed}"})


def misplaced(found: RepositoryReading) -> list[tuple[int, object, object]]:
    """Line, what was meant, and what it is passed as."""
    kept = [one for one in found.facts if one.kind == "misplaced-interpolation"]
    return [(one.line, one.detail["meant"], one.detail["parameter"]) for one in kept]


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        ("cv2.resize(x, (64, 48), cv2.INTER_AREA)", [(4, "INTER_AREA", "dst")]),
        ("cv2.resize(x, (64, 48), None, cv2.INTER_CUBIC)", [(4, "INTER_CUBIC", "fx")]),
        ("cv2.resize(x, (64, 48), 0, 0, cv2.INTER_NEAREST)", [(4, "INTER_NEAREST", "fy")]),
        ("cv2.resize(x, (0, 0), cv2.INTER_AREA, fx=0.3, fy=0.3)", [(4, "INTER_AREA", "dst")]),
        ("cv2.warpAffine(x, m, (64, 48), cv2.INTER_CUBIC)", [(4, "INTER_CUBIC", "dst")]),
        ("cv2.warpPerspective(x, m, (64, 48), cv2.INTER_NEAREST)", [(4, "INTER_NEAREST", "dst")]),
        ("cv2.resize(x, (64, 48), cv2.INTER_LINEAR)", []),
        ("cv2.resize(x, (64, 48), interpolation=cv2.INTER_AREA)", []),
        ("cv2.resize(x, (64, 48), cv2.INTER_AREA, interpolation=cv2.INTER_AREA)", []),
        ("cv2.resize(x, (64, 48), 0, 0, 0, cv2.INTER_AREA)", []),
        ("cv2.resize(x, (64, 48), np.zeros((48, 64, 3), np.uint8))", []),
        ("cv2.resize(x, (64, 48), whatever)", []),
        ("cv2.resize(x, None, None, cv2.INTER_CUBIC, 3)", []),
        ("cv2.warpAffine(x, m, (64, 48), cv2.INTER_AREA)", []),
        ("cv2.warpAffine(x, m, (64, 48), cv2.INTER_CUBIC, cv2.INTER_CUBIC)", []),
        ("cv2.warpAffine(x, m, (64, 48), flags=cv2.INTER_CUBIC)", []),
        ("cv2.remap(x, a, b, cv2.INTER_CUBIC)", []),
    ],
)
def test_only_an_interpolation_that_is_not_used_and_would_matter(
    tmp_path: Path, call: str, facts: list[tuple[int, str, str]]
) -> None:
    assert misplaced(read(tmp_path, f"x = {call}")) == facts


def test_the_path_is_resized_bilinearly_where_the_fact_is(tmp_path: Path) -> None:
    found = read(tmp_path, "x = cv2.resize(x, (64, 48), cv2.INTER_AREA)")
    (fact,), (path,) = found.facts, found.paths
    assert "cv2.resize takes INTER_AREA for dst, not for interpolation" in fact.message
    (step,) = steps_of(path)
    assert isinstance(step, Resize)
    assert (step.kernel, step.provenance[""].line) == ("linear", 4)


def test_one_of_two_interpolations_is_told_by_both_names(tmp_path: Path) -> None:
    found = read(tmp_path, "x = cv2.resize(x, (64, 48), cv2.INTER_AREA if smooth else cv2.INTER_LINEAR)")
    assert misplaced(found) == [(4, "", "dst")]
    assert "takes INTER_AREA or INTER_LINEAR for dst" in found.facts[0].message


def test_a_function_that_several_call_is_one_place_whoever_names_another_interpolation(tmp_path: Path) -> None:
    code = (
        "def small(x, kernel):\n    return cv2.resize(x, (64, 48), kernel)\n"
        f"y = small(cv2.imread(p), cv2.INTER_LINEAR)\n{FEED.replace('(x)', '(y)')}x = small(x, cv2.INTER_AREA)"
    )
    assert misplaced(read(tmp_path / "a", code)) == [(5, "INTER_AREA", "dst")]
    harmless = code.replace("INTER_AREA", "INTER_LINEAR")
    assert misplaced(read(tmp_path / "b", harmless)) == []


def test_a_picture_that_is_only_shown_is_none(tmp_path: Path) -> None:
    shown = "y = cv2.resize(x, (640, 480), cv2.INTER_AREA)\ncv2.imshow('frame', y)"
    found = read(tmp_path, shown)
    assert found.paths
    assert misplaced(found) == []


def test_a_line_of_a_call_over_several_lines_is_its_first(tmp_path: Path) -> None:
    found = read(tmp_path, "x = cv2.resize(\n    x,\n    (64, 48),\n    cv2.INTER_AREA,\n)")
    assert misplaced(found) == [(4, "INTER_AREA", "dst")]
