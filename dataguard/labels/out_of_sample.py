"""Out-of-sample class probabilities: what a model says of a sample it was not trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from dataguard.core.errors import SourceError, did_you_mean
from dataguard.core.finding import Inconclusive, Measurement, Skipped
from dataguard.core.progress import Progress, silent
from dataguard.labels import calibrated, cross_validation, kernel, naive_bayes, neighbours
from dataguard.labels.features import TableFeatures
from dataguard.labels.pooling import pool
from dataguard.labels.quality import assess
from dataguard.labels.table_rows import TableRows
from dataguard.labels.text_features import TextFeatures
from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

MIN_SAMPLES = 20
"""With no error among so many, the 95 % interval of the error rate still reaches 17 %; fewer say nothing."""
KERNEL = "kernel ridge regression"
BAYES = "naive Bayes"
MAX_CORRECTIONS = 3
"""Rounds of backward correction; on digits with 40 % of one class given as another the third changes 1 % of them."""
MAX_CONDITION = 20.0
"""Condition number of T above which its inverse would blow up the scores' own errors more than it corrects."""
MIN_PER_CLASS = 5
"""A class of fewer samples cannot be learnt from the rest of itself, so its labels are not judged."""
_HASHED_AT_A_TIME = 4_096
SECOND_LIMIT = 10_000
"""Samples up to which nearest neighbours are looked for beside given probabilities: some 10 s on one core."""
MIN_AGREEMENT = 0.7
"""Mean share over the classes in which nearest neighbours must agree with the given labels to be a second estimate.
Measured on generated classes: from there on their interval holds the true rate, below it is far too high."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutOfSample:
    """Given labels and out-of-sample probabilities of the same samples; what DG101 looks at."""

    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    """The split of each sample; '' where it has none."""
    paths: tuple[str | None, ...]
    """The picture of each sample, relative to the root; None where it has none."""
    classes: tuple[str, ...]
    codes: NDArray[np.int32]
    """Index of each given label in ``classes``, shape (n,), read-only."""
    pred_probs: NDArray[np.float32]
    """Shape (n, classes), rows sum to 1, read-only."""
    origin: Mapping[str, str | int | float]
    """Where the probabilities come from, and every setting that made them: model, features, folds, seed."""
    neighbour_probs: NDArray[np.float32] | None = None
    """Class shares among nearest neighbours, a second opinion; shape (n, classes), read-only. None without features."""
    unlabelled: int = 0
    """How many samples were left out for want of a label."""
    rare: Mapping[str, int] | None = None
    """Classes left out for want of samples, with how many they have."""
    rows: TableRows | None = None
    """What a table's rows hold, or their text, to be shown beside the labels; None where there is no table."""

    @property
    def calibrated(self) -> bool:
        """Whether the probabilities were calibrated here with label noise in mind; the user's own are not."""
        return "pred_probs" not in self.origin


def out_of_sample(
    *,
    sample_ids: Sequence[str],
    splits: Sequence[str],
    paths: Sequence[str | None],
    labels: NDArray[np.object_],
    features: NDArray[np.float32] | TableFeatures | TextFeatures,
    kind: Literal["image", "table", "text", "given"],
    described: str | None = None,
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
    folds: int = 5,
    jobs: int | None = None,
    progress: Progress = silent,
) -> OutOfSample | Skipped | Inconclusive:
    """Out-of-sample probabilities made from features.

    Pictures and given features: kernel ridge regression on class indicators with a Gaussian kernel, scored by exact
    leave-one-out in closed form; above `kernel.EXACT_LIMIT` samples by Nyström's approximation on as many landmarks.
    Tables: that, cross-validated logistic regression, and boosted trees where there are enough samples, in a log-linear
    pool fitted to the out-of-sample scores. Texts: kernel ridge regression on a projection of tf-idf, and naive Bayes
    on tf-idf itself, also with exact leave-one-out, in such a pool. Copies of a sample (equal in `groups`, or in all
    features) are always left out with it. Everything that is drawn is drawn by the hash of the sample id, so that the
    order of the samples does not matter and a new sample changes little.

    Args:
        sample_ids: Unique, n of them.
        splits: n; '' for none.
        paths: n; None for none.
        labels: n given labels, dtype object; None (or NaN) for a missing one.
        features: Shape (n, d), finite, or what `table_features` or `text_features` made.
        kind: What the features are of; decides the models.
        described: What the report calls the features; by default what `describe` says.
        groups: Content hashes, n; equal hash, same content. None for unknown.
        seed: Mixed into the hash, and given to the trees.
        folds: Of the cross-validated models.
        jobs: Threads; None for as many as there are cores.
        progress: Told of every stage.

    Returns:
        The evidence, or why there is none.
    """
    given = np.array([None if _missing(label) else str(label) for label in labels], dtype=object)
    labelled = np.flatnonzero(given != None)  # noqa: E711 - elementwise
    if not len(labelled):
        return Skipped(reason="no sample has a label", hint="name the label column, or put images into class folders")
    if isinstance(features, TableFeatures | TextFeatures):
        matrix = features.values
    else:
        matrix = np.asarray(features, dtype=np.float32)
    if matrix.shape[1] == 0:
        dropped = (
            "; ".join(f"{name}: {why}" for name, why in features.dropped.items())
            if isinstance(features, TableFeatures)
            else ""
        )
        if isinstance(features, TextFeatures):
            return Skipped(reason="no two texts share a word", hint="is dataset.text the right column?")
        return Skipped(reason="no column to learn labels from" + (f" ({dropped})" if dropped else ""))

    names = [str(name) for name in sample_ids]
    # From here on in the order of the ids, so that the order of the input cannot reach a single bit.
    rows = np.array(sorted(labelled.tolist(), key=names.__getitem__), dtype=np.intp)
    group = _copies(_taken(matrix, rows), None if groups is None else [groups[row] for row in rows])
    coarse = kind == "table" and 2 * (int(group.max()) + 1) < len(rows)
    if coarse:
        # A few categories repeat in most rows: equal rows are different samples then, and all there is to learn from.
        group = np.arange(len(rows))
    classes, numbers = np.unique(given[rows].astype(str), return_inverse=True)
    if len(classes) == 1:
        return Skipped(reason=f"only one class, {str(classes[0])!r}", hint="labels can only be doubted against others")
    distinct = np.array([len(np.unique(group[numbers == code])) for code in range(len(classes))])
    rare = {str(classes[code]): int(np.sum(numbers == code)) for code in np.flatnonzero(distinct < MIN_PER_CLASS)}
    kept = distinct[numbers] >= MIN_PER_CLASS
    rows, classes = rows[kept], classes[distinct >= MIN_PER_CLASS]
    if len(classes) < 2 or len(rows) < MIN_SAMPLES:
        return Inconclusive(
            reason=f"too few samples: {len(rows)} in {len(classes)} classes of {MIN_PER_CLASS} or more distinct ones",
            measurements=(
                Measurement(name="samples in such classes", value=len(rows), threshold=MIN_SAMPLES, n=len(labelled)),
                Measurement(name="such classes", value=len(classes), threshold=2, n=len(labelled)),
            ),
        )
    group = np.unique(group[kept], return_inverse=True)[1]
    codes: NDArray[np.int32] = np.searchsorted(classes, given[rows].astype(str)).astype(np.int32)
    # Copies have equal content; where features of the same content jitter, the first copy's stand for all.
    first = np.unique(group, return_index=True)[1]
    used = np.ascontiguousarray(_taken(matrix, rows[first[group]]))
    tickets = np.array([_ticket(seed, names[row]) for row in rows], dtype=np.uint64)[first[group]]
    order = np.lexsort((np.arange(len(rows)), tickets))

    with limited(jobs):
        scores, origin = _scores(used, codes, len(classes), group, tickets, order, kind, seed, folds, progress)
        if isinstance(features, TextFeatures):
            texts_of = features.distinct[rows[first[group]]]
            scores |= _naive_bayes(features, texts_of, scores, codes, len(classes), origin, progress)
            origin["model"] = " + ".join(scores)
        probs, weights, rate, rounds = _pooled(scores, codes)
        shares = neighbours.neighbour_shares(used, codes, len(classes), group, order)
    origin["features"] = described or describe(kind, matrix.shape[1])
    if isinstance(features, TableFeatures) and features.dropped:
        origin["columns left out"] = "; ".join(f"{name} ({why})" for name, why in features.dropped.items())
    origin["copies left out together"] = "none: most rows repeat" if coarse else len(rows) - len(first)
    origin["seed"] = seed
    origin["pooled with a label-noise rate of"] = round(rate, 6)
    origin["backward corrections"] = rounds
    for model, weight in zip(scores, weights, strict=True):
        origin[f"weight of {model}"] = round(float(weight), 6)

    back = np.argsort(rows)
    positions = rows[back]
    return OutOfSample(
        sample_ids=tuple(names[row] for row in positions),
        splits=tuple(splits[row] or "" for row in positions),
        paths=tuple(paths[row] for row in positions),
        classes=tuple(str(name) for name in classes),
        codes=_frozen(codes[back]),
        pred_probs=_frozen(probs[back]),
        origin=origin,
        neighbour_probs=_frozen(shares[back]),
        unlabelled=len(given) - len(labelled),
        rare=rare,
    )


def describe(kind: Literal["image", "table", "text", "given"], width: int) -> str:
    """What the report calls features of a kind."""
    return {
        "image": "oriented gradients, gray 8×8, colour 4×4",
        "text": f"tf-idf of words and characters, and {width} directions of it",
        "table": f"{width} from the table's columns",
        "given": "given",
    }[kind]


def from_pred_probs(
    *,
    sample_ids: Sequence[str],
    splits: Sequence[str],
    paths: Sequence[str | None],
    labels: NDArray[np.object_],
    classes: Sequence[str],
    pred_probs: NDArray[np.float32],
    origin: Mapping[str, str | int | float],
) -> OutOfSample | Skipped | Inconclusive:
    """Evidence out of probabilities that the user gave; samples without a label are left out.

    Args:
        sample_ids: n of them.
        splits: n; '' for none.
        paths: n; None for none.
        labels: n given labels, dtype object; None for a missing one.
        classes: What each column of `pred_probs` stands for.
        pred_probs: Shape (n, classes), as `read_pred_probs` returns them.
        origin: Where they come from, for example ``{"pred_probs": "probs.npy"}``.

    Raises:
        SourceError: a label is not among the classes.
    """
    given = [None if _missing(label) else str(label) for label in labels]
    rows = np.array([row for row, label in enumerate(given) if label is not None], dtype=np.intp)
    if not len(rows):
        return Skipped(reason="no sample has a label", hint="name the label column, or put images into class folders")
    if len(classes) < 2:
        return Skipped(reason=f"only one class, {str(classes[0])!r}", hint="labels can only be doubted against others")
    codes_of = {str(name): code for code, name in enumerate(classes)}
    for row in rows:
        if given[row] not in codes_of:
            raise SourceError(
                f"label {given[row]!r} of sample {sample_ids[row]!r} has no column of probabilities",
                where=str(origin.get("pred_probs", "")) or None,
                hint=did_you_mean(str(given[row]), codes_of),
            )
    if len(rows) < MIN_SAMPLES:
        return Inconclusive(
            reason=f"too few samples: {len(rows)} with a label, at least {MIN_SAMPLES} are needed",
            measurements=(Measurement(name="samples with a label", value=len(rows), threshold=MIN_SAMPLES),),
        )
    return OutOfSample(
        sample_ids=tuple(str(sample_ids[row]) for row in rows),
        splits=tuple(splits[row] or "" for row in rows),
        paths=tuple(paths[row] for row in rows),
        classes=tuple(str(name) for name in classes),
        codes=_frozen(np.array([codes_of[str(given[row])] for row in rows], dtype=np.int32)),
        pred_probs=_frozen(np.asarray(pred_probs, dtype=np.float32)[rows]),
        origin=dict(origin),
        unlabelled=len(given) - len(rows),
    )


def with_neighbours(
    evidence: OutOfSample,
    features: NDArray[np.float32],
    *,
    described: str,
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
    jobs: int | None = None,
) -> OutOfSample:
    """Given probabilities with the class shares among nearest neighbours as a second, independent estimate.

    Where the features tell the classes apart too badly to contradict anybody (`MIN_AGREEMENT`), the evidence comes back
    without one, and ``origin`` says so.

    Args:
        evidence: What `from_pred_probs` returned.
        features: One row a sample of `evidence`, shape (n, d), finite.
        described: What the features are.
        groups: Content hashes, n; copies of a sample are no neighbours of it. None for unknown.
        seed: Mixed into the hash by which samples are drawn where there are more than `neighbours.REFERENCES`.
        jobs: Threads; None for as many as there are cores.
    """
    names = evidence.sample_ids
    rows = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.intp)
    used = np.ascontiguousarray(features[rows], dtype=np.float32)
    group = _copies(used, None if groups is None else [groups[row] for row in rows])
    if 2 * (int(group.max()) + 1) < len(rows):
        group = np.arange(len(rows))
    codes, n_classes = evidence.codes[rows], len(evidence.classes)
    order = np.argsort(np.array([_ticket(seed, names[row]) for row in rows], dtype=np.uint64), kind="stable")
    with limited(jobs):
        shares = neighbours.neighbour_shares(used, codes, n_classes, group, order)
    hits = shares.argmax(axis=1) == codes
    sizes = np.bincount(codes, minlength=n_classes)
    agreement = float(np.mean(np.bincount(codes, hits, n_classes)[sizes > 0] / sizes[sizes > 0]))
    if agreement < MIN_AGREEMENT:
        second = f"none: nearest neighbours by {described} agree with {100 * agreement:.0f} % of a class on average"
        return replace(evidence, origin={**evidence.origin, "second estimate": second})
    back = np.empty_like(rows)
    back[rows] = np.arange(len(rows))
    return replace(
        evidence,
        origin={**evidence.origin, "second estimate": f"nearest neighbours by {described}"},
        neighbour_probs=_frozen(shares[back]),
    )


def _scores(
    features: NDArray[np.float32],
    codes: NDArray[np.int32],
    n_classes: int,
    group: NDArray[np.intp],
    tickets: NDArray[np.uint64],
    order: NDArray[np.intp],
    kind: str,
    seed: int,
    folds: int,
    progress: Progress,
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str | int | float]]:
    """Each model's out-of-sample scores, and the settings that made them."""
    ridge = kernel.leave_one_out(features, codes, n_classes, group, order, progress=progress)
    scores = {KERNEL: ridge.scores}
    origin: dict[str, str | int | float] = {
        "kernel width / median squared distance": ridge.width,
        "ridge": round(ridge.ridge, 9),
        "landmarks": ridge.landmarks,
        "validation of the kernel": "leave-one-out, closed form",
    }
    if kind == "table":
        fold = (tickets % np.uint64(folds)).astype(np.intp)
        models = ["logistic regression"]
        if len(codes) >= cross_validation.TREE_MIN_SAMPLES and len(codes) * n_classes <= cross_validation.TREE_MAX_WORK:
            models.append("boosted trees")
        for model in models:
            scores[model] = cross_validation.cross_validated(
                model, features, codes, n_classes, fold, seed=seed, progress=progress
            )
        origin["folds of the other models"] = folds
    origin["model"] = " + ".join(scores)
    return scores, origin


def _naive_bayes(
    features: TextFeatures,
    row: NDArray[np.intp],
    scores: Mapping[str, NDArray[np.float64]],
    codes: NDArray[np.int32],
    n_classes: int,
    origin: dict[str, str | int | float],
    progress: Progress,
) -> dict[str, NDArray[np.float64]]:
    """Scores of naive Bayes where its weights fit into memory; says so in `origin` where they do not.

    Where errors prefer some class pairs, it would learn them as part of the classes and call them likely; so it does
    not learn from labels that are wrong by the other scores. (Errors that fall on all classes alike only blur it.)
    """
    if features.tfidf.shape[1] * n_classes > naive_bayes.MAX_WEIGHTS:
        origin[BAYES] = f"not used: {n_classes} classes are too many for it"
        return {}
    trusted = np.ones(len(codes), dtype=np.bool_)
    if calibrated.fit(codes, pool(list(scores.values()), codes)[0], level=None).free_pairs:
        trusted = ~assess(codes, _pooled(scores, codes)[0], calibrated=True).is_error
    bayes = naive_bayes.leave_one_out(features.tfidf, row, codes, n_classes, trusted=trusted, progress=progress)
    origin["labels that naive Bayes does not learn from"] = int(np.sum(~trusted))
    origin["smoothing of naive Bayes"] = bayes.smoothing
    origin["characters read of a text"] = features.read
    return {BAYES: bayes.scores}


def _pooled(
    scores: Mapping[str, NDArray[np.float64]], codes: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float64], float, int]:
    """The pool, after backward correction where errors prefer some classes.

    Scores of a linear smoother estimate T'p(x), the class shares after label noise. Where noise is the same for all
    class pairs that only rescales margins; otherwise multiplying by T⁻¹ (Natarajan et al. 2013, Patrini et al. 2017)
    takes it out, exactly as if the smoother had been fitted to corrected labels.
    """
    corrected = dict(scores)
    rounds = 0
    while True:
        probs, weights, rate = pool(list(corrected.values()), codes)
        fitted = calibrated.fit(codes, probs, level=None) if rounds < MAX_CORRECTIONS else None
        if fitted is None or fitted.free_pairs == 0 or np.linalg.cond(fitted.transition) > MAX_CONDITION:
            return probs, weights, rate, rounds
        corrected[KERNEL] = scores[KERNEL] @ np.linalg.inv(fitted.transition)
        rounds += 1


def _missing(label: object) -> bool:
    return label is None or (isinstance(label, float) and np.isnan(label))


def _ticket(seed: int, sample_id: str) -> int:
    text = f"{seed}\x1f{sample_id}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _copies(features: NDArray[np.float32], groups: Sequence[str | None] | None) -> NDArray[np.intp]:
    """Numbers of the sets of copies: samples joined by an equal content hash or by equal features."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(features)
    digests = [
        hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        for start in range(0, n, _HASHED_AT_A_TIME)
        for row in features[start : start + _HASHED_AT_A_TIME] + np.float32(0)  # −0 becomes 0
    ]
    keys: list[list[object]] = [list(digests)]
    if groups is not None:
        keys.append([row if value is None else value for row, value in enumerate(groups)])
    ends: list[int] = []
    for key in keys:
        first: dict[object, int] = {}
        ends += [first.setdefault(value, row) for row, value in enumerate(key)]
    links = coo_array((np.ones(len(ends)), (np.tile(np.arange(n), len(keys)), np.array(ends))), shape=(n, n))
    number: NDArray[np.intp] = connected_components(links, directed=False)[1].astype(np.intp)
    return number


def _taken(matrix: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Some rows; no copy where they are all, in their order."""
    if len(rows) == len(matrix) and np.array_equal(rows, np.arange(len(rows))):
        return matrix
    return matrix[rows]


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
