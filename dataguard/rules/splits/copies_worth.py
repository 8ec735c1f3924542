"""What copies of evaluation samples in the training split are worth, and what a row holds."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from dataguard.core.split_roles import is_training
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.leaks import worth_of_training_samples
from dataguard.splits.worth.record import NoWorth, Worth

SEED = 0
_VALUES_SHOWN = 6
_LONGEST = 60


def worth_of_copies(
    samples: SplitSamples | None, left: str, right: str, copied: Collection[str]
) -> Worth | NoWorth | None:
    """The score on the right split with and without the copies in the left one, which is trained on.

    Args:
        samples: The samples with features; None where there are none.
        left: The split that is trained on; otherwise there is nothing to measure.
        right: The split that is evaluated.
        copied: Ids of the samples of the left split that have a copy in the right one.

    Returns:
        None where nothing is trained on either split, or nothing is known of the samples.
    """
    if samples is None or not is_training(left) or is_training(right):
        return None
    subject = f"the copies in {left or 'the samples without a split'}"
    target = samples.target
    if samples.features is None or target is None:
        return NoWorth(subject=subject, reason="there are no labels or nothing to predict them from")
    leaked = np.array([sample_id in copied for sample_id in samples.sample_ids], dtype=np.bool_)
    return worth_of_training_samples(
        samples.features,
        target,
        samples.within(left),
        samples.within(right),
        leaked & samples.within(left),
        subject=subject,
        task="regression" if samples.labels is None else "classification",
        seed=SEED,
    )


def row_in_words(samples: SplitSamples | None, sample_id: str) -> str:
    """The first values of a row; '' where they are not known.

    Args:
        samples: The samples with their columns.
        sample_id: Which of them.
    """
    if samples is None or samples.columns is None:
        return ""
    try:
        row = samples.sample_ids.index(sample_id)
    except ValueError:
        return ""
    names = samples.feature_columns
    shown = [f"{name}={samples.columns[name].iloc[row]}" for name in names[:_VALUES_SHOWN]]
    cut = [text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…" for text in shown]
    return ", ".join(cut) + (f", and {len(names) - len(cut)} more" if len(names) > len(cut) else "")
