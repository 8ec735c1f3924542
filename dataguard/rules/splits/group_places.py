"""Groups on both sides of a split, as a finding shows them."""

from __future__ import annotations

import itertools

from dataguard.core.exhibit import Exhibit, Listing, PairGallery, Picture, PicturePair
from dataguard.core.finding import Location
from dataguard.splits.groups import Straddling
from dataguard.splits.samples import SplitSamples

LISTED = 200
"""Rows of an exhibit; the locations hold all."""
PAIRS = 24
RELATED = 20
"""Samples that a location names beside its own."""


def group_locations(samples: SplitSamples, shared: Straddling, *, column: str | None = None) -> tuple[Location, ...]:
    """A place for each group that both splits have: its first sample in the right one, with the others."""
    made = []
    for group, left_rows, right_rows in zip(shared.groups, shared.left_rows, shared.right_rows, strict=True):
        others = [samples.sample_ids[row] for row in (*right_rows[1:], *left_rows)]
        made.append(
            Location(
                path=samples.paths[right_rows[0]],
                column=column,
                sample_id=samples.sample_ids[right_rows[0]],
                split=shared.right,
                related=tuple(others[:RELATED]),
                note=f"group {group!r}: {len(right_rows):,} in {split_word(shared.right)}, {len(left_rows):,} in "
                f"{split_word(shared.left)}",
            )
        )
    return tuple(made)


def group_exhibits(samples: SplitSamples, shared: Straddling, title: str) -> tuple[Exhibit, ...]:
    """How many samples of each group are on either side; of pictures one of each side by side."""
    rows = zip(shared.groups, shared.left_rows, shared.right_rows, strict=True)
    listing = Listing(
        title=title,
        columns=("group", split_word(shared.left), split_word(shared.right)),
        rows=tuple(
            (group, len(left_rows), len(right_rows)) for group, left_rows, right_rows in itertools.islice(rows, LISTED)
        ),
        total=len(shared.groups),
    )
    if samples.kind != "image" and samples.facts is None:
        return (listing,)
    pairs = tuple(
        PicturePair(
            left=_picture(samples, left_rows[0]), right=_picture(samples, right_rows[0]), caption=f"group {group!r}"
        )
        for group, left_rows, right_rows in itertools.islice(
            zip(shared.groups, shared.left_rows, shared.right_rows, strict=True), PAIRS
        )
    )
    return (PairGallery(title=title, pairs=pairs, total=len(shared.groups)), listing)


def _picture(samples: SplitSamples, row: int) -> Picture:
    label = None if samples.labels is None else samples.labels[row]
    return Picture(
        sample_id=samples.sample_ids[row],
        path=samples.paths[row],
        split=samples.splits[row],
        given=None if label is None else str(label),
    )


def split_word(split: str) -> str:
    """What a split is called in a sentence."""
    return split or "the samples without a split"
