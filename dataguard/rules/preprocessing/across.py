"""A rule about two paths, held over all paths of a repository that are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, cast

from dataguard.core.finding import Confidence, Finding, Inconclusive, Location, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Input, Rule
from dataguard.preprocessing.audit.declarations import DeclaredPaths
from dataguard.preprocessing.audit.pairing import ComparedPath, ComparedPaths, is_rare, split_entry
from dataguard.preprocessing.differing import Aspect
from dataguard.preprocessing.static.reading import FoundPath

NOTHING_TO_COMPARE = Skipped(
    reason="no two paths were found to hold against one another",
    hint="`dataguard probe train.py:transform --against serve.py:preprocess` compares functions that you name",
)


_NAMED = 3
"""Further training paths that a message names."""


NOTHING_DECLARED = Skipped(
    reason="no configuration of published weights lies beside a path that serves",
    hint="`dataguard probe serve.py:preprocess --declared FILE` compares with one that you name",
)


class AcrossPaths(Rule[Any]):
    """A rule about a pair of paths as a rule about every pair of a repository.

    Code, name, page and options are the other rule's. One mistake on a path that several training paths show is one
    finding. Where another training path does as the path does, the path as training with other options, nothing
    trains, or the two may be of two projects, what differs may be meant: then it is a warning at most, and of low
    confidence.
    """

    def __init__(self, rule: Rule[Any]) -> None:
        super().__init__(rule.function, rule.code, rule.name, rule.severity)
        self.of_two = rule
        self.inputs = (Input(name="compared", type=ComparedPaths, required=True),)

    def __call__(self, compared: ComparedPaths, **options: Any) -> list[Outcome]:
        """Run the rule on every pair."""
        return list(self._outcomes(compared, options))

    def _outcomes(self, compared: ComparedPaths, options: dict[str, Any]) -> Iterator[Outcome]:
        if not compared.pairs:
            yield NOTHING_TO_COMPARE
            return
        merged: dict[tuple[str, ...], list[tuple[ComparedPath, Finding]]] = {}
        open_points: dict[str, Inconclusive] = {}
        agreed: list[Observation] = []
        for one in compared.pairs:
            for outcome in self.of_two(one.pair, **options):
                if isinstance(outcome, Finding):
                    merged.setdefault((one.right.entry, *outcome.key), []).append((one, outcome))
                elif isinstance(outcome, Inconclusive):
                    open_points.setdefault(outcome.reason, outcome)
                elif isinstance(outcome, Observation):
                    agreed.append(outcome)
        rare: dict[str, list[Finding]] = {}
        for found in merged.values():
            one, first = found[0]
            if is_rare(first.key[-1], first.key[0]):
                rare.setdefault(one.right.entry, []).append(_together(found))
            else:
                yield _together(found)
        for of_one_path in rare.values():
            yield _of_rare_files(of_one_path)
        yield from open_points.values()
        if agreed and not merged and not open_points:
            n = len(compared.pairs)
            yield dataclasses.replace(
                agreed[0], message=f"{agreed[0].message} {n} {'pair' if n == 1 else 'pairs'} of paths compared."
            )


class AcrossDeclared(Rule[Any]):
    """The rule about a declared configuration as a rule about every path of a repository that has one beside it."""

    def __init__(self, rule: Rule[Any]) -> None:
        super().__init__(rule.function, rule.code, rule.name, rule.severity)
        self.of_one = rule
        self.inputs = (Input(name="declared", type=DeclaredPaths, required=True),)

    def __call__(self, declared: DeclaredPaths, **options: Any) -> list[Outcome]:
        """Run the rule on every path."""
        if not declared.pairs:
            return [NOTHING_DECLARED]
        return [
            _placed(outcome, path) if isinstance(outcome, Finding) else outcome
            for path, pair in declared.pairs
            for outcome in self.of_one(pair, **options)
        ]


def _placed(finding: Finding, path: FoundPath) -> Finding:
    """A finding with the beginning of its path as its place."""
    file, line = split_entry(path.entry)
    place = Location(path=file, line=line, note=path.name)
    return dataclasses.replace(finding, locations=(place, *finding.locations), key=(*finding.key, file, path.name))


def _together(found: list[tuple[ComparedPath, Finding]]) -> Finding:
    """One finding of all training paths that a path differs from in one field."""
    one, first = found[0]
    others = list(
        dict.fromkeys(other.pair.left.name for other, _ in found[1:] if other.pair.left.name != one.pair.left.name)
    )
    message = first.message
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        message = f"{message.rstrip('.')}; likewise against {', '.join(others[:_NAMED])}{more}."
    severity, confidence = first.severity, first.confidence
    # The key of such a finding is (field, aspect).
    agreeing = one.agreeing.get(cast(Aspect, first.key[-1])) if len(found) == 1 else None
    if agreeing is not None:
        message = f"{message.rstrip('.')}; {agreeing} does as {one.pair.right.name} does."
    otherwise = all(first.key[-1] in other.otherwise for other, _ in found)
    if otherwise:
        message = f"{message.rstrip('.')}; with other options it does as {one.pair.left.name} does."
    if agreeing is not None or otherwise or one.like_for_like or all(other.distant for other, _ in found):
        severity, confidence = min(severity, Severity.WARNING), Confidence.LOW
    if first.key[-1] == "mean and std" and _within_a_level(one, first):
        severity = min(severity, Severity.INFO)
        message = f"{message.rstrip('.')}; less than a level, and so probably a slip of the pen."
    if first.key[-1] == "random" and one.right.role != "serve":
        # Evaluation may mean it, as test-time augmentation does.
        severity = min(severity, Severity.WARNING)
    if first.key[-1] == "layout or dtype":
        # A network refuses another layout or type, so that code which runs feeds two networks, or two frameworks.
        severity, confidence = min(severity, Severity.INFO), Confidence.LOW
    if is_rare(first.key[-1], first.key[0]):
        # Whether such files ever come cannot be read: transparency, gray and 16 bits are seldom fed.
        severity = min(severity, Severity.INFO)
    return dataclasses.replace(
        first,
        message=message,
        severity=severity,
        confidence=confidence,
        locations=tuple(_places([finding for _, finding in found])),
        key=(*first.key, one.right.entry.rpartition(":")[0], one.right.name, one.left.role),
    )


def _of_rare_files(found: list[Finding]) -> Finding:
    """One finding of all that only transparent, gray and 16-bit files show of one path."""
    first, *others = found
    said = [finding.message.partition(": ")[2].rstrip(".") for finding in others]
    return dataclasses.replace(
        first,
        message="; ".join([first.message.rstrip("."), *said]) + ".",
        measurements=tuple(item for finding in found for item in finding.measurements),
        exhibits=tuple(shown for finding in found for shown in finding.exhibits),
        key=("policies of rare files", *first.key[1:]),
    )


def _within_a_level(one: ComparedPath, finding: Finding) -> bool:
    """Whether the difference that a finding is about moves no pixel by more than rounding does."""
    return any(
        item.effect is not None and item.effect.none
        for item in one.pair.differences
        if (item.field, item.aspect) == finding.key
    )


def _places(findings: list[Finding]) -> Iterator[Location]:
    """Where to look: first the path that differs, which is what is mended, then what it is held against."""
    seen: set[tuple[str | None, int | None]] = set()
    for finding in findings:
        for place in reversed(finding.locations):
            if (place.path, place.line) not in seen:
                seen.add((place.path, place.line))
                yield place
