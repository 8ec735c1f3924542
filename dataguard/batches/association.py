"""Whether each input still carries its own label, held against the source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.batches.matches import agreement
from dataguard.batches.significance import SMALLEST, OrderTest
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

Association = Literal["kept", "partly broken", "broken"]
"""All labels agree with the source; fewer than expected do; no more than by chance."""

LEVEL = 1e-4
"""p-value below which labels agree more than by chance, or less than in the source."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelAssociation:
    """Labels of the stream against those the source gives, or suggests, for the same inputs."""

    verdict: Association
    agree: int
    n: int
    """Samples that could be compared."""
    expected_agreement: float
    """The share that agrees if nothing is wrong: 1 for known samples, or that of the source itself."""
    kappa: float
    """Agreement beyond chance, from 0 (none) to 1 (as much as in the source)."""
    wrong: NDArray[np.int64]
    """Places in the stream where they differ; read-only."""
    chance: OrderTest | None
    """Upper tail: that they agree more than by chance. None where all labels are the same."""
    below: OrderTest
    """Lower tail: that they agree less than they should."""


def label_association(
    given: NDArray[np.generic],
    source: NDArray[np.generic],
    *,
    expected_agreement: float = 1.0,
    expected_from: int = 0,
    level: float = LEVEL,
) -> LabelAssociation | Inconclusive:
    """Whether labels belong to their inputs.

    For samples found in the source by id or hash, `source` holds their labels there, and every difference is a wrong
    label. For augmented samples it holds what a classifier makes of the inputs (for example the label of the nearest
    neighbour in the source), and `expected_agreement` how often that classifier is right on the source, held out. Two
    tests: `matches.agreement` against labels permuted apart from inputs, and the binomial chance of so few agreements,
    with the uncertainty of `expected_agreement` allowed for.

    Args:
        given: Label of each sample in the stream, shape (n,).
        source: Label of the same sample by the source, of the same kind, shape (n,).
        expected_agreement: Share of agreement if nothing is wrong, above 0 and at most 1.
        expected_from: How many samples that share was measured on; 0 if it is exact.
        level: p-value below which either test decides.

    Raises:
        ValueError: lengths differ, or the share is out of range.

    Example:
        >>> labels = np.arange(400) % 4
        >>> label_association(np.random.default_rng(0).permutation(labels), labels).verdict
        'broken'
    """
    given, source = np.asarray(given), np.asarray(source)
    if len(given) != len(source):
        raise ValueError(f"labels to compare: expected the same length, got {len(given)} and {len(source)}")
    if not 0 < expected_agreement <= 1:
        raise ValueError(f"expected_agreement: expected a share above 0 and at most 1, got {expected_agreement}")
    n = len(given)
    if n < 2:
        return Inconclusive(reason=f"{n} samples of the stream were found in the source")
    same = given == source
    agree = int(same.sum())
    found = agreement(given, source, name="labels agree with the source", what="labels agree with the source")
    chance = None if isinstance(found, Inconclusive) else found
    values, (ours, theirs) = _margins(given, source)
    by_chance = float((ours * theirs).sum()) / n**2
    p_below = _below(agree, n, expected_agreement, expected_from)
    below = OrderTest(
        name="labels agree less than in the source",
        statistic=agree,
        expected=n * expected_agreement,
        deviation=math.sqrt(n * expected_agreement * (1 - expected_agreement)),
        p_value=p_below,
        tail="lower",
        n=n,
        method="exact" if not expected_from else "asymptotic",
        effect=f"{agree:,} of {n:,} labels agree with the source, {n * expected_agreement:,.0f} if nothing is wrong",
    )
    above = chance is not None and chance.p_value < level
    verdict: Association = "kept"
    if p_below < level:
        verdict = "partly broken" if above or chance is None else "broken"
    room = expected_agreement - by_chance
    wrong = np.flatnonzero(~same)
    wrong.flags.writeable = False
    del values
    return LabelAssociation(
        verdict=verdict,
        agree=agree,
        n=n,
        expected_agreement=expected_agreement,
        kappa=max(0.0, min(1.0, (agree / n - by_chance) / room)) if room > 0 else 0.0,
        wrong=wrong,
        chance=chance,
        below=below,
    )


def _margins(
    given: NDArray[np.generic], source: NDArray[np.generic]
) -> tuple[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    _, inverse = np.unique(np.concatenate([given, source]), return_inverse=True)
    values = int(inverse.max()) + 1
    ours = np.bincount(inverse[: len(given)], minlength=values).astype(np.float64)
    return values, (ours, np.bincount(inverse[len(given) :], minlength=values).astype(np.float64))


def _below(agree: int, n: int, share: float, measured_on: int) -> float:
    """P(so few agree). A share measured on m samples makes the count beta-binomial (Jeffreys' prior)."""
    if share == 1.0 and not measured_on:
        return 1.0 if agree == n else SMALLEST
    if not measured_on:
        from scipy.special import bdtr

        return float(max(bdtr(agree, n, share), SMALLEST))
    from scipy.stats import betabinom

    right = share * measured_on
    return float(max(betabinom.cdf(agree, n, right + 0.5, measured_on - right + 0.5), SMALLEST))
