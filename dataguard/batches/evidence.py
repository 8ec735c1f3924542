"""What was found of a stream's order, epoch by epoch, which the rules decide by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.batches.buffer import ShuffleBuffer
from dataguard.batches.epochs import (
    EpochComparison,
    RepeatedBatches,
)
from dataguard.batches.kinds import Pass
from dataguard.batches.order import ALPHA, RULE_OF
from dataguard.batches.sampling import SamplerKind
from dataguard.batches.significance import OrderTest
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Inconclusive
from dataguard.core.multiple_tests import holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PASSES = 4
"""Passes whose order is tested, the first ones. Each brings up to 16 tests, and the smallest Monte-Carlo p-value of
1e-4 must stay below 0.01 after correction for all of them."""

RANDOMNESS_TESTS, LABEL_TESTS = 5, 1
"""Tests that DG210 and DG212 make later, and DG211 one of every pass, for which the correction leaves room."""

ALONE = 40
"""Size of the family where a rule is asked by itself: about that of two epochs with labels and indices."""

LARGEST_BUFFER = 0.75
"""Share of the source above which a buffer is as good as a full shuffle, and none to blame."""

Compared = Literal["index in the dataset", "sample ids", "content", "labels"]
"""By what two epochs or batches were compared."""

TESTS_OF = MappingProxyType({**RULE_OF, "overlap": "DG205"})
"""The rule that each test of an epoch's order speaks for."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpochOrder:
    """The order of one pass over the loader."""

    item: Pass
    """The pass."""
    first_batch: int
    """Row of its first batch in the stream's ``batch_…`` arrays."""
    codes: NDArray[np.int32]
    """Class of each sample that has one, in order, shape (n,); all 0 where labels say nothing."""
    batch_sizes: NDArray[np.int32]
    """Samples with a class in each batch, shape (batches,)."""
    tests: Mapping[str, OrderTest]
    """By name, as in `TESTS_OF`."""
    adjusted: Mapping[str, float]
    """Their p-values after Holm's correction for every test of the stream."""
    undecided: Mapping[str, str]
    """Why a test could not be made, by name."""
    sampler: SamplerKind | None
    """Which sampler it looks like; None without labels."""
    deliberate: bool
    """Whether its samples are drawn by a balanced, stratified or weighted sampler, which is not a fault."""
    buffer: ShuffleBuffer | None
    """The shuffle buffer that explains the order; None where none does."""
    positions: NDArray[np.int64] | None
    """Place of each sample in the source, shape (n,); None where unknown or drawn more than once."""
    position_origin: str
    """What the positions are."""

    def significant(self, rule: str, alpha: float = ALPHA) -> tuple[str, ...]:
        """Names of the tests of a rule with an adjusted p-value of at most `alpha`, smallest first."""
        found = [name for name, p in self.adjusted.items() if p <= alpha and TESTS_OF[name] == rule]
        return tuple(sorted(found, key=lambda name: self.tests[name].p_value))

    def made(self, rule: str) -> tuple[str, ...]:
        """Names of the tests of a rule that could be made."""
        return tuple(name for name in self.tests if TESTS_OF[name] == rule)

    def buffered(self, alpha: float = ALPHA) -> bool:
        """Whether the order is that of a shuffle buffer over ordered data: of two samples to `LARGEST_BUFFER`."""
        held = self.buffer is not None and self.buffer.low >= 2 and self.buffer.share <= LARGEST_BUFFER
        # A buffer lets hardly any sample be followed by its successor; blocks of the source do.
        return (
            held and bool(self.significant("DG205", alpha)) and not self.regular(alpha) and not self.sequential(alpha)
        )

    def sequential(self, alpha: float = ALPHA) -> bool:
        """Whether at least half of the samples follow each other as they do in the source."""
        if "successors" not in self.significant("DG201", alpha):
            return False
        return follows(self.tests["successors"])

    def regular(self, alpha: float = ALPHA) -> bool:
        """Whether the classes take turns, and neighbours are not more often of one class than by chance."""
        turns = {"period", "alternation"} & set(self.significant("DG206", alpha))
        clustered = "clustering" in self.significant("DG201", alpha)
        return bool(turns) and not (clustered or self.deliberate or self.sequential(alpha))

    @property
    def where(self) -> str:
        """Which epoch it is, in words."""
        return f"epoch {self.item.epoch}" + (f" of rank {self.item.rank}" if self.item.rank >= 0 else "")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Repeats:
    """Batches of one pass that came before in it."""

    item: Pass
    by: Compared
    found: RepeatedBatches | Inconclusive
    adjusted: float
    """p-value after Holm's correction; NaN where it could not be decided."""
    first_batch: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpochPair:
    """One pass against the pass of the epoch before, of the same rank."""

    before: Pass
    item: Pass
    by: Compared
    found: EpochComparison | Inconclusive
    adjusted: tuple[float, ...]
    """p-values of the comparison's tests after Holm's correction."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OrderEvidence:
    """Everything that the rules about order look at."""

    stream: BatchStream
    epochs: tuple[EpochOrder, ...]
    """The first `MAX_PASSES` passes."""
    repeats: tuple[Repeats, ...]
    pairs: tuple[EpochPair, ...]
    unlabelled: str
    """Why the labels say nothing of the order; '' where they do."""
    p_values: tuple[float, ...]
    """Every p-value of the family that is known here, before correction."""
    later: int
    """Tests of the family that rules make afterwards: of shared randomness, of the samples of each epoch, of labels."""
    seed: int
    """Seed of all permutations."""

    @property
    def n_tests(self) -> int:
        """All tests of the stream, which are corrected together."""
        return len(self.p_values) + self.later


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SecondRecording:
    """The same loader recorded once more from the start, with the same seed."""

    stream: BatchStream


def corrected(evidence: OrderEvidence | None, p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values of tests that a rule makes by itself, after Holm's correction for the whole family.

    Each takes one of the places that were kept for it, as if with p = 1, when the order was tested. So the corrections
    made then hold whatever the p-values are, since Holm's factors can only fall where one of them turns out smaller.

    Args:
        evidence: The other tests; None where they were not made, for a family of `ALONE`.
        p_values: From 0 to 1.

    Example:
        >>> corrected(None, [0.0001, 0.5])
        (0.004, 1.0)
    """
    known = () if evidence is None else evidence.p_values
    others = (ALONE if evidence is None else evidence.n_tests) - len(known) - len(p_values)
    return tuple(holm([*p_values, *known, *[1.0] * max(0, others)])[: len(p_values)].tolist())


def family_level(evidence: OrderEvidence | None, alpha: float) -> float:
    """The level of one test by itself: `alpha` shared by the whole family, which is Holm's first and strictest step.

    Args:
        evidence: As for `corrected`.
        alpha: Level of the family.
    """
    return alpha / (ALONE if evidence is None else evidence.n_tests)


def follows(successors: OrderTest | None) -> bool:
    """Whether at least half of the samples follow each other as in the source, by the test of just that."""
    return successors is not None and successors.statistic >= 0.5 * (successors.n - 1)
