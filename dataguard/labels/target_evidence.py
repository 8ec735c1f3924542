"""Targets of a regression with out-of-sample predictions: what a model says of a sample it was not trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from dataguard.core.errors import SourceError
from dataguard.core.finding import Inconclusive, Measurement, Skipped
from dataguard.core.progress import Progress, silent
from dataguard.labels.features import TableFeatures
from dataguard.labels.kernel import EXACT_LIMIT, WIDTHS, square_distances
from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

MIN_TARGETS = 50
"""The tail of the residuals is what tells wrong targets from right ones; of fewer samples 5 % are not three."""
MIN_DISTINCT = 20
"""Numbers that are not whole are a regression target from this many distinct ones: ratings in halves or quarters of
a point have fewer."""
MIN_DISTINCT_WHOLE = 50
RARE = 5
"""Whole numbers with fewer samples each than this on average cannot be told apart as classes (DG101 judges none)."""
TREE_MIN_SAMPLES = 200
RIDGES = tuple(10.0**power for power in np.arange(-4.0, 3.1, 0.5))

SEARCH_SAMPLES = 800
WINSOR = 3.0
"""Residuals are cut at so many robust standard deviations before the second fit, so that wrong targets do not bend the
predictions of their neighbours; of normal residuals 0.3 % are cut."""
KEPT_BYTES = 2**28
"""The most that projections on landmarks take."""
LINEAR, KERNEL, TREES = "ridge regression", "kernel ridge regression", "boosted trees"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TargetEvidence:
    """Given targets and out-of-sample predictions of the same samples; what DG109 looks at."""

    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    """The split of each sample; '' where it has none."""
    paths: tuple[str | None, ...]
    """The picture of each sample, relative to the root; None where it has none."""
    targets: NDArray[np.float64]
    """Shape (n,), read-only; infinite values are kept."""
    predictions: NDArray[np.float64]
    """Shape (n, models), finite, read-only."""
    origin: Mapping[str, str | int | float]
    """Where the predictions come from, and every setting that made them."""
    scale: NDArray[np.float64] | None = None
    """How large each right target's error is expected to be relative to the others', shape (n,), positive, read-only;
    None where nothing says so."""
    unlabelled: int = 0
    """How many samples were left out for want of a target."""


def numbers(labels: Sequence[object] | NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Labels as float64, NaN for missing ones; None where one of them is no number.

    >>> numbers(["1.5", None, "-2"]).tolist()
    [1.5, nan, -2.0]
    >>> numbers(["1.5", "cat"]) is None
    True
    """
    values = np.full(len(labels), np.nan)
    items: Sequence[Any] = list(labels)
    for row, label in enumerate(items):
        if label is None or label == "":
            continue
        try:
            values[row] = float(label)
        except (TypeError, ValueError):
            return None
    return values


def looks_continuous(values: NDArray[np.float64]) -> bool:
    """Whether labels are a quantity and no names of classes, as far as the numbers tell.

    Numbers that are not all whole are from `MIN_DISTINCT` distinct ones. Whole numbers are where there are at least
    `MIN_DISTINCT_WHOLE` distinct ones, each with fewer than `RARE` samples on average, and not every number between
    the least and the greatest occurs, as it does in codes of classes.
    """
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    fractions = bool((distinct != np.trunc(distinct)).any())
    span = float(distinct[-1] - distinct[0]) if len(distinct) else 0.0
    return is_continuous(len(known), len(distinct), fractions=fractions, span=span)


def is_continuous(n_known: int, n_distinct: int, *, fractions: bool, span: float) -> bool:
    """What `looks_continuous` says, by figures of the labels alone.

    Args:
        n_known: Finite numbers.
        n_distinct: How many of them differ.
        fractions: Whether any is not whole.
        span: The greatest less the least.
    """
    if fractions:
        return n_distinct >= MIN_DISTINCT
    if n_distinct < MIN_DISTINCT_WHOLE or n_known >= RARE * n_distinct:
        return False
    return span + 1 > n_distinct


def out_of_sample_targets(
    *,
    sample_ids: Sequence[str],
    splits: Sequence[str],
    paths: Sequence[str | None],
    targets: NDArray[np.float64],
    features: NDArray[np.float32] | TableFeatures,
    kind: Literal["image", "table", "given"],
    seed: int = 0,
    folds: int = 5,
    jobs: int | None = None,
    progress: Progress = silent,
) -> TargetEvidence | Skipped | Inconclusive:
    """Out-of-sample predictions made from features.

    Ridge regression and Gaussian kernel ridge regression, both with exact leave-one-out in closed form (Nyström's
    approximation of the kernel above as many samples as its projections fit into `KEPT_BYTES`); for tables of at least
    `TREE_MIN_SAMPLES` rows also cross-validated boosted trees. All are fitted twice: the second time to targets whose
    residual from the first is cut at `WINSOR` robust standard deviations, so that wrong targets do not pull at their
    neighbours. Samples of equal features are left out together. The expected size of each residual comes from a
    leave-one-out kernel ridge regression of its logarithm on the same features.

    Args:
        sample_ids: Unique, n of them.
        splits: n; '' for none.
        paths: n; None for none.
        targets: Shape (n,); NaN for a missing one. Infinite targets are kept and not learnt from.
        features: Shape (n, d), finite, or what `table_features` made.
        kind: What the features are of; decides the models.
        seed: Mixed into the hash of the sample id that draws the folds, and given to the trees.
        folds: Of the trees.
        jobs: Threads; None for as many as there are cores.
        progress: Told of every stage.

    Returns:
        The evidence, in the order of the samples, or why there is none.
    """
    values = np.asarray(targets, dtype=np.float64)
    labelled = np.flatnonzero(~np.isnan(values))
    if not len(labelled):
        return Skipped(reason="no sample has a target", hint="name the target's column with dataset.label")
    matrix = features.values if isinstance(features, TableFeatures) else np.asarray(features, dtype=np.float32)
    if matrix.shape[1] == 0:
        return Skipped(reason="no column to predict the target from")
    names = [str(name) for name in sample_ids]
    # In the order of the ids, so that the order of the input cannot reach a single bit.
    rows = np.array(sorted(labelled.tolist(), key=names.__getitem__), dtype=np.intp)
    finite = np.isfinite(values[rows])
    known = values[rows][finite]
    if len(known) < MIN_TARGETS:
        return _too_few(len(known))
    if np.ptp(known) == 0:
        return Skipped(reason=f"every target is {known[0]:g}", hint="is dataset.label the right column?")
    used = np.ascontiguousarray(matrix[rows], dtype=np.float64)
    group = np.unique(used, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)
    coarse = 2 * (int(group.max()) + 1) < len(rows)
    if coarse:
        # A few categories repeat in most rows: equal rows are different samples then, and all there is to learn from.
        group = np.arange(len(rows))
    tickets = np.array([_ticket(seed, names[row]) for row in rows], dtype=np.uint64)
    first = np.unique(group, return_index=True)[1]
    tickets = tickets[first[group]]
    order = np.lexsort((np.arange(len(rows)), tickets))
    middle, unit = float(np.median(known)), _unit(known)
    # An infinite target is predicted like any other and tells nothing.
    y = np.where(finite, (np.where(finite, values[rows], middle) - middle) / unit, 0.0)
    trees = kind == "table" and len(rows) >= TREE_MIN_SAMPLES
    fold = (tickets % np.uint64(folds)).astype(np.intp)

    with limited(jobs):
        progress("choosing the kernel", 0, None)
        smoothers = {LINEAR: _Smoother.linear(used, group)}
        smoothers[KERNEL] = _Smoother.gaussian(used, group, order, y)
        pseudo = y
        for stage in range(2):
            progress("predicting targets", stage, 2)
            predicted = {name: smoother.leave_one_out(pseudo)[0] for name, smoother in smoothers.items()}
            if trees:
                predicted[TREES] = _trees(used, pseudo, fold, seed)
            columns = np.column_stack(list(predicted.values()))
            errors = [float(np.median(np.abs(y - column))) for column in columns.T]
            best = columns[:, int(np.argmin(errors))]
            width = WINSOR * min(errors) / 0.6745
            pseudo = best + np.clip(np.where(finite, y - best, 0.0), -width, width) if width > 0 else y
        progress("predicting the size of errors", 0, None)
        size = np.abs(y - columns.mean(axis=1))
        logs = np.log(size + 0.1 * float(np.median(size)) + 1e-12)
        scale = np.exp(smoothers[KERNEL].leave_one_out(logs)[0])
    origin: dict[str, str | int | float] = {
        "model": " + ".join(predicted),
        "validation of the ridges": "leave-one-out, closed form",
        "kernel width / median squared distance": smoothers[KERNEL].width,
        "landmarks": smoothers[KERNEL].landmarks,
        "features": f"{matrix.shape[1]} "
        + {"table": "from the table's columns", "image": "of the pictures"}.get(kind, "given"),
        "copies left out together": "none: most rows repeat" if coarse else len(rows) - len(first),
        "seed": seed,
    }
    if trees:
        origin["folds of the trees"] = folds
    if isinstance(features, TableFeatures) and features.dropped:
        origin["columns left out"] = "; ".join(f"{name} ({why})" for name, why in features.dropped.items())
    back = np.argsort(rows)
    positions = rows[back]
    return TargetEvidence(
        sample_ids=tuple(names[row] for row in positions),
        splits=tuple(splits[row] or "" for row in positions),
        paths=tuple(paths[row] for row in positions),
        targets=_frozen(values[positions]),
        predictions=_frozen(middle + unit * columns[back]),
        scale=_frozen(scale[back]),
        origin=origin,
        unlabelled=len(values) - len(rows),
    )


def from_predictions(
    *,
    sample_ids: Sequence[str],
    splits: Sequence[str],
    paths: Sequence[str | None],
    targets: NDArray[np.float64],
    predictions: NDArray[np.float64],
    origin: Mapping[str, str | int | float],
) -> TargetEvidence | Skipped | Inconclusive:
    """Evidence out of predictions that the user gave; samples without a target are left out.

    Args:
        sample_ids: n of them.
        splits: n; '' for none.
        paths: n; None for none.
        targets: Shape (n,); NaN for a missing one.
        predictions: Shape (n, models), as `read_predictions` returns them.
        origin: Where they come from.
    """
    rows: list[int] = np.flatnonzero(~np.isnan(targets)).tolist()
    if not rows:
        return Skipped(reason="no sample has a target", hint="name the target's column with dataset.label")
    if len(rows) < MIN_TARGETS:
        return _too_few(len(rows))
    return TargetEvidence(
        sample_ids=tuple(str(sample_ids[row]) for row in rows),
        splits=tuple(splits[row] or "" for row in rows),
        paths=tuple(paths[row] for row in rows),
        targets=_frozen(np.asarray(targets, dtype=np.float64)[rows]),
        predictions=_frozen(np.asarray(predictions, dtype=np.float64)[rows]),
        origin=dict(origin),
        unlabelled=len(targets) - len(rows),
    )


def read_predictions(path: Path, *, n: int) -> NDArray[np.float64]:
    """Out-of-sample predictions from a ``.npy`` file, one row a sample in the dataset's order.

    Returns:
        Shape (n, models).

    Raises:
        SourceError: the file is unreadable, or holds anything but n rows of finite numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceError("no such file", where=path, hint="dataset.predictions is relative to the configuration")
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(
            f"not a readable NumPy file: {error}", where=path, hint="save plain numbers with numpy.save"
        ) from error
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.number) or values.ndim not in (1, 2):
        raise SourceError(
            "not an array of numbers", where=path, hint="save an array (n,), or (n, models) for several models"
        )
    if len(values) != n:
        raise SourceError(f"{len(values)} predictions for {n} samples", where=path, hint="one row a sample is needed")
    found = values.reshape(n, -1).astype(np.float64)
    if not np.isfinite(found).all():
        raise SourceError("NaN or infinite predictions", where=path, hint="every sample needs a prediction")
    return found


def _too_few(n: int) -> Inconclusive:
    return Inconclusive(
        reason=f"too few samples: {n} with a target, at least {MIN_TARGETS} are needed",
        measurements=(Measurement(name="samples with a target", value=n, threshold=MIN_TARGETS),),
    )


def _unit(values: NDArray[np.float64]) -> float:
    first, third = np.percentile(values, [25, 75])
    return float(third - first) / 1.349 or float(np.abs(values - np.median(values)).mean()) or 1.0


def _ticket(seed: int, sample_id: str) -> int:
    text = f"{seed}\x1f{sample_id}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Smoother:
    """Ridge regression on fixed features, decomposed once and solved for any targets."""

    basis: NDArray[np.float64]
    """Orthogonal directions, shape (n, rank)."""
    spectrum: NDArray[np.float64]
    """Their squared lengths, shape (rank,)."""
    group: NDArray[np.intp]
    """Which samples are copies of one another."""
    width: float = 0.0
    landmarks: int = 0

    @classmethod
    def linear(cls, features: NDArray[np.float64], group: NDArray[np.intp]) -> _Smoother:
        """On the features themselves, of unit spread, and a constant."""
        spread = features.std(axis=0)
        scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        # A long constant column is an intercept that the ridge hardly shrinks.
        return cls._of(np.column_stack([scaled / np.sqrt(features.shape[1]), np.full(len(features), 10.0)]), group)

    @classmethod
    def gaussian(
        cls, features: NDArray[np.float64], group: NDArray[np.intp], order: NDArray[np.intp], y: NDArray[np.float64]
    ) -> _Smoother:
        """On a Gaussian kernel, whose width is the one with the least absolute leave-one-out error on some samples."""
        single = features.astype(np.float32)
        candidates = order[np.sort(np.unique(group[order], return_index=True)[1])]
        search = np.sort(candidates[:SEARCH_SAMPLES])
        distances = square_distances(single[search], single[search])
        upper = distances[np.triu_indices(len(search), 1)]
        bandwidth = float(np.median(upper)) or float(upper.mean()) or 1.0
        alone = np.arange(len(search))
        tried = [
            cls._nystroem(single[search], single[search], width / bandwidth, alone).leave_one_out(y[search])[1]
            for width in WIDTHS
        ]
        width = WIDTHS[int(np.argmin(tried))]
        count = int(np.clip(KEPT_BYTES // (8 * len(features)), 32, EXACT_LIMIT))
        landmarks = np.sort(candidates[:count])
        made = cls._nystroem(single, single[landmarks], width / bandwidth, group)
        return cls(basis=made.basis, spectrum=made.spectrum, group=group, width=width, landmarks=len(landmarks))

    @classmethod
    def _nystroem(
        cls, features: NDArray[np.float32], landmarks: NDArray[np.float32], rate: float, group: NDArray[np.intp]
    ) -> _Smoother:
        from scipy import linalg

        def kernel(block: NDArray[np.float32]) -> NDArray[np.float64]:
            # The added 1 is the intercept.
            return np.asarray(np.exp(-rate * square_distances(block, landmarks).astype(np.float64)) + 1.0)

        with limited(1):
            values, vectors = linalg.eigh(kernel(landmarks), driver="evd", check_finite=False)
        kept = values > values[-1] * 1e-10
        root = vectors[:, kept] / np.sqrt(values[kept])
        parts = [features[start : start + 4096] for start in range(0, len(features), 4096)]
        return cls._of(np.vstack([kernel(part) @ root for part in parts]), group)

    @classmethod
    def _of(cls, columns: NDArray[np.float64], group: NDArray[np.intp]) -> _Smoother:
        from scipy import linalg

        with limited(1):
            spectrum, rotation = linalg.eigh(columns.T @ columns, driver="evd", check_finite=False)
        kept = spectrum > spectrum[-1] * 1e-12
        return cls(basis=columns @ rotation[:, kept], spectrum=spectrum[kept], group=group)

    def leave_one_out(self, y: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Predictions without the sample and its copies, with the ridge of least mean absolute error; and that error.

        With the hat matrix H and the residual e = y − Hy, leaving out b copies changes their prediction to
        y_i − e_i − h·Σe/(1 − b·h), without one refit.
        """
        weights = self.basis.T @ y
        copies = np.bincount(self.group)[self.group]
        squares = self.basis**2
        best, least = y, np.inf
        for ridge in RIDGES:
            shrinkage = 1 / (self.spectrum + ridge)
            residual = y - self.basis @ (weights * shrinkage)
            leverage = squares @ shrinkage
            summed = np.bincount(self.group, residual)[self.group]
            # 1 − b·h is positive in exact arithmetic; rounding can take the last of it.
            residual = residual + leverage * summed / np.maximum(1 - copies * leverage, 1e-9)
            error = float(np.abs(residual).mean())
            if error < least:
                best, least = y - residual, error
        return best, least


def _trees(
    features: NDArray[np.float64], y: NDArray[np.float64], fold: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    predicted = np.empty(len(y))
    for held_out in np.unique(fold):
        inside = fold != held_out
        model = HistGradientBoostingRegressor(
            max_iter=100,
            learning_rate=0.08,
            max_leaf_nodes=15,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )
        # One thread: small tables lose more by handing work around than they gain.
        with limited(1 if features.size < 2_000_000 else None):
            predicted[~inside] = model.fit(features[inside], y[inside]).predict(features[~inside])
    return predicted


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
