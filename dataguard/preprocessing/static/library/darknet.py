"""Darknet's files of networks, which ports of YOLO parse by code of their own: 'parse_model_cfg("cfg/yolov3.cfg")'.

Source: Darknet ``src/parser.c``, read_cfg: sections in brackets, below each its options, and
remarks behind ``#`` and ``;``. Ports give a list of dictionaries, whose texts are as in the file and whose ``type`` is
the section's name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.library.configuration import resolve
from dataguard.preprocessing.static.library.registry import Call
from dataguard.preprocessing.static.values import Func, Map, Seq, Value

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling

_PARSES = re.compile(r"(?:parse|read|load)_(?:\w+_)?(?:cfg|config)(?:_?file)?")
_LONGEST = 200_000


def parsed(machine: Calling, func: Func, given: list[Value], made: Value) -> Value:
    """What a function of the repository made of such a file, where it is told by its name and the file is here."""
    if not isinstance(made, Seq):
        return made
    path = next((one for one in given[:2] if isinstance(one, str)), "")
    if not path.endswith(".cfg") or _PARSES.fullmatch(func.name) is None:
        return made
    found = resolve(Call(machine, func.name, [], {}, func.node), path)
    if found is None or machine.tree.sizes[found] > _LONGEST:
        return made
    text = machine.tree.read(found)
    return _sections(text.decode("utf-8", "replace")) or made if text else made


def _sections(text: str) -> Seq | None:
    sections: list[dict[str, Value]] = []
    for line in text.splitlines():
        plain = line.strip()
        name, between, value = plain.partition("=")
        if plain.startswith("["):
            kind = plain.strip("[] ")
            sections.append({"type": kind, "batch_normalize": 0} if kind == "convolutional" else {"type": kind})
        elif between and sections and not plain.startswith(("#", ";")):
            sections[-1][name.strip()] = value.strip()
    if not sections or sections[0]["type"] not in ("net", "network"):
        return None
    return Seq([Map({**one}) for one in sections], "list")
