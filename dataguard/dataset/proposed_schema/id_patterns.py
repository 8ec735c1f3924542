r"""The form that a column of ids has, as a regular expression: ``V0001`` is ``^V\\d{4}$``."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dataguard.dataset.proposed_schema.closed_sets import closed_set

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEXADECIMAL = re.compile(r"[0-9a-f]{8,}")
_RUN = re.compile(r"(?P<d>[0-9]+)|(?P<l>[a-z]+)|(?P<u>[A-Z]+)|(?P<o>.)", re.DOTALL)
_CLASS = {"d": "[0-9]", "l": "[a-z]", "u": "[A-Z]"}
_SIZE = {"d": 10, "l": 26, "u": 26}

MOST_RUNS = 12
"""Runs of one kind of character beyond which a text is no id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IdPattern:
    """The one form of all values."""

    regex: str
    """Anchored at both ends."""
    log_capacity: float
    """Natural logarithm of how many ids have this form; what a birthday bound needs."""
    words: str
    """The form in words."""


def id_pattern(values: Sequence[str], *, chance: float = 0.001) -> IdPattern | None:
    """The form that all values share, if it is the form of an id: no spaces, at least one run of digits.

    A value is cut into runs of digits, small letters, capitals and single other characters; all values must have the
    same runs. A run that is the same in all is taken literally, and letters whose values are all that there are
    (`closed_set`) are listed. The length of a run is fixed if it is the same in all and, for digits, some of them begin
    with 0 (numbers without padding grow longer); for letters, if they are codes: 20 different ones or more.

    >>> id_pattern(["V0001", "V0417", "V9999"]).regex
    '^V[0-9]{4}$'
    >>> id_pattern(["img_7", "img_12"]).regex
    '^img_[0-9]+$'
    >>> id_pattern(["seen twice", "a dog"]) is None
    True

    Args:
        values: All of them, recurring ones too.
        chance: That a list of letters is broken by as many fresh values.
    """
    if not values:
        return None
    if all(_UUID.fullmatch(value) for value in values):
        return IdPattern(regex=f"^{_UUID.pattern}$", log_capacity=122 * math.log(2), words="a UUID in small letters")
    width = len(values[0])
    if all(len(value) == width and _HEXADECIMAL.fullmatch(value) for value in values):
        letters = any(not value.isdigit() for value in values)
        if letters:
            return IdPattern(
                regex=f"^[0-9a-f]{{{width}}}$",
                log_capacity=width * math.log(16),
                words=f"{width} hexadecimal digits",
            )
    return _shared_runs(values, chance / MOST_RUNS)


def _shared_runs(values: Sequence[str], chance: float) -> IdPattern | None:
    kinds: tuple[str, ...] | None = None
    columns: list[_Run] = []
    for value in values:
        if not value or len(value) > 200:
            return None
        runs = [(str(match.lastgroup), match.group()) for match in _RUN.finditer(value)]
        found = tuple(kind if kind != "o" else text for kind, text in runs)
        if kinds is None:
            if len(runs) > MOST_RUNS or "d" not in found or any(text.isspace() for _, text in runs):
                return None
            kinds = found
            columns = [_Run(kind, text) for kind, text in runs]
            continue
        if found != kinds:
            return None
        for column, (_, text) in zip(columns, runs, strict=True):
            column.see(text)
    if not any(column.varies for column in columns):
        return None
    return IdPattern(
        regex=f"^{''.join(column.regex(chance) for column in columns)}$",
        log_capacity=sum(column.log_capacity for column in columns),
        words="the same runs of letters and digits in every value",
    )


class _Run:
    """What one run of characters is in all values so far."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind, self.first, self.padded = kind, text, _is_padded(text)
        self.longest = self.shortest = len(text)
        self.varies = False
        self.counts: Counter[str] = Counter([text])

    def see(self, text: str) -> None:
        """Take in the run of one more value."""
        self.varies = self.varies or text != self.first
        self.padded = self.padded or _is_padded(text)
        self.longest, self.shortest = max(self.longest, len(text)), min(self.shortest, len(text))
        if self.kind in "lu":
            self.counts[text] += 1

    def regex(self, chance: float) -> str:
        """The run as a regular expression."""
        if not self.varies:
            return re.escape(self.first)
        fixed = self.longest == self.shortest and self.padded
        if self.kind in "lu":
            if len(self.counts) < _FEWEST_CODES and closed_set(self.counts.values()).is_closed(chance):
                return f"(?:{'|'.join(sorted(self.counts))})"
            fixed = self.longest == self.shortest and len(self.counts) >= _FEWEST_CODES
        return _CLASS[self.kind] + (f"{{{self.longest}}}" if fixed else "+")

    @property
    def log_capacity(self) -> float:
        """Natural logarithm of how many runs there can be."""
        return self.longest * math.log(_SIZE[self.kind]) if self.varies else 0.0


_FEWEST_CODES = 20
"""Different runs of letters from which they are codes, and below which they may be a list of words."""


def _is_padded(text: str) -> bool:
    return text[0] == "0" and len(text) > 1
