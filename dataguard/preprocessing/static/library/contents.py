"""What files of YAML and JSON hold, as values."""

from __future__ import annotations

import json
import re
from typing import Any

from dataguard.preprocessing.static.values import Map, Seq, Unknown, Value, is_plain

LARGEST = 2**20
"""Bytes of a configuration file."""


def loaded(data: bytes | None, path: str) -> Value:
    """What a configuration file holds; tags of YAML are not obeyed."""
    if data is None or len(data) > LARGEST:
        return Unknown(f"{path} cannot be read")
    try:
        if path.endswith(".json"):
            content = _json(data)
        elif path.endswith(".py"):
            return Unknown("a configuration in Python")
        else:
            import yaml

            content = yaml.load(data, Loader=_plain_loader())  # noqa: S506 - a loader that makes plain values alone
    except Exception:  # noqa: BLE001 - a parser of untrusted text: whatever it raises, the file tells nothing
        return Unknown(f"{path} cannot be parsed")
    return as_value(content)


_REMARK = re.compile(rb'("(?:[^"\\\\\n]|\\\\.)*")|//[^\n]*')


def _json(data: bytes) -> Any:
    """A file of JSON; remarks after '//' are left out, as those who write them do before they parse it."""
    try:
        return json.loads(data)
    except ValueError:
        return json.loads(_REMARK.sub(lambda found: found[1] or b"", data))


def _plain_loader() -> Any:
    import yaml

    class Plain(yaml.SafeLoader):
        """YAML's plain values; a tag stands for what is written under it, and aliases are few."""

    def untagged(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Plain.add_multi_constructor("!", untagged)
    Plain.add_multi_constructor("tag:yaml.org,2002:python/", untagged)
    return Plain


def as_value(content: Any, depth: int = 0) -> Value:
    """Plain content as a value."""
    if depth > 12:
        return Unknown("nested too deep")
    if isinstance(content, dict):
        return Map({key: as_value(one, depth + 1) for key, one in list(content.items())[:2000] if is_plain(key)})
    if isinstance(content, list | tuple):
        return Seq([as_value(one, depth + 1) for one in content[:512]], "list")
    return content if is_plain(content) else Unknown("a value of a configuration")
