from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.paths import decode_path, encode_path


@given(st.binary(min_size=1, max_size=20))
def test_any_name_comes_back_and_is_valid_utf8(name: bytes) -> None:
    text = encode_path(os.fsdecode(name))
    text.encode("utf-8")
    assert os.fsencode(decode_path(text)) == name


@given(st.sets(st.binary(max_size=6), min_size=2))
def test_different_names_stay_different(names: set[bytes]) -> None:
    assert len({encode_path(os.fsdecode(name)) for name in names}) == len(names)


def test_ordinary_names_are_left_alone() -> None:
    assert encode_path("träin/cat 1.jpg") == "träin/cat 1.jpg"
