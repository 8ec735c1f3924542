"""How often a baseline takes label noise for worse that is not, and how often it sees that it is.

Sets of 2,000 samples with 8 % wrong labels, judged by simulated probabilities, grow by 5 % while the probabilities are
estimated anew (noise of some standard deviation on every logit), with 0, 2 or 4 % more wrong labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataguard.core.baseline import compared, recorded
from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject
from dataguard.labels import assess

N, N_CLASSES, GROWTH, NOISE = 2000, 5, 0.05, 0.08


def mislabelled(labels: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The labels with a share of them replaced by others."""
    wrong = rng.random(len(labels)) < share
    return np.where(wrong, (labels + rng.integers(1, N_CLASSES, len(labels))) % N_CLASSES, labels)


def judged(labels: NDArray[np.int64], logits: NDArray[np.float64], jitter: float, rng: np.random.Generator) -> Report:
    """The report on samples whose probabilities were estimated once."""
    powers = np.exp(logits + rng.normal(0, jitter, logits.shape))
    suspicious = np.flatnonzero(assess(labels, powers / powers.sum(axis=1, keepdims=True)).is_error)
    finding = Finding(
        code="DG101",
        name="label-noise",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        message="Labels are wrong.",
        remedy="",
        locations=tuple(Location(sample_id=str(row)) for row in suspicious),
        estimated=True,
    )
    run = RuleRun(
        code="DG101",
        name="label-noise",
        summary="",
        severity=Severity.ERROR,
        status=Status.FOUND,
        findings=(finding,),
    )
    return Report(
        subject=Subject(kind="dataset", path="", root="", n_samples=len(labels)),
        runs=(run,),
        tool_version="",
        started_at="",
        seconds=0,
        configuration={},
        environment={},
    )


def is_new(more: float, jitter: float, rng: np.random.Generator) -> bool:
    """Whether the grown set fails against the baseline of the one before."""
    truth = rng.integers(0, N_CLASSES, N)
    logits = rng.normal(0, 1, (N, N_CLASSES))
    logits[np.arange(N), truth] += 3.5
    labels = mislabelled(truth, NOISE, rng)
    then = int(N / (1 + GROWTH))
    baseline = recorded(judged(labels[:then], logits[:then], jitter, rng))
    now = judged(mislabelled(labels, more, rng), logits, jitter, rng)
    ((run,), _) = compared(now.runs, baseline, n_samples=N)
    return bool(run.findings)


def main() -> None:
    """Print the share of sets that fail."""
    rng = np.random.default_rng(0)
    for jitter in (0.0, 0.2, 0.5):
        for more, times in ((0.0, 300), (0.02, 60), (0.04, 60)):
            failed = sum(is_new(more, jitter, rng) for _ in range(times))
            print(f"logits vary by {jitter}, {more:.0%} more wrong labels: {failed} of {times} are new")


if __name__ == "__main__":
    main()
