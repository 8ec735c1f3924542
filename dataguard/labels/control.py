"""The permuted-label control: how well the inputs tell the labels, and how well they tell labels of no meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.core.progress import Progress, silent
from dataguard.labels.control_samples import (
    chosen_classes,
    first_of_copies,
    first_of_groups,
    lot,
    one_a_group,
    only_class,
)
from dataguard.labels.out_of_sample import OutOfSample
from dataguard.labels.permutations import (
    LEVEL,
    Codes,
    Kind,
    LabelPermutations,
    as_read_only,
    least_significant,
    share_as_high,
)
from dataguard.labels.planted import drawn_labels, scale_for
from dataguard.labels.telling import BATCH_NUMBERS, Given, Measured, Model
from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTROL_VERSION = "1"
"""Part of the key that the record is cached under; changed whenever it would come out otherwise."""

PERMUTATIONS = 199
"""The least p-value is then 1/200; at a level of 0.05 a finite number of them costs little power (Jöckel 1986)."""

MEASURED_PERMUTATIONS = 39
"""So many of them are also scored sample by sample, for the bits and for the p-values of the classes."""

PLANTED = 60
"""Planted relations of each strength; at most 3 may be missed."""

STRENGTHS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
"""Strengths of planted relations: the share of the label entropy that they explain."""


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
    tickets = {name: lot(seed, name) for name in names}
    # In the order of hashes, so that neither the order of the input nor that of the names reaches a single bit.
    rows = sorted((row for row, label in enumerate(given) if label is not None), key=lambda row: tickets[names[row]])
    if not rows:
        return Skipped(reason="no sample has a label", hint="name the label column, or put images into class folders")
    if (only := only_class(given)) is not None:
        return only
    if matrix.shape[1] == 0:
        return Skipped(reason="no column to learn labels from")
    if (matrix[rows] == matrix[rows[0]]).all():
        return Skipped(reason="all samples have equal features")
    labelled = len(rows)
    distinct = first_of_copies(matrix, rows, contents)
    if kind in ("image", "text") or 2 * len(distinct) >= labelled:
        rows = distinct
    elif kind == "features" and contents is not None:
        # A few values repeat in most rows: equal rows are different samples then, unless their content is equal.
        rows = first_of_groups(rows, contents)
    copies = labelled - len(rows)
    rows, joined = one_a_group(rows, groups, given)
    chosen = chosen_classes(np.array([given[row] for row in rows], dtype=str))
    if isinstance(chosen, Inconclusive):
        return chosen
    classes, codes, positions = chosen
    used = [rows[position] for position in positions]

    # One thread: these matrices are small, and on a busy machine waiting for a second takes ten times as long.
    with limited(1):
        progress("permuting labels", 0, PERMUTATIONS)
        model = Model(np.ascontiguousarray(matrix[used]), additive=kind == "table")
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
    rows = sorted(range(len(names)), key=lambda row: lot(seed, names[row]))
    if contents is not None:
        rows = first_of_groups(rows, contents)
    given = [evidence.classes[code] for code in evidence.codes]
    if (only := only_class(given)) is not None:
        return only
    copies = len(names) - len(rows)
    rows, joined = one_a_group(rows, groups, given)
    chosen = chosen_classes(np.array([given[row] for row in rows], dtype=str))
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
        return _run(Given(probs), samples, origin, labelled=len(rows), seed=seed, progress=silent)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Samples:
    """The samples looked at."""

    kind: Kind
    sample_ids: tuple[str, ...]
    paths: tuple[str | None, ...]
    classes: tuple[str, ...]
    codes: Codes


def _run(
    model: Model | Given,
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
    measured: list[Measured] = []
    for start in range(0, PERMUTATIONS, batch):
        labellings = np.stack([rng.permutation(codes) for _ in range(min(batch, PERMUTATIONS - start))])
        statistics, scored = model.run(labellings, k, measured=max(0, MEASURED_PERMUTATIONS - len(measured)))
        drawn.append(statistics)
        measured += scored
        progress("permuting labels", start + len(labellings), PERMUTATIONS)
    null = np.concatenate(drawn)
    found: dict[float, float] = {}
    if share_as_high(observed, null) > LEVEL:
        limit = least_significant(null)
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
        codes=as_read_only(codes),
        statistic=model.compared,
        observed=observed,
        null=as_read_only(null),
        gain=seen.gain,
        null_gains=as_read_only(np.array([one.gain for one in measured])),
        accuracy=seen.accuracy,
        class_scores=as_read_only(seen.class_scores),
        null_class_scores=as_read_only(np.stack([one.class_scores for one in measured])),
        found=found,
        origin=origin,
    )


def _power(
    model: Model | Given,
    counts: NDArray[np.int64],
    strength: float,
    limit: float,
    batch: int,
    rng: np.random.Generator,
) -> float:
    """The share of planted relations that the test finds; stops where too many are missed to matter."""
    functions = model.functions(len(counts), rng)
    scale = scale_for(counts, functions, strength)
    if scale is None:
        return 0.0
    planted = missed = 0
    while planted < PLANTED and missed <= PLANTED * LEVEL:
        size = min(batch, 10, PLANTED - planted)
        labellings = np.stack(
            [drawn_labels(counts, scale * model.functions(len(counts), rng), rng) for _ in range(size)]
        )
        statistics, _ = model.run(labellings, len(counts))
        missed += int(np.sum(statistics < limit))
        planted += size
    return round(1 - missed / planted, 4)
