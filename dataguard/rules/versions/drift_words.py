"""What findings about drift have in common: how bad it is, and how it is said."""

from __future__ import annotations

from collections.abc import Sequence

from dataguard.core.exhibit import Histogram
from dataguard.core.finding import Confidence, Location, Measurement, Severity
from dataguard.versions.drift import SMALL_EFFECT, ColumnDrift, name_of
from dataguard.versions.profile import LABEL, SplitProfile
from dataguard.versions.showing import drift_histogram

_NAMED = 3
_SHOWN = 20
_PLOTTED = 4
_SURE = 1e-3


def carried(drifts: Sequence[ColumnDrift], alpha: float) -> list[ColumnDrift]:
    """The columns that differ significantly and by an effect that is worth a word."""
    return [item for item in drifts if item.adjusted <= alpha and item.effect >= SMALL_EFFECT]


def severity_of(found: Sequence[ColumnDrift], min_effect: float) -> Severity:
    """A warning from `min_effect` on."""
    return Severity.WARNING if max(item.effect for item in found) >= min_effect else Severity.INFO


def confidence_of(found: Sequence[ColumnDrift]) -> Confidence:
    """High where chance is out of the question."""
    return Confidence.HIGH if min(item.adjusted for item in found) <= _SURE else Confidence.MEDIUM


def said_of(found: Sequence[ColumnDrift]) -> str:
    """The columns in a sentence, the largest effects first."""
    named = ", ".join(f"{name_of(item)} ({note_of(item)})" for item in found[:_NAMED])
    more = len(found) - _NAMED
    return named + (f" and {more:,} more" if more > 0 else "")


def note_of(item: ColumnDrift) -> str:
    """What differs, in figures."""
    return f"{item.said} {item.first:.4g} → {item.second:.4g}, effect {item.effect:.3f}"


def figures(drifts: Sequence[ColumnDrift], alpha: float, min_effect: float) -> tuple[Measurement, ...]:
    """One measurement a test, the largest effects first."""
    shown = (
        Measurement(
            name=f"{item.test}, {item.column}{f' in {item.split}' if item.split else ''} (Holm, level {alpha:g})",
            value=item.effect,
            threshold=min_effect,
            p_value=item.adjusted,
            n=max(1, round(item.n)),
        )
        for item in drifts[:_SHOWN]
    )
    return (Measurement(name="tests", value=len(drifts)), *shown)


def places(found: Sequence[ColumnDrift], split: str | None) -> tuple[Location, ...]:
    """A location a column."""
    return tuple(
        Location(split=split, column=None if item.column == LABEL else item.column, note=note_of(item))
        for item in found
    )


def plots(
    found: Sequence[ColumnDrift], old: SplitProfile, new: SplitProfile, names: tuple[str, str]
) -> tuple[Histogram, ...]:
    """The distributions of the columns that drifted most."""
    made = (drift_histogram(item, old, new, names) for item in found[:_PLOTTED])
    return tuple(item for item in made if item is not None)
