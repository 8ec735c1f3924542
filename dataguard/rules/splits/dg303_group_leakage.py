"""DG303: samples of one group in two splits."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.finding import (
    Confidence,
    Finding,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.core.split_roles import is_training
from dataguard.rules.splits.group_places import group_exhibits, group_locations, split_word
from dataguard.splits.adjacency import Adjacency
from dataguard.splits.folds import Mixing, worth_of_mixing
from dataguard.splits.groups import Straddling, straddling
from dataguard.splits.proposals import Proposal, Proposals, beside_training, blocks, order_of, propose, strata_of
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.leaks import worth_of_training_samples
from dataguard.splits.worth.problem import numbered
from dataguard.splits.worth.record import NoWorth, Worth

if TYPE_CHECKING:
    pass

SEED = 0
"""Of shuffles, folds and models: the same data give the same report."""
STRIKING = 2.0
"""Neighbours lie together that many times as often as by chance: worth knowing even where no gain could be measured."""
MIXED = 0.5
"""Share of an evaluation split beside training samples, in the order, above which the split mixes hidden groups: one
made of stretches of the file has few such samples, at their ends."""


@rule("DG303", "group-leakage", Severity.ERROR)
def group_leakage(
    samples: SplitSamples,
    *,
    max_share: Annotated[float, Between(low=0, high=1)] = 0.0,
    level: Annotated[float, Between(low=0.0001, high=0.2)] = 0.01,
) -> Iterator[Outcome]:
    """Samples of one patient, user, session or video are in training and in evaluation.

    ## What it does

    Looks for groups that lie on both sides of a split: those that `dataset.group` names; where it names none, those
    that file names or columns speak of; and where there is no id at all, those that the order of the file gives away.

    ## Why is this bad?

    Two frames of a video, two slices of a patient and two lines of a writer share far more than their class. A model
    that has seen one recognizes the other, and the score says how well it remembers, not how it will do on a patient
    that it has not seen.

    ## How it decides

    *Named groups.* Whether a group is in two splits is a fact. Counted are the evaluation samples of which a member of
    the group is in the other split; a share above `max_share` is reported: an error with training, a warning between
    two evaluation splits. No further test is made, as the owner of the data has said what belongs together.

    *Proposed groups.* Paths are cut into parts (`patient_012_slice_03.png`: patient, 012, slice, 03), and each part,
    and each beginning, that repeats is a candidate; so is each column of text or whole numbers with 20 or more values
    (3 if its name speaks of a patient, user, session, …) that repeat in at least half of the rows. H0: *given its
    class, and up to a smooth change from one id to the next, a sample's features say nothing of its group.* The
    statistic is the share of samples whose nearest neighbour within the class (Euclidean, without the candidate's own
    column) is of the same group; the null distribution comes of shuffling samples among about six groups next to one
    another in the natural order of ids. That is why an age or a counter is no group: its neighbours are as alike as its
    equals. Columns that are curves over the ids, and a polynomial of degree 5 over their ranks, are taken out first.

    *Hidden groups.* H0: *within a window of a quarter of a class, the order of the samples is random.* The statistic is
    the share of samples whose nearest neighbour of the class lies within 1, 2, 4, 8, … samples of that class in the
    order, the largest excess counting. Columns that the file is sorted by (9 of 10 steps go one way), curves over them
    and a polynomial of degree 5 over the order are taken out first; the rest of a slow drift stays in place when
    windows are shuffled. As a trend may have a kink, the order is shuffled once more within windows of eight times the
    number of places that tells most, and the larger p-value counts. So neither a file sorted by class, nor one sorted
    by a column, nor drift is a group.

    All p-values of a dataset are corrected together (Holm) and must be at most `level`, and neighbours must lie
    together 1.2 times as often as by chance. Then the *worth* is measured: each sample is predicted in five folds that
    mix groups, and in five that keep each group (or ten reaches of the order) whole. Where the split mixes groups and
    the interval of the difference lies above 0 (or, of a regression, Wilcoxon's signed-rank test over the groups has
    p ≤ 0.025), it is one warning for all evaluation splits: with high confidence where a word speaks for the
    group, else medium. Where the interval does not, it is information if neighbours lie together twice as often as by
    chance, and else an observation.

    Measured by `benchmarks/group_leakage.py --seed 771`, a seed that played no part in the making, on tables of 200 to
    1,500 rows with columns of random ids, ages and counters. Of 1,000 tables without groups, 100 each of ten kinds
    (sorted by the label, by columns, by what is not in the table; drifting; of few values; numbered files), 1 was a
    warning and 1 more information, where `level` allows 10: at most 0.63 % with 95 % confidence. Of 250 tables with
    planted groups (a column among others, file names, the order of the file, sorted by class or drifting as well) the
    tests found every one: at least 98.8 %; in 245 neighbours lie together twice as often as by chance. On
    scikit-learn's digits, which come in groups of a writer, 44 % of the nearest neighbours are within 8 places, where
    20 % would be by chance, worth 0.018 of balanced accuracy (0.007 to 0.030).

    Options:

    - `max_share`: the share of an evaluation split that may have a named group's members in another split.
    - `level`: the chance that proposed or hidden groups are tested positive in data that have none.

    ## Example

    >>> from dataguard.splits.samples import SplitSamples
    >>> import numpy as np
    >>> samples = SplitSamples(
    ...     sample_ids=("a", "b", "c", "d"), splits=("train", "train", "test", "test"), positions=np.arange(4),
    ...     n_total=4, kind="", paths=(None,) * 4, contents=(None,) * 4, groups=("p1", "p2", "p2", "p3"))
    >>> print(group_leakage(samples)[0].message.partition(":")[0])
    1 of 2 samples of test (50.00 %) is of a group that has samples in train, 1 of 2 groups

    ## How to fix

    Split by group: scikit-learn's `GroupShuffleSplit`, `GroupKFold` or `StratifiedGroupKFold`, with the group that the
    finding names. Where no id is known, ask who collected the data, or cut the file into contiguous stretches. Where
    the model will meet the same patients or users again, mixing is right: ignore the rule with that reason.

    ## References

    - S. Kapoor, A. Narayanan: Leakage and the reproducibility crisis in machine-learning-based science, Patterns 2023
      (L3.2, non-independence between training and test samples).
    - S. Saeb et al.: The need to approximate the use-case in clinical machine learning, GigaScience 2017.
    - D. Roberts et al.: Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
      structure, Ecography 2017 (blocks).
    - M. Schilling: Multivariate two-sample tests based on nearest neighbors, JASA 1986 (the statistic).
    - J. von Neumann: Distribution of the ratio of the mean square successive difference to the variance, 1941.
    - S. Holm: A simple sequentially rejective multiple test procedure, 1979.
    """
    if any(group is not None for group in samples.groups):
        yield from _named(samples, max_share)
        return
    if samples.features is None or not samples.features.shape[1]:
        yield Skipped(
            reason="no groups are named, and there are no features to propose some by",
            hint="set dataset.group to the column that says what belongs together",
        )
        return
    found = propose(samples, level=level, seed=SEED)
    yield from _proposed(samples, found)


# Named groups


def _named(samples: SplitSamples, max_share: float) -> Iterator[Outcome]:
    sizes = Counter(group for group in samples.groups if group is not None)
    n_grouped = sum(sizes.values())
    figures = (
        Measurement(name="groups", value=len(sizes), n=n_grouped),
        Measurement(name="samples of the largest group", value=max(sizes.values()), n=n_grouped),
        Measurement(name="samples without a group", value=len(samples) - n_grouped, n=len(samples)),
    )
    if len(samples.split_names) < 2:
        yield Observation(
            message=f"A split must keep {len(sizes):,} groups together, of {min(sizes.values()):,} to "
            f"{max(sizes.values()):,} samples.",
            measurements=figures,
        )
        yield Skipped(
            reason="there is only one split", hint="name the splits, as folders train/ and test/ or a split column"
        )
        return
    if len(sizes) == 1 and n_grouped == len(samples):
        yield Inconclusive(
            reason=f"all {len(samples):,} samples are of one group, {next(iter(sizes))!r}: no split keeps it together",
            measurements=figures,
        )
        return
    counts = []
    for left, right in itertools.combinations(samples.split_names, 2):
        if is_training(left) and is_training(right):
            continue
        shared = straddling(samples.groups, samples.splits, left, right)
        counts.append(
            Measurement(
                name=f"samples of {split_word(right)} with their group in {split_word(left)}",
                value=shared.n_shared,
                threshold=max_share * shared.n_right,
                n=shared.n_right,
            )
        )
        if shared.n_shared > max_share * shared.n_right:
            yield _named_finding(samples, shared, max_share)
    alone = (
        " Every sample is a group of its own, so that they keep nothing together." if max(sizes.values()) == 1 else ""
    )
    yield Observation(
        message=f"{len(sizes):,} groups of {min(sizes.values()):,} to {max(sizes.values()):,} samples; "
        f"{len(samples) - n_grouped:,} samples without one.{alone}",
        measurements=(*figures, *counts),
    )


def _named_finding(samples: SplitSamples, shared: Straddling, max_share: float) -> Finding:
    training = is_training(shared.left) or is_training(shared.right)
    worth = _worth_of_split(samples, shared) if training else None
    n, total = shared.n_shared, shared.n_right
    left, right = split_word(shared.left), split_word(shared.right)
    largest = ", ".join(repr(group) for group in shared.groups[:3]) + (", …" if len(shared.groups) > 3 else "")
    return group_leakage.finding(
        f"{n:,} of {total:,} samples of {right} ({100 * n / total:.2f} %) {'is' if n == 1 else 'are'} of "
        f"{'a group' if len(shared.groups) == 1 else 'groups'} that {'has' if len(shared.groups) == 1 else 'have'} "
        f"samples in {left}, {len(shared.groups):,} of {shared.n_right_groups:,} groups: {largest}."
        + ("" if worth is None else f" {worth.words}"),
        remedy=f"Split again by group, or delete these groups from {left}, and measure on {right} again.",
        severity=Severity.ERROR if training else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(
                name=f"share of {right} with its group in {left}",
                value=n / total,
                threshold=max_share,
                n=total,
                unit="share",
            ),
            Measurement(name="groups in both", value=len(shared.groups), threshold=0, n=shared.n_right_groups),
            *(() if worth is None else worth.measurements),
        ),
        locations=group_locations(samples, shared),
        exhibits=group_exhibits(samples, shared, f"Groups in {left} and {right}"),
        key=(shared.left, shared.right),
    )


def _worth_of_split(samples: SplitSamples, shared: Straddling) -> Mixing:
    """Of the split as it is, where enough training is left without the groups; else of mixing them."""
    subject = "groups in both splits"
    if samples.features is None or samples.target is None:
        return Mixing(worth=NoWorth(subject=subject, reason=_lacking(samples)))
    train, evaluation, leaked = (np.zeros(len(samples), dtype=np.bool_) for _ in range(3))
    train[:], evaluation[:] = samples.within(shared.left), samples.within(shared.right)
    leaked[list(itertools.chain(*shared.left_rows))] = True
    if 2 * int(leaked.sum()) <= int(train.sum()):
        made = worth_of_training_samples(
            samples.features,
            samples.target,
            train,
            evaluation,
            leaked,
            subject=subject,
            groups=samples.groups,
            seed=SEED,
        )
        if isinstance(made, Worth):
            return Mixing(worth=made)
    codes = numbered(samples.groups)
    codes[~(train | evaluation)] = -1
    return worth_of_mixing(samples.features, samples.target, codes, subject=subject, seed=SEED)


# Groups that nobody named


def _proposed(samples: SplitSamples, found: Proposals) -> Iterator[Outcome]:
    split = len(samples.split_names) > 1 and bool(samples.evaluation_splits) and bool(samples.in_training.any())
    figures = _tests(found)
    chosen, hidden = found.chosen, found.hidden
    target = samples.target
    if chosen is None and hidden is None:
        yield Observation(
            message="No groups are named, and neither names, columns nor the order of the samples speak of any: "
            f"{len(found.tested):,} groupings tested"
            + ("." if isinstance(found.order, Adjacency) else f", the order not ({found.order.reason})."),
            measurements=figures,
        )
        if isinstance(found.order, Inconclusive) and not found.tested:
            yield Inconclusive(reason=f"no groups are named, and {found.order.reason}", measurements=figures)
    else:
        if chosen is not None:
            codes, subject, what = chosen.candidate.codes, "groups mixed", _words(chosen)
        elif hidden is not None:
            codes = blocks(hidden, order_of(samples), strata_of(samples))
            subject, what = "neighbours in the order mixed", _order_words(hidden)
        worth = Mixing(worth=NoWorth(subject=subject, reason=_lacking(samples)))
        if target is not None and samples.features is not None:
            worth = worth_of_mixing(samples.features, target, codes, subject=subject, seed=SEED)
        gain = worth.is_gain
        finding: Finding | None = None
        if split and chosen is not None and (gain or chosen.ratio >= STRIKING):
            finding = _proposal_finding(samples, chosen, worth, figures)
        elif split and chosen is None and hidden is not None and (gain or hidden.ratio >= STRIKING):
            finding = _order_finding(samples, hidden, worth, figures)
        if finding is not None:
            yield finding
        else:
            advice = "A split must keep these together. " if not split and gain else ""
            yield Observation(message=f"{what} {advice}{worth.words}", measurements=(*figures, *worth.measurements))
    if not split:
        yield Skipped(
            reason="there is only one split" if len(samples.split_names) < 2 else "no split is trained on",
            hint="name the splits, as folders train/ and test/ or a split column",
        )


def _words(proposal: Proposal) -> str:
    candidate, tested = proposal.candidate, proposal.likeness
    place = (
        f"Column {candidate.name!r}" if candidate.source == "column" else f"The part in braces of {candidate.name!r}"
    )
    return (
        f"{place} puts samples into {candidate.n_groups:,} groups, and the nearest neighbour of "
        f"{100 * tested.share:.1f} % of the samples is of the same one, where {100 * tested.expected:.1f} % would "
        f"be by chance (p {_p(proposal.p_value)})."
    )


def _order_words(found: Adjacency) -> str:
    return (
        f"The nearest neighbour of {100 * found.share:.1f} % of the samples lies within {found.reach:,} places of it "
        f"among the samples of its class (about {found.rows:,} rows), where {100 * found.expected:.1f} % would by "
        "chance: the order holds groups that no column names."
    )


def _proposal_finding(
    samples: SplitSamples, proposal: Proposal, worth: Mixing, figures: tuple[Measurement, ...]
) -> Finding | None:
    candidate = proposal.candidate
    training = [name for name in samples.split_names if is_training(name)]
    pairs = [
        shared
        for left, right in itertools.product(training, samples.evaluation_splits)
        if (shared := straddling(candidate.values, samples.splits, left, right)).n_shared
    ]
    if not pairs:
        return None
    column = candidate.name if candidate.source == "column" else None
    counted = [
        f"{shared.n_shared:,} of {shared.n_right:,} samples of {split_word(shared.right)} "
        f"({100 * shared.n_shared / shared.n_right:.1f} %) have their group in {split_word(shared.left)} too"
        for shared in pairs
    ]
    return group_leakage.finding(
        f"{_words(proposal)} {'; '.join(counted)}. {worth.words}",
        remedy="See whether this is what must not straddle splits, as a patient or a session; if so, name "
        "it, in dataset.group or for files as {group} in dataset.pattern, and split by it. If the model will "
        "meet the same groups again, ignore this rule with that reason.",
        severity=_severity(worth),
        confidence=Confidence.HIGH if candidate.word else Confidence.MEDIUM,
        measurements=(
            *(
                Measurement(
                    name=f"share of {split_word(shared.right)} with its group in {split_word(shared.left)}",
                    value=shared.n_shared / shared.n_right,
                    threshold=0.0,
                    n=shared.n_right,
                    unit="share",
                )
                for shared in pairs
            ),
            *figures,
            *worth.measurements,
        ),
        locations=tuple(place for shared in pairs for place in group_locations(samples, shared, column=column)),
        exhibits=tuple(
            exhibit
            for shared in pairs
            for exhibit in group_exhibits(
                samples,
                shared,
                f"Groups in {split_word(shared.left)} and {split_word(shared.right)}: {candidate.name}",
            )
        ),
        key=("proposed", candidate.source, _stable(candidate.name, candidate.source)),
    )


def _severity(worth: Mixing) -> Severity:
    return Severity.WARNING if worth.is_gain else Severity.INFO


def _stable(name: str, source: str) -> str:
    """A candidate's name for a fingerprint; that of file names is an example, which changes with the data."""
    return name if source == "column" else ""


def _order_finding(
    samples: SplitSamples, hidden: Adjacency, worth: Mixing, figures: tuple[Measurement, ...]
) -> Finding | None:
    order, training = order_of(samples), samples.in_training
    shares = {
        right: beside_training(hidden, order, training, samples.within(right)) for right in samples.evaluation_splits
    }
    mixed = {right: share for right, share in shares.items() if share > MIXED}
    if not mixed:
        return None
    counted = " and ".join(f"{100 * share:.1f} % of {split_word(right)}" for right, share in mixed.items())
    return group_leakage.finding(
        f"{_order_words(hidden)} {counted} {'lies' if len(mixed) == 1 else 'lie'} that near to samples of training. "
        f"{worth.words}",
        remedy="Ask who collected the data what lies together in the file, as a writer, a session or a video, "
        "and split by it; where that is not known, cut the file into contiguous stretches.",
        severity=_severity(worth),
        confidence=Confidence.MEDIUM,
        measurements=(
            *(
                Measurement(
                    name=f"share of {split_word(right)} beside training samples in the order",
                    value=share,
                    threshold=MIXED,
                    unit="share",
                )
                for right, share in shares.items()
            ),
            *figures,
            *worth.measurements,
        ),
        locations=tuple(Location(split=right, note=f"groups of a few times {hidden.rows:,} rows") for right in mixed),
        key=("order",),
    )


def _tests(found: Proposals) -> tuple[Measurement, ...]:
    made = [
        Measurement(
            name=f"samples whose nearest neighbour is of their group: {item.candidate.source} {item.candidate.name}",
            value=item.likeness.share,
            threshold=round(item.likeness.expected, 6),
            p_value=item.p_value,
            n=item.likeness.n,
            unit="share",
        )
        for item in found.tested
    ]
    order = found.order
    if isinstance(order, Adjacency):
        made += [
            Measurement(
                name=f"samples whose nearest neighbour is within {order.reach} places of their class",
                value=order.share,
                threshold=round(order.expected, 6),
                p_value=found.order_p_value,
                n=order.n,
                unit="share",
            ),
            Measurement(name="columns that the order is sorted by", value=len(order.keys)),
        ]
    made += [
        Measurement(name="level of all these tests", value=found.level),
        Measurement(name="seed", value=found.seed),
    ]
    return tuple(made)


def _lacking(samples: SplitSamples) -> str:
    return "no sample has a label" if samples.target is None else "there are no features to learn from"


def _p(value: float) -> str:
    return f"= {value:.2g}" if value > 0.001 else f"≤ {value:.2g}"
