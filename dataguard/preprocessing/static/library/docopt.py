"""docopt: options that a script's text of help names, with the values that it says are their defaults.

Source: docopt 0.6 ``parse_defaults``: a line that begins with a dash names an option, two spaces end its names, a name
that does not begin with a dash is of its value, and ``[default: 512]`` is the value, a text. An option without a value
is ``False`` unless it is given.
"""

from __future__ import annotations

import re

from dataguard.preprocessing.static.library.commands import GIVES
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Map, Unknown, Value

_OPTION = re.compile(r"^[ \t]*(-[^\n]*?)(?:[ ]{2,}([^\n]*(?:\n(?![ \t]*-)[ \t]+[^\n]*)*))?$", re.MULTILINE)
_DEFAULT = re.compile(r"\[default:\s*([^\]]*)\]", re.IGNORECASE)
_ARGUMENT = re.compile(r"<[^<>\s]+>|(?<![\w=<-])[A-Z][A-Z_]+(?![\w>])")
_USAGE = re.compile(r"usage:(.*?)(?:\n[ \t]*\n|\Z)", re.IGNORECASE | re.DOTALL)


@function("docopt.docopt")
def _docopt(call: Call) -> Value:
    text = call.get(0, "doc")
    if not isinstance(text, str):
        return call.unknown("options of a text")
    found: dict[object, Value] = {}
    for usage in _USAGE.findall(text)[:1]:
        found.update({name: Unknown(f"{GIVES}it", call.place) for name in _ARGUMENT.findall(usage)})
    for names, said in _OPTION.findall(text):
        words = re.split(r"[,=\s]+", names.strip())
        flags = [one for one in words if one.startswith("-")]
        default = _DEFAULT.search(said)
        value = False if len(flags) == len(words) else default[1] if default else None
        found[next((one for one in flags if one.startswith("--")), flags[0])] = value
    return Map(found, open=True)
