"""DG305: held-out samples are in the statistics that normalized the data."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Location, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.rules.splits.normalization_figures import candidates, figures, words, worth_sentence
from dataguard.splits.normalization.evidence import NormalizationEvidence

DECLARED_DECADES = 4.0
"""−log10 of the chance of declared numbers being those of another union, below which they are nobody's proof."""


@rule("DG305", "normalization-leakage", Severity.ERROR)
def normalization_leakage(evidence: NormalizationEvidence) -> Iterator[Outcome]:
    """Validation or test samples are in the statistics that the data were normalized with.

    ## What it does

    Decides from the numbers alone which samples the mean, deviation, extremes or quartiles were computed on:
    training, or training together with what is held out. It looks at the numeric columns of a table with splits, at
    `.npy` and `.npz` files (`normalization.splits`), at what loaders feed (`normalization.loaders`), and at pictures
    with declared statistics (`normalization.mean` and `std`).

    ## Why is this bad?

    What is measured on the test set then rests on a preprocessing that has seen it; new data will not have been seen.
    With many samples the difference is small, and the finding says how large; with few, or with drift between the
    splits, it is not, and the same script mostly fits its feature selection and imputation on everything too.

    ## How it decides

    *Mean and variance.* Over the samples S that statistics were fitted on, the normalized mean is 0 and the variance
    1 (divided by n, or by n − 1) up to rounding. Over any other union T of splits the mean is off by sampling, with
    standard deviation σ·√(1/n_S + 1/n_T − 2·n_{S∩T}/(n_S·n_T)): 0.02 σ for train and all at 2,000 to 500 samples, when
    rounding is 10⁻¹⁶ to 10⁻⁴. So residuals are held against sampling and not against machine epsilon, and float64,
    float32 and float16 follow one rule. A column speaks for a union where chance would leave so small a residual in
    less than 1 of 1,000 cases. The chances are multiplied over columns, each given those before it (correlated columns
    say one thing once), and are never below that of a rounded column adding up to exactly 0. A union fits at a chance
    below 10⁻⁴, all unions and choices of columns counted, with 80 % of the columns that speak for any.

    *Extremes and quartiles.* With min-max, max-abs and robust scaling, a union fits that has its extremes or
    quartiles where the scaling puts them in every column. Where the extremes lie in training, training and everything
    have the same statistics and are the same map: *equivalent*. That is said, is not a finding, and is not a proof of
    cleanness either. A scaling to a range that a constant gives just as well (8-bit pixels over 255) is equivalent too.

    Rounded numbers lie on equal steps, of a size that the map decides. Where splits all have the extremes, the sizes of
    their steps tell whether one map was applied to all or one to each. Quartiles of more than 4·10⁶ values a split are
    not kept but counted: whether 0 is the median stays exact, and a distance of quartiles is known to 10⁻⁴ or so.

    *A logarithm first.* Scaling is affine, and raw numbers may have any distribution: of continuous ones nobody can
    tell from the numbers alone whether a logarithm was taken, and the rule says so. Rounded ones tell: their logarithms
    lie on log k, log (k + 1), …, which no scaling makes equal steps. With raw numbers beside them, as
    `dataguard.splits.normalization.assess(splits, raw=…)` takes them, it can be told of any.

    *Pictures* are not independent pixels: their sampling error is that of means of whole pictures. Statistics that
    were summed in float32, one pixel after another, fit nothing; pixels of 8 bits are then restored from their 256
    levels, summed again in the same order over each union, and compared bit by bit.

    *What the leak is worth*: the map is linear, so the largest change of any held-out value, had training alone been
    used, is at a least or largest value of a column; it is given in standard deviations of that column.

    Where values were clipped, or rows were added to training after scaling, statistics fit nothing any more. Repeated
    rows are then counted once, and added ones searched for at the end of training; if that does not help either, the
    rule says so and is inconclusive.

    *Measured* by `benchmarks/normalization.py`: six sets of scikit-learn and a synthetic one, 15 scalings, float32
    and float64, random splits, fitted on train, train and validation, everything, and each by itself. Of 13,230 cases
    12,558 were right, 576 equivalent (each verified to be the same map), 96 undecided (splits of 4 or 5 rows of whole
    numbers, each normalized by itself) and none wrong: at most 2.3·10⁻⁴ with 95 % confidence. Of 10,000 clean pipelines
    over tables of seven kinds, none was reported by this rule or DG306 (at most 3.0·10⁻⁴). 1.2·10⁷ pixels a channel in
    float32 are answered rightly in either layout.

    Min-max and max-abs scaling is reported as a warning: it changes nothing but the range.

    ## Example

    >>> import numpy as np
    >>> from dataguard.splits.normalization.gathered import evidence_of
    >>> from dataguard.splits.normalization import gather
    >>> rows = np.random.default_rng(0).normal(50, 9, (500, 4))
    >>> z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    >>> states, _, _ = gather({"train": z[:400], "test": z[400:]})
    >>> finding = normalization_leakage(evidence_of(states, source="arrays"))[0]
    >>> print(finding.message.partition(" It moves")[0])
    The data were normalized with statistics of 'train' and 'test': mean 0 and standard deviation 1, in 4 of 4 columns.

    ## How to fix

    Split first; then fit the scaler on training (`scaler.fit(x_train)`) and apply it to every split
    (`scaler.transform`). In cross-validation, put it into a `Pipeline`, so that each fold fits its own.

    ## References

    - scikit-learn, *Common pitfalls*, "Data leakage during pre-processing".
    - Kapoor & Narayanan, *Leakage and the reproducibility crisis in machine-learning-based science*, Patterns 2023.
    - Yang, Brower-Sinning, Lewis & Kästner, *Data Leakage in Notebooks*, ASE 2022: overlap and preprocessing leakage.
    - Higham, *The accuracy of floating point summation*, SIAM J. Sci. Comput. 1993.
    """
    verdict = evidence.verdict
    origin = evidence.declared_origin
    if origin is not None and evidence.declared is not None and origin.fitting:
        held_out = [one for one in origin.fitting if not set(one) <= set(verdict.training)]
        if len(held_out) == len(origin.fitting) and origin.decades >= DECLARED_DECADES:
            smallest = min(held_out, key=len)
            yield _finding(evidence, smallest, "The declared statistics are those of", Confidence.MEDIUM)
    elif verdict.leaks:
        yield _finding(
            evidence,
            (*verdict.training, *verdict.leaks),
            "The data were normalized with statistics of",
            Confidence.HIGH,
        )
    elif verdict.status == "undecided":
        yield Inconclusive(reason=verdict.reason, measurements=figures(verdict))
    message = f"{verdict.sentence} {verdict.before_sentence}".rstrip()
    yield Observation(message=message, measurements=figures(verdict), exhibits=(candidates(verdict),))


def _finding(evidence: NormalizationEvidence, splits: tuple[str, ...], start: str, confidence: Confidence) -> Outcome:
    from dataguard.splits.normalization.verdict import METHOD_WORDS

    verdict = evidence.verdict
    extremes = verdict.method in ("min-max", "max-abs")
    what = METHOD_WORDS.get(verdict.method, "")
    scaled = int(verdict.scaled.sum())
    if what and verdict.scope == "everything":
        what = f": {what}, over all values"
    elif what:
        unit = "channels" if verdict.scope == "channel" else "columns"
        what = f": {what}, in {scaled} of {len(verdict.columns)} {unit}"
    leaked = tuple(name for name in splits if name not in verdict.training)
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in verdict.notes)
    return normalization_leakage.finding(
        f"{start} {words(splits)}{what}.{worth_sentence(verdict)}{notes}",
        remedy="Fit the scaler on training alone and apply it to the other splits.",
        severity=Severity.WARNING if extremes else Severity.ERROR,
        confidence=confidence if not extremes else Confidence.MEDIUM,
        measurements=figures(verdict),
        locations=tuple(Location(split=name, note="in the statistics") for name in leaked),
        exhibits=(candidates(verdict),),
        key=leaked,
    )
