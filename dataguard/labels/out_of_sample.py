"""Out-of-sample class probabilities: what a model says of a sample it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutOfSample:
    """Given labels and out-of-sample probabilities of the same samples; what DG101 looks at."""

    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    """The split of each sample; '' where it has none."""
    paths: tuple[str | None, ...]
    """The picture of each sample, relative to the root; None where it has none."""
    classes: tuple[str, ...]
    codes: NDArray[np.int32]
    """Index of each given label in ``classes``, shape (n,), read-only."""
    pred_probs: NDArray[np.float32]
    """Shape (n, classes), rows sum to 1, read-only."""
    origin: Mapping[str, str | int | float]
    """Where the probabilities come from, and every setting that made them: model, features, folds, seed."""
