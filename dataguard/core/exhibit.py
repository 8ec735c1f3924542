"""What a report shows beside its words: pictures, pairs of them, histograms, tables, maps, plots and strips.

An exhibit is data. Pictures are named by path and decoded by whoever renders them, so that a report stays
small and a rule never decodes; only what a loader made, and no file holds, is kept as a small PNG.
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
    png: str | None = None
    """The picture itself, a PNG in base64, where it lies in no file; None otherwise."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatMap:
    """Numbers over rows and columns, such as a noise transition matrix.

    Where rows and columns have the same names, the diagonal is where the two agree: it is shown apart, so that 97 % on
    it does not wash out 3 % off it. Whoever renders it picks the rows and columns that there is room for.
    """

    title: str
    """A heading."""
    rows: tuple[str, ...]
    """The names of the rows."""
    columns: tuple[str, ...]
    """The names of the columns."""
    values: tuple[tuple[float, ...], ...]
    """One tuple a row, one number a column; NaN where there is none."""
    row_axis: str
    """What a row is, as 'true class'."""
    column_axis: str
    """What a column is, as 'given label'."""
    unit: str = "share"
    """Of the numbers: 'share' for a fraction of the row that reads best as a percentage."""
    meaning: str = ""
    """What one number says, in a sentence."""
    row_totals: tuple[float, ...] = ()
    """How many samples each row stands for, where the numbers are shares of it; empty where that says nothing."""
    total: int | None = None
    """How many rows there are in all, where these are a choice of them; None where these are all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReliabilityBin:
    """Samples of about the same predicted probability, with how often the prediction held."""

    predicted: float
    """Their mean predicted probability."""
    observed: float
    """The share of them whose prediction held."""
    low: float
    """Lower end of the interval around ``observed``."""
    high: float
    """Upper end of the interval."""
    n: int
    """How many samples."""
    expected: float | None = None
    """The share that held if the probabilities were right and labels as noisy as estimated; None if not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """A calibration plot: how often a prediction holds, against how sure it was."""

    title: str
    """A heading."""
    bins: tuple[ReliabilityBin, ...]
    """From the least sure to the surest."""
    predicted_axis: str
    """What is predicted, as 'probability of the likeliest class'."""
    observed_axis: str
    """What is counted, as 'share labelled so'."""
    level: float
    """Coverage of the bins' intervals, for example 0.95."""
    error: float
    """Expected calibration error: the mean of abs(observed - predicted), weighted by the bins' samples."""
    error_by_chance: float | None = None
    """What that error is on average where every probability is right, for want of samples; None if not known."""
    ceiling: float | None = None
    """The agreement with the given labels that even a perfect model reaches, 1 - noise rate; None if not known."""
    note: str = ""
    """What else to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderStrip:
    """Which classes each batch holds, batch after batch, so that runs and sorted stretches are seen at a glance.

    Of very many classes the rule gives the most frequent ones and one more for the rest.
    """

    title: str
    """A heading."""
    classes: tuple[str, ...]
    """Their names, in the order of the counts."""
    columns: tuple[tuple[int, ...], ...]
    """One tuple a batch, in the order that they came, from number 0: how many samples of each class it holds."""
    column_name: str = "batch"
    """What a column is."""
    total: int | None = None
    """How many batches there were in all, where these are the first of them; None where these are all."""
    note: str = ""
    """What else to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContrastRow:
    """One of several things that ought to be alike, as short texts."""

    name: str
    """What it is called."""
    place: str = ""
    """Where it is, as 'train.py:12'."""
    cells: tuple[str, ...]
    """One a column."""
    marked: tuple[bool, ...]
    """Whether each cell differs from what it ought to be like."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """Things that ought to be alike, one a row, with what differs marked: the preprocessing of training and serving."""

    title: str
    """A heading."""
    columns: tuple[str, ...]
    """The names of the fields that are compared."""
    rows: tuple[ContrastRow, ...]
    """The first of them, or all."""
    total: int
    """How many there are in all."""
    meaning: str = ""
    """What a mark says, in a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """Lines of a file of code, with those marked that it is about."""

    title: str
    """A heading."""
    path: str
    """The file, relative to the report's ``subject.root``."""
    start: int
    """The number of the first line, from 1."""
    lines: tuple[str, ...]
    """Their text, without what ends a line."""
    marked: tuple[int, ...] = ()
    """The numbers of the lines that it is about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A row of numbers over steps."""

    name: str
    """What it is, as 'real labels'."""
    values: tuple[float, ...]
    """One a step, from step 0; NaN where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A number that curves are held against, the same at every step."""

    name: str
    """What it is, as 'chance'."""
    value: float
    """Where it lies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curves:
    """Courses of a number over steps, as the losses of trainings, with the lines that they are held against."""

    title: str
    """A heading."""
    curves: tuple[Curve, ...]
    """In the order to name them."""
    levels: tuple[Level, ...] = ()
    """Lines across the plot."""
    step_axis: str = "step"
    """What a step is."""
    value_axis: str = "loss"
    """What the numbers are."""
    note: str = ""
    """What else to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallHistogram:
    """How often numbers of a size are, in bins of equal width."""

    low: float
    """Where the first bin begins."""
    high: float
    """Where the last bin ends."""
    counts: tuple[int, ...]
    """One a bin."""
    words: str = ""
    """What to say of it, as its standard deviation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallHistogramRow:
    """The histograms of one thing, as of one layer."""

    name: str
    """What it is called."""
    histograms: tuple[SmallHistogram, ...]
    """One a column; one without bins where there is nothing, whose words say why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallHistograms:
    """Histograms in rows and columns, to be compared at a glance: of activations and gradients, layer by layer."""

    title: str
    """A heading."""
    columns: tuple[str, ...]
    """What they are of."""
    rows: tuple[SmallHistogramRow, ...]
    """The first of them, or all."""
    total: int
    """How many rows there are in all."""
    note: str = ""
    """What else to know."""


Exhibit: TypeAlias = (
    Gallery
    | PairGallery
    | Histogram
    | Listing
    | HeatMap
    | Reliability
    | OrderStrip
    | Contrast
    | Excerpt
    | Curves
    | SmallHistograms
)
