"""``configparser``: options that files of sections hold, 'image_size = 224' under '[TRAIN]'.

Source: Python's ``configparser``: names of options are lower case, those under ``[DEFAULT]`` hold for every section,
and all values are texts until ``getint``, ``getfloat`` or ``getboolean`` is asked.
"""

from __future__ import annotations

import configparser

from dataguard.preprocessing.static.library import configuration
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import ExtObj, Seq, Value

PARSER = "configparser.ConfigParser"
SECTION = "configparser.SectionProxy"
METHODS = frozenset({"read", "read_file", "readfp", "get", "getint", "getfloat", "getboolean"})


@function("configparser.ConfigParser", "configparser.RawConfigParser", "configparser.SafeConfigParser",
          "ConfigParser.ConfigParser", "ConfigParser.RawConfigParser", "ConfigParser.SafeConfigParser")  # fmt: skip
def _made(call: Call) -> Value:
    return ExtObj(PARSER, [], {}, call.place)


def of_parser(call: Call) -> Value:
    """What a method of a parser, or of one of its sections, comes to."""
    held = call.receiver
    if not isinstance(held, ExtObj):
        return call.unknown("options of a file")
    if call.name.startswith("read"):
        _read(call, held)
        return call.get(0, "filenames")
    if held.name == PARSER:
        section, held = call.get(0, "section"), held.attrs.get(str(call.get(0, "section")))
        name, default = call.get(1, "option"), call.kwargs.get("fallback")
        if not isinstance(held, ExtObj):
            return default if "fallback" in call.kwargs else call.unknown(f"section {section} of a file")
    else:
        name, default = call.get(0, "option"), call.get(1, "fallback")
    text = held.attrs.get(str(name).lower())
    if not isinstance(text, str):
        return default if default is not None else call.unknown(f"option {name} of a file")
    found = _as(call.name, text)
    return found if found is not None else call.unknown(f"option {name} of a file, which is none of its kind")


def _as(asked: str, text: str) -> Value:
    try:
        if asked == "getboolean":
            return configparser.ConfigParser.BOOLEAN_STATES.get(text.lower())
        return int(text) if asked == "getint" else float(text) if asked == "getfloat" else text
    except ValueError:
        return None


def _read(call: Call, parser: ExtObj) -> None:
    """Keep what files hold as sections of a parser."""
    given = call.get(0, "filenames")
    for one in given.items if isinstance(given, Seq) else [given]:
        path = one.args[0] if isinstance(one, ExtObj) and one.name in configuration.OPENING and one.args else one
        found = configuration.resolve(call, path) if isinstance(path, str) else None
        content = configparser.RawConfigParser(strict=False)
        try:
            content.read_string((call.machine.tree.text(found) if found is not None else "") or "")
        except configparser.Error:
            continue
        for section in (content.default_section, *content.sections()):
            parser.attrs[section] = ExtObj(SECTION, [], {}, call.place, attrs=dict(content[section]))
