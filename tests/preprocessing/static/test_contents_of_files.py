"""Files of YAML and JSON as values: what strange and hostile ones come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.library import contents
from dataguard.preprocessing.static.library.contents import as_value, parsed
from dataguard.preprocessing.static.values import Map, Seq, Unknown
from tests.preprocessing.static.repositories import reading

_ALIASES = "a0: &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0]\n" + "".join(
    f"a{index}: &a{index} [{', '.join([f'*a{index - 1}'] * 9)}]\n" for index in range(1, 9)
)
_MERGED = "a0: &a0 {x: 0, y: 0}\n" + "".join(
    f"a{index}: &a{index}\n  <<: [{', '.join([f'*a{index - 1}'] * 20)}]\n" for index in range(1, 9)
)


def _value(data: bytes, path: str) -> object:
    content = parsed(data, path)
    return content if isinstance(content, Unknown) else as_value(content)


@pytest.mark.parametrize(
    "text",
    [
        _ALIASES,
        "a: &a [*a, *a, *a, *a, *a]\n",
        _MERGED,
        "a: " + "[" * 200_000,
        "- " * 200_000 + "a",
        "a: &a {<<: *a, b: !own [*a, *a, *a, *a, *a, *a]}\n",
    ],
    ids=["aliases", "itself", "merged", "deep", "deep in a block", "itself under a tag"],
)
def test_a_hostile_file_tells_nothing(text: str) -> None:
    assert isinstance(_value(text.encode(), "a.yaml"), Unknown)


def test_a_number_of_many_parts_is_a_text() -> None:
    found = _value(b"size: 12\nlong: 1" + b":59" * 3_000, "a.yaml")
    assert isinstance(found, Map)
    assert (found.items["size"], type(found.items["long"])) == (12, str)


def test_a_script_with_a_hostile_configuration_is_followed(tmp_path: Path) -> None:
    script = """
        import cv2, yaml
        options = yaml.safe_load(open("a.yaml"))
        net(cv2.resize(cv2.imread("a.png"), (options["size"], 32))[None] / 255.0)
        """
    (path,) = reading(tmp_path, {"run.py": script, "a.yaml": _ALIASES + "size: 32\n"}).paths
    assert path.pipeline.decode.library == "opencv"


def test_the_loader_is_made_once_and_reads_what_yaml_says() -> None:
    assert contents._plain_loader() is contents._plain_loader()
    text = b"a: &a {x: 1, y: 0x10}\nb: {<<: *a, y: 1:30}\nc: !own {z: [1.5, 1e3, yes, null]}\n"
    found = _value(text + b"d: !!python/tuple [1, 2]\n", "a.yaml")
    assert isinstance(found, Map)
    assert found.items["a"].items == {"x": 1, "y": 16}
    assert found.items["b"].items == {"x": 1, "y": 90}
    assert found.items["c"].items["z"].items == [1.5, "1e3", True, None]
    assert found.items["d"].items == [1, 2]


def test_of_long_lists_and_of_keys_that_are_no_constants_it_is_said_that_there_are_more() -> None:
    found = _value(b"a: [" + b"1, " * 600 + b"1]\n2020-01-01: 3\n", "a.yaml")
    assert isinstance(found, Map)
    assert isinstance(found.items["a"], Seq)
    assert (found.open, found.items["a"].many) == (True, True)


def test_a_leaf_of_what_is_nested_as_deep_as_can_be() -> None:
    inner = as_value("leaf")
    deep: object = "leaf"
    for _ in range(contents.DEEPEST + 1):
        deep = [deep]
    found = as_value(deep)
    while isinstance(found, Seq):
        (found,) = found.items
    assert found == inner == "leaf"
    assert isinstance(as_value([deep]), Seq)


@pytest.mark.parametrize(
    ("data", "path", "why"),
    [
        (None, "a.yaml", "a.yaml cannot be read"),
        (b" " * (contents.LARGEST + 1), "a.yaml", "a.yaml cannot be read"),
        (b"side = 3", "a.py", "a configuration in Python"),
        (b"a: [", "a.yaml", "a.yaml cannot be parsed"),
        (b'{"a": ', "a.json", "a.json cannot be parsed"),
    ],
)
def test_what_cannot_be_read_says_so(data: bytes | None, path: str, why: str) -> None:
    found = parsed(data, path)
    assert isinstance(found, Unknown)
    assert found.why == why


def test_what_a_tag_would_call_is_a_list() -> None:
    found = _value(b"a: !!python/object/apply:os.system ['touch x']\n", "a.yaml")
    assert isinstance(found, Map)
    assert found.items["a"].items == ["touch x"]


def test_remarks_of_json_are_told_from_texts() -> None:
    text = rb"""{"a": "x\" // y", // "of what"
        "b": "c:\\", "d": [1, // one
        2]}"""
    found = _value(text, "a.json")
    assert isinstance(found, Map)
    assert (found.items["a"], found.items["b"], found.items["d"].items) == ('x" // y', "c:\\", [1, 2])


def test_a_text_of_json_that_never_ends_is_no_json() -> None:
    assert isinstance(_value(b'{"' + b'\\"' * 200_000, "a.json"), Unknown)
