"""The permuted-label control: how well the inputs tell the labels, and how well they tell labels of no meaning."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np

from dataguard.core.finding import Inconclusive, Measurement, Skipped
from dataguard.core.progress import Progress, silent
from dataguard.labels.kernel import square_distances
from dataguard.labels.out_of_sample import MIN_PER_CLASS, MIN_SAMPLES, OutOfSample
from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
Codes: TypeAlias = "NDArray[np.int32]"
Kind: TypeAlias = Literal["image", "table", "text", "features", "probabilities"]

CONTROL_VERSION = "1"
"""Part of the key that the record is cached under; changed whenever it would come out otherwise."""
PERMUTATIONS = 199
"""The least p-value is then 1/200; at a level of 0.05 a finite number of them costs little power (Jöckel 1986)."""
MEASURED_PERMUTATIONS = 39
"""So many of them are also scored sample by sample, for the bits and for the p-values of the classes."""
LEVEL = 0.05
"""Of the test; and 1 − LEVEL is the power at which a planted relation counts as one that would have been found."""
PLANTED = 60
"""Planted relations of each strength; at most 3 may be missed."""
STRENGTHS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
"""Strengths of planted relations: the share of the label entropy that they explain."""
MAX_SAMPLES = 5000
"""A relation that so many samples do not show is weaker than the weakest planted one."""
MAX_CANDIDATES = 4 * MAX_SAMPLES
"""Samples that features need be made of: enough to find each class's share of `MAX_SAMPLES` among."""
MAX_WORK = 100_000
"""Samples × classes looked at. Of more the largest classes are: labels that mean nothing do so among those too."""
LANDMARKS = 256
"""Of Nyström's approximation. Whether there is a relation takes fewer than predicting every label does."""
WIDTHS = (0.25, 1.0, 4.0)
"""Gaussian kernel widths: exp(−w·d²/median d²); 1 is the median heuristic, from which relations are planted."""
MAX_ADDITIVE = 64
"""Columns up to which each has a kernel of its own; of more the sum takes too long."""
RIDGES = tuple(10.0**power for power in np.arange(-2.0, 3.1, 0.5))
MAX_WEIGHT = 0.999
"""Of the model against the class shares, so that no label is ever impossible."""
INTERCEPT_ROUNDS = 5
SCALE_ROUNDS = 5
MAX_SCALE = 100.0
"""Of planted relations: standard deviation of the log odds, beyond which labels are as good as certain."""
BATCH_NUMBERS = 2_000_000
"""Indicators (samples × classes × permutations) worked on at a time: 8 MB."""
_ARRAYS = ("codes", "null", "null_gains", "class_scores", "null_class_scores")
GROUP_AGREEMENT = 0.1
"""Agreement of labels in groups, beyond chance (Scott's π), above which a group counts as one sample."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelPermutations:
    """How many bits the inputs tell about the labels, out of sample, and the same for permuted labels."""

    kind: Kind
    """What the labels were told from: descriptors of pictures, texts, a table's columns, given features or
    probabilities."""
    sample_ids: tuple[str, ...]
    """The samples looked at, in an order drawn by the hash of the id."""
    paths: tuple[str | None, ...]
    """The picture of each, relative to the root; None where it has none."""
    classes: tuple[str, ...]
    """The classes looked at."""
    codes: Codes
    """Index of each given label in ``classes``, shape (n,), read-only."""
    statistic: str
    """What is compared: what `observed` and `null` are."""
    observed: float
    """Of the labels as they are."""
    null: NDArray[np.float64]
    """Of permuted labels, shape (permutations,), read-only."""
    gain: float
    """Bits a label gained over the class shares, out of sample; at least 0."""
    null_gains: NDArray[np.float64]
    """The same for some of the permutations, shape (measured,), read-only."""
    accuracy: float
    """Share of the labels that are the likeliest class, out of sample."""
    class_scores: NDArray[np.float64]
    """Mean score of a class in its own samples less that in the others, shape (classes,), read-only."""
    null_class_scores: NDArray[np.float64]
    """The same for some of the permutations, shape (measured, classes), read-only."""
    found: Mapping[float, float]
    """By strength of a planted relation (the share of the label entropy that it explains), the share of planted
    relations that the test finds. Empty where it found the real one."""
    origin: Mapping[str, str | int | float]
    """How it was done: model, samples, permutations, seed."""

    @property
    def n(self) -> int:
        """How many samples were looked at."""
        return len(self.codes)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Samples of each class that were looked at, shape (classes,)."""
        return np.bincount(self.codes, minlength=len(self.classes))

    @property
    def entropy(self) -> float:
        """Of the labels, in bits."""
        return _entropy(self.counts / self.n)

    @property
    def p_value(self) -> float:
        """(b + 1)/(m + 1), with b of the m permutations at least as high as the labels as they are."""
        return _p_value(self.observed, self.null)

    @property
    def class_p_values(self) -> NDArray[np.float64]:
        """The same for the score of each class, shape (classes,)."""
        beaten = (self.null_class_scores >= self.class_scores).sum(axis=0)
        values: NDArray[np.float64] = (beaten + 1) / (len(self.null_class_scores) + 1)
        return values

    @property
    def detectable(self) -> float | None:
        """The weakest planted relation that is found with a power of 1 − `LEVEL`; None where none is, or none was."""
        return min((strength for strength, share in self.found.items() if share >= 1 - LEVEL), default=None)


def pack(made: LabelPermutations) -> bytes:
    """The record without its paths, to be kept; see `unpack`."""
    header = {
        "kind": made.kind,
        "sample_ids": made.sample_ids,
        "classes": made.classes,
        "statistic": made.statistic,
        "observed": made.observed,
        "gain": made.gain,
        "accuracy": made.accuracy,
        "found": list(made.found.items()),
        "origin": dict(made.origin),
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        **{name: getattr(made, name) for name in _ARRAYS},
    )
    return buffer.getvalue()


def unpack(blob: bytes, paths: Mapping[str, str | None]) -> LabelPermutations:
    """The record that `pack` made bytes of, with the path of each sample."""
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(arrays.pop("header").tobytes())
    sample_ids = tuple(header.pop("sample_ids"))
    fields: dict[str, Any] = {**header, **{name: _frozen(array) for name, array in arrays.items()}}
    fields |= {"classes": tuple(header["classes"]), "found": dict(header["found"])}
    return LabelPermutations(
        sample_ids=sample_ids,
        paths=tuple(paths[name] for name in sample_ids),
        **fields,
    )


def candidates(sample_ids: Sequence[str], labels: NDArray[np.object_], *, seed: int = 0) -> list[int]:
    """Positions, ascending, of at most `MAX_CANDIDATES` samples with a label, drawn by the hash of the id.

    Args:
        sample_ids: Unique, n of them.
        labels: n given labels; None (or NaN) for a missing one.
        seed: Mixed into the hash.
    """
    held = [row for row, label in enumerate(labels) if label is not None and label == label]
    if len(held) <= MAX_CANDIDATES:
        return held
    return sorted(sorted(held, key=lambda row: _ticket(seed, sample_ids[row]))[:MAX_CANDIDATES])


def permute_labels(
    *,
    sample_ids: Sequence[str],
    paths: Sequence[str | None],
    labels: NDArray[np.object_],
    features: NDArray[np.float32],
    kind: Literal["image", "table", "text", "features"],
    contents: Sequence[str | None] | None = None,
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> LabelPermutations | Skipped | Inconclusive:
    """The control run with a model of features: refitted, settings chosen anew, for each permutation.

    Kernel ridge regression of the class indicators (Gaussian kernels of three widths and the linear one; for tables
    also the sum of one Gaussian kernel a column), Nyström's approximation on `LANDMARKS` samples, kernel and ridge by
    generalized cross-validation, scored by closed-form leave-one-out. What does not depend on the labels is computed
    once, so a refit costs a matrix product for each kernel and one for the prediction.

    Each set of copies (equal features or content) counts as one sample, but in a table or in given features where most
    rows repeat and equal ones are different samples. So does a group whose samples agree in their labels more than by
    chance: labels are exchangeable between such groups and not between samples.

    Args:
        sample_ids: Unique, n of them. Everything that is drawn is drawn by their hash.
        paths: n; None for none.
        labels: n given labels, dtype object; None (or NaN) for a missing one.
        features: Shape (n, d), finite; those of pictures, texts or a table as `image_features`, `text_features` or
            `table_features` makes them.
        kind: What the features are of.
        contents: Content hashes, n; equal hash, same content. None for unknown.
        groups: What belongs together, as the pictures of one patient, n. None for none.
        seed: Of everything that is drawn.
        progress: Told of every stage.

    Returns:
        The record, or why there is none.
    """
    matrix = np.asarray(features, dtype=np.float32)
    given = [None if label is None or label != label else str(label) for label in labels]
    names = [str(name) for name in sample_ids]
    tickets = {name: _ticket(seed, name) for name in names}
    # In the order of hashes, so that neither the order of the input nor that of the names reaches a single bit.
    rows = sorted((row for row, label in enumerate(given) if label is not None), key=lambda row: tickets[names[row]])
    if not rows:
        return Skipped(reason="no sample has a label", hint="name the label column, or put images into class folders")
    if (only := _only_class(given)) is not None:
        return only
    if matrix.shape[1] == 0:
        return Skipped(reason="no column to learn labels from")
    if (matrix[rows] == matrix[rows[0]]).all():
        return Skipped(reason="all samples have equal features")
    labelled = len(rows)
    distinct = _first_of_copies(matrix, rows, contents)
    if kind in ("image", "text") or 2 * len(distinct) >= labelled:
        rows = distinct
    elif kind == "features" and contents is not None:
        # A few values repeat in most rows: equal rows are different samples then, unless their content is equal.
        rows = _first_of_groups(rows, contents)
    copies = labelled - len(rows)
    rows, joined = _one_a_group(rows, groups, given)
    chosen = _chosen(np.array([given[row] for row in rows], dtype=str))
    if isinstance(chosen, Inconclusive):
        return chosen
    classes, codes, positions = chosen
    used = [rows[position] for position in positions]

    # One thread: these matrices are small, and on a busy machine waiting for a second takes ten times as long.
    with limited(1):
        progress("permuting labels", 0, PERMUTATIONS)
        model = _Model(np.ascontiguousarray(matrix[used]), additive=kind == "table")
        origin: dict[str, str | int | float] = {
            "control model": "kernel ridge regression, refitted to each permutation",
            "control kernels": ", ".join(smoother.name for smoother in model.smoothers),
            "control landmarks": model.landmarks,
            "copies left out": copies,
        }
        if joined:
            origin["samples left out for one of their group"] = joined
        samples = _Samples(
            kind=kind,
            sample_ids=tuple(names[row] for row in used),
            paths=tuple(paths[row] for row in used),
            classes=classes,
            codes=codes,
        )
        return _run(model, samples, origin, labelled=len(rows), seed=seed, progress=progress)


def permute_against(
    evidence: OutOfSample,
    *,
    contents: Sequence[str | None] | None = None,
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
) -> LabelPermutations | Skipped | Inconclusive:
    """The control run with probabilities that the user gave: labels permuted against them, nothing refitted.

    Where the probabilities are out of sample and the labels mean nothing, those of a sample depend on its own label
    only in that the shares of the others lack it; so the test is if anything too slow to find a relation.

    Args:
        evidence: Labels and probabilities of n samples.
        contents: Content hashes, n; equal hash, same content, which counts once. None for unknown.
        groups: What belongs together, n. None for none.
        seed: Of the permutations.

    Returns:
        The record, or why there is none.
    """
    names = evidence.sample_ids
    rows = sorted(range(len(names)), key=lambda row: _ticket(seed, names[row]))
    if contents is not None:
        rows = _first_of_groups(rows, contents)
    given = [evidence.classes[code] for code in evidence.codes]
    if (only := _only_class(given)) is not None:
        return only
    copies = len(names) - len(rows)
    rows, joined = _one_a_group(rows, groups, given)
    chosen = _chosen(np.array([given[row] for row in rows], dtype=str))
    if isinstance(chosen, Inconclusive):
        return chosen
    classes, codes, positions = chosen
    columns = [evidence.classes.index(name) for name in classes]
    used = [rows[position] for position in positions]
    probs = evidence.pred_probs[used][:, columns].astype(np.float64)
    # Where classes are left out the rest share what was theirs.
    probs += 1e-12
    probs /= probs.sum(axis=1, keepdims=True)
    origin: dict[str, str | int | float] = {
        "control model": "the given probabilities, labels permuted against them",
        "copies left out": copies,
    }
    if joined:
        origin["samples left out for one of their group"] = joined
    with limited(1):
        samples = _Samples(
            kind="probabilities",
            sample_ids=tuple(names[row] for row in used),
            paths=tuple(evidence.paths[row] for row in used),
            classes=classes,
            codes=codes,
        )
        return _run(_Given(probs), samples, origin, labelled=len(rows), seed=seed, progress=silent)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Samples:
    """The samples looked at."""

    kind: Kind
    sample_ids: tuple[str, ...]
    paths: tuple[str | None, ...]
    classes: tuple[str, ...]
    codes: Codes


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Measured:
    """How well one labelling is told, sample by sample."""

    gain: float
    class_scores: NDArray[np.float64]
    accuracy: float


def _run(
    model: _Model | _Given,
    samples: _Samples,
    origin: dict[str, str | int | float],
    *,
    labelled: int,
    seed: int,
    progress: Progress,
) -> LabelPermutations:
    rng = np.random.default_rng(seed)
    codes, k = samples.codes, len(samples.classes)
    counts = np.bincount(codes, minlength=k)
    batch = max(1, BATCH_NUMBERS // (len(codes) * k))
    found_observed, (seen,) = model.run(codes[None], k, measured=1)
    observed = float(found_observed[0])
    drawn: list[NDArray[np.float64]] = []
    measured: list[_Measured] = []
    for start in range(0, PERMUTATIONS, batch):
        labellings = np.stack([rng.permutation(codes) for _ in range(min(batch, PERMUTATIONS - start))])
        statistics, scored = model.run(labellings, k, measured=max(0, MEASURED_PERMUTATIONS - len(measured)))
        drawn.append(statistics)
        measured += scored
        progress("permuting labels", start + len(labellings), PERMUTATIONS)
    null = np.concatenate(drawn)
    found: dict[float, float] = {}
    if _p_value(observed, null) > LEVEL:
        limit = _least_significant(null)
        for done, strength in enumerate(STRENGTHS):
            progress("planting relations", done, len(STRENGTHS))
            found[strength] = _power(model, counts, strength, limit, batch, rng)
            if found[strength] >= 1 - LEVEL:
                break
        origin["planted relations of each strength"] = PLANTED
    origin |= {
        "samples of the control": len(codes),
        "classes of the control": k,
        "permutations": PERMUTATIONS,
        "seed of the control": seed,
    }
    if len(codes) < labelled:
        origin["distinct samples with a label"] = labelled
    return LabelPermutations(
        kind=samples.kind,
        sample_ids=samples.sample_ids,
        paths=samples.paths,
        classes=samples.classes,
        codes=_frozen(codes),
        statistic=model.compared,
        observed=observed,
        null=_frozen(null),
        gain=seen.gain,
        null_gains=_frozen(np.array([one.gain for one in measured])),
        accuracy=seen.accuracy,
        class_scores=_frozen(seen.class_scores),
        null_class_scores=_frozen(np.stack([one.class_scores for one in measured])),
        found=found,
        origin=origin,
    )


def _power(
    model: _Model | _Given,
    counts: NDArray[np.int64],
    strength: float,
    limit: float,
    batch: int,
    rng: np.random.Generator,
) -> float:
    """The share of planted relations that the test finds; stops where too many are missed to matter."""
    functions = model.functions(len(counts), rng)
    scale = _scale(counts, functions, strength)
    if scale is None:
        return 0.0
    planted = missed = 0
    while planted < PLANTED and missed <= PLANTED * LEVEL:
        size = min(batch, 10, PLANTED - planted)
        labellings = np.stack([_drawn(counts, scale * model.functions(len(counts), rng), rng) for _ in range(size)])
        statistics, _ = model.run(labellings, len(counts))
        missed += int(np.sum(statistics < limit))
        planted += size
    return round(1 - missed / planted, 4)


class _Smoother:
    """One kernel's features, centred and orthogonal, so that a ridge regression on them is a matrix product."""

    def __init__(self, name: str, kernel: NDArray[np.float64], landmarks: NDArray[np.float64]) -> None:
        self.name = name
        values, vectors = _eigen(landmarks)
        kept = values > max(float(values[-1]), 1e-300) * 1e-8
        phi = kernel @ (vectors[:, kept] / np.sqrt(values[kept]))
        phi -= phi.mean(axis=0)
        spectrum, basis = _eigen(phi.T @ phi)
        kept = spectrum > max(float(spectrum[-1]), 1e-300) * 1e-8
        self.spectrum = spectrum[kept]
        psi = phi @ basis[:, kept]
        self.psi: NDArray[np.float32] = psi.astype(np.float32)
        n = len(psi)
        # The intercept is free, and so has the leverage 1/n.
        self.shrinkage = 1 / (self.spectrum[:, None] + np.array(RIDGES))
        self.left_over = np.maximum(1 - 1 / n - (psi**2) @ self.shrinkage, 1e-3)
        self.freedom = 1 + self.spectrum @ self.shrinkage

    def criterion(self, weights: NDArray[np.float64], total: float, n: int) -> NDArray[np.float64]:
        """Generalized cross-validation (Golub, Heath & Wahba 1979), shape (labellings, ridges)."""
        squares = (weights**2).sum(axis=2)
        residual = total - squares @ (2 * self.shrinkage - self.spectrum[:, None] * self.shrinkage**2)
        values: NDArray[np.float64] = residual / np.maximum(1 - self.freedom / n, 1e-3) ** 2
        return values


class _Model:
    """Kernel ridge regression that is refitted, kernel and ridge chosen anew, for each labelling."""

    compared = "label variance explained out of sample"

    def __init__(self, features: NDArray[np.float32], *, additive: bool) -> None:
        centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
        marks = centred[:LANDMARKS]
        self.landmarks = len(marks)
        far, near = square_distances(centred, marks), square_distances(marks, marks)
        upper = near[np.triu_indices(len(near), 1)]
        median = float(np.median(upper)) or float(upper.mean()) or 1.0
        self.smoothers = [
            _Smoother(
                f"Gaussian ({width:g}/median squared distance)",
                np.exp(-width / median * far.astype(np.float64)),
                np.exp(-width / median * near.astype(np.float64)),
            )
            for width in WIDTHS
        ]
        self.prior = self.smoothers[WIDTHS.index(1.0)]
        spread = float(np.einsum("ij,ij->", centred, centred, dtype=np.float64)) / len(centred) or 1.0
        self.smoothers.append(
            _Smoother(
                "linear", (centred @ marks.T).astype(np.float64) / spread, (marks @ marks.T).astype(np.float64) / spread
            )
        )
        if additive and 1 < centred.shape[1] <= MAX_ADDITIVE:
            self.smoothers.append(_Smoother("additive Gaussian", _additive(centred, marks), _additive(marks, marks)))

    def run(
        self, labellings: NDArray[np.int32], k: int, *, measured: int = 0
    ) -> tuple[NDArray[np.float64], list[_Measured]]:
        """The statistic of each labelling, shape (labellings,), and the first of them scored sample by sample.

        The statistic is 1 − the least criterion over that of the class shares alone; scores are the exact leave-one-out
        of the model with the least criterion.
        """
        statistics, best, weights = self._fitted(labellings, k)
        scored = []
        for index, codes in enumerate(labellings[:measured]):
            which, ridge = divmod(int(best[index]), len(RIDGES))
            smoother = self.smoothers[which]
            coefficients = (weights[which][index] * smoother.shrinkage[:, ridge, None]).astype(np.float32)
            truth = np.zeros((len(codes), k))
            truth[np.arange(len(codes)), codes] = 1
            shares = truth.mean(axis=0)
            # y − e/(1 − h): what the model says of a sample that it has not seen.
            residual = truth - shares - smoother.psi @ coefficients
            scored.append(_measured(truth - residual / smoother.left_over[:, ridge, None], codes, shares))
        return statistics, scored

    def functions(self, k: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """A smooth random function of the features a class, shape (n, k): a draw from the model's own prior."""
        return _unit_spread(self.prior.psi @ rng.standard_normal((self.prior.psi.shape[1], k)).astype(np.float32))

    def _fitted(
        self, labellings: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.intp], list[NDArray[np.float64]]]:
        """The statistic, the place of the least criterion (kernel, ridge), and each kernel's products."""
        size, n = labellings.shape
        indicators = np.zeros((n, size * k), dtype=np.float32)
        indicators[np.arange(n)[:, None], labellings.T + np.arange(size) * k] = 1
        shares = np.stack([np.bincount(codes, minlength=k) for codes in labellings]) / n
        total = n * (1 - (shares**2).sum(axis=1, keepdims=True))
        weights, criteria = [], []
        for smoother in self.smoothers:
            product = (smoother.psi.T @ indicators).astype(np.float64).reshape(-1, size, k).transpose(1, 0, 2)
            weights.append(product)
            criteria.append(smoother.criterion(product, total, n))
        values = np.stack(criteria, axis=1).reshape(size, -1)
        best = values.argmin(axis=1)
        alone = total[:, 0] / (1 - 1 / n) ** 2
        return 1 - values[np.arange(size), best] / alone, best, weights


class _Given:
    """Probabilities that stay as they are."""

    compared = "probability of the given label over its class share, less 1"

    def __init__(self, probs: NDArray[np.float64]) -> None:
        self.probs = probs

    def run(
        self, labellings: NDArray[np.int32], k: int, *, measured: int = 0
    ) -> tuple[NDArray[np.float64], list[_Measured]]:
        """The statistic of each labelling, shape (labellings,), and the first of them scored sample by sample.

        The statistic is the mean of p/π − 1, p the probability of the given label and π its share: the slope, at
        a = 0, of the likelihood of the mixture a·p + (1 − a)·π, and so the score test of a = 0.
        """
        shares = np.bincount(labellings[0], minlength=k) / labellings.shape[1]
        ratio = self.probs / shares
        statistics = np.take_along_axis(ratio, labellings.T, axis=1).mean(axis=0) - 1
        return statistics, [_measured(self.probs, codes, shares) for codes in labellings[:measured]]

    def functions(self, k: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Log probabilities over their means, shape (n, k); nothing is drawn."""
        del k, rng
        return _unit_spread(np.log(self.probs / self.probs.mean(axis=0)))


def _unit_spread(functions: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    spread = float(functions.std())
    return functions.astype(np.float64) / (spread or 1.0)


def _planted_probs(counts: NDArray[np.int64], functions: NDArray[np.float64]) -> NDArray[np.float64]:
    """softmax(a + functions), the intercepts a such that the mean is the class shares."""
    shares = counts / counts.sum()
    energies: NDArray[np.float64] = np.exp(functions - functions.max(axis=1, keepdims=True)) * shares
    for _ in range(INTERCEPT_ROUNDS):
        energies /= energies.sum(axis=1, keepdims=True)
        energies *= shares / np.maximum(energies.mean(axis=0), 1e-300)
    energies /= energies.sum(axis=1, keepdims=True)
    return energies


def _scale(counts: NDArray[np.int64], functions: NDArray[np.float64], strength: float) -> float | None:
    """What to multiply functions with so that they explain that share of the label entropy; None where none does."""
    entropy = _entropy(counts / counts.sum())
    # What is explained grows with the square of a small scale, so that a few rounds find it.
    scale = float(np.sqrt(2 * np.log(2) * strength * entropy))
    for _ in range(SCALE_ROUNDS):
        probs = _planted_probs(counts, scale * functions)
        told = 1 + float(np.sum(probs * np.log2(np.maximum(probs, 1e-300)))) / len(probs) / entropy
        scale *= float(np.sqrt(strength / max(told, strength / 100)))
        if scale > MAX_SCALE:
            return None
    return scale


def _drawn(counts: NDArray[np.int64], functions: NDArray[np.float64], rng: np.random.Generator) -> Codes:
    """Labels drawn from `_planted_probs`, as many of each class as there are.

    The few samples that a draw has too many of a class, chosen at random, take the labels that it has too few of, so
    that these labels are held against permutations of just as many of each.
    """
    n = len(functions)
    cumulative = _planted_probs(counts, functions).cumsum(axis=1)
    codes: Codes = (rng.random((n, 1)) * cumulative[:, -1:] > cumulative).sum(axis=1).astype(np.int32)
    surplus = np.bincount(codes, minlength=len(counts)) - counts
    free = np.concatenate(
        [
            rng.choice(np.flatnonzero(codes == code), surplus[code], replace=False)
            for code in np.flatnonzero(surplus > 0)
        ]
        or [np.empty(0, dtype=np.intp)]
    )
    codes[rng.permutation(free)] = np.repeat(np.arange(len(counts)), np.maximum(-surplus, 0))
    return codes


def _measured(scores: NDArray[np.float64], codes: Codes, shares: NDArray[np.float64]) -> _Measured:
    """Bits gained, each class's score in its own samples less that in the others, and the accuracy.

    The gain is the mean of log2(1 + a(p/π − 1)), p the clipped score of the given label and π its share, with the
    weight a of the model, from 0 to `MAX_WEIGHT`, that makes it largest: a mixture of the model and the class shares.
    """
    n, k = scores.shape
    counts = np.bincount(codes, minlength=k)
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate(([0], np.cumsum(counts[:-1]))).astype(np.intp)
    summed = np.add.reduceat(scores[order], starts, axis=0)
    own = np.diagonal(summed)
    with np.errstate(invalid="ignore", divide="ignore"):
        separation = own / counts - (summed.sum(axis=0) - own) / (n - counts)
    clipped = np.maximum(scores, 0)
    ratio = clipped[np.arange(n), codes] / clipped.sum(axis=1) / shares[codes] - 1
    low, high = 0.0, MAX_WEIGHT
    if ratio.mean() <= 0:
        gain = 0.0
    else:
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if np.mean(ratio / (1 + middle * ratio)) > 0 else (low, middle)
        gain = float(np.mean(np.log2(1 + low * ratio)))
    return _Measured(gain=gain, class_scores=separation, accuracy=float(np.mean(scores.argmax(axis=1) == codes)))


def _only_class(labels: Sequence[str | None]) -> Skipped | None:
    held = {label for label in labels if label is not None}
    if len(held) > 1:
        return None
    return Skipped(reason=f"only one class, {held.pop()!r}", hint="one class cannot be told from others")


def _chosen(labels: NDArray[np.str_]) -> tuple[tuple[str, ...], Codes, NDArray[np.intp]] | Inconclusive:
    """Classes that are large enough, codes, and positions of at most `MAX_SAMPLES` samples, each class in proportion.

    Positions keep their order, in which the first of a class are taken.
    """
    classes, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    large = np.flatnonzero(counts >= MIN_PER_CLASS)
    # The largest first, in no order among equals, as long as the work allows.
    large = np.array(sorted(large, key=lambda code: (-counts[code], _ticket(0, str(classes[code])))), dtype=np.intp)
    work = np.minimum(counts[large].cumsum(), MAX_SAMPLES) * np.arange(1, len(large) + 1)
    large = np.sort(large[: max(2, int(np.sum(work <= MAX_WORK)))])
    total = int(counts[large].sum())
    if len(large) < 2 or total < MIN_SAMPLES:
        return Inconclusive(
            reason=f"too few samples: {total} in {len(large)} classes of {MIN_PER_CLASS} or more distinct ones",
            measurements=(
                Measurement(name="distinct samples in such classes", value=total, threshold=MIN_SAMPLES, n=len(labels)),
                Measurement(name="such classes", value=len(large), threshold=2, n=len(labels)),
            ),
        )
    share = min(1.0, MAX_SAMPLES / total)
    kept = [np.flatnonzero(numbers == code)[: max(MIN_PER_CLASS, round(share * int(counts[code])))] for code in large]
    positions = np.sort(np.concatenate(kept))
    codes: Codes = np.searchsorted(large, numbers[positions]).astype(np.int32)
    return tuple(str(classes[code]) for code in large), codes, positions


def _first_of_copies(
    matrix: NDArray[np.float32], rows: Sequence[int], contents: Sequence[str | None] | None
) -> list[int]:
    """The rows whose content and features no row before has."""
    seen: set[object] = set()
    kept = []
    for row in rows:
        # Adding 0 makes 0 of −0.
        keys: list[object] = [hashlib.blake2b((matrix[row] + np.float32(0)).tobytes(), digest_size=16).digest()]
        if contents is not None and contents[row] is not None:
            keys.append(contents[row])
        if not any(key in seen for key in keys):
            kept.append(row)
        seen.update(keys)
    return kept


def _first_of_groups(rows: Sequence[int], groups: Sequence[str | None]) -> list[int]:
    seen: set[str] = set()
    kept = []
    for row in rows:
        group = groups[row]
        if group is None or group not in seen:
            kept.append(row)
        if group is not None:
            seen.add(group)
    return kept


def _one_a_group(
    rows: list[int], groups: Sequence[str | None] | None, labels: Sequence[str | None]
) -> tuple[list[int], int]:
    """One row of each group where labels go with groups, else all; and how many are left out."""
    if groups is None or not _groups_agree([groups[row] for row in rows], [labels[row] for row in rows]):
        return rows, 0
    kept = _first_of_groups(rows, groups)
    return kept, len(rows) - len(kept)


def _groups_agree(groups: Sequence[str | None], labels: Sequence[str | None]) -> bool:
    """Whether samples of one group agree in their labels more than samples of any."""
    held = [(group, label) for group, label in zip(groups, labels, strict=True) if group is not None]
    if not held:
        return False
    group_codes = np.unique([group for group, _ in held], return_inverse=True)[1]
    label_codes = np.unique([str(label) for _, label in held], return_inverse=True)[1]
    sizes = np.bincount(group_codes)
    cells = np.unique(np.stack([group_codes, label_codes]), axis=1, return_counts=True)[1]
    pairs = float((sizes * (sizes - 1)).sum())
    if pairs == 0:
        return False
    shares = np.bincount(label_codes) / len(held)
    chance = float((shares**2).sum())
    agreement = float((cells * (cells - 1)).sum()) / pairs
    return chance < 1 and (agreement - chance) / (1 - chance) > GROUP_AGREEMENT


def _additive(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean of one Gaussian kernel a column, each with the column's own variance for its width."""
    kernel: NDArray[np.float64] = np.zeros((len(a), len(b)))
    for column in range(a.shape[1]):
        scale = float(b[:, column].std()) or 1.0
        difference = (a[:, column, None] - b[None, :, column]) / np.float32(scale)
        kernel += np.exp(-(difference**2))
    kernel /= a.shape[1]
    return kernel


def _eigen(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy import linalg

    values, vectors = linalg.eigh(matrix, driver="evd", check_finite=False)
    return values, vectors


def _p_value(value: float, null: NDArray[np.float64]) -> float:
    return (int(np.sum(null >= value)) + 1) / (len(null) + 1)


def _least_significant(null: NDArray[np.float64]) -> float:
    """The least gain whose p-value does not exceed `LEVEL`."""
    allowed = int(LEVEL * (len(null) + 1)) - 1
    return float(np.nextafter(np.sort(null)[len(null) - 1 - allowed], np.inf))


def _entropy(shares: NDArray[np.float64]) -> float:
    present = shares[shares > 0]
    return float(-np.sum(present * np.log2(present)))


def _ticket(seed: int, sample_id: str) -> bytes:
    text = f"{seed}\x1f{sample_id}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=8).digest()


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
