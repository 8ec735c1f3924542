"""DG806 drift-from-baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Inconclusive, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.rules.versions.drift_words import carried, confidence_of, figures, places, plots, said_of, severity_of
from dataguard.versions.comparison import VersionComparison
from dataguard.versions.drift import MIN_SAMPLES
from dataguard.versions.showing import drift_listing, titles


@rule("DG806", "drift-from-baseline", Severity.WARNING)
def drift_from_baseline(
    compared: VersionComparison,
    *,
    min_effect: Annotated[float, Between(low=0, high=1)] = 0.2,
    alpha: Annotated[float, Between(low=0, high=1)] = 0.01,
) -> Iterator[Outcome]:
    """A split is not distributed as it was in the former version.

    ## What it does

    Compares the labels, the pictures' sizes, brightness, contrast and colours, and each column of a table, split by
    split, with the profile of the former version: which of them differ, by how much, in words, figures and histograms.

    ## Why is this bad?

    A new version is meant to be more of the same, or a known difference. A new camera, another unit, a join that fills
    a column with zeros, a class that is suddenly rare: all pass a schema, and change what a model learns and what its
    score means.

    ## How it decides

    From the two profiles alone. Null hypothesis: both versions of a split are drawn from one distribution. Numbers by
    Kolmogorov and Smirnov's test, on histograms of up to 256 bins that are the same in both (a bin is made of all
    numbers with the same leading bits, so that any two profiles fit together); the distance between histograms is at
    most that between the numbers, which keeps the test on the safe side. Labels and categories by chi-square, rare ones
    pooled to an expected count of 5; a column of more than 200 categories (labels: 10,000) by 64 sets of them, told by
    a hash of the name, since which are the most frequent depends on the sample. Missing values by Fisher's exact test,
    or chi-square where there are more than 10,000 rows. All tests of all splits are corrected together by Holm. Samples
    of one group, and copies, count as what they are worth at least: n² / Σm², Kish's effective size. Samples that both
    versions share make them more alike than two draws, so that they never cause an alarm.

    A finding needs p ≤ `alpha` *and* an effect: from `min_effect` on it is a warning, from 0.08 (d = 0.2, Cohen's
    small) on info. The effect is the largest difference of the distribution functions, the total variation of
    categories, or the difference of the shares of missing values.

    False alarms (`benchmarks/versions.py`, seed 9806): 6 of 1,000 random halves of five scikit-learn datasets, of 4 to
    64 columns, make a finding at level 0.01, 2 of them a warning. Of 1,000 pairs of made-up tables with rare categories
    and missing values 9 do, and 2 of 1,000 whose rows come in groups of 8 (counted as rows, all would). Power, one of 8
    columns shifted by 0.1, 0.25, 0.5 and 1 standard deviation, 50 draws each: of 200 rows a side 0, 8, 41 and 50 are
    found, of 1,000 rows 6, 45, 50 and 50, of 5,000 rows 0, 50, 50 and 50 (a tenth is below the least effect).

    Options:

    - `min_effect`: effect from which it is a warning; 0.2 is d = 0.5, Cohen's medium.
    - `alpha`: chance that two versions of one distribution make any finding, over all splits and columns.

    ## Example

    >>> from dataguard.versions.made_up import made_up_comparison
    >>> print(drift_from_baseline(made_up_comparison(n=200, relabelled=60))[0].message)
    Split 'train' is not distributed as it was: the label (share of 'dog' 0.5 → 0.8, effect 0.300).

    ## How to fix

    Find out which step or source the column came through. Where the difference is meant, write a new snapshot, and
    compare models on the former test set.

    ## References

    - Rabanser, Günnemann & Lipton, *Failing Loudly: An Empirical Study of Methods for Detecting Dataset Shift*, NeurIPS
      2019.
    - Breck et al., *Data Validation for Machine Learning*, MLSys 2019.
    - Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, 1979. Kish, *Survey Sampling*, 1965 (design
      effect). Cohen, *Statistical Power Analysis*, 2nd ed., 1988 (effect sizes).
    """
    if compared.old.profile.version_id == compared.new.profile.version_id:
        yield Observation(message="The content is that of the former version: there is nothing that could drift.")
        return
    names = titles(compared)
    for new in compared.new.profile.splits:
        old = compared.old.profile.split(new.name)
        said = f"Split {new.name!r}" if new.name else "The dataset"
        if old is None:
            yield Inconclusive(reason=f"the former version has no split {new.name!r} to compare with")
            continue
        drifts = [item for item in compared.drifts if item.split == new.name]
        if not drifts:
            few = min(old.n_independent, new.n_independent)
            reason = f"{few:.0f} independent samples are too few (at least {MIN_SAMPLES})"
            yield Inconclusive(
                reason=f"{said} cannot be compared: "
                + (reason if few < MIN_SAMPLES else "the profiles have no column in common")
            )
            continue
        found = carried(drifts, alpha)
        table = drift_listing(f"{said} against the former version", drifts, names)
        if not found:
            largest = drifts[0]
            yield Observation(
                message=f"{said}: {len(drifts):,} tests against the former version, the largest effect "
                f"{largest.effect:.3f} ({largest.column}, p = {largest.adjusted:.2g}).",
                measurements=figures(drifts, alpha, min_effect),
                exhibits=(table,),
            )
            continue
        yield drift_from_baseline.finding(
            f"{said} is not distributed as it was: {said_of(found)}.",
            remedy="Find out which step or source the column came through; where it is meant, write a new snapshot.",
            severity=severity_of(found, min_effect),
            confidence=confidence_of(found),
            measurements=figures(drifts, alpha, min_effect),
            locations=places(found, new.name or None),
            exhibits=(*plots(found, old, new, names), table),
            key=(new.name,),
        )
