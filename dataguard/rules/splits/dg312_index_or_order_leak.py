"""DG312 index-or-order-leak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import (
    Confidence,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.rules.splits.split_worth import is_later, worth_of_split
from dataguard.splits.columns import Column, Goal, clusters_of, feature_columns, goal_of, refusal
from dataguard.splits.drift import LABEL, column_drifts
from dataguard.splits.metadata import (
    SEEN,
    FileFacts,
    PositionCut,
    Seen,
    Told,
    container_columns,
    position_cut,
    row_numbers,
    telling_facts,
)
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.leaks import worth_of_columns
from dataguard.splits.worth.record import NoWorth, Worth, describe, measurements

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED = 0
_WORTHS = 4
_NEARLY_ALL = 0.9
_DRIFT = 0.2
"""Total variation of the label between splits: as DG309's."""


@rule("DG312", "index-or-order-leak", Severity.WARNING)
def index_or_order_leak(
    samples: SplitSamples,
    files: FileFacts | None = None,
    *,
    min_skill: Annotated[float, Between(low=0, high=1)] = 0.31,
    alpha: Annotated[float, Between(low=0, high=1)] = 0.01,
) -> Iterator[Outcome]:
    """The number, the place or the file of a sample tells its label, and not its content.

    ## What it does

    Holds what is known of a sample besides its content against the label:

    - columns of a table that number or name the rows, which a model is fed (`Unnamed: 0`, `patient_id`);
    - evaluation splits that are a stretch of the rows, where the rows are in order of the label;
    - what a file's header says: format, color mode, JPEG quality and chroma sampling, camera, software, color profile,
      width, height, aspect ratio, orientation, capture time. Headers of at most 5,000 files are read, drawn by a seed.

    That files are in folders by class, numbered class by class and written one class after the other is normal and no
    finding: file times, file names and the order of a folder are among the figures alone. That batches come in order of
    the class is DG201 (unshuffled-order).

    ## Why is this bad?

    A network sees how a picture was compressed, resized and photographed. Where one class comes from another camera or
    another website, that is easier to learn than the class, every held-out score is excellent, and on new pictures the
    model fails: detectors of COVID-19 told the hospitals apart, and a tank detector the weather. A row number is such a
    fact in a table: whoever exported sorted rows with their index fed the answer.

    ## How it decides

    *Skill* is (balanced accuracy − 1/K) / (1 − 1/K), or of a target 1 − √(1 − R²), of predictions out of 5 folds from
    that one fact: a decision tree on a number, the commonest class of a name; of three or more classes that of one
    class against the others, where that is more. The null hypothesis is that it tells nothing; the test is one-sided,
    by linearization with groups and copies as units, and of one class also by Fisher's exact test (the larger p-value
    counts), Holm-corrected over all facts at level `alpha`.

    A finding needs that *and* an effect. `min_skill` is what two normal distributions with Cohen's large effect (d =
    0.8) give two classes: 2Φ(d/2) − 1 = 0.31. Of it: a fed row number or a trace in the pixels is a warning, an error
    from 0.9 on. The shape of the picture often belongs to its content (towers are tall): info, a warning from twice
    `min_skill` on, an error never. The size of the file follows the content (a "1" has less ink than an "8"), and a
    capture time follows the session: info, and that from 0.9 and from `min_skill` on. File times and names are not
    seen: no finding.

    A split that is a stretch of rows is a warning where its labels differ from the training split's by a total
    variation of 0.2 or more (a target: Kolmogorov and Smirnov's distance), p ≤ `alpha` by Holm. Where it is later than
    the training split as a whole it is info, and DG309 (split-drift) says the rest. Only tables have rows; a folder is
    read in the order of its names, and every split folder is a stretch.

    False alarms (`benchmarks/leakage.py`, seed 9401, by the linearization alone): 2 warnings on 450 clean tables
    with strong confounders (0.0044, at most 0.0141 with 95 % confidence), both ids that met a rare class by chance;
    earlier, with other seeds, none on 850 tables and 40 picture folders in order of the class. Power: compression
    10 steps apart, a color mode of half a class, the width of one class of up to 7, and an index among the columns
    are found in 20 draws of 20 each, from 100 samples on.

    Options:

    - `min_skill`: effect from which a fact is a finding.
    - `alpha`: level of the tests after Holm's correction.

    ## Example

    >>> rng = np.random.default_rng(0)
    >>> label = np.array(["no"] * 200 + ["yes"] * 200, dtype=object)
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"Unnamed: 0": np.arange(400), "age": rng.normal(size=400)})
    >>> samples = SplitSamples(
    ...     sample_ids=tuple(map(str, range(400))), splits=("",) * 400, positions=np.arange(400), n_total=400,
    ...     kind="table", paths=(None,) * 400, contents=(None,) * 400, labels=label, columns=frame,
    ...     feature_columns=("Unnamed: 0", "age"))
    >>> print(index_or_order_leak(samples, None)[0].message.partition(" with")[0])
    Column 'Unnamed: 0' numbers the rows, is among the features, and tells the label

    ## How to fix

    Drop columns that number the rows (`index=False` when a table is written). Bring all classes through the same path:
    decode, resize and encode them alike, and collect every class from every source. Draw splits at random after
    shuffling the rows. Where the container cannot be evened out, evaluate on pictures from a source that was not
    trained on.

    ## References

    - Kaufman, Rosset, Perlich & Stitelman, *Leakage in Data Mining*, ACM TKDD 6(4), 2012.
    - DeGrave, Janizek & Lee, *AI for radiographic COVID-19 detection selects shortcuts over signal*, Nature MI 3, 2021.
    - Geirhos and others, *Shortcut Learning in Deep Neural Networks*, Nature Machine Intelligence 2, 2020.
    - Cohen, *Statistical Power Analysis for the Behavioral Sciences*, 2nd ed., 1988.
    """
    if samples.labels is None and samples.targets is None:
        yield Skipped(reason="no sample has a label", hint="name the label column, or put images into class folders")
        return
    goal, rows = goal_of(samples)
    reason = refusal(goal)
    if reason:
        yield Inconclusive(
            reason=reason, measurements=(Measurement(name="samples with a label", value=len(rows), threshold=40),)
        )
        return
    features = feature_columns(samples)
    facts: list[tuple[Column, Seen]] = [(column, "fed") for column in row_numbers(features)]
    facts += [(column, SEEN[column.name]) for column in container_columns(samples, files)]
    if samples.columns is not None:
        facts.append((Column(name="row", kind="number", values=samples.positions.astype(np.float64)), "not"))
    found = telling_facts(samples, facts, goal, rows, seed=_SEED)
    left = _WORTHS
    for item in found:
        severity = _severity(item, min_skill)
        if severity is None or item.p_value > alpha:
            continue
        worth = _worth(samples, features, item, goal, rows, left > 0)
        left -= 1
        yield index_or_order_leak.finding(
            f"{_said(item, goal)}{': ' + item.said if item.said else ''}."
            f"{' ' + describe(worth) if isinstance(worth, Worth) else ''}",
            remedy=_remedy(item.seen),
            severity=severity,
            confidence=Confidence.HIGH if item.seen == "fed" else Confidence.MEDIUM,
            measurements=(*_figures(item, min_skill, files), *measurements(worth)),
            locations=(Location(column=item.name),) if item.seen == "fed" else (),
            key=(item.name,),
        )
    if samples.columns is not None:
        for split in samples.evaluation_splits:
            cut = position_cut(samples, split)
            if cut is not None:
                yield from _cut(samples, cut, goal, rows, alpha)
    yield _observation(found, files, min_skill)


def _severity(item: Told, min_skill: float) -> Severity | None:
    """How bad it is, by whether a model sees it; None for no finding."""
    skill = item.power.skill
    if item.seen == "not" or skill < min_skill:
        return None
    if item.seen == "by chance":
        return Severity.INFO if item.name != "bytes" or skill >= _NEARLY_ALL else None
    if item.seen == "in the shape":
        return Severity.WARNING if skill >= 2 * min_skill else Severity.INFO
    return Severity.ERROR if skill >= _NEARLY_ALL else Severity.WARNING


def _said(item: Told, goal: Goal) -> str:
    metric = "balanced accuracy" if goal.n_classes else "R²"
    what = "the label" if item.label is None else f"class {item.label!r} from the others"
    tells = f"{what} with {metric} {item.power.score(goal.n_classes if item.label is None else 2):.3f}"
    if item.seen == "fed":
        return f"Column {item.name!r} numbers the rows, is among the features, and tells {tells}"
    where = {
        "in the pixels": ", which leaves its traces in the pixels,",
        "in the shape": ", which is the shape that the model sees or resizes,",
        "by chance": "",
    }[item.seen]
    return f"The {item.name} of the file{where} tells {tells}"


def _remedy(seen: Seen) -> str:
    if seen == "fed":
        return "Drop the column, and shuffle the rows before they are split."
    return "Bring all classes through the same path: decode, resize and encode them alike, and mix their sources."


def _worth(
    samples: SplitSamples,
    features: Sequence[Column],
    item: Told,
    goal: Goal,
    rows: NDArray[np.intp],
    measured: bool,
) -> Worth | NoWorth:
    """What the fact adds to the features."""
    subject = f"column {item.name!r}" if item.seen == "fed" else f"the {item.name} of the file"
    if not measured:
        return NoWorth(subject=subject, reason=f"it was for {_WORTHS} other findings of this rule")
    known = rows[~np.isnan(item.column.values[rows])] if item.column.missing.mean() > 0.5 else rows
    values = goal.values[np.isin(rows, known)]
    others = [column for column in features if column.name != item.name]
    parts = [column.feature[known] for column in others]
    if not parts and samples.features is not None:
        parts = list(samples.features[known].T)
    train = samples.in_training[known]
    split = bool(train.any() and (~train).any())
    return worth_of_columns(
        np.column_stack([*parts, item.column.feature[known]]),
        values.astype(np.intp) if goal.n_classes else values,
        [len(parts)],
        subject=subject,
        train=train if split else None,
        evaluation=~train if split else None,
        groups=[samples.groups[row] for row in known.tolist()] if samples.groups else None,
        seed=_SEED,
    )


def _cut(
    samples: SplitSamples, cut: PositionCut, goal: Goal, rows: NDArray[np.intp], alpha: float
) -> Iterator[Outcome]:
    """A finding where the rows of a split that is a stretch have other labels than those that are trained on."""
    inside, training = samples.within(cut.split)[rows], samples.in_training[rows]
    compared = inside | training
    label = Column(
        name=LABEL,
        kind="category" if goal.n_classes else "number",
        values=goal.values[compared],
        categories=goal.classes,
    )
    clusters = clusters_of(samples, rows[compared])
    drifts = column_drifts([label], inside[compared], clusters)
    if not drifts:
        return
    drift = drifts[0]
    p_value = min(1.0, drift.p_value * len(samples.evaluation_splits))
    if drift.effect < _DRIFT or p_value > alpha:
        return
    later = is_later(samples, samples.within(cut.split))
    worth = worth_of_split(samples, samples.within(cut.split), cut.split, seed=_SEED)
    yield index_or_order_leak.finding(
        f"Split {cut.split!r} is a stretch of rows ({cut.first:,} to {cut.last:,}), and rows are in order of the "
        f"label: {drift.said} {drift.first:.4g} in training, {drift.second:.4g} in it."
        f"{' ' + describe(worth) if isinstance(worth, Worth) else ''}",
        remedy="Shuffle the rows, whole groups together, before they are split.",
        severity=Severity.INFO if later else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(
                name="difference of the label between the splits",
                value=drift.effect,
                threshold=_DRIFT,
                p_value=p_value,
                n=max(1, round(drift.n)),
            ),
            Measurement(name="training samples within the stretch", value=cut.overlap, threshold=0.01, unit="share"),
            *measurements(worth),
        ),
        locations=(Location(split=cut.split),),
        key=("stretch", cut.split),
    )


def _figures(item: Told, min_skill: float, files: FileFacts | None) -> tuple[Measurement, ...]:
    figures = [
        Measurement(
            name=f"skill of {item.name} alone",
            value=item.power.skill,
            threshold=min_skill,
            low=item.power.low,
            high=item.power.high,
            level=item.power.level,
            p_value=item.p_value,
            n=item.power.n,
        ),
        Measurement(name="seed of folds and draws", value=_SEED),
    ]
    if files is not None and item.seen != "fed":
        figures.append(Measurement(name="headers read", value=len(files.rows), n=files.n_files))
    return tuple(figures)


def _observation(found: Sequence[Told], files: FileFacts | None, min_skill: float) -> Observation:
    if not found:
        return Observation(message="Nothing but their content is known of the samples.")
    best = found[0]
    read = "" if files is None else f" Headers of {len(files.rows):,} of {files.n_files:,} files were read."
    return Observation(
        message=f"{len(found)} facts besides the content were held against the label; the most telling is "
        f"{best.name} (skill {best.power.skill:.3f}).{read}",
        measurements=_figures(best, min_skill, files),
        exhibits=(
            Listing(
                title="What is known besides the content, and how much it tells of the label",
                columns=("fact", "seen by a model", "skill", "low", "high", "p (Holm)", "samples"),
                rows=tuple(
                    (
                        item.name,
                        item.seen,
                        round(item.power.skill, 4),
                        round(item.power.low, 4),
                        round(item.power.high, 4),
                        float(f"{item.p_value:.3g}"),
                        item.power.n,
                    )
                    for item in found
                ),
                total=len(found),
            ),
        ),
    )
