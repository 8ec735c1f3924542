"""Groups that nobody named: proposed from file names, columns and the order, tested, and chosen from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.finding import Inconclusive
from dataguard.core.multiple_tests import holm
from dataguard.splits.adjacency import Adjacency, adjacency
from dataguard.splits.entity_columns import candidates_of_columns
from dataguard.splits.exchange import PERMUTATIONS
from dataguard.splits.groups import Likeness, likeness
from dataguard.splits.names import Candidate, candidates_of_names, natural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.samples import SplitSamples

LEAST_RATIO = 1.2
"""Neighbours must lie together this many times as often as by chance: less is no group, however sure."""
BLOCK = 10
"""Stretches of the order that are kept whole, in reaches: an excess within r places comes of groups a few times r."""
LEAST_BLOCKS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A grouping with its test."""

    candidate: Candidate
    likeness: Likeness
    p_value: float
    """Corrected for all groupings that were tested, and the order (Holm)."""

    @property
    def ratio(self) -> float:
        """How many times as often as by chance the nearest neighbour is of the same group."""
        return self.likeness.share / max(self.likeness.expected, 1e-12)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposals:
    """Every grouping that was tested."""

    tested: tuple[Proposal, ...]
    """Most telling first."""
    order: Adjacency | Inconclusive
    order_p_value: float
    """Corrected likewise; 1 where the order could not be tested."""
    level: float
    seed: int

    @property
    def chosen(self) -> Proposal | None:
        """The grouping that tells most, one that a word speaks for before one that none does."""
        telling = [item for item in self.tested if item.p_value <= self.level and item.ratio >= LEAST_RATIO]
        return max(telling, key=lambda item: (bool(item.candidate.word), item.likeness.score), default=None)

    @property
    def hidden(self) -> Adjacency | None:
        """What the order tells, where it tells of groups."""
        found = self.order
        if isinstance(found, Inconclusive) or self.order_p_value > self.level:
            return None
        return found if found.ratio >= LEAST_RATIO else None


def order_of(samples: SplitSamples) -> NDArray[np.int64]:
    """The order that samples were recorded in, as far as the source tells: rows of a table, names of files; shape (n,).

    Files lie in folders of splits, which come before the name. Without them, the numbers of frames are in sequence
    again; unless each split numbers its own.
    """
    if samples.columns is not None or not all(samples.paths):
        return samples.positions
    stripped = []
    for path, split in zip(samples.paths, samples.splits, strict=True):
        parts = (path or "").replace("\\", "/").split("/")
        stripped.append("/".join(part for part in parts[:-1] if part != split) + "/" + parts[-1])
    if len(set(stripped)) < len(stripped):
        return samples.positions
    order = np.empty(len(stripped), dtype=np.int64)
    order[sorted(range(len(stripped)), key=lambda row: natural(stripped[row]))] = np.arange(len(stripped))
    return order


def strata_of(samples: SplitSamples) -> NDArray[np.intp]:
    """Class codes, −1 for none; all zero where there are no classes."""
    if samples.labels is None:
        return np.zeros(len(samples), dtype=np.intp)
    names: dict[str, int] = {}
    return np.array(
        [-1 if label is None else names.setdefault(str(label), len(names)) for label in samples.labels.tolist()],
        dtype=np.intp,
    )


def propose(samples: SplitSamples, *, level: float, seed: int) -> Proposals:
    """Look for groupings in names and columns, and test them and the order of the file.

    Args:
        samples: With features.
        level: Chance of any proposal from data without groups.
        seed: Of shuffles and ties.

    Raises:
        ValueError: the samples have no features.
    """
    features = samples.features
    if features is None:
        raise ValueError("samples without features cannot be compared")
    strata = strata_of(samples)
    candidates: list[Candidate] = []
    if samples.columns is None:
        candidates += candidates_of_names(
            [path or name for path, name in zip(samples.paths, samples.sample_ids, strict=True)], samples.splits, strata
        )
    else:
        if any(path is not None for path in samples.paths):
            candidates += candidates_of_names(samples.paths, samples.splits, strata)
        candidates += candidates_of_columns(samples.columns, samples.feature_columns, samples.splits, strata)
    # Enough shuffles that the least p-value, after correction, is half the level.
    permutations = max(PERMUTATIONS, math.ceil(2 * (len(candidates) + 1) / max(level, 1e-4)))
    tests: list[tuple[Candidate, Likeness]] = []
    for candidate in candidates:
        told = _others(features, samples.feature_names, candidate)
        tested = likeness(told, candidate.codes, strata, seed=seed, permutations=permutations)
        if tested is not None:
            tests.append((candidate, tested))
    order = adjacency(features, order_of(samples), strata, seed=seed, permutations=permutations)
    p_values = [tested.p_value for _, tested in tests]
    p_values.append(1.0 if isinstance(order, Inconclusive) else order.p_value)
    adjusted = holm(p_values).tolist()
    proposals = [
        Proposal(candidate=candidate, likeness=tested, p_value=p_value)
        for (candidate, tested), p_value in zip(tests, adjusted[:-1], strict=True)
    ]
    return Proposals(
        tested=tuple(sorted(proposals, key=lambda item: -item.likeness.score)),
        order=order,
        order_p_value=adjusted[-1],
        level=level,
        seed=seed,
    )


def blocks(found: Adjacency, positions: NDArray[np.int64], strata: NDArray[np.intp]) -> NDArray[np.intp]:
    """Stretches of the order that a split must keep whole, a number a sample; shape (n,).

    Where the file is sorted by class, a stretch is one of each class.
    """
    by_class = found.rows <= 1.5 * found.reach and len(np.unique(strata)) > 1
    stratum = strata if by_class else np.zeros(len(positions), dtype=np.intp)
    rank = np.empty(len(positions), dtype=np.intp)
    ordered = np.lexsort((positions, stratum))
    starts = np.searchsorted(stratum[ordered], np.unique(stratum))
    sizes = np.diff(np.append(starts, len(ordered)))
    rank[ordered] = np.arange(len(ordered)) - np.repeat(starts, sizes)
    reach = found.reach if by_class else found.rows
    length = max(1, min(BLOCK * reach, int(sizes.max()) // LEAST_BLOCKS))
    return rank // length


def beside_training(
    found: Adjacency, positions: NDArray[np.int64], in_training: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> float:
    """Share of the chosen samples with one of training within the reach, in rows; 0 where none is chosen."""
    trained = np.sort(positions[in_training])
    if not len(trained) or not chosen.any():
        return 0.0
    asked = positions[chosen]
    after = np.searchsorted(trained, asked)
    apart = np.minimum(
        np.abs(asked - trained[np.minimum(after, len(trained) - 1)]), np.abs(asked - trained[np.maximum(after - 1, 0)])
    )
    return float((apart <= found.rows).mean())


def _others(features: NDArray[np.float32], names: tuple[str, ...], candidate: Candidate) -> NDArray[np.float32]:
    """The features without those made of the candidate's own column."""
    if candidate.source != "column" or not names:
        return features
    own = (f"{candidate.name} = ", f"{candidate.name} is missing")
    kept = [at for at, name in enumerate(names) if name != candidate.name and not name.startswith(own)]
    return features[:, kept]
