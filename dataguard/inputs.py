"""What rules look at, made once a run and only where a rule asks for it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np

from dataguard.config import Config
from dataguard.core.errors import ConfigurationError, SourceError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.core.progress import Progress
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
from dataguard.labels.out_of_sample import OutOfSample, out_of_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.labels.features import TableFeatures

T = TypeVar("T")
Kind: TypeAlias = Literal["image", "table", "given"]
Features: TypeAlias = "NDArray[np.float32] | TableFeatures"
Unavailable: TypeAlias = Skipped | Inconclusive

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")


def open_source(config: Config) -> Source:
    """The source that a configuration names; ``config.dataset.path`` is absolute.

    Raises:
        SourceError: there is nothing at that path, or it is no kind of dataset.
    """
    dataset = config.dataset
    path = Path(dataset.path or ".")
    if not path.exists():
        raise SourceError("no such file or folder", where=path, hint="dataset.path names a folder of images or a table")
    kind = dataset.source or ("folder" if path.is_dir() else "table")
    if kind == "folder":
        for key in ("label", "split", "image", "group", "time", "id"):
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
    )


class Inputs:
    """Makes every kind of input that a rule may ask for, once."""

    def __init__(self, config: Config, source: Source, *, use_cache: bool, progress: Progress) -> None:
        self.config = config
        self.source = source
        self.progress = progress
        self.cache: Cache | None = None
        if use_cache:
            folder = Path(config.cache) if config.cache else Cache.default_folder()
            self.cache = Cache(config.base / folder)
        self._made: dict[type, Any] = {}
        self._makers: dict[type, Callable[[], Any]] = {
            SampleTable: self._scan,
            ClassCounts: self._class_counts,
            Duplicates: lambda: Duplicates.from_table(self.table()),
            NearDuplicates: self._near_duplicates,
            OutOfSample: self._out_of_sample,
            SchemaFailures: self._schema_failures,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed of the source, and what is the matter with the cache."""
        guessed = self.source.notes if isinstance(self.source, TableSource) else []
        return (*guessed, *(self.cache.notes if self.cache is not None else ()))

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

    def _scan(self) -> SampleTable:
        config = self.config
        return scan(
            self.source, cache=self.cache, jobs=config.jobs, progress=self.progress, max_pixels=config.max_pixels
        )

    def _class_counts(self) -> ClassCounts | Skipped:
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

    def _out_of_sample(self) -> OutOfSample | Unavailable:
        from dataguard.labels.given import read_features, read_pred_probs
        from dataguard.labels.out_of_sample import from_pred_probs

        dataset, base = self.config.dataset, self.config.base
        table = self.table()
        counts = self.class_counts()
        if isinstance(counts, Skipped):
            return counts
        # Tables are read in their own order, which is the order of the user's probabilities too.
        order = '"row"' if isinstance(self.source, TableSource) else '"sample_id"'
        rows = _Rows.of(table, order)
        if dataset.pred_probs is not None:
            path = base / dataset.pred_probs
            return from_pred_probs(
                sample_ids=rows.sample_ids,
                splits=rows.splits,
                paths=rows.paths,
                labels=rows.labels,
                classes=counts.classes,
                pred_probs=read_pred_probs(path, sample_ids=rows.sample_ids, classes=counts.classes),
                origin={"pred_probs": str(path), "sha256": _digest(path)},
            )
        key_parts: dict[str, Any] = {"version_id": table.version_id, "seed": self.config.seed, "order": order}
        if dataset.features is not None:
            path = base / dataset.features
            kind: Kind = "given"
            features: NDArray[np.float32] | None = read_features(path, sample_ids=rows.sample_ids)
            key_parts["features"] = _digest(path)
        elif table.has_thumbnails:
            kind, features = "image", None
        elif isinstance(self.source, TableSource):
            kind, features = "table", None
        else:
            return Skipped(reason="there is no picture to compute features from", hint="set dataset.features")
        return self._cross_validated(kind, features, rows, key_parts)

    def _cross_validated(
        self,
        kind: Kind,
        features: NDArray[np.float32] | None,
        rows: _Rows,
        key_parts: dict[str, Any],
    ) -> OutOfSample | Unavailable:
        from dataguard.labels import ALGORITHM_VERSION

        versions = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")}
        key = "out-of-sample/" + json.dumps(
            {**key_parts, **versions, "kind": kind, "algorithm": ALGORITHM_VERSION}, sort_keys=True
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
            groups=rows.contents,
            seed=self.config.seed,
            jobs=self.config.jobs,
            progress=self.progress,
        )
        if self.cache is not None and isinstance(made, OutOfSample):
            self.cache.put_blob(key, _pack(made))
        return made

    def _own_features(self, kind: Kind, rows: _Rows) -> tuple[Features, _Rows]:
        from dataguard.labels.features import image_features, table_features

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


def _label_hint(source: Source) -> str:
    if isinstance(source, TableSource):
        return "name the column with dataset.label"
    return "put each class in a folder of its own, or set dataset.pattern, as '{split}/{label}_*.png'"
