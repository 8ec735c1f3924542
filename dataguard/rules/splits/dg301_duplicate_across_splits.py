"""DG301: exact copies in two splits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.exhibit import Exhibit, Listing, PairGallery, PicturePair
from dataguard.core.finding import Confidence, Finding, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.class_counts import is_training
from dataguard.dataset.duplicates import COPIES_P_VALUE, Duplicates, Origin, Overlap
from dataguard.dataset.near_rows import NearRows, NearRowsBetween
from dataguard.dataset.nearness import EXPECTED_BY_CHANCE
from dataguard.rules.splits.copies_worth import row_in_words, worth_of_copies
from dataguard.rules.splits.near_rows_finding import expected_in_words
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.record import Worth, describe, measurements

SHOWN = 50
"""Pairs or rows in an exhibit; the locations hold all."""

_CONFIDENCE = {
    Origin.COPIED: Confidence.HIGH,
    Origin.UNDECIDED: Confidence.LOW,
    Origin.CHANCE: Confidence.LOW,
}


@rule("DG301", "duplicate-across-splits", Severity.ERROR)
def duplicate_across_splits(
    duplicates: Duplicates,
    rows: NearRows | None = None,
    samples: SplitSamples | None = None,
    *,
    max_share: Annotated[float, Between(low=0, high=1)] = 0.0,
) -> Iterator[Outcome]:
    """The same sample is in two splits, so that what is measured on one was seen in the other.

    ## What it does

    Compares the BLAKE3 hashes of all samples' content (the bytes of the picture, or the values of the row without its
    label) between every two splits.

    ## Why is this bad?

    A model can remember what it was trained on. With a share s of the evaluation split copied from training, an
    accuracy a on new samples is measured as up to a + s·(1 − a). Copies between validation and test make the model
    that was chosen on the one look better on the other.

    ## How it decides

    It counts the samples of the evaluation split (of the later of the two, in the order training, validation, test)
    whose content is in the other split, and reports a share above `max_share`. The default is 0: copies cost
    nothing to remove.

    *Severity.* Copies shared with training are an error. Copies shared by two evaluation splits are a warning: no
    weight was fitted to them, only choices. The report puts the leaked share s beside the widest 95 % sampling error of
    an accuracy on n samples, 0.98/√n: a share below it is bad but does not show in the figure.

    *What cannot be evidence* is left out: files that cannot be decoded (all empty files are equal) and pictures of one
    colour (all black pictures are).

    *Rows of tables* can be equal by chance, where pictures cannot. Three tests decide, the first two at p < 0.001:

    - *Too many in both splits.* Assigned at random, a content with m rows lies in both splits with probability
      1 − C(n₁, m)/C(n, m) − C(n₂, m)/C(n, m), so that the sum over contents has a known distribution
      (Poisson-binomial; normal beyond 2,000 contents). More of them than that means that rows were copied
      after the split.
    - *Pairs without triples.* Of independent draws from any discrete distribution, with φₖ contents occurring k
      times, E φ₃ ≥ (2/3)·(E φ₂)²/E φ₁ (Cauchy–Schwarz on Good's moments). Rows that were written twice make pairs only.
      φ₂ is taken two standard deviations below what was seen, φ₁ two above, and φ₃ is Poisson.

    - *Equal where hardly any are nearly equal.* A row's nearest row in the other split that is not its copy differs in
      h columns. If it agrees with it in column j with probability qⱼ, there are Σ oⱼ times as many rows that differ in
      one column as in none, and Σ oᵢoⱼ (i < j) times as many that differ in two, with the odds oⱼ = (1 − qⱼ)/qⱼ. So
      the rows that differ in one column, or in two, say how many equal ones to expect; 0.02 or fewer are none (of 20
      rows compared at least). One copied row of ten measured numbers is recognized by that alone.

    The same bound is tested for triples and fours. Where a test fails, rows are judged as pictures are. Otherwise they
    are a warning of low confidence (information between two evaluation splits), for the owner of the data to judge:
    either the data are discrete and repeat themselves, as new data will, or rows were drawn twice at random before
    the split (oversampling), which looks the same; or there are too few to tell. The message says which.

    *Measured* (`benchmarks/duplicate_rows.py`). Independent rows of 200 to 10,000, uniform and Zipf, were taken for
    copies in 2 of 6,300 runs. Copying 5 % of the test rows from training after the split was recognized in every
    run from 1,000 rows on, 1 % from 10,000. Rows written twice before the split were recognized in every run where
    they were half of 200 rows or 5 % of 10,000, and in none where they were 10 % of 1,000.

    *Worth.* Where labels are known, a cheap model is scored on the evaluation split with the copies in its training and
    without them (as many other samples left out instead), and the message says what they add.

    ## Example

    >>> from dataguard.dataset.duplicates import DuplicateGroup, Duplicates, Member
    >>> group = DuplicateGroup(content_hash="5f", members=(
    ...     Member(sample_id="train/a.png", split="train", path="train/a.png"),
    ...     Member(sample_id="test/b.png", split="test", path="test/b.png")))
    >>> finding, _ = duplicate_across_splits(Duplicates.from_groups([group], sizes={"train": 100, "test": 50}))
    >>> print(finding.message)
    1 of 50 samples of test (2.00 %) has an exact copy in train

    ## How to fix

    Delete the copies from the training split, so that the evaluation split stays what earlier results were measured
    on, and measure again. If the dataset is split by a script, remove duplicates before it splits.

    ## References

    - B. Barz, J. Denzler: Do We Train on Test Data? Purging CIFAR of Near-Duplicates, Journal of Imaging 2020 (3.3 %
      of the CIFAR-10 test set).
    - S. Kapoor, A. Narayanan: Leakage and the reproducibility crisis in machine-learning-based science, Patterns 2023.
    - I. J. Good: The Population Frequencies of Species and the Estimation of Population Parameters, Biometrika 1953.
    """
    if len(duplicates.sizes) < 2:
        yield Skipped(
            reason="there is only one split" if duplicates.sizes else "no sample has readable content",
            hint="name the splits, as folders train/ and test/ or a split column",
        )
        return
    overlaps = list(duplicates.overlaps)
    for overlap in overlaps:
        if is_training(overlap.left) and is_training(overlap.right):
            continue
        if overlap.shared_right > max_share * overlap.n_right:
            yield _finding(duplicates, overlap, max_share, _nearby(rows, overlap), samples)
    left_out = []
    if duplicates.n_textureless:
        left_out.append(f"{duplicates.n_textureless:,} pictures without texture")
    if duplicates.n_unreadable:
        left_out.append(f"{duplicates.n_unreadable:,} unreadable samples")
    occur = "content occurs" if duplicates.n_groups == 1 else "contents occur"
    yield Observation(
        message=f"{duplicates.n_groups:,} {occur} more than once among {duplicates.n_samples:,} samples"
        + (f"; {' and '.join(left_out)} left out" if left_out else ""),
        measurements=tuple(
            Measurement(
                name=f"samples of {_name(overlap.right)} with a copy in {_name(overlap.left)}",
                value=overlap.shared_right,
                threshold=max_share * overlap.n_right,
                n=overlap.n_right,
            )
            for overlap in overlaps
        ),
    )


def _nearby(rows: NearRows | None, overlap: Overlap) -> NearRowsBetween | None:
    found = () if rows is None else rows.between
    return next((item for item in found if (item.left, item.right) == (overlap.left, overlap.right)), None)


def _finding(
    duplicates: Duplicates,
    overlap: Overlap,
    max_share: float,
    nearby: NearRowsBetween | None,
    samples: SplitSamples | None,
) -> Finding:
    origin = duplicates.origin(overlap)
    if nearby is not None and nearby.expected_same <= EXPECTED_BY_CHANCE:
        origin = Origin.COPIED
    training = is_training(overlap.left) or is_training(overlap.right)
    severity = Severity.ERROR if origin is Origin.COPIED else Severity.WARNING
    if not training:
        severity = Severity(severity - 1)
    left, right = _name(overlap.left), _name(overlap.right)
    share = overlap.shared_right / overlap.n_right
    message = (
        f"{overlap.shared_right:,} of {overlap.n_right:,} samples of {right} ({share * 100:.2f} %) "
        f"{'has' if overlap.shared_right == 1 else 'have'} an exact copy in {left}"
    )
    if origin is Origin.UNDECIDED:
        message += "; rows can be equal by chance, and there are too few of them to tell"
    elif origin is Origin.CHANCE:
        message += "; discrete data repeat themselves so often, and so does oversampling before the split"
    groups = [group for group in duplicates.groups if group.in_split(overlap.left) and group.in_split(overlap.right)]
    copied = {member.sample_id for group in groups for member in group.in_split(overlap.left)}
    worth = worth_of_copies(samples, overlap.left, overlap.right, copied)
    if isinstance(worth, Worth):
        message += f". {describe(worth)}".rstrip(".")
    locations = tuple(
        member.location(group.in_split(overlap.left)) for group in groups for member in group.in_split(overlap.right)
    )
    exhibit: Exhibit
    title = f"Exact copies in {left} and {right}"
    if duplicates.pictures:
        exhibit = PairGallery(
            title=title,
            pairs=tuple(
                PicturePair(
                    left=group.in_split(overlap.left)[0].picture(),
                    right=group.in_split(overlap.right)[0].picture(),
                    caption="equal bytes",
                )
                for group in groups[:SHOWN]
            ),
            total=overlap.n_groups,
        )
    else:
        exhibit = Listing(
            title=title,
            columns=(left, right, "what they hold"),
            rows=tuple(
                (
                    *(
                        ", ".join(member.sample_id for member in group.in_split(split)[:6])
                        for split in (overlap.left, overlap.right)
                    ),
                    row_in_words(samples, group.in_split(overlap.right)[0].sample_id),
                )
                for group in groups[:SHOWN]
            ),
            total=overlap.n_groups,
        )
    return duplicate_across_splits.finding(
        message,
        remedy=f"Delete the copies from {left}, or move them to one split, and measure on {right} again.",
        severity=severity,
        confidence=_CONFIDENCE[origin],
        measurements=(
            Measurement(
                name=f"share of {right} copied", value=share, threshold=max_share, n=overlap.n_right, unit="share"
            ),
            Measurement(
                name=f"widest 95 % sampling error of an accuracy on {right}",
                value=0.98 / overlap.n_right**0.5,
                n=overlap.n_right,
                unit="share",
            ),
            Measurement(
                name="contents in both splits",
                value=overlap.n_groups,
                threshold=f"p < {COPIES_P_VALUE:g}",
                p_value=overlap.p_value,
            ),
            Measurement(name="expected if these samples were split at random", value=round(overlap.expected_groups, 2)),
            *(
                ()
                if nearby is None
                else (
                    Measurement(
                        name="equal rows expected by chance, from rows that differ in one or two columns",
                        value=expected_in_words(nearby.expected_same),
                        threshold=EXPECTED_BY_CHANCE,
                    ),
                )
            ),
            *(() if worth is None else measurements(worth)),
        ),
        locations=locations,
        exhibits=(exhibit,),
        key=(overlap.left, overlap.right),
    )


def _name(split: str) -> str:
    return split or "the samples without a split"
