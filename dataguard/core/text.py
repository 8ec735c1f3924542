"""Text from outside, made safe to show."""

from __future__ import annotations

import re

_CONTROL = "\x00-\x1f\x7f-\x9f"
_SURROGATES = "\ud800-\udfff"
_BREAKS = "\u2028\u2029"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_NONCHARACTERS = "\ufdd0-\ufdef\ufeff\ufffe\uffff"
_UNSAFE = re.compile(f"[{_CONTROL}{_SURROGATES}{_BREAKS}{_BIDI}{_NONCHARACTERS}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, keep: str = "") -> str:
    r"""`text` with everything escaped that could act on a terminal or a page instead of being read.

    These are control characters (and so ANSI sequences), line separators, marks that reverse the reading direction,
    lone surrogates (bytes of a file name that are not UTF-8) and non-characters. Joiners stay: Persian and emoji need
    them.

    >>> printable("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    >>> printable("two\nlines", keep="\n")
    'two\nlines'

    Args:
        text: Whatever a file name, a label or a message holds.
        keep: Characters to leave as they are.
    """
    return _UNSAFE.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
