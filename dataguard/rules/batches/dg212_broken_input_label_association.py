"""DG212 broken-input-label-association."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.batches.association import LabelAssociation, label_association
from dataguard.batches.evidence import OrderEvidence, family_level
from dataguard.batches.kinds import LabelKind
from dataguard.batches.reference import ReferencePictures
from dataguard.batches.stream import BatchStream
from dataguard.core.exhibit import Listing
from dataguard.core.finding import (
    Confidence,
    Finding,
    Inconclusive,
    Measurement,
    Observation,
    Outcome,
    Severity,
    Skipped,
)
from dataguard.core.rule import Between, rule
from dataguard.rules.batches.figures import p_text
from dataguard.rules.batches.places import sample_locations
from dataguard.rules.batches.recognition import recognise

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT = frozenset({LabelKind.CLASSES, LabelKind.ONE_HOT, LabelKind.MULTI_LABEL})


@rule("DG212", "broken-input-label-association", Severity.ERROR)
def broken_input_label_association(
    stream: BatchStream,
    reference: ReferencePictures | None = None,
    evidence: OrderEvidence | None = None,
    *,
    alpha: Annotated[float, Between(low=0, high=0.05)] = 0.01,
) -> Iterator[Outcome]:
    """Inputs come with labels that are not theirs: the two were shuffled apart.

    ## What it does

    Holds the label of each sample as fed against the label that the source gives for the same sample, and counts where
    they differ. Ways to find the sample in the source, the first that can be had: its index in the loader's dataset;
    its content, if fed unaugmented, in a recording without augmentation; its own label in another epoch; and, for
    pictures, what a classifier takes it for.

    ## Why is this bad?

    A model that is trained on permuted labels learns nothing that holds beyond the training data, however long it
    trains. The loss may fall all the same, since large networks memorize. Labels that are sorted, filtered or shuffled
    apart from the inputs are a common slip, and every figure by class (counts, order, balance) looks as it should.

    ## How it decides

    - By the source: n samples found there, of which a have the same label. All labels of a sound loader agree, so that
      every difference is a wrong label. Labels that follow from the source's by a fixed renaming of classes are
      renamed, and not broken. If the agreements are no more than chance gives (the number of matches under a random
      permutation of labels, with exact moments; p ≥ `alpha` / m), inputs and labels have nothing to do with each other:
      broken. If they are more: partly broken, a warning below 5 % of the samples, since labels may be changed on
      purpose.
    - By other epochs: samples known by index, id or content that come once in each of two epochs must have the same
      label in both.
    - By a classifier, where nothing else serves and `reference` gives the dataset's pictures: kernel regression on
      image features is trained on these. Its agreement with the labels fed, against chance as above, and against its
      agreement with the labels of the dataset itself (beta-binomial, p < `alpha` / m). Broken only where labels agree
      no more than by chance although pictures are recognised about as surely as those of the dataset (half of the
      median margin between the best two classes, or more); medium confidence. Where they are not, augmentation may have
      left nothing to recognise, and the rule is inconclusive.

    m is the number of all tests of the stream (DG201 to DG212), which share `alpha` = 0.01 between them.

    Soft labels, as after mixup, belong to two samples: where they do not all agree, the rule is inconclusive.

    Measured (`benchmarks/batches.py`): no alarm on 600 sound streams by source and epochs; 2 %, 10 % and all labels of
    500 samples permuted were found in 30 of 30. By the classifier, 600 pictures each: no alarm on 100 sound streams
    (five kinds of augmentation); all labels permuted were found in 13 of 13 with light augmentation, and were
    inconclusive in 10 of 10 where digits of 8×8 are shifted by a pixel. 30 % of labels permuted do not show so.

    ## Example

    >>> import numpy as np
    >>> from dataguard.batches.record import record
    >>> rng = np.random.default_rng(0)
    >>> class Loader:  # shuffles inputs and labels apart
    ...     def __iter__(self):
    ...         rows, labels = rng.permutation(200), rng.permutation(200) % 4
    ...         for part in np.arange(200).reshape(10, 20):
    ...             yield {"x": np.sin(rows[part, None] + np.arange(8)), "y": labels[part], "id": rows[part]}
    >>> print(broken_input_label_association(record(Loader(), epochs=2))[0].message)
    50 of 200 labels agree with the same sample's label in the epoch before, no more than chance gives: inputs and \
labels have nothing to do with each other.

    ## How to fix

    Keep inputs and labels in one record, or index both by the same permutation, drawn once. Look where one of them is
    sorted, filtered, sharded or shuffled by itself. Then feed a model one batch over and over: it must learn it, and
    a model trained on all must do better than chance on samples that it has not seen.

    ## References

    - Zhang, Bengio, Hardt, Recht, Vinyals, [*Understanding deep learning requires rethinking
      generalization*](https://arxiv.org/abs/1611.03530), ICLR 2017 (networks fit random labels).
    - Feller, *An introduction to probability theory and its applications*, vol. 1, 1968, section IV.4 (matches).
    """
    if stream.label_kind not in (*_EXACT, LabelKind.SOFT):
        yield Skipped(reason=f"the labels are {stream.label_kind.value}, not classes")
        return
    pairs = [pair for pair in (_by_index(stream), _by_content(stream, reference), _by_epochs(stream)) if pair]
    level = family_level(evidence, alpha)
    judged = False
    for pair in pairs:
        outcome = _exact(stream, pair, level)
        yield outcome
        judged = judged or not isinstance(outcome, Inconclusive)
        if isinstance(outcome, Finding):
            return
    if judged:
        return
    if reference is None:
        if not pairs:
            yield Skipped(
                reason="nothing says which label belongs to a sample: no index in a dataset whose labels can be read, "
                "no second epoch in which samples can be told apart, and no pictures of the dataset",
                hint="record with epochs=2, or name the dataset too",
            )
        return
    yield _by_classifier(stream, reference, level)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Pairs:
    """Samples with the labels given and those of the source."""

    rows: NDArray[np.intp]
    given: NDArray[np.integer]
    source: NDArray[np.integer]
    by: str
    symmetric: bool = False
    """Whether neither side is the truth."""


def _by_index(stream: BatchStream) -> _Pairs | None:
    if stream.source_index is None or stream.source_codes is None:
        return None
    inside = (stream.source_index >= 0) & (stream.source_index < len(stream.source_codes)) & (stream.codes >= 0)
    rows = np.flatnonzero(inside)
    source = stream.source_codes[stream.source_index[rows]]
    known = source >= 0
    if int(known.sum()) < 2:
        return None
    return _Pairs(
        rows=rows[known],
        given=stream.codes[rows[known]],
        source=source[known],
        by="the labels of the loader's dataset",
    )


def _by_content(stream: BatchStream, reference: ReferencePictures | None) -> _Pairs | None:
    """Samples whose content is in the reference once, or several times with one label."""
    if reference is None or reference.hashes is None:
        return None
    place = {name: code for code, name in enumerate(stream.classes)}
    labels = np.asarray([place.get(name, len(place)) for name in reference.labels], dtype=np.int64)
    values, first, inverse = np.unique(reference.hashes, return_index=True, return_inverse=True)
    agreed = np.ones(len(values), dtype=bool)
    np.logical_and.at(agreed, inverse, labels == labels[first][inverse])
    at = np.searchsorted(values, stream.hashes)
    at[at == len(values)] = 0
    rows = np.flatnonzero((values[at] == stream.hashes) & agreed[at] & (stream.codes >= 0))
    if len(rows) < 2:
        return None
    return _Pairs(
        rows=rows,
        given=stream.codes[rows],
        source=labels[first[at[rows]]],
        by="the same content in " + (reference.origin or "the dataset"),
    )


def _by_epochs(stream: BatchStream) -> _Pairs | None:
    """Samples that come once in the first epoch, and once in the next."""
    epochs = np.unique(stream.epochs)
    if len(epochs) < 2:
        return None
    identities = stream.identities_by_epoch()
    who = np.unique(stream.hashes if identities is None else np.concatenate(identities), return_inverse=True)[1]
    size = int(who.max()) + 1
    places = []
    for epoch in epochs[:2]:
        rows = np.flatnonzero((stream.epochs == epoch) & (stream.codes >= 0))
        place = np.full(size, -1, dtype=np.intp)
        place[who[rows]] = rows
        place[np.bincount(who[rows], minlength=size) != 1] = -1
        places.append(place)
    both = np.flatnonzero((places[0] >= 0) & (places[1] >= 0))
    if len(both) < 2:
        return None
    rows = places[1][both]
    return _Pairs(
        rows=rows,
        given=stream.codes[rows],
        source=stream.codes[places[0][both]],
        by="the same sample's label in the epoch before",
        symmetric=True,
    )


def _exact(stream: BatchStream, pair: _Pairs, level: float) -> Outcome:
    n = len(pair.rows)
    renamed = _renaming(pair)
    found = label_association(pair.given, pair.source, level=level)
    if isinstance(found, Inconclusive):
        return found
    measurements = _measurements(found)
    if found.agree == n or renamed:
        how = ", by another name for a class" if renamed and found.agree < n else ""
        return Observation(
            message=f"{'All ' if not renamed else ''}{n:,} labels agree with {pair.by}{how}.",
            measurements=measurements,
        )
    if stream.label_kind is LabelKind.SOFT:
        return Inconclusive(
            reason=f"{n - found.agree:,} of {n:,} labels differ from {pair.by}, and labels are soft: after mixup a "
            "sample belongs to two classes",
            measurements=measurements,
        )
    wrong = n - found.agree
    broken = found.verdict == "broken"
    if broken:
        words = (
            f"{found.agree:,} of {n:,} labels agree with {pair.by}, no more than chance gives: inputs and labels have "
            "nothing to do with each other"
        )
    else:
        words = f"{wrong:,} of {n:,} labels ({100 * wrong / n:.2g} %) differ from {pair.by}"
    return broken_input_label_association.finding(
        f"{words}.",
        remedy="Look where inputs or labels are sorted, filtered or shuffled by themselves, and index both by one "
        "permutation.",
        severity=Severity.WARNING if not broken and wrong / n < 0.05 else Severity.ERROR,
        confidence=Confidence.HIGH,
        measurements=measurements,
        locations=sample_locations(stream, pair.rows[found.wrong], "another label than its own"),
        exhibits=(_listing(stream, pair, found),),
        key=("broken",) if broken else ("partly",),
    )


def _measurements(found: LabelAssociation) -> tuple[Measurement, ...]:
    return (
        Measurement(
            name="labels that agree",
            value=found.agree / found.n,
            threshold=found.expected_agreement,
            p_value=found.below.p_value,
            n=found.n,
            unit="share",
        ),
        Measurement(
            name="agreement beyond chance",
            value=round(found.kappa, 4),
            p_value=None if found.chance is None else found.chance.p_value,
            n=found.n,
        ),
    )


def _renaming(pair: _Pairs) -> bool:
    """Whether labels follow from the source's by another name for each class, with enough samples to tell."""
    joint = np.unique(np.stack([pair.source, pair.given]), axis=1)
    if pair.symmetric or joint.shape[1] != len(np.unique(pair.source)):
        return False
    return bool(joint.shape[1] == len(np.unique(pair.given)) and len(pair.rows) >= 5 * joint.shape[1])


def _listing(stream: BatchStream, pair: _Pairs, found: LabelAssociation) -> Listing:
    names = [*stream.classes, "another class"]
    shown = found.wrong[:20]
    rows = tuple(
        (
            int(stream.epochs[row]),
            int(stream.batches[row]),
            int(stream.positions[row]),
            names[int(given)],
            names[int(source)],
        )
        for row, given, source in zip(pair.rows[shown], pair.given[shown], pair.source[shown], strict=True)
    )
    return Listing(
        title="Samples whose label is not their own",
        columns=("epoch", "batch", "place", "label fed", "label before" if pair.symmetric else "label of the source"),
        rows=rows,
        total=len(found.wrong),
    )


def _by_classifier(stream: BatchStream, reference: ReferencePictures, level: float) -> Outcome:
    seen = recognise(stream, reference, learn_from_stream=False)
    if isinstance(seen, Inconclusive | Skipped):
        return seen
    right = int((seen.reference_given == seen.reference_predicted).sum())
    m = len(seen.reference_given)
    found = label_association(
        seen.given, seen.predicted, expected_agreement=max(right / m, 1 / m), expected_from=m, level=level
    )
    if isinstance(found, Inconclusive):
        return found
    measurements = (
        *_measurements(found),
        Measurement(name="labels of the dataset itself that agree", value=right / m, n=m, unit="share"),
    )
    if found.verdict != "broken":
        if found.chance is None or found.chance.p_value >= level:
            return Inconclusive(
                reason="the classifier recognises too little to tell labels from permuted ones",
                measurements=measurements,
            )
        return Observation(
            message=f"{found.agree:,} of {found.n:,} labels agree with what a classifier takes the pictures for, more "
            f"than by chance ({p_text(found.chance.p_value)}).",
            measurements=measurements,
        )
    sure = float(np.median(seen.score) / max(float(np.median(seen.reference_score)), 1e-12))
    if sure < 0.5:
        return Inconclusive(
            reason="labels agree with what a classifier takes the pictures for no more than by chance, but it hardly "
            "recognises the pictures at all: augmentation may have left nothing of them (DG215)",
            measurements=measurements,
        )
    return broken_input_label_association.finding(
        f"{found.agree:,} of {found.n:,} labels agree with what a classifier takes the pictures for, no more than "
        f"chance gives, where {100 * right / m:.0f} % of the dataset's own labels do.",
        remedy="Look where inputs or labels are sorted, filtered or shuffled by themselves, and index both by one "
        "permutation.",
        confidence=Confidence.MEDIUM,
        measurements=(*measurements, Measurement(name="margin against the dataset's", value=sure, threshold=0.5)),
        key=("broken",),
    )
