"""What a leak is worth, as it is reported."""

from __future__ import annotations

from dataclasses import dataclass

from dataguard.core.finding import Measurement


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """The held-out score of a model with a leak and without it."""

    subject: str
    """What was left out: 'leaked evaluation samples', 'column age', 'the split as it is', …"""
    metric: str
    """'balanced accuracy' (mean recall of the classes) or 'R²'."""
    model: str
    """What learnt and predicted."""
    score_with: float
    """The score with the leak."""
    score_without: float
    """The score without it."""
    difference: float
    """``score_with - score_without``: what the leak adds to the score."""
    low: float
    """Lower end of the difference's interval."""
    high: float
    """Upper end."""
    level: float
    """Coverage of the interval. It holds the chance in which samples are evaluated, and not that in the training."""
    n: int
    """Evaluation samples that the scores rest on."""
    n_clusters: int
    """Independent groups among them; n where no groups are given."""
    n_training_with: int
    """Samples that the model with the leak learnt from (of one fit, where there are several)."""
    n_training_without: int
    """Samples that the model without it learnt from."""
    seed: int
    """What the draws and the model started from."""
    note: str = ""
    """What was drawn, matched or left out."""

    @property
    def is_gain(self) -> bool:
        """Whether the leak adds to the score beyond chance: the interval lies above 0."""
        return self.low > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NoWorth:
    """The worth of a leak could not be measured."""

    subject: str
    """What would have been left out."""
    reason: str
    """Why not."""


def describe(worth: Worth | NoWorth) -> str:
    """One or two sentences that hold the figures.

    >>> describe(NoWorth(subject="column age", reason="no label"))
    'What it is worth was not measured: no label.'
    """
    if isinstance(worth, NoWorth):
        return f"What it is worth was not measured: {worth.reason}."
    return (
        f"Worth {worth.difference:+.3f} {worth.metric} ({100 * worth.level:.0f} % interval {worth.low:+.3f} to "
        f"{worth.high:+.3f}): {worth.model} reach {worth.score_with:.3f} with it and {worth.score_without:.3f} "
        f"without, over {worth.n:,} held-out samples."
    )


def measurements(worth: Worth | NoWorth) -> tuple[Measurement, ...]:
    """The figures as a finding carries them.

    >>> measurements(NoWorth(subject="column age", reason="no label"))[0].value
    'not measured: no label'
    """
    if isinstance(worth, NoWorth):
        return (Measurement(name=f"worth of {worth.subject}", value=f"not measured: {worth.reason}"),)
    made = [
        Measurement(name=f"held-out {worth.metric} with {worth.subject}", value=worth.score_with, n=worth.n),
        Measurement(name=f"held-out {worth.metric} without {worth.subject}", value=worth.score_without, n=worth.n),
        Measurement(
            name=f"worth of {worth.subject} in {worth.metric}",
            value=worth.difference,
            low=worth.low,
            high=worth.high,
            level=worth.level,
            n=worth.n,
        ),
        Measurement(name="model of the worth", value=worth.model),
        Measurement(name="samples that the model of the worth learnt from", value=worth.n_training_with),
        Measurement(name="seed of the worth", value=worth.seed),
    ]
    if worth.note:
        made.append(Measurement(name="note on the worth", value=worth.note))
    return tuple(made)
