"""What a split as it is is worth against random ones, and whether it is the later part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.assignments import grouped_assignments, worth_of_assignment
from dataguard.splits.worth.record import NoWorth, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray


def worth_of_split(samples: SplitSamples, inside: NDArray[np.bool_], split: str, *, seed: int) -> Worth | NoWorth:
    """The score under this split against that under random ones of the same sizes, groups kept whole.

    Args:
        samples: With features and labels; what is missing is the reason that nothing is measured.
        inside: Which samples are in the split, shape (n,).
        split: Its name.
        seed: Of the draws and the model.
    """
    subject = f"split {split!r} as it is, against a random one"
    if samples.target is None:
        return NoWorth(subject=subject, reason="no sample has a label")
    if samples.features is None:
        return NoWorth(subject=subject, reason="there are no features to learn from")
    groups = samples.groups or (None,) * len(samples)
    return worth_of_assignment(
        samples.features,
        samples.target,
        samples.in_training,
        inside,
        grouped_assignments(groups, samples.in_training, inside, seed=seed),
        subject=subject,
        groups=samples.groups or None,
        seed=seed,
    )


def is_later(samples: SplitSamples, inside: NDArray[np.bool_]) -> bool:
    """Whether some samples, shape (n,), were all recorded after those of training; False where no time is known."""
    if samples.times is None:
        return False
    known = ~np.isnat(samples.times)
    before, after = samples.times[samples.in_training & known], samples.times[inside & known]
    return bool(len(before) and len(after) and before.max() <= after.min())
