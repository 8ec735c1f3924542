"""DG306: a held-out split has statistics of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.rules.splits.normalization_figures import candidates, figures, words
from dataguard.splits.normalization.evidence import NormalizationEvidence
from dataguard.splits.normalization.verdict import METHOD_WORDS


@rule("DG306", "split-normalized-by-itself", Severity.ERROR)
def split_normalized_by_itself(evidence: NormalizationEvidence) -> Iterator[Outcome]:
    """Validation or test data were normalized with their own statistics instead of training's.

    ## What it does

    Looks for held-out splits whose own mean and variance, extremes or quartiles are those of a scaling that was fitted
    on them: `scaler.fit_transform(x_test)` where `scaler.transform(x_test)` is meant.

    ## Why is this bad?

    The same raw value is another number in training and in test, so that the model is not tested on what it learned.
    Every difference between the splits is wiped out, also the one that new data will have, and a single sample in
    production cannot be normalized so at all.

    ## How it decides

    As DG305 does: a union of splits fits where mean 0 and variance 1 (or extremes, or quartiles) hold over it far
    better than sampling would let them. If two unions fit that have no sample in common, each was normalized by itself,
    for one map could have put both at 0 only by chance, of less than 10⁻⁴. This is settled first, since mean 0 in
    every split implies mean 0 over every union of them.

    Columns of rounded numbers show it a second time: under one map 5.1 in training and 5.1 in test are one number,
    under two maps two. Where the splits share their values (more than 20 % of the distinct ones), one map was applied
    to both, their equal statistics are chance or stratification, and nothing is reported. Where too few samples leave
    mean and variance open, values that are not shared decide.

    A split of one sample that was normalized by itself is all 0, and is found by that.

    *What it is worth*: how far the two maps lie apart cannot be told without the raw numbers. If both splits are
    samples of one population, it is √(1/n_train + 1/n) standard deviations a column on average, which the finding
    gives; if not, it is their whole difference.

    Extremes and quartiles of rounded numbers may be the same in every split. Then the sizes of the steps that the
    numbers lie on tell one map from several: 1/15 of the range in one split and 1/16 in another are no one map.

    *Measured* by `benchmarks/normalization.py`, together with DG305: of 3,780 cases in which each split was normalized
    by itself, all were found but 96, of 4 or 5 rows of whole numbers, that are undecided; none was called anything
    else, and none of 10,000 clean pipelines was reported (at most 3.0·10⁻⁴ with 95 % confidence).

    ## Example

    >>> import numpy as np
    >>> from dataguard.splits.normalization.gathered import evidence_of
    >>> from dataguard.splits.normalization import gather
    >>> rows = np.random.default_rng(0).normal(50, 9, (500, 4))
    >>> by_itself = lambda x: (x - x.mean(axis=0)) / x.std(axis=0)
    >>> states, _, _ = gather({"train": by_itself(rows[:400]), "test": by_itself(rows[400:])})
    >>> finding = split_normalized_by_itself(evidence_of(states, source="arrays"))[0]
    >>> print(finding.message.partition(" If the")[0])
    'test' was normalized with its own statistics: mean 0 and standard deviation 1, in 4 of 4 columns.

    ## How to fix

    Keep the scaler that was fitted on training and call `transform`, never `fit_transform`, on the other splits.

    ## References

    - scikit-learn, *Common pitfalls*, "Inconsistent preprocessing".
    - Kapoor & Narayanan, *Leakage and the reproducibility crisis in machine-learning-based science*, Patterns 2023.
    """
    verdict = evidence.verdict
    if verdict.by_itself:
        yield _finding(evidence)
    elif verdict.status == "undecided":
        yield Inconclusive(reason=verdict.reason, measurements=figures(verdict))
    yield Observation(message=verdict.sentence, measurements=figures(verdict), exhibits=(candidates(verdict),))


def _finding(evidence: NormalizationEvidence) -> Outcome:
    verdict = evidence.verdict
    names = verdict.by_itself
    trained = sum(verdict.samples[name] for name in verdict.training)
    expected = max(math.sqrt(1 / max(trained, 1) + 1 / verdict.samples[name]) for name in names)
    what = METHOD_WORDS.get(verdict.method, verdict.method)
    if verdict.scope == "everything":
        where = "over all values"
    else:
        unit = "channels" if verdict.scope == "channel" else "columns"
        where = f"in {int(verdict.scaled.sum())} of {len(verdict.columns)} {unit}"
    blocks = [block for block in verdict.fitted_on if set(block) <= set(names)]
    together = any(len(block) > 1 for block in blocks)
    verb = "were" if len(names) > 1 else "was"
    own = "their own statistics, taken together" if together else "their own statistics, each by itself"
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in verdict.notes)
    return split_normalized_by_itself.finding(
        f"{words(names)} {verb} normalized with {'its own statistics' if len(names) == 1 else own}: {what}, {where}. "
        f"If the splits are alike, columns are moved by {expected:.2g} standard deviations on average; if they are "
        f"not, by all that they differ.{notes}",
        remedy="Apply the scaler that was fitted on training: transform, not fit_transform.",
        confidence=Confidence.HIGH,
        measurements=(
            *figures(verdict),
            Measurement(
                name="expected shift of a column, in standard deviations, for like splits",
                value=float(f"{expected:.3g}"),
            ),
        ),
        locations=tuple(Location(split=name) for name in names),
        exhibits=(candidates(verdict),),
        key=names,
    )
