"""DG722 metric-unfit-for-imbalance."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.labels.reliability import wilson
from dataguard.training.metrics import MetricTrial

_ACCURACY = re.compile(r"(^|[^a-z])(acc|accuracy|top[-_ ]?1|error[-_ ]?rate|hamming)", re.IGNORECASE)
_WEIGHED = re.compile(r"balanced|macro|per[-_ ]?class", re.IGNORECASE)


@rule("DG722", "metric-unfit-for-imbalance", Severity.WARNING)
def metric_unfit_for_imbalance(
    trial: MetricTrial,
    *,
    max_share: Annotated[float, Between(low=0.5, high=1)] = 0.8,
) -> Iterator[Outcome]:
    """The metric praises a predictor that always gives the commonest class.

    ## What it does

    Counts the classes of the batches, and asks the metric that was declared (``Training(metric=…)``) what it says of a
    predictor that always gives the commonest class.

    ## Why is this bad?

    Where 95 % of samples are healthy, a model that never finds a disease is 95 % accurate. Models, thresholds and
    epochs are then chosen by a number that hardly depends on what matters.

    ## How it decides

    A metric that is named counts as accuracy by its name (accuracy, acc, top-1, error rate; not balanced or macro). One
    that can be called is tried: on predictions that are always the commonest class, and on those that are always right.
    It is at fault where the former is more than `max_share` of the latter, whatever its name: F1 of the common class,
    too. Metrics by which less is better, and those that do not tell the two apart, are let pass.

    `max_share` is 0.8. A classifier that gets the share s of each class right is s accurate; a constant one is as
    accurate as the commonest class is frequent, p. Accuracy ranks the constant one above it as soon as p > s. With 0.8
    that is a classifier that gets four of five right in every class, which no one would take for useless; and beyond it
    less than a fifth of the scale is left for everything that is learned.

    How sure it is depends on n: with the lower end of the 95 % Wilson interval of p above 0.8 confidence is high, else
    medium; and inconclusive where p is below and its interval reaches above. Samples of 32 with p = 0.7 are above 0.8
    in 11 % of cases (then with medium confidence), samples of 512 in 2e-7; with p = 0.9 samples of 32 are in 96 %, of
    512 always (binomial). Batches that a sampler balances hide the imbalance: give the evaluation's as ``held_out``.
    With accuracy as the metric it was silent on 26 sound models × 5 seeds, whose commonest classes have 8 to 67 %.

    Options:

    - `max_share`: see above.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.metrics import metric_trial
    >>> from dataguard.training.opening import open_case
    >>> batch = (torch.randn(400, 4), (torch.arange(400) % 20 == 0).long())
    >>> training = Training(model=torch.nn.Linear(4, 2), loss=torch.nn.CrossEntropyLoss(), batch=batch, metric="acc")
    >>> [finding] = metric_unfit_for_imbalance(metric_trial(open_case(training)))
    >>> print(finding.message.split(";")[0])
    A predictor that always gives class 0 has a metric ('acc') of 0.95

    ## How to fix

    Report balanced accuracy or Matthews' correlation, the area under the precision-recall curve, and the confusion
    matrix; put the commonest class's share beside every accuracy.

    ## References

    - Chicco, Jurman, *The advantages of the Matthews correlation coefficient over F1 score and accuracy*, BMC Genomics
      21:6, 2020, https://doi.org/10.1186/s12864-019-6413-7.
    - Brodersen et al., *The balanced accuracy and its posterior distribution*, ICPR 2010.
    - Wilson, *Probable inference, the law of succession, and statistical inference*, JASA 22, 1927.
    """
    share, n = trial.share, trial.n
    tried = trial.constant is not None and trial.perfect is not None
    measurements: list[Measurement] = []
    low, high = (float(end) for end in wilson(np.array(share * n), np.array(n), 0.95))
    measurements.append(
        Measurement(
            name="share of the commonest class",
            value=round(share, 6),
            threshold=max_share,
            low=round(low, 6),
            high=round(high, 6),
            level=0.95,
            n=n,
            unit="share",
        )
    )
    told = f"the commonest class has {share:.1%} of {n} targets ({trial.origin})"
    part = share
    if tried and trial.constant is not None and trial.perfect is not None:
        measurements += [
            Measurement(name="metric of a constant predictor", value=round(trial.constant, 6)),
            Measurement(name="metric of a perfect predictor", value=round(trial.perfect, 6)),
        ]
        if trial.perfect <= trial.constant or trial.perfect <= 0:
            yield Observation(
                message=f"The metric {trial.name!r} is {trial.constant:.4g} for a constant predictor and "
                f"{trial.perfect:.4g} for a perfect one; {told}.",
                measurements=tuple(measurements),
            )
            return
        part = trial.constant / trial.perfect
    elif not _ACCURACY.search(trial.name) or _WEIGHED.search(trial.name):
        yield Observation(
            message=f"The metric {trial.name!r} is not accuracy by its name; {told}.", measurements=tuple(measurements)
        )
        return
    if part > max_share:
        value = share if trial.constant is None else trial.constant
        rows = trial.counts
        which = f"class {int(rows.argmax())}" if rows.ndim == 1 else "each label's commoner value"
        yield metric_unfit_for_imbalance.finding(
            f"A predictor that always gives {which} has a metric ({trial.name!r}) of {value:.3g}; {told}.",
            remedy="Report balanced accuracy or Matthews' correlation beside it, and the share of the commonest class.",
            confidence=Confidence.HIGH if low > max_share else Confidence.MEDIUM,
            measurements=tuple(measurements),
            key=(trial.name,),
        )
    elif not tried and high > max_share:
        yield Inconclusive(
            reason=f"{n} targets are too few: {told}, and between {low:.1%} and {high:.1%} of all",
            measurements=tuple(measurements),
        )
    else:
        yield Observation(
            message=f"A predictor that always gives the commonest class has {part:.1%} of the best value of the metric "
            f"{trial.name!r}; {told}.",
            measurements=tuple(measurements),
        )
