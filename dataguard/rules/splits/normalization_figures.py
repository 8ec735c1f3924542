"""Figures and tables that the rules about normalization share."""

from __future__ import annotations

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Measurement
from dataguard.splits.normalization.verdict import NormalizationVerdict

SHOWN = 20


def words(names: tuple[str, ...]) -> str:
    """Names of splits as they stand in a sentence; '' is what has no split.

    >>> words(("train", "val", "test"))
    "'train', 'val' and 'test'"
    """
    quoted = [repr(name) if name else "what has no split" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def candidates(verdict: NormalizationVerdict) -> Listing:
    """Every union of splits with how well it explains the numbers."""
    return Listing(
        title="Which samples the statistics may be of",
        columns=("splits", "samples", "columns that say so", "residual / sampling error", "decades of chance", "fits"),
        rows=tuple(
            (
                " + ".join(name or "no split" for name in item.splits),
                item.n,
                item.columns,
                None if item.ratio is None else float(f"{item.ratio:.3g}"),
                None if item.decades != item.decades else max(0.0, round(item.decades, 1)),
                "yes" if item.fits else "no",
            )
            for item in verdict.evidence[:SHOWN]
        ),
        total=len(verdict.evidence),
    )


def figures(verdict: NormalizationVerdict) -> tuple[Measurement, ...]:
    """What the verdict rests on."""
    found = [
        Measurement(name="columns that say so", value=int(verdict.scaled.sum()), n=len(verdict.columns), threshold=None)
    ]
    fitting = [item for item in verdict.evidence if item.fits]
    if fitting and fitting[0].ratio is not None:
        found += [
            Measurement(
                name="residual of mean and variance over sampling error",
                value=float(f"{fitting[0].ratio:.3g}"),
                n=fitting[0].n,
            ),
            Measurement(
                name="chance of such a fit",
                value=float(f"{10 ** -min(fitting[0].decades, 300):.3g}"),
                threshold=1e-4,
            ),
        ]
    found += [
        Measurement(name=f"samples of {name or 'no split'}", value=count) for name, count in verdict.samples.items()
    ]
    if verdict.worth is not None:
        found += [
            Measurement(
                name="largest change of a held-out value, in standard deviations",
                value=float(f"{verdict.worth.largest:.3g}"),
            ),
            Measurement(
                name="typical shift of a column, in standard deviations", value=float(f"{verdict.worth.typical:.3g}")
            ),
        ]
    return tuple(found)


def worth_sentence(verdict: NormalizationVerdict) -> str:
    """What a leak has moved, as a sentence with a leading space; '' where that is not known."""
    worth = verdict.worth
    if worth is None:
        return ""
    return (
        f" It moves a value of {worth.split or 'what has no split'!r} by up to {worth.largest:.2g} standard deviations "
        f"(in {worth.column!r}), and columns by {worth.typical:.2g} on average."
    )
