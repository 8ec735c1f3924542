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
    """The sample's id in the sample table."""
    path: str | None = None
    """The image file, relative to the report's ``subject.root``; None where the sample has no picture."""
    split: str | None = None
    """The split that it is in."""
    given: str | None = None
    """The label that the dataset gives."""
    suggested: str | None = None
    """The label that a rule believes in, where it has one."""
    score: float | None = None
    """How much the rule trusts the given label: 0 (not at all) to 1."""
    caption: str = ""
    """What else to say below it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gallery:
    """Samples to look at, worst first."""

    title: str
    """A heading."""
    pictures: tuple[Picture, ...]
    """The first of them, or all."""
    total: int
    """How many there are in all; ``pictures`` may be the first of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PicturePair:
    """Two samples side by side."""

    left: Picture
    """One of the two."""
    right: Picture
    """The other."""
    caption: str = ""
    """What they have in common."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairGallery:
    """Pairs of samples to compare, most alike first."""

    title: str
    """A heading."""
    pairs: tuple[PicturePair, ...]
    """The first of them, or all."""
    total: int
    """How many there are in all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One named row of numbers over a histogram's categories."""

    name: str
    """The split, or whatever is compared."""
    values: tuple[float, ...]
    """One number a category, in the histogram's order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Numbers over named categories, one series a split (or whatever is compared)."""

    title: str
    """A heading."""
    categories: tuple[str, ...]
    """The names, in the order to show them."""
    series: tuple[Series, ...]
    """One a split."""
    unit: str = "samples"
    """What the numbers count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A table of text and numbers."""

    title: str
    """A heading."""
    columns: tuple[str, ...]
    """Their names."""
    rows: tuple[tuple[str | int | float | None, ...], ...]
    """One cell a column."""
    total: int
    """How many rows there are in all; ``rows`` may be the first of them."""


Exhibit: TypeAlias = Gallery | PairGallery | Histogram | Listing
