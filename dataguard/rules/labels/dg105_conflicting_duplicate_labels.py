"""DG105: the same content under several labels."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.exhibit import Exhibit, Listing, PairGallery, PicturePair
from dataguard.core.finding import Confidence, Finding, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.dataset.duplicates import DuplicateGroup, Duplicates, Origin

SHOWN = 50
"""Pairs or rows in an exhibit; the locations hold all."""

_JUDGED = {
    Origin.COPIED: (Severity.ERROR, Confidence.HIGH),
    Origin.UNDECIDED: (Severity.WARNING, Confidence.MEDIUM),
    Origin.CHANCE: (Severity.INFO, Confidence.MEDIUM),
}


@rule("DG105", "conflicting-duplicate-labels", Severity.ERROR)
def conflicting_duplicate_labels(duplicates: Duplicates) -> Iterator[Outcome]:
    """Samples of identical content carry different labels.

    ## What it does

    Groups samples by the BLAKE3 hash of their content (the bytes of the picture, or the values of the row without its
    label) and reports every group with more than one label.

    ## Why is this bad?

    Where each content has one right label, at least one label of every such group is wrong. No model can fit both,
    the loss has a floor above zero, and if the copies lie in different splits a right prediction counts as an error.

    ## How it decides

    A content with labels given n₁ ≥ n₂ ≥ … times has at least n₂ + n₃ + … wrong ones. Their sum over all contents,
    divided by the number of labelled samples, is a lower bound on the share of wrong labels: exact, not an estimate,
    so there is no threshold and no false alarm as far as each content has one right label.

    Two pictures are not equal by chance; pictures of one colour and files that cannot be decoded are left out.
    Rows of a table may be: with few, coarse columns independent samples coincide, and different labels then only
    mean that the columns do not determine the class. So rows are an error where chance cannot have made so many
    copies, a warning where there are too few to tell, and information where chance explains them. The test is DG301's:
    independent draws make triples wherever they make pairs, E φ₃ ≥ (2/3)·(E φ₂)²/E φ₁ for φₖ contents that occur k
    times; rows count as copied below p = 0.001 (Poisson).

    ## Example

    >>> from dataguard.dataset.duplicates import DuplicateGroup, Duplicates, Member
    >>> group = DuplicateGroup(content_hash="5f", members=(
    ...     Member(sample_id="a.png", label="cat", path="a.png"), Member(sample_id="b.png", label="dog", path="b.png")))
    >>> finding, _ = conflicting_duplicate_labels(Duplicates.from_groups([group], sizes={"train": 100}))
    >>> print(finding.message)
    1 content carries more than one label (2 samples): at least 1 of 100 labels (1.00 %) is wrong

    ## How to fix

    Look at each pair, keep the right label, and delete the other copy. If both labels are right, the task is
    multi-label: say so in its schema. For rows, add the column that tells the two apart.

    ## References

    - C. Northcutt, A. Athalye, J. Mueller: Pervasive Label Errors in Test Sets Destabilize Machine Learning
      Benchmarks, NeurIPS Datasets and Benchmarks 2021.
    - I. J. Good: The Population Frequencies of Species and the Estimation of Population Parameters, Biometrika 1953.
    """
    if duplicates.n_labelled == 0:
        yield Skipped(reason="no sample with readable content has a label")
        return
    share = duplicates.least_wrong / duplicates.n_labelled
    figures = (
        Measurement(name="contents with several labels", value=duplicates.n_conflicts, threshold=0),
        Measurement(
            name="least share of wrong labels", value=share, threshold=0.0, n=duplicates.n_labelled, unit="share"
        ),
    )
    if duplicates.n_conflicts:
        yield _finding(duplicates, share, figures)
    occur = "content occurs" if duplicates.n_groups == 1 else "contents occur"
    yield Observation(
        message=f"{duplicates.n_groups:,} {occur} more than once among {duplicates.n_samples:,} samples; "
        f"{duplicates.n_conflicts:,} of them with different labels",
        measurements=figures,
    )


def _finding(duplicates: Duplicates, share: float, figures: tuple[Measurement, ...]) -> Finding:
    origin = duplicates.origin()
    severity, confidence = _JUDGED[origin]
    one = duplicates.n_conflicts == 1
    message = (
        f"{duplicates.n_conflicts:,} content{' carries' if one else 's carry'} more than one label "
        f"({duplicates.n_conflict_samples:,} samples): at least {duplicates.least_wrong:,} of "
        f"{duplicates.n_labelled:,} labels ({share * 100:.2f} %) {'is' if duplicates.least_wrong == 1 else 'are'} wrong"
    )
    if origin is Origin.UNDECIDED:
        message += ", unless these rows are equal by chance, which so few of them cannot tell"
    elif origin is Origin.CHANCE:
        message += ", unless these rows are equal by chance, which their numbers agree with"
    groups = [group for group in duplicates.groups if len(group.labels) > 1]
    return conflicting_duplicate_labels.finding(
        message,
        remedy="Look at each group, keep the right label and delete the other copies."
        if duplicates.pictures
        else "Find out which row of each group is right, or which column that tells them apart is missing.",
        severity=severity,
        confidence=confidence,
        measurements=figures,
        locations=tuple(location for group in groups for location in _locations(group)),
        exhibits=(_exhibit(groups, duplicates),),
    )


def _locations(group: DuplicateGroup) -> Iterator[Location]:
    counted = ", ".join(f"{label} ×{n}" for label, n in sorted(group.labels.items()))
    for member in group.members:
        if member.label is not None:
            others = [other for other in group.members if other.label not in (None, member.label)]
            yield member.location(others, note=f"labels of this content: {counted}")


def _exhibit(groups: list[DuplicateGroup], duplicates: Duplicates) -> Exhibit:
    title = "Same content, different labels"
    if not duplicates.pictures:
        return Listing(
            title=title,
            columns=("samples", "labels"),
            rows=tuple(
                (
                    ", ".join(member.sample_id for member in group.members[:6]),
                    ", ".join(f"{label} ×{n}" for label, n in sorted(group.labels.items())),
                )
                for group in groups[:SHOWN]
            ),
            total=duplicates.n_conflicts,
        )
    pairs = []
    for group in groups[:SHOWN]:
        labelled = [member for member in group.members if member.label is not None]
        other = next(member for member in labelled if member.label != labelled[0].label)
        pairs.append(
            PicturePair(
                left=labelled[0].picture(),
                right=other.picture(),
                caption=f"equal bytes, {len(group.members)} copies",
            )
        )
    return PairGallery(title=title, pairs=tuple(pairs), total=duplicates.n_conflicts)
