"""DG304: training on the future."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from dataguard.core.exhibit import Listing
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
from dataguard.splits.folds import Mixing, worth_of_future, worth_of_mixing
from dataguard.splits.proposals import strata_of
from dataguard.splits.samples import SplitSamples
from dataguard.splits.temporal import Period, period, share_later, time_dependence
from dataguard.splits.windows import Windows, find_windows
from dataguard.splits.worth.record import NoWorth, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 0
LEVEL = 0.99
"""Of the interval of the worth: where samples drift, and drift does not matter, one dataset in 200 is reported."""
DEPENDENCE = 0.01
"""p-value of exchangeability over time, above which nothing else is measured."""
LEAST_KNOWN = 0.5
"""Share of the samples whose time must be known."""
LEAST_MOMENTS = 12
"""Different times, three for each of the four blocks that the worth is measured on."""
OVERLAPPING = 0.5
"""Share of an evaluation split's windows that share a value with one of training, above which the split mixes them. A
random half shares 0.75 or more; a split in time, only the windows at its ends."""
STRETCHES = 25
LISTED = 200
PARTNERS = 4
"""Training rows that are named for a row that overlaps with them."""
WITHOUT_SPLIT = Skipped(
    reason="there is only one split", hint="name the splits, as folders train/ and test/ or a split column"
)


@rule("DG304", "temporal-leakage", Severity.WARNING)
def temporal_leakage(
    samples: SplitSamples, *, max_later: Annotated[float, Between(low=0, high=1)] = 0.05
) -> Iterator[Outcome]:
    """Training samples are later than those they are evaluated on, and time matters.

    ## What it does

    Compares the times of training and evaluation (`dataset.time`), and measures what it is worth to have learnt from
    the future. In tables it also looks for sliding windows of a series, rows whose lagged columns repeat the values of
    other rows, that a split has put on both sides; for that no time is needed.

    ## Why is this bad?

    A model in use knows the past only. Where prices, machines, fashions or diseases drift, one that was trained on
    samples from next week as well has read the answer, and scores better than it ever will. Windows make it worse: the
    target of a test row is, one row later, a feature in training.

    ## How it decides

    *Time.* Let s be the share of pairs of a training and an evaluation sample in which training is the later: 0 for a
    split that trains on the past, 0.5 for a random one, 1 for one that trains on the future. Where s is above
    `max_later`, the split mixes times. That is harmless where samples are exchangeable over time. H0: *they are*; two
    exact permutation tests, p ≤ 0.005 in either. One takes the largest correlation of a polynomial of degree 1 to 3
    over time with a feature, with the label, or with their product, in which a changing relation of the two shows. The
    other asks whether nearest neighbours of a class are near in time too, as in a random walk. Where neither is
    positive, nothing more is said than that.

    Where one is, the worth decides: the samples are cut into four blocks of time, and each of the last two is
    predicted by a model that learnt from what was before it, and by one that learnt from equally many samples of all
    times (the block's other half among them), both of them twice. It is a warning where the 99 % interval of the
    difference lies above 0
    (stretches of time are resampled, 60 of them) or, of a regression, Wilcoxon's signed-rank test over the stretches
    has p ≤ 0.005, and an observation otherwise. Fewer than 12 different times, or times
    for less than half of the samples, are inconclusive.

    *Windows.* Column a is a lagged copy of column b where at least half of the values that occur once in a occur once
    in b, in another row; and where a second pair of columns links the same rows, or all links have one distance in the
    order, for 9 of 10 rows. Ranks, counters and copied columns are told apart by that. It is an error where more than
    half of an evaluation split shares a value with a training row: of a random split at least 75 % do, of one in time
    only the windows at its ends.

    Measured by `benchmarks/group_leakage.py` with seeds that played no part in the making (5519, 6007, 6008): 0 of 784
    tables reported in which time does not matter, a column drifts that has nothing to do with the label, training is
    the past, or columns of ranks hold one another's values (at most 0.38 % with 95 % confidence); the permutation tests
    alone were positive in 2 of 250 exchangeable ones. Reported: 73 of 73 tables in which the relation of label and
    features turns by half a circle (at least 96.0 %), 8 of 8 random walks, 27 of 27 tables of windows. 200,000 rows of
    24 lags take 4 s to be recognized as windows.

    Options:

    - `max_later`: the share of pairs in which training may be the later.

    ## Example

    >>> from dataguard.splits.samples import SplitSamples
    >>> import numpy as np
    >>> days = np.arange("2024-01-01", "2024-12-26", dtype="datetime64[D]").astype("datetime64[us]")
    >>> n, rng = len(days), np.random.default_rng(0)
    >>> level = np.cumsum(rng.normal(size=n))
    >>> samples = SplitSamples(
    ...     sample_ids=tuple(map(str, range(n))), splits=tuple(np.where(rng.random(n) < 0.7, "train", "test")),
    ...     positions=np.arange(n), n_total=n, kind="given", paths=(None,) * n, contents=(None,) * n, times=days,
    ...     targets=level, features=(np.arange(n)[:, None] / n + rng.normal(0, 0.01, (n, 2))).astype(np.float32))
    >>> print(temporal_leakage(samples)[0].message.partition(".")[0])
    Of the pairs of a sample of train and one of test, train is the later in 50 %, and learning from later times helps

    ## How to fix

    Split in time: train on what was before a date, evaluate on what was after it, with a gap as long as a window or as
    it takes for a label to be known; cross-validate with scikit-learn's `TimeSeriesSplit(gap=…)`. Where the model is
    only to fill gaps in a series that has been recorded to its end, mixing is right: ignore the rule with that reason.

    ## References

    - S. Kapoor, A. Narayanan: Leakage and the reproducibility crisis in machine-learning-based science, Patterns 2023
      (L3.1, temporal leakage).
    - C. Bergmeir, J. Benítez: On the use of cross-validation for time series predictor evaluation, Information
      Sciences 2012.
    - M. López de Prado: Advances in Financial Machine Learning, 2018, chapter 7 (purging and embargo).
    - H. Mann, D. Whitney: On a test of whether one of two random variables is stochastically larger than the other,
      1947 (s).
    """
    windows = _windows(samples)
    if windows is not None:
        yield from _overlapping(samples, windows)
    times = samples.times
    if times is None:
        if windows is None:
            yield Skipped(
                reason="no times are known, and no column is a lagged copy of another",
                hint="set dataset.time to the column that says when a row was recorded",
            )
        elif len(samples.split_names) < 2:
            yield WITHOUT_SPLIT
        return
    known = ~np.isnat(times)
    n_moments = len(np.unique(times[known]))
    figures = (
        Measurement(name="samples with a time", value=int(known.sum()), n=len(samples)),
        Measurement(name="different times", value=n_moments, threshold=LEAST_MOMENTS),
    )
    if n_moments < LEAST_MOMENTS or known.mean() < LEAST_KNOWN:
        few = f"there are {n_moments:,} different times (at least {LEAST_MOMENTS})"
        if known.mean() < LEAST_KNOWN:
            few = f"the time of {int(known.sum()):,} of {len(samples):,} samples is known (at least half)"
        yield Inconclusive(reason=f"whether time matters cannot be told: {few}", measurements=figures)
        return
    yield from _by_time(samples, times, max_later, figures)
    if len(samples.split_names) < 2:
        yield WITHOUT_SPLIT


# Times


def _by_time(
    samples: SplitSamples, times: NDArray[np.datetime64], max_later: float, figures: tuple[Measurement, ...]
) -> Iterator[Outcome]:
    subject = "learning from later times"
    target = samples.target
    lacking = "no sample has a label" if target is None else "there are no features to learn from"
    worth = Mixing(worth=NoWorth(subject=subject, reason=lacking))
    mixed: list[tuple[str, float]] = []
    shares: list[Measurement] = []
    for split in samples.evaluation_splits:
        share = share_later(times, samples.in_training, samples.within(split))
        if share is None:
            continue
        shares.append(
            Measurement(
                name=f"share of pairs in which training is later than {split}", value=share, threshold=max_later
            )
        )
        if share > max_later:
            mixed.append((split, share))
    figures = (*figures, *shares)
    if samples.evaluation_splits and not mixed:
        yield Observation(
            message="Training is earlier than evaluation."
            if shares
            else "No times are known on both sides of a split.",
            measurements=figures,
        )
        return
    tested = time_dependence(samples.features, samples.targets, strata_of(samples), times, seed=SEED)
    figures = (
        *figures,
        Measurement(
            name="p-value of samples being exchangeable over time",
            value=tested.p_value,
            threshold=DEPENDENCE,
            p_value=tested.p_value,
            n=tested.n,
        ),
    )
    if tested.p_value > DEPENDENCE:
        yield Observation(
            message="Features and labels do not change over time as far as can be seen "
            f"(p = {tested.p_value:.2g}), so that training on later samples gains nothing.",
            measurements=figures,
        )
        return
    if target is not None and samples.features is not None and samples.features.shape[1]:
        worth = worth_of_future(samples.features, target, times, subject=subject, level=LEVEL, seed=SEED)
    if worth.is_gain:
        for split, share in mixed:
            yield _finding(samples, times, split, share, worth, figures)
        if not mixed:
            yield Observation(
                message=f"Time matters: a split must train on the past. {worth.words}",
                measurements=(*figures, *worth.measurements),
            )
        return
    said = "Training and evaluation share one period" if mixed else "There is no split"
    matters = (
        "learning from later times does not help" if isinstance(worth.worth, Worth) else "whether that matters is open"
    )
    yield Observation(message=f"{said}; {matters}. {worth.words}", measurements=(*figures, *worth.measurements))


def _finding(
    samples: SplitSamples,
    times: NDArray[np.datetime64],
    split: str,
    share: float,
    worth: Mixing,
    figures: tuple[Measurement, ...],
) -> Finding:
    trained = [name for name in samples.split_names if name not in samples.evaluation_splits]
    training = trained[0] if len(trained) == 1 and trained[0] else "training"
    periods = [
        found for name in samples.split_names if (found := period(times, samples.within(name), name)) is not None
    ]
    return temporal_leakage.finding(
        f"Of the pairs of a sample of {training} and one of {split}, {training} is the later in {100 * share:.0f} %, "
        f"and learning from later times helps. {worth.words}",
        remedy="Split in time: train on what was before a date and evaluate on what was after it, with a gap as long "
        "as it takes for a label to be known.",
        confidence=Confidence.HIGH,
        measurements=(
            *figures,
            *worth.measurements,
        ),
        locations=(Location(split=split),),
        exhibits=(_listing(periods),),
        key=("time", split),
    )


def _listing(periods: list[Period]) -> Listing:
    return Listing(
        title="When the samples were recorded",
        columns=("split", "samples with a time", "without", "first", "median", "last"),
        rows=tuple(
            (
                item.split or "no split",
                item.n,
                item.missing,
                _written(item.first),
                _written(item.median),
                _written(item.last),
            )
            for item in periods
        ),
        total=len(periods),
    )


def _written(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[s]")).replace("T", " ").removesuffix(" 00:00:00")


# Windows


def _windows(samples: SplitSamples) -> Windows | None:
    import pandas as pd

    if samples.columns is None:
        return None
    numeric: dict[str, Any] = {
        name: samples.columns[name]
        for name in samples.feature_columns
        if pd.api.types.is_numeric_dtype(samples.columns[name].dtype)
        and not pd.api.types.is_bool_dtype(samples.columns[name].dtype)
        and not pd.api.types.is_complex_dtype(samples.columns[name].dtype)
    }
    if samples.targets is not None:
        numeric["the target"] = pd.Series(samples.targets)
    if len(numeric) < 2:
        return None
    order = samples.positions
    if samples.times is not None and not np.isnat(samples.times).any():
        order = np.lexsort((samples.positions, samples.times)).argsort().astype(np.int64)
    return find_windows(pd.DataFrame(numeric), order)


def _overlapping(samples: SplitSamples, windows: Windows) -> Iterator[Outcome]:
    first, second = windows.linked.T
    what = (
        f"Columns {windows.lagged[0]!r} and {windows.lagged[1]!r} hold the same values one row apart, so that rows are "
        "windows of a series"
    )
    if len(samples.split_names) < 2 or not samples.evaluation_splits:
        yield Observation(message=f"{what}: a split must keep windows that overlap together.")
        return
    trained = samples.in_training
    beside = np.zeros(len(samples), dtype=np.bool_)
    np.logical_or.at(beside, first, trained[second])
    np.logical_or.at(beside, second, trained[first])
    worth: Mixing | None = None
    for split in samples.evaluation_splits:
        within = samples.within(split)
        shared = np.flatnonzero(within & beside)
        share = len(shared) / max(1, int(within.sum()))
        if share <= OVERLAPPING:
            yield Observation(
                message=f"{what}; {len(shared):,} of {int(within.sum()):,} of {split} overlap with training.",
                measurements=(
                    Measurement(
                        name=f"share of {split} that overlaps with training",
                        value=share,
                        threshold=OVERLAPPING,
                        n=int(within.sum()),
                        unit="share",
                    ),
                ),
            )
            continue
        worth = worth or _worth_of_overlap(samples, windows)
        yield _window_finding(samples, windows, split, shared, what, worth)


def _worth_of_overlap(samples: SplitSamples, windows: Windows) -> Mixing:
    subject = "windows that overlap"
    target = samples.target
    if target is None or samples.features is None:
        return Mixing(worth=NoWorth(subject=subject, reason="there is no label or no feature to learn from"))
    stretches = windows.chain * STRETCHES // max(1, len(windows.chain))
    return worth_of_mixing(samples.features, target, stretches, subject=subject, seed=SEED)


def _partners(samples: SplitSamples, windows: Windows, rows: NDArray[np.intp]) -> dict[int, tuple[str, ...]]:
    """Up to `PARTNERS` training rows that share a value with each row."""
    wanted = np.zeros(len(samples), dtype=np.bool_)
    wanted[rows] = True
    row, its = np.concatenate([windows.linked, windows.linked[:, ::-1]]).T
    kept = wanted[row] & samples.in_training[its]
    row, its = row[kept], its[kept]
    order = np.argsort(row, kind="stable")
    present, first = np.unique(row[order], return_index=True)
    its = its[order]
    ends = np.minimum(np.append(first[1:], len(its)), first + PARTNERS)
    return {
        one: tuple(samples.sample_ids[at] for at in its[start:end].tolist())
        for one, start, end in zip(present.tolist(), first.tolist(), ends.tolist(), strict=True)
    }


def _window_finding(
    samples: SplitSamples, windows: Windows, split: str, shared: NDArray[np.intp], what: str, worth: Mixing
) -> Finding:
    total = int(samples.within(split).sum())
    partners = _partners(samples, windows, shared)
    return temporal_leakage.finding(
        f"{what}, and {len(shared):,} of {total:,} of {split} ({100 * len(shared) / total:.1f} %) overlap with rows of "
        f"training. {worth.words}",
        remedy="Cut the series first, with a gap as long as a window, and make windows of each part.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        measurements=(
            Measurement(
                name=f"share of {split} that overlaps with training",
                value=len(shared) / total,
                threshold=OVERLAPPING,
                n=total,
                unit="share",
            ),
            Measurement(name="pairs of columns that are lagged copies", value=windows.n_pairs),
            *worth.measurements,
        ),
        locations=tuple(
            Location(
                path=samples.paths[row],
                column=windows.lagged[1],
                sample_id=samples.sample_ids[row],
                split=split,
                related=partners[row],
            )
            for row in shared.tolist()
        ),
        exhibits=(
            Listing(
                title=f"Rows of {split} and of training that share values",
                columns=("row", "rows of training"),
                rows=tuple((samples.sample_ids[row], ", ".join(partners[row])) for row in shared[:LISTED].tolist()),
                total=len(shared),
            ),
        ),
        key=("windows", split),
    )
