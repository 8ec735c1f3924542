"""``match`` and its cases, as the branches that they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, served

_CASES = """
    import enum

    class Mode(enum.Enum):
        FIRST = 1
        SECOND = 2

    def chosen():
        return {mode}

    def prepared(image, mode, wide):
        match {subject}:
            case {first}:
                image = image / 255.0
            case other:
                image = image / {rest}
        return image

    model(prepared(cv2.imread(path), {mode}, {wide})[None])
    """


@pytest.mark.parametrize(
    ("mode", "subject", "first", "known"),
    [
        ("'a'", "mode", "'a'", True),
        ("'a'", "mode", "'b' | 'a'", True),
        ("None", "mode", "None", True),
        ("None", "mode", "None | 'a'", True),
        ("'a'", "mode", "('b' | 'a') as other", True),
        ("Mode.FIRST", "mode", "Mode.FIRST", True),
        ("'a'", "chosen()", "'a'", True),
        ("'a'", "mode", "'a' if wide", True),
        ("'a'", "mode", "'a' if not wide", False),
        ("'a'", "mode", "'b' | 'c'", False),
    ],
)
def test_the_case_that_fits(tmp_path: Path, mode: str, subject: str, first: str, known: bool) -> None:
    script = _CASES.format(mode=mode, subject=subject, first=first, wide="True", rest="2.0")
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255 if known else 0.5, 0.0))


@pytest.mark.parametrize("first", ["'a'", "['a', *_]", "{'a': 1}", "str()"])
def test_a_case_of_which_it_is_not_known_whether_it_fits(tmp_path: Path, first: str) -> None:
    script = _CASES.format(mode="read_mode()", subject="mode", first=first, wide="True", rest="2.0")
    assert served(tmp_path, script).pipeline.affine.scale is None


def test_cases_of_which_the_last_gives_up(tmp_path: Path) -> None:
    script = """
        def prepared(image, mode):
            match mode:
                case "a" | "b":
                    return image / 255.0
                case _:
                    raise ValueError(mode)

        model(prepared(cv2.imread(path), read_mode())[None])
        """
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255, 0.0))


def test_a_name_for_what_fits(tmp_path: Path) -> None:
    script = """
        match [255.0, 2.0][0]:
            case 3.0:
                scale = 1.0
            case found:
                scale = found

        model(cv2.imread(path)[None] / scale)
        """
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255, 0.0))
