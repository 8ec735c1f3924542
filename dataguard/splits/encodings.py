"""Columns that hold group means of the label: target encodings, and on which rows they were fitted.

A target encoding says of a category c what the mean label of its n samples is, possibly pulled to the overall mean. So
the samples that have one value v of the column have, on the rows that it was fitted on, a mean label that v is an exact
function of. An honest column that is merely well calibrated misses the mean by its sampling error; how unlikely it is
that it misses none by more than rounding is the p-value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.splits.columns import Column, Goal
from dataguard.splits.label_copies import decimal_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

Form: TypeAlias = Literal["mean", "additive smoothing", "sigmoid smoothing", "empirical Bayes", "leave-one-out"]

MIN_ROWS = 0.98
"""Share of the rows that a form must explain: a few may have been edited since."""
MIN_LOG10_CHANCE = -8.0
"""Logarithm of the largest chance that is believed: with 10,000 columns, classes and sets tried, 1e-4 remains."""
_COARSE = 1_000
MIN_SAMPLES = 20
MAX_CLASSES = 20
MAX_GROUPINGS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """A column that was computed from the label."""

    column: str
    form: Form
    fitted_on: str
    """The name of the set of rows."""
    of: str | None
    """The class whose share it is; None for the mean of the target."""
    by: str | None
    """The category column that it encodes; None where that is not in the table, or need not be."""
    n: int
    """Rows that it was checked on."""
    n_groups: int
    explained: float
    """Share of those rows whose value the form gives, up to rounding."""
    log10_chance: float
    """Logarithm of the chance of that for an honest, perfectly calibrated column."""
    own_weight: float
    """Mean weight of a row's own label in its value; 0 for leave-one-out, where the value tells it by its absence."""
    parameter: str = ""
    """The smoothing that was found."""


def find_encodings(
    columns: Sequence[Column], goal: Goal, sets: Mapping[str, NDArray[np.bool_]], *, groupings: Sequence[Column] = ()
) -> tuple[Encoding, ...]:
    """The columns that are target encodings, each with its best explanation.

    Args:
        columns: Those of kind 'number' are judged.
        goal: The label, n samples, without missing ones.
        sets: Rows that an encoding may have been fitted on, by name, each of shape (n,); the first that explains a
            column as well as any other is the one that is named.
        groupings: Columns that may be what is encoded; smoothing of rare categories and leave-one-out are only found
            with them.
    """
    goals = list(_goals(goal))
    usable = [item for item in groupings if 2 <= item.n_distinct <= len(goal.values) // 2][:MAX_GROUPINGS]
    found = []
    for column in columns:
        if column.kind != "number" or column.n_distinct < 2 or column.missing.mean() > 0.5:
            continue
        mine = [(of, y) for of, y in goals if _in_range(column, y)]
        if not mine:
            continue
        step = decimal_step(column.values[~column.missing])
        best: Encoding | None = None
        for name, inside in sets.items():
            rows = np.flatnonzero(inside & ~column.missing)
            if len(rows) < MIN_SAMPLES or np.ptp(column.values[rows]) == 0:
                continue
            ways = _ways(column, rows, usable, step)
            for of, y in mine:
                for made in _explanations(column, y[rows], rows, ways, step, of, name):
                    if best is None or made.log10_chance < best.log10_chance - 1e-9:
                        best = made
        if best is not None:
            found.append(best)
    return tuple(found)


def _goals(goal: Goal) -> Iterator[tuple[str | None, NDArray[np.float64]]]:
    if not goal.n_classes:
        yield None, goal.values
        return
    # Of two classes the second's share is one minus the first's; either may be what was encoded.
    order = np.argsort(-np.bincount(goal.codes, minlength=goal.n_classes), kind="stable")[:MAX_CLASSES]
    for code in sorted(order.tolist()):
        yield goal.classes[code], (goal.codes == code).astype(np.float64)
    if goal.n_classes > 2:
        numbers = _as_numbers(goal.classes)
        if numbers is not None:
            yield None, numbers[goal.codes]


def _as_numbers(names: Sequence[str]) -> NDArray[np.float64] | None:
    try:
        made = np.array([float(name) for name in names])
    except ValueError:
        return None
    return made if np.isfinite(made).all() else None


def _in_range(column: Column, y: NDArray[np.float64]) -> bool:
    known = column.values[~column.missing]
    low, high = float(y.min()), float(y.max())
    slack = 1e-6 * (high - low)
    # Most of them: a leave-one-out with noise, or an edited value, may leave the range.
    return bool(np.mean((known >= low - slack) & (known <= high + slack)) > MIN_ROWS)


_Way: TypeAlias = "tuple[str | None, NDArray[np.intp], NDArray[np.intp], bool]"
"""What is encoded: its name (None for the column's own values), each row's group, group sizes, and whether the column
has one value a group."""


def _ways(column: Column, rows: NDArray[np.intp], groupings: Sequence[Column], step: float) -> list[_Way]:
    x = column.values[rows]
    own = np.unique(x, return_inverse=True)[1]
    made: list[_Way] = []
    # A value a row leaves nothing to average.
    if 2 * int(own.max() + 1) <= len(rows):
        made.append((None, own, np.bincount(own), True))
    tolerance = max(0.501 * step, 2e-6 * float(np.abs(x).max()))
    for item in groupings:
        if item.name == column.name:
            continue
        raw = item.codes[rows] + 1
        present = np.bincount(raw) > 0
        groups = (np.cumsum(present) - 1)[raw]
        counts = np.bincount(groups)
        made.append((item.name, groups, counts, _constant_within(x, groups, len(counts), tolerance)))
    return made


def _explanations(
    column: Column,
    target: NDArray[np.float64],
    rows: NDArray[np.intp],
    ways: Sequence[_Way],
    step: float,
    of: str | None,
    name: str,
) -> Iterator[Encoding]:
    if np.ptp(target) == 0:
        return
    x = column.values[rows]
    largest = float(np.abs(target).max())
    # Numbers without a pitch are as exact as 64 bits are, or else 32, sums and all.
    tolerances = [max(0.501 * step, 1e-9 * largest)] if step else [1e-9 * largest, 2e-6 * largest]
    for by, groups, counts, constant in ways:
        for tolerance in tolerances:
            if constant:
                made = _smoothed(x, target, groups, counts, tolerance)
            else:
                made = _left_out(x, target, groups, counts, tolerance)
            if made is None:
                continue
            form, explained, chance, weight, parameter = made
            if explained >= MIN_ROWS and chance <= MIN_LOG10_CHANCE:
                yield Encoding(
                    column=column.name,
                    form=form,
                    fitted_on=name,
                    of=of,
                    by=by,
                    n=len(rows),
                    n_groups=len(counts),
                    explained=explained,
                    log10_chance=chance,
                    own_weight=weight,
                    parameter=parameter,
                )
                break


_Found: TypeAlias = "tuple[Form, float, float, float, str]"


def _constant_within(x: NDArray[np.float64], groups: NDArray[np.intp], n_groups: int, tolerance: float) -> bool:
    low, high = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
    np.minimum.at(low, groups, x)
    np.maximum.at(high, groups, x)
    if float(np.mean((high - low)[groups] <= 2 * tolerance)) >= MIN_ROWS:
        return True
    # One edited row spoils its group: but for those, a column of means has no more values than there are groups.
    if len(np.unique(x)) > n_groups + (1 - MIN_ROWS) * len(x):
        return False
    return bool(np.mean(np.abs(x - _middles(x, groups, n_groups)[groups]) <= 2 * tolerance) >= MIN_ROWS)


def _middles(x: NDArray[np.float64], groups: NDArray[np.intp], n_groups: int) -> NDArray[np.float64]:
    """The (lower) median of each group."""
    order = np.lexsort((x, groups))
    counts = np.bincount(groups, minlength=n_groups)
    return np.asarray(x[order[np.cumsum(counts) - counts + (counts - 1) // 2]])


def _smoothed(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    groups: NDArray[np.intp],
    counts: NDArray[np.intp],
    tolerance: float,
) -> _Found | None:
    """The mean of each group, or one that is pulled to the overall mean by how few samples it has."""
    n_groups = len(counts)
    prior, total = float(y.mean()), float(y.var())
    sums: NDArray[np.float64] = np.bincount(groups, y, n_groups).astype(np.float64)
    means = sums / counts
    value = _middles(x, groups, n_groups)
    within = np.maximum(np.bincount(groups, y**2, n_groups) / counts - means**2, 0)
    # An honest column's distance to the mean of its samples, were it perfectly calibrated: spread within / √n. Where
    # the sample itself has no spread (all labels equal) there is nothing to learn from the hit.
    error = np.sqrt(np.where(within > 1e-12 * max(total, 1e-300), within, 0) / counts)
    apart = np.abs(means - prior) > max(10 * tolerance, 1e-9)
    weight = np.divide(value - prior, means - prior, out=np.full(n_groups, np.nan), where=apart)

    def pulled_to(w: NDArray[np.float64]) -> NDArray[np.float64]:
        return prior + w * (means - prior)

    candidates: list[tuple[Form, NDArray[np.float64], NDArray[np.float64], str, int]] = [
        ("mean", np.ones(n_groups), means, "", 0)
    ]
    bayes = counts * total / np.maximum(within + counts * total, 1e-300)
    candidates.append(("empirical Bayes", bayes, pulled_to(bayes), "auto", 0))
    pulled = apart & (weight > 0.02) & (weight < 1 - 1e-6) & (np.abs(value - means) > 2 * tolerance)
    if (np.abs(value - means) > 2 * tolerance).sum() >= 4:
        candidates += _with_any_prior(value, sums, counts, y)
    if pulled.sum() >= 2:
        size = counts[pulled]
        slack = tolerance / np.abs(means - prior)[pulled]
        low, high = (size * (1 / np.clip(weight[pulled] + side * slack, 1e-9, 1) - 1) for side in (1, -1))
        for m in _most_covered(low, high, size):
            w = counts / (counts + m)
            candidates.append(("additive smoothing", w, pulled_to(w), f"m = {m:.4g}", 1))
        if len(np.unique(size)) >= 3:
            # The logit moves by rounding over this, so that many digits count for more.
            trust = weight[pulled] * (1 - weight[pulled]) / slack
            logit = np.log(weight[pulled] / (1 - weight[pulled]))
            slope, start = np.polyfit(size, logit, 1, w=trust)
            for k, f in ((-start / slope, 1 / slope), (np.rint(-start / slope), np.rint(1 / slope))):
                if slope <= 0 or f <= 0:
                    continue
                made = 1 / (1 + np.exp(-np.clip((counts - k) / f, -500, 500)))
                # As category_encoders does, a category with one sample gets the overall mean.
                made = np.where((counts == 1) & (np.abs(value - prior) <= tolerance), 0.0, made)
                text = f"min_samples_leaf = {k:.4g}, smoothing = {f:.4g}"
                candidates.append(("sigmoid smoothing", made, pulled_to(made), text, 2))
    best: _Found | None = None
    for form, w, wanted, text, fitted in candidates:
        hit = np.abs(wanted - value) <= tolerance
        if float(counts[hit].sum()) < MIN_ROWS * len(x):
            continue
        explained = float(np.mean(np.abs(wanted[groups] - x) <= tolerance))
        if explained < MIN_ROWS:
            continue
        spread = w * error
        told = hit & (error > 0) & (counts > 1)
        near = np.minimum(1.0, 2 * tolerance / np.maximum(spread * np.sqrt(2 * np.pi), 1e-300))
        if form == "mean" and _is_binary(y) and _shares_a_denominator(sums[told], counts[told]):
            # An honest share out of as many as there are here has no more values than that.
            near = np.maximum(near, np.minimum(1.0, 1 / np.sqrt(2 * np.pi * np.maximum((counts * error) ** 2, 1e-300))))
        logs = np.sort(np.log10(np.maximum(near[told], 1e-16)))
        # Each number that was fitted is a hit for nothing; and one hit alone may be a constant of another making.
        chance = float(logs[fitted:].sum()) if len(logs) >= fitted + 2 else 0.0
        own = float((w / counts)[groups].mean())
        if best is None or chance < best[2] - 1.0:
            best = (form, explained, chance, own, text)
    return best


def _shares_a_denominator(sums: NDArray[np.float64], counts: NDArray[np.intp]) -> bool:
    """Whether the groups' shares are all fractions of one number up to 1,000, as a coarse honest figure is."""
    common = 1
    for hits, size in zip(np.rint(sums).astype(int).tolist(), counts.tolist(), strict=True):
        common = math.lcm(common, size // math.gcd(hits, size))
        if common > _COARSE:
            return False
    return True


def _with_any_prior(
    value: NDArray[np.float64], sums: NDArray[np.float64], counts: NDArray[np.intp], y: NDArray[np.float64]
) -> list[tuple[Form, NDArray[np.float64], NDArray[np.float64], str, int]]:
    """Additive smoothing to any prior: value · (n + m) = sum + m · prior, which is linear in m and m · prior.

    Weighted least squares, as the value's rounding weighs n + m; then once more without the worst tenth of the rows,
    which may have been edited.
    """
    kept = np.ones(len(value), dtype=np.bool_)
    if len(value) < 4:
        return []
    m = start = 0.0
    left = value * counts - sums
    for _ in range(4):
        trust = np.where(kept, 1 / (counts + max(m, 0.0)), 0.0)
        design = np.column_stack([trust, -value * trust])
        start, m = np.linalg.lstsq(design, left * trust, rcond=None)[0].tolist()
        if not m > 1e-6:
            return []
        off = np.abs(start - m * value - left) / (counts + m)
        order = np.argsort(off, kind="stable")
        kept = np.zeros(len(value), dtype=np.bool_)
        kept[order[np.cumsum(counts[order]) - counts[order] < 0.9 * counts.sum()]] = True
        if kept.sum() < 3:
            return []
    prior = start / m
    if not float(y.min()) <= prior <= float(y.max()):
        return []
    wanted = (sums + start) / (counts + m)
    return [("additive smoothing", counts / (counts + m), wanted, f"m = {m:.4g}, prior = {prior:.4g}", 2)]


def _left_out(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    groups: NDArray[np.intp],
    counts: NDArray[np.intp],
    tolerance: float,
) -> _Found | None:
    """The mean of the group's other samples: (sum − own) / (n − 1)."""
    several = counts[groups] > 1
    if several.sum() < max(20, 0.5 * len(x)):
        return None
    sums = np.bincount(groups, y, len(counts))
    wanted = (sums[groups] - y)[several] / (counts[groups][several] - 1)
    hit = np.abs(x[several] - wanted) <= tolerance
    explained = float(hit.mean())
    if explained < MIN_ROWS:
        return None
    # An honest value would not move with the row's own label: each row of a group with both labels is a coin that fell
    # right, where the movement shows above rounding.
    low, high = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    np.minimum.at(low, groups, y)
    np.maximum.at(high, groups, y)
    shown = (counts > 1) & ((high - low) > 4 * tolerance * np.maximum(counts - 1, 1))
    if not shown.any():
        return None
    chance = float(-np.log10(2) * (counts[shown] - 1).sum())
    return "leave-one-out", explained, chance, 0.0, ""


def _most_covered(low: NDArray[np.float64], high: NDArray[np.float64], weights: NDArray[np.intp]) -> list[float]:
    """The point that lies in the intervals of most weight, and the whole number next to it."""
    ends = np.concatenate([low, high])
    change = np.concatenate([weights, -weights])
    order = np.lexsort((-change, ends))
    covered = np.cumsum(change[order])
    at = int(covered.argmax())
    point = float((ends[order][at] + ends[order][min(at + 1, len(ends) - 1)]) / 2)
    return [point, float(np.rint(point))] if point >= 0.5 else [point]


def _is_binary(y: NDArray[np.float64]) -> bool:
    return bool(np.all((y == 0) | (y == 1)))
