"""Which samples the permuted-label control looks at."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.finding import Inconclusive, Measurement, Skipped
from dataguard.labels.out_of_sample import MIN_PER_CLASS, MIN_SAMPLES
from dataguard.labels.permutations import Codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SAMPLES = 5000
"""A relation that so many samples do not show is weaker than the weakest planted one."""

MAX_CANDIDATES = 4 * MAX_SAMPLES
"""Samples that features need be made of: enough to find each class's share of `MAX_SAMPLES` among."""

MAX_WORK = 100_000
"""Samples × classes looked at. Of more the largest classes are: labels that mean nothing do so among those too."""

GROUP_AGREEMENT = 0.1
"""Agreement of labels in groups, beyond chance (Scott's π), above which a group counts as one sample."""


def candidates(sample_ids: Sequence[str], labels: NDArray[np.object_], *, seed: int = 0) -> list[int]:
    """Positions, ascending, of at most `MAX_CANDIDATES` samples with a label, drawn by the hash of the id.

    Args:
        sample_ids: Unique, n of them.
        labels: n given labels; None (or NaN) for a missing one.
        seed: Mixed into the hash.
    """
    held = [row for row, label in enumerate(labels) if label is not None and label == label]
    if len(held) <= MAX_CANDIDATES:
        return held
    return sorted(sorted(held, key=lambda row: lot(seed, sample_ids[row]))[:MAX_CANDIDATES])


def only_class(labels: Sequence[str | None]) -> Skipped | None:
    """Why labels of one class need no control; None where there are several."""
    held = {label for label in labels if label is not None}
    if len(held) > 1:
        return None
    return Skipped(reason=f"only one class, {held.pop()!r}", hint="one class cannot be told from others")


def chosen_classes(labels: NDArray[np.str_]) -> tuple[tuple[str, ...], Codes, NDArray[np.intp]] | Inconclusive:
    """Classes that are large enough, codes, and positions of at most `MAX_SAMPLES` samples, each class in proportion.

    Positions keep their order, in which the first of a class are taken.
    """
    classes, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    large = np.flatnonzero(counts >= MIN_PER_CLASS)
    # The largest first, in no order among equals, as long as the work allows.
    large = np.array(sorted(large, key=lambda code: (-counts[code], lot(0, str(classes[code])))), dtype=np.intp)
    work = np.minimum(counts[large].cumsum(), MAX_SAMPLES) * np.arange(1, len(large) + 1)
    large = np.sort(large[: max(2, int(np.sum(work <= MAX_WORK)))])
    total = int(counts[large].sum())
    if len(large) < 2 or total < MIN_SAMPLES:
        return Inconclusive(
            reason=f"too few samples: {total} in {len(large)} classes of {MIN_PER_CLASS} or more distinct ones",
            measurements=(
                Measurement(name="distinct samples in such classes", value=total, threshold=MIN_SAMPLES, n=len(labels)),
                Measurement(name="such classes", value=len(large), threshold=2, n=len(labels)),
            ),
        )
    share = min(1.0, MAX_SAMPLES / total)
    kept = [np.flatnonzero(numbers == code)[: max(MIN_PER_CLASS, round(share * int(counts[code])))] for code in large]
    positions = np.sort(np.concatenate(kept))
    codes: Codes = np.searchsorted(large, numbers[positions]).astype(np.int32)
    return tuple(str(classes[code]) for code in large), codes, positions


def first_of_copies(
    matrix: NDArray[np.float32], rows: Sequence[int], contents: Sequence[str | None] | None
) -> list[int]:
    """The rows whose content and features no row before has."""
    seen: set[object] = set()
    kept = []
    for row in rows:
        # Adding 0 makes 0 of −0.
        keys: list[object] = [hashlib.blake2b((matrix[row] + np.float32(0)).tobytes(), digest_size=16).digest()]
        if contents is not None and contents[row] is not None:
            keys.append(contents[row])
        if not any(key in seen for key in keys):
            kept.append(row)
        seen.update(keys)
    return kept


def first_of_groups(rows: Sequence[int], groups: Sequence[str | None]) -> list[int]:
    """The first row of every group, and every row without one."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        group = groups[row]
        if group is None or group not in seen:
            kept.append(row)
        if group is not None:
            seen.add(group)
    return kept


def one_a_group(
    rows: list[int], groups: Sequence[str | None] | None, labels: Sequence[str | None]
) -> tuple[list[int], int]:
    """One row of each group where labels go with groups, else all; and how many are left out."""
    if groups is None or not _groups_agree([groups[row] for row in rows], [labels[row] for row in rows]):
        return rows, 0
    kept = first_of_groups(rows, groups)
    return kept, len(rows) - len(kept)


def _groups_agree(groups: Sequence[str | None], labels: Sequence[str | None]) -> bool:
    """Whether samples of one group agree in their labels more than samples of any."""
    held = [(group, label) for group, label in zip(groups, labels, strict=True) if group is not None]
    if not held:
        return False
    group_codes = np.unique([group for group, _ in held], return_inverse=True)[1]
    label_codes = np.unique([str(label) for _, label in held], return_inverse=True)[1]
    sizes = np.bincount(group_codes)
    cells = np.unique(np.stack([group_codes, label_codes]), axis=1, return_counts=True)[1]
    pairs = float((sizes * (sizes - 1)).sum())
    if pairs == 0:
        return False
    shares = np.bincount(label_codes) / len(held)
    chance = float((shares**2).sum())
    agreement = float((cells * (cells - 1)).sum()) / pairs
    return chance < 1 and (agreement - chance) / (1 - chance) > GROUP_AGREEMENT


def lot(seed: int, sample_id: str) -> bytes:
    """What decides the order of samples: a hash of the seed and the id."""
    text = f"{seed}\x1f{sample_id}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=8).digest()
