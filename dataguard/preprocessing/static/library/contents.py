"""What files of YAML and JSON hold, as values."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from dataguard.core.nesting import is_too_deep
from dataguard.preprocessing.static.values import Map, Seq, Unknown, Value, is_plain

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

LARGEST = 2**20
"""Bytes of a configuration file."""
MOST_NODES = 50_000
"""Values of a configuration, each as often as aliases repeat it."""
LONGEST = 512
"""Items of a list, of which one more says no more."""
_MOST_KEYS = 2000
DEEPEST = 12
"""Lists and dictionaries within one another."""
_NODES_A_STEP = 4
"""Values of a configuration that take as long as a step of the interpreter."""
_LONGEST_NUMBER = 64
"""Characters of a number; the time that '1:59:59:…' takes grows with the square of its length."""


class _TooManyError(Exception):
    """A configuration has more values than are taken."""


def of_file(machine: Machine, path: str) -> Value:
    """What a configuration file of the repository holds, in values of its own; it is parsed once."""
    if path not in machine.parsed:
        machine.parsed[path] = parsed(machine.tree.read(path), path)
    content = machine.parsed[path]
    if isinstance(content, Unknown):
        return content
    value, count = _counted(content)
    machine.spend(count // _NODES_A_STEP + 1)
    return value


def parsed(data: bytes | None, path: str) -> Any:
    """The plain content of a configuration file, unknown where it cannot be had; tags of YAML are not obeyed."""
    if data is None or len(data) > LARGEST:
        return Unknown(f"{path} cannot be read")
    if path.endswith(".py"):
        return Unknown("a configuration in Python")
    try:
        return _json(data) if path.endswith(".json") else _yaml(data)
    except Exception:  # noqa: BLE001 - a parser of untrusted text: whatever it raises, the file tells nothing
        return Unknown(f"{path} cannot be parsed")


_REMARK = re.compile(rb'("(?:[^"\\\n]|\\.)*"?)|//[^\n]*')


def _json(data: bytes) -> Any:
    """A file of JSON; remarks after '//' are left out, as those who write them do before they parse it."""
    try:
        return json.loads(data)
    except ValueError:
        return json.loads(_REMARK.sub(lambda found: found[1] or b"", data))


def _yaml(data: bytes) -> Any:
    """The first document of a file of YAML.

    Raises:
        ValueError: it is nested too deep.
    """
    import yaml

    loader = _plain_loader()
    if is_too_deep(yaml.parse(data, Loader=loader)):
        raise ValueError("nested too deep")
    return yaml.load(data, Loader=loader)  # noqa: S506 - a loader that makes plain values alone


@cache
def _plain_loader() -> Any:
    import yaml

    fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Plain(fast):  # type: ignore[misc]
        """YAML's plain values; a tag stands for what is written under it."""

        merging = 0
        merged = 0

        def flatten_mapping(self, node: Any) -> None:
            """Put keys that are merged ('<<: *other') into a mapping; those of such mappings in turn multiply."""
            self.merging += 1
            super().flatten_mapping(node)
            self.merging -= 1
            self.merged += len(node.value) if self.merging else 0
            if self.merged > MOST_NODES:
                raise _TooManyError

    def untagged(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    def number(loader: Any, node: Any) -> Any:
        whole = node.tag.endswith("int")
        if len(node.value) > _LONGEST_NUMBER:
            return loader.construct_scalar(node)
        return loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)

    Plain.add_multi_constructor("!", untagged)
    Plain.add_multi_constructor("tag:yaml.org,2002:python/", untagged)
    for name in ("int", "float"):
        Plain.add_constructor(f"tag:yaml.org,2002:{name}", number)
    return Plain


def as_value(content: Any) -> Value:
    """Plain content as a value; unknown where it is of more than `MOST_NODES`."""
    return _counted(content)[0]


def _counted(content: Any) -> tuple[Value, int]:
    """Plain content as a value, and of how many it is made."""
    count = 0

    def made(one: Any, depth: int) -> Value:
        nonlocal count
        count += 1
        if count > MOST_NODES:
            raise _TooManyError
        if isinstance(one, dict | list | tuple):
            if depth > DEEPEST:
                return Unknown("nested too deep")
            if isinstance(one, dict):
                kept = islice(one.items(), _MOST_KEYS)
                items = {key: made(inner, depth + 1) for key, inner in kept if is_plain(key)}
                return Map(items, open=len(items) < len(one))
            return Seq([made(inner, depth + 1) for inner in one[:LONGEST]], "list", many=len(one) > LONGEST)
        return one if is_plain(one) else Unknown("a value of a configuration")

    try:
        return made(content, 0), count
    except _TooManyError:
        return Unknown(f"a configuration of more than {MOST_NODES:,} values"), count
