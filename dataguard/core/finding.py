"""What a rule concludes: a finding, an observation, or that it could not decide."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TypeAlias

from dataguard.core.exhibit import Exhibit
from dataguard.core.ranking import Ranking


class Severity(IntEnum):
    """How bad a finding is if it is true."""

    INFO = 1
    """Worth knowing; nothing is wrong yet."""
    WARNING = 2
    """Probably a fault, or one that only the owner of the data can judge."""
    ERROR = 3
    """A fault: training on this, or a figure measured on it, is not to be trusted."""

    @property
    def word(self) -> str:
        """The name in lower case, as reports and the command line write it."""
        return self.name.lower()


class Confidence(Enum):
    """How sure the rule is that a finding is true, apart from how bad it would be."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One number that bears on a result, with what it was held against."""

    name: str
    """What was measured."""
    value: float | int | str
    """What was observed."""
    threshold: float | int | str | None = None
    """What ``value`` was compared with; None where it was only observed."""
    low: float | None = None
    """Lower end of the interval, where there is one."""
    high: float | None = None
    """Upper end of the interval."""
    level: float | None = None
    """Coverage of the interval, for example 0.95."""
    p_value: float | None = None
    """Probability of a value at least as extreme if nothing were wrong."""
    n: int | None = None
    """How many samples the value rests on."""
    unit: str = ""
    """'' for a pure number; 'share' for a fraction that reads best as a percentage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """Where a finding is: a sample, a class, a split, a row and column, or a line of a file."""

    path: str | None = None
    """A file, relative to the report's ``subject.root``."""
    line: int | None = None
    """From 1."""
    column: str | None = None
    """The name of a table's column."""
    sample_id: str | None = None
    """The sample's id in the sample table."""
    split: str | None = None
    """The split that it is in."""
    label: str | None = None
    """The class that the dataset gives."""
    related: tuple[str, ...] = ()
    """Ids of the samples that this one is compared with, as the copies of a duplicate."""
    note: str = ""
    """What is the matter here, where that differs from place to place."""
    content: str | None = None
    """The hash of the sample's content, where ``sample_id`` is but its position and changes when rows are sorted."""

    # Those that dataclasses makes look up the fields each time, and a stored finding may name 100,000 places.

    def __getstate__(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self.__slots__])

    def __setstate__(self, state: tuple[object, ...]) -> None:
        for name, value in zip(self.__slots__, state, strict=True):
            object.__setattr__(self, name, value)

    @property
    def identity(self) -> str:
        """A text that stays the same as long as it is the same place, whatever is found elsewhere.

        Where there is a hash of the content, it stands for the ids, which are positions.
        """
        ids = (self.sample_id, *sorted(self.related)) if self.content is None else (f"content {self.content}",)
        parts = (self.path, ids[0], self.split, self.label, self.column, *ids[1:])
        return "\x1f".join("" if part is None else part for part in parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A change of one file that mends a finding, exact enough to be made by a program."""

    path: str
    """The file, relative to the report's ``subject.root``."""
    line: int
    """From 1: where `old` begins."""
    old: str
    """What stands there, once, breaks of the line aside; '' where a line is added at the end of the file, which need
    not exist."""
    new: str
    """What is to stand there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A defect that a rule found.

    One finding a defect, with a location a place: 31 copied samples are one finding with 31 locations. Made by
    `Rule.finding`, which knows code and name.
    """

    code: str
    """``DG`` and three digits; never reused."""
    name: str
    """The defect in kebab case."""
    severity: Severity
    """How bad it is if it is true."""
    confidence: Confidence
    """How sure the rule is that it is true."""
    message: str
    """What was observed, one sentence that stands by itself and holds the figures."""
    remedy: str
    """What to do next."""
    measurements: tuple[Measurement, ...] = ()
    """The figures that it rests on."""
    locations: tuple[Location, ...] = ()
    """Every place, most telling first."""
    exhibits: tuple[Exhibit, ...] = ()
    """What to look at."""
    edits: tuple[Edit, ...] = ()
    """What a program may change without asking further, so that it is mended; empty where that takes a person."""
    key: tuple[str, ...] = ()
    """What tells this finding from the rule's others, as the two splits that a leak joins."""
    estimated: bool = False
    """Whether its places are the likeliest of an estimate, so that some of them come and go as the data grow."""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name this defect in a baseline.

        They depend on the rule and on ``key``, and not on the figures or the order of the data.
        """
        return hashlib.sha256("\x1e".join((self.code, *self.key)).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def location_fingerprint(self, location: Location) -> str:
        """16 hexadecimal digits that name one place of this defect in a baseline."""
        text = "\x1e".join((self.code, *self.key, location.identity))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What a rule measured, whether or not it found anything; a passing rule still shows its figures."""

    message: str
    """One sentence that holds the figures."""
    measurements: tuple[Measurement, ...] = ()
    """The figures."""
    exhibits: tuple[Exhibit, ...] = ()
    """What to look at."""
    ranking: Ranking | None = field(default=None, compare=False, repr=False)
    """Every sample that the rule judged, for an export; no format of the report holds it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inconclusive:
    """The rule ran and cannot decide, for example because n is too small. Not a pass."""

    reason: str
    """Why it cannot decide."""
    measurements: tuple[Measurement, ...] = ()
    """The figures that say so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Something was not there, so that nothing was tried. Not a pass."""

    reason: str
    hint: str = ""


Outcome: TypeAlias = Finding | Observation | Inconclusive | Skipped
