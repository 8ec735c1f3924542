"""What else than its content may tell the label of a sample: its place, its number, its container."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.core.multiple_tests import holm
from dataguard.splits.column_power import MAX_ROWS, Power, best_class, folds_of, power_of, told_by
from dataguard.splits.columns import Column, Goal, clusters_of, names_rows, some_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.samples import SplitSamples

Seen: TypeAlias = Literal["fed", "in the pixels", "in the shape", "by chance", "not"]
"""Whether a model can see it: a column that it is fed; traces of the container in the pixels (compression, camera,
color mode); the shape of the picture, which resizing distorts; what comes with it (the session); or not at all."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FileFacts:
    """What the headers of image files say, without a pixel decoded."""

    rows: NDArray[np.intp]
    """Which of the `SplitSamples` were read, ascending, shape (m,)."""
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """By name, m values, NaN for none: 'JPEG quality', 'capture time' and 'file time' in seconds, …"""
    names: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    """By name, m values: 'format', 'color mode', 'camera', …"""
    unreadable: int = 0
    """Files whose header could not be read."""
    n_files: int = 0
    """Files that there are; more than m where a part was drawn."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Told:
    """How much one such fact tells of the label."""

    name: str
    seen: Seen
    power: Power
    label: str | None
    """The class that it tells from all others, where there are three or more; None for all classes, or a target."""
    p_value: float
    """One-sided, that it tells nothing; corrected by Holm, and for the choice of the class."""
    column: Column
    """Its values, of all samples (NaN where it was not read)."""
    said: str = ""
    """Which value has which class, in words."""


SEEN: Mapping[str, Seen] = {
    "format": "in the pixels",
    "color mode": "in the pixels",
    "JPEG quality": "in the pixels",
    "JPEG chroma sampling": "in the pixels",
    "progressive": "not",
    "camera": "in the pixels",
    "software": "in the pixels",
    "orientation": "in the shape",
    "color profile": "in the pixels",
    "width": "in the shape",
    "height": "in the shape",
    "aspect ratio": "in the shape",
    "bytes": "by chance",
    "capture time": "by chance",
    "file time": "not",
    "number in the file name": "not",
}


def row_numbers(columns: Sequence[Column]) -> list[Column]:
    """Columns that name the rows, as numbers: an id 'P-0017' is 17; those without a number are left out."""
    found = []
    for column in columns:
        if not names_rows(column):
            continue
        if column.kind == "number":
            found.append(column)
            continue
        numbers = [_last_number(name) for name in column.categories]
        if sum(number is not None for number in numbers) < 0.95 * len(numbers):
            continue
        by_code = np.array([np.nan if number is None else number for number in numbers])
        codes = np.where(column.codes < 0, 0, column.codes)
        values = np.where(column.codes < 0, np.nan, by_code[codes])
        made = Column(name=column.name, kind="number", values=values)
        if made.n_distinct > 0.5 * len(values):
            found.append(made)
    return found


def _last_number(name: str) -> float | None:
    found = re.findall(r"\d{1,15}", name)
    return float(found[-1]) if found else None


def container_columns(samples: SplitSamples, files: FileFacts | None) -> list[Column]:
    """What is known of the files, as columns of all samples."""
    n = len(samples)
    made: list[Column] = []
    if samples.facts is not None:
        made += [Column(name=name, kind="number", values=values) for name, values in sorted(samples.facts.items())]
        if {"width", "height"} <= set(samples.facts):
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.log(samples.facts["width"] / samples.facts["height"])
            made.append(Column(name="aspect ratio", kind="number", values=np.where(np.isfinite(ratio), ratio, np.nan)))
    if any(path is not None for path in samples.paths):
        stems = [None if path is None else path.replace("\\", "/").rsplit("/", 1)[-1] for path in samples.paths]
        numbers = [None if stem is None else _last_number(stem.rsplit(".", 1)[0]) for stem in stems]
        values = np.array([np.nan if number is None else number for number in numbers])
        made.append(Column(name="number in the file name", kind="number", values=values))
    if files is not None:
        for name, given in files.numbers.items():
            values = np.full(n, np.nan)
            values[files.rows] = given
            made.append(Column(name=name, kind="number", values=values))
        for name, texts in files.names.items():
            kinds = sorted({text for text in texts if text is not None})
            # A name that is missing is as telling as one that is there: no camera is named in a drawing.
            place = {text: code for code, text in enumerate([*kinds, "none"])}
            values = np.full(n, np.nan)
            values[files.rows] = [place["none" if text is None else text] for text in texts]
            made.append(Column(name=name, kind="category", values=values, categories=(*kinds, "none")))
    return [column for column in made if column.n_distinct > 1]


def telling_facts(
    samples: SplitSamples,
    columns: Sequence[tuple[Column, Seen]],
    goal: Goal,
    rows: NDArray[np.intp],
    *,
    seed: int,
) -> tuple[Told, ...]:
    """How much each fact tells of the label out of fold, with Holm-corrected tests, the most telling first.

    The null hypothesis is that it tells nothing: a skill of 0. Samples of one group, and copies, are one unit. Of one
    class against the others Fisher's exact test must agree, because rare classes have few samples.

    Args:
        samples: All of them.
        columns: Facts of all samples, with whether a model can see them.
        goal: The label of `rows`.
        rows: The samples that have one.
        seed: Of draws and folds.
    """
    from scipy import stats

    chosen = rows
    values = goal.values
    if len(rows) > MAX_ROWS:
        part = np.sort(np.random.default_rng([seed, 61]).choice(len(rows), MAX_ROWS, replace=False))
        chosen, values = rows[part], values[part]
    made = []
    for column, seen in columns:
        mine = some_of(column, chosen)
        known = ~mine.missing
        # Headers are read of a part of the files; a sample that was not read tells nothing.
        if column.kind == "number" and known.mean() > 0.5:
            known = np.ones(len(chosen), dtype=np.bool_)
        if known.sum() < 40 or len(np.unique(mine.codes[known])) < 2:
            continue
        kept = values[known]
        present = np.unique(kept.astype(np.intp)) if goal.n_classes else np.zeros(0, dtype=np.intp)
        if goal.n_classes and len(present) < 2:
            continue
        small = Goal(values=kept, classes=goal.classes)
        clusters = clusters_of(samples, chosen[known])
        told = told_by(some_of(mine, np.flatnonzero(known)), small, folds_of(len(kept), clusters, seed))
        power, label, choices = power_of(told, small, clusters), None, 1
        if goal.n_classes > 2:
            code, of_class = best_class(told, small, clusters)
            if of_class.skill > power.skill:
                power, label, choices = of_class, goal.classes[code], goal.n_classes
        units = len(kept) if clusters is None else len(np.unique(clusters))
        error = (power.skill - power.low) / stats.t.ppf((1 + power.level) / 2, max(1, units - 1))
        p = min(1.0, choices * float(stats.t.sf(power.skill / error, max(1, units - 1))))
        if len(present) == 2 or label is not None:
            p = max(p, min(1.0, choices * _by_chance(told, kept, present[1] if label is None else code)))
        made.append((column, seen, power, label, p, _said(some_of(mine, np.flatnonzero(known)), small)))
    if not made:
        return ()
    corrected = holm([item[4] for item in made]).tolist()
    found = [
        Told(name=column.name, seen=seen, power=power, label=label, p_value=p, column=column, said=said)
        for (column, seen, power, label, _, said), p in zip(made, corrected, strict=True)
    ]
    return tuple(sorted(found, key=lambda item: -item.power.skill))


def _by_chance(told: NDArray[np.float64], values: NDArray[np.float64], code: int) -> float:
    """Fisher's exact test of one class: of a few samples of a rare one the linearization makes too much."""
    from scipy import stats

    said, mine = told == code, values == code
    return float(stats.hypergeom.sf(int((said & mine).sum()) - 1, len(told), int(mine.sum()), int(said.sum())))


def _said(column: Column, goal: Goal) -> str:
    """Which values go with which classes, for the three most frequent classes."""
    if not goal.n_classes:
        return ""
    counts = np.bincount(goal.codes, minlength=goal.n_classes)
    parts = []
    for code in np.argsort(-counts, kind="stable")[:3]:
        inside = goal.codes == code
        if not inside.any():
            continue
        if column.kind == "category":
            mine = column.codes[inside]
            shares = np.bincount(mine[mine >= 0], minlength=1)
            names = sorted(set(column.values[~column.missing].astype(int).tolist()))
            best = int(shares.argmax())
            value = column.categories[names[best]] if column.categories else str(names[best])
            parts.append(f"{goal.classes[code]!r} {value} in {100 * shares[best] / inside.sum():.0f} %")
        else:
            known = column.values[inside & ~column.missing]
            if not len(known):
                continue
            low, middle, high = np.percentile(known, [10, 50, 90])
            parts.append(f"{goal.classes[code]!r} {middle:.6g} ({low:.6g} to {high:.6g})")
    return ", ".join(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class PositionCut:
    """A split that is a stretch of rows."""

    split: str
    first: int
    last: int
    """Positions of its first and last sample in the source's order."""
    overlap: float
    """Share of training samples that lie within the stretch."""


def position_cut(samples: SplitSamples, split: str) -> PositionCut | None:
    """Whether a split is a stretch of the source's rows, with (almost) no training sample in it; None where not.

    At most 1 % of the stretch may be training samples: then it was cut, and not drawn.
    """
    inside, training = samples.within(split), samples.in_training
    if not inside.any() or not training.any():
        return None
    mine, theirs = samples.positions[inside], samples.positions[training]
    first, last = int(mine.min()), int(mine.max())
    among = int(((theirs >= first) & (theirs <= last)).sum())
    overlap = among / (among + len(mine))
    if overlap > 0.01 or len(mine) < 10:
        return None
    return PositionCut(split=split, first=first, last=last, overlap=overlap)
