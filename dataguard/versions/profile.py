"""The profile of a dataset version: counts, moments and histograms of each split, small enough for a repository."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from blake3 import blake3

from dataguard.versions.bins import MOST_BINS, Bins, binned

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA_VERSION: Literal[1] = 1
"""Raised when a profile of an older version can no longer be read as it was meant."""
KIND: Literal["dataguard-dataset-profile"] = "dataguard-dataset-profile"
LABEL = "the label"
"""Name of the label among the columns."""
MOST_CLASSES = 10_000
MOST_CATEGORIES = 200
"""Categories of a column that are counted one by one; the rest, each rarer, are counted together."""
BUCKETS = 64
_BINS_IN_ALL = 32_768
_DIGITS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """A column of numbers in one split."""

    name: str
    n: int
    """Samples that have one."""
    missing: int
    """Samples that have none."""
    mean: float | None
    """None where there are no numbers."""
    std: float | None
    """Of the numbers themselves (divided by n)."""
    low: float | None
    high: float | None
    bins: Bins


@dataclass(frozen=True, kw_only=True, slots=True)
class Categories:
    """A column of categories in one split."""

    name: str
    n: int
    missing: int
    counts: Mapping[str, int]
    """The most frequent ones."""
    others: int
    """Samples of all other categories."""
    buckets: tuple[int, ...]
    """Samples of each of 64 sets of categories, told by a hash of the name; () where every category is counted. Which
    categories are the most frequent depends on the sample, and a comparison of those alone would cry wolf."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pixels:
    """All pixels of the pictures of one mode, in one split: exact, from integer sums."""

    mode: str
    """'L', 'LA', 'RGB' or 'RGBA', with ';16' for 16-bit channels."""
    pictures: int
    mean: tuple[float, ...]
    """One a channel, from 0 to 255, or 65,535."""
    std: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitProfile:
    """One split."""

    name: str
    """'' for samples without a split."""
    n_samples: int
    n_unreadable: int
    n_bytes: int | None
    """Of the files; None for rows."""
    n_independent: float
    """How many independent samples they are worth at least, n² / Σm² with m the sizes of groups, or of copies: Kish's
    effective size where those of one group are all alike."""
    label: Categories | None
    """None where no sample has a class."""
    target: Numbers | None
    """Of a regression, in place of a label."""
    pixels: tuple[Pixels, ...]
    numbers: tuple[Numbers, ...]
    """Columns of the table, and figures of the pictures, by name."""
    categories: tuple[Categories, ...]

    @property
    def columns(self) -> tuple[Numbers | Categories, ...]:
        """All columns, numbers first."""
        return (*self.numbers, *self.categories)

    @property
    def truth(self) -> Categories | Numbers | None:
        """What is to be predicted: the label, or the target."""
        return self.label if self.target is None else self.target


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """What somebody says that the data are: a version's name, or a hash."""

    by: Literal["configuration", "dvc", "croissant"]
    file: str
    """Where it says so; '' for the configuration."""
    version: str
    """A name, or 'md5:…', 'sha256:…'."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestFile:
    """The manifest that belongs to the profile."""

    n_samples: int
    content_hash: str
    """What contents are named by."""
    keys: Literal["id", "row", "hashed"]
    """Names of samples; numbers of rows; or hashes of names, where names would take too much room."""
    labels: Literal["text", "hashed"]
    blake3: str
    """Of the file's bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A dataset version, without its samples."""

    kind: Literal["dataguard-dataset-profile"]
    schema_version: Literal[1]
    tool_version: str
    """The dataguard that wrote it."""
    name: str
    """What the dataset is called."""
    source: str
    """'folder' or 'table'; 'dvc' for a list of hashes."""
    version_id: str
    """The root of the Merkle tree over key, content, label and split of each sample."""
    stated: tuple[Stated, ...]
    manifest: ManifestFile
    splits: tuple[SplitProfile, ...]
    left_out: tuple[str, ...]
    """Columns that name the rows, and so have no distribution."""

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return self.manifest.n_samples

    def split(self, name: str) -> SplitProfile | None:
        """The split of that name, if there is one."""
        return next((item for item in self.splits if item.name == name), None)


def number_profile(name: str, values: NDArray[np.float64], *, n_columns: int = 1) -> Numbers:
    """The profile of some numbers.

    Args:
        name: The column's.
        values: Shape (n,); NaN for a missing one. Infinite ones count as the largest numbers.
        n_columns: How many columns share the room of all bins.
    """
    largest = float(np.finfo(np.float64).max)
    known = np.clip(values[~np.isnan(values)], -largest, largest)
    most = int(min(MOST_BINS, max(16, _BINS_IN_ALL // max(1, n_columns))))
    mean, std = _moments(known)
    return Numbers(
        name=name,
        n=len(known),
        missing=len(values) - len(known),
        mean=mean,
        std=std,
        low=float(known.min()) if len(known) else None,
        high=float(known.max()) if len(known) else None,
        bins=binned(known, most),
    )


def _moments(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    if not len(values):
        return None, None
    # Exactly rounded sums are the same on every processor and in every order; they are a tenth of a second a million.
    scale = float(np.abs(values).max())
    if scale > 1e150 or scale == 0:
        safe = values / scale if scale else values
    else:
        scale, safe = 1.0, values
    mean = math.fsum(safe.tolist()) / len(safe)
    std = math.sqrt(math.fsum(((safe - mean) ** 2).tolist()) / len(safe))
    return rounded(mean * scale), rounded(std * scale)


def rounded(value: float) -> float:
    """To 12 digits, which all processors agree on."""
    return float(f"{value:.{_DIGITS}g}")


def category_profile(
    name: str, texts: Sequence[str], counts: Sequence[int], missing: int, *, most: int = MOST_CATEGORIES
) -> Categories:
    """The profile of some categories.

    Args:
        name: The column's.
        texts: The categories.
        counts: How many samples each has.
        missing: Samples without any.
        most: How many are counted one by one.
    """
    order = sorted(
        ((text, n) for text, n in zip(texts, counts, strict=True) if n), key=lambda item: (-item[1], item[0])
    )
    return Categories(
        name=name,
        buckets=bucketed(dict(order)) if len(order) > most else (),
        n=int(sum(n for _, n in order)),
        missing=int(missing),
        counts={text: int(n) for text, n in sorted(order[:most])},
        others=int(sum(n for _, n in order[most:])),
    )


def bucketed(counts: Mapping[str, int]) -> tuple[int, ...]:
    """How many samples have a category of each of 64 sets, which depend on the categories' names alone."""
    made = [0] * BUCKETS
    for text, n in counts.items():
        made[blake3(text.encode("utf-8", "surrogatepass")).digest()[0] % BUCKETS] += int(n)
    return tuple(made)
