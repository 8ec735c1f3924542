"""Labels that are written differently and mean the same class."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[\s_\-]+")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")

NEAR = 0.8
"""The least similarity (difflib's ratio) of a misspelling: one wrong letter in a word of five."""


def spelling_key(label: str) -> str:
    """What is left of a label without case, surrounding blanks, kind of separator and way to write a number.

    >>> spelling_key("Golden_Retriever ") == spelling_key("golden retriever")
    True
    >>> spelling_key("1.0"), spelling_key("01"), spelling_key("1-2")
    ('1', '1', '1 2')
    """
    text = _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", label).casefold()).strip()
    signed = label.strip()
    if _NUMBER.fullmatch(signed):
        whole, _, fraction = signed.lstrip("+-").partition(".")
        sign = "-" if signed.startswith("-") else ""
        fraction = fraction.rstrip("0")
        text = sign + (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return text


def same_but_for_spelling(label: str, others: Iterable[str]) -> str | None:
    """The first other label with the same `spelling_key`; None where there is none.

    >>> same_but_for_spelling("Cat", ["bat", "cat", "Cat"])
    'cat'
    """
    key = spelling_key(label)
    return next((other for other in others if other != label and spelling_key(other) == key), None)


def nearest_spelling(label: str, others: Iterable[str]) -> str | None:
    """The other label that this one is most likely a misspelling of; None where none is near.

    Numbers are never near: 11 is no misspelling of 12.

    >>> nearest_spelling("retreiver", ["retriever", "poodle"])
    'retriever'
    """
    candidates = [other for other in others if other != label]
    if same := same_but_for_spelling(label, candidates):
        return same
    if any(character.isdigit() for character in label):
        return None
    by_key = {spelling_key(other): other for other in reversed(candidates)}
    near = difflib.get_close_matches(spelling_key(label), by_key, n=1, cutoff=NEAR)
    return by_key[near[0]] if near else None
