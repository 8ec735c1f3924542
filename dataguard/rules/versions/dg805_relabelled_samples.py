"""DG805 relabelled-samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.versions.comparison import VersionComparison
from dataguard.versions.showing import flow_map, gallery, sample_listing
from dataguard.versions.words import samples

_NAMED = 3


@rule("DG805", "relabelled-samples", Severity.WARNING)
def relabelled_samples(
    compared: VersionComparison, *, max_share: Annotated[float, Between(low=0, high=1)] = 0.0
) -> Iterator[Outcome]:
    """Samples of both versions have another label now.

    ## What it does

    Lists the samples whose label is not what it was: of the same name, or of the same content under another name, as a
    picture that went from one class's folder to another's. A map shows which labels became which.

    ## Why is this bad?

    Corrected labels are the best thing that can happen to a dataset, and a shifted column, a changed order of class
    names or a merge on the wrong key among the worst; both look like a new version. Either way scores before and after
    are not comparable.

    ## How it decides

    By name and content hash and by comparison of the labels, so there are no false alarms by chance. More than
    `max_share` of the samples that both versions have is a warning. Labels of a regression are compared as they are
    written.

    Options:

    - `max_share`: share of the samples of both versions that may be relabelled without a finding. 0: each correction is
      worth a look.

    ## Example

    >>> from dataguard.versions.made_up import made_up_comparison
    >>> print(relabelled_samples(made_up_comparison(relabelled=3))[0].message)
    3 of 10 samples (30.0 %) have another label: 3 'cat' → 'dog'.

    ## How to fix

    Look at a few of each pair of labels. If they are corrections, say so in the version's notes, measure old models
    again on the new labels, and write a new snapshot. If they are not, find the step that moved them.

    ## References

    - Northcutt, Athalye & Mueller, *Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks*,
      NeurIPS 2021.
    - Beyer et al., *Are we done with ImageNet?*, 2020 (what relabelling does to scores).
    """
    changed = compared.changes
    both = changed.n_old - changed.counts["removed"]
    n = changed.counts["relabelled"]
    share = n / both if both else 0.0
    figure = Measurement(name="samples relabelled", value=share, threshold=max_share, n=both, unit="share")
    if share <= max_share:
        said = "no label changed" if not n else f"{samples(n)} relabelled"
        yield Observation(
            message=f"{said.capitalize()} among {both:,} samples of both versions.", measurements=(figure,)
        )
        return
    numbers = any(split.target is not None for split in compared.new.profile.splits)
    hidden = "hashed" in (compared.old.profile.manifest.labels, compared.new.profile.manifest.labels)
    flows = () if hidden or numbers else changed.relabelled
    of = ", ".join(f"{flow.n:,} {flow.old or '(none)'!r} → {flow.new or '(none)'!r}" for flow in flows[:_NAMED])
    more = len(flows) - _NAMED
    said = f": {of}" + (f" and {more:,} more pairs" if more > 0 else "") if of else ""
    mapped = flow_map("label", flows)
    listing = changed.listed["relabelled"]
    pictures = gallery(compared, "Relabelled samples", listing, n)
    yield relabelled_samples.finding(
        f"{n:,} of {both:,} samples ({100 * share:.1f} %) {'has' if n == 1 else 'have'} another label{said}.",
        remedy="Look at some of each pair: corrections belong into the version's notes; all else is a broken step.",
        confidence=Confidence.HIGH,
        measurements=(figure, Measurement(name="pairs of labels", value=len(changed.relabelled))),
        locations=tuple(
            Location(
                sample_id=item.name,
                split=item.new_split or None,
                label=None if hidden else item.new_label,
                note="" if hidden else f"was {item.old_label if item.old_label is not None else '(none)'}",
            )
            for item in listing
        ),
        exhibits=tuple(
            item for item in (mapped, pictures, sample_listing("relabelled", listing, n)) if item is not None
        ),
        key=("relabelled",),
    )
