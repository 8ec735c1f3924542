"""Columns that are the label under another name: exactly, but for a few samples, or added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.splits.columns import Column, Goal
from dataguard.splits.telling_gaps import design_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray


MIN_KAPPA = 0.85
MIN_KAPPA_LOW = 0.75
"""Agreement of a copy with errors: 5 % wrong of two equal classes have a kappa of 0.9, and 150 samples a bound of 0.8;
Landis and Koch call more than 0.8 almost perfect."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recoding:
    """The label written another way."""

    kind: Literal["one to one", "many to one", "linear", "monotone"]
    """'one to one': a value a class. 'many to one': every value has one class alone. Of a target: 'linear', where it is
    slope · target + offset up to rounding, or 'monotone', where it only keeps the order, without one exception."""
    n: int
    """Samples with a value."""
    n_values: int
    """Distinct values."""
    slope: float = float("nan")
    offset: float = float("nan")
    log10_chance: float = 0.0
    """Logarithm of the chance that labels put at random onto the values fit as well."""


def recoding(column: Column, goal: Goal, *, min_samples: int = 20) -> Recoding | None:
    """Whether a column's values are the label under another name, exactly; None where they are not.

    Missing values are left out, and at least half must be there. Of classes: every value that is there occurs with one
    class only, and values repeat (twice or more for 95 % of samples), so that a name of a row is no recoding. A column
    of many numbers is not judged here, for a feature may part the classes.

    The chance is that of labels at random: one to one they agree in K! of n! / ∏ c! ways; of more values with counts c,
    all c labels of a value agree with a probability of about ∏ max-share^(c − 1).
    """
    from scipy.special import gammaln

    known = ~column.missing
    n = int(known.sum())
    if n < min_samples or 2 * n < len(known):
        return None
    codes, k = np.unique(column.codes[known], return_inverse=True)[1], 0
    k = int(codes.max()) + 1
    values = goal.values[known]
    if goal.n_classes:
        classes, labels = np.unique(values.astype(np.intp), return_inverse=True)
        if len(classes) < 2 or k < 2:
            return None
        counts = np.bincount(codes, minlength=k)
        if counts[counts > 1].sum() < 0.95 * n:
            return None
        table = np.bincount(codes * len(classes) + labels, minlength=k * len(classes)).reshape(k, -1)
        if (np.count_nonzero(table, axis=1) > 1).any():
            return None
        if k == len(classes):
            # Labels put at random onto the rows agree in K! of n! / ∏ c! ways.
            chance = float((gammaln(counts + 1.0).sum() + gammaln(k + 1.0) - gammaln(n + 1.0)) / np.log(10))
        else:
            share = float(table.sum(axis=0).max()) / n
            chance = float(np.sum((counts - 1) * np.log10(min(share, 1 - 1e-12))))
        if k > len(classes) and (column.kind == "number" or chance > -6):
            # Numbers that part the classes may be a feature that does; categories that do name the class.
            return None
        if chance > -6:
            return None
        kind: Literal["one to one", "many to one"] = "one to one" if k == len(classes) else "many to one"
        return Recoding(kind=kind, n=n, n_values=k, log10_chance=chance)
    distinct = np.unique(values)
    if len(distinct) < 10 or k < 10:
        return None
    x = column.values[known]
    if column.kind == "category":
        return None
    order = np.argsort(x, kind="stable")
    scale_x, scale_y = max(float(np.abs(x).max()), 1e-300), max(float(np.abs(values).max()), 1e-300)
    centred_x, centred_y = x / scale_x, values / scale_y
    centred_x, centred_y = centred_x - centred_x.mean(), centred_y - centred_y.mean()
    slope = float(centred_x @ centred_y / (centred_y @ centred_y))
    residual = centred_x - slope * centred_y
    # What rounding either of the two to its own lattice can leave.
    rounding = 0.5 * (decimal_step(x) / scale_x + abs(slope) * decimal_step(values) / scale_y)
    spread = float(np.sqrt(np.mean(centred_x**2)))
    tolerance = max(rounding * 1.01, 1e-6 * spread)
    chance = -float(len(distinct))
    # A lattice so coarse that anything fits on it says nothing.
    if slope != 0 and tolerance < 0.05 * spread and float(np.abs(residual).max()) <= 2 * tolerance:
        true_slope = slope * scale_x / scale_y
        offset = float(x.mean() - true_slope * values.mean())
        return Recoding(kind="linear", n=n, n_values=k, slope=true_slope, offset=offset, log10_chance=chance)
    ordered_x, ordered_y = x[order], values[order]
    if k < 20 or k < 0.5 * len(distinct):
        return None
    for sign in (1, -1):
        if _monotone(ordered_x, sign * ordered_y):
            return Recoding(kind="monotone", n=n, n_values=k, log10_chance=chance)
    return None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NearCopy:
    """A column with one value a class that is the label but for a few samples."""

    n: int
    """Samples with a value."""
    n_wrong: int
    """Those of them whose value is another class's, or none's."""
    kappa: float
    """Cohen's kappa of the two: agreement beyond that of chance, 1 for the label itself."""
    kappa_low: float
    """Its lower end, from the one-sided 95 % bound of the agreement (Clopper and Pearson)."""
    predicted: NDArray[np.float64]
    """The class of each sample's value, shape (n,); the commonest class for no such value."""


def may_be_copy(column: Column, goal: Goal) -> bool:
    """Whether a column has about as few values as there are classes; decided without the label of any sample."""
    return bool(2 <= goal.n_classes <= column.n_distinct <= 3 * goal.n_classes + 5 and 2 * column.missing.mean() <= 1)


def near_copy(column: Column, goal: Goal, clusters: NDArray[np.intp] | None) -> NearCopy | None:
    """Whether a column is the label but for a few samples; None where it is not.

    The commonest value of each class must be another one, and the agreement sure: kappa at least `MIN_KAPPA`, its lower
    end at least `MIN_KAPPA_LOW`. Errors that come in clusters are as many as by Kish's design effect.
    """
    from scipy import stats

    if not may_be_copy(column, goal):
        return None
    codes, labels = column.codes, goal.codes
    counted = np.flatnonzero(codes >= 0)
    k = goal.n_classes
    table = np.bincount(codes[counted] * k + labels[counted], minlength=column.n_distinct * k).reshape(-1, k)
    sizes = table.sum(axis=0)
    n = int(sizes.sum())
    # A class without a sample with a value has nothing to be copied by.
    if n < 20 or (sizes == 0).any():
        return None
    modes = table.argmax(axis=0)
    if len(np.unique(modes)) < k:
        return None
    n_right = int(table[modes, np.arange(k)].sum())
    by_chance = float((table.sum(axis=1)[modes] / n) @ (sizes / n))
    kappa = (n_right / n - by_chance) / (1 - by_chance)
    wrong = (modes[labels[counted]] != codes[counted]).astype(np.float64)
    effect = design_effect(wrong - wrong.mean(), None if clusters is None else clusters[counted])
    least = float(stats.beta.ppf(0.05, n_right / effect, (n - n_right) / effect + 1))
    low = (least - by_chance) / (1 - by_chance)
    if kappa < MIN_KAPPA or low < MIN_KAPPA_LOW:
        return None
    class_of = np.full(column.n_distinct + 1, int(sizes.argmax()))
    class_of[modes] = np.arange(k)
    return NearCopy(n=n, n_wrong=n - n_right, kappa=kappa, kappa_low=low, predicted=class_of[codes].astype(np.float64))


def _monotone(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether y never falls as x rises; among equal x it may do as it likes."""
    starts = np.flatnonzero(np.r_[True, np.diff(x) > 0])
    highest, lowest = np.maximum.reduceat(y, starts), np.minimum.reduceat(y, starts)
    return bool(np.all(highest[:-1] <= lowest[1:]))


def decimal_step(values: NDArray[np.float64]) -> float:
    """The pitch of the decimal lattice that numbers lie on: 0.01 for two digits; 0 where they lie on none."""
    largest = float(np.abs(values).max())
    for digits in range(-3, 10):
        pitch = 10.0**-digits
        if largest / pitch > 1e14:
            break
        scaled = values / pitch
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-6 + 1e-13 * np.abs(scaled)):
            return pitch
    return 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The target as an exact sum and difference of columns."""

    columns: tuple[str, ...]
    signs: tuple[int, ...]
    constant: float
    n: int


def bookkeeping(columns: Sequence[Column], goal: Goal, *, most: int = 200) -> Identity | None:
    """Whether the target is columns added and subtracted (total = casual + registered); None where it is not.

    Least squares on all numeric columns, without a missing value, solved where there are three samples a column: an
    identity has coefficients of 0 and ±1, and leaves nothing but rounding. A noiseless linear target has other
    coefficients, and is not one.
    """
    usable = [c for c in columns if c.kind == "number" and c.n_distinct > 1 and not c.missing.any()][:most]
    if goal.n_classes or len(usable) < 2 or len(goal.values) < 3 * (len(usable) + 1):
        return None
    x = np.column_stack([column.values for column in usable])
    middle, spread = x.mean(axis=0), x.std(axis=0)
    if not np.isfinite(spread).all() or (spread == 0).any():
        return None
    y = goal.values - goal.values.mean()
    scaled = (x - middle) / spread
    solution = np.linalg.lstsq(scaled, y, rcond=1e-10)[0]
    size = float(np.abs(y).max())
    if size == 0 or float(np.abs(y - scaled @ solution).max()) > 1e-6 * size:
        return None
    coefficients = solution / spread
    signs = np.rint(coefficients)
    if not np.all(np.abs(coefficients - signs) < 1e-5) or np.abs(signs).max() > 1 or np.abs(signs).sum() < 2:
        return None
    used = np.flatnonzero(signs)
    constant = float(goal.values.mean() - middle[used] @ signs[used])
    return Identity(
        columns=tuple(usable[place].name for place in used),
        signs=tuple(int(signs[place]) for place in used),
        constant=0.0 if abs(constant) < 1e-6 * size else constant,
        n=len(y),
    )
