"""What DG101 shows of wrong labels: the samples, the rates of classes, which is labelled as which, and calibration."""

from __future__ import annotations

import numpy as np

from dataguard.core.exhibit import (
    Exhibit,
    Gallery,
    HeatMap,
    Histogram,
    Listing,
    Picture,
    Reliability,
    ReliabilityBin,
    Series,
)
from dataguard.labels.out_of_sample import OutOfSample
from dataguard.labels.quality import LabelQuality
from dataguard.labels.reliability import reliability

SHOWN = 48
SHOWN_COLUMNS = 4
"""Columns of a table beside a doubted label: with the labels and probabilities as many as fit on a screen."""
SHOWN_CLASSES = 40
MAP_CLASSES = 100
"""Classes of the heat map: a report with 100 × 100 numbers is still small; `assess` gives the whole matrix."""


def telling(evidence: OutOfSample, quality: LabelQuality, most: int) -> tuple[int, ...]:
    """The columns of a table that tell most of the doubted labels; none where there is no table."""
    return () if evidence.rows is None else evidence.rows.telling(quality.suggested, most)


def samples_shown(evidence: OutOfSample, quality: LabelQuality, rows: list[int], title: str) -> tuple[Exhibit, ...]:
    """Samples as pictures, or as rows where they are none."""
    if not rows:
        return ()
    shown = rows[:SHOWN]
    if all(evidence.paths[row] is not None for row in shown):
        pictures = tuple(
            Picture(
                sample_id=evidence.sample_ids[row],
                path=evidence.paths[row],
                split=evidence.splits[row] or None,
                given=evidence.classes[evidence.codes[row]],
                suggested=evidence.classes[quality.suggested[row]],
                score=float(quality.score[row]),
            )
            for row in shown
        )
        return (Gallery(title=title, pictures=pictures, total=len(rows)),)
    columns, values = telling(evidence, quality, SHOWN_COLUMNS), evidence.rows
    return (
        Listing(
            title=title,
            columns=(
                "sample",
                "split",
                "given label",
                "suggested label",
                "probability that it is wrong",
                "model's probability of the given label",
                "of the suggested label",
                *(values.names[column] for column in columns if values is not None),
            ),
            rows=tuple(
                (
                    evidence.sample_ids[row],
                    evidence.splits[row],
                    evidence.classes[evidence.codes[row]],
                    evidence.classes[quality.suggested[row]],
                    # Never a plain 1: it is an estimate.
                    min(round(float(quality.posterior[row]), 4), 0.9999),
                    _digits(evidence.pred_probs[row, evidence.codes[row]]),
                    _digits(evidence.pred_probs[row, quality.suggested[row]]),
                    *(values.cell(row, column) for column in columns if values is not None),
                )
                for row in shown
            ),
            total=len(rows),
        ),
    )


def _digits(probability: np.floating) -> float:
    return float(f"{float(probability):.3g}")


def hard_samples(evidence: OutOfSample, quality: LabelQuality) -> tuple[Exhibit, ...]:
    """Samples that the model would label otherwise without being believed; worth a look, not a finding."""
    contradicted = evidence.pred_probs.argmax(axis=1) != evidence.codes
    rows = np.flatnonzero(contradicted & ~quality.is_error)
    share = evidence.pred_probs[rows, evidence.codes[rows]]
    ordered: list[int] = rows[np.argsort(share, kind="stable")].tolist()
    return samples_shown(evidence, quality, ordered[:SHOWN], "Hard samples: predicted otherwise, probably right")


def class_rates_shown(evidence: OutOfSample, quality: LabelQuality) -> Histogram:
    """The share of wrong labels of each class, of the worst classes alone where there are many."""
    worst = np.argsort(-np.nan_to_num(quality.class_rates), kind="stable")[:SHOWN_CLASSES]
    chosen = sorted(worst.tolist())
    title = "Wrong labels by given class"
    if len(chosen) < len(evidence.classes):
        title += f" (the worst {len(chosen)} of {len(evidence.classes)})"
    return Histogram(
        title=title,
        categories=tuple(evidence.classes[code] for code in chosen),
        series=(Series(name="wrong", values=tuple(float(np.nan_to_num(quality.class_rates[c])) for c in chosen)),),
        unit="share",
    )


def transition_shown(evidence: OutOfSample, quality: LabelQuality) -> HeatMap:
    """The estimated joint distribution, as shares of each true class.

    Not ``quality.transition``: that is smoothed, in the calibrated reading to one rate for all class pairs but those
    that stand out, and would show no pair of most datasets. These shares hold what is known of each sample.
    """
    off = quality.joint.copy()
    np.fill_diagonal(off, 0)
    # The classes of the largest cells, so that a pair that stands out is among them.
    largest = np.maximum(off.max(axis=0), off.max(axis=1))
    chosen = np.sort(np.argsort(-largest, kind="stable")[:MAP_CLASSES])
    totals = quality.joint.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = quality.joint / totals[:, None]
    names = tuple(evidence.classes[code] for code in chosen)
    return HeatMap(
        title="Which classes are labelled as which",
        rows=names,
        columns=names,
        values=tuple(tuple(_rounded(float(shares[row, column])) for column in chosen) for row in chosen),
        row_axis="true class",
        column_axis="given label",
        meaning="Estimated share of a true class that is labelled as another.",
        row_totals=tuple(round(float(totals[row]) * len(evidence.codes), 1) for row in chosen),
        total=len(evidence.classes) if len(chosen) < len(evidence.classes) else None,
    )


def _rounded(share: float) -> float:
    # A hundredth of a per cent is far below what is known, and short to write 10,000 times.
    return round(share, 5)


def calibration_shown(evidence: OutOfSample, quality: LabelQuality) -> Reliability:
    """How often the likeliest class is the given one, beside the probability that the model gave it."""
    curve = reliability(evidence.codes, evidence.pred_probs, level=quality.level, transition=quality.transition)
    return Reliability(
        title="How right the probabilities are",
        bins=tuple(
            ReliabilityBin(
                predicted=round(float(curve.predicted[index]), 6),
                observed=round(float(curve.observed[index]), 6),
                low=round(float(curve.low[index]), 6),
                high=round(float(curve.high[index]), 6),
                n=int(curve.n[index]),
                expected=None if curve.expected is None else round(float(curve.expected[index]), 6),
            )
            for index in range(len(curve.n))
        ),
        predicted_axis="probability of the likeliest class",
        observed_axis="share labelled as it",
        level=curve.level,
        error=round(curve.error, 6),
        error_by_chance=round(curve.error_by_chance, 6),
        ceiling=round(1 - quality.noise_rate, 6),
        note="These are the probabilities as they came, before the rule reads them.",
    )
