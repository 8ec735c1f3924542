from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataguard.dataset.sources import json_lists
from dataguard.dataset.sources.json_lists import read_lists

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def taken(path: Path, *keys: str) -> tuple[frozenset[str], dict[str, list[Any]]]:
    items: dict[str, list[Any]] = {key: [] for key in keys}
    return read_lists(path, {key: items[key].append for key in keys}), items


@pytest.fixture(params=[1, 7, 1 << 20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How much is read at a time."""
    monkeypatch.setattr(json_lists, "_BLOCK", request.param)
    return int(request.param)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    said=st.dictionaries(st.sampled_from(["a", "b", 'ü"\\', ""]), VALUES, max_size=4),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    indent=st.sampled_from([None, 2]),
    escaped=st.booleans(),
)
def test_the_items_are_those_that_the_whole_has(
    block: int, tmp_path: Path, said: dict[str, Any], encoding: str, indent: int | None, escaped: bool
) -> None:
    path = tmp_path / "x.json"
    text = json.dumps(said, indent=indent, ensure_ascii=escaped)
    path.write_bytes(text.encode(encoding, "surrogatepass"))
    there, items = taken(path, "a", "b", 'ü"\\')
    assert there == {key for key in items if isinstance(said.get(key), list)}
    assert items == {key: said[key] if key in there else [] for key in items}


def test_a_file_that_is_cut_anywhere_is_not_read_as_a_whole_one(block: int, tmp_path: Path) -> None:
    whole = '{"a": [1, {"b": "c\\u00e9", "d": [12.5e3, -4]}, tru\u00e9], "e": {"f": null}} '.replace(
        "tru\u00e9", "true"
    )
    path = tmp_path / "x.json"
    for end in range(len(whole.rstrip())):
        path.write_text(whole[:end])
        with pytest.raises(ValueError, match="at character"):
            taken(path, "a")
    path.write_text(whole)
    assert taken(path, "a")[1]["a"] == [1, {"b": "c\u00e9", "d": [12500.0, -4]}, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "'{' is expected, at character 1"),
        ('{"a": [1 2]}', "',' is expected, at character 10"),
        ('{"a": [1,]}', "Expecting value, at character 10"),
        ('{"a": 1, "a": 2}', None),
        ('{"a": [], "a": []}', "the key 'a' is there twice, at character 15"),
        ("{a: 1}", "a key is expected, at character 2"),
        ('{"a": 1} 2', "there is more behind the object, at character 10"),
        ('{"b": 01}', "',' is expected"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str | None) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    if said is None:
        assert taken(path, "a")[0] == frozenset()
        return
    with pytest.raises(ValueError, match=re.escape(said)):
        taken(path, "a")


def test_a_mistake_at_the_beginning_ends_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lists, "_BLOCK", 64)
    path = tmp_path / "x.json"
    path.write_text('{"a": [{"b": wrong}, ' + "1, " * 10_000 + "2]}")
    read = []
    plain = json_lists._Text._read_on

    def counted(text: Any) -> None:
        read.append(1)
        plain(text)

    monkeypatch.setattr(json_lists._Text, "_read_on", counted)
    with pytest.raises(ValueError, match="Expecting value, at character 14"):
        taken(path, "a")
    assert len(read) < 5


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        taken(tmp_path / "x.json", "a")
