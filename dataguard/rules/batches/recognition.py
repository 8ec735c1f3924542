"""A model-free classifier of small pictures: are augmented pictures still recognised as their class?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.kinds import LabelKind
from dataguard.batches.reference import ReferencePictures, sample_identities
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.labels.features import image_features
from dataguard.labels.kernel import square_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMIT = 2000
"""The most pictures of either kind: a kernel matrix of 2,000 is solved in a second, and a share is known to ±2 %."""
LEAST = 50
"""The fewest of either kind: half of them leave a share uncertain by ±14 %."""
FOLDS = 2
RIDGE = 0.1
"""Ridge of the kernel regression, in the middle of those that `dataguard.labels.kernel` chooses from."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recognition:
    """What a classifier makes of pictures that it has not seen."""

    given: NDArray[np.int64]
    """Labels of the stream's pictures, shape (n,)."""
    predicted: NDArray[np.int64]
    """What they are taken for, shape (n,)."""
    reference_given: NDArray[np.int64]
    """The same of the reference's pictures, shape (m,)."""
    reference_predicted: NDArray[np.int64]
    score: NDArray[np.float64]
    """How surely each of the stream's pictures is taken for a class: the highest score less the second, shape (n,)."""
    reference_score: NDArray[np.float64]
    held_out: bool
    """Whether a sample's own picture was kept from the classifier in the other kind too."""


def recognise(
    stream: BatchStream, reference: ReferencePictures, *, learn_from_stream: bool
) -> Recognition | Inconclusive | Skipped:
    """Classify the stream's pictures and the reference's by kernel regression on image features, cross-validated.

    Samples are split into two folds by their identity, so that no picture is judged by a picture of itself, augmented
    or not. Channel by channel, the stream's pictures are brought to the mean and deviation of the reference's, so that
    normalization makes no difference.

    Args:
        stream: With pictures and classes.
        reference: Pictures without augmentation.
        learn_from_stream: Whether the classifier learns from the stream's other pictures too.
    """
    if stream.thumbnails is None or stream.thumbnail_rows is None:
        return Skipped(reason="the stream holds no pictures", hint="record images, with thumbnails=2000")
    if stream.label_kind not in (LabelKind.CLASSES, LabelKind.ONE_HOT):
        return Skipped(reason=f"the labels are {stream.label_kind.value}, not one class a sample")
    named = {name: code for code, name in enumerate(stream.classes)}
    own = np.asarray([named.get(label, -1) for label in reference.labels], dtype=np.int64)
    given = stream.codes[stream.thumbnail_rows].astype(np.int64)
    mine, theirs = np.flatnonzero(given >= 0)[:LIMIT], _spread(np.flatnonzero(own >= 0), LIMIT)
    if min(len(mine), len(theirs)) < LEAST:
        return Inconclusive(
            reason=f"{len(mine):,} pictures of the stream and {len(theirs):,} of the dataset have classes in common, "
            f"and at least {LEAST} of each are needed: record with thumbnails=2000"
        )
    if len(np.unique(own[theirs])) < 2 or len(np.unique(given[mine])) < 2:
        return Inconclusive(reason="the pictures are all of one class")
    plain = _rgb(reference.thumbnails[theirs])
    augmented = _matched(_rgb(stream.thumbnails[mine]), plain)
    features = image_features(np.concatenate([plain, augmented]))
    m = len(plain)
    fold = np.arange(m + len(augmented)) % FOLDS
    names = sample_identities(stream, stream.thumbnail_rows[mine])
    if stream.sample_ids is not None and names is not None and not set(names) & set(reference.identities or ()):
        # The dataset may know its samples by their ids where the loader knows an index too.
        names = tuple(str(name) for name in stream.sample_ids[stream.thumbnail_rows[mine]])
    held_out = names is not None and reference.identities is not None
    if names is not None and reference.identities is not None:
        everyone = [reference.identities[row] for row in theirs.tolist()] + list(names)
        # Half of the samples at random, and the same half in both kinds.
        number = np.unique(everyone, return_inverse=True)[1]
        fold = np.random.default_rng(0).permutation(int(number.max()) + 1)[number] % FOLDS
    codes = np.concatenate([own[theirs], given[mine]])
    scores = _cross_validated(features, codes, fold, np.arange(len(codes)) < (len(codes) if learn_from_stream else m))
    ranked = np.sort(scores, axis=1)
    sure = ranked[:, -1] - ranked[:, -2]
    predicted = np.argmax(scores, axis=1).astype(np.int64)
    return Recognition(
        given=codes[m:],
        predicted=predicted[m:],
        reference_given=codes[:m],
        reference_predicted=predicted[:m],
        score=sure[m:],
        reference_score=sure[:m],
        held_out=held_out,
    )


def _cross_validated(
    features: NDArray[np.float32], codes: NDArray[np.int64], fold: NDArray[np.integer], learns: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Scores of every picture by kernel ridge regression on the class indicators of the other folds' pictures."""
    from scipy import linalg

    classes = int(codes.max()) + 1
    scores = np.zeros((len(codes), classes))
    for number in range(FOLDS):
        train, test = np.flatnonzero((fold != number) & learns), np.flatnonzero(fold == number)
        if not len(train) or not len(test):
            continue
        inside = square_distances(features[train], features[train]).astype(np.float64)
        # The median heuristic, at twice its rate: the middle of the widths that the label checks try.
        rate = 2.0 / max(float(np.median(inside)), 1e-12)
        kernel = np.exp(-rate * inside)
        kernel[np.diag_indices(len(train))] += RIDGE
        indicators = np.zeros((len(train), classes))
        indicators[np.arange(len(train)), codes[train]] = 1.0
        weights = linalg.solve(kernel, indicators, assume_a="pos", check_finite=False)
        scores[test] = np.exp(-rate * square_distances(features[test], features[train]).astype(np.float64)) @ weights
    return scores


def _spread(rows: NDArray[np.intp], limit: int) -> NDArray[np.intp]:
    """At most so many of the rows, at even distances: a dataset that is sorted by class gives some of each."""
    if len(rows) <= limit:
        return rows
    return rows[np.arange(limit) * len(rows) // limit]


def _rgb(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(pictures, 3, axis=3) if pictures.shape[3] == 1 else pictures


def _matched(pictures: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures with each channel's mean and deviation, over all of them, those of others."""
    values = pictures.astype(np.float32)
    axes = (0, 1, 2)
    scale = like.std(axis=axes) / np.maximum(values.std(axis=axes), 1e-6)
    moved = (values - values.mean(axis=axes)) * scale + like.mean(axis=axes)
    matched: NDArray[np.uint8] = np.rint(np.clip(moved, 0, 255)).astype(np.uint8)
    return matched
