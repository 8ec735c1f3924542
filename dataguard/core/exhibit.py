"""What a report shows beside its words: pictures, pairs of pictures, histograms and listings.

An exhibit is data. Pictures are named by path and decoded by whoever renders them, so that a report stays
small and a rule never decodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One sample to look at."""

    sample_id: str
    path: str | None = None
    """The image file, relative to the report's ``subject.root``; None where the sample has no picture."""
    split: str | None = None
    given: str | None = None
    """The label that the dataset gives."""
    suggested: str | None = None
    """The label that a rule believes in, where it has one."""
    score: float | None = None
    """How much the rule trusts the given label: 0 (not at all) to 1."""
    caption: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gallery:
    """Samples to look at, worst first."""

    title: str
    pictures: tuple[Picture, ...]
    total: int
    """How many there are in all; ``pictures`` may be the first of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PicturePair:
    """Two samples side by side."""

    left: Picture
    right: Picture
    caption: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairGallery:
    """Pairs of samples to compare, most alike first."""

    title: str
    pairs: tuple[PicturePair, ...]
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One named row of numbers over a histogram's categories."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Numbers over named categories, one series a split (or whatever is compared)."""

    title: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = "samples"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A table of text and numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    total: int
    """How many rows there are in all; ``rows`` may be the first of them."""


Exhibit: TypeAlias = Gallery | PairGallery | Histogram | Listing
