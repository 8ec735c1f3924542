"""What labels are judged by: probabilities, predictions, and permutations of the labels."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataguard.core.errors import SourceError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.dataset.sources.table import TableSource
from dataguard.inputs.rows import Features, Kind, Rows, embedding, own_features, texts
from dataguard.labels.out_of_sample import OutOfSample, out_of_sample
from dataguard.labels.permutations import LabelPermutations
from dataguard.labels.table_rows import TableRows
from dataguard.labels.target_evidence import TargetEvidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.inputs.made import Inputs, Unavailable


def _target_evidence(inputs: Inputs) -> TargetEvidence | Unavailable:
    from dataguard.labels.given import read_features
    from dataguard.labels.target_evidence import (
        from_predictions,
        numbers,
        out_of_sample_targets,
        read_predictions,
    )

    dataset, base = inputs.config.dataset, inputs.config.base
    if not inputs.regression:
        return Skipped(reason="the label is not a regression target", hint='set dataset.task = "regression" if it is')
    rows = Rows.of(inputs.table(), inputs.order)
    targets = numbers(rows.labels)
    if targets is None:
        raise SourceError(
            "the label is not a number in every row, and dataset.task is 'regression'",
            where=inputs.config.origin or dataset.path,
            hint="name the target's column with dataset.label",
        )
    if dataset.predictions is not None:
        path = base / dataset.predictions
        return from_predictions(
            sample_ids=rows.sample_ids,
            splits=rows.splits,
            paths=rows.paths,
            targets=targets,
            predictions=read_predictions(path, n=len(rows.sample_ids)),
            origin={"predictions": str(path), "sha256": _digest(path)},
        )
    kind: Literal["image", "table", "given"] = "image" if inputs.table().has_thumbnails else "table"
    used: Any
    if dataset.features is not None:
        kind, used = "given", read_features(base / dataset.features, sample_ids=rows.sample_ids)
    elif kind == "table" and not isinstance(inputs.source, TableSource):
        return Skipped(reason="there is no picture to compute features from", hint="set dataset.features")
    else:
        place = dict(zip(rows.sample_ids, targets, strict=True))
        used, rows = own_features(inputs, kind, rows)
        targets = np.array([place[name] for name in rows.sample_ids])
    return out_of_sample_targets(
        sample_ids=rows.sample_ids,
        splits=rows.splits,
        paths=rows.paths,
        targets=targets,
        features=used,
        kind=kind,
        seed=inputs.config.seed,
        jobs=inputs.config.jobs,
        progress=inputs.progress,
    )


def _out_of_sample(inputs: Inputs) -> OutOfSample | Unavailable:
    from dataguard.labels.given import read_features, read_pred_probs
    from dataguard.labels.out_of_sample import from_pred_probs

    dataset, base = inputs.config.dataset, inputs.config.base
    table = inputs.table()
    counts = inputs.class_counts()
    if isinstance(counts, Skipped):
        return counts
    rows = Rows.of(table, inputs.order)
    if dataset.pred_probs is not None:
        path = base / dataset.pred_probs
        given = from_pred_probs(
            sample_ids=rows.sample_ids,
            splits=rows.splits,
            paths=rows.paths,
            labels=rows.labels,
            classes=counts.classes,
            pred_probs=read_pred_probs(path, sample_ids=rows.sample_ids, classes=counts.classes),
            origin={"pred_probs": str(path), "sha256": _digest(path)},
        )
        return _with_neighbours(inputs, given, rows) if isinstance(given, OutOfSample) else given
    key_parts: dict[str, Any] = {"version_id": table.version_id, "seed": inputs.config.seed, "order": inputs.order}
    described: str | None = None
    if dataset.features is not None:
        path = base / dataset.features
        kind: Kind = "given"
        features: NDArray[np.float32] | None = read_features(path, sample_ids=rows.sample_ids)
        key_parts["features"] = _digest(path)
    elif dataset.embedding is not None:
        kind = "given"
        features, rows, described = embedding(inputs, dataset.embedding, rows)
        key_parts["features"] = hashlib.sha256(features.tobytes()).hexdigest()
    elif isinstance(inputs.source, TableSource) and inputs.source.text is not None:
        kind, features = "text", None
        key_parts["text"] = inputs.source.text
    elif table.has_thumbnails:
        kind, features = "image", None
    elif isinstance(inputs.source, TableSource):
        kind, features = "table", None
    else:
        return Skipped(reason="there is no picture to compute features from", hint="set dataset.features")
    return _cross_validated(inputs, kind, features, rows, key_parts, described)


def _with_rows(inputs: Inputs) -> OutOfSample | Unavailable:
    """The evidence with the values of a table's rows, for whoever looks at the labels."""
    made, source = _out_of_sample(inputs), inputs.source
    if not isinstance(made, OutOfSample) or not isinstance(source, TableSource) or source.image is not None:
        return made
    frame = source.columns(source.feature_names if source.text is None else [source.text])
    rows = Rows.of(inputs.table(), inputs.order)
    if len(frame) != len(rows.sample_ids):
        return made
    place = {sample_id: row for row, sample_id in enumerate(rows.sample_ids)}
    return replace(made, rows=TableRows.of(frame, [place[sample_id] for sample_id in made.sample_ids]))


def _with_neighbours(inputs: Inputs, given: OutOfSample, rows: Rows) -> OutOfSample:
    """Given probabilities with a second estimate, where features for it cost little."""
    from dataguard.labels.given import read_features
    from dataguard.labels.out_of_sample import SECOND_LIMIT, describe, with_neighbours

    dataset = inputs.config.dataset
    kind: Kind = "given"
    made: Features
    described: str | None = None
    if dataset.features is not None:
        made = read_features(inputs.config.base / dataset.features, sample_ids=rows.sample_ids)
    elif dataset.embedding is not None:
        made, rows, described = embedding(inputs, dataset.embedding, rows)
    elif len(given.codes) > SECOND_LIMIT:
        return given
    else:
        source = inputs.source if isinstance(inputs.source, TableSource) else None
        if source is not None and source.text is not None:
            kind = "text"
        elif inputs.table().has_thumbnails:
            kind = "image"
        elif source is not None and source.image is None:
            kind = "table"
        else:
            return given
        made, rows = own_features(inputs, kind, rows)
    values = made if isinstance(made, np.ndarray) else made.values
    place = {sample_id: row for row, sample_id in enumerate(rows.sample_ids)}
    if not values.shape[1] or not set(given.sample_ids) <= set(place):
        return given
    chosen = [place[sample_id] for sample_id in given.sample_ids]
    return with_neighbours(
        given,
        values[chosen],
        described=described or describe(kind, values.shape[1]),
        groups=[rows.contents[row] for row in chosen],
        seed=inputs.config.seed,
        jobs=inputs.config.jobs,
    )


def _label_permutations(inputs: Inputs) -> LabelPermutations | Unavailable:
    from dataguard.labels import control, control_samples, permutations
    from dataguard.labels.given import read_features
    from dataguard.labels.text_features import text_features

    dataset, seed = inputs.config.dataset, inputs.config.seed
    table = inputs.table()
    counts = inputs.class_counts()
    if isinstance(counts, Skipped):
        return counts
    rows = Rows.of(table, inputs.order)
    group_of = dict(zip(rows.sample_ids, table.fetch(["group_id"], order=inputs.order)["group_id"], strict=True))
    if dataset.pred_probs is not None:
        evidence = inputs.get(OutOfSample)
        if isinstance(evidence, Skipped | Inconclusive):
            return evidence
        content_of = dict(zip(rows.sample_ids, rows.contents, strict=True))
        return control.permute_against(
            evidence,
            contents=[content_of[name] for name in evidence.sample_ids],
            groups=[group_of[name] for name in evidence.sample_ids],
            seed=seed,
        )
    kind: Literal["image", "table", "text", "features"] = "features"
    features: NDArray[np.float32] | None = None
    if dataset.features is not None:
        features = read_features(inputs.config.base / dataset.features, sample_ids=rows.sample_ids)
    elif dataset.embedding is not None:
        features, rows, _ = embedding(inputs, dataset.embedding, rows)
    elif isinstance(inputs.source, TableSource) and inputs.source.text is not None:
        kind = "text"
    elif table.has_thumbnails:
        kind = "image"
    elif isinstance(inputs.source, TableSource):
        kind = "table"
    else:
        return Skipped(reason="there is no picture to compute features from", hint="set dataset.features")
    parts = {
        "version_id": table.version_id,
        "seed": seed,
        "kind": kind,
        "algorithm": control.CONTROL_VERSION,
        "groups": hashlib.sha256(json.dumps(group_of, sort_keys=True).encode()).hexdigest(),
        "features": None if features is None else hashlib.sha256(features.tobytes()).hexdigest(),
        "text": inputs.source.text if isinstance(inputs.source, TableSource) else None,
        **{name: importlib.metadata.version(name) for name in ("numpy", "scipy")},
    }
    key = "label-permutations/" + json.dumps(parts, sort_keys=True)
    if inputs.cache is not None and (blob := inputs.cache.get_blob(key)) is not None:
        return permutations.unpack(blob, dict(zip(rows.sample_ids, rows.paths, strict=True)))
    chosen = control_samples.candidates(rows.sample_ids, rows.labels, seed=seed)
    if kind == "text":
        found, rows = texts(inputs), rows.take(chosen)
        features = text_features([found[row] for row in chosen], progress=inputs.progress).values
    elif kind != "features":
        made, rows = own_features(inputs, kind, rows.take(chosen) if kind == "image" else rows)
        features = made if isinstance(made, np.ndarray) else made.values
    if features is None:
        raise TypeError("there are no features")
    permuted = control.permute_labels(
        sample_ids=rows.sample_ids,
        paths=rows.paths,
        labels=rows.labels,
        features=features,
        kind=kind,
        contents=rows.contents,
        groups=[group_of[name] for name in rows.sample_ids],
        seed=seed,
        progress=inputs.progress,
    )
    if inputs.cache is not None and isinstance(permuted, LabelPermutations):
        inputs.cache.put_blob(key, permutations.pack(permuted))
    return permuted


def _cross_validated(
    inputs: Inputs,
    kind: Kind,
    features: NDArray[np.float32] | None,
    rows: Rows,
    key_parts: dict[str, Any],
    described: str | None,
) -> OutOfSample | Unavailable:
    from dataguard.labels import ALGORITHM_VERSION

    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")}
    key = "out-of-sample/" + json.dumps(
        {**key_parts, **versions, "kind": kind, "described": described, "algorithm": ALGORITHM_VERSION},
        sort_keys=True,
    )
    if inputs.cache is not None and (blob := inputs.cache.get_blob(key)) is not None:
        return _unpack(blob, rows)
    used: Features
    if features is None:
        used, rows = own_features(inputs, kind, rows)
    else:
        used = features
    made = out_of_sample(
        sample_ids=rows.sample_ids,
        splits=rows.splits,
        paths=rows.paths,
        labels=rows.labels,
        features=used,
        kind=kind,
        described=described,
        groups=rows.contents,
        seed=inputs.config.seed,
        jobs=inputs.config.jobs,
        progress=inputs.progress,
    )
    if inputs.cache is not None and isinstance(made, OutOfSample):
        inputs.cache.put_blob(key, _pack(made))
    return made


def _pack(made: OutOfSample) -> bytes:
    header = {
        "sample_ids": made.sample_ids,
        "classes": made.classes,
        "origin": dict(made.origin),
        "unlabelled": made.unlabelled,
        "rare": None if made.rare is None else dict(made.rare),
    }
    arrays: dict[str, Any] = {"codes": made.codes, "pred_probs": made.pred_probs}
    if made.neighbour_probs is not None:
        arrays["neighbour_probs"] = made.neighbour_probs
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)
    return buffer.getvalue()


def _unpack(blob: bytes, rows: Rows) -> OutOfSample:
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(arrays.pop("header").tobytes())
    for array in arrays.values():
        array.setflags(write=False)
    place = {sample_id: row for row, sample_id in enumerate(rows.sample_ids)}
    chosen = rows.take([place[sample_id] for sample_id in header["sample_ids"]])
    return OutOfSample(
        sample_ids=chosen.sample_ids,
        splits=chosen.splits,
        paths=chosen.paths,
        classes=tuple(header["classes"]),
        codes=arrays["codes"],
        pred_probs=arrays["pred_probs"],
        origin=header["origin"],
        neighbour_probs=arrays.get("neighbour_probs"),
        unlabelled=header["unlabelled"],
        rare=header["rare"],
    )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {
    OutOfSample: _with_rows,
    TargetEvidence: _target_evidence,
    LabelPermutations: _label_permutations,
}
