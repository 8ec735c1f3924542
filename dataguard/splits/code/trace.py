"""What an interpretation saw: fits, splits, trainings and evaluations, each with its line."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from dataguard.splits.code.knowledge import Kind
from dataguard.splits.code.values import Events, Rows

MAX_CARRIERS = 12
"""Assignments that are remembered of what a fit flowed through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """Something computed over rows."""

    number: int
    kind: Kind
    name: str
    """What was called, as ``StandardScaler.fit_transform``."""
    line: int
    rows: Rows
    """Over which rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Where rows went to different parts."""

    key: object
    name: str
    """What was called, or how it was cut."""
    line: int
    rows: Rows
    """The rows that were split."""
    events: Events
    """What they had gone through before."""
    folds: bool
    """It was made within a call that trains and scores at once."""
    declared: bool
    """It says itself that it splits, as ``train_test_split`` does and a slice does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """A model that was fitted to data."""

    number: int
    name: str
    line: int
    rows: Rows
    events: Events


@dataclass(kw_only=True, slots=True)
class Evaluation:
    """Data that a fitted model was held against."""

    number: int
    name: str
    line: int
    rows: Rows
    events: Events
    trainings: tuple[int, ...]
    """The model's fit, or its fits where it may be one of several."""
    folds: bool = False
    """Within cross-validation, a search, or as validation during training."""
    scored: bool = False
    """A score was computed, so that somebody can have chosen by it."""
    count: int = 1
    """How many models this stands for."""


@dataclass(kw_only=True, slots=True)
class Trace:
    """Everything that was seen, in the order that it would run."""

    fits: list[Fit] = field(default_factory=list)
    splits: dict[object, Split] = field(default_factory=dict)
    trainings: list[Training] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    carriers: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """Where the result of a fit was assigned: line and name."""
    roots: int = 0
    truncated: bool = False
    """The work that is allowed was done before the end of the code."""
    kept: list[object] = field(default_factory=list)
    """Values whose identity is a key, kept so that it stays theirs."""
    known: dict[object, int] = field(default_factory=dict)
    start: int = 0
    """How many lines are counted before the first of the file that is gone through just now."""

    def line_of(self, node: ast.expr | ast.stmt) -> int:
        """The line of a node of that file, counted through all files that are gone through."""
        return node.lineno + self.start

    def root(self, key: object) -> int:
        """The number of the rows that are read at a place, or of a file by its name."""
        if key not in self.known:
            self.roots += 1
            self.known[key] = self.roots
        return self.known[key]

    def fit(self, kind: Kind, name: str, line: int, rows: Rows) -> int:
        """Note a fit; the same fit of the same rows in a loop is one."""
        key = ("fit", kind, name, line, rows)
        if key not in self.known:
            self.known[key] = len(self.fits)
            self.fits.append(Fit(number=len(self.fits), kind=kind, name=name, line=line, rows=rows))
        return self.known[key]

    def split(
        self,
        key: object,
        name: str,
        line: int,
        rows: Rows,
        events: Events,
        *,
        folds: bool = False,
        declared: bool = True,
    ) -> object:
        """Note a split."""
        known = self.splits.get(key)
        if known is not None:
            rows, events, line = rows | known.rows, events | known.events, known.line
        self.splits[key] = Split(
            key=key, name=name, line=line, rows=rows, events=events, folds=folds, declared=declared
        )
        return key

    def train(self, name: str, line: int, rows: Rows, events: Events) -> int:
        """Note a training."""
        self.trainings.append(Training(number=len(self.trainings), name=name, line=line, rows=rows, events=events))
        return len(self.trainings) - 1

    def evaluate(
        self,
        name: str,
        line: int,
        rows: Rows,
        events: Events,
        trainings: tuple[int, ...],
        *,
        folds: bool = False,
        scored: bool = False,
        count: int = 1,
    ) -> int:
        """Note an evaluation."""
        self.evaluations.append(
            Evaluation(
                number=len(self.evaluations),
                name=name,
                line=line,
                rows=rows,
                events=events,
                trainings=trainings,
                folds=folds,
                scored=scored,
                count=count,
            )
        )
        return len(self.evaluations) - 1

    def carry(self, events: Events, line: int, name: str) -> None:
        """Note that what went through these fits was assigned to a name."""
        for event in events:
            steps = self.carriers.setdefault(event, [])
            if len(steps) < MAX_CARRIERS and (line, name) not in steps:
                steps.append((line, name))
