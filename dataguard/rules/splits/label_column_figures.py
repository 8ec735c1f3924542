"""The figures by which columns are said to give the label away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataguard.core.exhibit import Listing
from dataguard.core.finding import (
    Measurement,
    Observation,
)
from dataguard.splits.column_power import Power
from dataguard.splits.columns import Goal
from dataguard.splits.label_leaks import MIN_ODDS_RATIO, Gaps, LabelLeaks, Telling
from dataguard.splits.samples import SplitSamples

if TYPE_CHECKING:
    pass

from dataguard.rules.splits.label_column_worth import SEED

_SHOWN = 20


def telling_figures(
    item: Telling, min_skill: float, min_ratio: float, held: Power | None, p_value: float
) -> tuple[Measurement, ...]:
    """Of a column that tells much alone: its skill, and that of the others, `held`; None where there are none."""
    figures = [
        Measurement(
            name="skill of the column alone",
            value=item.alone.skill,
            threshold=min_skill,
            low=item.alone.low,
            high=item.alone.high,
            level=item.alone.level,
            n=item.alone.n,
        )
    ]
    if held is not None:
        figures.append(
            Measurement(
                name="skill of the others together",
                value=held.skill,
                low=held.low,
                high=held.high,
                level=held.level,
                n=held.n,
            )
        )
    untold = 1.0 if held is None else held.error
    figures.append(
        Measurement(
            name="untold by the others over untold by the column",
            value=untold / max(item.alone.error, 1 / item.alone.n),
            threshold=min_ratio,
            p_value=p_value,
            n=item.alone.n,
        )
    )
    figures.append(Measurement(name="seed of folds and draws", value=SEED))
    return tuple(figures)


def gap_figures(item: Gaps, alpha: float) -> tuple[Measurement, ...]:
    """Of a column whose gaps, or one of whose values, tell a class."""
    gaps = item.gaps
    figures = [
        Measurement(name="Youden's index", value=gaps.youden, threshold=0.9, p_value=item.p_value, n=gaps.n),
        Measurement(name="purity", value=gaps.purity, low=item.least_purity, level=0.95, n=gaps.n, unit="share"),
        Measurement(name="odds ratio at the bound of the purity", value=item.odds_ratio, threshold=MIN_ODDS_RATIO),
        Measurement(name="level of the tests after Holm's correction", value=alpha),
    ]
    if item.told_anyway is not None:
        figures.append(
            Measurement(name="told by the other columns", value=item.told_anyway, threshold=0.95, unit="share")
        )
    return tuple(figures)


def columns_observation(found: LabelLeaks, goal: Goal, samples: SplitSamples) -> Observation:
    """What was held against the label, and how much each column told."""
    ranked = sorted(found.powers.items(), key=lambda item: -item[1].skill)
    said = f"{found.n_columns:,} columns held against the label of {found.n:,} samples"
    if ranked:
        name, power = ranked[0]
        metric = "balanced accuracy" if goal.n_classes else "R²"
        said += f"; the strongest alone is {name!r} with {metric} {power.score(goal.n_classes):.3f}"
    if not found.encodings_tried:
        said += f". Target encodings were not looked for: {len(samples):,} of {samples.n_total:,} samples are looked at"
    if found.row_names:
        said += f". Left to DG312, because they number the rows: {', '.join(found.row_names)}"
    return Observation(
        message=said + ".",
        measurements=(
            Measurement(name="samples that power was measured on", value=found.n_power),
            Measurement(name="samples with a label", value=found.n),
            Measurement(name="seed of folds and draws", value=SEED),
        ),
        exhibits=(
            Listing(
                title="What each column tells of the label alone, out of fold",
                columns=("column", "skill", "low", "high", "samples"),
                rows=tuple(
                    (name, round(p.skill, 4), round(p.low, 4), round(p.high, 4), p.n) for name, p in ranked[:_SHOWN]
                ),
                total=len(ranked),
            ),
        )
        if ranked
        else (),
    )
