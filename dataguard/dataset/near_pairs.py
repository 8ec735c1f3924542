"""Pairs of pictures that are one picture, and what speaks for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dataguard.dataset.class_counts import split_order
from dataguard.dataset.duplicates import Member
from dataguard.dataset.hamming import MAX_DISTANCE
from dataguard.dataset.registration import WHOLE, Window, cut_off


@dataclass(frozen=True, kw_only=True, slots=True)
class NearDuplicatePair:
    """Two pictures that are one picture."""

    left: Member
    right: Member
    distance: int | None
    """Bits in which the perceptual hashes differ, of 64; None where vectors alone found the pair."""
    residual: float | None
    """Share of the variance that the best edit found leaves unexplained; None where vectors alone found the pair."""
    chance_pairs: float | None
    """How many unrelated pairs of the dataset are expected to be at least as alike; roughly, as smooth pictures do not
    keep to the power law that it extrapolates. None in tiny datasets, and where an edit reproduces the file."""
    detail: float | None = None
    """Correlation of the fine detail in the files; None where the pictures have none beyond the thumbnail."""
    mirrored: bool = False
    """Whether one is the other's mirror image, left and right exchanged."""
    chroma: float | None = None
    """Correlation of the colours; None where one of the two is gray."""
    window: Window = WHOLE
    """What the right one shows of the left one: width and middle, height and middle, from −1 to 1."""
    saved_again: bool = False
    """The residual is that of one picture saved with the JPEG tables of the other."""
    cosine: float | None = None
    """Cosine similarity of the user's own vectors, where these found the pair."""

    @property
    def why(self) -> str:
        """Why it is believed, in a few words."""
        chance = (
            []
            if self.chance_pairs is None
            else [f"some {self.chance_pairs:.0e} such pairs expected by chance, by extrapolation"]
        )
        vectors = [] if self.cosine is None else [f"cosine {self.cosine:.3f} by the given vectors"]
        if self.residual is None:
            return " · ".join([*vectors, *chance])
        parts = ["mirrored"] if self.mirrored else []
        if self.window != WHOLE:
            parts.append(f"cropped by {cut_off(self.window):.1%} of a side at most")
        if self.distance is not None:
            parts.append(f"{self.distance} of 64 hash bits differ")
        parts.append(
            f"{self.residual:.2%} of the variance unexplained{' once saved alike' if self.saved_again else ''}"
        )
        if self.detail is None or (self.chance_pairs is not None and self.chance_pairs <= 1):
            # What thumbnails alone give by chance is beside the point where it is the finer pixels that decided.
            parts += chance
        if self.detail is not None:
            parts.append(f"fine detail correlates {self.detail:.2f}")
        if self.chroma is not None:
            parts.append(f"colours correlate {self.chroma:.2f}")
        return " · ".join(parts + vectors)


@dataclass(frozen=True, kw_only=True, slots=True)
class NearDuplicates:
    """Pairs of near-duplicate pictures in a dataset, and how they were found."""

    pairs: tuple[NearDuplicatePair, ...]
    """Most alike first; pairs of equal content are left out."""
    sizes: Mapping[str, int]
    """Samples with a perceptual hash by split."""
    n_hashed: int
    """Pictures that were compared: one for each content and split."""
    n_candidates: int
    """Pairs within the distance in force, or near neighbours by their lowest frequencies."""
    n_alike: int
    """Of these, pairs whose thumbnails are more alike than chance allows."""
    n_looked: int
    """Of these, pairs whose files were compared."""
    max_distance: int
    """The Hamming distance in force."""
    asked_distance: int
    """The one asked for; larger where too many hashes collide."""
    collision_rate: float
    """Share of random pairs within the distance asked for."""
    dimension: float | None
    """Intrinsic dimension of the thumbnails; None where there are too few to tell."""
    typical_residual: float | None
    """The residual between a picture and its nearest neighbour, the median."""
    truncated: bool = False
    """Not all candidates could be looked at."""
    n_textureless: int = 0
    """Pictures without a perceptual hash."""
    vectors: str | None = None
    """What the user's vectors are; None where there are none."""
    n_by_vectors: int = 0
    """Pairs that these found, among them some that the pixels found too."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Further figures that the search rests on, by what they are called in the report."""

    @classmethod
    def from_pairs(cls, pairs: Iterable[NearDuplicatePair], *, sizes: Mapping[str, int]) -> NearDuplicates:
        """Pairs that are already known, most alike first.

        Args:
            pairs: Each pair once.
            sizes: Pictures by split.
        """
        listed = tuple(pairs)
        return cls(
            pairs=listed,
            sizes={split: sizes[split] for split in sorted(sizes, key=split_order)},
            n_hashed=sum(sizes.values()),
            n_candidates=len(listed),
            n_alike=len(listed),
            n_looked=len(listed),
            max_distance=MAX_DISTANCE,
            asked_distance=MAX_DISTANCE,
            collision_rate=0.0,
            dimension=None,
            typical_residual=None,
        )
