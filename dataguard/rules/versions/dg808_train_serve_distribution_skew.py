"""DG808 train-serve-distribution-skew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Inconclusive, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.rules.versions.drift_words import carried, confidence_of, figures, places, plots, said_of, severity_of
from dataguard.versions.comparison import ServingComparison
from dataguard.versions.drift import MIN_SAMPLES
from dataguard.versions.showing import drift_listing
from dataguard.versions.words import listed

_NAMES = ("training", "serving")


@rule("DG808", "train-serve-distribution-skew", Severity.WARNING)
def train_serve_distribution_skew(
    compared: ServingComparison,
    *,
    min_effect: Annotated[float, Between(low=0, high=1)] = 0.2,
    alpha: Annotated[float, Between(low=0, high=1)] = 0.01,
) -> Iterator[Outcome]:
    """What the model is fed with in service is not distributed as what it was trained on.

    ## What it does

    Compares a logged sample of serving (a table of requests, or a folder of pictures) with the training split: each
    column they share, sizes, brightness, contrast and colours of pictures, and missing values; and it names the columns
    that serving lacks.

    ```toml
    [dataset]
    path = "train.parquet"
    serving = "requests-2026-11.parquet"
    ```

    ## Why is this bad?

    A model answers for data like those that it was trained on. A feature in another unit, a default that serving fills
    in where training had a value, a camera that was exchanged: accuracy falls, and nothing raises an error. Labels come
    weeks later or never; the inputs are there today.

    ## How it decides

    As DG806 drift-from-baseline does, from profiles of both: Kolmogorov and Smirnov's test for numbers, chi-square for
    categories, Fisher's exact test for missing values, corrected together by Holm. Null hypothesis: serving is drawn
    from the training split's distribution. A finding needs p ≤ `alpha` *and* an effect: from `min_effect` on it is a
    warning, from 0.08 on info. Labels are not compared, since a log has none, or holds predictions. A column that
    serving lacks is a warning by itself: the model was trained with it. Copies and groups count as what they are worth.

    False alarms (`benchmarks/versions.py`, seed 9806): 5 of 1,000 random halves of five scikit-learn datasets, of 4 to
    64 columns, make a finding at level 0.01. Of 1,000 pairs of made-up tables with rare categories and missing values 9
    do, and 2 of 1,000 whose rows come in groups of 8 (counted as rows, all would). Power, one of 8 columns shifted by
    0.1, 0.25, 0.5 and 1 standard deviation, 50 draws each: of 200 rows a side 0, 8, 41 and 50 are found, of 1,000 rows
    6, 45, 50 and 50, of 5,000 rows 0, 50, 50 and 50 (a tenth is below the least effect).

    Options:

    - `min_effect`: effect from which it is a warning; 0.2 is d = 0.5, Cohen's medium.
    - `alpha`: chance that a log of the training distribution makes any finding.

    ## Example

    >>> import numpy as np
    >>> from dataguard.versions.comparison import compare_serving
    >>> from dataguard.versions.made_up import made_up_split
    >>> rng = np.random.default_rng(0)
    >>> training = made_up_split({"age": rng.normal(40, 10, 500), "dose": rng.normal(1, 0.2, 500)})
    >>> serving = made_up_split({"age": rng.normal(40, 10, 300), "dose": rng.normal(1000, 200, 300)})
    >>> compared = compare_serving(training, serving, place="log.csv")
    >>> print(train_serve_distribution_skew(compared)[0].message.partition(" (")[0])
    Serving is not distributed as training is: 'dose'

    ## How to fix

    Follow the column from its source to the model in both paths. `dataguard audit` and `dataguard probe` compare what
    the two paths do to pictures. Where the world changed and not the code, collect labels for the new data and train on
    them.

    ## References

    - Breck et al., *Data Validation for Machine Learning*, MLSys 2019 (training-serving skew).
    - Sculley et al., *Hidden Technical Debt in Machine Learning Systems*, NeurIPS 2015.
    - Rabanser, Günnemann & Lipton, *Failing Loudly*, NeurIPS 2019.
    """
    training, serving, drifts = compared.training, compared.serving, compared.drifts
    sizes: tuple[Measurement, ...] = (
        Measurement(name="samples of training", value=training.n_samples),
        Measurement(name="samples of serving", value=serving.n_samples),
    )
    if compared.only_serving:
        sizes = (*sizes, Measurement(name="columns of serving alone", value=", ".join(compared.only_serving)))
    if compared.only_training:
        yield train_serve_distribution_skew.finding(
            f"Serving lacks {listed([repr(name) for name in compared.only_training])}, which training has.",
            remedy="Log it, or find out what the model is fed with in its place.",
            severity=Severity.WARNING,
            confidence=Confidence.HIGH,
            measurements=(
                *sizes,
                Measurement(name="columns that serving lacks", value=len(compared.only_training), threshold=0),
            ),
            locations=tuple(Location(column=name, note="not in the log") for name in compared.only_training),
            key=("columns",),
        )
    if not drifts:
        few = min(training.n_independent, serving.n_independent)
        yield Inconclusive(
            reason=f"{few:.0f} independent samples are too few (at least {MIN_SAMPLES})"
            if few < MIN_SAMPLES
            else "training and serving have no column in common that could be compared",
            measurements=sizes,
        )
        return
    found = carried(drifts, alpha)
    measurements = (*sizes, *figures(drifts, alpha, min_effect))
    table = drift_listing("Serving against training", drifts, _NAMES)
    if not found:
        yield Observation(
            message=f"{serving.n_samples:,} samples of serving against {training.n_samples:,} of training: "
            f"{len(drifts):,} tests, the largest effect {drifts[0].effect:.3f} ({drifts[0].column}, "
            f"p = {drifts[0].adjusted:.2g}).",
            measurements=measurements,
            exhibits=(table,),
        )
        return
    yield train_serve_distribution_skew.finding(
        f"Serving is not distributed as training is: {said_of(found)}.",
        remedy="Follow the column from source to model in both paths; where the world changed, train on new data.",
        severity=severity_of(found, min_effect),
        confidence=confidence_of(found),
        measurements=measurements,
        locations=places(found, None),
        exhibits=(*plots(found, training, serving, _NAMES), table),
        key=("distribution",),
    )
