"""Methods of plain values: lists, dictionaries, texts, arrays of constants."""

from __future__ import annotations

import re
from dataclasses import replace

from dataguard.preprocessing.static.arithmetic import LONGEST
from dataguard.preprocessing.static.joining import MISSING
from dataguard.preprocessing.static.library import given
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.values import (
    NO_KEY,
    Choice,
    Map,
    Measure,
    Picture,
    Seq,
    Shape,
    Unknown,
    Value,
    choice,
    is_number,
    is_plain,
    key_of,
    keys_of,
    measured,
)


def _one_of_lists(value: Value) -> Value:
    """One list of which each item is one of several, for one of several lists."""
    rows = [one for one in value.options if isinstance(one, Seq)] if isinstance(value, Choice) else []
    if not rows:
        return value
    return Seq([choice(list(items), value.why) for items in zip(*(one.items for one in rows), strict=False)], "list")


@methods("value", "append", "add", "extend", "insert", "pop", "remove", "sort", "reverse", "clear")
def _change(call: Call) -> Value:
    receiver = call.receiver
    if isinstance(receiver, Seq):
        items = list(receiver.items)
        if call.name in ("append", "add") and call.args and len(items) < LONGEST_LIST:
            items = [*items, call.args[0]]
            receiver.many |= call.machine.turning > 0
        elif call.name == "extend" and call.args:
            more = _one_of_lists(call.args[0])
            items = items + (list(more.items) if isinstance(more, Seq | Shape) else [Unknown("more items", call.place)])
            receiver.many |= not isinstance(more, Shape) and getattr(more, "many", True)
            # What is extended by itself, again and again, would have no end.
            receiver.many |= len(items) > LONGEST_LIST
            items = items[:LONGEST_LIST]
        elif (
            call.name == "insert" and len(call.args) > 1 and isinstance(call.args[0], int) and len(items) < LONGEST_LIST
        ):
            items.insert(call.args[0], call.args[1])
        elif call.name == "pop":
            gone = (
                items.pop(
                    call.args[0]
                    if call.args and isinstance(call.args[0], int) and -len(items) <= call.args[0] < len(items)
                    else -1
                )
                if items
                else call.unknown("an item")
            )
            call.machine.put(receiver.items, "*", items)
            return gone
        elif call.name == "remove" and call.args and call.args[0] in items and is_plain(call.args[0]):
            items.remove(call.args[0])
        elif call.name == "reverse":
            items = items[::-1]
        elif call.name == "clear":
            items = []
        call.machine.put(receiver.items, "*", items)
        return None
    if isinstance(receiver, Map) and call.name == "pop" and call.args and is_plain(call.args[0]):
        if call.args[0] in receiver.items:
            gone = receiver.items[call.args[0]]
            call.machine.put(receiver.items, call.args[0], MISSING)
            return gone
        return call.args[1] if len(call.args) > 1 and not receiver.open else call.unknown("an item")
    return call.unknown(f"{call.name} of what is not followed")


@methods("value", "get", "setdefault", "items", "keys", "values", "update", "copy")
def _of_map(call: Call) -> Value:
    receiver = call.receiver
    if isinstance(receiver, Seq) and call.name == "copy":
        return Seq(list(receiver.items), receiver.kind, receiver.many)
    if not isinstance(receiver, Map):
        return call.unknown(f"{call.name} of what is not followed")
    if call.name in ("get", "setdefault"):
        key = call.args[0] if call.args else None
        key = key_of(key)
        if key is not NO_KEY:
            if key in receiver.items:
                return receiver.items[key]
            default = call.get(1, "default") if not receiver.open else call.unknown("a key")
            if call.name == "setdefault":
                call.machine.put(receiver.items, key, default)
            return default
        return call.unknown("an item by a key that is not known")
    if call.name == "items":
        return (
            Seq([Seq([key, one], "tuple") for key, one in zip(keys_of(receiver), receiver.items.values(), strict=True)])
            if receiver.items or not receiver.open
            else call.unknown("items")
        )
    if call.name in ("keys", "values"):
        if receiver.open and not receiver.items:
            return call.unknown(call.name)
        return Seq(keys_of(receiver) if call.name == "keys" else list(receiver.items.values()), "list")
    if call.name == "update":
        other = call.args[0] if call.args else None
        new = dict(other.items) if isinstance(other, Map) else {}
        for key, one in {**new, **call.kwargs}.items():
            call.machine.put(receiver.items, key, one)
        if isinstance(other, Unknown):
            receiver.open, receiver.rest = True, other
        return None
    return Map(dict(receiver.items), open=receiver.open, rest=receiver.rest)


@methods(
    "value",
    "format",
    "lower",
    "upper",
    "strip",
    "split",
    "replace",
    "startswith",
    "endswith",
    "isupper",
    "islower",
    "isdigit",
    "join",
    "rsplit",
    "lstrip",
    "rstrip",
    "partition",
    "rpartition",
    "splitlines",
    "title",
    "capitalize",
    "casefold",
    "removeprefix",
    "removesuffix",
    "find",
    "rfind",
    "count",
    "index",
    "rindex",
    "zfill",
    "isalpha",
    "isalnum",
    "isnumeric",
)
def _of_text(call: Call) -> Value:
    receiver = call.receiver
    if isinstance(receiver, Seq) and call.name in ("index", "count") and len(call.args) == 1:
        return _sought(call, receiver)
    if isinstance(receiver, str) and call.name in ("format", "join"):
        return _put_together(call, receiver)
    if isinstance(receiver, str) and "maxsplit" in call.kwargs and call.name in ("split", "rsplit"):
        call = replace(call, args=[call.get(0, "sep"), call.kwargs["maxsplit"]], kwargs={})
    if not isinstance(receiver, str) or not all(isinstance(one, _WORDS) for one in call.args) or call.kwargs:
        if (
            isinstance(receiver, str)
            and call.name in ("startswith", "endswith")
            and call.args
            and isinstance(call.args[0], Seq)
        ) and all(isinstance(one, str) for one in call.args[0].items):
            return getattr(receiver, call.name)(tuple(call.args[0].items))
        return call.unknown("a text")
    if call.name in _GROWING and not _is_short(receiver, *call.args):
        return call.unknown("a text")
    try:
        made = getattr(receiver, call.name)(*call.args)
    except (TypeError, ValueError, OverflowError):
        return call.unknown("a text")
    if isinstance(made, list | tuple):
        if len(made) > LONGEST_LIST:
            return call.unknown("a list of a text")
        return Seq(list(made), "list" if isinstance(made, list) else "tuple")
    return made[:LONGEST] if isinstance(made, str) else made


LONGEST_LIST = 512
"""Items of a list that is followed."""
_GROWING = frozenset({"zfill", "replace"})
"""Methods that make texts much longer than what they are given."""


def _is_short(*given: Value) -> bool:
    """Whether texts and numbers are such that what is put together of them is no burden."""
    return all(len(one) <= LONGEST if isinstance(one, str) else one is None or one <= LONGEST for one in given)


def _sought(call: Call, where: Seq) -> Value:
    """``names.index("image")``, ``names.count("image")``: of what is a constant among constants."""
    wanted, items = call.args[0], where.items
    if where.many or not is_plain(wanted) or not all(is_plain(one) for one in items):
        return call.unknown("a place in a list")
    if call.name == "count":
        return items.count(wanted)
    return items.index(wanted) if wanted in items else call.unknown("a place in a list")


_WORDS = (str, int, type(None))
"""Types of what methods of texts are given."""
_FIELDS = re.compile(r"\{\w*(?::0?\d?\d?(?:\.\d)?[dsfg]?)?\}")
"""Fields of a text that are filled in as they are, or with few digits."""


def _put_together(call: Call, text: str) -> Value:
    """``'{}.yaml'.format(name)``, ``'/'.join(names)``."""
    unknown = call.unknown("a text that is put together")
    if call.name == "join":
        words = call.args[0].items if call.args and isinstance(call.args[0], Seq) else None
        if words is None or not all(isinstance(one, str) and _is_short(one) for one in (text, *words)):
            return unknown
        return text.join(words)[:LONGEST]
    if not all(is_plain(one) for one in (*call.args, *call.kwargs.values())) or "{" in _FIELDS.sub("", text):
        return unknown
    if not all(_is_short(one) for one in (text, *call.args, *call.kwargs.values()) if isinstance(one, str)):
        return unknown
    try:
        return text.format(*call.args, **call.kwargs)[:LONGEST]
    except (TypeError, ValueError, IndexError, KeyError):
        return unknown


_SIMPLE = re.compile(r"[^*+{(|]{1,40}")
"""Patterns that are searched for in one pass."""


@function("re.sub")
def _replaced(call: Call) -> Value:
    pattern, by, text = (call.get(index, name) for index, name in enumerate(("pattern", "repl", "string")))
    if not all(isinstance(one, str) for one in (pattern, by, text)) or not _SIMPLE.fullmatch(pattern):
        return call.unknown("a text")
    try:
        return re.sub(pattern, by, text[:LONGEST])[:LONGEST]
    except (re.error, IndexError):
        return call.unknown("a text")


@methods("value", "reshape")
def _reshaped(call: Call) -> Value:
    """Numbers of a table or a file, put into rows and columns: a picture."""
    receiver = call.receiver
    lengths = call.args[0].items if len(call.args) == 1 and isinstance(call.args[0], Seq) else call.args
    sides = [one for one in lengths if isinstance(one, int) and one > 1]
    unread = isinstance(receiver, Seq) and receiver.kind == "array" and all(
        isinstance(one, Unknown) and not one.kind for one in receiver.items
    )  # fmt: skip
    if not unread or not receiver.items or len(sides) < 2 or len(sides) < len(lengths) - 2 or len(lengths) > 4:
        return receiver
    return Picture(given.of_numbers(receiver.items[0], sides[:2], lengths, call.place))


@methods("value", "tolist", "item", "flatten", "squeeze", "to", "float", "cuda", "view",
         "astype", "unsqueeze", "type", "expand", "expand_as", "double", "cpu", "numpy", "type_as",
         "ravel", "permute", "transpose", "repeat", "resize_", "resize_as_")  # fmt: skip
def _of_array(call: Call) -> Value:
    return call.receiver


@methods("value", "any", "all")
def _truths(call: Call) -> Value:
    return call.receiver


@methods("value", "mean", "std", "sum", "max", "min")
def _statistic(call: Call) -> Value:
    rows = call.receiver.items if isinstance(call.receiver, Seq) else []
    if (
        call.name in ("max", "min")
        and call.get(0, "axis") == 0
        and rows
        and all(isinstance(one, Seq | Shape) for one in rows)
    ):
        columns = [list(one) for one in zip(*(row.items for row in rows), strict=False)]
        pick = max if call.name == "max" else min
        known = [all(is_number(one) or isinstance(one, Measure) for one in column) for column in columns]
        unknown = call.unknown("a statistic")
        return Seq(
            [
                measured(lambda *given: pick(given), *column) if sure else unknown
                for column, sure in zip(columns, known, strict=True)
            ],
            "array",
        )
    return call.unknown("a statistic")


@methods("array", "tobytes", "tolist", "dump", "fill", "sort", "setflags", "flags")
@methods(
    "pil",
    "show",
    "close",
    "verify",
    "seek",
    "histogram",
    "getbbox",
    "getexif",
    "_getexif",
    "info",
    "putpalette",
    "putdata",
)
def _nothing(call: Call) -> Value:
    return call.unknown("nothing of a picture")
