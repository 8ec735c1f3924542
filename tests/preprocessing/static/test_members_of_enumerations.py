"""Members of enumerations, asked for by their names and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

SCRIPT = """
    import enum
    import cv2

    class Method({base}):
        SMALL = {first}
        LARGE = {second}

    def prepared(mode):
        if mode == Method.SMALL{asked}:
            return cv2.imread("a.png") / 255.0
        elif mode == Method.LARGE{asked}:
            return cv2.imread("a.png") / 127.5 - 1
        else:
            raise ValueError

    model(prepared({mode}))
    """


@pytest.mark.parametrize(
    ("base", "first", "second", "asked", "mode"),
    [
        ("enum.Enum", "enum.auto()", "enum.auto()", ".name", "'LARGE'"),
        ("enum.Enum", "'small'", "'large'", ".value", "'large'"),
        ("enum.IntEnum", "1", "2", ".value", "2"),
        ("enum.Enum", "enum.auto()", "enum.auto()", ".name", "Method.LARGE.name"),
        ("enum.Enum", "'small'", "'large'", "", "Method('large')"),
        ("enum.StrEnum", "'small'", "'large'", "", "Method('large')"),
        ("enum.IntFlag", "1", "2", "", "Method(2)"),
    ],
)
def test_a_member_by_its_name(tmp_path: Path, base: str, first: str, second: str, asked: str, mode: str) -> None:
    script = SCRIPT.format(base=base, first=first, second=second, asked=asked, mode=mode)
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.affine.offset == (-1.0,)


@pytest.mark.parametrize(
    "made",
    [
        "enum.IntEnum('Method', ('SMALL', 'LARGE'))",
        "enum.Enum('Method', 'SMALL LARGE')",
        "enum.Enum('Method', [('SMALL', 1), ('LARGE', 2)])",
        "enum.IntEnum('Method', {'SMALL': 1, 'LARGE': 2})",
    ],
)
def test_members_of_an_enumeration_that_a_call_makes(tmp_path: Path, made: str) -> None:
    before, _, after = SCRIPT.partition("class Method({base}):")
    after = after.partition("def prepared")[2].format(asked="", mode="Method.LARGE")
    script = f"{before}Method = {made}\n\n    def prepared{after}"
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.affine.offset == (-1.0,)
