"""DG308: declared means and standard deviations are not those of the training data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.splits.normalization.declared import Comparison
from dataguard.splits.normalization.evidence import NormalizationEvidence


@rule("DG308", "declared-statistics-do-not-match", Severity.WARNING)
def declared_statistics_do_not_match(
    evidence: NormalizationEvidence,
    *,
    max_error: Annotated[float, Between(low=0)] = 0.1,
    max_sampling: Annotated[float, Between(low=0)] = 4.0,
) -> Iterator[Outcome]:
    """The declared mean and standard deviation are not those of the training data.

    ## What it does

    Holds `normalization.mean` and `normalization.std` against the exact statistics of training: of pictures from the
    integer sums of all their pixels, of tables and arrays from all their values.

    ## Why is this bad?

    Statistics are copied from other code, and a slip raises no error: a range of 0 to 255 where 0 to 1 is meant makes
    all inputs −2, channels in BGR order tint them, a variance in the place of a deviation stretches them
    four times. The network still trains, to a worse result.

    ## How it decides

    The errors are (declared − true)/σ of the mean and declared/true − 1 of the deviation, per channel. Reported is an
    error above `max_error`, 0.1, that is also beyond `max_sampling`, 4, standard errors (of means of whole pictures:
    pixels are not independent) plus the rounding of the declared digits. A tenth of a deviation is what the statistics
    of related collections differ by (ImageNet's and COCO's by 0.05), and a standard error of 4 has a chance of 6·10⁻⁵.

    It is then tried whether a slip explains the numbers to within 0.1: another range (×255, /255, 16 bits, per cent),
    reversed channels, a variance for a deviation, mean and deviation swapped, or several of these. If so, it is an
    error with that name. Numbers known from elsewhere (ImageNet, CIFAR-10, MNIST, CLIP, one half, …) are called by
    their name; off by less than one deviation they are information, as they are meant where weights come from there.

    Measured in its tests: statistics of another sample of the same population, written with four digits, raise nothing
    in 10 of 10 draws; each of the slips is named.

    Options:

    - `max_error`: in standard deviations for a mean, relative for a deviation.
    - `max_sampling`: in standard errors.

    ## Example

    >>> import numpy as np
    >>> from dataguard.splits.normalization import gather
    >>> from dataguard.splits.normalization.declared import Declared
    >>> from dataguard.splits.normalization.gathered import evidence_of
    >>> pixels = np.random.default_rng(0).normal([60, 120, 180], 20, (200, 8, 8, 3))
    >>> states, _, _ = gather({"train": pixels}, layout="NHWC")
    >>> bgr = Declared.of([0.7059, 0.4706, 0.2353], [0.0784] * 3, 3, scale=255)
    >>> finding = declared_statistics_do_not_match(evidence_of(states, source="arrays", declared=bgr))[0]
    >>> print(finding.message.partition(":")[0])
    The declared statistics are those of training with the channels in reversed order

    ## How to fix

    Compute them on training, in the range and the channel order that the model is fed with, and write them down with at
    least four digits. With weights from elsewhere, use the statistics that these were trained with, and ignore the rule
    with that reason.

    ## References

    - Wang et al., *SysNoise*, 2023, and Cidon et al., *Characterizing and Taming Model Instability Across Edge
      Devices*, 2021: what mismatched preprocessing costs.
    - torchvision, *Models and pre-trained weights*: where ImageNet's constants come from.
    """
    found = evidence.declared
    if found is None:
        yield Skipped(reason="no statistics are declared", hint="set normalization.mean and normalization.std")
        return
    if found.worst > max_error and found.beyond_sampling > max_sampling:
        yield _finding(found, evidence, max_error, max_sampling)
    origin = evidence.declared_origin
    whose = [" + ".join(name or "no split" for name in one) for one in origin.fitting] if origin is not None else []
    yield Observation(
        message=f"Declared and true statistics of training differ by at most {found.worst:.2g} standard deviations"
        + (f"; as they are written, they are those of {' or '.join(whose)}" if whose else "")
        + ".",
        measurements=_measurements(found, max_error, max_sampling),
        exhibits=(_table(found, evidence.verdict.columns),),
    )


def _finding(found: Comparison, evidence: NormalizationEvidence, limit: float, sampling: float) -> Finding:
    known = found.declared.known_as
    severity, confidence = Severity.WARNING, Confidence.HIGH
    if found.slips:
        severity = Severity.ERROR
        start = f"The declared statistics are those of training {_slip_words(found)}"
    elif known is not None:
        if found.worst < 1:
            severity, confidence = Severity.INFO, Confidence.MEDIUM
        start = f"The declared statistics are those known from {known}, not those of training"
    else:
        start = "The declared statistics are not those of training"
    if not found.slips and _looks_unscaled(found):
        severity = Severity.ERROR
        start += f", whose values reach from {found.low:.3g} to {found.high:.3g}"
    return declared_statistics_do_not_match.finding(
        f"{start}: declared mean {_numbers(found.declared.mean)} and deviation {_numbers(found.declared.std)}, true "
        f"{_numbers(found.mean)} and {_numbers(found.std)}, up to {found.worst:.2g} standard deviations apart.",
        remedy="Declare training's own statistics, in the range and channel order that the model is fed with.",
        severity=severity,
        confidence=confidence,
        measurements=_measurements(found, limit, sampling),
        exhibits=(_table(found, evidence.verdict.columns),),
        key=(*found.slips,),
    )


def _slip_words(found: Comparison) -> str:
    factor = f"multiplied by {found.factor:g}" if found.factor >= 1 else f"divided by {1 / found.factor:g}"
    words = {
        "range": f"in another range (they must be {factor})",
        "order": "with the channels in reversed order",
        "variance": "with the variance in the place of the standard deviation",
        "swapped": "with mean and standard deviation swapped",
    }
    return " and ".join(words[slip] for slip in found.slips)


def _looks_unscaled(found: Comparison) -> bool:
    """Whether the values are in 0 to 255 and the statistics in 0 to 1, or the other way round."""
    declared, true = float(np.abs(found.declared.mean).max()), float(np.abs(found.mean).max())
    return (declared <= 1 and true > 4 and found.high > 4) or (declared > 4 and true <= 1 and found.high <= 1.01)


def _numbers(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    shown = ", ".join(f"{value:.4g}" for value in values[:4])
    return f"({shown}{', …' if len(values) > 4 else ''})"


def _measurements(found: Comparison, limit: float, sampling: float) -> tuple[Measurement, ...]:
    return (
        Measurement(
            name="largest error of the declared statistics, in standard deviations",
            value=float(f"{found.worst:.4g}"),
            threshold=limit,
            n=found.n,
        ),
        Measurement(
            name="the same, in standard errors",
            value=float(f"{min(found.beyond_sampling, 1e300):.4g}"),
            threshold=sampling,
            n=found.n,
        ),
        Measurement(name="raw values are divided by", value=found.declared.scale),
    )


def _table(found: Comparison, columns: tuple[str, ...]) -> Listing:
    order = np.argsort(-np.maximum(np.abs(found.mean_error), np.abs(found.std_error)), kind="stable")[:20]
    return Listing(
        title="Declared and true statistics of training",
        columns=("column", "declared mean", "true mean", "declared deviation", "true deviation"),
        rows=tuple(
            (
                columns[at],
                *(
                    float(f"{array[at]:.6g}")
                    for array in (found.declared.mean, found.mean, found.declared.std, found.std)
                ),
            )
            for at in sorted(order.tolist())
        ),
        total=len(columns),
    )
