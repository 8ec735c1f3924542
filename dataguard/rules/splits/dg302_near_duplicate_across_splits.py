"""DG302: one picture, saved differently, in two splits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated

from dataguard.core.exhibit import PairGallery, PicturePair
from dataguard.core.finding import Confidence, Finding, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.class_counts import is_training
from dataguard.dataset.duplicates import Member
from dataguard.dataset.near_pairs import NearDuplicatePair, NearDuplicates
from dataguard.dataset.near_rows import NearRows
from dataguard.dataset.near_texts import NearTexts
from dataguard.dataset.registration import WHOLE
from dataguard.rules.splits.copies_worth import worth_of_copies
from dataguard.rules.splits.near_rows_finding import row_outcomes, text_outcomes
from dataguard.splits.samples import SplitSamples
from dataguard.splits.worth.record import Worth, describe, measurements

SHOWN = 50
"""Pairs in an exhibit; the locations hold all."""


@rule("DG302", "near-duplicate-across-splits", Severity.ERROR)
def near_duplicate_across_splits(
    near: NearDuplicates | None,
    rows: NearRows | None = None,
    texts: NearTexts | None = None,
    samples: SplitSamples | None = None,
    *,
    max_share: Annotated[float, Between(low=0, high=1)] = 0.0,
) -> Iterator[Outcome]:
    """The same picture, row or text, changed a little, is in two splits.

    ## What it does

    Finds pairs of pictures in two splits that are one picture up to recompression, resizing, brightness, contrast, a
    moderate tone curve, the loss of colour, an exchange of left and right, or a crop of up to 8 % off a side. Larger
    crops, rotations, overlays, crops of mirrored pictures and pictures without texture are not looked for: there,
    vectors of a model of yours (`dataset.features` or `dataset.embedding`) serve, and where they are given, pairs that
    these find are reported too. Copies with equal bytes are DG301's.

    In tables, finds rows that are one row up to rounding, noise, single precision, case, spaces and Unicode form, or a
    few changed cells in a wide table; and texts that are one text up to case, punctuation, some words changed, left out
    or added. Columns are matched by name, so that their order does not matter.

    ## Why is this bad?

    A model that has seen a picture in training recognizes its JPEG of another quality. What is measured on such
    pictures is memory: a share s of them lifts an accuracy a by up to s·(1 − a).

    ## How it decides

    1. *Candidates.* (a) 64-bit DCT hashes within 7 bits, as they are and mirrored, by four bands of 16 bits with one
       bit flipped: exact, without comparing all pairs, and without those within a split. Where more than 10⁶ pairs or
       4·10⁹ comparisons would come of it, the distance is lowered, and the report says to what. (b) The 12 nearest
       neighbours of each picture among those of the other splits, also of ten crops of it, in 24 numbers made of its
       lowest frequencies: the directions in which the pictures of this dataset differ most in comparison with what
       simulated crops, tones, JPEGs and reductions change (Fisher's discriminant). Among more than 30,000 pictures, the
       smaller of two splits asks, the neighbours are searched in clusters, without the ten crops, and only those that
       stand out from the 12th count: all edits are looked for at every size, but crops there only as far as the
       uncropped vectors or the hashes are still close.
    2. *Thumbnail.* The residual is the share of the variance of one 32×32 gray thumbnail that the best quadratic
       function of the other leaves unexplained, the larger of both directions; as they are, and with the window of one
       that fits the other best (Gauss-Newton). The five best of each picture, of at most 0.2 (0.5 where pictures are no
       larger than a thumbnail), whose colours do not correlate negatively, are looked at.
    3. *Second look.* The files are compared at their common resolution, at most 128 pixels wide. Every edit that is
       looked for is tried: the window is cut, the tone curve applied (one for all colours: quadratic, a power, or
       clipped where the copy is), and where one file is a small JPEG, the other is saved with its quantization tables.
       What counts then:
       - *Detail* finer than the thumbnail's, each place scaled to the same contrast, so that texture counts as much as
         outlines. It must correlate by 0.5, or more where this dataset asks for it: the next best candidates of each
         picture are rivals and no copies, and a pair must exceed their median by 4.3 robust standard deviations on
         Fisher's scale (at most 0.9 is asked).
       - *Residual*, where pictures are no larger than a thumbnail or too smooth to have detail: at most 0.02, of the
         luma and of all colours. In benchmarks, 98 % of copies left under 0.004 and chance pairs 0.02 to 0.05.
       - *Chance*, there too, unless the edit reproduces the file to rounding (0.75 levels, and 0.3 % of the variance):
         at most 0.05 pairs of unrelated pictures may be expected to leave so small a residual *in this dataset* (shared
         by the orientations tried). Around a picture whose k-th neighbour among m random ones (at most 2,048; k =
         max(5, m/50)) has residual r_k, chance gives n·(k/m)·(r/r_k)^(d/2) neighbours with residual r among n, and n/2
         times that pairs in all. d is the intrinsic dimension around the picture or of the dataset (Levina and Bickel),
         whichever is less. For windows, r_k is shrunk by what cutting to fit does for unrelated neighbours. Saving with
         the other's tables makes flat pictures alike, so that it counts for a residual ten times smaller at most, where
         more than 0.05 was left before. Below 12 pictures nothing can be estimated, and the residual must be at most
         0.01. *This number is indicative*: it extrapolates a power law that smooth pictures do not keep to (clear skies
         at 32×32 gave pairs at 10⁻³ and 10⁻⁷ that were none), which is why the limits above stand beside it.
       - *Colours*, where both have any, must correlate by 0.9. A *silhouette* (two tones explain 94 % of the variance)
         has an outline and no more: there one change of brightness, contrast or gamma of all colours alike must explain
         99 % of the colours' variance, so that one shape in two colours is no pair; and a silhouette that was cut to
         fit another counts only if there is fine detail within it and that correlates by 0.5.
    4. *Given vectors* (`dataset.features`, `dataset.embedding`). A pair across splits counts if the cosine similarity
       of its directions, their mean taken away, is 0.9 at least and at most 0.05 pairs of unrelated samples are
       expected to be as close: with the 24th neighbour at distance δ_k, chance gives 24·(δ/δ_k)^d neighbours within δ
       to each of the samples asked about.

    Each pair says what speaks for it. Counted are the pictures of the evaluation split with such a pair; a share above
    `max_share` (0, as copies cost nothing to remove) is reported. Near-duplicates shared with training are an error;
    shared by two evaluation splits, a warning. Confidence is high where fine detail agrees in all pairs.

    *Measured* (with the edits of `benchmarks/near_duplicates.py`; lower ends of exact 95 % intervals). On patches of
    200 photographs (BSDS500's test part) at 32×32, on which nothing was set at that size: JPEG 50 to 95, resizing by
    0.5 to 2, brightness, gamma, gray and mirroring 400 of 400 (≥ 0.990), crops of 5 % 125 of 125 (≥ 0.970), no false
    pair. At 160×120, after colours were mended on it: 237 of 240 (≥ 0.964; what is missed is clipped brightness) and 73
    of 75, no false pair. The rest was measured on pictures that thresholds were set on, and some of it before the last
    changes to colours. BSDS500's other 300 photographs at 32×32, a clean set of 2,400: no pair in colour; in gray 28×28
    one of 4 % residual, before the limit of 2 %. 1,100 plain shapes on white: 3 pairs, of one outline in two tones;
    2,400 handwritten digits of 28×28: none. Products on white, 30 a cell: JPEG 50 and brightness 119 of 120, crops 118
    of 120, no false pair. Digits of 8×8: 660 of 660, except gray at half the size in JPEG 60 (4×4 pixels), 44 of 60;
    crops none, as a pixel is an eighth of the side. Noise of 10 levels: none to nearly all. Given vectors of ten tight
    classes: no pair in 60 clean draws, 99 % of copies found. Of a million pictures
    (`benchmarks/near_duplicate_speed.py`: blends of dead leaves; 2,000 copies with these edits, planted in a test split
    of 200,000), 1,524 of 1,525 edits other than crops and 469 of 475 crops of 5 % were found, and 55 other pairs, whose
    files hold no more than a thumbnail; it took 127 s of CPU, 83 of them for 6,461 second looks, and 1.1 GB.

    More than k near-copies of one picture among the m hide one another.

    *Rows.* A cell's distance is |x − y| by the median difference of two random rows (after asinh, where the 98 % range
    of a column is over 10 interquartile ranges), at most 1; of text 0 or 1. A row's distance is their sum. For each
    evaluation row without an exact copy, r is the distance to the nearest row of the other split, as a share of the
    smaller distance of the two to their k-th nearest among m random rows (m ≤ 1,024, k = max(5, m/50)). Copies lie
    below a gap in the sorted r: n rows at most r, natural ones y₁ ≤ y₂ ≤ … above, with all of

    - m·(r/yₘ)^s ≤ 0.02 for m = 20, 80, 320: the rows expected by chance, where s is Hill's estimate of the exponent of
      the natural tail at the lower end of its 95 % interval, and at least 1;
    - (r/y₁)ⁿ ≤ 0.001: the gap has that probability even under the exponent 1 of a single continuous column;
    - y₁/r ≥ 3, and no more than half of the rows below, or r ≤ 0.01.

    Where cells have another value (more than 0.02 of that median difference apart), half of the cells and three columns
    in which two random rows seldom agree (p ≤ 0.05) must still agree. Rows that are equal up to rounding and spelling
    are judged as DG301 judges equal ones. *Measured* (`benchmarks/duplicate_rows.py near`): no finding in 2,400 draws
    of clean tables of 30 kinds, continuous, mixed and categorical, half of them with a third of the rows in capitals or
    single precision, iris (less its equal row), wine, breast cancer, digits and diabetes among them. Of 20 rows planted
    among 1,000, with relative noise of 1e-6, 1e-5 and 1e-4, in single precision or other case: all found in tables of 3
    and more independent fractional columns, no false one; noise of 1e-3: all from 4 columns on. Two of 20 cells
    changed: all. Rows on a curve, of few distinct values, or with one fractional column are seldom told from chance.
    1,000,000 rows of 20 columns take 10 s.

    *Texts.* Two texts are compared where they share phrases of three words that at most 1 % of the texts have (and at
    most 64, at least 8): the rest is boilerplate and weighs nothing. The likeness is the larger of the Jaccard
    similarity of phrases weighed by log(n/frequency), and 0.9 of the weighed share of the shorter text. Texts of fewer
    than 15 words are compared by their words instead, as one word changed takes three phrases with it, and by the
    Jaccard similarity alone, as a turn of phrase is a part of many texts. The same test of a gap, one for each of the
    two kinds, decides, with y₁/r ≥ 2 and the first condition; and the shared words must be so rare that at most 0.01
    pairs share as much by chance. *Measured* (`benchmarks/near_texts.py`): no finding in 360 clean collections of
    prose, short posts, letters with a footer and forms, nor, with words for short texts, in 72 of short posts, forms
    and few sentences. In prose of 20 words and more, one word in 20 changed, a tenth cut off, other case or
    punctuation, or as much again appended: all found, none false. Posts of 3 to 14 words: 87 % where only case or
    punctuation differs, 50 % with a word changed, 73 % with the end cut off, 57 % with as much again appended, none
    false: of texts of 3 to 5 words, that is what a common turn of phrase looks like.

    ## Example

    >>> from dataguard.dataset.duplicates import Member
    >>> from dataguard.dataset.near_pairs import NearDuplicatePair, NearDuplicates
    >>> pair = NearDuplicatePair(
    ...     left=Member(sample_id="a.jpg", split="train", path="a.jpg"),
    ...     right=Member(sample_id="b.jpg", split="test", path="b.jpg"),
    ...     distance=2, residual=0.001, chance_pairs=1e-9, detail=0.97)
    >>> finding, _ = near_duplicate_across_splits(NearDuplicates.from_pairs([pair], sizes={"train": 900, "test": 100}))
    >>> print(finding.message)
    1 of 100 pictures of test (1.00 %) is a near-duplicate of one in train

    ## How to fix

    Look at the pairs. Delete the copies from the training split, so that the evaluation split stays what earlier
    results were measured on, and measure again. Where one scene was photographed many times, split by scene.

    ## References

    - B. Barz, J. Denzler: Do We Train on Test Data? Purging CIFAR of Near-Duplicates, Journal of Imaging 2020.
    - C. Zauner: Implementation and benchmarking of perceptual image hash functions, 2010.
    - M. Norouzi, A. Punjani, D. Fleet: Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012.
    - E. Levina, P. Bickel: Maximum Likelihood Estimation of Intrinsic Dimension, NIPS 2004.
    - S. Karlin, S. Altschul: Methods for assessing the statistical significance of molecular sequence features by using
      general scoring schemes, PNAS 1990 (the expected number of chance hits of a search).
    """
    if rows is not None:
        yield from row_outcomes(near_duplicate_across_splits, rows, max_share=max_share, samples=samples)
    if texts is not None:
        yield from text_outcomes(near_duplicate_across_splits, texts, max_share=max_share, samples=samples)
    if near is None:
        if rows is None and texts is None:
            yield Skipped(
                reason="there are no two splits with pictures, rows or texts to compare",
                hint="name the splits, as folders train/ and test/, files train.csv and test.csv, or a split column",
            )
        return
    if len(near.sizes) < 2:
        yield Skipped(
            reason="there is only one split", hint="name the splits, as folders train/ and test/ or a split column"
        )
        return
    shared = {}
    for left, right in itertools.combinations(near.sizes, 2):
        pairs = [oriented for pair in near.pairs if (oriented := _oriented(pair, left, right)) is not None]
        shared[left, right] = len({member.sample_id for _, member, _ in pairs})
        if is_training(left) and is_training(right):
            continue
        if shared[left, right] > max_share * near.sizes[right]:
            yield _finding(near, left, right, pairs, max_share, samples)
    yield _observation(near, shared, max_share)


def _oriented(pair: NearDuplicatePair, left: str, right: str) -> tuple[Member, Member, NearDuplicatePair] | None:
    """The members in the left and the right split."""
    if (pair.left.split, pair.right.split) == (left, right):
        return pair.left, pair.right, pair
    if (pair.right.split, pair.left.split) == (left, right):
        return pair.right, pair.left, pair
    return None


def _finding(
    near: NearDuplicates,
    left: str,
    right: str,
    pairs: Sequence[tuple[Member, Member, NearDuplicatePair]],
    max_share: float,
    samples: SplitSamples | None,
) -> Finding:
    related: dict[str, list[Member]] = {}
    members: dict[str, Member] = {}
    reasons: dict[str, str] = {}
    for first, second, pair in pairs:
        related.setdefault(second.sample_id, []).append(first)
        members.setdefault(second.sample_id, second)
        reasons.setdefault(second.sample_id, pair.why)
    n, total = len(members), near.sizes[right]
    training = is_training(left) or is_training(right)
    names = left or "the samples without a split", right or "the samples without a split"
    worth = worth_of_copies(samples, left, right, {first.sample_id for first, _, _ in pairs})
    worth_in_words = f". {describe(worth)}".rstrip(".") if isinstance(worth, Worth) else ""
    return near_duplicate_across_splits.finding(
        f"{n:,} of {total:,} pictures of {names[1]} ({n / total * 100:.2f} %) "
        f"{'is a near-duplicate' if n == 1 else 'are near-duplicates'} of {'one' if n == 1 else 'some'} in {names[0]}"
        + worth_in_words,
        remedy=f"Look at the pairs; delete the copies from {names[0]}, or move them to one split, and measure on "
        f"{names[1]} again.",
        severity=Severity.ERROR if training else Severity.WARNING,
        confidence=Confidence.HIGH if all(pair.detail is not None for _, _, pair in pairs) else Confidence.MEDIUM,
        measurements=(
            Measurement(
                name=f"share of {names[1]} with a near-duplicate in {names[0]}",
                value=n / total,
                threshold=max_share,
                n=total,
                unit="share",
            ),
            Measurement(
                name=f"widest 95 % sampling error of an accuracy on {names[1]}",
                value=0.98 / total**0.5,
                n=total,
                unit="share",
            ),
            Measurement(name="pairs", value=len(pairs)),
            *_by_evidence([pair for _, _, pair in pairs]),
            *(() if worth is None else measurements(worth)),
        ),
        locations=tuple(members[name].location(related[name], note=reasons[name]) for name in members),
        exhibits=(
            PairGallery(
                title=f"Near-duplicates in {names[0]} and {names[1]}, most alike first",
                pairs=tuple(
                    PicturePair(left=first.picture(), right=second.picture(), caption=pair.why)
                    for first, second, pair in pairs[:SHOWN]
                ),
                total=len(pairs),
            ),
        ),
        key=(left, right),
    )


def _by_evidence(pairs: Sequence[NearDuplicatePair]) -> Iterator[Measurement]:
    """How many pairs each kind of evidence stands for."""
    by_vectors = sum(pair.residual is None for pair in pairs)
    if by_vectors:
        yield Measurement(name="pairs found by the given vectors alone", value=by_vectors)
    if both := sum(pair.residual is not None and pair.cosine is not None for pair in pairs):
        yield Measurement(name="pairs found by pixels and by the given vectors", value=both)
    for name, n in (
        ("mirrored", sum(pair.mirrored for pair in pairs)),
        ("cropped", sum(pair.window != WHOLE for pair in pairs)),
        ("without fine detail to confirm them", sum(pair.detail is None for pair in pairs) - by_vectors),
    ):
        if n:
            yield Measurement(name=f"pairs {name}", value=n)


def _observation(near: NearDuplicates, shared: dict[tuple[str, str], int], max_share: float) -> Observation:
    message = (
        f"{near.n_hashed:,} pictures: {near.n_candidates:,} candidate pairs, by hashes within {near.max_distance} bits "
        f"or as nearest neighbours; {near.n_alike:,} with thumbnails alike; {len(near.pairs):,} confirmed"
    )
    if near.vectors is not None:
        message += f"; {near.n_by_vectors:,} by {near.vectors}"
    if near.max_distance < near.asked_distance:
        message += f"; the distance was lowered from {near.asked_distance} because too many hashes collide"
    if near.truncated:
        message += "; not all candidates could be looked at, so there may be more"
    figures = [
        Measurement(
            name=f"pictures of {right or 'the samples without a split'} with a near-duplicate in "
            f"{left or 'the samples without a split'}",
            value=n,
            threshold=max_share * near.sizes[right],
            n=near.sizes[right],
        )
        for (left, right), n in shared.items()
    ]
    figures += [
        Measurement(name="Hamming distance", value=near.max_distance, threshold=near.asked_distance),
        Measurement(name="share of random pairs within it", value=near.collision_rate, unit="share"),
    ]
    if near.dimension is not None and near.typical_residual is not None:
        figures += [
            Measurement(name="intrinsic dimension of the pictures", value=round(near.dimension, 2)),
            Measurement(name="residual to the nearest neighbour, median", value=near.typical_residual, unit="share"),
        ]
    figures += [Measurement(name=name, value=value) for name, value in near.figures.items()]
    return Observation(message=message, measurements=tuple(figures))
