"""DG311 label-leak-column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from dataguard.core.finding import (
    Confidence,
    Finding,
    Inconclusive,
    Location,
    Measurement,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.rules.splits.label_column_figures import columns_observation, gap_figures, telling_figures
from dataguard.rules.splits.label_column_worth import SEED, ColumnValuer
from dataguard.splits.columns import Goal, feature_columns, goal_of, refusal
from dataguard.splits.encodings import MIN_LOG10_CHANCE
from dataguard.splits.label_copies import MIN_KAPPA, MIN_KAPPA_LOW
from dataguard.splits.label_leaks import LabelLeaks, Telling, label_leaks
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.record import Worth, describe, measurements

if TYPE_CHECKING:
    pass

_SLACK = 0.03
"""How far below `min_skill` the interval of a warning may reach: 30 samples of each class, all told."""
_OWN_WEIGHT = 0.05
"""A row's own label moves its value by a twentieth on average: groups of 20, category_encoders' own least leaf."""


@rule("DG311", "label-leak-column", Severity.WARNING)
def label_leak_column(
    samples: SplitSamples,
    *,
    min_skill: Annotated[float, Between(low=0.5, high=1)] = 0.97,
    min_ratio: Annotated[float, Between(low=1)] = 5.0,
    alpha: Annotated[float, Between(low=0, high=1)] = 0.01,
) -> Iterator[Outcome]:
    """A column gives the label away: it holds what is to be predicted.

    ## What it does

    Holds every feature column of a table against the label, or against the target of a regression, in five ways:

    1. *The label under another name*: a value a class, one to one; a target in other units (linear), or in its order
       without an exception (monotone); a target that is columns added or subtracted (`total = casual + registered`).
    2. *The label but for a few samples*: a value a class, with some of them wrong.
    3. *A column that alone tells the label*, nearly without error, when all others together tell far less.
    4. *A value, or a missing one, that only one class has*: a date of discharge that only the survivors have.
    5. *Target encodings*: group means of the label, plain, smoothed (additive with any weight and prior, sigmoid,
       empirical Bayes) or leave-one-out, and the rows that they were fitted on, evaluation labels among them or not.

    What each column tells alone is among the figures, also where it is no finding.

    What is proven (1 and 5) has high confidence. What is only too good to be true (2 to 4) has medium confidence, and
    is info with low confidence where the others tell nearly as much or the test is not sure.

    Columns that number the rows belong to DG312 (index-or-order-leak).

    ## Why is this bad?

    The model learns to read the answer. Every held-out score is excellent, since the column is there in evaluation too,
    and worthless, since it will not be there when the answer is not known yet. Kaufman and others count it among the
    ten gravest mistakes of data mining; Kapoor and Narayanan found leakage in 294 papers of 17 fields.

    ## How it decides

    *Exact recodings* need a chance below 10⁻⁶ that labels put at random agree so well (one to one, K! of n! / ∏ c!
    ways); a number that parts the classes by size is not one, for features may.

    *Near copies*: the commonest value of each class is another one, with a Cohen's kappa of at least 0.85, whose
    one-sided 95 % bound is at least 0.75. A warning where the column also tells the label better than all others
    together, else info: a two-valued test that is right in 95 % of cases, when nothing else comes near it, cannot be
    told from a copy with errors, and is a warning too.

    *Skill* is (balanced accuracy − 1/K) / (1 − 1/K), or of a target 1 − √(1 − R²), of predictions out of 5 folds
    (groups and copies kept in one): a decision tree on a number, the commonest class of a category, so that a category
    seen once tells nothing. A column that tells little in 64 bins is not looked at closer.

    A strong column is no leak: petal width alone has a skill of 0.93 on iris, and a test with an AUC of 0.99 one of
    0.90. What makes it suspicious is to be nearly free of error, skill at least `min_skill` (and its interval at most
    0.03 below, which takes 30 samples of a class), *and* to leave the others far behind: boosted trees on all other
    columns leave at least `min_ratio` times as much untold. The test of that is paired, one-sided, by linearization
    with groups as units, and corrected for all columns at level `alpha`. From a skill of 0.9 on, the same is info, and
    so are several columns that only another of them keeps up with.

    *Values and missing values*: Fisher's exact test, Holm over columns, values and classes (values that occur 5 times
    and a tenth as often as the class; groups by Kish's design effect), and an effect: at most one in 200 samples with
    it of another class, a quarter of the class has it, and at the one-sided 95 % bound of the purity the odds of the
    class are at least 9 times those among all samples. Of missing values also a Youden's index of 0.9 or more, or a
    bound that leaves a tenth of the other classes' share and a tenth of the class. A value whose neighbours in size are
    of the class too (iris), or in a column whose other values tell the class as well (a grade from A to E), is a strong
    feature's. Where the other columns tell the class of 95 % of those samples anyway it is info.

    *Encodings*: on the rows that it was fitted on, each distinct value is exactly the mean label of its rows; smoothed
    additively, value · (n + m) = sum + m · prior, which is linear in m and m · prior. An honest, even perfectly
    calibrated column misses each mean by its sampling error; that none of 98 % of the rows is missed by more than
    rounding must have a chance below 10⁻⁸, a value for each number fitted left out. Shares that are all fractions of
    one number up to 1,000 count for less. Fitted on evaluation rows, or leave-one-out: error. Fitted on the training
    split with its own labels: warning where a row's own label has a weight of 0.05 or more on average, else info.

    False alarms (`benchmarks/leakage.py`, seed 9401, 150 to 2,000 rows): no warning on 1,000 clean tables (at most
    0.003 with 95 % confidence) with latent groups, correlated columns, tests with an AUC of 0.98 to 0.995, quick
    tests that are right in 90 %, grades, honest out-of-fold encodings, informative and blockwise missing values,
    ids, dates, near copies of rows, sorted rows and classes of up to 99:1; 13 info. Power, 40 tables a kind of 150
    to 800 rows: a copy with 1 or 5 % wrong, a value (or none) that half a class has, and encodings of all rows are
    found in 0.95 to 1.00, those of the training rows alone in 0.93, recodings in all; as a warning 0.95 and 0.75 of
    the copies and 0.83 to 0.88 of the values, the rest as info because the other columns tell as much.

    Options:

    - `min_skill`: skill alone from which a column is a warning; 0.97 lies between iris' best (0.93) and a copy.
    - `min_ratio`: how many times as much the others must leave untold.
    - `alpha`: level of the tests after Holm's correction.

    ## Example

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> label = rng.choice(["no", "yes"], 400).astype(object)
    >>> frame = pd.DataFrame({"age": rng.normal(size=400), "outcome_code": np.where(label == "yes", 7, 3)})
    >>> samples = SplitSamples(
    ...     sample_ids=tuple(map(str, range(400))), splits=("train",) * 300 + ("test",) * 100,
    ...     positions=np.arange(400), n_total=400, kind="table", paths=(None,) * 400, contents=(None,) * 400,
    ...     labels=label, columns=frame, feature_columns=("age", "outcome_code"))
    >>> print(label_leak_column(samples)[0].message.partition(" Worth")[0])
    Column 'outcome_code' is the label under another name: each of its 2 values has one class, and each class one value.

    ## How to fix

    Ask of the column: is its value known at the moment at which the prediction is wanted, and before the label is? If
    not, drop it. Fit target encodings within the folds of the training split alone (scikit-learn's `TargetEncoder` does
    in `fit_transform`). If the column is an honest feature, ignore the finding with that reason.

    ## References

    - Kaufman, Rosset, Perlich & Stitelman, *Leakage in Data Mining*, ACM TKDD 6(4), 2012.
    - Kapoor & Narayanan, *Leakage and the reproducibility crisis in machine-learning-based science*, Patterns 4(9),
      2023.
    - Micci-Barreca, *A preprocessing scheme for high-cardinality categorical attributes*, SIGKDD Explorations 3(1),
      2001.
    - Holm, *A simple sequentially rejective multiple test procedure*, Scand. J. Statistics 6, 1979.
    """
    if samples.labels is None and samples.targets is None:
        yield Skipped(reason="no sample has a label", hint="name the label column")
        return
    columns = feature_columns(samples)
    if not columns:
        yield Skipped(reason="there are no columns to hold against the label", hint="this is about tables")
        return
    goal, rows = goal_of(samples)
    reason = refusal(goal)
    if reason:
        yield Inconclusive(
            reason=reason, measurements=(Measurement(name="samples with a label", value=len(rows), threshold=40),)
        )
        return
    found = label_leaks(
        samples,
        columns,
        goal,
        rows,
        least=min(0.9, min_skill),
        perfect=min_skill,
        ratio=min_ratio,
        alpha=alpha,
        seed=SEED,
    )
    valuer = ColumnValuer(samples, columns, goal, rows, found.leaks)
    yield from _recodings(found, valuer)
    yield from _copies(found, valuer, goal, alpha)
    yield from _encodings(found, valuer, samples)
    yield from _tellings(found, valuer, goal, min_skill, min_ratio, alpha)
    yield from _missing(found, valuer, alpha)
    yield columns_observation(found, goal, samples)


def _made(
    valuer: ColumnValuer,
    names: Sequence[str],
    message: str,
    *,
    remedy: str,
    severity: Severity,
    confidence: Confidence,
    figures: tuple[Measurement, ...],
) -> Finding:
    worth = valuer.worth(names)
    return label_leak_column.finding(
        f"{message} {describe(worth)}" if isinstance(worth, Worth) else message,
        remedy=remedy,
        severity=severity,
        confidence=confidence,
        measurements=(*figures, *measurements(worth)),
        locations=tuple(Location(column=name) for name in names),
        key=tuple(names),
    )


_DROP = "Drop the column, unless its value is known before the label is, at the moment of the prediction."


def _recodings(found: LabelLeaks, valuer: ColumnValuer) -> Iterator[Outcome]:
    for name, made in found.recodings.items():
        severity, confidence = Severity.ERROR, Confidence.HIGH
        if made.kind == "one to one":
            said = (
                f"is the label under another name: each of its {made.n_values:,} values has one class, and each class "
                "one value"
            )
        elif made.kind == "many to one":
            severity, confidence = Severity.WARNING, Confidence.MEDIUM
            said = f"names the class: none of its {made.n_values:,} values occurs with two classes"
        elif made.kind == "linear":
            said = f"is the target in other units: {made.slope:.6g} · target + {made.offset:.6g}, up to rounding"
        else:
            said = "is a function of the target: their order is the same without an exception"
        yield _made(
            valuer,
            [name],
            f"Column {name!r} {said}.{valuer.named_alike(name)}",
            remedy=_DROP,
            severity=severity,
            confidence=confidence,
            figures=(
                Measurement(name="samples with a value", value=made.n, threshold=20, n=made.n),
                Measurement(name="distinct values", value=made.n_values, n=made.n),
                Measurement(
                    name="logarithm (base 10) of the chance", value=made.log10_chance, threshold=-6.0, n=made.n
                ),
            ),
        )
    if found.identity is not None:
        identity = found.identity
        terms = "".join(
            f" {'+' if sign > 0 else '−'} {name}" for name, sign in zip(identity.columns, identity.signs, strict=True)
        )
        rest = f" + {identity.constant:.6g}" if identity.constant else ""
        yield _made(
            valuer,
            identity.columns,
            f"The target is a sum of columns, exactly: {terms.removeprefix(' + ')}{rest}, "
            f"in all {identity.n:,} samples.",
            remedy="Drop the columns that are parts of the target: they are known only once it is.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,
            figures=(Measurement(name="samples without an exception", value=identity.n, n=identity.n),),
        )


def _copies(found: LabelLeaks, valuer: ColumnValuer, goal: Goal, alpha: float) -> Iterator[Outcome]:
    for item in found.copies:
        copy = item.copy
        ahead = item.p_value <= alpha
        rest = "there is no other" if item.rest is None else f"all others {item.rest.score(goal.n_classes):.3f}"
        tells = f"balanced accuracy {item.alone.score(goal.n_classes):.3f}, {rest}"
        figures = [
            Measurement(name="samples that differ from the label", value=copy.n_wrong, n=copy.n),
            Measurement(name="Cohen's kappa", value=copy.kappa, threshold=MIN_KAPPA, n=copy.n),
            Measurement(name="lower bound of kappa (95 %, one-sided)", value=copy.kappa_low, threshold=MIN_KAPPA_LOW),
            Measurement(
                name="untold by the others over untold by the column",
                value=(1.0 if item.rest is None else item.rest.error) / max(item.alone.error, 1 / item.alone.n),
                threshold=1.0,
                p_value=item.p_value,
                n=item.alone.n,
            ),
            Measurement(name="seed of folds and draws", value=SEED),
        ]
        yield _made(
            valuer,
            [item.column],
            f"Column {item.column!r} is nearly the label under another name: it has one value a class, and "
            f"{copy.n_wrong:,} of {copy.n:,} samples have another class's ({tells}).{valuer.named_alike(item.column)}",
            remedy=_DROP,
            severity=Severity.WARNING if ahead else Severity.INFO,
            confidence=Confidence.MEDIUM if ahead else Confidence.LOW,
            figures=tuple(figures),
        )


def _encodings(found: LabelLeaks, valuer: ColumnValuer, samples: SplitSamples) -> Iterator[Outcome]:
    has_split = bool(samples.evaluation_splits)
    for name, made in found.encodings.items():
        what = "the target" if made.of is None else f"class {made.of!r}"
        by = f" within {made.by!r}" if made.by else ""
        form = {
            "mean": f"the mean of {what}",
            "leave-one-out": f"the mean of {what} over the other rows",
        }.get(made.form, f"the mean of {what} with {made.form} ({made.parameter})")
        own_training = made.fitted_on == "the training split" or not has_split
        if made.form == "leave-one-out" or not own_training:
            severity = Severity.ERROR if has_split or made.form == "leave-one-out" else Severity.WARNING
        else:
            severity = Severity.WARNING if made.own_weight >= _OWN_WEIGHT else Severity.INFO
        labels = "" if own_training else ": labels of evaluation samples are in what the model is fed"
        yield _made(
            valuer,
            [name],
            f"Column {name!r} was computed from the label: its values are {form}{by}, fitted on {made.fitted_on}"
            f"{labels}.",
            remedy="Fit the encoding within folds of the training split alone, and apply it to the others as it is.",
            severity=severity,
            confidence=Confidence.HIGH,
            figures=(
                Measurement(name="rows explained", value=made.explained, threshold=0.98, n=made.n, unit="share"),
                Measurement(
                    name="logarithm (base 10) of the chance",
                    value=made.log10_chance,
                    threshold=MIN_LOG10_CHANCE,
                    n=made.n,
                ),
                Measurement(
                    name="mean weight of a row's own label", value=made.own_weight, threshold=_OWN_WEIGHT, n=made.n
                ),
                Measurement(name="fitted on", value=made.fitted_on),
                Measurement(name="distinct values or groups", value=made.n_groups),
            ),
        )


def _tellings(
    found: LabelLeaks, valuer: ColumnValuer, goal: Goal, min_skill: float, min_ratio: float, alpha: float
) -> Iterator[Outcome]:
    several: list[Telling] = []
    for item in found.telling:
        sure = item.alone.skill >= min_skill and item.alone.low >= min_skill - _SLACK
        # Not sure after correction for all columns, but by itself: worth knowing of one that makes no error.
        maybe = sure and item.p_value <= alpha * item.n_tests and item.p_value < 1
        if item.p_value > alpha and not maybe:
            if item.n_alike and item.p_without_alike <= alpha and item.alone.skill >= min_skill:
                several.append(item)
            continue
        sure = sure and item.p_value <= alpha
        yield _made(
            valuer,
            [item.column],
            f"Column {item.column!r} alone tells {_of(item)}: {_scores(item, goal)}.{valuer.named_alike(item.column)}",
            remedy=f"{_DROP} Where the problem is that easy, ignore this with that reason.",
            severity=Severity.WARNING if sure else Severity.INFO,
            confidence=Confidence.MEDIUM if sure else Confidence.LOW,
            figures=telling_figures(item, min_skill, min_ratio, item.rest, item.p_value),
        )
    if several:
        names = [item.column for item in several]
        best = several[0]
        apart = "no other column" if best.rest_without_alike is None else f"{best.rest_without_alike.skill:.3f}"
        yield _made(
            valuer,
            names,
            f"Columns {', '.join(map(repr, names))} each tell {_of(best)} alone (skill {best.alone.skill:.3f}), and "
            f"the others far less together ({apart}).",
            remedy=f"{_DROP} Look at these columns one by one: copies of the label keep each other company.",
            severity=Severity.INFO,
            confidence=Confidence.LOW,
            figures=telling_figures(best, min_skill, min_ratio, best.rest_without_alike, best.p_without_alike),
        )


def _scores(item: Telling, goal: Goal) -> str:
    metric = "balanced accuracy" if goal.n_classes else "R²"
    n_classes = goal.n_classes if item.label is None else 2
    alone = f"{metric} {item.alone.score(n_classes):.3f}"
    if item.rest is None:
        return f"{alone}; there is no other"
    return f"{alone}, all others together {item.rest.score(n_classes):.3f}"


def _of(item: Telling) -> str:
    return "the label" if item.label is None else f"class {item.label!r} from the others"


def _missing(found: LabelLeaks, valuer: ColumnValuer, alpha: float) -> Iterator[Outcome]:
    for item in found.gaps:
        gaps = item.gaps
        how, state = ("by its missing values", "it is missing" if gaps.missing else "it is there")
        if gaps.value is not None:
            how, state = f"by the value {gaps.value}", "it has that"
        anyway = item.is_told_anyway
        strong = gaps.youden >= 0.9
        severity = Severity.INFO if anyway else Severity.WARNING
        confidence = Confidence.LOW if anyway else Confidence.HIGH if strong else Confidence.MEDIUM
        told = f" The other columns tell {100 * (item.told_anyway or 0):.0f} % of them anyway." if anyway else ""
        yield _made(
            valuer,
            [item.column],
            f"Column {item.column!r} tells class {gaps.label!r} {how}: of {gaps.n:,} samples in which "
            f"{state}, {gaps.n_right:,} are of that class, which are {100 * gaps.coverage:.3g} % of it.{told}",
            remedy="Find out when the field is filled: one that is filled once the outcome is known has to go.",
            severity=severity,
            confidence=confidence,
            figures=gap_figures(item, alpha),
        )
