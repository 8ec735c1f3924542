from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.text import printable


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_is_left_that_acts(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    shown.encode("utf-8")


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_printable_stays(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert not text.isprintable() or printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 猫 👩‍👩‍👧 می‌خواهم", "größe 猫 👩‍👩‍👧 می‌خواهم"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\udcff\ud800", r"\xff\ud800"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
    ],
)
def test_what_acts_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_characters_can_be_kept() -> None:
    assert printable("a\n\tb", keep="\n") == "a\n\\tb"
