"""What the rules about single places of a repository's code share: how a fact becomes a finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dataguard.core.finding import (
    Confidence,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Rule
from dataguard.preprocessing.differing import Effect, measured_effect
from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.geometry_comparison import executed, trial_for, tried
from dataguard.preprocessing.static import networks
from dataguard.preprocessing.static.reading import CodeFact, FactKind, FoundPath, RepositoryReading
from dataguard.preprocessing.steps import Resize

_FEEDING = ("val", "eval", "serve")
_NUMBERED = re.compile(r"\b(lines?|cell) \d+")


def fact_findings(
    rule: Rule[Any],
    reading: RepositoryReading,
    kinds: Sequence[FactKind],
    *,
    remedy: str,
    agreed: str,
    severity: Callable[[CodeFact], Severity | None] | None = None,
    confidence: Confidence = Confidence.HIGH,
    effect: Callable[[CodeFact], Effect | None] | None = None,
    further: Callable[[CodeFact], str] | None = None,
    unless: Callable[[CodeFact], bool] | None = None,
) -> Iterator[Outcome]:
    """Findings for the facts of some kinds, one a file and defect, with a location a place.

    Args:
        rule: Whose findings they are.
        reading: What was read out of the repository.
        kinds: What the rule is about.
        remedy: What to do.
        agreed: What is said where there is no such fact, as 'No frame is used so'.
        severity: Of one fact, None where there is nothing to report; the rule's own by default.
        confidence: Of all of them.
        effect: What it does to pixels, measured.
        further: What else is to be said of a fact, a clause.
        unless: Facts that are reported elsewhere.
    """
    if not reading.files:
        yield Skipped(reason="no code was found", hint="name a repository with Python files or notebooks")
        return
    groups: dict[tuple[FactKind, str, str], list[CodeFact]] = {}
    for fact in reading.facts:
        if fact.kind in kinds and not (unless is not None and unless(fact)):
            groups.setdefault((fact.kind, fact.file, stable(fact.message)), []).append(fact)
    found = 0
    for (kind, file, said), facts in groups.items():
        first = facts[0]
        level = rule.severity if severity is None else severity(first)
        if level is None:
            continue
        found += 1
        measured = None if effect is None else effect(first)
        clause = "" if further is None else further(first)
        message = f"{file}:{first.line}: {first.message.rstrip('.')}"
        message += f", and {len(facts) - 1} more in this file" if len(facts) > 1 else ""
        message += f"; {clause}" if clause else ""
        message += f"; by itself {measured.in_full}" if measured is not None else ""
        yield rule.finding(
            f"{message}.",
            remedy=remedy,
            severity=level,
            confidence=confidence,
            measurements=() if measured is None else figures(measured),
            locations=tuple(Location(path=fact.file, line=fact.line) for fact in facts),
            key=(kind, file, said),
        )
    if not found:
        yield Observation(
            message=f"{agreed} in {count(reading.files, 'file')} ({reading.lines:,} lines).",
            measurements=(Measurement(name="files read", value=reading.files),),
        )


def stable(message: str) -> str:
    """A message without the numbers of lines, which change whenever something above is edited.

    >>> stable("the frame of line 12 is BGR")
    'the frame of line is BGR'
    """
    return _NUMBERED.sub(r"\1", message)


def count(n: int, noun: str) -> str:
    """'1 file', '12 files'."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def figures(effect: Effect) -> tuple[Measurement, ...]:
    """A measured effect as figures."""
    return (
        Measurement(name="levels apart on average", value=float(f"{effect.mean:.4g}"), n=effect.n),
        Measurement(name="levels apart at most", value=float(f"{effect.largest:.4g}"), n=effect.n),
        Measurement(name="measured", value=effect.measured),
    )


def paths_through(reading: RepositoryReading, fact: CodeFact) -> list[FoundPath]:
    """The paths of which a step, or a value, stands where the fact does."""
    return [path for path in reading.paths if any(_within(fact, place) for place in _places(path))]


def _places(path: FoundPath) -> Iterator[str]:
    yield from path.evidence
    pipeline = path.pipeline
    for part in (pipeline, pipeline.decode, pipeline.affine, *(pipeline.geometry or ())):
        yield from (f"{known.path}:{known.line}" for known in part.provenance.values() if known.path is not None)


def _within(fact: CodeFact, place: str) -> bool:
    file, _, line = place.rpartition(":")
    return file == fact.file and line.isdecimal() and fact.line <= int(line) <= max(fact.line, fact.end_line)


def resize_at(reading: RepositoryReading, fact: CodeFact) -> Resize | None:
    """The resize that is done where a fact is, where a path goes through it and says how."""
    for path in reading.paths:
        for step in path.pipeline.geometry or ():
            if isinstance(step, Resize) and any(
                _within(fact, f"{known.path}:{known.line}") for known in step.provenance.values() if known.path
            ):
                return step
    return None


def effect_of(one: Resize, two: Resize) -> Effect | None:
    """How far apart two resizes are on generated photographs, of sizes above and below the output's.

    None where one of them cannot be executed.
    """
    trial = trial_for((one,), (two,), None, 0)
    try:
        tried((one,), (two,), trial.sizes)
        pairs = [(executed((one,), picture), executed((two,), picture)) for picture in trial.pictures]
    except (MissingLibraryError, UndeterminedError, ValueError):
        return None
    return measured_effect(pairs, on=trial.on, names=trial.names)


def trained_so(reading: RepositoryReading, fact: CodeFact) -> bool:
    """Whether training does the same, so that a model that was trained here expects it.

    That is so where every training path goes through a fact of this kind, or feeds channels in such an order without
    one; and no path that serves or evaluates is known to do otherwise, unless it feeds another network, as a detector
    is that finds what is recognized then.
    """
    alike = [other for other in reading.facts if other.kind == fact.kind]
    touched = {id(path) for other in alike for path in paths_through(reading, other)}
    training = [path for path in reading.paths if path.role == "train" and path.reachable]
    ours = [word for path in reading.paths if id(path) in touched or path in training for word in path.networks]
    feeding = [
        path
        for path in reading.paths
        if path.role in _FEEDING and path.reachable and not networks.apart(path.networks, ours)
    ]
    turned = fact.kind == "bgr-used-as-rgb"
    trained = all(id(path) in touched or (turned and path.pipeline.order == "BGR") for path in training)
    fed = all(id(path) in touched or (turned and path.pipeline.order in ("BGR", None)) for path in feeding)
    return bool(training) and trained and fed
