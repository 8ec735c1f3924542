"""What rules look at, made once a run and only where a rule asks for it."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np

from dataguard.batches.evidence import OrderEvidence, SecondRecording, order_evidence
from dataguard.batches.reference import ReferencePictures
from dataguard.batches.stream import BatchStream
from dataguard.config import Config
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.core.paths import decode_path
from dataguard.core.progress import Progress, silent
from dataguard.dataset.cache import Cache
from dataguard.dataset.class_counts import ClassCounts
from dataguard.dataset.duplicates import Duplicates
from dataguard.dataset.near_duplicates import NearDuplicates, find_near_duplicates
from dataguard.dataset.scan import scan
from dataguard.dataset.schema import SchemaFailures, validate
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.folder import FolderSource
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.table import SampleTable
from dataguard.labels.control import LabelPermutations
from dataguard.labels.out_of_sample import OutOfSample, out_of_sample
from dataguard.labels.target_evidence import TargetEvidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.labels.features import TableFeatures
    from dataguard.labels.text_features import TextFeatures

T = TypeVar("T")
Kind: TypeAlias = Literal["image", "table", "text", "given"]
Features: TypeAlias = "NDArray[np.float32] | TableFeatures | TextFeatures"
Unavailable: TypeAlias = Skipped | Inconclusive

Loader: TypeAlias = "str | BatchStream | object"
"""``module:name`` or ``file.py:name`` of a loader, a stream recorded before, or the loader itself."""

LOADER_INPUTS: tuple[type, ...] = (BatchStream, OrderEvidence, SecondRecording)
"""Inputs that only a loader gives."""
COMPARED_PICTURES = 2000
"""Pictures of a stream that are kept to be held against the dataset's own: 6 MB."""
NO_DATASET = Skipped(reason="no dataset is named", hint="give its path beside the loader, or set dataset.path")
NO_LOADER = Skipped(reason="no loader is named", hint="name it with --loader module:name, or set loader.target")

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")


def recorded(
    loader: Loader,
    config: Config,
    *,
    epochs: int | None = None,
    thumbnails: int | None = None,
    progress: Progress = silent,
) -> BatchStream:
    """Record a loader as the configuration's table ``[loader]`` says; a target in a process of its own.

    Args:
        loader: A target, or a loader.
        config: Says how many epochs and batches, where labels and inputs are, how long it may take, and the seed.
        epochs: Instead of the configuration's.
        thumbnails: Keep small pictures of so many samples; by default as many as can be looked at.
        progress: Told of every batch, where the loader runs in this process.

    Raises:
        ConfigurationError: the target cannot be imported, is no loader, or failed before its first batch.
        NothingToCheckError: the loader has no batches.
        SourceError: its process died, or there was no batch in time.
    """
    from dataguard.batches.child import LOADER_TIMEOUT, record_in_subprocess
    from dataguard.batches.record import THUMBNAILS, record

    settings = config.loader
    n_thumbnails = THUMBNAILS if thumbnails is None else thumbnails
    n_epochs = epochs or settings.epochs
    seconds = LOADER_TIMEOUT if settings.timeout is None else settings.timeout
    if isinstance(loader, str):
        progress("recording the loader", 0, 0)
        return record_in_subprocess(
            loader,
            base=(settings.base or config.base).absolute(),
            batches=settings.batches,
            epochs=n_epochs,
            timeout=seconds,
            seed=config.seed,
            label=settings.label,
            inputs=settings.inputs,
            sample_id=settings.id,
            thumbnails=n_thumbnails,
        )
    return record(
        loader,
        settings.batches,
        n_epochs,
        label=settings.label,
        inputs=settings.inputs,
        sample_id=settings.id,
        seed=config.seed,
        time_limit=settings.timeout,
        on_epoch="set_epoch",
        thumbnails=n_thumbnails,
        progress=progress,
    )


def open_source(config: Config) -> Source:
    """The source that a configuration names; ``config.dataset.path`` is absolute.

    Raises:
        SourceError: there is nothing at that path, or it is no kind of dataset.
    """
    dataset = config.dataset
    path = Path(dataset.path or ".")
    if not path.exists():
        raise SourceError("no such file or folder", where=path, hint="dataset.path names a folder of images or a table")
    if dataset.embedding is not None:
        from dataguard.labels.embedding.reference import resolve

        resolve(dataset.embedding, base=config.base.absolute())  # a mistake shows before the scan
        if dataset.features is not None:
            raise ConfigurationError(
                "dataset.features and dataset.embedding both say what the labels are judged by",
                where=config.origin or path,
                hint="keep one of them",
            )
    kind = dataset.source or ("folder" if path.is_dir() else "table")
    if kind == "folder":
        for key in ("label", "split", "image", "group", "time", "id", "text"):
            if getattr(dataset, key) is not None:
                raise ConfigurationError(
                    f"dataset.{key} names a column of a table, and this is a folder",
                    where=config.origin or path,
                    hint="use dataset.pattern, as '{split}/{label}/*.png'",
                )
        return FolderSource(path, pattern=dataset.pattern)
    if dataset.pattern is not None:
        raise ConfigurationError("dataset.pattern is for folders, and this is a table", where=config.origin or path)
    if path.is_dir() or not path.name.lower().endswith(TABLE_SUFFIXES):
        raise SourceError("not a table", where=path, hint="tables are " + ", ".join(TABLE_SUFFIXES) + " files")
    return TableSource(
        path,
        label=dataset.label,
        split=dataset.split,
        image=dataset.image,
        group=dataset.group,
        time=dataset.time,
        id=dataset.id,
        text=dataset.text,
    )


class Inputs:
    """Makes every kind of input that a rule may ask for, once."""

    def __init__(
        self,
        config: Config,
        source: Source | None,
        *,
        use_cache: bool,
        progress: Progress,
        loader: Loader | None = None,
    ) -> None:
        self.config = config
        self.source = source
        self.loader = loader
        self.progress = progress
        self.cache: Cache | None = None
        if use_cache:
            folder = Path(config.cache) if config.cache else Cache.default_folder()
            self.cache = Cache(config.base / folder)
        self._made: dict[type, Any] = {}
        self._guessed: list[str] = []
        self._makers: dict[type, Callable[[], Any]] = {
            SampleTable: self._scan,
            ClassCounts: self._class_counts,
            Duplicates: self._duplicates,
            NearDuplicates: self._near_duplicates,
            OutOfSample: self._out_of_sample,
            TargetEvidence: self._target_evidence,
            LabelPermutations: self._label_permutations,
            SchemaFailures: self._schema_failures,
        }
        if source is None:
            self._makers = dict.fromkeys(self._makers, lambda: NO_DATASET)
        self._makers |= {
            BatchStream: self._batch_stream,
            OrderEvidence: self._order_evidence,
            SecondRecording: self._second_recording,
            ReferencePictures: self._reference_pictures,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed of the source, and what is the matter with the cache."""
        guessed: Sequence[str] = self.source.notes if isinstance(self.source, TableSource) else []
        return (*guessed, *self._guessed, *(self.cache.notes if self.cache is not None else ()))

    def get(self, kind: type[T]) -> T | Unavailable:
        """The input of that type, or why there is none."""
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        made: T | Unavailable = self._made[kind]
        return made

    def table(self) -> SampleTable:
        """The sample table; scans where that has not been done."""
        table = self.get(SampleTable)
        if isinstance(table, Skipped | Inconclusive):
            raise TypeError("the scan gave no table")
        return table

    def class_counts(self) -> ClassCounts | Skipped:
        """The class counts, or why there are none."""
        counts = self.get(ClassCounts)
        if isinstance(counts, Inconclusive):
            raise TypeError("class counts are never inconclusive")
        return counts

    def _batch_stream(self) -> BatchStream | Skipped:
        if self.loader is None:
            return NO_LOADER
        if isinstance(self.loader, BatchStream):
            return self.loader
        # With the dataset's own pictures beside it, a rule compares as many as its classifier takes.
        compared = None if self.source is None else COMPARED_PICTURES
        return recorded(self.loader, self.config, thumbnails=compared, progress=self.progress)

    def _order_evidence(self) -> OrderEvidence | Unavailable:
        stream = self.get(BatchStream)
        if isinstance(stream, Skipped | Inconclusive):
            return stream
        source_ids, source_classes = self._source_of(stream)
        return order_evidence(stream, seed=self.config.seed, source_ids=source_ids, source_classes=source_classes)

    def _source_of(self, stream: BatchStream) -> tuple[list[str] | None, dict[str, int] | None]:
        """The dataset's samples in its own order, and its classes, as far as a stream is seen to come from it."""
        if self.source is None:
            return None, None
        ids: list[str] | None = None
        if stream.sample_ids is not None:
            ids = self.table().fetch(["sample_id"], order=self._order)["sample_id"].tolist()
        counts = self.class_counts()
        if isinstance(counts, Skipped) or stream.facts.declared_samples is None:
            return ids, None
        # The loader feeds a split, or all: the one of its size.
        for row in (counts.counts.sum(axis=0), *counts.counts):
            if int(row.sum()) == stream.facts.declared_samples:
                return ids, {name: int(n) for name, n in zip(counts.classes, row, strict=True) if n}
        return ids, None

    def _reference_pictures(self) -> ReferencePictures | Unavailable:
        stream = self.get(BatchStream)
        if isinstance(stream, Skipped | Inconclusive):
            return stream
        if self.source is None:
            return NO_DATASET
        table = self.table()
        if not table.has_thumbnails:
            return Skipped(reason="the dataset has no pictures")
        fetched = table.fetch(["sample_id", "label"], where="label IS NOT NULL AND thumbnail IS NOT NULL")
        label_of = dict(zip(fetched["sample_id"], map(str, fetched["label"]), strict=True))
        sample_ids, thumbnails = table.thumbnails()
        known = set(stream.classes)
        kept = [row for row, name in enumerate(sample_ids) if label_of.get(name) in known]
        if not kept:
            return Skipped(
                reason="no class of the loader is one of the dataset's",
                hint="give the loader's dataset its class names, as torchvision's classes",
            )
        return ReferencePictures(
            thumbnails=thumbnails[kept],
            labels=tuple(label_of[sample_ids[row]] for row in kept),
            identities=None if stream.sample_ids is None else tuple(str(sample_ids[row]) for row in kept),
            origin="the dataset's own pictures",
        )

    def _second_recording(self) -> SecondRecording | Unavailable:
        first = self.get(BatchStream)
        if isinstance(first, Skipped | Inconclusive):
            return first
        if self.loader is None or isinstance(self.loader, BatchStream):
            return Skipped(
                reason="only a recorded stream was given, which cannot be recorded again",
                hint="give the loader itself, or name it with --loader",
            )
        again = recorded(self.loader, self.config, epochs=1, progress=self.progress)
        return SecondRecording(stream=again)

    def _scan(self) -> SampleTable | Skipped:
        if self.source is None:
            return NO_DATASET
        config = self.config
        return scan(
            self.source, cache=self.cache, jobs=config.jobs, progress=self.progress, max_pixels=config.max_pixels
        )

    @cached_property
    def regression(self) -> bool:
        """Whether the label is a regression target: as configured, or as the numbers in a table look."""
        from dataguard.labels.target_evidence import looks_continuous, numbers

        if self.config.dataset.task is not None:
            return self.config.dataset.task == "regression"
        if not isinstance(self.source, TableSource) or self.source.label is None:
            return False
        values = numbers(self.table().fetch(["label"])["label"])
        if values is None or not looks_continuous(values):
            return False
        distinct = len(np.unique(values[np.isfinite(values)]))
        self._guessed.append(
            f"{self.source.label!r} is taken for a regression target: {distinct:,} distinct numbers "
            '(dataset.task = "classification" if they name classes)'
        )
        return True

    def _duplicates(self) -> Duplicates:
        found = Duplicates.from_table(self.table())
        if self.regression:
            # Equal rows with different targets are repeated measurements, not conflicting labels.
            return dataclasses.replace(found, n_conflicts=0, n_conflict_samples=0, least_wrong=0, n_labelled=0)
        return found

    def _target_evidence(self) -> TargetEvidence | Unavailable:
        from dataguard.labels.given import read_features
        from dataguard.labels.target_evidence import (
            from_predictions,
            numbers,
            out_of_sample_targets,
            read_predictions,
        )

        dataset, base = self.config.dataset, self.config.base
        if not self.regression:
            return Skipped(
                reason="the label is not a regression target", hint='set dataset.task = "regression" if it is'
            )
        rows = _Rows.of(self.table(), '"row"' if isinstance(self.source, TableSource) else '"sample_id"')
        targets = numbers(rows.labels)
        if targets is None:
            raise SourceError(
                "the label is not a number in every row, and dataset.task is 'regression'",
                where=self.config.origin or dataset.path,
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
        kind: Literal["image", "table", "given"] = "image" if self.table().has_thumbnails else "table"
        used: Any
        if dataset.features is not None:
            kind, used = "given", read_features(base / dataset.features, sample_ids=rows.sample_ids)
        elif kind == "table" and not isinstance(self.source, TableSource):
            return Skipped(reason="there is no picture to compute features from", hint="set dataset.features")
        else:
            place = dict(zip(rows.sample_ids, targets, strict=True))
            used, rows = self._own_features(kind, rows)
            targets = np.array([place[name] for name in rows.sample_ids])
        return out_of_sample_targets(
            sample_ids=rows.sample_ids,
            splits=rows.splits,
            paths=rows.paths,
            targets=targets,
            features=used,
            kind=kind,
            seed=self.config.seed,
            jobs=self.config.jobs,
            progress=self.progress,
        )

    def _class_counts(self) -> ClassCounts | Skipped:
        if self.regression:
            return Skipped(reason="the label is a regression target", hint="DG109, suspicious-target, judges it")
        counts = ClassCounts.from_table(self.table())
        return counts if counts.classes else Skipped(reason="no sample has a label", hint=_label_hint(self.source))

    def _near_duplicates(self) -> NearDuplicates | Skipped:
        return find_near_duplicates(
            self.table(), jobs=self.config.jobs, progress=self.progress, cache=self.cache, seed=self.config.seed
        )

    def _schema_failures(self) -> SchemaFailures | Skipped:
        reference = self.config.dataset.schema
        if reference is None:
            return Skipped(reason="no schema is named", hint="set dataset.schema to a pandera schema")
        if isinstance(self.source, TableSource):
            sample_ids = self.table().fetch(["sample_id"], order='"row"')["sample_id"]
            return validate(reference, self.source.columns(), base=self.config.base, sample_ids=sample_ids.tolist())
        return validate(reference, self.table().to_pandas(), base=self.config.base)

    @property
    def _order(self) -> str:
        """Tables are read in their own order, which is the order of the user's probabilities too."""
        return '"row"' if isinstance(self.source, TableSource) else '"sample_id"'

    def _out_of_sample(self) -> OutOfSample | Unavailable:
        from dataguard.labels.given import read_features, read_pred_probs
        from dataguard.labels.out_of_sample import from_pred_probs

        dataset, base = self.config.dataset, self.config.base
        table = self.table()
        counts = self.class_counts()
        if isinstance(counts, Skipped):
            return counts
        rows = _Rows.of(table, self._order)
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
            return self._with_neighbours(given, rows) if isinstance(given, OutOfSample) else given
        key_parts: dict[str, Any] = {"version_id": table.version_id, "seed": self.config.seed, "order": self._order}
        described: str | None = None
        if dataset.features is not None:
            path = base / dataset.features
            kind: Kind = "given"
            features: NDArray[np.float32] | None = read_features(path, sample_ids=rows.sample_ids)
            key_parts["features"] = _digest(path)
        elif dataset.embedding is not None:
            kind = "given"
            features, rows, described = self._embedding(dataset.embedding, rows)
            key_parts["features"] = hashlib.sha256(features.tobytes()).hexdigest()
        elif isinstance(self.source, TableSource) and self.source.text is not None:
            kind, features = "text", None
            key_parts["text"] = self.source.text
        elif table.has_thumbnails:
            kind, features = "image", None
        elif isinstance(self.source, TableSource):
            kind, features = "table", None
        else:
            return Skipped(reason="there is no picture to compute features from", hint="set dataset.features")
        return self._cross_validated(kind, features, rows, key_parts, described)

    def _with_neighbours(self, given: OutOfSample, rows: _Rows) -> OutOfSample:
        """Given probabilities with a second estimate, where features for it cost little."""
        from dataguard.labels.given import read_features
        from dataguard.labels.out_of_sample import SECOND_LIMIT, describe, with_neighbours

        dataset = self.config.dataset
        kind: Kind = "given"
        made: Features
        described: str | None = None
        if dataset.features is not None:
            made = read_features(self.config.base / dataset.features, sample_ids=rows.sample_ids)
        elif dataset.embedding is not None:
            made, rows, described = self._embedding(dataset.embedding, rows)
        elif len(given.codes) > SECOND_LIMIT:
            return given
        else:
            source = self.source if isinstance(self.source, TableSource) else None
            if source is not None and source.text is not None:
                kind = "text"
            elif self.table().has_thumbnails:
                kind = "image"
            elif source is not None and source.image is None:
                kind = "table"
            else:
                return given
            made, rows = self._own_features(kind, rows)
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
            seed=self.config.seed,
            jobs=self.config.jobs,
        )

    def _label_permutations(self) -> LabelPermutations | Unavailable:
        from dataguard.labels import control
        from dataguard.labels.given import read_features
        from dataguard.labels.text_features import text_features

        dataset, seed = self.config.dataset, self.config.seed
        table = self.table()
        counts = self.class_counts()
        if isinstance(counts, Skipped):
            return counts
        rows = _Rows.of(table, self._order)
        group_of = dict(zip(rows.sample_ids, table.fetch(["group_id"], order=self._order)["group_id"], strict=True))
        if dataset.pred_probs is not None:
            evidence = self.get(OutOfSample)
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
            features = read_features(self.config.base / dataset.features, sample_ids=rows.sample_ids)
        elif dataset.embedding is not None:
            features, rows, _ = self._embedding(dataset.embedding, rows)
        elif isinstance(self.source, TableSource) and self.source.text is not None:
            kind = "text"
        elif table.has_thumbnails:
            kind = "image"
        elif isinstance(self.source, TableSource):
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
            "text": self.source.text if isinstance(self.source, TableSource) else None,
            **{name: importlib.metadata.version(name) for name in ("numpy", "scipy")},
        }
        key = "label-permutations/" + json.dumps(parts, sort_keys=True)
        if self.cache is not None and (blob := self.cache.get_blob(key)) is not None:
            return control.unpack(blob, dict(zip(rows.sample_ids, rows.paths, strict=True)))
        chosen = control.candidates(rows.sample_ids, rows.labels, seed=seed)
        if kind == "text":
            texts, rows = self._texts(), rows.take(chosen)
            features = text_features([texts[row] for row in chosen], progress=self.progress).values
        elif kind != "features":
            made, rows = self._own_features(kind, rows.take(chosen) if kind == "image" else rows)
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
            progress=self.progress,
        )
        if self.cache is not None and isinstance(permuted, LabelPermutations):
            self.cache.put_blob(key, control.pack(permuted))
        return permuted

    def _cross_validated(
        self,
        kind: Kind,
        features: NDArray[np.float32] | None,
        rows: _Rows,
        key_parts: dict[str, Any],
        described: str | None,
    ) -> OutOfSample | Unavailable:
        from dataguard.labels import ALGORITHM_VERSION

        versions = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")}
        key = "out-of-sample/" + json.dumps(
            {**key_parts, **versions, "kind": kind, "described": described, "algorithm": ALGORITHM_VERSION},
            sort_keys=True,
        )
        if self.cache is not None and (blob := self.cache.get_blob(key)) is not None:
            return _unpack(blob, rows)
        used: Features
        if features is None:
            used, rows = self._own_features(kind, rows)
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
            seed=self.config.seed,
            jobs=self.config.jobs,
            progress=self.progress,
        )
        if self.cache is not None and isinstance(made, OutOfSample):
            self.cache.put_blob(key, _pack(made))
        return made

    def _embedding(self, text: str, rows: _Rows) -> tuple[NDArray[np.float32], _Rows, str]:
        """Vectors by the user's model, the rows that have one, and how the report describes them."""
        from dataguard.labels.embedding.reference import KEY, resolve
        from dataguard.labels.embedding.store import embedded

        config, table = self.config, self.table()
        of: Literal["pictures", "texts"]
        if isinstance(self.source, TableSource) and self.source.text is not None:
            of, items = "texts", [value or "" for value in self._texts()]
            contents = [hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest() for item in items]
        elif table.has_thumbnails:
            with_picture = set(table.fetch(["sample_id"], where="thumbnail IS NOT NULL")["sample_id"])
            rows = rows.take([row for row, sample_id in enumerate(rows.sample_ids) if sample_id in with_picture])
            of, items = "pictures", [str(table.root / decode_path(path or "")) for path in rows.paths]
            contents = [content or item for content, item in zip(rows.contents, items, strict=True)]
        else:
            raise ConfigurationError(
                "there are neither pictures nor texts to embed",
                where=config.origin or KEY,
                hint="name the column with dataset.image or dataset.text",
            )
        made = embedded(
            resolve(text, base=config.base.absolute()),
            items,
            contents,
            of,
            scope=str(config.dataset.path),
            store=self.cache,
            names=rows.sample_ids,
            threads=config.jobs,
            progress=self.progress,
        )
        where = f", computed on {made.device}" if made.device else ""
        return made.values, rows, f"embedding of {made.values.shape[1]} numbers by {text}{where}"

    def _texts(self) -> list[str | None]:
        """The texts of a table, in the order of its rows."""
        if not isinstance(self.source, TableSource) or self.source.text is None:
            raise TypeError("the source has no texts")
        column = self.source.columns([self.source.text])[self.source.text]
        return [text if isinstance(text, str) else None for text in column]

    def _own_features(self, kind: Kind, rows: _Rows) -> tuple[Features, _Rows]:
        from dataguard.labels.features import image_features, table_features
        from dataguard.labels.text_features import text_features

        if kind == "text":
            return text_features(self._texts(), progress=self.progress), rows
        if kind == "table" and isinstance(self.source, TableSource):
            return table_features(self.source.columns(self.source.feature_names)), rows
        with_picture, thumbnails = self.table().thumbnails()
        # Thumbnails come by sample id, and rows in the order of a table: each is put where its row is.
        place = {sample_id: index for index, sample_id in enumerate(with_picture)}
        kept = [index for index, sample_id in enumerate(rows.sample_ids) if sample_id in place]
        order = [place[rows.sample_ids[index]] for index in kept]
        return image_features(thumbnails[order]), rows.take(kept)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Rows:
    """What the label rules need of every sample, in one order."""

    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    paths: tuple[str | None, ...]
    labels: NDArray[np.object_]
    contents: tuple[str | None, ...]

    @classmethod
    def of(cls, table: SampleTable, order: str) -> _Rows:
        fetched = table.fetch(["sample_id", "split", "path", "label", "content_hash"], order=order)
        return cls(
            sample_ids=tuple(fetched["sample_id"]),
            splits=tuple(split or "" for split in fetched["split"]),
            paths=tuple(fetched["path"]),
            labels=fetched["label"],
            contents=tuple(fetched["content_hash"]),
        )

    def take(self, rows: Sequence[int]) -> _Rows:
        """Some of the rows."""
        return _Rows(
            sample_ids=tuple(self.sample_ids[row] for row in rows),
            splits=tuple(self.splits[row] for row in rows),
            paths=tuple(self.paths[row] for row in rows),
            labels=self.labels[list(rows)],
            contents=tuple(self.contents[row] for row in rows),
        )


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


def _unpack(blob: bytes, rows: _Rows) -> OutOfSample:
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


def _label_hint(source: Source | None) -> str:
    if isinstance(source, TableSource):
        return "name the column with dataset.label"
    return "put each class in a folder of its own, or set dataset.pattern, as '{split}/{label}_*.png'"
