"""What the rules about mismatched preprocessing share: how a difference becomes a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dataguard.core.exhibit import Listing
from dataguard.core.finding import (
    Confidence,
    Finding,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
)
from dataguard.core.rule import Rule
from dataguard.preprocessing.differing import ONE_LEVEL, Aspect, Difference
from dataguard.preprocessing.impact import Row
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Provenance


def mismatches(
    rule: Rule[Any],
    pair: PipelinePair,
    aspects: Sequence[Aspect],
    *,
    what: str,
    remedy: str,
    agreed: str,
    severity: Callable[[Difference], Severity | None] | None = None,
    unless: Sequence[Aspect] = (),
    min_mean: float = 0.0,
) -> Iterator[Outcome]:
    """Findings for the differences of some aspects, and what cannot be compared.

    Args:
        rule: Whose findings they are.
        pair: The two paths.
        aspects: What the rule is about.
        what: The beginning of the message: 'Another resize kernel'.
        remedy: What to do.
        agreed: What is said where nothing differs.
        severity: Of one difference; the rule's own by default.
        unless: Further aspects that must be known for the rule to decide.
        min_mean: Levels on average below which a measured difference is left out.
    """
    found = [one for one in pair.about(*aspects) if one.effect is None or one.effect.mean >= min_mean]
    for one in found:
        yield finding_of(rule, pair, one, what, remedy, None if severity is None else severity(one))
    unknown: dict[str, list[str]] = {}
    for one in pair.unknown(*aspects, *unless):
        unknown.setdefault(one.unknown, []).append(one.field)
    for reason, fields in unknown.items():
        yield Inconclusive(reason=f"{', '.join(dict.fromkeys(fields))} cannot be compared: {reason}")
    if not found and not unknown:
        yield Observation(message=agreed)


def finding_of(
    rule: Rule[Any], pair: PipelinePair, one: Difference, what: str, remedy: str, severity: Severity | None
) -> Finding:
    """The finding of one difference."""
    names = side_names(pair.left, pair.right)
    message = f"{what}: {one.left} in {names[0]}, {one.right} in {names[1]}"
    if one.aspect == "unexplained":
        message = f"{what}: {names[0]} and {names[1]} give different pixels, which no step that was found explains"
    if one.effect is not None:
        message += f"; by itself {one.effect.in_full}"
    if one.share is not None and one.share < 1:
        message += f", at {_per_cent(one.share)} of the sizes tried"
    row = None if pair.impact is None else pair.impact.of(one)
    if row is not None and row.flips is not None:
        message += f"; {row.flips:,} of {row.n:,} pictures change their class"
    return rule.finding(
        f"{message}.",
        remedy=remedy,
        severity=severity,
        confidence=Confidence.HIGH if pair.faithful else Confidence.MEDIUM,
        measurements=(*measurements(one), *impact_measurements(row)),
        locations=tuple(_locations((pair.left, pair.right), one)),
        exhibits=(listing([one], names),),
        key=(one.field, one.aspect),
    )


def side_names(left: Pipeline, right: Pipeline) -> tuple[str, str]:
    """What the two paths are called."""
    names = left.name or "training", right.name or "serving"
    return names if names[0] != names[1] else (f"{names[0]} (training)", f"{names[1]} (serving)")


def measurements(one: Difference) -> tuple[Measurement, ...]:
    """The figures of one difference."""
    effect = one.effect
    if effect is None:
        return ()
    if effect.sizes:
        return (Measurement(name="output sizes", value=effect.sizes, n=effect.n),)
    return (
        Measurement(name="levels apart on average", value=float(f"{effect.mean:.4g}"), n=effect.n),
        Measurement(name="levels apart at most", value=float(f"{effect.largest:.4g}"), threshold=ONE_LEVEL, n=effect.n),
        Measurement(name="measured", value=effect.measured),
    )


def impact_measurements(row: Row | None) -> tuple[Measurement, ...]:
    """The figures of what it does to the model."""
    if row is None or row.mean is None:
        return ()
    found = [Measurement(name="mean change of the model's outputs", value=float(f"{row.mean:.4g}"), n=row.n)]
    if row.flips is not None:
        found.append(
            Measurement(
                name="pictures whose class changes",
                value=row.flips / row.n,
                low=row.low,
                high=row.high,
                level=0.95,
                n=row.n,
                unit="share",
            )
        )
    if row.change is not None:
        found.append(
            Measurement(
                name="change of accuracy",
                value=row.change,
                low=row.change_low,
                high=row.change_high,
                level=0.95,
                n=row.n,
                unit="share",
            )
        )
    return tuple(found)


def listing(differences: Sequence[Difference], names: tuple[str, str]) -> Listing:
    """A table of differences, with where each side is known from."""
    return Listing(
        title="What differs",
        columns=("field", names[0], "known from", names[1], "known from", "effect by itself"),
        rows=tuple(
            (
                one.field,
                one.left,
                _origin(one.left_origin),
                one.right,
                _origin(one.right_origin),
                one.unknown or ("" if one.effect is None else one.effect.words),
            )
            for one in differences
        ),
        total=len(differences),
    )


def _origin(origin: Provenance | None) -> str:
    return "" if origin is None else str(origin)


def _locations(paths: tuple[Pipeline, Pipeline], one: Difference) -> Iterator[Location]:
    for path, origin, words in zip(paths, (one.left_origin, one.right_origin), (one.left, one.right), strict=True):
        if origin is not None and origin.path is not None:
            yield Location(path=origin.path, line=origin.line, note=f"{path.name}: {words}")


def _per_cent(share: float) -> str:
    return f"{100 * share:.3g} %"
