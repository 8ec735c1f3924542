"""What columns that give the label away are worth, one beside the columns that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.columns import Column, Goal
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.leaks import worth_of_columns
from dataguard.splits.worth.record import NoWorth, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray


SEED = 0
"""Of folds, draws and models: the same data give the same report."""
WORTHS = 5
"""Columns whose worth is measured; each takes a model with it and one without."""


class ColumnValuer:
    """Measures what columns are worth, the first few, each beside the columns that nothing was found of."""

    def __init__(
        self,
        samples: SplitSamples,
        columns: Sequence[Column],
        goal: Goal,
        rows: NDArray[np.intp],
        leaks: frozenset[str],
    ) -> None:
        self.samples, self.goal, self.rows = samples, goal, rows
        self.left = WORTHS
        self.columns = {column.name: column for column in columns}
        self.honest = [column for column in columns if column.name not in leaks]
        self.label_words = _label_words(samples)

    def worth(self, names: Sequence[str]) -> Worth | NoWorth:
        """What the columns add to those that nothing was found of: beside another leak no leak is worth anything."""
        subject = f"column {names[0]!r}" if len(names) == 1 else f"columns {', '.join(names)}"
        if self.left == 0:
            return NoWorth(subject=subject, reason=f"it was for {WORTHS} other findings of this rule")
        self.left -= 1
        samples, rows = self.samples, self.rows
        used = [*self.honest, *(self.columns[name] for name in names)]
        train, evaluation = samples.in_training[rows], ~samples.in_training[rows]
        split = bool(train.any() and evaluation.any())
        return worth_of_columns(
            np.column_stack([column.feature[rows] for column in used]),
            self.goal.codes if self.goal.n_classes else self.goal.values,
            range(len(self.honest), len(used)),
            subject=subject,
            train=train if split else None,
            evaluation=evaluation if split else None,
            groups=[samples.groups[row] for row in rows.tolist()] if samples.groups else None,
            seed=SEED,
        )

    def named_alike(self, name: str) -> str:
        """A sentence where a column's name resembles the label's."""
        words = _words(name) & self.label_words
        return f" Its name shares {min(words)!r} with the label's." if words else ""


def _words(name: str) -> set[str]:
    cleaned = "".join(letter if letter.isalnum() else " " for letter in name.lower())
    return {word for word in cleaned.split() if len(word) > 2 or not word.isdigit()}


def _label_words(samples: SplitSamples) -> set[str]:
    """Words of the name of the label column, which is the one outside the features that holds the labels."""
    if samples.columns is None:
        return set()
    given = samples.target
    if given is None:
        return set()
    head = [str(value) for value in given[:1000].tolist()]
    features = set(samples.feature_columns)
    for place, label in enumerate(samples.columns.columns):
        if str(label) in features:
            continue
        values = samples.columns.iloc[:1000, place].tolist()
        if [str(value) for value in values] == head:
            return _words(str(label))
    return set()
