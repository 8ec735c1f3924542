"""The noise rate by counting: confident learning on the leading classes."""

from __future__ import annotations

import numpy as np

from dataguard.labels.leading import Leading, Others


def confident_rate(leading: Leading, runners_up: Others) -> float:
    """The share of labels off the diagonal of the calibrated confident joint (Northcutt et al. 2021).

    A sample counts for its likeliest class among those that it belongs to with at least the mean probability of the
    samples labelled so. Only the leading classes are looked at, which hold nearly all that can be above that mean.

    Args:
        leading: The samples, all with labels.
        runners_up: Their likeliest other classes.
    """
    k = leading.n_classes
    sizes = np.bincount(leading.given, minlength=k)
    means = np.bincount(leading.given, leading.p_given, k) / np.maximum(sizes, 1)
    means = np.where(sizes > 0, means, np.inf).astype(np.float32)
    counted = np.full(len(leading), -1, dtype=np.int32)
    best = np.zeros(len(leading), dtype=np.float32)
    for column, probability in (
        (leading.given, leading.p_given),
        (runners_up.place, runners_up.p),
        (leading.top, leading.p_top),
    ):
        confident = (probability >= means[column] - np.float32(1e-6)) & (probability > best)
        counted[confident] = column[confident]
        best[confident] = probability[confident]
    sure = counted >= 0
    right = np.bincount(leading.given[sure & (counted == leading.given)], minlength=k)
    total = np.bincount(leading.given[sure], minlength=k)
    shares = np.where(total > 0, right / np.maximum(total, 1), 1.0)
    return float(1 - (shares @ sizes) / sizes.sum())
