"""Whether a result is the same: bitwise, float noise, decision-safe or changed; stage by stage, and overall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.reproduction.golden import Golden, sample_hash
from dataguard.reproduction.runner import Stages
from dataguard.reproduction.tolerance import Tolerance, largest_difference, rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOP = 5
"""Classes of the top-k agreement, beside the first."""
_WORST = 8


class Verdict(Enum):
    """How a result is to its golden values, from the best."""

    BITWISE = "bitwise"
    """Every bit is the same."""
    FLOAT_NOISE = "float noise"
    """max |Δ| ≤ 8·e0: as far as rounding in another order goes."""
    DECISION_SAFE = "decision-safe"
    """max |Δ| is below half of the smallest margin between the first and the second class: no decision can change."""
    CHANGED = "changed"
    """None of these."""

    @property
    def rank(self) -> int:
        """0 for the best."""
        return tuple(Verdict).index(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorstSample:
    """A sample by how far it moved."""

    index: int
    name: str
    largest: float
    """max |Δ|."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageVerdict:
    """One stage held against its golden values."""

    stage: str
    verdict: Verdict
    n: int
    """Samples that were compared, by hash."""
    n_different: int
    """Samples that are not bitwise equal."""
    n_values: int
    """Values that were compared; only samples whose golden values are kept can be."""
    n_values_different: int
    largest: float
    """max |Δ|; infinite where shapes differ or a value is not finite; NaN where only hashes are there."""
    tolerance: Tolerance
    scaled_ulp: float
    """max |Δ| / (eps·max |y|); NaN for integers."""
    top1: float | None = None
    """The share of samples whose first class is the same; None where the stage has no classes."""
    topk: float | None = None
    """The mean share of the first `TOP` classes that are the same."""
    margin: float | None = None
    """The smallest difference between the first and the second class of the golden values."""
    worst: tuple[WorstSample, ...] = ()
    reason: str = ""
    """What cannot be said in numbers: another shape, another type, no such stage."""

    @property
    def share_different(self) -> float:
        """The share of values that differ."""
        return self.n_values_different / self.n_values if self.n_values else 0.0

    @property
    def least_tolerance(self) -> float:
        """The smallest absolute tolerance that would pass: max |Δ|."""
        return self.largest

    @property
    def in_e0(self) -> float:
        """The largest |Δ| in units of e0."""
        e0 = self.tolerance.e0
        return self.largest / e0 if e0 else (0.0 if self.largest == 0 else math.inf)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A result held against its golden values."""

    stages: tuple[StageVerdict, ...]
    """In the order in which they happen."""
    output: str
    """The stage that is the result."""

    @property
    def overall(self) -> Verdict:
        """The verdict on the output."""
        return next(item.verdict for item in self.stages if item.stage == self.output)

    @property
    def result(self) -> StageVerdict:
        """The output's own comparison."""
        return next(item for item in self.stages if item.stage == self.output)

    @property
    def first_changed(self) -> StageVerdict | None:
        """The first stage that moved by more than float noise; None where none did."""
        return next((item for item in self.stages if item.verdict.rank > Verdict.FLOAT_NOISE.rank), None)

    @property
    def first_different(self) -> StageVerdict | None:
        """The first stage that is not bitwise the same; None where all are."""
        return next((item for item in self.stages if item.verdict is not Verdict.BITWISE), None)


def compare(
    hashes: Mapping[str, Sequence[str]],
    golden: Golden | None,
    found: Stages,
    tolerances: Mapping[str, Tolerance],
    *,
    output: str,
    classes: bool,
    names: Sequence[str],
    kept: Sequence[int] | None = None,
) -> Comparison:
    """Hold what a run gave against what is locked.

    Args:
        hashes: `sample_hash` of each sample, by stage, stages in the order in which they happen.
        golden: The arrays; None where the file is missing, and then hashes decide alone.
        found: What the run gave.
        tolerances: By stage.
        output: The stage that is the result.
        classes: Whether that is one number a class.
        names: What the samples are called.
        kept: The indices of the locked samples that were run, in `found`'s order; None for all.
    """
    chosen = range(len(names)) if kept is None else kept
    verdicts = []
    for stage, locked in hashes.items():
        if stage not in found:
            verdicts.append(_missing(stage, len(chosen), tolerances[stage], list(found)))
            continue
        arrays = () if golden is None else golden.stages.get(stage, ())
        verdicts.append(
            _stage(
                stage,
                [
                    (index, names[index], locked[index], arrays[index] if index < len(arrays) else None)
                    for index in chosen
                ],
                found[stage],
                tolerances[stage],
                classes=classes and stage == output,
            )
        )
    return Comparison(stages=tuple(verdicts), output=output)


def _missing(stage: str, n: int, allowed: Tolerance, there: Sequence[str]) -> StageVerdict:
    return StageVerdict(
        stage=stage,
        verdict=Verdict.CHANGED,
        n=n,
        n_different=n,
        n_values=0,
        n_values_different=0,
        largest=math.inf,
        tolerance=allowed,
        scaled_ulp=math.nan,
        reason=f"the run has no stage {stage!r}; it has {', '.join(map(repr, there))}",
    )


def _stage(
    stage: str,
    locked: Sequence[tuple[int, str, str, NDArray[Any] | None]],
    found: Sequence[NDArray[Any]],
    allowed: Tolerance,
    *,
    classes: bool,
) -> StageVerdict:
    largest, n_values, n_differing, different, unknown = 0.0, 0, 0, 0, 0
    reasons: dict[str, None] = {}
    moved: list[WorstSample] = []
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = []
    for (index, name, digest, golden), sample in zip(locked, found, strict=True):
        same = sample_hash(sample) == digest
        different += not same
        if golden is None:
            unknown += not same
            continue
        pairs.append((golden, sample))
        n_values += golden.size
        if same:
            continue
        if golden.dtype != sample.dtype:
            reasons[f"its type is {sample.dtype}, and was {golden.dtype}"] = None
        if golden.shape != sample.shape:
            reasons[f"its shape is {sample.shape}, and was {golden.shape}"] = None
            n_differing += golden.size
        else:
            n_differing += int((~((golden == sample) | ((golden != golden) & (sample != sample)))).sum())
        apart = largest_difference(golden, sample)
        largest = max(largest, apart)
        if apart > 0:
            moved.append(WorstSample(index=index, name=name, largest=apart))
    scale = rounding([golden for golden, _ in pairs])
    facts = _decisions(pairs) if classes else (None, None, None)
    margin = facts[2]
    if different == 0:
        verdict = Verdict.BITWISE
    elif unknown and unknown == different:
        largest, verdict = math.nan, Verdict.CHANGED
        reasons["its golden values are not kept, and the hashes differ"] = None
    elif unknown and allowed.value == 0:
        verdict = Verdict.CHANGED
    elif largest <= allowed.value:
        verdict = Verdict.FLOAT_NOISE
    elif margin is not None and largest < margin / 2 and not unknown:
        verdict = Verdict.DECISION_SAFE
    else:
        verdict = Verdict.CHANGED
    return StageVerdict(
        stage=stage,
        verdict=verdict,
        n=len(locked),
        n_different=different,
        n_values=n_values,
        n_values_different=n_differing,
        largest=largest,
        tolerance=allowed,
        scaled_ulp=largest / scale if scale else (0.0 if largest == 0 else math.nan),
        top1=facts[0],
        topk=facts[1],
        margin=margin,
        worst=tuple(sorted(moved, key=lambda item: (-item.largest, item.index))[:_WORST]),
        reason="; ".join(reasons),
    )


def _decisions(
    pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]],
) -> tuple[float | None, float | None, float | None]:
    """Agreement of the first class, of the first `TOP`, and the smallest margin; None where there are no classes."""
    usable = [(one, two) for one, two in pairs if one.ndim == 1 and one.shape == two.shape and one.size >= 2]
    if not usable or len(usable) < len(pairs):
        return None, None, None
    if any(one.dtype.kind != "f" for one, _ in usable):
        return None, None, None
    first, several, margin = 0, 0.0, math.inf
    for one, two in usable:
        order, other = np.argsort(-one, kind="stable"), np.argsort(-two, kind="stable")
        k = min(TOP, one.size)
        first += int(order[0] == other[0])
        several += len(set(order[:k].tolist()) & set(other[:k].tolist())) / k
        margin = min(margin, float(one[order[0]]) - float(one[order[1]]))
    return first / len(usable), several / len(usable), margin if math.isfinite(margin) else None
